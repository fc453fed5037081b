//! SQLite: one file, one connection that writes, several that read beside it without waiting.

use super::{ACQUIRE_TIMEOUT, migrations};
use crate::server::store::StoreResult;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
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
}

#[derive(Debug)]
struct Connection {
    inner: SqliteConnection,
    /// Whether a transaction was begun that was not committed.
    is_in_transaction: bool,
}

/// A connection in the hands of one who uses it, until it is finished or committed. Dropped before, what was done in it
/// is taken back.
#[derive(Debug)]
pub(in crate::server::store) struct Turn {
    /// Always there, but while it is dropped.
    connection: Option<Connection>,
    place: Option<OwnedSemaphorePermit>,
    line: Line,
}

impl Line {
    fn new(options: SqliteConnectOptions, size: u32) -> Self {
        let places = Arc::new(Semaphore::new(size as usize));
        Self(Arc::new(Shared { options, size, places, free: Mutex::default() }))
    }

    /// Waits for a connection, and opens one where all that are open are in use.
    pub(super) async fn take(&self) -> StoreResult<Turn> {
        let place = timeout(ACQUIRE_TIMEOUT, self.0.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let free = self.free().pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => {
                Connection { inner: SqliteConnection::connect_with(&self.0.options).await?, is_in_transaction: false }
            }
        };
        connection.roll_back().await;
        Ok(Turn { connection: Some(connection), place: Some(place), line: self.clone() })
    }

    /// The same, and begins a transaction by that statement.
    pub(super) async fn begin(&self, statement: &'static str) -> StoreResult<Turn> {
        let mut turn = self.take().await?;
        turn.mark(true);
        sqlx::query(statement).execute(turn.connection()?).await?;
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
        if self.is_in_transaction {
            // It fails where the transaction has ended already, as one does that SQLite itself breaks off.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.inner).await;
            self.is_in_transaction = false;
        }
    }
}

impl Turn {
    pub(super) fn connection(&mut self) -> StoreResult<&mut SqliteConnection> {
        Ok(&mut self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?.inner)
    }

    pub(super) async fn commit(mut self) -> StoreResult<()> {
        sqlx::query("COMMIT").execute(self.connection()?).await?;
        self.mark(false);
        self.finish();
        Ok(())
    }

    /// Says that all statements have come to their end, so that the connection can be used again at once.
    pub(super) fn finish(mut self) {
        if let Some(connection) = self.connection.take() {
            self.line.free().push(connection);
        }
    }

    fn mark(&mut self, is_in_transaction: bool) {
        if let Some(connection) = &mut self.connection {
            connection.is_in_transaction = is_in_transaction;
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

/// Opens the file, makes it where there is none, and brings its tables up to this version.
pub(super) async fn open(path: &Path) -> StoreResult<Pools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit is on the disk before its callers are answered.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .optimize_on_close(true, None);
    let writes = options.clone().pragma("cache_size", WRITER_CACHE).pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    let writer = Line::new(writes, 1);
    let mut turn = writer.take().await?;
    migrations::sqlite().run(turn.connection()?).await?;
    turn.finish();
    let reads = options.read_only(true).create_if_missing(false).optimize_on_close(false, None);
    Ok(Pools { readers: Line::new(reads, READERS), writer })
}
