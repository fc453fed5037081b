//! Transactions of either database, with the guarantees that each gives, and what is compared where rows are not locked.

use super::given::Array;
use super::value::bound;
use super::{Given, OthersMark, Prepared, Row, Sql, Value, postgres, sqlite};
use crate::server::store::{StoreError, StoreResult};
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Postgres, Row as _};
use std::time::Duration;

/// A transaction; dropped without a commit it leaves nothing behind.
#[derive(Debug)]
pub(in crate::server::store) enum Transaction {
    Sqlite(sqlite::Turn),
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// None at all: every statement is one by itself.
    PostgresStatements(postgres::Statements),
}

impl Transaction {
    /// Whether rows have to be locked before they are read.
    pub fn needs_row_locks(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::PostgresStatements(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// Whether every statement is on the disk when it returns.
    pub fn commits_each_statement(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Postgres(_) => false,
            Self::PostgresStatements(_) => true,
        }
    }

    /// Whether changes that refer to each other go into one trip.
    pub fn takes_all_at_once(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(_) | Self::PostgresStatements(_) => false,
        }
    }

    /// Rows of a statement.
    pub async fn fetch_all(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(turn) => {
                Row::all(bound!(sql.sqlite, values).fetch_all(turn.connection().await?).await?, Row::Sqlite)
            }
            Self::Postgres(inner) => {
                Row::all(bound!(sql.postgres, values).fetch_all(&mut **inner).await?, Row::Postgres)
            }
            Self::PostgresStatements(inner) => {
                Row::all(bound!(sql.postgres, values).fetch_all(&mut *inner.connection).await?, Row::Postgres)
            }
        })
    }

    /// One row of a statement, if there is one.
    pub async fn fetch_optional(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Option<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(turn) => {
                bound!(sql.sqlite, values).fetch_optional(turn.connection().await?).await?.map(Row::Sqlite)
            }
            Self::Postgres(inner) => {
                bound!(sql.postgres, values).fetch_optional(&mut **inner).await?.map(Row::Postgres)
            }
            Self::PostgresStatements(inner) => {
                bound!(sql.postgres, values).fetch_optional(&mut *inner.connection).await?.map(Row::Postgres)
            }
        })
    }

    /// Runs a statement, and tells how many rows it met.
    pub async fn execute(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<u64> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(turn) => bound!(sql.sqlite, values).execute(turn.connection().await?).await?.rows_affected(),
            Self::Postgres(inner) => bound!(sql.postgres, values).execute(&mut **inner).await?.rows_affected(),
            Self::PostgresStatements(inner) => {
                bound!(sql.postgres, values).execute(&mut *inner.connection).await?.rows_affected()
            }
        })
    }

    /// Makes changes in their order, on SQLite in one trip.
    pub async fn change(&mut self, changes: Vec<Given>) -> StoreResult<()> {
        let mut changes = changes.into_iter().filter(|change| !change.is_empty()).peekable();
        if changes.peek().is_none() {
            return Ok(());
        }
        match self {
            Self::Sqlite(turn) => turn.change(changes).await?,
            Self::Postgres(inner) => {
                for change in changes {
                    let mut text = String::new();
                    change.write_postgres(&mut text, 1, "true");
                    bind_arrays(sqlx::query(AssertSqlSafe(text)), change.into_arrays()?).execute(&mut **inner).await?;
                }
            }
            // Without a transaction, only what can be compared may be changed.
            Self::PostgresStatements(_) => return Err(StoreError::Conflict),
        }
        Ok(())
    }

    /// PostgreSQL only: makes changes if accounts still have the versions with which they were read, all of them as of the
    /// same moment. Gives the version that changed accounts have now; `None` where nothing was changed.
    pub async fn change_unchanged(&mut self, versions: &Versions, changes: Vec<Given>) -> StoreResult<Option<i64>> {
        let inner = match self {
            Self::Sqlite(_) => return Ok(None),
            Self::Postgres(inner) => &mut **inner,
            Self::PostgresStatements(inner) => &mut *inner.connection,
        };
        let changes: Vec<_> = changes.into_iter().filter(|change| !change.is_empty()).collect();
        let (mut text, mut arrays) = (versions.guard(LOCK), Vec::new());
        for (number, change) in changes.into_iter().enumerate() {
            text.push_str(&format!(", change_{number} AS ("));
            change.write_postgres(&mut text, VERSIONS_PARAMETERS + arrays.len() + 1, "(SELECT all_are FROM guard)");
            text.push(')');
            arrays.extend(change.into_arrays()?);
        }
        text.push_str(" SELECT all_are, CAST(CAST(pg_current_xact_id() AS xid) AS TEXT)::bigint AS version FROM guard");
        let query = versions.bind(sqlx::query(AssertSqlSafe(text)));
        // All of its answer is read: on its own, the statement is on the disk only at its end.
        let row = bind_arrays(query, arrays).fetch_all(inner).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
        Ok(if row.try_get("all_are")? { Some(row.try_get("version")?) } else { None })
    }

    /// Whether accounts still have the versions with which they were read. In a transaction they keep them until its end.
    pub async fn are_unchanged(&mut self, versions: &Versions) -> StoreResult<bool> {
        let (inner, lock) = match self {
            Self::Sqlite(_) => return Ok(true),
            Self::Postgres(inner) => (&mut **inner, LOCK),
            Self::PostgresStatements(inner) => (&mut *inner.connection, ""),
        };
        let text = versions.guard(lock) + " SELECT all_are FROM guard";
        let query = versions.bind(sqlx::query(AssertSqlSafe(text)));
        Ok(query.fetch_one(inner).await?.try_get("all_are")?)
    }

    /// SQLite only: begins the transaction now, if it has not begun, and gives the mark by which it is seen whether others
    /// have changed anything.
    pub async fn begin_now(&mut self) -> StoreResult<Option<OthersMark>> {
        match self {
            Self::Sqlite(turn) => {
                if !turn.has_begun() {
                    turn.begin(sqlite::BEGIN_WRITE).await?;
                }
                Ok(turn.others_mark())
            }
            Self::Postgres(_) | Self::PostgresStatements(_) => Ok(None),
        }
    }

    /// SQLite only: whether it waits for its first statement to begin.
    pub fn is_still_to_begin(&self) -> bool {
        match self {
            Self::Sqlite(turn) => !turn.has_begun(),
            Self::Postgres(_) | Self::PostgresStatements(_) => false,
        }
    }

    /// SQLite only: whether nobody else has changed anything since.
    pub async fn is_unchanged_since(&mut self, mark: OthersMark) -> StoreResult<bool> {
        match self {
            Self::Sqlite(turn) => turn.is_unchanged(mark).await,
            Self::Postgres(_) | Self::PostgresStatements(_) => Ok(false),
        }
    }

    /// Waits until it has a connection, where it has none yet.
    pub async fn arrive(&mut self) -> StoreResult<()> {
        match self {
            Self::Sqlite(turn) => turn.arrive().await,
            Self::Postgres(_) | Self::PostgresStatements(_) => Ok(()),
        }
    }

    /// SQLite only: puts changes, in their order, and the commit into words, without waiting for the database.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is still to begin and nothing is known of what others do.
    pub fn prepare(&self, since: Option<OthersMark>, changes: Vec<Given>) -> StoreResult<Prepared> {
        match self {
            Self::Sqlite(turn) => turn.prepare(since, changes.into_iter()),
            Self::Postgres(_) | Self::PostgresStatements(_) => Err(StoreError::Conflict),
        }
    }

    /// SQLite only: makes prepared changes and makes them durable, in one trip. Then does something before another
    /// transaction of this program can begin; where it fails, that is dropped, likewise before. Gives the time that the
    /// commit took, without the changes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it was still to begin and others have changed anything since.
    pub async fn change_and_commit(self, prepared: Prepared, then: impl FnOnce() + Send) -> StoreResult<Duration> {
        match self {
            Self::Sqlite(turn) => turn.change_and_commit(prepared, then).await,
            Self::Postgres(_) | Self::PostgresStatements(_) => Err(StoreError::Conflict),
        }
    }

    /// Ends it without having changed anything.
    pub async fn give_up(self) -> StoreResult<()> {
        match self {
            Self::Sqlite(turn) => turn.give_up().await,
            Self::Postgres(inner) => inner.rollback().await?,
            Self::PostgresStatements(inner) => inner.finish(),
        }
        Ok(())
    }

    /// Makes it durable.
    pub async fn commit(self) -> StoreResult<()> {
        match self {
            Self::Sqlite(turn) => turn.commit().await?,
            Self::Postgres(inner) => inner.commit().await?,
            Self::PostgresStatements(inner) => inner.finish(),
        }
        Ok(())
    }
}

/// Accounts and the versions with which they were read. PostgreSQL gives every row the number of the transaction that
/// wrote it (its documentation of system columns): another number, another writer.
#[derive(Debug, Default)]
pub(in crate::server::store) struct Versions {
    /// Which accounts, in the order in which everybody locks them: that of their ids.
    pub ids: Vec<i64>,
    /// Their versions.
    pub versions: Vec<i64>,
    /// The seals of their histories: after a server was put back to an earlier state, it gives its numbers once more.
    pub seals: Vec<String>,
}

/// The parameters of [`Versions::guard`].
const VERSIONS_PARAMETERS: usize = 3;

/// Lets others read the rows, and refer to them, but not change them.
const LOCK: &str = "FOR NO KEY UPDATE OF accounts";

impl Versions {
    /// As the parameters of the guard.
    fn bind<'a>(&'a self, query: PostgresQuery<'a>) -> PostgresQuery<'a> {
        query.bind(&self.ids).bind(&self.versions).bind(&self.seals)
    }

    /// Finds the accounts that are as they were; `guard` says whether all of them are.
    fn guard(&self, lock: &str) -> String {
        format!(
            "WITH unchanged AS MATERIALIZED (
                SELECT accounts.id FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS loaded (id, version, seal)
                JOIN accounts ON accounts.id = loaded.id
                    AND CAST(CAST(accounts.xmin AS TEXT) AS BIGINT) = loaded.version
                    AND accounts.chain_seal = loaded.seal
                ORDER BY accounts.id {lock}),
            guard AS MATERIALIZED (SELECT count(*) = cardinality($1) AS all_are FROM unchanged)"
        )
    }
}

/// Arrays as the next parameters of a statement.
fn bind_arrays(mut query: PostgresQuery<'_>, arrays: Vec<Array>) -> PostgresQuery<'_> {
    for array in arrays {
        query = match array {
            Array::Integers(numbers) => query.bind(numbers),
            Array::Texts(texts) => query.bind(texts),
        };
    }
    query
}

type PostgresQuery<'a> = sqlx::query::Query<'a, Postgres, PgArguments>;
