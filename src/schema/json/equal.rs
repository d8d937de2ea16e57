//! Equality as JSON Schema means it: numbers by value, objects in any order, strings by what they say.

use super::document::Json;
use super::number::Decimal;
use super::program::Values;
use super::tape::{Node, kind};
use super::walk::Walk;
use std::hash::{BuildHasher, Hasher};

/// Arrays up to this many items are compared pair by pair; longer ones are sorted by hash first.
const PAIRWISE: u32 = 8;

impl<'a> Walk<'a> {
    pub(super) fn is_one_of(&mut self, values: &'a Values, at: u32) -> bool {
        let Some(node) = self.node(at) else { return false };
        if node.kind == kind::STRING
            && let Some(strings) = &values.strings
        {
            return self.with_text(node, |text| strings.contains(text));
        }
        self.charge(values.all.len() as u64) && values.all.iter().any(|value| self.equals_json(at, value))
    }

    /// As deep as the schema's text, which its own scan bounds.
    fn equals_json(&mut self, at: u32, json: &'a Json) -> bool {
        let Some(node) = self.node(at) else { return false };
        match (node.kind, json) {
            (kind::STRING, Json::String(text)) => self.with_text(node, |own| own == text.as_bytes()),
            (kind::NULL, Json::Null) => true,
            (kind::BOOLEAN, Json::Bool(value)) => self.raw(node).starts_with(b"t") == *value,
            (kind::INTEGER | kind::FRACTION, Json::Number(text)) => {
                let raw = self.raw(node);
                raw == text.as_bytes() || Decimal::parse(raw).equals(&Decimal::parse(text.as_bytes()))
            }
            (kind::ARRAY, Json::Array(items)) => {
                let mut item_at = at + 1;
                node.count as usize == items.len()
                    && items.iter().all(|item| {
                        let this = item_at;
                        item_at = self.after(item_at);
                        self.charge(1) && self.equals_json(this, item)
                    })
            }
            (kind::OBJECT, Json::Object(object)) => {
                node.count as usize == object.len()
                    && object.iter().all(|(name, value)| {
                        self.member(node, at, name.as_bytes(), 0)
                            .is_some_and(|(_, value_at)| self.equals_json(value_at, value))
                    })
            }
            _ => false,
        }
    }

    /// The member called `name`, sought from key `from` (0: the first) to the end and then from the start: its
    /// key and value. Members mostly come in the same order, so the search mostly ends at once.
    fn member(&mut self, object: &Node, at: u32, name: &[u8], from: u32) -> Option<(u32, u32)> {
        let first = at + 1;
        let start = if from > at && from < object.next {
            from
        } else {
            first
        };
        let mut key_at = start;
        for _ in 0..object.count {
            let key = self.node(key_at)?;
            if !self.charge(1) {
                return None;
            }
            if self.with_text(key, |text| text == name) {
                return Some((key_at, key_at + 1));
            }
            key_at = self.after(key_at + 1);
            if key_at >= object.next {
                key_at = first;
            }
        }
        None
    }

    fn equal_nodes(&mut self, left_at: u32, right_at: u32) -> bool {
        let (Some(left), Some(right)) = (self.node(left_at), self.node(right_at)) else {
            return false;
        };
        if !self.charge(1) {
            return false;
        }
        let both = left.kind | right.kind;
        if left.kind != right.kind && both != kind::NUMBER {
            return false;
        }
        match left.kind {
            kind::NULL => true,
            kind::BOOLEAN => self.raw(left).len() == self.raw(right).len(),
            kind::INTEGER | kind::FRACTION => {
                Decimal::parse(self.raw(left)).equals(&Decimal::parse(self.raw(right)))
            }
            kind::STRING => self.equal_strings(left, right),
            kind::ARRAY => {
                let (mut left_item, mut right_item) = (left_at + 1, right_at + 1);
                if left.count != right.count {
                    return false;
                }
                while left_item < left.next {
                    if !self.equal_nodes(left_item, right_item) {
                        return false;
                    }
                    left_item = self.after(left_item);
                    right_item = self.after(right_item);
                }
                true
            }
            _ => self.equal_objects(left, left_at, right, right_at),
        }
    }

    fn equal_strings(&mut self, left: &Node, right: &Node) -> bool {
        if !left.escaped && !right.escaped {
            return self.raw(left) == self.raw(right);
        }
        let left = self.with_text(left, <[u8]>::to_vec);
        self.with_text(right, |right| left == right)
    }

    fn equal_objects(&mut self, left: &Node, left_at: u32, right: &Node, right_at: u32) -> bool {
        if left.count != right.count {
            return false;
        }
        let mut key_at = left_at + 1;
        let mut near = 0;
        while key_at < left.next {
            let Some(key) = self.node(key_at) else {
                return false;
            };
            let found = if key.escaped {
                let name = self.with_text(key, <[u8]>::to_vec);
                self.member(right, right_at, &name, near)
            } else {
                self.member(right, right_at, self.raw(key), near)
            };
            let Some((_, value_at)) = found else { return false };
            if !self.equal_nodes(key_at + 1, value_at) {
                return false;
            }
            near = self.after(value_at);
            key_at = self.after(key_at + 1);
        }
        true
    }

    pub(super) fn items_are_unique(&mut self, array: &Node, at: u32) -> bool {
        if array.count <= PAIRWISE {
            let mut left = at + 1;
            while left < array.next {
                let mut right = self.after(left);
                while right < array.next {
                    if self.equal_nodes(left, right) {
                        return false;
                    }
                    right = self.after(right);
                }
                left = self.after(left);
            }
            return true;
        }
        let mut hashes = std::mem::take(&mut self.scratch.hashes);
        hashes.clear();
        let mut item = at + 1;
        while item < array.next {
            hashes.push((self.hash(item), item));
            item = self.after(item);
        }
        hashes.sort_unstable();
        let unique = self.no_equal_neighbours(&hashes);
        self.scratch.hashes = hashes;
        unique
    }

    fn no_equal_neighbours(&mut self, hashes: &[(u64, u32)]) -> bool {
        for (index, (hash, item)) in hashes.iter().enumerate() {
            for (other_hash, other) in hashes.iter().skip(index + 1) {
                if hash != other_hash {
                    break;
                }
                if self.equal_nodes(*item, *other) {
                    return false;
                }
            }
        }
        true
    }

    /// Equal values have equal hashes. As deep as the payload, which its scan bounds.
    fn hash(&mut self, at: u32) -> u64 {
        let Some(node) = self.node(at) else { return 0 };
        if !self.charge(1) {
            return 0;
        }
        let mut hasher = self.program.hasher.build_hasher();
        match node.kind {
            kind::INTEGER | kind::FRACTION => {
                hasher.write_u8(kind::NUMBER);
                Decimal::parse(self.raw(node)).hash_parts(|part| hasher.write_u64(part));
            }
            kind::STRING => {
                hasher.write_u8(kind::STRING);
                self.with_text(node, |text| hasher.write(text));
            }
            kind::ARRAY => {
                hasher.write_u8(kind::ARRAY);
                let mut item = at + 1;
                while item < node.next {
                    hasher.write_u64(self.hash(item));
                    item = self.after(item);
                }
            }
            kind::OBJECT => {
                // A sum does not depend on the members' order.
                let mut sum = 0u64;
                let mut key_at = at + 1;
                while key_at < node.next {
                    let key = self.hash(key_at);
                    let value = self.hash(key_at + 1);
                    sum = sum.wrapping_add(self.program.hasher.hash_one((key, value)));
                    key_at = self.after(key_at + 1);
                }
                hasher.write_u8(kind::OBJECT);
                hasher.write_u64(sum);
            }
            other => {
                hasher.write_u8(other);
                hasher.write(self.raw(node));
            }
        }
        hasher.finish()
    }
}
