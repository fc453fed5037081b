//! What another back end does that knows nothing of this program but its documented interface: plain requests and
//! plain JSON, from making an account to following it.

use super::common::on_both_databases;
use super::common::server::TestServer;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// A script's way to call: an address, a key, JSON there and back.
struct Script {
    base: String,
    key: String,
    client: Client,
}

impl Script {
    async fn post(&self, path: &str, body: Value, once: &str) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.base)).json(&body).header("Idempotency-Key", once);
        let response = request.header(AUTHORIZATION, format!("Bearer {}", self.key)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base));
        request.header(AUTHORIZATION, format!("Bearer {}", self.key)).send().await.unwrap()
    }

    async fn read(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }
}

on_both_databases! {
    async fn another_back_end_meters_its_own_features(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (base, key) = (server.base.clone(), server.service_key.clone());
        let script = Script { base, key, client: Client::new() };

        let (status, account) = script.post("/api/accounts", json!({ "email": "eve@example.com" }), "a-1").await;
        assert_eq!((status, &account["balance"]["available"]), (201, &json!(60)));
        let account = format!("/api/accounts/{}", account["id"].as_str().unwrap());

        let grant = json!({ "amount": 1_000, "source": "referral", "reason": "Brought Ann", "reference": "ann",
            "expires_at": "2999-01-01T00:00:00Z" });
        let (status, receipt) = script.post(&format!("{account}/grants"), grant.clone(), "g-1").await;
        assert_eq!((status, &receipt["transaction"]["amount"]), (201, &json!(1_000)));
        let (status, again) = script.post(&format!("{account}/grants"), grant.clone(), "g-1").await;
        assert_eq!((status, &again), (201, &receipt), "the same key is answered alike");
        let (status, conflict) = script.post(&format!("{account}/grants"), grant, "g-2").await;
        assert_eq!((status, &conflict["first"]["transaction"]["id"]), (409, &receipt["transaction"]["id"]));

        let costs = script.read("/api/credit-costs").await;
        assert!(costs["rates"].as_array().unwrap().iter().any(|rate| rate["feature"] == "video"));
        let quote = script.read(&format!("{account}/credits/quote?feature=video&units=6")).await;
        assert_eq!((&quote["cost"], &quote["enough"], &quote["rate_version"]), (&json!(50), &json!(true), &costs["rate_version"]));

        // What ends is spent before what does not.
        let hold = json!({ "feature": "video", "units": 6, "ttl_seconds": 60, "metadata": { "job": 7 } });
        let (status, hold) = script.post(&format!("{account}/credits/holds"), hold, "h-1").await;
        assert_eq!((status, &hold["amount"], &hold["draws"][0]["grant"]), (201, &json!(50), &receipt["draws"][0]["grant"]));
        assert_eq!((&hold["balance"]["available"], &hold["balance"]["held"]), (&json!(1_010), &json!(50)));
        let settle = format!("{account}/credits/holds/{}", hold["id"].as_str().unwrap());
        let (status, captured) = script.post(&format!("{settle}/capture"), json!({ "amount": 30 }), "c-1").await;
        assert_eq!((status, &captured["transaction"]["amount"], &captured["balance"]["held"]), (200, &json!(-30), &json!(0)));
        assert_eq!(captured["transaction"]["hold"], hold["id"]);
        let (status, late) = script.post(&format!("{settle}/release"), json!({}), "r-1").await;
        assert_eq!((status, &late["hold_status"]), (409, &json!("captured")));

        let charge = captured["transaction"]["id"].as_str().unwrap();
        let refund = format!("{account}/credits/transactions/{charge}/refund");
        let (status, refunded) = script.post(&refund, json!({ "amount": 10, "reason": "late" }), "f-1").await;
        assert_eq!((status, &refunded["transaction"]["refund_of"]), (201, &json!(charge)));
        assert_eq!(refunded["draws"][0]["grant"], receipt["draws"][0]["grant"]);
        let (status, above) = script.post(&refund, json!({ "amount": 21 }), "f-2").await;
        assert_eq!((status, &above["refundable"]), (422, &json!(20)));

        let short = json!({ "amount": 5_000 });
        let (status, short) = script.post(&format!("{account}/credits/charge"), short, "x-1").await;
        assert_eq!((status, &short["shortfall"], &short["plans_url"]), (402, &json!(3_960), &json!("/plans")));

        let mut rows = Vec::new();
        let mut query = "?limit=1".to_owned();
        loop {
            let page = script.read(&format!("{account}/credits{query}")).await;
            rows.extend(page["transactions"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("?limit=1&cursor={cursor}"),
                None => break,
            }
        }
        let amounts: Vec<i64> = rows.iter().map(|row| row["amount"].as_i64().unwrap()).collect();
        assert_eq!(amounts, [10, -30, 1_000, 60]);
        let balance = script.read(&format!("{account}/credits/balance")).await;
        assert_eq!((&balance["available"], &balance["by_source"]), (&json!(1_040), &json!({ "referral": 980, "signup": 60 })));
        assert_eq!(balance["next_expiry"], json!({ "at": "2999-01-01T00:00:00Z", "amount": 980 }));

        let export = script.get(&format!("{account}/credits/export.csv")).await.text().await.unwrap();
        assert_eq!(export.lines().count(), 1 + rows.len());

        let mut events = script.get(&format!("{account}/credits/events")).await;
        let mut heard = String::new();
        while !heard.contains("\n\n") {
            heard.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
        }
        let data = heard.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), balance);
        server.assert_books_balance().await;
        server.stop().await;
    }
}
