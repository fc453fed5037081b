//! What programs are told when something does not work: `application/problem+json` (RFC 9457). The only place
//! that gives failures their status and their words.

use super::views::{PackView, PlanView};
use crate::domain::billing::PreviewRefusal;
use crate::domain::operation::Refusal;
use crate::domain::{Credits, FeatureId};
use crate::server::services::{NO_SUCH_FEATURE, ServiceError};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Where credits can be bought.
const PLANS_URL: &str = "/plans";

/// What did not work, as `application/problem+json` (RFC 9457). Further members depend on the code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(example = "/api/docs#not_found")]
    kind: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// A sentence for people.
    #[schema(example = "There is nothing here, or it is not yours.")]
    detail: String,
    /// The name of the failure, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// The same words as `detail`, for old clients.
    error: String,
    /// Which field, parameter or header does not fit, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

/// Fewer credits are available than it costs, and the ways to more.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shortage {
    /// What it costs.
    required: Credits,
    /// What there is.
    available: Credits,
    /// What is missing.
    shortfall: Credits,
    /// For which feature; `null` for a plain amount.
    feature: Option<FeatureId>,
    /// Where more can be bought.
    #[schema(example = "/plans")]
    plans_url: &'static str,
    /// The cheapest pack that makes up for what is missing.
    cheapest_pack: Option<PackView>,
    /// The plan above the account's own.
    next_plan: Option<PlanView>,
    /// The same two together.
    suggestion: Suggestion,
}

/// The ways to more credits; both are `null` where nothing is for sale.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Suggestion {
    /// The cheapest pack that makes up for what is missing.
    pub cheapest_pack: Option<PackView>,
    /// The plan above the account's own.
    pub next_plan: Option<PlanView>,
}

/// The answer to a call that costs more than is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct InsufficientCredits {
    #[serde(flatten)]
    problem: ProblemView,
    #[serde(flatten)]
    shortage: Shortage,
}

/// A failure, as a program reads it.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    /// What else helps, as the numbers of a 402.
    members: Map<String, Value>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A failure with its name for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, members: Map::new(), retry_after_seconds: None }
    }

    /// Not there, or not theirs: the two look alike.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here, or it is not yours.")
    }

    /// No key, or one that opens nothing.
    pub fn unauthorized() -> Self {
        let words = "Send a valid key as `Authorization: Bearer <key>`, or sign in.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", words)
    }

    /// Known, but not allowed.
    pub fn forbidden(words: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", words)
    }

    /// A body that is no JSON.
    pub fn malformed(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", words)
    }

    /// A field that does not fit; none where the body as a whole does not.
    pub fn invalid(field: &str, words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", words).about(field)
    }

    /// Fewer credits are available than it costs.
    pub fn insufficient(
        required: Credits,
        available: Credits,
        feature: Option<FeatureId>,
        suggestion: Suggestion,
    ) -> Self {
        let words = format!("{required} credits are required, {available} are available.");
        let shortage = Shortage {
            required,
            available,
            shortfall: required.saturating_sub(available),
            feature,
            plans_url: PLANS_URL,
            cheapest_pack: suggestion.cheapest_pack.clone(),
            next_plan: suggestion.next_plan.clone(),
            suggestion,
        };
        let members = match serde_json::to_value(shortage) {
            Ok(Value::Object(members)) => members,
            Ok(_) | Err(_) => Map::new(),
        };
        Self { members, ..Self::new(StatusCode::PAYMENT_REQUIRED, "insufficient_credits", words) }
    }

    /// The same, about that field.
    #[must_use]
    pub fn about(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()).filter(|name| !name.is_empty()), ..self }
    }

    /// Which field it is about.
    #[cfg(test)]
    pub fn field(&self) -> Option<String> {
        self.field.clone()
    }

    /// Too many calls.
    pub fn too_many(wait_seconds: u64) -> Self {
        let words = format!("Too many calls. Try again in {wait_seconds} s.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", words).retry_after(wait_seconds)
    }

    /// The same, with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// The same, with other words.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    fn unavailable(words: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", words).retry_after(1)
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Insufficient { feature, required, available } => {
                Self::insufficient(required, available, feature, Suggestion::default())
            }
            ServiceError::NotFound => Self::not_found(),
            ServiceError::Refused(refusal) => refused(&refusal),
            ServiceError::NoPrice { feature, why } => {
                let field = if why == NO_SUCH_FEATURE { "feature" } else { "units" };
                Self::invalid(field, format!("{feature} has no price: {why}.")).with("feature", json!(feature))
            }
            ServiceError::Invalid { field, problem } => {
                Self::invalid(&format!("{field:?}").to_lowercase(), format!("{field:?} is {problem:?}."))
            }
            ServiceError::AddressTaken => {
                Self::new(StatusCode::CONFLICT, "address_taken", "This address has an account already.")
            }
            ServiceError::FormReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request.",
            ),
            ServiceError::NotForSale => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_for_sale", "This cannot be bought.")
            }
            ServiceError::HasSubscription | ServiceError::PlanChanged => {
                Self::new(StatusCode::CONFLICT, "plan_changed", "The plan has changed in the meantime.")
            }
            ServiceError::Change(PreviewRefusal::PastDue) => {
                Self::new(StatusCode::CONFLICT, "payment_owed", "A payment is owed; it is settled first.")
            }
            ServiceError::Change(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing_to_change", "That is the plan already.")
            }
            ServiceError::PaymentDeclined => {
                Self::new(StatusCode::PAYMENT_REQUIRED, "payment_declined", "The payment was declined.")
            }
            ServiceError::Provider(cause) => {
                tracing::error!(%cause, "the payment provider did not do it");
                Self::new(
                    StatusCode::BAD_GATEWAY,
                    "payment_provider",
                    "The payment provider did not answer as it should.",
                )
            }
            ServiceError::Unknown(what) => {
                tracing::error!(what, "nobody knows");
                Self::new(
                    StatusCode::BAD_GATEWAY,
                    "payment_provider",
                    "The payment provider did not answer as it should.",
                )
            }
            ServiceError::GenerationFailed(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "generation_failed", "Nothing was made, and nothing was charged.")
            }
            ServiceError::WrongPassword => Self::unauthorized(),
            ServiceError::TooManyTries(wait) => Self::too_many(wait.0),
            ServiceError::Busy => Self::unavailable("Too many are waiting. Try again in a second, with the same key."),
            ServiceError::Unavailable(cause) => {
                tracing::error!(?cause, "the database fails");
                Self::unavailable("The database cannot be reached. Try again, with the same Idempotency-Key.")
            }
            ServiceError::Internal(cause) => {
                tracing::error!(cause, "an internal error");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
            }
        }
    }
}

/// How an account says no: a conflict where its state stands against it, else a request that cannot be.
fn refused(refusal: &Refusal) -> Problem {
    let (status, code) = match refusal {
        Refusal::HoldSettled(_) => (StatusCode::CONFLICT, "hold_settled"),
        Refusal::AlreadyGranted { .. } => (StatusCode::CONFLICT, "already_granted"),
        Refusal::PlanChanged => (StatusCode::CONFLICT, "plan_changed"),
        Refusal::ResetFollowed => (StatusCode::CONFLICT, "reset_followed"),
        Refusal::ResetUndone => (StatusCode::CONFLICT, "reset_undone"),
        Refusal::NoSuchHold | Refusal::NoSuchCharge | Refusal::NoSuchGrant | Refusal::NoSuchReset => {
            return Problem::not_found();
        }
        Refusal::RefundAboveCharge { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "refund_above_charge"),
        Refusal::CaptureAboveHold { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "capture_above_hold"),
        Refusal::ClawbackAboveGrant { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "clawback_above_grant"),
        Refusal::EndsInThePast => return Problem::invalid("expires_at", "A grant ends in the future."),
        Refusal::NothingAsked => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_amount"),
        Refusal::BalanceTooLarge => (StatusCode::UNPROCESSABLE_ENTITY, "balance_too_large"),
        Refusal::HoldTime => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_ttl"),
        Refusal::NoMonthlyCredits => (StatusCode::UNPROCESSABLE_ENTITY, "no_monthly_credits"),
        Refusal::Insufficient { .. } => (StatusCode::PAYMENT_REQUIRED, "insufficient_credits"),
    };
    let problem = Problem::new(status, code, format!("This was refused: {refusal}."));
    match refusal {
        Refusal::RefundAboveCharge { refundable } => problem.about("amount").with("refundable", json!(refundable)),
        Refusal::HoldSettled(status) => problem.with("hold_status", json!(status)),
        Refusal::NothingAsked | Refusal::CaptureAboveHold { .. } => problem.about("amount"),
        Refusal::HoldTime => problem.about("ttl_seconds"),
        _ => problem,
    }
}

/// Marks an answer of someone else's, whose errors are passed on in its own words.
#[derive(Clone, Copy, Debug)]
pub struct AsItIs;

impl Problem {
    /// The answer's words, byte for byte.
    pub fn body(self) -> String {
        let body = ProblemView {
            kind: format!("/api/docs#{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            error: self.detail.clone(),
            detail: self.detail,
            code: self.code,
            field: self.field,
            members: self.members,
        };
        // Plain structures with text keys; serde_json has no reason to refuse them.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after_seconds) = (self.status, self.retry_after_seconds);
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, content_type)], self.body()).into_response();
        if let Some(seconds) = retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Errors under `/api` that a layer or a library answered in plain text, in the form of all others: a body that
/// is too large, a request from another site, a broken path.
pub async fn describe_bare_errors(request: Request, next: Next) -> Response {
    let is_for_programs = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    if !is_for_programs {
        return response;
    }
    let status = response.status();
    let is_ours = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    if is_ours
        || response.extensions().get::<AsItIs>().is_some()
        || !(status.is_client_error() || status.is_server_error())
    {
        return response;
    }
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ if status.is_server_error() => "internal",
        _ => "malformed",
    };
    let words = status.canonical_reason().unwrap_or("This did not work");
    Problem::new(status, code, format!("{words}.")).into_response()
}
