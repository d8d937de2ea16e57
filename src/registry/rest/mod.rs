//! Confluent's REST API, one file a resource (`rest/resources/*.java`).

pub(in crate::registry) mod body;
mod compatibility;
mod config;
pub mod contexts;
pub mod forward;
mod metadata;
mod mode;
mod outside;
mod schemas;
mod subjects;
mod unread;
mod versions;

use super::access::{self, Guard};
use super::core::Core;
use super::errors::RegistryError;
use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;

type App = Arc<Core>;

/// Serves `router` as soon as there is one, and until then says that the registry is loading.
pub fn from_the_start(router: Arc<OnceLock<Router>>) -> Router {
    let serve = move |request: Request| {
        let router = router.get().cloned();
        async move {
            match router {
                Some(router) => router.oneshot(request).await.into_response(),
                None => RegistryError::Loading.into_response(),
            }
        }
    };
    Router::new().fallback(serve)
}

/// All resources over one registry, for everybody.
pub fn router(core: Arc<Core>) -> Router {
    guarded(core, None)
}

/// The same behind a guard, if there is one.
pub fn guarded(core: Arc<Core>, guard: Option<Arc<Guard>>) -> Router {
    outside::count_from_zero();
    let resources = Router::new()
        .route("/", get(metadata::root).post(metadata::root))
        .route("/contexts", get(contexts::list))
        .route("/contexts/{context}", delete(contexts::delete))
        .route("/v1/metadata/id", get(metadata::cluster_id))
        .route("/v1/metadata/deployment", get(metadata::deployment))
        .route("/v1/metadata/version", get(metadata::server_version))
        .route("/metrics", get(metadata::metrics))
        .route("/subjects", get(subjects::list))
        .route(
            "/subjects/{subject}",
            post(subjects::look_up).delete(subjects::delete),
        )
        .route(
            "/subjects/{subject}/metadata",
            get(subjects::latest_with_metadata),
        )
        .route(
            "/subjects/{subject}/versions",
            get(versions::list).post(versions::register),
        )
        .route(
            "/subjects/{subject}/versions/{version}",
            get(versions::get).delete(versions::delete),
        )
        .route(
            "/subjects/{subject}/versions/{version}/schema",
            get(versions::schema_only),
        )
        .route(
            "/subjects/{subject}/versions/{version}/tags",
            post(versions::modify_tags),
        )
        .route(
            "/subjects/{subject}/versions/{version}/referencedby",
            get(versions::referenced_by),
        )
        .route("/schemas", get(schemas::list))
        .route("/schemas/types", get(schemas::types))
        .route("/schemas/ids/{id}", get(schemas::by_id))
        .route("/schemas/ids/{id}/schema", get(schemas::schema_only))
        .route("/schemas/ids/{id}/subjects", get(schemas::subjects))
        .route("/schemas/ids/{id}/versions", get(schemas::versions))
        .route("/schemas/guids/{guid}", get(schemas::by_guid))
        .route("/schemas/guids/{guid}/ids", get(schemas::ids_of_guid))
        .route(
            "/config",
            get(config::get_global)
                .put(config::put_global)
                .delete(config::delete_global),
        )
        .route(
            "/config/{subject}",
            get(config::get_subject)
                .put(config::put_subject)
                .delete(config::delete_subject),
        )
        .route(
            "/mode",
            get(mode::get_global)
                .put(mode::put_global)
                .delete(mode::delete_global),
        )
        .route(
            "/mode/{subject}",
            get(mode::get_subject)
                .put(mode::put_subject)
                .delete(mode::delete_subject),
        )
        .route(
            "/compatibility/subjects/{subject}/versions",
            post(compatibility::with_all),
        )
        .route(
            "/compatibility/subjects/{subject}/versions/{version}",
            post(compatibility::with_version),
        )
        .fallback(outside::no_such_path)
        .method_not_allowed_fallback(outside::no_such_method)
        .with_state(core.clone())
        .layer(middleware::from_fn_with_state(core.clone(), forward::forward));
    let resources = match guard {
        Some(guard) => resources.layer(middleware::from_fn_with_state(guard, access::guard::guard)),
        None => resources,
    };
    let resources = resources.layer(middleware::from_fn(outside::around));
    // A layer of a router sees a request when its route is chosen. What changes the address must come before.
    Router::new()
        .fallback_service(resources)
        .layer(middleware::from_fn_with_state(core, contexts::rewrite))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(outside::request_id))
        .layer(middleware::from_fn(unread::read_to_the_end))
}
