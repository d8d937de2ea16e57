//! The options of a descriptor that Confluent's registry writes out: those it knows, in an order of its own, then its
//! own metadata. Others, custom options among them, are left out.

use super::{NamePart, OptionStatement, Value};
use prost_reflect::{DynamicMessage, Kind, MapKey, ReflectMessage, Value as Linked};

pub(super) type Kept = Vec<OptionStatement>;

/// Names in their order, and the extension that holds Confluent's metadata.
#[derive(Clone, Copy)]
pub(super) struct Known(&'static [&'static str], Option<&'static str>);

pub(super) const FILE: Known = Known(
    &[
        "java_package",
        "java_outer_classname",
        "java_multiple_files",
        "java_generate_equals_and_hash",
        "java_string_check_utf8",
        "optimize_for",
        "go_package",
        "cc_generic_services",
        "java_generic_services",
        "py_generic_services",
        "deprecated",
        "cc_enable_arenas",
        "objc_class_prefix",
        "csharp_namespace",
        "swift_prefix",
        "php_class_prefix",
        "php_namespace",
        "php_metadata_namespace",
        "ruby_package",
    ],
    Some("confluent.file_meta"),
);
pub(super) const MESSAGE: Known = Known(
    &["no_standard_descriptor_accessor", "deprecated", "map_entry"],
    Some("confluent.message_meta"),
);
pub(super) const FIELD: Known = Known(
    &[
        "ctype",
        "packed",
        "jstype",
        "deprecated",
        "debug_redact",
        "retention",
        "targets",
    ],
    Some("confluent.field_meta"),
);
pub(super) const ENUM: Known = Known(&["allow_alias", "deprecated"], Some("confluent.enum_meta"));
pub(super) const ENUM_VALUE: Known =
    Known(&["deprecated", "debug_redact"], Some("confluent.enum_value_meta"));
pub(super) const SERVICE: Known = Known(&["deprecated"], None);
pub(super) const METHOD: Known = Known(&["deprecated", "idempotency_level"], None);

pub(super) fn written_if_any(options: Option<DynamicMessage>, known: Known) -> Kept {
    options.map_or_else(Vec::new, |options| written(&options, known))
}

pub(super) fn written(options: &DynamicMessage, known: Known) -> Kept {
    let Known(names, metadata) = known;
    let mut out = Vec::new();
    for name in names {
        let field = options.descriptor().get_field_by_name(name);
        let Some(field) = field.filter(|field| options.has_field(field)) else {
            continue;
        };
        let value = options.get_field(&field);
        match value.as_list() {
            Some(values) => values
                .iter()
                .for_each(|value| put(&mut out, name, &field.kind(), value)),
            None => put(&mut out, name, &field.kind(), &value),
        }
    }
    let meta = metadata.and_then(|name| {
        let (_, value) = options
            .extensions()
            .find(|(field, _)| field.full_name() == name)?;
        Some((name, self::metadata(value.as_message()?)))
    });
    if let Some((name, fields)) = meta.filter(|(_, fields)| !fields.is_empty()) {
        out.push(OptionStatement {
            name: NamePart {
                name: name.to_owned(),
                is_extension: true,
            },
            path: Vec::new(),
            value: Value::Message(fields),
        });
    }
    out
}

fn put(out: &mut Kept, name: &str, kind: &Kind, value: &Linked) {
    let value = match value {
        Linked::Bool(value) => Value::Word(value.to_string()),
        Linked::String(text) => Value::Text(text.clone()),
        Linked::EnumNumber(number) => {
            let named = kind.as_enum().and_then(|kind| kind.get_value(*number));
            // A number without a name cannot be written.
            let Some(named) = named else { return };
            Value::Word(named.name().to_owned())
        }
        _ => return,
    };
    out.push(OptionStatement::plain(name, value));
}

type Fields = Vec<(String, Value)>;

/// `confluent.Meta`, without what is empty.
fn metadata(meta: &DynamicMessage) -> Fields {
    let mut fields = texts(meta, &["doc"]);
    let mut list = |name: &str, values: Vec<Value>| {
        if !values.is_empty() {
            fields.push((name.to_owned(), Value::List(values)));
        }
    };
    let params = meta.get_field_by_name("params");
    list(
        "params",
        params
            .as_deref()
            .and_then(Linked::as_map)
            .map_or_else(Vec::new, |params| {
                let mut params: Vec<(&str, &str)> = params
                    .iter()
                    .filter_map(|(key, value)| match key {
                        MapKey::String(key) => Some((key.as_str(), value.as_str()?)),
                        _ => None,
                    })
                    .collect();
                params.sort_unstable();
                params.into_iter().map(|(key, value)| param(key, value)).collect()
            }),
    );
    let tags = meta.get_field_by_name("tags");
    let tags = tags.as_deref().and_then(Linked::as_list).unwrap_or_default();
    let tags = tags.iter().filter_map(Linked::as_str);
    list("tags", tags.map(|tag| Value::Text(tag.to_owned())).collect());
    let rules = meta.get_field_by_name("rules");
    let rules = rules.as_deref().and_then(Linked::as_list).unwrap_or_default();
    let rules = rules.iter().filter_map(Linked::as_message);
    let rules = rules.map(|rule| texts(rule, &["name", "doc", "expr", "sql"]));
    list(
        "rules",
        rules
            .filter(|rule| !rule.is_empty())
            .map(Value::Message)
            .collect(),
    );
    fields
}

fn param(key: &str, value: &str) -> Value {
    let mut fields = vec![
        ("key".to_owned(), Value::Text(key.to_owned())),
        ("value".to_owned(), Value::Text(value.to_owned())),
    ];
    // Confluent's registry, too, has the value first for these two.
    if matches!(key, "precision" | "scale") {
        fields.reverse();
    }
    Value::Message(fields)
}

fn texts(message: &DynamicMessage, names: &[&str]) -> Fields {
    let values = names.iter().filter_map(|name| {
        let value = message.get_field_by_name(name)?;
        let text = value.as_str().filter(|text| !text.is_empty())?.to_owned();
        Some(((*name).to_owned(), Value::Text(text)))
    });
    values.collect()
}
