//! The keywords that apply other schemas to the same value: `$ref`, `allOf`, `anyOf`, `oneOf`, `not`, `if`,
//! `dependentSchemas`.

use super::program::{Applied, Subschema, SubschemaId};
use super::tape::{Node, kind};
use super::walk::Walk;

impl<'a> Walk<'a> {
    pub(super) fn check_applied<const EXPLAIN: bool>(
        &mut self,
        applied: &'a Applied,
        subschema: &'a Subschema,
        node: &'a Node,
        at: u32,
    ) -> bool {
        // Also those that end at once, at the value's type.
        let lists = [Some(&applied.all), applied.any.as_ref(), applied.one.as_ref()];
        if !self.charge(lists.into_iter().flatten().map(Vec::len).sum::<usize>() as u64) {
            return false;
        }
        for schema in &applied.all {
            if !self.check::<EXPLAIN>(*schema, at) {
                return false;
            }
        }
        for reference in &applied.dynamic {
            let target = self.dynamic_target(reference.target, reference.anchor);
            if !self.check::<EXPLAIN>(target, at) {
                return false;
            }
        }
        if let Some(any) = &applied.any
            && !any.iter().any(|schema| self.check::<false>(*schema, at))
        {
            return self.fail_alternatives::<EXPLAIN>(any, node, at, "anyOf");
        }
        if let Some(one) = &applied.one {
            let mut matching = one.iter().filter(|schema| self.check::<false>(**schema, at));
            match (matching.next(), matching.next()) {
                (Some(_), None) => {}
                (None, _) => return self.fail_alternatives::<EXPLAIN>(one, node, at, "oneOf"),
                _ => {
                    return self.fail::<EXPLAIN>(at, || "matches more than one schema of `oneOf`".to_owned());
                }
            }
        }
        if let Some(not) = applied.not
            && self.check::<false>(not, at)
        {
            return self.fail::<EXPLAIN>(at, || "matches the schema in `not`".to_owned());
        }
        if let Some(condition) = &applied.condition {
            let branch = if self.check::<false>(condition.test, at) {
                condition.then
            } else {
                condition.otherwise
            };
            if let Some(schema) = branch
                && !self.check::<EXPLAIN>(schema, at)
            {
                return false;
            }
        }
        if node.kind == kind::OBJECT {
            for (name, schema) in &applied.dependent {
                if self.has_member(node, at, name) && !self.check::<EXPLAIN>(*schema, at) {
                    return false;
                }
            }
        }
        let unevaluated = match node.kind {
            kind::OBJECT => applied.unevaluated_properties,
            kind::ARRAY => applied.unevaluated_items,
            _ => None,
        };
        match unevaluated {
            Some(schema) => self.check_unevaluated::<EXPLAIN>(schema, subschema, node, at),
            None => true,
        }
    }

    /// Says more than "none matches" when there is one alternative, or only one that takes a value of this type.
    fn fail_alternatives<const EXPLAIN: bool>(
        &mut self,
        list: &'a [SubschemaId],
        node: &Node,
        at: u32,
        keyword: &str,
    ) -> bool {
        if !EXPLAIN {
            return false;
        }
        if let [only] = list {
            return self.check::<true>(*only, at);
        }
        let program = self.program;
        let fits = |id: &&SubschemaId| {
            let subschema = program.subschemas.get(**id as usize);
            subschema.is_some_and(|subschema| subschema.types & node.kind != 0 && !subschema.never)
        };
        let mut fitting = list.iter().filter(fits);
        if let (Some(only), None) = (fitting.next(), fitting.next()) {
            return self.check::<true>(*only, at);
        }
        self.fail::<true>(at, || {
            format!("matches none of {} schemas in `{keyword}`", list.len())
        })
    }

    pub(super) fn dynamic_target(&self, target: SubschemaId, anchor: u32) -> SubschemaId {
        let found = self
            .scratch
            .scope
            .iter()
            .find_map(|resource| self.program.dynamic_anchors.get(&(*resource, anchor)));
        found.copied().unwrap_or(target)
    }
}
