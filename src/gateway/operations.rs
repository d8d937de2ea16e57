//! What a session has asked of the log of decisions, under way.

use super::session::dead_letter::{Operation, OperationId, Outcome};
use crate::deadletter::log::{DecisionLog, LogError};
use std::collections::VecDeque;
use std::task::{Context, Poll};
use tokio::task::JoinSet;

#[derive(Default)]
pub struct Operations {
    running: JoinSet<(OperationId, Outcome)>,
    finished: VecDeque<(OperationId, Outcome)>,
    next: OperationId,
}

impl Operations {
    pub fn start(&mut self, log: Option<&DecisionLog>, operation: Operation) -> OperationId {
        let id = self.next;
        self.next += 1;
        match log {
            Some(log) => {
                let log = log.clone();
                self.running
                    .spawn(async move { (id, carry_out(log, operation).await) });
            }
            None => self.finished.push_back((id, Err(LogError::Closed))),
        }
        id
    }

    /// Whether any has come to its end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready(Some(joined)) = self.running.poll_join_next(cx) {
            // One that panicked would leave its request waiting: its connection ends with the idle time.
            self.finished.extend(joined);
        }
        !self.finished.is_empty()
    }

    pub fn finished(&mut self) -> Option<(OperationId, Outcome)> {
        self.finished.pop_front()
    }
}

async fn carry_out(log: DecisionLog, operation: Operation) -> Outcome {
    match operation {
        Operation::CatchUp(of) => log.catch_up(&of).await.map(|()| None),
        Operation::JoinTransaction {
            transactional_id,
            of,
            producer_epoch,
        } => {
            let joined = log.join_transaction(&transactional_id, &of, producer_epoch).await;
            joined.map(|()| None)
        }
        Operation::Append {
            of,
            entry,
            letters,
            read_back,
        } => log.append(&of, entry, letters, read_back).await.map(Some),
    }
}
