//! The gateway: `/api/gateway/{name}/...` leads to an upstream of the settings, at its feature's price for each
//! successful call. What an upstream answers goes back as it is, whatever its status.

use super::Problem;
use super::metering::Metering;
use super::problem::AsItIs;
use crate::server::services::Services;
use crate::server::upstreams::forward::{ForwardError, forward, target};
use crate::server::upstreams::{Gateway, Upstream};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use http::request::Parts;
use std::sync::Arc;

/// The routes to all upstreams, below `/api` and below `/api/accounts/{account}`.
pub fn routes(services: &Services, gateway: &Gateway) -> Router<Services> {
    gateway.upstreams.iter().fold(Router::new(), |router, upstream| {
        let path = format!("/gateway/{}", upstream.name);
        let (client, upstream) = (gateway.client.clone(), Arc::new(upstream.clone()));
        let asked = upstream.clone();
        let metering = Metering::by(services.clone(), upstream.feature.clone(), move |parts| check(&asked, parts));
        let handler = any(move |uri: OriginalUri, request: Request| {
            let (client, upstream) = (client.clone(), upstream.clone());
            async move { pass_on(&client, &upstream, &uri, request).await }
        });
        let handler = handler.layer(metering);
        router
            .route(&path, handler.clone())
            .route(&format!("{path}/"), handler.clone())
            .route(&format!("{path}/{{*rest}}"), handler)
            .layer(DefaultBodyLimit::disable())
    })
}

/// One unit for what can be passed on; all else is refused before anything is held.
fn check(upstream: &Upstream, parts: &Parts) -> Result<u32, Problem> {
    if !upstream.methods.contains(&parts.method) {
        let words = "This path has no such method.";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", words));
    }
    // Nested routers see only their part of the path.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    match target(&upstream.base, rest_of(uri.path(), &upstream.name), uri.query()) {
        Ok(_) => Ok(1),
        Err(error) => Err(problem_of(error)),
    }
}

async fn pass_on(client: &reqwest::Client, upstream: &Upstream, uri: &OriginalUri, request: Request) -> Response {
    let rest = rest_of(uri.path(), &upstream.name);
    match forward(client, upstream, rest, request).await {
        Ok(answer) => {
            let mut answer: Response<Body> = answer;
            answer.extensions_mut().insert(AsItIs);
            answer
        }
        Err(error) => problem_of(error).into_response(),
    }
}

/// What follows the gateway's own part of a path, as it came.
fn rest_of<'a>(path: &'a str, name: &str) -> &'a str {
    let own = format!("/gateway/{name}");
    path.find(&own).map_or("", |start| &path[start + own.len()..])
}

fn problem_of(error: ForwardError) -> Problem {
    let (status, code) = match error {
        ForwardError::Path => (StatusCode::BAD_REQUEST, "malformed"),
        ForwardError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        ForwardError::Late => (StatusCode::GATEWAY_TIMEOUT, "too_late"),
        ForwardError::Unreachable => (StatusCode::BAD_GATEWAY, "upstream_unreachable"),
        ForwardError::AnswerTooLarge => (StatusCode::BAD_GATEWAY, "answer_too_large"),
    };
    let mut words = error.to_string();
    words.replace_range(..1, &words[..1].to_uppercase());
    Problem::new(status, code, format!("{words}. Nothing was charged."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_name_is_passed_on_as_it_came() {
        assert_eq!(rest_of("/api/gateway/weather/a%20b/c", "weather"), "/a%20b/c");
        assert_eq!(rest_of("/api/gateway/weather", "weather"), "");
        assert_eq!(rest_of("/api/accounts/u1/gateway/weather/gateway/weather/x", "weather"), "/gateway/weather/x");
    }
}
