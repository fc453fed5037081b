//! Metering of other handlers: a tower layer that holds a feature's price before a handler runs, takes it when the
//! handler answers 2xx, before the answer goes out, and gives it back on anything else. See `docs/metering.md`.

use super::Problem;
use super::call::{Subject, explain, request_key};
use crate::domain::{FeatureId, Outcome};
use crate::server::ledger::RequestKey;
use crate::server::services::{Failure, MAKING_TIME_LIMIT, Metered, Render, Services, Settlement, Worked};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service};

/// What a call has used, what remains, and the id of its charge.
pub const CREDITS_USED: HeaderName = HeaderName::from_static("scrip-credits-used");
/// What can be spent after the call.
pub const CREDITS_AVAILABLE: HeaderName = HeaderName::from_static("scrip-credits-available");
/// The charge in the history.
pub const TRANSACTION: HeaderName = HeaderName::from_static("scrip-transaction");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// With an idempotency key, requests and answers are kept whole: at most so many bytes of each.
const MAX_KEYED_REQUEST_BYTES: usize = 1024 * 1024;
const MAX_KEPT_ANSWER_BYTES: usize = 256 * 1024;

/// How many units a call uses, from its head; or why it cannot be said.
type Units = Arc<dyn Fn(&Parts) -> Result<u32, Problem> + Send + Sync>;

/// The layer.
#[derive(Clone)]
pub struct Metering {
    services: Services,
    feature: FeatureId,
    units: Units,
    limit: Duration,
}

impl Metering {
    /// One unit of a feature for each successful call.
    pub fn per_call(services: Services, feature: FeatureId) -> Self {
        Self::by(services, feature, |_| Ok(1))
    }

    /// As many units as the head of the request declares.
    pub fn by(
        services: Services,
        feature: FeatureId,
        units: impl Fn(&Parts) -> Result<u32, Problem> + Send + Sync + 'static,
    ) -> Self {
        Self { services, feature, units: Arc::new(units), limit: MAKING_TIME_LIMIT }
    }

    /// The same, with less time for the handler than [`MAKING_TIME_LIMIT`].
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }
}

impl<S> Layer<S> for Metering {
    type Service = MeteredHandler<S>;

    fn layer(&self, inner: S) -> MeteredHandler<S> {
        MeteredHandler { metering: self.clone(), inner }
    }
}

/// A handler whose answers cost credits.
#[derive(Clone)]
pub struct MeteredHandler<S> {
    metering: Metering,
    inner: S,
}

impl<S> Service<Request> for MeteredHandler<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that is ready is used, and a copy is left for the next call.
        let left = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, left);
        let metering = self.metering.clone();
        Box::pin(async move { Ok(metering.run(inner, request).await.unwrap_or_else(IntoResponse::into_response)) })
    }
}

impl Metering {
    async fn run<S>(self, inner: S, request: Request) -> Result<Response, Problem>
    where
        S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let (mut parts, body) = request.into_parts();
        let subject = spender(&mut parts, &self.services).await?;
        let units = (self.units)(&parts)?;
        let metered = self.services.metered_call(subject.account(), &subject.actor, &self.feature, units);
        match super::call::has_key(&parts.headers) {
            false => self.stream(inner, Request::from_parts(parts, body), metered, &subject).await,
            true => self.keep(inner, parts, body, metered, &subject).await,
        }
    }

    /// Without a key: the answer is streamed, and where it breaks off the charge is given back.
    async fn stream<S>(
        &self,
        mut inner: S,
        request: Request,
        metered: Metered,
        subject: &Subject,
    ) -> Result<Response, Problem>
    where
        S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let work = async move {
            let Ok(response) = inner.call(request).await;
            judged(response.status(), response)
        };
        match self.services.meter(metered, self.limit, work).await {
            Ok(Settlement::Charged { result, receipt, .. }) => {
                let outcome = Outcome::Receipt(receipt);
                let response = with_numbers(result, &outcome);
                Ok(self.watched(response, subject, &outcome))
            }
            Ok(Settlement::Free { result, balance }) => Ok(with_balance(result, balance.available.get())),
            Ok(Settlement::Replayed(text)) => Ok(replay(&text)),
            Ok(Settlement::Failed(failure)) => Err(failed(failure)),
            Err(error) => Err(explain(&self.services, subject, error).await),
        }
    }

    /// With a key: request and answer are read whole, and the answer is kept.
    async fn keep<S>(
        &self,
        mut inner: S,
        parts: Parts,
        body: Body,
        metered: Metered,
        subject: &Subject,
    ) -> Result<Response, Problem>
    where
        S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let sent = Limited::new(body, MAX_KEYED_REQUEST_BYTES).collect().await;
        let sent = sent.map_err(|_| too_large("With an Idempotency-Key a body has at most 1 MiB."))?.to_bytes();
        let Some(key) = request_key(&parts, &sent)? else {
            return Err(Problem::malformed("The Idempotency-Key cannot be read."));
        };
        let work = async move {
            let Ok(response) = inner.call(Request::from_parts(parts, Body::from(sent))).await;
            let (head, body) = response.into_parts();
            match Limited::new(body, MAX_KEPT_ANSWER_BYTES).collect().await {
                Ok(body) => {
                    let answer = KeptAnswer::of(&head, &body.to_bytes());
                    judged(head.status, answer)
                }
                Err(_) => Worked::Badly(KeptAnswer::too_large(), "its answer is too large to be kept".to_owned()),
            }
        };
        match self.services.meter_once(metered, self.limit, work, kept_by(key)).await {
            Ok(Settlement::Charged { result, receipt, text }) => {
                let outcome = Outcome::Receipt(receipt);
                // As it was kept, so that it is answered alike for ever.
                let kept = text.and_then(|text| serde_json::from_str(&text).ok());
                Ok(kept.unwrap_or_else(|| result.numbered(&outcome)).into_response())
            }
            Ok(Settlement::Free { result, balance }) => {
                Ok(with_balance(result.into_response(), balance.available.get()))
            }
            Ok(Settlement::Replayed(text)) => Ok(replay(&text)),
            Ok(Settlement::Failed(failure)) => Err(failed(failure)),
            Err(error) => Err(explain(&self.services, subject, error).await),
        }
    }

    /// Gives the charge back where the answer breaks off, that is, on this side; a caller that stops listening has
    /// got what it paid for.
    fn watched(&self, response: Response, subject: &Subject, outcome: &Outcome) -> Response {
        let Outcome::Receipt(receipt) = outcome else { return response };
        let (services, account, charge) = (self.services.clone(), subject.account(), receipt.transaction.seq);
        response.map(|body| {
            Body::new(body.map_err(move |error| {
                services.refund_broken_delivery(account, charge, "the answer broke off");
                error
            }))
        })
    }
}

/// Who pays. Each call spends, so a service key needs the scope to write, whatever the method; and a browser of
/// another site cannot spend by a link.
async fn spender(parts: &mut Parts, services: &Services) -> Result<Subject, Problem> {
    let is_link = parts.headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if is_link {
        return Err(Problem::forbidden("This request came from another site."));
    }
    let method = std::mem::replace(&mut parts.method, Method::POST);
    let subject = Subject::from_request_parts(parts, services).await;
    parts.method = method;
    subject
}

fn judged<T>(status: StatusCode, answer: T) -> Worked<T> {
    match status.is_success() {
        true => Worked::Well(answer),
        false => Worked::Badly(answer, format!("it was answered {}", status.as_u16())),
    }
}

fn failed(failure: Failure) -> Problem {
    match failure {
        Failure::Late => {
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "too_late", "It took too long; nothing was charged.")
        }
        Failure::Broken | Failure::Unwanted => {
            Problem::new(StatusCode::BAD_GATEWAY, "broke_off", "It broke off; nothing was charged.")
        }
    }
}

fn too_large(words: &str) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words)
}

fn with_numbers(mut response: Response, outcome: &Outcome) -> Response {
    for (name, value) in numbers(outcome) {
        // Numbers and ids are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn with_balance(mut response: Response, available: i64) -> Response {
    response.headers_mut().insert(CREDITS_USED, HeaderValue::from(0));
    response.headers_mut().insert(CREDITS_AVAILABLE, HeaderValue::from(available));
    response
}

fn numbers(outcome: &Outcome) -> Vec<(HeaderName, String)> {
    let available = (CREDITS_AVAILABLE, outcome.balance().available.to_string());
    match outcome {
        Outcome::Receipt(receipt) => vec![
            (CREDITS_USED, receipt.transaction.amount.unsigned_abs().to_string()),
            available,
            (TRANSACTION, super::views::transaction_id(receipt.transaction.seq)),
        ],
        Outcome::Hold { .. } | Outcome::Rolled { .. } => vec![available],
    }
}

/// An answer as it is kept under its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    /// In base64: bodies need not be text.
    body: String,
}

impl KeptAnswer {
    fn of(head: &http::response::Parts, body: &Bytes) -> Self {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = head.headers.iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
        Self { status: head.status.as_u16(), headers: headers.collect(), body: STANDARD.encode(body) }
    }

    fn too_large() -> Self {
        let words = "This answer is too large to be kept under an Idempotency-Key; call without one.";
        let problem = Problem::new(StatusCode::BAD_GATEWAY, "answer_too_large", words);
        let (head, _) = problem.clone().into_response().into_parts();
        Self::of(&head, &Bytes::from(problem.body()))
    }

    fn numbered(mut self, outcome: &Outcome) -> Self {
        self.headers.extend(numbers(outcome).into_iter().map(|(name, value)| (name.to_string(), value)));
        self
    }
}

impl IntoResponse for KeptAnswer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(STANDARD.decode(self.body).unwrap_or_default()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
                && name != http::header::CONTENT_LENGTH
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

fn kept_by(key: RequestKey) -> (RequestKey, Render<KeptAnswer>) {
    let render = |answer: &KeptAnswer, outcome: &Outcome| {
        // A plain structure with text keys; serde_json has no reason to refuse it.
        serde_json::to_string(&answer.clone().numbered(outcome)).unwrap_or_default()
    };
    (key, Arc::new(render))
}

/// What was kept, once more. A key that was used at another kind of path has no such answer.
fn replay(text: &str) -> Response {
    let Ok(kept) = serde_json::from_str::<KeptAnswer>(text) else {
        let json = HeaderValue::from_static("application/json");
        return (StatusCode::OK, [(CONTENT_TYPE, json)], text.to_owned()).into_response();
    };
    let mut response = kept.into_response();
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    response
}
