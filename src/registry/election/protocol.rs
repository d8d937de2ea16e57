//! What the members of the group tell one another: Confluent's `SchemaRegistryProtocol`, JSON in the opaque bytes of
//! JoinGroup and SyncGroup. Byte order of the fields as theirs; read leniently, because members of other versions
//! write more or less.
//!
//! ```text
//! member's metadata   {"host":"a","port":8081,"master_eligibility":true,"scheme":"http","version":1,"leader":false}
//! assignment          {"error":0,"master":"portcullis-7c…","master_identity":{…},"version":1}
//! ```

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The group's protocol type.
pub const PROTOCOL_TYPE: &str = "sr";
/// The one protocol that members offer.
pub const PROTOCOL: &str = "v0";
/// Longer metadata or assignments are not read: theirs have some hundred bytes.
const BYTES_MAX: usize = 16 << 10;
const VERSION: i64 = 1;

/// Where a registry's REST API is, and what it would do (`SchemaRegistryIdentity`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    pub host: String,
    pub port: u16,
    #[serde(rename = "master_eligibility", default)]
    pub eligible: bool,
    #[serde(default = "http", skip_serializing_if = "String::is_empty")]
    pub scheme: String,
    #[serde(default = "version")]
    version: i64,
    /// It takes itself for the leader, and would stay it.
    #[serde(default)]
    pub leader: bool,
}

fn http() -> String {
    "http".to_owned()
}

fn version() -> i64 {
    VERSION
}

impl Identity {
    #[must_use]
    pub fn new(scheme: &str, host: &str, port: u16, eligible: bool) -> Self {
        Self {
            host: host.to_owned(),
            port,
            eligible,
            scheme: scheme.to_owned(),
            version: VERSION,
            leader: false,
        }
    }

    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and numbers always become JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// # Errors
    /// [`NotOurs`] when the bytes are no identity.
    pub fn from_json(bytes: &[u8]) -> Result<Self, NotOurs> {
        read(bytes, "identity")
    }

    /// By this members tell one another apart, and the smallest is elected: `http://host:8081`.
    #[must_use]
    pub fn url(&self) -> String {
        let Self {
            scheme, host, port, ..
        } = self;
        format!("{scheme}://{host}:{port}")
    }
}

/// What the group's assigner tells everybody: who leads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assignment {
    #[serde(default)]
    pub error: i16,
    /// The leader's member id.
    #[serde(rename = "master", default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<Arc<str>>,
    #[serde(rename = "master_identity", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    #[serde(default = "version")]
    version: i64,
}

impl Assignment {
    pub const NO_ERROR: i16 = 0;
    /// Two members say that they are at one address, so that nothing could be forwarded to either.
    pub const DUPLICATE_URLS: i16 = 1;

    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // As an identity.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// # Errors
    /// [`NotOurs`] when the bytes are no assignment.
    pub fn from_json(bytes: &[u8]) -> Result<Self, NotOurs> {
        read(bytes, "assignment")
    }
}

/// Bytes of a member that does not speak this protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotOurs(String);

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, NotOurs> {
    if bytes.len() > BYTES_MAX {
        let length = bytes.len();
        return Err(NotOurs(format!(
            "an {what} of {length} bytes: {BYTES_MAX} are read"
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| NotOurs(format!("no {what}: {error}")))
}

/// Chooses the leader among a group's members, given as member id and metadata, as
/// `SchemaRegistryCoordinator.onLeaderElected` does with `leader.election.sticky`: the one member that says it leads
/// already; when none or several say so, the eligible one with the smallest URL. A member whose metadata cannot be
/// read is passed over.
#[must_use]
pub fn choose(members: &[(Arc<str>, Vec<u8>)]) -> Assignment {
    let known: Vec<(&Arc<str>, Identity)> = members
        .iter()
        .filter_map(|(id, metadata)| Some((id, Identity::from_json(metadata).ok()?)))
        .collect();
    let urls: BTreeSet<String> = known.iter().map(|(_, identity)| identity.url()).collect();
    let error = if urls.len() == known.len() {
        Assignment::NO_ERROR
    } else {
        Assignment::DUPLICATE_URLS
    };
    let eligible = || known.iter().filter(|(_, identity)| identity.eligible);
    let mut leading = eligible().filter(|(_, identity)| identity.leader);
    let chosen = match (leading.next(), leading.next()) {
        (Some(one), None) => Some(one),
        _ => eligible().min_by_key(|(id, identity)| (identity.url(), *id)),
    };
    Assignment {
        error,
        leader: chosen.map(|(id, _)| (*id).clone()),
        identity: chosen.map(|(_, identity)| identity.clone()),
        version: VERSION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(id: &str, host: &str, eligible: bool, leader: bool) -> (Arc<str>, Vec<u8>) {
        let identity = Identity {
            leader,
            ..Identity::new("http", host, 8081, eligible)
        };
        (id.into(), identity.to_json())
    }

    fn chosen(members: &[(Arc<str>, Vec<u8>)]) -> (i16, Option<String>) {
        let assignment = choose(members);
        (assignment.error, assignment.leader.map(|id| id.to_string()))
    }

    #[test]
    fn bytes_are_those_that_confluents_serializer_writes() {
        let identity = Identity::new("http", "a.example", 8081, true);
        assert_eq!(
            String::from_utf8(identity.to_json()).unwrap(),
            r#"{"host":"a.example","port":8081,"master_eligibility":true,"scheme":"http","version":1,"leader":false}"#
        );
        let assignment = choose(&[("m-1".into(), identity.to_json())]);
        assert_eq!(
            String::from_utf8(assignment.to_json()).unwrap(),
            r#"{"error":0,"master":"m-1","master_identity":{"host":"a.example","port":8081,"master_eligibility":true,"scheme":"http","version":1,"leader":false},"version":1}"#
        );
        assert_eq!(
            String::from_utf8(choose(&[]).to_json()).unwrap(),
            r#"{"error":0,"version":1}"#
        );
    }

    #[test]
    fn members_of_other_versions_are_understood() {
        let old = br#"{"version":1,"host":"a","port":8081,"master_eligibility":true}"#;
        assert_eq!(
            Identity::from_json(old),
            Ok(Identity::new("http", "a", 8081, true))
        );
        let newer = br#"{"host":"a","port":8081,"master_eligibility":false,"scheme":"https","version":2,"leader":true,"zone":{"x":[1]}}"#;
        let newer = Identity::from_json(newer).unwrap();
        assert_eq!(
            (newer.url().as_str(), newer.leader, newer.version),
            ("https://a:8081", true, 2)
        );
        let nobody =
            br#"{"error":0,"master":"master","master_identity":null,"unknown_property":null,"version":1}"#;
        assert_eq!(Assignment::from_json(nobody).unwrap().identity, None);
    }

    #[test]
    fn what_is_no_identity_is_an_error_and_never_more_than_that() {
        let deep = "[".repeat(10_000);
        let long = format!(r#"{{"host":"{}","port":1}}"#, "x".repeat(BYTES_MAX));
        for bytes in [
            "",
            "null",
            "{}",
            r#"{"host":"a"}"#,
            r#"{"host":"a","port":70000}"#,
            "\u{0}\u{1}",
            &deep,
            &long,
        ] {
            assert!(
                Identity::from_json(bytes.as_bytes()).is_err(),
                "{}",
                &bytes[..bytes.len().min(40)]
            );
        }
        assert!(Assignment::from_json(b"").is_err());
    }

    #[test]
    fn the_member_that_leads_stays_else_the_smallest_url_leads() {
        let a = || member("m-9", "a", true, false);
        let b = || member("m-1", "b", true, false);
        let b_leads = || member("m-1", "b", true, true);
        let c_leads = || member("m-2", "c", true, true);
        let d_leads = || member("m-3", "d", true, true);
        assert_eq!(chosen(&[b(), a()]), (0, Some("m-9".to_owned())));
        assert_eq!(chosen(&[a(), b_leads()]), (0, Some("m-1".to_owned())));
        assert_eq!(chosen(&[b_leads(), c_leads(), a()]), (0, Some("m-9".to_owned())));
        assert_eq!(
            chosen(&[b_leads(), c_leads(), d_leads(), a()]),
            (0, Some("m-9".to_owned()))
        );
    }

    #[test]
    fn who_is_not_eligible_does_not_lead_even_when_it_says_so() {
        let ineligible = member("m-1", "a", false, true);
        assert_eq!(chosen(std::slice::from_ref(&ineligible)), (0, None));
        let other = member("m-2", "b", true, false);
        assert_eq!(chosen(&[ineligible, other]), (0, Some("m-2".to_owned())));
    }

    #[test]
    fn two_members_at_one_address_are_an_error_that_names_itself() {
        let members = [
            member("m-1", "localhost", true, false),
            member("m-2", "localhost", true, false),
        ];
        assert_eq!(
            chosen(&members),
            (Assignment::DUPLICATE_URLS, Some("m-1".to_owned()))
        );
    }

    #[test]
    fn a_member_that_speaks_something_else_is_passed_over() {
        let strange = ("m-0".into(), b"\x00\x01consumer".to_vec());
        assert_eq!(
            chosen(&[strange, member("m-1", "b", true, false)]),
            (0, Some("m-1".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(host in "[a-z0-9.\\-\"\\\\ü]{0,20}", port: u16, eligible: bool, leader: bool, tls: bool) {
            let scheme = if tls { "https" } else { "http" };
            let identity = Identity { leader, ..Identity::new(scheme, &host, port, eligible) };
            prop_assert_eq!(Identity::from_json(&identity.to_json()), Ok(identity.clone()));
            let assignment = choose(&[("m".into(), identity.to_json())]);
            prop_assert_eq!(Assignment::from_json(&assignment.to_json()), Ok(assignment));
        }

        #[test]
        fn any_bytes_are_an_identity_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Identity::from_json(&bytes);
            let _ = Assignment::from_json(&bytes);
        }
    }
}
