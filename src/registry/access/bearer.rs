//! Bearer tokens: keys from a file or from the identity provider, a signature, and claims that hold.

use super::claims::{self, Claims, ClaimsError};
use super::keys::{KeySet, KeySetError, SET_BYTES_MAX, SignatureError};
use super::options::{BearerOptions, KeySource};
use crate::kafka::ClientTls;
use crate::kafka::connect::client_config;
use arc_swap::ArcSwapOption;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::Mutex;

/// The provider answers within this time or not at all.
const FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// How soon it is asked again while there are no keys at all.
const RETRY: Duration = Duration::from_secs(5);
/// A key that nobody knows makes the provider be asked at most this often: anybody can name one.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);

/// Why a token is not taken, for the log.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum TokenError {
    #[error("no keys have been had from the identity provider yet")]
    NoKeys,
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Claims(#[from] ClaimsError),
}

#[derive(Debug, Error)]
enum FetchError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Status(reqwest::StatusCode),
    #[error("{0}")]
    Keys(#[from] KeySetError),
}

pub struct Bearer {
    options: BearerOptions,
    keys: ArcSwapOption<KeySet>,
    provider: Option<Provider>,
}

struct Provider {
    client: reqwest::Client,
    url: String,
    refresh: Duration,
    /// When it was asked last; whoever asks holds it, so that nobody asks beside.
    asked: Mutex<Option<Instant>>,
}

impl Bearer {
    /// Reads the keys, or asks the provider for them now and from then on. A provider that does not answer is no reason
    /// not to start: until it does, no token is taken.
    ///
    /// # Errors
    /// When the file is no key set, or the certificate authorities cannot be read.
    pub async fn start(options: BearerOptions) -> io::Result<Arc<Self>> {
        let (keys, provider) = match &options.keys {
            KeySource::File(path) => (Some(Arc::new(read(path)?)), None),
            KeySource::Url { url, ca, refresh } => (None, Some(Provider::new(url, ca.as_deref(), *refresh)?)),
        };
        let bearer = Arc::new(Self {
            options,
            keys: ArcSwapOption::new(keys),
            provider,
        });
        if let Some(provider) = &bearer.provider {
            bearer.ask(provider, Duration::ZERO).await;
            tokio::spawn(keep_fresh(Arc::downgrade(&bearer), provider.refresh));
        }
        Ok(bearer)
    }

    /// Reads a file of keys again. After an error everything is as before.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn reload(&self) -> io::Result<()> {
        if let KeySource::File(path) = &self.options.keys {
            self.keys.store(Some(Arc::new(read(path)?)));
        }
        Ok(())
    }

    /// # Errors
    /// Why the token is not taken.
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let payload = match self.verified(token) {
            Err(TokenError::NoKeys | TokenError::Signature(SignatureError::UnknownKey)) => {
                if let Some(provider) = &self.provider {
                    self.ask(provider, UNKNOWN_KEY_PAUSE.min(provider.refresh)).await;
                }
                self.verified(token)?
            }
            other => other?,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(claims::read(&payload, &self.options, now)?)
    }

    fn verified(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        let keys = self.keys.load();
        let keys = keys.as_ref().ok_or(TokenError::NoKeys)?;
        Ok(keys.verified(token)?)
    }

    /// Asks the provider for its keys unless that was done within `pause`; the old ones stay when it fails.
    async fn ask(&self, provider: &Provider, pause: Duration) {
        let mut asked = provider.asked.lock().await;
        let now = Instant::now();
        if asked.is_some_and(|asked| now.saturating_duration_since(asked) < pause) {
            return;
        }
        *asked = Some(now);
        match provider.fetch().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.count(), "the identity provider's keys were read");
                self.keys.store(Some(Arc::new(keys)));
            }
            Err(error) => {
                let kept = self.keys.load().is_some();
                tracing::warn!(url = provider.url, %error, kept, "the identity provider's keys cannot be had");
            }
        }
    }
}

impl Provider {
    fn new(url: &str, ca: Option<&Path>, refresh: Duration) -> io::Result<Self> {
        let tls = client_config(&ClientTls {
            ca: ca.map(Path::to_owned),
            identity: None,
        })?;
        let mut client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(FETCH_TIME_MAX);
        if url.starts_with("http:") {
            // Nothing between us and this machine.
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().map_err(io::Error::other)?,
            url: url.to_owned(),
            refresh,
            asked: Mutex::new(None),
        })
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let mut response = self.client.get(&self.url).send().await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > SET_BYTES_MAX {
                return Err(KeySetError::TooLong.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(KeySet::parse(&body)?)
    }
}

/// Ends when nobody uses the keys any more.
async fn keep_fresh(bearer: Weak<Bearer>, refresh: Duration) {
    while let Some(bearer) = bearer.upgrade() {
        let pause = if bearer.keys.load().is_some() {
            refresh
        } else {
            refresh.min(RETRY)
        };
        let weak = Arc::downgrade(&bearer);
        drop(bearer);
        tokio::time::sleep(pause).await;
        if let Some(bearer) = weak.upgrade()
            && let Some(provider) = &bearer.provider
        {
            bearer.ask(provider, Duration::ZERO).await;
        }
    }
}

fn read(path: &Path) -> io::Result<KeySet> {
    let wrong = |kind: io::ErrorKind, why: &dyn std::fmt::Display| {
        io::Error::new(kind, format!("the key set {}: {why}", path.display()))
    };
    let json = std::fs::read(path).map_err(|error| wrong(error.kind(), &error))?;
    KeySet::parse(&json).map_err(|error| wrong(io::ErrorKind::InvalidData, &error))
}
