//! Which dead letters of a partition are redriven, in chunks of 16,384 offsets, each an offset with metadata of a group.
//!
//! Filters and records that are still bad leave holes, so an offset alone is not enough: what is redriven goes into its
//! metadata, as a bitmap or as runs, whichever is shorter. `offset.metadata.max.bytes` is 4,096 by default; a bitmap takes
//! 2,739 at most.
//!
//! ```text
//! group      portcullis-redrive-<dead-letter topic>-<n>: of every partition the offsets n·16384 up to (n+1)·16384
//! offset     the first of them that is not redriven; (n+1)·16384 when all are
//! metadata   "v1 bits " base64: bit i, from the least of the first byte on, is offset n·16384 + i;
//!                       zero bytes at the end are left out
//!            "v1 runs " base64: lengths in LEB128, from the first offset on, of what is redriven and what is not by
//!                       turns; only the first can be 0, and behind the last nothing is redriven
//! ```
//! Base64 is RFC 4648's standard alphabet without padding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use thiserror::Error;

/// Offsets in a chunk.
pub const CHUNK_LENGTH: i64 = 16_384;
const BITS: usize = CHUNK_LENGTH as usize;
const BYTES: usize = BITS / 8;
const AS_BITS: &str = "v1 bits ";
const AS_RUNS: &str = "v1 runs ";

/// Why metadata is none of a redrive's.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unreadable {
    #[error("it is of no version that is known here")]
    Version,
    #[error("it is not base64: {0}")]
    Base64(String),
    #[error("it is of more than {CHUNK_LENGTH} offsets")]
    TooLong,
    #[error("a run is cut short or empty")]
    Run,
    #[error("by it the first that is not redriven is {by_metadata}, and the offset is {offset}")]
    Offset { by_metadata: i64, offset: i64 },
}

/// What is redriven of the offsets of one chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    number: i64,
    bits: Box<[u8; BYTES]>,
}

/// The chunk that `offset` is in.
#[must_use]
pub fn chunk_of(offset: i64) -> i64 {
    offset.div_euclid(CHUNK_LENGTH)
}

impl Chunk {
    /// Nothing of it is redriven.
    #[must_use]
    pub fn new(number: i64) -> Self {
        Self {
            number,
            bits: Box::new([0; BYTES]),
        }
    }

    /// What was committed.
    ///
    /// # Errors
    /// [`Unreadable`]: then nobody knows what is redriven.
    pub fn read(number: i64, offset: i64, metadata: &str) -> Result<Self, Unreadable> {
        let mut chunk = Self::new(number);
        if let Some(text) = metadata.strip_prefix(AS_BITS) {
            chunk.take_bits(&decode(text)?)?;
        } else if let Some(text) = metadata.strip_prefix(AS_RUNS) {
            chunk.take_runs(&decode(text)?)?;
        } else {
            return Err(Unreadable::Version);
        }
        let by_metadata = chunk.first_open();
        if by_metadata == offset {
            Ok(chunk)
        } else {
            Err(Unreadable::Offset { by_metadata, offset })
        }
    }

    #[must_use]
    pub fn is_redriven(&self, offset: i64) -> bool {
        let place = self.place(offset);
        place.is_some_and(|(at, bit)| self.bits.get(at).is_some_and(|byte| byte & bit != 0))
    }

    /// Notes an offset of this chunk; others are none of its business.
    pub fn redriven(&mut self, offset: i64) {
        if let Some((at, bit)) = self.place(offset)
            && let Some(byte) = self.bits.get_mut(at)
        {
            *byte |= bit;
        }
    }

    /// The offset to commit: the first that is not redriven, or the one behind the chunk.
    #[must_use]
    pub fn first_open(&self) -> i64 {
        let open = self.redriven_or_not().position(|redriven| !redriven);
        self.start() + open.map_or(CHUNK_LENGTH, |at| at as i64)
    }

    /// The last that is redriven.
    #[must_use]
    pub fn last_redriven(&self) -> Option<i64> {
        let at = self
            .bits
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, byte)| byte.checked_ilog2().map(|bit| at * 8 + bit as usize))?;
        Some(self.start() + at as i64)
    }

    /// The metadata to commit.
    #[must_use]
    pub fn metadata(&self) -> String {
        let used = self
            .bits
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        let bits = self.bits.get(..used).unwrap_or_default();
        match self.runs(bits.len()) {
            Some(runs) => format!("{AS_RUNS}{}", STANDARD_NO_PAD.encode(runs)),
            None => format!("{AS_BITS}{}", STANDARD_NO_PAD.encode(bits)),
        }
    }

    fn start(&self) -> i64 {
        self.number.saturating_mul(CHUNK_LENGTH)
    }

    fn place(&self, offset: i64) -> Option<(usize, u8)> {
        let at = usize::try_from(offset.checked_sub(self.start())?).ok()?;
        (at < BITS).then_some((at / 8, 1 << (at % 8)))
    }

    fn redriven_or_not(&self) -> impl Iterator<Item = bool> {
        let bits = self.bits.iter();
        bits.flat_map(|byte| (0..8).map(move |bit| byte & (1 << bit) != 0))
    }

    /// The runs, unless they take `bytes_max` or more.
    fn runs(&self, bytes_max: usize) -> Option<Vec<u8>> {
        let mut runs = Vec::new();
        let (mut length, mut of) = (0_usize, true);
        for redriven in self.redriven_or_not() {
            if redriven != of {
                push_leb128(length, &mut runs);
                (length, of) = (0, redriven);
            }
            length += 1;
            if runs.len() >= bytes_max {
                return None;
            }
        }
        // What is not redriven at the end is not written.
        if of {
            push_leb128(length, &mut runs);
        }
        (runs.len() < bytes_max).then_some(runs)
    }

    fn take_bits(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let bits = self.bits.get_mut(..bytes.len()).ok_or(Unreadable::TooLong)?;
        bits.copy_from_slice(bytes);
        Ok(())
    }

    fn take_runs(&mut self, mut runs: &[u8]) -> Result<(), Unreadable> {
        let (mut at, mut redriven) = (0, true);
        let mut first = true;
        while !runs.is_empty() {
            let (length, rest) = leb128(runs).ok_or(Unreadable::Run)?;
            if length == 0 && !first {
                return Err(Unreadable::Run);
            }
            if length > BITS - at {
                return Err(Unreadable::TooLong);
            }
            if redriven {
                for offset in at..at + length {
                    self.redriven(self.start().saturating_add(offset as i64));
                }
            }
            at += length;
            (runs, redriven, first) = (rest, !redriven, false);
        }
        Ok(())
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Unreadable> {
    // Decoded it is three quarters as long.
    if text.len() > BYTES * 2 {
        return Err(Unreadable::TooLong);
    }
    STANDARD_NO_PAD
        .decode(text)
        .map_err(|error| Unreadable::Base64(error.to_string()))
}

fn push_leb128(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A number below 2^21, of three bytes at most, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(3).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn chunk(number: i64, redriven: impl IntoIterator<Item = i64>) -> Chunk {
        let mut chunk = Chunk::new(number);
        for at in redriven {
            chunk.redriven(number * CHUNK_LENGTH + at);
        }
        chunk
    }

    fn metadata_of(redriven: impl IntoIterator<Item = i64>) -> String {
        chunk(0, redriven).metadata()
    }

    #[test]
    fn the_shorter_form_is_taken_and_both_are_as_drawn() {
        assert_eq!(metadata_of([]), "v1 bits ");
        // All of 16,384: 80 80 01 in LEB128.
        assert_eq!(metadata_of(0..CHUNK_LENGTH), "v1 runs gIAB");
        assert_eq!(metadata_of([0, 1, 9]), "v1 bits AwI");
        // None, 160 not, 40 redriven.
        assert_eq!(metadata_of(160..200), "v1 runs AKABKA");
        let every_other = metadata_of((0..CHUNK_LENGTH).step_by(2));
        assert!(every_other.starts_with("v1 bits VVVV"), "{every_other}");
        assert_eq!(every_other.len(), 2739);
    }

    #[test]
    fn the_offset_is_the_first_that_is_not_redriven() {
        let at = |redriven: &[i64]| chunk(3, redriven.iter().copied()).first_open() - 3 * CHUNK_LENGTH;
        assert_eq!([at(&[]), at(&[0, 1, 3]), at(&[1])], [0, 2, 0]);
        let all = chunk(3, 0..CHUNK_LENGTH);
        assert_eq!(all.first_open(), 4 * CHUNK_LENGTH);
        assert_eq!(Chunk::read(3, 4 * CHUNK_LENGTH, &all.metadata()), Ok(all));
    }

    #[test]
    fn what_no_redrive_has_committed_is_told_and_not_guessed() {
        let read = |offset, metadata: &str| Chunk::read(0, offset, metadata).unwrap_err();
        for other in ["", "v2 bits AwI", "v1 ", "v1 bits", "bits AwI"] {
            assert_eq!(read(2, other), Unreadable::Version, "{other}");
        }
        assert!(matches!(read(2, "v1 bits A"), Unreadable::Base64(_)));
        assert!(matches!(read(2, "v1 bits AwI="), Unreadable::Base64(_)));
        let offset = Unreadable::Offset {
            by_metadata: 2,
            offset: 5,
        };
        assert_eq!(read(5, "v1 bits AwI"), offset);
        let runs = |bytes: &[u8]| read(0, &format!("{AS_RUNS}{}", STANDARD_NO_PAD.encode(bytes)));
        assert_eq!(runs(&[0, 5, 0, 1]), Unreadable::Run);
        assert_eq!(runs(&[0x80]), Unreadable::Run);
        assert_eq!(runs(&[0xff, 0xff, 0xff, 0x7f]), Unreadable::Run);
        assert_eq!(runs(&[0x81, 0x80, 0x01]), Unreadable::TooLong);
        let long = STANDARD_NO_PAD.encode([0; BYTES + 1]);
        assert_eq!(read(0, &format!("{AS_BITS}{long}")), Unreadable::TooLong);
        assert_eq!(
            read(0, &format!("{AS_BITS}{}", "A".repeat(1 << 20))),
            Unreadable::TooLong
        );
    }

    #[test]
    fn offsets_of_other_chunks_change_nothing() {
        let mut chunk = Chunk::new(1);
        for offset in [-1, 0, CHUNK_LENGTH - 1, 2 * CHUNK_LENGTH, i64::MIN, i64::MAX] {
            chunk.redriven(offset);
            assert!(!chunk.is_redriven(offset));
        }
        assert_eq!(chunk, Chunk::new(1));
        assert_eq!([chunk_of(0), chunk_of(16_383), chunk_of(16_384)], [0, 0, 1]);
        assert_eq!(chunk_of(i64::MAX), i64::MAX / CHUNK_LENGTH);
    }

    /// Sets as redrives make them: runs, with holes of single offsets and of more.
    fn redriven() -> impl Strategy<Value = BTreeSet<i64>> {
        let run = (0..CHUNK_LENGTH, 1..3000_i64, 1..5_usize)
            .prop_map(|(from, length, step)| (from..(from + length).min(CHUNK_LENGTH)).step_by(step));
        proptest::collection::vec(run, 0..8).prop_map(|runs| runs.into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn what_was_committed_is_read_back(number in 0..1_000_000_i64, redriven in redriven()) {
            let chunk = chunk(number, redriven.iter().copied());
            let metadata = chunk.metadata();
            prop_assert!(metadata.len() <= 2739, "{}", metadata.len());
            prop_assert_eq!(Chunk::read(number, chunk.first_open(), &metadata), Ok(chunk.clone()));
            let start = number * CHUNK_LENGTH;
            let read: BTreeSet<i64> = (0..CHUNK_LENGTH).filter(|at| chunk.is_redriven(start + at)).collect();
            prop_assert_eq!(chunk.last_redriven(), read.last().map(|at| start + at));
            prop_assert_eq!(read, redriven);
        }

        #[test]
        fn any_bytes_are_read_as_what_they_mean_or_refused(
            offset in any::<i64>(),
            bits in any::<bool>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..2100),
        ) {
            let form = if bits { AS_BITS } else { AS_RUNS };
            let metadata = format!("{form}{}", STANDARD_NO_PAD.encode(&bytes));
            let read = match Chunk::read(0, offset, &metadata) {
                Err(Unreadable::Offset { by_metadata, .. }) => Chunk::read(0, by_metadata, &metadata),
                read => read,
            };
            if let Ok(chunk) = read {
                prop_assert_eq!(Chunk::read(0, chunk.first_open(), &chunk.metadata()), Ok(chunk));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(offset in any::<i64>(), metadata in "(v1 (bits|runs) )?.{0,60}") {
            let _ = Chunk::read(7, offset, &metadata);
        }
    }
}
