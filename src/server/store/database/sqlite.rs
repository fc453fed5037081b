//! SQLite: one file, one connection that writes, several that read beside it without waiting.

use super::{ACQUIRE_TIMEOUT, Given, Value, given, migrations};
use crate::server::store::{StoreError, StoreResult};
use futures_util::TryStreamExt;
use futures_util::future::ready;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Executor, Row, SqliteConnection};
use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections that read at the same time.
const READERS: u32 = 8;
/// How long a statement waits for another program that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the connection that writes keeps of the file in memory, in KiB; negative by SQLite's convention. Its default of
/// 2 MB is less than the pages that one large batch changes, some of which then leave memory before the commit.
const WRITER_CACHE: &str = "-65536";
/// Pages of 4 KiB in the log before they go to their places in the file (64 MiB). A page that many batches change goes
/// there once; SQLite's default of 1,000 is less than one large batch changes. After a crash so much is read at the start.
const CHECKPOINT_PAGES: &str = "16384";

/// Begins a transaction that writes, and asks for the number that changes whenever another connection has changed the
/// file (sqlite.org/pragma.html#pragma_data_version).
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE; PRAGMA data_version";
pub(super) const BEGIN_READ: &str = "BEGIN";
/// The same in front of changes. It fails where the number is another one: the absolute value of the lowest number is more
/// than a number holds (sqlite.org/lang_corefunc.html#abs). Where it is the same there is no row, for which somebody would
/// be woken.
const BEGIN_UNCHANGED: &str = "BEGIN IMMEDIATE;
    SELECT 1 WHERE CASE WHEN (SELECT data_version FROM pragma_data_version) = ? THEN 0
        ELSE abs(-9223372036854775807 - 1) END;";
/// How many statements that is.
const BEGIN_UNCHANGED_STATEMENTS: usize = 2;
const HAS_CHANGED: &str = "integer overflow";

/// Texts that the connection that writes keeps prepared, each a batch of some numbers of rows: of the largest there are few,
/// a few megabytes each (`given.rs`).
const PREPARED_STATEMENTS: usize = 64;

/// The connections to one file.
#[derive(Clone, Debug)]
pub(in crate::server::store) struct Pools {
    pub(super) readers: Line,
    /// One connection: who wants to write waits here, in order, rather than at the file's lock.
    pub(super) writer: Line,
}

impl Pools {
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Connections of one kind, for which one waits in line. sqlx's own pool asks a connection whether it is well after each
/// use, which is one more trip to its thread; a file does not hang up.
#[derive(Clone, Debug)]
pub(in crate::server::store) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    size: u32,
    /// As many as there may be connections.
    places: Arc<Semaphore>,
    /// Connections that were opened and are not in use.
    free: Mutex<Vec<Connection>>,
    /// How many were ever opened.
    opened: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    inner: SqliteConnection,
    transaction: Phase,
    /// Tells it from all others of this program.
    number: u64,
}

/// How far a connection is with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is none.
    None,
    /// One may have been begun, or ended: nobody waited for it, or it failed.
    Unclear,
    /// One was begun, and not committed.
    Begun,
}

/// As long as it stays the same, only the connection that tells it has changed the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::store) struct OthersMark {
    connection: u64,
    data_version: i64,
}

/// A place in line, and from the first use on a connection in the hands of one who uses it, until it is finished or
/// committed. Dropped before, what was done in it is taken back.
#[derive(Debug)]
pub(in crate::server::store) struct Turn {
    /// From the first use on.
    connection: Option<Connection>,
    others_mark: Option<OthersMark>,
    place: Option<OwnedSemaphorePermit>,
    line: Line,
    /// How long it waits for its connection at most.
    patience: Duration,
}

/// Changes and the commit that follows them, put into words before there is a connection for them.
#[derive(Debug)]
pub(in crate::server::store) struct Prepared {
    text: String,
    values: SqliteArguments,
    statements: usize,
    /// Where it also begins: only if nobody else has changed the file since.
    since: Option<OthersMark>,
}

impl Line {
    fn new(options: SqliteConnectOptions, size: u32) -> Self {
        let places = Arc::new(Semaphore::new(size as usize));
        Self(Arc::new(Shared { options, size, places, free: Mutex::default(), opened: AtomicU64::default() }))
    }

    /// For who waits for a connection only once it is needed, and then that long.
    pub(super) fn queue(&self, patience: Duration) -> Turn {
        Turn { connection: None, others_mark: None, place: None, line: self.clone(), patience }
    }

    /// Waits for a connection.
    pub(super) async fn take(&self) -> StoreResult<Turn> {
        let mut turn = self.queue(ACQUIRE_TIMEOUT);
        turn.arrive().await?;
        Ok(turn)
    }

    /// The same, and begins a transaction by that statement.
    pub(super) async fn begin(&self, statement: &'static str) -> StoreResult<Turn> {
        let mut turn = self.take().await?;
        turn.begin(statement).await?;
        Ok(turn)
    }

    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody uses a connection, and closes them all.
    async fn close(&self) {
        let Ok(all) = self.0.places.acquire_many(self.0.size).await else { return };
        self.0.places.close();
        let connections = std::mem::take(&mut *self.free());
        for mut connection in connections {
            connection.roll_back().await;
            if let Err(error) = connection.inner.close().await {
                tracing::warn!(%error, "a connection to the database file could not be closed in order");
            }
        }
        drop(all);
    }
}

impl Connection {
    /// Takes back what was not committed.
    async fn roll_back(&mut self) {
        if self.transaction != Phase::None {
            // It fails where the transaction has ended already, as one does that SQLite itself breaks off.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.inner).await;
            self.transaction = Phase::None;
        }
    }
}

impl Turn {
    /// Waits for a connection, if it has none yet, and opens one where all that are open are in use.
    pub(super) async fn arrive(&mut self) -> StoreResult<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        let line = &self.line.0;
        let place = timeout(self.patience, line.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| StoreError::NoConnection(sqlx::Error::PoolTimedOut))?;
        let place = place.map_err(|_| StoreError::NoConnection(sqlx::Error::PoolClosed))?;
        let free = self.line.free().pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => {
                let opened = SqliteConnection::connect_with(&line.options).await;
                let inner = opened.map_err(StoreError::NoConnection)?;
                let number = line.opened.fetch_add(1, Ordering::Relaxed);
                Connection { inner, transaction: Phase::None, number }
            }
        };
        connection.roll_back().await;
        (self.connection, self.place) = (Some(connection), Some(place));
        Ok(())
    }

    pub(super) async fn connection(&mut self) -> StoreResult<&mut SqliteConnection> {
        self.arrive().await?;
        Ok(&mut self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?.inner)
    }

    /// Begins a transaction by that statement.
    pub(super) async fn begin(&mut self, statement: &'static str) -> StoreResult<()> {
        if let Some(connection) = &mut self.connection {
            connection.roll_back().await;
        }
        self.arrive().await?;
        self.mark(Phase::Unclear);
        let answer = sqlx::query(statement).fetch_all(self.connection().await?).await?;
        let data_version = answer.first().map(|row| row.try_get(0)).transpose()?;
        self.others_mark = data_version.and_then(|data_version| self.mark_of(data_version));
        self.mark(Phase::Begun);
        Ok(())
    }

    /// Whether a transaction was begun.
    pub(super) fn has_begun(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.transaction == Phase::Begun)
    }

    /// Makes changes in one trip.
    pub(super) async fn change(&mut self, changes: impl Iterator<Item = Given>) -> StoreResult<()> {
        let (mut text, mut values) = (String::new(), Vec::new());
        let statements = given::write_all_sqlite(changes, &mut text, &mut values);
        self.run(text, arguments(values)?, statements).await.map(drop)
    }

    /// Prepares changes and the commit as one trip, in which the transaction is begun, too, where it was not before.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it was not, and there is no mark by which the changes of others would show.
    pub(super) fn prepare(
        &self,
        since: Option<OthersMark>,
        changes: impl Iterator<Item = Given>,
    ) -> StoreResult<Prepared> {
        let (mut text, mut values, mut statements) = (String::new(), Vec::new(), 0);
        let since = if self.has_begun() { None } else { Some(since.ok_or(StoreError::Conflict)?) };
        if let Some(mark) = since {
            text.push_str(BEGIN_UNCHANGED);
            values.push(mark.data_version.into());
            statements += BEGIN_UNCHANGED_STATEMENTS;
        }
        statements += given::write_all_sqlite(changes, &mut text, &mut values);
        text.push_str("COMMIT");
        Ok(Prepared { text, values: arguments(values)?, statements: statements + 1, since })
    }

    /// Makes prepared changes and commits. Then, before anybody else has the connection, does something; where it fails,
    /// that is dropped, likewise before. Gives the time that the commit took, without the changes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the transaction had not begun and others have changed the file since that mark.
    pub(super) async fn change_and_commit(mut self, prepared: Prepared, then: impl FnOnce()) -> StoreResult<Duration> {
        let Prepared { text, values, statements, since } = prepared;
        self.arrive().await?;
        if since.is_some_and(|mark| self.mark_of(mark.data_version) != Some(mark)) {
            return Err(StoreError::Conflict);
        }
        self.mark(Phase::Unclear);
        let took = self.run(text, values, statements).await.map_err(|error| match &error {
            StoreError::Database(sqlx::Error::Database(said)) if since.is_some() && said.message() == HAS_CHANGED => {
                StoreError::Conflict
            }
            _ => error,
        })?;
        self.mark(Phase::None);
        then();
        self.finish();
        Ok(took)
    }

    /// Runs a text of so many statements, and gives the time that the last of them took. A thread that dies on its way gives
    /// no error: that is seen by what is missing.
    async fn run(&mut self, text: String, values: SqliteArguments, statements: usize) -> StoreResult<Duration> {
        let start = (0, Instant::now(), Duration::ZERO);
        let ended = self
            .connection()
            .await?
            .fetch_many(sqlx::query_with(AssertSqlSafe(text), values))
            .try_filter(|step| ready(step.is_left()))
            .try_fold(start, |(count, since, _), _| async move { Ok((count + 1, Instant::now(), since.elapsed())) });
        let (count, _, last) = ended.await?;
        if count == statements { Ok(last) } else { Err(sqlx::Error::WorkerCrashed.into()) }
    }

    /// Whether nobody else has changed the file since.
    pub(super) async fn is_unchanged(&mut self, since: OthersMark) -> StoreResult<bool> {
        let answer = sqlx::query("PRAGMA data_version").fetch_one(self.connection().await?).await?;
        Ok(self.mark_of(answer.try_get(0)?) == Some(since))
    }

    fn mark_of(&self, data_version: i64) -> Option<OthersMark> {
        self.connection.as_ref().map(|connection| OthersMark { connection: connection.number, data_version })
    }

    /// Commits.
    pub(super) async fn commit(mut self) -> StoreResult<()> {
        self.mark(Phase::Unclear);
        sqlx::query("COMMIT").execute(self.connection().await?).await?;
        self.mark(Phase::None);
        self.finish();
        Ok(())
    }

    /// Takes back what was done, and waits for it.
    pub(super) async fn give_up(mut self) {
        if let Some(connection) = &mut self.connection {
            connection.roll_back().await;
        }
        self.finish();
    }

    /// What showed at the begin of a transaction that writes.
    pub(super) fn others_mark(&self) -> Option<OthersMark> {
        self.others_mark
    }

    /// Says that all statements have come to their end, so that the connection can be used again at once.
    pub(super) fn finish(mut self) {
        if let Some(connection) = self.connection.take() {
            self.line.free().push(connection);
        }
    }

    fn mark(&mut self, transaction: Phase) {
        if let Some(connection) = &mut self.connection {
            connection.transaction = transaction;
        }
    }
}

impl Drop for Turn {
    /// What is left half done is taken back at once, since until then other programs would wait for the file. A
    /// statement that nobody waits for any more still runs; the next one shall not wait behind it.
    fn drop(&mut self) {
        let (place, line) = (self.place.take(), self.line.clone());
        let Some(mut connection) = self.connection.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    connection.roll_back().await;
                    if connection.inner.ping().await.is_ok() {
                        line.free().push(connection);
                    }
                    drop(place);
                });
            }
            // The next to take it rolls it back.
            Err(_) => line.free().push(connection),
        }
    }
}

/// Values as parameters.
fn arguments(values: Vec<Value<'static>>) -> StoreResult<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Integer(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text.map(Cow::into_owned)),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Opens the file, makes it where there is none, and brings its tables up to this version.
///
/// Nothing is counted about tables (ANALYZE, `PRAGMA optimize`): the statements need no such numbers, and those of a file that
/// is young would mislead the planner when it has grown.
pub(super) async fn open(path: &Path) -> StoreResult<Pools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit is on the disk before its callers are answered.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let writes = options.clone().pragma("cache_size", WRITER_CACHE).pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    // What a statement would take back if it failed half-way is kept in memory and not in a file of its own.
    let writes = writes.statement_cache_capacity(PREPARED_STATEMENTS).pragma("temp_store", "MEMORY");
    let writer = Line::new(writes, 1);
    let mut turn = writer.take().await?;
    migrations::sqlite().run(turn.connection().await?).await?;
    turn.finish();
    let reads = options.read_only(true).create_if_missing(false);
    Ok(Pools { readers: Line::new(reads, READERS), writer })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before it, a log that begins anew while another program moves it into the file can lose what was committed
    /// (sqlite.org/wal.html#walresetbug).
    const FIRST_SOUND_VERSION: [u32; 3] = [3, 51, 3];

    #[tokio::test]
    async fn the_sqlite_that_is_built_in_loses_no_commits() {
        let mut file = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut file).await.unwrap();
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
        assert!(numbers.as_slice() >= FIRST_SOUND_VERSION.as_slice(), "SQLite {version}");
    }
}
