//! Which address leads where, and what every request passes on its way.

use super::document::shell;
use super::patience::{self, PAGE_TIME_LIMIT};
use super::studio_form::MAX_STUDIO_FORM_BYTES;
use super::{body_size, cross_site, fn_status, headers, hydration, isolation, leave, page_tasks, studio_form};
use crate::app::App;
use crate::server::config::Config;
use crate::server::identity::sessions::Sessions;
use crate::server::rest;
use crate::server::services::Services;
use crate::server::upstreams::Gateway;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use leptos::prelude::*;
use leptos_axum::{AxumRouteListing, LeptosRoutes, file_and_error_handler_with_context, generate_route_list};
use std::sync::LazyLock;
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_sessions::SessionManagerLayer;

/// The largest body of a form, in bytes: the longest prompt, percent-encoded, and the path back beside it.
pub const MAX_FORM_BYTES: usize = 64 * 1024;
/// How long a client may take between two parts of a body.
pub const BODY_TIME_LIMIT: Duration = Duration::from_secs(15);
/// Answers below this many bytes are not worth compressing.
const MIN_COMPRESSED_BYTES: u16 = 1_024;

/// The addresses of the pages. Listed once, before anything is served: as long as it takes, a page of any server of this
/// process would wait for ever for what it loads (`SuppressResourceLoad` of leptos_server).
static PAGES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| {
    page_tasks::keep_tasks_with_requests();
    generate_route_list(App)
});

/// How the site was built and where its files are.
pub fn site_options(config: &Config) -> LeptosOptions {
    let mut options = LeptosOptions::builder()
        .output_name("scrip")
        .site_root(config.site_root.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .site_addr(config.site_addr)
        .build();
    // Development builds have no hashes in their names.
    options.hash_files = hydration::hash_file(&options).is_file();
    options
}

/// All routes.
pub fn build(
    services: Services,
    sessions: SessionManagerLayer<Sessions>,
    config: &Config,
    gateway: &Gateway,
) -> Router {
    let options = site_options(config);
    let provide = {
        let services = services.clone();
        move || provide_context(services.clone())
    };
    let page = {
        let options = options.clone();
        move || shell(options.clone())
    };
    let files = ServeDir::new(config.site_root.join("pkg")).precompressed_br().precompressed_gzip();
    let is_https = config.is_https();
    let routes = Router::new()
        .leptos_routes_with_context(&options, PAGES.clone(), provide.clone(), page)
        .fallback(file_and_error_handler_with_context(provide, shell))
        .layer(
            ServiceBuilder::new()
                .layer(from_fn(|request, next| patience::give_up_late_pages(PAGE_TIME_LIMIT, request, next)))
                .layer(from_fn(isolation::isolate))
                .layer(from_fn(page_tasks::answer_on_one_task)),
        )
        .nest("/api", rest::router(services.clone(), gateway))
        .merge(Router::new().route("/media/{name}", get(rest::read_media)).with_state(services.clone()))
        .route("/studio/make", post(studio_form::make).layer(DefaultBodyLimit::max(MAX_STUDIO_FORM_BYTES)))
        .merge(leave::router(services.clone()))
        .layer(sessions)
        .nest_service("/pkg", Router::new().fallback_service(files).layer(cache_for(options.hash_files)))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(is_ready))
        .with_state(options);
    // Around the router and not in it, the outermost first: a layer of a router is boxed with every route, and copied
    // and dropped with it for every request.
    let all = ServiceBuilder::new()
        .layer(Extension(services))
        .layer(from_fn(move |request, next| headers::add_security_headers(is_https, request, next)))
        .layer(from_fn(rest::describe_bare_errors))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(cross_site::refuse_cross_site))
        .layer(from_fn(body_size::limit_bodies))
        .layer(from_fn(fn_status::set_status_of_errors))
        .layer(
            CompressionLayer::new().compress_when(
                SizeAbove::new(MIN_COMPRESSED_BYTES)
                    .and(NotForContentType::IMAGES)
                    .and(NotForContentType::const_new("audio/"))
                    .and(NotForContentType::const_new("video/"))
                    // An event would wait in the compressor until more has come.
                    .and(NotForContentType::SSE),
            ),
        )
        .layer(RequestBodyTimeoutLayer::new(BODY_TIME_LIMIT))
        .service(routes);
    Router::new().fallback_service(all)
}

/// Files with a hash in their name never change; those without are asked for each time.
fn cache_for(hashed: bool) -> SetResponseHeaderLayer<HeaderValue> {
    let words = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static(words))
}

/// Ready means that the database answers.
async fn is_ready(State(_): State<LeptosOptions>, Extension(services): Extension<Services>) -> Response {
    match services.check_database().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
        }
    }
}
