//! A follower hands its clients' writes to the leader, and answers when it can read what they wrote.
//!
//! A request that changes something runs here first: what is wrong with it whoever leads is refused here, and a schema
//! that is registered already is found here. When a resource says that it needs the leader, the request goes there as
//! it came (Confluent's `X-Forward: true`, so that it goes no further), and the leader's answer is the client's.
//!
//! A leader that does not answer may have done what it was asked. Its successor knows: nothing of a leader comes into the
//! log after its successor's first record. So what makes no difference when it is done twice is asked again there, and
//! the client does not notice; of a deletion it is told that nobody knows.

use super::App;
use super::body;
use super::contexts::GivenAddress;
use crate::kafka::ClientTls;
use crate::kafka::connect::{client_config, client_config_without_trust};
use crate::registry::access::routes;
use crate::registry::errors::RegistryError;
use crate::registry::role::{Leadership, Role};
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use reqwest::{Client, Url, redirect};
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Set on a request that a follower hands over: it is not handed on.
const FORWARDED: HeaderName = HeaderName::from_static("x-forward");
/// On the answer to such a request: the offset after the last record that the leader had folded when it answered.
const OFFSET: HeaderName = HeaderName::from_static("x-portcullis-offset");
/// What a request keeps on its way (Confluent's `RequestHeaderBuilder`, and for whom it is).
const KEPT: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::AUTHORIZATION,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-forwarded-for"),
];

/// While there is no leader a write waits for one this long: longer than an election takes.
const LEADER_WAIT: Duration = Duration::from_secs(5);
/// Between two tries to hand a request to a leader that is none any more, or not yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Confluent's `leader.read.timeout.ms`.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// Connections to the leader that idle are closed before it closes them.
const POOL_IDLE_TIME: Duration = Duration::from_mins(1);
/// What was asked of a leader that leads no more is answered within this time, or given up.
const DEPOSED_WAIT: Duration = Duration::from_secs(1);
/// A request that may have been carried out is asked again until it is this old.
const REPEAT_TIME_MAX: Duration = Duration::from_secs(30);
/// The leader's answers to writes are small.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// For the reader to come as far as the leader was.
const READ_OWN_WRITE_WAIT: Duration = Duration::from_secs(5);

/// In a response: the resource needs the leader, which this registry is not. Nothing has been written.
#[derive(Clone, Copy)]
pub struct NeedsLeader;

/// The way to the leader; cheap to clone.
#[derive(Clone)]
pub struct Forwarder(Client);

impl Forwarder {
    /// # Errors
    /// When a certificate or key cannot be read.
    pub fn new(tls: Option<&ClientTls>) -> io::Result<Self> {
        let tls = match tls {
            Some(tls) => client_config(tls)?,
            // Leaders are reached by `http`, or by none.
            None => client_config_without_trust()?,
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIME)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self(client))
    }
}

/// The layer around every resource.
pub async fn forward(State(core): State<App>, request: Request, next: Next) -> Response {
    let Some(forwarder) = &core.forwarder else {
        return next.run(request).await;
    };
    let Some(what) = written_by(&request) else {
        return next.run(request).await;
    };
    if request.headers().contains_key(FORWARDED) {
        let mut response = next.run(request).await;
        let offset = HeaderValue::from(core.leadership.folded());
        response.headers_mut().insert(OFFSET, offset);
        return response;
    }
    let (parts, body) = request.into_parts();
    let body = match body::bytes(parts.extensions.get().copied(), body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let handover = Handover {
        forwarder,
        leadership: &core.leadership,
        parts,
        body,
        what,
        deadline: Instant::now() + LEADER_WAIT,
    };
    handover.answer(next).await
}

const REGISTER: &str = "register schema";

/// What a request would change, in Confluent's words; `None` for one that only reads.
fn written_by(request: &Request) -> Option<&'static str> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let route = routes::find(request.method(), path).filter(|route| route.writes)?;
    Some(match route.action {
        "register" => REGISTER,
        "modify_tags" => "register schema tags",
        "delete_version" => "delete schema version",
        "delete_subject" => "delete subject",
        "delete_context" => "delete context",
        "set_config" => "update config",
        "delete_config" => "delete config",
        "set_mode" => "update mode",
        "delete_mode" => "delete mode",
        other => other,
    })
}

/// One request on its way to whoever leads.
struct Handover<'a> {
    forwarder: &'a Forwarder,
    leadership: &'a Leadership,
    parts: Parts,
    body: Bytes,
    what: &'static str,
    deadline: Instant,
}

/// Why the leader has not answered.
enum NotAnswered {
    /// It has got nothing, or is no leader: another try does no harm.
    NotCarriedOut(String),
    /// It may have done what was asked.
    Unknown(String),
}

impl Handover<'_> {
    async fn answer(mut self, next: Next) -> Response {
        // Confluent's answer when nobody is known to lead.
        let mut refusal = RegistryError::UnknownLeader;
        let mut run_here = true;
        let last_repeat = Instant::now() + REPEAT_TIME_MAX;
        loop {
            let mut roles = self.leadership.roles();
            let role = roles.borrow_and_update().clone();
            if run_here || role.writes() {
                let request = Request::from_parts(self.parts.clone(), Body::from(self.body.clone()));
                let response = next.clone().run(request).await;
                if response.extensions().get::<NeedsLeader>().is_none() {
                    return response;
                }
                run_here = false;
            }
            match role {
                Role::Follower { leader: Some(leader) } => match self.hand_over(&leader).await {
                    Ok(response) => return response,
                    Err(NotAnswered::NotCarriedOut(why)) => refusal = self.failed(&leader, &why),
                    Err(NotAnswered::Unknown(why)) => {
                        refusal = self.failed(&leader, &why);
                        if !self.may_be_repeated() || Instant::now() >= last_repeat {
                            return refusal.into_response();
                        }
                        self.deadline = Instant::now() + LEADER_WAIT;
                    }
                },
                Role::Unled => return refusal.into_response(),
                Role::Follower { leader: None } | Role::Leader | Role::Alone => {}
            }
            let again = (Instant::now() + RETRY_INTERVAL).min(self.deadline);
            let _ = timeout_at(again, roles.changed()).await;
            if Instant::now() >= self.deadline {
                return refusal.into_response();
            }
        }
    }

    /// Registering finds what has been registered; setting a setting again sets it.
    fn may_be_repeated(&self) -> bool {
        self.parts.method == Method::PUT || self.what == REGISTER
    }

    /// Returns when `leader` has not been the leader for some time.
    async fn deposed(&self, leader: &str) {
        let mut roles = self.leadership.roles();
        let is_other =
            |role: &Role| !matches!(role, Role::Follower { leader: Some(now) } if **now == *leader);
        let _ = roles.wait_for(is_other).await;
        tokio::time::sleep(DEPOSED_WAIT).await;
    }

    fn failed(&self, leader: &str, why: &str) -> RegistryError {
        let what = self.what;
        tracing::debug!(%leader, why, "a {what} request could not be handed to the leader");
        RegistryError::Forwarding(format!("Error while forwarding {what} request to the leader"))
    }

    async fn hand_over(&self, leader: &str) -> Result<Response, NotAnswered> {
        let url = self.url(leader)?;
        let mut headers = HeaderMap::new();
        for name in KEPT {
            if let Some(value) = self.parts.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        headers.insert(FORWARDED, HeaderValue::from_static("true"));
        let request = self
            .forwarder
            .0
            .request(self.parts.method.clone(), url)
            .headers(headers)
            .body(self.body.clone());
        let (answer, body) = tokio::select! {
            exchanged = exchange(request) => exchanged?,
            () = self.deposed(leader) => {
                return Err(NotAnswered::Unknown("another leads now".to_owned()));
            }
        };
        if says_that_it_is_not_the_leader(answer.status(), &body) {
            return Err(NotAnswered::NotCarriedOut("it does not lead".to_owned()));
        }
        self.read_own_write(answer.headers()).await;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = answer.status();
        for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
            if let Some(value) = answer.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }

    /// The address as the client gave it, at the leader.
    fn url(&self, leader: &str) -> Result<Url, NotAnswered> {
        let given = self.parts.extensions.get::<GivenAddress>().map(|given| &given.0);
        let given = given.unwrap_or(&self.parts.uri);
        let address = given.path_and_query().map_or("/", |address| address.as_str());
        let impossible = || NotAnswered::Unknown(format!("{leader}{address} is no address"));
        let url = Url::parse(&format!("{leader}{address}")).map_err(|_| impossible())?;
        // A subject that is called `..` would be taken for a way up.
        let same = percent_decode_str(url.path()).eq(percent_decode_str(given.path()));
        if same && matches!(url.scheme(), "http" | "https") {
            Ok(url)
        } else {
            Err(impossible())
        }
    }

    /// Waits until what the leader had written when it answered is here, too.
    async fn read_own_write(&self, headers: &HeaderMap) {
        // Confluent's leaders do not tell.
        let offset = headers
            .get(OFFSET)
            .and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
        if let Some(offset) = offset
            && !self.leadership.wait_folded(offset, READ_OWN_WRITE_WAIT).await
        {
            tracing::warn!(
                offset,
                folded = self.leadership.folded(),
                "a write that was handed to the leader is not read back yet: it is answered all the same"
            );
        }
    }
}

/// Sends a request and reads its whole answer.
async fn exchange(request: reqwest::RequestBuilder) -> Result<(reqwest::Response, Vec<u8>), NotAnswered> {
    let unknown = |error: reqwest::Error| NotAnswered::Unknown(error.to_string());
    let mut answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => {
            return Err(NotAnswered::NotCarriedOut(error.to_string()));
        }
        Err(error) => return Err(unknown(error)),
    };
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unknown)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(NotAnswered::Unknown("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((answer, body))
}

/// By its `error_code` 50004, or by saying that it is loading its log, as one does that led and was started again. With
/// neither anything was written.
fn says_that_it_is_not_the_leader(status: StatusCode, body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error_code: u32,
        #[serde(default)]
        message: String,
    }
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        return false;
    };
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => refusal.error_code == RegistryError::UnknownLeader.error_code(),
        StatusCode::SERVICE_UNAVAILABLE => refusal.message == RegistryError::Loading.to_string(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_lead_or_is_still_loading_has_written_nothing() {
        let says = |refusal: &RegistryError| {
            let body =
                serde_json::json!({"error_code": refusal.error_code(), "message": refusal.to_string()});
            let status = StatusCode::from_u16(refusal.status()).unwrap();
            says_that_it_is_not_the_leader(status, body.to_string().as_bytes())
        };
        assert!(says(&RegistryError::UnknownLeader));
        assert!(says(&RegistryError::Loading));
        assert!(!says(&RegistryError::Store("disk full".to_owned())));
        assert!(!says(&RegistryError::Http(503, "the directory does not answer")));
        assert!(!says(&RegistryError::SchemaTooLarge));
    }
}
