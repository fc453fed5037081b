//! The seam between our statements and the two databases: one text of each statement wherever they agree,
//! one kind of parameter and row, and transactions with the guarantees that each database gives.

mod migrations;
mod notifications;
mod postgres;
mod row;
mod sqlite;

pub(super) use notifications::{MAX_MESSAGE_BYTES, Notifications};
pub(super) use row::Row;

use crate::domain::{AccountId, Credits, Timestamp};
use crate::server::store::{StoreError, StoreResult};
use sqlx::Postgres;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use std::time::Duration;

/// How long a request waits for a free connection before it is told that the database is overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Transactions that write at the same time on PostgreSQL.
const POSTGRES_WRITERS: usize = 4;

/// A statement, with `$1` and so on for its parameters. Most are one text; see `migrations/postgres` for the
/// two functions that PostgreSQL learned for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql {
    /// As SQLite takes it.
    pub sqlite: &'static str,
    /// As PostgreSQL takes it.
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
}

/// A parameter. Whole numbers and texts are all that our tables hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Integer(Option<i64>),
    Text(Option<&'a str>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(Some(i64::from(value)))
    }
}

impl From<AccountId> for Value<'_> {
    fn from(id: AccountId) -> Self {
        Self::Integer(Some(id.0))
    }
}

impl From<Option<AccountId>> for Value<'_> {
    fn from(id: Option<AccountId>) -> Self {
        Self::Integer(id.map(|id| id.0))
    }
}

impl From<Credits> for Value<'_> {
    fn from(credits: Credits) -> Self {
        Self::Integer(Some(credits.get()))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(moment: Timestamp) -> Self {
        Self::Integer(Some(moment.millis()))
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(moment: Option<Timestamp>) -> Self {
        Self::Integer(moment.map(Timestamp::millis))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

/// A statement with its parameters, for whichever database the executor is of.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query($text);
        for value in $values {
            query = match value {
                Value::Integer(number) => query.bind(*number),
                Value::Text(text) => query.bind(*text),
            };
        }
        query
    }};
}

/// One of the two databases, with its connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Database {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Pools),
}

impl Database {
    /// Opens the database and brings its tables up to this version.
    pub async fn open(url: &DatabaseUrl) -> StoreResult<Self> {
        match url {
            DatabaseUrl::Sqlite(path) => Ok(Self::Sqlite(sqlite::open(path).await?)),
            DatabaseUrl::Postgres(url) => Ok(Self::Postgres(postgres::open(url).await?)),
        }
    }

    /// How many transactions can usefully write at the same time: one on SQLite, whose file has one write
    /// lock; a few on PostgreSQL, so that one is at work while another waits for the disk.
    pub fn writers(&self) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => POSTGRES_WRITERS,
        }
    }

    /// Reads rows as of now.
    pub async fn fetch_all(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pools) => {
                let mut turn = pools.readers.take().await?;
                let rows = bound!(sql.sqlite, values).fetch_all(turn.connection()?).await?;
                turn.finish();
                Row::all(rows, Row::Sqlite)
            }
            Self::Postgres(pools) => {
                let mut own = pools.statements().await?;
                let rows = bound!(sql.postgres, values).fetch_all(&mut *own.connection).await?;
                own.finish();
                Row::all(rows, Row::Postgres)
            }
        })
    }

    /// Reads one row, if there is one.
    pub async fn fetch_optional(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Option<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pools) => {
                let mut turn = pools.readers.take().await?;
                let row = bound!(sql.sqlite, values).fetch_optional(turn.connection()?).await?;
                turn.finish();
                row.map(Row::Sqlite)
            }
            Self::Postgres(pools) => {
                let mut own = pools.statements().await?;
                let row = bound!(sql.postgres, values).fetch_optional(&mut *own.connection).await?;
                own.finish();
                row.map(Row::Postgres)
            }
        })
    }

    /// Runs one statement that writes, and tells how many rows it met.
    pub async fn execute(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<u64> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pools) => {
                let mut turn = pools.writer.take().await?;
                let done = bound!(sql.sqlite, values).execute(turn.connection()?).await?;
                turn.finish();
                done.rows_affected()
            }
            Self::Postgres(pools) => bound!(sql.postgres, values).execute(&pools.pool).await?.rows_affected(),
        })
    }

    /// Begins a transaction that writes. On SQLite it has the file's write lock from the start, so what it
    /// reads cannot change; on PostgreSQL it has to lock the rows that it reads.
    pub async fn begin(&self) -> StoreResult<Transaction> {
        Ok(match self {
            Self::Sqlite(pools) => Transaction::Sqlite(pools.writer.begin("BEGIN IMMEDIATE").await?),
            Self::Postgres(pools) => Transaction::Postgres(pools.begin("BEGIN").await?),
        })
    }

    /// Begins what reads first and writes later, without keeping others from what it reads where they can be kept
    /// out: on PostgreSQL each statement stands by itself then, and whoever writes compares what it has read.
    pub async fn begin_unlocked(&self) -> StoreResult<Transaction> {
        match self {
            Self::Sqlite(_) => self.begin().await,
            Self::Postgres(pools) => Ok(Transaction::PostgresStatements(pools.statements().await?)),
        }
    }

    /// Begins a transaction that reads all its statements as of one moment.
    pub async fn begin_snapshot(&self) -> StoreResult<Transaction> {
        Ok(match self {
            Self::Sqlite(pools) => Transaction::Sqlite(pools.readers.begin("BEGIN").await?),
            Self::Postgres(pools) => {
                Transaction::Postgres(pools.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Tells of changes by other instances of the program, where there can be any.
    pub fn notifications(&self) -> Option<Notifications> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pools) => Some(Notifications::new(pools.pool.clone())),
        }
    }

    /// Closes all connections; what was committed stays.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pools) => pools.close().await,
            Self::Postgres(pools) => pools.close().await,
        }
    }
}

/// A transaction; dropped without a commit it leaves nothing behind.
#[derive(Debug)]
pub(super) enum Transaction {
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

    /// Rows of a statement.
    pub async fn fetch_all(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(turn) => {
                Row::all(bound!(sql.sqlite, values).fetch_all(turn.connection()?).await?, Row::Sqlite)
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
            Self::Sqlite(turn) => bound!(sql.sqlite, values).fetch_optional(turn.connection()?).await?.map(Row::Sqlite),
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
            Self::Sqlite(turn) => bound!(sql.sqlite, values).execute(turn.connection()?).await?.rows_affected(),
            Self::Postgres(inner) => bound!(sql.postgres, values).execute(&mut **inner).await?.rows_affected(),
            Self::PostgresStatements(inner) => {
                bound!(sql.postgres, values).execute(&mut *inner.connection).await?.rows_affected()
            }
        })
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

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(std::path::PathBuf),
    /// A server: `postgres://user@host:port/name`.
    Postgres(String),
}

impl DatabaseUrl {
    /// For people and logs: without a password.
    pub fn without_password(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(text) => match url::Url::parse(text) {
                Ok(mut url) => {
                    let _ = url.set_password(None);
                    url.to_string()
                }
                Err(_) => "postgres".to_owned(),
            },
        }
    }
}

impl StoreError {
    /// Whether the database broke the transaction off only because of another one: trying again helps.
    pub fn is_transient(&self) -> bool {
        // Conflict is our own finding of the same kind;
        // 40001 serialization_failure, 40P01 deadlock_detected (PostgreSQL, appendix A);
        // 5 SQLITE_BUSY, 517 SQLITE_BUSY_SNAPSHOT (sqlite.org/rescode.html).
        matches!(self, Self::Conflict)
            || self.database_code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01" | "5" | "517"))
    }

    /// Whether the database itself said that it did not do what it was asked, and went on. A connection that broke says
    /// nothing; a server that is stopping or crashes (FATAL, PANIC) may have kept it, or will have once it recovers.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Conflict => true,
            Self::Database(sqlx::Error::Database(error)) => {
                // Class 08: connection exceptions; 40003: statement_completion_unknown (PostgreSQL, appendix A).
                let is_of_another_end =
                    |code: &str| code.starts_with("08") || code.starts_with("57") || code == "40003";
                error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| {
                    matches!(error.severity(), PgSeverity::Error) && !is_of_another_end(error.code())
                })
            }
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey => false,
        }
    }

    /// Whether another transaction has taken a name in the meantime: trying again finds it.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.is_unique_violation(),
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey | Self::Conflict => false,
        }
    }

    fn database_code(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code(),
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey | Self::Conflict => None,
        }
    }
}
