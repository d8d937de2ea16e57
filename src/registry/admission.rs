//! What a schema must pass on its way in: parsed with its references, brought to its canonical text, and compared
//! with earlier versions. Schemas come from anybody, so this runs on blocking threads, few at a time.

use super::errors::RegistryError;
use super::state::{Metadata, schema_type_from_name, subject_name};
use super::state::{Reference, SchemaContent, State, VersionId, level_name, resolve};
use crate::schema::{CompatibilityLevel, Schema, Version};
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
/// fields are ignored, as its community edition does with rule sets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SchemaRequest {
    pub schema: Option<String>,
    pub schema_type: Option<String>,
    pub references: Option<Vec<ReferenceRequest>>,
    pub metadata: Option<Metadata>,
    pub id: Option<i64>,
    pub version: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ReferenceRequest {
    pub name: Option<String>,
    pub subject: Option<String>,
    /// -1 is the latest.
    pub version: Option<i64>,
}

/// A schema that was parsed.
pub struct Admitted {
    pub content: Arc<SchemaContent>,
    schema: Schema,
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
    /// Parses a request's schema; its references are looked up in `state`. A schema that is offered as `new` has to
    /// keep rules that older registrations may break (`isNew` of Confluent's `SchemaProvider`).
    ///
    /// # Errors
    /// [`RegistryError::InvalidSchema`] when it cannot be parsed within its limits.
    pub async fn parse(
        &self,
        state: Arc<State>,
        request: Arc<SchemaRequest>,
        new: bool,
    ) -> Result<Arc<Admitted>, RegistryError> {
        self.run(move || parse(&state, &request, new).map(Arc::new)).await
    }

    /// The text of a registered schema in another form, where its language has one.
    ///
    /// # Errors
    /// When it takes too long or no longer parses.
    pub async fn formatted(
        &self,
        state: Arc<State>,
        content: Arc<SchemaContent>,
        format: String,
    ) -> Result<Option<String>, RegistryError> {
        self.run(move || {
            let references = resolve(&state, &content).map_err(RegistryError::InvalidSchema)?;
            let schema = Schema::parse(content.schema_type, &content.text, &references)
                .map_err(|error| RegistryError::InvalidSchema(error.to_string()))?;
            Ok(schema.formatted(&format))
        })
        .await
    }

    /// Compares `admitted` with `previous` (oldest first) at `level`.
    ///
    /// # Errors
    /// Only when it takes too long or fails unexpectedly.
    pub async fn check(
        &self,
        state: Arc<State>,
        admitted: Arc<Admitted>,
        previous: Vec<(Version, Arc<SchemaContent>)>,
        level: CompatibilityLevel,
    ) -> Result<Compatibility, RegistryError> {
        let answer = if level == CompatibilityLevel::None || previous.is_empty() {
            Compatibility::Compatible
        } else {
            self.run(move || check(&state, &admitted, &previous, level))
                .await?
        };
        let result = match answer {
            Compatibility::Compatible => "compatible",
            Compatibility::Incompatible(_) => "incompatible",
        };
        metrics::counter!("schema_registry_compatibility_checks_total", "result" => result).increment(1);
        Ok(answer)
    }

    /// Runs `work` on a blocking thread. A permit is held until it really ends, also when nobody waits any more.
    async fn run<T: Send + 'static>(
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

fn parse(state: &State, request: &SchemaRequest, new: bool) -> Result<Admitted, RegistryError> {
    let text = request.schema.as_deref().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(RegistryError::InvalidSchema("Empty schema".to_owned()));
    }
    let type_name = request.schema_type.as_deref().unwrap_or("AVRO");
    let schema_type = schema_type_from_name(type_name)
        .ok_or_else(|| RegistryError::InvalidSchema(format!("Invalid schema type {type_name}")))?;
    let invalid = |why: &dyn std::fmt::Display| {
        RegistryError::InvalidSchema(format!("Invalid schema of type {type_name}, details: {why}"))
    };
    let references = references_of(state, request).map_err(|why| invalid(&why))?;
    let mut content = SchemaContent {
        schema_type,
        text: text.into(),
        references,
        metadata: request.metadata.clone(),
    };
    let dependencies = resolve(state, &Arc::new(content.clone())).map_err(|why| invalid(&why))?;
    let schema = Schema::parse(schema_type, text, &dependencies).map_err(|error| invalid(&error))?;
    if new {
        schema.check_as_new().map_err(|error| invalid(&error))?;
    }
    content.text = schema.canonical().into();
    Ok(Admitted {
        content: Arc::new(content),
        schema,
    })
}

/// A request's references, complete and with `latest` put into numbers.
fn references_of(state: &State, request: &SchemaRequest) -> Result<Vec<Reference>, String> {
    let requested = request.references.as_deref().unwrap_or_default();
    if requested.len() > REFERENCES_MAX {
        return Err(format!("more than {REFERENCES_MAX} references"));
    }
    requested
        .iter()
        .map(|reference| {
            let (Some(name), Some(subject), Some(version)) =
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
            let subject = subject_name(subject).map_err(|error| error.to_string())?;
            let asked = VersionId::parse(&version.to_string()).map_err(|error| error.to_string())?;
            let (version, _) = state.version(subject, asked, true).ok_or_else(|| {
                format!("No schema reference found for subject \"{subject}\" and version {version}")
            })?;
            Ok(Reference {
                name: name.clone(),
                subject: subject.to_owned(),
                version: version.0,
            })
        })
        .collect()
}

fn check(
    state: &State,
    admitted: &Admitted,
    previous: &[(Version, Arc<SchemaContent>)],
    level: CompatibilityLevel,
) -> Result<Compatibility, RegistryError> {
    use CompatibilityLevel::{
        Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive, None,
    };
    let (backward, forward, transitive) = match level {
        None => return Ok(Compatibility::Compatible),
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
        match resolve(state, content).and_then(|dependencies| {
            Schema::parse(content.schema_type, &content.text, &dependencies)
                .map_err(|error| error.to_string())
        }) {
            Err(why) => reasons.push(format!("Unexpected exception during compatibility check: {why}")),
            Ok(old) => {
                let found = [
                    backward.then(|| (admitted.schema.incompatibilities(&old), "new", "old")),
                    forward.then(|| (old.incompatibilities(&admitted.schema), "old", "new")),
                ];
                for (found, reader, writer) in found.into_iter().flatten() {
                    reasons.extend(
                        found
                            .iter()
                            .map(|reason| reason.confluent_message(reader, writer)),
                    );
                }
            }
        }
        if !reasons.is_empty() {
            reasons.push(format!("{{oldSchemaVersion: {}}}", version.0));
            reasons.push(quote(&content.text));
            reasons.push(format!(
                "{{validateFields: 'false', compatibility: '{}'}}",
                level_name(level)
            ));
            return Ok(Compatibility::Incompatible(reasons));
        }
    }
    Ok(Compatibility::Compatible)
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
