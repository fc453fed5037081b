//! The preset `creator`: Free, Basic and Premium, and what generation costs. The usual one.

use super::{Person, serve};
use crate::common::server::{TestServer, Visitor};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn free_has_60_credits_once() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let balance = ann.program.get("/api/credits/balance").await;
    assert_eq!(
        (balance.json()["by_source"].clone(), balance.json()["next_reset"].clone()),
        (json!({ "signup": 60 }), Value::Null)
    );
    assert_eq!(ann.program.get("/api/session").await.word("/plan"), "free");
    server.stop().await;
}

#[tokio::test]
async fn it_is_the_preset_of_who_names_none() {
    let server = TestServer::start().await;
    let shop = Visitor::new(&server).load("load_plans").await;
    assert_eq!(shop["catalogue"]["preset"], "creator");
    server.stop().await;
}

#[tokio::test]
async fn three_plans_have_their_prices_by_month_and_year() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let shop = ann.browser.load("load_plans").await;
    let terms = |plan: &Value| {
        let number = |name: &str| plan[name].as_i64().unwrap();
        (
            plan["name"].as_str().unwrap().to_owned(),
            number("credits_per_month"),
            number("month_cents"),
            number("year_cents"),
        )
    };
    let expected = [("Free", 0, 0, 0), ("Basic", 500, 1_500, 21_000), ("Premium", 1_200, 2_900, 29_000)];
    let expected = expected.map(|(name, credits, month, year)| (name.to_owned(), credits, month, year));
    let plans = shop["catalogue"]["plans"].as_array().unwrap();
    assert_eq!(plans.iter().map(terms).collect::<Vec<_>>(), expected);
    let page = ann.page("/plans").await;
    for words in ["Perfect for getting started", "Ideal for regular creators", "Best for power users", "$15", "$29"] {
        assert!(page.contains(words), "no {words}: {page}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_kind_of_generation_has_its_cost() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    for (feature, units, cost) in [
        ("text-to-image", 1, 5),
        ("image-to-image", 1, 5),
        ("upscale", 1, 5),
        ("video", 5, 25),
        ("video", 8, 50),
        ("video", 10, 50),
        ("audio", 15, 1),
        ("audio", 16, 2),
        ("lipsync", 10, 20),
        ("lipsync", 11, 40),
    ] {
        let quote = ann.program.get(&format!("/api/credits/quote?feature={feature}&units={units}")).await;
        assert_eq!(quote.number("/cost"), cost, "{feature} {units}");
    }
    let too_long = ann.program.get("/api/credits/quote?feature=video&units=11").await;
    assert!(too_long.status.is_client_error(), "{too_long:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_costs_are_described_for_people() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let costs = ann.program.get("/api/credit-costs").await.json();
    let words = |feature: &str| {
        let rates = costs["rates"].as_array().unwrap();
        rates.iter().find(|rate| rate["feature"] == feature).unwrap()["words"].as_str().unwrap().to_owned()
    };
    assert_eq!(words("text-to-image"), "5 credits per image");
    assert_eq!(words("video"), "25 credits up to 5 s, 50 credits up to 10 s");
    assert_eq!(words("audio"), "1 credit per started 15 s");
    assert_eq!(words("lipsync"), "20 credits per started 10 s");
    server.stop().await;
}

#[tokio::test]
async fn the_balance_comes_with_the_history_as_long_as_is_asked_for() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    for _ in 0..4 {
        ann.program.post("/api/credits/charge", r#"{"amount":1}"#).await;
    }
    let page = ann.program.get("/api/credits?limit=3").await;
    assert_eq!((page.number("/balance/available"), page.json()["transactions"].as_array().unwrap().len()), (56, 3));
    server.stop().await;
}

#[tokio::test]
async fn a_plan_upgrade_adds_its_credits_and_is_recorded() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    ann.pay_for("upgrade_plan", &[("plan", "basic"), ("interval", "month")]).await;
    let page = ann.program.get("/api/credits").await;
    assert_eq!((page.number("/balance/available"), page.number("/transactions/0/amount")), (560, 500));
    assert_eq!(page.word("/balance/plan"), "basic");
    server.stop().await;
}

#[tokio::test]
async fn a_generation_is_checked_charged_and_says_so() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let form = [("feature", "text-to-image"), ("prompt", "a lighthouse at dusk")];
    let made = ann.browser.send("generate", &form).await;
    assert_eq!(made.status(), StatusCode::OK);
    let text = made.text().await.unwrap();
    assert!(text.contains("55"), "what remains is not told: {text}");
    assert_eq!(ann.available().await, 55);
    server.stop().await;
}

#[tokio::test]
async fn a_failed_generation_costs_nothing() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let form = [("feature", "text-to-image"), ("prompt", "please /fail")];
    let failed = ann.browser.send("generate", &form).await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(ann.available().await, 60);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn who_has_too_few_is_told_what_it_costs_before_anything_is_made() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    ann.program.post("/api/credits/charge", r#"{"amount":57}"#).await;
    assert_eq!(ann.make_picture().await, StatusCode::PAYMENT_REQUIRED);
    let refused = ann.program.post("/api/credits/charge", r#"{"feature":"text-to-image"}"#).await;
    assert_eq!((refused.status, refused.number("/required")), (StatusCode::PAYMENT_REQUIRED, 5));
    assert!(!refused.word("/error").is_empty());
    server.stop().await;
}

#[tokio::test]
async fn every_operation_is_logged_with_all_that_it_was() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let body = r#"{"feature":"lipsync","units":12,"description":"A greeting","metadata":{"scene":"3"}}"#;
    ann.program.post("/api/credits/charge", body).await;
    let row = ann.program.get("/api/credits?limit=1").await;
    assert_eq!((row.number("/transactions/0/amount"), row.number("/transactions/0/balance_after")), (-40, 20));
    for (field, value) in [("type", "debit"), ("feature", "lipsync"), ("description", "A greeting")] {
        assert_eq!(row.word(&format!("/transactions/0/{field}")), value);
    }
    assert_eq!((row.number("/transactions/0/units"), row.word("/transactions/0/metadata/scene").as_str()), (12, "3"));
    assert!(row.word("/transactions/0/created_at").ends_with('Z'));
    server.stop().await;
}

#[tokio::test]
async fn credits_can_be_bought_without_a_plan() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    ann.pay_for("buy_pack", &[("pack", "pack-500")]).await;
    assert_eq!(ann.available().await, 560);
    assert_eq!(ann.program.get("/api/session").await.word("/plan"), "free");
    server.stop().await;
}

#[tokio::test]
async fn the_page_shows_balance_plan_costs_and_the_way_up() {
    let server = serve("creator").await;
    let ann = Person::signed_up(&server).await;
    let page = ann.page("/dashboard").await;
    assert!(page.contains("60") && page.contains("Free"), "{page}");
    assert!(ann.page("/plans").await.contains("Upgrade to"));
    let studio = ann.page("/studio").await;
    assert!(studio.contains("Text to image"), "{studio}");
    server.stop().await;
}
