//! The machine interface over HTTP, on both databases: exact under many callers at once, once for each key,
//! and closed to who may not.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "rest/billing.rs"]
mod billing;
mod common;
#[path = "rest/input.rs"]
mod input;
#[path = "rest/script.rs"]
mod script;
#[path = "rest/streams.rs"]
mod streams;

use common::server::{Answer, Program, TestServer, Visitor};
use common::{Engine, on_both_databases};
use reqwest::{Method, StatusCode};
use scrip::server::store::{Access, DatabaseUrl};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests that are under way at the same time. More connections than that are refused by some machines.
const CONNECTIONS: usize = 256;

/// Sends the same kind of request many times at once.
async fn all_at_once<F, R>(count: usize, request: F) -> Vec<Answer>
where
    F: Fn(usize) -> R,
    R: Future<Output = Answer> + Send + 'static,
{
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    for index in 0..count {
        let (connections, request) = (connections.clone(), request(index));
        tasks.spawn(async move {
            let _connection = connections.acquire_owned().await.unwrap();
            request.await
        });
    }
    tasks.join_all().await
}

fn count_of(answers: &[Answer], status: StatusCode) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// A service key, an account of its making with so many credits (60 of them for signing up), and the start of
/// the account's paths.
async fn account_with(server: &TestServer, credits: i64) -> (Program, String, String) {
    let program = Program::service(server);
    let account = program.make_account("ann@example.com").await;
    let path = format!("/api/accounts/{account}");
    if credits > 60 {
        let more = json!({ "amount": credits - 60, "source": "promotion", "reason": "a start" }).to_string();
        assert_eq!(program.post(&format!("{path}/grants"), &more).await.status, StatusCode::CREATED);
    }
    (program, account, path)
}

on_both_databases! {
    async fn sixty_four_equal_requests_with_one_key_are_applied_once_and_answered_alike(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let url = format!("{path}/credits/charge");
        let body = r#"{"feature":"text-to-image","units":2,"description":"Two foxes","metadata":{"order":"A-7"}}"#;
        let answers = all_at_once(64, |_| {
            let (program, url) = (program.clone(), url.clone());
            async move { program.post_once(&url, body, "order-1").await }
        })
        .await;
        assert_eq!(count_of(&answers, StatusCode::CREATED), 64);
        assert!(answers.iter().all(|answer| answer.text == answers[0].text), "the answers differ");
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert_eq!(program.available(&account).await, 50);
        assert_eq!(answers[0].number("/transaction/balance_after"), 50);
        assert_eq!(answers[0].word("/transaction/metadata/order"), "A-7");

        let other = program.post_once(&url, r#"{"amount":3}"#, "order-1").await;
        assert_eq!((other.status, other.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
        assert_eq!(program.available(&account).await, 50);
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn the_first_answer_survives_a_restart_byte_for_byte(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let charge = format!("{path}/credits/charge");
        let first = program.post_once(&charge, r#"{"amount":7}"#, "once").await;
        let hold = program.post_once(&format!("{path}/credits/holds"), r#"{"amount":9}"#, "held").await;
        let (database, key) = (server.database.clone(), server.service_key.clone());
        server.stop.cancel();
        server.serving.await.unwrap();
        let folder = server.folder;
        let again = TestServer::start_again(database).await;
        let program = Program::with_key(&again, Some(&key));
        let replayed = program.post_once(&charge, r#"{"amount":7}"#, "once").await;
        assert_eq!(replayed, Answer { replayed: true, ..first });
        let replayed = program.post_once(&format!("{path}/credits/holds"), r#"{"amount":9}"#, "held").await;
        assert_eq!(replayed, Answer { replayed: true, ..hold });
        again.stop().await;
        drop(folder);
    }

    async fn after_a_refusal_the_same_key_may_succeed_once(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let url = format!("{path}/credits/charge");
        let charge = || program.post_once(&url, r#"{"amount":100}"#, "big");
        assert_eq!(charge().await.status, StatusCode::PAYMENT_REQUIRED);
        let more = r#"{"amount":40,"source":"purchase","reason":"Pack","reference":"invoice-1"}"#;
        assert_eq!(program.post(&format!("{path}/grants"), more).await.status, StatusCode::CREATED);
        let paid = charge().await;
        assert_eq!((paid.status, paid.replayed), (StatusCode::CREATED, false));
        assert!(charge().await.replayed);
        assert_eq!(program.available(&account).await, 0);
        server.stop().await;
    }

    async fn five_hundred_grants_at_once_are_exact_and_twenty_spend_a_tenth_each(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let grants = all_at_once(500, |_| {
            let (program, url) = (program.clone(), format!("{path}/grants"));
            async move { program.post(&url, r#"{"amount":3,"source":"promotion","reason":"a gift"}"#).await }
        })
        .await;
        assert_eq!(count_of(&grants, StatusCode::CREATED), 500);
        assert_eq!(program.available(&account).await, 1_560);
        let charges = all_at_once(20, |_| {
            let (program, url) = (program.clone(), format!("{path}/credits/charge"));
            async move { program.post(&url, r#"{"amount":156}"#).await }
        })
        .await;
        assert_eq!((count_of(&charges, StatusCode::CREATED), count_of(&charges, StatusCode::PAYMENT_REQUIRED)), (10, 10));
        assert_eq!(program.available(&account).await, 0);
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn a_thousand_charges_refunded_twice_each_at_once_are_all_given_back_once(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 1_500).await;
        let before = program.get(&format!("{path}/credits/balance")).await;
        let charges = all_at_once(1_000, |_| {
            let (program, url) = (program.clone(), format!("{path}/credits/charge"));
            async move { program.post(&url, r#"{"amount":1}"#).await }
        })
        .await;
        assert_eq!(count_of(&charges, StatusCode::CREATED), 1_000);
        let ids: Vec<String> = charges.iter().map(|charge| charge.word("/transaction/id")).collect();
        let refunds = all_at_once(2_000, |index| {
            let url = format!("{path}/credits/transactions/{}/refund", ids[index % 1_000]);
            let program = program.clone();
            async move { program.post(&url, r#"{"reason":"it did not work"}"#).await }
        })
        .await;
        let refused = count_of(&refunds, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!((count_of(&refunds, StatusCode::CREATED), refused), (1_000, 1_000));
        let after = program.get(&format!("{path}/credits/balance")).await;
        assert_eq!(after.text, before.text, "a grant is not back where it was");
        assert_eq!(program.available(&account).await, 1_500);
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn only_what_was_charged_is_refunded_and_only_there(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let other = program.make_account("bob@example.com").await;
        let charge = program.post(&format!("{path}/credits/charge"), r#"{"amount":10}"#).await.word("/transaction/id");
        let refund = |account: String, id: String, body: &'static str| {
            let (program, url) = (program.clone(), format!("{account}/credits/transactions/{id}/refund"));
            async move { program.post(&url, body).await }
        };
        let part = refund(path.clone(), charge.clone(), r#"{"amount":4}"#).await;
        assert_eq!((part.status, part.number("/transaction/amount")), (StatusCode::CREATED, 4));
        let above = refund(path.clone(), charge.clone(), r#"{"amount":7}"#).await;
        assert_eq!((above.status, above.number("/refundable")), (StatusCode::UNPROCESSABLE_ENTITY, 6));
        let (of_refund, of_grant) = (part.word("/transaction/id"), "t1".to_owned());
        let elsewhere = format!("/api/accounts/{other}");
        for (account, id) in
            [(&path, &of_refund), (&path, &of_grant), (&elsewhere, &charge), (&path, &"t999".to_owned())]
        {
            let refused = refund(account.clone(), id.clone(), "{}").await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{account} {id}");
        }
        let rest = refund(path.clone(), charge, "{}").await;
        assert_eq!(rest.number("/balance/available"), 60);
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn a_hold_is_captured_in_part_released_or_refused_when_it_is_settled(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let hold = program.post(&format!("{path}/credits/holds"), r#"{"feature":"text-to-image","units":4}"#).await;
        assert_eq!((hold.status, hold.word("/status").as_str()), (StatusCode::CREATED, "pending"));
        assert_eq!((hold.number("/balance/available"), hold.number("/balance/held")), (40, 20));
        let settle = |what: &str, body: &'static str| {
            let url = format!("{path}/credits/holds/{}/{what}", hold.word("/id"));
            let program = program.clone();
            async move { program.post(&url, body).await }
        };
        let above = settle("capture", r#"{"amount":21}"#).await;
        assert_eq!(above.code(), "capture_above_hold");
        let captured = settle("capture", r#"{"amount":5}"#).await;
        assert_eq!((captured.status, captured.number("/transaction/amount")), (StatusCode::OK, -5));
        assert_eq!(captured.word("/transaction/feature"), "text-to-image");
        for what in ["capture", "release"] {
            let late = settle(what, "{}").await;
            assert_eq!((late.status, late.word("/hold_status").as_str()), (StatusCode::CONFLICT, "captured"));
        }
        let second = program.post(&format!("{path}/credits/holds"), r#"{"amount":55}"#).await;
        let url = format!("{path}/credits/holds/{}/release", second.word("/id"));
        let released = program.post(&url, "").await;
        assert_eq!((released.status, released.word("/status").as_str()), (StatusCode::OK, "released"));
        assert_eq!(program.available(&account).await, 55);
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn each_caller_may_do_what_is_theirs_and_nothing_else(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let ann = Visitor::signed_up(&server, "ann@example.com").await;
        Visitor::signed_up(&server, "bob@example.com").await;
        let own = Program::with_key(&server, Some(&server.personal_key("ann@example.com").await));
        let bob = Program::with_key(&server, Some(&server.personal_key("bob@example.com").await));
        let service = Program::service(&server);
        let session = own.get("/api/session").await;
        assert_eq!((session.word("/user/email").as_str(), session.word("/role").as_str()), ("ann@example.com", "user"));
        let account = format!("/api/accounts/{}", session.word("/user/id"));

        for key in [None, Some("scrip_nonsense"), Some("")] {
            let nobody = Program::with_key(&server, key);
            for path in ["/api/session", "/api/credits", "/api/credits/balance", &format!("{account}/credits")] {
                assert_eq!(nobody.get(path).await.status, StatusCode::UNAUTHORIZED, "{key:?} {path}");
            }
            assert_eq!(nobody.post("/api/credits/charge", r#"{"amount":1}"#).await.status, StatusCode::UNAUTHORIZED);
        }
        let grant = r#"{"amount":500,"source":"promotion","reason":"me"}"#;
        let charge = own.post("/api/credits/charge", r#"{"amount":2}"#).await;
        assert_eq!(charge.status, StatusCode::CREATED);
        let refund = format!("{account}/credits/transactions/{}/refund", charge.word("/transaction/id"));
        for (path, body) in [
            (format!("{account}/grants"), grant),
            (format!("{account}/credits/charge"), r#"{"amount":1}"#),
            (refund.clone(), "{}"),
            ("/api/accounts".to_owned(), r#"{"email":"new@example.com"}"#),
        ] {
            for person in [&own, &bob] {
                assert_eq!(person.post(&path, body).await.status, StatusCode::FORBIDDEN, "{path}");
            }
        }
        let hold = own.post("/api/credits/holds", r#"{"amount":3}"#).await.word("/id");
        let release = format!("/api/credits/holds/{hold}/release");
        assert_eq!(bob.post(&release, "").await.status, StatusCode::NOT_FOUND);
        let of_service = service.post(&format!("{account}/credits/holds"), r#"{"amount":4}"#).await.word("/id");
        let capture = own.post(&format!("/api/credits/holds/{of_service}/capture"), "").await;
        assert_eq!(capture.status, StatusCode::NOT_FOUND, "a hold of a program is not the person's to settle");
        assert_eq!(own.post(&release, "").await.status, StatusCode::OK);
        assert_eq!(service.post(&refund, "{}").await.status, StatusCode::CREATED);
        assert_eq!(service.get("/api/credits").await.status, StatusCode::FORBIDDEN);
        assert_eq!(service.get("/api/accounts/nobody/credits").await.status, StatusCode::NOT_FOUND);
        let by_address = service.get("/api/accounts/email:ann@example.com/credits/balance").await;
        assert_eq!((by_address.number("/available"), by_address.number("/held")), (56, 4));

        // The session of a browser opens the same doors, and an administrator's opens any account.
        let url = server.url("/api/credits/balance");
        let seen: Value = ann.client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(seen["available"], 56);
        let admin = Visitor::admin(&server).await;
        let granted = admin.client.post(server.url(&format!("{account}/grants"))).header("content-type", "application/json");
        let granted = granted.body(r#"{"amount":5,"source":"adjustment","reason":"sorry"}"#).send().await.unwrap();
        assert_eq!(granted.status(), StatusCode::CREATED);
        let row: Value = granted.json().await.unwrap();
        assert!(row["transaction"]["actor"].as_str().unwrap().starts_with("admin:"), "{row}");
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn insufficient_credits_say_what_is_needed_and_the_way_to_more(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let short = program.post(&format!("{path}/credits/charge"), r#"{"feature":"text-to-image","units":20}"#).await;
        assert_eq!(short.status, StatusCode::PAYMENT_REQUIRED);
        let (required, available, shortfall) =
            (short.number("/required"), short.number("/available"), short.number("/shortfall"));
        assert_eq!((required, available, shortfall), (100, 60, 40));
        assert_eq!((short.word("/feature").as_str(), short.word("/plans_url").as_str()), ("text-to-image", "/plans"));
        for start in ["", "/suggestion"] {
            assert_eq!(short.word(&format!("{start}/cheapest_pack/id")), "pack-100");
            assert_eq!(short.word(&format!("{start}/next_plan/id")), "basic");
        }
        assert_eq!(short.number("/status"), 402);
        server.stop().await;
    }

    async fn a_quote_says_the_cost_and_the_draws_and_spends_nothing(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let quote = program.get(&format!("{path}/credits/quote?feature=text-to-image&units=3")).await;
        assert_eq!((quote.number("/cost"), quote.number("/balance_after"), quote.number("/shortfall")), (15, 45, 0));
        assert_eq!((quote.word("/draws/0/source").as_str(), quote.number("/draws/0/amount")), ("signup", -15));
        let short = program.get(&format!("{path}/credits/quote?feature=text-to-image&units=20")).await;
        assert_eq!((short.number("/cost"), short.number("/shortfall")), (100, 40));
        assert_eq!((&short.json()["enough"], &short.json()["balance_after"]), (&json!(false), &Value::Null));
        for query in ["", "?feature=no-such-feature", "?feature=video&units=11", "?feature=video&units=0"] {
            let refused = program.get(&format!("{path}/credits/quote{query}")).await;
            assert!(refused.status.is_client_error(), "{query}: {refused:?}");
        }
        let costs = Program::with_key(&server, None).get("/api/credit-costs").await.json();
        let image = costs["rates"].as_array().unwrap().iter().find(|rate| rate["feature"] == "text-to-image").unwrap();
        assert_eq!((image["words"].as_str(), &costs["rate_version"]), (Some("5 credits per image"), &json!(1)));
        assert_eq!(program.available(&account).await, 60);
        server.stop().await;
    }

    async fn a_reference_is_granted_once_and_the_second_is_shown_the_first(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let bob = program.make_account("bob@example.com").await;
        let body = r#"{"amount":100,"source":"purchase","reason":"Pack of 100","reference":"invoice-7"}"#;
        let answers = all_at_once(32, |_| {
            let (program, url) = (program.clone(), format!("{path}/grants"));
            async move { program.post(&url, body).await }
        })
        .await;
        assert_eq!((count_of(&answers, StatusCode::CREATED), count_of(&answers, StatusCode::CONFLICT)), (1, 31));
        let first = answers.iter().find(|answer| answer.status == StatusCode::CREATED).unwrap();
        let again = program.post(&format!("{path}/grants"), body).await;
        assert_eq!(again.word("/first/transaction/id"), first.word("/transaction/id"));
        let elsewhere = program.post(&format!("/api/accounts/{bob}/grants"), body).await;
        assert_eq!((elsewhere.status, elsewhere.json().get("first")), (StatusCode::CONFLICT, None));
        assert_eq!(program.available(&account).await, 160);
        let past = r#"{"amount":1,"source":"promotion","reason":"x","expires_at":"2020-01-01T00:00:00Z"}"#;
        assert_eq!(program.post(&format!("{path}/grants"), past).await.word("/field"), "expires_at");
        let own = r#"{"amount":1,"source":"signup","reason":"x"}"#;
        assert_eq!(program.post(&format!("{path}/grants"), own).await.word("/field"), "source");
        server.stop().await;
    }

    async fn one_account_is_made_for_an_address_however_often_it_is_asked(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let program = Program::service(&server);
        let body = r#"{"email":"ann@example.com","name":"Ann"}"#;
        let answers = all_at_once(32, |_| {
            let program = program.clone();
            async move { program.post_once("/api/accounts", body, "make-ann").await }
        })
        .await;
        assert_eq!(count_of(&answers, StatusCode::CREATED), 32);
        assert!(answers.iter().all(|answer| answer.text == answers[0].text));
        assert_eq!(answers[0].number("/balance/available"), 60);
        assert_eq!(answers[0].number("/signup_grant/amount"), 60);
        let taken = program.post("/api/accounts", body).await;
        assert_eq!((taken.status, taken.code().as_str()), (StatusCode::CONFLICT, "address_taken"));
        let other = program.post_once("/api/accounts", r#"{"email":"bob@example.com"}"#, "make-ann").await;
        assert_eq!(other.code(), "idempotency_key_reused");
        let books = server.assert_books_balance().await;
        assert_eq!((books.accounts, books.totals.granted), (2, 120));
        server.stop().await;
    }

    async fn an_administrators_request_is_repeated_like_any_other(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let admin = Visitor::admin(&server).await;
        let post = async |path: &str, body: &'static str| {
            let request = admin.client.post(server.url(path)).header("content-type", "application/json").body(body);
            let answer = request.header("idempotency-key", "once").send().await.unwrap();
            let replayed = answer.headers().contains_key("idempotent-replayed");
            (answer.status().as_u16(), replayed, answer.text().await.unwrap())
        };
        let grant = r#"{"amount":5,"source":"adjustment","reason":"sorry"}"#;
        for (url, body) in [
            ("/api/accounts".to_owned(), r#"{"email":"cy@example.com"}"#),
            (format!("{path}/grants"), grant),
        ] {
            let first = post(&url, body).await;
            assert_eq!((first.0, first.1), (201, false), "{first:?}");
            assert_eq!(post(&url, body).await, (201, true, first.2), "{url}");
        }
        assert_eq!(post("/api/accounts", r#"{"email":"di@example.com"}"#).await.0, 422);
        // The same key of a program is another one.
        let own = program.post_once("/api/accounts", r#"{"email":"di@example.com"}"#, "once").await;
        assert_eq!(own.status, StatusCode::CREATED);
        assert_eq!(program.available(&account).await, 65);
        server.stop().await;
    }

    async fn a_key_ends_at_its_time_and_its_use_is_noted(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let store = server.open_store().await;
        let (id, secret) = server.service_key_with("accounts:read,accounts:write").await;
        let key_of = async || {
            let keys = store.list_api_keys(None).await.unwrap();
            keys.into_iter().find(|key| key.id == id).unwrap()
        };
        assert_eq!(key_of().await.last_used_at, None);
        Program::with_key(&server, Some(&secret)).make_account("ann@example.com").await;
        assert!(key_of().await.last_used_at.is_some());
        let ended = server.service_key_until("2020-01-01T00:00:00Z").await;
        let answer = Program::with_key(&server, Some(&ended)).get("/api/accounts/email:ann@example.com/credits").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
        server.stop().await;
    }

    async fn a_person_who_calls_too_often_waits_and_a_program_does_not(engine: Engine) {
        let server = TestServer::start_with(|config| {
            config.calls_per_second = std::num::NonZeroU32::MIN;
            if let Engine::Postgres = engine {
                config.database = DatabaseUrl::Postgres(common::postgres::new_database());
            }
        })
        .await;
        Visitor::signed_up(&server, "ann@example.com").await;
        let own = Program::with_key(&server, Some(&server.personal_key("ann@example.com").await));
        let client = reqwest::Client::new();
        let mut last = None;
        for _ in 0..200 {
            let request = client.get(server.url("/api/credits/balance")).bearer_auth(own.key.as_ref().unwrap());
            let answer = request.send().await.unwrap();
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                last = Some(answer);
                break;
            }
            assert_eq!(answer.status(), StatusCode::OK);
        }
        let refused = last.unwrap();
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(wait >= 1);
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "too_many_calls");
        let program = Program::service(&server);
        for _ in 0..50 {
            let answer = program.get("/api/accounts/email:ann@example.com/credits/balance").await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        server.stop().await;
    }

    async fn history_comes_newest_first_in_pages_and_by_what_is_asked_for(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        for cost in 1..=5 {
            let body = json!({ "amount": cost }).to_string();
            program.post(&format!("{path}/credits/charge"), &body).await;
        }
        program.post(&format!("{path}/credits/charge"), r#"{"feature":"text-to-image"}"#).await;
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let more = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let page = program.get(&format!("{path}/credits?limit=3{more}")).await.json();
            seen.extend(page["transactions"].as_array().unwrap().iter().map(|row| row["amount"].as_i64().unwrap()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(seen, [-5, -5, -4, -3, -2, -1, 60]);
        let amounts = |query: &'static str| {
            let (program, url) = (program.clone(), format!("{path}/credits?{query}"));
            async move { program.get(&url).await.json()["transactions"].as_array().unwrap().len() }
        };
        assert_eq!(amounts("type=credit").await, 1);
        assert_eq!(amounts("feature=text-to-image").await, 1);
        assert_eq!(amounts("to=2020-01-01T00:00:00Z").await, 0);
        assert_eq!(amounts("from=2020-01-01T00:00:00%2B02:00").await, 7);
        server.stop().await;
    }

    async fn a_key_that_was_revoked_or_has_no_scope_opens_nothing(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let reader = server.service_key_with("accounts:read").await;
        let reading = Program::with_key(&server, Some(&reader.1));
        assert_eq!(reading.get(&format!("{path}/credits/balance")).await.status, StatusCode::OK);
        let refused = reading.post(&format!("{path}/credits/charge"), r#"{"amount":1}"#).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.word("/detail").contains("accounts:write"));
        assert_eq!(reading.post("/api/accounts", r#"{"email":"x@example.com"}"#).await.status, StatusCode::FORBIDDEN);
        server.revoke(&reader.0).await;
        reading.get_until(&format!("{path}/credits/balance"), StatusCode::UNAUTHORIZED).await;
        assert_eq!(program.get(&format!("{path}/credits/balance")).await.status, StatusCode::OK);
        server.stop().await;
    }

    async fn paths_and_methods_that_are_not_there_are_problems_too(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        for (method, url, status) in [
            (Method::GET, "/api/nothing".to_owned(), 404),
            (Method::GET, "/api/".to_owned(), 404),
            (Method::GET, format!("{path}/credits/charge"), 405),
            (Method::DELETE, format!("{path}/credits"), 405),
            (Method::POST, format!("{path}/credits/holds/h0/capture"), 404),
            (Method::POST, format!("{path}/credits/holds/t1/capture"), 404),
            (Method::POST, format!("{path}/credits/holds/%00/capture"), 404),
            (Method::POST, format!("{path}/credits/transactions/t99999999999999999999/refund"), 404),
        ] {
            let answer = program.send(method.clone(), &url, None, None).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {url}: {answer:?}");
            assert_eq!(answer.content_type, "application/problem+json", "{method} {url}");
        }
        let plain = reqwest::Client::new().post(server.url(&format!("{path}/credits/charge")));
        let plain = plain.bearer_auth(&server.service_key).header("content-type", "text/plain").body("{}");
        assert_eq!(plain.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        server.stop().await;
    }

    async fn a_balance_is_followed_from_its_start_and_after_every_change(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let request = reqwest::Client::new().get(server.url(&format!("{path}/credits/events")));
        let mut events = request.bearer_auth(&server.service_key).send().await.unwrap();
        assert_eq!(events.headers()["content-type"], "text/event-stream");
        let mut heard = String::new();
        let mut wait_for = async |available: i64| {
            let wanted = format!("\"available\":{available},");
            while !heard.contains(&wanted) {
                let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), events.chunk()).await;
                heard.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
            }
            heard.clone()
        };
        wait_for(60).await;
        program.post(&format!("{path}/credits/charge"), r#"{"amount":7}"#).await;
        let heard = wait_for(53).await;
        assert!(heard.contains("event: balance") && heard.contains("id: 2"), "{heard}");
        // A stream that would go on for ever does not keep the server from stopping.
        server.stop().await;
    }
}
