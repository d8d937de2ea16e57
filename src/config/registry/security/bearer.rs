//! `registry.embedded.security.bearer`: whose tokens are taken.

use crate::config::address;
use crate::config::section::{Reading, Section};
use crate::config::units;
use crate::config::yaml::{Node, Value};
use crate::registry::access::options::{BearerOptions, KeySource};
use std::time::Duration;

const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// Clocks that are further apart want mending.
const CLOCK_SKEW_MAX: Duration = Duration::from_mins(10);
const REFRESH: Duration = Duration::from_mins(5);
const REFRESH_MIN: Duration = Duration::from_secs(1);

pub fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<BearerOptions> {
    let keys = keys(&mut section, reading);
    let issuer = section.require("issuer", reading, "https://idp.example.com/");
    let issuer = issuer.and_then(|node| reading.text(node, "issuer"));
    let audiences = section.require("audience", reading, "schema-registry");
    let audiences = audiences.and_then(|node| audiences_of(node, reading));
    let clock_skew = match section.take("clock_skew") {
        Some(node) => reading.parsed(node, "clock_skew", "60s", |text| {
            within(text, Duration::ZERO, CLOCK_SKEW_MAX)
        }),
        None => Some(CLOCK_SKEW),
    };
    let mut claim = |key: &'static str, default: &str| match section.take(key) {
        Some(node) => reading.text(node, key),
        None => Some(default.to_owned()),
    };
    let principal_claim = claim("principal_claim", "sub");
    let groups_claim = claim("groups_claim", "groups");
    section.finish(reading);
    Some(BearerOptions {
        keys: keys?,
        issuer: issuer?,
        audiences: audiences?,
        clock_skew: clock_skew?,
        principal_claim: principal_claim?,
        groups_claim: groups_claim?,
    })
}

fn keys(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<KeySource> {
    let at = section.at;
    let file = section.take("jwks_file");
    let url = section.take("jwks_url");
    let (ca, refresh) = (section.take("ca"), section.take("refresh"));
    if url.is_none() {
        for (node, key) in [(ca, "ca"), (refresh, "refresh")] {
            if let Some(node) = node {
                reading.report(node.at, format!("`{key}` is of no use without `jwks_url`"), None);
            }
        }
    }
    match (file, url) {
        (Some(file), None) => reading.existing(file, "jwks_file").map(KeySource::File),
        (None, Some(url)) => {
            let url = reading.parsed(url, "jwks_url", "https://idp.example.com/jwks.json", |text| {
                address::secret_url(text, "keys")
            });
            let ca = ca.map(|node| reading.existing(node, "ca"));
            let refresh = refresh.map_or(Some(REFRESH), |node| {
                reading.parsed(node, "refresh", "5m", |text| {
                    within(text, REFRESH_MIN, Duration::MAX)
                })
            });
            Some(KeySource::Url {
                url: url?,
                ca: match ca {
                    Some(ca) => Some(ca?),
                    None => None,
                },
                refresh: refresh?,
            })
        }
        (None, None) => {
            let suggestion = Some("for example `jwks_file: keys.json`, or `jwks_url: https://…`".to_owned());
            reading.report(
                at,
                "`bearer` has no keys: it names neither `jwks_file` nor `jwks_url`",
                suggestion,
            );
            None
        }
        (Some(_), Some(url)) => {
            let suggestion = Some("leave one of them out".to_owned());
            reading.report(url.at, "`jwks_file` and `jwks_url` are both there", suggestion);
            None
        }
    }
}

fn within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let duration = units::duration(text)?;
    if duration < least {
        Err(format!("`{text}` is less than {} s", least.as_secs()))
    } else if duration > most {
        Err(format!("`{text}` is more than {} s", most.as_secs()))
    } else {
        Ok(duration)
    }
}

/// One, or a list.
fn audiences_of(node: &Node, reading: &mut Reading<'_>) -> Option<Vec<String>> {
    let Value::List(list) = &node.value else {
        return reading.text(node, "audience").map(|one| vec![one]);
    };
    if list.is_empty() {
        reading.report(
            node.at,
            "`audience` is an empty list: no token could be for it",
            None,
        );
    }
    list.iter().map(|node| reading.text(node, "audience")).collect()
}
