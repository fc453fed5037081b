//! Saving a batch: one statement per table, whatever the number of accounts, in the order in which rows
//! refer to each other.

use super::load::to_json;
use crate::domain::account::{Account, Grant, Hold};
use crate::domain::{AccountId, Credits, HoldId, Metadata, Seq, Timestamp, Transaction};
use crate::server::store::chain::{ChainKey, Head, Link};
use crate::server::store::database::Transaction as DatabaseTransaction;
use crate::server::store::{AuditEntry, Batch, StoreError, StoreResult};
use serde::Serialize;
use std::collections::HashMap;

const INSERT_GRANTS: &str = "
    INSERT INTO grants (account_id, id, source, reference, amount, remaining, held, expired, clawed_back,
        expires_at, created_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3,
        CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT),
        CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT),
        CAST(value ->> 10 AS BIGINT)
    FROM json_each($1)";

macro_rules! update_grants {
    ($parameter:literal) => {
        concat!(
            "
    UPDATE grants SET remaining = CAST(change.value ->> 2 AS BIGINT), held = CAST(change.value ->> 3 AS BIGINT),
        expired = CAST(change.value ->> 4 AS BIGINT), clawed_back = CAST(change.value ->> 5 AS BIGINT)
    FROM json_each(",
            $parameter,
            ") change WHERE grants.account_id = CAST(change.value ->> 0 AS BIGINT)
        AND grants.id = CAST(change.value ->> 1 AS BIGINT)"
        )
    };
}

const INSERT_HOLDS: &str = "
    INSERT INTO holds (account_id, id, amount, feature, units, rate_version, description, actor, metadata, deadline,
        created_at, draws, status, captured, reason, settled_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), value ->> 3,
        CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), value ->> 6, value ->> 7, value ->> 8,
        CAST(value ->> 9 AS BIGINT), CAST(value ->> 10 AS BIGINT), value ->> 11, value ->> 12,
        CAST(value ->> 13 AS BIGINT), value ->> 14, CAST(value ->> 15 AS BIGINT)
    FROM json_each($1)";

const UPDATE_HOLDS: &str = "
    UPDATE holds SET status = change.value ->> 2, captured = CAST(change.value ->> 3 AS BIGINT),
        reason = change.value ->> 4, settled_at = CAST(change.value ->> 5 AS BIGINT)
    FROM json_each($1) change WHERE holds.account_id = CAST(change.value ->> 0 AS BIGINT)
        AND holds.id = CAST(change.value ->> 1 AS BIGINT)";

macro_rules! insert_transactions {
    ($parameter:literal) => {
        concat!(
            "
    INSERT INTO transactions (account_id, seq, type, cause, amount, balance_after, debt_after, feature, units,
        rate_version, description, actor, metadata, hold_id, refund_of, created_at, draws, code)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3,
        CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT), value ->> 7,
        CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT), value ->> 10, value ->> 11, value ->> 12,
        CAST(value ->> 13 AS BIGINT), CAST(value ->> 14 AS BIGINT), CAST(value ->> 15 AS BIGINT), value ->> 16,
        value ->> 17
    FROM json_each(",
            $parameter,
            ")"
        )
    };
}

macro_rules! update_accounts {
    ($parameter:literal) => {
        concat!(
            "
    UPDATE accounts SET balance = CAST(change.value ->> 1 AS BIGINT), held = CAST(change.value ->> 2 AS BIGINT),
        debt = CAST(change.value ->> 3 AS BIGINT), last_seq = CAST(change.value ->> 4 AS BIGINT),
        chain_rows = CAST(change.value ->> 5 AS BIGINT), chain_code = change.value ->> 6,
        chain_seal = change.value ->> 7, next_due = CAST(change.value ->> 8 AS BIGINT)
    FROM json_each(",
            $parameter,
            ") change WHERE accounts.id = CAST(change.value ->> 0 AS BIGINT)"
        )
    };
}

/// `WHERE true` keeps SQLite's parser from taking ON for a join's (sqlite.org/lang_upsert.html).
const UPSERT_ALLOWANCES: &str = "
    INSERT INTO allowances (account_id, plan, reference, credits_per_month, anchor, first_month, next_month, end_month,
        renewal_credits, next_at)
    SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, CAST(value ->> 3 AS BIGINT),
        CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT),
        CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT)
    FROM json_each($1) WHERE true
    ON CONFLICT (account_id) DO UPDATE SET plan = excluded.plan, reference = excluded.reference,
        credits_per_month = excluded.credits_per_month, anchor = excluded.anchor, first_month = excluded.first_month,
        next_month = excluded.next_month, end_month = excluded.end_month, renewal_credits = excluded.renewal_credits,
        next_at = excluded.next_at";

macro_rules! insert_answers {
    ($parameter:literal) => {
        concat!(
            "
    INSERT INTO idempotency_keys (account_id, key, fingerprint, answer, created_at)
    SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, value ->> 3,
        CAST(value ->> 4 AS BIGINT) FROM json_each(",
            $parameter,
            ")"
        )
    };
}

/// What almost every batch writes, in one trip: SQLite takes several statements at once.
const SAVE_ALL: &str = concat!(
    update_accounts!("$1"),
    ";",
    update_grants!("$2"),
    ";",
    insert_transactions!("$3"),
    ";",
    insert_answers!("$4")
);

/// The same for PostgreSQL in two trips. What is added goes by itself: its trigger locks rows that are changed here.
const CHANGE: &str = concat!("WITH accounts_too AS (", update_accounts!("$1"), ") ", update_grants!("$2"));
const ADD: &str = concat!("WITH answers_too AS (", insert_answers!("$2"), ") ", insert_transactions!("$1"));

const INSERT_SERVICE_ANSWERS: &str = "
    INSERT INTO service_requests (caller, key, fingerprint, answer, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT) FROM json_each($1)";

const INSERT_AUDIT: &str = "
    INSERT INTO audit (account_id, seq, actor, action, detail, created_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, value ->> 4,
        CAST(value ->> 5 AS BIGINT) FROM json_each($1)";

/// Saves all that a batch changed.
///
/// # Errors
/// Where the database refuses it, or an account was not loaded before.
pub(super) async fn save(
    transaction: &mut DatabaseTransaction,
    batch: &Batch<'_>,
    key: &ChainKey,
    heads: &mut HashMap<AccountId, Head>,
) -> StoreResult<()> {
    let changed = || batch.accounts.iter().filter(|account| account.is_changed());
    let (new_grants, old_grants): (Vec<_>, Vec<_>) =
        changed().flat_map(|account| changed_grants(account)).partition(|(account, grant)| account.is_new(grant.id.0));
    let (new_holds, old_holds): (Vec<_>, Vec<_>) =
        changed().flat_map(|account| changed_holds(account)).partition(|(account, hold)| account.is_new(hold.id.0));
    let mut accounts = Vec::new();
    let mut rows = Vec::new();
    for account in changed() {
        let head = heads.get_mut(&account.id()).ok_or_else(|| StoreError::Corrupt("head of a history".to_owned()))?;
        for row in &account.changes().transactions {
            rows.push(transaction_columns(account.id(), row, key, head)?);
        }
        accounts.push(account_columns(account, head, key.seal(account.id(), head)));
    }

    write(transaction, INSERT_GRANTS, new_grants.iter().map(|(account, grant)| new_grant(account.id(), grant))).await?;
    let new_holds = new_holds.iter().map(|(account, hold)| new_hold(account.id(), hold));
    write(transaction, INSERT_HOLDS, new_holds.collect::<StoreResult<Vec<_>>>()?).await?;
    write(transaction, UPDATE_HOLDS, old_holds.iter().map(|(account, hold)| hold_columns(account.id(), hold))).await?;
    let grants: Vec<_> = old_grants.iter().map(|(account, grant)| grant_columns(account.id(), grant)).collect();
    let answers = batch.answers.iter();
    let answers: Vec<_> =
        answers.map(|(account, key, answer)| (account, key, &answer.fingerprint, &answer.text, batch.now)).collect();
    write_most(transaction, &accounts, &grants, &rows, &answers).await?;
    let allowances = changed().filter(|account| account.changes().allowance);
    write(transaction, UPSERT_ALLOWANCES, allowances.filter_map(|account| allowance_columns(account))).await?;
    let service_answers = batch
        .service_answers
        .iter()
        .map(|(api_key, key, answer)| (api_key, key, &answer.fingerprint, &answer.text, batch.now));
    write(transaction, INSERT_SERVICE_ANSWERS, service_answers).await?;
    write(transaction, INSERT_AUDIT, batch.audit.iter().map(audit_columns)).await
}

/// Writes what almost every batch has, in as few trips as the database allows.
async fn write_most(
    transaction: &mut DatabaseTransaction,
    accounts: &[impl Serialize],
    grants: &[impl Serialize],
    rows: &[impl Serialize],
    answers: &[impl Serialize],
) -> StoreResult<()> {
    if accounts.is_empty() && answers.is_empty() {
        return Ok(());
    }
    let (accounts, grants) = (to_json(&accounts)?, to_json(&grants)?);
    let (added, has_added) = ((to_json(&rows)?, to_json(&answers)?), !(rows.is_empty() && answers.is_empty()));
    if transaction.takes_several_statements() {
        let values = [(&accounts).into(), (&grants).into(), (&added.0).into(), (&added.1).into()];
        transaction.execute(SAVE_ALL, &values).await?;
        return Ok(());
    }
    transaction.execute(CHANGE, &[(&accounts).into(), (&grants).into()]).await?;
    if has_added {
        transaction.execute(ADD, &[(&added.0).into(), (&added.1).into()]).await?;
    }
    Ok(())
}

/// Runs a statement over all rows at once; without rows there is nothing to run.
async fn write<T: Serialize>(
    transaction: &mut DatabaseTransaction,
    statement: &'static str,
    rows: impl IntoIterator<Item = T>,
) -> StoreResult<()> {
    let rows: Vec<T> = rows.into_iter().collect();
    if !rows.is_empty() {
        transaction.execute(statement, &[(&to_json(&rows)?).into()]).await?;
    }
    Ok(())
}

/// Adds rows of the audit log on their own.
pub(super) async fn save_audit(transaction: &mut DatabaseTransaction, entry: &AuditEntry) -> StoreResult<()> {
    write(transaction, INSERT_AUDIT, [audit_columns(entry)]).await
}

fn changed_grants(account: &Account) -> impl Iterator<Item = (&Account, &Grant)> {
    let changed = account.grants().iter().filter(|grant| account.changes().grants.contains(&grant.id));
    changed.map(move |grant| (account, grant))
}

fn changed_holds(account: &Account) -> impl Iterator<Item = (&Account, &Hold)> {
    let changed = account.holds().iter().filter(|hold| account.changes().holds.contains(&hold.id));
    changed.map(move |hold| (account, hold))
}

// Each function below gives the columns of its statement, in the statement's order.

fn account_columns(account: &Account, head: &Head, seal: String) -> impl Serialize + use<> {
    let (total, held, debt) = (account.total(), account.held(), account.debt());
    let due = account.next_due_at();
    (account.id(), total, held, debt, account.last_seq(), head.rows, head.code.clone(), seal, due)
}

fn new_grant(account: AccountId, grant: &Grant) -> impl Serialize + '_ {
    (
        account,
        grant.id,
        grant.source.as_str(),
        &grant.reference,
        grant.amount,
        grant.remaining,
        grant.held,
        grant.expired,
        grant.clawed_back,
        grant.expires_at,
        grant.created_at,
    )
}

fn grant_columns(account: AccountId, grant: &Grant) -> impl Serialize + use<> {
    (account, grant.id, grant.remaining, grant.held, grant.expired, grant.clawed_back)
}

fn new_hold(account: AccountId, hold: &Hold) -> StoreResult<impl Serialize + '_> {
    let usage = hold.usage.as_ref();
    Ok((
        account,
        hold.id,
        hold.amount,
        usage.map(|usage| &usage.feature),
        usage.map(|usage| usage.units),
        usage.map(|usage| usage.rate_version),
        &hold.description,
        &hold.actor,
        hold.metadata.as_ref().map(Metadata::to_json),
        hold.deadline,
        hold.created_at,
        to_json(&hold.draws)?,
        hold.status.as_str(),
        hold.captured,
        &hold.reason,
        hold.settled_at,
    ))
}

fn hold_columns(account: AccountId, hold: &Hold) -> impl Serialize + '_ {
    (account, hold.id, hold.status.as_str(), hold.captured, &hold.reason, hold.settled_at)
}

/// More columns than serde takes in a tuple.
#[derive(Serialize)]
struct TransactionColumns<'a>(
    AccountId,
    Seq,
    &'static str,
    &'static str,
    i64,
    Credits,
    Credits,
    Option<&'a str>,
    Option<u32>,
    Option<i64>,
    &'a str,
    &'a str,
    Option<String>,
    Option<HoldId>,
    Option<Seq>,
    Timestamp,
    String,
    String,
);

/// The columns of a row of history with its code, by which the head moves on.
fn transaction_columns<'a>(
    account: AccountId,
    row: &'a Transaction,
    key: &ChainKey,
    head: &mut Head,
) -> StoreResult<TransactionColumns<'a>> {
    let usage = row.usage.as_ref();
    let feature = usage.map(|usage| usage.feature.as_str());
    let (units, rate_version) = (usage.map(|usage| usage.units), usage.map(|usage| usage.rate_version));
    let metadata = row.metadata.as_ref().map(Metadata::to_json);
    let draws = to_json(&row.draws.iter().map(|draw| (draw.grant, draw.amount)).collect::<Vec<_>>())?;
    let words = key.words(account, row.seq.0, &row.description, metadata.as_deref());
    let link = Link {
        seq: row.seq.0,
        kind: row.kind.as_str(),
        cause: row.cause.as_str(),
        amount: row.amount,
        balance_after: row.balance_after.get(),
        debt_after: row.debt_after.get(),
        feature,
        units: units.map(i64::from),
        rate_version,
        words: &words,
        actor: &row.actor,
        hold: row.hold.map(|hold| hold.0.0),
        refund_of: row.refund_of.map(|charge| charge.0),
        created_at: row.created_at.millis(),
        draws: &draws,
    };
    head.code = key.link(account, &head.code, &link);
    head.rows += 1;
    Ok(TransactionColumns(
        account,
        row.seq,
        row.kind.as_str(),
        row.cause.as_str(),
        row.amount,
        row.balance_after,
        row.debt_after,
        feature,
        units,
        rate_version,
        &row.description,
        &row.actor,
        metadata,
        row.hold,
        row.refund_of,
        row.created_at,
        draws,
        head.code.clone(),
    ))
}

fn allowance_columns(account: &Account) -> Option<impl Serialize + '_> {
    let allowance = account.allowance()?;
    Some((
        account.id(),
        &allowance.plan,
        &allowance.reference,
        allowance.credits_per_month,
        allowance.anchor,
        allowance.first_month,
        allowance.next_month,
        allowance.end_month,
        allowance.renewal_credits,
        allowance.next_at(),
    ))
}

fn audit_columns(entry: &AuditEntry) -> (Option<AccountId>, Option<Seq>, &str, &str, String, Timestamp) {
    (entry.account, entry.seq, &entry.actor, &entry.action, entry.detail.to_string(), entry.created_at)
}
