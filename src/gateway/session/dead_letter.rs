//! One batch of a topic that dead-letters goes the way of `deadletter::decisions`, until it knows what becomes of it;
//! [`finish`] then writes what is left of it.

mod finish;

pub use finish::Goes;

use super::produce;
use super::world::World;
use crate::contract::{Action, BatchVerdict, Code, OnDeadLetterFailure};
use crate::deadletter::decisions::entry::DeadLetterTopic;
use crate::deadletter::decisions::in_flight::InFlight;
use crate::deadletter::decisions::{BatchKey, Decision, Entry, Next, Path, Plan, ProducerPartition};
use crate::deadletter::letter::{Letter, Origin};
use crate::deadletter::log::LogError;
use crate::wire::batch::{Batch, BatchHeader, Records};
use crate::wire::compression::{DecompressionLimits, Decompressor};
use crate::wire::error_code::ErrorCode;
use crate::wire::produce_request::PartitionData;
use crate::wire::produce_response::{PartitionResponse, TopicName};
use crate::wire::record_indexes::RecordIndexes;
use std::fmt::Display;
use std::sync::Arc;
use ulid::Ulid;

/// Names something that the world does meanwhile.
pub type OperationId = u64;

/// What is asked of the log of decisions.
pub enum Operation {
    /// Read it as far as it goes now.
    CatchUp(ProducerPartition),
    /// Add its partition to the producer's transaction.
    JoinTransaction {
        transactional_id: Arc<str>,
        of: ProducerPartition,
        producer_epoch: i16,
    },
    /// Append; the outcome is the entry's offset.
    Append {
        of: ProducerPartition,
        entry: Entry,
        letters: Vec<Letter>,
        /// Wait until everything up to it is folded.
        read_back: bool,
    },
}

impl Operation {
    /// Says in the log that what was left of a decision's batch is taken.
    pub fn confirm(of: &ProducerPartition, decision: i64, read_back: bool) -> Self {
        let named = of.clone();
        Self::tell(of, Entry::Confirmed { of: named, decision }, read_back)
    }

    /// Says in the log that it was refused.
    pub fn revoke(of: &ProducerPartition, decision: i64, read_back: bool) -> Self {
        let named = of.clone();
        Self::tell(of, Entry::Revoked { of: named, decision }, read_back)
    }

    fn tell(of: &ProducerPartition, entry: Entry, read_back: bool) -> Self {
        Self::Append {
            of: of.clone(),
            entry,
            letters: Vec::new(),
            read_back,
        }
    }
}

/// What came of an [`Operation`]; the offset of what was appended.
pub type Outcome = Result<Option<i64>, LogError>;

/// One batch of a topic that dead-letters.
pub struct Work {
    /// Its partition's index in the request.
    pub index: usize,
    pub topic: Arc<str>,
    pub name: TopicName,
    pub partition: i32,
    verdict: BatchVerdict,
    way: Way,
    /// What it waits for.
    waits_for: Option<OperationId>,
}

enum Way {
    /// Of a producer with sequence numbers.
    Numbered(Path),
    /// Of one without: nothing can tell a retry from another batch.
    Unnumbered {
        of: ProducerPartition,
    },
    /// Without an answer there is nothing to confirm it by: it is confirmed before it is forwarded.
    Unanswered(Path, i64),
    Done(Done),
}

enum Done {
    Planned(Path, Plan),
    /// Goes on without its bad records.
    Lettered,
    Refused(Option<Numbers>, Refusal),
}

/// A batch of a producer with sequence numbers.
type Numbers = (ProducerPartition, BatchKey);

#[derive(Clone)]
enum Refusal {
    /// As the verdict says, for `reject`.
    Verdict,
    Code(ErrorCode, Option<String>),
    /// PC-402, and why.
    NotWritten(String),
}

/// What all batches of a request are seen with.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub client_id: Option<&'a str>,
    pub transactional_id: Option<&'a Arc<str>>,
    /// By SASL.
    pub principal: Option<&'a str>,
    pub has_answer: bool,
}

impl Work {
    /// A batch that was judged by a policy with `action: dead_letter`.
    pub fn new(
        index: usize,
        topic: Arc<str>,
        partition: &PartitionData<'_>,
        verdict: BatchVerdict,
        in_flight: &InFlight,
    ) -> Self {
        let records = partition.records.unwrap_or_default();
        let header = BatchHeader::of(records);
        let bad = match &verdict {
            BatchVerdict::Violations { bad_records, .. } => bad_records.clone(),
            _ => RecordIndexes::default(),
        };
        let of = header.as_ref().map(|header| ProducerPartition {
            producer_id: header.producer_id,
            topic: Arc::clone(&topic),
            partition: partition.partition,
        });
        let judged = !matches!(
            verdict,
            BatchVerdict::Refused { .. } | BatchVerdict::RegistryUnreachable { .. }
        );
        let way = match (header, of) {
            (Some(header), Some(of)) if header.producer_id >= 0 => {
                let batch = BatchKey {
                    producer_epoch: header.producer_epoch,
                    base_sequence: header.base_sequence,
                    record_count: header.record_count.max(0).unsigned_abs(),
                    crc: header.crc,
                };
                if in_flight.is_behind_a_refusal(&of, &batch) {
                    let why = Refusal::Code(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, None);
                    Way::Done(Done::Refused(Some((of, batch)), why))
                } else if judged {
                    let follows_on = in_flight.follows_on(&of, &batch);
                    Way::Numbered(Path::new(of, batch, bad, header.is_transactional(), follows_on))
                } else {
                    Way::Done(Done::Refused(Some((of, batch)), Refusal::Verdict))
                }
            }
            (Some(_), Some(of)) if judged && !bad.is_empty() => Way::Unnumbered { of },
            // Nothing is known against it that a broker would not say itself.
            (_, _) if judged => Way::Done(Done::Lettered),
            _ => Way::Done(Done::Refused(None, Refusal::Verdict)),
        };
        Self {
            index,
            topic,
            name: produce::name_of(partition.topic),
            partition: partition.partition,
            verdict,
            way,
            waits_for: None,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.way, Way::Done(_))
    }

    /// Goes on as far as it can. `records`: of its partition in the request.
    pub fn advance<W: World>(&mut self, world: &mut W, records: &[u8], seen: Seen<'_>) {
        while self.waits_for.is_none() {
            let operation = match &self.way {
                Way::Done(_) => return,
                Way::Numbered(path) => match world.next_step(path) {
                    Next::Go(plan) => {
                        let path = path.clone();
                        self.go(path, plan, seen.has_answer);
                        continue;
                    }
                    Next::CatchUp => Operation::CatchUp(path.of.clone()),
                    Next::JoinTransaction => {
                        let Some(id) = seen.transactional_id else {
                            // As a broker answers a transactional batch without an id.
                            let why = Refusal::Code(ErrorCode::INVALID_TXN_STATE, None);
                            self.way = Way::Done(Done::Refused(numbers(path), why));
                            continue;
                        };
                        Operation::JoinTransaction {
                            transactional_id: Arc::clone(id),
                            of: path.of.clone(),
                            producer_epoch: path.batch.producer_epoch,
                        }
                    }
                    Next::Revoke(decision) => Operation::revoke(&path.of, decision, true),
                    Next::Decide => match self.decision(world, path, records, seen) {
                        Ok(operation) => operation,
                        Err(why) => {
                            self.way = Way::Done(Done::Refused(numbers(path), why));
                            continue;
                        }
                    },
                },
                Way::Unanswered(path, decision) => Operation::confirm(&path.of, *decision, true),
                Way::Unnumbered { of } => match self.letters(world, of, records, seen) {
                    Ok(operation) => operation,
                    Err(why) => {
                        self.way = Way::Done(Done::Refused(None, why));
                        continue;
                    }
                },
            };
            self.waits_for = Some(world.start(operation));
        }
    }

    fn go(&mut self, path: Path, plan: Plan, has_answer: bool) {
        let decision = match &plan {
            Plan::Forward { decision, .. } => *decision,
            Plan::DroppedWhole {
                decision,
                confirmed: false,
            } => Some(*decision),
            Plan::DroppedWhole { .. } | Plan::Forgotten => None,
        };
        self.way = match (decision, has_answer) {
            (Some(decision), false) if !matches!(self.way, Way::Unanswered(..)) => {
                Way::Unanswered(path, decision)
            }
            _ => Way::Done(Done::Planned(path, plan)),
        };
    }

    /// Whether this is what it waited for.
    pub fn finished<W: World>(&mut self, world: &mut W, operation: OperationId, outcome: &Outcome) -> bool {
        if self.waits_for != Some(operation) {
            return false;
        }
        self.waits_for = None;
        if let Err(error) = outcome {
            let numbers = self.path().and_then(numbers);
            self.way = Way::Done(Done::Refused(numbers, refusal(world, &self.topic, error)));
            return true;
        }
        match &mut self.way {
            Way::Numbered(path) => match world.next_step(path) {
                Next::CatchUp => path.caught_up(),
                Next::JoinTransaction => path.joined_transaction(),
                Next::Decide | Next::Revoke(_) | Next::Go(_) => {}
            },
            Way::Unanswered(path, _) => {
                if let Next::Go(plan) = world.next_step(path) {
                    self.way = Way::Done(Done::Planned(path.clone(), plan));
                }
            }
            Way::Unnumbered { .. } => self.way = Way::Done(Done::Lettered),
            Way::Done(_) => {}
        }
        true
    }

    fn decision<W: World>(
        &self,
        world: &mut W,
        path: &Path,
        records: &[u8],
        seen: Seen<'_>,
    ) -> Result<Operation, Refusal> {
        let target = self.target(world)?;
        let letters = self.bad_records(world, records, seen)?;
        let transactional = seen.transactional_id.is_some();
        Ok(Operation::Append {
            of: path.of.clone(),
            entry: Entry::Decision(Decision {
                of: path.of.clone(),
                batch: path.batch,
                dropped: path.bad.clone(),
                transactional,
                target,
            }),
            letters,
            read_back: true,
        })
    }

    fn letters<W: World>(
        &self,
        world: &mut W,
        of: &ProducerPartition,
        records: &[u8],
        seen: Seen<'_>,
    ) -> Result<Operation, Refusal> {
        let target = self.target(world)?;
        let letters = self.bad_records(world, records, seen)?;
        Ok(Operation::Append {
            of: of.clone(),
            entry: Entry::Letters {
                topic: Arc::clone(&self.topic),
                partition: self.partition,
                count: u32::try_from(letters.len()).unwrap_or(u32::MAX),
                target,
            },
            letters,
            read_back: false,
        })
    }

    fn target<W: World>(&self, world: &mut W) -> Result<DeadLetterTopic, Refusal> {
        let topic = world.topic(&self.topic);
        let Some(name) = topic.rules.dead_letter_topic.clone() else {
            let why = "the name of its dead-letter topic would be longer than a topic's name may be";
            return Err(not_written(&why));
        };
        let retention_ms = match &topic.rules.action {
            Action::DeadLetter(dead_letter) => dead_letter.retention,
            Action::Reject | Action::Observe | Action::Mark => None,
        };
        Ok(DeadLetterTopic {
            name,
            retention_ms: retention_ms.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// The batch's bad records as dead letters.
    fn bad_records<W: World>(
        &self,
        world: &mut W,
        records: &[u8],
        seen: Seen<'_>,
    ) -> Result<Vec<Letter>, Refusal> {
        let BatchVerdict::Violations { violations, .. } = &self.verdict else {
            return Ok(Vec::new());
        };
        let place = world.place();
        let mut decompressor = Decompressor::default();
        let (batch, plain) = open(records, &mut decompressor, world.decompression_limits())?;
        let origin = Origin {
            topic: &self.topic,
            partition: self.partition,
            producer_id: batch.header.producer_id,
            producer_epoch: batch.header.producer_epoch,
            base_sequence: batch.header.base_sequence,
            transactional_id: seen.transactional_id.map(|id| &**id),
            client_id: seen.client_id,
            principal: seen.principal.or(place.principal.as_deref()),
            client_address: &place.client_address,
            gateway: &place.gateway,
            time_ms: place.time_ms,
        };
        let mut violations = violations.iter().peekable();
        let mut letters = Vec::new();
        for (index, record) in (0u32..).zip(Records::new(plain, batch.header.record_count)) {
            let Some(violation) = violations.next_if(|violation| violation.record.cast_unsigned() == index)
            else {
                continue;
            };
            let record = record.map_err(|error| not_written(&error))?;
            let timestamp_ms = batch.header.timestamp_ms_of(&record);
            letters.push(Letter::of(&record, timestamp_ms, index, violation, &origin));
        }
        Ok(letters)
    }

    fn path(&self) -> Option<&Path> {
        match &self.way {
            Way::Numbered(path) | Way::Unanswered(path, _) | Way::Done(Done::Planned(path, _)) => Some(path),
            Way::Unnumbered { .. } | Way::Done(_) => None,
        }
    }

    fn numbers(&self) -> Option<(&ProducerPartition, &BatchKey)> {
        match &self.way {
            Way::Done(Done::Refused(numbers, _)) => numbers.as_ref().map(|(of, batch)| (of, batch)),
            _ => self.path().map(|path| (&path.of, &path.batch)),
        }
    }
}

impl Refusal {
    /// `reference`: a fresh one, for the line.
    fn response(&self, verdict: &BatchVerdict, partition: i32, reference: Ulid) -> PartitionResponse {
        match self {
            Self::Verdict => produce::refusal(verdict, partition)
                .unwrap_or_else(|| produce::answer(partition, ErrorCode::INVALID_RECORD, None)),
            Self::Code(code, message) => produce::answer(partition, *code, message.clone()),
            // Retriable, and "nothing was appended" for every client.
            Self::NotWritten(why) => {
                let line = not_written_line(why, reference);
                produce::answer(partition, ErrorCode::NOT_ENOUGH_REPLICAS, Some(line))
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a refusal holds it")]
fn numbers(path: &Path) -> Option<Numbers> {
    Some((path.of.clone(), path.batch))
}

fn not_written(why: &dyn Display) -> Refusal {
    Refusal::NotWritten(why.to_string())
}

/// The line of PC-402.
pub fn not_written_line(why: &dyn Display, reference: Ulid) -> String {
    format!("{} batch: {why}; ref {reference}", Code::DeadLetterNotWritten)
}

fn open<'a>(
    records: &'a [u8],
    decompressor: &'a mut Decompressor,
    limits: DecompressionLimits,
) -> Result<(Batch<'a>, &'a [u8]), Refusal> {
    let batch = Batch::read(records).map_err(|error| not_written(&error))?;
    let plain = decompressor
        .decompress(batch.compression, batch.records, limits)
        .map_err(|error| not_written(&error))?;
    Ok((batch, plain))
}

/// What the client is told when the log did not do its part.
fn refusal<W: World>(world: &mut W, topic: &str, error: &LogError) -> Refusal {
    world.dead_letter_failed(topic, error);
    if let LogError::Transaction { code: Some(code), .. } = error {
        return Refusal::Code(ErrorCode(*code), Some(error.to_string()));
    }
    let topic = world.topic(topic);
    match &topic.rules.action {
        Action::DeadLetter(dead_letter) if dead_letter.on_failure == OnDeadLetterFailure::Reject => {
            Refusal::Verdict
        }
        _ => not_written(error),
    }
}
