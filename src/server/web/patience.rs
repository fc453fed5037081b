//! How long somebody waits for a page before they are told that it is late.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, StatusCode};
use std::time::Duration;

/// How long a page may take. A single wait for the database is half as long, so where that fails it is mostly named first.
pub const PAGE_TIME_LIMIT: Duration = Duration::from_secs(20);

/// Gives up a page that takes longer than `limit`. What may change something is not cut off.
pub async fn give_up_late_pages(limit: Duration, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(path, "a page did not come in time");
            let words = "This page takes too long right now. Please try again in a moment.";
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, HeaderValue::from_static("5"))], words).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    /// What a page that never comes, or one that takes twice as long as it may, is answered with.
    async fn status_of_a_late_one(method: Method) -> StatusCode {
        let limit = Duration::from_millis(50);
        let never = || std::future::pending::<()>();
        let late = move || tokio::time::sleep(limit * 2);
        let layer = from_fn(move |request, next| give_up_late_pages(limit, request, next));
        let app = Router::new().route("/", get(never).post(late)).layer(layer);
        let request = Request::builder().method(method).uri("/").body(axum::body::Body::empty()).unwrap();
        app.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_late_page_is_given_up() {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(status_of_a_late_one(method).await, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[tokio::test]
    async fn what_changes_something_is_never_cut_off() {
        assert_eq!(status_of_a_late_one(Method::POST).await, StatusCode::OK);
    }
}
