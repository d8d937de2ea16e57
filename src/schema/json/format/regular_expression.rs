//! `regex`: a pattern of ECMA-262 (edition 2025, section 22.2.1) with its `u` flag, as JSON Schema recommends. Only its
//! grammar; lookaround and back-references are regular here, though `pattern` cannot match them.

use std::iter::Peekable;
use std::str::Chars;

pub fn is_pattern(text: &str) -> bool {
    let mut pattern = Pattern {
        rest: text.chars().peekable(),
        groups: 0,
        open: Vec::new(),
        names: Vec::new(),
        referred_names: Vec::new(),
        highest_reference: 0,
    };
    pattern.disjunction().is_some()
        && pattern.highest_reference <= pattern.groups
        && pattern
            .referred_names
            .iter()
            .all(|name| pattern.names.binary_search(name).is_ok())
}

/// Characters that stand for themselves only behind a backslash.
const SYNTAX: &str = "^$\\.*+?()[]{}|/";

struct Pattern<'a> {
    rest: Peekable<Chars<'a>>,
    groups: u32,
    /// Groups that are open: whether what they close to may be repeated.
    open: Vec<bool>,
    names: Vec<String>,
    referred_names: Vec<String>,
    highest_reference: u32,
}

impl Pattern<'_> {
    fn disjunction(&mut self) -> Option<()> {
        // Whether a quantifier may come next.
        let mut atom = false;
        while let Some(character) = self.rest.next() {
            atom = match character {
                '^' | '$' | '|' => false,
                '(' => {
                    let repeats = self.group()?;
                    self.open.push(repeats);
                    false
                }
                ')' => self.open.pop()?,
                '*' | '+' | '?' | '{' if atom => {
                    if character == '{' {
                        self.counts()?;
                    }
                    self.rest.next_if_eq(&'?');
                    false
                }
                '*' | '+' | '?' | '{' | '}' | ']' => return None,
                '[' => self.class()?,
                '\\' => self.escape(false)?.is_atom(),
                _ => true,
            };
        }
        self.names.sort_unstable();
        self.open.is_empty().then_some(())
    }

    /// What is behind a parenthesis; whether the group may be repeated.
    fn group(&mut self) -> Option<bool> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.groups += 1;
            return Some(true);
        }
        match self.rest.next()? {
            ':' => Some(true),
            '=' | '!' => Some(false),
            '<' if self.rest.next_if(|next| matches!(next, '=' | '!')).is_some() => Some(false),
            '<' => {
                self.groups += 1;
                let name = self.name()?;
                self.names.push(name);
                Some(true)
            }
            first => self.modifiers(first).then_some(true),
        }
    }

    /// `i`, `m`, `s` to add and, behind a `-`, to remove, each once; then `:`.
    fn modifiers(&mut self, first: char) -> bool {
        let mut seen = String::new();
        let mut removing = false;
        let mut next = Some(first);
        while let Some(character) = next {
            match character {
                ':' => return !seen.is_empty(),
                '-' if !removing => removing = true,
                'i' | 'm' | 's' if !seen.contains(character) => seen.push(character),
                _ => return false,
            }
            next = self.rest.next();
        }
        false
    }

    /// A group's name and its `>`.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.rest.next()? {
                '>' if !name.is_empty() => return Some(name),
                '$' | '_' => name.push('_'),
                letter if letter.is_alphabetic() => name.push(letter),
                digit if digit.is_alphanumeric() && !name.is_empty() => name.push(digit),
                _ => return None,
            }
        }
    }

    /// `n}`, `n,}` or `n,m}` with `n` no more than `m`.
    fn counts(&mut self) -> Option<()> {
        let least = self.number()?;
        match self.rest.next()? {
            '}' => return Some(()),
            ',' => {}
            _ => return None,
        }
        if self.rest.next_if_eq(&'}').is_some() {
            return Some(());
        }
        let most = self.number()?;
        let ordered = (least.len(), &least) <= (most.len(), &most);
        (self.rest.next()? == '}' && ordered).then_some(())
    }

    /// Digits, without leading zeros.
    fn number(&mut self) -> Option<String> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        (!digits.is_empty()).then(|| digits.trim_start_matches('0').to_owned())
    }

    /// Behind `[`.
    fn class(&mut self) -> Option<bool> {
        self.rest.next_if_eq(&'^');
        loop {
            let first = match self.rest.next()? {
                ']' => return Some(true),
                '\\' => self.escape(true)?,
                character => Meaning::Character(character as u32),
            };
            // A hyphen between two is a range; the last one is itself.
            let mut ahead = self.rest.clone();
            if ahead.next() != Some('-') || ahead.next().is_none_or(|next| next == ']') {
                continue;
            }
            self.rest.next();
            let last = match self.rest.next()? {
                '\\' => self.escape(true)?,
                character => Meaning::Character(character as u32),
            };
            match (first, last) {
                (Meaning::Character(first), Meaning::Character(last)) if first <= last => {}
                _ => return None,
            }
        }
    }

    /// Behind a backslash.
    fn escape(&mut self, in_class: bool) -> Option<Meaning> {
        let character = |value: char| Some(Meaning::Character(value as u32));
        match self.rest.next()? {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Some(Meaning::Set),
            'p' | 'P' => self.property(),
            'b' if in_class => character('\u{8}'),
            'b' | 'B' if !in_class => Some(Meaning::Assertion),
            '-' if in_class => character('-'),
            'f' => character('\u{C}'),
            'n' => character('\n'),
            'r' => character('\r'),
            't' => character('\t'),
            'v' => character('\u{B}'),
            'c' => {
                let letter = self.rest.next_if(char::is_ascii_alphabetic)?;
                Some(Meaning::Character(letter as u32 % 32))
            }
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => character('\0'),
            'x' => self.hex(2).map(Meaning::Character),
            'u' => self.unicode().map(Meaning::Character),
            'k' if !in_class => {
                self.rest.next_if_eq(&'<')?;
                let name = self.name()?;
                self.referred_names.push(name);
                Some(Meaning::Set)
            }
            digit @ '1'..='9' if !in_class => {
                let mut group = digit.to_digit(10)?;
                while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
                    group = group.saturating_mul(10).saturating_add(digit.to_digit(10)?);
                }
                self.highest_reference = self.highest_reference.max(group);
                Some(Meaning::Set)
            }
            other if SYNTAX.contains(other) => character(other),
            _ => None,
        }
    }

    /// `{Name}` or `{Name=Value}`; which names there are is Unicode's to say.
    fn property(&mut self) -> Option<Meaning> {
        self.rest.next_if_eq(&'{')?;
        let mut parts = [0usize; 2];
        let mut at = 0;
        loop {
            match self.rest.next()? {
                '}' => break,
                '=' if at == 0 => at = 1,
                letter if letter.is_ascii_alphanumeric() || letter == '_' => *parts.get_mut(at)? += 1,
                _ => return None,
            }
        }
        parts
            .iter()
            .take(at + 1)
            .all(|length| *length > 0)
            .then_some(Meaning::Set)
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..digits {
            value = value * 16 + self.rest.next()?.to_digit(16)?;
        }
        Some(value)
    }

    /// `XXXX` or `{X…}`, a code point.
    fn unicode(&mut self) -> Option<u32> {
        if self.rest.next_if_eq(&'{').is_none() {
            return self.hex(4);
        }
        let mut value = 0u32;
        let mut digits = 0;
        loop {
            match self.rest.next()? {
                '}' => return (digits > 0).then_some(value),
                digit => value = value.checked_mul(16)?.checked_add(digit.to_digit(16)?)?,
            }
            digits += 1;
            if value > 0x10_FFFF {
                return None;
            }
        }
    }
}

/// What an escape stands for.
enum Meaning {
    Character(u32),
    /// A class, or what a group matched.
    Set,
    /// A place between characters.
    Assertion,
}

impl Meaning {
    fn is_atom(&self) -> bool {
        !matches!(self, Self::Assertion)
    }
}
