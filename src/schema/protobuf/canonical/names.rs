//! From a name as it is written to the full name of what it means (Confluent's `Context.resolve`): the innermost scope
//! that has it.

use prost_reflect::{DescriptorPool, ExtensionDescriptor, Kind};

/// A place in a file: in its package, and in the messages around.
pub(super) struct Scope<'a> {
    pool: &'a DescriptorPool,
    /// The package's parts, then the names of the messages or the enum around.
    around: Vec<String>,
}

/// What a field's type is once it is resolved.
pub(super) enum Resolved {
    Named(String),
    /// A message behind a map that is spelled out: the types of its key and value.
    MapEntry(String, String),
}

impl<'a> Scope<'a> {
    pub(super) fn new(pool: &'a DescriptorPool, package: Option<&str>) -> Self {
        let around = package.into_iter().flat_map(|package| package.split('.'));
        Self {
            pool,
            around: around.map(str::to_owned).collect(),
        }
    }

    pub(super) fn enter(&mut self, name: &str) {
        self.around.push(name.to_owned());
    }

    pub(super) fn leave(&mut self) {
        self.around.pop();
    }

    /// The full name, without a dot before it.
    fn resolve(&self, name: &str, is_known: impl Fn(&str) -> bool) -> Option<String> {
        if let Some(full) = name.strip_prefix('.') {
            return is_known(full).then(|| full.to_owned());
        }
        let candidates = (0..=self.around.len()).rev().map(|depth| {
            let around = self.around.get(..depth).unwrap_or_default();
            let parts = around.iter().map(String::as_str).chain([name]);
            parts.collect::<Vec<_>>().join(".")
        });
        candidates.into_iter().find(|name| is_known(name))
    }

    fn full_type_name(&self, name: &str) -> Option<String> {
        self.resolve(name, |full| {
            self.pool.get_message_by_name(full).is_some() || self.pool.get_enum_by_name(full).is_some()
        })
    }

    /// A message or enum by its full name, with a dot before it; a name that is not known stays.
    pub(super) fn type_name(&self, name: &str) -> String {
        match self.full_type_name(name) {
            Some(full) => format!(".{full}"),
            None => name.to_owned(),
        }
    }

    /// The type of a field that is no scalar.
    pub(super) fn field_type(&self, name: &str) -> Resolved {
        let Some(full) = self.full_type_name(name) else {
            return Resolved::Named(name.to_owned());
        };
        match self.pool.get_message_by_name(&full) {
            Some(entry) if entry.is_map_entry() => Resolved::MapEntry(
                kind_name(&entry.map_entry_key_field().kind()),
                kind_name(&entry.map_entry_value_field().kind()),
            ),
            _ => Resolved::Named(format!(".{full}")),
        }
    }

    /// The field of an extension by its name.
    pub(super) fn extension(&self, name: &str) -> Option<ExtensionDescriptor> {
        let full = self.resolve(name, |full| self.pool.get_extension_by_name(full).is_some())?;
        self.pool.get_extension_by_name(&full)
    }
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(enumeration) => format!(".{}", enumeration.full_name()),
        scalar => format!("{scalar:?}"),
    }
}

pub(super) fn is_scalar(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "bytes"
            | "double"
            | "float"
            | "fixed32"
            | "fixed64"
            | "int32"
            | "int64"
            | "sfixed32"
            | "sfixed64"
            | "sint32"
            | "sint64"
            | "string"
            | "uint32"
            | "uint64"
    )
}
