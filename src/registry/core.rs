//! What the REST resources stand on: the state, the writer, and the way of a registration through both.

use super::admission::{Admission, Admitted, Compatibility, SchemaRequest};
use super::errors::RegistryError;
use super::source::Source;
use super::state::{Command, Mode, Outcome, Register, SchemaContent, State, SubjectState, level_name};
use super::writer::WriterHandle;
use crate::schema::{SchemaId, SchemaType, Version};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Registrations of one subject take turns; this many subjects may be at it together.
const STRIPES: usize = 64;
/// A registration whose subject keeps moving under it gives up.
const ATTEMPTS_MAX: usize = 16;

pub struct Core {
    source: Arc<Source>,
    writer: WriterHandle,
    pub admission: Admission,
    pub cluster_id: String,
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
}

/// A schema in its subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registered {
    pub id: SchemaId,
    pub version: Version,
}

impl Core {
    #[must_use]
    pub fn new(source: Arc<Source>, writer: WriterHandle, cluster_id: String) -> Self {
        Self {
            source,
            writer,
            admission: Admission::default(),
            cluster_id,
            stripes: [const { Mutex::const_new(()) }; STRIPES],
            hasher: RandomState::new(),
        }
    }

    /// The newest durable state.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.source.state()
    }

    /// # Errors
    /// The refusal, or that the log could not be written.
    pub async fn submit(&self, command: Command) -> Result<Outcome, RegistryError> {
        self.writer.submit(command).await
    }

    /// Registers a schema under a subject, or finds it there. `force` leaves out the compatibility check.
    ///
    /// # Errors
    /// Any of Confluent's refusals of a registration.
    pub async fn register(
        &self,
        subject: &Arc<str>,
        request: Arc<SchemaRequest>,
        force: bool,
    ) -> Result<Registered, RegistryError> {
        let (id, version) = (id_of(&request)?, version_of(&request)?);
        for _ in 0..ATTEMPTS_MAX {
            let admitted = self
                .admission
                .parse(self.state(), request.clone(), request.id.is_none())
                .await?;
            if id.is_none()
                && version.is_none()
                && let Some((version, found)) =
                    self.state().look_up(subject, admitted.content.digest(), false)
            {
                return Ok(Registered {
                    id: found.id,
                    version,
                });
            }
            let stripe = usize::try_from(self.hasher.hash_one(subject) % STRIPES as u64).unwrap_or(0);
            let _turn = match self.stripes.get(stripe) {
                Some(stripe) => stripe.lock().await,
                None => return Err(RegistryError::INTERNAL),
            };
            let state = self.state();
            let checked = state.revision(subject);
            let mode = state.mode_in_scope(Some(subject));
            // In a mode that refuses it anyway, the refusal is the writer's.
            if !force && mode == Mode::ReadWrite && id.is_none() {
                self.check(&state, subject, &admitted).await?;
            }
            let content = admitted.content.clone();
            let register = Register {
                subject: subject.clone(),
                content,
                id,
                version,
                checked,
            };
            match self.submit(Command::Register(register)).await? {
                Outcome::Registered { id, version } => {
                    self.warm(id);
                    return Ok(Registered { id, version });
                }
                _stale => {}
            }
        }
        Err(RegistryError::Timeout(
            "Register operation timed out: the subject keeps changing".to_owned(),
        ))
    }

    /// What `format=` asks for instead of the registered text; `None` where that text stands. Only Protobuf has another
    /// form, so nothing else is parsed again.
    pub async fn formatted(
        &self,
        content: &Arc<SchemaContent>,
        format: Option<&str>,
    ) -> Result<Option<String>, RegistryError> {
        match format {
            Some(format) if content.schema_type == SchemaType::Protobuf && !format.is_empty() => {
                self.admission
                    .formatted(self.state(), content.clone(), format.to_owned())
                    .await
            }
            _ => Ok(None),
        }
    }

    async fn check(
        &self,
        state: &Arc<State>,
        subject: &Arc<str>,
        admitted: &Arc<Admitted>,
    ) -> Result<(), RegistryError> {
        let digest = admitted.content.digest();
        if state.look_up(subject, digest, false).is_some() {
            return Ok(());
        }
        let level = state.level(subject);
        let previous = live_contents(state, subject);
        match self
            .admission
            .check(state.clone(), admitted.clone(), previous, level)
            .await?
        {
            Compatibility::Compatible => Ok(()),
            Compatibility::Incompatible(reasons) => {
                tracing::debug!(%subject, level = level_name(level), "an incompatible schema was refused");
                Err(RegistryError::Incompatible {
                    subject: subject.to_string(),
                    details: format!("[{}]", reasons.join(", ")),
                })
            }
        }
    }

    /// Compiles a new id before the first record asks for it; nobody waits for that.
    fn warm(&self, id: SchemaId) {
        let source = self.source.clone();
        tokio::task::spawn_blocking(move || source.warm(id));
    }
}

/// A subject's live versions, oldest first.
#[must_use]
pub fn live_contents(state: &State, subject: &str) -> Vec<(Version, Arc<SchemaContent>)> {
    let live = state.subject(subject).into_iter().flat_map(SubjectState::live);
    live.map(|(number, version)| (number, version.content.clone()))
        .collect()
}

/// A negative id is none, as Confluent has it.
fn id_of(request: &SchemaRequest) -> Result<Option<SchemaId>, RegistryError> {
    match request.id {
        None => Ok(None),
        Some(id) if id < 0 => Ok(None),
        Some(id) => match i32::try_from(id)
            .ok()
            .and_then(|id| u32::try_from(id).ok())
            .filter(|id| *id > 0)
        {
            Some(id) => Ok(Some(SchemaId(id))),
            None => Err(RegistryError::InvalidSchema(format!(
                "Invalid schema id {id}: allowed is 1 to 2^31-1"
            ))),
        },
    }
}

/// 0 and -1 let the registry count.
fn version_of(request: &SchemaRequest) -> Result<Option<Version>, RegistryError> {
    match request.version {
        None | Some(-1 | 0) => Ok(None),
        Some(version) => match i32::try_from(version)
            .ok()
            .and_then(|version| u32::try_from(version).ok())
        {
            Some(version) => Ok(Some(Version(version))),
            None => Err(RegistryError::InvalidVersion(version.to_string())),
        },
    }
}
