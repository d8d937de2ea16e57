//! What of a batch goes to the broker once its decision is made.

use super::super::produce;
use super::super::settle::{Part, State};
use super::super::world::{Fate, Judged, World};
use super::{Done, Refusal, Way, Work, not_written, open};
use crate::contract::{Additions, BatchVerdict};
use crate::deadletter::decisions::in_flight::InFlight;
use crate::deadletter::decisions::{Path, Plan};
use crate::wire::batch_rewrite::{RecordEdit, rewrite_batch, with_base_sequence};
use crate::wire::compression::{DecompressionLimits, Decompressor};
use crate::wire::error_code::ErrorCode;
use crate::wire::record_indexes::RecordIndexes;
use crate::wire::sequence;

/// What of a batch goes to the broker.
#[derive(Debug)]
pub enum Goes {
    AsItIs,
    Instead(Vec<u8>),
    Nothing,
}

enum Kind {
    Forwarded {
        decision: Option<i64>,
    },
    DroppedWhole {
        decision: i64,
        confirmed: bool,
    },
    /// Without sequence numbers, and its bad records are in the log.
    Lettered,
    /// Without sequence numbers, and nothing is wrong with it.
    Untouched,
}

impl Work {
    /// What of its batch goes to the broker, and what its answer waits for. The verdict is counted.
    pub fn finish<W: World>(
        &self,
        world: &mut W,
        records: &[u8],
        client_id: Option<&str>,
        in_flight: &mut InFlight,
    ) -> (Goes, Option<Part>) {
        let topic = world.topic(&self.topic);
        // While it was decided on, one before it may have been refused.
        let behind = |path: &Path| in_flight.is_behind_a_refusal(&path.of, &path.batch);
        let resolved = if self.path().is_some_and(behind) {
            Err(Refusal::Code(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, None))
        } else {
            self.resolve(world, records)
        };
        let fate = match &resolved {
            Ok((
                Goes::Instead(_) | Goes::Nothing,
                Kind::Forwarded { decision: Some(_) } | Kind::DroppedWhole { .. } | Kind::Lettered,
            )) => Fate::Trimmed,
            Ok(_) => Fate::Forwarded,
            Err(_) => Fate::Refused,
        };
        world.judged(Judged {
            topic: &topic,
            partition: self.partition,
            client_id,
            verdict: &self.verdict,
            fate,
        });
        let (goes, state) = match (resolved, self.path()) {
            (Ok((goes, Kind::Forwarded { decision })), Some(path)) => {
                if decision.is_none() {
                    world.passed_whole(path);
                }
                let batch = in_flight.sent(&path.of, &path.batch);
                (goes, State::Forwarded { batch, decision })
            }
            (Ok((goes, Kind::DroppedWhole { decision, confirmed })), Some(path)) => {
                let batch = in_flight.sent(&path.of, &path.batch);
                let state = State::DroppedWhole {
                    batch,
                    decision,
                    confirmed,
                };
                (goes, state)
            }
            (Ok((Goes::Nothing, _)), _) => {
                let response = produce::answer(self.partition, ErrorCode::NONE, None);
                (
                    Goes::Nothing,
                    State::Answered {
                        refused: None,
                        response,
                    },
                )
            }
            (Ok((goes, _)), _) => return (goes, None),
            (Err(why), _) => {
                let refused = self.numbers().map(|(of, batch)| in_flight.refused(of, batch));
                let response = why.response(&self.verdict, self.partition, world.reference());
                (Goes::Nothing, State::Answered { refused, response })
            }
        };
        let part = Part {
            name: self.name.clone(),
            partition: self.partition,
            of: self.numbers().map(|(of, _)| of.clone()),
            state,
        };
        (goes, Some(part))
    }

    fn resolve<W: World>(&self, world: &mut W, records: &[u8]) -> Result<(Goes, Kind), Refusal> {
        let limits = world.decompression_limits();
        match &self.way {
            Way::Done(Done::Planned(path, plan)) => match plan {
                Plan::Forgotten => Err(Refusal::Code(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, None)),
                Plan::DroppedWhole { decision, confirmed } => Ok((
                    Goes::Nothing,
                    Kind::DroppedWhole {
                        decision: *decision,
                        confirmed: *confirmed,
                    },
                )),
                Plan::Forward {
                    shift,
                    dropped,
                    decision,
                } => {
                    let base_sequence = sequence::before(path.batch.base_sequence, *shift);
                    let goes = if !dropped.is_empty() || Additions::framing(&self.verdict).is_some() {
                        Goes::Instead(self.written(limits, records, dropped, Some(base_sequence))?)
                    } else if *shift > 0 {
                        let mut bytes = Vec::with_capacity(records.len());
                        with_base_sequence(records, base_sequence, &mut bytes);
                        Goes::Instead(bytes)
                    } else {
                        Goes::AsItIs
                    };
                    Ok((goes, Kind::Forwarded { decision: *decision }))
                }
            },
            Way::Done(Done::Lettered) => match &self.verdict {
                BatchVerdict::Violations {
                    bad_records,
                    records: count,
                    ..
                } => {
                    let goes = if bad_records.len() == *count {
                        Goes::Nothing
                    } else {
                        Goes::Instead(self.written(limits, records, bad_records, None)?)
                    };
                    Ok((goes, Kind::Lettered))
                }
                BatchVerdict::ValidUnframed { .. } => {
                    let nothing = RecordIndexes::default();
                    let bytes = self.written(limits, records, &nothing, None)?;
                    Ok((Goes::Instead(bytes), Kind::Untouched))
                }
                _ => Ok((Goes::AsItIs, Kind::Untouched)),
            },
            Way::Done(Done::Refused(_, why)) => Err(why.clone()),
            Way::Numbered(_) | Way::Unnumbered { .. } | Way::Unanswered(..) => {
                Err(not_written(&"its decision is not made"))
            }
        }
    }

    /// The batch without `dropped`, the others in their envelope. `base_sequence`: none keeps the batch's own.
    fn written(
        &self,
        limits: DecompressionLimits,
        records: &[u8],
        dropped: &RecordIndexes,
        base_sequence: Option<i32>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut decompressor = Decompressor::default();
        let (batch, plain) = open(records, &mut decompressor, limits)?;
        let framing = Additions::framing(&self.verdict);
        let edit = |index| {
            if dropped.contains(index) {
                return RecordEdit::Drop;
            }
            framing
                .as_ref()
                .map_or(RecordEdit::Keep, |framing| framing.edit(index))
        };
        let base_sequence = base_sequence.unwrap_or(batch.header.base_sequence);
        let mut bytes = Vec::new();
        rewrite_batch(&batch, plain, base_sequence, limits.bytes_max, edit, &mut bytes)
            .map_err(|error| not_written(&error))?;
        Ok(bytes)
    }
}
