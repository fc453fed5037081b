//! Answers that are sent while they are made: the history as a table, and the balance as it changes.

use super::common::on_both_databases;
use super::common::server::{Program, TestServer};
use super::{account_with, all_at_once, count_of};
use reqwest::{Response, StatusCode};
use std::time::Duration;

/// Longer than any event takes to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of events, and what has come of it.
struct Events {
    response: Response,
    heard: String,
}

impl Events {
    async fn follow(server: &TestServer, url: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = reqwest::Client::new().get(server.url(url)).bearer_auth(&server.service_key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { response, heard: String::new() }
    }

    async fn wait_for(&mut self, words: &str) -> &str {
        while !self.heard.contains(words) {
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.unwrap();
            let chunk = chunk.unwrap().unwrap_or_else(|| panic!("the stream ended: {}", self.heard));
            self.heard.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        &self.heard
    }
}

on_both_databases! {
    async fn the_whole_history_is_exported_however_long_it_is(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 2_000).await;
        let charges = all_at_once(1_200, |index| {
            let (program, url) = (program.clone(), format!("{path}/credits/charge"));
            async move { program.post(&url, &format!(r#"{{"amount":1,"description":"row {index}"}}"#)).await }
        })
        .await;
        assert_eq!(count_of(&charges, StatusCode::CREATED), 1_200);
        let export = program.get(&format!("{path}/credits/export.csv")).await;
        assert_eq!((export.status, export.content_type.as_str()), (StatusCode::OK, "text/csv; charset=utf-8"));
        let lines: Vec<&str> = export.text.lines().collect();
        assert_eq!(lines.len(), 1 + 1_202);
        assert!(lines[0].starts_with("id,created_at,type,cause,amount,balance_before,balance_after"), "{}", lines[0]);
        let ids: Vec<i64> = lines[1..].iter().map(|line| line.split(',').next().unwrap()[1..].parse().unwrap()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "a row is missing, doubled or out of order");
        assert_eq!((ids[0], ids[1_201]), (1_202, 1));
        let some = program.get(&format!("{path}/credits/export.csv?type=debit&limit=7")).await;
        assert_eq!(some.text.lines().count(), 8);
        let earlier = program.get(&format!("{path}/credits/export.csv?cursor=t3")).await;
        assert_eq!(earlier.text.lines().count(), 3);
        let none = program.get(&format!("{path}/credits/export.csv?to=2020-01-01T00:00:00Z")).await;
        assert_eq!(none.text.lines().count(), 1);
        server.stop().await;
    }

    async fn a_description_is_no_formula_and_no_further_column(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let charge = format!("{path}/credits/charge");
        for words in [r#"=HYPERLINK(\"x\")"#, "+1", "-1", "@SUM(A1)", r#"a, \"b\"; c"#] {
            let body = format!(r#"{{"amount":1,"description":"{words}","metadata":{{"a":"=1"}}}}"#);
            assert_eq!(program.post(&charge, &body).await.status, StatusCode::CREATED, "{words}");
        }
        let export = program.get(&format!("{path}/credits/export.csv")).await.text;
        for cell in [r#""'=HYPERLINK(""x"")""#, ",'+1,", ",'-1,", ",'@SUM(A1),", r#","a, ""b""; c","#, r#""{""a"":""=1""}""#] {
            assert!(export.contains(cell), "{cell} is not in\n{export}");
        }
        let mut table = csv::Reader::from_reader(export.as_bytes());
        assert!(table.records().all(|row| row.unwrap().iter().all(|cell| !cell.starts_with(['=', '+', '@']))));
        server.stop().await;
    }

    async fn an_export_is_only_of_ones_own_account(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (_, _, path) = account_with(&server, 60).await;
        for (key, status) in [(None, 401), (Some("scrip_nonsense"), 401)] {
            let nobody = Program::with_key(&server, key);
            assert_eq!(nobody.get(&format!("{path}/credits/export.csv")).await.status.as_u16(), status);
            assert_eq!(nobody.get("/api/credits/export.csv").await.status.as_u16(), status);
        }
        server.stop().await;
    }

    async fn who_comes_back_to_the_events_is_told_only_what_is_new(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (program, _, path) = account_with(&server, 60).await;
        let url = format!("{path}/credits/events");
        // Compressed, an event would wait for the next ones.
        let mut events = Events::follow(&server, &url, &[("accept-encoding", "gzip")]).await;
        assert_eq!(events.response.headers().get("content-encoding"), None);
        let heard = events.wait_for("id: 1\n").await;
        assert!(heard.contains("event: balance\n"), "{heard}");
        program.post(&format!("{path}/credits/charge"), r#"{"amount":7}"#).await;
        events.wait_for("id: 2\n").await;
        drop(events);

        let mut knows = Events::follow(&server, &url, &[("last-event-id", "2")]).await;
        let mut missed = Events::follow(&server, &url, &[("last-event-id", "1")]).await;
        let mut strange = Events::follow(&server, &url, &[("last-event-id", "of another")]).await;
        assert!(missed.wait_for("id: 2\n").await.contains("\"available\":53"));
        strange.wait_for("id: 2\n").await;
        program.post(&format!("{path}/credits/charge"), r#"{"amount":3}"#).await;
        assert!(!knows.wait_for("id: 3\n").await.contains("id: 2\n"));
        server.stop().await;
    }
}
