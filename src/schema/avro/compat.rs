//! Avro schema resolution as compatibility rules (specification, "Schema Resolution"), in the order, with the
//! locations and with the words of Java's `SchemaCompatibility` and Confluent's `avro.Difference`.
//!
//! As in Java, each pair of reader and writer type is compared once; a pair that is met again, inside itself or
//! later, has the answer that it had the first time.
use super::AvroSchema;
use super::model::{Field, Kind, Model, Named, TypeId};
use crate::schema::{Incompatibility, SchemaType};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::rc::Rc;

/// Reasons that are collected; more tell nobody more, and in a fan-out of types they could grow as 2^n.
const REASONS_MAX: usize = 100;
/// Reasons that are remembered over all pairs; after these a pair only remembers that there are some.
const REMEMBERED_MAX: usize = 20_000;
/// Pairs that are compared. Two unions of n types make n^2.
const PAIRS_MAX: u32 = 400_000;
/// How deep pairs may nest.
const DEPTH_MAX: usize = 256;

const MORE: &str = "There are more differences than are listed";

type Reasons = Rc<Vec<Incompatibility>>;

/// Why a reader with `reader` cannot read all that a writer with `writer` may have written; empty when it can.
#[must_use]
pub fn incompatibilities(reader: &AvroSchema, writer: &AvroSchema) -> Vec<Incompatibility> {
    let mut check = Check {
        reader: &reader.model,
        writer: &writer.model,
        known: HashMap::new(),
        none: Rc::new(Vec::new()),
        some: Rc::new(vec![reason("TYPE_MISMATCH", MORE.to_owned(), String::new(), &[])]),
        remembered: 0,
        pairs: 0,
        depth: 0,
        beyond: None,
    };
    let reasons = check.pair(reader.root, writer.root, &mut Vec::new());
    // Within a union a branch that was not compared to its end would count as one that does not match.
    check
        .beyond
        .map_or_else(|| reasons.to_vec(), |beyond| vec![beyond])
}

/// One step of a location, which is a JSON pointer into the reader.
#[derive(Clone, Copy)]
enum Step {
    Key(&'static str),
    Index(usize),
}

fn pointer(location: &[Step]) -> String {
    let mut pointer = String::from("/");
    for (index, step) in location.iter().enumerate() {
        let slash = if index == 0 { "" } else { "/" };
        let _ = match step {
            Step::Key(key) => write!(pointer, "{slash}{key}"),
            Step::Index(index) => write!(pointer, "{slash}{index}"),
        };
    }
    pointer
}

struct Check<'a> {
    reader: &'a Model,
    writer: &'a Model,
    /// `None`: being compared now, and compatible unless proven otherwise.
    known: HashMap<(TypeId, TypeId), Option<Reasons>>,
    none: Reasons,
    /// What stands for reasons that are not remembered.
    some: Reasons,
    remembered: usize,
    pairs: u32,
    depth: usize,
    /// A limit was reached, or the reader is ambiguous: there is no other answer.
    beyond: Option<Incompatibility>,
}

impl<'a> Check<'a> {
    fn pair(&mut self, reader: TypeId, writer: TypeId, location: &mut Vec<Step>) -> Reasons {
        match self.known.get(&(reader, writer)) {
            Some(Some(reasons)) => return Rc::clone(reasons),
            Some(None) => return Rc::clone(&self.none),
            None => {}
        }
        self.pairs += 1;
        if self.beyond.is_some() || self.pairs > PAIRS_MAX || self.depth >= DEPTH_MAX {
            let path = pointer(location);
            let description = format!("The schemas are too large or too deep to be compared (path '{path}')");
            self.beyond
                .get_or_insert_with(|| reason("TYPE_MISMATCH", description, String::new(), location));
            return Rc::clone(&self.none);
        }
        self.known.insert((reader, writer), None);
        self.depth += 1;
        let mut reasons = Vec::new();
        self.compare(reader, writer, location, &mut reasons);
        self.depth -= 1;
        self.remembered += reasons.len();
        let reasons = match reasons.len() {
            0 => Rc::clone(&self.none),
            _ if self.remembered > REMEMBERED_MAX => Rc::clone(&self.some),
            _ => Rc::new(reasons),
        };
        self.known.insert((reader, writer), Some(Rc::clone(&reasons)));
        reasons
    }

    /// Compares at a step below, and takes over what it finds.
    fn below(
        &mut self,
        step: Step,
        reader: TypeId,
        writer: TypeId,
        location: &mut Vec<Step>,
        found: &mut Vec<Incompatibility>,
    ) {
        location.push(step);
        let reasons = self.pair(reader, writer, location);
        let room = REASONS_MAX.saturating_sub(found.len());
        found.extend(reasons.iter().take(room).cloned());
        location.pop();
    }

    fn compare(
        &mut self,
        reader: TypeId,
        writer: TypeId,
        location: &mut Vec<Step>,
        found: &mut Vec<Incompatibility>,
    ) {
        match (self.reader.kind(reader), self.writer.kind(writer)) {
            (Kind::Null, Kind::Null)
            | (Kind::Boolean, Kind::Boolean)
            | (Kind::Int, Kind::Int)
            | (Kind::Long, Kind::Long | Kind::Int)
            | (Kind::Float, Kind::Float | Kind::Long | Kind::Int)
            | (Kind::Double, Kind::Double | Kind::Float | Kind::Long | Kind::Int)
            | (Kind::Bytes | Kind::String, Kind::Bytes | Kind::String) => {}
            (Kind::Array(reader), Kind::Array(writer)) => {
                self.below(Step::Key("items"), *reader, *writer, location, found);
            }
            (Kind::Map(reader), Kind::Map(writer)) => {
                self.below(Step::Key("values"), *reader, *writer, location, found);
            }
            (
                Kind::Fixed {
                    named: r,
                    size: reads,
                },
                Kind::Fixed {
                    named: w,
                    size: writes,
                },
            ) => {
                names(r, w, location, found);
                sizes(*reads, *writes, location, found);
            }
            (
                Kind::Enum {
                    named: r,
                    symbols: known,
                    default,
                },
                Kind::Enum {
                    named: w,
                    symbols: written,
                    ..
                },
            ) => {
                names(r, w, location, found);
                if default.is_none() {
                    enum_symbols(known, written, location, found);
                }
            }
            (
                Kind::Record {
                    named: r,
                    fields: reads,
                    ..
                },
                Kind::Record {
                    named: w,
                    fields: writes,
                    ..
                },
            ) => {
                names(r, w, location, found);
                self.fields(reads, (writer, writes), location, found);
            }
            (Kind::Union(_), Kind::Union(branches)) => {
                for (index, branch) in branches.iter().enumerate() {
                    // Java starts a new location here.
                    if !self.pair(reader, *branch, &mut Vec::new()).is_empty() {
                        location.push(Step::Index(index));
                        missing_branch(self.writer.kind(*branch), location, found);
                        location.pop();
                    }
                }
            }
            (_, Kind::Union(branches)) => {
                for (index, branch) in branches.iter().enumerate() {
                    self.below(Step::Index(index), reader, *branch, location, found);
                }
            }
            (Kind::Union(branches), other) => {
                let reads = |branch: &TypeId| self.pair(*branch, writer, &mut Vec::new()).is_empty();
                if !branches.iter().any(reads) {
                    missing_branch(other, location, found);
                }
            }
            (reader, writer) => type_mismatch(reader, writer, location, found),
        }
    }

    fn fields(
        &mut self,
        reads: &'a [Field],
        (writer, writes): (TypeId, &'a [Field]),
        location: &mut Vec<Step>,
        found: &mut Vec<Incompatibility>,
    ) {
        let by_name: HashMap<&str, &Field> =
            writes.iter().map(|field| (field.name.as_str(), field)).collect();
        location.push(Step::Key("fields"));
        for (index, field) in reads.iter().enumerate() {
            location.push(Step::Index(index));
            let names = std::iter::once(&field.name).chain(&field.aliases);
            let mut written = names.filter_map(|name| by_name.get(name.as_str()));
            match (written.next(), written.next()) {
                (Some(written), None) => self.below(Step::Key("type"), field.of, written.of, location, found),
                (Some(_), Some(_)) => self.ambiguous(field, location),
                (None, _) if field.default.is_some() => {}
                // Java compares the field's type with the writer's record here, which never matches.
                (None, _) if matches!(self.reader.kind(field.of), Kind::Enum { default: Some(_), .. }) => {
                    self.below(Step::Key("type"), field.of, writer, location, found);
                }
                (None, _) => missing_default(field, location, found),
            }
            location.pop();
        }
        location.pop();
    }

    /// Java throws here, and Confluent's whole answer is the exception.
    fn ambiguous(&mut self, field: &Field, location: &[Step]) {
        let description = format!(
            "The field '{}' at path '{}' in the reader schema matches several fields in the writer schema",
            field.name,
            pointer(location)
        );
        self.beyond
            .get_or_insert_with(|| reason("NAME_MISMATCH", description, field.name.clone(), location));
    }
}

fn reason(
    kind: &'static str,
    description: String,
    additional_info: String,
    location: &[Step],
) -> Incompatibility {
    Incompatibility {
        schema_type: SchemaType::Avro,
        kind,
        description,
        additional_info,
        path: pointer(location),
    }
}

fn add(found: &mut Vec<Incompatibility>, reason: Incompatibility) {
    if found.len() < REASONS_MAX {
        found.push(reason);
    }
}

/// Java compares the names without their namespaces, then the reader's aliases with the writer's full name.
fn names(reader: &Named, writer: &Named, location: &mut Vec<Step>, found: &mut Vec<Incompatibility>) {
    let space = reader.name.space.is_some();
    let same = reader.name.short == writer.name.short
        // An alias in the null namespace of a type in another is `.Name` to Java, which matches nothing.
        || reader.aliases.iter().any(|alias| (alias.space.is_some() || !space) && alias.full == writer.name.full);
    if !same {
        location.push(Step::Key("name"));
        let description = format!(
            "The name of the schema has changed (path '{}')",
            pointer(location)
        );
        let info = format!("expected: {}", writer.name.full);
        add(found, reason("NAME_MISMATCH", description, info, location));
        location.pop();
    }
}

fn sizes(reads: u32, writes: u32, location: &mut Vec<Step>, found: &mut Vec<Incompatibility>) {
    if reads != writes {
        location.push(Step::Key("size"));
        let description = format!(
            "The size of FIXED type field at path '{}' in the reader schema does not match with the writer schema",
            pointer(location)
        );
        let info = format!("expected: {writes}, found: {reads}");
        add(found, reason("FIXED_SIZE_MISMATCH", description, info, location));
        location.pop();
    }
}

fn enum_symbols(
    known: &[String],
    written: &[String],
    location: &mut Vec<Step>,
    found: &mut Vec<Incompatibility>,
) {
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let missing: BTreeSet<&str> = written
        .iter()
        .map(String::as_str)
        .filter(|symbol| !known.contains(symbol))
        .collect();
    if !missing.is_empty() {
        location.push(Step::Key("symbols"));
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        let description = format!(
            "The reader schema is missing enum symbols '[{missing}]' at path '{}' in the writer schema",
            pointer(location)
        );
        add(
            found,
            reason(
                "MISSING_ENUM_SYMBOLS",
                description,
                format!("[{missing}]"),
                location,
            ),
        );
        location.pop();
    }
}

fn missing_branch(writer: &Kind, location: &[Step], found: &mut Vec<Incompatibility>) {
    let description = format!(
        "The reader schema is missing a type inside a union field at path '{}' in the writer schema",
        pointer(location)
    );
    let info = format!(
        "reader union lacking writer type: {}",
        writer.name().to_uppercase()
    );
    add(found, reason("MISSING_UNION_BRANCH", description, info, location));
}

fn type_mismatch(reader: &Kind, writer: &Kind, location: &[Step], found: &mut Vec<Incompatibility>) {
    let description = format!(
        "The type (path '{}') of a field in the reader schema does not match with the writer schema",
        pointer(location)
    );
    let info = format!(
        "reader type: {} not compatible with writer type: {}",
        reader.name().to_uppercase(),
        writer.name().to_uppercase()
    );
    add(found, reason("TYPE_MISMATCH", description, info, location));
}

fn missing_default(field: &Field, location: &[Step], found: &mut Vec<Incompatibility>) {
    let description = format!(
        "The field '{}' at path '{}' in the reader schema has no default value and is missing in the writer schema",
        field.name,
        pointer(location)
    );
    add(
        found,
        reason(
            "READER_FIELD_MISSING_DEFAULT_VALUE",
            description,
            field.name.clone(),
            location,
        ),
    );
}
