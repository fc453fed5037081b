//! The metering layer over handlers of one's own, as docs/metering.md shows it: held before, charged on success,
//! and given back on anything else.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use common::Engine;
use common::on_both_databases;
use common::server::{Program, TestServer, Visitor};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use reqwest::Client;
use scrip::domain::FeatureId;
use scrip::server::rest::Problem;
use scrip::server::rest::metering::Metering;
use scrip::server::start::Core;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(60);

/// Handlers of somebody's own program, in front of which the layer stands.
struct Shop {
    server: TestServer,
    core: Core,
    base: String,
    key: String,
    calls: Arc<AtomicUsize>,
    arrived: Arc<Notify>,
}

impl Shop {
    async fn open(engine: Engine) -> Self {
        let server = TestServer::start_on(engine).await;
        Visitor::signed_up(&server, "ann@example.com").await;
        let key = server.personal_key("ann@example.com").await;
        let core = server.open_core().await;
        let (calls, arrived) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let per_call = Metering::per_call(core.services.clone(), FeatureId::parse("api-call").unwrap());
        let by_seconds = Metering::by(core.services.clone(), FeatureId::parse("audio").unwrap(), seconds_of);
        let (counted, told) = (calls.clone(), arrived.clone());
        let thumbnail = move |headers: HeaderMap| async move {
            assert!(!headers.contains_key("x-nothing"));
            counted.fetch_add(1, Ordering::SeqCst);
            (StatusCode::CREATED, "a thumbnail")
        };
        let hang = move || async move {
            told.notify_one();
            std::future::pending::<&'static str>().await
        };
        let app = Router::new()
            .route("/thumbnails", post(thumbnail))
            .route("/hang", get(hang.clone()))
            .route("/refuse", get(|| async { (StatusCode::NOT_FOUND, "not this one") }))
            .route("/panic", get(panics))
            .route("/break", get(breaks))
            .route_layer(per_call.clone())
            .route("/late", get(hang).layer(per_call.within(Duration::from_millis(50))))
            .route("/speak", post(|body: Bytes| async move { body }).layer(by_seconds));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { server, core, base, key, calls, arrived }
    }

    fn request(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.request(http::Method::GET, path).send().await.unwrap()
    }

    async fn balance(&self) -> (i64, i64) {
        Program::with_key(&self.server, Some(&self.key)).balance().await
    }

    async fn expect_balance(&self, available: i64) {
        Program::with_key(&self.server, Some(&self.key)).expect_balance(available).await;
    }

    async fn close(self) {
        self.server.assert_books_balance().await;
        self.core.services.finish().await;
        self.server.stop().await;
    }
}

fn seconds_of(parts: &Parts) -> Result<u32, Problem> {
    let seconds = parts.headers.get("x-seconds").and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.ok_or_else(|| Problem::invalid("X-Seconds", "Say how many seconds."))
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn breaks() -> Response {
    let parts = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("broken"))];
    Body::from_stream(futures_util::stream::iter(parts)).into_response()
}

fn number(answer: &reqwest::Response, name: &str) -> i64 {
    answer.headers()[name].to_str().unwrap().parse().unwrap()
}

on_both_databases! {
    async fn a_handler_that_succeeds_is_charged_and_the_answer_says_what_remains(engine: Engine) {
        let shop = Shop::open(engine).await;
        let answer = shop.request(http::Method::POST, "/thumbnails").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(number(&answer, "scrip-credits-used"), 1);
        assert_eq!(number(&answer, "scrip-credits-available"), 59);
        assert_eq!(answer.text().await.unwrap(), "a thumbnail");
        let row = Program::with_key(&shop.server, Some(&shop.key)).get("/api/credits?feature=api-call").await;
        assert_eq!((row.number("/transactions/0/amount"), row.number("/transactions/0/units")), (-1, 1));
        shop.close().await;
    }

    async fn what_fails_breaks_off_or_comes_too_late_costs_nothing(engine: Engine) {
        let shop = Shop::open(engine).await;
        let refused = shop.get("/refuse").await;
        assert_eq!((refused.status(), number(&refused, "scrip-credits-used")), (StatusCode::NOT_FOUND, 0));
        assert_eq!(number(&refused, "scrip-credits-available"), 60);
        assert_eq!(refused.text().await.unwrap(), "not this one");
        assert_eq!(shop.get("/panic").await.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(shop.get("/late").await.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(shop.balance().await, (60, 0));
        // The connection may break before the head of the answer has left.
        let broken = shop.request(http::Method::GET, "/break").send().await;
        assert!(broken.is_err() || broken.unwrap().bytes().await.is_err());
        shop.expect_balance(60).await;
        shop.close().await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_costs_nothing() {
    let shop = Shop::open(Engine::Sqlite).await;
    let calling = tokio::spawn(shop.request(http::Method::GET, "/hang").send());
    shop.arrived.notified().await;
    assert_eq!(shop.balance().await, (59, 1));
    calling.abort();
    shop.expect_balance(60).await;
    shop.close().await;
}

#[tokio::test]
async fn units_that_are_declared_are_priced_by_the_rate() {
    let shop = Shop::open(Engine::Sqlite).await;
    let speak = |seconds: &'static str| {
        shop.request(http::Method::POST, "/speak").header("x-seconds", seconds).body("hello").send()
    };
    let answer = speak("31").await.unwrap();
    assert_eq!(number(&answer, "scrip-credits-used"), 3);
    assert_eq!(answer.text().await.unwrap(), "hello");
    for seconds in ["none", "0", "99999999"] {
        assert_eq!(speak(seconds).await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY, "{seconds}");
    }
    let dear = speak("915").await.unwrap();
    assert_eq!(dear.status(), StatusCode::PAYMENT_REQUIRED);
    assert_eq!(shop.balance().await, (57, 0));
    shop.close().await;
}

#[tokio::test]
async fn a_handler_runs_once_for_a_key_however_often_it_is_called() {
    let shop = Shop::open(Engine::Sqlite).await;
    let send = || shop.request(http::Method::POST, "/thumbnails").header("idempotency-key", "one").send();
    let mut answers = futures_util::future::join_all((0..8).map(|_| send())).await;
    let replayed =
        answers.iter().filter(|answer| answer.as_ref().unwrap().headers().contains_key("idempotent-replayed"));
    assert_eq!(replayed.count(), 7);
    assert_eq!(answers.remove(0).unwrap().status(), StatusCode::CREATED);
    assert_eq!(shop.calls.load(Ordering::SeqCst), 1);
    assert_eq!(shop.balance().await, (59, 0));
    shop.close().await;
}

#[tokio::test]
async fn without_a_key_of_ones_own_nothing_runs() {
    let shop = Shop::open(Engine::Sqlite).await;
    let nobody = Client::new().post(format!("{}/thumbnails", shop.base)).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(shop.calls.load(Ordering::SeqCst), 0);
    shop.close().await;
}
