//! Which subschemas the single pass can take, and how.

use super::compile::has_no_rules;
use super::document::Json;
use super::program::{Applied, Subschema, SubschemaId, Values, Way};
use super::tape::kind;
use super::walk::STEPS_PER_NODE;

/// What the walk may spend on a node, too.
const MAX_COMPARED: usize = STEPS_PER_NODE as usize;

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

/// The values among which one that is no string is looked for: none in a long list, which has strings only.
#[inline]
pub fn compared(values: &Values) -> &[Json] {
    if values.all.len() > MAX_COMPARED {
        &[]
    } else {
        &values.all
    }
}

fn way_of(subschema: &Subschema, all: &[Subschema]) -> Way {
    if subschema.never {
        return Way::Tape;
    }
    match &subschema.applied {
        None if reads_once(subschema) => Way::Once,
        Some(applied) if has_no_rules(subschema) && leaves_numbers_alone(subschema) => {
            match alternatives(applied) {
                Some(list) if are_apart(list, all) => Way::ByKind(list.into()),
                _ => Way::Tape,
            }
        }
        _ => Way::Tape,
    }
}

/// Whether its type asks nothing of a number but to be one: what it is for the alternatives to judge may be whole or not.
fn leaves_numbers_alone(subschema: &Subschema) -> bool {
    let numbers = subschema.types & kind::NUMBER;
    !subschema.whole && (numbers == 0 || numbers == kind::NUMBER)
}

/// Whether each part of a value is looked at by one rule, in the order in which it is written.
fn reads_once(subschema: &Subschema) -> bool {
    subschema.values.iter().all(can_compare)
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

/// Scalars only; other ones than strings, for which there is a set, few enough to be looked at for every value.
fn can_compare(values: &Values) -> bool {
    if values.all.len() > MAX_COMPARED {
        return values.all.iter().all(|value| matches!(value, Json::String(_)));
    }
    !values
        .all
        .iter()
        .any(|value| matches!(value, Json::Array(_) | Json::Object(_)))
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
    // More than there are kinds would only be looked at in vain.
    list.len() <= 8
        && list.iter().all(|id| {
            let types = all.get(*id as usize).map_or(u8::MAX, |subschema| subschema.types);
            let apart = taken & types == 0;
            taken |= types;
            apart
        })
}
