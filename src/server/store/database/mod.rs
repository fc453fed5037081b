//! The seam between our statements and the two databases: one text of each statement wherever they agree,
//! one kind of parameter and row, and transactions with the guarantees that each database gives.

mod given;
mod migrations;
mod notifications;
mod postgres;
mod row;
mod sqlite;

pub(super) use given::{Change, Deed, Given};
pub(super) use notifications::{MAX_MESSAGE_BYTES, Notifications};
pub(super) use row::Row;
pub(super) use sqlite::OthersMark;

use crate::domain::{AccountId, Credits, GrantId, HoldId, Seq, Timestamp};
use crate::server::store::{StoreError, StoreResult};
use given::Array;
use sqlx::error::DatabaseError as _;
use sqlx::postgres::{PgArguments, PgDatabaseError, PgSeverity};
use sqlx::sqlite::SqliteError;
use sqlx::{Postgres, Row as _};
use std::borrow::Cow;
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
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Integer(Option<i64>),
    Text(Option<Cow<'a, str>>),
}

/// What a value becomes that is a number inside.
macro_rules! integer_from {
    ($($of:ty => $number:expr),* $(,)?) => {
        $(
            impl From<$of> for Value<'_> {
                fn from(value: $of) -> Self {
                    Self::Integer(Some($number(value)))
                }
            }

            impl From<Option<$of>> for Value<'_> {
                fn from(value: Option<$of>) -> Self {
                    Self::Integer(value.map($number))
                }
            }
        )*
    };
}

integer_from! {
    i64 => |number| number,
    u32 => i64::from,
    AccountId => |id: AccountId| id.0,
    Seq => |seq: Seq| seq.0,
    GrantId => |id: GrantId| id.0.0,
    HoldId => |id: HoldId| id.0.0,
    Credits => Credits::get,
    Timestamp => Timestamp::millis,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

/// A statement with its parameters, for whichever database the executor is of.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query($text);
        for value in $values {
            query = match value {
                Value::Integer(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.as_deref()),
            };
        }
        query
    }};
}

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
            Self::Sqlite(pools) => Transaction::Sqlite(pools.writer.begin(sqlite::BEGIN_WRITE).await?),
            Self::Postgres(pools) => Transaction::Postgres(pools.begin("BEGIN").await?),
        })
    }

    /// Begins what reads first and writes later, without keeping others from what it reads: on PostgreSQL each statement
    /// stands by itself then, and on SQLite the transaction begins later. Whoever writes compares what it has read.
    pub async fn begin_unlocked(&self) -> StoreResult<Transaction> {
        Ok(match self {
            Self::Sqlite(pools) => Transaction::Sqlite(pools.writer.take().await?),
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
                    bind_arrays(sqlx::query(&text), change.into_arrays()?).execute(&mut **inner).await?;
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
        let query = versions.bind(sqlx::query(&text));
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
        let query = versions.bind(sqlx::query(&text));
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

    /// SQLite only: makes changes in their order and makes them durable, in one trip. Then does something before another
    /// transaction of this program can begin.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it was still to begin and others have changed anything since.
    pub async fn change_and_commit(
        self,
        since: Option<OthersMark>,
        changes: Vec<Given>,
        then: impl FnOnce() + Send,
    ) -> StoreResult<()> {
        match self {
            Self::Sqlite(turn) => turn.change_and_commit(since, changes.into_iter(), then).await,
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
pub(super) struct Versions {
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
        // 5 SQLITE_BUSY in all its forms (sqlite.org/rescode.html).
        matches!(self, Self::Conflict)
            || self.sqlite_code().is_some_and(|code| code == 5)
            || self.database_code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01"))
    }

    /// Whether the database itself said that it did not do what it was asked, and went on. A connection that broke says
    /// nothing; a server that is stopping or crashes (FATAL, PANIC) may have kept it, or will have once it recovers; a disk
    /// that fails may have it.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Conflict => true,
            // SQLITE_ERROR, BUSY, LOCKED, CONSTRAINT, MISMATCH: what these answer, a COMMIT has not done.
            Self::Database(_) if self.sqlite_code().is_some() => {
                self.sqlite_code().is_some_and(|code| matches!(code, 1 | 5 | 6 | 19 | 20))
            }
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

    /// The primary code of an error of SQLite: the lowest byte (sqlite.org/rescode.html).
    fn sqlite_code(&self) -> Option<u32> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                let error = error.try_downcast_ref::<SqliteError>()?;
                Some(error.code()?.parse::<u32>().ok()? & 0xff)
            }
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey | Self::Conflict => None,
        }
    }

    fn database_code(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code(),
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey | Self::Conflict => None,
        }
    }
}
