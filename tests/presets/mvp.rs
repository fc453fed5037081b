//! The preset `mvp`: credits for signing up, spent on features, and nothing to buy.

use super::{ANN, Person, serve};
use crate::common::server::{Program, TestServer, Visitor};
use reqwest::StatusCode;
use scrip::domain::Credits;
use tokio::task::JoinSet;

#[tokio::test]
async fn every_new_account_starts_with_100_credits() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    assert_eq!(ann.available().await, 100);
    let bob = Visitor::signed_up(&server, "bob@example.com").await;
    assert_eq!(bob.available().await, 100);
    let rows = ann.program.get("/api/credits").await;
    assert_eq!((rows.word("/transactions/0/type").as_str(), rows.number("/transactions/0/amount")), ("credit", 100));
    server.stop().await;
}

#[tokio::test]
async fn the_number_for_signing_up_is_a_setting() {
    let server = TestServer::start_with(|config| {
        config.preset = "mvp".to_owned();
        config.signup_credits = Some(Credits::of(250));
    })
    .await;
    assert_eq!(Person::signed_up(&server).await.available().await, 250);
    server.stop().await;
}

#[tokio::test]
async fn the_balance_is_seen_on_every_page_and_read_by_programs() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    assert!(ann.page("/dashboard").await.contains("100"));
    assert_eq!(ann.browser.load("load_session").await["user"]["balance"]["available"], 100);
    assert_eq!(ann.program.get("/api/session").await.number("/balance/available"), 100);
    server.stop().await;
}

#[tokio::test]
async fn features_cost_credits() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    assert_eq!(ann.make_picture().await, StatusCode::OK);
    assert_eq!(ann.available().await, 95);
    let charged = ann.program.post("/api/credits/charge", r#"{"feature":"chat-message"}"#).await;
    assert_eq!((charged.status, charged.number("/transaction/amount")), (StatusCode::CREATED, -1));
    assert_eq!(ann.available().await, 94);
    server.stop().await;
}

#[tokio::test]
async fn who_has_too_few_credits_is_told_and_blocked() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    ann.program.post("/api/credits/charge", r#"{"amount":98}"#).await;
    assert_eq!(ann.make_picture().await, StatusCode::PAYMENT_REQUIRED);
    assert!(
        ann.browser.load("load_studio").await["creations"].as_array().unwrap().is_empty(),
        "it was made all the same"
    );
    let refused = ann.program.post("/api/credits/charge", r#"{"feature":"text-to-image"}"#).await;
    assert_eq!(refused.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!((refused.number("/required"), refused.number("/available")), (5, 2));
    assert_eq!(ann.available().await, 2);
    server.stop().await;
}

#[tokio::test]
async fn allocation_and_deduction_are_exact_under_many_at_once() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let program = ann.program.clone();
        calls.spawn(async move { program.post("/api/credits/charge", r#"{"feature":"text-to-image"}"#).await.status });
    }
    let statuses = calls.join_all().await;
    let charged = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
    let refused = statuses.iter().filter(|status| **status == StatusCode::PAYMENT_REQUIRED).count();
    assert_eq!((charged, refused, ann.available().await), (20, 30, 0));
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_shown_is_what_is_there_after_each_change() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    for left in [93, 86, 79] {
        let charged = ann.program.post("/api/credits/charge", r#"{"amount":7}"#).await;
        assert_eq!(charged.number("/transaction/balance_after"), left);
        assert_eq!(ann.browser.available().await, left);
        assert_eq!(ann.available().await, left);
    }
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_for_sale() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    let shop = ann.browser.load("load_plans").await;
    assert_eq!((shop["for_sale"].as_bool(), shop["catalogue"]["plans"].as_array().unwrap().len()), (Some(false), 0));
    let refused = ann.browser.submit("buy_pack", &[("pack", "pack-100")]).await;
    assert!(!refused.headers()["location"].to_str().unwrap().starts_with("/checkout/"));
    server.stop().await;
}

#[tokio::test]
async fn another_program_meters_its_features_for_the_same_people() {
    let server = serve("mvp").await;
    let ann = Person::signed_up(&server).await;
    let other = Program::service(&server);
    let charged = other.post(&format!("/api/accounts/email:{ANN}/credits/charge"), r#"{"amount":10}"#).await;
    assert_eq!((charged.status, ann.available().await), (StatusCode::CREATED, 90));
    server.stop().await;
}
