//! What each resource asks of whoever calls it: pure. A method on a path that is not in this table is never served.

use super::rules::Role;
use crate::registry::state::qualified::{QualifiedSubject, context_prefix, normalized};
use axum::http::Method;
use std::borrow::Cow;

/// What a request needs before it is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Nothing, not even credentials.
    Nothing,
    /// Some role on anything. What is shown is what the principal may read ([`super::Visible`]).
    Known,
    /// A role on what is global.
    Global(Role),
    /// A role on the subject in the path.
    Subject(Role),
    /// The same where the path may also name a context, or all of them.
    Scope(Role),
    /// A role on the context in the path.
    Context(Role),
    /// WRITE on the subject in the path, and READ, since what is written is made of what is there.
    Copy,
    /// WRITE on the subject in the path, and COMPATIBILITY too when the check is to be left out.
    Registration,
}

/// One line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub method: &'static str,
    /// As `rest` writes it.
    pub path: &'static str,
    pub need: Need,
    /// What the audit calls it.
    pub action: &'static str,
    /// Whether it changes anything.
    pub writes: bool,
}

const fn reads(method: &'static str, path: &'static str, need: Need, action: &'static str) -> Route {
    Route {
        method,
        path,
        need,
        action,
        writes: false,
    }
}

const fn writes(method: &'static str, path: &'static str, need: Need, action: &'static str) -> Route {
    Route {
        writes: true,
        ..reads(method, path, need, action)
    }
}

const VERSIONS: &str = "/subjects/{subject}/versions";
const VERSION: &str = "/subjects/{subject}/versions/{version}";
const SUBJECT_READ: Need = Need::Subject(Role::Read);

/// Every resource of `rest`. A probe asks for `/` without credentials and learns only that somebody answers. `/metrics`
/// names topics of the gateway, so it is for whoever may read everything.
pub const ROUTES: [Route; 41] = [
    reads("GET", "/", Need::Nothing, "root"),
    reads("POST", "/", Need::Nothing, "root"),
    reads("GET", "/contexts", Need::Known, "list_contexts"),
    writes(
        "DELETE",
        "/contexts/{context}",
        Need::Context(Role::Admin),
        "delete_context",
    ),
    reads("GET", "/v1/metadata/id", Need::Known, "metadata"),
    reads("GET", "/v1/metadata/deployment", Need::Known, "metadata"),
    reads("GET", "/v1/metadata/version", Need::Known, "metadata"),
    reads("GET", "/metrics", Need::Global(Role::Read), "metrics"),
    reads("GET", "/subjects", Need::Known, "list_subjects"),
    reads("POST", "/subjects/{subject}", SUBJECT_READ, "look_up"),
    writes(
        "DELETE",
        "/subjects/{subject}",
        Need::Subject(Role::Delete),
        "delete_subject",
    ),
    reads(
        "GET",
        "/subjects/{subject}/metadata",
        SUBJECT_READ,
        "read_version",
    ),
    reads("GET", VERSIONS, SUBJECT_READ, "list_versions"),
    writes("POST", VERSIONS, Need::Registration, "register"),
    reads("GET", VERSION, SUBJECT_READ, "read_version"),
    writes("DELETE", VERSION, Need::Subject(Role::Delete), "delete_version"),
    reads(
        "GET",
        "/subjects/{subject}/versions/{version}/schema",
        SUBJECT_READ,
        "read_version",
    ),
    writes(
        "POST",
        "/subjects/{subject}/versions/{version}/tags",
        Need::Copy,
        "modify_tags",
    ),
    reads(
        "GET",
        "/subjects/{subject}/versions/{version}/referencedby",
        SUBJECT_READ,
        "list_referencing",
    ),
    reads("GET", "/schemas", Need::Known, "list_schemas"),
    reads("GET", "/schemas/types", Need::Known, "list_types"),
    reads("GET", "/schemas/ids/{id}", Need::Known, "read_id"),
    reads("GET", "/schemas/ids/{id}/schema", Need::Known, "read_id"),
    reads("GET", "/schemas/ids/{id}/subjects", Need::Known, "read_id"),
    reads("GET", "/schemas/ids/{id}/versions", Need::Known, "read_id"),
    reads("GET", "/schemas/guids/{guid}", Need::Known, "read_guid"),
    reads("GET", "/schemas/guids/{guid}/ids", Need::Known, "read_guid"),
    reads("GET", "/config", Need::Known, "read_config"),
    writes("PUT", "/config", Need::Global(Role::Admin), "set_config"),
    writes("DELETE", "/config", Need::Global(Role::Admin), "delete_config"),
    reads("GET", "/config/{subject}", Need::Scope(Role::Read), "read_config"),
    writes(
        "PUT",
        "/config/{subject}",
        Need::Scope(Role::Compatibility),
        "set_config",
    ),
    writes(
        "DELETE",
        "/config/{subject}",
        Need::Scope(Role::Compatibility),
        "delete_config",
    ),
    reads("GET", "/mode", Need::Known, "read_mode"),
    writes("PUT", "/mode", Need::Global(Role::Admin), "set_mode"),
    writes("DELETE", "/mode", Need::Global(Role::Admin), "delete_mode"),
    reads("GET", "/mode/{subject}", Need::Scope(Role::Read), "read_mode"),
    writes("PUT", "/mode/{subject}", Need::Scope(Role::Admin), "set_mode"),
    writes(
        "DELETE",
        "/mode/{subject}",
        Need::Scope(Role::Admin),
        "delete_mode",
    ),
    reads(
        "POST",
        "/compatibility/subjects/{subject}/versions",
        SUBJECT_READ,
        "test_compatibility",
    ),
    reads(
        "POST",
        "/compatibility/subjects/{subject}/versions/{version}",
        SUBJECT_READ,
        "test_compatibility",
    ),
];

/// The line of a request; HEAD is GET without its body.
#[must_use]
pub fn find(method: &Method, path: &str) -> Option<&'static Route> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    ROUTES
        .iter()
        .find(|route| route.method == method && route.path == path)
}

/// The roles that a request needs, all of them, and on what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted<'a> {
    pub roles: &'static [Role],
    /// A subject or a context as the registry keeps it; none is what is global.
    pub subject: Option<Cow<'a, str>>,
}

impl Route {
    /// What a request needs that has `name` in its path, decoded; `force`: its flag. `None` where no role on one thing
    /// is needed.
    #[must_use]
    pub fn wanted<'a>(&self, name: &'a str, force: bool) -> Option<Wanted<'a>> {
        match self.need {
            Need::Nothing | Need::Known => None,
            Need::Global(role) => Some(on(one(role), None)),
            Need::Subject(role) => Some(on(one(role), Some(normalized(name)))),
            Need::Copy => Some(on(&[Role::Read, Role::Write], Some(normalized(name)))),
            Need::Scope(role) => Some(scope(role, name)),
            Need::Context(role) => {
                let prefix = context_prefix(name).unwrap_or_default();
                Some(on(one(role), (!prefix.is_empty()).then_some(Cow::Owned(prefix))))
            }
            Need::Registration => {
                let roles: &[Role] = if force {
                    &[Role::Write, Role::Compatibility]
                } else {
                    &[Role::Write]
                };
                Some(on(roles, Some(normalized(name))))
            }
        }
    }
}

fn on<'a>(roles: &'static [Role], subject: Option<Cow<'a, str>>) -> Wanted<'a> {
    Wanted { roles, subject }
}

/// A setting of the default context holds in all contexts that say nothing else, and one of `:.__GLOBAL:` in all:
/// both are global, and to change them takes an administrator.
fn scope(role: Role, name: &str) -> Wanted<'_> {
    let scope = normalized(name);
    let parts = QualifiedSubject::of(&scope);
    if scope.is_empty() || parts.is_global() || parts.context == "*" {
        let role = if role == Role::Read { role } else { Role::Admin };
        return on(one(role), None);
    }
    on(one(role), Some(scope))
}

/// A list of one role that lives as long as the program.
fn one(role: Role) -> &'static [Role] {
    match role {
        Role::Read => &[Role::Read],
        Role::Write => &[Role::Write],
        Role::Delete => &[Role::Delete],
        Role::Compatibility => &[Role::Compatibility],
        Role::Admin => &[Role::Admin],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;
    use std::collections::BTreeSet;

    /// The routes as `rest/mod.rs` writes them.
    fn served() -> BTreeSet<(String, String)> {
        let source = include_str!("../rest/mod.rs");
        let start = Regex::new(r#"\.route\(\s*"([^"]+)",\s*"#).unwrap();
        let method = Regex::new(r"\b(get|put|post|delete|patch|head|options|any)\(").unwrap();
        let mut found = BTreeSet::new();
        for route in start.captures_iter(source) {
            let behind = &source[route.get(0).unwrap().end()..];
            // Up to the parenthesis that closes `.route(`.
            let mut depth = 1;
            let end = behind.find(|c: char| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            for verb in method.captures_iter(&behind[..end.unwrap()]) {
                found.insert((verb[1].to_uppercase(), route[1].to_owned()));
            }
        }
        found
    }

    #[test]
    fn every_route_of_the_api_is_in_the_table_and_no_other() {
        let known: BTreeSet<_> = ROUTES
            .iter()
            .map(|route| (route.method.to_owned(), route.path.to_owned()))
            .collect();
        assert_eq!(known.len(), ROUTES.len(), "no line comes twice");
        assert_eq!(served(), known);
    }

    fn wanted(method: &str, path: &str, name: &str, force: bool) -> (Vec<&'static str>, Option<String>) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let wanted = find(&method, path).unwrap().wanted(name, force).unwrap();
        (
            wanted.roles.iter().map(|role| role.as_str()).collect(),
            wanted.subject.map(Cow::into_owned),
        )
    }

    #[test]
    fn a_request_needs_its_roles_on_the_subject_as_it_is_kept() {
        let on = |name: &str| Some(name.to_owned());
        for (given, kept) in [
            ("a", "a"),
            (":.:a", "a"),
            (":.c:a", ":.c:a"),
            ("A", "A"),
            ("a%2Fb", "a%2Fb"),
        ] {
            assert_eq!(wanted("GET", VERSIONS, given, false), (vec!["READ"], on(kept)));
            assert_eq!(wanted("HEAD", VERSIONS, given, false), (vec!["READ"], on(kept)));
            assert_eq!(wanted("POST", VERSIONS, given, false), (vec!["WRITE"], on(kept)));
            assert_eq!(
                wanted("POST", VERSIONS, given, true),
                (vec!["WRITE", "COMPATIBILITY"], on(kept))
            );
            assert_eq!(wanted("DELETE", VERSION, given, true), (vec!["DELETE"], on(kept)));
            assert_eq!(
                wanted("PUT", "/config/{subject}", given, false),
                (vec!["COMPATIBILITY"], on(kept))
            );
            assert_eq!(
                wanted("PUT", "/mode/{subject}", given, false),
                (vec!["ADMIN"], on(kept))
            );
        }
    }

    #[test]
    fn settings_of_more_than_a_context_are_the_administrators() {
        for name in [":.:", ":.__GLOBAL:", ":.__GLOBAL", ":.__GLOBAL:x", ":*:x", ""] {
            for method in ["PUT", "DELETE"] {
                assert_eq!(
                    wanted(method, "/config/{subject}", name, false),
                    (vec!["ADMIN"], None),
                    "{name}"
                );
                assert_eq!(
                    wanted(method, "/mode/{subject}", name, false),
                    (vec!["ADMIN"], None),
                    "{name}"
                );
            }
        }
        let context = Some(":.c:".to_owned());
        assert_eq!(
            wanted("PUT", "/config/{subject}", ":.c", false),
            (vec!["COMPATIBILITY"], context.clone())
        );
        for name in ["c", ".c", ":.c:"] {
            assert_eq!(
                wanted("DELETE", "/contexts/{context}", name, false),
                (vec!["ADMIN"], context.clone())
            );
        }
        assert_eq!(
            wanted("DELETE", "/contexts/{context}", ".", false),
            (vec!["ADMIN"], None)
        );
    }

    #[test]
    fn what_is_not_in_the_table_is_not_found() {
        for (method, path) in [
            ("PATCH", "/subjects"),
            ("GET", "/nothing"),
            ("OPTIONS", "/"),
            ("get", "/subjects"),
        ] {
            assert_eq!(find(&Method::from_bytes(method.as_bytes()).unwrap(), path), None);
        }
    }
}
