//! Paths under `/contexts/{context}/…` mean what the path behind them means, in that context (`ContextFilter.java`), and
//! a subject with an alias means another (`AliasFilter.java`). Both are written out in the address before anything else
//! looks at it.

use super::App;
use super::body::Answer;
use super::body::{Query, json};
use crate::registry::access::Visible;
use crate::registry::errors::RegistryError;
use crate::registry::state::qualified::{DEFAULT_CONTEXT, context_prefix, normalized};
use crate::registry::state::{Command, State as Registry};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;
use std::sync::Arc;

/// The address as the client gave it, where it has been rewritten.
#[derive(Clone)]
pub struct GivenAddress(pub Uri);

/// The outermost layer: rewrites the address and passes the request on.
pub async fn rewrite(State(core): State<App>, mut request: Request, next: Next) -> Response {
    let given = request
        .uri()
        .path_and_query()
        .map_or("/", |address| address.as_str());
    match rewritten(given) {
        Ok(in_context) => {
            let address = in_context.as_deref().unwrap_or(given);
            let meant = without_alias(&core.state(), address);
            if let Some(address) = meant.or(in_context)
                && let Ok(uri) = address.parse::<Uri>()
            {
                let given = std::mem::replace(request.uri_mut(), uri);
                request.extensions_mut().insert(GivenAddress(given));
            }
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// An address as it would be without `/contexts/{context}`: its subject, its subject prefix or its scope qualified
/// with the context. `None` where it is not below a context.
///
/// ```text
/// /contexts/.billing/subjects/orders/versions   /subjects/:.billing:orders/versions
/// /contexts/.billing/subjects                   /subjects?subjectPrefix=:.billing:
/// /contexts/.billing/schemas/ids/1              /schemas/ids/1?subject=:.billing:
/// /contexts/.billing/config                     /config/:.billing:
/// /contexts/.billing                            /contexts/:.billing:
/// ```
///
/// # Errors
/// [`RegistryError::MalformedBody`] (400) when the context's name holds a colon.
pub fn rewritten(path_and_query: &str) -> Result<Option<String>, RegistryError> {
    let (path, query) = split(path_and_query);
    let Some(below) = path.strip_prefix("/contexts/") else {
        return Ok(None);
    };
    let mut segments = below.split('/').filter(|segment| !segment.is_empty());
    let Some(context) = segments.next() else {
        return Ok(Some(join("/contexts", query)));
    };
    let prefix = context_prefix(&decoded(context)).map_err(RegistryError::MalformedBody)?;
    let mut new_path = String::new();
    let mut subject_next = false;
    let mut of_setting = false;
    for segment in segments {
        let first = new_path.is_empty();
        new_path.push('/');
        if std::mem::take(&mut subject_next) {
            if !names_context(segment) {
                new_path.push_str(&encoded(&prefix));
            }
        } else {
            of_setting = first && matches!(segment, "config" | "mode");
            subject_next = of_setting || segment == "subjects";
        }
        new_path.push_str(segment);
    }
    if of_setting && subject_next && !prefix.is_empty() {
        new_path.push('/');
        new_path.push_str(&encoded(&prefix));
    } else if new_path.is_empty() && !prefix.is_empty() {
        new_path = format!("/contexts/{}", encoded(&prefix));
    }
    let parameter = match new_path.as_str() {
        "/schemas" | "/subjects" => "subjectPrefix",
        ids if ids.starts_with("/schemas/ids") => "subject",
        "" => return Ok(Some(join("/", query))),
        _ => return Ok(Some(join(&new_path, query))),
    };
    let given = value_of(query, parameter).unwrap_or_default();
    let value = if names_context(given) {
        given.to_owned()
    } else {
        format!("{}{given}", encoded(&prefix))
    };
    Ok(Some(join(&new_path, &with_value(query, parameter, &value))))
}

/// An address whose subject has an alias, with the subject that is meant.
fn without_alias(state: &Registry, path_and_query: &str) -> Option<String> {
    let (path, query) = split(path_and_query);
    let meant = |given: &str| {
        let subject = decoded(given);
        let subject = normalized(&subject);
        match state.without_alias(&subject) {
            Cow::Owned(meant) => Some(encoded(&meant)),
            Cow::Borrowed(_) => None,
        }
    };
    if path.starts_with("/schemas/ids/") {
        let subject = value_of(query, "subject").and_then(meant)?;
        return Some(join(path, &with_value(query, "subject", &subject)));
    }
    let mut changed = false;
    let mut before = "";
    let segments: Vec<Cow<'_, str>> = path
        .split('/')
        .map(|segment| {
            let subject = if before == "subjects" {
                meant(segment)
            } else {
                None
            };
            before = segment;
            changed |= subject.is_some();
            subject.map_or(Cow::Borrowed(segment), Cow::Owned)
        })
        .collect();
    changed.then(|| join(&segments.join("/"), query))
}

fn split(path_and_query: &str) -> (&str, &str) {
    path_and_query.split_once('?').unwrap_or((path_and_query, ""))
}

fn join(path: &str, query: &str) -> String {
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

fn value_of<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn with_value(query: &str, name: &str, value: &str) -> String {
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split_once('=').map_or(*pair, |(key, _)| key) != name);
    let mut pairs: Vec<&str> = others.collect();
    let new = format!("{name}={value}");
    pairs.push(&new);
    pairs.join("&")
}

/// Whether a subject says its context itself.
fn names_context(segment: &str) -> bool {
    let subject = decoded(segment);
    subject.starts_with(":.") || subject.starts_with(":*:")
}

/// What a segment may hold as it is: RFC 3986's unreserved characters, and the two that contexts are written with.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':')
    .remove(b'*');

/// A segment without its percent signs; as it is when they do not make UTF-8.
fn decoded(segment: &str) -> Cow<'_, str> {
    percent_decode_str(segment)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(segment))
}

/// Text as one segment of a path or one value of a query.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// `GET /contexts`.
pub async fn list(State(core): State<App>, visible: Visible, query: Query) -> Answer {
    let state = core.state();
    let prefix = query.text("contextPrefix").unwrap_or_default();
    let shown = state
        .contexts()
        .filter(|name| name.starts_with(prefix) && is_visible(&state, name, &visible));
    json(&query.page()?.of(shown))
}

/// The default context is everybody's; another is seen by those who may read it or a subject in it.
fn is_visible(state: &Registry, context: &str, visible: &Visible) -> bool {
    let prefix = format!(":{context}:");
    context == DEFAULT_CONTEXT
        || visible.subject(&prefix)
        || state
            .subjects_with_prefix(&prefix)
            .any(|(name, _)| visible.subject(name))
}

/// `DELETE /contexts/{context}`: forgets a context that has no subjects any more.
pub async fn delete(State(core): State<App>, Path(context): Path<String>) -> Answer {
    let prefix = context_prefix(&context).map_err(RegistryError::MalformedBody)?;
    let prefix: Arc<str> = prefix.into();
    core.submit(Command::DeleteContext { prefix }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_below_a_context_is_one_of_its_subjects() {
        let cases = [
            ("/subjects/a", None),
            ("/contexts", None),
            ("/contexts/", Some("/contexts")),
            (
                "/contexts/.c/subjects/a/versions",
                Some("/subjects/:.c:a/versions"),
            ),
            ("/contexts/c/subjects/a%2Fb", Some("/subjects/:.c:a%2Fb")),
            ("/contexts/:.c:/subjects/a", Some("/subjects/:.c:a")),
            ("/contexts/.c/subjects/:.d:a", Some("/subjects/:.d:a")),
            ("/contexts/.c/subjects/%3A.d%3Aa", Some("/subjects/%3A.d%3Aa")),
            ("/contexts/./subjects/a", Some("/subjects/a")),
            ("/contexts/.c/subjects", Some("/subjects?subjectPrefix=:.c:")),
            (
                "/contexts/.c/subjects?deleted=true&subjectPrefix=x",
                Some("/subjects?deleted=true&subjectPrefix=:.c:x"),
            ),
            ("/contexts/./subjects", Some("/subjects?subjectPrefix=")),
            ("/contexts/.c/schemas/ids/1", Some("/schemas/ids/1?subject=:.c:")),
            ("/contexts/.c/schemas/types", Some("/schemas/types")),
            ("/contexts/.c/config", Some("/config/:.c:")),
            ("/contexts/.c/config/a", Some("/config/:.c:a")),
            ("/contexts/.c/mode/", Some("/mode/:.c:")),
            ("/contexts/./config", Some("/config")),
            ("/contexts/.c", Some("/contexts/:.c:")),
            ("/contexts/.c/subjects/config", Some("/subjects/:.c:config")),
            (
                "/contexts/.c/compatibility/subjects/a/versions/latest",
                Some("/compatibility/subjects/:.c:a/versions/latest"),
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(rewritten(given), Ok(expected.map(str::to_owned)), "{given}");
        }
        assert_eq!(
            rewritten("/contexts/a:b/subjects").map_err(|error| error.to_string()),
            Err("Context name 'a:b' cannot contain a colon".to_owned())
        );
    }

    #[test]
    fn what_is_decoded_is_encoded_again() {
        for text in ["a/b", ":.c:größe", "a b%", "\0"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
        assert_eq!(decoded("%ff%zz"), "%ff%zz");
        assert_eq!(decoded("100%"), "100%");
    }
}
