//! The wire to Stripe: one request at a time, in form encoding, with a fixed version, a time limit, few tries and a
//! limit on the size of answers. It knows nothing of what the requests mean.

use super::form::Form;
use crate::server::secret::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode, redirect};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// The version of Stripe's interface that our requests and answers have.
pub const API_VERSION: &str = "2025-03-31.basil";
/// Where Stripe is, unless the settings say otherwise.
pub const API_BASE: &str = "https://api.stripe.com";
/// How long one try may take in all.
const TRY_TIME_LIMIT: Duration = Duration::from_secs(15);
/// How long a connection may take to come about.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(5);
/// How often a request is tried before its caller is told that it failed.
const TRIES: u32 = 3;
/// The pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The largest answer, in bytes; what we ask for has a few thousand.
const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;
/// The longest code, name of a field or request id that is taken from an answer, in bytes.
const MAX_WORD_BYTES: usize = 80;

/// Why a request failed. It holds nothing of the request, and of the answer only words from Stripe's own lists: no
/// text that may quote a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No answer came, however often it was tried. Whether the request was carried out is not known.
    #[error("no answer came: {0}")]
    NoAnswer(&'static str),
    /// The answer was a refusal.
    #[error("refused with status {status} ({code}; field {field}; request {request})", status = .0.status, code = .0.code, field = .0.field, request = .0.request)]
    Refused(Box<RefusedRequest>),
    /// The answer cannot be understood.
    #[error("the answer cannot be understood: {0}")]
    Unreadable(&'static str),
}

/// What a refusal said; `-` where it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The HTTP status.
    pub status: u16,
    /// The kind of error: `card_error`, `invalid_request_error`, `idempotency_error` ...
    pub kind: String,
    /// The code: `resource_missing`, `card_declined` ...
    pub code: String,
    /// The field of the request that it is about.
    pub field: String,
    /// The request's id in Stripe's own log.
    pub request: String,
}

impl WireError {
    /// Whether the person's card was declined, or their bank wants to ask them first.
    pub fn is_declined(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.status == 402 || refused.kind == "card_error")
    }

    /// Whether what the request names is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.status == 404 || refused.code == "resource_missing")
    }

    /// Whether the key is not accepted, or may not do this.
    pub fn is_about_the_key(&self) -> bool {
        matches!(self, Self::Refused(refused) if matches!(refused.status, 401 | 403))
    }

    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Refused(refused) => may_succeed_later(refused.status),
            Self::Unreadable(_) => false,
        }
    }
}

const fn may_succeed_later(status: u16) -> bool {
    matches!(status, 409 | 429) || status >= 500
}

/// Speaks to Stripe, or to what stands in for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    secret: Secret,
}

/// One try's failure, and whether another is worth it.
struct FailedTry {
    error: WireError,
    again: bool,
}

impl Client {
    /// A client for the server at `base` with the account's secret key.
    ///
    /// # Errors
    /// [`WireError::NoAnswer`] where TLS cannot be set up on this machine.
    pub fn new(base: Url, secret: Secret) -> Result<Self, WireError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("scrip/", env!("CARGO_PKG_VERSION")))
            .timeout(TRY_TIME_LIMIT)
            .connect_timeout(CONNECT_TIME_LIMIT)
            // A redirect would carry the key to somewhere else.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| WireError::NoAnswer("TLS cannot be set up"))?;
        Ok(Self { http, base, secret })
    }

    /// Reads something; `query` may have no fields.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn get(&self, path: &str, query: &Form) -> Result<Value, WireError> {
        let mut url = self.address(path)?;
        if !query.fields().is_empty() {
            url.set_query(Some(&query.encode()));
        }
        self.send(|| self.http.get(url.clone())).await
    }

    /// Makes or changes something. The same `key` with the same form is carried out once, however often it is sent;
    /// Stripe remembers it for a day at least.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn post(&self, path: &str, form: &Form, key: &str) -> Result<Value, WireError> {
        let (url, body) = (self.address(path)?, form.encode());
        self.send(|| {
            let request = self.http.request(Method::POST, url.clone()).header("Idempotency-Key", key);
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.clone())
        })
        .await
    }

    /// Ends something. What has ended stays so, whatever is sent again.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn delete(&self, path: &str) -> Result<Value, WireError> {
        let url = self.address(path)?;
        self.send(|| self.http.delete(url.clone())).await
    }

    fn address(&self, path: &str) -> Result<Url, WireError> {
        let base = self.base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}{path}")).map_err(|_| WireError::Unreadable("a path that is none"))
    }

    async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Value, WireError> {
        let mut pause = FIRST_PAUSE;
        for tried in 1..=TRIES {
            match self.try_once(request()).await {
                Ok(answer) => return Ok(answer),
                Err(failed) if failed.again && tried < TRIES => {
                    tracing::warn!(error = %failed.error, tried, "a request to the payment provider is tried again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(failed) => return Err(failed.error),
            }
        }
        Err(WireError::NoAnswer("no try was made"))
    }

    async fn try_once(&self, request: RequestBuilder) -> Result<Value, FailedTry> {
        let request = request.bearer_auth(self.secret.reveal()).header("Stripe-Version", API_VERSION);
        // The error of reqwest names the address, which may hold a query: only its kind is kept.
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| no_answer(&error))? {
            if body.len() + part.len() > MAX_ANSWER_BYTES {
                return Err(FailedTry { error: WireError::Unreadable("it is too large"), again: false });
            }
            body.extend_from_slice(&part);
        }
        let answer = serde_json::from_slice::<Value>(&body);
        if status == StatusCode::OK {
            return answer.map_err(|_| FailedTry { error: WireError::Unreadable("it is no JSON"), again: false });
        }
        Err(refusal(status, &headers, &answer.unwrap_or_default()))
    }
}

fn no_answer(error: &reqwest::Error) -> FailedTry {
    let kind = if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke off"
    };
    FailedTry { error: WireError::NoAnswer(kind), again: true }
}

fn refusal(status: StatusCode, headers: &HeaderMap, answer: &Value) -> FailedTry {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let word = |name: &str| word(answer.pointer(&format!("/error/{name}")).and_then(Value::as_str));
    let refused = RefusedRequest {
        status: status.as_u16(),
        kind: word("type"),
        code: word("code"),
        field: word("param"),
        request: self::word(header("request-id")),
    };
    // Stripe may know better than the status says.
    let again = match header("stripe-should-retry") {
        Some("true") => true,
        Some("false") => false,
        Some(_) | None => may_succeed_later(refused.status) && refused.kind != "idempotency_error",
    };
    FailedTry { error: WireError::Refused(Box::new(refused)), again }
}

/// One word of an answer; anything else is not repeated.
fn word(text: Option<&str>) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '[' | ']' | '.');
    let is_word = |text: &&str| !text.is_empty() && text.len() <= MAX_WORD_BYTES && text.chars().all(is_part);
    // A key has the form of a word.
    text.filter(is_word).filter(|text| !text.contains("sk_") && !text.contains("rk_")).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_repeats_words_and_neither_sentences_nor_keys() {
        let answer = json!({"error": {"type": "invalid_request_error", "code": "sk_live_abc", "param": "items[0][price]",
            "message": "Invalid API Key provided: sk_live_abc"}});
        let failed = refusal(StatusCode::UNAUTHORIZED, &HeaderMap::new(), &answer);
        let said = format!("{} {:?}", failed.error, failed.error);
        assert!(!failed.again);
        assert!(said.contains("items[0][price]") && said.contains("invalid_request_error"), "{said}");
        assert!(!said.contains("sk_live") && !said.contains("Invalid API"), "{said}");
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
        for (status, kind, advice, again) in [
            (500, "api_error", None, true),
            (503, "api_error", Some("false"), false),
            (429, "rate_limit_error", None, true),
            (409, "invalid_request_error", None, true),
            (400, "idempotency_error", None, false),
            (402, "card_error", None, false),
            (400, "invalid_request_error", Some("true"), true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(advice) = advice {
                headers.insert("stripe-should-retry", advice.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            let failed = refusal(status, &headers, &json!({"error": {"type": kind}}));
            assert_eq!(failed.again, again, "{status} {kind} {advice:?}");
        }
    }

    #[test]
    fn the_client_shows_no_key() {
        let client = Client::new(Url::parse("https://api.example").unwrap(), Secret::new("sk_test_xyz")).unwrap();
        assert!(!format!("{client:?}").contains("xyz"));
        assert_eq!(client.address("/v1/prices").unwrap().as_str(), "https://api.example/v1/prices");
    }
}
