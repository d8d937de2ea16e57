//! What two schemas may differ in: the names, the verdicts and the words of Confluent's `protobuf.diff.Difference` and
//! `SchemaDiff.COMPATIBLE_CHANGES`.

use crate::schema::{Incompatibility, SchemaType};

/// One way in which a reader's schema departs from a writer's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::schema::protobuf) enum Kind {
    PackageChanged,
    MessageAdded,
    MessageRemoved,
    MessageMoved,
    EnumAdded,
    EnumRemoved,
    EnumConstAdded,
    EnumConstChanged,
    EnumConstRemoved,
    FieldAdded,
    FieldRemoved,
    FieldNameChanged,
    FieldKindChanged,
    FieldScalarKindChanged,
    FieldNamedTypeChanged,
    FieldNumericLabelChanged,
    FieldStringOrBytesLabelChanged,
    RequiredFieldAdded,
    RequiredFieldRemoved,
    OneofAdded,
    OneofRemoved,
    OneofFieldAdded,
    OneofFieldRemoved,
    OneofFieldMovedToTopLevel,
    MultipleFieldsMovedToOneof,
    FieldMovedToExistingOneof,
}

impl Kind {
    pub(in crate::schema::protobuf) fn name(self) -> &'static str {
        match self {
            Self::PackageChanged => "PACKAGE_CHANGED",
            Self::MessageAdded => "MESSAGE_ADDED",
            Self::MessageRemoved => "MESSAGE_REMOVED",
            Self::MessageMoved => "MESSAGE_MOVED",
            Self::EnumAdded => "ENUM_ADDED",
            Self::EnumRemoved => "ENUM_REMOVED",
            Self::EnumConstAdded => "ENUM_CONST_ADDED",
            Self::EnumConstChanged => "ENUM_CONST_CHANGED",
            Self::EnumConstRemoved => "ENUM_CONST_REMOVED",
            Self::FieldAdded => "FIELD_ADDED",
            Self::FieldRemoved => "FIELD_REMOVED",
            Self::FieldNameChanged => "FIELD_NAME_CHANGED",
            Self::FieldKindChanged => "FIELD_KIND_CHANGED",
            Self::FieldScalarKindChanged => "FIELD_SCALAR_KIND_CHANGED",
            Self::FieldNamedTypeChanged => "FIELD_NAMED_TYPE_CHANGED",
            Self::FieldNumericLabelChanged => "FIELD_NUMERIC_LABEL_CHANGED",
            Self::FieldStringOrBytesLabelChanged => "FIELD_STRING_OR_BYTES_LABEL_CHANGED",
            Self::RequiredFieldAdded => "REQUIRED_FIELD_ADDED",
            Self::RequiredFieldRemoved => "REQUIRED_FIELD_REMOVED",
            Self::OneofAdded => "ONEOF_ADDED",
            Self::OneofRemoved => "ONEOF_REMOVED",
            Self::OneofFieldAdded => "ONEOF_FIELD_ADDED",
            Self::OneofFieldRemoved => "ONEOF_FIELD_REMOVED",
            Self::OneofFieldMovedToTopLevel => "ONEOF_FIELD_MOVED_TO_TOP_LEVEL",
            Self::MultipleFieldsMovedToOneof => "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
            Self::FieldMovedToExistingOneof => "FIELD_MOVED_TO_EXISTING_ONEOF",
        }
    }

    /// A sentence for each that is not compatible; `None` for those that are.
    fn description(self, path: &str) -> Option<String> {
        Some(match self {
            Self::PackageChanged => format!(
                "The package at '{path}' in the reader schema does not match the package in the writer schema"
            ),
            Self::MessageRemoved => {
                format!("The reader schema is missing a MESSAGE type at path '{path}' in the writer schema")
            }
            Self::FieldKindChanged => format!(
                "The type of a field at path '{path}' in the reader schema does not match the writer schema"
            ),
            Self::FieldScalarKindChanged => format!(
                "The kind of a SCALAR field at path '{path}' in the reader schema does not match its kind in the writer schema"
            ),
            Self::FieldNamedTypeChanged => format!(
                "The type of a MESSAGE field at path '{path}' in the reader schema does not match its type in the writer schema"
            ),
            Self::FieldNumericLabelChanged => format!(
                "The label for a NUMERIC field at path '{path}' in the reader schema does not match its label in the writer schema"
            ),
            // Both spaces are Confluent's.
            Self::RequiredFieldAdded => format!(
                "A required field  at path '{path}' in the reader schema is missing in the writer schema"
            ),
            Self::RequiredFieldRemoved => format!(
                "The reader schema is missing a required field at path: '{path}' in the writer schema"
            ),
            Self::OneofFieldRemoved => {
                format!("The reader schema is missing a oneof field at path '{path}' in the writer schema")
            }
            Self::MultipleFieldsMovedToOneof => format!(
                "Multiple fields in the oneof at path '{path}' in the reader schema are outside a oneof in the writer schema"
            ),
            Self::FieldMovedToExistingOneof => format!(
                "A field in the oneof at path '{path}' in the reader schema is outside an existing oneof in the writer schema"
            ),
            Self::MessageAdded
            | Self::MessageMoved
            | Self::EnumAdded
            | Self::EnumRemoved
            | Self::EnumConstAdded
            | Self::EnumConstChanged
            | Self::EnumConstRemoved
            | Self::FieldAdded
            | Self::FieldRemoved
            | Self::FieldNameChanged
            | Self::FieldStringOrBytesLabelChanged
            | Self::OneofAdded
            | Self::OneofRemoved
            | Self::OneofFieldAdded
            | Self::OneofFieldMovedToTopLevel => return None,
        })
    }

    /// Whether a reader can live with it (`SchemaDiff.COMPATIBLE_CHANGES`).
    pub(in crate::schema::protobuf) fn is_compatible(self) -> bool {
        self.description("").is_none()
    }
}

/// A kind, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::schema::protobuf) struct Difference {
    pub(in crate::schema::protobuf) kind: Kind,
    /// `#/Order/3`: names of messages and oneofs, and a field's number.
    pub(in crate::schema::protobuf) path: String,
}

impl Difference {
    /// `None` for one that is compatible.
    pub(super) fn incompatibility(self) -> Option<Incompatibility> {
        let description = self.kind.description(&self.path)?;
        Some(Incompatibility {
            schema_type: SchemaType::Protobuf,
            kind: self.kind.name(),
            description,
            additional_info: String::new(),
            path: self.path,
        })
    }
}
