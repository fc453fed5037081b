//! The shapes of JSON that programs read. Ids are opaque: a letter for the kind, and the number.

use crate::domain::account::{Balance, Hold, HoldStatus};
use crate::domain::journal::{Cause, Draw};
use crate::domain::metadata::Metadata;
use crate::domain::operation::{Outcome, Source};
use crate::domain::{
    Credits, FeatureId, GrantId, HoldId, PlanId, Seq, Timestamp, Transaction, TransactionType, UserId,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

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
#[derive(Debug, Serialize)]
pub struct BalanceView {
    available: Credits,
    held: Credits,
    total: Credits,
    debt: Credits,
    by_source: Map<String, Value>,
    plan: Option<PlanId>,
    next_reset: Option<Coming>,
    next_expiry: Option<Coming>,
}

#[derive(Debug, Serialize)]
struct Coming {
    at: String,
    amount: Credits,
}

impl From<&Balance> for BalanceView {
    fn from(balance: &Balance) -> Self {
        let coming = |(at, amount): (Timestamp, Credits)| Coming { at: at.to_rfc3339(), amount };
        let part = |(source, amount): &(Source, Credits)| (source.as_str().to_owned(), json!(amount));
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

/// What a movement took from a grant, or gave to it.
#[derive(Debug, Serialize)]
pub struct DrawView {
    grant: String,
    source: Source,
    amount: i64,
    expires_at: Option<String>,
}

impl From<&Draw> for DrawView {
    fn from(draw: &Draw) -> Self {
        let expires_at = draw.expires_at.map(Timestamp::to_rfc3339);
        Self { grant: grant_id(draw.grant), source: draw.source, amount: draw.amount, expires_at }
    }
}

/// A row of history.
#[derive(Debug, Serialize)]
pub struct TransactionView {
    id: String,
    #[serde(rename = "type")]
    kind: TransactionType,
    cause: Cause,
    amount: i64,
    balance_before: Credits,
    balance_after: Credits,
    debt_after: Credits,
    feature: Option<FeatureId>,
    units: Option<u32>,
    rate_version: Option<i64>,
    description: String,
    actor: String,
    metadata: Option<Metadata>,
    hold: Option<String>,
    refund_of: Option<String>,
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
#[derive(Debug, Serialize)]
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

#[derive(Debug, Serialize)]
struct ReceiptView {
    transaction: TransactionView,
    draws: Vec<DrawView>,
    balance: BalanceView,
}

#[derive(Debug, Serialize)]
struct HoldView {
    id: String,
    status: HoldStatus,
    amount: Credits,
    captured: Credits,
    feature: Option<FeatureId>,
    units: Option<u32>,
    rate_version: Option<i64>,
    description: String,
    actor: String,
    metadata: Option<Metadata>,
    reason: Option<String>,
    deadline: String,
    created_at: String,
    settled_at: Option<String>,
    draws: Vec<HeldView>,
    balance: BalanceView,
}

#[derive(Debug, Serialize)]
struct HeldView {
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
pub fn account_json(id: &UserId, email: &str, name: &str, outcome: &Outcome) -> String {
    let grant = match outcome {
        Outcome::Receipt(receipt) => Some(MovementView::from(&receipt.transaction)),
        Outcome::Hold { .. } | Outcome::Rolled { .. } => None,
    };
    let balance = BalanceView::from(outcome.balance());
    json!({ "id": id, "email": email, "name": name, "balance": balance, "signup_grant": grant }).to_string()
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
