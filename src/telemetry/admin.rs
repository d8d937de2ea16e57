//! The admin port: `/metrics`, `/livez`, `/readyz`, `/startupz`.

use super::health::Health;
use super::metrics;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running admin server.
pub struct Admin {
    pub address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

/// Binds `listen` and serves until the process ends or [`Admin::stop`] is called.
pub async fn start(listen: SocketAddr, health: Health) -> io::Result<Admin> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(health)).await {
            tracing::error!(%error, "the admin port is gone");
        }
    });
    Ok(Admin {
        address,
        tasks: [server, tokio::spawn(upkeep())],
    })
}

impl Admin {
    /// Closes the port.
    pub fn stop(self) {
        for task in self.tasks {
            task.abort();
        }
    }
}

/// The admin port's pages, for whoever serves them.
pub fn router(health: Health) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics_page))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .with_state(health)
}

/// `/metrics` as Prometheus reads it. The registry's port answers it too.
pub async fn metrics_page() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics::render(),
    )
}

async fn index() -> &'static str {
    concat!(
        "portcullis ",
        env!("CARGO_PKG_VERSION"),
        "\n\n/metrics\n/livez\n/readyz (?verbose names every check)\n/startupz\n"
    )
}

async fn readyz(State(health): State<Health>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    answer(health.is_ready(), &health, query.as_deref(), "not ready")
}

async fn startupz(State(health): State<Health>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    answer(health.is_started(), &health, query.as_deref(), "starting")
}

fn answer(good: bool, health: &Health, query: Option<&str>, otherwise: &str) -> (StatusCode, String) {
    let verbose = query.is_some_and(|query| {
        query
            .split('&')
            .any(|part| part == "verbose" || part.starts_with("verbose="))
    });
    let report = if verbose { health.report() } else { String::new() };
    let (status, word) = if good {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, otherwise)
    };
    (status, format!("{report}{word}\n"))
}

async fn upkeep() {
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        every_second.tick().await;
        metrics::upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    async fn get(health: &Health, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(health.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_process_is_alive_before_it_is_started_and_started_before_it_may_be_unready() {
        let health = Health::default();
        health.expect("upstream");
        assert_eq!(get(&health, "/livez").await, (StatusCode::OK, "ok\n".to_owned()));
        assert_eq!(get(&health, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&health, "/startupz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        health.pass("upstream");
        assert_eq!(get(&health, "/readyz").await.0, StatusCode::OK);
        assert_eq!(get(&health, "/startupz").await.0, StatusCode::OK);
        health.fail("upstream", "connection refused".to_owned());
        assert_eq!(get(&health, "/startupz").await.0, StatusCode::OK);
        let (status, body) = get(&health, "/readyz?verbose").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, "[-] upstream: connection refused\nnot ready\n");
        assert_eq!(
            get(&health, "/readyz").await.1,
            "not ready\n",
            "reasons only when asked for"
        );
    }

    #[tokio::test]
    async fn metrics_are_in_the_text_format_of_prometheus() {
        metrics::install();
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let response = router(Health::default()).oneshot(request).await.unwrap();
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .unwrap()
            .to_str()
            .unwrap();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        assert!(
            get(&Health::default(), "/metrics")
                .await
                .1
                .contains("# TYPE portcullis_bytes_total counter")
        );
    }

    #[tokio::test]
    async fn the_port_serves_and_is_closed_by_stop() {
        let admin = start("127.0.0.1:0".parse().unwrap(), Health::default())
            .await
            .unwrap();
        let address = admin.address;
        assert!(
            start(address, Health::default()).await.is_err(),
            "the port is taken"
        );
        tokio::net::TcpStream::connect(address).await.unwrap();
        admin.stop();
        tokio::time::timeout(Duration::from_secs(5), async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }
}
