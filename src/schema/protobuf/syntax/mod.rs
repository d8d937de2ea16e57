//! A `.proto` file as a tree of what its text says: names as written, numbers of options as written, statements of
//! one kind in their order. The descriptors that the linker makes cannot say that, and Confluent's registry, whose
//! text makes a schema's identity, prints from such a tree (Square's Wire's `ProtoFileElement`).

mod for_linker;
mod from_descriptor;
mod known_options;
mod option;
mod parse;
mod reader;

pub(super) use for_linker::for_linker;
pub(super) use from_descriptor::from_descriptor;
pub(super) use parse::parse;

use std::collections::HashSet;

/// The largest field number: what `max` is in a range.
pub(super) const FIELD_NUMBER_MAX: i32 = 536_870_911;

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct File {
    /// `proto2` or `proto3` if it is written.
    pub(super) syntax: Option<String>,
    pub(super) package: Option<String>,
    pub(super) imports: Vec<String>,
    pub(super) public_imports: Vec<String>,
    pub(super) weak_imports: Vec<String>,
    pub(super) options: Vec<OptionStatement>,
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enum>,
    pub(super) extends: Vec<Extend>,
    pub(super) services: Vec<Service>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Message {
    pub(super) name: String,
    pub(super) reserved: Vec<Reserved>,
    pub(super) options: Vec<OptionStatement>,
    pub(super) fields: Vec<Field>,
    pub(super) oneofs: Vec<OneOf>,
    pub(super) groups: Vec<Group>,
    pub(super) extensions: Vec<Extensions>,
    pub(super) extends: Vec<Extend>,
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enum>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Label {
    Optional,
    Required,
    Repeated,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum FieldType {
    /// A scalar, or a message or enum as it is written.
    Named(String),
    /// `map<key, value>`
    Map(String, String),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Field {
    pub(super) label: Option<Label>,
    pub(super) r#type: FieldType,
    pub(super) name: String,
    pub(super) number: i32,
    /// Without `default` and `json_name`.
    pub(super) options: Vec<OptionStatement>,
    pub(super) default: Option<String>,
    pub(super) json_name: Option<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct OneOf {
    pub(super) name: String,
    pub(super) options: Vec<OptionStatement>,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

/// A field and its message in one. `body.name` is the group's.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Group {
    pub(super) label: Option<Label>,
    pub(super) number: i32,
    pub(super) options: Vec<OptionStatement>,
    pub(super) body: Message,
}

/// What one `reserved` statement lists.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reserved(pub(super) Vec<ReservedItem>);

#[derive(Clone, PartialEq, Debug)]
pub(super) enum ReservedItem {
    Name(String),
    Numbers(Numbers),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Numbers {
    One(i32),
    /// First and last; the last is at most [`FIELD_NUMBER_MAX`], which is also written `max`, in a message.
    Range(i32, i32),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Extensions {
    pub(super) ranges: Vec<Numbers>,
    pub(super) options: Vec<OptionStatement>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Extend {
    /// The extended message as it is written.
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) reserved: Vec<Reserved>,
    pub(super) options: Vec<OptionStatement>,
    pub(super) values: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct EnumValue {
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) options: Vec<OptionStatement>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) options: Vec<OptionStatement>,
    pub(super) methods: Vec<Method>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Method {
    pub(super) name: String,
    pub(super) input: MethodType,
    pub(super) output: MethodType,
    pub(super) options: Vec<OptionStatement>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct MethodType {
    pub(super) name: String,
    pub(super) is_stream: bool,
}

/// `name = value`, `(extension).field.(extension) = value`
#[derive(Clone, PartialEq, Debug)]
pub(super) struct OptionStatement {
    pub(super) name: NamePart,
    /// The fields within the option that are set.
    pub(super) path: Vec<NamePart>,
    pub(super) value: Value,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct NamePart {
    pub(super) name: String,
    /// In parentheses.
    pub(super) is_extension: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Value {
    Text(String),
    /// `true`, `false`, the name of an enum's value, `inf`, `nan`.
    Word(String),
    /// As written: `1`, `0x1F`, `-1.50`.
    Number(String),
    /// Keys with the brackets of an extension's: `[a.b]`.
    Message(Vec<(String, Value)>),
    List(Vec<Value>),
}

impl Value {
    /// The items of a list, or the value alone.
    pub(super) fn into_items(self) -> Vec<Self> {
        match self {
            Self::List(values) => values,
            one => vec![one],
        }
    }

    /// `values` as a list, each once, where it comes first.
    pub(super) fn each_once(mut values: Vec<Self>) -> Self {
        let mut seen = HashSet::new();
        values.retain(|value| seen.insert(value.clone()));
        Self::List(values)
    }
}

impl OptionStatement {
    /// `(a).b.c = 1` as `(a) = { b: { c: 1 } }`. Extensions lose their brackets on the way: so Confluent prints it, though
    /// it is no text format.
    pub(super) fn nested(self) -> Self {
        let value = self
            .path
            .into_iter()
            .rev()
            .fold(self.value, |value, part| Value::Message(vec![(part.name, value)]));
        Self {
            name: self.name,
            path: Vec::new(),
            value,
        }
    }

    pub(super) fn plain(name: &str, value: Value) -> Self {
        Self {
            name: NamePart {
                name: name.to_owned(),
                is_extension: false,
            },
            path: Vec::new(),
            value,
        }
    }
}

impl Value {
    /// Adds one more value of a repeated field: lists become one.
    pub(super) fn add(&mut self, more: Self) {
        if !matches!(self, Self::List(_)) {
            let first = std::mem::replace(self, Self::List(Vec::new()));
            self.add(first);
        }
        if let Self::List(values) = self {
            match more {
                Self::List(more) => values.extend(more),
                one => values.push(one),
            }
        }
    }
}
