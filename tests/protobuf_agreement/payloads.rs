//! Payloads of a schema: what a writer may write, in all its freedom, and what damage makes of it.

use super::choices::Choices;
use super::tables::{Field, Tables};
use prost_reflect::Kind;

/// What a writer may do that a reader must bear.
#[derive(Clone, Copy)]
pub struct Freedom {
    /// Fields in any order, twice, packed or not, messages in pieces, entries without key or value, long varints.
    pub loose: bool,
    /// Fields that the schema does not have.
    pub unknown: bool,
    /// In a hundred fields: those in a wire type that is not theirs.
    pub wrong_wire_types: usize,
}

pub fn random_payload(choices: &mut Choices, tables: &Tables, freedom: Freedom) -> Vec<u8> {
    let depth = 1 + choices.below(5) as i32;
    Writer {
        choices,
        tables,
        freedom,
        budget: 400,
    }
    .message(0, depth)
}

struct Writer<'a> {
    choices: &'a mut Choices,
    tables: &'a Tables,
    freedom: Freedom,
    /// Values that may still be written, so that recursion ends.
    budget: usize,
}

impl Writer<'_> {
    fn message(&mut self, id: usize, depth: i32) -> Vec<u8> {
        let tables = self.tables;
        let message = &tables.messages[id];
        let mut fields: Vec<Vec<u8>> = Vec::new();
        let keep = *self.choices.one(&[30, 60, 90]);
        let mut oneofs = Vec::new();
        for field in message.fields.values() {
            let is_needed = field.required || (message.is_entry && field.is_message());
            let is_wanted = self.choices.chance(keep) || (message.is_entry && !self.freedom.loose);
            if !is_needed && (!is_wanted || self.budget == 0 || (depth <= 0 && field.is_message())) {
                continue;
            }
            // A message that requires itself has no end, and one that requires ten has one too far away.
            if field.is_message() && (depth < -5 || (depth < -1 && self.budget == 0)) {
                continue;
            }
            if let Some(oneof) = field.oneof {
                if oneofs.contains(&oneof) && !self.loosely(10) {
                    continue;
                }
                oneofs.push(oneof);
            }
            self.field(field, depth, &mut fields);
        }
        if self.freedom.unknown && self.choices.chance(25) {
            let unknown = self.unknown_field(id, 0);
            fields.push(unknown);
        }
        if self.loosely(40) {
            for last in (1..fields.len()).rev() {
                let other = self.choices.below(last + 1);
                fields.swap(last, other);
            }
        }
        fields.concat()
    }

    /// Something that only a free writer does, in `percent` of the cases.
    fn loosely(&mut self, percent: usize) -> bool {
        self.freedom.loose && self.choices.chance(percent)
    }

    fn field(&mut self, field: &Field, depth: i32, out: &mut Vec<Vec<u8>>) {
        self.budget = self.budget.saturating_sub(1);
        if self.choices.below(1000) < self.freedom.wrong_wire_types * 10 {
            let wire_type = *self.choices.one(&[0, 1, 2, 3, 5]);
            let value = self.any_value(field.number, wire_type, 2);
            out.push(value);
            return;
        }
        let times = match (field.repeated, self.loosely(5)) {
            (true, _) => self.choices.below(5),
            (false, true) => 2,
            (false, false) => 1,
        };
        let packed = field.packable() && self.choices.chance(50);
        if packed {
            let mut run = Vec::new();
            for _ in 0..times {
                self.scalar(&field.kind, &mut run);
            }
            let mut bytes = self.tag(field.number, 2);
            self.sized(&run, &mut bytes);
            out.push(bytes);
            return;
        }
        for _ in 0..times {
            if field.is_message() {
                self.submessage(field, depth, out);
                continue;
            }
            let mut bytes = self.tag(field.number, field.wire_type());
            self.scalar(&field.kind, &mut bytes);
            out.push(bytes);
        }
    }

    fn submessage(&mut self, field: &Field, depth: i32, out: &mut Vec<Vec<u8>>) {
        let body = self.message(field.target, depth - 1);
        let mut pieces = vec![body];
        if !field.is_map && !field.repeated && self.loosely(10) {
            // In two pieces, cut between two fields.
            let (first, second) = split(&pieces[0], self.choices);
            pieces = vec![first, second];
        }
        for piece in pieces {
            let mut bytes = self.tag(field.number, field.wire_type());
            if field.is_group {
                bytes.extend_from_slice(&piece);
                bytes.extend(self.tag(field.number, 4));
            } else {
                self.sized(&piece, &mut bytes);
            }
            out.push(bytes);
        }
    }

    fn scalar(&mut self, kind: &Kind, out: &mut Vec<u8>) {
        let width = self.choices.below(64);
        let number = self.choices.next() >> width;
        match kind {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => out.extend(number.to_le_bytes()),
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => out.extend((number as u32).to_le_bytes()),
            Kind::Bool if !self.loosely(10) => self.varint(number & 1, out),
            Kind::Enum(enumeration) if !self.loosely(10) => {
                let values: Vec<i32> = enumeration.values().map(|value| value.number()).collect();
                let value = i64::from(*self.choices.one(&values));
                self.varint(value as u64, out);
            }
            Kind::Int32 | Kind::Uint32 | Kind::Sint32 if !self.loosely(10) => {
                self.varint(i64::from(number as i32) as u64, out);
            }
            Kind::String => {
                let piece = &"aé€𝄞"[..*self.choices.one(&[0, 1, 3, 6, 10])];
                let mut text = piece.repeat(self.choices.below(20)).into_bytes();
                if self.loosely(3) {
                    text.push(0xff);
                }
                self.sized(&text, out);
            }
            Kind::Bytes => {
                let bytes = vec![number as u8; self.choices.below(200)];
                self.sized(&bytes, out);
            }
            _ => self.varint(number, out),
        }
    }

    /// A field number that the message may know or not, with a value of any wire type.
    fn unknown_field(&mut self, message: usize, level: usize) -> Vec<u8> {
        let number = match self.choices.below(4) {
            0 => 1 + self.choices.below(30) as u32,
            1 => 1 + self.choices.below(200_000) as u32,
            2 => (1 << 29) - 1 - self.choices.below(3) as u32,
            _ => *self.choices.one(&[15, 16, 2047, 2048, 18_999, 19_500, 1000]),
        };
        if level == 0 && self.tables.messages[message].fields.contains_key(&number) {
            return Vec::new();
        }
        let wire_type = *self.choices.one(&[0, 1, 2, 3, 5]);
        self.any_value(number, wire_type, level)
    }

    fn any_value(&mut self, number: u32, wire_type: u8, level: usize) -> Vec<u8> {
        let mut bytes = self.tag(number, wire_type);
        match wire_type {
            0 => self.scalar(&Kind::Uint64, &mut bytes),
            1 => self.scalar(&Kind::Fixed64, &mut bytes),
            5 => self.scalar(&Kind::Fixed32, &mut bytes),
            2 => self.scalar(&Kind::Bytes, &mut bytes),
            _ => {
                for _ in 0..self.choices.below(3) {
                    if level < 4 {
                        let inner = self.unknown_field(0, level + 1);
                        bytes.extend(inner);
                    }
                }
                bytes.extend(self.tag(number, 4));
            }
        }
        bytes
    }

    fn tag(&mut self, number: u32, wire_type: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.varint(u64::from(number) << 3 | u64::from(wire_type), &mut bytes);
        bytes
    }

    fn sized(&mut self, value: &[u8], out: &mut Vec<u8>) {
        self.varint(value.len() as u64, out);
        out.extend_from_slice(value);
    }

    fn varint(&mut self, value: u64, out: &mut Vec<u8>) {
        let mut bytes = Vec::new();
        let mut rest = value;
        loop {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
            if rest == 0 {
                break;
            }
        }
        if self.freedom.loose && self.choices.below(400) == 0 {
            let length = (bytes.len() + 1 + self.choices.below(5)).min(10);
            bytes.resize(length, 0x80);
        }
        if let Some(last) = bytes.last_mut() {
            *last &= 0x7f;
        }
        out.extend(bytes);
    }
}

/// Cuts a well-formed body between two of its fields.
fn split(body: &[u8], choices: &mut Choices) -> (Vec<u8>, Vec<u8>) {
    let mut cuts = vec![0];
    let (mut at, mut open) = (0, 0usize);
    let varint = |at: &mut usize| {
        let mut value = 0u64;
        let mut shift = 0;
        while let Some(byte) = body.get(*at) {
            *at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if *byte < 0x80 {
                break;
            }
        }
        value
    };
    while at < body.len() {
        match varint(&mut at) & 7 {
            0 => drop(varint(&mut at)),
            1 => at += 8,
            5 => at += 4,
            2 => at += varint(&mut at) as usize,
            3 => open += 1,
            _ => open = open.saturating_sub(1),
        }
        if open == 0 {
            cuts.push(at.min(body.len()));
        }
    }
    let (first, second) = body.split_at(*choices.one(&cuts));
    (first.to_vec(), second.to_vec())
}

pub fn damage(choices: &mut Choices, payload: &mut Vec<u8>) {
    for _ in 0..=choices.below(3) {
        let at = choices.below(payload.len() + 1);
        match choices.below(7) {
            0 => payload.truncate(at),
            1 if at < payload.len() => payload[at] = choices.next() as u8,
            2 if at < payload.len() => payload[at] ^= 1 << choices.below(8),
            3 if at < payload.len() => drop(payload.remove(at)),
            4 => payload.insert(at, choices.next() as u8),
            5 => {
                let more = vec![*choices.one(&[0, 0x80, 0xff]); 1 + choices.below(10)];
                payload.splice(at..at, more);
            }
            _ => {
                let from = choices.below(payload.len() + 1);
                let piece = payload[from.min(at)..from.max(at)].to_vec();
                payload.extend_from_slice(&piece);
            }
        }
    }
}

/// Bytes that nobody wrote: from a small alphabet, so that some of them make fields.
pub fn noise(choices: &mut Choices) -> Vec<u8> {
    let length = choices.below(60);
    let small = choices.chance(60);
    (0..length)
        .map(|_| {
            if small {
                choices.below(48) as u8
            } else {
                choices.next() as u8
            }
        })
        .collect()
}

/// Messages or groups in each other, around the limit of a hundred: as deep as the schema allows with one field.
pub fn tower(choices: &mut Choices, tables: &Tables) -> Vec<u8> {
    let depth = 95 + choices.below(12);
    let mut way = Vec::new();
    let mut message = 0;
    for _ in 0..depth {
        let inner: Vec<&Field> = tables.messages[message]
            .fields
            .values()
            .filter(|f| f.is_message())
            .collect();
        if inner.is_empty() {
            break;
        }
        let field = *choices.one(&inner);
        way.push(field);
        message = field.target;
    }
    let freedom = Freedom {
        loose: false,
        unknown: false,
        wrong_wire_types: 0,
    };
    let mut writer = Writer {
        choices,
        tables,
        freedom,
        budget: 0,
    };
    let mut payload = Vec::new();
    for level in (way.len()..depth).rev() {
        // Where the schema ends, unknown groups go on.
        let number = 1000 + level as u32;
        payload = [writer.tag(number, 3), payload, writer.tag(number, 4)].concat();
    }
    for field in way.into_iter().rev() {
        let mut outer = writer.tag(field.number, field.wire_type());
        if field.is_group {
            outer.extend(payload);
            outer.extend(writer.tag(field.number, 4));
        } else {
            writer.sized(&payload, &mut outer);
        }
        payload = outer;
    }
    payload
}
