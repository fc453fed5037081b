//! The status of server functions' failures. The framework answers each with 500; here the typed error in
//! the body says which it is, in one place for all of them, and how long to wait where waiting helps.

use crate::api::error::ApiError;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

/// More than the longest typed error.
const MAX_ERROR_BYTES: usize = 4_096;

/// Gives typed errors their status. Redirects of plain forms, and all else, pass as they are.
pub async fn set_status_of_errors(request: Request, next: Next) -> Response {
    let is_function = request.uri().path().starts_with("/fn/");
    let response = next.run(request).await;
    if !is_function || response.status() != StatusCode::INTERNAL_SERVER_ERROR {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_ERROR_BYTES).await else {
        return Response::from_parts(parts, Body::empty());
    };
    if let Ok(error) = serde_json::from_slice::<ApiError>(&bytes) {
        parts.status = StatusCode::from_u16(error.status_code()).unwrap_or(parts.status);
        if let Some(seconds) = error.retry_after_seconds() {
            parts.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
    Response::from_parts(parts, Body::from(bytes))
}
