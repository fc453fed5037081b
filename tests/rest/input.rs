//! What may be sent: each field that does not fit is named, and nothing of a refused request happens.

use super::account_with;
use super::common::on_both_databases;
use super::common::server::{Program, TestServer};
use reqwest::{Method, StatusCode};
use scrip::domain::credits::MAX_CREDITS;

/// Numbers that are no amounts, however they are written.
const NO_AMOUNTS: [&str; 14] = [
    "0",
    "-1",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "9007199254740992",
    "9007199254740993",
    "1.5",
    "5.0",
    "1e3",
    "\"5\"",
    "true",
    "[]",
    "{}",
];

/// Bodies with the status and the field of their answers.
async fn refuses(program: &Program, url: &str, table: &[(&str, u16, &str)]) {
    for (body, status, field) in table {
        let answer = program.post(url, body).await;
        assert_eq!(answer.status.as_u16(), *status, "{url} {body}: {}", answer.text);
        assert_eq!(answer.content_type, "application/problem+json", "{url} {body}");
        let named = answer.json()["field"].as_str().unwrap_or_default().to_owned();
        assert_eq!(named, *field, "{url} {body}: {}", answer.text);
        assert!(!answer.text.contains("struct ") && !answer.text.contains("Body"), "inner names: {}", answer.text);
    }
}

on_both_databases! {
    async fn every_field_that_does_not_fit_is_named(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let hold = program.post(&format!("{path}/credits/holds"), r#"{"amount":1}"#).await.word("/id");
        let long = format!(r#"{{"amount":1,"description":"{}"}}"#, "x".repeat(301));
        let spending: [(&str, u16, &str); 19] = [
            ("{}", 422, "feature"),
            (r#"{"amount":null}"#, 422, "feature"),
            (r#"{"units":3}"#, 422, "feature"),
            (r#"{"amount":1,"feature":"text-to-image"}"#, 422, "amount"),
            (r#"{"amount":1,"amount":1}"#, 422, "amount"),
            (r#"{"amount":1,"\u0061mount":2}"#, 422, "amount"),
            (r#"{"amount":1,"metadata":{"a":1,"a":2}}"#, 422, "metadata.a"),
            (r#"{"amount":1,"metadata":{"a":[{"b":1,"b":2}]}}"#, 422, "metadata.a[0].b"),
            (r#"{"amount":1,"balance":500}"#, 422, "balance"),
            (r#"{"amount":1,"user_id":"x"}"#, 422, "user_id"),
            (r#"{"feature":"no-such-feature"}"#, 422, "feature"),
            (r#"{"feature":"../etc"}"#, 422, "feature"),
            (r#"{"feature":7}"#, 422, "feature"),
            (r#"{"feature":"text-to-image","units":86401}"#, 422, "units"),
            (r#"{"amount":1,"metadata":[1]}"#, 422, "metadata"),
            (r#"{"amount":1,"description":""}"#, 422, "description"),
            (r#"{"amount":1,"description":" \n "}"#, 422, "description"),
            (r#"{"amount":1,"description":"a\u0000b"}"#, 422, "description"),
            (long.as_str(), 422, "description"),
        ];
        for url in [format!("{path}/credits/charge"), format!("{path}/credits/holds")] {
            refuses(&program, &url, &spending).await;
            for number in NO_AMOUNTS {
                let body = format!(r#"{{"amount":{number}}}"#);
                refuses(&program, &url, &[(&body, 422, "amount")]).await;
                let body = format!(r#"{{"feature":"text-to-image","units":{number}}}"#);
                refuses(&program, &url, &[(&body, 422, "units")]).await;
            }
        }
        refuses(&program, &format!("{path}/credits/holds"), &[
            (r#"{"amount":1,"ttl_seconds":0}"#, 422, "ttl_seconds"),
            (r#"{"amount":1,"ttl_seconds":86401}"#, 422, "ttl_seconds"),
            (r#"{"amount":1,"ttl_seconds":1.5}"#, 422, "ttl_seconds"),
            (r#"{"amount":1,"ttl_seconds":"60"}"#, 422, "ttl_seconds"),
            (r#"{"amount":1,"ttl_seconds":9223372036854775807}"#, 422, "ttl_seconds"),
        ]).await;
        refuses(&program, &format!("{path}/credits/holds/{hold}/capture"), &[
            (r#"{"amount":1.5}"#, 422, "amount"),
            (r#"{"units":1}"#, 422, "units"),
        ]).await;
        refuses(&program, &format!("{path}/credits/holds/{hold}/release"), &[(r#"{"amount":1}"#, 422, "amount")]).await;
        refuses(&program, &format!("{path}/credits/transactions/t1/refund"), &[
            (r#"{"amount":"1"}"#, 422, "amount"),
            (r#"{"reason":""}"#, 422, "reason"),
            (r#"{"account":"x"}"#, 422, "account"),
        ]).await;
        refuses(&program, &format!("{path}/grants"), &[
            ("{}", 422, "amount"),
            (r#"{"amount":1}"#, 422, "source"),
            (r#"{"amount":1,"source":"promotion"}"#, 422, "reason"),
            (r#"{"amount":1,"source":"signup","reason":"x"}"#, 422, "source"),
            (r#"{"amount":1,"source":"gift","reason":"x"}"#, 422, "source"),
            (r#"{"amount":1,"source":"promotion","reason":"x","reference":""}"#, 422, "reference"),
            (r#"{"amount":1,"source":"promotion","reason":"x","expires_at":"tomorrow"}"#, 422, "expires_at"),
            (r#"{"amount":1,"source":"promotion","reason":"x","expires_at":"2020-01-01T00:00:00Z"}"#, 422, "expires_at"),
            (r#"{"amount":9007199254740992,"source":"promotion","reason":"x"}"#, 422, "amount"),
        ]).await;
        refuses(&program, "/api/accounts", &[
            ("{}", 422, "email"),
            (r#"{"email":"nobody"}"#, 422, "email"),
            (r#"{"email":"a@example.com","name":""}"#, 422, "name"),
            (r#"{"email":"a@example.com","name":"a\u0000"}"#, 422, "name"),
            (r#"{"email":"a@example.com","role":"admin"}"#, 422, "role"),
            (r#"{"email":"a@example.com","balance":5}"#, 422, "balance"),
        ]).await;
        assert_eq!(program.available(&account).await, 59);
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn a_body_is_an_object_in_json_of_bounded_size(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, account, path) = account_with(&server, 60).await;
        let charge = format!("{path}/credits/charge");
        let deep = format!(r#"{{"amount":1,"metadata":{{"a":{}1{}}}}}"#, "[".repeat(500), "]".repeat(500));
        refuses(&program, &charge, &[
            ("{", 400, ""),
            ("nul", 400, ""),
            (r#"{"amount":1} x"#, 400, ""),
            (r#"{"amount":1,}"#, 400, ""),
            (r#"{"amount":01}"#, 400, ""),
            (r#"{"amount":1e999}"#, 400, ""),
            (r#"{"description":"\ud800"}"#, 400, ""),
            (deep.as_str(), 400, ""),
            ("null", 422, ""),
            ("1", 422, ""),
            ("[1]", 422, ""),
            // As serde would take a structure from a list of its values.
            (r#"[null,null,1,null,null]"#, 422, ""),
        ]).await;
        let metadata = |count: usize| {
            let entries: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
            format!(r#"{{"amount":1,"metadata":{{{}}}}}"#, entries.join(","))
        };
        refuses(&program, &charge, &[(&metadata(51), 422, "metadata")]).await;
        assert_eq!(program.post(&charge, &metadata(50)).await.status, StatusCode::CREATED);
        let big = format!(r#"{{"amount":1,"description":"{}"}}"#, "x".repeat(100_000));
        refuses(&program, &charge, &[(&big, 413, "")]).await;
        let key = program.post_once(&charge, r#"{"amount":1}"#, &"k".repeat(256)).await;
        assert_eq!((key.status, key.word("/field").as_str()), (StatusCode::BAD_REQUEST, "Idempotency-Key"));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"] {
            let request = reqwest::Client::new().post(server.url(&charge)).bearer_auth(&server.service_key);
            let answer = request.header("content-type", kind).body(r#"{"amount":1}"#).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        }
        assert_eq!(program.available(&account).await, 59);
        server.stop().await;
    }

    async fn the_largest_amounts_are_exact(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let body = format!(r#"{{"amount":{},"source":"promotion","reason":"all of it"}}"#, MAX_CREDITS - 60);
        let full = program.post(&format!("{path}/grants"), &body).await;
        assert_eq!(full.number("/balance/available"), MAX_CREDITS);
        let more = program.post(&format!("{path}/grants"), r#"{"amount":1,"source":"promotion","reason":"more"}"#).await;
        assert_eq!((more.status, more.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "balance_too_large"));
        let all = program.post(&format!("{path}/credits/charge"), &format!(r#"{{"amount":{MAX_CREDITS}}}"#)).await;
        assert_eq!((all.number("/transaction/amount"), all.number("/balance/available")), (-MAX_CREDITS, 0));
        server.assert_books_balance().await;
        server.stop().await;
    }

    async fn queries_are_as_strict_as_bodies(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        for list in ["credits", "credits/export.csv"] {
            for (query, field) in [
                ("limit=0", "limit"),
                ("limit=-1", "limit"),
                ("limit=1.5", "limit"),
                ("limit=", "limit"),
                ("limit=x", "limit"),
                ("limit=4294967296", "limit"),
                ("limit=1&limit=2", "limit"),
                ("cursor=h1", "cursor"),
                ("cursor=t0", "cursor"),
                ("cursor=%00", "cursor"),
                ("type=gift", "type"),
                ("feature=A%20B", "feature"),
                ("from=yesterday", "from"),
                ("to=2020-13-01T00:00:00Z", "to"),
                ("everything=1", "everything"),
            ] {
                let answer = program.get(&format!("{path}/{list}?{query}")).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{list}?{query}: {answer:?}");
                assert_eq!((answer.word("/field").as_str(), answer.code().as_str()), (field, "invalid"), "{list}?{query}");
            }
        }
        assert_eq!(program.get(&format!("{path}/credits?limit=201")).await.word("/field"), "limit");
        for (query, field) in
            [("", "feature"), ("units=1", "feature"), ("feature=text-to-image&units=0", "units"), ("feature=text-to-image&units=x", "units"), ("feature=text-to-image&amount=1", "amount")]
        {
            let answer = program.get(&format!("{path}/credits/quote?{query}")).await;
            assert_eq!((answer.status, answer.word("/field").as_str()), (StatusCode::UNPROCESSABLE_ENTITY, field), "{query}");
        }
        server.stop().await;
    }

    async fn other_methods_are_told_which_ones_there_are(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (_, _, path) = account_with(&server, 60).await;
        let client = reqwest::Client::new();
        for (method, url, status, allow) in [
            (Method::GET, format!("{path}/credits/charge"), 405, "POST"),
            (Method::DELETE, format!("{path}/credits"), 405, "GET,HEAD"),
            (Method::PUT, "/api/accounts".to_owned(), 405, "POST"),
            (Method::PATCH, "/api/credit-costs".to_owned(), 405, "GET,HEAD"),
            (Method::OPTIONS, "/api/credit-costs".to_owned(), 204, "GET,HEAD"),
            (Method::OPTIONS, format!("{path}/grants"), 204, "POST"),
            (Method::HEAD, "/api/credit-costs".to_owned(), 200, ""),
            (Method::HEAD, format!("{path}/credits/events"), 200, ""),
            (Method::HEAD, "/api/nothing".to_owned(), 404, ""),
            (Method::OPTIONS, "/api/nothing".to_owned(), 404, ""),
        ] {
            let request = client.request(method.clone(), server.url(&url)).bearer_auth(&server.service_key);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{method} {url}");
            let said = answer.headers().get("allow").map_or("", |value| value.to_str().unwrap());
            assert_eq!(said, allow, "{method} {url}");
            if status >= 400 {
                assert_eq!(answer.headers()["content-type"], "application/problem+json", "{method} {url}");
            }
            let kept = answer.headers()["cache-control"].to_str().unwrap();
            assert!(matches!(kept, "no-store" | "no-cache"), "{method} {url}: {kept}");
        }
        server.stop().await;
    }
}
