//! What a new schema may refuse that an old one accepted: the names and the words of Confluent's `json.diff.Difference`,
//! without those that `SchemaDiff.COMPATIBLE_CHANGES_STRICT` allows.

use crate::schema::{Incompatibility, SchemaType};

/// One way in which a reader's schema refuses what a writer's accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    pub name: &'static str,
    sentence: Sentence,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sentence {
    KeywordAdded,
    Increased,
    Decreased,
    ValueChanged,
    TypeChanged,
    Narrowed,
    Extended,
    AddedToOpen,
    RequiredAddedToUnopen,
    RemovedFromClosed,
    RemovedNotCovered,
    AddedNotCovered,
    SchemaAdded,
    TooComplex,
}

macro_rules! kinds {
    ($($sentence:ident: $($name:ident)*;)*) => {
        $($(pub const $name: Kind = Kind { name: stringify!($name), sentence: Sentence::$sentence };)*)*
        #[cfg(test)]
        pub const KINDS: &[Kind] = &[$($($name),*),*];
    };
}

kinds! {
    KeywordAdded: MAXIMUM_ADDED MINIMUM_ADDED EXCLUSIVE_MAXIMUM_ADDED EXCLUSIVE_MINIMUM_ADDED MULTIPLE_OF_ADDED
        MAX_LENGTH_ADDED MIN_LENGTH_ADDED PATTERN_ADDED REQUIRED_ATTRIBUTE_ADDED MAX_PROPERTIES_ADDED
        MIN_PROPERTIES_ADDED DEPENDENCY_ARRAY_ADDED DEPENDENCY_SCHEMA_ADDED MAX_ITEMS_ADDED MIN_ITEMS_ADDED
        MAX_CONTAINS_ADDED MIN_CONTAINS_ADDED UNIQUE_ITEMS_ADDED ADDITIONAL_ITEMS_REMOVED
        ADDITIONAL_PROPERTIES_REMOVED UNEVALUATED_PROPERTIES_REMOVED UNEVALUATED_ITEMS_REMOVED;
    Increased: MIN_LENGTH_INCREASED MINIMUM_INCREASED EXCLUSIVE_MINIMUM_INCREASED MIN_PROPERTIES_INCREASED
        MULTIPLE_OF_EXPANDED MIN_ITEMS_INCREASED MIN_CONTAINS_INCREASED;
    Decreased: MAX_LENGTH_DECREASED MAXIMUM_DECREASED MAX_ITEMS_DECREASED MAX_CONTAINS_DECREASED
        EXCLUSIVE_MAXIMUM_DECREASED MAX_PROPERTIES_DECREASED;
    ValueChanged: PATTERN_CHANGED MULTIPLE_OF_CHANGED DEPENDENCY_ARRAY_CHANGED;
    TypeChanged: TYPE_CHANGED TYPE_NARROWED COMBINED_TYPE_CHANGED COMBINED_TYPE_SUBSCHEMAS_CHANGED ENUM_ARRAY_CHANGED;
    Narrowed: ADDITIONAL_ITEMS_NARROWED ENUM_ARRAY_NARROWED SUM_TYPE_NARROWED ADDITIONAL_PROPERTIES_NARROWED
        UNEVALUATED_PROPERTIES_NARROWED UNEVALUATED_ITEMS_NARROWED;
    Extended: DEPENDENCY_ARRAY_EXTENDED PRODUCT_TYPE_EXTENDED NOT_TYPE_EXTENDED;
    AddedToOpen: REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL
        REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL
        ITEM_ADDED_TO_OPEN_CONTENT_MODEL;
    RequiredAddedToUnopen: REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL;
    RemovedFromClosed: PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL;
    RemovedNotCovered: PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
        ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL;
    AddedNotCovered: PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
        ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL;
    SchemaAdded: SCHEMA_ADDED;
    TooComplex: SCHEMA_TOO_COMPLEX;
}

impl Kind {
    /// Whether the lenient policy lets it pass (`SchemaDiff.COMPATIBLE_CHANGES_LENIENT`).
    pub fn is_let_pass(self) -> bool {
        [
            ADDITIONAL_PROPERTIES_NARROWED,
            ADDITIONAL_PROPERTIES_REMOVED,
            UNEVALUATED_PROPERTIES_NARROWED,
            UNEVALUATED_PROPERTIES_REMOVED,
            REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL,
            OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL,
            PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL,
            PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,
            PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,
        ]
        .contains(&self)
    }

    fn description(self, path: &str) -> String {
        match self.sentence {
            Sentence::KeywordAdded => format!(
                "The keyword at path '{path}' in the reader schema is not present in the writer schema"
            ),
            Sentence::Increased => format!(
                "The value at path '{path}' in the reader schema is more than its value in the writer schema"
            ),
            Sentence::Decreased => format!(
                "The value at path '{path}' in the reader schema is less than its value in the writer schema"
            ),
            Sentence::ValueChanged => {
                format!("The value at path '{path}' is different between the reader and writer schema")
            }
            Sentence::TypeChanged => format!(
                "A type at path '{path}' is different between the reader schema and the writer schema"
            ),
            Sentence::Narrowed => format!(
                "An array or combined type at path '{path}' has fewer elements in the reader schema than the writer schema"
            ),
            Sentence::Extended => format!(
                "An array or combined type at path '{path}' has more elements in the reader schema than the writer schema"
            ),
            Sentence::AddedToOpen => format!(
                "The reader schema has an open content model and has a property or item at path '{path}' which is missing in the writer schema"
            ),
            Sentence::RequiredAddedToUnopen => format!(
                "The reader schema has an unopen content model and has a required property at path '{path}' which is missing in the writer schema"
            ),
            Sentence::RemovedFromClosed => format!(
                "The reader has a closed content model and is missing a property or item present at path '{path}' in the writer schema"
            ),
            Sentence::RemovedNotCovered => format!(
                "A property or item is missing in the reader schema but present at path '{path}' in the writer schema and is not covered by its partially open content model"
            ),
            Sentence::AddedNotCovered => format!(
                "The reader schema has a property or item at path '{path}' which is missing in the writer schema and is not covered by its partially open content model"
            ),
            // Confluent has no words for it.
            Sentence::SchemaAdded => format!(
                "The reader schema has a schema at path '{path}' where the writer schema accepts everything"
            ),
            Sentence::TooComplex => {
                "The reader schema and the writer schema are too complex to be compared: use fewer or smaller oneOf, anyOf and allOf"
                    .to_owned()
            }
        }
    }

    pub fn incompatibility(self, path: String) -> Incompatibility {
        Incompatibility {
            schema_type: SchemaType::Json,
            kind: self.name,
            description: self.description(&path),
            additional_info: String::new(),
            path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KINDS;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_one_name_and_a_sentence_about_both_schemas() {
        let names: HashSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            let reason = kind.incompatibility("#/a".to_owned());
            let message = reason.confluent_message("new", "old");
            assert!(message.starts_with(&format!("{{errorType:\"{}\", description:\"", kind.name)));
            assert!(
                message.contains("he new ") && message.contains("old schema"),
                "{message}"
            );
            assert!(
                !message.contains("reader") && !message.contains("writer"),
                "{message}"
            );
            assert!(
                message.contains("'#/a'") || *kind == super::SCHEMA_TOO_COMPLEX,
                "{message}"
            );
        }
    }
}
