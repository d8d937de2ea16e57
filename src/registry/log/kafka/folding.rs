//! The state and how far into the log it goes. The reader folds what it fetches; the writer, which has folded its own
//! records already to decide on them, hands in the result. Whoever comes second finds it done.

use crate::registry::role::Leadership;
use crate::registry::source::Source;
use crate::registry::state::{Record, State, Touched};
use crate::wire::compression::{DecompressionLimits, Decompressor};
use crate::wire::log::{LogRecord, Walked, walk};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One batch of the log, decompressed. A broker takes none over `message.max.bytes`, 1 MiB by default; schemas compress
/// well.
const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 64 << 20,
    ratio_max: 1_000,
};

pub struct Folding {
    source: Arc<Source>,
    leadership: Leadership,
    /// The offset after the last folded record. Held while the state moves on.
    next_offset: Mutex<i64>,
}

/// One fetched record, understood.
struct Read {
    offset: i64,
    timestamp_ms: i64,
    record: Record,
}

impl Folding {
    pub fn new(source: Arc<Source>, leadership: Leadership, next_offset: i64) -> Self {
        leadership.set_folded(next_offset);
        Self {
            source,
            leadership,
            next_offset: Mutex::new(next_offset),
        }
    }

    pub fn next_offset(&self) -> i64 {
        *self.lock()
    }

    /// The state, and the offset that the next record will have.
    pub fn state(&self) -> (Arc<State>, i64) {
        let next_offset = self.lock();
        (self.source.state(), *next_offset)
    }

    /// Folds what was fetched, and says how far that went.
    pub fn fold(&self, fetched: &[u8]) -> Walked {
        let mut reads = Vec::new();
        let walked = decode(
            fetched,
            self.next_offset(),
            &mut Decompressor::default(),
            &mut |read| {
                reads.push(read);
            },
        );
        let Some(end) = walked.next_offset else {
            return walked;
        };
        let mut next_offset = self.lock();
        if end <= *next_offset {
            return walked;
        }
        reads.retain(|read| read.offset >= *next_offset);
        let mut state = State::clone(&self.source.state());
        let mut touched = Touched::default();
        for read in reads {
            report(&read.record, read.offset);
            state.apply(read.record, read.timestamp_ms, &mut touched);
        }
        self.source.publish(Arc::new(state), &touched);
        *next_offset = end;
        self.leadership.set_folded(end);
        walked
    }

    /// Takes `state` for the fold up to `end` if nothing has been folded since `base`. Else what was written has been
    /// read already, or is going to be.
    pub fn advance(&self, base: i64, end: i64, state: State, touched: &Touched) {
        let mut next_offset = self.lock();
        if *next_offset == base {
            self.source.publish(Arc::new(state), touched);
            *next_offset = end;
            self.leadership.set_folded(end);
        }
    }

    fn lock(&self) -> MutexGuard<'_, i64> {
        self.next_offset.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Folds a log from its beginning, before anybody reads the state.
pub struct Load {
    pub state: State,
    pub next_offset: i64,
    decompressor: Decompressor,
}

impl Load {
    pub fn new(state: State, next_offset: i64) -> Self {
        Self {
            state,
            next_offset,
            decompressor: Decompressor::default(),
        }
    }

    pub fn fold(&mut self, fetched: &[u8]) -> Walked {
        // Who changed is of no interest yet.
        let mut touched = Touched::default();
        let state = &mut self.state;
        let walked = decode(fetched, self.next_offset, &mut self.decompressor, &mut |read| {
            state.apply(read.record, read.timestamp_ms, &mut touched);
        });
        self.next_offset = walked.next_offset.unwrap_or(self.next_offset);
        walked
    }
}

fn decode(fetched: &[u8], from: i64, decompressor: &mut Decompressor, each: &mut dyn FnMut(Read)) -> Walked {
    walk(fetched, decompressor, LIMITS, &mut |record: LogRecord<'_>| {
        if record.offset >= from {
            each(Read {
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                record: Record::decode(record.key.unwrap_or_default(), record.value),
            });
        }
    })
}

/// Says so when somebody wrote what we do not understand.
fn report(record: &Record, offset: i64) {
    if let Record::Unknown(unknown) = record {
        tracing::warn!(
            offset,
            keytype = %unknown.kind,
            why = %unknown.why,
            "the registry's log has a record that is not understood; it is kept as it is"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::role::Role;
    use crate::registry::state::Mode;
    use crate::schema::CompatibilityLevel;
    use crate::wire::batch_writer::{NewRecord, write_batch};
    use crate::wire::compression::Compression;

    fn mode(subject: &str) -> Record {
        Record::Mode {
            subject: Some(subject.into()),
            value: Some(Mode::ReadOnly),
        }
    }

    fn fetched(base_offset: i64, records: &[Record]) -> Vec<u8> {
        let encoded: Vec<_> = records.iter().map(|record| record.encode().unwrap()).collect();
        let new: Vec<_> = encoded
            .iter()
            .map(|(key, value)| NewRecord {
                key: Some(key),
                value: value.as_deref(),
                ..NewRecord::default()
            })
            .collect();
        let mut bytes = Vec::new();
        write_batch(&new, Compression::None, None, &mut bytes).unwrap();
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes
    }

    fn folding() -> (Folding, Leadership) {
        let leadership = Leadership::new(Role::Alone);
        let source = Source::new(Arc::new(State::new(CompatibilityLevel::None)));
        (Folding::new(Arc::new(source), leadership.clone(), 0), leadership)
    }

    fn decided(folding: &Folding, record: Record) -> State {
        let mut state = State::clone(&folding.state().0);
        state.apply(record, 0, &mut Touched::default());
        state
    }

    #[test]
    fn what_the_writer_has_folded_is_not_folded_again_when_it_is_read() {
        let (folding, leadership) = folding();
        let state = decided(&folding, mode("a"));
        folding.advance(0, 1, state, &Touched::default());
        assert_eq!((folding.state().1, leadership.folded()), (1, 1));
        folding.fold(&fetched(0, &[mode("a")]));
        assert_eq!(folding.state().0.sequence(), 1);
        // Somebody else's behind it in the same fetch.
        let both = [fetched(0, &[mode("a")]), fetched(1, &[mode("b"), mode("c")])].concat();
        folding.fold(&both);
        assert_eq!((folding.state().0.sequence(), leadership.folded()), (3, 3));
    }

    #[test]
    fn what_was_read_first_is_not_folded_again_by_the_writer() {
        let (folding, leadership) = folding();
        let state = decided(&folding, mode("a"));
        folding.fold(&fetched(0, &[mode("a"), mode("b")]));
        folding.advance(0, 1, state, &Touched::default());
        assert_eq!((folding.state().0.sequence(), leadership.folded()), (2, 2));
    }

    #[test]
    fn a_log_is_loaded_from_where_it_begins() {
        let mut load = Load::new(State::new(CompatibilityLevel::None), 5);
        // A fetch from the middle of a batch brings all of the batch.
        let walked = load.fold(&fetched(4, &[mode("before"), mode("a")]));
        assert_eq!((walked.next_offset, load.next_offset), (Some(6), 6));
        let subjects: Vec<_> = load.state.subjects().map(|(name, _)| name.to_string()).collect();
        assert_eq!(subjects, ["a"]);
    }
}
