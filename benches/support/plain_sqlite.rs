//! What one would write without a ledger: one transaction per charge, on a table of balances and a list of what
//! happened, with the settings that the program gives SQLite.

use super::CREDITS;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const TABLES: [&str; 2] = [
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0)) STRICT",
    "CREATE TABLE history (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL,
        amount INTEGER NOT NULL, balance_after INTEGER NOT NULL) STRICT",
];

const FILL: &str = "
    WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < $1)
    INSERT INTO accounts (id, balance) SELECT number, $2 FROM numbers";

const DEBIT: &str = "UPDATE accounts SET balance = balance - $1 WHERE id = $2 AND balance >= $1 RETURNING balance";

const NOTE: &str = "INSERT INTO history (account_id, amount, balance_after) VALUES ($1, -$2, $3)";

/// The one connection that writes, and how callers wait for it.
#[derive(Clone)]
pub enum Plain {
    /// In the line of a lock.
    Lock(Arc<Mutex<SqliteConnection>>),
    /// In the line of a pool of one.
    Pool(SqlitePool),
}

impl Plain {
    pub async fn with_lock(file: &Path) -> Self {
        Self::Lock(Arc::new(Mutex::new(SqliteConnection::connect_with(&options(file)).await.unwrap())))
    }

    pub async fn with_pool(file: &Path) -> Self {
        // A pool asks its connection whether it is well before it lends it; that would be a fifth trip per charge.
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        Self::Pool(pool.acquire_timeout(Duration::from_secs(60)).connect_with(options(file)).await.unwrap())
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Lock(_) => "one connection behind a lock",
            Self::Pool(_) => "a pool of one connection",
        }
    }

    /// Takes one credit from the account of that number.
    pub async fn charge(&self, account: i64) {
        match self {
            Self::Lock(connection) => charge(&mut *connection.lock().await, account).await,
            Self::Pool(pool) => charge(&mut pool.acquire().await.unwrap(), account).await,
        }
    }
}

/// Makes the file, with so many accounts, numbered from 1.
pub async fn make(file: &Path, accounts: usize) {
    let mut connection = SqliteConnection::connect_with(&options(file)).await.unwrap();
    for statement in TABLES {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    sqlx::query(FILL).bind(accounts as i64).bind(CREDITS).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// How many credits were taken from all accounts, by their balances; each of them has to be in the list.
pub async fn charged(file: &Path) -> i64 {
    let mut connection = SqliteConnection::connect_with(&options(file)).await.unwrap();
    let sums = "SELECT (SELECT sum($1 - balance) FROM accounts) AS taken, (SELECT -sum(amount) FROM history) AS noted";
    let row = sqlx::query(sums).bind(CREDITS).fetch_one(&mut connection).await.unwrap();
    let (taken, noted): (i64, i64) = (row.get("taken"), row.get("noted"));
    assert_eq!(taken, noted);
    taken
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "16384")
}

async fn charge(connection: &mut SqliteConnection, account: i64) {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let debited = sqlx::query(DEBIT).bind(1_i64).bind(account).fetch_one(&mut *transaction).await.unwrap();
    let balance: i64 = debited.get("balance");
    sqlx::query(NOTE).bind(account).bind(1_i64).bind(balance).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}
