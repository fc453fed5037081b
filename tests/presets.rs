//! Each preset on a real server, requirement by requirement of the system that it stands for. `docs/presets.md` lists the
//! requirements beside these tests; the last test here holds the two together.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "presets/api.rs"]
mod api;
mod common;
#[path = "presets/creator.rs"]
mod creator;
#[path = "presets/dual.rs"]
mod dual;
#[path = "presets/mvp.rs"]
mod mvp;
#[path = "presets/subscription.rs"]
mod subscription;

use common::server::{Program, TestServer, Visitor};
use reqwest::StatusCode;

const ANN: &str = "ann@example.com";

/// The program, started with that preset on an empty database.
async fn serve(preset: &str) -> TestServer {
    TestServer::start_with(|config| config.preset = preset.to_owned()).await
}

/// Somebody who has signed up, in a browser and with a key of their own.
struct Person<'a> {
    browser: Visitor<'a>,
    program: Program,
}

impl<'a> Person<'a> {
    async fn signed_up(server: &'a TestServer) -> Self {
        let browser = Visitor::signed_up(server, ANN).await;
        let key = server.personal_key(ANN).await;
        Self { browser, program: Program::with_key(server, Some(&key)) }
    }

    async fn available(&self) -> i64 {
        self.program.get("/api/credits/balance").await.number("/available")
    }

    /// What the page says, without tags.
    async fn page(&self, path: &str) -> String {
        let answer = self.browser.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let html = answer.text().await.unwrap();
        let mut text = String::new();
        for part in html.split('<') {
            text.push_str(part.split_once('>').map_or("", |(_, words)| words));
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Makes a picture in the studio, which is what features are for.
    async fn make_picture(&self) -> StatusCode {
        let form = [("feature", "text-to-image"), ("prompt", "a lighthouse at dusk")];
        self.browser.send("generate", &form).await.status()
    }

    /// Buys what the demo sells, to the end.
    async fn pay_for(&self, function: &str, form: &[(&str, &str)]) {
        let begun = self.browser.submit(function, form).await;
        let checkout = begun.headers()["location"].to_str().unwrap().to_owned();
        let order = checkout.strip_prefix("/checkout/").unwrap_or_else(|| panic!("{function}: {checkout}"));
        let paid = self.browser.send("approve_payment", &[("order", order)]).await;
        assert_eq!(paid.status(), StatusCode::OK);
    }
}

/// Credits for a person by a service key, as a shop of one's own would give them.
async fn grant(server: &TestServer, body: &str) {
    let granted = Program::service(server).post(&format!("/api/accounts/email:{ANN}/grants"), body).await;
    assert_eq!(granted.status, StatusCode::CREATED, "{granted:?}");
}

/// Refuses a table of requirements that names a test which is not there, and a test that no requirement names.
#[test]
fn each_requirement_names_a_test_that_exists_or_what_it_waits_for() {
    let files = [
        ("mvp", include_str!("presets/mvp.rs")),
        ("subscription", include_str!("presets/subscription.rs")),
        ("api", include_str!("presets/api.rs")),
        ("dual", include_str!("presets/dual.rs")),
        ("creator", include_str!("presets/creator.rs")),
    ];
    let mut tests: Vec<String> = Vec::new();
    for (module, text) in files {
        let names = text.lines().filter_map(|line| line.strip_prefix("async fn ")?.split_once("()"));
        tests.extend(names.map(|(name, _)| format!("{module}::{name}")));
    }
    let table = include_str!("../docs/presets.md");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| What"))
        .filter(|line| !line.contains("`scrip ") && !line.contains("| --- |"))
        .collect();
    assert!(rows.len() > 40, "the requirements are not where they were");
    let mut named: Vec<&str> = Vec::new();
    for row in rows {
        let shown_by = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        let in_backticks: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!in_backticks.is_empty() || shown_by.starts_with("waits for "), "no test and no reason: {row}");
        for name in in_backticks.into_iter().filter(|name| !name.starts_with("make ")) {
            assert!(tests.iter().any(|test| test == name) || elsewhere(name), "there is no test {name}: {row}");
            named.push(name);
        }
    }
    let forgotten: Vec<&String> = tests.iter().filter(|test| !named.contains(&test.as_str())).collect();
    assert!(forgotten.is_empty(), "no requirement names {forgotten:?}");
}

/// A test of another file, as `tests/backfill.rs: name`.
fn elsewhere(name: &str) -> bool {
    let Some((file, test)) = name.split_once(": ") else { return false };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {test}(")))
}
