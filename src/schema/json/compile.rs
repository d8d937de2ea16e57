//! From documents to a program: each schema location is compiled once, from a queue and not by recursion, so
//! neither a loop of references nor a fan-out of them costs more than the places they name.

use super::document::{Json, Object};
use super::draft::Draft;
use super::keywords::Keywords;
use super::pattern::Pattern;
use super::program::{Applied, DynamicRef, Program, Subschema, SubschemaId};
use super::resources::{Document, Located, Resources, address, shorten};
use super::tape::kind;
use super::way::choose_ways;
use crate::schema::SchemaError;
use crate::schema::place::Place;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;

/// Most schema locations in a program.
const MAX_SUBSCHEMAS: usize = 100_000;
/// Most distinct patterns in a program.
const MAX_PATTERNS: usize = 2_000;
/// Longest chain of subschemas on one value (`$ref` to `allOf` to `anyOf` …): it is the stack's depth when a
/// payload is checked.
const MAX_CHAIN: u32 = 128;

/// Why a schema has no program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CompileError {
    /// It is no schema, or too large a one.
    Schema(SchemaError),
    /// It is a schema that this validator does not enforce.
    Unsupported(SchemaError),
}

impl From<SchemaError> for CompileError {
    fn from(error: SchemaError) -> Self {
        Self::Schema(error)
    }
}

/// One schema's programs, by what `format` is; the same one twice when the schema has no format.
#[derive(Clone)]
pub struct Programs {
    pub annotating: Arc<Program>,
    pub asserting: Arc<Program>,
}

/// Compiles the first of `documents`; the others are what it may refer to.
pub fn compile(documents: &[Document]) -> Result<Programs, CompileError> {
    let mut compiler = Compiler {
        resources: Resources::new(documents)?,
        subschemas: Vec::new(),
        ids: HashMap::new(),
        queue: Vec::new(),
        patterns: Vec::new(),
        pattern_ids: HashMap::new(),
        anchors: HashMap::new(),
        dynamic_anchors: HashMap::new(),
    };
    let root = match documents.first() {
        Some(document) => compiler.subschema(Located {
            json: &document.json,
            resource: 0,
        })?,
        None => 0,
    };
    compiler.drain()?;
    compiler.finish(root)
}

pub(super) struct Compiler<'a> {
    resources: Resources<'a>,
    subschemas: Vec<Subschema>,
    ids: HashMap<(usize, usize), SubschemaId>,
    queue: Vec<(SubschemaId, Located<'a>)>,
    patterns: Vec<(&'a str, &'a Json)>,
    pattern_ids: HashMap<&'a str, u32>,
    /// Names that dynamic references look for.
    anchors: HashMap<String, u32>,
    dynamic_anchors: HashMap<(u32, u32), SubschemaId>,
}

impl<'a> Compiler<'a> {
    /// The id of a schema location, which is compiled later if it is new.
    pub(super) fn subschema(&mut self, located: Located<'a>) -> Result<SubschemaId, SchemaError> {
        let key = (address(located.json), located.resource);
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        let id = self.subschemas.len();
        if id >= MAX_SUBSCHEMAS {
            return Err(SchemaError::OverLimit(format!(
                "it has more than {MAX_SUBSCHEMAS} subschemas"
            )));
        }
        self.subschemas.push(Subschema::default());
        self.ids.insert(key, id as SubschemaId);
        self.queue.push((id as SubschemaId, located));
        Ok(id as SubschemaId)
    }

    /// The id of a subschema that stands inside another one.
    pub(super) fn child(&mut self, json: &'a Json, resource: usize) -> Result<SubschemaId, SchemaError> {
        let resource = self.resources.resource_of(json, resource);
        self.subschema(Located { json, resource })
    }

    pub(super) fn pattern(&mut self, text: &'a str, place: &'a Json) -> Result<u32, SchemaError> {
        if let Some(id) = self.pattern_ids.get(text) {
            return Ok(*id);
        }
        let id = self.patterns.len() as u32;
        if self.patterns.len() >= MAX_PATTERNS {
            return Err(SchemaError::OverLimit(format!(
                "it has more than {MAX_PATTERNS} patterns"
            )));
        }
        self.patterns.push((text, place));
        self.pattern_ids.insert(text, id);
        Ok(id)
    }

    pub(super) fn invalid(&self, place: &Json, what: &str) -> SchemaError {
        let pointer = self.resources.pointer_to(place);
        let what = format!("{what} at {}", shorten(&pointer));
        match pointer.strip_prefix('#') {
            Some(own) => SchemaError::InvalidAt {
                what,
                place: Place::Pointer(own.to_owned()),
            },
            // In a reference's text.
            None => SchemaError::Invalid(what),
        }
    }

    fn drain(&mut self) -> Result<(), SchemaError> {
        loop {
            while let Some((id, located)) = self.queue.pop() {
                let compiled = self.compile(located)?;
                if let Some(subschema) = self.subschemas.get_mut(id as usize) {
                    *subschema = compiled;
                }
            }
            self.add_dynamic_anchors()?;
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }

    /// Every subschema that a dynamic reference could lead to must be compiled.
    fn add_dynamic_anchors(&mut self) -> Result<(), SchemaError> {
        let names: Vec<(String, u32)> = self
            .anchors
            .iter()
            .map(|(name, id)| (name.clone(), *id))
            .collect();
        for (name, anchor) in names {
            for resource in 0..self.resources.list.len() {
                let found = self
                    .resources
                    .list
                    .get(resource)
                    .and_then(|it| it.dynamic_anchors.get(&*name))
                    .copied();
                if let Some(json) = found {
                    let id = self.subschema(Located { json, resource })?;
                    self.dynamic_anchors.insert((resource as u32, anchor), id);
                }
            }
        }
        Ok(())
    }

    fn compile(&mut self, located: Located<'a>) -> Result<Subschema, SchemaError> {
        let Located { json, resource } = located;
        let mut subschema = Subschema {
            types: kind::ANY,
            resource: resource as u32,
            ..Subschema::default()
        };
        let object = match json {
            Json::Bool(allowed) => {
                subschema.never = !allowed;
                return Ok(subschema);
            }
            Json::Object(object) => object,
            _ => return Err(self.invalid(json, "expected a schema (an object or a boolean)")),
        };
        let Some((draft, vocabularies)) = self
            .resources
            .list
            .get(resource)
            .map(|resource| (resource.draft, resource.vocabularies))
        else {
            return Ok(subschema);
        };
        let mut applied = Applied::default();
        let hidden = self.references(object, located, draft, &mut applied)?;
        if !hidden {
            Keywords {
                compiler: self,
                object,
                json,
                resource,
                draft,
                vocabularies,
            }
            .read(&mut subschema, &mut applied)?;
        }
        applied.all.sort_unstable();
        applied.all.dedup();
        let holds_something = applied.in_place().next().is_some()
            || !applied.dynamic.is_empty()
            || applied.any.is_some()
            || applied.one.is_some()
            || applied.unevaluated_items.is_some()
            || applied.unevaluated_properties.is_some();
        subschema.applied = holds_something.then(|| Box::new(applied));
        Ok(subschema)
    }

    /// Reads `$ref`, `$dynamicRef` and `$recursiveRef`; whether they hide the other keywords.
    fn references(
        &mut self,
        object: &'a Object,
        located: Located<'a>,
        draft: Draft,
        applied: &mut Applied,
    ) -> Result<bool, SchemaError> {
        let reference = |name: &str| object.get(name).and_then(Json::as_str);
        if object.get("$ref").is_some_and(|value| value.as_str().is_none()) {
            return Err(self.invalid(located.json, "`$ref` is not a string"));
        }
        if let Some(reference) = reference("$ref") {
            let target = self.locate(located, reference)?;
            let target = self.subschema(target)?;
            applied.all.push(target);
            if draft.ref_hides_siblings() {
                return Ok(true);
            }
        }
        let (keyword, recursive) = match draft {
            Draft::Draft201909 => ("$recursiveRef", true),
            Draft::Draft202012 => ("$dynamicRef", false),
            _ => return Ok(false),
        };
        let Some(reference) = reference(keyword) else {
            return Ok(false);
        };
        let target = self.locate(located, reference)?;
        let name = if recursive {
            ""
        } else {
            reference.split_once('#').map_or("", |(_, name)| name)
        };
        let id = self.subschema(target)?;
        if (recursive || !name.is_empty()) && self.resources.is_dynamic_anchor(target, name) {
            let next = self.anchors.len() as u32;
            let anchor = *self.anchors.entry(name.to_owned()).or_insert(next);
            applied.dynamic.push(DynamicRef { target: id, anchor });
        } else {
            applied.all.push(id);
        }
        Ok(false)
    }

    fn locate(&mut self, from: Located<'a>, reference: &str) -> Result<Located<'a>, SchemaError> {
        self.resources
            .locate(from.resource, reference)
            .map_err(|error| match error {
                SchemaError::Invalid(what) => self.invalid(from.json, &what),
                other => other,
            })
    }

    fn finish(mut self, root: SubschemaId) -> Result<Programs, CompileError> {
        check_chains(&self.subschemas)?;
        let patterns = self.compile_patterns()?;
        // The program that takes `format` as an annotation never hears of it.
        let with_formats = self
            .subschemas
            .iter()
            .any(has_format)
            .then(|| self.subschemas.clone());
        self.subschemas.iter_mut().for_each(forget_format);
        let complete = |subschemas| {
            let mut program = Program {
                subschemas,
                root,
                patterns: Arc::clone(&patterns),
                dynamic: !self.anchors.is_empty(),
                dynamic_anchors: self.dynamic_anchors.clone(),
                hasher: RandomState::new(),
            };
            if !program.dynamic {
                shorten_references(&mut program);
            }
            for subschema in &mut program.subschemas {
                subschema.plain = subschema.applied.is_none() && has_no_rules(subschema);
            }
            choose_ways(&mut program.subschemas);
            Arc::new(program)
        };
        let asserting = with_formats.map(complete);
        let annotating = complete(self.subschemas);
        Ok(Programs {
            asserting: asserting.unwrap_or_else(|| Arc::clone(&annotating)),
            annotating,
        })
    }

    fn compile_patterns(&self) -> Result<Arc<[Pattern]>, CompileError> {
        let mut patterns = Vec::new();
        for (index, (text, place)) in self.patterns.iter().enumerate() {
            let pattern = Pattern::compile(text, index).map_err(|why| {
                CompileError::Unsupported(SchemaError::Invalid(format!(
                    "pattern \"{}\" at {} is not supported: {why}",
                    shorten(text),
                    shorten(&self.resources.pointer_to(place))
                )))
            })?;
            patterns.push(pattern);
        }
        Ok(patterns.into())
    }
}

fn has_format(subschema: &Subschema) -> bool {
    let rules = subschema.string.as_ref();
    rules.is_some_and(|rules| rules.format.is_some() && !rules.by_vocabulary)
}

fn forget_format(subschema: &mut Subschema) {
    subschema.string = subschema.string.take().and_then(|mut rules| {
        if !rules.by_vocabulary {
            rules.format = None;
        }
        rules.says_something().then_some(rules)
    });
}

pub(super) fn has_no_rules(subschema: &Subschema) -> bool {
    !subschema.never
        && subschema.values.is_empty()
        && subschema.number.is_none()
        && subschema.string.is_none()
        && subschema.array.is_none()
        && subschema.object.is_none()
}

/// A subschema that holds one reference and nothing else stands for its target.
fn stands_for(subschema: &Subschema) -> Option<SubschemaId> {
    let applied = subschema.applied.as_ref()?;
    let plain = subschema.types == kind::ANY
        && has_no_rules(subschema)
        && applied.dynamic.is_empty()
        && applied.any.is_none()
        && applied.one.is_none()
        && applied.unevaluated_items.is_none()
        && applied.unevaluated_properties.is_none()
        && applied.in_place().count() == 1;
    if plain { applied.all.first().copied() } else { None }
}

/// Makes everybody who names such a subschema name its target.
fn shorten_references(program: &mut Program) {
    let direct: Vec<Option<SubschemaId>> = program.subschemas.iter().map(stands_for).collect();
    let resolve = |mut id: SubschemaId| {
        // Chains are bounded: `check_chains` came before.
        while let Some(Some(target)) = direct.get(id as usize) {
            id = *target;
        }
        id
    };
    program.root = resolve(program.root);
    for subschema in &mut program.subschemas {
        subschema.for_each_id(|id| *id = resolve(*id));
        if let Some(applied) = &mut subschema.applied {
            applied.all.sort_unstable();
            applied.all.dedup();
        }
    }
}

/// Refuses schemas that would be applied to one value for ever, or through too long a chain.
fn check_chains(subschemas: &[Subschema]) -> Result<(), SchemaError> {
    const OPEN: u32 = u32::MAX;
    let next = |id: SubschemaId| -> Vec<SubschemaId> {
        subschemas
            .get(id as usize)
            .and_then(|subschema| subschema.applied.as_ref())
            .map(|applied| applied.in_place().collect())
            .unwrap_or_default()
    };
    // Length of the longest chain from each subschema, once known.
    let mut length: Vec<Option<u32>> = vec![None; subschemas.len()];
    for start in 0..subschemas.len() as u32 {
        let mut path = vec![(start, next(start), 0u32)];
        if length.get(start as usize).is_some_and(Option::is_some) {
            continue;
        }
        if let Some(slot) = length.get_mut(start as usize) {
            *slot = Some(OPEN);
        }
        while let Some((id, pending, longest)) = path.last_mut() {
            let Some(target) = pending.pop() else {
                let (id, own) = (*id, *longest + 1);
                if own > MAX_CHAIN {
                    return Err(SchemaError::OverLimit(format!(
                        "more than {MAX_CHAIN} subschemas refer to each other for one value"
                    )));
                }
                if let Some(slot) = length.get_mut(id as usize) {
                    *slot = Some(own);
                }
                path.pop();
                if let Some((_, _, longest)) = path.last_mut() {
                    *longest = (*longest).max(own);
                }
                continue;
            };
            match length.get(target as usize).copied().flatten() {
                Some(OPEN) => {
                    return Err(SchemaError::Invalid(
                        "a subschema refers to itself for the same value, so that checking would never end"
                            .to_owned(),
                    ));
                }
                Some(known) => *longest = (*longest).max(known),
                None => {
                    if let Some(slot) = length.get_mut(target as usize) {
                        *slot = Some(OPEN);
                    }
                    path.push((target, next(target), 0));
                }
            }
        }
    }
    Ok(())
}
