//! SQLite: one file, one connection that writes, several that read beside it without waiting.

use super::{ACQUIRE_TIMEOUT, migrations};
use crate::server::store::StoreResult;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// Connections that read at the same time.
const READERS: u32 = 8;
/// How long a statement waits for another program that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections to one file.
#[derive(Clone, Debug)]
pub(in crate::server::store) struct Pools {
    pub(super) readers: SqlitePool,
    /// One connection: who wants to write waits here, in order, rather than at the file's lock.
    pub(super) writer: SqlitePool,
}

impl Pools {
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
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
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A file does not hang up; asking each time costs a trip per use.
            .test_before_acquire(false)
    };
    let writer = pool(1).connect_with(options.clone()).await?;
    migrations::sqlite().run(&writer).await?;
    let readers = pool(READERS).connect_with(options.read_only(true).create_if_missing(false)).await?;
    Ok(Pools { readers, writer })
}
