//! Spending, reserving and giving back, and where an account stands.

use super::Problem;
use super::call::{Call, Subject, explain, respond};
use super::json::rejected;
use super::views::{BalanceView, DrawView, MovementView, outcome_json, parse_id, transaction_id};
use crate::domain::metadata::Metadata;
use crate::domain::operation::DEFAULT_HOLD_TTL_SECONDS;
use crate::domain::rates::Rate;
use crate::domain::{Credits, FeatureId, HoldId, Timestamp, TransactionType};
use crate::server::services::{Price, Services, Spending};
use crate::server::store::{HistoryFilter, HistoryQuery};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows on one page, unless more or fewer are asked for, and the most.
const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// The longest description or reason, in characters.
const MAX_WORDS: usize = 300;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendBody {
    feature: Option<FeatureId>,
    units: Option<u32>,
    amount: Option<Credits>,
    description: Option<String>,
    metadata: Option<Metadata>,
}

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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    feature: Option<FeatureId>,
    units: Option<u32>,
    amount: Option<Credits>,
    description: Option<String>,
    metadata: Option<Metadata>,
    ttl_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureBody {
    amount: Option<Credits>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundBody {
    amount: Option<Credits>,
    reason: Option<String>,
}

pub async fn charge(State(services): State<Services>, call: Call<Subject, SpendBody>) -> Result<Response, Problem> {
    let key = call.request_key(outcome_json);
    let (subject, spending) = (call.who, call.body.check()?);
    match services.charge(subject.account(), &subject.actor, spending, key).await {
        Ok(answer) => Ok(respond(StatusCode::CREATED, answer, outcome_json)),
        Err(error) => Err(explain(&services, &subject, error).await),
    }
}

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

pub async fn capture(
    State(services): State<Services>,
    Path(path): Path<Vec<(String, String)>>,
    call: Call<Subject, CaptureBody>,
) -> Result<Response, Problem> {
    let (key, hold) = (call.request_key(outcome_json), HoldId(id_in(&path, 'h')?));
    let answer = services.capture(call.who.account(), &call.who.actor, hold, call.body.amount, key).await?;
    Ok(respond(StatusCode::OK, answer, outcome_json))
}

pub async fn release(
    State(services): State<Services>,
    Path(path): Path<Vec<(String, String)>>,
    call: Call<Subject, ReleaseBody>,
) -> Result<Response, Problem> {
    let (key, hold) = (call.request_key(outcome_json), HoldId(id_in(&path, 'h')?));
    let answer = services.release(call.who.account(), &call.who.actor, hold, key).await?;
    Ok(respond(StatusCode::OK, answer, outcome_json))
}

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

fn id_in(path: &[(String, String)], kind: char) -> Result<crate::domain::Seq, Problem> {
    let id = path.iter().find(|(name, _)| name == "id").and_then(|(_, text)| parse_id(kind, text));
    id.ok_or_else(Problem::not_found)
}

pub async fn read_balance(State(services): State<Services>, subject: Subject) -> Result<Json<BalanceView>, Problem> {
    Ok(Json(BalanceView::from(&services.read_balance(subject.account()).await?)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteQuery {
    feature: FeatureId,
    units: Option<u32>,
}

pub async fn quote(
    State(services): State<Services>,
    subject: Subject,
    query: Result<Query<QuoteQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let QuoteQuery { feature, units } = query.map_err(rejected)?.0;
    let quote = services.quote(subject.account(), &feature, units.unwrap_or(1)).await?;
    Ok(Json(json!({
        "cost": quote.cost,
        "rate_version": quote.rate_version,
        "available": quote.available,
        "balance_after": quote.available.checked_sub(quote.cost),
        "enough": quote.available >= quote.cost,
        "shortfall": quote.cost.saturating_sub(quote.available),
        "draws": quote.draws.iter().map(DrawView::from).collect::<Vec<_>>(),
    })))
}

/// What everything costs; no secret, so nobody has to say who they are.
pub async fn list_costs(State(services): State<Services>) -> Json<Value> {
    let rate = |rate: &Rate| {
        json!({
            "feature": rate.feature, "name": rate.name, "unit": rate.unit, "max_units": rate.max_units(),
            "rule": rate.rule, "words": rate.in_words(),
        })
    };
    let rates: Vec<Value> = services.catalogue().rates.iter().map(rate).collect();
    Json(json!({ "rate_version": services.rate_version(), "rates": rates }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    #[serde(rename = "type")]
    kind: Option<TransactionType>,
    feature: Option<FeatureId>,
    from: Option<String>,
    to: Option<String>,
}

impl ListQuery {
    /// One more row than is shown tells whether there is another page.
    fn check(self) -> Result<(HistoryQuery, u32), Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::invalid("limit", format!("A page has 1 to {MAX_PAGE} rows.")));
        }
        let before = self.cursor.map(|cursor| parse_id('t', &cursor).ok_or_else(|| unknown_cursor(&cursor)));
        let query = HistoryQuery {
            filter: self.kind.map_or(HistoryFilter::Movements, HistoryFilter::Only),
            feature: self.feature,
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            before: before.transpose()?,
            limit: limit + 1,
        };
        Ok((query, limit))
    }
}

fn unknown_cursor(cursor: &str) -> Problem {
    Problem::invalid("cursor", format!("{cursor} is no cursor of an earlier page."))
}

/// Takes a moment in RFC 3339.
pub(super) fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let parse = |text| {
        let words = format!("{field} is a moment as in 2026-11-21T10:00:00Z.");
        Timestamp::parse_rfc3339(text).ok_or_else(|| Problem::invalid(field, words))
    };
    text.map(parse).transpose()
}

pub async fn list(
    State(services): State<Services>,
    subject: Subject,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let (query, limit) = query.map_err(rejected)?.0.check()?;
    let balance = services.read_balance(subject.account()).await?;
    let mut rows = services.list_movements(subject.account(), query).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| transaction_id(row.seq));
    let transactions: Vec<MovementView> = rows.iter().map(MovementView::from).collect();
    let balance = BalanceView::from(&balance);
    Ok(Json(json!({ "balance": balance, "transactions": transactions, "next_cursor": next_cursor })))
}
