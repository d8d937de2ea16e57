//! The letters of one transaction on their way: which are to be written next, which are, and which stay.

use super::refusal::{Refusal, Stays};
use crate::deadletter::batches::{Batches, Place};
use std::collections::VecDeque;

/// Letters of a batch. With as many bad ones as it has, a gateway still names each (KIP-467; it describes 1,000).
const BATCH_LETTERS_MAX: usize = 500;
/// Below the default of `max.message.bytes`, 1 MiB.
const BATCH_BYTES_MAX: usize = 900_000;

/// Letters that are written as one batch. They go by their places in the list of the transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub to: Place,
    pub letters: Vec<usize>,
    /// It could not go with others.
    pub alone: bool,
}

/// Every letter that was handed in is in the end written or stays.
#[derive(Debug, Default)]
pub struct Writing {
    attempts: VecDeque<Attempt>,
    pub written: Vec<usize>,
    pub stays: Vec<(usize, Stays)>,
}

impl Writing {
    /// Of letters, each with where it goes and how long it is, in their order.
    #[must_use]
    pub fn new(letters: impl IntoIterator<Item = (usize, Place, usize)>) -> Self {
        let mut writing = Self::default();
        let mut batches = Batches::new(BATCH_BYTES_MAX, BATCH_LETTERS_MAX);
        for (letter, to, length) in letters {
            if let Some((to, letters)) = batches.add(to, letter, length) {
                writing.attempts.push_back(Attempt::of(to, letters));
            }
        }
        let rest = batches.rest().map(|(to, letters)| Attempt::of(to, letters));
        writing.attempts.extend(rest);
        writing
    }

    /// What to write next.
    pub fn next_attempt(&mut self) -> Option<Attempt> {
        self.attempts.pop_front()
    }

    pub fn succeeded(&mut self, attempt: Attempt) {
        self.written.extend(attempt.letters);
    }

    /// What was refused goes on without those to blame, at once: what stands behind it in its partition is later.
    pub fn refused(&mut self, mut attempt: Attempt, refusal: Refusal) {
        match refusal {
            Refusal::Records(named) => {
                let mut named = named.into_iter().peekable();
                let mut others = Vec::new();
                for (at, letter) in attempt.letters.into_iter().enumerate() {
                    match named.next_if(|(index, _)| *index == at) {
                        Some((_, why)) => self.stays.push((letter, why)),
                        None => others.push(letter),
                    }
                }
                attempt.letters = others;
                if !attempt.letters.is_empty() {
                    self.attempts.push_front(attempt);
                }
            }
            Refusal::Batch(_) if !attempt.alone => {
                for letter in attempt.letters.into_iter().rev() {
                    self.attempts.push_front(Attempt {
                        to: attempt.to.clone(),
                        letters: vec![letter],
                        alone: true,
                    });
                }
            }
            Refusal::Batch(why) => self.stay(attempt, &why),
            Refusal::Topic(why) => {
                let topic = attempt.to.0.clone();
                self.stay(attempt, &why);
                let (of_topic, others) = std::mem::take(&mut self.attempts)
                    .into_iter()
                    .partition(|attempt| attempt.to.0 == topic);
                self.attempts = others;
                let of_topic: VecDeque<Attempt> = of_topic;
                for attempt in of_topic {
                    self.stay(attempt, &why);
                }
            }
        }
    }

    fn stay(&mut self, attempt: Attempt, why: &Stays) {
        let letters = attempt.letters.into_iter();
        self.stays.extend(letters.map(|letter| (letter, why.clone())));
    }
}

impl Attempt {
    fn of(to: Place, letters: Vec<usize>) -> Self {
        Self {
            to,
            letters,
            alone: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn why(code: &str) -> Stays {
        Stays::new(code, code)
    }

    fn place(topic: &str) -> Place {
        (topic.into(), 0)
    }

    #[test]
    fn the_rest_of_a_batch_goes_on_before_what_is_behind_it() {
        let letters = (0..600).map(|letter| (letter, place("orders"), 100));
        let mut writing = Writing::new(letters);
        let first = writing.next_attempt().unwrap();
        assert_eq!(first.letters, (0..500).collect::<Vec<_>>());
        writing.refused(
            first,
            Refusal::Records(vec![(0, why("PC-201")), (499, why("PC-103"))]),
        );
        let rest = writing.next_attempt().unwrap();
        assert_eq!(rest.letters, (1..499).collect::<Vec<_>>());
        writing.succeeded(rest);
        assert_eq!(
            writing.next_attempt().unwrap().letters,
            (500..600).collect::<Vec<_>>()
        );
        assert_eq!(writing.stays, [(0, why("PC-201")), (499, why("PC-103"))]);
    }

    #[test]
    fn when_nobody_is_named_each_is_tried_alone_in_their_order() {
        let mut writing = Writing::new((0..3).map(|letter| (letter, place("orders"), 100)));
        let all = writing.next_attempt().unwrap();
        writing.refused(all, Refusal::Batch(why("MessageTooLarge")));
        for letter in 0..3 {
            let one = writing.next_attempt().unwrap();
            assert_eq!((&one.letters[..], one.alone), (&[letter][..], true));
            if letter == 1 {
                writing.refused(one, Refusal::Batch(why("MessageTooLarge")));
            } else {
                writing.succeeded(one);
            }
        }
        assert_eq!(writing.next_attempt(), None);
        assert_eq!(writing.written, [0, 2]);
        assert_eq!(writing.stays, [(1, why("MessageTooLarge"))]);
    }

    #[test]
    fn a_topic_that_is_closed_keeps_all_of_its_letters_and_no_others() {
        let to = ["a", "b", "a"];
        let mut writing = Writing::new((0..3).map(|at| (at, place(to[at]), 1_000_000)));
        let first = writing.next_attempt().unwrap();
        assert_eq!((&*first.to.0, &first.letters[..]), ("a", &[0][..]));
        writing.refused(first, Refusal::Topic(why("TopicAuthorizationFailed")));
        let other = writing.next_attempt().unwrap();
        assert_eq!(other.to, place("b"));
        writing.succeeded(other);
        assert_eq!(writing.next_attempt(), None);
        let stays: Vec<usize> = writing.stays.iter().map(|(letter, _)| *letter).collect();
        assert_eq!(stays, [0, 2]);
    }

    proptest! {
        /// A gateway that names its bad records, brokers that take no more than so many bytes, a topic that is closed:
        /// each letter is written or stays, once, and it is the bad ones that stay.
        #[test]
        fn each_letter_is_written_or_stays_once(
            letters in proptest::collection::vec((0..3_usize, 1..300_000_usize, any::<u8>()), 0..60),
            named in any::<bool>(),
        ) {
            let topic = |letter: usize| ["a", "b", "closed"][letters[letter].0];
            let is_bad = |letter: usize| letters[letter].2 < 60;
            let mut writing =
                Writing::new((0..letters.len()).map(|letter| (letter, place(topic(letter)), letters[letter].1)));
            let mut tries = 0;
            while let Some(attempt) = writing.next_attempt() {
                tries += 1;
                prop_assert!(tries <= 3 * letters.len() + 3);
                let bad = attempt.letters.iter().enumerate().filter(|(_, letter)| is_bad(**letter));
                let bad: Vec<(usize, Stays)> = bad.map(|(at, _)| (at, why("PC-201"))).collect();
                if &*attempt.to.0 == "closed" {
                    writing.refused(attempt, Refusal::Topic(why("closed")));
                } else if bad.is_empty() {
                    writing.succeeded(attempt);
                } else if named {
                    writing.refused(attempt, Refusal::Records(bad));
                } else {
                    writing.refused(attempt, Refusal::Batch(why("InvalidRecord")));
                }
            }
            let good = |letter: &usize| topic(*letter) != "closed" && !is_bad(*letter);
            let wanted: BTreeSet<usize> = (0..letters.len()).filter(good).collect();
            prop_assert_eq!(writing.written.len(), wanted.len());
            let stays: BTreeSet<usize> = writing.stays.iter().map(|(letter, _)| *letter).collect();
            prop_assert_eq!(writing.stays.len(), letters.len() - wanted.len());
            prop_assert!(wanted.is_disjoint(&stays));
            for topic in ["a", "b"] {
                let order = writing.written.iter().filter(|letter| self::topic_is(&letters, **letter, topic));
                prop_assert!(order.is_sorted(), "{topic}");
            }
            prop_assert_eq!(writing.written.iter().copied().collect::<BTreeSet<_>>(), wanted);
        }
    }

    fn topic_is(letters: &[(usize, usize, u8)], letter: usize, topic: &str) -> bool {
        ["a", "b", "closed"][letters[letter].0] == topic
    }
}
