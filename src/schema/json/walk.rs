//! The compiled schema over the tape. One walk serves both answers: `EXPLAIN = false` only says yes or no and
//! allocates nothing; `EXPLAIN = true` walks the same way again and keeps the first reason for a no.

use super::number::Decimal;
use super::program::{
    ArrayRules, NumberRules, ObjectRules, Program, Rest, StringRules, Subschema, SubschemaId,
};
use super::tape::{Node, kind};
use super::text::{count_characters, unescape};

/// Subschemas open at once: the walk's recursion, so the stack's depth.
const MAX_OPEN: u32 = 600;
/// Steps (subschemas visited, values compared) that every payload may take, and those it may take for each node.
pub const STEPS: u64 = 500_000;
pub const STEPS_PER_NODE: u64 = 64;

/// What a walk reuses.
#[derive(Default)]
pub struct Scratch {
    pub(super) text: Vec<u8>,
    /// One flag a child: whether something evaluated it. Used as a stack.
    pub(super) marks: Vec<bool>,
    /// The resources on the way to the current subschema, outermost first.
    pub(super) scope: Vec<u32>,
    pub(super) hashes: Vec<(u64, u32)>,
}

impl Scratch {
    /// Bytes of the longest buffer.
    pub fn size(&self) -> usize {
        self.text
            .capacity()
            .max(self.marks.capacity())
            .max(self.hashes.capacity() * 16)
    }
}

pub struct Walk<'a> {
    pub(super) program: &'a Program,
    pub(super) bytes: &'a [u8],
    pub(super) nodes: &'a [Node],
    pub(super) scratch: &'a mut Scratch,
    steps: u64,
    open: u32,
    /// A limit was reached: whatever the walk says, it has no answer.
    pub stopped: Option<&'static str>,
    /// The first reason for a no, and at which node.
    pub failure: Option<(u32, String)>,
}

impl<'a> Walk<'a> {
    pub fn new(program: &'a Program, bytes: &'a [u8], nodes: &'a [Node], scratch: &'a mut Scratch) -> Self {
        scratch.marks.clear();
        scratch.scope.clear();
        let steps = STEPS + STEPS_PER_NODE * nodes.len() as u64;
        Self {
            program,
            bytes,
            nodes,
            scratch,
            steps,
            open: 0,
            stopped: None,
            failure: None,
        }
    }

    /// Goes on where another walk over the same payload ended: with its steps, and with subschemas open.
    pub fn resume(&mut self, steps: u64, open: u32) {
        self.steps = steps;
        self.open = open;
    }

    pub fn steps_left(&self) -> u64 {
        self.steps
    }

    #[inline]
    pub(super) fn raw(&self, node: &Node) -> &'a [u8] {
        self.bytes.get(node.span()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn node(&self, at: u32) -> Option<&'a Node> {
        self.nodes.get(at as usize)
    }

    /// Index of the node after `at` and all that is in it.
    #[inline]
    pub(super) fn after(&self, at: u32) -> u32 {
        self.node(at).map_or(u32::MAX, |node| node.next)
    }

    /// Takes steps from the budget; false when there are none left.
    #[inline]
    pub(super) fn charge(&mut self, steps: u64) -> bool {
        if let Some(left) = self.steps.checked_sub(steps) {
            self.steps = left;
            return true;
        }
        self.stopped = Some("the payload takes too many steps to check against this schema");
        false
    }

    /// Calls `use_text` with the string's meaning.
    #[inline]
    pub(super) fn with_text<T>(&mut self, node: &Node, use_text: impl FnOnce(&[u8]) -> T) -> T {
        let raw = self.raw(node);
        if !node.escaped {
            return use_text(raw);
        }
        let mut text = std::mem::take(&mut self.scratch.text);
        unescape(raw, &mut text);
        let result = use_text(&text);
        self.scratch.text = text;
        result
    }

    #[cold]
    #[inline(never)]
    fn note(&mut self, at: u32, expected: String) {
        if self.failure.is_none() {
            self.failure = Some((at, expected));
        }
    }

    #[inline]
    pub(super) fn fail<const EXPLAIN: bool>(&mut self, at: u32, expected: impl FnOnce() -> String) -> bool {
        if EXPLAIN {
            self.note(at, expected());
        }
        false
    }

    /// Whether the node at `at` is valid under `id`.
    pub fn check<const EXPLAIN: bool>(&mut self, id: SubschemaId, at: u32) -> bool {
        let program = self.program;
        match program.subschemas.get(id as usize) {
            Some(subschema) => self.check_subschema::<EXPLAIN>(subschema, at),
            None => false,
        }
    }

    #[inline]
    pub fn check_subschema<const EXPLAIN: bool>(&mut self, subschema: &'a Subschema, at: u32) -> bool {
        let Some(node) = self.node(at) else { return false };
        if subschema.never {
            return self.fail::<EXPLAIN>(at, || "value not allowed".to_owned());
        }
        if node.kind & subschema.types == 0 {
            return self.fail::<EXPLAIN>(at, || expected_types(subschema));
        }
        if subschema.plain && (node.kind != kind::FRACTION || !subschema.whole) {
            return true;
        }
        let Some(scoped) = self.enter(subschema) else {
            return false;
        };
        let valid = self.check_keywords::<EXPLAIN>(subschema, node, at);
        self.leave(scoped);
        valid
    }

    /// Opens a subschema: whether it changed the dynamic scope; `None` when a limit is reached.
    #[inline]
    pub(super) fn enter(&mut self, subschema: &Subschema) -> Option<bool> {
        if self.stopped.is_some() || !self.charge(1) {
            return None;
        }
        if self.open >= MAX_OPEN {
            self.stopped = Some("the payload nests too deeply for this schema");
            return None;
        }
        self.open += 1;
        let scoped = self.program.dynamic && self.scratch.scope.last() != Some(&subschema.resource);
        if scoped {
            self.scratch.scope.push(subschema.resource);
        }
        Some(scoped)
    }

    #[inline]
    pub(super) fn leave(&mut self, scoped: bool) {
        self.open -= 1;
        if scoped {
            self.scratch.scope.pop();
        }
    }

    #[inline]
    fn check_keywords<const EXPLAIN: bool>(
        &mut self,
        subschema: &'a Subschema,
        node: &'a Node,
        at: u32,
    ) -> bool {
        if !subschema.values.is_empty() && !self.check_values::<EXPLAIN>(subschema, at) {
            return false;
        }
        let own = match node.kind {
            kind::STRING => match &subschema.string {
                Some(rules) => self.check_string::<EXPLAIN>(rules, node, at),
                None => true,
            },
            kind::INTEGER | kind::FRACTION => {
                if subschema.whole
                    && node.kind == kind::FRACTION
                    && !Decimal::parse(self.raw(node)).is_whole()
                {
                    return self.fail::<EXPLAIN>(at, || expected_types(subschema));
                }
                match &subschema.number {
                    Some(rules) => self.check_number::<EXPLAIN>(rules, node, at),
                    None => true,
                }
            }
            kind::OBJECT => match &subschema.object {
                Some(rules) => self.check_object::<EXPLAIN>(rules, node, at),
                None => true,
            },
            kind::ARRAY => match &subschema.array {
                Some(rules) => self.check_array::<EXPLAIN>(rules, node, at),
                None => true,
            },
            _ => true,
        };
        own && match &subschema.applied {
            Some(applied) => self.check_applied::<EXPLAIN>(applied, subschema, node, at),
            None => true,
        }
    }

    fn check_values<const EXPLAIN: bool>(&mut self, subschema: &'a Subschema, at: u32) -> bool {
        for values in &subschema.values {
            if !self.is_one_of(values, at) {
                return self.fail::<EXPLAIN>(at, || {
                    if values.is_const {
                        "expected the schema's constant value".to_owned()
                    } else {
                        format!("expected one of {} enum values", values.all.len())
                    }
                });
            }
        }
        true
    }

    fn check_string<const EXPLAIN: bool>(&mut self, rules: &'a StringRules, node: &Node, at: u32) -> bool {
        if rules.min.is_some() || rules.max.is_some() {
            let characters = self.with_text(node, count_characters);
            if let Some((words, limit)) = rules.length_violation(characters) {
                return self.fail::<EXPLAIN>(at, || format!("expected {words} {limit} characters"));
            }
        }
        if let Some(pattern) = rules.pattern
            && !self.matches(pattern, node)
        {
            let program = self.program;
            return self.fail::<EXPLAIN>(at, || {
                let text = program
                    .patterns
                    .get(pattern as usize)
                    .map_or("", |pattern| &pattern.text);
                format!(
                    "expected a string that matches {}",
                    super::resources::shorten(text)
                )
            });
        }
        match rules.format {
            Some(format) if !self.with_text(node, |text| format.holds(text)) => {
                self.fail::<EXPLAIN>(at, || format!("expected a string of format {}", format.name()))
            }
            _ => true,
        }
    }

    pub(super) fn matches(&mut self, pattern: u32, node: &Node) -> bool {
        let program = self.program;
        match program.patterns.get(pattern as usize) {
            Some(pattern) => self.with_text(node, |text| pattern.is_match(text)),
            None => false,
        }
    }

    fn check_number<const EXPLAIN: bool>(&mut self, rules: &'a NumberRules, node: &Node, at: u32) -> bool {
        match rules.violation(self.raw(node)) {
            Some((words, limit)) => self.fail::<EXPLAIN>(at, || format!("expected {words} {limit}")),
            None => true,
        }
    }

    fn check_object<const EXPLAIN: bool>(&mut self, rules: &'a ObjectRules, node: &Node, at: u32) -> bool {
        if let Some(min) = rules.min
            && node.count < min
        {
            return self.fail::<EXPLAIN>(at, || format!("expected at least {min} properties"));
        }
        if let Some(max) = rules.max
            && node.count > max
        {
            return self.fail::<EXPLAIN>(at, || format!("expected at most {max} properties"));
        }
        // The first 64 required names are ticked off on the way; more than that need another look.
        let mut seen = 0u64;
        let mut guess = 0;
        let mut key_at = at + 1;
        while key_at < node.next {
            let Some(key) = self.node(key_at) else {
                return false;
            };
            let value_at = key_at + 1;
            let found = if key.escaped {
                self.with_text(key, |name| rules.properties.find(name, usize::MAX))
            } else {
                rules.properties.find(self.raw(key), guess)
            };
            let mut named = false;
            if let Some(index) = found
                && let Some(property) = rules.properties.list.get(index)
            {
                guess = index + 1;
                seen |= property.bit;
                if let Some(schema) = property.schema {
                    named = true;
                    if !self.check::<EXPLAIN>(schema, value_at) {
                        return false;
                    }
                }
            }
            if !rules.patterns.is_empty() && !self.charge(rules.patterns.len() as u64) {
                return false;
            }
            for (pattern, schema) in &rules.patterns {
                if self.matches(*pattern, key) {
                    named = true;
                    if !self.check::<EXPLAIN>(*schema, value_at) {
                        return false;
                    }
                }
            }
            if !named && !self.check_rest::<EXPLAIN>(rules.rest, value_at, "property not allowed") {
                return false;
            }
            if let Some(names) = rules.names
                && !self.check::<EXPLAIN>(names, key_at)
            {
                if let Some((_, expected)) = self.failure.as_mut() {
                    expected.insert_str(0, "property name: ");
                }
                return false;
            }
            key_at = self.after(value_at);
        }
        self.check_required::<EXPLAIN>(rules, node, at, seen)
            && (rules.dependent_names.is_empty() || self.check_dependent_names::<EXPLAIN>(rules, node, at))
    }

    #[inline]
    fn check_rest<const EXPLAIN: bool>(&mut self, rest: Rest, at: u32, refusal: &str) -> bool {
        match rest {
            Rest::Absent | Rest::Any => true,
            Rest::Never => self.fail::<EXPLAIN>(at, || refusal.to_owned()),
            Rest::Schema(schema) => self.check::<EXPLAIN>(schema, at),
        }
    }

    #[inline]
    fn check_required<const EXPLAIN: bool>(
        &mut self,
        rules: &'a ObjectRules,
        node: &Node,
        at: u32,
        seen: u64,
    ) -> bool {
        let missing = if seen != rules.required_mask() {
            rules.required.get((!seen).trailing_zeros() as usize)
        } else if rules.required.len() > 64 {
            rules
                .required
                .iter()
                .skip(64)
                .find(|name| !self.has_member(node, at, name))
        } else {
            None
        };
        match missing {
            Some(name) => self.fail::<EXPLAIN>(at, || missing_property(name)),
            None => true,
        }
    }

    fn check_dependent_names<const EXPLAIN: bool>(
        &mut self,
        rules: &'a ObjectRules,
        node: &Node,
        at: u32,
    ) -> bool {
        for (name, needed) in &rules.dependent_names {
            if self.has_member(node, at, name)
                && let Some(missing) = needed.iter().find(|needed| !self.has_member(node, at, needed))
            {
                return self.fail::<EXPLAIN>(at, || missing_property(missing));
            }
        }
        true
    }

    /// Whether the object has a member of this name, looking at all of them.
    pub(super) fn has_member(&mut self, object: &Node, at: u32, name: &str) -> bool {
        let mut key_at = at + 1;
        while key_at < object.next {
            let Some(key) = self.node(key_at) else {
                return false;
            };
            if !self.charge(1) {
                return false;
            }
            if self.with_text(key, |text| text == name.as_bytes()) {
                return true;
            }
            key_at = self.after(key_at + 1);
        }
        false
    }

    fn check_array<const EXPLAIN: bool>(&mut self, rules: &'a ArrayRules, node: &Node, at: u32) -> bool {
        if let Some(min) = rules.min
            && node.count < min
        {
            return self.fail::<EXPLAIN>(at, || format!("expected at least {min} items"));
        }
        if let Some(max) = rules.max
            && node.count > max
        {
            return self.fail::<EXPLAIN>(at, || format!("expected at most {max} items"));
        }
        let mut prefix = rules.prefix.iter();
        let mut item_at = at + 1;
        if !rules.prefix.is_empty() || rules.rest != Rest::Absent {
            while item_at < node.next {
                let valid = match prefix.next() {
                    Some(schema) => self.check::<EXPLAIN>(*schema, item_at),
                    None => self.check_rest::<EXPLAIN>(rules.rest, item_at, "item not allowed"),
                };
                if !valid {
                    return false;
                }
                item_at = self.after(item_at);
            }
        }
        if let Some(contains) = &rules.contains {
            let mut matching = 0;
            let mut item_at = at + 1;
            while item_at < node.next {
                matching += u32::from(self.check::<false>(contains.schema, item_at));
                item_at = self.after(item_at);
            }
            if matching < contains.min {
                return self.fail::<EXPLAIN>(at, || {
                    format!("expected at least {} items that match `contains`", contains.min)
                });
            }
            if let Some(max) = contains.max
                && matching > max
            {
                return self.fail::<EXPLAIN>(at, || {
                    format!("expected at most {max} items that match `contains`")
                });
            }
        }
        if rules.unique && !self.items_are_unique(node, at) {
            return self.fail::<EXPLAIN>(at, || "expected no two equal items".to_owned());
        }
        true
    }
}

fn missing_property(name: &str) -> String {
    format!(
        "missing property \"{}\"",
        super::resources::shorten(name).escape_debug()
    )
}

fn expected_types(subschema: &Subschema) -> String {
    let types = subschema.types;
    let mut names = Vec::new();
    if types & kind::NUMBER == kind::NUMBER && !subschema.whole {
        names.push("number");
    } else if types & kind::INTEGER != 0 {
        names.push("integer");
    }
    for (bit, name) in [
        (kind::STRING, "string"),
        (kind::BOOLEAN, "boolean"),
        (kind::NULL, "null"),
        (kind::ARRAY, "array"),
        (kind::OBJECT, "object"),
    ] {
        if types & bit != 0 {
            names.push(name);
        }
    }
    format!(
        "expected {}",
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(" or ")
        }
    )
}
