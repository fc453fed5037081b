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
use sqlx::{PgPool, Postgres, Sqlite};
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
    Postgres(PgPool),
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
            Self::Sqlite(pools) => Row::all(bound!(sql.sqlite, values).fetch_all(&pools.readers).await?, Row::Sqlite),
            Self::Postgres(pool) => Row::all(bound!(sql.postgres, values).fetch_all(pool).await?, Row::Postgres),
        })
    }

    /// Reads one row, if there is one.
    pub async fn fetch_optional(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Option<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pools) => bound!(sql.sqlite, values).fetch_optional(&pools.readers).await?.map(Row::Sqlite),
            Self::Postgres(pool) => bound!(sql.postgres, values).fetch_optional(pool).await?.map(Row::Postgres),
        })
    }

    /// Runs one statement that writes, and tells how many rows it met.
    pub async fn execute(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<u64> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pools) => bound!(sql.sqlite, values).execute(&pools.writer).await?.rows_affected(),
            Self::Postgres(pool) => bound!(sql.postgres, values).execute(pool).await?.rows_affected(),
        })
    }

    /// Begins a transaction that writes. On SQLite it has the file's write lock from the start, so what it
    /// reads cannot change; on PostgreSQL it has to lock the rows that it reads.
    pub async fn begin(&self) -> StoreResult<Transaction> {
        Ok(match self {
            Self::Sqlite(pools) => Transaction::Sqlite(pools.writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Begins a transaction that reads all its statements as of one moment.
    pub async fn begin_snapshot(&self) -> StoreResult<Transaction> {
        Ok(match self {
            Self::Sqlite(pools) => Transaction::Sqlite(pools.readers.begin().await?),
            Self::Postgres(pool) => {
                Transaction::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Tells of changes by other instances of the program, where there can be any.
    pub fn notifications(&self) -> Option<Notifications> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pool) => Some(Notifications::new(pool.clone())),
        }
    }

    /// Closes all connections; what was committed stays.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pools) => pools.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction; dropped without a commit it leaves nothing behind.
#[derive(Debug)]
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// Whether rows have to be locked before they are read.
    pub fn needs_row_locks(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// Whether one text may hold several statements with parameters.
    pub fn takes_several_statements(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(_) => false,
        }
    }

    /// Rows of a statement.
    pub async fn fetch_all(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(inner) => Row::all(bound!(sql.sqlite, values).fetch_all(&mut **inner).await?, Row::Sqlite),
            Self::Postgres(inner) => {
                Row::all(bound!(sql.postgres, values).fetch_all(&mut **inner).await?, Row::Postgres)
            }
        })
    }

    /// One row of a statement, if there is one.
    pub async fn fetch_optional(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Option<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(inner) => bound!(sql.sqlite, values).fetch_optional(&mut **inner).await?.map(Row::Sqlite),
            Self::Postgres(inner) => {
                bound!(sql.postgres, values).fetch_optional(&mut **inner).await?.map(Row::Postgres)
            }
        })
    }

    /// Runs a statement, and tells how many rows it met.
    pub async fn execute(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<u64> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(inner) => bound!(sql.sqlite, values).execute(&mut **inner).await?.rows_affected(),
            Self::Postgres(inner) => bound!(sql.postgres, values).execute(&mut **inner).await?.rows_affected(),
        })
    }

    /// Makes it durable.
    pub async fn commit(self) -> StoreResult<()> {
        match self {
            Self::Sqlite(inner) => inner.commit().await?,
            Self::Postgres(inner) => inner.commit().await?,
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
        // 40001 serialization_failure, 40P01 deadlock_detected (PostgreSQL, appendix A);
        // 5 SQLITE_BUSY, 517 SQLITE_BUSY_SNAPSHOT (sqlite.org/rescode.html).
        self.database_code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01" | "5" | "517"))
    }

    /// Whether another transaction has taken a name in the meantime: trying again finds it.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.is_unique_violation(),
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey => false,
        }
    }

    fn database_code(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code(),
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey => None,
        }
    }
}
