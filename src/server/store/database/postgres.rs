//! PostgreSQL: one pool; several programs may work on one database.

use super::{ACQUIRE_TIMEOUT, migrations};
use crate::server::store::{StoreError, StoreResult};
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool, Postgres, Row};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections of one program: the writers of the ledger, and the readers beside them.
const CONNECTIONS: u32 = 16;
/// Of these, so many at most serve single statements; the others are always there for transactions.
const STATEMENTS: usize = 12;
/// How long a transaction waits for another one's rows, and may lie idle when its program has died, in
/// milliseconds.
const LOCK_TIMEOUT_MS: &str = "10000";
const IDLE_TIMEOUT_MS: &str = "30000";
/// After so long without use a connection is asked whether it is still there. Asking each time is a trip for each use.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Begins a transaction that reads all its statements as of one moment.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// The same for what goes through whole tables.
pub(super) const BEGIN_LARGE_SNAPSHOT: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
     SET LOCAL enable_mergejoin = on";

/// How the server is to plan. Nearly everything is a look into an index, and a connection keeps the plan of a statement that
/// it has made while a table was one page, and would read through the table until the next ANALYZE. Where only the whole
/// table has the answer it is read all the same, and looks so expensive then that the server would begin to compile.
const PLANS: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("jit", "off")];

/// The connections to one database.
#[derive(Clone, Debug)]
pub(in crate::server::store) struct Pools {
    pub(super) pool: PgPool,
    kept: KeptConnections,
    /// For single statements one waits here, in order; whoever has a place finds a connection kept or in the pool.
    places: Arc<Semaphore>,
}

/// Connections that were used a moment ago and are used again at once, by the ledger and by whoever reads. To the pool
/// they would go back by way of a question whether they are well, which is a trip for each use.
#[derive(Clone, Debug, Default)]
struct KeptConnections(Arc<Mutex<Vec<Kept>>>);

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    used_at: Instant,
}

/// A connection on which every statement stands by itself.
#[derive(Debug)]
pub(in crate::server::store) struct Statements {
    pub(super) connection: PoolConnection<Postgres>,
    of: Pools,
    _place: OwnedSemaphorePermit,
}

impl Pools {
    pub(super) async fn statements(&self) -> StoreResult<Statements> {
        let place = timeout(ACQUIRE_TIMEOUT, self.places.clone().acquire_owned()).await;
        let place = place
            .map_err(|_| StoreError::NoConnection(sqlx::Error::PoolTimedOut))?
            .map_err(|_| StoreError::NoConnection(sqlx::Error::PoolClosed))?;
        let connection = match self.kept.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(Statements { connection, of: self.clone(), _place: place })
    }

    /// Begins a transaction by that statement. In a task of its own: sqlx forgets a BEGIN that nobody waits for any more,
    /// and would lend the connection to others with the transaction open.
    pub(super) async fn begin(&self, statement: &'static str) -> StoreResult<sqlx::Transaction<'static, Postgres>> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await }).await;
        Ok(begun.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    pub(super) async fn close(&self) {
        let closing = self.pool.close();
        self.kept.give_back();
        closing.await;
    }
}

impl Statements {
    /// Says that all went well, so that the connection can be used again.
    pub(super) fn finish(self) {
        self.of.kept.put(self.connection, &self.of.pool);
    }
}

impl KeptConnections {
    /// One that was used a moment ago; the others go back to the pool.
    fn take(&self) -> Option<PoolConnection<Postgres>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.used_at.elapsed() <= TRUSTED_FOR);
        kept.pop().map(|one| one.connection)
    }

    /// A pool that closes waits for all its connections, so it gets this one back.
    fn put(&self, connection: PoolConnection<Postgres>, pool: &PgPool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !pool.is_closed() {
            kept.push(Kept { connection, used_at: Instant::now() });
        }
    }

    fn give_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Connects, and brings the tables up to this version.
pub(super) async fn open(url: &str) -> StoreResult<Pools> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("scrip")
        .options([("lock_timeout", LOCK_TIMEOUT_MS), ("idle_in_transaction_session_timeout", IDLE_TIMEOUT_MS)])
        .options(PLANS);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, use_of| {
            Box::pin(async move { Ok(use_of.idle_for <= TRUSTED_FOR || connection.ping().await.is_ok()) })
        })
        .connect_with(options)
        .await?;
    let migrator = migrations::postgres();
    // A role that may not make tables can still serve, as long as there is nothing to make.
    if !is_up_to_date(&pool, &migrator).await {
        migrator.run(&pool).await?;
    }
    Ok(Pools { pool, kept: KeptConnections::default(), places: Arc::new(Semaphore::new(STATEMENTS)) })
}

async fn is_up_to_date(pool: &PgPool, migrator: &Migrator) -> bool {
    let text = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
    let Ok(applied) = sqlx::query(text).fetch_all(pool).await else { return false };
    applied.len() == migrator.iter().count()
        && applied.iter().zip(migrator.iter()).all(|(row, known)| {
            row.try_get::<i64, _>("version").is_ok_and(|version| version == known.version)
                && row.try_get::<&[u8], _>("checksum").is_ok_and(|checksum| checksum == known.checksum.as_ref())
        })
}
