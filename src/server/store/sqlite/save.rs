//! Saving a batch: one statement per table, whatever the number of accounts, in the order in which rows
//! refer to each other.

use super::load::to_json;
use crate::domain::account::{Account, Grant, Hold};
use crate::domain::{AccountId, Credits, Seq, Timestamp, Transaction};
use crate::server::store::{AuditEntry, Batch, StoreResult};
use serde::Serialize;
use sqlx::SqliteConnection;

const INSERT_GRANTS: &str = "
    INSERT INTO grants (account_id, id, source, reference, amount, remaining, held, expires_at, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8
    FROM json_each($1)";

const UPDATE_GRANTS: &str = "
    UPDATE grants SET remaining = new.value ->> 2, held = new.value ->> 3
    FROM json_each($1) new WHERE grants.account_id = new.value ->> 0 AND grants.id = new.value ->> 1";

const INSERT_HOLDS: &str = "
    INSERT INTO holds (account_id, id, amount, feature, units, rate_version, description, actor, deadline, created_at,
        draws, status, captured, reason, settled_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14
    FROM json_each($1)";

const UPDATE_HOLDS: &str = "
    UPDATE holds SET status = new.value ->> 2, captured = new.value ->> 3, reason = new.value ->> 4,
        settled_at = new.value ->> 5
    FROM json_each($1) new WHERE holds.account_id = new.value ->> 0 AND holds.id = new.value ->> 1";

const INSERT_TRANSACTIONS: &str = "
    INSERT INTO transactions (account_id, seq, type, cause, amount, balance_after, feature, units, rate_version,
        description, actor, hold_id, refund_of, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
    FROM json_each($1)";

const INSERT_DRAWS: &str = "
    INSERT INTO draws (account_id, seq, position, grant_id, amount)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)";

const UPDATE_ACCOUNTS: &str = "
    UPDATE accounts SET balance = new.value ->> 1, held = new.value ->> 2, last_seq = new.value ->> 3
    FROM json_each($1) new WHERE accounts.id = new.value ->> 0";

/// `WHERE true` keeps SQLite's parser from taking ON for a join's (sqlite.org/lang_upsert.html).
const UPSERT_ALLOWANCES: &str = "
    INSERT INTO allowances (account_id, plan, reference, credits_per_month, anchor, next_month)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($1) WHERE true
    ON CONFLICT (account_id) DO UPDATE SET plan = excluded.plan, reference = excluded.reference,
        credits_per_month = excluded.credits_per_month, anchor = excluded.anchor, next_month = excluded.next_month";

const INSERT_ANSWERS: &str = "
    INSERT INTO idempotency_keys (account_id, key, fingerprint, answer, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)";

const INSERT_AUDIT: &str = "
    INSERT INTO audit (account_id, seq, actor, action, detail, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($1)";

/// Saves all that a batch changed.
pub(super) async fn save(connection: &mut SqliteConnection, batch: &Batch<'_>) -> StoreResult<()> {
    let changed = || batch.accounts.iter().filter(|account| account.is_changed());
    let (new_grants, old_grants): (Vec<_>, Vec<_>) =
        changed().flat_map(|account| changed_grants(account)).partition(|(account, grant)| account.is_new(grant.id.0));
    let (new_holds, old_holds): (Vec<_>, Vec<_>) =
        changed().flat_map(|account| changed_holds(account)).partition(|(account, hold)| account.is_new(hold.id.0));
    let rows: Vec<_> =
        changed().flat_map(|account| account.changes().transactions.iter().map(|row| (account.id(), row))).collect();

    write(connection, UPDATE_ACCOUNTS, changed().map(|account| account_columns(account))).await?;
    write(connection, INSERT_GRANTS, new_grants.iter().map(|(account, grant)| new_grant(account.id(), grant))).await?;
    write(connection, UPDATE_GRANTS, old_grants.iter().map(|(account, grant)| grant_columns(account.id(), grant)))
        .await?;
    let new_holds = new_holds.iter().map(|(account, hold)| new_hold(account.id(), hold));
    write(connection, INSERT_HOLDS, new_holds.collect::<StoreResult<Vec<_>>>()?).await?;
    write(connection, UPDATE_HOLDS, old_holds.iter().map(|(account, hold)| hold_columns(account.id(), hold))).await?;
    write(connection, INSERT_TRANSACTIONS, rows.iter().map(|(account, row)| transaction_columns(*account, row)))
        .await?;
    write(connection, INSERT_DRAWS, rows.iter().flat_map(|(account, row)| draw_columns(*account, row))).await?;
    let allowances = changed().filter(|account| account.changes().allowance);
    write(connection, UPSERT_ALLOWANCES, allowances.filter_map(|account| allowance_columns(account))).await?;
    let answers = batch
        .answers
        .iter()
        .map(|(account, key, answer)| Ok((account, key, &answer.fingerprint, to_json(&answer.outcome)?, batch.now)));
    write(connection, INSERT_ANSWERS, answers.collect::<StoreResult<Vec<_>>>()?).await?;
    write(connection, INSERT_AUDIT, batch.audit.iter().map(audit_columns)).await
}

/// Runs a statement over all rows at once; without rows there is nothing to run.
async fn write<T: Serialize>(
    connection: &mut SqliteConnection,
    statement: &'static str,
    rows: impl IntoIterator<Item = T>,
) -> StoreResult<()> {
    let rows: Vec<T> = rows.into_iter().collect();
    if !rows.is_empty() {
        sqlx::query(statement).bind(to_json(&rows)?).execute(connection).await?;
    }
    Ok(())
}

/// Adds rows of the audit log on their own.
pub(super) async fn save_audit(connection: &mut SqliteConnection, entry: &AuditEntry) -> StoreResult<()> {
    write(connection, INSERT_AUDIT, [audit_columns(entry)]).await
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

fn account_columns(account: &Account) -> (AccountId, Credits, Credits, Seq) {
    (account.id(), account.total(), account.held(), account.last_seq())
}

fn new_grant(account: AccountId, grant: &Grant) -> impl Serialize + '_ {
    let amounts = (grant.amount, grant.remaining, grant.held);
    (
        account,
        grant.id,
        grant.source.as_str(),
        &grant.reference,
        amounts.0,
        amounts.1,
        amounts.2,
        grant.expires_at,
        grant.created_at,
    )
}

fn grant_columns(account: AccountId, grant: &Grant) -> impl Serialize + use<> {
    (account, grant.id, grant.remaining, grant.held)
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

fn transaction_columns(account: AccountId, row: &Transaction) -> impl Serialize + '_ {
    let usage = row.usage.as_ref();
    (
        account,
        row.seq,
        row.kind.as_str(),
        row.cause.as_str(),
        row.amount,
        row.balance_after,
        usage.map(|usage| &usage.feature),
        usage.map(|usage| usage.units),
        usage.map(|usage| usage.rate_version),
        &row.description,
        &row.actor,
        row.hold,
        row.refund_of,
        row.created_at,
    )
}

fn draw_columns(account: AccountId, row: &Transaction) -> impl Iterator<Item = impl Serialize + use<>> + '_ {
    let seq = row.seq;
    row.draws.iter().enumerate().map(move |(position, draw)| (account, seq, position, draw.grant, draw.amount))
}

fn allowance_columns(account: &Account) -> Option<impl Serialize + '_> {
    let allowance = account.allowance()?;
    Some((
        account.id(),
        &allowance.plan,
        &allowance.reference,
        allowance.credits_per_month,
        allowance.anchor,
        allowance.next_month,
    ))
}

fn audit_columns(entry: &AuditEntry) -> (Option<AccountId>, Option<Seq>, &str, &str, String, Timestamp) {
    (entry.account, entry.seq, &entry.actor, &entry.action, entry.detail.to_string(), entry.created_at)
}
