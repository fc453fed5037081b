//! What a power cut would take and a kill does not: what the program has written and the system has not. strace, which
//! only Linux has, counts how often the program waits for the disk.

use super::PATIENCE;
use super::common::Engine;
use super::journal::Request;
use super::program::{Caller, Server, Site};
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// The file that strace writes, in the folder of the test.
const TRACE: &str = "syncs";

/// When a sync of SQLite's write-ahead log began and ended, in seconds since 1970.
struct Sync {
    began: f64,
    ended: f64,
}

/// The program under strace, which writes down its syncs.
struct Traced {
    site: Site,
    server: Server,
    caller: Caller,
    charge_path: String,
}

impl Traced {
    /// With an account of 60 credits, and with everything done that is done at a first call.
    async fn start() -> Self {
        let site = Site::new(Engine::Sqlite);
        let secret = site.make_service_key();
        let mut command = site.with_settings(Command::new("strace"));
        // -D: what is started here is the program, with strace beside it, so that signals reach the program itself.
        command.args(["-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-y", "-e", "trace=fsync,fdatasync", "-o", TRACE]);
        command.args([env!("CARGO_BIN_EXE_scrip"), "serve"]);
        let server = Server::start(command).await;
        let caller = Caller::new(&secret, &server);
        let account = caller.make_account("ann").await;
        let charge_path = format!("/api/accounts/{account}/credits/charge");
        Self { site, server, caller, charge_path }
    }

    /// Charges one credit; gives the moments before it was asked and after it was answered.
    async fn charge(caller: &Caller, path: &str, key: String) -> (f64, f64) {
        let request = Request { key, path: path.to_owned(), body: r#"{"amount":1}"#.to_owned() };
        let asked = now();
        let answer = caller.post(&request).await.unwrap();
        let answered = now();
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        (asked, answered)
    }

    /// Stops it, and gives what was written down.
    async fn syncs(self) -> Vec<Sync> {
        let last_line = format!("{} ", self.server.process.id());
        self.server.stop().await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(self.site.folder.path().join(TRACE)).unwrap();
            // strace is not waited for, so what it writes is: its last word of the program is that it has ended.
            if text.lines().any(|line| line.starts_with(&last_line) && line.ends_with("+++ exited with 0 +++")) {
                return read_syncs(&text);
            }
            assert!(Instant::now() < deadline, "strace does not end: {text}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn now() -> f64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

/// Reads lines as in `71 1795261683.537183 fdatasync(11</tmp/x/scrip.db-wal>) = 0 <0.002647>`. Where another thread
/// is written down in between, a call has two lines: `fdatasync(... <unfinished ...>` and
/// `<... fdatasync resumed>) = 0 <0.002647>`.
fn read_syncs(text: &str) -> Vec<Sync> {
    let mut unfinished = BTreeMap::new();
    let mut syncs = Vec::new();
    for line in text.lines() {
        // Short numbers of threads are filled up with spaces.
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((moment, call)) = rest.trim_start().split_once(' ') else { continue };
        let moment: f64 = moment.parse().unwrap();
        if call.contains("-wal>") && call.ends_with("<unfinished ...>") {
            unfinished.insert(thread, moment);
        } else if call.contains(") = 0 <") {
            if call.contains("-wal>") {
                let lasted: f64 = call.rsplit_once('<').unwrap().1.trim_end_matches('>').parse().unwrap();
                syncs.push(Sync { began: moment, ended: moment + lasted });
            } else if let Some(began) = call.contains(" resumed>").then(|| unfinished.remove(thread)).flatten() {
                syncs.push(Sync { began, ended: moment });
            }
        }
    }
    syncs
}

#[tokio::test]
async fn every_answer_comes_after_a_sync_of_its_own() {
    let test = Traced::start().await;
    let mut charges = Vec::new();
    for number in 0..50 {
        charges.push(Traced::charge(&test.caller, &test.charge_path, format!("charge-{number}")).await);
    }
    let syncs = test.syncs().await;
    for (number, (asked, answered)) in charges.iter().enumerate() {
        let is_safe = syncs.iter().any(|sync| *asked <= sync.began && sync.ended <= *answered);
        assert!(is_safe, "charge {number} was answered before it was on the disk");
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_a_sync() {
    const CALLERS: usize = 64;
    let test = Traced::start().await;
    let grant = json!({ "amount": 1_000, "source": "promotion", "reason": "a start" }).to_string();
    let path = test.charge_path.replace("credits/charge", "grants");
    let granted = test.caller.post(&Request { key: "grant".to_owned(), path, body: grant }).await.unwrap();
    assert_eq!(granted.status, StatusCode::CREATED);
    let mut charges = JoinSet::new();
    for number in 0..CALLERS {
        let (caller, path) = (test.caller.clone(), test.charge_path.clone());
        charges.spawn(async move { Traced::charge(&caller, &path, format!("charge-{number}")).await });
    }
    let charges = charges.join_all().await;
    let first = charges.iter().map(|(asked, _)| *asked).fold(f64::INFINITY, f64::min);
    let last = charges.iter().map(|(_, answered)| *answered).fold(0.0, f64::max);
    let syncs = test.syncs().await;
    let count = syncs.iter().filter(|sync| first <= sync.began && sync.ended <= last).count();
    println!("{CALLERS} charges at once: {count} syncs");
    assert!((1..=CALLERS / 2).contains(&count), "{count} syncs for {CALLERS} charges");
}
