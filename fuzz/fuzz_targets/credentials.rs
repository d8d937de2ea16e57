#![no_main]
//! What a stranger says of who it is: a header's value, a token, its claims. Nothing panics, nothing but the right
//! signature is let in, and what is read is written again as what it was.

use libfuzzer_sys::fuzz_target;
use portcullis::registry::access::claims;
use portcullis::registry::access::credentials::Credentials;
use portcullis::registry::access::keys::KeySet;
use portcullis::registry::access::options::{BearerOptions, KeySource};
use std::sync::LazyLock;
use std::time::Duration;

/// The key of RFC 8037's example, under two names.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    KeySet::parse(format!(r#"{{"keys":[{{{key}}},{{{key},"kid":"a"}}]}}"#).as_bytes()).unwrap()
});

static OPTIONS: LazyLock<BearerOptions> = LazyLock::new(|| BearerOptions {
    keys: KeySource::File("keys.json".into()),
    issuer: "i".to_owned(),
    audiences: vec!["a".to_owned()],
    clock_skew: Duration::from_secs(60),
    principal_claim: "sub".to_owned(),
    groups_claim: "groups".to_owned(),
});

/// The only payload that the key has ever signed.
const SIGNED: &[u8] = b"Example of Ed25519 signing";

fuzz_target!(|data: &[u8]| {
    if let Ok(credentials) = Credentials::read(data) {
        assert!(Credentials::read(credentials.header().as_bytes()) == Ok(credentials.clone()));
        if let Credentials::Bearer(token) = credentials
            && let Ok(payload) = KEYS.verified(&token)
        {
            assert_eq!(payload, SIGNED);
        }
    }
    let _ = claims::read(data, &OPTIONS, Duration::from_secs(1));
    let _ = KeySet::parse(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(payload) = KEYS.verified(text) {
            assert_eq!(payload, SIGNED);
        }
    }
});
