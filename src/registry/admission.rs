//! What a schema must pass on its way in: parsed with its references, brought to its canonical text, and compared
//! with earlier versions. Schemas come from anybody, so this runs on blocking threads, few at a time.

use super::errors::RegistryError;
use super::reserved;
use super::state::qualified::beside;
use super::state::{
    CompatibilityPolicy, ConfigValue, Metadata, Reference, RuleSet, SchemaContent, State, VersionId,
};
use super::state::{lenient, level_name, not_found, resolve, schema_type_from_name};
use super::tagging::RuleChanges;
use crate::schema::tags::Tagged;
use crate::schema::{CompatibilityLevel, JsonComparison, Schema, Version};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Schemas parsed or compared at the same time.
const AT_ONCE: usize = 4;
/// A client waits no longer for its schema to be parsed and compared.
const TIME_MAX: Duration = Duration::from_secs(30);
/// References of one schema.
const REFERENCES_MAX: usize = 1_000;
/// An earlier schema is quoted up to this many characters in an answer.
const QUOTED_MAX: usize = 1_024;

/// The body of a registration, a look-up and a compatibility check (Confluent's `RegisterSchemaRequest`). Other
/// fields are ignored, as there.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SchemaRequest {
    #[serde(deserialize_with = "lenient::text")]
    pub schema: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub schema_type: Option<String>,
    pub references: Option<Vec<ReferenceRequest>>,
    pub metadata: Option<Metadata>,
    pub rule_set: Option<RuleSet>,
    #[serde(deserialize_with = "lenient::integer")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "lenient::integer")]
    pub version: Option<i64>,
    /// Tags inside the schema's own text; only a registration looks at them.
    #[serde(deserialize_with = "lenient::null_is_default")]
    pub schema_tags_to_add: Vec<Tagged>,
    #[serde(deserialize_with = "lenient::null_is_default")]
    pub schema_tags_to_remove: Vec<Tagged>,
    /// The tags of the latest version are added, too.
    #[serde(deserialize_with = "lenient::null_is_default")]
    pub propagate_schema_tags: bool,
    /// What is asked for of the rules of the version before, instead of a rule set.
    #[serde(skip)]
    pub rule_changes: Option<RuleChanges>,
}

impl SchemaRequest {
    /// Whether what is registered has other tags than its text says.
    #[must_use]
    pub fn changes_tags(&self) -> bool {
        !self.schema_tags_to_add.is_empty() || !self.schema_tags_to_remove.is_empty()
    }

    fn type_name(&self) -> &str {
        self.schema_type.as_deref().unwrap_or("AVRO")
    }

    pub(super) fn invalid(&self, why: &dyn std::fmt::Display) -> RegistryError {
        let type_name = self.type_name();
        RegistryError::InvalidSchema(format!("Invalid schema of type {type_name}, details: {why}"))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReferenceRequest {
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub subject: Option<String>,
    /// -1 is the latest.
    #[serde(deserialize_with = "lenient::integer")]
    pub version: Option<i64>,
}

impl From<&Reference> for ReferenceRequest {
    fn from(reference: &Reference) -> Self {
        Self {
            name: Some(reference.name.clone()),
            subject: Some(reference.subject.clone()),
            version: Some(reference.version.into()),
        }
    }
}

/// How a request's schema is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// It has to keep rules that older registrations may break, and refers to nothing deleted (`isNew` of Confluent's
    /// `SchemaProvider`).
    pub as_new: bool,
    /// Its normalised text is its identity.
    pub normalize: bool,
}

/// A schema that was parsed.
pub struct Admitted {
    pub content: Arc<SchemaContent>,
    pub(super) schema: Schema,
}

/// The answer to "may this schema follow those?".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Compatibility {
    Compatible,
    /// Why not, in Confluent's form.
    Incompatible(Vec<String>),
}

pub struct Admission {
    permits: Arc<Semaphore>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Admission {
    /// Parses a request's schema, meant for `subject`; its references are looked up in `state`.
    ///
    /// # Errors
    /// [`RegistryError::InvalidSchema`] when it cannot be parsed within its limits.
    pub async fn parse(
        &self,
        state: Arc<State>,
        subject: Arc<str>,
        request: Arc<SchemaRequest>,
        reading: Reading,
    ) -> Result<Arc<Admitted>, RegistryError> {
        self.run(move || parse(&state, &subject, &request, reading).map(Arc::new))
            .await
    }

    /// The text of a schema registered under `subject` in another form, where its language has one.
    ///
    /// # Errors
    /// When it takes too long or no longer parses.
    pub async fn formatted(
        &self,
        state: Arc<State>,
        subject: Arc<str>,
        content: Arc<SchemaContent>,
        format: String,
    ) -> Result<String, RegistryError> {
        self.run(move || {
            let schema = parse_stored(&state, &subject, &content).map_err(RegistryError::InvalidSchema)?;
            Ok(schema.formatted(&format))
        })
        .await
    }

    /// Compares `admitted` with `previous` versions of `subject` (oldest first) as its configuration wants.
    ///
    /// # Errors
    /// Only when it takes too long or fails unexpectedly.
    pub async fn check(
        &self,
        state: Arc<State>,
        subject: Arc<str>,
        admitted: Arc<Admitted>,
        previous: Vec<(Version, Arc<SchemaContent>)>,
    ) -> Result<Compatibility, RegistryError> {
        let config = state.config_in_scope(Some(&subject));
        let rules = Rules::of(&config);
        let mut reasons = Vec::new();
        if rules.validate_fields {
            let latest = previous.last().map(|(_, latest)| &**latest);
            reasons.extend(reserved::problems(&admitted, latest));
        }
        let previous = of_group(&config, &admitted.content, previous);
        if rules.level != CompatibilityLevel::None && !previous.is_empty() {
            let found = self.run(move || check(&state, &subject, &admitted, &previous, rules));
            reasons.extend(found.await?);
        }
        let answer = if reasons.is_empty() {
            Compatibility::Compatible
        } else {
            reasons.push(format!(
                "{{validateFields: '{}', compatibility: '{}'}}",
                rules.validate_fields,
                level_name(rules.level)
            ));
            Compatibility::Incompatible(reasons)
        };
        let result = match answer {
            Compatibility::Compatible => "compatible",
            Compatibility::Incompatible(_) => "incompatible",
        };
        metrics::counter!("schema_registry_compatibility_checks_total", "result" => result).increment(1);
        Ok(answer)
    }

    /// Runs `work` on a blocking thread. A permit is held until it really ends, also when nobody waits any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let permits = self.permits.clone();
        let timed = tokio::time::timeout(TIME_MAX, async move {
            let Ok(permit) = permits.acquire_owned().await else {
                return Err(RegistryError::INTERNAL);
            };
            tokio::task::spawn_blocking(move || {
                let result = work();
                drop(permit);
                result
            })
            .await
            .unwrap_or_else(|error| {
                tracing::error!(%error, "a schema could not be looked at: this is a defect, please report it");
                Err(RegistryError::INTERNAL)
            })
        });
        timed.await.unwrap_or_else(|_| Err(too_long()))
    }
}

fn too_long() -> RegistryError {
    RegistryError::Timeout("Parsing or comparing the schema took too long".to_owned())
}

/// What a comparison goes by.
#[derive(Clone, Copy)]
struct Rules {
    level: CompatibilityLevel,
    comparison: JsonComparison,
    validate_fields: bool,
}

impl Rules {
    fn of(config: &ConfigValue) -> Self {
        Self {
            level: config.compatibility.unwrap_or(CompatibilityLevel::Backward),
            comparison: match config.compatibility_policy {
                Some(CompatibilityPolicy::Lenient) => JsonComparison::Lenient,
                // What `LOGICAL` asks for besides is not looked at.
                Some(CompatibilityPolicy::Strict | CompatibilityPolicy::Logical) | None => {
                    JsonComparison::Strict
                }
            },
            validate_fields: config.validate_fields.unwrap_or(false),
        }
    }
}

/// The versions of the schema's own compatibility group: those with the same value of the metadata property that the
/// configuration names.
fn of_group(
    config: &ConfigValue,
    content: &SchemaContent,
    mut previous: Vec<(Version, Arc<SchemaContent>)>,
) -> Vec<(Version, Arc<SchemaContent>)> {
    if let Some(group) = &config.compatibility_group {
        fn value<'a>(content: &'a SchemaContent, group: &str) -> Option<&'a String> {
            content.metadata.as_ref()?.properties.get(group)
        }
        previous.retain(|(_, old)| value(old, group) == value(content, group));
    }
    previous
}

pub(super) fn parse(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
    reading: Reading,
) -> Result<Admitted, RegistryError> {
    let text = request.schema.as_deref().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(RegistryError::InvalidSchema("Empty schema".to_owned()));
    }
    let type_name = request.type_name();
    let schema_type = schema_type_from_name(type_name)
        .ok_or_else(|| RegistryError::InvalidSchema(format!("Invalid schema type {type_name}")))?;
    let invalid = |why: &dyn std::fmt::Display| request.invalid(why);
    let references = references_of(state, subject, request, !reading.as_new).map_err(|why| invalid(&why))?;
    let mut content = SchemaContent {
        schema_type,
        text: text.into(),
        references,
        metadata: request.metadata.clone(),
        rule_set: request.rule_set.clone(),
    };
    let dependencies = resolve(state, subject, &Arc::new(content.clone())).map_err(|why| invalid(&why))?;
    let schema = Schema::parse(schema_type, text, &dependencies).map_err(|error| invalid(&error))?;
    if reading.as_new {
        schema.check_as_new().map_err(|error| invalid(&error))?;
    }
    let validates_fields = state.config_in_scope(Some(subject)).validate_fields == Some(true);
    if validates_fields && !state.mode_in_scope(Some(subject)).is_import() {
        schema.check_fields().map_err(|error| invalid(&error))?;
    }
    if reading.normalize {
        content.text = schema.normalized().into();
        let place = |reference: &Reference| (reference.subject.clone(), reference.version);
        content.references.sort_by_key(place);
        content.references.dedup();
    } else {
        content.text = schema.canonical().into();
    }
    Ok(Admitted {
        content: Arc::new(content),
        schema,
    })
}

/// Whether what was not read as new reads the same as new, so that it need not be parsed again: its references mean the
/// same versions without the deleted ones.
///
/// # Errors
/// [`RegistryError::InvalidSchema`] when it may not be new.
pub(super) fn is_as_new(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
    admitted: &Admitted,
) -> Result<bool, RegistryError> {
    let references = references_of(state, subject, request, false).map_err(|why| request.invalid(&why))?;
    if references != admitted.content.references {
        return Ok(false);
    }
    let held = admitted.schema.check_as_new();
    held.map(|()| true).map_err(|error| request.invalid(&error))
}

/// Parses what `subject` holds.
pub(super) fn parse_stored(
    state: &State,
    subject: &str,
    content: &Arc<SchemaContent>,
) -> Result<Schema, String> {
    let references = resolve(state, subject, content)?;
    Schema::parse(content.schema_type, &content.text, &references).map_err(|error| error.to_string())
}

/// A request's references, complete and with `latest` put into numbers.
fn references_of(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
    with_deleted: bool,
) -> Result<Vec<Reference>, String> {
    let requested = request.references.as_deref().unwrap_or_default();
    if requested.len() > REFERENCES_MAX {
        return Err(format!("more than {REFERENCES_MAX} references"));
    }
    requested
        .iter()
        .map(|reference| {
            let (Some(name), Some(referenced), Some(version)) =
                (&reference.name, &reference.subject, reference.version)
            else {
                return Err(format!(
                    "Invalid reference: {{name='{}', subject='{}', version={}}}",
                    reference.name.as_deref().unwrap_or("null"),
                    reference.subject.as_deref().unwrap_or("null"),
                    reference
                        .version
                        .map_or_else(|| "null".to_owned(), |version| version.to_string())
                ));
            };
            let place = beside(subject, referenced);
            let asked = VersionId::parse(&version.to_string()).map_err(|error| error.to_string())?;
            let (version, _) = state
                .version(&place, asked, with_deleted)
                .ok_or_else(|| not_found(&place, version))?;
            Ok(Reference {
                name: name.clone(),
                subject: referenced.clone(),
                version: version.0,
            })
        })
        .collect()
}

/// Why the first version that does not fit, newest first, does not; nothing when all do.
fn check(
    state: &State,
    subject: &str,
    admitted: &Admitted,
    previous: &[(Version, Arc<SchemaContent>)],
    rules: Rules,
) -> Result<Vec<String>, RegistryError> {
    use CompatibilityLevel::{
        Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive, None,
    };
    let (backward, forward, transitive) = match rules.level {
        None => return Ok(vec![]),
        Backward => (true, false, false),
        BackwardTransitive => (true, false, true),
        Forward => (false, true, false),
        ForwardTransitive => (false, true, true),
        Full => (true, true, false),
        FullTransitive => (true, true, true),
    };
    let count = if transitive { previous.len() } else { 1 };
    let started = Instant::now();
    for (version, content) in previous.iter().rev().take(count) {
        if started.elapsed() > TIME_MAX {
            // Its client has gone; the thread is free for others.
            return Err(too_long());
        }
        let mut reasons = Vec::new();
        match parse_stored(state, subject, content) {
            Err(why) => reasons.push(format!("Unexpected exception during compatibility check: {why}")),
            Ok(old) => {
                let wanted = [
                    (backward, (&admitted.schema, "new"), (&old, "old")),
                    (forward, (&old, "old"), (&admitted.schema, "new")),
                ];
                for (_, (reader, reader_is), (writer, writer_is)) in
                    wanted.iter().filter(|(wanted, ..)| *wanted)
                {
                    let found = reader.incompatibilities_under(rules.comparison, writer);
                    let found = found.iter();
                    reasons.extend(found.map(|reason| reason.confluent_message(reader_is, writer_is)));
                }
            }
        }
        if !reasons.is_empty() {
            reasons.push(format!("{{oldSchemaVersion: {}}}", version.0));
            reasons.push(quote(&content.text));
            return Ok(reasons);
        }
    }
    Ok(vec![])
}

fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!(
            "{{oldSchema: <truncated> '{}...'}}",
            text.get(..end).unwrap_or_default()
        ),
        None => format!("{{oldSchema: '{text}'}}"),
    }
}
