//! The ledger against what one would write without it, on the same machine, in the same run, with the same promise: what
//! was answered is on the disk. On SQLite that is one transaction per charge, on PostgreSQL one statement per charge.
//! `cargo bench --features ssr --bench writer`; with `-- sqlite` or `-- postgres` only one of the two.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use scrip::domain::AccountId;
use scrip::server::store::DatabaseUrl;
use sqlx::{AssertSqlSafe, Connection, Row};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::plain_sqlite::{self, Plain};
use support::postgres::Cluster;
use support::{Bench, Rate, count, drive, pgbench, pick, print_head, print_machine, print_row, waits};

const ACCOUNTS: usize = 10_000;
/// Of one side of one line. The sides take turns, so that a disk that slows down slows both.
const TURN: Duration = Duration::from_secs(3);
const TURNS: usize = 2;
const PGBENCH_CLIENTS: usize = 64;
const PGBENCH_TIME: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    let wanted = |name: &str| {
        let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--")).peekable();
        words.peek().is_none() || words.any(|word| word == name)
    };
    let folder = support::folder();
    print_machine(folder.path());
    if wanted("sqlite") {
        sqlite(folder.path()).await;
    }
    if wanted("postgres") {
        postgres(folder.path()).await;
    }
}

/// The accounts that callers charge.
fn spreads(accounts: &[AccountId]) -> [&[AccountId]; 2] {
    [accounts, &accounts[..1]]
}

/// Keeps the ledger busy.
async fn drive_ledger(bench: &Bench, callers: usize, time: Duration, accounts: &[AccountId]) -> Rate {
    let (bench, accounts): (Bench, Arc<[AccountId]>) = (bench.clone(), accounts.into());
    drive(callers, time, move |number| {
        let (bench, account) = (bench.clone(), pick(&accounts, number));
        async move { bench.charge(account).await }
    })
    .await
}

async fn sqlite(folder: &Path) {
    let bench = Bench::open(&DatabaseUrl::Sqlite(folder.join("ledger.db"))).await;
    let accounts = bench.sign_up(ACCOUNTS).await;
    let plain_file = folder.join("plain.db");
    plain_sqlite::make(&plain_file, ACCOUNTS).await;
    let plain = faster_plain(&plain_file).await;
    println!("SQLite, WAL, synchronous=FULL. Plain: one transaction per charge, by {}.\n", plain.name());
    print_head(&[
        "callers",
        "accounts",
        "plain /s",
        "ledger /s",
        "ratio",
        "plain ms, p50 / p99",
        "ledger ms, p50 / p99",
    ]);
    for callers in [1, 64, 1_024] {
        for spread in spreads(&accounts) {
            let (mut by_plain, mut by_ledger) = (Rate::default(), Rate::default());
            for _ in 0..TURNS {
                by_plain = by_plain.and(drive_plain(&plain, callers, TURN, spread.len()).await);
                by_ledger = by_ledger.and(drive_ledger(&bench, callers, TURN, spread).await);
            }
            print_row(&[
                count(callers as f64),
                count(spread.len() as f64),
                count(by_plain.per_second()),
                count(by_ledger.per_second()),
                ratio(by_ledger.per_second(), by_plain.per_second()),
                waits(&by_plain),
                waits(&by_ledger),
            ]);
        }
    }
    let (plain, ledger) = (plain_sqlite::charged(&plain_file).await, bench.charged().await);
    println!("\nIn the books afterwards: {} by plain, {} by the ledger.\n", count(plain as f64), count(ledger as f64));
}

async fn drive_plain(plain: &Plain, callers: usize, time: Duration, accounts: usize) -> Rate {
    let plain = plain.clone();
    drive(callers, time, move |number| {
        let plain = plain.clone();
        async move { plain.charge(1 + (number % accounts as u64) as i64).await }
    })
    .await
}

/// There are two ways to share the connection that writes; the ledger competes with the better one.
async fn faster_plain(file: &Path) -> Plain {
    let lock = Plain::with_lock(file).await;
    let by_lock = drive_plain(&lock, 64, TURN, ACCOUNTS).await.per_second();
    let pool = Plain::with_pool(file).await;
    let by_pool = drive_plain(&pool, 64, TURN, ACCOUNTS).await.per_second();
    println!(
        "Plain with 64 callers: {} /s by {}, {} /s by {}.",
        count(by_lock),
        lock.name(),
        count(by_pool),
        pool.name()
    );
    if by_lock >= by_pool { lock } else { pool }
}

async fn postgres(folder: &Path) {
    let cluster = Cluster::start(&[
        "fsync=on",
        "synchronous_commit=on",
        "full_page_writes=on",
        "shared_buffers=512MB",
        // Neither side shall meet a checkpoint that the other one has earned.
        "max_wal_size=8GB",
        "checkpoint_timeout=30min",
    ])
    .unwrap_or_else(|problem| panic!("{problem}"));
    let (ledger_url, plain_url) = (cluster.new_database(), cluster.new_database());
    let bench = Bench::open(&DatabaseUrl::Postgres(ledger_url.clone())).await;
    let accounts = bench.sign_up(ACCOUNTS).await;
    pgbench::make(&plain_url, ACCOUNTS).await;
    for url in [&ledger_url, &plain_url] {
        pgbench::tidy(url).await;
    }
    println!("PostgreSQL, {}. Plain: one statement per charge, by pgbench.\n", settings_of(&plain_url).await);
    print_head(&[
        "callers",
        "accounts",
        "pgbench /s",
        "ledger /s",
        "ratio",
        "pgbench ms, mean",
        "ledger ms, p50 / p99",
    ]);
    for spread in spreads(&accounts) {
        let before = drive_ledger(&bench, PGBENCH_CLIENTS, PGBENCH_TIME / 2, spread).await;
        let plain = pgbench::run(&cluster, &plain_url, folder, PGBENCH_CLIENTS, spread.len(), PGBENCH_TIME);
        let ledger = before.and(drive_ledger(&bench, PGBENCH_CLIENTS, PGBENCH_TIME / 2, spread).await);
        print_row(&[
            count(PGBENCH_CLIENTS as f64),
            count(spread.len() as f64),
            count(plain.per_second),
            count(ledger.per_second()),
            ratio(ledger.per_second(), plain.per_second),
            format!("{:.2}", plain.average_wait_ms),
            waits(&ledger),
        ]);
    }
    // A connection for each of so many is not to be had; the ledger needs none.
    for spread in spreads(&accounts) {
        let ledger = drive_ledger(&bench, 1_024, PGBENCH_TIME / 2, spread).await;
        let cells = [count(1_024.0), count(spread.len() as f64)];
        let rate = count(ledger.per_second());
        print_row(&[&cells[..], &["".into(), rate, "".into(), "".into(), waits(&ledger)]].concat());
    }
    let (plain, ledger) = (pgbench::charged(&plain_url).await, bench.charged().await);
    println!(
        "\nIn the books afterwards: {} by pgbench, {} by the ledger.\n",
        count(plain as f64),
        count(ledger as f64)
    );
}

/// What the server itself says of its promise.
async fn settings_of(url: &str) -> String {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let mut said = Vec::new();
    for name in ["server_version", "fsync", "synchronous_commit"] {
        let row = sqlx::query(AssertSqlSafe(format!("SHOW {name}"))).fetch_one(&mut connection).await.unwrap();
        said.push(format!("{name}={}", row.get::<String, _>(0)));
    }
    said.join(", ")
}

fn ratio(ledger: f64, plain: f64) -> String {
    format!("{:.2}", ledger / plain)
}
