//! Required fields of a message that comes in several pieces. Parsers merge the pieces of a singular message, keep of a
//! oneof the last member and of a map the last entry of a key, and ask for required fields then
//! (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>, `IsInitialized` in every official runtime). The
//! walk asks each piece, for it remembers nothing; so what it finds incomplete is read here, once, with a memory of
//! what may still be completed.

use super::program::{Field, FieldLabel, Program, Shape};
use super::values::long_varint;
use super::walk::{Refused, Walk, beyond_dense};
use std::cmp::Reverse;
use std::collections::BTreeMap;

const END_GROUP: u32 = 4;

/// A message that lacks a required field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    /// Where the body of its last piece starts: no other message's starts there.
    pub(super) start: usize,
    pub(super) end: usize,
    /// That of the field, the first of them in the order of the schema.
    pub(super) label: u32,
}

/// What is missing in the message that ends first, once all pieces are merged. The walk without required fields has
/// found `payload` right: nothing nests deeper than it allows.
pub(super) fn missing(program: &Program, message: u32, payload: &[u8]) -> Result<Option<Missing>, Refused> {
    let walk = Walk {
        program,
        payload,
        trace: (),
    };
    let mut reader = Reader { walk };
    let mut root = Node::of(message);
    reader.piece(&mut root, payload, 0)?;
    Ok(reader.close(root))
}

/// What is known of a message while pieces of it may follow. It holds nothing of what cannot change any more but the
/// first field that is missing there.
#[derive(Default)]
struct Node<'p> {
    message: u32,
    /// Of its last piece.
    start: usize,
    end: usize,
    /// Bits of the required fields that were there, by position; as many words as have one.
    seen: Vec<u64>,
    /// By field label.
    singular: BTreeMap<u32, Box<Node<'p>>>,
    /// The label of the last member, by oneof.
    members: BTreeMap<u32, u32>,
    /// The keys whose last entry is incomplete, by the map's label.
    entries: BTreeMap<(u32, Key<'p>), Missing>,
    /// Of the elements of repeated fields.
    elements: Option<Missing>,
}

/// A map's key, by its value: however it was written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'p> {
    Number(u64),
    Text(&'p [u8]),
}

impl Node<'_> {
    fn of(message: u32) -> Self {
        Self {
            message,
            ..Self::default()
        }
    }

    /// A value of the field stays, and what it replaces goes.
    fn keep(&mut self, index: u32, label: &FieldLabel) {
        if let Some(position) = label.required {
            let word = position as usize / 64;
            if self.seen.len() <= word {
                self.seen.resize(word + 1, 0);
            }
            if let Some(word) = self.seen.get_mut(word) {
                *word |= 1 << (position % 64);
            }
        }
        if let Some(oneof) = label.oneof
            && let Some(before) = self.members.insert(oneof, index)
            && before != index
        {
            self.singular.remove(&before);
        }
    }

    fn has(&self, position: usize) -> bool {
        let word = self.seen.get(position / 64).copied().unwrap_or(0);
        word & (1 << (position % 64)) != 0
    }
}

struct Reader<'p> {
    walk: Walk<'p, (), false>,
}

impl<'p> Reader<'p> {
    /// Reads one piece, from `at` to the end of `bytes` or of its group. Answers where it ended.
    fn piece(&mut self, node: &mut Node<'p>, bytes: &'p [u8], mut at: usize) -> Result<usize, Refused> {
        let message = self.walk.program.message(node.message).ok_or(Refused)?;
        let mut predicted = 0;
        node.start = at;
        while at < bytes.len() {
            let (tag, value_at) = self.walk.tag(bytes, at)?;
            if tag & 7 == END_GROUP {
                node.end = at;
                return Ok(value_at);
            }
            let field = match message.dense.get((tag >> 3) as usize) {
                Some(field) => field,
                None => beyond_dense(&message.sparse, tag >> 3, &mut predicted),
            };
            at = match field.shape {
                Shape::Message | Shape::Group => self.inner(node, field, bytes, value_at)?,
                _ => {
                    let end = self.walk.unknown(bytes, at, value_at, tag, 0)?;
                    // A closed enum's number without a name is an unknown field.
                    let is_closed =
                        matches!(field.shape, Shape::Varint | Shape::RequiredEnum) && field.target != 0;
                    if let Some(label) = self.walk.program.label(field.label)
                        && !label.repeated
                        && (!is_closed || self.walk.is_named(bytes, value_at, field))
                    {
                        node.keep(field.label, label);
                    }
                    end
                }
            };
        }
        node.end = at;
        Ok(at)
    }

    /// A message or group in `node`: more of one that is there, or one that stands alone.
    fn inner(
        &mut self,
        node: &mut Node<'p>,
        field: &Field,
        bytes: &'p [u8],
        at: usize,
    ) -> Result<usize, Refused> {
        let label = self.walk.program.label(field.label).ok_or(Refused)?;
        let (body, from) = if field.shape == Shape::Group {
            (bytes, at)
        } else {
            let (from, to) = self.walk.sized(bytes, at, None)?;
            (bytes.get(..to).ok_or(Refused)?, from)
        };
        node.keep(field.label, label);
        if !label.repeated {
            let inner = node.singular.entry(field.label);
            return self.piece(
                inner.or_insert_with(|| Box::new(Node::of(field.target))),
                body,
                from,
            );
        }
        let mut element = Node::of(field.target);
        let end = self.piece(&mut element, body, from)?;
        let missing = self.close(element);
        if label.map {
            let key = (field.label, self.key(field.target, body, from)?);
            match missing {
                Some(missing) => node.entries.insert(key, missing),
                None => node.entries.remove(&key),
            };
        } else {
            // Elements come in the order of their ends.
            node.elements = node.elements.or(missing);
        }
        Ok(end)
    }

    /// The key of the entry from `at` on: its last one, or the default.
    fn key(&mut self, entry: u32, body: &'p [u8], mut at: usize) -> Result<Key<'p>, Refused> {
        let program = self.walk.program;
        let field = program.message(entry).and_then(|entry| entry.dense.get(1));
        let field = field.ok_or(Refused)?;
        let mut found = None;
        while at < body.len() {
            let (tag, value_at) = self.walk.tag(body, at)?;
            at = self.walk.unknown(body, at, value_at, tag, 0)?;
            if tag == field.tag {
                found = Some((value_at, at));
            }
        }
        let bits = |bytes: &[u8]| {
            let fold = |bits, byte: &u8| bits << 8 | u64::from(*byte);
            bytes.iter().rev().fold(0, fold)
        };
        Ok(match field.shape {
            Shape::Varint => {
                let varint = found.and_then(|(from, _)| long_varint(body, from).ok());
                let value = varint.map_or(0, |(value, _)| value);
                Key::Number(match program.label(field.label).map(|label| &*label.type_name) {
                    Some("bool") => u64::from(value != 0),
                    // Parsers take the low bits.
                    Some("int32" | "uint32" | "sint32") => value & u64::from(u32::MAX),
                    _ => value,
                })
            }
            Shape::Fixed32 | Shape::Fixed64 => {
                Key::Number(found.and_then(|(from, to)| body.get(from..to)).map_or(0, bits))
            }
            _ => {
                let sized = found.map(|(from, _)| self.walk.sized(body, from, None));
                let text = sized.transpose()?.and_then(|(from, to)| body.get(from..to));
                Key::Text(text.unwrap_or_default())
            }
        })
    }

    /// No more pieces come: what is missing in the message that ends first, in it or itself.
    fn close(&self, node: Node<'p>) -> Option<Missing> {
        let message = self.walk.program.message(node.message)?;
        let mut required = message.required_labels.iter().enumerate();
        let own = required
            .find(|(position, _)| !node.has(*position))
            .map(|(_, label)| Missing {
                start: node.start,
                end: node.end,
                label: *label,
            });
        let inner = node.singular.into_values().filter_map(|inner| self.close(*inner));
        let all = inner.chain(node.entries.into_values()).chain(node.elements);
        all.chain(own)
            .min_by_key(|missing| (missing.end, Reverse(missing.start)))
    }
}
