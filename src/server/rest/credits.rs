//! Spending, reserving, settling and giving back.

use super::call::{Call, Subject, explain, respond};
use super::problem::{InsufficientCredits, ProblemView};
use super::schemas::{Amount, Words};
use super::views::{HoldView, ReceiptView, outcome_json, parse_id};
use super::{Problem, tags};
use crate::domain::metadata::Metadata;
use crate::domain::operation::{DEFAULT_HOLD_TTL_SECONDS, HOLD_TTL_SECONDS};
use crate::domain::rates::MAX_UNITS;
use crate::domain::{Credits, FeatureId, HoldId, Seq};
use crate::server::services::{Price, Services, Spending};
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// The longest description or reason, in characters.
pub(super) const MAX_WORDS: usize = 300;

/// Either a feature with its units, or an amount.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Spending, example = json!({ "feature": "text-to-image", "units": 2, "description": "Two foxes" }))]
pub struct SpendBody {
    /// What is used; its rate says the cost.
    feature: Option<FeatureId>,
    /// How many of the feature's units; 1 where absent.
    #[schema(minimum = 1, maximum = 86_400)]
    units: Option<u32>,
    /// A cost in credits, instead of a feature.
    #[schema(value_type = Option<Amount>)]
    amount: Option<Credits>,
    /// How it stands in the history.
    #[schema(value_type = Option<Words>)]
    description: Option<String>,
    metadata: Option<Metadata>,
}

/// The description above cannot name the constant.
const _: () = assert!(MAX_UNITS == 86_400);

impl SpendBody {
    fn check(self) -> Result<Spending, Problem> {
        let price = match (self.feature, self.units, self.amount) {
            (Some(feature), units, None) => Price::Feature { feature, units: units.unwrap_or(1) },
            (None, None, Some(amount)) => Price::Amount(amount),
            (None, None, None) => return Err(Problem::invalid("feature", "Name a feature, or an amount.")),
            (None, Some(_), None) => return Err(Problem::invalid("feature", "Units are of a feature: name it.")),
            (_, _, Some(_)) => {
                return Err(Problem::invalid("amount", "Name either a feature with its units, or an amount."));
            }
        };
        let description = self.description.map(|words| check_words("description", words)).transpose()?;
        Ok(Spending { price, description, metadata: self.metadata })
    }
}

/// Takes one line of words.
pub(super) fn check_words(field: &str, words: String) -> Result<String, Problem> {
    let is_line = !words.chars().any(char::is_control);
    match words.chars().count() {
        1..=MAX_WORDS if is_line && !words.trim().is_empty() => Ok(words),
        _ => Err(Problem::invalid(field, format!("{field} is one line of 1 to {MAX_WORDS} characters."))),
    }
}

/// What is to be reserved, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Holding, example = json!({ "amount": 20, "ttl_seconds": 600 }))]
pub struct HoldBody {
    /// What will be used; its rate says the cost.
    feature: Option<FeatureId>,
    /// How many of the feature's units; 1 where absent.
    #[schema(minimum = 1, maximum = 86_400)]
    units: Option<u32>,
    /// A cost in credits, instead of a feature.
    #[schema(value_type = Option<Amount>)]
    amount: Option<Credits>,
    /// How it stands in the history.
    #[schema(value_type = Option<Words>)]
    description: Option<String>,
    metadata: Option<Metadata>,
    /// Seconds until it goes back by itself; 900 where absent.
    #[schema(minimum = 1, maximum = 86_400)]
    ttl_seconds: Option<i64>,
}

const _: () = assert!(*HOLD_TTL_SECONDS.end() == 86_400 && DEFAULT_HOLD_TTL_SECONDS == 900);

/// How much of a hold is taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Capture, example = json!({ "amount": 15 }))]
pub struct CaptureBody {
    /// The whole hold where absent; the rest goes back.
    #[schema(value_type = Option<Amount>)]
    amount: Option<Credits>,
}

/// Nothing is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release, example = json!({}))]
pub struct ReleaseBody {}

/// How much of a charge is given back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Refund, example = json!({ "amount": 4, "reason": "It did not work" }))]
pub struct RefundBody {
    /// All that is left of the charge where absent.
    #[schema(value_type = Option<Amount>)]
    amount: Option<Credits>,
    #[schema(value_type = Option<Words>)]
    reason: Option<String>,
}

/// Spend at once.
///
/// The cost comes from the open grants in burn order: soonest to expire first, free before paid.
#[utoipa::path(
    post, path = "/credits/charge", operation_id = "charge", tag = tags::SPENDING, request_body = SpendBody,
    responses((status = 201, description = "The credits are spent.", body = ReceiptView),
        (status = 402, description = "Fewer credits are available than it costs; nothing has changed.",
            body = InsufficientCredits, content_type = "application/problem+json")))]
pub async fn charge(State(services): State<Services>, call: Call<Subject, SpendBody>) -> Result<Response, Problem> {
    let key = call.request_key(outcome_json);
    let (subject, spending) = (call.who, call.body.check()?);
    match services.charge(subject.account(), &subject.actor, spending, key).await {
        Ok(answer) => Ok(respond(StatusCode::CREATED, answer, outcome_json)),
        Err(error) => Err(explain(&services, &subject, error).await),
    }
}

/// Reserve until a deadline.
///
/// The credits stay where they are, but nobody else can spend them. Settle the hold by a capture or a release; after
/// its deadline it goes back by itself.
#[utoipa::path(
    post, path = "/credits/holds", operation_id = "hold", tag = tags::SPENDING, request_body = HoldBody,
    responses((status = 201, description = "The credits are reserved.", body = HoldView),
        (status = 402, description = "Fewer credits are available than it costs; nothing has changed.",
            body = InsufficientCredits, content_type = "application/problem+json")))]
pub async fn hold(State(services): State<Services>, call: Call<Subject, HoldBody>) -> Result<Response, Problem> {
    let key = call.request_key(outcome_json);
    let HoldBody { feature, units, amount, description, metadata, ttl_seconds } = call.body;
    let spending = SpendBody { feature, units, amount, description, metadata }.check()?;
    let (subject, ttl_seconds) = (call.who, ttl_seconds.unwrap_or(DEFAULT_HOLD_TTL_SECONDS));
    match services.hold(subject.account(), &subject.actor, spending, ttl_seconds, key).await {
        Ok(answer) => Ok(respond(StatusCode::CREATED, answer, outcome_json)),
        Err(error) => Err(explain(&services, &subject, error).await),
    }
}

/// Take a hold, or part of it.
#[utoipa::path(
    post, path = "/credits/holds/{id}/capture", operation_id = "capture", tag = tags::SPENDING,
    params(("id" = String, Path, description = "The hold, as in `h13`.", pattern = "^h[1-9][0-9]{0,18}$", example = "h13")),
    request_body(content = Option<CaptureBody>, content_type = "application/json"),
    responses((status = 200, description = "The credits are spent; the rest of the hold is free again.", body = ReceiptView),
        (status = 409, description = "The hold was settled before: `hold_status` says how.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn capture(
    State(services): State<Services>,
    Path(path): Path<Vec<(String, String)>>,
    call: Call<Subject, CaptureBody>,
) -> Result<Response, Problem> {
    let (key, hold) = (call.request_key(outcome_json), HoldId(id_in(&path, 'h')?));
    let answer = services.capture(call.who.account(), &call.who.actor, hold, call.body.amount, key).await?;
    Ok(respond(StatusCode::OK, answer, outcome_json))
}

/// Give a hold back.
#[utoipa::path(
    post, path = "/credits/holds/{id}/release", operation_id = "release", tag = tags::SPENDING,
    params(("id" = String, Path, description = "The hold, as in `h13`.", pattern = "^h[1-9][0-9]{0,18}$", example = "h13")),
    request_body(content = Option<ReleaseBody>, content_type = "application/json"),
    responses((status = 200, description = "The credits are free again.", body = HoldView),
        (status = 409, description = "The hold was settled before: `hold_status` says how.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn release(
    State(services): State<Services>,
    Path(path): Path<Vec<(String, String)>>,
    call: Call<Subject, ReleaseBody>,
) -> Result<Response, Problem> {
    let (key, hold) = (call.request_key(outcome_json), HoldId(id_in(&path, 'h')?));
    let answer = services.release(call.who.account(), &call.who.actor, hold, key).await?;
    Ok(respond(StatusCode::OK, answer, outcome_json))
}

/// Give a charge back.
///
/// Whole or in part, to the very grants that it drew from. For service keys and administrators.
#[utoipa::path(
    post, path = "/accounts/{account}/credits/transactions/{id}/refund", operation_id = "refund", tag = tags::ACCOUNTS,
    params(("id" = String, Path, description = "The charge, as in `t12`.", pattern = "^t[1-9][0-9]{0,18}$", example = "t12")),
    request_body(content = Option<RefundBody>, content_type = "application/json"),
    responses((status = 201, description = "The credits are back.", body = ReceiptView)))]
pub async fn refund(
    State(services): State<Services>,
    Path(path): Path<Vec<(String, String)>>,
    call: Call<Subject, RefundBody>,
) -> Result<Response, Problem> {
    call.who.require_grantor()?;
    let (key, charge) = (call.request_key(outcome_json), id_in(&path, 't')?);
    let reason = call.body.reason.map(|words| check_words("reason", words)).transpose()?;
    let (account, actor) = (call.who.account(), &call.who.actor);
    let answer = services.refund(account, actor, charge, call.body.amount, reason, key).await?;
    Ok(respond(StatusCode::CREATED, answer, outcome_json))
}

fn id_in(path: &[(String, String)], kind: char) -> Result<Seq, Problem> {
    let id = path.iter().find(|(name, _)| name == "id").and_then(|(_, text)| parse_id(kind, text));
    id.ok_or_else(Problem::not_found)
}
