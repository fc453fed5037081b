//! A generator that another service runs: what it makes is kept and charged, what it does not deliver costs nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::server::{Program, TestServer, Visitor};
use common::upstream::OtherServer;
use reqwest::{Client, StatusCode};
use scrip::server::generators::GenerationKind;
use scrip::server::generators::outside::{ALL_KINDS, OutsideSettings};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    server: TestServer,
    other: OtherServer,
    ann: Program,
    key: String,
}

impl Site {
    /// A site whose things are made by another server that does `deed` each time.
    async fn start(deed: &str, kinds: &[GenerationKind], limit: Duration) -> Self {
        let other = OtherServer::start().await;
        let settings = OutsideSettings {
            url: format!("{}/{deed}", other.base).parse().unwrap(),
            secret: Some("between-us".to_owned()),
            kinds: kinds.to_vec(),
            limit,
        };
        let server = TestServer::start_with(|config| config.generator = Some(settings)).await;
        Visitor::signed_up(&server, "ann@example.com").await;
        let key = server.personal_key("ann@example.com").await;
        let ann = Program::with_key(&server, Some(&key));
        Self { server, other, ann, key }
    }

    async fn available(&self) -> i64 {
        self.ann.balance().await.0
    }

    async fn stop(self) {
        self.server.assert_books_balance().await;
        self.server.stop().await;
    }
}

const SEA: &str = r#"{"action":"text-to-image","prompt":"a quiet sea"}"#;
const MESSAGE: &str = r#"{"action":"message","prompt":"What is 6 * 7?"}"#;

#[tokio::test]
async fn a_file_that_it_sends_is_kept_and_charged() {
    let site = Site::start("picture", &ALL_KINDS, PATIENCE).await;
    let made = site.ann.post("/api/chat", SEA).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert_eq!((made.number("/credits_used"), made.word("/result/media/type").as_str()), (5, "image/png"));
    let url = site.server.url(&made.word("/result/media/url"));
    let file = Client::new().get(url).bearer_auth(&site.key).send().await.unwrap();
    assert_eq!(file.bytes().await.unwrap().as_ref(), b"\x89PNG\r\n\x1a\n...");

    let asked = site.other.requests().remove(0);
    assert_eq!(asked.headers["authorization"], "Bearer between-us");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!((body["feature"].as_str(), body["prompt"].as_str()), (Some("text-to-image"), Some("a quiet sea")));
    assert!(body.get("seconds").is_none() && body["seed"].is_u64());
    site.stop().await;
}

#[tokio::test]
async fn words_and_sounds_come_as_json() {
    let site = Site::start("text", &[GenerationKind::Chat], PATIENCE).await;
    assert_eq!(site.ann.post("/api/chat", MESSAGE).await.word("/result/text"), "forty-two");
    // What it does not make is made here.
    let own = site.ann.post("/api/generate-audio", r#"{"text":"hello"}"#).await;
    assert_eq!(own.word("/result/media/type"), "audio/wav");
    assert_eq!(site.other.requests().len(), 1);
    site.stop().await;

    let site = Site::start("sound", &[GenerationKind::Audio], PATIENCE).await;
    let sound = site.ann.post("/api/generate-audio", r#"{"text":"hello"}"#).await;
    assert_eq!(sound.word("/result/media/type"), "audio/mpeg");
    let body: Value = serde_json::from_slice(&site.other.requests()[0].body).unwrap();
    assert_eq!(body["seconds"], 1);
    site.stop().await;
}

#[tokio::test]
async fn the_page_says_who_makes_what() {
    let site = Site::start("text", &[GenerationKind::Chat], PATIENCE).await;
    let ann = Visitor::signed_up(&site.server, "bea@example.com").await;
    let page = ann.get("/studio?feature=chat-message").await.text().await.unwrap();
    assert!(page.contains("Made by the service that this site has set up."));
    let page = ann.get("/studio?feature=video").await.text().await.unwrap();
    assert!(page.contains("by a built-in generator"));
    site.stop().await;
}

#[tokio::test]
async fn what_it_does_not_deliver_costs_nothing() {
    // Failures, and a type that would act in our name, and more than is taken.
    for deed in ["broken", "away", "page", "half", "endless", "huge", "text"] {
        let site = Site::start(deed, &ALL_KINDS, PATIENCE).await;
        let failed = site.ann.post("/api/chat", SEA).await;
        assert_eq!((failed.status, failed.code().as_str()), (StatusCode::BAD_GATEWAY, "generation_failed"), "{deed}");
        assert!(!failed.text.contains("upstream"), "{}", failed.text);
        assert_eq!(site.available().await, 60, "{deed}");
        site.stop().await;
    }
}

#[tokio::test]
async fn one_that_hangs_is_given_up_in_time() {
    for deed in ["hang", "stall"] {
        let site = Site::start(deed, &ALL_KINDS, Duration::from_millis(200)).await;
        assert_eq!(site.ann.post("/api/chat", MESSAGE).await.status, StatusCode::BAD_GATEWAY, "{deed}");
        assert_eq!(site.available().await, 60);
        site.stop().await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_pays_nothing() {
    let site = Site::start("hang", &ALL_KINDS, PATIENCE).await;
    let ann = site.ann.clone();
    let calling = tokio::spawn(async move { ann.post("/api/chat", MESSAGE).await });
    site.other.seen.arrived.notified().await;
    assert_eq!(site.available().await, 59);
    calling.abort();
    site.ann.expect_balance(60).await;
    site.stop().await;
}
