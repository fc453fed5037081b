//! The gateway in front of a real server of somebody else's: so many credits for each successful call, nothing for
//! any other, and nothing of ours passed on.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::server::{Program, TestServer, Visitor};
use common::upstream::OtherServer;
use futures_util::StreamExt;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use scrip::server::upstreams::read_gateway_file;
use std::time::Duration;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Gate {
    server: TestServer,
    other: OtherServer,
    key: String,
}

impl Gate {
    /// A server whose gateway leads to another, with these lines in its settings, and a person with 60 credits.
    async fn start(lines: &str) -> Self {
        let other = OtherServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "upstream-secret\n").unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "[[upstream]]\nname = \"other\"\nurl = \"{}/v1\"\nfeature = \"api-call\"\n\
             secret_header = \"X-Api-Key\"\nsecret_file = \"secret\"\n{lines}\n",
            other.base
        );
        std::fs::write(&file, text).unwrap();
        let upstreams = read_gateway_file(&file).unwrap();
        let server = TestServer::start_with(|config| config.gateway = upstreams).await;
        Visitor::signed_up(&server, "ann@example.com").await;
        let key = server.personal_key("ann@example.com").await;
        Self { server, other, key }
    }

    fn call(&self, method: Method, rest: &str) -> RequestBuilder {
        let url = self.server.url(&format!("/api/gateway/other{rest}"));
        Client::builder().timeout(PATIENCE).build().unwrap().request(method, url).bearer_auth(&self.key)
    }

    async fn get(&self, rest: &str) -> Response {
        self.call(Method::GET, rest).send().await.unwrap()
    }

    async fn balance(&self) -> (i64, i64) {
        Program::with_key(&self.server, Some(&self.key)).balance().await
    }

    /// Waits until the account stands so: what happens after an answer is settled beside it.
    async fn expect_balance(&self, available: i64) {
        Program::with_key(&self.server, Some(&self.key)).expect_balance(available).await;
    }

    async fn stop(self) {
        self.server.assert_books_balance().await;
        self.server.stop().await;
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_successful_call_costs_its_rate_and_says_so() {
    let gate = Gate::start("").await;
    let answer = gate.get("/things?color=red%20blue").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "scrip-credits-used"), Some("1"));
    assert_eq!(header(&answer, "scrip-credits-available"), Some("59"));
    assert!(header(&answer, "scrip-transaction").unwrap().starts_with('t'));
    assert_eq!(answer.text().await.unwrap(), r#"{"at":"things"}"#);
    assert_eq!(gate.other.requests()[0].path, "/v1/things?color=red%20blue");
    let sent = gate.call(Method::POST, "/things").body("what was sent").send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    let received = gate.other.requests().remove(1);
    assert_eq!((received.method, received.body.as_ref()), (Method::POST, &b"what was sent"[..]));
    assert_eq!(gate.balance().await, (58, 0));
    gate.stop().await;
}

#[tokio::test]
async fn nothing_of_ours_is_passed_on_and_nothing_acts_in_our_name() {
    let gate = Gate::start("").await;
    let request = gate.call(Method::GET, "/page").header("cookie", "id=ours").header("x-forwarded-for", "10.0.0.1");
    let request = request.header("connection", "x-mine").header("x-mine", "1").header("x-request-id", "7");
    let answer = request.send().await.unwrap();
    assert_eq!(header(&answer, "content-security-policy"), Some("default-src 'none'; sandbox; frame-ancestors 'none'"));
    assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
    let received = gate.other.requests().remove(0);
    for name in ["authorization", "cookie", "x-forwarded-for", "x-mine"] {
        assert!(!received.headers.contains_key(name), "{name} was passed on");
    }
    assert_eq!(received.headers["x-request-id"], "7");
    assert_eq!(received.headers["x-api-key"], "upstream-secret");
    assert!(gate.other.base.ends_with(received.headers["host"].to_str().unwrap()));
    let echoed = gate.call(Method::POST, "/echo").body("hello").send().await.unwrap();
    assert_eq!(header(&echoed, "set-cookie"), None);
    gate.stop().await;
}

#[tokio::test]
async fn what_is_no_success_costs_nothing_and_goes_back_in_the_upstreams_own_words() {
    let gate = Gate::start("").await;
    for (rest, status, words) in [
        ("/broken", StatusCode::INTERNAL_SERVER_ERROR, "the upstream's own words"),
        ("/teapot", StatusCode::IM_A_TEAPOT, "short and stout"),
        ("/away", StatusCode::FOUND, ""),
    ] {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = gate.server.url(&format!("/api/gateway/other{rest}"));
        let answer = client.get(url).bearer_auth(&gate.key).send().await.unwrap();
        assert_eq!((answer.status(), header(&answer, "scrip-credits-used")), (status, Some("0")));
        assert_eq!(header(&answer, "location"), None);
        assert_eq!(answer.text().await.unwrap(), words);
    }
    assert_eq!(gate.balance().await, (60, 0));
    gate.stop().await;
}

#[tokio::test]
async fn no_path_leads_elsewhere_and_no_redirect_is_followed() {
    let gate = Gate::start("methods = [\"GET\"]").await;
    // As raw as it can be: clients would tidy these paths up themselves.
    for rest in ["/../admin", "/a/../../admin", "/%2e%2e/admin", "/..%2fadmin", "/a%5c..%5cb", "/%252e%252e/x"] {
        let answer = raw_get(&gate, rest).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{rest}: {answer}");
    }
    assert!(raw_get(&gate, "//127.0.0.1:1/").await.starts_with("HTTP/1.1 200"));
    assert!(gate.other.requests().iter().all(|request| request.path.starts_with("/v1/")));
    let other_method = gate.call(Method::DELETE, "/things").send().await.unwrap();
    assert_eq!(other_method.status(), StatusCode::METHOD_NOT_ALLOWED);
    let unknown = Client::new().get(gate.server.url("/api/gateway/unknown/x")).bearer_auth(&gate.key).send().await;
    assert_eq!(unknown.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(gate.balance().await, (59, 0));
    gate.stop().await;
}

async fn raw_get(gate: &Gate, rest: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = gate.server.base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /api/gateway/other{rest} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        gate.key
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn who_may_not_pay_gets_nowhere() {
    let gate = Gate::start("").await;
    let url = gate.server.url("/api/gateway/other/things");
    let nobody = Client::new().get(&url).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    let ann = Visitor::new(&gate.server);
    ann.send("sign_in", &[("email", "ann@example.com"), ("password", common::server::PASSWORD)]).await;
    let link = ann.client.get(&url).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(link.status(), StatusCode::FORBIDDEN);
    let program = Program::service(&gate.server);
    let account = program.make_account("bob@example.com").await;
    let named = format!("/api/accounts/{account}/gateway/other/things");
    assert_eq!(program.get(&named).await.status, StatusCode::OK);
    assert_eq!(program.available(&account).await, 59);
    let (_, reading) = gate.server.service_key_with("accounts:read").await;
    assert_eq!(Program::with_key(&gate.server, Some(&reading)).get(&named).await.status, StatusCode::FORBIDDEN);
    let charge = r#"{"amount":60}"#;
    Program::with_key(&gate.server, Some(&gate.key)).post("/api/credits/charge", charge).await;
    let poor = gate.get("/things").await;
    assert_eq!(poor.status(), StatusCode::PAYMENT_REQUIRED);
    let problem: serde_json::Value = poor.json().await.unwrap();
    assert_eq!((problem["required"].as_i64(), problem["available"].as_i64()), (Some(1), Some(0)));
    assert_eq!(gate.other.requests().len(), 1);
    gate.stop().await;
}

#[tokio::test]
async fn an_upstream_that_hangs_is_given_up_in_time() {
    let gate = Gate::start("timeout_seconds = 1").await;
    let answer = gate.get("/hang").await;
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(gate.balance().await, (60, 0));
    let stalled = gate.get("/stall").await;
    assert_eq!(stalled.status(), StatusCode::OK);
    assert!(stalled.bytes().await.is_err());
    gate.expect_balance(60).await;
    gate.stop().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_before_the_answer_pays_nothing() {
    let gate = Gate::start("").await;
    let calling = tokio::spawn(gate.call(Method::GET, "/hang").send());
    gate.other.seen.arrived.notified().await;
    assert_eq!(gate.balance().await, (59, 1));
    calling.abort();
    gate.expect_balance(60).await;
    gate.stop().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_given_back() {
    let gate = Gate::start("").await;
    // The connection may break before the head of the answer has left.
    let half = gate.call(Method::GET, "/half").send().await;
    if let Ok(half) = half {
        assert!(half.status() != StatusCode::OK || half.bytes().await.is_err());
    }
    gate.expect_balance(60).await;
    gate.stop().await;
}

#[tokio::test]
async fn endless_and_huge_answers_are_cut_off_and_given_back() {
    let gate = Gate::start("max_response_bytes = 100000").await;
    // The connection may break before the head of the answer has left.
    let (mut size, mut broke_off) = (0, true);
    if let Ok(endless) = gate.call(Method::GET, "/endless").send().await {
        broke_off = false;
        let mut parts = endless.bytes_stream();
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => size += part.len(),
                Err(_) => broke_off = true,
            }
        }
    }
    assert!(broke_off && size <= 100_000, "{size}");
    gate.expect_balance(60).await;
    assert_eq!(gate.get("/huge").await.status(), StatusCode::BAD_GATEWAY);
    gate.expect_balance(60).await;
    gate.stop().await;
}

#[tokio::test]
async fn a_body_is_passed_on_up_to_the_limit_of_its_upstream() {
    let gate = Gate::start("max_request_bytes = 200000").await;
    let fits = gate.call(Method::POST, "/echo").body("x".repeat(200_000)).send().await.unwrap();
    assert_eq!(fits.bytes().await.unwrap().len(), 200_000);
    let large = gate.call(Method::POST, "/things").body("x".repeat(200_001)).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Of unknown length: it is found out on the way.
    let parts = futures_util::stream::iter((0..50).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10_000])));
    let sent = gate.call(Method::POST, "/things").body(reqwest::Body::wrap_stream(parts)).send().await;
    assert!(sent.is_err() || sent.is_ok_and(|answer| !answer.status().is_success()));
    gate.expect_balance(59).await;
    gate.stop().await;
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let gate = Gate::start("").await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let parts = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|part| (part, receiver))
    });
    let request = gate.call(Method::POST, "/echo").body(reqwest::Body::wrap_stream(parts));
    let sending = tokio::spawn(request.send());
    sender.send(Ok(b"first".to_vec())).await.unwrap();
    let mut answer = sending.await.unwrap().unwrap();
    // What was sent comes back before the rest is sent.
    assert_eq!(answer.chunk().await.unwrap().unwrap().as_ref(), b"first");
    sender.send(Ok(b"second".to_vec())).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap().as_ref(), b"second");
    drop(sender);
    assert!(answer.chunk().await.unwrap().is_none());
    gate.expect_balance(59).await;
    gate.stop().await;
}

#[tokio::test]
async fn a_key_is_charged_once_and_answered_alike() {
    let gate = Gate::start("").await;
    let send =
        |body: &'static str| gate.call(Method::POST, "/things").header("idempotency-key", "order-7").body(body).send();
    let first = send("a").await.unwrap();
    assert_eq!((first.status(), header(&first, "idempotent-replayed")), (StatusCode::OK, None));
    let used = header(&first, "scrip-transaction").unwrap().to_owned();
    let first = first.text().await.unwrap();
    let second = send("a").await.unwrap();
    assert_eq!(header(&second, "idempotent-replayed"), Some("true"));
    assert_eq!(header(&second, "scrip-transaction"), Some(used.as_str()));
    assert_eq!(second.text().await.unwrap(), first);
    assert_eq!(send("b").await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(gate.other.requests().len(), 1);
    assert!(!gate.other.requests()[0].headers.contains_key("idempotency-key"));
    assert_eq!(gate.balance().await, (59, 0));
    let endless = gate.call(Method::POST, "/endless").header("idempotency-key", "large").send().await.unwrap();
    assert_eq!(endless.status(), StatusCode::BAD_GATEWAY);
    gate.expect_balance(59).await;
    gate.stop().await;
}

#[tokio::test]
async fn an_upstream_that_is_not_there_costs_nothing() {
    let gate = Gate::start("").await;
    // A port that was free a moment ago, with nobody behind it.
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut upstream = {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!("[[upstream]]\nname = \"gone\"\nurl = \"http://{nowhere}\"\nfeature = \"api-call\"\n");
        std::fs::write(&file, text).unwrap();
        read_gateway_file(&file).unwrap()
    };
    let server = TestServer::start_with(|config| config.gateway.append(&mut upstream)).await;
    Visitor::signed_up(&server, "ann@example.com").await;
    let ann = Program::with_key(&server, Some(&server.personal_key("ann@example.com").await));
    let answer = ann.get("/api/gateway/gone/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_GATEWAY, "upstream_unreachable"));
    assert_eq!(ann.get("/api/credits/balance").await.number("/available"), 60);
    server.stop().await;
    gate.stop().await;
}
