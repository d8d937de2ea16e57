//! Which changes of a JSON Schema are compatible: the rules of Confluent's registry (`io.confluent.kafka.schemaregistry.json.diff`).
//! A schema becomes a [`model`] of shapes ([`earlier`] drafts, [`later`] ones, [`keywords`]); [`check`] decides pairs of
//! them with what [`look`], [`object`], [`array`] and [`combined`] see in one pair; [`reasons`] collects
//! what to say, and [`difference`] has the words.

mod array;
mod check;
mod combined;
mod difference;
mod earlier;
mod identity;
mod keywords;
mod later;
mod look;
mod model;
mod object;
mod reasons;

use self::check::Check;
use self::model::{Loader, Model, NodeId, TooComplex};
use super::JsonSchema;
use super::draft::Draft;
use super::resources::{Located, Resources};
use crate::schema::{Incompatibility, JsonComparison};

/// Why a reader with `reader` may refuse what a writer with `writer` wrote; empty when it accepts all of it.
#[must_use]
pub fn incompatibilities(
    reader: &JsonSchema,
    writer: &JsonSchema,
    comparison: JsonComparison,
) -> Vec<Incompatibility> {
    match compare(reader, writer, comparison) {
        Ok(reasons) => reasons,
        Err(TooComplex) => vec![difference::SCHEMA_TOO_COMPLEX.incompatibility("#/".to_owned())],
    }
}

fn compare(
    reader: &JsonSchema,
    writer: &JsonSchema,
    comparison: JsonComparison,
) -> Result<Vec<Incompatibility>, TooComplex> {
    let mut model = Model::default();
    let old = load(writer, &mut model)?;
    let new = load(reader, &mut model)?;
    let mut check = Check::new(&model, comparison);
    if check.decide((old, new))? {
        return Ok(Vec::new());
    }
    Ok(reasons::collect(&mut check, (old, new)))
}

fn load<'a>(schema: &'a JsonSchema, model: &mut Model<'a>) -> Result<NodeId, TooComplex> {
    let documents = schema.documents();
    let (Some(root), Ok(resources)) = (documents.first(), Resources::new(documents)) else {
        return Err(TooComplex);
    };
    let json = &root.json;
    let loader = Loader::new(resources, model);
    let root = Located { json, resource: 0 };
    if loader.draft(0) >= Draft::Draft201909 {
        loader.run(root, later::load)
    } else {
        loader.run(root, earlier::load)
    }
}
