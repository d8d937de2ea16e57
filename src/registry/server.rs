//! A registry from its start to its stop.

use super::access::{Guard, SecurityOptions};
use super::core::{Core, INCOMPATIBLE_CODE};
use super::election::Election;
use super::listener::{IDLE_TIME_MAX, Peer, RegistryListener, show_certificate};
use super::log::file::{FILE_NAME, FileLog, Store};
use super::log::kafka::{self, KafkaStoreOptions};
use super::log::{Log, StoreOptions};
use super::reload::{Reload, Reloads};
use super::rest;
use super::rest::forward::Forwarder;
use super::role::{Leadership, Role};
use super::source::Source;
use super::state::State;
use super::tls::Tls;
use super::writer::{CHECK, Writer};
use crate::contract::SchemaSource;
use crate::kafka::{Client, ServerTls};
use crate::schema::CompatibilityLevel;
use crate::telemetry::health::Health;
use axum::middleware;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Requests under way at a stop get this long.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct RegistryOptions {
    pub listen: SocketAddr,
    pub store: StoreOptions,
    /// The global level until `/config` sets another.
    pub compatibility: CompatibilityLevel,
    /// The `error_code` of an incompatible schema: 409, or 40901 as Confluent's newest releases can say.
    pub incompatible_code: u32,
    /// HTTPS instead of HTTP.
    pub tls: Option<ServerTls>,
    /// Without it everybody may do everything.
    pub security: Option<SecurityOptions>,
}

/// A running registry.
pub struct Registry {
    pub address: SocketAddr,
    source: Arc<Source>,
    reloads: Reloads,
    guard: Option<Arc<Guard>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    store_closed: oneshot::Receiver<()>,
    election: Option<Election>,
}

/// A registry without a server.
pub struct Opened {
    /// What [`rest::router`] serves.
    pub core: Arc<Core>,
    pub source: Arc<Source>,
    /// Answers when `core` is gone and the store is closed.
    pub store_closed: oneshot::Receiver<()>,
}

/// Opens the store and folds its log.
///
/// # Errors
/// When the store cannot be opened or read; the text says what to do.
pub async fn open(
    store: impl Into<StoreOptions>,
    level: CompatibilityLevel,
    health: Health,
) -> io::Result<Opened> {
    open_with(store, level, INCOMPATIBLE_CODE, health).await
}

/// The same with the `error_code` that incompatible schemas get.
///
/// # Errors
/// When the store cannot be opened or read; the text says what to do.
pub async fn open_with(
    store: impl Into<StoreOptions>,
    level: CompatibilityLevel,
    incompatible_code: u32,
    health: Health,
) -> io::Result<Opened> {
    let store = store.into();
    let election = match &store {
        StoreOptions::Kafka(options) => options.election.as_deref(),
        StoreOptions::File(_) => None,
    };
    // Nothing is written before the election has said who may.
    let leadership = Leadership::new(match election {
        Some(_) => Role::Follower { leader: None },
        None => Role::Alone,
    });
    let forwarder = election
        .map(|election| Forwarder::new(election.leader_tls.as_ref()))
        .transpose()?;
    let (log, source, cluster_id) = match store {
        StoreOptions::File(folder) => open_file(folder, level, health).await?,
        StoreOptions::Kafka(options) => {
            let opened = kafka::open(&options, level, leadership.clone(), health).await?;
            (Log::Kafka(Box::new(opened.log)), opened.source, opened.cluster_id)
        }
    };
    report_unknown(&source.state());
    let (writer, store_closed) = Writer::start(log)?;
    let mut core = Core::new(source.clone(), writer, cluster_id);
    core.incompatible_code = incompatible_code;
    core.leadership = leadership;
    core.forwarder = forwarder;
    let core = Arc::new(core);
    Ok(Opened {
        core,
        source,
        store_closed,
    })
}

async fn open_file(
    folder: PathBuf,
    level: CompatibilityLevel,
    health: Health,
) -> io::Result<(Log, Arc<Source>, String)> {
    let file = folder.join(FILE_NAME);
    let opening = tokio::task::spawn_blocking(move || Store::open(&folder, level));
    // A file that is damaged beyond what the library checks may make it panic.
    let (store, state) = opening
        .await
        .map_err(|_| {
            let why = format!(
                "the registry's store {} is damaged: restore it from a copy",
                file.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, why)
        })?
        .map_err(|error| io::Error::other(error.to_string()))?;
    let cluster_id = store.cluster_id().to_owned();
    let source = Arc::new(Source::new(Arc::new(state)));
    let log = Log::File(FileLog::new(store, source.clone(), health));
    Ok((log, source, cluster_id))
}

/// Opens the store, folds its log and serves the REST API until [`Registry::stop`].
///
/// # Errors
/// When the store cannot be opened or read, or the address not be bound; the text says what to do.
pub async fn start(options: RegistryOptions, health: Health) -> io::Result<Registry> {
    health.expect(CHECK);
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("the registry cannot listen on {}: {error}", options.listen),
        )
    })?;
    let address = listener.local_addr()?;
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let tls = options.tls.map(Tls::read).transpose()?;
    let guard = match options.security {
        Some(security) => Some(Guard::start(security).await?),
        None => None,
    };
    let reloaded = [
        tls.clone().map(|tls| tls as Arc<dyn Reload>),
        guard.clone().map(|guard| guard as Arc<dyn Reload>),
    ];
    let listener = RegistryListener::new(listener, tls, IDLE_TIME_MAX)?;
    // Opening may take long, or until the brokers are back. Whoever asks meanwhile is told so.
    let router = Arc::new(OnceLock::new());
    let resources = rest::from_the_start(router.clone()).layer(middleware::from_fn(show_certificate));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let service = resources.into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the registry's server ended");
        }
    });
    let store = options.store.clone();
    let opened = open_with(
        options.store,
        options.compatibility,
        options.incompatible_code,
        health.clone(),
    )
    .await
    .inspect_err(|_| server.abort())?;
    let Opened {
        core,
        source,
        store_closed,
    } = opened;
    let election = match &store {
        StoreOptions::Kafka(store) => stand(store, scheme, address, core.leadership.clone(), health)?,
        StoreOptions::File(_) => None,
    };
    let _ = router.set(rest::guarded(core, guard.clone()));
    warm_up(&source);
    tracing::info!(%address, "registry ready");
    Ok(Registry {
        address,
        source,
        reloads: Reloads::start(reloaded.into_iter().flatten().collect()),
        guard,
        stop,
        server,
        store_closed,
        election,
    })
}

/// Takes part in the election, where there is one.
fn stand(
    store: &KafkaStoreOptions,
    scheme: &str,
    listens: SocketAddr,
    leadership: Leadership,
    health: Health,
) -> io::Result<Option<Election>> {
    let Some(options) = store.election.clone() else {
        return Ok(None);
    };
    let client = Client::new(&store.upstream)?;
    let election = Election::start(client, *options, scheme, listens, leadership, health);
    Ok(Some(election))
}

/// Says which of the log's records are kept without being understood: once a kind, with how many there are.
pub fn report_unknown(state: &State) {
    for (kind, count) in state.unknown_records() {
        tracing::warn!(keytype = %kind, count, "the registry's log has records of a kind that is not known; they are kept as they are");
    }
}

/// Compiles what is registered, behind the first requests; it ends early when the registry is gone.
fn warm_up(source: &Arc<Source>) {
    let ids = source.live_ids();
    let source = Arc::downgrade(source);
    tokio::task::spawn_blocking(move || {
        for id in ids {
            let Some(source) = source.upgrade() else { return };
            source.warm(id);
        }
    });
}

impl Registry {
    /// The gateway's door to the schemas: answers from memory.
    #[must_use]
    pub fn schemas(&self) -> Arc<dyn SchemaSource> {
        self.source.clone()
    }

    /// Reads again what came from files beside the configuration, and uses it for what begins from now on; what cannot
    /// be read stays as it was. False when something stayed; the log says why.
    pub async fn reload(&self) -> bool {
        self.reloads.now().await
    }

    /// Lets another registry lead, before this one stops.
    pub fn abdicate(&self) {
        if let Some(election) = &self.election {
            election.abdicate();
        }
    }

    /// Ends the server, lets requests under way finish, closes the store.
    pub async fn stop(self) {
        let Self {
            stop,
            mut server,
            store_closed,
            guard,
            election,
            ..
        } = self;
        let _ = stop.send(());
        if tokio::time::timeout(STOP_TIME_MAX, &mut server).await.is_err() {
            tracing::warn!("the registry's last requests did not end in time and were cut off");
            server.abort();
            let _ = server.await;
        }
        if let Some(election) = election {
            election.stop().await;
        }
        // The last handle to the writer went with the server.
        if tokio::time::timeout(STOP_TIME_MAX, store_closed).await.is_err() {
            tracing::warn!("the registry's store did not close in time");
        }
        if let Some(guard) = guard {
            let closing = tokio::task::spawn_blocking(move || guard.close());
            if tokio::time::timeout(STOP_TIME_MAX, closing).await.is_err() {
                tracing::warn!("the audit's last lines could not be written in time");
            }
        }
    }
}
