//! Objects (`ObjectSchemaDiff`). A content model is open when it accepts properties that it does not name, closed when
//! it does not, and partially open when what it does not name must have some schema.

use super::difference as kinds;
use super::look::Look;
use super::model::{Model, NodeId, ObjectShape, Rest, Shape};
use std::collections::{HashMap, HashSet};

pub fn compare(look: &mut Look<'_, '_, '_>, old: &ObjectShape<'_>, new: &ObjectShape<'_>) {
    let old_properties: HashMap<&str, NodeId> = old.properties.iter().copied().collect();
    let new_properties: HashMap<&str, NodeId> = new.properties.iter().copied().collect();
    let old_required: HashSet<&str> = old.required.iter().copied().collect();
    let new_required: HashSet<&str> = new.required.iter().copied().collect();
    look.within("required", |look| {
        for (name, _) in &old.properties {
            if let Some(property) = new_properties.get(name)
                && new_required.contains(name)
                && !old_required.contains(name)
                && !look.model.node(*property).has_default
            {
                look.add_at(name, kinds::REQUIRED_ATTRIBUTE_ADDED);
            }
        }
    });
    look.within("properties", |look| {
        for (name, old_schema) in &old.properties {
            look.within(name, |look| match new_properties.get(name) {
                Some(new_schema) => look.compare(*old_schema, *new_schema),
                None => removed(look, new, name, *old_schema),
            });
        }
        for (name, new_schema) in &new.properties {
            if !old_properties.contains_key(name) {
                let required = new_required.contains(name);
                look.within(name, |look| added(look, old, name, *new_schema, required));
            }
        }
    });
    look.within("dependencies", |look| dependencies(look, old, new));
    look.within("additionalProperties", |look| match (old.rest, new.rest) {
        (Rest::Open | Rest::Schema(_), Rest::Closed) => look.add(kinds::ADDITIONAL_PROPERTIES_REMOVED),
        (Rest::Open, Rest::Schema(_)) => look.add(kinds::ADDITIONAL_PROPERTIES_NARROWED),
        (Rest::Schema(old), Rest::Schema(new)) => look.compare(old, new),
        (Rest::Closed, _) | (_, Rest::Open) => {}
    });
    look.within("unevaluatedProperties", |look| {
        let removed = kinds::UNEVALUATED_PROPERTIES_REMOVED;
        let narrowed = kinds::UNEVALUATED_PROPERTIES_NARROWED;
        unevaluated(look, old.unevaluated, new.unevaluated, removed, narrowed);
    });
    let added = kinds::MAX_PROPERTIES_ADDED;
    look.maximum(
        "maxProperties",
        (old.max, new.max),
        added,
        kinds::MAX_PROPERTIES_DECREASED,
    );
    let added = kinds::MIN_PROPERTIES_ADDED;
    look.minimum(
        "minProperties",
        (old.min, new.min),
        added,
        kinds::MIN_PROPERTIES_INCREASED,
    );
}

/// Only the new content model counts: the property's value is now one that it does not name.
fn removed(look: &mut Look<'_, '_, '_>, new: &ObjectShape<'_>, name: &str, old_schema: NodeId) {
    if is_open(look.model, new) {
        return;
    }
    // A pattern that cannot be matched here covers nothing.
    match covering(look, new, name, false) {
        Some(schema) => {
            look.compare(old_schema, schema);
            if !look.is_compatible(old_schema, schema) {
                look.add(kinds::PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL);
            }
        }
        None if matches!(look.model.shape(old_schema), Shape::Never) => {}
        None => look.add(kinds::PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL),
    }
}

/// Only the old content model counts: there may be values of the property that it did not name.
fn added(look: &mut Look<'_, '_, '_>, old: &ObjectShape<'_>, name: &str, new_schema: NodeId, required: bool) {
    let node = look.model.node(new_schema);
    if is_open(look.model, old) {
        match (required, node.has_default) {
            _ if matches!(node.shape, Shape::Any) => {}
            (true, true) => look.add(kinds::REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL),
            (true, false) => look.add(kinds::REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL),
            (false, _) => look.add(kinds::OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL),
        }
        return;
    }
    // A pattern that cannot be matched here may have let something in.
    if let Some(schema) = covering(look, old, name, true) {
        look.compare(schema, new_schema);
        if !look.is_compatible(schema, new_schema) {
            look.add(kinds::PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL);
        }
    }
    if required && !node.has_default {
        look.add(kinds::REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL);
    }
}

fn is_open(model: &Model<'_>, object: &ObjectShape<'_>) -> bool {
    object.rest == Rest::Open
        && object.patterns.is_empty()
        && object
            .unevaluated
            .is_none_or(|schema| matches!(model.shape(schema), Shape::Any))
}

/// The schema that a property must have which is not named.
fn covering(
    look: &mut Look<'_, '_, '_>,
    object: &ObjectShape<'_>,
    name: &str,
    if_unknown: bool,
) -> Option<NodeId> {
    for (pattern, schema) in &object.patterns {
        if look.check.is_match(pattern, name).unwrap_or(if_unknown) {
            return Some(*schema);
        }
    }
    match object.rest {
        Rest::Schema(schema) => Some(schema),
        Rest::Closed => None,
        Rest::Open => object
            .unevaluated
            .filter(|schema| !matches!(look.model.shape(*schema), Shape::Never | Shape::Any)),
    }
}

/// Shared by objects and arrays: `unevaluatedProperties` and `unevaluatedItems`.
pub fn unevaluated(
    look: &mut Look<'_, '_, '_>,
    old: Option<NodeId>,
    new: Option<NodeId>,
    removed: kinds::Kind,
    narrowed: kinds::Kind,
) {
    let Some(new) = new else { return };
    let new_shape = look.model.shape(new);
    match (old, old.map(|old| look.model.shape(old)), new_shape) {
        (_, Some(Shape::Never), Shape::Never) => {}
        (_, _, Shape::Never) => look.add(removed),
        (_, None, _) => look.add(narrowed),
        (_, Some(Shape::Never), _) | (_, _, Shape::Any) => {}
        (_, Some(Shape::Any), _) => look.add(narrowed),
        (Some(old), Some(_), _) => look.compare(old, new),
        (None, Some(_), _) => {}
    }
}

fn dependencies(look: &mut Look<'_, '_, '_>, old: &ObjectShape<'_>, new: &ObjectShape<'_>) {
    let before: HashMap<&str, &Vec<&str>> = old
        .dependent_names
        .iter()
        .map(|(name, list)| (*name, list))
        .collect();
    for (name, list) in &new.dependent_names {
        let Some(before) = before.get(name) else {
            look.add_at(name, kinds::DEPENDENCY_ARRAY_ADDED);
            continue;
        };
        let before: HashSet<&str> = before.iter().copied().collect();
        let after: HashSet<&str> = list.iter().copied().collect();
        if before.is_superset(&after) {
        } else if after.is_superset(&before) {
            look.add_at(name, kinds::DEPENDENCY_ARRAY_EXTENDED);
        } else {
            look.add_at(name, kinds::DEPENDENCY_ARRAY_CHANGED);
        }
    }
    let before: HashMap<&str, NodeId> = old.dependent_schemas.iter().copied().collect();
    for (name, new_schema) in &new.dependent_schemas {
        look.within(name, |look| match before.get(name) {
            Some(old_schema) => look.compare(*old_schema, *new_schema),
            None => look.add(kinds::DEPENDENCY_SCHEMA_ADDED),
        });
    }
}
