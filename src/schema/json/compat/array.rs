//! Arrays (`ArraySchemaDiff`). Content models are those of objects, with the items after the named first ones.

use super::difference as kinds;
use super::look::Look;
use super::model::{ArrayShape, Model, NodeId, Rest, Shape};
use super::object::unevaluated;

pub fn compare(look: &mut Look<'_, '_, '_>, old: &ArrayShape<'_>, new: &ArrayShape<'_>) {
    look.within("items", |look| look.compare_if_any(old.all, new.all));
    for index in 0..old.first.len().max(new.first.len()) {
        look.within(format_args!("items/{index}"), |look| {
            match (old.first.get(index), new.first.get(index)) {
                (Some(old), Some(new)) => look.compare(*old, *new),
                (Some(schema), None) => removed(look, new, *schema),
                (None, Some(schema)) => added(look, old, *schema),
                (None, None) => {}
            }
        });
    }
    look.within("additionalItems", |look| match (old.rest, new.rest) {
        (Rest::Open | Rest::Schema(_), Rest::Closed) => look.add(kinds::ADDITIONAL_ITEMS_REMOVED),
        (Rest::Open, Rest::Schema(_)) => look.add(kinds::ADDITIONAL_ITEMS_NARROWED),
        (Rest::Schema(old), Rest::Schema(new)) => look.compare(old, new),
        (Rest::Closed, _) | (_, Rest::Open) => {}
    });
    look.within("unevaluatedItems", |look| {
        let removed = kinds::UNEVALUATED_ITEMS_REMOVED;
        let narrowed = kinds::UNEVALUATED_ITEMS_NARROWED;
        unevaluated(look, old.unevaluated, new.unevaluated, removed, narrowed);
    });
    look.maximum(
        "maxItems",
        (old.max, new.max),
        kinds::MAX_ITEMS_ADDED,
        kinds::MAX_ITEMS_DECREASED,
    );
    look.minimum(
        "minItems",
        (old.min, new.min),
        kinds::MIN_ITEMS_ADDED,
        kinds::MIN_ITEMS_INCREASED,
    );
    if new.unique && !old.unique {
        look.add_at("uniqueItems", kinds::UNIQUE_ITEMS_ADDED);
    }
    let added = kinds::MAX_CONTAINS_ADDED;
    let bounds = (old.max_contains, new.max_contains);
    look.maximum("maxContains", bounds, added, kinds::MAX_CONTAINS_DECREASED);
    let added = kinds::MIN_CONTAINS_ADDED;
    let bounds = (old.min_contains, new.min_contains);
    look.minimum("minContains", bounds, added, kinds::MIN_CONTAINS_INCREASED);
}

fn removed(look: &mut Look<'_, '_, '_>, new: &ArrayShape<'_>, old_schema: NodeId) {
    if is_open(look.model, new) {
        return;
    }
    match covering(look.model, new) {
        Some(schema) => {
            look.compare(old_schema, schema);
            if !look.is_compatible(old_schema, schema) {
                look.add(kinds::ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL);
            }
        }
        None if matches!(look.model.shape(old_schema), Shape::Never) => {}
        None => look.add(kinds::ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL),
    }
}

fn added(look: &mut Look<'_, '_, '_>, old: &ArrayShape<'_>, new_schema: NodeId) {
    if is_open(look.model, old) {
        if !matches!(look.model.shape(new_schema), Shape::Any) {
            look.add(kinds::ITEM_ADDED_TO_OPEN_CONTENT_MODEL);
        }
    } else if let Some(schema) = covering(look.model, old) {
        look.compare(schema, new_schema);
        if !look.is_compatible(schema, new_schema) {
            look.add(kinds::ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL);
        }
    }
}

fn is_open(model: &Model<'_>, array: &ArrayShape<'_>) -> bool {
    array.rest == Rest::Open
        && array
            .unevaluated
            .is_none_or(|schema| matches!(model.shape(schema), Shape::Any))
}

/// The schema that items must have which are not named.
fn covering(model: &Model<'_>, array: &ArrayShape<'_>) -> Option<NodeId> {
    match array.rest {
        Rest::Schema(schema) => Some(schema),
        Rest::Closed => None,
        Rest::Open => array
            .unevaluated
            .filter(|schema| !matches!(model.shape(*schema), Shape::Never | Shape::Any)),
    }
}
