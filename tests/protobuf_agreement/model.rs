//! The wire format read the plain way: into a tree, one message after another, by a set of rules. Pieces of a message are
//! merged, what is replaced is gone, and required fields are looked for in what is left. By our rules it must say
//! what Portcullis says, by another library's what that library says: so a difference between the two is explained by
//! the rules that differ, and by nothing else.

use super::tables::{Field, Tables};
use prost_reflect::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// Where readers of Protobuf differ. All false: Portcullis.
#[allow(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Rules {
    /// A known field in a wire type that is not its own is kept as an unknown field.
    pub other_wire_type_is_unknown: bool,
    /// A varint's bits beyond the 64th are dropped.
    pub extra_bits_are_dropped: bool,
    /// A tag may be a varint of up to ten bytes, when its value is small enough.
    pub ten_byte_tags: bool,
    /// A length is a varint of at most five bytes.
    pub five_byte_lengths: bool,
    /// The field number 0 is an unknown field of messages that have no fields, and of unknown groups.
    pub number_zero_in_what_is_empty: bool,
    /// An unknown field in a oneof's member or a map's value that another replaced is gone with it.
    pub unknown_in_what_is_replaced_is_gone: bool,
    /// A map's field is read as a length and an entry, whatever its wire type says.
    pub map_in_any_wire_type: bool,
    /// A map's entry does not count as a level of nesting.
    pub entries_do_not_nest: bool,
    /// proto2 strings must be UTF-8, too.
    pub proto2_strings_are_utf8: bool,
    /// A required closed enum may have a number that the enum does not name.
    pub unnamed_number_counts: bool,
    /// An entry that holds an unknown field, or an enum's unknown number, is an unknown field as a whole.
    pub entry_with_unknown_is_unknown: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Malformed,
    /// A required field is missing.
    Incomplete,
    Valid {
        /// There are unknown fields in what was read.
        unknown: bool,
    },
}

impl Verdict {
    pub fn is_valid(self) -> bool {
        matches!(self, Self::Valid { .. })
    }
}

/// What is left of a message when it has been read.
#[derive(Default)]
struct Node {
    message: usize,
    seen: BTreeSet<u32>,
    singular: BTreeMap<u32, Node>,
    repeated: Vec<Node>,
    /// By field number and key.
    maps: BTreeMap<(u32, Vec<u8>), Option<Node>>,
    /// Of an entry.
    key: Vec<u8>,
    unknown: bool,
    /// There was one in it, or in something that was replaced.
    unknown_ever: bool,
}

struct Malformed;

pub fn judge(tables: &Tables, payload: &[u8], rules: Rules) -> Verdict {
    let mut reader = Reader {
        tables,
        rules,
        bytes: payload,
        at: 0,
    };
    let mut root = Node::default();
    if reader.message(&mut root, payload.len(), 0, None).is_err() {
        return Verdict::Malformed;
    }
    if !is_complete(tables, &root) {
        return Verdict::Incomplete;
    }
    let unknown = if rules.unknown_in_what_is_replaced_is_gone {
        has_unknown(&root)
    } else {
        root.unknown_ever
    };
    Verdict::Valid { unknown }
}

fn is_complete(tables: &Tables, node: &Node) -> bool {
    let all_there = |node: &Node| {
        let mut required = tables.messages[node.message]
            .fields
            .values()
            .filter(|field| field.required);
        required.all(|field| node.seen.contains(&field.number))
    };
    all_there(node)
        && node.singular.values().all(|inner| is_complete(tables, inner))
        && node.repeated.iter().all(|inner| is_complete(tables, inner))
        && node
            .maps
            .values()
            .flatten()
            .all(|inner| is_complete(tables, inner))
}

fn has_unknown(node: &Node) -> bool {
    node.unknown
        || node.singular.values().any(has_unknown)
        || node.repeated.iter().any(has_unknown)
        || node.maps.values().flatten().any(has_unknown)
}

struct Reader<'a> {
    tables: &'a Tables,
    rules: Rules,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn varint(&mut self, end: usize, bytes_max: usize) -> Result<u64, Malformed> {
        let mut value = 0u128;
        for index in 0..bytes_max {
            if self.at >= end {
                return Err(Malformed);
            }
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= u128::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if value >> 64 != 0 && !self.rules.extra_bits_are_dropped {
                    return Err(Malformed);
                }
                return Ok(value as u64);
            }
        }
        Err(Malformed)
    }

    fn tag(&mut self, end: usize) -> Result<(u32, u8), Malformed> {
        let tag = self.varint(end, if self.rules.ten_byte_tags { 10 } else { 5 })?;
        let tag = u32::try_from(tag).map_err(|_| Malformed)?;
        Ok((tag >> 3, tag as u8 & 7))
    }

    fn take(&mut self, length: u64, end: usize) -> Result<usize, Malformed> {
        if length > (end - self.at) as u64 {
            return Err(Malformed);
        }
        Ok(self.at + length as usize)
    }

    fn sized(&mut self, end: usize) -> Result<usize, Malformed> {
        let length = self.varint(end, if self.rules.five_byte_lengths { 5 } else { 10 })?;
        self.take(length, end)
    }

    /// Reads into `node` up to `end`, or to the end of the group of this number.
    fn message(
        &mut self,
        node: &mut Node,
        end: usize,
        depth: usize,
        group: Option<u32>,
    ) -> Result<(), Malformed> {
        let fields = &self.tables.messages[node.message].fields;
        loop {
            if self.at >= end {
                if group.is_some() {
                    return Err(Malformed);
                }
                break;
            }
            let (number, wire_type) = self.tag(end)?;
            let is_empty = self.tables.messages[node.message].is_empty;
            if wire_type > 5 || (number == 0 && !(is_empty && self.rules.number_zero_in_what_is_empty)) {
                return Err(Malformed);
            }
            let field = fields.get(&number);
            let any_wire_type = self.rules.map_in_any_wire_type && field.is_some_and(|field| field.is_map);
            // In a group an end is its own or none, whatever the fields are called in it.
            if wire_type == 4 && (group.is_some() || !any_wire_type) {
                if group != Some(number) {
                    return Err(Malformed);
                }
                break;
            }
            let Some(field) = field else {
                self.unknown(number, wire_type, end, depth)?;
                node.unknown = true;
                continue;
            };
            if wire_type != field.wire_type() && !(wire_type == 2 && field.packable()) && !any_wire_type {
                if !self.rules.other_wire_type_is_unknown {
                    return Err(Malformed);
                }
                self.unknown(number, wire_type, end, depth)?;
                node.unknown = true;
                continue;
            }
            self.value(node, field, wire_type, end, depth)?;
        }
        node.unknown_ever |= node.unknown;
        Ok(())
    }

    fn value(
        &mut self,
        node: &mut Node,
        field: &Field,
        wire_type: u8,
        end: usize,
        depth: usize,
    ) -> Result<(), Malformed> {
        if field.packable() && wire_type == 2 {
            let to = self.sized(end)?;
            while self.at < to {
                self.scalar(node, field, to)?;
            }
            node.seen.insert(field.number);
            return Ok(());
        }
        if !field.is_message() {
            if self.scalar(node, field, end)? {
                self.replace(node, field);
                node.seen.insert(field.number);
            }
            return Ok(());
        }
        let entry_depth = usize::from(!(field.is_map && self.rules.entries_do_not_nest));
        let to = if field.is_group { end } else { self.sized(end)? };
        if depth + entry_depth > 100 {
            return Err(Malformed);
        }
        self.replace(node, field);
        let mut inner = match node.singular.remove(&field.number) {
            Some(earlier) if !field.repeated => earlier,
            _ => Node {
                message: field.target,
                ..Node::default()
            },
        };
        self.message(
            &mut inner,
            to,
            depth + entry_depth,
            field.is_group.then_some(field.number),
        )?;
        node.seen.insert(field.number);
        node.unknown_ever |= inner.unknown_ever;
        if field.is_map {
            self.entry(node, field, inner);
        } else if field.repeated {
            node.repeated.push(inner);
        } else {
            node.singular.insert(field.number, inner);
        }
        Ok(())
    }

    fn entry(&self, node: &mut Node, field: &Field, mut entry: Node) {
        if entry.unknown && self.rules.entry_with_unknown_is_unknown {
            node.unknown = true;
            return;
        }
        node.unknown |= entry.unknown;
        let value = &self.tables.messages[field.target].fields[&2];
        let value = value.is_message().then(|| {
            // An entry without its value has the empty message for one.
            let empty = || Node {
                message: value.target,
                ..Node::default()
            };
            entry.singular.remove(&2).unwrap_or_else(empty)
        });
        node.maps.insert((field.number, entry.key), value);
    }

    /// Another member of a oneof is gone when this one comes.
    fn replace(&self, node: &mut Node, field: &Field) {
        let Some(oneof) = field.oneof else { return };
        for other in self.tables.messages[node.message].fields.values() {
            if other.oneof == Some(oneof) && other.number != field.number {
                node.singular.remove(&other.number);
            }
        }
    }

    /// One value; whether it is one that the field keeps.
    fn scalar(&mut self, node: &mut Node, field: &Field, end: usize) -> Result<bool, Malformed> {
        let from = self.at;
        let mut varint = 0;
        match field.wire_type() {
            0 => varint = self.varint(end, 10)?,
            1 => self.at = self.take(8, end)?,
            5 => self.at = self.take(4, end)?,
            _ => {
                let to = self.sized(end)?;
                let must_be_utf8 = field.proto3 || self.rules.proto2_strings_are_utf8;
                let text = &self.bytes[self.at..to];
                if must_be_utf8 && matches!(field.kind, Kind::String) && std::str::from_utf8(text).is_err() {
                    return Err(Malformed);
                }
                self.at = to;
            }
        }
        if let Kind::Enum(closed) = &field.kind
            && closed.parent_file().syntax() == prost_reflect::Syntax::Proto2
            && closed.get_value(varint as i32).is_none()
        {
            node.unknown = true;
            return Ok(self.rules.unnamed_number_counts);
        }
        if self.tables.messages[node.message].is_entry && field.number == 1 {
            node.key = match field.kind {
                Kind::Bool => vec![u8::from(varint != 0)],
                Kind::Int32 | Kind::Uint32 | Kind::Sint32 => (varint as u32).to_le_bytes().to_vec(),
                Kind::Int64 | Kind::Uint64 | Kind::Sint64 => varint.to_le_bytes().to_vec(),
                Kind::String => {
                    // Without its length, which may be written in several ways.
                    let text = &self.bytes[from..self.at];
                    let length = text.iter().position(|byte| *byte < 0x80).unwrap_or(0) + 1;
                    text[length..].to_vec()
                }
                _ => self.bytes[from..self.at].to_vec(),
            };
            if node.key.iter().all(|byte| *byte == 0) && !matches!(field.kind, Kind::String) {
                // No key at all is the key 0.
                node.key.clear();
            }
        }
        Ok(true)
    }

    fn unknown(&mut self, number: u32, wire_type: u8, end: usize, depth: usize) -> Result<(), Malformed> {
        match wire_type {
            0 => drop(self.varint(end, 10)?),
            1 => self.at = self.take(8, end)?,
            2 => self.at = self.sized(end)?,
            5 => self.at = self.take(4, end)?,
            3 => {
                if depth >= 100 {
                    return Err(Malformed);
                }
                loop {
                    let (inner, wire_type) = self.tag(end)?;
                    if inner == 0 && !self.rules.number_zero_in_what_is_empty {
                        return Err(Malformed);
                    }
                    if wire_type == 4 {
                        return if inner == number { Ok(()) } else { Err(Malformed) };
                    }
                    self.unknown(inner, wire_type, end, depth + 1)?;
                }
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }
}
