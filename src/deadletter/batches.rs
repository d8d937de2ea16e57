//! Letters gathered into batches, one row of them for each partition that they go to.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A partition of a topic.
pub type Place = (Arc<str>, i32);

/// `T`: a letter, or what stands for one.
pub struct Batches<T> {
    bytes_max: usize,
    letters_max: usize,
    open: BTreeMap<Place, (Vec<T>, usize)>,
}

impl<T> Batches<T> {
    /// Of about `bytes_max` and at most `letters_max` each, and of at least one letter.
    #[must_use]
    pub fn new(bytes_max: usize, letters_max: usize) -> Self {
        Self {
            bytes_max,
            letters_max,
            open: BTreeMap::new(),
        }
    }

    /// Adds one of `length` bytes behind those of its place; what was there before comes back as a batch when there is
    /// no room.
    #[must_use]
    pub fn add(&mut self, place: Place, letter: T, length: usize) -> Option<(Place, Vec<T>)> {
        let (letters, bytes) = self.open.entry(place.clone()).or_default();
        let no_room = *bytes + length > self.bytes_max || letters.len() >= self.letters_max;
        let full = !letters.is_empty() && no_room;
        let batch = full.then(|| (place, std::mem::take(letters)));
        *bytes = if full { length } else { *bytes + length };
        letters.push(letter);
        batch
    }

    /// What is left.
    pub fn rest(self) -> impl Iterator<Item = (Place, Vec<T>)> {
        let open = self.open.into_iter();
        open.map(|(place, (letters, _))| (place, letters))
    }
}

/// The partition of a topic of `partitions` for what was in `source` of another: the same where there is one.
#[must_use]
pub fn target_partition(source: i32, partitions: i32) -> i32 {
    source.checked_rem(partitions.max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_full_by_bytes_and_by_number_and_every_place_has_its_own() {
        let (one, other): (Place, Place) = (("a".into(), 0), ("a".into(), 1));
        let mut batches = Batches::new(200, 3);
        assert_eq!(batches.add(one.clone(), 'a', 90), None);
        assert_eq!(batches.add(other.clone(), 'b', 190), None);
        assert_eq!(batches.add(one.clone(), 'c', 91), None);
        let full = batches.add(one.clone(), 'd', 92);
        assert_eq!(full, Some((one.clone(), vec!['a', 'c'])));
        // Larger than any batch, and still one.
        let full = batches.add(one.clone(), 'e', 500);
        assert_eq!(full, Some((one.clone(), vec!['d'])));
        assert_eq!(batches.add(one.clone(), 'f', 1), Some((one.clone(), vec!['e'])));
        for letter in ['g', 'h'] {
            assert_eq!(batches.add(one.clone(), letter, 1), None);
        }
        let full = batches.add(one.clone(), 'i', 1);
        assert_eq!(full, Some((one.clone(), vec!['f', 'g', 'h'])));
        let rest: Vec<_> = batches.rest().collect();
        assert_eq!(rest, [(one, vec!['i']), (other, vec!['b'])]);
    }

    #[test]
    fn a_letter_keeps_its_partition_where_the_topic_has_it() {
        let found =
            [(0, 3), (2, 3), (3, 3), (7, 3), (7, 0)].map(|(source, count)| target_partition(source, count));
        assert_eq!(found, [0, 2, 0, 1, 0]);
    }
}
