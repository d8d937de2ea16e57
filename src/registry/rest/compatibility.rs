//! `/compatibility` (`CompatibilityResource.java`): would this schema be accepted?

use super::App;
use super::body::{Answer, JsonBody, Query, json};
use crate::registry::access::Visible;
use crate::registry::admission::{Compatibility, Reading, SchemaRequest};
use crate::registry::core::live_contents;
use crate::registry::errors::RegistryError;
use crate::registry::state::qualified::normalized;
use crate::registry::state::{self, SchemaContent, VersionId};
use crate::schema::Version;
use axum::extract::{Path, State};
use serde_json::json as value;
use std::sync::Arc;

pub async fn with_all(
    State(core): State<App>,
    Path(subject): Path<String>,
    visible: Visible,
    query: Query,
    JsonBody(request): JsonBody<SchemaRequest>,
) -> Answer {
    let subject = normalized(&subject);
    visible.may_refer(&subject, request.references.as_deref())?;
    let state = core.state();
    let previous = live_contents(&state, &subject);
    check(&core, state, &subject, previous, &query, request).await
}

/// Against one version. `latest` of a subject without versions is compatible with everything.
pub async fn with_version(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    visible: Visible,
    query: Query,
    JsonBody(request): JsonBody<SchemaRequest>,
) -> Answer {
    let subject = normalized(&subject);
    visible.may_refer(&subject, request.references.as_deref())?;
    let asked = VersionId::parse(&version)?;
    let state = core.state();
    let previous = match (state.version(&subject, asked, false), asked) {
        (Some((number, version)), _) => vec![(number, version.content.clone())],
        (None, VersionId::Latest) => vec![],
        (None, VersionId::Number(number)) => {
            return Err(RegistryError::VersionNotFound(i64::from(number.0)));
        }
    };
    check(&core, state, &subject, previous, &query, request).await
}

async fn check(
    core: &App,
    state: Arc<state::State>,
    subject: &str,
    previous: Vec<(Version, Arc<SchemaContent>)>,
    query: &Query,
    request: SchemaRequest,
) -> Answer {
    let subject: Arc<str> = subject.into();
    let verbose = query.flag("verbose");
    let config = state.config_in_scope(Some(&subject));
    let import = state.mode_in_scope(Some(&subject)).is_import();
    let reading = Reading {
        as_new: config.validate_new_schemas.unwrap_or(true),
        normalize: !import && query.normalize(&config),
    };
    let parsed = core
        .admission
        .parse(state.clone(), subject.clone(), Arc::new(request), reading)
        .await;
    let (compatible, messages) = match parsed {
        Err(RegistryError::InvalidSchema(why)) if verbose => (false, vec![why]),
        Err(refusal) => return Err(refusal),
        Ok(admitted) => match core.admission.check(state, subject, admitted, previous).await? {
            Compatibility::Compatible => (true, vec![]),
            Compatibility::Incompatible(reasons) => (false, reasons),
        },
    };
    if verbose {
        return json(&value!({ "is_compatible": compatible, "messages": messages }));
    }
    json(&value!({ "is_compatible": compatible }))
}
