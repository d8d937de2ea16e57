//! What a token claims (RFC 7519), and whether it holds now and here: pure.

use super::options::{BearerOptions, is_name};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A principal in more groups is refused, so that no token makes every decision slow.
const GROUPS_MAX: usize = 1_000;

/// Why a token's claims do not hold. No text quotes a claim.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ClaimsError {
    #[error("the token's claims are not a JSON object")]
    Json,
    #[error("the token has no exp")]
    NoExpiry,
    #[error("the token's {0} is not a number of seconds")]
    NotATime(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token's iss is not the configured one")]
    Issuer,
    #[error("the token's aud has none of the configured ones")]
    Audience,
    #[error("the token's `{0}` is no principal's name")]
    Principal(String),
    #[error("the token's `{0}` is neither text nor a list of text, or too long a one")]
    Groups(String),
}

/// Whom a token is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    pub name: Arc<str>,
    pub groups: Vec<Arc<str>>,
}

/// Reads the claims of a token whose signature is right; `now`: since 1970.
///
/// # Errors
/// The first that does not hold.
pub fn read(payload: &[u8], options: &BearerOptions, now: Duration) -> Result<Claims, ClaimsError> {
    let claims: Map<String, Value> = serde_json::from_slice(payload).map_err(|_| ClaimsError::Json)?;
    let (now, skew) = (now.as_secs_f64(), options.clock_skew.as_secs_f64());
    let expires = time(&claims, "exp")?.ok_or(ClaimsError::NoExpiry)?;
    if now >= expires + skew {
        return Err(ClaimsError::Expired);
    }
    if time(&claims, "nbf")?.is_some_and(|from| now + skew < from) {
        return Err(ClaimsError::NotYet);
    }
    if claims.get("iss").and_then(Value::as_str) != Some(&options.issuer) {
        return Err(ClaimsError::Issuer);
    }
    if !is_for(claims.get("aud"), &options.audiences) {
        return Err(ClaimsError::Audience);
    }
    let name = claims.get(&options.principal_claim).and_then(Value::as_str);
    let name = name
        .filter(|name| is_name(name))
        .ok_or_else(|| ClaimsError::Principal(options.principal_claim.clone()))?;
    Ok(Claims {
        name: name.into(),
        groups: groups(claims.get(&options.groups_claim))
            .ok_or_else(|| ClaimsError::Groups(options.groups_claim.clone()))?,
    })
}

/// RFC 7519's `NumericDate`. Anything else, text of digits too, is not one.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, ClaimsError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(seconds) if seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(ClaimsError::NotATime(name)),
        },
        Some(_) => Err(ClaimsError::NotATime(name)),
    }
}

fn is_for(audience: Option<&Value>, ours: &[String]) -> bool {
    let is_ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| ours.iter().any(|our| our == text))
    };
    match audience {
        Some(Value::Array(several)) => several.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    }
}

fn groups(claim: Option<&Value>) -> Option<Vec<Arc<str>>> {
    match claim {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one.as_str().into()]),
        Some(Value::Array(several)) if several.len() <= GROUPS_MAX => several
            .iter()
            .map(|group| group.as_str().map(Arc::from))
            .collect(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::access::options::KeySource;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn options() -> BearerOptions {
        BearerOptions {
            keys: KeySource::File("keys.json".into()),
            issuer: "https://idp".to_owned(),
            audiences: vec!["registry".to_owned(), "other".to_owned()],
            clock_skew: Duration::from_mins(1),
            principal_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
        }
    }

    /// The claims of a good token with these changed; null takes one away.
    fn with(changes: &Value) -> Result<Claims, ClaimsError> {
        let mut claims = json!({ "iss": "https://idp", "aud": "registry", "sub": "alice", "exp": NOW + 300 });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        read(
            claims.to_string().as_bytes(),
            &options(),
            Duration::from_secs(NOW),
        )
    }

    #[test]
    fn a_good_token_names_its_principal_and_groups() {
        for (groups, expected) in [
            (json!({}), vec![]),
            (json!({ "groups": "a" }), vec!["a"]),
            (json!({ "groups": ["a", "b"] }), vec!["a", "b"]),
            (json!({ "groups": [] }), vec![]),
        ] {
            let claims = with(&groups).unwrap();
            assert_eq!(&*claims.name, "alice");
            assert_eq!(
                claims.groups.iter().map(|group| &**group).collect::<Vec<_>>(),
                expected
            );
        }
        assert!(with(&json!({ "aud": ["x", "other"] })).is_ok());
    }

    #[test]
    fn times_are_numbers_and_hold_within_the_clock_skew() {
        for (changes, expected) in [
            (json!({ "exp": NOW - 59 }), Ok(())),
            (json!({ "exp": NOW - 60 }), Err(ClaimsError::Expired)),
            (json!({ "exp": NOW as f64 - 59.5 }), Ok(())),
            (json!({ "exp": 0 }), Err(ClaimsError::Expired)),
            (json!({ "exp": -1 }), Err(ClaimsError::Expired)),
            (json!({ "exp": null }), Err(ClaimsError::NoExpiry)),
            (
                json!({ "exp": (NOW + 300).to_string() }),
                Err(ClaimsError::NotATime("exp")),
            ),
            (json!({ "exp": [NOW + 300] }), Err(ClaimsError::NotATime("exp"))),
            (json!({ "exp": true }), Err(ClaimsError::NotATime("exp"))),
            (json!({ "exp": {} }), Err(ClaimsError::NotATime("exp"))),
            (json!({ "nbf": NOW + 60 }), Ok(())),
            (json!({ "nbf": NOW + 61 }), Err(ClaimsError::NotYet)),
            (json!({ "nbf": "0" }), Err(ClaimsError::NotATime("nbf"))),
        ] {
            assert_eq!(with(&changes).map(drop), expected, "{changes}");
        }
        let null = r#"{"iss":"https://idp","aud":"registry","sub":"a","exp":null}"#;
        let read = read(null.as_bytes(), &options(), Duration::from_secs(NOW));
        assert_eq!(read, Err(ClaimsError::NotATime("exp")));
    }

    #[test]
    fn who_speaks_for_whom_to_whom_must_be_as_configured() {
        for (changes, expected) in [
            (json!({ "iss": null }), ClaimsError::Issuer),
            (json!({ "iss": "https://idp/" }), ClaimsError::Issuer),
            (json!({ "iss": ["https://idp"] }), ClaimsError::Issuer),
            (json!({ "aud": null }), ClaimsError::Audience),
            (json!({ "aud": "registr" }), ClaimsError::Audience),
            (json!({ "aud": [] }), ClaimsError::Audience),
            (json!({ "aud": { "registry": true } }), ClaimsError::Audience),
            (json!({ "sub": null }), ClaimsError::Principal("sub".to_owned())),
            (json!({ "sub": "" }), ClaimsError::Principal("sub".to_owned())),
            (json!({ "sub": 1 }), ClaimsError::Principal("sub".to_owned())),
            (json!({ "sub": "a\nb" }), ClaimsError::Principal("sub".to_owned())),
            (
                json!({ "sub": "x".repeat(2_000) }),
                ClaimsError::Principal("sub".to_owned()),
            ),
            (json!({ "groups": 1 }), ClaimsError::Groups("groups".to_owned())),
            (json!({ "groups": [1] }), ClaimsError::Groups("groups".to_owned())),
            (
                json!({ "groups": vec!["g"; 1_001] }),
                ClaimsError::Groups("groups".to_owned()),
            ),
        ] {
            assert_eq!(with(&changes), Err(expected), "{changes}");
        }
        for payload in ["", "[]", "1", "{", "\"x\""] {
            let read = read(payload.as_bytes(), &options(), Duration::from_secs(NOW));
            assert_eq!(read, Err(ClaimsError::Json), "{payload}");
        }
    }
}
