//! SQLite: one file, one connection that writes, several that read beside it without waiting.

mod books;
mod creations;
mod history;
mod ledger;
mod load;
mod people;
mod rows;
mod save;
mod shop;

use crate::server::store::{Store, StoreResult};
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// Connections that read at the same time.
const READERS: u32 = 8;
/// Connections for sessions.
const SESSION_CONNECTIONS: u32 = 2;
/// How long a statement waits for another program that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a free connection before it is told that the database is overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// A database in one file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    /// One connection: who wants to write waits here, in order, rather than at the file's lock.
    writer: SqlitePool,
    /// Sessions have their own connections: reading one never waits behind a batch of the ledger.
    sessions: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it where there is none, and brings its tables up to this version.
    ///
    /// # Errors
    /// Where the folder is missing, the file is no database, or it was made by a newer version.
    pub async fn open(path: &Path) -> StoreResult<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit is on the disk before its callers are answered.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .optimize_on_close(true, None);
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let sessions = pool(SESSION_CONNECTIONS).connect_with(options.clone()).await?;
        let readers = pool(READERS).connect_with(options.read_only(true).create_if_missing(false)).await?;
        Ok(Self { readers, writer, sessions })
    }

    /// Connections for the sessions' own table.
    pub fn session_pool(&self) -> SqlitePool {
        self.sessions.clone()
    }

    /// Closes all connections; what was committed stays.
    pub async fn close(&self) {
        self.readers.close().await;
        self.sessions.close().await;
        self.writer.close().await;
    }
}

impl Store for SqliteStore {}
