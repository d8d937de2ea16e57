//! Where and how a payload departs from its schema: the same walk as the program's, over the model and with a path.
//! It runs only for payloads that were refused.
use super::model::{Kind, Model, TypeId};
use super::validate::{DEPTH_MAX, ITEMS_MAX};
use crate::schema::{Mismatch, MismatchKind};
use std::fmt::Write as _;

/// Of a map's key so many characters are shown.
const KEY_CHARACTERS_MAX: usize = 64;

pub(super) fn explain(model: &Model, root: TypeId, payload: &[u8]) -> Mismatch {
    let mut walk = Walk {
        model,
        data: payload,
        at: 0,
        path: Vec::new(),
        depth: 0,
    };
    let stop = match walk.of(root) {
        Err(stop) => stop,
        Ok(()) => Stop::payload(format!("expected the end, {} bytes left over", walk.left())),
    };
    Mismatch {
        kind: stop.kind,
        path: path(&walk.path),
        expected: stop.expected,
    }
}

struct Stop {
    kind: MismatchKind,
    expected: String,
}

impl Stop {
    fn payload(expected: impl Into<String>) -> Self {
        Self {
            kind: MismatchKind::Payload,
            expected: expected.into(),
        }
    }
}

enum Step<'a> {
    Field(&'a str),
    Item(u64),
    Key(&'a str),
}

fn path(steps: &[Step<'_>]) -> String {
    let mut path = String::from("$");
    for step in steps {
        let _ = match step {
            Step::Field(name) => write!(path, ".{name}"),
            Step::Item(index) => write!(path, "[{index}]"),
            Step::Key(key) => {
                let shown: String = key.chars().take(KEY_CHARACTERS_MAX).collect();
                let more = if shown.len() < key.len() { "…" } else { "" };
                write!(path, "[{:?}]", shown + more)
            }
        };
    }
    path
}

/// Steps stay on the path when a walk stops, so that it says where.
struct Walk<'a> {
    model: &'a Model,
    data: &'a [u8],
    at: usize,
    path: Vec<Step<'a>>,
    depth: u32,
}

impl<'a> Walk<'a> {
    fn left(&self) -> usize {
        self.data.len().saturating_sub(self.at)
    }

    fn stop<T>(&self, what: &str) -> Result<T, Stop> {
        Err(Stop::payload(format!(
            "expected {what}, {} bytes left",
            self.left()
        )))
    }

    fn of(&mut self, id: TypeId) -> Result<(), Stop> {
        let model = self.model;
        match model.kind(id) {
            Kind::Null => Ok(()),
            Kind::Boolean => match self.data.get(self.at) {
                None => self.stop("boolean"),
                Some(0 | 1) => self.skip(1, "boolean"),
                Some(_) => Err(Stop::payload("expected boolean, found a byte other than 0 and 1")),
            },
            Kind::Int => match i32::try_from(self.long("int", 5)?) {
                Ok(_) => Ok(()),
                Err(_) => Err(Stop::payload("expected int, found more than 32 bits")),
            },
            Kind::Long => self.long("long", 10).map(drop),
            Kind::Float => self.skip(4, "float"),
            Kind::Double => self.skip(8, "double"),
            Kind::Bytes => self.counted("bytes").map(drop),
            Kind::String => self.text("string").map(drop),
            Kind::Fixed { named, size } => self.skip(*size as usize, &format!("fixed {}", named.name.full)),
            Kind::Enum { named, symbols, .. } => self
                .index(&format!("enum {}", named.name.full), "symbols", symbols.len())
                .map(drop),
            Kind::Union(branches) => {
                let index = self.index("union", "branches", branches.len())?;
                branches.get(index).map_or(Ok(()), |branch| self.of(*branch))
            }
            Kind::Array(items) => self.blocks(*items, false),
            Kind::Map(values) => self.blocks(*values, true),
            Kind::Record { fields, .. } => {
                self.enter()?;
                for field in fields {
                    self.path.push(Step::Field(&field.name));
                    self.of(field.of)?;
                    self.path.pop();
                }
                self.depth -= 1;
                Ok(())
            }
            Kind::Unresolved(name) => Err(Stop::payload(format!("expected {name}, which has no definition"))),
        }
    }

    fn enter(&mut self) -> Result<(), Stop> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Stop {
                kind: MismatchKind::OverLimit,
                expected: format!("expected records, arrays and maps at most {DEPTH_MAX} deep"),
            });
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize, what: &str) -> Result<(), Stop> {
        if bytes > self.left() {
            return self.stop(what);
        }
        self.at += bytes;
        Ok(())
    }

    fn long(&mut self, what: &str, bytes_max: usize) -> Result<i64, Stop> {
        let mut value = 0u64;
        for read in 0..bytes_max {
            let Some(byte) = self.data.get(self.at + read) else {
                return self.stop(what);
            };
            if read == 9 && *byte > 1 && *byte < 0x80 {
                return Err(Stop::payload(format!("expected {what}, found more than 64 bits")));
            }
            value |= u64::from(byte & 0x7f) << (7 * read);
            if *byte < 0x80 {
                self.at += read + 1;
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Stop::payload(format!(
            "expected {what}, found a number of more bytes than it may have"
        )))
    }

    fn index(&mut self, what: &str, of: &str, limit: usize) -> Result<usize, Stop> {
        let index = self.long(&format!("{what} (an index of {limit} {of})"), 5)?;
        usize::try_from(index)
            .ok()
            .filter(|index| *index < limit)
            .ok_or_else(|| {
                Stop::payload(format!(
                    "expected {what} (an index of {limit} {of}), found index {index}"
                ))
            })
    }

    fn counted(&mut self, what: &str) -> Result<&'a [u8], Stop> {
        let length = self.long(&format!("the length of {what}"), 10)?;
        let Ok(length) = usize::try_from(length) else {
            return Err(Stop::payload(format!("expected {what}, found a negative length")));
        };
        if length > self.left() {
            return self.stop(&format!("{what} of {length} bytes"));
        }
        let taken = self.data.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        Ok(taken)
    }

    fn text(&mut self, what: &str) -> Result<&'a str, Stop> {
        let bytes = self.counted(what)?;
        std::str::from_utf8(bytes)
            .map_err(|_| Stop::payload(format!("expected {what}, found bytes that are not UTF-8")))
    }

    fn blocks(&mut self, of: TypeId, keys: bool) -> Result<(), Stop> {
        self.enter()?;
        let what = if keys { "map" } else { "array" };
        let mut index = 0u64;
        loop {
            let count = self.long(&format!("{what} block"), 10)?;
            if count == 0 {
                self.depth -= 1;
                return Ok(());
            }
            let mut end = None;
            if count < 0 {
                let size = self.long(&format!("the size of a {what} block"), 10)?;
                let Some(size) = usize::try_from(size).ok().filter(|size| *size <= self.left()) else {
                    return self.stop(&format!("{what} block of its stated size"));
                };
                end = Some(self.at + size);
            }
            let count = count.unsigned_abs();
            let past = index.checked_add(count).filter(|past| *past <= ITEMS_MAX);
            let Some(past) = past else {
                return Err(Stop::payload(format!(
                    "expected {what} of at most {ITEMS_MAX} items"
                )));
            };
            while index < past {
                let before = self.at;
                self.item(of, keys, index)?;
                index += 1;
                if self.at == before {
                    // Items that take no bytes: one is like all.
                    index = past;
                }
            }
            if end.is_some_and(|end| end != self.at) {
                return Err(Stop::payload(format!(
                    "expected {what} block to end where its size says"
                )));
            }
        }
    }

    fn item(&mut self, of: TypeId, keys: bool, index: u64) -> Result<(), Stop> {
        let step = if keys {
            Step::Key(self.text("map key")?)
        } else {
            Step::Item(index)
        };
        self.path.push(step);
        self.of(of)?;
        self.path.pop();
        Ok(())
    }
}
