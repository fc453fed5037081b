//! Passing a request on to an upstream and its answer back: streamed both ways, within limits, with nothing of ours
//! in it and nothing in the answer that would act in our name.

use super::Upstream;
use axum::body::{Body, Bytes};
use futures_util::{Stream, StreamExt};
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Request, Response};
use http_body_util::Limited;
use std::time::Duration;
use url::Url;

/// The longest path and query that is passed on, in bytes.
const MAX_PATH_BYTES: usize = 8 * 1024;

/// What belongs to one connection and goes no further (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// What a caller tells us and nobody else.
const OURS: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::REFERER,
    header::EXPECT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("forwarded"),
];
/// What an upstream may not say in our name: the answer comes from our address.
const NOT_THEIRS: [HeaderName; 12] = [
    header::SET_COOKIE,
    header::LOCATION,
    header::REFRESH,
    header::LINK,
    header::STRICT_TRANSPORT_SECURITY,
    header::CONTENT_SECURITY_POLICY,
    header::WWW_AUTHENTICATE,
    header::ALT_SVC,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
];
/// Nothing that an upstream sends runs, loads or is framed under our address.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The path would lead out of the upstream, or is no path.
    #[error("the path cannot be passed on")]
    Path,
    /// The body is larger than the upstream is sent.
    #[error("the body is larger than is passed on")]
    TooLarge,
    /// The upstream did not begin to answer in time.
    #[error("the upstream did not answer in time")]
    Late,
    /// It cannot be reached, or does not speak HTTP.
    #[error("the upstream cannot be reached")]
    Unreachable,
    /// Its answer says that it is larger than is taken.
    #[error("the answer is larger than is taken")]
    AnswerTooLarge,
}

/// Passes a request on. `rest` is what follows the gateway's own part of the path, as it came.
///
/// # Errors
/// [`ForwardError`]; the upstream may have acted all the same where it was late or broke off.
pub async fn forward(
    client: &reqwest::Client,
    upstream: &Upstream,
    rest: &str,
    request: Request<Body>,
) -> Result<Response<Body>, ForwardError> {
    let url = target(&upstream.base, rest, request.uri().query())?;
    let (parts, body) = request.into_parts();
    if declared_length(&parts.headers) > upstream.max_request_bytes as u64 {
        return Err(ForwardError::TooLarge);
    }
    let mut headers = passed_on(&parts.headers, &OURS);
    if let Some((name, value)) = &upstream.secret {
        headers.insert(name.clone(), value.clone());
    }
    let has_body =
        headers.contains_key(header::CONTENT_LENGTH) || parts.headers.contains_key(header::TRANSFER_ENCODING);
    let mut sending = client.request(parts.method, url).headers(headers);
    if has_body {
        let limited = Body::new(Limited::new(body, upstream.max_request_bytes));
        sending = sending.body(reqwest::Body::wrap_stream(limited.into_data_stream()));
    }
    let response = match tokio::time::timeout(upstream.head_limit, sending.send()).await {
        Err(_) => return Err(ForwardError::Late),
        Ok(Err(error)) if is_about_size(&error) => return Err(ForwardError::TooLarge),
        Ok(Err(error)) => {
            tracing::warn!(upstream = upstream.name, error = %error.without_url(), "an upstream cannot be reached");
            return Err(ForwardError::Unreachable);
        }
        Ok(Ok(response)) => response,
    };
    if response.content_length().is_some_and(|length| length > upstream.max_response_bytes) {
        return Err(ForwardError::AnswerTooLarge);
    }
    Ok(answer(upstream, response))
}

fn answer(upstream: &Upstream, response: reqwest::Response) -> Response<Body> {
    let mut headers = passed_on(response.headers(), &NOT_THEIRS);
    headers.retain_not(|name| name.as_str().starts_with("access-control-"));
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    let status = response.status();
    let parts = within_limits(response.bytes_stream(), upstream.part_limit, upstream.max_response_bytes);
    let mut answer = Response::new(Body::from_stream(parts));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Where a request goes: always below the base, on its host.
///
/// # Errors
/// [`ForwardError::Path`] where the path would lead elsewhere, or is too long.
pub fn target(base: &Url, rest: &str, query: Option<&str>) -> Result<Url, ForwardError> {
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    if rest.len() + query.map_or(0, str::len) > MAX_PATH_BYTES || !rest.split('/').all(is_plain_segment) {
        return Err(ForwardError::Path);
    }
    let mut url = base.clone();
    url.set_path(&format!("{}{rest}", base.path()));
    url.set_query(query);
    // The checks above make sure of it; this one would find what they have missed.
    let stays = url.path().starts_with(base.path()) && url.origin() == base.origin();
    if stays { Ok(url) } else { Err(ForwardError::Path) }
}

/// A part of a path that means itself: no step up, and no slash in disguise that the upstream might unfold.
fn is_plain_segment(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    let dots = lower.replace("%2e", ".");
    let hides_something = ["%2f", "%5c", "%00", "%0a", "%0d", "\\"].iter().any(|sign| lower.contains(sign));
    // Twice encoded, for an upstream that decodes twice.
    let is_nested = lower.contains("%25");
    // `..;` is a step up for some servers.
    let is_step = dots == "." || dots == ".." || dots.starts_with("..;");
    let is_visible = segment.bytes().all(|byte| byte.is_ascii_graphic());
    !(hides_something || is_nested || is_step) && is_visible
}

fn declared_length(headers: &HeaderMap) -> u64 {
    let text = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    text.map_or(0, |text| text.parse().unwrap_or(u64::MAX))
}

/// The headers that go on: without those of the connection, those that it names, and those of a list.
fn passed_on(headers: &HeaderMap, without: &[HeaderName]) -> HeaderMap {
    let named = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> =
        named.flat_map(|names| names.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let mut passed = headers.clone();
    passed.retain_not(|name| {
        HOP_BY_HOP.contains(name)
            || without.contains(name)
            || named.iter().any(|other| other == name.as_str())
            || name.as_str().starts_with("sec-")
    });
    passed
}

trait RetainNot {
    fn retain_not(&mut self, is_out: impl Fn(&HeaderName) -> bool);
}

impl RetainNot for HeaderMap {
    fn retain_not(&mut self, is_out: impl Fn(&HeaderName) -> bool) {
        let out: Vec<HeaderName> = self.keys().filter(|name| is_out(name)).cloned().collect();
        for name in out {
            self.remove(name);
        }
    }
}

fn is_about_size(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The parts of an answer; an error where one is late, where there are too many bytes, or where it breaks off.
fn within_limits(
    parts: impl Stream<Item = reqwest::Result<Bytes>> + Send + Unpin + 'static,
    part_limit: Duration,
    max_bytes: u64,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let failed = |words: &'static str| Some((Err(std::io::Error::other(words)), None));
    futures_util::stream::unfold(Some((parts, 0_u64)), move |state| async move {
        let (mut parts, sent) = state?;
        match tokio::time::timeout(part_limit, parts.next()).await {
            Err(_) => failed("the upstream stopped in the middle of its answer"),
            Ok(None) => None,
            Ok(Some(Err(_))) => failed("the upstream broke off"),
            Ok(Some(Ok(part))) => {
                let sent = sent + part.len() as u64;
                if sent > max_bytes {
                    return failed("the upstream sent more than is taken");
                }
                Some((Ok(part), Some((parts, sent))))
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn reached(rest: &str, query: Option<&str>) -> Result<String, ForwardError> {
        target(&Url::parse("https://api.example.com/v1/").unwrap(), rest, query).map(|url| url.to_string())
    }

    #[test]
    fn a_path_and_its_query_are_passed_on_as_they_came() {
        assert_eq!(reached("/a/b%20c", Some("q=1&r=%2F")).unwrap(), "https://api.example.com/v1/a/b%20c?q=1&r=%2F");
        assert_eq!(reached("", None).unwrap(), "https://api.example.com/v1/");
        assert_eq!(reached("/a..b/...", None).unwrap(), "https://api.example.com/v1/a..b/...");
        assert_eq!(reached("/a:80@evil.example/", None).unwrap(), "https://api.example.com/v1/a:80@evil.example/");
        assert_eq!(reached("//evil.example/", None).unwrap(), "https://api.example.com/v1//evil.example/");
    }

    #[test]
    fn no_path_leads_out_of_the_upstream() {
        for path in [
            "/..",
            "/../admin",
            "/a/../../admin",
            "/./a",
            "/%2e%2e/admin",
            "/%2E./admin",
            "/.%2e/admin",
            "/..%2fadmin",
            "/a%2Fb",
            "/a%5c..%5cadmin",
            "/..\\admin",
            "/%252e%252e/admin",
            "/..;/admin",
            "/a%00",
            "/a%0d%0aHost:evil",
            "/ä",
            "/a b",
        ] {
            assert_eq!(reached(path, None), Err(ForwardError::Path), "{path}");
        }
        assert_eq!(reached(&"/a".repeat(5_000), None), Err(ForwardError::Path));
    }

    #[test]
    fn headers_of_the_connection_and_ours_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("authorization", "Bearer scrip_key"),
            ("cookie", "id=secret"),
            ("sec-fetch-site", "same-origin"),
            ("accept", "text/plain"),
            ("x-request-id", "7"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let passed = passed_on(&headers, &OURS);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "x-request-id"]);
    }
}
