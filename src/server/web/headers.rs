//! Headers that every answer has, errors and files too; and the stricter word for pages, with the nonce.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use leptos::context::use_context;
use leptos_axum::ResponseOptions;

/// What is not a page needs nothing: no script, no frame, no picture.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

const FIXED: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Not no-referrer: a form that is sent without JavaScript comes back to the page that it came from.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    ),
];

/// A year of HTTPS only.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds what is missing to each answer.
pub async fn add_security_headers(is_https: bool, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, value);
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    insert_if_missing(headers, header::CONTENT_SECURITY_POLICY, NOTHING);
    // Pages and answers are one person's; files say for themselves how long they may be kept.
    insert_if_missing(headers, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn insert_if_missing(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

/// What a page may do: its own script by nonce and what that loads, WebAssembly, its own pictures and
/// sounds. Nothing from elsewhere, no inline style, no frame.
pub fn set_page_policy(nonce: &str) {
    // cargo-leptos's live reload listens on another port.
    let reload = if std::env::var("LEPTOS_WATCH").is_ok() { " ws:" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self'; media-src 'self'; font-src 'self'; connect-src 'self'{reload}; form-action 'self'; \
         base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    );
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&policy)) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}

/// The status of the page that is being rendered.
pub fn set_status(code: u16) {
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(code)) {
        response.set_status(status);
    }
}
