//! Schema text with its references to linked descriptors. Everything is in memory: no import ever reaches the
//! file system.

use super::limits::{self, Budget};
use super::program::Program;
use super::source::{ROOT_NAME, Source};
use super::validate::ProtobufValidator;
use super::{builtin, canonical, source, syntax};
use crate::schema::{ReferencedSchema, SchemaError};
use base64::prelude::{BASE64_STANDARD, Engine};
use prost_reflect::prost::Message;
use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto};
use prost_reflect::{DescriptorPool, FileDescriptor};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A parsed and linked Protobuf schema.
pub struct ProtobufSchema {
    pub(super) file: FileDescriptor,
    /// The file as it was written: type names not resolved, options not interpreted.
    pub(super) written: FileDescriptorProto,
    /// The same as its text says it.
    pub(super) tree: syntax::File,
    /// Full names of the messages behind maps that are spelled out as messages, in this file and its imports.
    pub(super) spelled_entries: HashSet<String>,
}

impl ProtobufSchema {
    /// Reads `.proto` text, or the base64 of a `FileDescriptorProto` that some clients register instead (Python's),
    /// and links it with its imports: first the references, then what Confluent's registry has built in.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] for text that does not parse or link, a missing import or an import cycle;
    /// [`SchemaError::OverLimit`] for the limits of `limits.rs`.
    pub fn parse(text: &str, references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        let mut budget = Budget::new(references)?;
        let root = source::read(ROOT_NAME, text, &mut budget)?;
        if is_empty(&root.written) {
            return Err(SchemaError::Invalid(
                "the schema defines no message, enum, service or extension".into(),
            ));
        }
        let is_descriptor = root.is_descriptor();
        let written = root.written.clone();
        let (pool, spelled_entries) = Linker::new(references, budget).link(root)?;
        let file = pool
            .get_file_by_name(ROOT_NAME)
            .ok_or_else(|| SchemaError::Invalid("the schema could not be linked".into()))?;
        if is_descriptor {
            // What is stored is text: the schema is what that text says, from the first day on.
            let tree = syntax::from_descriptor(&written, &file);
            return Self::parse_printed(&canonical::print(&tree), references);
        }
        let tree = syntax::parse(text)
            .map_err(|error| SchemaError::Invalid(format!("not a Protobuf schema: {error}")))?;
        Ok(Self {
            file,
            written,
            tree,
            spelled_entries,
        })
    }

    fn parse_printed(text: &str, references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        source::refuse_descriptor(text)?;
        Self::parse(text, references).map_err(|error| {
            SchemaError::Invalid(format!(
                "the FileDescriptorProto cannot be written as .proto text: {error}"
            ))
        })
    }

    /// The linked file.
    #[must_use]
    pub fn descriptor(&self) -> &FileDescriptor {
        &self.file
    }

    /// The text that is stored and makes the schema's identity; it parses to an equal schema.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical::print(&self.tree)
    }

    /// Confluent's normalised form (`normalize=true`): one text for schemas that differ only in the order of what has no
    /// order, in how names are written, and the like.
    #[must_use]
    pub fn normalized(&self) -> String {
        canonical::print(&canonical::normalize(self.tree.clone(), self.file.parent_pool()))
    }

    /// The text without extensions and custom options, but for Confluent's own (`format=ignore_extensions`).
    #[must_use]
    pub fn without_extensions(&self) -> String {
        canonical::print(&canonical::ignore_extensions(self.tree.clone()))
    }

    /// The base64 of the linked file's `FileDescriptorProto`: the form that Python's client reads schemas in
    /// (`format=serialized`).
    #[must_use]
    pub fn serialized(&self) -> String {
        let mut file = self.file.file_descriptor_proto().clone();
        // So Confluent's registry calls it.
        file.name = Some("default".to_owned());
        forget_derived_json_names(&mut file.message_type, &self.written.message_type);
        BASE64_STANDARD.encode(file.encode_to_vec())
    }

    /// Compiles the tables that check payloads.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when the schema reaches more messages or fields than a validator may hold.
    pub fn validator(&self) -> Result<ProtobufValidator, SchemaError> {
        Ok(ProtobufValidator::new(Arc::new(Program::compile(
            &self.file,
            &self.written,
        )?)))
    }
}

/// Whether a text parses; its imports are not looked at.
///
/// # Errors
/// [`SchemaError`] with the place.
pub fn check_syntax(text: &str) -> Result<(), SchemaError> {
    source::read(ROOT_NAME, text, &mut Budget::new(&[])?).map(|_| ())
}

/// Linking gives every field a `json_name`; only those that were written belong to the schema.
fn forget_derived_json_names(linked: &mut [DescriptorProto], written: &[DescriptorProto]) {
    for (linked, written) in linked.iter_mut().zip(written) {
        // The parser writes them for the entries of maps.
        let is_entry = source::is_implicit_map_entry(written);
        for (field, written) in linked.field.iter_mut().zip(&written.field) {
            field.json_name = written.json_name.clone().filter(|_| !is_entry);
        }
        forget_derived_json_names(&mut linked.nested_type, &written.nested_type);
    }
}

fn is_empty(file: &FileDescriptorProto) -> bool {
    file.message_type.is_empty()
        && file.enum_type.is_empty()
        && file.service.is_empty()
        && file.extension.is_empty()
        && file.public_dependency.is_empty()
}

/// Reads imports depth first, on its own stack, and adds each file to the pool after those that it imports.
struct Linker<'a> {
    references: HashMap<&'a str, &'a str>,
    budget: Budget,
    pool: DescriptorPool,
    spelled_entries: HashSet<String>,
}

impl<'a> Linker<'a> {
    fn new(references: &'a [ReferencedSchema], budget: Budget) -> Self {
        let references = references
            .iter()
            .map(|r| (r.name.as_str(), r.text.as_str()))
            .collect();
        Self {
            references,
            budget,
            pool: DescriptorPool::new(),
            spelled_entries: HashSet::new(),
        }
    }

    fn link(mut self, root: Source<'a>) -> Result<(DescriptorPool, HashSet<String>), SchemaError> {
        let mut stack = vec![(root, 0usize)];
        while let Some((file, next)) = stack.last_mut() {
            let Some(import) = file.written.dependency.get(*next) else {
                if let Some((file, _)) = stack.pop() {
                    file.note_spelled_entries(&mut self.spelled_entries);
                    file.add_to(&mut self.pool)?;
                }
                continue;
            };
            *next += 1;
            if self.pool.get_file_by_name(import).is_some() {
                continue;
            }
            let import = import.clone();
            if stack.iter().any(|(open, _)| open.written.name() == import) {
                return Err(cycle(&stack, &import));
            }
            if stack.len() >= limits::IMPORT_DEPTH_MAX {
                return Err(SchemaError::OverLimit(format!(
                    "imports are nested more than {} deep at \"{import}\"",
                    limits::IMPORT_DEPTH_MAX
                )));
            }
            let importer = file_label(stack.last().map_or("", |(open, _)| open.written.name()));
            let imported = self.open(&import, &importer)?;
            stack.push((imported, 0));
        }
        Ok((self.pool, self.spelled_entries))
    }

    fn open(&mut self, name: &str, importer: &str) -> Result<Source<'a>, SchemaError> {
        if let Some(text) = self.references.get(name) {
            return source::read(name, text, &mut self.budget);
        }
        if let Some(file) = DescriptorPool::global()
            .get_file_by_name(name)
            .filter(|file| file.package_name().starts_with("google.protobuf"))
        {
            return Ok(Source::linked(file.file_descriptor_proto().clone()));
        }
        if let Some(text) = builtin::text(name) {
            return source::read(name, text, &mut self.budget);
        }
        Err(SchemaError::Invalid(format!(
            "import \"{name}\" of {importer} is missing: register it as a subject and add a reference with this name"
        )))
    }
}

fn cycle(stack: &[(Source, usize)], import: &str) -> SchemaError {
    let mut path: Vec<&str> = stack
        .iter()
        .map(|(open, _)| open.written.name())
        .skip_while(|name| *name != import)
        .collect();
    path.push(import);
    SchemaError::Invalid(format!("import cycle: {}", path.join(" -> ")))
}

/// What an error calls a file.
pub(super) fn file_label(name: &str) -> String {
    if name == ROOT_NAME {
        "the schema".to_owned()
    } else {
        format!("\"{name}\"")
    }
}
