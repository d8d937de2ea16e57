//! The patterns that most schemas have (`^[A-Z]{3}-[0-9]{4}$`), matched byte by byte: a sequence of ASCII classes
//! anchored at the start, in which each repetition ends where the next class begins, so that no choice is ever
//! taken back. Several times faster than starting a general engine for ten bytes.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Longest sequence that is taken.
const MAX_PARTS: usize = 64;

pub struct SimplePattern {
    parts: Vec<Part>,
    /// The pattern ends in `$`.
    whole: bool,
}

struct Part {
    bytes: Box<[bool; 256]>,
    min: usize,
    max: usize,
}

impl SimplePattern {
    /// `None` when `pattern`, in the `regex` crate's syntax, is not that simple.
    pub fn new(pattern: &str) -> Option<Self> {
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .nest_limit(64)
            .build()
            .parse(pattern)
            .ok()?;
        let mut simple = Self {
            parts: Vec::new(),
            whole: false,
        };
        let HirKind::Concat(list) = hir.kind() else {
            return None;
        };
        let (first, rest) = list.split_first()?;
        if !matches!(first.kind(), HirKind::Look(Look::Start)) {
            return None;
        }
        for (index, part) in rest.iter().enumerate() {
            if index + 1 == rest.len() && matches!(part.kind(), HirKind::Look(Look::End)) {
                simple.whole = true;
            } else {
                simple.add(part)?;
            }
        }
        simple.never_takes_back().then_some(simple)
    }

    /// As deep as the pattern, which the parser bounds.
    fn add(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Literal(literal) => literal
                .0
                .iter()
                .try_for_each(|byte| self.push(Box::new(only(*byte)), 1, 1)),
            HirKind::Class(class) => self.push(set_of(class)?, 1, 1),
            HirKind::Repetition(repetition) => {
                let set = match repetition.sub.kind() {
                    HirKind::Class(class) => set_of(class)?,
                    HirKind::Literal(literal) => match literal.0.as_ref() {
                        [byte] => Box::new(only(*byte)),
                        _ => return None,
                    },
                    _ => return None,
                };
                let max = repetition.max.map_or(usize::MAX, |max| max as usize);
                self.push(set, repetition.min as usize, max)
            }
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(list) => list.iter().try_for_each(|part| self.add(part)),
            _ => None,
        }
    }

    fn push(&mut self, bytes: Box<[bool; 256]>, min: usize, max: usize) -> Option<()> {
        if self.parts.len() >= MAX_PARTS {
            return None;
        }
        self.parts.push(Part { bytes, min, max });
        Some(())
    }

    /// Whether a repetition that takes all it can never takes what a later part needs.
    fn never_takes_back(&self) -> bool {
        self.parts.iter().enumerate().all(|(index, part)| {
            if part.min == part.max {
                return true;
            }
            for later in self.parts.iter().skip(index + 1) {
                if part
                    .bytes
                    .iter()
                    .zip(later.bytes.iter())
                    .any(|(one, other)| *one && *other)
                {
                    return false;
                }
                if later.min > 0 {
                    return true;
                }
            }
            true
        })
    }

    #[inline]
    pub fn is_match(&self, text: &[u8]) -> bool {
        let mut rest = text;
        for part in &self.parts {
            let mut taken = 0;
            while taken < part.max
                && let Some(byte) = rest.get(taken)
                && part.bytes.get(usize::from(*byte)) == Some(&true)
            {
                taken += 1;
            }
            if taken < part.min {
                return false;
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        !self.whole || rest.is_empty()
    }
}

fn only(byte: u8) -> [bool; 256] {
    let mut set = [false; 256];
    if let Some(flag) = set.get_mut(usize::from(byte)) {
        *flag = true;
    }
    set
}

/// The class's bytes; `None` when it has a character that is more than one byte.
fn set_of(class: &Class) -> Option<Box<[bool; 256]>> {
    let mut set = Box::new([false; 256]);
    let mut allow = |from: u32, to: u32| {
        if to > 0x7F {
            return None;
        }
        set.get_mut(from as usize..=to as usize)?.fill(true);
        Some(())
    };
    match class {
        Class::Unicode(class) => class
            .iter()
            .try_for_each(|range| allow(u32::from(range.start()), u32::from(range.end())))?,
        Class::Bytes(class) => {
            class
                .iter()
                .try_for_each(|range| allow(u32::from(range.start()), u32::from(range.end())))?;
        }
    }
    Some(set)
}
