//! Which changes of a Protobuf schema are compatible: the rules, the order within a message, the paths and the words of
//! Confluent's `io.confluent.kafka.schemaregistry.protobuf.diff`, on linked descriptors. `docs/compatibility-protobuf.md`
//! lists them.
//!
//! The messages of the two files are compared by name, their fields by number. A message that is not in both files is
//! compared where a field refers to it. Confluent compares it again for each such field, except its fields within
//! itself; here the answer is remembered, and past [`EXACT_STEPS_MAX`] one that met itself is taken as it is.

mod difference;
mod field;

pub(super) use difference::{Difference, Kind};

use super::ProtobufSchema;
use super::source::ROOT_NAME;
use crate::schema::{Incompatibility, SchemaType};
use field::{Type, label_of, type_of};
use prost_reflect::prost_types::field_descriptor_proto::Label;
use prost_reflect::{
    EnumDescriptor, ExtensionDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor,
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;

/// Reasons that are collected; more tell nobody more.
const REASONS_MAX: usize = 100;
/// Fields that are looked at as often as Confluent does, which in a web of types that refer to each other can be
/// exponential; past these each pair of messages is compared once.
const EXACT_STEPS_MAX: u32 = 200_000;
/// How deep references nest before what is below is compared on its own, with a path of its own.
const DEPTH_MAX: usize = 64;
/// Fields that are looked at.
const STEPS_MAX: u32 = 20_000_000;

/// Why a reader with `reader` cannot read all that a writer with `writer` may have written; empty when it can.
#[must_use]
pub fn incompatibilities(reader: &ProtobufSchema, writer: &ProtobufSchema) -> Vec<Incompatibility> {
    let (differences, beyond) = compare(reader, writer, false);
    beyond.map_or_else(
        || {
            differences
                .into_iter()
                .filter_map(Difference::incompatibility)
                .collect()
        },
        |beyond| vec![beyond],
    )
}

/// All differences, also those that are compatible.
#[cfg(test)]
pub(super) fn differences(reader: &ProtobufSchema, writer: &ProtobufSchema) -> Vec<Difference> {
    compare(reader, writer, true).0
}

fn compare(
    reader: &ProtobufSchema,
    writer: &ProtobufSchema,
    keep_compatible: bool,
) -> (Vec<Difference>, Option<Incompatibility>) {
    let mut check = Check {
        reader,
        writer,
        keep_compatible,
        known: HashMap::new(),
        open: Vec::new(),
        cuts: 0,
        steps: 0,
        deferred: VecDeque::new(),
        beyond: None,
    };
    let mut found = Found::default();
    check.files(&mut found);
    check.compare_deferred(&mut found);
    (found.differences, check.beyond)
}

/// What a comparison has found so far.
#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
    incompatible: bool,
}

/// The answer for two referenced messages.
#[derive(Clone)]
struct Known {
    found: Rc<Found>,
    /// It did not depend on what it was compared within.
    exact: bool,
}

/// Full names: of the reader's message, and of the writer's.
type Pair = (String, String);

struct Check<'a> {
    reader: &'a ProtobufSchema,
    writer: &'a ProtobufSchema,
    keep_compatible: bool,
    known: HashMap<Pair, Known>,
    /// The writer's messages that are being compared: within itself a message is not compared again.
    open: Vec<String>,
    /// Times that a message was not compared because it, or one around it, was open.
    cuts: u64,
    steps: u32,
    deferred: VecDeque<(MessageDescriptor, MessageDescriptor)>,
    /// A limit was reached: there is no other answer.
    beyond: Option<Incompatibility>,
}

/// A message's fields without groups, which Confluent does not compare.
struct Fields {
    by_number: BTreeMap<u32, (FieldDescriptor, Option<String>)>,
    /// Oneofs in their order, with the numbers of their members.
    oneofs: Vec<(String, Vec<u32>)>,
}

impl Fields {
    fn of(message: &MessageDescriptor) -> Self {
        let mut by_number = BTreeMap::new();
        for field in message.fields().filter(|field| !field.is_group()) {
            let oneof = field.containing_oneof().filter(is_written);
            by_number.insert(
                field.number(),
                (field, oneof.map(|oneof| oneof.name().to_owned())),
            );
        }
        let oneofs = message.oneofs().filter(is_written).map(|oneof| {
            let members = oneof.fields().filter(|field| !field.is_group());
            (
                oneof.name().to_owned(),
                members.map(|field| field.number()).collect(),
            )
        });
        let oneofs = oneofs.collect();
        Self { by_number, oneofs }
    }

    fn has_oneof(&self, name: &str) -> bool {
        self.oneofs.iter().any(|(known, _)| known == name)
    }
}

/// Not one that stands for a proto3 `optional`.
fn is_written(oneof: &OneofDescriptor) -> bool {
    !oneof
        .fields()
        .any(|field| field.field_descriptor_proto().proto3_optional())
}

impl Check<'_> {
    fn add(&self, kind: Kind, path: &[String], found: &mut Found) {
        found.incompatible |= !kind.is_compatible();
        if found.differences.len() < REASONS_MAX && (self.keep_compatible || !kind.is_compatible()) {
            let path = format!("#/{}", path.join("/"));
            found.differences.push(Difference { kind, path });
        }
    }

    fn add_below(&self, kind: Kind, step: &str, path: &mut Vec<String>, found: &mut Found) {
        path.push(step.to_owned());
        self.add(kind, path, found);
        path.pop();
    }

    fn files(&mut self, found: &mut Found) {
        let (reader, writer) = (&self.reader.file, &self.writer.file);
        if reader.package_name() != writer.package_name() {
            self.add(Kind::PackageChanged, &[], found);
        }
        let messages = (self.reader.top_level(), self.writer.top_level());
        let enums = (reader.enums().collect(), writer.enums().collect());
        self.types(messages, enums, &mut Vec::new(), found);
    }

    /// The types of one scope, by name (`SchemaDiff.compareTypeElements`): the reader's, and the writer's.
    fn types(
        &mut self,
        (reads, writes): (Vec<MessageDescriptor>, Vec<MessageDescriptor>),
        (read_enums, written_enums): (Vec<EnumDescriptor>, Vec<EnumDescriptor>),
        path: &mut Vec<String>,
        found: &mut Found,
    ) {
        let at = places(reads.iter().map(MessageDescriptor::name));
        for (written_at, writer) in writes.iter().enumerate() {
            path.push(writer.name().to_owned());
            let read_at = at.get(writer.name()).copied();
            match read_at.and_then(|at| reads.get(at)) {
                Some(reader) => {
                    self.messages(reader, writer, path, found);
                    if read_at != Some(written_at) {
                        self.add(Kind::MessageMoved, path, found);
                    }
                }
                None if writer.is_map_entry() => {}
                None => self.add(Kind::MessageRemoved, path, found),
            }
            path.pop();
        }
        let known: HashSet<&str> = writes.iter().map(MessageDescriptor::name).collect();
        for reader in &reads {
            if !known.contains(reader.name()) && !reader.is_map_entry() {
                self.add_below(Kind::MessageAdded, reader.name(), path, found);
            }
        }
        let at = places(read_enums.iter().map(EnumDescriptor::name));
        for writer in &written_enums {
            path.push(writer.name().to_owned());
            match at.get(writer.name()).and_then(|at| read_enums.get(*at)) {
                Some(reader) => self.enums(reader, writer, path, found),
                None => self.add(Kind::EnumRemoved, path, found),
            }
            path.pop();
        }
        let known: HashSet<&str> = written_enums.iter().map(EnumDescriptor::name).collect();
        for reader in read_enums.iter().filter(|reader| !known.contains(reader.name())) {
            self.add_below(Kind::EnumAdded, reader.name(), path, found);
        }
    }

    /// `EnumSchemaDiff`: of several names for one number the last counts.
    fn enums(
        &self,
        reader: &EnumDescriptor,
        writer: &EnumDescriptor,
        path: &mut Vec<String>,
        found: &mut Found,
    ) {
        if !self.keep_compatible {
            return;
        }
        let constants = |of: &EnumDescriptor| -> BTreeMap<i32, String> {
            let values = &of.enum_descriptor_proto().value;
            values
                .iter()
                .map(|value| (value.number(), value.name().to_owned()))
                .collect()
        };
        let (reads, writes) = (constants(reader), constants(writer));
        for (number, written) in &writes {
            match reads.get(number) {
                None => self.add_below(Kind::EnumConstRemoved, &number.to_string(), path, found),
                Some(read) if read != written => {
                    self.add_below(Kind::EnumConstChanged, &number.to_string(), path, found);
                }
                Some(_) => {}
            }
        }
        for number in reads.keys().filter(|number| !writes.contains_key(number)) {
            self.add_below(Kind::EnumConstAdded, &number.to_string(), path, found);
        }
    }

    /// `MessageSchemaDiff`.
    fn messages(
        &mut self,
        reader: &MessageDescriptor,
        writer: &MessageDescriptor,
        path: &mut Vec<String>,
        found: &mut Found,
    ) {
        let within_itself = self.is_open(writer);
        self.cuts += u64::from(within_itself);
        self.open.push(writer.full_name().to_owned());
        if !within_itself {
            self.members(reader, writer, path, found);
        }
        // Not so the nested ones: Confluent compares them within themselves, too.
        if self.beyond.is_none() && !(within_itself && self.steps > EXACT_STEPS_MAX) {
            self.steps = self.steps.saturating_add(1);
            let messages = (self.reader.nested(reader), self.writer.nested(writer));
            let enums = (reader.child_enums().collect(), writer.child_enums().collect());
            self.types(messages, enums, path, found);
        }
        self.open.pop();
    }

    fn members(
        &mut self,
        reader: &MessageDescriptor,
        writer: &MessageDescriptor,
        path: &mut Vec<String>,
        found: &mut Found,
    ) {
        let (reads, writes) = (Fields::of(reader), Fields::of(writer));
        self.steps = self
            .steps
            .saturating_add((reads.by_number.len() + writes.by_number.len()) as u32);
        if self.steps > STEPS_MAX {
            let path = format!("#/{}", path.join("/"));
            self.beyond.get_or_insert_with(|| too_large(path));
        }
        if self.beyond.is_none() {
            self.oneofs(&reads, &writes, path, found);
            self.fields(&reads, &writes, path, found);
        }
    }

    fn is_open(&self, writer: &MessageDescriptor) -> bool {
        self.open.iter().any(|open| open == writer.full_name())
    }

    /// Members of one oneof exclude each other; those that did not before are the difference.
    fn oneofs(&self, reads: &Fields, writes: &Fields, path: &mut Vec<String>, found: &mut Found) {
        for (name, members) in &reads.oneofs {
            let mut from_oneofs = HashSet::new();
            let mut from_outside = 0usize;
            for number in members {
                match writes.by_number.get(number) {
                    Some((_, Some(oneof))) => {
                        from_oneofs.insert(oneof);
                    }
                    Some((_, None)) => from_outside += 1,
                    // A new field: no writer has set it.
                    None => {}
                }
            }
            if from_oneofs.len() + from_outside > 1 {
                let kind = if from_outside > 1 {
                    Kind::MultipleFieldsMovedToOneof
                } else {
                    Kind::FieldMovedToExistingOneof
                };
                self.add_below(kind, name, path, found);
            }
        }
        if self.keep_compatible {
            let names = |fields: &Fields| -> HashSet<String> {
                fields.oneofs.iter().map(|(name, _)| name.clone()).collect()
            };
            let (reads, writes) = (names(reads), names(writes));
            for name in writes.difference(&reads) {
                self.add_below(Kind::OneofRemoved, name, path, found);
            }
            for name in reads.difference(&writes) {
                self.add_below(Kind::OneofAdded, name, path, found);
            }
        }
    }

    fn fields(&mut self, reads: &Fields, writes: &Fields, path: &mut Vec<String>, found: &mut Found) {
        // A oneof that goes with all its members takes nothing away from the others.
        let gone: HashSet<&str> = writes
            .oneofs
            .iter()
            .filter(|(name, members)| {
                !reads.has_oneof(name) && !members.iter().any(|number| reads.by_number.contains_key(number))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        let numbers: std::collections::BTreeSet<u32> = reads
            .by_number
            .keys()
            .chain(writes.by_number.keys())
            .copied()
            .collect();
        for number in numbers {
            let depth = path.len();
            match (reads.by_number.get(&number), writes.by_number.get(&number)) {
                (None, Some((_, Some(oneof)))) => {
                    if !gone.contains(oneof.as_str()) {
                        path.push(oneof.clone());
                        self.add_below(Kind::OneofFieldRemoved, &number.to_string(), path, found);
                    }
                }
                (None, Some((field, None))) => {
                    let kind = match field.field_descriptor_proto().label() {
                        Label::Required => Kind::RequiredFieldRemoved,
                        _ => Kind::FieldRemoved,
                    };
                    self.add_below(kind, &number.to_string(), path, found);
                }
                (Some((_, Some(oneof))), None) => {
                    path.push(oneof.clone());
                    self.add_below(Kind::OneofFieldAdded, &number.to_string(), path, found);
                }
                (Some((field, None)), None) => {
                    let kind = match field.field_descriptor_proto().label() {
                        Label::Required => Kind::RequiredFieldAdded,
                        _ => Kind::FieldAdded,
                    };
                    self.add_below(kind, &number.to_string(), path, found);
                }
                (Some((reader, read_in)), Some((writer, written_in))) => {
                    if read_in.is_none() && written_in.is_some() {
                        self.add_below(Kind::OneofFieldMovedToTopLevel, &number.to_string(), path, found);
                    }
                    path.extend(read_in.iter().cloned());
                    path.push(number.to_string());
                    if reader.name() != writer.name() {
                        self.add(Kind::FieldNameChanged, path, found);
                    }
                    let labels = (
                        label_of(reader, read_in.is_some()),
                        label_of(writer, written_in.is_some()),
                    );
                    self.field_types(reader, writer, labels, path, found);
                }
                (None, None) => {}
            }
            path.truncate(depth);
        }
    }

    /// `FieldSchemaDiff.compareLabelsAndTypes`.
    fn field_types(
        &mut self,
        reader: &FieldDescriptor,
        writer: &FieldDescriptor,
        labels: (Option<Label>, Option<Label>),
        path: &[String],
        found: &mut Found,
    ) {
        match (type_of(reader), type_of(writer)) {
            (Type::Scalar(reads), Type::Scalar(writes)) if reads != writes => {
                self.add(Kind::FieldScalarKindChanged, path, found);
            }
            (Type::Scalar(scalar), Type::Scalar(_)) => {
                // Where one of them has none, as in proto3, Confluent does not ask.
                if let (Some(reads), Some(writes)) = labels
                    && reads != writes
                {
                    let kind = match scalar {
                        field::Scalar::StringOrBytes => Kind::FieldStringOrBytesLabelChanged,
                        _ => Kind::FieldNumericLabelChanged,
                    };
                    self.add(kind, path, found);
                }
            }
            (Type::Map(read_key, read_value), Type::Map(written_key, written_value)) => {
                self.field_types(&read_key, &written_key, (None, None), path, found);
                self.field_types(&read_value, &written_value, (None, None), path, found);
            }
            (Type::Message(reads), Type::Message(writes)) => self.message_types(&reads, &writes, path, found),
            _ => self.add(Kind::FieldKindChanged, path, found),
        }
    }

    /// `FieldSchemaDiff.compareMessageTypes`: packages may differ, names may not.
    fn message_types(
        &mut self,
        reader: &MessageDescriptor,
        writer: &MessageDescriptor,
        path: &[String],
        found: &mut Found,
    ) {
        let name = local_name(reader);
        if name != local_name(writer) {
            self.add(Kind::FieldNamedTypeChanged, path, found);
            return;
        }
        let is_local = |message: &MessageDescriptor| message.parent_file().name() == ROOT_NAME;
        if is_local(reader) && is_local(writer) {
            // Their files' messages are compared anyway.
            return;
        }
        let known = self.referenced(reader, writer);
        let room = REASONS_MAX.saturating_sub(found.differences.len());
        found
            .differences
            .extend(known.differences.iter().take(room).cloned());
        if known.incompatible {
            self.add(Kind::FieldNamedTypeChanged, path, found);
        }
    }

    /// Two messages of which at least one is another file's: their paths begin with their name.
    fn referenced(&mut self, reader: &MessageDescriptor, writer: &MessageDescriptor) -> Rc<Found> {
        let pair = (reader.full_name().to_owned(), writer.full_name().to_owned());
        if let Some(known) = self.known.get(&pair)
            && (known.exact || self.steps > EXACT_STEPS_MAX)
        {
            return Rc::clone(&known.found);
        }
        if self.open.len() >= DEPTH_MAX && !self.is_open(writer) {
            self.cuts += 1;
            self.deferred.push_back((reader.clone(), writer.clone()));
            return Rc::default();
        }
        let cuts = self.cuts;
        let mut path = local_name(reader).split('.').map(str::to_owned).collect();
        let mut found = Found::default();
        self.messages(reader, writer, &mut path, &mut found);
        let found = Rc::new(found);
        if !self.is_open(writer) {
            let known = Known {
                found: Rc::clone(&found),
                exact: self.cuts == cuts,
            };
            self.known.insert(pair, known);
        }
        found
    }

    fn compare_deferred(&mut self, found: &mut Found) {
        while let Some((reader, writer)) = self.deferred.pop_front() {
            let pair = (reader.full_name().to_owned(), writer.full_name().to_owned());
            if self.known.contains_key(&pair) {
                continue;
            }
            let known = self.referenced(&reader, &writer);
            let room = REASONS_MAX.saturating_sub(found.differences.len());
            found
                .differences
                .extend(known.differences.iter().take(room).cloned());
        }
    }
}

impl ProtobufSchema {
    /// The file's messages that stand in its text.
    fn top_level(&self) -> Vec<MessageDescriptor> {
        let groups = self.file.extensions().filter(ExtensionDescriptor::is_group);
        let groups = groups
            .filter_map(|extension| type_name(&extension.kind()))
            .collect();
        self.spelled_out(self.file.messages(), &groups)
    }

    /// A message's nested messages that stand in its text.
    fn nested(&self, message: &MessageDescriptor) -> Vec<MessageDescriptor> {
        let fields = message.fields().filter(FieldDescriptor::is_group);
        let extensions = message.child_extensions().filter(ExtensionDescriptor::is_group);
        let groups = fields
            .filter_map(|field| type_name(&field.kind()))
            .chain(extensions.filter_map(|extension| type_name(&extension.kind())))
            .collect();
        self.spelled_out(message.child_messages(), &groups)
    }

    /// Without those behind groups and `map<…>` fields.
    fn spelled_out(
        &self,
        messages: impl Iterator<Item = MessageDescriptor>,
        groups: &HashSet<String>,
    ) -> Vec<MessageDescriptor> {
        messages
            .filter(|message| !groups.contains(message.full_name()))
            .filter(|message| !message.is_map_entry() || self.spelled_entries.contains(message.full_name()))
            .collect()
    }
}

fn too_large(path: String) -> Incompatibility {
    Incompatibility {
        schema_type: SchemaType::Protobuf,
        kind: Kind::FieldNamedTypeChanged.name(),
        description: format!("The schemas are too large to be compared (path '{path}')"),
        additional_info: String::new(),
        path,
    }
}

fn type_name(kind: &prost_reflect::Kind) -> Option<String> {
    kind.as_message().map(|message| message.full_name().to_owned())
}

fn places<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    names.enumerate().map(|(place, name)| (name, place)).collect()
}

/// Without its package.
fn local_name(message: &MessageDescriptor) -> &str {
    let package = message.package_name();
    let name = message.full_name();
    name.strip_prefix(package)
        .and_then(|name| name.strip_prefix('.'))
        .filter(|_| !package.is_empty())
        .unwrap_or(name)
}
