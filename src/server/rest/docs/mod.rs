//! The interface's description as a page for people, made from the description for programs. It loads nothing but
//! its own style, and works without JavaScript.

mod codes;
mod page;

use super::{document_text, tags};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use std::sync::LazyLock;

const STYLE: &str = include_str!("page.css");

/// The page itself, and its own style. No script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// May be kept, but is asked for each time: another version of the program has another page.
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

static PAGE: LazyLock<String> = LazyLock::new(|| {
    // It was written by this program a moment ago.
    let document = serde_json::from_str(document_text()).unwrap_or_default();
    page::render(&document)
});

/// Read the description for people.
#[utoipa::path(
    get, path = "/docs", operation_id = "read_docs", tag = tags::DESCRIPTION, security(()),
    responses((status = 200, description = "A page that loads nothing from elsewhere.", body = String,
        content_type = "text/html")))]
pub async fn read() -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, ASK_EACH_TIME), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, PAGE.as_str()).into_response()
}

/// Read the style of that page.
#[utoipa::path(
    get, path = "/docs.css", operation_id = "read_docs_style", tag = tags::DESCRIPTION, security(()),
    responses((status = 200, description = "The style.", body = String, content_type = "text/css")))]
pub async fn read_style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, ASK_EACH_TIME)], STYLE).into_response()
}
