//! `registry.embedded.security.ldap`: the directory of users.

use crate::config::section::{Reading, Section};
use crate::config::units;
use crate::registry::access::options::{LdapBind, LdapGroups, LdapOptions, LdapUser};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
const CACHE: Duration = Duration::from_mins(1);

pub fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<LdapOptions> {
    let at = section.at;
    if !cfg!(feature = "ldap") {
        let suggestion = Some("build it with `cargo build --release --features ldap`".to_owned());
        reading.report(at, "`ldap`: this build has no LDAP", suggestion);
    }
    let url = section
        .require("url", reading, "ldaps://ldap.example.com:636")
        .and_then(|node| reading.parsed(node, "url", "ldaps://ldap.example.com:636", url));
    let ca = section.take("ca").map(|node| reading.existing(node, "ca"));
    let bind_dn = section.take("bind_dn").map(|node| reading.text(node, "bind_dn"));
    let bind_password = section
        .take("bind_password")
        .map(|node| reading.text(node, "bind_password"));
    let user_dn = section.take("user_dn").map(|node| {
        reading.parsed(
            node,
            "user_dn",
            "\"uid={user},ou=people,dc=example,dc=com\"",
            with_user,
        )
    });
    let user_search = section
        .take_section("user_search", reading)
        .map(|section| user_search(section, reading));
    let group_search = section
        .take_section("group_search", reading)
        .map(|section| group_search(section, reading));
    let duration = |node, key: &str, default: Duration, reading: &mut Reading<'_>| match node {
        Some(node) => reading.parsed(node, key, "5s", units::duration),
        None => Some(default),
    };
    let timeout = duration(section.take("timeout"), "timeout", TIMEOUT, reading);
    let cache = duration(section.take("cache"), "cache", CACHE, reading);
    section.finish(reading);
    let user = match (user_dn, user_search) {
        (Some(template), None) => template.map(LdapUser::Dn),
        (None, Some(search)) => search,
        _ => {
            let suggestion = "for example `user_search: { base: \"ou=people,dc=example,dc=com\", filter: \"(uid={user})\" }`";
            let what = "`ldap` finds users by either `user_dn` or `user_search`";
            reading.report(at, what, Some(suggestion.to_owned()));
            None
        }
    };
    let bind = match (bind_dn, bind_password) {
        (Some(dn), Some(password)) => Some(LdapBind {
            dn: dn?,
            password: password?,
        }),
        (None, None) => None,
        _ => {
            reading.report(at, "`bind_dn` and `bind_password` go together", None);
            return None;
        }
    };
    Some(LdapOptions {
        url: url?,
        ca: match ca {
            Some(ca) => Some(ca?),
            None => None,
        },
        bind,
        user: user?,
        groups: match group_search {
            Some(groups) => Some(groups?),
            None => None,
        },
        timeout: timeout?,
        cache: cache?,
    })
}

fn url(text: &str) -> Result<String, String> {
    let host = text
        .strip_prefix("ldaps://")
        .or_else(|| text.strip_prefix("ldap://"));
    let good =
        |host: &str| !host.is_empty() && !host.contains(['/', '@', '?', '#']) && !host.starts_with(':');
    match host.map(|host| host.strip_suffix('/').unwrap_or(host)) {
        Some(host) if good(host) => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is neither `ldaps://HOST:PORT` nor `ldap://HOST:PORT`"
        )),
    }
}

fn with_user(text: &str) -> Result<String, String> {
    if text.contains("{user}") {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` has no `{{user}}`: everybody would be the same entry"
        ))
    }
}

fn user_search(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<LdapUser> {
    let base = section
        .require("base", reading, "\"ou=people,dc=example,dc=com\"")
        .and_then(|node| reading.text(node, "base"));
    let filter = section
        .require("filter", reading, "\"(uid={user})\"")
        .and_then(|node| reading.parsed(node, "filter", "\"(uid={user})\"", with_user));
    section.finish(reading);
    Some(LdapUser::Search {
        base: base?,
        filter: filter?,
    })
}

fn group_search(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<LdapGroups> {
    let base = section
        .require("base", reading, "\"ou=groups,dc=example,dc=com\"")
        .and_then(|node| reading.text(node, "base"));
    let filter = section
        .require("filter", reading, "\"(member={dn})\"")
        .and_then(|node| {
            reading.parsed(node, "filter", "\"(member={dn})\"", |text| {
                let about_somebody = text.contains("{dn}") || text.contains("{user}");
                let why = || {
                    format!("`{text}` has neither `{{dn}}` nor `{{user}}`: everybody would be in every group")
                };
                about_somebody.then(|| text.to_owned()).ok_or_else(why)
            })
        });
    let attribute = section
        .take("attribute")
        .map_or_else(|| Some("cn".to_owned()), |node| reading.text(node, "attribute"));
    section.finish(reading);
    Some(LdapGroups {
        base: base?,
        filter: filter?,
        attribute: attribute?,
    })
}
