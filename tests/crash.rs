//! The program itself, killed in the middle of its work, on both databases: nothing that it answered is lost, nothing
//! happens twice, the books balance.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "crash/journal.rs"]
mod journal;
#[path = "crash/payments.rs"]
mod payments;
#[cfg(target_os = "linux")]
#[path = "crash/power_cut.rs"]
mod power_cut;
#[path = "crash/program.rs"]
mod program;

use common::server::Answer;
use common::{Engine, on_both_databases};
use journal::{Journal, Random};
use program::{Caller, Server, Site};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

/// How often the program is killed, unless TEST_KILLS says otherwise.
const KILLS: usize = 20;
/// The proof reads the history of all kills, so that after these it is made only after every tenth.
const SELDOM_PROVED: usize = 10;
/// Callers at the same time.
const CALLERS: usize = 16;
/// Accounts that are charged: enough for every writer on PostgreSQL to have some.
const ACCOUNTS: usize = 6;
/// After a kill, so many of the newest answers are asked for again, and as many of any age.
const ASKED_AGAIN: usize = 50;
/// Longer than any limit of the program: what hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// One database over all kills.
struct Trial {
    site: Site,
    secret: String,
    random: Random,
    journal: Arc<Mutex<Journal>>,
    acknowledged: watch::Receiver<usize>,
    /// Of the requests that were cut off: how many had happened, and how many had not.
    cut_off: (usize, usize),
}

impl Trial {
    async fn new(engine: Engine) -> Self {
        let by_clock = || u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
        let seed = std::env::var("TEST_SEED").map_or_else(|_| by_clock(), |text| text.parse().unwrap());
        println!("TEST_SEED={seed} makes up the same requests again, though not at the same moments");
        let mut random = Random(seed);
        let site = Site::new(engine);
        let secret = site.make_service_key();
        let server = site.serve().await;
        let caller = Caller::new(&secret, &server);
        let mut accounts = Vec::new();
        for number in 0..ACCOUNTS {
            accounts.push(caller.make_account(&format!("account-{number}")).await);
        }
        server.stop().await;
        let journal = Journal::new(Random(random.draw()), &accounts);
        let acknowledged = journal.acknowledged();
        Self { site, secret, random, journal: Arc::new(Mutex::new(journal)), acknowledged, cut_off: (0, 0) }
    }

    /// Gives the program work, and kills it in the middle of that. Where the callers hang up before, as they do when the
    /// network goes before the machine, more of what was asked has happened without an answer.
    async fn kill_at_work(&mut self, mut server: Server, hang_up: bool) {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (caller, journal) = (Caller::new(&self.secret, &server), self.journal.clone());
            callers.spawn(async move {
                loop {
                    let (number, request) = journal.lock().unwrap().make_up();
                    match caller.post(&request).await {
                        Ok(answer) => {
                            assert!(!answer.replayed, "{request:?} was sent for the first time");
                            journal.lock().unwrap().note(number, answer);
                        }
                        Err(error) => return error,
                    }
                }
            });
        }
        let enough = *self.acknowledged.borrow() + 50 + self.random.below(351);
        tokio::select! {
            reached = timeout(PATIENCE, self.acknowledged.wait_for(|count| *count >= enough)) => {
                assert!(reached.is_ok(), "it stands still");
            }
            Some(ended) = callers.join_next() => {
                let (error, status) = (ended.unwrap(), server.process.try_wait());
                panic!("a caller was cut off before the kill: {error:?}; the program: {status:?}");
            }
        }
        if hang_up {
            callers.abort_all();
        }
        // An answer has just come, so a commit has just ended. The kill has to meet any other moment of one too.
        sleep(Duration::from_micros(self.random.draw() % 20_000)).await;
        server.kill();
        while let Some(ended) = callers.join_next().await {
            assert!(ended.as_ref().err().is_none_or(JoinError::is_cancelled), "{ended:?}");
        }
    }

    /// After a kill: what was cut off is asked again, what was answered is answered alike, and all of it adds up.
    async fn recover(&mut self, server: &Server) {
        let caller = Caller::new(&self.secret, server);
        let unanswered = self.journal.lock().unwrap().unanswered();
        for (number, answer) in caller.post_all(unanswered).await {
            match answer.replayed {
                true => self.cut_off.0 += 1,
                false => self.cut_off.1 += 1,
            }
            self.journal.lock().unwrap().note(number, answer);
        }
        let answered = self.journal.lock().unwrap().some_acknowledged(ASKED_AGAIN);
        let requests = answered.iter().map(|(request, _)| request.clone()).enumerate().collect();
        for (number, again) in caller.post_all(requests).await {
            assert_eq!(again, Answer { replayed: true, ..answered[number].1.clone() });
        }
        let expected = |account: usize| {
            let journal = self.journal.lock().unwrap();
            let account = &journal.accounts()[account];
            (format!("{}/credits/balance", account.path), [account.balance, account.held(), 0])
        };
        for account in 0..ACCOUNTS {
            let (path, expected) = expected(account);
            let balance = caller.get(&path).await;
            let found = ["total", "held", "debt"].map(|name| balance[name].as_i64().unwrap());
            if found != expected {
                let rows = self.rows_of(&caller, account).await;
                let difference = self.journal.lock().unwrap().difference(account, &rows);
                let books = self.site.json_of_any_end(&["reconcile"]);
                panic!("{path} has {found:?} and not {expected:?}: {balance}\n{difference}\nreconcile: {books}");
            }
        }
    }

    fn assert_books_balance(&self) {
        let books = self.site.json(&["reconcile"]);
        let accounts = self.journal.lock().unwrap().count_accounts();
        assert_eq!((&books["ok"], &books["accounts"]), (&json!(true), &json!(accounts)), "{books}");
    }

    /// Fails where a history holds a row that was not answered, or lacks one that was.
    async fn assert_history_is_what_was_answered(&self, server: &Server) {
        let caller = Caller::new(&self.secret, server);
        for account in 0..ACCOUNTS {
            let rows = self.rows_of(&caller, account).await;
            let journal = self.journal.lock().unwrap();
            let of_account = &journal.accounts()[account];
            assert!(
                rows == of_account.rows,
                "{} has another history\n{}",
                of_account.path,
                journal.difference(account, &rows)
            );
        }
    }

    /// What the program shows of an account's history: rows with their amounts.
    async fn rows_of(&self, caller: &Caller, account: usize) -> BTreeMap<String, i64> {
        let path = self.journal.lock().unwrap().accounts()[account].path.clone();
        let (mut rows, mut next_page) = (BTreeMap::new(), Some(String::new()));
        while let Some(page) = next_page {
            let page = caller.get(&format!("{path}/credits?limit=200{page}")).await;
            for row in page["transactions"].as_array().unwrap() {
                rows.insert(row["id"].as_str().unwrap().to_owned(), row["amount"].as_i64().unwrap());
            }
            next_page = page["next_cursor"].as_str().map(|cursor| format!("&cursor={cursor}"));
        }
        rows
    }

    async fn assert_file_is_sound(&self) {
        use sqlx::{Connection, Row, SqliteConnection};
        let mut file = SqliteConnection::connect(&self.site.database).await.unwrap();
        let said = sqlx::query("PRAGMA integrity_check").fetch_all(&mut file).await.unwrap();
        let said: Vec<String> = said.iter().map(|row| row.get(0)).collect();
        assert_eq!(said, ["ok"]);
        assert_eq!(sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut file).await.unwrap().len(), 0);
        file.close().await.unwrap();
    }
}

on_both_databases! {
    async fn nothing_answered_is_lost_and_nothing_happens_twice_however_often_it_is_killed(engine: Engine) {
        let kills = std::env::var("TEST_KILLS").map_or(KILLS, |text| text.parse().unwrap());
        let mut trial = Trial::new(engine).await;
        let mut server = trial.site.serve().await;
        for kill in 0..kills {
            trial.kill_at_work(server, kill % 2 == 0).await;
            server = trial.site.serve().await;
            trial.recover(&server).await;
            if kill < KILLS || kill % SELDOM_PROVED == 0 {
                trial.assert_books_balance();
            }
        }
        trial.assert_history_is_what_was_answered(&server).await;
        server.stop().await;
        trial.assert_books_balance();
        match engine {
            Engine::Sqlite => trial.assert_file_is_sound().await,
            Engine::Postgres => {}
        }
        let (acknowledged, (happened, had_not)) = (*trial.acknowledged.borrow(), trial.cut_off);
        println!("{kills} kills, {acknowledged} acknowledged; cut off: {happened} had happened, {had_not} had not");
        // Else every kill came before the commits or after their answers, and showed nothing.
        assert!(happened > 0 && had_not > 0, "no kill came between a commit and its answers");
    }
}
