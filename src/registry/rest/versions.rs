//! `/subjects/{subject}/versions` (`SubjectVersionsResource.java`).

use super::App;
use super::body::{Answer, JsonBody, Query, RegisteredJson, SchemaJson, json, qualified_references, text};
use crate::registry::access::Visible;
use crate::registry::access::audit::Written;
use crate::registry::admission::SchemaRequest;
use crate::registry::errors::RegistryError;
use crate::registry::registration::Registered;
use crate::registry::state::qualified::normalized;
use crate::registry::state::{self, Command, DeletedFilter, Outcome, VersionId, VersionState, subject_name};
use crate::registry::tagging::TagRequest;
use crate::schema::Version;
use axum::extract::{Path, State};
use std::borrow::Cow;
use std::sync::Arc;

pub async fn list(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    let subject = normalized(&subject);
    let (deleted, deleted_only) = (query.flag("deleted"), query.flag("deletedOnly"));
    let as_negative = query.flag("deletedAsNegative");
    let state = core.state();
    if !state.has_subjects(Some(&subject), deleted || deleted_only) {
        return Err(RegistryError::SubjectNotFound(subject.into_owned()));
    }
    let filter = if as_negative {
        DeletedFilter::All
    } else {
        DeletedFilter::of(deleted, deleted_only)
    };
    let versions = state
        .subject(&subject)
        .into_iter()
        .flat_map(|subject| &subject.versions);
    let numbers = versions
        .filter(|(_, version)| filter.shows(version))
        .map(|(number, version)| {
            let number = i64::from(number.0);
            if as_negative && version.deleted {
                -number
            } else {
                number
            }
        });
    json(&query.page()?.of(numbers))
}

pub async fn register(
    State(core): State<App>,
    Path(subject): Path<String>,
    visible: Visible,
    query: Query,
    JsonBody(request): JsonBody<SchemaRequest>,
) -> Answer {
    if let Some(rule_set) = &request.rule_set {
        rule_set.validate().map_err(RegistryError::InvalidRuleSet)?;
    }
    let subject: Arc<str> = subject_name(&subject)?.into();
    visible.may_refer(&subject, request.references.as_deref())?;
    let normalize = query.normalize(&core.state().config_in_scope(Some(&subject)));
    let registered = core
        .register(&subject, Arc::new(request), normalize, query.flag("force"))
        .await
        .map_err(|refusal| without_earlier_schemas(refusal, &visible))?;
    let text = core
        .text_of(&subject, &registered.content, query.text("format"))
        .await?;
    answer_of(&registered, text)
}

fn answer_of(registered: &Registered, text: Cow<'_, str>) -> Answer {
    let mut answer = json(&RegisteredJson::of(registered, text))?;
    answer.extensions_mut().insert(Written {
        id: Some(registered.id.0),
        version: Some(registered.version.0),
    });
    Ok(answer)
}

/// The details of an incompatibility quote the earlier schema, which not everybody who may write may read.
fn without_earlier_schemas(refusal: RegistryError, visible: &Visible) -> RegistryError {
    match refusal {
        RegistryError::Incompatible { subject, code, .. } if !visible.subject(&subject) => {
            RegistryError::Incompatible {
                subject,
                details: "[READ on the subject would show them]".to_owned(),
                code,
            }
        }
        other => other,
    }
}

/// One version as a path names it: in its own context, or in the first of the others that has it
/// (`getUsingContexts`).
fn version_of<'a>(
    state: &'a state::State,
    subject: &'a str,
    version: &str,
    visible: &Visible,
    with_deleted: bool,
) -> Result<(Cow<'a, str>, Version, &'a VersionState), RegistryError> {
    let subject = match normalized(subject) {
        Cow::Borrowed(subject) => subject,
        // A context without its last colon has no versions.
        Cow::Owned(context) => return Err(RegistryError::SubjectNotFound(context)),
    };
    let asked = VersionId::parse(version)?;
    // The guard has looked at the subject that was named, not at those of other contexts.
    for place in state.places(subject).filter(|place| visible.subject(place)) {
        if let Some((number, found)) = state.version(&place, asked, with_deleted) {
            return Ok((place, number, found));
        }
    }
    Err(if state.has_subjects(Some(subject), with_deleted) {
        RegistryError::VersionNotFound(asked.number())
    } else {
        RegistryError::SubjectNotFound(subject.to_owned())
    })
}

pub async fn get(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let (place, number, found) = version_of(&state, &subject, &version, &visible, query.flag("deleted"))?;
    let references = qualified_references(&place, &found.content, query.text("referenceFormat"));
    let schema = core.text_of(&place, &found.content, query.text("format")).await?;
    let schema_tags = core
        .tags_of(&place, &found.content, query.all("findTags"))
        .await?;
    json(&SchemaJson {
        schema,
        references: &references,
        schema_tags,
        ..SchemaJson::of(&place, number, found)
    })
}

pub async fn schema_only(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let (place, _, found) = version_of(&state, &subject, &version, &visible, query.flag("deleted"))?;
    Ok(text(
        &core.text_of(&place, &found.content, query.text("format")).await?,
    ))
}

/// Makes a new version of an old one, with other tags inside its text, other metadata or other rules.
pub async fn modify_tags(
    State(core): State<App>,
    Path((name, version)): Path<(String, String)>,
    visible: Visible,
    JsonBody(request): JsonBody<TagRequest>,
) -> Answer {
    let subject: Arc<str> = subject_name(&name)?.into();
    let state = core.state();
    let (_, _, found) = version_of(&state, &name, &version, &visible, false)?;
    let request = request.over(&found.content)?;
    let registered = core.register(&subject, Arc::new(request), false, false).await?;
    answer_of(&registered, Cow::Borrowed(&*registered.content.text))
}

pub async fn referenced_by(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let (place, number, _) = version_of(&state, &subject, &version, &visible, true)?;
    let with_deleted = query.flag("deleted");
    let ids = state.referenced_by(&place, number, with_deleted);
    let shown = ids.iter().filter(|(context, id)| {
        let mut uses = state
            .id(context, *id)
            .into_iter()
            .flat_map(|id| state.uses(id, with_deleted));
        uses.any(|(name, _)| visible.subject(name))
    });
    json(&query.page()?.of_schemas(shown.map(|(_, id)| id.0)))
}

pub async fn delete(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let command = Command::DeleteVersion {
        subject: normalized(&subject).into(),
        version: VersionId::parse(&version)?,
        permanent: query.flag("permanent"),
    };
    match core.submit(command).await? {
        Outcome::DeletedVersion(version) => {
            let mut answer = json(&version.0)?;
            answer.extensions_mut().insert(Written {
                id: None,
                version: Some(version.0),
            });
            Ok(answer)
        }
        _ => Err(RegistryError::INTERNAL),
    }
}
