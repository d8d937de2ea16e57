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
    let mut reader = Reader {
        walk: Walk {
            program,
            payload,
            trace: (),
        },
        messages: Vec::new(),
        open: Open::default(),
    };
    let root = reader.add(message);
    reader.piece(root, payload, 0)?;
    Ok(reader.close(root))
}

struct Reader<'p> {
    walk: Walk<'p, (), false>,
    /// Those that may get more pieces, and what was replaced in them: by number, each after the one that holds it.
    messages: Vec<Merging>,
    open: Open<'p>,
}

struct Merging {
    message: u32,
    /// Of its last piece.
    start: usize,
    end: usize,
}

/// What is known of these messages, by their numbers. All of one lies together, and after what holds it: a closed
/// element of a repeated field takes its part off the end. One map for all costs a small part of a map for each.
#[derive(Default)]
struct Open<'p> {
    /// The bits of 64 required fields that were there, by position / 64.
    seen: BTreeMap<(usize, u32), u64>,
    /// Singular messages, by field label.
    singular: BTreeMap<(usize, u32), usize>,
    /// The label of the last member, by oneof.
    members: BTreeMap<(usize, u32), u32>,
    /// The keys whose last entry is incomplete, by the map's label.
    entries: BTreeMap<(usize, u32, Key<'p>), Missing>,
    /// The first that is missing in repeated fields.
    elements: BTreeMap<usize, Missing>,
}

/// A map's key, by its value: however it was written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'p> {
    Number(u64),
    Text(&'p [u8]),
}

impl Open<'_> {
    /// A value of the field stays, and what it replaces goes.
    fn keep(&mut self, message: usize, index: u32, label: &FieldLabel) {
        if let Some(position) = label.required {
            *self.seen.entry((message, position / 64)).or_default() |= 1 << (position % 64);
        }
        if let Some(oneof) = label.oneof
            && let Some(before) = self.members.insert((message, oneof), index)
            && before != index
        {
            self.singular.remove(&(message, before));
        }
    }

    fn has(&self, message: usize, position: u32) -> bool {
        let word = self.seen.get(&(message, position / 64)).copied().unwrap_or(0);
        word & (1 << (position % 64)) != 0
    }

    /// Forgets `message` and what came after it.
    fn truncate(&mut self, message: usize) {
        truncate(&mut self.seen, |key| key.0 >= message);
        truncate(&mut self.singular, |key| key.0 >= message);
        truncate(&mut self.members, |key| key.0 >= message);
        truncate(&mut self.entries, |key| key.0 >= message);
        truncate(&mut self.elements, |key| *key >= message);
    }
}

fn truncate<K: Ord, V>(map: &mut BTreeMap<K, V>, is_after: impl Fn(&K) -> bool) {
    while map.last_key_value().is_some_and(|(key, _)| is_after(key)) {
        map.pop_last();
    }
}

impl<'p> Reader<'p> {
    fn add(&mut self, message: u32) -> usize {
        self.messages.push(Merging {
            message,
            start: 0,
            end: 0,
        });
        self.messages.len() - 1
    }

    /// Reads one piece of a message, from `at` to the end of `bytes` or of its group. Answers where it ended.
    fn piece(&mut self, of: usize, bytes: &'p [u8], mut at: usize) -> Result<usize, Refused> {
        let program = self.walk.program;
        let merging = self.messages.get(of).ok_or(Refused)?;
        let message = program.message(merging.message).ok_or(Refused)?;
        let start = at;
        let mut predicted = 0;
        let mut group_end = None;
        while at < bytes.len() {
            let (tag, value_at) = self.walk.tag(bytes, at)?;
            if tag & 7 == END_GROUP {
                group_end = Some(value_at);
                break;
            }
            let field = match message.dense.get((tag >> 3) as usize) {
                Some(field) => field,
                None => beyond_dense(&message.sparse, tag >> 3, &mut predicted),
            };
            at = match field.shape {
                Shape::Message | Shape::Group => self.inner(of, field, bytes, value_at)?,
                _ => {
                    let end = self.walk.unknown(bytes, at, value_at, tag, 0)?;
                    self.scalar(of, field, bytes, value_at);
                    end
                }
            };
        }
        let merging = self.messages.get_mut(of).ok_or(Refused)?;
        (merging.start, merging.end) = (start, at);
        Ok(group_end.unwrap_or(at))
    }

    fn scalar(&mut self, of: usize, field: &Field, bytes: &[u8], at: usize) {
        // A closed enum's number without a name is an unknown field.
        let is_closed = matches!(field.shape, Shape::Varint | Shape::RequiredEnum) && field.target != 0;
        if let Some(label) = self.walk.program.label(field.label)
            && !label.repeated
            && (!is_closed || self.walk.is_named(bytes, at, field))
        {
            self.open.keep(of, field.label, label);
        }
    }

    /// A message or group in another: more of one that is there, or one that stands alone.
    fn inner(&mut self, of: usize, field: &Field, bytes: &'p [u8], at: usize) -> Result<usize, Refused> {
        let label = self.walk.program.label(field.label).ok_or(Refused)?;
        let (body, from) = if field.shape == Shape::Group {
            (bytes, at)
        } else {
            let (from, to) = self.walk.sized(bytes, at, None)?;
            (bytes.get(..to).ok_or(Refused)?, from)
        };
        self.open.keep(of, field.label, label);
        if !label.repeated {
            let there = self.open.singular.get(&(of, field.label)).copied();
            let inner = there.unwrap_or_else(|| self.add(field.target));
            self.open.singular.insert((of, field.label), inner);
            return self.piece(inner, body, from);
        }
        let element = self.add(field.target);
        let end = self.piece(element, body, from)?;
        let missing = self.close(element);
        self.messages.truncate(element);
        self.open.truncate(element);
        if label.map {
            let key = (of, field.label, self.key(field.target, body, from)?);
            match missing {
                Some(missing) => self.open.entries.insert(key, missing),
                None => self.open.entries.remove(&key),
            };
        } else if let Some(missing) = missing {
            // Elements come in the order of their ends.
            self.open.elements.entry(of).or_insert(missing);
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

    /// No more pieces come: what is missing in the message that ends first, of what it holds and itself.
    fn close(&self, of: usize) -> Option<Missing> {
        let merging = self.messages.get(of)?;
        let message = self.walk.program.message(merging.message)?;
        let open = &self.open;
        let mut required = message.required_labels.iter().zip(0u32..);
        let own = required
            .find(|(_, position)| !open.has(of, *position))
            .map(|(label, _)| Missing {
                start: merging.start,
                end: merging.end,
                label: *label,
            });
        let singular = open.singular.range((of, 0)..=(of, u32::MAX));
        let inner = singular.filter_map(|(_, inner)| self.close(*inner));
        let entries = open
            .entries
            .range((of, 0, Key::Number(0))..(of + 1, 0, Key::Number(0)));
        let entries = entries.map(|(_, missing)| *missing);
        let elements = open.elements.get(&of).copied();
        inner
            .chain(entries)
            .chain(elements)
            .chain(own)
            .min_by_key(|missing| (missing.end, Reverse(missing.start)))
    }
}
