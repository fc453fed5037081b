//! The best that PostgreSQL does by itself for a charge: one statement, sent by its own load generator.

use super::CREDITS;
use super::postgres::Cluster;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use std::path::Path;
use std::time::Duration;

const TABLES: [&str; 2] = [
    "CREATE TABLE plain_accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0))",
    "CREATE TABLE plain_history (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account_id BIGINT NOT NULL, amount BIGINT NOT NULL,
        balance_after BIGINT NOT NULL)",
];

const FILL: &str = "INSERT INTO plain_accounts (id, balance) SELECT number, $2 FROM generate_series(1, $1) AS number";

/// A row of history only where the balance was enough, and both or none, in one trip.
const CHARGE: &str = "WITH debited AS (UPDATE plain_accounts SET balance = balance - 1 \
    WHERE id = :id AND balance >= 1 RETURNING id, balance) \
    INSERT INTO plain_history (account_id, amount, balance_after) SELECT id, -1, balance FROM debited;";

/// What pgbench found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub per_second: f64,
    pub average_wait_ms: f64,
}

/// Makes the tables in an empty database, with so many accounts, numbered from 1.
pub async fn make(url: &str, accounts: usize) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in TABLES {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    sqlx::query(FILL).bind(accounts as i64).bind(CREDITS).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// As the server's own housekeeping does, sooner or later.
pub async fn tidy(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Lets so many clients charge the accounts up to a number for a time.
pub fn run(cluster: &Cluster, url: &str, folder: &Path, clients: usize, accounts: usize, time: Duration) -> Found {
    let script = folder.join("charge.sql");
    std::fs::write(&script, format!("\\set id random(1, {accounts})\n{CHARGE}\n")).unwrap();
    let run = cluster
        .program("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .args([format!("--client={clients}"), format!("--time={}", time.as_secs())])
        .arg("--file")
        .arg(&script)
        .arg(url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    Found { per_second: number_after(&said, "tps = "), average_wait_ms: number_after(&said, "latency average = ") }
}

/// How many credits were taken from all accounts, by their balances; each of them has to be in the list.
pub async fn charged(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sums = "SELECT (SELECT CAST(sum($1 - balance) AS BIGINT) FROM plain_accounts) AS taken,
        (SELECT CAST(-sum(amount) AS BIGINT) FROM plain_history) AS noted";
    let row = sqlx::query(sums).bind(CREDITS).fetch_one(&mut connection).await.unwrap();
    let (taken, noted): (i64, i64) = (row.get("taken"), row.get("noted"));
    assert_eq!(taken, noted);
    taken
}

fn number_after(text: &str, words: &str) -> f64 {
    let rest = text.split_once(words).unwrap_or_else(|| panic!("pgbench does not tell its {words}: {text}")).1;
    rest.split_whitespace().next().unwrap().parse().unwrap()
}
