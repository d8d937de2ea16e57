//! Which subschemas the single pass can take, and how.

use super::compile::has_no_rules;
use super::document::Json;
use super::program::{Applied, Subschema, SubschemaId, Way};

/// Chooses for all subschemas of a program.
pub fn choose_ways(subschemas: &mut [Subschema]) {
    for index in 0..subschemas.len() {
        let way = subschemas
            .get(index)
            .map(|subschema| way_of(subschema, subschemas));
        if let (Some(way), Some(subschema)) = (way, subschemas.get_mut(index)) {
            subschema.way = way;
        }
    }
}

fn way_of(subschema: &Subschema, all: &[Subschema]) -> Way {
    if subschema.never {
        return Way::Tape;
    }
    match &subschema.applied {
        None if reads_once(subschema) => Way::Once,
        Some(applied) if has_no_rules(subschema) => match alternatives(applied) {
            Some(list) if are_apart(list, all) => Way::ByKind(list.into()),
            _ => Way::Tape,
        },
        _ => Way::Tape,
    }
}

/// Whether each part of a value is looked at by one rule, in the order in which it is written.
fn reads_once(subschema: &Subschema) -> bool {
    let scalar = |value: &Json| !matches!(value, Json::Array(_) | Json::Object(_));
    subschema
        .values
        .iter()
        .all(|values| values.all.iter().all(scalar))
        && subschema
            .array
            .as_ref()
            .is_none_or(|rules| rules.contains.is_none() && !rules.unique)
        && subschema.object.as_ref().is_none_or(|rules| {
            rules.patterns.is_empty()
                && rules.names.is_none()
                && rules.dependent_names.is_empty()
                && rules.required.len() <= 64
        })
}

/// The list of an `anyOf` or `oneOf` that is alone.
fn alternatives(applied: &Applied) -> Option<&[SubschemaId]> {
    let Applied {
        all,
        dynamic,
        any,
        one,
        not: None,
        condition: None,
        dependent,
        unevaluated_items: None,
        unevaluated_properties: None,
    } = applied
    else {
        return None;
    };
    if !all.is_empty() || !dynamic.is_empty() || !dependent.is_empty() {
        return None;
    }
    match (any, one) {
        (Some(list), None) | (None, Some(list)) => Some(list),
        _ => None,
    }
}

/// Whether no kind of value is taken by two of them: `null` or an object, for instance.
fn are_apart(list: &[SubschemaId], all: &[Subschema]) -> bool {
    let mut taken = 0;
    list.iter().all(|id| {
        let types = all.get(*id as usize).map_or(u8::MAX, |subschema| subschema.types);
        let apart = taken & types == 0;
        taken |= types;
        apart
    })
}
