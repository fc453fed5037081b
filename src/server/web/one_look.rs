//! A secret that is shown once to who has no JavaScript: it goes back to the browser in a cookie of one page
//! that lives for a minute, and is taken away when the page shows it. The server keeps it nowhere.

use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use leptos::context::use_context;
use leptos_axum::ResponseOptions;

const NAME: &str = "scrip-once";
/// How long the browser keeps it, in seconds.
const KEPT_SECONDS: u32 = 60;

/// Gives the browser a secret for its next look at `page`.
pub fn send(page: &str, secret: &str) {
    set(page, secret, KEPT_SECONDS);
}

/// The secret that was sent for the page that is being rendered; it is gone after this.
pub fn take(page: &str) -> Option<String> {
    let secret = find(&use_context::<Parts>()?.headers)?;
    set(page, "", 0);
    Some(secret)
}

fn set(page: &str, value: &str, seconds: u32) {
    // The session's own cookie says by its name whether the site is reached over HTTPS.
    let is_https =
        use_context::<Parts>().is_some_and(|parts| cookies(&parts.headers).any(|pair| pair.starts_with("__Host-")));
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path={page}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&text)) {
        response.append_header(SET_COOKIE, value);
    }
}

fn find(headers: &HeaderMap) -> Option<String> {
    let value = cookies(headers).find_map(|pair| pair.strip_prefix(NAME)?.strip_prefix('='))?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("scrip=abc; scrip-once=secret"));
        assert_eq!(find(&headers).as_deref(), Some("secret"));
        headers.insert(COOKIE, HeaderValue::from_static("scrip-once="));
        assert_eq!(find(&headers), None);
    }
}
