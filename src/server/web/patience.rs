//! A page is answered or tried again: rendering waits for many small things, and where one of them is
//! missed the page would never come. Reading a page changes nothing, so it may be begun anew.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, StatusCode};
use std::time::Duration;

/// How long a page may take before it is begun anew, and then before it is given up.
pub const PAGE_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Tries a page twice, each within `limit`; then says that it is late. What is not a GET goes its own way:
/// it is neither cut off nor repeated.
pub async fn begin_pages_anew(limit: Duration, request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let (parts, _no_body) = request.into_parts();
    for _ in 0..2 {
        let attempt = Request::from_parts(parts.clone(), axum::body::Body::empty());
        if let Ok(response) = tokio::time::timeout(limit, next.clone().run(attempt)).await {
            return response;
        }
        tracing::warn!(path = parts.uri.path(), "a page did not come in time");
    }
    let words = "This page takes too long right now. Please try again in a moment.";
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, HeaderValue::from_static("5"))], words).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tower::ServiceExt;

    /// A page that never comes the first `missed` times.
    async fn status_and_calls(method: Method, missed: u32) -> (StatusCode, u32) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = calls.clone();
        let page = move || async move {
            if counted.fetch_add(1, Ordering::SeqCst) < missed {
                std::future::pending::<()>().await;
            }
            "here"
        };
        let limit = Duration::from_millis(50);
        let layer = from_fn(move |request, next| begin_pages_anew(limit, request, next));
        let app = Router::new().route("/", get(page.clone()).post(page)).layer(layer);
        let request = Request::builder().method(method).uri("/").body(axum::body::Body::empty()).unwrap();
        let status = app.oneshot(request).await.unwrap().status();
        (status, calls.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_page_that_does_not_come_is_begun_anew_once() {
        assert_eq!(status_and_calls(Method::GET, 0).await, (StatusCode::OK, 1));
        assert_eq!(status_and_calls(Method::GET, 1).await, (StatusCode::OK, 2));
        assert_eq!(status_and_calls(Method::GET, 9).await, (StatusCode::SERVICE_UNAVAILABLE, 2));
    }

    #[tokio::test]
    async fn what_changes_something_is_never_repeated() {
        assert_eq!(status_and_calls(Method::POST, 0).await, (StatusCode::OK, 1));
    }
}
