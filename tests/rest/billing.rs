//! Plans, packs and payment events over HTTP.

use crate::common::server::{Program, TestServer, Visitor};
use reqwest::StatusCode;

/// Someone who has signed up, by session and by a key of theirs.
async fn ann(server: &TestServer) -> (Visitor<'_>, Program) {
    let visitor = Visitor::signed_up(server, "ann@example.com").await;
    let key = server.personal_key("ann@example.com").await;
    (visitor, Program::with_key(server, Some(&key)))
}

#[tokio::test]
async fn plans_and_packs_stand_there_with_the_current_plan() {
    let server = TestServer::start().await;
    let (_, program) = ann(&server).await;
    let answer = program.get("/api/plans").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((answer.word("/current_plan"), answer.word("/plans/1/id")), ("free".into(), "basic".into()));
    assert_eq!((answer.number("/plans/1/month_cents"), answer.number("/packs/0/price_cents")), (1_500, 500));
    assert_eq!(answer.number("/balance/available"), 60);
    assert_eq!(Program::with_key(&server, None).get("/api/plans").await.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn a_purchase_is_begun_once_for_a_key_and_paid_by_a_person() {
    let server = TestServer::start().await;
    let (visitor, program) = ann(&server).await;
    let begin = || program.post_once("/api/credits/purchase", r#"{"pack":"pack-500"}"#, "once");
    let (first, again) = (begin().await, begin().await);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED), "{first:?}");
    assert_eq!((&again.text, first.replayed, again.replayed), (&first.text, false, true));
    let other = program.post_once("/api/credits/purchase", r#"{"pack":"pack-100"}"#, "once").await;
    assert_eq!((other.status, other.code()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused".into()));
    let (order, url) = (first.word("/order"), first.word("/checkout_url"));
    assert!(url.starts_with("http://") && url.ends_with(&format!("/checkout/{order}")), "{url}");
    assert!(visitor.send("approve_payment", &[("order", &order)]).await.status().is_success());
    assert_eq!(program.get("/api/credits/balance").await.number("/available"), 560);
    let unknown = program.post("/api/credits/purchase", r#"{"pack":"pack-7"}"#).await;
    assert_eq!(unknown.code(), "not_for_sale");
    server.stop().await;
}

#[tokio::test]
async fn a_plan_is_begun_and_paid_and_less_of_it_is_scheduled() {
    let server = TestServer::start().await;
    let (visitor, program) = ann(&server).await;
    let want = async |body: &str| program.post("/api/upgrade-plan", body).await;
    let begun = want(r#"{"plan":"basic","interval":"year"}"#).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{begun:?}");
    visitor.send("approve_payment", &[("order", &begun.word("/order"))]).await;
    assert_eq!(program.get("/api/plans").await.word("/subscription/plan"), "basic");
    assert_eq!(want(r#"{"plan":"basic","interval":"year"}"#).await.code(), "nothing_to_change");
    let upgrade = want(r#"{"plan":"premium","interval":"year"}"#).await;
    assert_eq!(upgrade.status, StatusCode::CREATED);
    assert!(upgrade.word("/checkout_url").contains("/plans/change?plan=premium&interval=year"));
    assert_eq!(program.get("/api/plans").await.word("/current_plan"), "basic", "nothing is charged without a person");
    let less = want(r#"{"plan":"basic"}"#).await;
    assert_eq!((less.status, less.word("/change/scheduled/interval")), (StatusCode::OK, "month".into()));
    let cancel = want(r#"{"plan":"free"}"#).await;
    assert!(cancel.json()["change"]["cancel_at_period_end"].as_bool().unwrap(), "{cancel:?}");
    assert_eq!(want(r#"{"plan":"gold"}"#).await.code(), "not_for_sale");
    server.stop().await;
}

#[tokio::test]
async fn an_event_without_a_signature_is_refused() {
    let server = TestServer::start().await;
    let nobody = Program::with_key(&server, None);
    let forged = nobody.post("/api/webhooks/demo", r#"{"id":"evt","type":"invoice.paid"}"#).await;
    assert_eq!((forged.status, forged.code()), (StatusCode::BAD_REQUEST, "bad_event".into()));
    let elsewhere = nobody.post("/api/webhooks/nobody", "{}").await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    server.stop().await;
}
