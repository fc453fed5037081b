//! Loading a batch: every statement takes all accounts at once as one JSON parameter, so that their
//! number does not grow with the number of callers.

use super::rows::{self, account_id};
use crate::domain::account::{Account, Allowance, Charge, Grant, Hold};
use crate::domain::{AccountId, Credits, GrantId, IdempotencyKey, Seq, Source};
use crate::server::store::{Loaded, StoreError, StoreResult, StoredAnswer, Wanted};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;

const LOAD_ACCOUNTS: &str = "
    SELECT a.id AS account_id, a.last_seq, l.plan, l.reference, l.credits_per_month, l.anchor, l.next_month
    FROM accounts a LEFT JOIN allowances l ON l.account_id = a.id
    WHERE a.id IN (SELECT value FROM json_each($1))";

const LOAD_OPEN_GRANTS: &str = "
    SELECT account_id, id, source, reference, amount, remaining, held, expires_at, created_at
    FROM grants WHERE account_id IN (SELECT value FROM json_each($1)) AND remaining > 0";

/// Grants that a refund may have to open again. Those with something left are loaded above.
const LOAD_SPENT_GRANTS: &str = "
    SELECT DISTINCT g.account_id, g.id, g.source, g.reference, g.amount, g.remaining, g.held, g.expires_at, g.created_at
    FROM json_each($1) want
    JOIN draws d ON d.account_id = want.value ->> 0 AND d.seq = want.value ->> 1
    JOIN grants g ON g.account_id = d.account_id AND g.id = d.grant_id AND g.remaining = 0";

const LOAD_PENDING_HOLDS: &str = "
    SELECT account_id, id, amount, status, captured, feature, units, rate_version, description, actor, reason,
        deadline, created_at, settled_at, draws
    FROM holds WHERE account_id IN (SELECT value FROM json_each($1)) AND status = 'pending'";

/// Settled holds that are named, so that a late capture is told what became of them.
const LOAD_SETTLED_HOLDS: &str = "
    SELECT DISTINCT h.account_id, h.id, h.amount, h.status, h.captured, h.feature, h.units, h.rate_version,
        h.description, h.actor, h.reason, h.deadline, h.created_at, h.settled_at, h.draws
    FROM json_each($1) want
    JOIN holds h ON h.account_id = want.value ->> 0 AND h.id = want.value ->> 1 AND h.status <> 'pending'";

const LOAD_CHARGES: &str = "
    SELECT DISTINCT t.account_id, t.seq, t.feature, t.units, t.rate_version,
        (SELECT coalesce(sum(r.amount), 0) FROM transactions r
            WHERE r.account_id = t.account_id AND r.refund_of = t.seq) AS refunded
    FROM json_each($1) want
    JOIN transactions t ON t.account_id = want.value ->> 0 AND t.seq = want.value ->> 1
    WHERE t.cause IN ('charge', 'capture')";

/// Only what was taken: whoever names a grant's or a refund's own row is told that it is no charge.
const LOAD_CHARGE_DRAWS: &str = "
    SELECT DISTINCT d.account_id, d.seq, d.position, d.grant_id, -d.amount AS taken
    FROM json_each($1) want
    JOIN draws d ON d.account_id = want.value ->> 0 AND d.seq = want.value ->> 1 AND d.amount < 0
    ORDER BY d.account_id, d.seq, d.position";

const LOAD_ANSWERS: &str = "
    SELECT k.account_id, k.key, k.fingerprint, k.answer
    FROM json_each($1) want
    JOIN idempotency_keys k ON k.account_id = want.value ->> 0 AND k.key = want.value ->> 1";

const LOAD_REFERENCES: &str = "
    SELECT g.account_id, g.id, g.source, g.reference
    FROM json_each($1) want
    JOIN grants g ON g.source = want.value ->> 0 AND g.reference = want.value ->> 1";

/// Loads what a batch wants; what is not there is left out.
pub(super) async fn load(connection: &mut SqliteConnection, wanted: &Wanted) -> StoreResult<Loaded> {
    let mut parts = Parts::default();
    let accounts = query_all(connection, LOAD_ACCOUNTS, &wanted.accounts).await?;
    parts.take_grants(&query_all(connection, LOAD_OPEN_GRANTS, &wanted.accounts).await?)?;
    parts.take_holds(&query_all(connection, LOAD_PENDING_HOLDS, &wanted.accounts).await?)?;
    parts.take_holds(&query_all(connection, LOAD_SETTLED_HOLDS, &wanted.holds).await?)?;
    if !wanted.charges.is_empty() {
        parts.take_grants(&query_all(connection, LOAD_SPENT_GRANTS, &wanted.charges).await?)?;
        let draws = query_all(connection, LOAD_CHARGE_DRAWS, &wanted.charges).await?;
        let charges = query_all(connection, LOAD_CHARGES, &wanted.charges).await?;
        parts.take_charges(&charges, &draws)?;
    }
    let accounts = accounts.iter().map(|row| parts.assemble(row)).collect::<StoreResult<_>>()?;
    let answers = query_all(connection, LOAD_ANSWERS, &wanted.keys).await?;
    let references = query_all(connection, LOAD_REFERENCES, &wanted.references).await?;
    Ok(Loaded {
        accounts,
        answers: answers.iter().map(answer).collect::<StoreResult<_>>()?,
        references: references.iter().map(reference).collect::<StoreResult<_>>()?,
    })
}

/// Runs a statement whose one parameter is a list; an empty list asks nothing.
async fn query_all<T: Serialize>(
    connection: &mut SqliteConnection,
    statement: &'static str,
    list: &[T],
) -> StoreResult<Vec<SqliteRow>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query(statement).bind(to_json(&list)?).fetch_all(connection).await?)
}

/// The JSON form in which a list travels as one parameter.
pub(super) fn to_json<T: Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What belongs to accounts, by account, until they are put together.
#[derive(Default)]
struct Parts {
    grants: HashMap<AccountId, Vec<Grant>>,
    holds: HashMap<AccountId, Vec<Hold>>,
    charges: HashMap<AccountId, Vec<Charge>>,
}

impl Parts {
    fn take_grants(&mut self, rows: &[SqliteRow]) -> StoreResult<()> {
        for row in rows {
            self.grants.entry(account_id(row)?).or_default().push(rows::grant(row)?);
        }
        Ok(())
    }

    fn take_holds(&mut self, rows: &[SqliteRow]) -> StoreResult<()> {
        for row in rows {
            self.holds.entry(account_id(row)?).or_default().push(rows::hold(row)?);
        }
        Ok(())
    }

    fn take_charges(&mut self, rows: &[SqliteRow], draw_rows: &[SqliteRow]) -> StoreResult<()> {
        let mut draws: HashMap<(AccountId, Seq), Vec<(GrantId, Credits)>> = HashMap::new();
        for row in draw_rows {
            let draw = (GrantId(Seq(row.try_get("grant_id")?)), rows::credits(row.try_get("taken")?)?);
            draws.entry((account_id(row)?, Seq(row.try_get("seq")?))).or_default().push(draw);
        }
        for row in rows {
            let (account, seq) = (account_id(row)?, Seq(row.try_get("seq")?));
            let charge = Charge {
                seq,
                usage: rows::usage(row)?,
                draws: draws.remove(&(account, seq)).unwrap_or_default(),
                refunded: rows::credits(row.try_get("refunded")?)?,
            };
            self.charges.entry(account).or_default().push(charge);
        }
        Ok(())
    }

    fn assemble(&mut self, row: &SqliteRow) -> StoreResult<(AccountId, Account)> {
        let id = account_id(row)?;
        let account = Account::load(
            id,
            Seq(row.try_get("last_seq")?),
            self.grants.remove(&id).unwrap_or_default(),
            self.holds.remove(&id).unwrap_or_default(),
            self.charges.remove(&id).unwrap_or_default(),
            allowance(row)?,
        );
        Ok((id, account))
    }
}

fn allowance(row: &SqliteRow) -> StoreResult<Option<Allowance>> {
    let Some(plan) = row.try_get::<Option<&str>, _>("plan")? else { return Ok(None) };
    Ok(Some(Allowance {
        plan: rows::plan_id(plan)?,
        reference: row.try_get("reference")?,
        credits_per_month: rows::credits(row.try_get("credits_per_month")?)?,
        anchor: rows::moment(row, "anchor")?,
        next_month: row.try_get("next_month")?,
    }))
}

fn answer(row: &SqliteRow) -> StoreResult<((AccountId, IdempotencyKey), StoredAnswer)> {
    let key = rows::expected(IdempotencyKey::parse(row.try_get("key")?), "key")?;
    let outcome = rows::expected(serde_json::from_str(row.try_get("answer")?).ok(), "answer")?;
    Ok(((account_id(row)?, key), StoredAnswer { fingerprint: row.try_get("fingerprint")?, outcome }))
}

fn reference(row: &SqliteRow) -> StoreResult<((Source, String), (AccountId, GrantId))> {
    let source = rows::expected(Source::parse(row.try_get("source")?), "source")?;
    Ok(((source, row.try_get("reference")?), (account_id(row)?, GrantId(Seq(row.try_get("id")?)))))
}
