//! How large a body may be: little, except where pictures are sent or passed on. One that says it is larger is
//! refused before anything looks at it; one that is only a little too large is read to its end first, since who is
//! cut off while sending hardly ever sees the answer.

use super::router::{BODY_TIME_LIMIT, MAX_FORM_BYTES};
use super::studio_form::MAX_STUDIO_FORM_BYTES;
use crate::server::rest::MAX_CHAT_BYTES;
use crate::server::upstreams::settings::MAX_REQUEST_BYTES;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::Limited;

/// The largest body that is read only to be refused, beyond what is taken, in bytes.
const MAX_DISCARDED_BYTES: usize = 1024 * 1024;

/// Refuses bodies above the limit of their path by their own word. Those that lie, or say nothing, are cut off
/// when they pass it.
pub async fn limit_bodies(request: Request, next: Next) -> Response {
    let limit = limit_of(request.uri().path());
    let length = declared_length(request.headers());
    if length <= limit {
        return next.run(request.map(|body| Body::new(Limited::new(body, limit)))).await;
    }
    if length <= limit + MAX_DISCARDED_BYTES {
        // Who sends too slowly is not waited for.
        let _ = tokio::time::timeout(BODY_TIME_LIMIT, discard(request.into_body())).await;
    }
    (StatusCode::PAYLOAD_TOO_LARGE, "This is more than is read.").into_response()
}

/// Pictures, and what is passed on, need room; all else is forms and short JSON.
fn limit_of(path: &str) -> usize {
    if path == "/studio/make" {
        return MAX_STUDIO_FORM_BYTES;
    }
    let Some(rest) = path.strip_prefix("/api/") else { return MAX_FORM_BYTES };
    // The same paths are there again for each account.
    let own = match rest.strip_prefix("accounts/") {
        Some(named) => named.split_once('/').map_or("", |(_, own)| own),
        None => rest,
    };
    match own.split('/').next() {
        Some("chat") => MAX_CHAT_BYTES,
        Some("gateway") => MAX_REQUEST_BYTES,
        Some(_) | None => MAX_FORM_BYTES,
    }
}

fn declared_length(headers: &HeaderMap) -> usize {
    let text = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    text.map_or(0, |text| text.parse().unwrap_or(usize::MAX))
}

async fn discard(body: Body) {
    let mut parts = body.into_data_stream();
    while let Some(Ok(_)) = parts.next().await {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_take_pictures_or_pass_on_have_room() {
        assert_eq!(limit_of("/studio/make"), MAX_STUDIO_FORM_BYTES);
        assert_eq!(limit_of("/api/chat"), MAX_CHAT_BYTES);
        assert_eq!(limit_of("/api/accounts/u1/chat"), MAX_CHAT_BYTES);
        assert_eq!(limit_of("/api/accounts/u1/gateway/weather/x"), MAX_REQUEST_BYTES);
        for path in ["/", "/fn/generate", "/studio/maker", "/api/credits/charge", "/api/accounts/chat", "/chat"] {
            assert_eq!(limit_of(path), MAX_FORM_BYTES, "{path}");
        }
    }
}
