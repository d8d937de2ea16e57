//! Where we are known to differ, one name each; `docs/validation-avro.md` has a row for each, with the
//! specification's sentence.

use crate::apache;
use portcullis::schema::{Mismatch, MismatchKind, SchemaError};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// Any byte is a boolean to Java.
    AnyBoolean,
    /// Java does not look at a string's bytes.
    StringsUnread,
    /// Java drops bits beyond an int's 32.
    IntBitsDropped,
    /// Bits beyond a long's 64 are dropped.
    LongBitsDropped,
    /// apache-avro reads an int of up to ten bytes.
    LongInt,
    /// The size of a block is read and not used.
    BlockSizeUnused,
    /// Deeper than we walk.
    Depth,
    /// A plain `bytes` takes anything here.
    RootBytes,
    /// Items that take no bytes are built, within limits on memory.
    ItemsBuilt,
    /// apache-avro reads a uuid's text.
    UuidRead,
    /// apache-avro reads the number in a big-decimal's bytes.
    BigDecimalRead,
    /// apache-avro does not stop at a depth: it is not asked.
    NotAsked,
}

/// Java's, of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Valid,
    Invalid,
    /// Over one of the library's own limits on memory.
    OverLimit,
    StackOverflow,
}

type Ours = Result<(), Mismatch>;

/// Why Java says otherwise, if it is known.
pub fn with_java(ours: &Ours, java: Verdict, root_is_bytes: bool) -> Option<Reason> {
    let Err(found) = ours else {
        return match java {
            Verdict::OverLimit if !root_is_bytes => Some(Reason::ItemsBuilt),
            Verdict::Invalid | Verdict::OverLimit if root_is_bytes => Some(Reason::RootBytes),
            _ => None,
        };
    };
    let says = |end: &str| found.expected.ends_with(end);
    Some(match () {
        () if found.kind == MismatchKind::OverLimit => Reason::Depth,
        () if says("expected boolean, found a byte other than 0 and 1") => Reason::AnyBoolean,
        () if says("found bytes that are not UTF-8") => Reason::StringsUnread,
        () if says("expected int, found more than 32 bits") || index_of_more_than_32_bits(found) => {
            Reason::IntBitsDropped
        }
        () if says("found more than 64 bits") => Reason::LongBitsDropped,
        () if is_block_size(found) => Reason::BlockSizeUnused,
        () => return None,
    })
}

/// Why apache-avro says otherwise, if it is known.
pub fn with_apache_avro(
    ours: &Ours,
    text: &str,
    payload: &[u8],
    error: Option<&str>,
    root_is_bytes: bool,
) -> Option<Reason> {
    let Err(found) = ours else {
        // It reads the content of some logical types: without them it must say what we say.
        let without = |logical: &[&str]| {
            let plain = logical.iter().fold(text.to_owned(), |text, logical| {
                text.replace(&format!(r#""logicalType":"{logical}""#), r#""no":"logical type""#)
            });
            plain != text
                && apache::schema(&plain).is_ok_and(|plain| {
                    let says = apache::payload(&plain, payload);
                    says.map_or_else(|error| error.starts_with("Unable to allocate"), |()| true)
                })
        };
        return Some(match () {
            () if root_is_bytes => Reason::RootBytes,
            () if error?.starts_with("Unable to allocate") => Reason::ItemsBuilt,
            () if without(&["big-decimal"]) => Reason::BigDecimalRead,
            () if without(&["uuid"]) || without(&["uuid", "big-decimal"]) => Reason::UuidRead,
            () => return None,
        });
    };
    let says = |end: &str| found.expected.ends_with(end);
    Some(match () {
        () if says("found more than 64 bits") => Reason::LongBitsDropped,
        () if says("found a number of more bytes than it may have") => Reason::LongInt,
        () if is_block_size(found) => Reason::BlockSizeUnused,
        () => return None,
    })
}

fn is_block_size(found: &Mismatch) -> bool {
    ["block to end where its size says", "block of its stated size"]
        .iter()
        .any(|known| found.expected.contains(known))
}

fn index_of_more_than_32_bits(found: &Mismatch) -> bool {
    let index = found.expected.rsplit_once(", found index ");
    index.is_some_and(|(_, index)| index.parse::<i64>().unwrap().unsigned_abs() >= 1 << 31)
}

pub fn is_depth(ours: &Ours) -> bool {
    matches!(ours, Err(found) if found.kind == MismatchKind::OverLimit)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SchemaReason {
    /// A registry's Java takes any name where the schema is an old one.
    NamesChecked,
    /// Java puts null for a symbol that is not text, where the schema is an old one.
    SymbolsUnread,
    /// Java since 1.12.1 wants a name alone, not in an object's `type`.
    NameInObject,
    /// Java does not find a type without namespace from within another while it is being defined.
    OpenWithoutNamespace,
    /// Java throws where a union's default is held to a record that is still being defined.
    DefaultOfOpenRecord,
    /// To Java a number that no double holds is infinite.
    NumberBeyondDouble,
    /// JSON nested deeper than we read.
    Nesting,
}

/// Why Java parses or refuses what we do not, if it is known.
pub fn of_schema(text: &str, ours: &Result<(), SchemaError>, java: &str) -> Option<SchemaReason> {
    let Err(refusal) = ours else {
        return Some(match () {
            () if is_undefined_in_namespace(text, java) => SchemaReason::OpenWithoutNamespace,
            () if java.ends_with("AvroRuntimeException: Schema fields not set yet") => {
                SchemaReason::DefaultOfOpenRecord
            }
            () if java.contains(r#"A schema "type" MUST be a primitive type"#) => SchemaReason::NameInObject,
            () => return None,
        });
    };
    if matches!(refusal, SchemaError::OverLimit(what) if what.starts_with("the schema is nested too deeply"))
    {
        return Some(SchemaReason::Nesting);
    }
    let refusal = refusal.to_string();
    Some(match () {
        () if ["Illegal initial character", "Illegal character in", "Empty name"]
            .iter()
            .any(|known| refusal.starts_with(known)) =>
        {
            SchemaReason::NamesChecked
        }
        () if refusal.starts_with("not JSON: number out of range") => SchemaReason::NumberBeyondDouble,
        () if refusal.starts_with("an enum symbol is a string") => SchemaReason::SymbolsUnread,
        () => return None,
    })
}

/// The name that Java does not find within a namespace is a type's without one.
fn is_undefined_in_namespace(text: &str, java: &str) -> bool {
    let name = java
        .split_once("Undefined schema: ")
        .and_then(|(_, name)| name.rsplit_once('.'));
    name.is_some_and(|(_, short)| text.contains(&format!(r#""name":"{short}""#)))
}

/// Why apache-avro does not read what is a schema to Java and to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ApacheSchemaReason {
    /// It checks defaults always, and a logical type's more strictly.
    DefaultsFit,
    /// It does not look for a name without a namespace beyond the namespace around it, nor for one defined later.
    NamesFound,
    LogicalTypeIsText,
    /// It checks all names and namespaces, always.
    NamesChecked,
    /// It takes no union without branches.
    EmptyUnion,
    /// It takes the empty namespace for none given, and so for the one around it.
    EmptyNamespace,
    /// It panics where an error speaks of a schema with an attribute of another kind than it should have.
    Panics,
}

pub fn to_apache_avro(text: &str, error: &str) -> Option<ApacheSchemaReason> {
    Some(match () {
        () if error.starts_with("`default`'s value type of field") => ApacheSchemaReason::DefaultsFit,
        () if error.starts_with("Unknown primitive type")
            || error.starts_with("Unresolved schema reference") =>
        {
            ApacheSchemaReason::NamesFound
        }
        () if error.contains("must match the `default`'s value type") => ApacheSchemaReason::DefaultsFit,
        () if [
            "Invalid schema name",
            "Invalid namespace",
            "Invalid enum symbol name",
            "Invalid field name",
        ]
        .iter()
        .any(|known| error.starts_with(known)) =>
        {
            ApacheSchemaReason::NamesChecked
        }
        () if error.starts_with("Default value for an enum must be a string") => {
            ApacheSchemaReason::DefaultsFit
        }
        () if error.starts_with("Two named schema defined for same fullname")
            && text.contains(r#""namespace":"""#) =>
        {
            ApacheSchemaReason::EmptyNamespace
        }
        () if error == "panics" => ApacheSchemaReason::Panics,
        () if error == "Union type should not be empty" => ApacheSchemaReason::EmptyUnion,
        () if error.starts_with("logicalType must be a string") => ApacheSchemaReason::LogicalTypeIsText,
        () => return None,
    })
}
