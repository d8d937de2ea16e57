//! `unevaluatedItems` and `unevaluatedProperties`: the walk goes over a value's subschemas once more to mark the
//! children that they evaluated, and checks those that are left.

use super::program::{ArrayRules, ObjectRules, Rest, Subschema, SubschemaId};
use super::tape::{Node, kind};
use super::walk::Walk;

impl<'a> Walk<'a> {
    /// `schema` on every child that no keyword of `subschema`, or of what it applies, has evaluated.
    pub(super) fn check_unevaluated<const EXPLAIN: bool>(
        &mut self,
        schema: SubschemaId,
        subschema: &'a Subschema,
        node: &'a Node,
        at: u32,
    ) -> bool {
        let base = self.scratch.marks.len();
        self.scratch.marks.resize(base + node.count as usize, false);
        if !self.charge(u64::from(node.count)) {
            return false;
        }
        self.mark(subschema, node, at, base, true);
        let is_object = node.kind == kind::OBJECT;
        let mut child = at + 1;
        let mut index = base;
        let mut valid = true;
        while valid && child < node.next {
            let value = if is_object { child + 1 } else { child };
            if self.scratch.marks.get(index) == Some(&false) {
                valid = self.check::<EXPLAIN>(schema, value);
                if EXPLAIN
                    && !valid
                    && let Some((at, expected)) = self.failure.as_mut()
                    && expected == "value not allowed"
                {
                    *at = value;
                    expected.clear();
                    expected.push_str(if is_object {
                        "property not allowed"
                    } else {
                        "item not allowed"
                    });
                }
            }
            index += 1;
            child = self.after(value);
        }
        self.scratch.marks.truncate(base);
        valid
    }

    fn mark_id(&mut self, id: SubschemaId, node: &'a Node, at: u32, base: usize) {
        let program = self.program;
        let Some(subschema) = program.subschemas.get(id as usize) else {
            return;
        };
        let Some(scoped) = self.enter(subschema) else {
            return;
        };
        self.mark(subschema, node, at, base, false);
        self.leave(scoped);
    }

    fn mark_all(&mut self, node: &Node, base: usize) {
        self.scratch
            .marks
            .iter_mut()
            .skip(base)
            .take(node.count as usize)
            .for_each(|mark| *mark = true);
    }

    /// Marks the children that `subschema`, under which the node is valid, evaluates. `owner`: its own
    /// `unevaluated…` does not count, being what asks.
    fn mark(&mut self, subschema: &'a Subschema, node: &'a Node, at: u32, base: usize, owner: bool) {
        if !self.charge(u64::from(node.count)) {
            return;
        }
        if node.kind == kind::OBJECT {
            if let Some(rules) = &subschema.object {
                self.mark_members(rules, node, at, base);
            }
        } else if let Some(rules) = &subschema.array {
            self.mark_items(rules, node, at, base);
        }
        let Some(applied) = &subschema.applied else { return };
        let unevaluated = if node.kind == kind::OBJECT {
            applied.unevaluated_properties
        } else {
            applied.unevaluated_items
        };
        if !owner && unevaluated.is_some() {
            self.mark_all(node, base);
            return;
        }
        // Also those that end at once, at the value's type.
        let lists = [Some(&applied.all), applied.any.as_ref(), applied.one.as_ref()];
        if !self.charge(lists.into_iter().flatten().map(Vec::len).sum::<usize>() as u64) {
            return;
        }
        for schema in &applied.all {
            self.mark_id(*schema, node, at, base);
        }
        for reference in &applied.dynamic {
            let target = self.dynamic_target(reference.target, reference.anchor);
            self.mark_id(target, node, at, base);
        }
        for schema in applied.any.iter().chain(&applied.one).flatten() {
            if self.check::<false>(*schema, at) {
                self.mark_id(*schema, node, at, base);
            }
        }
        if let Some(condition) = &applied.condition {
            let branch = if self.check::<false>(condition.test, at) {
                self.mark_id(condition.test, node, at, base);
                condition.then
            } else {
                condition.otherwise
            };
            if let Some(schema) = branch {
                self.mark_id(schema, node, at, base);
            }
        }
        for (name, schema) in &applied.dependent {
            if node.kind == kind::OBJECT && self.has_member(node, at, name) {
                self.mark_id(*schema, node, at, base);
            }
        }
    }

    fn mark_members(&mut self, rules: &'a ObjectRules, node: &Node, at: u32, base: usize) {
        if rules.rest != Rest::Absent {
            self.mark_all(node, base);
            return;
        }
        let mut key_at = at + 1;
        let mut index = base;
        while key_at < node.next {
            let Some(key) = self.node(key_at) else { return };
            let found = self.with_text(key, |name| rules.properties.find(name, usize::MAX));
            let named = found
                .and_then(|index| rules.properties.list.get(index)?.schema)
                .is_some()
                || rules
                    .patterns
                    .iter()
                    .any(|(pattern, _)| self.matches(*pattern, key));
            if named && let Some(mark) = self.scratch.marks.get_mut(index) {
                *mark = true;
            }
            index += 1;
            key_at = self.after(key_at + 1);
        }
    }

    fn mark_items(&mut self, rules: &'a ArrayRules, node: &Node, at: u32, base: usize) {
        if rules.rest != Rest::Absent {
            self.mark_all(node, base);
            return;
        }
        let prefix = rules.prefix.len().min(node.count as usize);
        self.scratch
            .marks
            .iter_mut()
            .skip(base)
            .take(prefix)
            .for_each(|mark| *mark = true);
        let Some(contains) = rules.contains.as_ref().filter(|contains| contains.evaluates) else {
            return;
        };
        let mut item_at = at + 1;
        let mut index = base;
        while item_at < node.next {
            if self.check::<false>(contains.schema, item_at)
                && let Some(mark) = self.scratch.marks.get_mut(index)
            {
                *mark = true;
            }
            index += 1;
            item_at = self.after(item_at);
        }
    }
}
