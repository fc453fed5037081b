//! The machine interface: JSON over HTTP for programs. The handlers know who calls and what a body may hold;
//! what is done stands in the services. A path is registered together with its description, by one word.

mod accounts;
mod billing;
mod call;
mod chat;
mod credits;
mod docs;
mod events;
mod export;
mod gateway;
mod generate;
mod json;
mod links;
pub mod metering;
mod openapi;
mod problem;
mod query;
mod reading;
mod schemas;
mod session;
mod tags;
mod views;

pub use chat::MAX_CHAT_BYTES;
pub use generate::read_media;
pub use openapi::document_text;
pub use problem::{InsufficientCredits, Problem, ProblemView, describe_bare_errors};

use crate::server::services::Services;
use crate::server::upstreams::Gateway;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, StatusCode};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// All paths under `/api` with their descriptions. Those of one's own account are there again under
/// `/accounts/{account}` for service keys and administrators.
fn routes() -> OpenApiRouter<Services> {
    let own = OpenApiRouter::default()
        .routes(routes!(reading::list))
        .routes(routes!(reading::read_balance))
        .routes(routes!(reading::quote))
        .routes(routes!(events::follow))
        .routes(routes!(export::export))
        .routes(routes!(credits::charge))
        .routes(routes!(credits::hold))
        .routes(routes!(credits::capture))
        .routes(routes!(credits::release))
        .routes(routes!(billing::plans))
        .routes(routes!(billing::purchase))
        .routes(routes!(billing::upgrade))
        .routes(routes!(generate::video))
        .routes(routes!(generate::audio))
        .routes(routes!(chat::chat).layer(DefaultBodyLimit::max(MAX_CHAT_BYTES)));
    OpenApiRouter::default()
        .merge(own.clone())
        .nest("/accounts/{account}", own)
        .routes(routes!(accounts::create))
        .routes(routes!(accounts::grant))
        .routes(routes!(credits::refund))
        .routes(routes!(reading::list_costs))
        .routes(routes!(session::read))
        .routes(routes!(billing::webhook))
        .routes(routes!(openapi::read))
        .routes(routes!(docs::read))
        .routes(routes!(docs::read_style))
}

/// What is served under `/api`. The gateway's paths are the settings', so they have no description of their own.
pub fn router<S: Clone + Send + Sync + 'static>(services: Services, gateway: &Gateway) -> Router<S> {
    let passed_on = gateway::routes(&services, gateway);
    routes()
        .split_for_parts()
        .0
        .merge(passed_on.clone())
        .nest("/accounts/{account}", passed_on)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(refuse_method)
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .with_state(services)
}

/// The header `Allow` comes from the router, which knows the methods.
async fn refuse_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let words = "This path has no such method.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", words).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// axum tells the paths of a router only in the form for debugging.
    #[test]
    fn every_path_that_is_served_is_described_and_the_reverse() {
        let (router, description) = routes().split_for_parts();
        let text = format!("{router:?}");
        // The fallback stands there as two paths of its own.
        let is_fallback = |path: &str| path == "/" || path.contains("__private__axum_fallback");
        let served: std::collections::BTreeSet<&str> =
            text.split('"').filter(|part| part.starts_with('/') && !is_fallback(part)).collect();
        let described: std::collections::BTreeSet<&str> = description.paths.paths.keys().map(String::as_str).collect();
        assert!(served.contains("/credits/charge"), "{text}");
        assert_eq!(served, described);
    }
}
