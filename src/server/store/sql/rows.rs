//! From rows to values: one function per kind of row, and a clear error for what cannot be.

use crate::domain::account::{Grant, Hold, HoldStatus};
use crate::domain::identity::{Email, Role};
use crate::domain::journal::{Cause, Usage};
use crate::domain::{
    AccountId, Cents, Credits, FeatureId, GrantId, HoldId, Metadata, PlanId, Seq, Source, Timestamp, Transaction,
    TransactionType, UserId,
};
use crate::server::store::database::Row;
use crate::server::store::{StoreError, StoreResult, StoredAnswer, User};

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

pub(super) fn moment(row: &Row, column: &str) -> StoreResult<Timestamp> {
    Ok(Timestamp::from_millis(row.integer(column)?))
}

pub(super) fn optional_moment(row: &Row, column: &str) -> StoreResult<Option<Timestamp>> {
    Ok(row.optional_integer(column)?.map(Timestamp::from_millis))
}

pub(super) fn account_id(row: &Row) -> StoreResult<AccountId> {
    Ok(AccountId(row.integer("account_id")?))
}

pub(super) fn grant(row: &Row) -> StoreResult<Grant> {
    Ok(Grant {
        id: GrantId(Seq(row.integer("id")?)),
        source: expected(Source::parse(row.text("source")?), "source")?,
        reference: row.optional_text("reference")?.map(str::to_owned),
        amount: credits(row.integer("amount")?)?,
        remaining: credits(row.integer("remaining")?)?,
        held: credits(row.integer("held")?)?,
        expired: credits(row.integer("expired")?)?,
        clawed_back: credits(row.integer("clawed_back")?)?,
        expires_at: optional_moment(row, "expires_at")?,
        created_at: moment(row, "created_at")?,
    })
}

pub(super) fn usage(row: &Row) -> StoreResult<Option<Usage>> {
    usage_of(row.optional_text("feature")?, row.optional_integer("units")?, row.optional_integer("rate_version")?)
}

pub(super) fn usage_of(
    feature: Option<&str>,
    units: Option<i64>,
    rate_version: Option<i64>,
) -> StoreResult<Option<Usage>> {
    let Some(feature) = feature else { return Ok(None) };
    Ok(Some(Usage {
        feature: expected(FeatureId::parse(feature), "feature")?,
        units: expected(units.and_then(|units| u32::try_from(units).ok()), "units")?,
        rate_version: expected(rate_version, "version of the rates")?,
    }))
}

fn metadata(row: &Row) -> StoreResult<Option<Metadata>> {
    row.optional_text("metadata")?.map(|json| expected(Metadata::parse(json), "metadata")).transpose()
}

pub(super) fn hold(row: &Row) -> StoreResult<Hold> {
    Ok(Hold {
        id: HoldId(Seq(row.integer("id")?)),
        amount: credits(row.integer("amount")?)?,
        status: expected(HoldStatus::parse(row.text("status")?), "status")?,
        captured: credits(row.integer("captured")?)?,
        usage: usage(row)?,
        description: row.text("description")?.to_owned(),
        actor: row.text("actor")?.to_owned(),
        metadata: metadata(row)?,
        reason: row.optional_text("reason")?.map(str::to_owned),
        deadline: moment(row, "deadline")?,
        created_at: moment(row, "created_at")?,
        settled_at: optional_moment(row, "settled_at")?,
        draws: expected(serde_json::from_str(row.text("draws")?).ok(), "draws of a hold")?,
    })
}

/// Which grants a row of history moved, and how much of each.
pub(super) fn draws(row: &Row) -> StoreResult<Vec<(GrantId, i64)>> {
    expected(serde_json::from_str(row.text("draws")?).ok(), "draws")
}

/// A row of history, its draws still to come.
pub(super) fn transaction(row: &Row) -> StoreResult<Transaction> {
    let amount = row.integer("amount")?;
    let balance_after = row.integer("balance_after")?;
    Ok(Transaction {
        seq: Seq(row.integer("seq")?),
        kind: expected(TransactionType::parse(row.text("type")?), "type")?,
        cause: expected(Cause::parse(row.text("cause")?), "cause")?,
        amount,
        balance_before: credits(balance_after - amount)?,
        balance_after: credits(balance_after)?,
        debt_after: credits(row.integer("debt_after")?)?,
        usage: usage(row)?,
        description: row.text("description")?.to_owned(),
        actor: row.text("actor")?.to_owned(),
        metadata: metadata(row)?,
        hold: row.optional_integer("hold_id")?.map(|id| HoldId(Seq(id))),
        refund_of: row.optional_integer("refund_of")?.map(Seq),
        created_at: moment(row, "created_at")?,
        draws: Vec::new(),
    })
}

pub(super) fn user(row: &Row) -> StoreResult<User> {
    let role = match row.text("role")? {
        "user" => Some(Role::User),
        "admin" => Some(Role::Admin),
        _ => None,
    };
    Ok(User {
        account: AccountId(row.integer("id")?),
        public_id: expected(UserId::parse(row.text("public_id")?), "public id")?,
        email: expected(Email::parse(row.text("email")?), "address")?,
        name: row.text("name")?.to_owned(),
        role: expected(role, "role")?,
        created_at: moment(row, "created_at")?,
    })
}

pub(super) fn answer(row: &Row) -> StoreResult<StoredAnswer> {
    Ok(StoredAnswer { fingerprint: row.text("fingerprint")?.to_owned(), text: row.text("answer")?.to_owned() })
}
