//! The preset `subscription`: credits for signing up, then plans that are paid by the month or the year.

use super::{ANN, Person, grant, serve};
use crate::common::server::{Program, TestServer};
use reqwest::StatusCode;
use scrip::domain::Credits;
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test]
async fn every_new_account_starts_with_100_credits() {
    let server = serve("subscription").await;
    assert_eq!(Person::signed_up(&server).await.available().await, 100);
    server.stop().await;
    let server = TestServer::start_with(|config| {
        config.preset = "subscription".to_owned();
        config.signup_credits = Some(Credits::of(30));
    })
    .await;
    assert_eq!(Person::signed_up(&server).await.available().await, 30, "by the environment");
    server.stop().await;
}

#[tokio::test]
async fn the_balance_is_on_the_dashboard() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    assert!(ann.page("/dashboard").await.contains("100"));
    ann.program.post("/api/credits/charge", r#"{"amount":17}"#).await;
    assert!(ann.page("/dashboard").await.contains("83"));
    server.stop().await;
}

#[tokio::test]
async fn three_tiers_say_their_credits_per_cycle_and_their_cost() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    let shop = ann.browser.load("load_plans").await;
    let plans = shop["catalogue"]["plans"].as_array().unwrap();
    let terms = |plan: &Value| {
        let number = |name: &str| plan[name].as_i64().unwrap();
        (
            plan["id"].as_str().unwrap().to_owned(),
            number("credits_per_month"),
            number("month_cents"),
            number("year_cents"),
        )
    };
    let expected = [("free", 0, 0, 0), ("starter", 300, 900, 9_000), ("pro", 1_200, 2_900, 29_000)];
    let expected = expected.map(|(id, credits, month, year)| (id.to_owned(), credits, month, year));
    assert_eq!(plans.iter().map(terms).collect::<Vec<_>>(), expected);
    let page = ann.page("/plans").await;
    assert!(page.contains("Starter") && page.contains("$9") && page.contains("300"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_paid_subscription_adds_its_credits_once() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    ann.pay_for("upgrade_plan", &[("plan", "starter"), ("interval", "month")]).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!((balance.number("/available"), balance.word("/plan").as_str()), (400, "starter"));
    assert_eq!(balance.json()["by_source"], json!({ "signup": 100, "monthly": 300 }));
    assert_eq!(balance.number("/next_reset/amount"), 300);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn a_yearly_price_still_brings_the_credits_by_the_month() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    ann.pay_for("upgrade_plan", &[("plan", "pro"), ("interval", "year")]).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!((balance.number("/available"), balance.number("/next_reset/amount")), (1_300, 1_200));
    server.stop().await;
}

#[tokio::test]
async fn named_features_take_credits() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    assert_eq!(ann.make_picture().await, StatusCode::OK);
    assert_eq!(ann.available().await, 95);
    let costs = ann.program.get("/api/credit-costs").await.json();
    assert!(costs["rates"].as_array().unwrap().len() >= 8, "{costs}");
    server.stop().await;
}

#[tokio::test]
async fn who_runs_out_is_led_to_a_plan() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    let refused = ann.program.post("/api/credits/charge", r#"{"amount":250}"#).await;
    assert_eq!(refused.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!((refused.number("/shortfall"), refused.word("/plans_url").as_str()), (150, "/plans"));
    assert_eq!(refused.word("/suggestion/next_plan/id"), "starter");
    assert_eq!(refused.word("/suggestion/cheapest_pack/id"), "pack-500");
    assert_eq!(ann.available().await, 100);
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_lost_or_spent_twice_under_many_at_once() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    let service = Program::service(&server);
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let (program, service) = (ann.program.clone(), service.clone());
        calls.spawn(async move {
            if number % 2 == 0 {
                program.post("/api/credits/charge", r#"{"amount":3}"#).await.status
            } else {
                let body = r#"{"amount":3,"source":"promotion","reason":"a gift"}"#;
                service.post(&format!("/api/accounts/email:{ANN}/grants"), body).await.status
            }
        });
    }
    let statuses = calls.join_all().await;
    let charged = statuses.iter().filter(|status| **status == StatusCode::CREATED).count() as i64 - 50;
    assert_eq!(ann.available().await, 100 + 50 * 3 - charged * 3, "{statuses:?}");
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn the_balance_is_pushed_as_it_changes() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    let mut events = ann.browser.client.get(server.url("/api/credits/events")).send().await.unwrap();
    let mut text = String::new();
    let mut read_until = async |words: &str| {
        while !text.contains(words) {
            let chunk = events.chunk().await.unwrap().unwrap_or_else(|| panic!("no {words} in {text}"));
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    read_until("\"available\":100").await;
    ann.program.post("/api/credits/charge", r#"{"amount":1}"#).await;
    read_until("\"available\":99").await;
    drop(events);
    server.stop().await;
}

#[tokio::test]
async fn kinds_of_credits_are_told_apart_and_may_end() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    let ending = r#"{"amount":40,"source":"promotion","reason":"Spring","expires_at":"2099-01-01T00:00:00Z"}"#;
    grant(&server, ending).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!(balance.json()["by_source"], json!({ "signup": 100, "promotion": 40 }));
    assert_eq!(
        (balance.number("/next_expiry/amount"), balance.word("/next_expiry/at").as_str()),
        (40, "2099-01-01T00:00:00Z")
    );
    server.stop().await;
}

#[tokio::test]
async fn packs_are_bought_once_beside_any_plan() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    ann.pay_for("buy_pack", &[("pack", "pack-100")]).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!(balance.json()["by_source"], json!({ "signup": 100, "purchase": 100 }));
    server.stop().await;
}

#[tokio::test]
async fn use_is_tracked_by_feature() {
    let server = serve("subscription").await;
    let ann = Person::signed_up(&server).await;
    for feature in ["chat-message", "chat-message", "upscale"] {
        ann.program.post("/api/credits/charge", &json!({ "feature": feature }).to_string()).await;
    }
    let rows = ann.program.get("/api/credits?feature=chat-message").await.json();
    assert_eq!(rows["transactions"].as_array().unwrap().len(), 2);
    server.stop().await;
}
