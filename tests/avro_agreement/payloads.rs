//! Payloads: sound ones of a schema, in every form that the specification allows, and changes of them.

use crate::choices::Choices;
use crate::shapes::{Schema, Shape};

/// What our side must say of a payload that was written here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sound {
    Valid,
    /// Records, arrays and maps nest deeper than we walk.
    TooDeep,
    /// A little deeper: records of fixed nesting are not counted one by one.
    Deep,
}

const DEPTH_MAX: usize = portcullis::schema::avro::validate::DEPTH_MAX as usize;
/// So many records inside each other may lie between two counts.
const UNCOUNTED_MAX: usize = 16;
/// Of a schema that has no finite payload.
const ENDLESS: usize = usize::MAX;

/// How deep the flattest payload of each type nests.
pub fn heights(schema: &Schema) -> Vec<usize> {
    let mut heights = vec![ENDLESS; schema.shapes.len()];
    loop {
        let mut changed = false;
        for (id, shape) in schema.shapes.iter().enumerate() {
            let height = match shape {
                Shape::Union(branches) => branches.iter().map(|branch| heights[*branch]).min(),
                Shape::Record(fields) => Some(
                    fields
                        .iter()
                        .map(|field| heights[*field])
                        .max()
                        .unwrap_or(0)
                        .saturating_add(1),
                ),
                _ => Some(0),
            };
            let height = height.unwrap_or(ENDLESS);
            if height < heights[id] {
                heights[id] = height;
                changed = true;
            }
        }
        if !changed {
            return heights;
        }
    }
}

pub fn is_endless(schema: &Schema, heights: &[usize]) -> bool {
    heights[schema.root] == ENDLESS
}

/// A record that has no finite payload is somewhere in it.
pub fn holds_endless(heights: &[usize]) -> bool {
    heights.contains(&ENDLESS)
}

struct Encoder<'a> {
    schema: &'a Schema,
    heights: &'a [usize],
    choices: &'a mut Choices,
    out: Vec<u8>,
    /// How many more values may be written before only the flattest are.
    left: usize,
    /// Takes the branches that go deep.
    deep: bool,
    deepest: usize,
}

pub fn sound(schema: &Schema, heights: &[usize], choices: &mut Choices) -> (Vec<u8>, Sound) {
    let deep = choices.once_in(8);
    let left = if deep { 600 } else { *choices.one(&[5, 30, 120]) };
    let mut encoder = Encoder {
        schema,
        heights,
        choices,
        out: Vec::new(),
        left,
        deep,
        deepest: 0,
    };
    encoder.value(schema.root, 0);
    let sound = match encoder.deepest {
        ..=DEPTH_MAX => Sound::Valid,
        depth if depth > DEPTH_MAX + UNCOUNTED_MAX => Sound::TooDeep,
        _ => Sound::Deep,
    };
    (encoder.out, sound)
}

/// A zig-zag varint of at least `bytes` bytes.
pub fn varint(value: i64, bytes: usize, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    let start = out.len();
    while left >= 0x80 || out.len() - start + 1 < bytes {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

impl Encoder<'_> {
    /// A long or, with `bytes_max` 5, an int: now and then longer than needed.
    fn number(&mut self, value: i64, bytes_max: usize) {
        let bytes = if self.choices.once_in(30) {
            1 + self.choices.below(bytes_max)
        } else {
            1
        };
        varint(value, bytes, &mut self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as i64, 10);
        self.out.extend_from_slice(bytes);
    }

    fn random(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.choices.next() as u8).collect()
    }

    fn text(&mut self) -> String {
        let length = if self.choices.once_in(20) {
            self.choices.below(90)
        } else {
            self.choices.below(8)
        };
        let letters: &[char] = if self.choices.once_in(3) {
            &['a', 'Z', '0', ' ', 'é', '語', '🦀', '\0']
        } else {
            &['a', 'b', 'c']
        };
        (0..length).map(|_| *self.choices.one(letters)).collect()
    }

    fn value(&mut self, id: usize, depth: usize) {
        self.left = self.left.saturating_sub(1);
        match &self.schema.shapes[id] {
            Shape::Null | Shape::Open => {}
            Shape::Boolean => {
                let byte = self.choices.below(2) as u8;
                self.out.push(byte);
            }
            Shape::Int => {
                let value = i64::from(self.choices.long() as i32);
                self.number(value, 5);
            }
            Shape::Long => {
                let value = self.choices.long();
                self.number(value, 10);
            }
            Shape::Float => self.raw(4),
            Shape::Double => self.raw(8),
            Shape::Fixed(size) => self.raw(*size),
            Shape::Bytes => {
                let count = self.choices.below(12);
                let bytes = self.random(count);
                self.bytes(&bytes);
            }
            Shape::String { uuid: true } if self.choices.below(4) > 0 => {
                let hex = format!("{:016x}{:016x}", self.choices.next(), self.choices.next());
                let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
                self.bytes(uuid.as_bytes());
            }
            Shape::String { .. } => {
                let text = self.text();
                self.bytes(text.as_bytes());
            }
            Shape::Enum(symbols) => {
                let index = self.choices.below(*symbols) as i64;
                self.number(index, 5);
            }
            Shape::Union(branches) => {
                let index = self.branch(branches);
                self.number(index as i64, 5);
                self.value(branches[index], depth);
            }
            Shape::Record(fields) => {
                self.deepest = self.deepest.max(depth + 1);
                for field in fields {
                    self.value(*field, depth + 1);
                }
            }
            Shape::Array(items) => self.blocks(*items, false, depth + 1),
            Shape::Map(values) => self.blocks(*values, true, depth + 1),
        }
    }

    fn raw(&mut self, count: usize) {
        let bytes = self.random(count);
        self.out.extend(bytes);
    }

    /// A branch that ends; when there is no more to spend, the one that ends soonest.
    fn branch(&mut self, branches: &[usize]) -> usize {
        let height = |index: &usize| self.heights[branches[*index]];
        let flattest = (0..branches.len()).min_by_key(height).unwrap();
        let finite: Vec<usize> = (0..branches.len())
            .filter(|index| height(index) != ENDLESS)
            .collect();
        if self.left == 0 || finite.is_empty() {
            return flattest;
        }
        if self.deep
            && let Some(deeper) = finite.iter().rev().find(|index| {
                matches!(
                    self.schema.shapes[branches[**index]],
                    Shape::Record(_) | Shape::Array(_) | Shape::Map(_)
                )
            })
        {
            return *deeper;
        }
        *self.choices.one(&finite)
    }

    fn blocks(&mut self, of: usize, keys: bool, depth: usize) {
        self.deepest = self.deepest.max(depth);
        let most = if self.deep { 2 } else { 5 };
        let mut items = match self.left {
            _ if self.heights[of] == ENDLESS => 0,
            0 => 0,
            _ => self.choices.below(most).max(usize::from(self.deep)),
        };
        // Items that take no bytes may be many.
        if matches!(self.schema.shapes[of], Shape::Null) && !keys && self.choices.once_in(4) {
            let count = *self
                .choices
                .one(&[100, 19_999, 20_001, 1 << 20, i64::from(i32::MAX) - 8]);
            self.number(count, 10);
            items = 0;
        }
        while items > 0 {
            let count = 1 + self.choices.below(items);
            items -= count;
            let sized = self.choices.once_in(4);
            let before = std::mem::take(&mut self.out);
            for _ in 0..count {
                if keys {
                    let key = self.text();
                    self.bytes(key.as_bytes());
                }
                self.value(of, depth);
            }
            let block = std::mem::replace(&mut self.out, before);
            if sized {
                self.number(-(count as i64), 10);
                self.number(block.len() as i64, 10);
            } else {
                self.number(count as i64, 10);
            }
            self.out.extend(block);
        }
        self.number(0, 10);
    }
}

/// One change of a payload.
pub fn change(payload: &mut Vec<u8>, choices: &mut Choices) {
    let at = choices.below(payload.len() + 1);
    let byte = if choices.once_in(2) {
        choices.next() as u8
    } else {
        *choices.one(&[0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xfe, 0xff])
    };
    match choices.below(9) {
        0 if at < payload.len() => payload[at] = byte,
        1 if at < payload.len() => payload[at] ^= 1 << choices.below(8),
        2 => payload.truncate(at),
        3 => payload.insert(at, byte),
        4 if at < payload.len() => drop(payload.remove(at)),
        5 => {
            let end = at + choices.below((payload.len() - at).min(12) + 1);
            let part = payload[at..end].to_vec();
            payload.splice(at..at, part);
        }
        6 => {
            let end = at + choices.below((payload.len() - at).min(12) + 1);
            payload.drain(at..end);
        }
        // A number in place of a byte.
        7 => {
            let mut number = Vec::new();
            let bytes = if choices.once_in(4) {
                1 + choices.below(11)
            } else {
                1
            };
            varint(choices.border(), bytes, &mut number);
            let end = (at + 1).min(payload.len());
            payload.splice(at..end, number);
        }
        // A number of one byte, longer.
        _ => {
            if let Some(byte) = payload.get(at).copied().filter(|byte| *byte < 0x80) {
                let mut number = vec![byte | 0x80];
                number.extend(std::iter::repeat_n(0x80, choices.below(10)));
                number.push(if choices.once_in(4) {
                    choices.next() as u8 & 0x7f
                } else {
                    0
                });
                payload.splice(at..=at, number);
            }
        }
    }
}

/// Bytes of no schema, small numbers mostly.
pub fn arbitrary(choices: &mut Choices) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..choices.below(40) {
        match choices.below(12) {
            0 => bytes.push(choices.next() as u8),
            1 => varint(choices.border(), 1, &mut bytes),
            _ => bytes.push(choices.below(6) as u8),
        }
    }
    bytes
}
