//! From pairs that are not compatible to reasons with their places, in the order of the text.

use super::check::{Check, Entry, Pair};
use super::difference;
use crate::schema::Incompatibility;
use std::collections::HashMap;
use std::rc::Rc;

/// Reasons that are collected; more tell nobody more.
const REASONS_MAX: usize = 100;
/// Entries that are read to collect them: schemas that refer to each other in circles have more ways than reasons.
const ENTRIES_MAX: usize = 200_000;
/// Longest path that is shown, in bytes.
const PATH_MAX: usize = 2_000;

/// All that the pair differs in.
pub fn collect(check: &mut Check<'_, '_>, first: Pair) -> Vec<Incompatibility> {
    let first = check.followed(first);
    let mut walk = Walk {
        check,
        told: HashMap::new(),
        way: Vec::new(),
        places: HashMap::new(),
        again: None,
        path: String::new(),
    };
    walk.enter(first);
    let mut reasons = Vec::new();
    for _ in 0..ENTRIES_MAX {
        if walk.is_over() || reasons.len() == REASONS_MAX {
            break;
        }
        reasons.extend(walk.read());
    }
    if reasons.is_empty() {
        reasons.push(difference::TYPE_CHANGED.incompatibility("#/".to_owned()));
    }
    reasons
}

struct Walk<'l, 'c, 'a> {
    check: &'l mut Check<'c, 'a>,
    told: HashMap<Pair, Rc<[Entry]>>,
    /// The pairs from the first one down.
    way: Vec<Step>,
    places: HashMap<Pair, Vec<usize>>,
    /// A pair was entered inside of itself: where it is on the way first, and again.
    again: Option<(usize, usize)>,
    path: String,
}

struct Step {
    pair: Pair,
    entries: Rc<[Entry]>,
    next: usize,
    /// How much of the path leads here.
    length: usize,
}

impl Walk<'_, '_, '_> {
    fn is_over(&self) -> bool {
        self.way.is_empty()
    }

    /// Reads one entry, which may be a reason.
    fn read(&mut self) -> Option<Incompatibility> {
        let step = self.way.last_mut()?;
        self.path.truncate(step.length);
        let entries = Rc::clone(&step.entries);
        let next = step.next;
        step.next += 1;
        match entries.get(next) {
            None => self.leave(),
            Some(Entry::Kind(kind, step)) => {
                let path = format!("{}{step}", self.path);
                return Some(kind.incompatibility(shown(&path)));
            }
            Some(Entry::Pair(pair, step)) => {
                if self.may_enter(*pair) {
                    self.path.push_str(step);
                    self.enter(*pair);
                }
            }
        }
        None
    }

    /// Confluent tells a pair that is met inside of itself once more, and what it met there not again.
    fn may_enter(&mut self, pair: Pair) -> bool {
        let Some(places) = self.places.get(&pair) else {
            return true;
        };
        let Some(place) = places.last().copied() else {
            return true;
        };
        match self.again {
            None => {
                self.again = Some((place, self.way.len()));
                true
            }
            Some((first, again)) => !places.iter().any(|place| *place <= first || *place >= again),
        }
    }

    fn enter(&mut self, pair: Pair) {
        let check = &mut *self.check;
        let told = self.told.entry(pair);
        let entries = Rc::clone(told.or_insert_with(|| check.tell(pair).entries.into()));
        self.places.entry(pair).or_default().push(self.way.len());
        self.way.push(Step {
            pair,
            entries,
            next: 0,
            length: self.path.len(),
        });
    }

    fn leave(&mut self) {
        let Some(step) = self.way.pop() else { return };
        if let Some(places) = self.places.get_mut(&step.pair) {
            places.pop();
        }
        if self.again.is_some_and(|(_, again)| again == self.way.len()) {
            self.again = None;
        }
    }
}

/// `#/properties/total`; of one that is too long, the beginning and the end.
fn shown(path: &str) -> String {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.len() <= PATH_MAX {
        return format!("#/{path}");
    }
    let begin = path.floor_char_boundary(PATH_MAX / 2);
    let end = path.ceil_char_boundary(path.len() - PATH_MAX / 2);
    let (begin, end) = (path.get(..begin), path.get(end..));
    format!("#/{}…{}", begin.unwrap_or_default(), end.unwrap_or_default())
}
