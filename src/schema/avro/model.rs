//! A parsed Avro schema: an arena of types that point at each other by index, so that recursion by name is a
//! number and no walk has to follow ownership.
use super::canonical;
use super::defaults;
use super::normalize;
use super::parse::Parser;
use super::program::Program;
use super::validate::AvroValidator;
use crate::schema::{ReferencedSchema, SchemaError};
use serde_json::Value;
use std::sync::Arc;

/// An index into [`Model::types`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct TypeId(pub u32);

/// A name with its namespace (specification, "Names").
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    pub short: String,
    /// `None` is the null namespace.
    pub space: Option<String>,
    pub full: String,
}

/// What the three named types have in common.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub name: Name,
    pub doc: Option<String>,
    pub aliases: Vec<Name>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Ascending,
    Descending,
    Ignore,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    pub of: TypeId,
    pub doc: Option<String>,
    pub default: Option<Value>,
    pub order: Order,
    pub aliases: Vec<String>,
    pub properties: Properties,
}

/// Attributes that the specification does not name, in the order of the text (`logicalType` among them).
pub(super) type Properties = Vec<(String, Value)>;

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    Record {
        named: Named,
        is_error: bool,
        fields: Vec<Field>,
    },
    Enum {
        named: Named,
        symbols: Vec<String>,
        default: Option<String>,
    },
    Fixed {
        named: Named,
        size: u32,
    },
    /// A name whose definition comes later in the text; none is left once parsing has succeeded.
    Unresolved(String),
}

#[derive(Clone, Debug)]
pub(super) struct Type {
    pub kind: Kind,
    pub properties: Properties,
}

impl Kind {
    /// The name of the kind as the specification writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Record { .. } => "record",
            Self::Enum { .. } => "enum",
            Self::Fixed { .. } => "fixed",
            Self::Unresolved(_) => "unresolved",
        }
    }

    pub fn named(&self) -> Option<&Named> {
        match self {
            Self::Record { named, .. } | Self::Enum { named, .. } | Self::Fixed { named, .. } => Some(named),
            _ => None,
        }
    }

    /// Java's `Schema.getFullName()`: the full name of a named type, the kind's name of any other.
    pub fn full_name(&self) -> &str {
        self.named().map_or(self.name(), |named| named.name.full.as_str())
    }
}

/// The arena. Only the parser writes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub types: Vec<Type>,
}

static MISSING: Type = Type {
    kind: Kind::Null,
    properties: Vec::new(),
};

impl Model {
    pub fn get(&self, id: TypeId) -> &Type {
        self.types.get(id.0 as usize).unwrap_or(&MISSING)
    }

    pub fn kind(&self, id: TypeId) -> &Kind {
        &self.get(id).kind
    }
}

/// A parsed Avro schema with everything that it refers to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AvroSchema {
    pub(super) model: Arc<Model>,
    pub(super) root: TypeId,
    canonical: Arc<str>,
    /// The full names of the references' own types.
    pub(super) known: Arc<[String]>,
    /// Kept because the normalised text is one that is read again.
    references: Arc<[ReferencedSchema]>,
}

impl AvroSchema {
    /// Reads a schema as one that a registry already holds: names may use any Unicode letter and defaults are not
    /// checked, as Confluent's `AvroSchema(.., validateAsNew = false)` does. [`Self::check_as_new`] is the rest.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] says what is wrong and at which place of the text; [`SchemaError::OverLimit`] for
    /// more than 5 MB of text or nesting beyond the limits.
    pub fn parse(text: &str, references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        let mut parser = Parser::default();
        // Confluent writes a referenced schema by name when the reference's *own* type is met, and inlines other
        // named types of that text: `Schema.toString(Collection<Schema>, boolean)`.
        let mut known = Vec::new();
        for reference in references {
            let root = parser
                .document(&reference.text)
                .map_err(|error| in_reference(&reference.name, error))?;
            known.push(parser.model.kind(root).full_name().to_owned());
        }
        let root = parser.document(text)?;
        let canonical = canonical::text(&parser.model, root, known.clone())?.into();
        Ok(Self {
            model: Arc::new(parser.model),
            root,
            canonical,
            known: known.into(),
            references: references.into(),
        })
    }

    /// What a schema must keep besides when it is registered for the first time: ASCII names and namespaces, and
    /// defaults that fit their fields (Java's `NameValidator.STRICT_VALIDATOR` and `setValidateDefaults(true)`).
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] names the field or type.
    pub fn check_as_new(&self) -> Result<(), SchemaError> {
        defaults::check_as_new(&self.model)
    }

    #[must_use]
    pub fn has_top_level_field(&self, name: &str) -> bool {
        match self.model.kind(self.root) {
            Kind::Record { fields, .. } => fields.iter().any(|field| field.name == name),
            _ => false,
        }
    }

    /// Confluent's `canonicalString()`: Java's `Schema.toString()`, with referenced schemas by name.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.canonical.to_string()
    }

    /// Confluent's normalised form (`AvroSchema.normalize()`). Where Confluent's code fails over a schema that it
    /// accepts (a default that does not fit, which only an old registration may have), the canonical text stands.
    #[must_use]
    pub fn normalized(&self) -> String {
        normalize::text(&self.model, self.root, self.known.to_vec())
            .and_then(|text| Self::parse(&text, &self.references).ok())
            .map_or_else(|| self.canonical(), |normalized| normalized.canonical())
    }

    /// Confluent's `format=resolved`: the text with referenced types written out where they are first met.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when it nests too deep.
    pub fn resolved(&self) -> Result<String, SchemaError> {
        canonical::text(&self.model, self.root, Vec::new())
    }

    /// Compiles the program that checks payloads.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when the program would be too large.
    pub fn validator(&self) -> Result<AvroValidator, SchemaError> {
        let program = Program::compile(&self.model, self.root)?;
        Ok(AvroValidator::new(program, Arc::clone(&self.model), self.root))
    }
}

fn in_reference(name: &str, error: SchemaError) -> SchemaError {
    match error {
        // The place is one of another text.
        SchemaError::Invalid(message) | SchemaError::InvalidAt { what: message, .. } => {
            SchemaError::Invalid(format!("in reference {name}: {message}"))
        }
        SchemaError::OverLimit(message) => SchemaError::OverLimit(format!("in reference {name}: {message}")),
    }
}
