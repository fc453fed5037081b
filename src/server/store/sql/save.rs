//! Saving a batch: its rows as lists, whatever the number of accounts, most of them in one trip.

use super::load::{Mark, Marks, to_json};
use crate::domain::account::{Account, Grant, Hold};
use crate::domain::{AccountId, Credits, HoldId, IdempotencyKey, Metadata, Seq, Timestamp, Transaction};
use crate::server::store::chain::{ChainKey, Head, Link};
use crate::server::store::database::{Sql, Transaction as DatabaseTransaction, Value};
use crate::server::store::{AuditEntry, Batch, StoreError, StoreResult, StoredAnswer};
use serde::Serialize;

const INSERT_GRANTS: &str = "
    INSERT INTO grants (account_id, id, source, reference, amount, remaining, held, expired, clawed_back,
        expires_at, created_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3,
        CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT),
        CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT),
        CAST(value ->> 10 AS BIGINT)
    FROM json_each($1)";

/// `$condition` is what has to be true besides: nothing, or that nobody else has changed an account.
macro_rules! update_grants {
    ($parameter:literal, $condition:literal) => {
        concat!(
            "
    UPDATE grants SET remaining = CAST(change.value ->> 2 AS BIGINT), held = CAST(change.value ->> 3 AS BIGINT),
        expired = CAST(change.value ->> 4 AS BIGINT), clawed_back = CAST(change.value ->> 5 AS BIGINT)
    FROM json_each(",
            $parameter,
            ") change WHERE grants.account_id = CAST(change.value ->> 0 AS BIGINT)
        AND grants.id = CAST(change.value ->> 1 AS BIGINT)",
            $condition
        )
    };
}

macro_rules! insert_holds {
    ($parameter:literal, $condition:literal) => {
        concat!(
            "
    INSERT INTO holds (account_id, id, amount, feature, units, rate_version, description, actor, metadata, deadline,
        created_at, draws, status, captured, reason, settled_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), value ->> 3,
        CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), value ->> 6, value ->> 7, value ->> 8,
        CAST(value ->> 9 AS BIGINT), CAST(value ->> 10 AS BIGINT), value ->> 11, value ->> 12,
        CAST(value ->> 13 AS BIGINT), value ->> 14, CAST(value ->> 15 AS BIGINT)
    FROM json_each(",
            $parameter,
            ") WHERE true",
            $condition
        )
    };
}

macro_rules! update_holds {
    ($parameter:literal, $condition:literal) => {
        concat!(
            "
    UPDATE holds SET status = change.value ->> 2, captured = CAST(change.value ->> 3 AS BIGINT),
        reason = change.value ->> 4, settled_at = CAST(change.value ->> 5 AS BIGINT)
    FROM json_each(",
            $parameter,
            ") change WHERE holds.account_id = CAST(change.value ->> 0 AS BIGINT)
        AND holds.id = CAST(change.value ->> 1 AS BIGINT)",
            $condition
        )
    };
}

macro_rules! insert_transactions {
    ($parameter:literal, $condition:literal) => {
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
            ") WHERE true",
            $condition
        )
    };
}

macro_rules! update_accounts {
    ($parameter:literal, $condition:literal) => {
        concat!(
            "
    UPDATE accounts SET balance = CAST(change.value ->> 1 AS BIGINT), held = CAST(change.value ->> 2 AS BIGINT),
        debt = CAST(change.value ->> 3 AS BIGINT), last_seq = CAST(change.value ->> 4 AS BIGINT),
        chain_rows = CAST(change.value ->> 5 AS BIGINT), chain_code = change.value ->> 6,
        chain_seal = change.value ->> 7, next_due = CAST(change.value ->> 8 AS BIGINT)
    FROM json_each(",
            $parameter,
            ") change WHERE accounts.id = CAST(change.value ->> 0 AS BIGINT)",
            $condition
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
    ($parameter:literal, $condition:literal) => {
        concat!(
            "
    INSERT INTO idempotency_keys (account_id, key, fingerprint, answer, created_at)
    SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, value ->> 3,
        CAST(value ->> 4 AS BIGINT) FROM json_each(",
            $parameter,
            ") WHERE true",
            $condition
        )
    };
}

/// PostgreSQL only: locks the accounts that are as they were loaded, in the order of ids, as everybody locks accounts.
macro_rules! lock_unchanged {
    () => {
        "
        SELECT accounts.id FROM json_each($1) change
        JOIN accounts ON accounts.id = CAST(change.value ->> 0 AS BIGINT)
            AND CAST(CAST(accounts.xmin AS TEXT) AS BIGINT) = CAST(change.value ->> 9 AS BIGINT)
        ORDER BY accounts.id FOR NO KEY UPDATE OF accounts"
    };
}

const LOCK_UNCHANGED: &str = lock_unchanged!();

/// What most batches write, in one trip. SQLite takes several statements at once. PostgreSQL takes several changes in
/// one statement, all of them as of the same moment, and does none of them where an account is not as it was loaded.
const SAVE: Sql = Sql {
    sqlite: concat!(
        update_accounts!("$1", ""),
        ";",
        update_grants!("$2", ""),
        ";",
        insert_holds!("$3", ""),
        ";",
        update_holds!("$4", ""),
        ";",
        insert_transactions!("$5", ""),
        ";",
        insert_answers!("$6", ""),
        "; SELECT $7 AS found"
    ),
    postgres: concat!(
        "
    WITH unchanged AS MATERIALIZED (",
        lock_unchanged!(),
        "),
    all_are AS MATERIALIZED (SELECT count(*) = $7 AS so FROM unchanged),
    changed_accounts AS (",
        update_accounts!("$1", " AND (SELECT so FROM all_are)"),
        "), changed_grants AS (",
        update_grants!("$2", " AND (SELECT so FROM all_are)"),
        "), added_holds AS (",
        insert_holds!("$3", " AND (SELECT so FROM all_are)"),
        "), changed_holds AS (",
        update_holds!("$4", " AND (SELECT so FROM all_are)"),
        "), added_transactions AS (",
        insert_transactions!("$5", " AND (SELECT so FROM all_are)"),
        "), added_answers AS (",
        insert_answers!("$6", " AND (SELECT so FROM all_are)"),
        ") SELECT count(*) AS found FROM unchanged"
    ),
};

const INSERT_SERVICE_ANSWERS: &str = "
    INSERT INTO service_requests (caller, key, fingerprint, answer, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT) FROM json_each($1)";

const INSERT_AUDIT: &str = "
    INSERT INTO audit (account_id, seq, actor, action, detail, created_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, value ->> 4,
        CAST(value ->> 5 AS BIGINT) FROM json_each($1)";

/// The rows of a batch, each list as the JSON text in which it travels; `None` where there is nothing.
pub(super) struct Rows {
    account_count: usize,
    accounts: String,
    changed_grants: String,
    new_holds: String,
    settled_holds: String,
    transactions: String,
    answers: String,
    new_grants: Option<String>,
    allowances: Option<String>,
    service_answers: Option<String>,
    audit: Option<String>,
}

impl Rows {
    /// Puts down what a batch changed, and moves the heads of its accounts on.
    ///
    /// # Errors
    /// Where an account was not loaded before.
    pub fn of(batch: &Batch<'_>, key: &ChainKey, marks: &mut Marks) -> StoreResult<Self> {
        let mut changed: Vec<_> = batch.accounts.iter().filter(|account| account.is_changed()).collect();
        changed.sort_unstable_by_key(|account| account.id());
        let changed = || changed.iter().copied();
        let (new_grants, old_grants): (Vec<_>, Vec<_>) = changed()
            .flat_map(|account| changed_grants(account))
            .partition(|(account, grant)| account.is_new(grant.id.0));
        let (new_holds, old_holds): (Vec<_>, Vec<_>) =
            changed().flat_map(|account| changed_holds(account)).partition(|(account, hold)| account.is_new(hold.id.0));
        let (mut accounts, mut transactions) = (Vec::new(), Vec::new());
        for account in changed() {
            let mark =
                marks.get_mut(&account.id()).ok_or_else(|| StoreError::Corrupt("head of a history".to_owned()))?;
            for row in &account.changes().transactions {
                transactions.push(transaction_columns(account.id(), row, key, &mut mark.head)?);
            }
            accounts.push(account_columns(account, mark, key));
        }
        let new_holds = new_holds.iter().map(|(account, hold)| new_hold(account.id(), hold));
        Ok(Self {
            account_count: accounts.len(),
            accounts: to_json(&accounts)?,
            changed_grants: list(old_grants.iter().map(|(account, grant)| grant_columns(account.id(), grant)))?,
            new_holds: to_json(&new_holds.collect::<StoreResult<Vec<_>>>()?)?,
            settled_holds: list(old_holds.iter().map(|(account, hold)| hold_columns(account.id(), hold)))?,
            transactions: to_json(&transactions)?,
            answers: list(
                batch.answers.iter().map(|(account, key, answer)| answer_columns(account, key, answer, batch)),
            )?,
            new_grants: some(new_grants.iter().map(|(account, grant)| new_grant(account.id(), grant)))?,
            allowances: some(
                changed()
                    .filter(|account| account.changes().allowance)
                    .filter_map(|account| allowance_columns(account)),
            )?,
            service_answers: some(
                batch.service_answers.iter().map(|(caller, key, answer)| answer_columns(caller, key, answer, batch)),
            )?,
            audit: some(batch.audit.iter().map(audit_columns))?,
        })
    }

    /// Whether there is more than [`SAVE`] takes, so that only a transaction keeps it together.
    pub fn need_several_statements(&self) -> bool {
        [&self.new_grants, &self.allowances, &self.service_answers, &self.audit].into_iter().any(Option::is_some)
    }

    /// Begins to save what was loaded without a transaction: from here on nobody else changes these accounts.
    ///
    /// # Errors
    /// Where an account is not as it was loaded.
    pub async fn lock_unchanged(&self, transaction: &mut DatabaseTransaction) -> StoreResult<()> {
        let locked = transaction.fetch_all(LOCK_UNCHANGED, &[(&self.accounts).into()]).await?;
        if locked.len() == self.account_count { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Saves them, in the order in which rows refer to each other.
    ///
    /// # Errors
    /// Where the database refuses it, or an account is not as it was loaded.
    pub async fn save(&self, transaction: &mut DatabaseTransaction) -> StoreResult<()> {
        write(transaction, INSERT_GRANTS, self.new_grants.as_deref()).await?;
        self.save_most(transaction).await?;
        write(transaction, UPSERT_ALLOWANCES, self.allowances.as_deref()).await?;
        write(transaction, INSERT_SERVICE_ANSWERS, self.service_answers.as_deref()).await?;
        write(transaction, INSERT_AUDIT, self.audit.as_deref()).await
    }

    async fn save_most(&self, transaction: &mut DatabaseTransaction) -> StoreResult<()> {
        // The count is one of a batch, which is bounded.
        let count = i64::try_from(self.account_count).unwrap_or_default();
        let lists = [
            &self.accounts,
            &self.changed_grants,
            &self.new_holds,
            &self.settled_holds,
            &self.transactions,
            &self.answers,
        ];
        let values: Vec<Value<'_>> = lists.into_iter().map(Value::from).chain([Value::from(count)]).collect();
        // All of its answer is read: on its own, the statement is on the disk only at its end.
        let found = transaction.fetch_all(SAVE, &values).await?;
        let found = found.first().map(|row| row.integer("found")).transpose()?;
        if found == Some(count) { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

fn list<T: Serialize>(rows: impl Iterator<Item = T>) -> StoreResult<String> {
    to_json(&rows.collect::<Vec<_>>())
}

fn some<T: Serialize>(rows: impl Iterator<Item = T>) -> StoreResult<Option<String>> {
    let mut rows = rows.peekable();
    rows.peek().is_some().then(|| list(rows)).transpose()
}

/// Runs a statement over a list of rows at once; without rows there is nothing to run.
async fn write(transaction: &mut DatabaseTransaction, statement: &'static str, rows: Option<&str>) -> StoreResult<()> {
    if let Some(rows) = rows {
        transaction.execute(statement, &[rows.into()]).await?;
    }
    Ok(())
}

/// Adds rows of the audit log on their own.
pub(super) async fn save_audit(transaction: &mut DatabaseTransaction, entry: &AuditEntry) -> StoreResult<()> {
    write(transaction, INSERT_AUDIT, Some(&to_json(&[audit_columns(entry)])?)).await
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

fn account_columns(account: &Account, mark: &Mark, key: &ChainKey) -> impl Serialize + use<> {
    let (total, held, debt) = (account.total(), account.held(), account.debt());
    let (head, seal, due) = (&mark.head, key.seal(account.id(), &mark.head), account.next_due_at());
    (account.id(), total, held, debt, account.last_seq(), head.rows, head.code.clone(), seal, due, mark.version)
}

fn answer_columns<'a, Owner: Serialize>(
    owner: Owner,
    key: &'a IdempotencyKey,
    answer: &'a StoredAnswer,
    batch: &Batch<'_>,
) -> (Owner, &'a IdempotencyKey, &'a str, &'a str, Timestamp) {
    (owner, key, &answer.fingerprint, &answer.text, batch.now)
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
