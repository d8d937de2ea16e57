//! Some of a batch's records, by their index from 0: which of them were dropped. Held and written as ranges, so that
//! a batch that lost everything takes a few bytes.

use std::fmt;
use thiserror::Error;

/// A set of record indexes. Its ranges increase, and at least one index lies between two of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RecordIndexes {
    ranges: Vec<Range>,
}

/// Both ends belong to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Range {
    first: u32,
    last: u32,
}

/// Why a text is not what [`RecordIndexes`] prints.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RecordIndexesError {
    #[error("{0:?} is neither a record index nor two joined by a hyphen, the first of them the smaller")]
    NoRange(String),
    #[error("{0:?} does not follow what stands before it, with a gap between them")]
    OutOfOrder(String),
    #[error("record {index} is past the end of a batch of {record_count}")]
    PastTheEnd { index: u32, record_count: u32 },
}

impl RecordIndexes {
    /// In any order; in increasing order, as a batch is walked, each takes constant time.
    pub fn insert(&mut self, index: u32) {
        let alone = Range {
            first: index,
            last: index,
        };
        match self.ranges.last_mut() {
            Some(range) if index > range.last && index - range.last == 1 => range.last = index,
            Some(range) if index <= range.last => self.insert_before_last(alone),
            _ => self.ranges.push(alone),
        }
    }

    fn insert_before_last(&mut self, alone: Range) {
        if self.contains(alone.first) {
            return;
        }
        let at = self.ranges.partition_point(|range| range.last < alone.first);
        self.ranges.insert(at, alone);
        self.ranges.dedup_by(|range, before| {
            let touch = range.first - before.last == 1;
            if touch {
                before.last = range.last;
            }
            touch
        });
    }

    #[must_use]
    pub fn contains(&self, index: u32) -> bool {
        let at = self.ranges.partition_point(|range| range.last < index);
        self.ranges.get(at).is_some_and(|range| range.first <= index)
    }

    /// How many indexes.
    #[must_use]
    pub fn len(&self) -> u32 {
        // Of disjoint ranges of u32; only the set of all of them is one too many.
        self.ranges.iter().fold(0, |sum: u32, range| {
            sum.saturating_add(range.last - range.first).saturating_add(1)
        })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// In increasing order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        self.ranges.iter().flat_map(|range| range.first..=range.last)
    }

    /// Reads what `Display` prints, and nothing else: `0,3-7,12`, empty for none. `record_count`: of the batch, which
    /// bounds every index; a range costs no more than its text.
    ///
    /// # Errors
    /// [`RecordIndexesError`] for anything that `Display` would have written otherwise, and for an index that is
    /// not below `record_count`.
    pub fn parse(text: &str, record_count: u32) -> Result<Self, RecordIndexesError> {
        let mut ranges: Vec<Range> = Vec::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let range = Range::parse(part).ok_or_else(|| RecordIndexesError::NoRange(part.to_owned()))?;
            if range.last >= record_count {
                return Err(RecordIndexesError::PastTheEnd {
                    index: range.last,
                    record_count,
                });
            }
            let follows = |before: &Range| range.first > before.last && range.first - before.last > 1;
            if !ranges.last().is_none_or(follows) {
                return Err(RecordIndexesError::OutOfOrder(part.to_owned()));
            }
            ranges.push(range);
        }
        Ok(Self { ranges })
    }
}

impl FromIterator<u32> for RecordIndexes {
    fn from_iter<I: IntoIterator<Item = u32>>(indexes: I) -> Self {
        let mut set = Self::default();
        indexes.into_iter().for_each(|index| set.insert(index));
        set
    }
}

impl fmt::Display for RecordIndexes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, range) in self.ranges.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(out, "{comma}{range}")?;
        }
        Ok(())
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let Some((first, last)) = text.split_once('-') else {
            let first = number(text)?;
            return Some(Self { first, last: first });
        };
        let (first, last) = (number(first)?, number(last)?);
        (first < last).then_some(Self { first, last })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last {
            write!(out, "{first}")
        } else {
            write!(out, "{first}-{last}")
        }
    }
}

/// As it is printed: no sign, no zero in front.
fn number(text: &str) -> Option<u32> {
    let plain = text == "0" || text.starts_with(|first: char| ('1'..='9').contains(&first));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests;
