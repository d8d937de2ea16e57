//! A compiled schema: flat lists, subschemas by index, each keyword in the form in which it is checked.

use super::document::Json;
use super::format::Format;
use super::number::{Decimal, Divisor, order_short, short_integer};
use super::pattern::Pattern;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::Arc;

/// Index of a [`Subschema`] in its program.
pub type SubschemaId = u32;

pub struct Program {
    pub subschemas: Vec<Subschema>,
    pub root: SubschemaId,
    pub patterns: Arc<[Pattern]>,
    /// Whether the dynamic scope must be kept (`$dynamicRef`, `$recursiveRef`).
    pub dynamic: bool,
    /// What a dynamic anchor (by index of its name) is in a resource.
    pub dynamic_anchors: HashMap<(u32, u32), SubschemaId>,
    /// Keyed at random, so that nobody can aim at `uniqueItems`' buckets.
    pub hasher: RandomState,
}

/// One schema location.
#[derive(Clone, Default)]
pub struct Subschema {
    /// Kinds that `type` allows.
    pub types: u8,
    /// A number with a fraction or an exponent is allowed only where its value is whole.
    pub whole: bool,
    /// The schema `false`.
    pub never: bool,
    /// Nothing but `types` is to be checked.
    pub plain: bool,
    /// How the single pass takes it.
    pub way: Way,
    pub resource: u32,
    pub values: Vec<Values>,
    pub number: Option<Box<NumberRules>>,
    pub string: Option<Box<StringRules>>,
    pub array: Option<Box<ArrayRules>>,
    pub object: Option<Box<ObjectRules>>,
    pub applied: Option<Box<Applied>>,
}

/// How the single pass checks a value under a subschema.
#[derive(Clone, Default)]
pub enum Way {
    /// By its own rules while it reads it.
    Once,
    /// By the one alternative that takes values of its kind.
    ByKind(Box<[SubschemaId]>),
    /// Not at all: by a tape of the value.
    #[default]
    Tape,
}

impl Subschema {
    /// Visits every id that this subschema names.
    pub fn for_each_id(&mut self, mut visit: impl FnMut(&mut SubschemaId)) {
        let rest = |rest: &mut Rest, visit: &mut dyn FnMut(&mut SubschemaId)| {
            if let Rest::Schema(id) = rest {
                visit(id);
            }
        };
        if let Some(array) = &mut self.array {
            array.prefix.iter_mut().for_each(&mut visit);
            rest(&mut array.rest, &mut visit);
            array
                .contains
                .iter_mut()
                .for_each(|contains| visit(&mut contains.schema));
        }
        if let Some(object) = &mut self.object {
            object
                .properties
                .list
                .iter_mut()
                .filter_map(|it| it.schema.as_mut())
                .for_each(&mut visit);
            object.patterns.iter_mut().for_each(|(_, id)| visit(id));
            rest(&mut object.rest, &mut visit);
            object.names.iter_mut().for_each(&mut visit);
        }
        if let Some(applied) = &mut self.applied {
            applied.all.iter_mut().for_each(&mut visit);
            applied
                .dynamic
                .iter_mut()
                .for_each(|reference| visit(&mut reference.target));
            applied.any.iter_mut().flatten().for_each(&mut visit);
            applied.one.iter_mut().flatten().for_each(&mut visit);
            applied.not.iter_mut().for_each(&mut visit);
            if let Some(condition) = &mut applied.condition {
                visit(&mut condition.test);
                condition.then.iter_mut().for_each(&mut visit);
                condition.otherwise.iter_mut().for_each(&mut visit);
            }
            applied.dependent.iter_mut().for_each(|(_, id)| visit(id));
            applied.unevaluated_items.iter_mut().for_each(&mut visit);
            applied.unevaluated_properties.iter_mut().for_each(&mut visit);
        }
    }
}

/// `enum` or `const`.
#[derive(Clone)]
pub struct Values {
    pub all: Vec<Json>,
    /// The strings among them when there are many.
    pub strings: Option<HashSet<Box<[u8]>>>,
    pub is_const: bool,
}

#[derive(Clone, Default)]
pub struct NumberRules {
    pub minimum: Option<Limit>,
    pub exclusive_minimum: Option<Limit>,
    pub maximum: Option<Limit>,
    pub exclusive_maximum: Option<Limit>,
    pub multiple_of: Option<(Divisor, Box<str>)>,
    /// Whole numbers from the first to the second are within all of these.
    pub range: Option<(i64, i64)>,
}

impl NumberRules {
    /// Finds the whole numbers that are surely within the limits, once those are set.
    pub fn find_range(&mut self) {
        let bound = |limit: &Option<Limit>, unlimited: i64, step: i64| match limit {
            None => Some(unlimited),
            Some(limit) => limit.short.map(|limit| limit + step),
        };
        self.range = self.multiple_of.is_none().then_some(()).and_then(|()| {
            let least = bound(&self.minimum, i64::MIN, 0)?.max(bound(&self.exclusive_minimum, i64::MIN, 1)?);
            let most = bound(&self.maximum, i64::MAX, 0)?.min(bound(&self.exclusive_maximum, i64::MAX, -1)?);
            Some((least, most))
        });
    }

    /// Whether a number is surely as it should be; it may be so in any case. `whole`: without what is behind its
    /// point.
    #[inline]
    pub fn surely_holds(&self, whole: i64, fraction: bool) -> bool {
        let away = i64::from(fraction);
        self.range
            .is_some_and(|(least, most)| whole - away >= least && whole + away <= most)
    }

    /// What the number in `text` should be and is not: words, and the number that they speak of.
    pub fn violation(&self, text: &[u8]) -> Option<(&'static str, &str)> {
        if let Some(limit) = &self.minimum
            && limit.order(text).is_lt()
        {
            return Some(("at least", &limit.text));
        }
        if let Some(limit) = &self.maximum
            && limit.order(text).is_gt()
        {
            return Some(("at most", &limit.text));
        }
        if let Some(limit) = &self.exclusive_minimum
            && limit.order(text).is_le()
        {
            return Some(("more than", &limit.text));
        }
        if let Some(limit) = &self.exclusive_maximum
            && limit.order(text).is_ge()
        {
            return Some(("less than", &limit.text));
        }
        match &self.multiple_of {
            Some((divisor, of)) if !divisor.divides(&Decimal::parse(text)) => Some(("a multiple of", of)),
            _ => None,
        }
    }
}

#[derive(Clone)]
pub struct Limit {
    pub text: Box<str>,
    pub short: Option<i64>,
}

impl Limit {
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            short: short_integer(text.as_bytes()),
        }
    }

    /// How the number in `text` stands to this limit.
    #[inline]
    pub fn order(&self, text: &[u8]) -> Ordering {
        if let Some(limit) = self.short
            && let Some(order) = order_short(text, limit)
        {
            return order;
        }
        Decimal::parse(text).compare(&Decimal::parse(self.text.as_bytes()))
    }
}

#[derive(Clone, Default)]
pub struct StringRules {
    pub min: Option<u32>,
    pub max: Option<u32>,
    /// Index into the program's patterns.
    pub pattern: Option<u32>,
    /// In a program that annotates only where the meta-schema's vocabulary asserts.
    pub format: Option<Format>,
    pub by_vocabulary: bool,
}

impl StringRules {
    pub fn says_something(&self) -> bool {
        self.min.is_some() || self.max.is_some() || self.pattern.is_some() || self.format.is_some()
    }

    /// What the length should be and is not: words, and the number of characters that they speak of.
    #[inline]
    pub fn length_violation(&self, characters: usize) -> Option<(&'static str, u32)> {
        match (self.min, self.max) {
            (Some(min), _) if characters < min as usize => Some(("at least", min)),
            (_, Some(max)) if characters > max as usize => Some(("at most", max)),
            _ => None,
        }
    }
}

/// What applies to items or members that nothing else named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rest {
    #[default]
    Absent,
    /// Allowed and thereby evaluated.
    Any,
    Never,
    Schema(SubschemaId),
}

#[derive(Clone, Default)]
pub struct ArrayRules {
    pub prefix: Vec<SubschemaId>,
    pub rest: Rest,
    pub contains: Option<Contains>,
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub unique: bool,
}

#[derive(Clone)]
pub struct Contains {
    pub schema: SubschemaId,
    pub min: u32,
    pub max: Option<u32>,
    /// From draft 2020-12 on, a matching item counts as evaluated.
    pub evaluates: bool,
}

#[derive(Clone, Default)]
pub struct ObjectRules {
    pub properties: PropertyTable,
    /// Names in `required`, in their order, which is that of the properties' bits.
    pub required: Vec<Box<str>>,
    pub patterns: Vec<(u32, SubschemaId)>,
    pub rest: Rest,
    pub names: Option<SubschemaId>,
    pub min: Option<u32>,
    pub max: Option<u32>,
    /// `dependentRequired`, `dependencies` with names.
    pub dependent_names: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl ObjectRules {
    /// The bits of all required names, up to 64.
    #[inline]
    pub fn required_mask(&self) -> u64 {
        match self.required.len() {
            count @ 0..64 => (1 << count) - 1,
            _ => u64::MAX,
        }
    }
}

/// What is applied to the same value.
#[derive(Clone, Default)]
pub struct Applied {
    /// `allOf` and `$ref`.
    pub all: Vec<SubschemaId>,
    pub dynamic: Vec<DynamicRef>,
    pub any: Option<Vec<SubschemaId>>,
    pub one: Option<Vec<SubschemaId>>,
    pub not: Option<SubschemaId>,
    pub condition: Option<Condition>,
    /// `dependentSchemas`, `dependencies` with schemas.
    pub dependent: Vec<(Box<str>, SubschemaId)>,
    pub unevaluated_items: Option<SubschemaId>,
    pub unevaluated_properties: Option<SubschemaId>,
}

#[derive(Clone)]
pub struct Condition {
    pub test: SubschemaId,
    pub then: Option<SubschemaId>,
    pub otherwise: Option<SubschemaId>,
}

/// A reference whose target depends on how the evaluation came here.
#[derive(Clone)]
pub struct DynamicRef {
    /// Where it leads when no resource on the way has the anchor.
    pub target: SubschemaId,
    pub anchor: u32,
}

impl Applied {
    /// Every subschema that is evaluated on the same value, but those behind dynamic references.
    pub fn in_place(&self) -> impl Iterator<Item = SubschemaId> + '_ {
        let lists = [Some(&self.all), self.any.as_ref(), self.one.as_ref()];
        let condition = self.condition.iter().flat_map(|condition| {
            [Some(condition.test), condition.then, condition.otherwise]
                .into_iter()
                .flatten()
        });
        lists
            .into_iter()
            .flatten()
            .flatten()
            .copied()
            .chain(self.not)
            .chain(condition)
            .chain(self.dependent.iter().map(|(_, id)| *id))
    }
}

/// A name in `properties` or `required`.
#[derive(Clone)]
pub struct Property {
    pub name: Box<str>,
    pub schema: Option<SubschemaId>,
    /// Its bit among the first 64 required names.
    pub bit: u64,
    /// The name in quotes, escaped as payloads mostly have it, and its first 16 bytes with a mask of them.
    quoted: Box<[u8]>,
    start: u128,
    mask: u128,
}

impl Property {
    pub fn new(name: Box<str>, schema: Option<SubschemaId>) -> Self {
        let quoted = serde_json::Value::from(&*name).to_string().into_bytes();
        let mut start = [0; 16];
        start.iter_mut().zip(&quoted).for_each(|(to, byte)| *to = *byte);
        Self {
            name,
            schema,
            bit: 0,
            start: u128::from_le_bytes(start),
            mask: u128::MAX >> (128 - 8 * quoted.len().min(16)),
            quoted: quoted.into(),
        }
    }

    /// It is the `index`th in `required`.
    pub fn require(&mut self, index: usize) {
        self.bit = 1u64.checked_shl(index as u32).unwrap_or(0);
    }

    /// What is behind this name, in quotes, at the start of `text`; `None` also when it is written in another way.
    #[inline]
    pub fn behind<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let Some(chunk) = text.first_chunk::<16>() else {
            return text.strip_prefix(&*self.quoted);
        };
        if (u128::from_le_bytes(*chunk) ^ self.start) & self.mask != 0 {
            return None;
        }
        let (start, rest) = text.split_at_checked(self.quoted.len())?;
        (start.len() <= 16 || *start == *self.quoted).then_some(rest)
    }
}

/// Names to properties: the next one in the schema's order first, because producers write them so; then by hash.
#[derive(Clone, Default)]
pub struct PropertyTable {
    pub list: Vec<Property>,
    /// Open addressing over a cheap hash, for up to [`SMALL`] names; 0 is free, else index + 1.
    slots: Vec<u8>,
    /// For more names: keyed at random, because a schema's author could aim at the cheap one.
    large: HashMap<Box<[u8]>, u32>,
}

const SMALL: usize = 64;

impl PropertyTable {
    pub fn new(list: Vec<Property>) -> Self {
        let mut table = Self {
            list,
            ..Self::default()
        };
        if table.list.len() > SMALL {
            table.large = table
                .list
                .iter()
                .enumerate()
                .map(|(at, it)| (it.name.as_bytes().into(), at as u32))
                .collect();
            return table;
        }
        table.slots = vec![0; (table.list.len() * 2).next_power_of_two()];
        let mask = table.slots.len() - 1;
        for (index, property) in table.list.iter().enumerate() {
            let mut at = cheap_hash(property.name.as_bytes()) & mask;
            while table.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = table.slots.get_mut(at) {
                *slot = index as u8 + 1;
            }
        }
        table
    }

    #[inline]
    pub fn find(&self, name: &[u8], guess: usize) -> Option<usize> {
        if let Some(property) = self.list.get(guess)
            && same(property.name.as_bytes(), name)
        {
            return Some(guess);
        }
        self.search(name)
    }

    fn search(&self, name: &[u8]) -> Option<usize> {
        if self.list.len() > SMALL {
            return self.large.get(name).map(|index| *index as usize);
        }
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = cheap_hash(name) & mask;
        loop {
            let index = match self.slots.get(at) {
                None | Some(0) => return None,
                Some(slot) => usize::from(*slot) - 1,
            };
            if self
                .list
                .get(index)
                .is_some_and(|property| same(property.name.as_bytes(), name))
            {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }
}

/// Equality of short names without a call: words from both ends, which overlap.
#[inline]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && match left.len() {
            0..4 => left.iter().zip(right).all(|(one, other)| one == other),
            4..=8 => {
                left.first_chunk::<4>() == right.first_chunk() && left.last_chunk::<4>() == right.last_chunk()
            }
            9..=16 => {
                left.first_chunk::<8>() == right.first_chunk() && left.last_chunk::<8>() == right.last_chunk()
            }
            _ => left == right,
        }
}

#[inline]
fn cheap_hash(name: &[u8]) -> usize {
    let word = |bytes: Option<&[u8; 8]>| bytes.map(|bytes| u64::from_le_bytes(*bytes));
    let mixed = match (word(name.first_chunk()), word(name.last_chunk())) {
        (Some(first), Some(last)) => first ^ last.rotate_left(23),
        _ => name.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
    };
    let mixed = (mixed ^ name.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as usize
}
