//! The machine interface over HTTP, beside a handler that does nothing on the same server: what is left of this machine's
//! ceiling when a request also has to be known, priced, written and kept. Load and server share the machine.
//! `cargo bench --features ssr --bench http`; with `-- sqlite` or `-- postgres` only one of the two databases, with
//! `-- short` only as long as it takes to see that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use axum::Router;
use axum::routing::any;
use clap::Parser;
use scrip::domain::access::Scopes;
use scrip::server::config::Settings;
use scrip::server::services::KeyHolder;
use scrip::server::start::{Core, Running};
use scrip::server::store::DatabaseUrl;
use scrip::server::web;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::http_load::{busy, request, steady};
use support::postgres::Cluster;
use support::{Bench, Rate, count, print_head, print_machine, print_row, waits};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: usize = 64;
const STEADY_PER_SECOND: u32 = 200;

/// How much of everything.
#[derive(Clone, Copy)]
struct Extent {
    accounts: usize,
    /// Of one side of one line. The sides take turns, so that a machine that slows down slows both.
    turn: Duration,
    turns: usize,
    steady: Duration,
}

const WHOLE: Extent =
    Extent { accounts: 10_000, turn: Duration::from_secs(3), turns: 3, steady: Duration::from_secs(15) };
const SHORT: Extent =
    Extent { accounts: 200, turn: Duration::from_millis(300), turns: 1, steady: Duration::from_secs(1) };

/// The settings that the program would have, without its commands.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let extent = if words.iter().any(|word| word == "short") { SHORT } else { WHOLE };
    let is_wanted = |name: &str| {
        let mut named = words.iter().filter(|word| *word != "short").peekable();
        named.peek().is_none() || named.any(|word| word == name)
    };
    let folder = support::folder();
    print_machine(folder.path());
    let ceiling = serve_nothing().await;
    if is_wanted("sqlite") {
        println!("SQLite, WAL, synchronous=FULL; {CONNECTIONS} connections.\n");
        measure(&DatabaseUrl::Sqlite(folder.path().join("scrip.db")), folder.path(), ceiling, extent).await;
    }
    if is_wanted("postgres") {
        let settings = ["fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "max_wal_size=8GB"];
        let cluster = Cluster::start(&settings).unwrap_or_else(|problem| panic!("{problem}"));
        println!("PostgreSQL, fsync=on, synchronous_commit=on; {CONNECTIONS} connections.\n");
        measure(&DatabaseUrl::Postgres(cluster.new_database()), folder.path(), ceiling, extent).await;
    }
}

/// A server whose handler does nothing, behind the same connections as the real one.
async fn serve_nothing() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(any(|| async { "{}" }));
    tokio::spawn(web::serve::serve(listener, app, CancellationToken::new()));
    address
}

/// The program on a port of its own; its service key, and how to end it.
async fn serve(url: &DatabaseUrl, folder: &Path) -> (SocketAddr, String, impl AsyncFnOnce()) {
    let url = match url {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.clone(),
    };
    let data_dir = folder.to_string_lossy();
    let key_file = folder.join("chain.key");
    std::fs::write(&key_file, support::CHAIN_KEY).unwrap();
    let key_file = key_file.to_string_lossy();
    let places = ["--database-url", &url, "--data-dir", &data_dir, "--chain-key-file", &key_file];
    let flags = [&["bench", "--site-addr", "127.0.0.1:0"], &places[..]].concat();
    let config = Flags::parse_from(flags).settings.check().unwrap();
    let core = Core::open(&config).await.unwrap();
    let scopes = Scopes::parse("accounts:read,accounts:write").unwrap();
    let made = core.services.make_api_key(KeyHolder::Service(scopes), "benchmark", None, "system").await.unwrap();
    let running = Running::assemble(core, &config).await.unwrap();
    let listener = TcpListener::bind(config.site_addr).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(running.serve(listener, stop.clone()));
    let end = async move || {
        stop.cancel();
        serving.await.unwrap();
    };
    (address, made.1, end)
}

async fn measure(url: &DatabaseUrl, folder: &Path, ceiling: SocketAddr, extent: Extent) {
    let bench = Bench::open(url).await;
    bench.sign_up(extent.accounts).await;
    let (server, key, end) = serve(url, folder).await;
    let charge = |number| request("POST", &path(number, "charge"), &key, r#"{"amount":1}"#);
    let balance = |number| request("GET", &path(number, "balance"), &key, "");
    let charges: Arc<[Vec<u8>]> = (0..extent.accounts).map(charge).collect();
    let balances: Arc<[Vec<u8>]> = (0..extent.accounts).map(balance).collect();
    print_head(&[
        "call",
        "accounts",
        "nothing /s",
        "calls /s",
        "ratio",
        "nothing ms, p50 / p99",
        "calls ms, p50 / p99",
    ]);
    for (name, requests) in [("charge", &charges), ("balance", &balances)] {
        for accounts in [extent.accounts, 1] {
            let requests: Arc<[Vec<u8>]> = requests[..accounts].into();
            let (mut by_nothing, mut by_calls) = (Rate::default(), Rate::default());
            for _ in 0..extent.turns {
                by_nothing = by_nothing.and(keep_busy(ceiling, &requests, extent.turn).await);
                by_calls = by_calls.and(keep_busy(server, &requests, extent.turn).await);
            }
            print_row(&[
                name.to_owned(),
                count(accounts as f64),
                count(by_nothing.per_second()),
                count(by_calls.per_second()),
                format!("{:.2}", by_calls.per_second() / by_nothing.per_second()),
                waits(&by_nothing),
                waits(&by_calls),
            ]);
        }
    }
    println!("\nAt a steady {STEADY_PER_SECOND} requests a second:\n");
    print_head(&["call", "accounts", "answered", "ms, p50 / p99"]);
    for (name, address, requests) in
        [("nothing", ceiling, &balances), ("charge", server, &charges), ("balance", server, &balances)]
    {
        let (requests, time) = (requests.clone(), extent.steady);
        let done =
            tokio::task::spawn_blocking(move || steady(address, &requests, STEADY_PER_SECOND, time)).await.unwrap();
        let answered = count(done.per_second() * time.as_secs_f64());
        print_row(&[name.to_owned(), count(extent.accounts as f64), answered, waits(&done)]);
    }
    end().await;
    println!("\nIn the books afterwards: {}.\n", count(bench.charged().await as f64));
}

fn path(number: usize, what: &str) -> String {
    format!("/api/accounts/u{number}/credits/{what}")
}

async fn keep_busy(server: SocketAddr, requests: &Arc<[Vec<u8>]>, time: Duration) -> Rate {
    let requests = requests.clone();
    tokio::task::spawn_blocking(move || busy(server, requests, CONNECTIONS, time)).await.unwrap()
}
