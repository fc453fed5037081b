//! The program, killed between the receipt of a payment's event and the grant of what was paid.

use super::PATIENCE;
use super::common::{Engine, on_both_databases};
use super::program::{Server, Site};
use reqwest::header::{ACCEPT, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// So often a kill has to meet the moment, which is a short one ...
const HITS: usize = 3;
/// ... in at most so many kills.
const MAX_KILLS: usize = 60;
/// What a new account of the default preset has.
const SIGNUP_CREDITS: i64 = 60;
const PACK: (&str, i64) = ("pack-500", 500);

/// Someone who buys, in a browser that is told nothing of kills.
struct Buyer {
    client: Client,
    base: String,
}

impl Buyer {
    async fn sign_up(server: &Server) -> Self {
        let client = Client::builder().cookie_store(true).redirect(Policy::none()).timeout(PATIENCE).build().unwrap();
        let buyer = Self { client, base: server.base.clone() };
        let form = [("name", "Ann"), ("email", "ann@example.com"), ("password", "a password for tests")];
        let answer = buyer.send("sign_up", &form).await.unwrap();
        assert!(!answer.status().is_server_error() && !answer.status().is_client_error(), "{answer:?}");
        buyer
    }

    async fn send(&self, function: &str, form: &[(&str, &str)]) -> reqwest::Result<Response> {
        let request = self.client.post(format!("{}/fn/{function}", self.base)).form(form);
        request.header(ACCEPT, "text/html").send().await
    }

    async fn load(&self, question: &str) -> Value {
        let request = self.client.get(format!("{}/fn/{question}", self.base)).header(ACCEPT, "application/json");
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Begins to buy a pack; the order.
    async fn begin(&self) -> String {
        let answer = self.send("buy_pack", &[("pack", PACK.0)]).await.unwrap();
        let location = answer.headers()[LOCATION].to_str().unwrap().to_owned();
        let (_, order) = location.rsplit_once("/checkout/").unwrap_or_else(|| panic!("no checkout: {location}"));
        order.to_owned()
    }

    async fn approve(&self, order: &str) -> reqwest::Result<()> {
        self.send("approve_payment", &[("order", order)]).await?.error_for_status().map(drop)
    }

    /// Waits until the provider's word has come and was booked.
    async fn wait_until_paid(&self, order: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.load(&format!("load_order?order={order}")).await;
            if found["status"] == "paid" {
                return;
            }
            assert!(Instant::now() < deadline, "it is not booked: {found}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn available(&self) -> i64 {
        self.load("load_session").await["user"]["balance"]["available"].as_i64().unwrap()
    }
}

/// How far the payment of an order had come when the program was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// The event was not there.
    Nothing,
    /// It was there, and what it brings was not.
    Receipt,
    /// All of it.
    Grant,
}

/// Events of payments that were received, and grants of purchases.
const COUNTS: &str = "
    SELECT (SELECT count(*) FROM payment_events) AS events,
        (SELECT count(*) FROM grants WHERE source = 'purchase') AS grants";

impl Site {
    async fn count_payments(&self, engine: Engine) -> (i64, i64) {
        use sqlx::{Connection, PgConnection, Row, SqliteConnection};
        match engine {
            Engine::Sqlite => {
                let mut file = SqliteConnection::connect(&self.database).await.unwrap();
                let row = sqlx::query(COUNTS).fetch_one(&mut file).await.unwrap();
                file.close().await.unwrap();
                (row.get("events"), row.get("grants"))
            }
            Engine::Postgres => {
                let mut database = PgConnection::connect(&self.database).await.unwrap();
                let row = sqlx::query(COUNTS).fetch_one(&mut database).await.unwrap();
                database.close().await.unwrap();
                (row.get("events"), row.get("grants"))
            }
        }
    }
}

on_both_databases! {
    async fn what_is_paid_is_granted_once_however_soon_after_the_receipt_it_is_killed(engine: Engine) {
        let site = Site::new(engine);
        let mut server = site.serve().await;
        let mut buyer = Buyer::sign_up(&server).await;
        let mut found = Vec::new();
        // Too early, and later the next time; too late, and earlier.
        let mut wait = Duration::from_millis(10);
        while found.iter().filter(|reached| **reached == Reached::Receipt).count() < HITS {
            assert!(found.len() < MAX_KILLS, "no kill met the moment between receipt and grant: {found:?}");
            let order = buyer.begin().await;
            let (events_before, grants_before) = site.count_payments(engine).await;
            let answered = tokio::join!(buyer.approve(&order), async {
                sleep(wait).await;
                server.kill();
            }).0;
            let (events, grants) = site.count_payments(engine).await;
            let reached = match (events - events_before, grants - grants_before) {
                (0, 0) => Reached::Nothing,
                (_, 0) => Reached::Receipt,
                (_, 1) => Reached::Grant,
                other => panic!("events and grants of one payment: {other:?}"),
            };
            assert!(answered.is_err() || reached != Reached::Nothing, "it was answered, and nothing is there");
            wait = match reached {
                Reached::Nothing => wait.mul_f64(1.2),
                Reached::Receipt => wait,
                Reached::Grant => wait.mul_f64(0.9),
            };
            found.push(reached);

            server = site.serve().await;
            buyer.base = server.base.clone();
            // What a person does whose page broke off; a payment that was approved is not paid again.
            if reached == Reached::Nothing {
                buyer.approve(&order).await.unwrap();
            }
            buyer.wait_until_paid(&order).await;
            let packs = i64::try_from(found.len()).unwrap();
            assert_eq!(buyer.available().await, SIGNUP_CREDITS + packs * PACK.1, "{found:?}");
        }
        server.stop().await;
        assert_eq!(site.json(&["reconcile"])["ok"], json!(true));
        println!("killed after {found:?}");
    }
}
