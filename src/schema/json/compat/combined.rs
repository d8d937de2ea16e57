//! `allOf`, `anyOf` and `oneOf` (`CombinedSchemaDiff`): each member of the smaller one must find a compatible partner of its own
//! in the larger one.

use super::difference as kinds;
use super::look::Look;
use super::model::{Criterion, NodeId};
use std::collections::VecDeque;

pub fn compare(look: &mut Look<'_, '_, '_>, old: (Criterion, &[NodeId]), new: (Criterion, &[NodeId])) {
    let (was, is) = (old.0, new.0);
    let (one_before, one_after) = (old.1.len() == 1, new.1.len() == 1);
    let still_accepted = was == is
        || is == Criterion::Any
        || (one_before && one_after)
        || (one_before && is == Criterion::One)
        || (one_after && was == Criterion::All);
    if !still_accepted {
        look.add(kinds::COMBINED_TYPE_CHANGED);
        return;
    }
    let before = look.check.distinct(old.1);
    let after = look.check.distinct(new.1);
    if before.len() < after.len() && is == Criterion::All {
        look.add(kinds::PRODUCT_TYPE_EXTENDED);
    } else if before.len() > after.len() && was != Criterion::All {
        look.add(kinds::SUM_TYPE_NARROWED);
    }
    if !look.check.may_take(before.len().saturating_mul(after.len())) {
        return;
    }
    let partners: Vec<Vec<usize>> = before
        .iter()
        .map(|old| {
            let compatible = after.iter().enumerate();
            compatible
                .filter(|(_, new)| look.is_compatible(*old, **new))
                .map(|(place, _)| place)
                .collect()
        })
        .collect();
    if largest_matching(&partners, after.len()) < before.len().min(after.len()) {
        look.add(kinds::COMBINED_TYPE_SUBSCHEMAS_CHANGED);
    }
}

/// How many on the left find a partner of their own among `right`, at most (Hopcroft and Karp: in rounds, each of which finds
/// a largest set of shortest ways to pair one more).
fn largest_matching(partners: &[Vec<usize>], right: usize) -> usize {
    let mut matching = Matching {
        partners,
        of_left: vec![None; partners.len()],
        of_right: vec![None; right],
        level: vec![None; partners.len()],
    };
    let mut size = 0;
    while matching.has_way() {
        let mut next = vec![0; partners.len()];
        for left in 0..partners.len() {
            if matching.of_left.get(left).is_some_and(Option::is_none) && matching.extend(left, &mut next) {
                size += 1;
            }
        }
    }
    size
}

struct Matching<'p> {
    partners: &'p [Vec<usize>],
    of_left: Vec<Option<usize>>,
    of_right: Vec<Option<usize>>,
    /// How many pairs away from one without a partner.
    level: Vec<Option<usize>>,
}

impl Matching<'_> {
    fn partner_of_right(&self, right: usize) -> Option<usize> {
        self.of_right.get(right).copied().flatten()
    }

    fn level_of(&self, left: usize) -> Option<usize> {
        self.level.get(left).copied().flatten()
    }

    /// Finds the levels, and whether anyone can still be paired.
    fn has_way(&mut self) -> bool {
        let mut queue = VecDeque::new();
        for (left, partner) in self.of_left.iter().enumerate() {
            let start = partner.is_none().then_some(0);
            if let Some(level) = self.level.get_mut(left) {
                *level = start;
            }
            if start.is_some() {
                queue.push_back(left);
            }
        }
        let mut found = false;
        while let Some(left) = queue.pop_front() {
            let below = self.level_of(left).unwrap_or(0) + 1;
            for right in self.partners.get(left).into_iter().flatten() {
                match self.partner_of_right(*right) {
                    None => found = true,
                    Some(other) => {
                        if let Some(level @ None) = self.level.get_mut(other) {
                            *level = Some(below);
                            queue.push_back(other);
                        }
                    }
                }
            }
        }
        found
    }

    /// Pairs `start`, along a way on which each level is one more than the last. `next`: which partner each tries next.
    fn extend(&mut self, start: usize, next: &mut [usize]) -> bool {
        let mut way = vec![start];
        while let Some(&left) = way.last() {
            let Some(turn) = next.get_mut(left) else {
                return false;
            };
            let Some(&right) = self.partners.get(left).and_then(|partners| partners.get(*turn)) else {
                way.pop();
                if let Some(turn) = way.last().and_then(|left| next.get_mut(*left)) {
                    *turn += 1;
                }
                continue;
            };
            match self.partner_of_right(right) {
                None => {
                    self.pair(&way, next);
                    return true;
                }
                Some(other) if self.level_of(other) == self.level_of(left).map(|level| level + 1) => {
                    way.push(other);
                }
                Some(_) => *turn += 1,
            }
        }
        false
    }

    /// Everybody on the way takes the partner that it tries.
    fn pair(&mut self, way: &[usize], next: &[usize]) {
        for &left in way {
            let turn = next.get(left).copied().unwrap_or(0);
            let right = self.partners.get(left).and_then(|partners| partners.get(turn));
            let Some(&right) = right else { continue };
            if let Some(partner) = self.of_left.get_mut(left) {
                *partner = Some(right);
            }
            if let Some(partner) = self.of_right.get_mut(right) {
                *partner = Some(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::largest_matching;
    use proptest::prelude::*;

    /// Tries every way.
    fn slow(partners: &[Vec<usize>], taken: u32) -> usize {
        let Some((first, others)) = partners.split_first() else {
            return 0;
        };
        let with = first
            .iter()
            .filter(|right| taken & (1 << **right) == 0)
            .map(|right| 1 + slow(others, taken | (1 << right)))
            .max()
            .unwrap_or(0);
        with.max(slow(others, taken))
    }

    proptest! {
        #[test]
        fn a_matching_is_the_largest(partners in prop::collection::vec(prop::collection::btree_set(0usize..6, 0..6), 0..7)) {
            let partners: Vec<Vec<usize>> = partners.into_iter().map(|set| set.into_iter().collect()).collect();
            prop_assert_eq!(largest_matching(&partners, 6), slow(&partners, 0));
        }
    }
}
