//! Loading a batch: every statement takes all accounts at once as one JSON parameter, so that their
//! number does not grow with the number of callers.

use super::rows::{self, account_id};
use crate::domain::account::{Account, Allowance, Charge, Grant, Hold, HoldStatus, PastReset, Snapshot};
use crate::domain::{AccountId, Credits, GrantId, HoldId, IdempotencyKey, Metadata, Seq, Source, Timestamp};
use crate::server::store::chain::Head;
use crate::server::store::database::{Database, Row, Sql, Transaction};
use crate::server::store::{Loaded, StoreError, StoreResult, StoredAnswer, Wanted};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};

/// Accounts with their open grants and pending holds as lists: one row for each account and one trip for the batch. How
/// a list is made is all that the databases disagree on.
macro_rules! load_accounts {
    ($version:literal, $collect:literal, $list:literal, $which:literal) => {
        concat!(
            "
    SELECT a.id AS account_id, ",
            $version,
            " AS version, a.last_seq, a.debt, a.chain_rows, a.chain_code, a.chain_seal, l.plan,
        l.reference, l.credits_per_month, l.anchor, l.first_month, l.next_month, l.end_month, l.renewal_credits,
        (SELECT CAST(",
            $collect,
            "(",
            $list,
            "(g.id, g.source, g.reference, g.amount, g.remaining, g.held, g.expired, g.clawed_back, g.expires_at,
                g.created_at)) AS TEXT)
            FROM grants g WHERE g.account_id = a.id AND g.remaining > 0) AS grants,
        (SELECT CAST(",
            $collect,
            "(",
            $list,
            "(h.id, h.amount, h.captured, h.feature, h.units, h.rate_version, h.description, h.actor, h.metadata,
                h.deadline, h.created_at, h.draws)) AS TEXT)
            FROM holds h WHERE h.account_id = a.id AND h.status = 'pending') AS holds
    FROM accounts a LEFT JOIN allowances l ON l.account_id = a.id
    WHERE a.id ",
            $which
        )
    };
}

/// PostgreSQL gives every row the number of the transaction that wrote it (its documentation of system columns): another
/// number, another writer. On SQLite nobody else writes meanwhile.
macro_rules! accounts_of {
    ($which:literal) => {
        Sql {
            sqlite: load_accounts!("0", "json_group_array", "json_array", $which),
            postgres: load_accounts!("CAST(CAST(a.xmin AS TEXT) AS BIGINT)", "json_agg", "json_build_array", $which),
        }
    };
}

const LOAD_ACCOUNTS: Sql = accounts_of!("IN (SELECT CAST(value AS BIGINT) FROM json_each($1))");
/// Without a list to open, for one.
const READ_ACCOUNT: Sql = accounts_of!("= $1");

// CROSS JOIN below: SQLite then takes the tables in the order in which they stand (sqlite.org/lang_select.html) and looks up
// what is wanted. Left to itself it may walk through a whole table, where it has heard that the table is small.

/// Grants that a row of history has opened or moved, though nothing may be left of them: a refund may have to open them
/// again, a clawback has to know them. Those with something left are loaded above; here they are asked for all the same,
/// since another program may have filled one meanwhile.
const LOAD_SPENT_GRANTS: &str = "
    SELECT DISTINCT g.account_id, g.id, g.source, g.reference, g.amount, g.remaining, g.held,
        g.expired, g.clawed_back, g.expires_at, g.created_at
    FROM json_each($1) want CROSS JOIN transactions t CROSS JOIN json_each(t.draws) part CROSS JOIN grants g
    WHERE t.account_id = CAST(want.value ->> 0 AS BIGINT) AND t.seq = CAST(want.value ->> 1 AS BIGINT)
        AND g.account_id = t.account_id AND g.id = CAST(part.value ->> 0 AS BIGINT)";

/// Settled holds that are named, so that a late capture is told what became of them.
const LOAD_SETTLED_HOLDS: &str = "
    SELECT DISTINCT h.account_id, h.id, h.amount, h.status, h.captured, h.feature, h.units, h.rate_version,
        h.description, h.actor, h.metadata, h.reason, h.deadline, h.created_at, h.settled_at, h.draws
    FROM json_each($1) want CROSS JOIN holds h
    WHERE h.account_id = CAST(want.value ->> 0 AS BIGINT) AND h.id = CAST(want.value ->> 1 AS BIGINT)
        AND h.status <> 'pending'";

const LOAD_CHARGES: &str = "
    SELECT DISTINCT t.account_id, t.seq, t.feature, t.units, t.rate_version, t.draws,
        (SELECT CAST(coalesce(sum(r.amount), 0) AS BIGINT) FROM transactions r
            WHERE r.account_id = t.account_id AND r.refund_of = t.seq) AS refunded
    FROM json_each($1) want CROSS JOIN transactions t
    WHERE t.account_id = CAST(want.value ->> 0 AS BIGINT) AND t.seq = CAST(want.value ->> 1 AS BIGINT)
        AND t.cause IN ('charge', 'capture')";

/// Grants that were opened by a reset. What it ended stands in the row right before.
const LOAD_RESETS: &str = "
    SELECT DISTINCT t.account_id, t.seq, e.draws
    FROM json_each($1) want CROSS JOIN transactions t
    LEFT JOIN transactions e ON e.account_id = t.account_id AND e.seq = t.seq - 1 AND e.cause = 'reset'
        AND e.type = 'expiry'
    WHERE t.account_id = CAST(want.value ->> 0 AS BIGINT) AND t.seq = CAST(want.value ->> 1 AS BIGINT)
        AND t.cause = 'reset' AND t.type = 'credit'";

const LOAD_ANSWERS: &str = "
    SELECT k.account_id, k.key, k.fingerprint, k.answer
    FROM json_each($1) want CROSS JOIN idempotency_keys k
    WHERE k.account_id = CAST(want.value ->> 0 AS BIGINT) AND k.key = want.value ->> 1";

const LOAD_REFERENCES: &str = "
    SELECT g.account_id, g.id, g.source, g.reference
    FROM json_each($1) want CROSS JOIN grants g
    WHERE g.source = want.value ->> 0 AND g.reference = want.value ->> 1";

/// What is remembered of a loaded account for its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// By which it is seen whether another program has changed the account.
    pub version: i64,
    /// The head of its history.
    pub head: Head,
    /// Shows that the head is true.
    pub seal: String,
}

/// By account.
pub(super) type Marks = HashMap<AccountId, Mark>;

/// Loads what a batch wants; what is not there is left out. Of `known` accounts nothing is loaded.
pub(super) async fn load(
    transaction: &mut Transaction,
    wanted: &Wanted,
    known: &HashSet<AccountId>,
) -> StoreResult<(Loaded, Marks)> {
    let mut parts = Parts::default();
    let accounts: Vec<_> = wanted.accounts.iter().copied().filter(|account| !known.contains(account)).collect();
    let holds: Vec<_> = wanted.holds.iter().filter(|(account, _)| !known.contains(account)).collect();
    let accounts = query_all(transaction, LOAD_ACCOUNTS, &accounts).await?;
    parts.take_holds(&query_all(transaction, LOAD_SETTLED_HOLDS, &holds).await?)?;
    parts.take_grants(&query_all(transaction, LOAD_SPENT_GRANTS, &rows_that_move_grants(wanted)).await?)?;
    parts.take_charges(&query_all(transaction, LOAD_CHARGES, &wanted.charges).await?)?;
    parts.take_resets(&query_all(transaction, LOAD_RESETS, &wanted.resets).await?)?;
    let marks = accounts.iter().map(mark).collect::<StoreResult<_>>()?;
    let accounts = accounts.iter().map(|row| parts.assemble(row)).collect::<StoreResult<_>>()?;
    let answers = query_all(transaction, LOAD_ANSWERS, &wanted.keys).await?;
    let references = query_all(transaction, LOAD_REFERENCES, &wanted.references).await?;
    let loaded = Loaded {
        accounts,
        altered: HashSet::new(),
        answers: answers.iter().map(answer).collect::<StoreResult<_>>()?,
        references: references.iter().map(reference).collect::<StoreResult<_>>()?,
    };
    Ok((loaded, marks))
}

/// One account as the last commit left it. A single statement sees one moment by itself.
pub(super) async fn read(database: &Database, account: AccountId) -> StoreResult<Option<Account>> {
    let row = database.fetch_optional(READ_ACCOUNT, &[account.into()]).await?;
    row.map(|row| Ok(Parts::default().assemble(&row)?.1)).transpose()
}

/// The rows of history whose grants are wanted. A grant was opened by the row of its own number; what a
/// reset ended stands in the row before.
fn rows_that_move_grants(wanted: &Wanted) -> Vec<(AccountId, Seq)> {
    let opened = wanted.grants.iter().chain(&wanted.resets).map(|(account, grant)| (*account, grant.0));
    let ended = wanted.resets.iter().map(|(account, grant)| (*account, Seq(grant.0.0 - 1)));
    wanted.charges.iter().copied().chain(opened).chain(ended).collect()
}

/// Runs a statement whose one parameter is a list; an empty list asks nothing.
async fn query_all<T: Serialize>(
    transaction: &mut Transaction,
    statement: impl Into<Sql>,
    list: &[T],
) -> StoreResult<Vec<Row>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    transaction.fetch_all(statement, &[(&to_json(&list)?).into()]).await
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
    resets: HashMap<AccountId, Vec<PastReset>>,
}

/// A grant in a list of [`LOAD_ACCOUNTS`], its columns in order.
type ListedGrant = (i64, String, Option<String>, i64, i64, i64, i64, i64, Option<i64>, i64);

/// A pending hold there.
#[rustfmt::skip]
type ListedHold = (
    i64, i64, i64, Option<String>, Option<u32>, Option<i64>, String, String, Option<String>, i64, i64, String,
);

/// Opens a list of rows that came as one text; PostgreSQL says nothing where there are none.
fn list<T: DeserializeOwned>(row: &Row, column: &str) -> StoreResult<Vec<T>> {
    let Some(text) = row.optional_text(column)? else { return Ok(Vec::new()) };
    rows::expected(serde_json::from_str(text).ok(), column)
}

fn open_grants(row: &Row) -> StoreResult<Vec<Grant>> {
    let grant = |listed: ListedGrant| {
        let (id, source, reference, amount, remaining, held, expired, clawed_back, expires_at, created_at) = listed;
        Ok(Grant {
            id: GrantId(Seq(id)),
            source: rows::expected(Source::parse(&source), "source")?,
            reference,
            amount: rows::credits(amount)?,
            remaining: rows::credits(remaining)?,
            held: rows::credits(held)?,
            expired: rows::credits(expired)?,
            clawed_back: rows::credits(clawed_back)?,
            expires_at: expires_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(created_at),
        })
    };
    list(row, "grants")?.into_iter().map(grant).collect()
}

fn pending_holds(row: &Row) -> StoreResult<Vec<Hold>> {
    let hold = |listed: ListedHold| {
        let (id, amount, captured, feature, units, rate_version, description, actor, metadata, deadline, made, draws) =
            listed;
        Ok(Hold {
            id: HoldId(Seq(id)),
            amount: rows::credits(amount)?,
            status: HoldStatus::Pending,
            captured: rows::credits(captured)?,
            usage: rows::usage_of(feature.as_deref(), units.map(i64::from), rate_version)?,
            description,
            actor,
            metadata: metadata.map(|json| rows::expected(Metadata::parse(&json), "metadata")).transpose()?,
            reason: None,
            deadline: Timestamp::from_millis(deadline),
            created_at: Timestamp::from_millis(made),
            settled_at: None,
            draws: rows::expected(serde_json::from_str(&draws).ok(), "draws of a hold")?,
        })
    };
    list(row, "holds")?.into_iter().map(hold).collect()
}

/// What a row of history took from which grant.
fn taken(row: &Row) -> StoreResult<Vec<(GrantId, Credits)>> {
    let draws = if row.optional_text("draws")?.is_some() { rows::draws(row)? } else { Vec::new() };
    draws.into_iter().map(|(grant, amount)| Ok((grant, rows::credits(-amount)?))).collect()
}

fn mark(row: &Row) -> StoreResult<(AccountId, Mark)> {
    let head = Head { rows: row.integer("chain_rows")?, code: row.text("chain_code")?.to_owned() };
    let mark = Mark { version: row.integer("version")?, head, seal: row.text("chain_seal")?.to_owned() };
    Ok((account_id(row)?, mark))
}

impl Parts {
    fn take_grants(&mut self, rows: &[Row]) -> StoreResult<()> {
        for row in rows {
            self.grants.entry(account_id(row)?).or_default().push(rows::grant(row)?);
        }
        Ok(())
    }

    fn take_holds(&mut self, rows: &[Row]) -> StoreResult<()> {
        for row in rows {
            self.holds.entry(account_id(row)?).or_default().push(rows::hold(row)?);
        }
        Ok(())
    }

    fn take_charges(&mut self, rows: &[Row]) -> StoreResult<()> {
        for row in rows {
            let charge = Charge {
                seq: Seq(row.integer("seq")?),
                usage: rows::usage(row)?,
                draws: taken(row)?,
                refunded: rows::credits(row.integer("refunded")?)?,
            };
            self.charges.entry(account_id(row)?).or_default().push(charge);
        }
        Ok(())
    }

    fn take_resets(&mut self, rows: &[Row]) -> StoreResult<()> {
        for row in rows {
            let reset = PastReset { grant: GrantId(Seq(row.integer("seq")?)), ended: taken(row)? };
            self.resets.entry(account_id(row)?).or_default().push(reset);
        }
        Ok(())
    }

    fn assemble(&mut self, row: &Row) -> StoreResult<(AccountId, Account)> {
        let id = account_id(row)?;
        let snapshot = Snapshot {
            last_seq: Seq(row.integer("last_seq")?),
            debt: rows::credits(row.integer("debt")?)?,
            grants: with_others(open_grants(row)?, self.grants.remove(&id).unwrap_or_default()),
            holds: [pending_holds(row)?, self.holds.remove(&id).unwrap_or_default()].concat(),
            charges: self.charges.remove(&id).unwrap_or_default(),
            resets: self.resets.remove(&id).unwrap_or_default(),
            allowance: allowance(row)?,
        };
        Ok((id, Account::load(id, snapshot)))
    }
}

/// The open grants, and of the others those that are not among them.
fn with_others(mut open: Vec<Grant>, others: Vec<Grant>) -> Vec<Grant> {
    let known: HashSet<GrantId> = open.iter().map(|grant| grant.id).collect();
    open.extend(others.into_iter().filter(|grant| !known.contains(&grant.id)));
    open
}

fn allowance(row: &Row) -> StoreResult<Option<Allowance>> {
    let Some(plan) = row.optional_text("plan")? else { return Ok(None) };
    Ok(Some(Allowance {
        plan: rows::plan_id(plan)?,
        reference: row.text("reference")?.to_owned(),
        credits_per_month: rows::credits(row.integer("credits_per_month")?)?,
        anchor: rows::moment(row, "anchor")?,
        first_month: month(row.integer("first_month")?)?,
        next_month: month(row.integer("next_month")?)?,
        end_month: row.optional_integer("end_month")?.map(month).transpose()?,
        renewal_credits: rows::credits(row.integer("renewal_credits")?)?,
    }))
}

fn month(number: i64) -> StoreResult<u32> {
    rows::expected(u32::try_from(number).ok(), "month")
}

fn answer(row: &Row) -> StoreResult<((AccountId, IdempotencyKey), StoredAnswer)> {
    let key = rows::expected(IdempotencyKey::parse(row.text("key")?), "key")?;
    Ok(((account_id(row)?, key), rows::answer(row)?))
}

fn reference(row: &Row) -> StoreResult<((Source, String), (AccountId, GrantId))> {
    let source = rows::expected(Source::parse(row.text("source")?), "source")?;
    Ok(((source, row.text("reference")?.to_owned()), (account_id(row)?, GrantId(Seq(row.integer("id")?)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::{DatabaseUrl, SqlStore};
    use sqlx::{AssertSqlSafe, Connection, Row as _, SqliteConnection};

    /// What SQLite would note of tables with seven rows each.
    const NUMBERS_OF_A_YOUNG_FILE: &str = "
        ANALYZE;
        DELETE FROM sqlite_stat1;
        INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('accounts', NULL, '7'), ('holds', 'holds', '7 1 1'),
            ('transactions', 'transactions', '7 1 1'), ('grants', 'grants', '7 1 1'),
            ('grants', 'grants_reference', '7 7 1'), ('idempotency_keys', 'idempotency_keys', '7 1 1')";

    async fn plan(file: &mut SqliteConnection, statement: &str) -> Vec<String> {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let steps = sqlx::query(AssertSqlSafe(explain)).bind("[]").fetch_all(file).await.unwrap();
        steps.iter().map(|step| step.get("detail")).collect()
    }

    #[tokio::test]
    async fn rows_are_looked_up_and_no_table_is_walked_through_whatever_sqlite_has_heard_of_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        SqlStore::open(&DatabaseUrl::Sqlite(path.clone())).await.unwrap().close().await;
        let address = format!("sqlite://{}", path.display());
        let mut file = SqliteConnection::connect(&address).await.unwrap();
        let counted = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetch_all(&mut file).await;
        assert!(counted.unwrap().is_empty(), "numbers were gathered");
        sqlx::raw_sql(NUMBERS_OF_A_YOUNG_FILE).execute(&mut file).await.unwrap();
        // They are read when a file is opened.
        file.close().await.unwrap();
        let mut file = SqliteConnection::connect(&address).await.unwrap();

        let of_accounts = [LOAD_ACCOUNTS.sqlite, READ_ACCOUNT.sqlite];
        let by_name = [LOAD_SPENT_GRANTS, LOAD_SETTLED_HOLDS, LOAD_CHARGES, LOAD_RESETS, LOAD_ANSWERS, LOAD_REFERENCES];
        for statement in of_accounts.into_iter().chain(by_name) {
            let plan = plan(&mut file, statement).await;
            let walks = |step: &&String| step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE");
            assert_eq!(plan.iter().find(walks), None, "{statement}\n{plan:#?}");
        }
        for statement in by_name {
            let plan = plan(&mut file, statement).await;
            // All rows of an account may be very many.
            assert_eq!(plan.iter().find(|step| step.ends_with("(account_id=?)")), None, "{statement}\n{plan:#?}");
        }
    }
}
