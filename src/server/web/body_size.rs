//! Bodies that say they are too large. They are refused before anything looks at them; one that is only a little
//! too large is read to its end first, since who is cut off while sending hardly ever sees the answer.

use super::router::{BODY_TIME_LIMIT, MAX_FORM_BYTES};
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

/// The largest body that is read only to be refused, in bytes.
const MAX_DISCARDED_BYTES: usize = 1024 * 1024;

/// Refuses bodies above [`MAX_FORM_BYTES`] by their own word. Those that lie, or say nothing, are cut off by the
/// limit on what is read.
pub async fn refuse_large_bodies(request: Request, next: Next) -> Response {
    let length = declared_length(request.headers());
    if length <= MAX_FORM_BYTES {
        return next.run(request).await;
    }
    if length <= MAX_DISCARDED_BYTES {
        // Who sends too slowly is not waited for.
        let _ = tokio::time::timeout(BODY_TIME_LIMIT, discard(request.into_body())).await;
    }
    (StatusCode::PAYLOAD_TOO_LARGE, "This is more than is read.").into_response()
}

fn declared_length(headers: &HeaderMap) -> usize {
    let text = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    text.map_or(0, |text| text.parse().unwrap_or(usize::MAX))
}

async fn discard(body: Body) {
    let mut parts = body.into_data_stream();
    while let Some(Ok(_)) = parts.next().await {}
}
