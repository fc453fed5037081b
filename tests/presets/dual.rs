//! The preset `dual`: credits that come anew each month, and bought ones that never end, for Free and Pro.

use super::{ANN, Person, grant, serve};
use crate::common::NOW;
use crate::common::command::Installation;
use crate::common::server::{Program, TestServer, Visitor};
use reqwest::StatusCode;
use scrip::domain::Timestamp;
use scrip::server::clock::{Clock, ManualClock};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// What there is of each kind.
async fn kinds(ann: &Person<'_>) -> Value {
    ann.program.get("/api/credits/balance").await.json()["by_source"].clone()
}

async fn charge(ann: &Person<'_>, amount: i64) {
    let body = json!({ "amount": amount }).to_string();
    assert_eq!(ann.program.post("/api/credits/charge", &body).await.status, StatusCode::CREATED);
}

/// Credits that were bought.
async fn buy_hundred(ann: &Person<'_>) {
    ann.pay_for("buy_pack", &[("pack", "pack-100")]).await;
}

/// The server by a clock that the test moves.
async fn serve_by(clock: Arc<ManualClock>) -> TestServer {
    TestServer::start_with_clock(clock, |config| config.preset = "dual".to_owned()).await
}

fn move_to(clock: &ManualClock, moment: Timestamp) {
    clock.advance_seconds(moment.seconds_since(clock.now()));
}

#[tokio::test]
async fn the_free_plan_has_50_credits_a_month() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    assert_eq!(kinds(&ann).await, json!({ "monthly": 50 }));
    assert_eq!(ann.program.get("/api/credits/balance").await.number("/next_reset/amount"), 50);
    server.stop().await;
}

#[tokio::test]
async fn pro_has_1000_a_month_by_the_month_or_by_the_year() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    ann.pay_for("upgrade_plan", &[("plan", "pro"), ("interval", "year")]).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!((balance.word("/plan").as_str(), balance.number("/next_reset/amount")), ("pro", 1_000));
    assert!(balance.number("/by_source/monthly") >= 1_000);
    server.stop().await;
}

#[tokio::test]
async fn monthly_credits_come_anew_and_are_not_carried_over() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = serve_by(clock.clone()).await;
    let ann = Person::signed_up(&server).await;
    charge(&ann, 20).await;
    assert_eq!(kinds(&ann).await, json!({ "monthly": 30 }));
    move_to(&clock, NOW.plus_months(1));
    assert_eq!(kinds(&ann).await, json!({ "monthly": 50 }), "what was left is gone, the new month is whole");
    let rows = ann.program.get("/api/credits?type=expiry").await;
    assert_eq!(rows.number("/transactions/0/amount"), -30);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn bought_credits_never_end() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = serve_by(clock.clone()).await;
    let ann = Person::signed_up(&server).await;
    buy_hundred(&ann).await;
    move_to(&clock, NOW.plus_months(1));
    assert_eq!(kinds(&ann).await, json!({ "monthly": 50, "purchase": 100 }));
    move_to(&clock, NOW.plus_months(30));
    assert_eq!(kinds(&ann).await, json!({ "monthly": 50, "purchase": 100 }));
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn both_plans_may_buy() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    buy_hundred(&ann).await;
    ann.pay_for("upgrade_plan", &[("plan", "pro"), ("interval", "month")]).await;
    buy_hundred(&ann).await;
    assert_eq!(kinds(&ann).await["purchase"], 200);
    server.stop().await;
}

#[tokio::test]
async fn monthly_credits_are_spent_before_bought_ones() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    buy_hundred(&ann).await;
    charge(&ann, 40).await;
    assert_eq!(kinds(&ann).await, json!({ "monthly": 10, "purchase": 100 }));
    charge(&ann, 30).await;
    assert_eq!(kinds(&ann).await, json!({ "purchase": 80 }));
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn the_history_says_which_credits_a_charge_took() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    buy_hundred(&ann).await;
    charge(&ann, 60).await;
    let rows = ann.program.get("/api/credits?limit=1").await.json();
    let draws = rows["transactions"][0]["draws"].as_array().unwrap();
    let drawn: Vec<_> =
        draws.iter().map(|draw| (draw["source"].as_str().unwrap(), draw["amount"].as_i64().unwrap())).collect();
    assert_eq!(drawn, [("monthly", -50), ("purchase", -10)]);
    server.stop().await;
}

#[tokio::test]
async fn the_balance_has_its_parts_and_the_next_reset() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = serve_by(clock.clone()).await;
    let ann = Person::signed_up(&server).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!((balance.number("/available"), balance.number("/held"), balance.number("/debt")), (50, 0, 0));
    let next = Timestamp::parse_rfc3339(&balance.word("/next_reset/at")).unwrap();
    assert_eq!(next, NOW.plus_months(1));
    server.stop().await;
}

#[tokio::test]
async fn bought_credits_are_added_once_for_each_payment() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    let body = r#"{"amount":500,"source":"purchase","reason":"Pack of 500","reference":"payment-1"}"#;
    grant(&server, body).await;
    let again = Program::service(&server).post(&format!("/api/accounts/email:{ANN}/grants"), body).await;
    assert_eq!((again.status, kinds(&ann).await["purchase"].as_i64()), (StatusCode::CONFLICT, Some(500)));
    server.stop().await;
}

#[tokio::test]
async fn a_reset_out_of_turn_is_rolled_back_exactly() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    charge(&ann, 20).await;
    let site = Installation::beside(&server.database, "dual");
    let site = tokio::task::spawn_blocking(move || {
        site.json(&["reset", "run", "--user", ANN, "--run", "november", "--yes"]);
        site
    });
    let site = site.await.unwrap();
    assert_eq!(ann.available().await, 50);
    tokio::task::spawn_blocking(move || site.json(&["reset", "undo", "november", "--yes"])).await.unwrap();
    assert_eq!(ann.available().await, 30);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn errors_have_one_structure_and_requests_are_checked() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    for (body, status) in [
        ("{", StatusCode::BAD_REQUEST),
        (r#"{"amount":-5}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"amount":5,"colour":"red"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"amount":51}"#, StatusCode::PAYMENT_REQUIRED),
    ] {
        let refused = ann.program.post("/api/credits/charge", body).await;
        assert_eq!((refused.status, refused.content_type.as_str()), (status, "application/problem+json"), "{body}");
        for member in ["type", "title", "status", "detail", "code", "error"] {
            assert!(!refused.json()[member].is_null(), "{body}: no {member}");
        }
    }
    assert_eq!(ann.available().await, 50);
    server.stop().await;
}

#[tokio::test]
async fn every_change_by_hand_is_in_the_audit_log() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    let id = ann.browser.load("load_session").await["user"]["public_id"].as_str().unwrap().to_owned();
    grant(&server, r#"{"amount":5,"source":"adjustment","reason":"A kindness"}"#).await;
    let admin = Visitor::admin(&server).await;
    let account = admin.load(&format!("load_account?user={id}")).await;
    let audit = account["audit"].as_array().unwrap();
    assert!(audit.iter().any(|row| row["reason"] == "A kindness" && row["delta"] == 5), "{account}");
    server.stop().await;
}

#[tokio::test]
async fn the_balance_changes_on_the_page_at_once() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    let mut events = ann.browser.client.get(server.url("/api/credits/events")).send().await.unwrap();
    let mut text = String::new();
    charge(&ann, 1).await;
    while !text.contains("\"available\":49") {
        let chunk = events.chunk().await.unwrap().unwrap_or_else(|| panic!("no 49 in {text}"));
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    drop(events);
    assert!(ann.page("/dashboard").await.contains("49"));
    server.stop().await;
}

#[tokio::test]
async fn credits_are_bought_on_the_page_and_the_reason_is_plain() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    let page = ann.page("/buy").await;
    for words in ["100", "$5", "500", "$20", "$70"] {
        assert!(page.contains(words), "no {words}: {page}");
    }
    assert_eq!(ann.make_picture().await, StatusCode::OK);
    assert!(ann.page("/history").await.contains("a lighthouse at dusk"));
    server.stop().await;
}

#[tokio::test]
async fn concurrent_deductions_never_pass_zero_nor_mix_the_kinds() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    buy_hundred(&ann).await;
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let program = ann.program.clone();
        calls.spawn(async move { program.post("/api/credits/charge", r#"{"amount":2}"#).await.status });
    }
    let statuses = calls.join_all().await;
    let charged = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
    assert_eq!((charged, ann.available().await, kinds(&ann).await), (75, 0, json!({})), "{statuses:?}");
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn nobody_can_give_themselves_credits() {
    let server = serve("dual").await;
    let ann = Person::signed_up(&server).await;
    let body = r#"{"amount":500,"source":"purchase","reason":"me"}"#;
    let refused = ann.program.post(&format!("/api/accounts/email:{ANN}/grants"), body).await;
    assert_eq!((refused.status, ann.available().await), (StatusCode::FORBIDDEN, 50));
    server.stop().await;
}

#[tokio::test]
async fn people_who_were_there_before_are_brought_to_the_new_system() {
    // A system without plans, whose people are brought to this one.
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    charge(&ann, 90).await;
    let site = Installation::beside(&server.database, "dual");
    tokio::task::spawn_blocking(move || {
        site.json(&["preset", "apply", "dual", "--yes"]);
        site.json(&["credits", "backfill", "--amount", "50", "--yes"]);
    })
    .await
    .unwrap();
    assert_eq!(ann.available().await, 50);
    let bob = Visitor::new(&server);
    // The running server goes by the new catalogue within a second.
    let shop = async || bob.load("load_plans").await["catalogue"]["preset"] == "dual";
    while !shop().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(Visitor::signed_up(&server, "bob@example.com").await.available().await, 50);
    server.assert_books_balance().await;
    server.stop().await;
}
