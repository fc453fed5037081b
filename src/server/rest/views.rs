//! The shapes of JSON that programs read. Ids are opaque: a letter for the kind, and the number.

use super::schemas::Moment;
use crate::domain::account::{Balance, Hold, HoldStatus};
use crate::domain::catalogue::{Pack, Plan};
use crate::domain::journal::{Cause, Draw};
use crate::domain::metadata::Metadata;
use crate::domain::operation::{Outcome, Source};
use crate::domain::{
    Credits, FeatureId, GrantId, HoldId, PlanId, Seq, Timestamp, Transaction, TransactionType, UserId,
};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The currency of all prices, by ISO 4217.
const CURRENCY: &str = "USD";

/// The id of a transaction.
pub fn transaction_id(seq: Seq) -> String {
    format!("t{}", seq.0)
}

/// The id of a hold.
pub fn hold_id(id: HoldId) -> String {
    format!("h{}", id.0.0)
}

/// The id of a grant.
pub fn grant_id(id: GrantId) -> String {
    format!("g{}", id.0.0)
}

/// Takes an id of that kind; `None` for anything else.
pub fn parse_id(kind: char, text: &str) -> Option<Seq> {
    let digits = text.strip_prefix(kind)?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_plain).map(Seq)
}

/// Where an account stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Balance)]
pub struct BalanceView {
    /// What can be spent now.
    available: Credits,
    /// What is reserved by holds.
    held: Credits,
    /// Both together.
    total: Credits,
    /// What was spent of a payment that was returned since; the next credits pay it off.
    debt: Credits,
    /// What remains of each source that has something.
    #[schema(value_type = BTreeMap<String, Credits>, example = json!({ "signup": 60 }))]
    by_source: BTreeMap<&'static str, Credits>,
    /// The plan that gives monthly credits, where there is one.
    plan: Option<PlanId>,
    /// The next monthly credits.
    next_reset: Option<Coming>,
    /// What ends next.
    next_expiry: Option<Coming>,
}

/// Credits that come or end at a moment.
#[derive(Debug, Serialize, ToSchema)]
struct Coming {
    #[schema(value_type = Moment)]
    at: String,
    amount: Credits,
}

impl From<&Balance> for BalanceView {
    fn from(balance: &Balance) -> Self {
        let coming = |(at, amount): (Timestamp, Credits)| Coming { at: at.to_rfc3339(), amount };
        let part = |(source, amount): &(Source, Credits)| (source.as_str(), *amount);
        Self {
            available: balance.available,
            held: balance.held,
            total: balance.total,
            debt: balance.debt,
            by_source: balance.by_source.iter().map(part).collect(),
            plan: balance.plan.clone(),
            next_reset: balance.next_reset.map(coming),
            next_expiry: balance.next_expiry.map(coming),
        }
    }
}

/// What a movement took from a grant (negative), or gave to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Draw)]
pub struct DrawView {
    #[schema(example = "g1")]
    grant: String,
    source: Source,
    #[schema(example = -5)]
    amount: i64,
    /// When the grant ends; `null` where it never does.
    #[schema(value_type = Option<Moment>)]
    expires_at: Option<String>,
}

impl From<&Draw> for DrawView {
    fn from(draw: &Draw) -> Self {
        let expires_at = draw.expires_at.map(Timestamp::to_rfc3339);
        Self { grant: grant_id(draw.grant), source: draw.source, amount: draw.amount, expires_at }
    }
}

/// A row of history; never changed once written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transaction)]
pub struct TransactionView {
    #[schema(example = "t12")]
    id: String,
    #[serde(rename = "type")]
    kind: TransactionType,
    cause: Cause,
    /// Signed credits.
    #[schema(example = -5)]
    amount: i64,
    balance_before: Credits,
    balance_after: Credits,
    debt_after: Credits,
    /// What was used, where it has a rate.
    feature: Option<FeatureId>,
    /// How many of its units.
    units: Option<u32>,
    /// Which version of the rates gave the price.
    rate_version: Option<i64>,
    /// One line for people.
    description: String,
    /// Who did it: `user`, `key:<id>`, `admin:<id>`, `system`.
    actor: String,
    metadata: Option<Metadata>,
    /// The hold that was captured.
    hold: Option<String>,
    /// The charge that was given back.
    refund_of: Option<String>,
    #[schema(value_type = Moment)]
    created_at: String,
}

impl From<&Transaction> for TransactionView {
    fn from(row: &Transaction) -> Self {
        let usage = row.usage.as_ref();
        Self {
            id: transaction_id(row.seq),
            kind: row.kind,
            cause: row.cause,
            amount: row.amount,
            balance_before: row.balance_before,
            balance_after: row.balance_after,
            debt_after: row.debt_after,
            feature: usage.map(|usage| usage.feature.clone()),
            units: usage.map(|usage| usage.units),
            rate_version: usage.map(|usage| usage.rate_version),
            description: row.description.clone(),
            actor: row.actor.clone(),
            metadata: row.metadata.clone(),
            hold: row.hold.map(hold_id),
            refund_of: row.refund_of.map(transaction_id),
            created_at: row.created_at.to_rfc3339(),
        }
    }
}

/// A row of history with what it took from which grant: one of a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Movement)]
pub struct MovementView {
    #[serde(flatten)]
    transaction: TransactionView,
    draws: Vec<DrawView>,
}

impl From<&Transaction> for MovementView {
    fn from(row: &Transaction) -> Self {
        Self { transaction: row.into(), draws: row.draws.iter().map(DrawView::from).collect() }
    }
}

/// What a movement is answered with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptView {
    transaction: TransactionView,
    draws: Vec<DrawView>,
    balance: BalanceView,
}

/// A hold as it is now, with the balance beside it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldView {
    #[schema(example = "h13")]
    id: String,
    status: HoldStatus,
    /// How much was reserved.
    amount: Credits,
    /// How much of it was taken.
    captured: Credits,
    feature: Option<FeatureId>,
    units: Option<u32>,
    rate_version: Option<i64>,
    description: String,
    /// Who made it.
    actor: String,
    metadata: Option<Metadata>,
    /// Why it was released or has expired.
    reason: Option<String>,
    /// When it goes back by itself.
    #[schema(value_type = Moment)]
    deadline: String,
    #[schema(value_type = Moment)]
    created_at: String,
    #[schema(value_type = Option<Moment>)]
    settled_at: Option<String>,
    /// Which grants it reserves.
    draws: Vec<HeldView>,
    balance: BalanceView,
}

/// What a hold reserves of a grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Held)]
struct HeldView {
    #[schema(example = "g1")]
    grant: String,
    amount: Credits,
}

fn hold_view(hold: &Hold, balance: &Balance) -> HoldView {
    let usage = hold.usage.as_ref();
    let draws = hold.draws.iter().map(|(grant, amount)| HeldView { grant: grant_id(*grant), amount: *amount });
    HoldView {
        id: hold_id(hold.id),
        status: hold.status,
        amount: hold.amount,
        captured: hold.captured,
        feature: usage.map(|usage| usage.feature.clone()),
        units: usage.map(|usage| usage.units),
        rate_version: usage.map(|usage| usage.rate_version),
        description: hold.description.clone(),
        actor: hold.actor.clone(),
        metadata: hold.metadata.clone(),
        reason: hold.reason.clone(),
        deadline: hold.deadline.to_rfc3339(),
        created_at: hold.created_at.to_rfc3339(),
        settled_at: hold.settled_at.map(Timestamp::to_rfc3339),
        draws: draws.collect(),
        balance: balance.into(),
    }
}

/// What an operation is answered with: a receipt, or the hold as it is now.
pub fn outcome_json(outcome: &Outcome) -> String {
    let value = match outcome {
        Outcome::Receipt(receipt) => serde_json::to_string(&ReceiptView {
            transaction: (&receipt.transaction).into(),
            draws: receipt.transaction.draws.iter().map(DrawView::from).collect(),
            balance: (&receipt.balance).into(),
        }),
        Outcome::Hold { hold, balance } => serde_json::to_string(&hold_view(hold, balance)),
        Outcome::Rolled { balance } => serde_json::to_string(&json!({ "balance": BalanceView::from(balance) })),
    };
    // These are plain structures with text keys; serde_json has no reason to refuse them.
    value.unwrap_or_default()
}

/// An account that was made, with its first credits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewAccount)]
pub struct AccountView {
    id: UserId,
    #[schema(format = Email)]
    email: String,
    name: String,
    balance: BalanceView,
    /// The credits for signing up; `null` where there are none.
    signup_grant: Option<MovementView>,
}

/// Puts a new account into words.
pub fn account_json(id: &UserId, email: &str, name: &str, outcome: &Outcome) -> String {
    let signup_grant = match outcome {
        Outcome::Receipt(receipt) => Some(MovementView::from(&receipt.transaction)),
        Outcome::Hold { .. } | Outcome::Rolled { .. } => None,
    };
    let balance = BalanceView::from(outcome.balance());
    let account = AccountView { id: id.clone(), email: email.to_owned(), name: name.to_owned(), balance, signup_grant };
    serde_json::to_string(&account).unwrap_or_default()
}

/// Credits that are bought once and never expire.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Pack)]
pub struct PackView {
    #[schema(example = "pack-100")]
    id: PlanId,
    credits: Credits,
    #[schema(minimum = 0, example = 500)]
    price_cents: i64,
    /// By ISO 4217.
    #[schema(example = "USD")]
    currency: &'static str,
}

impl From<&Pack> for PackView {
    fn from(pack: &Pack) -> Self {
        Self { id: pack.id.clone(), credits: pack.credits, price_cents: pack.price_cents.get(), currency: CURRENCY }
    }
}

/// Something to be subscribed to.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanView {
    #[schema(example = "basic")]
    id: PlanId,
    name: String,
    tagline: String,
    /// Credits in each month, on a yearly plan too.
    credits_per_month: Credits,
    /// The price of a month; 0 for the free plan.
    #[schema(minimum = 0, example = 1500)]
    month_cents: i64,
    /// The price of a year.
    #[schema(minimum = 0, example = 15000)]
    year_cents: i64,
    /// By ISO 4217.
    #[schema(example = "USD")]
    currency: &'static str,
}

impl From<&Plan> for PlanView {
    fn from(plan: &Plan) -> Self {
        Self {
            id: plan.id.clone(),
            name: plan.name.clone(),
            tagline: plan.tagline.clone(),
            credits_per_month: plan.credits_per_month,
            month_cents: plan.month_cents.get(),
            year_cents: plan.year_cents.get(),
            currency: CURRENCY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_its_kind_and_written_in_one_way() {
        assert_eq!(parse_id('t', &transaction_id(Seq(12))), Some(Seq(12)));
        for bad in ["h12", "12", "t", "t0", "t012", "t-1", "t+1", "t1.0", "t99999999999999999999"] {
            assert_eq!(parse_id('t', bad), None, "{bad}");
        }
    }
}
