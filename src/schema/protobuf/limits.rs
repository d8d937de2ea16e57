//! What keeps parsing bounded. The parser and the linker are libraries: what could make them recurse or allocate out
//! of proportion is counted before they see it.

use crate::schema::{ReferencedSchema, SchemaError};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, UninterpretedOption,
};

/// Bytes of one schema's text.
pub(super) const TEXT_BYTES_MAX: usize = 5_000_000;
/// Bytes of a schema and its references together.
const TOTAL_BYTES_MAX: usize = 16_000_000;
/// Bytes of a FileDescriptorProto: two bytes of it can become a message of hundreds in memory.
pub(super) const DESCRIPTOR_BYTES_MAX: usize = 1_000_000;
/// Statements (`;` and `{`) of one text, for the same reason.
const STATEMENTS_MAX: usize = 200_000;
const REFERENCES_MAX: usize = 1_000;
const IMPORTS_MAX: usize = 1_000;
/// Fields times ranges of one message, values times ranges of one enum: the linker compares each with each.
const COMPARISONS_MAX: usize = 20_000_000;
pub(super) const IMPORT_DEPTH_MAX: usize = 100;
/// protoc's limit on nested message declarations.
const NESTING_MAX: usize = 31;
/// Depth of `{}`, `<>` and `[]` in an option's value: the linker's text-format parser recurses on them.
const OPTION_DEPTH_MAX: usize = 32;
/// Bytes of all full names of a schema: a long package repeats in the name of everything.
const NAME_BYTES_MAX: usize = 32_000_000;
/// Components of a package: the linker tries a name in each scope around it.
const PACKAGE_PARTS_MAX: usize = 64;

/// What is left for a schema and all its imports.
pub(super) struct Budget {
    bytes: usize,
    name_bytes: usize,
}

impl Budget {
    pub(super) fn new(references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        if references.len() > REFERENCES_MAX {
            return over(format!(
                "{} references, at most {REFERENCES_MAX}",
                references.len()
            ));
        }
        Ok(Self {
            bytes: TOTAL_BYTES_MAX,
            name_bytes: NAME_BYTES_MAX,
        })
    }

    /// Before a text is parsed.
    pub(super) fn text(&mut self, label: &str, text: &str) -> Result<(), SchemaError> {
        if text.len() > TEXT_BYTES_MAX {
            return over(format!(
                "{label} has {} bytes, at most {TEXT_BYTES_MAX}",
                text.len()
            ));
        }
        let statements = text.bytes().filter(|byte| matches!(byte, b';' | b'{')).count();
        if statements > STATEMENTS_MAX {
            return over(format!(
                "{label} has {statements} statements, at most {STATEMENTS_MAX}"
            ));
        }
        match self.bytes.checked_sub(text.len()) {
            Some(left) => self.bytes = left,
            None => {
                return over(format!(
                    "schema and references have more than {TOTAL_BYTES_MAX} bytes"
                ));
            }
        }
        Ok(())
    }

    /// Before a parsed file is linked.
    pub(super) fn file(&mut self, label: &str, file: &FileDescriptorProto) -> Result<(), SchemaError> {
        let package = file.package().len();
        let parts = file.package().split('.').count();
        if parts > PACKAGE_PARTS_MAX {
            return over(format!(
                "the package of {label} has {parts} parts, at most {PACKAGE_PARTS_MAX}"
            ));
        }
        for message in &file.message_type {
            self.message(label, message, package, 1)?;
        }
        if file.dependency.len() > IMPORTS_MAX {
            return over(format!(
                "{label} has {} imports, at most {IMPORTS_MAX}",
                file.dependency.len()
            ));
        }
        for enumeration in &file.enum_type {
            self.enumeration(enumeration, package)?;
        }
        for service in &file.service {
            let scope = package + service.name().len();
            self.names(service.method.iter().map(|method| method.name().len()), scope)?;
        }
        self.names(file.extension.iter().map(|field| field.name().len()), package)
    }

    fn message(
        &mut self,
        label: &str,
        message: &DescriptorProto,
        scope: usize,
        depth: usize,
    ) -> Result<(), SchemaError> {
        if depth > NESTING_MAX {
            return over(format!("{label} nests messages more than {NESTING_MAX} deep"));
        }
        let scope = scope + 1 + message.name().len();
        self.names([0], scope)?;
        self.names(
            message
                .field
                .iter()
                .chain(&message.extension)
                .map(|field| field.name().len()),
            scope,
        )?;
        self.names(message.oneof_decl.iter().map(|oneof| oneof.name().len()), scope)?;
        let ranges =
            message.reserved_range.len() + message.extension_range.len() + message.reserved_name.len();
        comparisons(message.name(), message.field.len(), ranges)?;
        for enumeration in &message.enum_type {
            self.enumeration(enumeration, scope)?;
        }
        for nested in &message.nested_type {
            self.message(label, nested, scope, depth + 1)?;
        }
        Ok(())
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptorProto, scope: usize) -> Result<(), SchemaError> {
        let ranges = enumeration.reserved_range.len() + enumeration.reserved_name.len();
        comparisons(enumeration.name(), enumeration.value.len(), ranges)?;
        self.names([enumeration.name().len()], scope)?;
        self.names(enumeration.value.iter().map(|value| value.name().len()), scope)
    }

    fn names(&mut self, lengths: impl IntoIterator<Item = usize>, scope: usize) -> Result<(), SchemaError> {
        for length in lengths {
            match self.name_bytes.checked_sub(scope + 1 + length) {
                Some(left) => self.name_bytes = left,
                None => {
                    return over(format!(
                        "the full names of the schema's definitions have more than {NAME_BYTES_MAX} bytes"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn comparisons(name: &str, members: usize, ranges: usize) -> Result<(), SchemaError> {
    // Ranges are compared with each other too.
    if (members + ranges).saturating_mul(ranges) > COMPARISONS_MAX {
        return over(format!(
            "{name} has {ranges} reserved or extension ranges, too many for its {members} members"
        ));
    }
    Ok(())
}

/// An option's aggregate value, `{ … }`, may not nest too deep.
pub(super) fn option_depth(option: &UninterpretedOption) -> Result<(), SchemaError> {
    let Some(text) = &option.aggregate_value else {
        return Ok(());
    };
    let mut depth = 0usize;
    let mut quote = None;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), _) => {
                if byte == open {
                    quote = None;
                }
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{' | b'<' | b'[') => depth += 1,
            (None, b'}' | b'>' | b']') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth > OPTION_DEPTH_MAX {
            return over(format!(
                "an option's value nests more than {OPTION_DEPTH_MAX} deep"
            ));
        }
    }
    Ok(())
}

pub(super) fn over<T>(what: String) -> Result<T, SchemaError> {
    Err(SchemaError::OverLimit(what))
}
