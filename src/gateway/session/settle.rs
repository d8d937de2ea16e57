//! The answer to a Produce request whose batches were decided on: it leaves when what the broker said is in the log.

use super::Session;
use super::dead_letter::{Operation, OperationId, Outcome, not_written_line};
use super::pending::Pending;
use super::produce::{self, LocalAnswer};
use super::responses::produce_response;
use super::world::World;
use crate::deadletter::decisions::ProducerPartition;
use crate::deadletter::decisions::answer::Answer;
use crate::deadletter::decisions::in_flight::{InFlight, Ticket};
use crate::wire::error_code::ErrorCode;
use crate::wire::header::RequestHead;
use crate::wire::produce_response::{PartitionResponse, ProduceResponse, TopicName};
use crate::wire::reader::WireError;

/// What the answer to a request waits for, beside the broker.
pub struct Settlement {
    pub answers: Vec<LocalAnswer>,
    pub parts: Vec<Part>,
}

impl Settlement {
    /// Whether any batch is refused.
    pub fn refuses(&self) -> bool {
        let refused = |part: &Part| match &part.state {
            State::Answered { response, .. } => response.error_code != ErrorCode::NONE,
            State::Forwarded { .. } | State::DroppedWhole { .. } => false,
        };
        !self.answers.is_empty() || self.parts.iter().any(refused)
    }
}

/// One batch that was decided on.
pub struct Part {
    pub name: TopicName,
    pub partition: i32,
    /// None of a producer without sequence numbers.
    pub of: Option<ProducerPartition>,
    pub state: State,
}

pub enum State {
    Forwarded {
        batch: Ticket,
        decision: Option<i64>,
    },
    DroppedWhole {
        batch: Ticket,
        decision: i64,
        confirmed: bool,
    },
    /// It went to nobody.
    Answered {
        refused: Option<Ticket>,
        response: PartitionResponse,
    },
}

/// A response that waits for the log.
pub struct Settling {
    frame: Frame,
    head: RequestHead,
    response: ProduceResponse,
    waits: Vec<Wait>,
}

/// Where the response goes.
#[derive(Clone, Copy)]
pub enum Frame {
    /// In the place of the broker's, of so many bytes, behind its header.
    InPlace { header_bytes: usize, total: usize },
    /// The broker was not asked.
    Own,
}

struct Wait {
    operation: OperationId,
    name: TopicName,
    partition: i32,
    of: ProducerPartition,
    batch: Ticket,
    taken: bool,
    /// What the client is told when the log cannot be written.
    otherwise: ErrorCode,
}

impl Settling {
    /// Begins to settle: `response` is the broker's, or empty when it was not asked.
    pub fn new<W: World>(
        world: &mut W,
        in_flight: &mut InFlight,
        frame: Frame,
        head: RequestHead,
        mut response: ProduceResponse,
        settlement: Settlement,
    ) -> Self {
        produce::merge(&mut response, settlement.answers);
        let mut waits = Vec::new();
        for part in settlement.parts {
            let Part {
                name,
                partition,
                of,
                state,
            } = part;
            let (of, batch, tell, taken, otherwise) = match (state, of) {
                (
                    State::Answered {
                        refused,
                        response: answer,
                    },
                    _,
                ) => {
                    if let Some(batch) = refused {
                        in_flight.answered(batch, false);
                    }
                    produce::add(&mut response, name, answer);
                    continue;
                }
                (State::Forwarded { batch, decision }, Some(of)) => {
                    let code = find(&mut response, &name, partition).map(|found| found.error_code);
                    let answer = code.map_or(Answer::Unknown, Answer::of);
                    if answer == Answer::Refused {
                        in_flight.turned_down(batch);
                    }
                    let tell = match (answer, decision) {
                        (Answer::Taken, Some(decision)) => Operation::confirm(&of, decision, false),
                        (Answer::Refused, Some(decision)) => Operation::revoke(&of, decision, false),
                        (answer, _) => {
                            in_flight.answered(batch, answer == Answer::Taken);
                            continue;
                        }
                    };
                    let taken = answer == Answer::Taken;
                    let otherwise = if taken {
                        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
                    } else {
                        ErrorCode::NOT_ENOUGH_REPLICAS
                    };
                    (of, batch, tell, taken, otherwise)
                }
                (
                    State::DroppedWhole {
                        batch,
                        decision,
                        confirmed: settled,
                    },
                    Some(of),
                ) => {
                    let taken = settled || !in_flight.is_behind_a_failure(batch);
                    let code = if taken {
                        ErrorCode::NONE
                    } else {
                        // Whether it is in order is as little known as what became of the one before it.
                        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
                    };
                    let answer = produce::answer(partition, code, None);
                    produce::add(&mut response, name.clone(), answer);
                    if settled || !taken {
                        in_flight.answered(batch, taken);
                        continue;
                    }
                    let tell = Operation::confirm(&of, decision, false);
                    (of, batch, tell, taken, ErrorCode::NOT_ENOUGH_REPLICAS)
                }
                (State::Forwarded { .. } | State::DroppedWhole { .. }, None) => continue,
            };
            waits.push(Wait {
                operation: world.start(tell),
                name,
                partition,
                of,
                batch,
                taken,
                otherwise,
            });
        }
        Self {
            frame,
            head,
            response,
            waits,
        }
    }

    /// Whether this is one of those it waits for.
    pub fn finished<W: World>(
        &mut self,
        world: &mut W,
        in_flight: &mut InFlight,
        operation: OperationId,
        outcome: &Outcome,
    ) -> bool {
        let Some(position) = self.waits.iter().position(|wait| wait.operation == operation) else {
            return false;
        };
        let wait = self.waits.swap_remove(position);
        let written = outcome.is_ok();
        in_flight.answered(wait.batch, wait.taken && written);
        if let Err(error) = outcome {
            world.dead_letter_failed(&wait.of.topic, error);
            if let Some(answer) = find(&mut self.response, &wait.name, wait.partition) {
                let line = not_written_line(error, world.reference());
                *answer = produce::answer(wait.partition, wait.otherwise, Some(line));
            }
        }
        true
    }
}

impl Session {
    /// A Produce response of the broker is there: puts it together with our own answers, and sends it on when the log
    /// says what it said.
    pub(super) fn settle<W: World>(
        &mut self,
        world: &mut W,
        head: RequestHead,
        frame: Frame,
        settlement: Settlement,
    ) -> Result<(), WireError> {
        self.produce_requests += 1;
        let response = match frame {
            Frame::InPlace { header_bytes, total } => {
                let body = self.down.unparsed().get(header_bytes..total).unwrap_or_default();
                produce_response(world, body, head.api_version)?
            }
            Frame::Own => ProduceResponse::default(),
        };
        let settling = Settling::new(world, &mut self.in_flight, frame, head, response, settlement);
        self.settling = Some(settling);
        Ok(())
    }

    /// It is the turn of a request that the broker did not get.
    pub(super) fn settle_own<W: World>(&mut self, world: &mut W) {
        if let Some(Pending::Settled(head, settlement)) = self.pending.pop_front() {
            // There is nothing to read in a response of our own.
            let _ = self.settle(world, head, Frame::Own, settlement);
        }
    }

    /// Sends the response that is settled; whether it was.
    pub(super) fn send_settled(&mut self) -> bool {
        let Some(settling) = self.settling.take_if(|settling| settling.waits.is_empty()) else {
            return false;
        };
        let Settling {
            frame,
            head,
            response,
            ..
        } = settling;
        self.scratch.clear();
        produce::write_response(head, &response, &mut self.scratch);
        let replaced = match frame {
            Frame::InPlace { total, .. } => total,
            Frame::Own => 0,
        };
        self.down.replace(0..replaced, &self.scratch);
        self.down.forward(self.scratch.len());
        true
    }
}

fn find<'r>(
    response: &'r mut ProduceResponse,
    topic: &TopicName,
    partition: i32,
) -> Option<&'r mut PartitionResponse> {
    let (_, partitions) = response.topics.iter_mut().find(|(name, _)| name == topic)?;
    partitions.iter_mut().find(|found| found.partition == partition)
}
