//! Events: their bodies in the shapes before and since 2025-03-31, their signatures, and sending them.

use super::Shared;
use super::world::text;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

/// The shape of events: the version of the endpoint decides it, not that of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Before2025,
    Since2025,
}

/// How long an event waits that was not taken, in the running program; Stripe waits for minutes to hours.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// How often an event is sent at most.
const MAX_SENDS: usize = 30;

/// The value of the header `Stripe-Signature` for these secrets.
pub fn sign(body: &str, secrets: &[String], seconds: i64) -> String {
    let signature = |secret: &String| {
        let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        code.update(format!("{seconds}.{body}").as_bytes());
        format!(",v1={}", hex::encode(code.finalize().into_bytes()))
    };
    format!("t={seconds}{}", secrets.iter().map(signature).collect::<String>())
}

/// Where to send a body now, and with which signature.
pub fn envelope(shared: &Shared, body: &str) -> (Option<String>, String) {
    let seconds = shared.world.lock().unwrap().seconds();
    (shared.webhook.lock().unwrap().clone(), sign(body, &shared.secrets.lock().unwrap(), seconds))
}

/// Sends a body; the status of the answer, or none where none came.
pub async fn post(http: &reqwest::Client, url: &str, signature: &str, body: &str) -> Option<u16> {
    let request =
        http.post(url).header("Stripe-Signature", signature).header("Content-Type", "application/json; charset=utf-8");
    request.body(body.to_owned()).send().await.ok().map(|response| response.status().as_u16())
}

/// Sends whatever happens, each until it is taken.
pub async fn send_all(shared: Arc<Shared>, http: reqwest::Client) {
    loop {
        let waiting = std::mem::take(&mut shared.world.lock().unwrap().outbox);
        for event in waiting {
            let Some(body) = body(&event, shared.shape) else { continue };
            for _ in 0..MAX_SENDS {
                let (url, signature) = envelope(&shared, &body);
                let Some(url) = url else { break };
                let status = post(&http, &url, &signature, &body).await;
                if status.is_some_and(|status| (200..300).contains(&status)) {
                    break;
                }
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The body of an event; `None` where that shape had no such event.
pub fn body(event: &Value, shape: Shape) -> Option<String> {
    let mut event = event.clone();
    match shape {
        Shape::Since2025 => event["api_version"] = "2025-03-31.basil".into(),
        Shape::Before2025 => {
            if text(&event, "/type").starts_with("invoice_payment.") {
                return None;
            }
            event["api_version"] = "2024-06-20".into();
            make_older(&mut event["data"]["object"]);
        }
    }
    let object = event["data"]["object"].as_object_mut().expect("an object");
    object.retain(|name, _| !name.starts_with("standin") && name != "payments");
    Some(serde_json::to_string_pretty(&event).expect("JSON"))
}

/// As it was before 2025-03-31.
fn make_older(object: &mut Value) {
    match text(object, "/object") {
        "invoice" => make_invoice_older(object),
        "subscription" => {
            let item = object["items"]["data"][0].clone();
            for name in ["current_period_start", "current_period_end"] {
                object[name] = item[name].clone();
                object["items"]["data"][0].as_object_mut().expect("an item").remove(name);
            }
            object["items"]["data"][0]["plan"] = older_plan(&item["price"]);
            object["plan"] = older_plan(&item["price"]);
        }
        "charge" => object["invoice"] = object["standin_invoice"].clone(),
        _ => {}
    }
}

fn older_plan(price: &Value) -> Value {
    json!({"id": price["id"], "object": "plan", "amount": price["unit_amount"], "currency": "usd",
        "interval": price["recurring"]["interval"], "interval_count": 1, "product": price["product"]})
}

fn make_invoice_older(invoice: &mut Value) {
    let subscription = invoice.pointer("/parent/subscription_details/subscription").cloned().unwrap_or_default();
    invoice["subscription_details"] = json!({"metadata": invoice["parent"]["subscription_details"]["metadata"]});
    let payment = invoice.pointer("/payments/data/0/payment/payment_intent").cloned().unwrap_or_default();
    invoice["paid"] = (invoice["status"] == "paid").into();
    invoice["subscription"] = subscription.clone();
    invoice["payment_intent"] = payment;
    let fields = invoice.as_object_mut().expect("an invoice");
    fields.remove("parent");
    fields.remove("payments");
    for line in invoice["lines"]["data"].as_array_mut().expect("lines") {
        let of_subscription = line["parent"]["type"] == "subscription_item_details";
        line["type"] = if of_subscription { "subscription" } else { "invoiceitem" }.into();
        line["proration"] = false.into();
        line["subscription"] = subscription.clone();
        let price = line.pointer("/pricing/price_details/price").cloned().unwrap_or_default();
        line["price"] = if price.is_null() { Value::Null } else { json!({"id": price, "object": "price"}) };
        line["plan"] = if price.is_null() { Value::Null } else { json!({"id": price, "object": "plan"}) };
        let fields = line.as_object_mut().expect("a line");
        fields.remove("parent");
        fields.remove("pricing");
    }
}
