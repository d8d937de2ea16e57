//! The five drafts, and where each keeps its subschemas.

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft201909,
    Draft202012,
}

/// How a keyword holds subschemas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    One,
    OneOrList,
    List,
    Named,
    /// `dependencies`: by name, a schema or a list of names.
    NamedOrNames,
}

impl Draft {
    /// What a schema is read as when its `$schema` is absent or unknown: Confluent's default.
    pub const DEFAULT: Self = Self::Draft7;

    /// The draft whose meta-schema `uri` names: the addresses of Confluent's `SpecificationVersion`.
    pub fn from_meta_schema(uri: &str) -> Option<Self> {
        let uri = uri.strip_suffix('#').unwrap_or(uri);
        let path = uri
            .strip_prefix("http://")
            .or_else(|| uri.strip_prefix("https://"))?;
        Some(match path.strip_prefix("json-schema.org/")? {
            "draft-04/schema" | "schema" => Self::Draft4,
            "draft-06/schema" => Self::Draft6,
            "draft-07/schema" => Self::Draft7,
            "draft/2019-09/schema" => Self::Draft201909,
            "draft/2020-12/schema" => Self::Draft202012,
            _ => return None,
        })
    }

    pub fn id_keyword(self) -> &'static str {
        if self == Self::Draft4 { "id" } else { "$id" }
    }

    /// Whether a `$ref` hides every other keyword beside it.
    pub fn ref_hides_siblings(self) -> bool {
        self <= Self::Draft7
    }

    /// How `keyword` holds subschemas in this draft; `None` when it holds none.
    pub fn holds(self, keyword: &str) -> Option<Holds> {
        let modern = self >= Self::Draft201909;
        Some(match keyword {
            "additionalProperties" | "not" => Holds::One,
            "items" if self == Self::Draft202012 => Holds::One,
            "items" => Holds::OneOrList,
            "additionalItems" if self != Self::Draft202012 => Holds::One,
            "contains" | "propertyNames" if self >= Self::Draft6 => Holds::One,
            "if" | "then" | "else" if self >= Self::Draft7 => Holds::One,
            "unevaluatedItems" | "unevaluatedProperties" | "contentSchema" if modern => Holds::One,
            "allOf" | "anyOf" | "oneOf" => Holds::List,
            "prefixItems" if self == Self::Draft202012 => Holds::List,
            // `definitions` stays a place for subschemas in the later drafts, `$defs` is read in the earlier ones.
            "properties" | "patternProperties" | "definitions" | "$defs" => Holds::Named,
            "dependentSchemas" if modern => Holds::Named,
            // Kept by the later drafts for schemas that are older than they are.
            "dependencies" => Holds::NamedOrNames,
            _ => return None,
        })
    }
}
