//! A Produce request for topics that dead-letter: it goes on when each of its batches knows what becomes of it. Until
//! then nothing behind it on its connection does.

use super::dead_letter::{Goes, OperationId, Outcome, Seen, Work};
use super::pending::{Forwarded, Handling, Pending};
use super::produce::{self, LocalAnswer};
use super::settle::Settlement;
use super::world::World;
use super::{CloseReason, Session};
use crate::wire::header::{RequestHead, read_request_header};
use crate::wire::produce_request::{PartitionEdit, ProduceRequest};
use std::sync::Arc;

pub struct Deciding {
    pub head: RequestHead,
    pub has_answer: bool,
    pub transactional_id: Option<Arc<str>>,
    /// For partitions that do not dead-letter.
    pub answers: Vec<LocalAnswer>,
    pub replaced: Vec<(usize, Vec<u8>)>,
    /// In the request's order.
    pub works: Vec<Work>,
}

impl Session {
    /// Takes in what has come of operations; whether there was any.
    pub(super) fn take_finished<W: World>(&mut self, world: &mut W) -> bool {
        let mut moved = false;
        while let Some((operation, outcome)) = world.finished() {
            moved = true;
            self.take_outcome(world, operation, &outcome);
        }
        if moved {
            self.go_on_deciding(world);
        }
        moved
    }

    fn take_outcome<W: World>(&mut self, world: &mut W, operation: OperationId, outcome: &Outcome) {
        if let Some(deciding) = &mut self.deciding {
            for work in &mut deciding.works {
                if work.finished(world, operation, outcome) {
                    return;
                }
            }
        }
        if let Some(settling) = &mut self.settling {
            settling.finished(world, &mut self.in_flight, operation, outcome);
        }
    }

    pub(super) fn is_deciding(&self) -> bool {
        let deciding = self.deciding.as_ref();
        deciding.is_some_and(|deciding| !deciding.works.iter().all(Work::is_done))
    }

    /// Takes each batch of the request that waits as far as it can go.
    pub(super) fn go_on_deciding<W: World>(&mut self, world: &mut W) {
        let Some(deciding) = &mut self.deciding else {
            return;
        };
        let total = super::requests::waiting_bytes(self.request);
        let request = self.up.unparsed().get(4..total).unwrap_or_default();
        let Ok((header, body)) = read_request_header(request) else {
            return;
        };
        let Ok(produce) = ProduceRequest::read(body, deciding.head.api_version) else {
            return;
        };
        let seen = Seen {
            client_id: header.client_id,
            transactional_id: deciding.transactional_id.as_ref(),
            principal: self.principal.as_deref(),
            has_answer: deciding.has_answer,
        };
        let mut works = deciding.works.iter_mut().peekable();
        for (index, partition) in produce.partitions().enumerate() {
            if let Some(work) = works.next_if(|work| work.index == index) {
                work.advance(world, partition.records.unwrap_or_default(), seen);
            }
        }
    }

    /// All batches of the request know what becomes of them: writes what is left of it, and what its answer waits for.
    pub(super) fn take_decided<W: World>(&mut self, world: &mut W, total: usize) -> Result<(), CloseReason> {
        let Some(deciding) = self.deciding.take() else {
            return Ok(());
        };
        let request = self.up.unparsed().get(4..total).unwrap_or_default();
        let (header, body) = read_request_header(request).map_err(CloseReason::Request)?;
        let produce = ProduceRequest::read(body, deciding.head.api_version).map_err(CloseReason::Request)?;
        let mut edits: Vec<Goes> = Vec::with_capacity(produce.partition_count);
        let mut parts = Vec::new();
        let mut works = deciding.works.iter().peekable();
        let mut answers = deciding.answers.iter().peekable();
        let mut replaced = deciding.replaced.into_iter().peekable();
        for (index, partition) in produce.partitions().enumerate() {
            if answers.next_if(|answer| answer.index == index).is_some() {
                edits.push(Goes::Nothing);
            } else if let Some(work) = works.next_if(|work| work.index == index) {
                let records = partition.records.unwrap_or_default();
                let (goes, part) = work.finish(world, records, header.client_id, &mut self.in_flight);
                edits.push(goes);
                parts.extend(part);
            } else if let Some((_, records)) = replaced.next_if(|(at, _)| *at == index) {
                edits.push(Goes::Instead(records));
            } else {
                edits.push(Goes::AsItIs);
            }
        }
        let nothing_goes = edits.iter().all(|edit| matches!(edit, Goes::Nothing));
        let untouched = edits.iter().all(|edit| matches!(edit, Goes::AsItIs));
        if untouched {
            self.up.forward(total);
        } else {
            self.scratch.clear();
            if !nothing_goes {
                let edit = |index: usize| match edits.get(index) {
                    Some(Goes::Instead(records)) => PartitionEdit::Replaced(records),
                    Some(Goes::Nothing) => PartitionEdit::LeftOut,
                    Some(Goes::AsItIs) | None => PartitionEdit::Kept,
                };
                produce::write_request(request, &produce, body.len(), edit, &mut self.scratch);
            }
            self.up.replace(0..total, &self.scratch);
            self.up.forward(self.scratch.len());
        }
        let settlement = Settlement {
            answers: deciding.answers,
            parts,
        };
        if !deciding.has_answer {
            return if settlement.refuses() {
                Err(CloseReason::RefusedWithoutAnswer)
            } else {
                Ok(())
            };
        }
        let head = deciding.head;
        self.pending.push_back(if nothing_goes {
            Pending::Settled(head, settlement)
        } else {
            Pending::Forwarded(Forwarded {
                correlation_id: head.correlation_id,
                api_key: head.api_key,
                version: head.api_version,
                handling: Handling::Settle(settlement),
            })
        });
        Ok(())
    }
}
