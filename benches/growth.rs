//! Whether the ledger slows down as it fills: a charge, a balance and the proof of the books with ever more accounts in
//! the database. Takes minutes. `cargo bench --features ssr --bench growth`; `-- 1000 100000` for these sizes only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use scrip::domain::{AccountId, Timestamp};
use scrip::server::store::{DatabaseUrl, LedgerStore};
use std::time::{Duration, Instant};
use support::bulk::{self, HISTORY};
use support::postgres::Cluster;
use support::{Bench, Rate, count, drive, print_head, print_machine, print_row, waits};

const SIZES: [i64; 3] = [1_000, 100_000, 1_000_000];
const CALLERS: usize = 64;
const TIME: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let sizes: Vec<i64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let folder = support::folder();
    print_machine(folder.path());
    println!("{CALLERS} callers, spread over all accounts, each with one grant and {HISTORY} rows of history.\n");
    print_head(&[
        "database",
        "accounts",
        "charges /s",
        "charge ms, p50 / p99",
        "balances /s",
        "balance ms, p50 / p99",
        "reconcile s",
        "filled in s",
    ]);
    for accounts in &sizes {
        let url = DatabaseUrl::Sqlite(folder.path().join(format!("{accounts}.db")));
        measure("SQLite", &url, *accounts).await;
    }
    let cluster =
        Cluster::start(&["fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "max_wal_size=8GB"]).unwrap();
    for accounts in &sizes {
        measure("PostgreSQL", &DatabaseUrl::Postgres(cluster.new_database()), *accounts).await;
    }
}

async fn measure(name: &str, url: &DatabaseUrl, accounts: i64) {
    let bench = Bench::open(url).await;
    let begun = Instant::now();
    bulk::fill(url, accounts).await;
    // The rows were written without the key; the chain begins with them.
    bench.store.renew_chain(&support::chain_key(), "system", Timestamp::default()).await.unwrap();
    let filled = begun.elapsed();
    let charges = charge(&bench, accounts).await;
    let balances = read(&bench, accounts).await;
    let begun = Instant::now();
    bench.charged().await;
    print_row(&[
        name.to_owned(),
        count(accounts as f64),
        count(charges.per_second()),
        waits(&charges),
        count(balances.per_second()),
        waits(&balances),
        format!("{:.1}", begun.elapsed().as_secs_f64()),
        format!("{:.0}", filled.as_secs_f64()),
    ]);
    bench.store.close().await;
}

async fn charge(bench: &Bench, accounts: i64) -> Rate {
    let bench = bench.clone();
    drive(CALLERS, TIME, move |number| {
        let bench = bench.clone();
        async move { bench.charge(account(number, accounts)).await }
    })
    .await
}

async fn read(bench: &Bench, accounts: i64) -> Rate {
    let store = bench.store.clone();
    drive(CALLERS, TIME, move |number| {
        let store = store.clone();
        async move {
            store.read_account(account(number, accounts)).await.unwrap().expect("an account that was filled in");
        }
    })
    .await
}

fn account(number: u64, accounts: i64) -> AccountId {
    AccountId(1 + (number % accounts as u64) as i64)
}
