//! A schema as tables for the walk: for each message that can be reached, its fields by number.
//!
//! A field is found in a dense table by its number when the number is small for the message's size, else by binary
//! search. Tables grow only with the number of fields, never with their numbers.

use super::limits;
use super::source::{group_names, is_implicit_map_entry};
use crate::schema::SchemaError;
use prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use prost_reflect::{
    Cardinality, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, Syntax,
};
use std::borrow::Cow;
use std::collections::HashMap;

const MESSAGES_MAX: usize = 100_000;
const FIELDS_MAX: usize = 500_000;
/// Required fields of one message: their bits lie on the walk's stack.
pub(super) const REQUIRED_MAX: usize = 1_024;
/// Bits that are kept while walking. Those of fields with a slot are their numbers, the others follow; what gets no bit
/// costs a second pass over the message.
const REQUIRED_BITS: u32 = u64::BITS;

/// What the walk does with a field's value when it comes in the field's own wire type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Shape {
    Unknown,
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    /// Bytes that must be UTF-8: proto3 strings.
    Text,
    Message,
    /// Only in a slot: as many bytes as its target says.
    Fixed,
    /// Only in a slot: a message without messages, packed runs and required fields, and with a slot for each field.
    Flat,
    Group,
    /// A required closed enum: a number that it does not name leaves the field unset.
    RequiredEnum,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Bit of the message's required set; 0 for what is not required, or got none.
    pub(super) required: u64,
    /// Field number and wire type of a value that stands alone; 0 for an unknown field.
    pub(super) tag: u32,
    /// Index of a message; for a closed enum, 1 more than its index; else 0.
    pub(super) target: u32,
    /// Index into `Program::labels`.
    pub(super) label: u32,
    pub(super) shape: Shape,
    /// Repeated numbers: they may also come as a packed run.
    pub(super) packable: bool,
}

impl Field {
    pub(super) const UNKNOWN: &'static Self = &Self {
        required: 0,
        tag: 0,
        target: 0,
        label: u32::MAX,
        shape: Shape::Unknown,
        packable: false,
    };

    pub(super) fn number(&self) -> u32 {
        self.tag >> 3
    }
}

/// A field with a tag of one byte (numbers 1 to 15), as the walk meets it first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// A byte that never finds this slot where there is no such field, or none of these shapes.
    pub(super) tag: u8,
    pub(super) shape: Shape,
    /// As of the field; for a fixed value, its bytes.
    pub(super) target: u32,
}

/// One for each field number from 1 to 15.
pub(super) struct Slots([Slot; SLOTS]);

const SLOTS: usize = 16;

impl Slots {
    /// The slot that a tag of one byte looks in; it is the field's only if it has the same tag.
    #[inline]
    pub(super) fn get(&self, tag: u8) -> &Slot {
        const NONE: &Slot = &Slot::none(0);
        // The index is below 16: nothing is left of this check.
        self.0.get(usize::from(tag >> 3) % SLOTS).unwrap_or(NONE)
    }

    fn new(fields: &[Field]) -> Self {
        let mut slots = [Slot::none(0); SLOTS];
        for field in fields
            .iter()
            .filter(|field| !matches!(field.shape, Shape::Group | Shape::RequiredEnum))
        {
            if let Some(slot) = slots.get_mut(field.number() as usize) {
                let (shape, target) = match field.shape {
                    Shape::Fixed64 => (Shape::Fixed, 8),
                    Shape::Fixed32 => (Shape::Fixed, 4),
                    shape => (shape, field.target),
                };
                *slot = Slot {
                    tag: field.tag as u8,
                    shape,
                    target,
                };
            }
        }
        // Bytes 0 to 7 look here: no tag is one of them, and 8 never looks here.
        if let Some(slot) = slots.first_mut() {
            *slot = Slot::none(8);
        }
        Self(slots)
    }
}

impl Slot {
    const fn none(tag: u8) -> Self {
        Self {
            tag,
            shape: Shape::Unknown,
            target: 0,
        }
    }
}

pub(super) struct Message {
    /// Indexed by field number.
    pub(super) dense: Box<[Field]>,
    /// Numbers beyond, sorted.
    pub(super) sparse: Box<[Field]>,
    /// Bits of the required fields.
    pub(super) required: u64,
    /// All required fields, as label indexes.
    pub(super) required_labels: Box<[u32]>,
    /// Not every required field has a bit.
    pub(super) is_wide: bool,
}

impl Message {
    fn is_flat(&self) -> bool {
        self.required_labels.is_empty()
            && self.sparse.is_empty()
            && self.dense.len() <= SLOTS
            && self
                .dense
                .iter()
                .all(|field| !field.packable && !matches!(field.shape, Shape::Message | Shape::Group))
    }
}

/// What the explanation says of a field. The walk does not touch it.
pub(super) struct FieldLabel {
    pub(super) name: Box<str>,
    /// `int64`, `string`, `message shop.Item` …
    pub(super) type_name: Box<str>,
    pub(super) repeated: bool,
    pub(super) map: bool,
    /// Position among the message's required fields.
    pub(super) required: Option<u32>,
    /// The message's oneof, by its index, of which the field is a member.
    pub(super) oneof: Option<u32>,
}

/// A message as Confluent's message indexes count them.
struct Node {
    message: u32,
    children: u32,
    child_count: u32,
}

#[derive(Default)]
pub(super) struct Program {
    messages: Vec<Message>,
    /// By message.
    slots: Vec<Slots>,
    /// Full names, by message.
    names: Vec<Box<str>>,
    /// The numbers that each closed enum names, sorted.
    closed_enums: Vec<Box<[i32]>>,
    labels: Vec<FieldLabel>,
    nodes: Vec<Node>,
    root_count: u32,
}

impl Program {
    pub(super) fn message(&self, id: u32) -> Option<&Message> {
        self.messages.get(id as usize)
    }

    #[inline]
    pub(super) fn slots(&self, id: u32) -> Option<&Slots> {
        self.slots.get(id as usize)
    }

    pub(super) fn label(&self, index: u32) -> Option<&FieldLabel> {
        self.labels.get(index as usize)
    }

    pub(super) fn message_name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }

    /// Whether the closed enum behind this field's target names `number`.
    pub(super) fn is_named(&self, target: u32, number: i32) -> bool {
        let index = (target as usize).wrapping_sub(1);
        self.closed_enums
            .get(index)
            .is_some_and(|numbers| numbers.binary_search(&number).is_ok())
    }

    /// Follows message indexes; none at all means the first message.
    pub(super) fn by_indexes(&self, indexes: impl IntoIterator<Item = i64>) -> Option<u32> {
        let mut indexes = indexes.into_iter();
        let first = indexes.next().unwrap_or(0);
        let mut node = self.node(0, self.root_count, first)?;
        for index in indexes {
            node = self.node(node.children, node.child_count, index)?;
        }
        Some(node.message)
    }

    fn node(&self, first: u32, count: u32, index: i64) -> Option<&Node> {
        let index = u32::try_from(index).ok().filter(|index| *index < count)?;
        self.nodes.get((first + index) as usize)
    }

    pub(super) fn compile(file: &FileDescriptor, written: &FileDescriptorProto) -> Result<Self, SchemaError> {
        let mut compiler = Compiler::default();
        compiler.index(file, written);
        let mut next = 0;
        while let Some(descriptor) = compiler.queue.get(next).cloned() {
            compiler.message(&descriptor)?;
            next += 1;
        }
        compiler.mark_flat();
        Ok(compiler.program)
    }
}

#[derive(Default)]
struct Compiler {
    program: Program,
    ids: HashMap<String, u32>,
    closed_enums: HashMap<String, u32>,
    /// Messages in order of their ids; those not compiled yet are at the end.
    queue: Vec<MessageDescriptor>,
}

impl Compiler {
    /// Message indexes count what the stored text spells as a message: not the entries of `map<…>` fields and not
    /// groups (`ProtobufSchema.toMessageName`).
    fn index(&mut self, file: &FileDescriptor, written: &FileDescriptorProto) {
        let (file, written) = effective(file, written);
        let linked: Vec<_> = file.messages().collect();
        let roots = counted(&written.message_type, &[&written.extension], linked);
        self.program.root_count = roots.len() as u32;
        let mut level = self.nodes(roots);
        // Level by level, so that siblings lie side by side.
        while !level.is_empty() {
            let mut below = Vec::new();
            for (node, written, descriptor) in level {
                let linked: Vec<_> = descriptor.child_messages().collect();
                let children = counted(
                    &written.nested_type,
                    &[&written.field, &written.extension],
                    linked,
                );
                let first = self.program.nodes.len() as u32;
                if let Some(node) = self.program.nodes.get_mut(node) {
                    node.children = first;
                    node.child_count = children.len() as u32;
                }
                below.extend(self.nodes(children));
            }
            level = below;
        }
    }

    fn nodes<'a>(
        &mut self,
        messages: Vec<(&'a DescriptorProto, MessageDescriptor)>,
    ) -> Vec<(usize, &'a DescriptorProto, MessageDescriptor)> {
        let mut added = Vec::with_capacity(messages.len());
        for (written, descriptor) in messages {
            let message = self.id(&descriptor);
            added.push((self.program.nodes.len(), written, descriptor));
            self.program.nodes.push(Node {
                message,
                children: 0,
                child_count: 0,
            });
        }
        added
    }

    fn id(&mut self, descriptor: &MessageDescriptor) -> u32 {
        if let Some(id) = self.ids.get(descriptor.full_name()) {
            return *id;
        }
        let id = self.queue.len() as u32;
        self.queue.push(descriptor.clone());
        self.ids.insert(descriptor.full_name().to_owned(), id);
        id
    }

    fn closed_enum(&mut self, enumeration: &EnumDescriptor) -> u32 {
        if let Some(target) = self.closed_enums.get(enumeration.full_name()) {
            return *target;
        }
        let mut numbers: Vec<i32> = enumeration.values().map(|value| value.number()).collect();
        numbers.sort_unstable();
        self.program.closed_enums.push(numbers.into_boxed_slice());
        let target = self.program.closed_enums.len() as u32;
        self.closed_enums
            .insert(enumeration.full_name().to_owned(), target);
        target
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> Result<(), SchemaError> {
        let mut required_labels = Vec::new();
        let mut required = 0u64;
        let mut next_bit = SLOTS as u32;
        let mut fields: Vec<Field> = Vec::new();
        let declared = descriptor.fields().map(Declared::Field);
        for field in declared.chain(descriptor.extensions().map(Declared::Extension)) {
            let mut entry = self.field(&field);
            if field.cardinality() == Cardinality::Required || is_needed_value(descriptor, &field) {
                let position = required_labels.len();
                if position >= REQUIRED_MAX {
                    return limits::over(format!(
                        "message {} has more than {REQUIRED_MAX} required fields",
                        descriptor.full_name()
                    ));
                }
                let bit = if field.number() < SLOTS as u32 {
                    field.number()
                } else {
                    next_bit += 1;
                    next_bit - 1
                };
                if bit < REQUIRED_BITS {
                    entry.required = 1 << bit;
                    required |= entry.required;
                }
                if entry.shape == Shape::Varint && entry.target != 0 {
                    entry.shape = Shape::RequiredEnum;
                }
                required_labels.push(entry.label);
                if let Some(label) = self.program.labels.get_mut(entry.label as usize) {
                    label.required = Some(position as u32);
                }
            }
            fields.push(entry);
        }
        fields.sort_unstable_by_key(Field::number);
        self.program.slots.push(Slots::new(&fields));
        if self.program.messages.len() >= MESSAGES_MAX || self.program.labels.len() > FIELDS_MAX {
            return limits::over(format!(
                "the schema reaches more than {MESSAGES_MAX} messages or {FIELDS_MAX} fields"
            ));
        }
        let dense_end = 16 + 4 * fields.len() as u32;
        let split = fields.partition_point(|field| field.number() < dense_end);
        let sparse = fields.split_off(split).into_boxed_slice();
        let mut dense = vec![*Field::UNKNOWN; fields.last().map_or(0, |last| last.number() as usize + 1)];
        for field in fields {
            if let Some(slot) = dense.get_mut(field.number() as usize) {
                *slot = field;
            }
        }
        self.program.names.push(descriptor.full_name().into());
        self.program.messages.push(Message {
            dense: dense.into_boxed_slice(),
            sparse,
            required,
            required_labels: required_labels.into_boxed_slice(),
            is_wide: next_bit > REQUIRED_BITS,
        });
        Ok(())
    }

    fn mark_flat(&mut self) {
        let flat: Vec<bool> = self.program.messages.iter().map(Message::is_flat).collect();
        let slots = self.program.slots.iter_mut().flat_map(|slots| &mut slots.0);
        for slot in slots.filter(|slot| slot.shape == Shape::Message) {
            if flat.get(slot.target as usize) == Some(&true) {
                slot.shape = Shape::Flat;
            }
        }
    }

    fn field(&mut self, field: &Declared) -> Field {
        let kind = field.kind();
        let repeated = field.cardinality() == Cardinality::Repeated;
        let (shape, wire_type) = shape(&kind, field.is_group(), field.syntax());
        let packable = repeated && matches!(shape, Shape::Varint | Shape::Fixed64 | Shape::Fixed32);
        let target = match &kind {
            Kind::Message(message) => self.id(message),
            Kind::Enum(enumeration) if is_closed(enumeration) => self.closed_enum(enumeration),
            _ => 0,
        };
        let label = self.program.labels.len() as u32;
        self.program.labels.push(FieldLabel {
            name: field.label().into(),
            type_name: type_name(&kind, field.is_group()).into(),
            repeated,
            map: field.is_map(),
            required: None,
            oneof: field.oneof(),
        });
        Field {
            required: 0,
            tag: field.number() << 3 | wire_type,
            target,
            label,
            shape,
            packable,
        }
    }
}

/// By the file that defines the enum, whatever the file of the field says.
fn is_closed(enumeration: &EnumDescriptor) -> bool {
    enumeration.parent_file().syntax() == Syntax::Proto2
}

/// A map entry without its value has the empty message for a value: not one that has required fields.
fn is_needed_value(entry: &MessageDescriptor, field: &Declared) -> bool {
    entry.is_map_entry()
        && field.number() == 2
        && field.kind().as_message().is_some_and(|value| {
            value
                .fields()
                .any(|field| field.cardinality() == Cardinality::Required)
        })
}

/// For a file that only imports one other publicly, Confluent counts that one's messages
/// (`ProtobufSchema.effectiveFile`).
fn effective<'a>(
    file: &'a FileDescriptor,
    written: &'a FileDescriptorProto,
) -> (FileDescriptor, Cow<'a, FileDescriptorProto>) {
    let is_wrapper = written.message_type.is_empty()
        && written.enum_type.is_empty()
        && written.public_dependency.len() == 1
        && written.dependency.len() == 1;
    match file.public_dependencies().next().filter(|_| is_wrapper) {
        Some(imported) => {
            let proto = imported.file_descriptor_proto().clone();
            (imported, Cow::Owned(proto))
        }
        None => (file.clone(), Cow::Borrowed(written)),
    }
}

/// The messages of one scope that indexes count, as written and as linked.
fn counted<'a>(
    written: &'a [DescriptorProto],
    fields: &[&[FieldDescriptorProto]],
    linked: Vec<MessageDescriptor>,
) -> Vec<(&'a DescriptorProto, MessageDescriptor)> {
    let groups = group_names(fields.iter().copied().flatten());
    written
        .iter()
        .zip(linked)
        .filter(|(message, _)| !is_implicit_map_entry(message) && !groups.contains(message.name()))
        .collect()
}

/// The shape and the wire type.
fn shape(kind: &Kind, is_group: bool, syntax: Syntax) -> (Shape, u32) {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => (Shape::Fixed64, 1),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => (Shape::Fixed32, 5),
        Kind::String if syntax == Syntax::Proto3 => (Shape::Text, 2),
        Kind::String | Kind::Bytes => (Shape::Bytes, 2),
        Kind::Message(_) if is_group => (Shape::Group, 3),
        Kind::Message(_) => (Shape::Message, 2),
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => (Shape::Varint, 0),
    }
}

fn type_name(kind: &Kind, is_group: bool) -> String {
    match kind {
        Kind::Message(message) if is_group => format!("group {}", message.full_name()),
        Kind::Message(message) => format!("message {}", message.full_name()),
        Kind::Enum(enumeration) => format!("enum {}", enumeration.full_name()),
        scalar => format!("{scalar:?}").to_ascii_lowercase(),
    }
}

/// A field of the message itself, or one that a file in reach adds to it.
enum Declared {
    Field(FieldDescriptor),
    Extension(ExtensionDescriptor),
}

macro_rules! of_either {
    ($($name:ident: $type:ty),*) => { $(
        fn $name(&self) -> $type {
            match self {
                Self::Field(field) => field.$name(),
                Self::Extension(field) => field.$name(),
            }
        }
    )* };
}

impl Declared {
    of_either!(number: u32, kind: Kind, cardinality: Cardinality, is_group: bool, is_map: bool);

    fn label(&self) -> String {
        match self {
            Self::Field(field) => field.name().to_owned(),
            Self::Extension(field) => format!("[{}]", field.full_name()),
        }
    }

    fn oneof(&self) -> Option<u32> {
        match self {
            Self::Field(field) => field.field_descriptor_proto().oneof_index,
            Self::Extension(_) => None,
        }
        .and_then(|index| u32::try_from(index).ok())
    }

    fn syntax(&self) -> Syntax {
        match self {
            Self::Field(field) => field.parent_file().syntax(),
            Self::Extension(field) => field.parent_file().syntax(),
        }
    }
}
