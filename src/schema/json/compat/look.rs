//! Two schemas side by side: what the new one refuses that the old one accepts (`SchemaDiff` and the classes it calls).
//! Schemas inside them are not entered here: the [`Check`] knows whether they are compatible, or finds out.

use super::check::{Check, Entry, Found};
use super::difference::{self as kinds, Kind};
use super::identity::value_key;
use super::model::{Criterion, Model, NodeId, Number, Shape, Text, Written};
use super::{array, combined, object};
use crate::schema::JsonComparison;
use crate::schema::json::document::Json;
use crate::schema::json::number::{Decimal, Divisor};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::{Display, Write};

pub struct Look<'l, 'c, 'a> {
    pub model: &'c Model<'a>,
    pub check: &'l mut Check<'c, 'a>,
    /// From the two schemas to what is looked at: `/properties/total`.
    path: String,
    found: Found,
}

impl<'l, 'c, 'a> Look<'l, 'c, 'a> {
    pub fn at(check: &'l mut Check<'c, 'a>, old: NodeId, new: NodeId) -> Found {
        let mut look = Self {
            model: check.model,
            check,
            path: String::new(),
            found: Found::default(),
        };
        look.schemas(old, new);
        look.found
    }

    pub fn add(&mut self, kind: Kind) {
        if self.check.comparison == JsonComparison::Lenient && kind.is_let_pass() {
            return;
        }
        self.found.incompatible = true;
        if self.check.tells {
            self.found.entries.push(Entry::Kind(kind, self.path.clone()));
        }
    }

    pub fn add_at(&mut self, step: &str, kind: Kind) {
        self.within(step, |look| look.add(kind));
    }

    pub fn within(&mut self, step: impl Display, inside: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if self.check.tells {
            let _ = write!(self.path, "/{step}");
        }
        inside(self);
        self.path.truncate(length);
    }

    pub fn is_compatible(&mut self, old: NodeId, new: NodeId) -> bool {
        self.check.is_compatible((old, new))
    }

    /// Compares schemas inside of the two.
    pub fn compare(&mut self, old: NodeId, new: NodeId) {
        if !self.is_compatible(old, new) {
            self.found.incompatible = true;
            if self.check.tells {
                let pair = self.check.followed((old, new));
                self.found.entries.push(Entry::Pair(pair, self.path.clone()));
            }
        }
    }

    /// A schema that is not there accepts everything.
    pub fn compare_if_any(&mut self, old: Option<NodeId>, new: Option<NodeId>) {
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new),
            (None, Some(_)) => self.add(kinds::SCHEMA_ADDED),
            (_, None) => {}
        }
    }

    fn schemas(&mut self, old: NodeId, new: NodeId) {
        let model = self.model;
        let (old_shape, new_shape) = (model.shape(old), model.shape(new));
        match (old_shape, new_shape) {
            (Shape::Combined(..), Shape::Combined(..)) => {}
            (_, Shape::Combined(criterion, members)) => {
                let one_is_enough = members.len() == 1 || *criterion != Criterion::All;
                if one_is_enough && self.any(members, |look, member| look.is_compatible(old, member)) {
                    return;
                }
            }
            (Shape::Combined(criterion, members), _) => {
                let one_is_enough = members.len() == 1 || *criterion == Criterion::All;
                if one_is_enough && self.any(members, |look, member| look.is_compatible(member, new)) {
                    return;
                }
            }
            _ => {}
        }
        match (old_shape, new_shape) {
            (Shape::Text(old), Shape::Text(new)) => self.texts(old, new),
            (Shape::Number(old), Shape::Number(new)) => self.numbers(old, new),
            (Shape::Object(old), Shape::Object(new)) => object::compare(self, old, new),
            (Shape::Array(old), Shape::Array(new)) => array::compare(self, old, new),
            (Shape::Combined(old, before), Shape::Combined(new, after)) => {
                combined::compare(self, (*old, before), (*new, after));
            }
            (Shape::Const(old), Shape::Const(new)) => {
                if value_key(old) != value_key(new) {
                    self.add_at("const", kinds::ENUM_ARRAY_CHANGED);
                }
            }
            (Shape::Enum(old), Shape::Enum(new)) => self.values(old, new),
            (Shape::Not(old), Shape::Not(new)) => {
                // What must not be accepted is compared the other way round.
                if !self.is_compatible(*new, *old) {
                    self.add_at("not", kinds::NOT_TYPE_EXTENDED);
                }
            }
            (Shape::Reference(old, _), Shape::Reference(new, _)) if old == new => {}
            (old, new) if old.is_like(new) && !matches!(old, Shape::Reference(..)) => {}
            (Shape::Never, _) | (_, Shape::Any) => {}
            _ if model.node(old).is_bytes && model.node(new).is_bytes => {}
            _ => self.add(kinds::TYPE_CHANGED),
        }
    }

    /// Looks at every one, so that all that is not known yet is asked for at once.
    fn any(&mut self, members: &[NodeId], mut holds: impl FnMut(&mut Self, NodeId) -> bool) -> bool {
        let mut any = false;
        for member in members {
            any |= holds(self, *member);
        }
        any
    }

    fn texts(&mut self, old: &Text<'_>, new: &Text<'_>) {
        let added = kinds::MAX_LENGTH_ADDED;
        self.maximum(
            "maxLength",
            (old.max, new.max),
            added,
            kinds::MAX_LENGTH_DECREASED,
        );
        let added = kinds::MIN_LENGTH_ADDED;
        self.minimum(
            "minLength",
            (old.min, new.min),
            added,
            kinds::MIN_LENGTH_INCREASED,
        );
        match (old.pattern, new.pattern) {
            (None, Some(_)) => self.add_at("pattern", kinds::PATTERN_ADDED),
            (Some(old), Some(new)) if old != new => self.add_at("pattern", kinds::PATTERN_CHANGED),
            _ => {}
        }
    }

    fn numbers(&mut self, old: &Number<'_>, new: &Number<'_>) {
        let bounds = (old.maximum, new.maximum);
        self.maximum("maximum", bounds, kinds::MAXIMUM_ADDED, kinds::MAXIMUM_DECREASED);
        let bounds = (old.minimum, new.minimum);
        self.minimum("minimum", bounds, kinds::MINIMUM_ADDED, kinds::MINIMUM_INCREASED);
        self.maximum(
            "exclusiveMaximum",
            (old.exclusive_maximum, new.exclusive_maximum),
            kinds::EXCLUSIVE_MAXIMUM_ADDED,
            kinds::EXCLUSIVE_MAXIMUM_DECREASED,
        );
        self.minimum(
            "exclusiveMinimum",
            (old.exclusive_minimum, new.exclusive_minimum),
            kinds::EXCLUSIVE_MINIMUM_ADDED,
            kinds::EXCLUSIVE_MINIMUM_INCREASED,
        );
        if let Some(kind) = multiples(old.multiple_of, new.multiple_of) {
            self.add_at("multipleOf", kind);
        }
        if new.integer && !old.integer {
            self.add(kinds::TYPE_NARROWED);
        }
    }

    fn values(&mut self, old: &[Json], new: &[Json]) {
        let old: HashSet<String> = old.iter().map(value_key).collect();
        let new: HashSet<String> = new.iter().map(value_key).collect();
        if new.is_superset(&old) {
        } else if old.is_superset(&new) {
            self.add_at("enum", kinds::ENUM_ARRAY_NARROWED);
        } else {
            self.add_at("enum", kinds::ENUM_ARRAY_CHANGED);
        }
    }

    /// A limit from above: it may grow, or go.
    pub fn maximum(&mut self, keyword: &str, bounds: (Written, Written), added: Kind, decreased: Kind) {
        self.limit(keyword, bounds, added, (decreased, Ordering::Less));
    }

    /// A limit from below: it may shrink, or go.
    pub fn minimum(&mut self, keyword: &str, bounds: (Written, Written), added: Kind, increased: Kind) {
        self.limit(keyword, bounds, added, (increased, Ordering::Greater));
    }

    fn limit(&mut self, keyword: &str, bounds: (Written, Written), added: Kind, tighter: (Kind, Ordering)) {
        match bounds {
            (None, Some(_)) => self.add_at(keyword, added),
            (Some(old), Some(new)) => {
                let (old, new) = (Decimal::parse(old.as_bytes()), Decimal::parse(new.as_bytes()));
                if new.compare(&old) == tighter.1 {
                    self.add_at(keyword, tighter.0);
                }
            }
            (_, None) => {}
        }
    }
}

fn multiples(old: Written, new: Written) -> Option<Kind> {
    let (old, new) = match (old, new) {
        (_, None) => return None,
        (None, Some(_)) => return Some(kinds::MULTIPLE_OF_ADDED),
        (Some(old), Some(new)) => (Decimal::parse(old.as_bytes()), Decimal::parse(new.as_bytes())),
    };
    let divides =
        |divisor: &Decimal, value| Divisor::new(divisor).is_some_and(|divisor| divisor.divides(value));
    if divides(&new, &old) {
        None
    } else if divides(&old, &new) {
        Some(kinds::MULTIPLE_OF_EXPANDED)
    } else {
        Some(kinds::MULTIPLE_OF_CHANGED)
    }
}
