//! A key set (RFC 7517) and the signatures that it proves (RFC 7515): pure.
//!
//! A key has one algorithm, that of its kind, and a token's `alg` has to be that of the key that its `kid` names: what a
//! token says of itself never chooses how it is checked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use std::collections::HashMap;
use thiserror::Error;

/// A longer key set is not read.
pub const SET_BYTES_MAX: usize = 1 << 20;
/// Of RSA's moduli: 8,192 bits, and a sign byte.
const MODULUS_BYTES_MAX: usize = 1_025;
const MODULUS_BYTES_MIN: usize = 256;
/// An elliptic curve's coordinate, and an Ed25519 key.
const COORDINATE_BYTES: usize = 32;
/// The mark of a point that is given by both of its coordinates (SEC 1).
const UNCOMPRESSED: u8 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A public key with the one algorithm that it is for.
enum Key {
    Rs256 { modulus: Vec<u8>, exponent: Vec<u8> },
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
}

impl Key {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256 { .. } => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    fn proves(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        }
        .is_ok()
    }
}

/// What makes a key set unusable.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum KeySetError {
    #[error("it is no JSON of the form {{\"keys\": [...]}}: {0}")]
    Json(String),
    #[error("it has more than {SET_BYTES_MAX} bytes")]
    TooLong,
    #[error("key {index}: {what}")]
    Key { index: usize, what: &'static str },
    #[error("it has no key for RS256, ES256 or EdDSA")]
    Empty,
}

/// Why a token proves nothing. No text quotes the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SignatureError {
    #[error("the token has not three parts of base64")]
    Form,
    #[error("the token's header is not a JOSE header")]
    Header,
    #[error("the token's alg is none of RS256, ES256, EdDSA")]
    Algorithm,
    #[error("the token has a header parameter that must be understood and is not (crit)")]
    Critical,
    #[error("the token's kid is not in the key set")]
    UnknownKey,
    #[error("the token's alg is not its key's")]
    AlgorithmOfKey,
    #[error("the token's signature is not its key's")]
    Signature,
}

/// Public keys by their `kid`; at most one has none.
pub struct KeySet {
    keys: HashMap<Option<String>, Key>,
}

#[derive(Deserialize)]
struct SetJson {
    keys: Vec<KeyJson>,
}

#[derive(Deserialize)]
struct KeyJson {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct HeaderJson {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl KeySet {
    /// Reads a set; keys that are for something else than the three algorithms' signatures are left out.
    ///
    /// # Errors
    /// What is wrong with it: a key of ours that is malformed makes the whole set so, since it would be missed only when
    /// it is used.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > SET_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let set: SetJson =
            serde_json::from_slice(json).map_err(|error| KeySetError::Json(error.to_string()))?;
        let mut keys = HashMap::new();
        for (index, json) in set.keys.into_iter().enumerate() {
            let wrong = |what| KeySetError::Key { index, what };
            let Some(key) = key(&json).map_err(wrong)? else {
                continue;
            };
            if keys.insert(json.kid, key).is_some() {
                return Err(wrong("its kid is another key's, too"));
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self { keys })
    }

    /// How many keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The payload of a token (RFC 7515's compact form) whose signature is right.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verified(&self, token: &str) -> Result<Vec<u8>, SignatureError> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SignatureError::Form);
        };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| SignatureError::Form);
        let json: HeaderJson =
            serde_json::from_slice(&decoded(header)?).map_err(|_| SignatureError::Header)?;
        let algorithm = Algorithm::from_name(&json.alg).ok_or(SignatureError::Algorithm)?;
        if json.crit.is_some() {
            return Err(SignatureError::Critical);
        }
        let key = self.keys.get(&json.kid).ok_or(SignatureError::UnknownKey)?;
        if key.algorithm() != algorithm {
            return Err(SignatureError::AlgorithmOfKey);
        }
        let signed = header.len() + 1 + payload.len();
        let message = token.as_bytes().get(..signed).ok_or(SignatureError::Form)?;
        if !key.proves(message, &decoded(signature)?) {
            return Err(SignatureError::Signature);
        }
        decoded(payload)
    }
}

/// A key of ours; none when it is for something else.
fn key(json: &KeyJson) -> Result<Option<Key>, &'static str> {
    let for_signatures = json.usage.as_deref().is_none_or(|usage| usage == "sig")
        && json
            .key_ops
            .as_ref()
            .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    let algorithm = match (json.kty.as_str(), json.crv.as_deref()) {
        ("RSA", _) => Algorithm::Rs256,
        ("EC", Some("P-256")) => Algorithm::Es256,
        ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Ok(None),
    };
    let other = json
        .alg
        .as_deref()
        .is_some_and(|name| Algorithm::from_name(name) != Some(algorithm));
    if !for_signatures || other {
        return Ok(None);
    }
    let member = |member: &Option<String>, missing: &'static str| {
        let text = member.as_deref().ok_or(missing)?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| missing)
    };
    let coordinate = |text: &Option<String>, missing: &'static str| {
        let bytes = member(text, missing)?;
        if bytes.len() == COORDINATE_BYTES {
            Ok(bytes)
        } else {
            Err("a coordinate has not 32 bytes")
        }
    };
    Ok(Some(match algorithm {
        Algorithm::Rs256 => {
            let modulus = member(&json.n, "no n in base64url")?;
            let exponent = member(&json.e, "no e in base64url")?;
            if !(MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&modulus.len()) {
                return Err("its modulus has not 2048 to 8192 bits");
            }
            if !(1..=8).contains(&exponent.len()) {
                return Err("its exponent has not 1 to 8 bytes");
            }
            // Some write a zero in front, as if there could be a sign.
            let modulus = modulus.strip_prefix(&[0]).map(<[u8]>::to_vec).unwrap_or(modulus);
            Key::Rs256 { modulus, exponent }
        }
        Algorithm::Es256 => {
            let mut point = vec![UNCOMPRESSED];
            point.extend(coordinate(&json.x, "no x in base64url")?);
            point.extend(coordinate(&json.y, "no y in base64url")?);
            Key::Es256(point)
        }
        Algorithm::EdDsa => Key::EdDsa(coordinate(&json.x, "no x in base64url")?),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515's examples A.2 (RS256) and A.3 (ES256), with their keys.
    const RS256_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const RS256_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const ES256_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const ES256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const ES256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    /// RFC 8037's example A.4.
    const EDDSA_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    const EDDSA_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn set(keys: &str) -> Result<KeySet, KeySetError> {
        KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())
    }

    fn rsa(more: &str) -> String {
        format!(r#"{{"kty":"RSA","n":"{RS256_N}","e":"AQAB"{more}}}"#)
    }

    fn ec(more: &str) -> String {
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{ES256_X}","y":"{ES256_Y}"{more}}}"#)
    }

    fn okp(more: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{EDDSA_X}"{more}}}"#)
    }

    #[test]
    fn the_examples_of_the_rfcs_are_proved_by_their_keys() {
        for (key, token) in [
            (rsa(""), RS256_TOKEN),
            (ec(""), ES256_TOKEN),
            (okp(""), EDDSA_TOKEN),
        ] {
            let keys = set(&key).unwrap();
            assert!(keys.verified(token).is_ok(), "{key}");
            for (other, expected) in [
                (RS256_TOKEN, SignatureError::AlgorithmOfKey),
                (ES256_TOKEN, SignatureError::AlgorithmOfKey),
                (EDDSA_TOKEN, SignatureError::AlgorithmOfKey),
            ] {
                if other != token {
                    assert_eq!(keys.verified(other), Err(expected));
                }
            }
        }
        let payload = set(&okp("")).unwrap().verified(EDDSA_TOKEN).unwrap();
        assert_eq!(payload, b"Example of Ed25519 signing");
    }

    #[test]
    fn every_changed_byte_of_a_token_is_noticed() {
        for (key, token) in [
            (rsa(""), RS256_TOKEN),
            (ec(""), ES256_TOKEN),
            (okp(""), EDDSA_TOKEN),
        ] {
            let keys = set(&key).unwrap();
            for position in 0..token.len() {
                let mut changed = token.as_bytes().to_vec();
                changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert!(keys.verified(&changed).is_err(), "{position}");
            }
            for end in 0..token.len() {
                assert!(keys.verified(&token[..end]).is_err(), "{end}");
            }
            assert_eq!(keys.verified(&format!("{token}.")), Err(SignatureError::Form));
        }
    }

    #[test]
    fn a_header_does_not_choose_how_it_is_checked() {
        let keys = set(&rsa(r#","kid":"1""#)).unwrap();
        let token = |header: &str| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        for (header, expected) in [
            (r#"{"alg":"none"}"#, SignatureError::Algorithm),
            (r#"{"alg":"None","kid":"1"}"#, SignatureError::Algorithm),
            (r#"{"alg":"HS256","kid":"1"}"#, SignatureError::Algorithm),
            (r#"{"alg":"RS512","kid":"1"}"#, SignatureError::Algorithm),
            (r#"{"alg":"ES256","kid":"1"}"#, SignatureError::AlgorithmOfKey),
            (r#"{"alg":"RS256","kid":"2"}"#, SignatureError::UnknownKey),
            (r#"{"alg":"RS256"}"#, SignatureError::UnknownKey),
            (
                r#"{"alg":"RS256","kid":"1","crit":["b64"],"b64":false}"#,
                SignatureError::Critical,
            ),
            (r#"{"alg":"RS256","kid":"1"}"#, SignatureError::Signature),
            (
                r#"{"alg":"RS256","alg":"none","kid":"1"}"#,
                SignatureError::Header,
            ),
            (r#"{"alg":["RS256"]}"#, SignatureError::Header),
            (r#"{"kid":"1"}"#, SignatureError::Header),
            ("[]", SignatureError::Header),
            ("x", SignatureError::Header),
        ] {
            assert_eq!(keys.verified(&token(header)), Err(expected), "{header}");
        }
        for form in ["", "a", "a.b", "..", "a.b.c.d", "e30=.e30.c2ln"] {
            assert!(keys.verified(form).is_err(), "{form}");
        }
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        for other in [
            rsa(r#","use":"enc""#),
            rsa(r#","alg":"RS512""#),
            rsa(r#","key_ops":["sign"]"#),
            r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-384","x":"a","y":"b"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"X25519","x":"a"}"#.to_owned(),
        ] {
            assert_eq!(set(&other).err(), Some(KeySetError::Empty), "{other}");
            assert_eq!(set(&format!("{other},{}", okp(""))).unwrap().count(), 1);
        }
        let all = [
            rsa(r#","kid":"a","use":"sig","alg":"RS256""#),
            ec(r#","kid":"b","key_ops":["verify"]"#),
            okp(""),
        ];
        assert_eq!(set(&all.join(",")).unwrap().count(), 3);
    }

    #[test]
    fn a_malformed_key_of_ours_makes_the_set_useless() {
        for (key, what) in [
            (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, "modulus"),
            (r#"{"kty":"RSA","e":"AQAB"}"#, "no n"),
            (r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"}"#, "32 bytes"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"!"}"#, "no x"),
        ] {
            let error = set(&format!("{},{key}", okp(""))).err().unwrap().to_string();
            assert!(error.starts_with("key 1: ") && error.contains(what), "{error}");
        }
        let twice = [okp(r#","kid":"a""#), ec(r#","kid":"a""#)].join(",");
        assert!(set(&twice).err().unwrap().to_string().contains("another key's"));
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#] {
            assert!(
                matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::Json(_))),
                "{text}"
            );
        }
    }
}
