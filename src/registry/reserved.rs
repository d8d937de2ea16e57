//! Names that a schema keeps free for later: the property `confluent:reserved` of its metadata, a list with commas. They
//! are held to where `validateFields` is on (`AbstractSchemaRegistry.validateReservedFields`).

use super::admission::Admitted;
use super::state::SchemaContent;
use std::collections::BTreeSet;

const RESERVED: &str = "confluent:reserved";

/// What is wrong with a new schema after the latest one: a name that is not reserved any more, or is used.
pub(super) fn problems(new: &Admitted, latest: Option<&SchemaContent>) -> Vec<String> {
    let reserved = reserved(&new.content);
    let before = latest.map(self::reserved).unwrap_or_default();
    let removed = before.difference(&reserved).map(|name| {
        format!("The new schema has reserved field {name} removed from its metadata which is present in the old schema's metadata.")
    });
    let used = reserved
        .iter()
        .filter(|name| new.schema.has_top_level_field(name));
    let used =
        used.map(|name| format!("The new schema has field that conflicts with the reserved field {name}."));
    removed.chain(used).collect()
}

fn reserved(content: &SchemaContent) -> BTreeSet<&str> {
    let properties = content.metadata.as_ref().map(|metadata| &metadata.properties);
    let names = properties.and_then(|properties| properties.get(RESERVED));
    let names = names.into_iter().flat_map(|names| names.split(','));
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}
