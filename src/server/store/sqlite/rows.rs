//! From rows to values: one function per kind of row, and a clear error for what cannot be.

use crate::domain::account::{Grant, Hold, HoldStatus};
use crate::domain::identity::{Email, Role};
use crate::domain::journal::{Cause, Usage};
use crate::domain::{
    AccountId, Cents, Credits, FeatureId, GrantId, HoldId, PlanId, Seq, Source, Timestamp, Transaction,
    TransactionType, UserId,
};
use crate::server::store::{StoreError, StoreResult, User};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Takes a value that this program wrote; anything else is a sign of tampering or of a defect.
pub(super) fn expected<T>(value: Option<T>, what: &str) -> StoreResult<T> {
    value.ok_or_else(|| StoreError::Corrupt(what.to_owned()))
}

pub(super) fn credits(value: i64) -> StoreResult<Credits> {
    expected(Credits::new(value).ok(), "credits")
}

pub(super) fn cents(value: i64) -> StoreResult<Cents> {
    expected(Cents::try_from(value).ok(), "cents")
}

pub(super) fn plan_id(text: &str) -> StoreResult<PlanId> {
    expected(PlanId::parse(text), "plan")
}

pub(super) fn moment(row: &SqliteRow, column: &str) -> StoreResult<Timestamp> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

pub(super) fn optional_moment(row: &SqliteRow, column: &str) -> StoreResult<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

pub(super) fn account_id(row: &SqliteRow) -> StoreResult<AccountId> {
    Ok(AccountId(row.try_get("account_id")?))
}

pub(super) fn grant(row: &SqliteRow) -> StoreResult<Grant> {
    Ok(Grant {
        id: GrantId(Seq(row.try_get("id")?)),
        source: expected(Source::parse(row.try_get("source")?), "source")?,
        reference: row.try_get("reference")?,
        amount: credits(row.try_get("amount")?)?,
        remaining: credits(row.try_get("remaining")?)?,
        held: credits(row.try_get("held")?)?,
        expires_at: optional_moment(row, "expires_at")?,
        created_at: moment(row, "created_at")?,
    })
}

pub(super) fn usage(row: &SqliteRow) -> StoreResult<Option<Usage>> {
    let Some(feature) = row.try_get::<Option<&str>, _>("feature")? else { return Ok(None) };
    Ok(Some(Usage {
        feature: expected(FeatureId::parse(feature), "feature")?,
        units: row.try_get("units")?,
        rate_version: row.try_get("rate_version")?,
    }))
}

pub(super) fn hold(row: &SqliteRow) -> StoreResult<Hold> {
    Ok(Hold {
        id: HoldId(Seq(row.try_get("id")?)),
        amount: credits(row.try_get("amount")?)?,
        status: expected(HoldStatus::parse(row.try_get("status")?), "status")?,
        captured: credits(row.try_get("captured")?)?,
        usage: usage(row)?,
        description: row.try_get("description")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
        deadline: moment(row, "deadline")?,
        created_at: moment(row, "created_at")?,
        settled_at: optional_moment(row, "settled_at")?,
        draws: expected(serde_json::from_str(row.try_get("draws")?).ok(), "draws of a hold")?,
    })
}

/// A row of history, its draws still to come.
pub(super) fn transaction(row: &SqliteRow) -> StoreResult<Transaction> {
    let amount: i64 = row.try_get("amount")?;
    let balance_after: i64 = row.try_get("balance_after")?;
    Ok(Transaction {
        seq: Seq(row.try_get("seq")?),
        kind: expected(TransactionType::parse(row.try_get("type")?), "type")?,
        cause: expected(Cause::parse(row.try_get("cause")?), "cause")?,
        amount,
        balance_before: credits(balance_after - amount)?,
        balance_after: credits(balance_after)?,
        usage: usage(row)?,
        description: row.try_get("description")?,
        actor: row.try_get("actor")?,
        hold: row.try_get::<Option<i64>, _>("hold_id")?.map(|id| HoldId(Seq(id))),
        refund_of: row.try_get::<Option<i64>, _>("refund_of")?.map(Seq),
        created_at: moment(row, "created_at")?,
        draws: Vec::new(),
    })
}

pub(super) fn user(row: &SqliteRow) -> StoreResult<User> {
    let role = match row.try_get("role")? {
        "user" => Some(Role::User),
        "admin" => Some(Role::Admin),
        _ => None,
    };
    Ok(User {
        account: AccountId(row.try_get("id")?),
        public_id: expected(UserId::parse(row.try_get("public_id")?), "public id")?,
        email: expected(Email::parse(row.try_get("email")?), "address")?,
        name: row.try_get("name")?,
        role: expected(role, "role")?,
        created_at: moment(row, "created_at")?,
    })
}
