//! The interface's description: it is what the program serves, complete, and the copy in the repository is its own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::audit_entry;
use common::server::{Program, TestServer, Visitor};
use reqwest::{Method, StatusCode};
use scrip::domain::identity::{Email, Role};
use scrip::server::store::People;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(scrip::server::rest::document_text()).unwrap()
}

/// Each operation with its path and method.
fn operations(document: &Value) -> Vec<(String, Method, Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &Value)| {
        let of_path = |(method, operation): (&String, &Value)| {
            (path.clone(), method.to_uppercase().parse().unwrap(), operation.as_object().unwrap().clone())
        };
        item.as_object().unwrap().iter().map(of_path).collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

#[test]
fn the_copy_in_the_repository_is_what_the_program_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let said = scrip::server::rest::document_text();
    if std::env::var_os("WRITE_OPENAPI").is_some() {
        std::fs::write(path, said).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(kept == said, "docs/openapi.json is old: WRITE_OPENAPI=1 cargo test --features ssr --test openapi");
}

#[test]
fn every_operation_says_what_a_client_generator_needs() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(path.starts_with("/api/"), "{place}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{place} has no id"));
        assert!(ids.insert(id.to_owned()), "{id} stands there twice");
        assert!(operation["summary"].as_str().is_some_and(|words| !words.is_empty()), "{place} has no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{place}");
        let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        let named: BTreeSet<&str> =
            parameters.iter().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
        let in_path: BTreeSet<&str> =
            path.split(['{', '}']).skip(1).step_by(2).map(|name| name.trim_start_matches('*')).collect();
        assert_eq!(named, in_path, "{place}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place} never succeeds");
        assert!(responses.contains_key("503"), "{place}");
        let is_open = operation["security"].as_array().unwrap_or_else(|| panic!("{place} is open to whom?")).is_empty();
        assert_eq!(responses.contains_key("401"), !is_open, "{place}");
        if method == Method::POST && !is_open {
            assert!(parameters.iter().any(|one| one["name"] == "Idempotency-Key"), "{place}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let response = resolve(&document, response);
            assert!(response["content"]["application/problem+json"]["schema"].is_object(), "{place} {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_shape_is_used() {
    let document = document();
    let mut found = BTreeSet::new();
    collect_references(&document, &mut found);
    for reference in &found {
        assert!(!resolve(&document, &serde_json::json!({ "$ref": reference })).is_null(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "nobody uses {name}");
    }
}

#[test]
fn an_answer_leads_to_what_may_follow_it() {
    let document = document();
    let of = |path: &str, status: &str, to: &str| {
        document["paths"][path]["post"]["responses"][status]["links"][to]["operationId"].clone()
    };
    assert_eq!(of("/api/credits/holds", "201", "capture"), "capture");
    assert_eq!(of("/api/accounts/{account}/credits/charge", "201", "refund"), "refund");
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => value,
    }
}

#[tokio::test]
async fn every_operation_that_is_described_is_there() {
    let server = TestServer::start().await;
    let nobody = Program::with_key(&server, None);
    for (path, method, operation) in operations(&document()) {
        let answer = nobody.send(method.clone(), &url_of(&path), None, None).await;
        let is_open = operation["security"].as_array().unwrap().is_empty();
        assert!(!matches!(answer.status.as_u16(), 404 | 405), "{method} {path}: {answer:?}");
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, !is_open, "{method} {path}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_document_and_its_page_load_nothing_from_elsewhere() {
    let server = TestServer::start().await;
    let nobody = Program::with_key(&server, None);
    let served = nobody.get("/api/openapi.json").await;
    assert_eq!(
        (served.content_type.as_str(), served.text.as_str()),
        ("application/json", scrip::server::rest::document_text())
    );
    let response = reqwest::get(server.url("/api/docs")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'self'"), "{policy}");
    let page = response.text().await.unwrap();
    for (path, _, operation) in operations(&document()) {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path} is not on the page");
        assert!(page.contains(&format!("id=\"{}\"", operation["operationId"].as_str().unwrap())));
    }
    // A code's address is the `type` of its problems.
    assert!(page.contains("id=\"insufficient_credits\""));
    for foreign in ["http://", "https://", "<script", "style=\"", "src="] {
        assert!(!page.contains(foreign), "{foreign} stands on the page");
    }
    let style = nobody.get("/api/docs.css").await;
    assert_eq!((style.status, style.content_type.as_str()), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(!style.text.contains("url(") && !style.text.contains("@import"));
    server.stop().await;
}

/// The address of an operation, with names that are of nobody.
fn url_of(path: &str) -> String {
    let known = path.replace("{account}", "nobody").replace("{id}", "h1").replace("{provider}", "demo");
    known.replace(['{', '}', '*'], "")
}

/// The rule of each operation comes from the description itself: what is open is open to everyone; paths of named
/// accounts are for service keys, by scope, and administrators; all others are for a person.
#[tokio::test]
async fn every_operation_asks_who_calls_and_what_they_may() {
    let server = TestServer::start().await;
    Visitor::signed_up(&server, "ann@example.com").await;
    let demoted = Visitor::admin(&server).await;
    let store = server.open_store().await;
    let entry = audit_entry(None, "demote");
    assert!(store.set_role(&Email::parse("admin@example.com").unwrap(), Role::User, &entry).await.unwrap());
    let nobody = Program::with_key(&server, None);
    let stranger = Program::with_key(&server, Some("scrip_00000000000000000000000000"));
    let person = Program::with_key(&server, Some(&server.personal_key("ann@example.com").await));
    let reader = Program::with_key(&server, Some(&server.service_key_with("accounts:read").await.1));
    let program = Program::service(&server);
    for (path, method, operation) in operations(&document()) {
        let url = url_of(&path);
        let place = format!("{method} {path}");
        let of_accounts = path.starts_with("/api/accounts");
        let status = async |caller: &Program| {
            // A stream goes on for ever once it is allowed; HEAD asks the same and is answered at once.
            let method = if method == Method::GET { Method::HEAD } else { method.clone() };
            caller.send(method, &url, None, None).await.status.as_u16()
        };
        if operation["security"].as_array().unwrap().is_empty() {
            for caller in [&nobody, &person, &program] {
                assert!(!matches!(status(caller).await, 401 | 403), "{place} is open, but not to everyone");
            }
            continue;
        }
        assert_eq!((status(&nobody).await, status(&stranger).await), (401, 401), "{place}");
        assert_eq!(status(&person).await == 403, of_accounts, "{place} for a person");
        assert_eq!(status(&program).await == 403, !of_accounts, "{place} for a program");
        assert_eq!(
            status(&reader).await == 403,
            !of_accounts || method != Method::GET,
            "{place} for a reading program"
        );
        let sent = if method == Method::GET { Method::HEAD } else { method.clone() };
        let session = demoted.client.request(sent, server.url(&url)).send().await.unwrap().status();
        assert_eq!(session == StatusCode::FORBIDDEN, of_accounts, "{place} for who was an administrator");
        assert_ne!(session, StatusCode::UNAUTHORIZED, "{place} for a session");
    }
    server.stop().await;
}

#[test]
fn no_body_takes_fields_that_are_not_described() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let is_open = operation["security"].as_array().unwrap().is_empty();
        let Some(body) = operation.get("requestBody").filter(|_| !is_open) else { continue };
        for (kind, content) in body["content"].as_object().unwrap() {
            if kind == "application/json" {
                let shape = resolve(&document, &content["schema"]);
                assert_eq!(shape["additionalProperties"], false, "{method} {path}");
            }
        }
    }
}
