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
