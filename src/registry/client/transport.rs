//! Requests over HTTP: several registries in turn, again while it may help, and never more of an answer than is wanted.

use super::error::ClientError;
use crate::kafka::ClientTls;
use crate::kafka::connect::{client_config, client_config_without_trust};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const V1_JSON: &str = "application/vnd.schemaregistry.v1+json";
/// What a registry says of a refusal is shown up to this length.
const MESSAGE_CHARS_MAX: usize = 4_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Rounds over all registries: an election takes a few seconds.
const ROUNDS: u32 = 5;
/// The pause after the first round; it doubles, and each is cut by up to a half so that clients do not meet again.
const PAUSE: Duration = Duration::from_millis(200);
/// A registry that asks for more patience does not get it.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Who asks. Never shown: neither `Debug` nor an error has it.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    #[default]
    None,
    Basic {
        user: String,
        password: String,
    },
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// How a registry is reached.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Registries of one group, tried in turn: `https://registry-1:8081`.
    pub urls: Vec<String>,
    pub credentials: Credentials,
    pub tls: ClientTls,
    /// For one attempt.
    pub timeout: Duration,
    pub answer_bytes_max: usize,
}

/// One request, relative to a registry's address.
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, String)],
    pub body: Option<Value>,
}

pub struct Transport {
    http: reqwest::Client,
    urls: Vec<Url>,
    /// The registry that answered last.
    current: AtomicUsize,
    credentials: Credentials,
    answer_bytes_max: usize,
    jitter: RandomState,
}

#[derive(Deserialize)]
struct ErrorMessage {
    error_code: Option<u32>,
    message: Option<String>,
}

/// What an attempt came to when it failed.
struct Failed {
    error: ClientError,
    /// Whether the request may have been carried out although no answer came.
    in_doubt: bool,
    retry_after: Option<Duration>,
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self {
            error,
            in_doubt: false,
            retry_after: None,
        }
    }
}

impl Transport {
    /// # Errors
    /// [`ClientError::Setup`] for an address, a certificate or a key that cannot be used.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let setup = |why: &dyn std::fmt::Display| ClientError::Setup(why.to_string());
        let urls: Vec<Url> = options
            .urls
            .iter()
            .map(|url| address(url))
            .collect::<Result<_, _>>()?;
        if urls.is_empty() {
            return Err(ClientError::Setup("no registry is named".to_owned()));
        }
        let tls = if urls.iter().any(|url| url.scheme() == "https") {
            client_config(&options.tls)
        } else {
            client_config_without_trust()
        };
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.map_err(|error| setup(&error))?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(options.timeout)
            // Credentials go to nobody who was not named.
            .redirect(redirect::Policy::none());
        Ok(Self {
            http: builder.build().map_err(|error| setup(&whole(&error)))?,
            urls,
            current: AtomicUsize::new(0),
            credentials: options.credentials.clone(),
            answer_bytes_max: options.answer_bytes_max,
            jitter: RandomState::new(),
        })
    }

    /// The first registry's address, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        self.urls.first().map_or("", Url::as_str)
    }

    /// Asks until one registry answers, or no further attempt would help.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        let mut round = 0;
        loop {
            let failed = match self.round(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            round += 1;
            // A DELETE whose answer was lost would be refused the second time.
            let repeatable = !failed.in_doubt || call.method != Method::DELETE;
            if round == ROUNDS || !failed.error.is_passing() || !repeatable {
                return Err(failed.error);
            }
            tokio::time::sleep(self.pause(round, failed.retry_after)).await;
        }
    }

    fn pause(&self, round: u32, retry_after: Option<Duration>) -> Duration {
        let pause = PAUSE.saturating_mul(1 << (round - 1).min(10));
        let cut = self.jitter.hash_one((round, std::thread::current().id())) % 500;
        let pause = pause.mul_f64(1.0 - cut as f64 / 1_000.0);
        pause.max(retry_after.unwrap_or_default()).min(PAUSE_MAX)
    }

    /// Each registry once, the one that answered last first.
    async fn round<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failed> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for step in 0..self.urls.len() {
            let index = (first + step) % self.urls.len();
            let Some(base) = self.urls.get(index) else { break };
            match self.attempt(base, call).await {
                Ok(answer) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failed) => {
                    let go_on =
                        failed.error.is_passing() && (!failed.in_doubt || call.method != Method::DELETE);
                    last = Some(failed);
                    if !go_on {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| ClientError::Setup("no registry is named".to_owned()).into()))
    }

    async fn attempt<T: DeserializeOwned>(&self, base: &Url, call: &Call<'_>) -> Result<T, Failed> {
        let url = below(base, call.path, call.query);
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .header(ACCEPT, V1_JSON);
        request = match &self.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
        };
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, V1_JSON).body(body.to_string());
        }
        let response = request.send().await.map_err(|error| no_answer(&url, error))?;
        let status = response.status();
        let retry_after = seconds(&response);
        let bytes = self.body(&url, response).await?;
        if !status.is_success() {
            return Err(Failed {
                error: refused(&url, status, &bytes),
                in_doubt: status.is_server_error(),
                retry_after,
            });
        }
        // 204 has no body; `()` reads null.
        let body = if bytes.is_empty() {
            b"null"
        } else {
            bytes.as_slice()
        };
        serde_json::from_slice(body).map_err(|error| {
            ClientError::Unreadable {
                url: url.to_string(),
                why: error.to_string(),
            }
            .into()
        })
    }

    async fn body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(url, error))? {
            if bytes.len() + chunk.len() > self.answer_bytes_max {
                return Err(ClientError::TooLarge {
                    url: url.to_string(),
                    bytes_max: self.answer_bytes_max,
                }
                .into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// # Errors
/// [`ClientError::Setup`] says what is wrong, without the password that may be in it.
fn address(text: &str) -> Result<Url, ClientError> {
    let text = text.trim();
    let wrong = |why: &str| Err(ClientError::Setup(format!("a registry's address {why}")));
    let Ok(url) = Url::parse(text) else {
        return wrong("is a URL, for example http://localhost:8081");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return wrong(&format!(
            "begins with http:// or https://, not with {}:",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has no user and no password in it: everybody could read them");
    }
    Ok(url)
}

fn below(base: &Url, path: &[&str], query: &[(&str, String)]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url.set_query(None);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn no_answer(url: &Url, error: reqwest::Error) -> Failed {
    let in_doubt = !error.is_connect();
    Failed {
        error: ClientError::Unreachable {
            url: url.to_string(),
            why: whole(&error.without_url()),
        },
        in_doubt,
        retry_after: None,
    }
}

/// An error with what caused it: reqwest says only the first part itself.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn seconds(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}

fn refused(url: &Url, status: StatusCode, body: &[u8]) -> ClientError {
    let read: Option<ErrorMessage> = serde_json::from_slice(body).ok();
    let reason = status.canonical_reason().unwrap_or("refused");
    let said = read.as_ref().and_then(|read| read.message.clone());
    let message: String = said
        .unwrap_or_else(|| reason.to_owned())
        .chars()
        .take(MESSAGE_CHARS_MAX)
        .collect();
    ClientError::Refused {
        url: url.to_string(),
        status: status.as_u16(),
        error_code: read.and_then(|read| read.error_code),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_segment_whatever_is_in_it() {
        let base = address("http://r:8081/base/").unwrap();
        let url = below(&base, &["subjects", "a/b?c%2F:.x:ä", "versions"], &[]);
        assert_eq!(
            url.as_str(),
            "http://r:8081/base/subjects/a%2Fb%3Fc%252F:.x:%C3%A4/versions"
        );
        let url = below(&base, &["subjects"], &[("subjectPrefix", ":*:&".to_owned())]);
        assert_eq!(
            url.as_str(),
            "http://r:8081/base/subjects?subjectPrefix=%3A*%3A%26"
        );
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = address("https://me:s3cret@r:8081").unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        assert!(address("r:8081").is_err());
        assert!(address("ftp://r").is_err());
        let shown = format!(
            "{:?}",
            Credentials::Basic {
                user: "u".to_owned(),
                password: "s3cret".to_owned()
            }
        );
        assert_eq!(shown, "Basic(…)");
    }
}
