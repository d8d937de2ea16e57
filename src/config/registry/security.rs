//! `registry.embedded.security`: who may do what.

mod bearer;
mod ldap;

use crate::config::section::{Reading, Section};
use crate::config::units;
use crate::config::yaml::{Node, Value};
use crate::registry::SecurityOptions;
use crate::registry::access::limits::Rate;
use crate::registry::access::options::{AuditOptions, CertificateName, LimitOptions};
use crate::registry::access::{Role, Roles, Rule, Rules, SubjectPattern, Who};
use std::sync::Arc;

const ROLES: [(&str, Role); 5] = [
    ("READ", Role::Read),
    ("WRITE", Role::Write),
    ("DELETE", Role::Delete),
    ("COMPATIBILITY", Role::Compatibility),
    ("ADMIN", Role::Admin),
];

/// The keys of a rule, and what each grants.
const GRANTS: [(&str, Role); 5] = [
    ("read", Role::Read),
    ("write", Role::Write),
    ("delete", Role::Delete),
    ("compatibility", Role::Compatibility),
    ("admin", Role::Admin),
];

/// A million a second is no limit.
const REQUESTS_MAX: u32 = 1_000_000;

pub fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<SecurityOptions> {
    let at = section.at;
    let anonymous = section.take("anonymous").map(|node| anonymous(node, reading));
    let basic = section.take_section("basic", reading).map(|mut basic| {
        let users = basic.require("users", reading, "users.txt");
        let users = users.and_then(|node| reading.existing(node, "users"));
        basic.finish(reading);
        users
    });
    let ldap = section
        .take_section("ldap", reading)
        .map(|section| ldap::read(section, reading));
    let bearer = section
        .take_section("bearer", reading)
        .map(|section| bearer::read(section, reading));
    let certificates = section
        .take_section("certificates", reading)
        .map(|section| certificates(section, reading));
    let groups = section
        .take("groups")
        .map(|node| groups(node, reading))
        .unwrap_or_default();
    let rules = section
        .take("rules")
        .map(|node| rules(node, reading))
        .unwrap_or_default();
    let audit = section
        .take("audit")
        .map_or(Some(AuditOptions::Log), |node| audit(node, reading));
    let limits = section
        .take_section("limits", reading)
        .map_or_else(LimitOptions::default, |section| limits(section, reading));
    section.finish(reading);
    let ways = [
        anonymous.is_some(),
        basic.is_some(),
        ldap.is_some(),
        bearer.is_some(),
        certificates.is_some(),
    ];
    if !ways.contains(&true) {
        let suggestion = Some("for example `basic: { users: users.txt }`".to_owned());
        reading.report(
            at,
            "`security` lets nobody in: it has neither `anonymous`, `basic`, `ldap`, `bearer` nor `certificates`",
            suggestion,
        );
    }
    Some(SecurityOptions {
        users: match basic {
            Some(users) => Some(users?),
            None => None,
        },
        ldap: match ldap {
            Some(options) => Some(options?),
            None => None,
        },
        bearer: match bearer {
            Some(bearer) => Some(bearer?),
            None => None,
        },
        certificates: match certificates {
            Some(name) => Some(name?),
            None => None,
        },
        rules: Rules {
            rules,
            anonymous: anonymous.unwrap_or_default(),
        },
        groups,
        audit: audit?,
        limits,
    })
}

fn anonymous(node: &Node, reading: &mut Reading<'_>) -> Roles {
    let list = reading.list(node, "anonymous").unwrap_or_default();
    list.iter()
        .filter_map(|node| reading.word(node, "anonymous", &ROLES))
        .collect()
}

fn certificates(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<CertificateName> {
    let names = [
        ("distinguished_name", CertificateName::DistinguishedName),
        ("common_name", CertificateName::CommonName),
    ];
    let name = section
        .take("principal")
        .map_or(Some(CertificateName::DistinguishedName), |node| {
            reading.word(node, "principal", &names)
        });
    section.finish(reading);
    name
}

/// Lists of principals' names, by group.
fn groups(node: &Node, reading: &mut Reading<'_>) -> Vec<(Arc<str>, Vec<String>)> {
    let Value::Map(entries) = &node.value else {
        let what = format!(
            "`groups` must be a section of groups and members, not {}",
            node.value.kind()
        );
        reading.report(
            node.at,
            what,
            Some("for example `groups: { payments: [\"alice\"] }`".to_owned()),
        );
        return Vec::new();
    };
    let mut read = Vec::new();
    for entry in entries {
        let list = reading.list(&entry.value, &entry.key).unwrap_or_default();
        let members = list
            .iter()
            .filter_map(|node| reading.text(node, &entry.key))
            .collect();
        read.push((Arc::from(entry.key.as_str()), members));
    }
    read
}

fn rules(node: &Node, reading: &mut Reading<'_>) -> Vec<Rule> {
    let list = reading.list(node, "rules").unwrap_or_default();
    list.iter().filter_map(|node| rule(node, reading)).collect()
}

fn rule(node: &Node, reading: &mut Reading<'_>) -> Option<Rule> {
    let mut section = reading.section(node, "rule")?;
    let subjects = section.require("subjects", reading, "[\"payments.*\"]");
    let subjects = subjects.and_then(|node| reading.list(node, "subjects"));
    let mut patterns = Vec::new();
    for node in subjects.unwrap_or_default() {
        patterns.extend(reading.parsed(node, "subjects", "[\"payments.*\"]", |text| {
            SubjectPattern::parse(text).map_err(|error| format!("`{text}`: {error}"))
        }));
    }
    let mut grants = Vec::new();
    for (key, role) in GRANTS {
        let Some(node) = section.take(key) else { continue };
        let mut who = Vec::new();
        for node in reading.list(node, key).unwrap_or_default() {
            who.extend(reading.parsed(node, key, "[\"group:payments\", \"user:alice\"]", Who::parse));
        }
        grants.push((role, who));
    }
    section.finish(reading);
    if grants.is_empty() {
        let suggestion = Some("for example `read: [\"*\"]`".to_owned());
        reading.report(node.at, "the rule grants nothing to anybody", suggestion);
    }
    if subjects.is_some_and(<[Node]>::is_empty) {
        reading.report(
            node.at,
            "the rule is for no subject",
            Some("for example `subjects: [\"*\"]`".to_owned()),
        );
    }
    Some(Rule {
        subjects: patterns,
        grants,
    })
}

/// `log`, or `{ file: … }`.
fn audit(node: &Node, reading: &mut Reading<'_>) -> Option<AuditOptions> {
    if !matches!(node.value, Value::Map(_)) {
        return reading
            .word(node, "audit", &[("log", ())])
            .map(|()| AuditOptions::Log);
    }
    let mut section = reading.section(node, "audit")?;
    let file = section.require("file", reading, "audit.jsonl");
    let file = file.and_then(|node| reading.path(node, "file"));
    section.finish(reading);
    file.map(AuditOptions::File)
}

fn limits(mut section: Section<'_>, reading: &mut Reading<'_>) -> LimitOptions {
    let mut limits = LimitOptions::default();
    let number = |node: Option<&Node>, key: &str, reading: &mut Reading<'_>| {
        node.and_then(|node| reading.number(node, key, 1..=REQUESTS_MAX))
    };
    let per_second = number(
        section.take("requests_per_second"),
        "requests_per_second",
        reading,
    );
    let burst_node = section.take("burst");
    let burst = number(burst_node, "burst", reading);
    match (per_second, burst_node) {
        (Some(per_second), _) => {
            limits.requests = Some(Rate {
                per_second: f64::from(per_second),
                burst: burst.unwrap_or(per_second),
            });
        }
        (None, Some(node)) => {
            let suggestion = Some("for example `requests_per_second: 100`".to_owned());
            reading.report(
                node.at,
                "`burst` is of no use without `requests_per_second`",
                suggestion,
            );
        }
        (None, None) => {}
    }
    if let Some(node) = section.take("body") {
        limits.body_bytes_max = reading.parsed(node, "body", "5MiB", units::bytes);
    }
    let failures = section.take("failures_per_minute");
    let failures = number(failures, "failures_per_minute", reading);
    limits.failures_per_minute = failures.unwrap_or(limits.failures_per_minute);
    section.finish(reading);
    limits
}

#[cfg(test)]
mod tests;
