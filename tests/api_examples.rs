//! The examples of docs/api.md, run as they stand there: by bash and curl against a real server, each compared
//! with the answer that is shown below it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::server::{TestServer, Visitor};
use serde_json::Value;
use std::process::Command;

/// An example and what is shown below it.
#[derive(Debug, Default)]
struct Example {
    script: String,
    kind: String,
    shown: String,
}

/// The fenced blocks of `sh`, each with the block that follows.
fn examples() -> Vec<Example> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let mut examples: Vec<Example> = Vec::new();
    for block in page.split("\n```").skip(1) {
        let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
        match kind {
            "sh" => examples.push(Example { script: text.to_owned(), ..Example::default() }),
            "json" | "text" => {
                let example = examples.last_mut().unwrap();
                (example.kind, example.shown) = (kind.to_owned(), text.to_owned());
            }
            // The end of a block, with what follows it; and what is not run.
            _ => {}
        }
    }
    examples
}

/// Whether the answer has everything that is shown; `…` stands for anything.
fn has_all(answer: &Value, shown: &Value) -> bool {
    match (answer, shown) {
        (_, Value::String(text)) if text == "…" => !answer.is_null(),
        (Value::Object(answer), Value::Object(shown)) => {
            shown.iter().all(|(name, shown)| answer.get(name).is_some_and(|answer| has_all(answer, shown)))
        }
        (Value::Array(answer), Value::Array(shown)) => {
            answer.len() == shown.len() && answer.iter().zip(shown).all(|(answer, shown)| has_all(answer, shown))
        }
        (answer, shown) => answer == shown,
    }
}

fn check(example: &Example, said: &str) {
    let fail = || panic!("{}\nis answered with\n{said}\nbut the page shows\n{}", example.script, example.shown);
    match example.kind.as_str() {
        "json" => {
            let (answer, shown) = (serde_json::from_str(said), serde_json::from_str(&example.shown).unwrap());
            if !answer.is_ok_and(|answer| has_all(&answer, &shown)) {
                fail();
            }
        }
        "text" => {
            let mut lines = said.lines();
            if !example.shown.lines().all(|shown| lines.next().is_some_and(|line| line.starts_with(shown))) {
                fail();
            }
        }
        other => panic!("an example shows {other:?}: {}", example.script),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_are_true() {
    const MARK: &str = "=== the next example ===";
    let server = TestServer::start().await;
    Visitor::signed_up(&server, "bob@example.com").await;
    let personal = server.personal_key("bob@example.com").await;
    let examples = examples();
    assert!(examples.len() >= 12, "only {} examples were found", examples.len());
    let scripts: Vec<&str> = examples.iter().map(|example| example.script.as_str()).collect();
    let script = format!("set -euo pipefail\n{}", scripts.join(&format!("\necho; echo '{MARK}'\n")));
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(server.folder.path());
    bash.env("SCRIP", &server.base).env("KEY", &server.service_key).env("MY_KEY", personal).env("no_proxy", "*");
    let ran = tokio::task::spawn_blocking(move || bash.output().unwrap()).await.unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    let answers: Vec<&str> = said.split(MARK).collect();
    assert_eq!(answers.len(), examples.len(), "{said}");
    for (example, said) in examples.iter().zip(answers) {
        check(example, said.trim_start_matches('\n').trim_end_matches('\n'));
    }
    server.assert_books_balance().await;
    server.stop().await;
}

#[test]
fn what_is_shown_is_compared_and_not_only_parsed() {
    let answer = serde_json::json!({ "a": 1, "b": [{ "c": "x", "d": null }] });
    for (shown, fits) in [
        (r#"{"a":1}"#, true),
        (r#"{"b":[{"c":"…"}]}"#, true),
        (r#"{"a":2}"#, false),
        (r#"{"b":[]}"#, false),
        (r#"{"b":[{"d":"…"}]}"#, false),
        (r#"{"e":null}"#, false),
    ] {
        assert_eq!(has_all(&answer, &serde_json::from_str(shown).unwrap()), fits, "{shown}");
    }
}
