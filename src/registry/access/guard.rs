//! What stands before every resource once access is controlled: who asks, how often, and for what.

use super::audit::{self, Audit, ErrorCode, Line, Written};
use super::basic::Basic;
use super::bearer::Bearer;
use super::credentials::{Credentials, HeaderError};
#[cfg(feature = "ldap")]
use super::ldap::Directory;
use super::limits::{Buckets, Rate, host_of};
use super::options::{CertificateName, KeySource, SecurityOptions, is_name};
use super::principal::{ClientCertificate, Method, Principal};
use super::routes::{self, Need, Route, Wanted};
use super::rules::{Role, Roles, Rules, Target};
use super::visible::Visible;
use crate::registry::errors::RegistryError;
use crate::registry::listener::Peer;
use crate::registry::reload::Reload;
use crate::registry::rest::body::Query;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How the registry calls itself when it asks for credentials.
const REALM: &str = "schema-registry";
/// Whoever comes while passwords queue up.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// The largest body that this request may have, among its extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodyLimit(pub usize);

/// Whose requests are counted together.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Asker {
    Principal(Arc<str>),
    Host(IpAddr),
}

pub struct Guard {
    options: SecurityOptions,
    rules: Arc<Rules>,
    basic: Option<Basic>,
    #[cfg(feature = "ldap")]
    directory: Option<Directory>,
    bearer: Option<Arc<Bearer>>,
    requests: Option<Buckets<Asker>>,
    failures: Buckets<IpAddr>,
    audit: Arc<Audit>,
}

/// Why a request is not served.
struct Refused {
    error: RegistryError,
    /// RFC 6750's word for what is wrong with a token.
    challenge: Option<&'static str>,
}

impl From<RegistryError> for Refused {
    fn from(error: RegistryError) -> Self {
        Self {
            error,
            challenge: None,
        }
    }
}

fn too_many(wait: Duration) -> Refused {
    let retry_after_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    RegistryError::TooManyRequests {
        retry_after_s: retry_after_s.max(1),
    }
    .into()
}

/// What is known of a request before anybody has asked who sends it.
struct Asked {
    host: IpAddr,
    route: Option<&'static Route>,
    /// Whether the path is one of a resource.
    path_known: bool,
    /// The first name in the path, decoded.
    name: String,
    force: bool,
}

impl Asked {
    async fn of(parts: &mut Parts) -> Self {
        let path = parts.extensions.get::<MatchedPath>().cloned();
        let route = path
            .as_ref()
            .and_then(|path| routes::find(&parts.method, path.as_str()));
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        let host = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.address.ip());
        // What is not UTF-8 names nothing: the resource says so, to those who may do everything.
        let params = RawPathParams::from_request_parts(parts, &()).await.ok();
        let name = params.and_then(|params| params.iter().next().map(|(_, name)| name.to_owned()));
        // A query that cannot be read might ask for anything.
        let query = Query::from_request_parts(parts, &()).await;
        Self {
            host,
            route,
            path_known: path.is_some(),
            name: name.unwrap_or_default(),
            force: query.map_or(true, |query| query.flag("force")),
        }
    }

    fn wanted(&self) -> Option<Wanted<'_>> {
        self.route.and_then(|route| route.wanted(&self.name, self.force))
    }
}

impl Guard {
    /// # Errors
    /// When a file that the options name cannot be used.
    pub async fn start(options: SecurityOptions) -> io::Result<Arc<Self>> {
        let bearer = match options.bearer.clone() {
            Some(bearer) => Some(Bearer::start(bearer).await?),
            None => None,
        };
        Ok(Arc::new(Self {
            rules: Arc::new(options.rules.clone()),
            basic: options.users.clone().map(Basic::load).transpose()?,
            #[cfg(feature = "ldap")]
            directory: options.ldap.clone().map(Directory::new).transpose()?,
            bearer,
            requests: options.limits.requests.map(Buckets::new),
            failures: Buckets::new(Rate::per_minute(options.limits.failures_per_minute)),
            audit: Arc::new(Audit::start(&options.audit)?),
            options,
        }))
    }

    /// Writes what is left of the audit. It blocks until that is done.
    pub fn close(&self) {
        self.audit.close();
    }

    async fn authenticate(&self, parts: &Parts, host: IpAddr) -> Result<Principal, Refused> {
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        match (headers.next(), headers.next()) {
            (None, _) => Ok(self.certificate(parts).unwrap_or_else(Principal::anonymous)),
            (Some(_), Some(_)) => Err(self.failed(host, "invalid_request", &"several Authorization headers")),
            (Some(header), None) => match Credentials::read(header.as_bytes()) {
                Err(error @ HeaderError::Token) => Err(self.failed(host, "invalid_token", &error)),
                Err(error) => Err(self.failed(host, "invalid_request", &error)),
                Ok(Credentials::Basic { name, password }) => self.basic(host, name, password).await,
                Ok(Credentials::Bearer(token)) => self.bearer(host, &token).await,
            },
        }
    }

    /// Whoever guesses is slowed down, and whoever was right a short while ago is not.
    async fn basic(&self, host: IpAddr, name: String, password: String) -> Result<Principal, Refused> {
        // A name in the file is the file's alone: nobody else can be given it in the directory.
        #[cfg(feature = "ldap")]
        if let Some(directory) = &self.directory
            && !self.basic.as_ref().is_some_and(|basic| basic.has(&name))
        {
            return self.directory_user(directory, host, &name, &password).await;
        }
        let Some(basic) = &self.basic else {
            return Err(self.failed(host, "invalid_request", &"no passwords are taken"));
        };
        let now = Instant::now();
        let mut user = basic.remembered(&name, &password, now);
        if user.is_none() {
            self.failures.look(host_of(host), now).map_err(too_many)?;
            user = basic
                .verify(name, password)
                .await
                .map_err(|_| too_many(BUSY_WAIT))?;
        }
        let user =
            user.ok_or_else(|| self.failed(host, "invalid_request", &"unknown user or wrong password"))?;
        Ok(self.principal(user.name.clone(), user.groups.clone(), Method::Basic))
    }

    #[cfg(feature = "ldap")]
    async fn directory_user(
        &self,
        directory: &Directory,
        host: IpAddr,
        name: &str,
        password: &str,
    ) -> Result<Principal, Refused> {
        let now = Instant::now();
        let mut user = directory.remembered(name, password, now);
        if user.is_none() {
            self.failures.look(host_of(host), now).map_err(too_many)?;
            user = directory.verify(name, password).await.map_err(|error| {
                tracing::warn!(client = %host, "a password could not be verified: {error}");
                RegistryError::SERVICE_UNAVAILABLE
            })?;
        }
        let user =
            user.ok_or_else(|| self.failed(host, "invalid_request", &"unknown LDAP user or wrong password"))?;
        Ok(self.principal(user.name.clone(), user.groups.clone(), Method::Ldap))
    }

    async fn bearer(&self, host: IpAddr, token: &str) -> Result<Principal, Refused> {
        let Some(bearer) = &self.bearer else {
            return Err(self.failed(host, "invalid_token", &"no tokens are taken"));
        };
        let claims = bearer.verify(token).await;
        let claims = claims.map_err(|error| self.failed(host, "invalid_token", &error))?;
        Ok(self.principal(claims.name, claims.groups, Method::Bearer))
    }

    fn certificate(&self, parts: &Parts) -> Option<Principal> {
        let certificate = parts.extensions.get::<ClientCertificate>()?;
        let name = match self.options.certificates? {
            CertificateName::DistinguishedName => certificate.distinguished_name.clone(),
            CertificateName::CommonName => certificate.common_name.clone()?,
        };
        is_name(&name).then(|| self.principal(name, Vec::new(), Method::Certificate))
    }

    fn principal(&self, name: Arc<str>, mut groups: Vec<Arc<str>>, method: Method) -> Principal {
        groups.extend(self.options.groups_of(&name).cloned());
        Principal {
            name,
            groups,
            roles: Roles::NONE,
            method,
        }
    }

    /// Credentials that are not good, counted against their address. The answer does not say why; the log does.
    fn failed(&self, host: IpAddr, challenge: &'static str, why: &dyn std::fmt::Display) -> Refused {
        if let Err(wait) = self.failures.take(host_of(host), Instant::now()) {
            return too_many(wait);
        }
        tracing::info!(client = %host, "credentials refused: {why}");
        Refused {
            error: RegistryError::Unauthorized,
            challenge: Some(challenge),
        }
    }

    fn slow_down(&self, principal: &Principal, host: IpAddr) -> Result<(), Refused> {
        let Some(requests) = &self.requests else {
            return Ok(());
        };
        let asker = match principal.method {
            Method::Anonymous => Asker::Host(host_of(host)),
            _ => Asker::Principal(principal.name.clone()),
        };
        requests.take(asker, Instant::now()).map_err(too_many)
    }

    fn authorise(&self, principal: &Principal, asked: &Asked) -> Result<(), RegistryError> {
        let anonymous = principal.method == Method::Anonymous;
        let Some(route) = asked.route else {
            return match (anonymous && !self.rules.knows(principal), asked.path_known) {
                (true, _) => Err(RegistryError::Unauthorized),
                (false, true) => Err(RegistryError::METHOD_NOT_ALLOWED),
                // Nothing is there: the answer says so.
                (false, false) => Ok(()),
            };
        };
        let (role, resource) = match asked.wanted() {
            None if route.need == Need::Nothing || self.rules.knows(principal) => return Ok(()),
            None => (Role::Read, Cow::Borrowed("any subject")),
            Some(wanted) => {
                let target = wanted
                    .subject
                    .as_deref()
                    .map_or(Target::Everything, Target::Subject);
                let roles = self.rules.roles(principal, target);
                match wanted.roles.iter().find(|role| !roles.has(**role)) {
                    None => return Ok(()),
                    Some(role) => (
                        *role,
                        wanted
                            .subject
                            .as_deref()
                            .map_or(Cow::Borrowed("all subjects"), |subject| {
                                format!("Subject: {subject}").into()
                            }),
                    ),
                }
            }
        };
        Err(if anonymous {
            RegistryError::Unauthorized
        } else {
            RegistryError::Forbidden {
                principal: principal.name.to_string(),
                operation: role.as_str(),
                resource: resource.into_owned(),
            }
        })
    }

    fn answer(&self, refused: Refused) -> Response {
        let unauthorized = refused.error == RegistryError::Unauthorized;
        let mut response = refused.error.into_response();
        if unauthorized {
            let headers = response.headers_mut();
            for challenge in self.challenges(refused.challenge) {
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    headers.append(WWW_AUTHENTICATE, value);
                }
            }
        }
        response
    }

    /// What may be sent instead (RFC 7617, RFC 6750).
    fn challenges(&self, error: Option<&'static str>) -> Vec<String> {
        let mut challenges = Vec::new();
        if self.basic.is_some() || self.options.ldap.is_some() {
            challenges.push(format!(r#"Basic realm="{REALM}", charset="UTF-8""#));
        }
        if self.bearer.is_some() {
            let error = error.map_or_else(String::new, |error| format!(r#", error="{error}""#));
            challenges.push(format!(r#"Bearer realm="{REALM}"{error}"#));
        }
        challenges
    }
}

impl Reload for Guard {
    fn what(&self) -> &'static str {
        "users and keys"
    }

    fn files(&self) -> Vec<PathBuf> {
        let keys = self.options.bearer.as_ref().map(|bearer| &bearer.keys);
        let keys = keys.and_then(|keys| match keys {
            KeySource::File(path) => Some(path),
            KeySource::Url { .. } => None,
        });
        self.options.users.iter().chain(keys).cloned().collect()
    }

    fn reload(&self) -> Result<(), String> {
        self.audit.reopen();
        #[cfg(feature = "ldap")]
        if let Some(directory) = &self.directory {
            directory.forget().map_err(|error| error.to_string())?;
        }
        let users = self.basic.as_ref().map_or(Ok(()), Basic::reload);
        let keys = self.bearer.as_ref().map_or(Ok(()), |bearer| bearer.reload());
        let wrong: Vec<String> = [users, keys]
            .into_iter()
            .filter_map(Result::err)
            .map(|error| error.to_string())
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }
}

/// One request's line of the audit. It is written when the request is over, also when nobody waits for its answer.
struct Entry {
    audit: Arc<Audit>,
    line: Line,
    writes: bool,
    /// Whether a resource has been reached.
    served: bool,
}

impl Entry {
    fn new(audit: Arc<Audit>, parts: &Parts, asked: &Asked) -> Self {
        let wanted = asked.wanted();
        let id = parts.headers.get("x-request-id");
        let role = wanted.as_ref().map_or(&[Role::Read][..], |wanted| wanted.roles);
        Self {
            audit,
            writes: asked.route.is_some_and(|route| route.writes),
            served: false,
            line: Line {
                time: audit::rfc3339(SystemTime::now()),
                request_id: audit::cut(&String::from_utf8_lossy(id.map_or(b"", HeaderValue::as_bytes))),
                principal: None,
                method: Method::Anonymous.as_str(),
                client: Some(asked.host).filter(|host| !host.is_unspecified()),
                http_method: audit::cut(parts.method.as_str()),
                subject: wanted.and_then(|wanted| wanted.subject.as_deref().map(audit::cut)),
                action: asked.route.map_or("unknown", |route| route.action),
                role: role.last().map_or("", |role| role.as_str()),
                status: None,
                error_code: None,
                id: None,
                version: None,
            },
        }
    }

    fn is(&mut self, principal: &Principal) {
        if principal.method != Method::Anonymous {
            self.line.principal = Some(audit::cut(&principal.name).into());
        }
        self.line.method = principal.method.as_str();
    }

    fn end(mut self, response: &Response) {
        self.line.status = Some(response.status().as_u16());
        let extensions = response.extensions();
        self.line.error_code = extensions.get::<ErrorCode>().map(|code| code.0);
        if let Some(written) = extensions.get::<Written>() {
            (self.line.id, self.line.version) = (written.id, written.version);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let refused = matches!(self.line.status, Some(401 | 403 | 429));
        if refused || (self.writes && (self.served || self.line.status.is_some())) {
            self.audit.write(&self.line);
        }
    }
}

/// The middleware: inside of what changes the address, outside of every resource.
pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = Asked::of(&mut parts).await;
    if asked.route.is_some_and(|route| route.need == Need::Nothing) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let mut entry = Entry::new(guard.audit.clone(), &parts, &asked);
    let principal = match admitted(&guard, &parts, &asked, &mut entry).await {
        Ok(principal) => Arc::new(principal),
        Err(refused) => {
            let response = guard.answer(refused);
            entry.end(&response);
            return response;
        }
    };
    let anonymous = principal.method == Method::Anonymous;
    parts
        .extensions
        .insert(Visible::to(guard.rules.clone(), principal));
    if let Some(bytes) = guard.options.limits.body_bytes_max {
        parts.extensions.insert(BodyLimit(bytes));
    }
    entry.served = true;
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // A resource may refuse more than its path tells. Who has not said who it is, is asked for it.
    if anonymous && response.status() == StatusCode::FORBIDDEN {
        response = guard.answer(RegistryError::Unauthorized.into());
    }
    entry.end(&response);
    response
}

async fn admitted(
    guard: &Guard,
    parts: &Parts,
    asked: &Asked,
    entry: &mut Entry,
) -> Result<Principal, Refused> {
    let principal = guard.authenticate(parts, asked.host).await?;
    entry.is(&principal);
    guard.slow_down(&principal, asked.host)?;
    guard.authorise(&principal, asked)?;
    Ok(principal)
}
