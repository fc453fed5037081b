//! The preset `api`: 5,000 credits to begin with, and one for each call that succeeds.

use super::{ANN, Person, grant, serve};
use crate::common::command::{Installation, run};
use crate::common::server::{Program, TestServer, Visitor};
use reqwest::StatusCode;
use serde_json::json;

/// One call of an API that is metered by another back end: reserve, do the work, and take the credit or give it back.
async fn call(program: &Program, succeeds: bool) -> StatusCode {
    let path = format!("/api/accounts/email:{ANN}/credits/holds");
    let hold = program.post(&path, r#"{"feature":"api-call"}"#).await;
    if hold.status != StatusCode::CREATED {
        return hold.status;
    }
    let what = if succeeds { "capture" } else { "release" };
    program.post(&format!("{path}/{}/{what}", hold.word("/id")), "").await.status
}

/// Leaves somebody with so many credits.
async fn leave(ann: &Person<'_>, credits: i64) {
    let amount = ann.available().await - credits;
    let charged = ann.program.post("/api/credits/charge", &json!({ "amount": amount }).to_string()).await;
    assert_eq!(charged.status, StatusCode::CREATED);
}

#[tokio::test]
async fn every_new_account_starts_with_5000_credits() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    assert_eq!(ann.available().await, 5_000);
    server.stop().await;
}

#[tokio::test]
async fn an_account_that_another_program_makes_starts_with_them_too() {
    let server = serve("api").await;
    let made = Program::service(&server).post("/api/accounts", r#"{"email":"new@example.com"}"#).await;
    assert_eq!((made.status, made.number("/balance/available")), (StatusCode::CREATED, 5_000));
    server.stop().await;
}

#[tokio::test]
async fn a_call_without_a_credit_left_is_refused_before_it_is_made() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    leave(&ann, 1).await;
    let service = Program::service(&server);
    assert_eq!(call(&service, true).await, StatusCode::OK);
    assert_eq!(call(&service, true).await, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(ann.available().await, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_succeeds_costs_one_credit_and_one_that_fails_costs_none() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    let service = Program::service(&server);
    for succeeds in [true, false, true, false, false] {
        assert_eq!(call(&service, succeeds).await, StatusCode::OK);
    }
    assert_eq!(ann.available().await, 4_998);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn insufficient_credits_are_told_in_the_words_that_clients_know() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    leave(&ann, 0).await;
    let refused = ann.program.post("/api/credits/charge", r#"{"feature":"api-call"}"#).await;
    assert_eq!(refused.status, StatusCode::PAYMENT_REQUIRED);
    let words = "Insufficient credits. Please contact support to add more credits to your account.";
    assert_eq!(refused.word("/error"), words);
    server.stop().await;
}

#[tokio::test]
async fn programs_check_deduct_and_read_the_balance() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    let quote = ann.program.get("/api/credits/quote?feature=api-call&units=3").await;
    assert_eq!((quote.number("/cost"), &quote.json()["enough"]), (3, &json!(true)));
    let charged = ann.program.post("/api/credits/charge", r#"{"feature":"api-call","units":3}"#).await;
    assert_eq!((charged.status, charged.number("/balance/available")), (StatusCode::CREATED, 4_997));
    assert_eq!(ann.available().await, 4_997);
    server.stop().await;
}

async fn command(server: &TestServer, arguments: &'static [&'static str]) -> serde_json::Value {
    let site = Installation::beside(&server.database, "api");
    tokio::task::spawn_blocking(move || site.json(arguments)).await.unwrap()
}

#[tokio::test]
async fn people_who_were_there_before_get_5000_by_a_command() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    let _bob = Visitor::signed_up(&server, "bob@example.com").await;
    leave(&ann, 10).await;
    let report = command(&server, &["credits", "backfill", "--amount", "5000", "--yes"]).await;
    assert_eq!((&report["raised"], &report["granted"]), (&json!(1), &json!(4_990)));
    assert_eq!(ann.available().await, 5_000);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn all_of_them_get_5000_whatever_they_have() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    grant(&server, r#"{"amount":300,"source":"promotion","reason":"a gift"}"#).await;
    let bob = Visitor::signed_up(&server, "bob@example.com").await;
    let report = command(&server, &["credits", "backfill", "--amount", "5000", "--all", "--lower", "--yes"]).await;
    assert_eq!((&report["raised"], &report["lowered"]), (&json!(0), &json!(1)));
    assert_eq!((ann.available().await, bob.available().await), (5_000, 5_000));
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn one_persons_credits_are_set_by_hand() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    command(&server, &["credits", "grant", "--user", ANN, "--amount", "200", "--reason", "By hand"]).await;
    assert_eq!(ann.available().await, 5_200);
    let admin = Visitor::admin(&server).await;
    let id = ann.browser.load("load_session").await["user"]["public_id"].as_str().unwrap().to_owned();
    let form = [("user", id.as_str()), ("amount", "-200"), ("reason", "By hand"), ("form_key", "by-hand")];
    assert_eq!(admin.send("adjust_credits", &form).await.status(), StatusCode::OK);
    assert_eq!(ann.available().await, 5_000);
    server.stop().await;
}

#[tokio::test]
async fn every_call_is_in_the_history_with_its_feature() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    call(&Program::service(&server), true).await;
    let rows = ann.program.get("/api/credits?feature=api-call").await;
    assert_eq!((rows.number("/transactions/0/amount"), rows.word("/transactions/0/type").as_str()), (-1, "debit"));
    assert!(rows.word("/transactions/0/actor").starts_with("key:"));
    server.stop().await;
}

#[tokio::test]
async fn the_balance_is_in_the_session() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    assert_eq!(ann.program.get("/api/session").await.number("/balance/available"), 5_000);
    assert_eq!(ann.browser.load("load_session").await["user"]["balance"]["available"], 5_000);
    server.stop().await;
}

#[tokio::test]
async fn endpoints_may_cost_differently_by_the_catalogue() {
    let server = serve("api").await;
    let ann = Person::signed_up(&server).await;
    let site = Installation::beside(&server.database, "api");
    let applied = tokio::task::spawn_blocking(move || {
        let text = site.text(&["preset", "show", "api"]);
        let rate = "\n[[rates]]\nfeature = \"search\"\nname = \"Search\"\nunit = \"call\"\nrule = { per-unit = { cost = 4 } }\n";
        std::fs::write(site.folder.path().join("mine.toml"), text + rate).unwrap();
        run(&mut site.command(&["preset", "apply", "./mine.toml", "--yes"]), "")
    });
    assert!(applied.await.unwrap().status.success());
    // The server that runs notices by itself.
    ann.program.get_until("/api/credits/quote?feature=search", StatusCode::OK).await;
    let charged = ann.program.post("/api/credits/charge", r#"{"feature":"search"}"#).await;
    assert_eq!((charged.number("/transaction/amount"), charged.number("/transaction/rate_version")), (-4, 2));
    server.stop().await;
}
