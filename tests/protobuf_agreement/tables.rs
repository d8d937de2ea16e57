//! A linked schema as the tests see it: every message in reach with its fields by number. Written for being read, not
//! for speed, and from the descriptors alone.

use prost_reflect::{Cardinality, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, Syntax};
use std::collections::{BTreeMap, HashMap};

#[allow(clippy::struct_excessive_bools, reason = "a table of what a descriptor says")]
pub struct Field {
    pub number: u32,
    pub kind: Kind,
    /// Of a message or group: its index.
    pub target: usize,
    pub is_group: bool,
    pub is_map: bool,
    pub repeated: bool,
    pub required: bool,
    /// Fields with the same number here are members of one oneof.
    pub oneof: Option<usize>,
    pub proto3: bool,
}

impl Field {
    pub fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message(_))
    }

    /// The wire type of one value.
    pub fn wire_type(&self) -> u8 {
        match self.kind {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
            Kind::Message(_) if self.is_group => 3,
            Kind::String | Kind::Bytes | Kind::Message(_) => 2,
            _ => 0,
        }
    }

    pub fn packable(&self) -> bool {
        self.repeated && matches!(self.wire_type(), 0 | 1 | 5)
    }
}

pub struct Message {
    pub fields: BTreeMap<u32, Field>,
    pub is_entry: bool,
    /// No field, and no room for an extension.
    pub is_empty: bool,
}

pub struct Tables {
    pub messages: Vec<Message>,
}

impl Tables {
    /// `root` is message 0.
    pub fn of(root: &MessageDescriptor) -> Self {
        let mut ids = HashMap::from([(root.full_name().to_owned(), 0)]);
        let mut queue = vec![root.clone()];
        let mut messages = Vec::new();
        while let Some(descriptor) = queue.get(messages.len()).cloned() {
            let mut id = |kind: &Kind| {
                let Kind::Message(target) = kind else { return 0 };
                *ids.entry(target.full_name().to_owned()).or_insert_with(|| {
                    queue.push(target.clone());
                    queue.len() - 1
                })
            };
            let mut fields = BTreeMap::new();
            for field in descriptor.fields() {
                fields.insert(field.number(), declared(&field, id(&field.kind())));
            }
            for field in descriptor.extensions() {
                fields.insert(field.number(), extension(&field, id(&field.kind())));
            }
            messages.push(Message {
                is_empty: fields.is_empty() && descriptor.extension_ranges().len() == 0,
                is_entry: descriptor.is_map_entry(),
                fields,
            });
        }
        Self { messages }
    }
}

fn declared(field: &FieldDescriptor, target: usize) -> Field {
    let oneof = field.containing_oneof().and_then(|oneof| {
        let mut all = field.parent_message().oneofs();
        all.position(|other| other == oneof)
    });
    Field {
        number: field.number(),
        kind: field.kind(),
        target,
        is_group: field.is_group(),
        is_map: field.is_map(),
        repeated: field.cardinality() == Cardinality::Repeated,
        required: field.cardinality() == Cardinality::Required,
        oneof,
        proto3: field.parent_file().syntax() == Syntax::Proto3,
    }
}

fn extension(field: &ExtensionDescriptor, target: usize) -> Field {
    Field {
        number: field.number(),
        kind: field.kind(),
        target,
        is_group: field.is_group(),
        is_map: false,
        repeated: field.cardinality() == Cardinality::Repeated,
        required: false,
        oneof: None,
        proto3: field.parent_file().syntax() == Syntax::Proto3,
    }
}
