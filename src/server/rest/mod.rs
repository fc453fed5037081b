//! The machine interface: JSON over HTTP for programs. The handlers know who calls and what a body may hold;
//! what is done stands in the services.

mod accounts;
mod call;
mod credits;
mod events;
mod json;
mod problem;
mod session;
mod views;

pub use problem::{Problem, describe_bare_errors};

use crate::server::services::Services;
use axum::Router;
use axum::routing::{get, post};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use tower_http::set_header::SetResponseHeaderLayer;

/// All paths under `/api`. Those of one's own account are there again under `/accounts/{account}` for service
/// keys and administrators.
pub fn router<S: Clone + Send + Sync + 'static>(services: Services) -> Router<S> {
    let own = Router::new()
        .route("/credits", get(credits::list))
        .route("/credits/balance", get(credits::read_balance))
        .route("/credits/quote", get(credits::quote))
        .route("/credits/events", get(events::follow))
        .route("/credits/charge", post(credits::charge))
        .route("/credits/holds", post(credits::hold))
        .route("/credits/holds/{id}/capture", post(credits::capture))
        .route("/credits/holds/{id}/release", post(credits::release));
    Router::new()
        .merge(own.clone())
        .route("/credit-costs", get(credits::list_costs))
        .route("/session", get(session::read))
        .route("/accounts", post(accounts::create))
        .nest("/accounts/{account}", own)
        .route("/accounts/{account}/grants", post(accounts::grant))
        .route("/accounts/{account}/credits/transactions/{id}/refund", post(credits::refund))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path has no such method.")
        })
        .layer(SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .with_state(services)
}
