//! The seam between our statements and the two databases: one text of each statement wherever they agree,
//! one kind of parameter and row, and transactions with the guarantees that each database gives.

mod given;
mod migrations;
mod notifications;
mod postgres;
mod refusal;
mod row;
mod sqlite;
mod transaction;
mod value;

pub(super) use given::{Change, Deed, Given};
pub(super) use notifications::{MAX_MESSAGE_BYTES, Notifications};
pub(super) use row::Row;
pub(super) use sqlite::{OthersMark, Prepared};
pub(super) use transaction::{Transaction, Versions};
pub(super) use value::{Sql, Value};

use crate::server::store::StoreResult;
use std::time::Duration;
use value::bound;

/// How long a request waits for a free connection before it is told that the database is overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a batch waits for the one before it to be saved: longer than that one may wait for another program and for the
/// disk.
const SAVING_TIMEOUT: Duration = Duration::from_secs(60);

/// Transactions that write at the same time on PostgreSQL. More of them make more and smaller batches, and each statement
/// costs the server something of its own: with four, 64 callers on many accounts got a fifth to a quarter less (docs/benchmarks.md).
const POSTGRES_WRITERS: usize = 2;

/// How much a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// What indexes find.
    FewRows,
    /// Everything.
    WholeTables,
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

    /// Whether a transaction that writes waits for the end of the one before, whatever the two are about: on SQLite, whose
    /// file has one write lock.
    pub fn has_one_writer(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(_) => false,
        }
    }

    /// Reads rows as of now.
    pub async fn fetch_all(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> StoreResult<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pools) => {
                let mut turn = pools.readers.take().await?;
                let rows = bound!(sql.sqlite, values).fetch_all(turn.connection().await?).await?;
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
                let row = bound!(sql.sqlite, values).fetch_optional(turn.connection().await?).await?;
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
                let done = bound!(sql.sqlite, values).execute(turn.connection().await?).await?;
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
            Self::Sqlite(pools) => Transaction::Sqlite(pools.writer.begin(sqlite::BEGIN_WRITE).await?),
            Self::Postgres(pools) => Transaction::Postgres(pools.begin("BEGIN").await?),
        })
    }

    /// Begins what reads first and writes later, without keeping others from what it reads: on PostgreSQL each statement
    /// stands by itself then, and on SQLite the transaction begins later, and there is no connection for it before. Whoever
    /// writes compares what it has read.
    pub async fn begin_unlocked(&self) -> StoreResult<Transaction> {
        Ok(match self {
            Self::Sqlite(pools) => Transaction::Sqlite(pools.writer.queue(SAVING_TIMEOUT)),
            Self::Postgres(pools) => Transaction::PostgresStatements(pools.statements().await?),
        })
    }

    /// Begins a transaction that reads all its statements as of one moment.
    pub async fn begin_snapshot(&self, reads: Reads) -> StoreResult<Transaction> {
        Ok(match (self, reads) {
            (Self::Sqlite(pools), _) => Transaction::Sqlite(pools.readers.begin(sqlite::BEGIN_READ).await?),
            (Self::Postgres(pools), Reads::FewRows) => {
                Transaction::Postgres(pools.begin(postgres::BEGIN_SNAPSHOT).await?)
            }
            (Self::Postgres(pools), Reads::WholeTables) => {
                Transaction::Postgres(pools.begin(postgres::BEGIN_LARGE_SNAPSHOT).await?)
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
