//! The quick way to a yes: text and schema in one pass, without a tape, for the schemas that most topics have. What
//! it accepts is JSON and valid; what it does not accept is read again by the tape and the walk, which alone say no.
//!
//! Here `text` is always what is left of the payload: each step takes what it read off its front. A subschema that
//! needs more than one look at a value ([`Way::Tape`]) gets a tape of that value alone.

use super::document::Json;
use super::number::Decimal;
use super::program::{ArrayRules, ObjectRules, Program, Rest, Subschema, Values, Way, same};
use super::scan::{Number, Text, literal, number, string, trim};
use super::tape::{MAX_DEPTH, MAX_NODES, Tape, kind};
use super::text::{count_characters, unescape};
use super::walk::{STEPS, Scratch, Walk};
use super::way::compared;

#[cfg(test)]
mod tests;

pub struct SinglePass<'a, 's> {
    program: &'a Program,
    bytes: &'a [u8],
    tape: &'s mut Tape,
    scratch: &'s mut Scratch,
    /// What the walks over parts of the payload may still take.
    steps: u64,
}

impl<'a, 's> SinglePass<'a, 's> {
    pub fn new(program: &'a Program, bytes: &'a [u8], tape: &'s mut Tape, scratch: &'s mut Scratch) -> Self {
        Self {
            program,
            bytes,
            tape,
            scratch,
            steps: STEPS,
        }
    }

    /// Whether the payload is JSON and valid; false also when this pass cannot tell.
    pub fn accepts(mut self) -> bool {
        // So that no payload has too many values for the tape; the resource scope is kept by the walk only.
        if self.bytes.len() > MAX_NODES || self.program.dynamic {
            return false;
        }
        match self.program.subschemas.get(self.program.root as usize) {
            None | Some(Subschema { way: Way::Tape, .. }) => false,
            Some(root) => self
                .value(root, self.bytes, 0)
                .is_some_and(|rest| trim(rest).is_empty()),
        }
    }

    /// What is left after the value that `text` starts with, which is valid under `subschema`. `depth`: containers
    /// open. In line, so that only containers cost a call.
    #[allow(clippy::inline_always, reason = "24 calls a record: a seventh of the time")]
    #[inline(always)]
    fn value(&mut self, mut subschema: &'a Subschema, text: &'a [u8], depth: u32) -> Option<&'a [u8]> {
        let (mut first, mut after) = text.split_first()?;
        let mut text = text;
        if *first <= b' ' {
            text = trim(text);
            (first, after) = text.split_first()?;
        }
        let found = kind_of(*first);
        // No longer than the chains of references, which the compiler bounds.
        loop {
            if subschema.types & found == 0 {
                return None;
            }
            match &subschema.way {
                Way::Once => break,
                Way::ByKind(alternatives) => {
                    let program = self.program;
                    subschema = alternatives
                        .iter()
                        .filter_map(|id| program.subschemas.get(*id as usize))
                        .find(|alternative| alternative.types & found != 0)?;
                }
                Way::Tape => return self.by_tape(subschema, text, depth),
            }
        }
        match found {
            kind::STRING => {
                let (string, rest) = string(after)?;
                (subschema.plain || self.string_is_valid(subschema, &string)).then_some(rest)
            }
            kind::NUMBER => {
                let (number, rest) = number(text)?;
                let bit = if number.fraction {
                    kind::FRACTION
                } else {
                    kind::INTEGER
                };
                let valid = subschema.types & bit != 0
                    && (subschema.plain && !(subschema.whole && number.fraction)
                        || number_is_valid(subschema, &number));
                valid.then_some(rest)
            }
            // Neither is among an `enum`'s values: those are scalars here.
            kind::OBJECT | kind::ARRAY if !subschema.values.is_empty() => None,
            kind::OBJECT => self.object(subschema.object.as_deref(), after, depth),
            kind::ARRAY => self.array(subschema.array.as_deref(), after, depth),
            _ => {
                let rest = literal(text)?;
                let allowed = subschema.values.iter().all(|values| {
                    compared(values).iter().any(|value| match value {
                        Json::Null => *first == b'n',
                        Json::Bool(value) => *first == if *value { b't' } else { b'f' },
                        _ => false,
                    })
                });
                allowed.then_some(rest)
            }
        }
    }

    /// Any value, as long as it is JSON.
    #[inline(never)]
    fn skip(&mut self, text: &'a [u8], depth: u32) -> Option<&'a [u8]> {
        let text = trim(text);
        let (first, after) = text.split_first()?;
        match kind_of(*first) {
            kind::STRING => string(after).map(|(_, rest)| rest),
            kind::NUMBER => number(text).map(|(_, rest)| rest),
            kind::OBJECT => self.object(None, after, depth),
            kind::ARRAY => self.array(None, after, depth),
            _ => literal(text),
        }
    }

    #[inline]
    fn string_is_valid(&mut self, subschema: &'a Subschema, string: &Text<'a>) -> bool {
        if subschema.values.is_empty() && subschema.string.is_none() {
            return true;
        }
        if !string.escaped {
            return self.text_is_valid(subschema, string.raw, string.ascii);
        }
        let mut meant = std::mem::take(&mut self.scratch.text);
        unescape(string.raw, &mut meant);
        let valid = self.text_is_valid(subschema, &meant, false);
        self.scratch.text = meant;
        valid
    }

    #[inline]
    fn text_is_valid(&self, subschema: &Subschema, text: &[u8], ascii: bool) -> bool {
        if !subschema.values.iter().all(|values| has_string(values, text)) {
            return false;
        }
        let Some(rules) = &subschema.string else {
            return true;
        };
        if rules.min.is_some() || rules.max.is_some() {
            let characters = if ascii { text.len() } else { count_characters(text) };
            if rules.length_violation(characters).is_some() {
                return false;
            }
        }
        rules.pattern.is_none_or(|pattern| {
            let pattern = self.program.patterns.get(pattern as usize);
            pattern.is_some_and(|pattern| pattern.is_match(text))
        }) && rules.format.is_none_or(|format| format.holds(text))
    }

    /// `text` is behind the opening brace. White space is looked for only where something else does not come.
    fn object(&mut self, rules: Option<&'a ObjectRules>, mut text: &'a [u8], depth: u32) -> Option<&'a [u8]> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let mut seen = 0u64;
        let mut count = 0;
        let mut guess = 0;
        if let [b'}', rest @ ..] = trim(text) {
            text = rest;
        } else {
            loop {
                let (found, rest) = self.key(rules, text, guess)?;
                let value = match rest {
                    [b':', value @ ..] => value,
                    _ => trim(rest).strip_prefix(b":")?,
                };
                let mut schema = None;
                if let Some(index) = found
                    && let Some(property) = rules.and_then(|rules| rules.properties.list.get(index))
                {
                    guess = index + 1;
                    seen |= property.bit;
                    schema = property.schema;
                }
                let rest = match schema {
                    Some(schema) => {
                        let schema = self.program.subschemas.get(schema as usize)?;
                        self.value(schema, value, depth + 1)?
                    }
                    None => self.rest(rules.map_or(Rest::Any, |rules| rules.rest), value, depth + 1)?,
                };
                count += 1;
                match separator(rest, b'}')? {
                    (true, rest) => text = rest,
                    (false, rest) => {
                        text = rest;
                        break;
                    }
                }
            }
        }
        match rules {
            Some(rules) if seen != rules.required_mask() || !within(count, rules.min, rules.max) => None,
            _ => Some(text),
        }
    }

    /// Which of the rules' properties the name is that `text` starts with, in quotes, and what is behind it.
    #[inline]
    fn key(
        &mut self,
        rules: Option<&'a ObjectRules>,
        text: &'a [u8],
        guess: usize,
    ) -> Option<(Option<usize>, &'a [u8])> {
        if let Some(property) = rules.and_then(|rules| rules.properties.list.get(guess)) {
            if let Some(rest) = property.behind(text) {
                return Some((Some(guess), rest));
            }
            // The same again behind white space.
            if let [0..=b' ', ..] = text
                && let Some(rest) = property.behind(trim(text))
            {
                return Some((Some(guess), rest));
            }
        }
        self.other_key(rules, trim(text), guess)
    }

    #[inline(never)]
    fn other_key(
        &mut self,
        rules: Option<&'a ObjectRules>,
        text: &'a [u8],
        guess: usize,
    ) -> Option<(Option<usize>, &'a [u8])> {
        let (name, rest) = string(text.strip_prefix(b"\"")?)?;
        let Some(rules) = rules else {
            return Some((None, rest));
        };
        if !name.escaped {
            return Some((rules.properties.find(name.raw, guess + 1), rest));
        }
        let mut meant = std::mem::take(&mut self.scratch.text);
        unescape(name.raw, &mut meant);
        let found = rules.properties.find(&meant, guess);
        self.scratch.text = meant;
        Some((found, rest))
    }

    fn rest(&mut self, rest: Rest, text: &'a [u8], depth: u32) -> Option<&'a [u8]> {
        match rest {
            Rest::Absent | Rest::Any => self.skip(text, depth),
            Rest::Never => None,
            Rest::Schema(schema) => {
                let schema = self.program.subschemas.get(schema as usize)?;
                self.value(schema, text, depth)
            }
        }
    }

    /// `text` is behind the opening bracket.
    fn array(&mut self, rules: Option<&'a ArrayRules>, mut text: &'a [u8], depth: u32) -> Option<&'a [u8]> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let mut count = 0;
        if let [b']', rest @ ..] = trim(text) {
            text = rest;
        } else {
            loop {
                let schema = match rules {
                    Some(rules) => match rules.prefix.get(count as usize) {
                        Some(schema) => Rest::Schema(*schema),
                        None => rules.rest,
                    },
                    None => Rest::Any,
                };
                let rest = self.rest(schema, text, depth + 1)?;
                count += 1;
                match separator(rest, b']')? {
                    (true, rest) => text = rest,
                    (false, rest) => {
                        text = rest;
                        break;
                    }
                }
            }
        }
        match rules {
            Some(rules) if !within(count, rules.min, rules.max) => None,
            _ => Some(text),
        }
    }

    /// Checks the value that `text` starts with by a tape of its own.
    #[inline(never)]
    fn by_tape(&mut self, subschema: &'a Subschema, text: &'a [u8], depth: u32) -> Option<&'a [u8]> {
        let start = self.bytes.len() - text.len();
        let end = self.tape.scan_value(self.bytes, start, depth).ok()?;
        std::str::from_utf8(self.bytes.get(start..end)?).ok()?;
        let mut walk = Walk::new(self.program, self.bytes, &self.tape.nodes, self.scratch);
        walk.resume(self.steps, depth);
        let valid = walk.check_subschema::<false>(subschema, 0) && walk.stopped.is_none();
        self.steps = walk.steps_left();
        if valid { self.bytes.get(end..) } else { None }
    }
}

/// The kinds of value that start with a byte; none when no value does.
#[inline]
fn kind_of(first: u8) -> u8 {
    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const KINDS: [u8; 256] = {
        let mut kinds = [0; 256];
        let mut first = 0;
        while first < kinds.len() {
            kinds[first] = match first as u8 {
                b'"' => kind::STRING,
                b'-' | b'0'..=b'9' => kind::NUMBER,
                b'{' => kind::OBJECT,
                b'[' => kind::ARRAY,
                b't' | b'f' => kind::BOOLEAN,
                b'n' => kind::NULL,
                _ => 0,
            };
            first += 1;
        }
        kinds
    };
    KINDS.get(usize::from(first)).copied().unwrap_or(0)
}

/// What is behind a comma (true) or the container's end.
#[inline]
fn separator(text: &[u8], close: u8) -> Option<(bool, &[u8])> {
    let (mut byte, mut rest) = text.split_first()?;
    if *byte <= b' ' {
        (byte, rest) = trim(text).split_first()?;
    }
    match *byte {
        b',' => Some((true, rest)),
        byte if byte == close => Some((false, rest)),
        _ => None,
    }
}

#[inline]
fn within(count: u32, min: Option<u32>, max: Option<u32>) -> bool {
    min.is_none_or(|min| count >= min) && max.is_none_or(|max| count <= max)
}

#[inline]
fn has_string(values: &Values, text: &[u8]) -> bool {
    match &values.strings {
        Some(strings) => strings.contains(text),
        None => values
            .all
            .iter()
            .any(|value| value.as_str().is_some_and(|value| same(value.as_bytes(), text))),
    }
}

#[inline]
fn number_is_valid(subschema: &Subschema, number: &Number) -> bool {
    if let (Some(rules), Some(whole), true) = (&subschema.number, number.whole, subschema.values.is_empty())
        && !(number.fraction && subschema.whole)
        && rules.surely_holds(whole, number.fraction)
    {
        return true;
    }
    number_is_valid_exactly(subschema, number)
}

#[inline(never)]
fn number_is_valid_exactly(subschema: &Subschema, number: &Number) -> bool {
    if subschema.whole && number.fraction && !Decimal::parse(number.raw).is_whole() {
        return false;
    }
    let is_value = |values: &Values| {
        compared(values).iter().any(|value| match value {
            Json::Number(text) => {
                text.as_bytes() == number.raw
                    || Decimal::parse(text.as_bytes()).equals(&Decimal::parse(number.raw))
            }
            _ => false,
        })
    };
    subschema.values.iter().all(is_value)
        && subschema
            .number
            .as_ref()
            .is_none_or(|rules| rules.violation(number.raw).is_none())
}
