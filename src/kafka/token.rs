//! Tokens for OAUTHBEARER: from a file that somebody else keeps fresh, or from an identity provider, by client
//! credentials (RFC 6749 section 4.4, as KIP-768 has it). One is had for each connection, so that none is too old.

use super::connect::client_config;
use super::upstream::ClientTls;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// The provider answers within this time or not at all.
const FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// The broker's own limit for all of SASL is eight times that (`sasl.server.max.receive.size`).
const TOKEN_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenSource {
    /// Read again for each connection.
    File(PathBuf),
    Endpoint(Box<TokenEndpoint>),
}

#[derive(Clone, PartialEq, Eq)]
pub struct TokenEndpoint {
    pub url: String,
    pub client_id: String,
    pub client_secret: String,
    pub scope: Option<String>,
    /// PEM; the system's authorities without.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("url", &self.url)
            .field("client_id", &self.client_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl TokenSource {
    /// For errors: where it is, and nothing secret.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Endpoint(endpoint) => endpoint.url.clone(),
        }
    }

    /// A token of now.
    ///
    /// # Errors
    /// In words, without anything secret.
    pub async fn token(&self) -> Result<String, String> {
        match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
                checked(text.trim())
            }
            Self::Endpoint(endpoint) => endpoint.fetch().await,
        }
    }
}

/// Of RFC 6749 section 5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

/// Of RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl TokenEndpoint {
    async fn fetch(&self) -> Result<String, String> {
        let (status, body) = self.exchange().await?;
        if status != reqwest::StatusCode::OK {
            let error = serde_json::from_slice::<Refused>(&body).map(|refused| refused.error);
            let error = error.ok().filter(|error| is_plain(error, 100));
            return Err(format!(
                "it answered {status}{}",
                error.map(|error| format!(": {error}")).unwrap_or_default()
            ));
        }
        let granted: Granted =
            serde_json::from_slice(&body).map_err(|_| "its answer holds no access_token".to_owned())?;
        checked(&granted.access_token)
    }

    async fn exchange(&self) -> Result<(reqwest::StatusCode, Vec<u8>), String> {
        let tls = ClientTls {
            ca: self.ca.clone(),
            identity: None,
        };
        let tls = client_config(&tls).map_err(|error| error.to_string())?;
        let mut client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(FETCH_TIME_MAX);
        if self.url.starts_with("http:") {
            // Nothing between us and this machine.
            client = client.no_proxy();
        }
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let client = client.build().map_err(failed)?;
        let request = client
            .post(&self.url)
            .header("authorization", self.authorization())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(self.form());
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > 2 * TOKEN_BYTES_MAX {
                return Err("its answer is too long".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }

    /// RFC 6749 section 2.3.1: id and secret are encoded as in a form first.
    fn authorization(&self) -> String {
        let pair = format!("{}:{}", encoded(&self.client_id), encoded(&self.client_secret));
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn form(&self) -> String {
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            form += "&scope=";
            form += &encoded(scope);
        }
        form
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A token goes between other bytes of SASL: only what RFC 6750 section 2.1 calls `b64token` is one.
fn checked(token: &str) -> Result<String, String> {
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if token.len() > TOKEN_BYTES_MAX {
        Err(format!("a token of more than {TOKEN_BYTES_MAX} bytes is none"))
    } else if body.is_empty() || !body.bytes().all(legal) {
        Err("what it holds is no bearer token (RFC 6750 section 2.1)".to_owned())
    } else {
        Ok(token.to_owned())
    }
}

fn is_plain(text: &str, length_max: usize) -> bool {
    text.len() <= length_max && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> TokenEndpoint {
        TokenEndpoint {
            url: "https://idp.example/token".to_owned(),
            client_id: "a:b".to_owned(),
            client_secret: "s/1 %".to_owned(),
            scope: Some("kafka read".to_owned()),
            ca: None,
        }
    }

    #[test]
    fn id_and_secret_are_encoded_as_in_a_form_before_they_are_joined() {
        let header = endpoint().authorization();
        let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(pair, b"a%3Ab:s%2F1%20%25");
        assert_eq!(
            endpoint().form(),
            "grant_type=client_credentials&scope=kafka%20read"
        );
    }

    #[test]
    fn only_what_can_be_a_bearer_token_is_taken_for_one() {
        for token in ["eyJh.eyJz.", "a-b._~+/1==", "x"] {
            assert_eq!(checked(token), Ok(token.to_owned()));
        }
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        for token in ["", "=", "a b", "a\u{1}host=x", "a=b", "a\nb", "tökén", &long] {
            assert!(checked(token).is_err(), "{token}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let shown = format!("{:?}", TokenSource::Endpoint(Box::new(endpoint())));
        assert!(shown.contains("a:b") && !shown.contains("s/1"), "{shown}");
    }

    #[tokio::test]
    async fn a_file_is_read_again_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        let error = source.token().await.unwrap_err();
        assert!(error.contains("No such file"), "{error}");
        for token in ["first", "second"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            assert_eq!(source.token().await, Ok(token.to_owned()));
        }
    }
}
