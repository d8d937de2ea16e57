//! Which pairs of schemas are compatible. Schemas refer to each other in circles, so a pair that is met while it is being
//! looked at is taken for compatible, and all is looked at again with what has been refuted until nothing new is: the
//! largest set of compatible pairs that agrees with itself. No recursion: what a pair asks for waits on a stack of its own.

use super::difference::Kind;
use super::identity::Identities;
use super::look::Look;
use super::model::{Model, NodeId, TooComplex};
use crate::schema::JsonComparison;
use crate::schema::json::pattern::Pattern;
use std::collections::{HashMap, HashSet};

/// An old schema and a new one.
pub type Pair = (NodeId, NodeId);

/// Pairs that are looked at, counted anew in each round.
const PAIRS_MAX: usize = 2_000_000;
/// Questions whether a pair is compatible.
const QUESTIONS_MAX: usize = 50_000_000;
/// Names that are matched with a pattern.
const MATCHES_MAX: usize = 1_000_000;

/// What one pair of schemas differs in.
#[derive(Default)]
pub struct Found {
    pub incompatible: bool,
    pub entries: Vec<Entry>,
}

/// One difference, and the way to it from its pair.
#[derive(Debug)]
pub enum Entry {
    Kind(Kind, String),
    /// All that another pair differs in.
    Pair(Pair, String),
}

pub struct Check<'c, 'a> {
    pub model: &'c Model<'a>,
    pub comparison: JsonComparison,
    /// Whether entries are wanted, or only verdicts.
    pub tells: bool,
    /// Pairs that are known in this round; true is compatible.
    known: HashMap<Pair, bool>,
    open: HashSet<Pair>,
    /// Pairs that an earlier round found not compatible.
    refuted: HashSet<Pair>,
    /// A pair was taken for compatible because it was open.
    assumed: bool,
    missing: Vec<Pair>,
    pairs: usize,
    questions: usize,
    matches: usize,
    identities: Identities,
    /// `None`: the pattern cannot be matched.
    patterns: HashMap<String, Option<Pattern>>,
    over: bool,
}

impl<'c, 'a> Check<'c, 'a> {
    pub fn new(model: &'c Model<'a>, comparison: JsonComparison) -> Self {
        Self {
            model,
            comparison,
            tells: false,
            known: HashMap::new(),
            open: HashSet::new(),
            refuted: HashSet::new(),
            assumed: false,
            missing: Vec::new(),
            pairs: 0,
            questions: 0,
            matches: 0,
            identities: Identities::default(),
            patterns: HashMap::new(),
            over: false,
        }
    }

    /// Whether the pair is compatible; afterwards that is known of all that it asks for.
    pub fn decide(&mut self, pair: Pair) -> Result<bool, TooComplex> {
        let pair = self.followed(pair);
        loop {
            self.known.clear();
            self.assumed = false;
            self.round(pair)?;
            let refuted: HashSet<Pair> = self
                .known
                .iter()
                .filter(|(_, compatible)| !**compatible)
                .map(|(pair, _)| *pair)
                .collect();
            let settled = !self.assumed || refuted == self.refuted;
            self.refuted = refuted;
            if settled {
                return Ok(!self.refuted.contains(&pair));
            }
        }
    }

    fn round(&mut self, first: Pair) -> Result<(), TooComplex> {
        let mut waiting = vec![first];
        while let Some(&pair) = waiting.last() {
            if self.known.contains_key(&pair) {
                waiting.pop();
                continue;
            }
            if self.open.insert(pair) {
                self.pairs += 1;
                self.over |= self.pairs > PAIRS_MAX;
            }
            let found = Look::at(self, pair.0, pair.1);
            if self.over {
                return Err(TooComplex);
            }
            if self.missing.is_empty() {
                self.known.insert(pair, !found.incompatible);
                self.open.remove(&pair);
                waiting.pop();
            } else {
                // The first that was asked for is looked at first.
                waiting.extend(self.missing.drain(..).rev());
                if waiting.len() > PAIRS_MAX {
                    return Err(TooComplex);
                }
            }
        }
        Ok(())
    }

    /// What the pair differs in, once all is decided.
    pub fn tell(&mut self, pair: Pair) -> Found {
        self.tells = true;
        let found = Look::at(self, pair.0, pair.1);
        self.missing.clear();
        found
    }

    pub fn followed(&self, (old, new): Pair) -> Pair {
        (self.model.followed(old), self.model.followed(new))
    }

    /// A pair that is not known yet is taken for not compatible and asked for.
    pub fn is_compatible(&mut self, pair: Pair) -> bool {
        if !self.may_take(1) {
            return false;
        }
        let pair = self.followed(pair);
        if let Some(known) = self.known.get(&pair) {
            return *known;
        }
        if self.open.contains(&pair) {
            let compatible = !self.refuted.contains(&pair);
            self.assumed |= compatible;
            return compatible;
        }
        self.missing.push(pair);
        false
    }

    /// Whether there is still room for so many questions.
    pub fn may_take(&mut self, questions: usize) -> bool {
        self.questions = self.questions.saturating_add(questions);
        self.over |= self.questions > QUESTIONS_MAX;
        !self.over
    }

    /// `members` without those that say the same as one before.
    pub fn distinct(&mut self, members: &[NodeId]) -> Vec<NodeId> {
        let mut met = HashSet::new();
        let mut distinct = members.to_vec();
        distinct.retain(|member| met.insert(self.identities.of(self.model, *member)));
        distinct
    }

    /// `None`: that cannot be told, because the pattern looks around or back.
    pub fn is_match(&mut self, pattern: &str, name: &str) -> Option<bool> {
        self.matches += 1;
        self.over |= self.matches > MATCHES_MAX;
        if self.over {
            return None;
        }
        if !self.patterns.contains_key(pattern) {
            let compiled = Pattern::compile(pattern, self.patterns.len()).ok();
            self.patterns.insert(pattern.to_owned(), compiled);
        }
        let compiled = self.patterns.get(pattern)?.as_ref()?;
        Some(compiled.is_match(name.as_bytes()))
    }
}
