//! Requests that change something have to come from this site: `Sec-Fetch-Site`, which browsers set and
//! scripts cannot, else `Origin` against `Host`. Programs send neither, and carry no cookie of a browser.
//! The model is Go's `net/http.CrossOriginProtection`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

/// Refuses what another site made a browser send.
pub async fn refuse_cross_site(request: Request, next: Next) -> Response {
    if is_allowed(request.method(), request.headers()) {
        return next.run(request).await;
    }
    tracing::warn!(path = request.uri().path(), "a request from another site was refused");
    (StatusCode::FORBIDDEN, "This request came from another site.").into_response()
}

fn is_allowed(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    match text("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => match text(ORIGIN.as_str()) {
            None => true,
            Some(origin) => origin.split_once("://").map(|(_, host)| host) == text(HOST.as_str()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn allowed(method: Method, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("example.com"));
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        is_allowed(&method, &headers)
    }

    #[test]
    fn what_changes_something_has_to_come_from_this_site() {
        for (pairs, expected) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "anything")], false),
            (&[("origin", "https://example.com")], true),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://example.com:444")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://example.com")], false),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], true),
        ] {
            assert_eq!(allowed(Method::POST, pairs), expected, "POST {pairs:?}");
            assert!(allowed(Method::GET, pairs), "GET {pairs:?}");
        }
    }
}
