//! What programs are told when something does not work: `application/problem+json` (RFC 9457). The only place
//! that gives failures their status and their words.

use crate::domain::operation::Refusal;
use crate::server::services::ServiceError;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

/// A failure, as a program reads it.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// What else helps: the numbers of a 402, the field of a 422.
    members: Map<String, Value>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A failure with its name for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), members: Map::new(), retry_after_seconds: None }
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

    /// A field that does not fit.
    pub fn invalid(field: &str, words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", words).with("field", json!(field))
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
                let shortfall = required.saturating_sub(available);
                let words = format!("{required} credits are required, {available} are available.");
                Self::new(StatusCode::PAYMENT_REQUIRED, "insufficient_credits", words)
                    .with("required", json!(required))
                    .with("available", json!(available))
                    .with("shortfall", json!(shortfall))
                    .with("feature", json!(feature))
            }
            ServiceError::NotFound => Self::not_found(),
            ServiceError::Refused(refusal) => refused(&refusal),
            ServiceError::NoPrice { feature, why } => {
                Self::invalid("feature", format!("{feature} has no price: {why}.")).with("feature", json!(feature))
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
        Refusal::RefundAboveCharge { refundable } => problem.with("refundable", json!(refundable)),
        Refusal::HoldSettled(status) => problem.with("hold_status", json!(status)),
        _ => problem,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("/api/docs#{}", self.code)));
        body.insert("title".to_owned(), json!(self.status.canonical_reason()));
        body.insert("status".to_owned(), json!(self.status.as_u16()));
        body.insert("detail".to_owned(), json!(self.detail));
        body.insert("code".to_owned(), json!(self.code));
        // The same words under the name that older clients read.
        body.insert("error".to_owned(), json!(self.detail));
        body.extend(self.members);
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response =
            (self.status, [(CONTENT_TYPE, content_type)], Value::Object(body).to_string()).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
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
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        _ if status.is_server_error() => "internal",
        _ => "malformed",
    };
    let words = status.canonical_reason().unwrap_or("This did not work");
    Problem::new(status, code, format!("{words}.")).into_response()
}
