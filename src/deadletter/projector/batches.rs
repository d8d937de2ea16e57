//! Dead letters gathered into batches, one row of them for each partition of a dead-letter topic.

use crate::deadletter::letter::Letter;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A partition of a dead-letter topic.
pub type Place = (Arc<str>, i32);

pub struct Batches {
    bytes_max: usize,
    open: BTreeMap<Place, (Vec<Letter>, usize)>,
}

impl Batches {
    /// Of about `bytes_max` each, and of at least one letter.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            open: BTreeMap::new(),
        }
    }

    /// Adds one behind those of its place; what was there before comes back as a batch when there is no room.
    #[must_use]
    pub fn add(&mut self, place: Place, letter: Letter) -> Option<(Place, Vec<Letter>)> {
        let length = letter.length();
        let (letters, bytes) = self.open.entry(place.clone()).or_default();
        let full = !letters.is_empty() && *bytes + length > self.bytes_max;
        let batch = full.then(|| (place, std::mem::take(letters)));
        *bytes = if full { length } else { *bytes + length };
        letters.push(letter);
        batch
    }

    /// What is left.
    pub fn rest(self) -> impl Iterator<Item = (Place, Vec<Letter>)> {
        let open = self.open.into_iter();
        open.map(|(place, (letters, _))| (place, letters))
    }
}

/// The partition of a dead-letter topic that has `partitions`: the same as the source's where there is one.
#[must_use]
pub fn target_partition(source: i32, partitions: i32) -> i32 {
    source.checked_rem(partitions.max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn letter(length: usize) -> Letter {
        Letter {
            value: Some(Bytes::from(vec![b'x'; length])),
            ..Letter::default()
        }
    }

    #[test]
    fn a_batch_is_full_by_bytes_and_every_place_has_its_own() {
        let (one, other): (Place, Place) = (("a".into(), 0), ("a".into(), 1));
        let mut batches = Batches::new(200);
        assert_eq!(batches.add(one.clone(), letter(60)), None);
        assert_eq!(batches.add(other.clone(), letter(150)), None);
        assert_eq!(batches.add(one.clone(), letter(61)), None);
        let full = batches.add(one.clone(), letter(62));
        assert_eq!(full, Some((one.clone(), vec![letter(60), letter(61)])));
        // Larger than any batch, and still one.
        let full = batches.add(one.clone(), letter(500));
        assert_eq!(full, Some((one.clone(), vec![letter(62)])));
        let rest: Vec<_> = batches.rest().collect();
        assert_eq!(rest, [(one, vec![letter(500)]), (other, vec![letter(150)])]);
    }

    #[test]
    fn a_letter_keeps_its_partition_where_the_topic_has_it() {
        let found =
            [(0, 3), (2, 3), (3, 3), (7, 3), (7, 0)].map(|(source, count)| target_partition(source, count));
        assert_eq!(found, [0, 2, 0, 1, 0]);
    }
}
