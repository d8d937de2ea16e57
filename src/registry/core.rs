//! What the REST resources stand on: the state, the writer, and the way of a registration through both.

use super::access::Visible;
use super::admission::{Admission, Admitted, Compatibility, SchemaRequest};
use super::errors::RegistryError;
use super::registration::{Prepared, Registered, Wanted, look_up, prepare};
use super::rest::forward::Forwarder;
use super::role::{Leadership, Role};
use super::source::Source;
use super::state::qualified::{DEFAULT_CONTEXT, context_of};
use super::state::{Command, Mode, Outcome, Register, SchemaContent, State, SubjectState, WantedVersion};
use super::tagging::tags_of;
use super::writer::WriterHandle;
use crate::schema::tags::Tagged;
use crate::schema::{SchemaId, Version};
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Registrations of one subject take turns; this many subjects may be at it together.
const STRIPES: usize = 64;
/// A registration whose subject keeps moving under it gives up.
const ATTEMPTS_MAX: usize = 16;

/// The `error_code` of an incompatible schema that every client knows; Confluent's newest releases can say 40901.
pub const INCOMPATIBLE_CODE: u32 = 409;

pub struct Core {
    source: Arc<Source>,
    writer: WriterHandle,
    pub admission: Admission,
    pub cluster_id: String,
    /// The `error_code` of an incompatible schema.
    pub incompatible_code: u32,
    pub leadership: Leadership,
    /// The way to the leader, where there may be another.
    pub forwarder: Option<Forwarder>,
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
}

impl Core {
    #[must_use]
    pub fn new(source: Arc<Source>, writer: WriterHandle, cluster_id: String) -> Self {
        Self {
            source,
            writer,
            admission: Admission::default(),
            cluster_id,
            incompatible_code: INCOMPATIBLE_CODE,
            leadership: Leadership::new(Role::Alone),
            forwarder: None,
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
        normalize: bool,
        force: bool,
    ) -> Result<Registered, RegistryError> {
        let wanted = Wanted {
            id: id_of(&request)?,
            version: version_of(&request)?,
            normalize,
        };
        let prepared = self.prepare(subject, &request, wanted).await;
        if !self.leadership.role().writes() {
            // A follower may be a little behind: it says what it has, and nothing of what it has not.
            return match prepared {
                Ok(Prepared::Found(found)) => Ok(found),
                _ => Err(RegistryError::UnknownLeader),
            };
        }
        let mut prepared = prepared?;
        let _turn = self.turn(subject).await?;
        for attempt in 0..ATTEMPTS_MAX {
            let state = self.state();
            let moved = |prepared: &Prepared| match prepared {
                Prepared::Found(_) => false,
                Prepared::New { checked, .. } => *checked != state.revision(subject),
            };
            if attempt > 0 || moved(&prepared) {
                prepared = self.prepare(subject, &request, wanted).await?;
            }
            let (admitted, checked) = match &prepared {
                Prepared::Found(found) => return Ok(found.clone()),
                Prepared::New { admitted, checked } => (admitted.clone(), *checked),
            };
            // In a mode that refuses it anyway, the refusal is the writer's.
            if !force && state.mode_in_scope(Some(subject)) == Mode::ReadWrite && wanted.id.is_none() {
                self.check(&state, subject, &admitted).await?;
            }
            let content = admitted.content.clone();
            let register = Register {
                subject: subject.clone(),
                content: content.clone(),
                id: wanted.id,
                version: wanted.version,
                checked,
            };
            if let Outcome::Registered { id, version } = self.submit(Command::Register(register)).await? {
                if context_of(subject) == DEFAULT_CONTEXT {
                    self.warm(id);
                }
                return Ok(Registered {
                    subject: subject.clone(),
                    id,
                    version,
                    content,
                    recorded: None,
                });
            }
        }
        Err(RegistryError::Timeout(
            "Register operation timed out: the subject keeps changing".to_owned(),
        ))
    }

    async fn prepare(
        &self,
        subject: &Arc<str>,
        request: &Arc<SchemaRequest>,
        wanted: Wanted,
    ) -> Result<Prepared, RegistryError> {
        let (state, subject, request) = (self.state(), subject.clone(), request.clone());
        self.admission
            .run(move || prepare(&state, &subject, &request, wanted))
            .await
    }

    /// Registrations of one subject wait for one another here.
    async fn turn(&self, subject: &Arc<str>) -> Result<MutexGuard<'_, ()>, RegistryError> {
        let stripe = usize::try_from(self.hasher.hash_one(subject) % STRIPES as u64).unwrap_or(0);
        match self.stripes.get(stripe) {
            Some(stripe) => Ok(stripe.lock().await),
            None => Err(RegistryError::INTERNAL),
        }
    }

    /// Finds a schema under a subject, where that is visible.
    ///
    /// # Errors
    /// [`RegistryError::InvalidSchema`] when it is none.
    pub async fn look_up(
        &self,
        state: Arc<State>,
        subject: Arc<str>,
        request: Arc<SchemaRequest>,
        normalize: bool,
        with_deleted: bool,
        visible: Visible,
    ) -> Result<Option<Registered>, RegistryError> {
        self.admission
            .run(move || look_up(&state, &subject, &request, normalize, with_deleted, &visible))
            .await
    }

    /// The text of a schema of `subject` as `format=` asks for it ([`Schema::formatted`](crate::schema::Schema::formatted)).
    /// Nothing is parsed when no format is asked for.
    ///
    /// # Errors
    /// When the schema no longer parses, or that takes too long.
    pub async fn text_of<'a>(
        &self,
        subject: &str,
        content: &'a Arc<SchemaContent>,
        format: Option<&str>,
    ) -> Result<Cow<'a, str>, RegistryError> {
        let Some(format) = format.filter(|format| !format.trim().is_empty()) else {
            return Ok(Cow::Borrowed(content.text.as_ref()));
        };
        let formatted = self
            .admission
            .formatted(self.state(), subject.into(), content.clone(), format.to_owned())
            .await?;
        Ok(Cow::Owned(formatted))
    }

    /// The tagged entities of a schema of `subject` that have one of the tags that `findTags=` names; `*` names all.
    ///
    /// # Errors
    /// When the schema no longer parses, or that takes too long.
    pub async fn tags_of(
        &self,
        subject: &str,
        content: &Arc<SchemaContent>,
        wanted: Vec<String>,
    ) -> Result<Vec<Tagged>, RegistryError> {
        if wanted.is_empty() {
            return Ok(vec![]);
        }
        let (state, subject, content) = (self.state(), subject.to_owned(), content.clone());
        self.admission
            .run(move || {
                let mut found = tags_of(&state, &subject, &content)?;
                let is_wanted = |tag: &String| wanted.contains(tag);
                if !wanted.iter().any(|tag| tag == "*") {
                    found.retain(|tagged| tagged.tags.iter().any(is_wanted));
                }
                Ok(found)
            })
            .await
    }

    async fn check(
        &self,
        state: &Arc<State>,
        subject: &Arc<str>,
        admitted: &Arc<Admitted>,
    ) -> Result<(), RegistryError> {
        let previous = live_contents(state, subject);
        match self
            .admission
            .check(state.clone(), subject.clone(), admitted.clone(), previous)
            .await?
        {
            Compatibility::Compatible => Ok(()),
            Compatibility::Incompatible(reasons) => {
                tracing::debug!(%subject, "an incompatible schema was refused");
                Err(RegistryError::Incompatible {
                    subject: subject.to_string(),
                    details: format!("[{}]", reasons.join(", ")),
                    code: self.incompatible_code,
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

/// With tags of its own it is a new version, unless another is asked for.
fn version_of(request: &SchemaRequest) -> Result<WantedVersion, RegistryError> {
    match request.version {
        None if request.changes_tags() => Ok(WantedVersion::Latest),
        None | Some(0) => Ok(WantedVersion::Any),
        Some(-1) => Ok(WantedVersion::Latest),
        Some(version) => match i32::try_from(version)
            .ok()
            .and_then(|version| u32::try_from(version).ok())
        {
            Some(version) => Ok(WantedVersion::Number(Version(version))),
            None => Err(RegistryError::InvalidVersion(version.to_string())),
        },
    }
}
