//! The official library of Stripe for Node: it signs events as Stripe does, and shows what its requests look like.

use super::shop::{Shop, cents, checkout, order, plan_checkout, price, terms};
use super::standin::{Heard, SECRET_KEY};
use http::HeaderMap;
use scrip::domain::catalogue::Interval;
use scrip::domain::{Credits, PlanId, Timestamp};
use scrip::server::billing::{CheckoutItem, PaymentProvider, WebhookRefusal};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs one of the scripts of end2end/stripe with lines of JSON, and gives the lines that it answers.
pub async fn node(script: &'static str, arguments: &[&str], lines: &[Value]) -> Vec<String> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // On a thread of its own: what it calls may run on this one.
    tokio::task::spawn_blocking(move || run_node(script, &arguments, &input)).await.unwrap()
}

fn run_node(script: &str, arguments: &[String], input: &str) -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/end2end");
    let mut child = Command::new("node")
        .arg(format!("stripe/{script}"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node is not installed. Run `scripts/setup.sh test`, which installs it.");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} failed; `scripts/setup.sh test` installs what it needs");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The headers that Stripe's own library makes for bodies, each signed with a secret at a moment in seconds.
pub async fn sign(bodies: &[(&str, &str, i64)]) -> Vec<String> {
    let line = |(payload, secret, timestamp): &(&str, &str, i64)| json!({"payload": payload, "secret": secret, "timestamp": timestamp});
    node("sign.mjs", &[], &bodies.iter().map(line).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn events_that_the_official_library_signs_are_believed_and_others_are_not() {
    let shop = Shop::open().await;
    let now = 1_795_000_000;
    let body = json!({"id": "evt_1", "type": "invoice.paid", "data": {"object": {}}}).to_string();
    let secret = super::standin::WEBHOOK_SECRET;
    let signed = sign(&[
        (&body, secret, now),
        (&body, "whsec_wrong", now),
        (&body, secret, now - 301),
        (&body, secret, now - 300),
        ("[1]", secret, now),
    ])
    .await;
    let verify = |header: Option<&str>, body: &str| {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("stripe-signature", header.parse().unwrap());
        }
        shop.stripe.verify(&headers, body.as_bytes(), Timestamp::from_millis(now * 1_000)).map(|event| event.kind)
    };
    assert_eq!(verify(Some(&signed[0]), &body), Ok("invoice.paid".to_owned()));
    assert_eq!(verify(Some(&signed[1]), &body), Err(WebhookRefusal::BadSignature));
    assert_eq!(verify(Some(&signed[2]), &body), Err(WebhookRefusal::Stale));
    assert_eq!(verify(Some(&signed[3]), &body), Ok("invoice.paid".to_owned()));
    assert_eq!(verify(Some(&signed[4]), "[1]"), Err(WebhookRefusal::Malformed));
    assert_eq!(verify(None, &body), Err(WebhookRefusal::BadSignature));
    let altered = body.replace("evt_1", "evt_2");
    assert_eq!(verify(Some(&signed[0]), &altered), Err(WebhookRefusal::BadSignature));
    let both = format!("{},v1={}", signed[1], signed[0].split_once("v1=").unwrap().1);
    assert_eq!(verify(Some(&both), &body), Ok("invoice.paid".to_owned()));
}

/// A call of the library that makes the same request as ours.
struct Same {
    call: &'static [&'static str],
    arguments: Value,
}

#[tokio::test]
async fn our_requests_are_those_of_the_official_library() {
    let shop = Shop::open().await;
    let ours = all_kinds_of_requests(&shop).await;
    let theirs: Vec<Same> = ours.iter().map(same_call).collect();
    let lines: Vec<Value> = theirs.iter().map(|same| json!({"call": same.call, "arguments": same.arguments})).collect();
    let before = shop.standin.heard().len();
    node("requests.mjs", &[&shop.standin.base, SECRET_KEY], &lines).await;
    let heard = shop.standin.heard().split_off(before);
    assert_eq!(heard.len(), ours.len());
    for (our, their) in ours.iter().zip(&heard) {
        assert_eq!((&our.method, &our.path), (&their.method, &their.path));
        assert_eq!(sorted(our), sorted(their), "{} {}", our.method, our.path);
        assert_eq!(our.version, their.version);
        if our.method == "POST" {
            assert_eq!(our.content_type, their.content_type);
        }
    }
}

/// Fields by name. Where a list is expanded, the library writes `expand[0]` as we do.
fn sorted(request: &Heard) -> Vec<(String, String)> {
    let mut fields = request.fields.clone();
    fields.sort();
    fields
}

/// One request of each kind that the provider makes, as it reached the stand-in.
async fn all_kinds_of_requests(shop: &Shop) -> Vec<Heard> {
    let (month, year) = (Interval::Month, Interval::Year);
    let pack = CheckoutItem::Pack { pack: PlanId::parse("pack-100").unwrap(), credits: Credits::of(100) };
    shop.stripe.begin_checkout(&checkout("pack", pack, cents(500))).await.unwrap();
    let left = shop.stripe.begin_checkout(&plan_checkout("left", "basic", year)).await.unwrap();
    shop.stripe.expire_checkout(&left.checkout).await.unwrap();
    let id = shop.subscribe("one", "basic", month).await;
    shop.stripe
        .change_now(&id, &terms("premium", month), price("premium", month), cents(100), &order("two"))
        .await
        .unwrap();
    shop.stripe.change_at_period_end(&id, &terms("basic", year), price("basic", year), "k1").await.unwrap();
    let seen = shop.see(&id).await;
    shop.stripe.cancel_at_period_end(&id, "k2").await.unwrap();
    shop.stripe.keep(&id, "k3").await.unwrap();
    shop.standin.world().cancel_in_portal(id.as_str(), true);
    shop.stripe.keep(&id, "k4").await.unwrap();
    shop.stripe.portal_url(&shop.customer_of(&id), "https://credits.example.com/billing").await.unwrap();
    shop.stripe.refund(&seen.invoices[0].invoice, cents(100), "r1").await.unwrap();
    shop.standin.world().open_dispute(seen.invoices[0].payment.as_ref().unwrap().as_str());
    shop.stripe.fetch_payment(&seen.invoices[0].invoice).await.unwrap();
    shop.stripe.cancel_now(&id).await.unwrap();
    let mut kinds: Vec<Heard> = Vec::new();
    for heard in shop.standin.heard() {
        let names = |one: &Heard| one.fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if !kinds.iter().any(|kind| {
            kind.method == heard.method && shape(&kind.path) == shape(&heard.path) && names(kind) == names(&heard)
        }) {
            kinds.push(heard);
        }
    }
    kinds
}

/// A path without the ids in it.
fn shape(path: &str) -> String {
    path.split('/').map(|part| if part.contains("_standin") { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// The library's call for a request of ours: which method, and our fields as the nested object that it takes.
fn same_call(request: &Heard) -> Same {
    let ids: Vec<Value> = request.path.split('/').filter(|part| part.contains("_standin")).map(Value::from).collect();
    let call: &'static [&'static str] = match (request.method.as_str(), shape(&request.path).as_str()) {
        ("POST", "/v1/customers") => &["customers", "create"],
        ("GET", "/v1/prices") => &["prices", "list"],
        ("GET", "/v1/prices/{}") => &["prices", "retrieve"],
        ("POST", "/v1/prices") => &["prices", "create"],
        ("POST", "/v1/products") => &["products", "create"],
        ("POST", "/v1/checkout/sessions") => &["checkout", "sessions", "create"],
        ("GET", "/v1/checkout/sessions/{}") => &["checkout", "sessions", "retrieve"],
        ("POST", "/v1/checkout/sessions/{}/expire") => &["checkout", "sessions", "expire"],
        ("POST", "/v1/billing_portal/sessions") => &["billingPortal", "sessions", "create"],
        ("GET", "/v1/subscriptions/{}") => &["subscriptions", "retrieve"],
        ("POST", "/v1/subscriptions/{}") => &["subscriptions", "update"],
        ("DELETE", "/v1/subscriptions/{}") => &["subscriptions", "cancel"],
        ("POST", "/v1/subscription_schedules") => &["subscriptionSchedules", "create"],
        ("GET", "/v1/subscription_schedules/{}") => &["subscriptionSchedules", "retrieve"],
        ("POST", "/v1/subscription_schedules/{}") => &["subscriptionSchedules", "update"],
        ("POST", "/v1/subscription_schedules/{}/release") => &["subscriptionSchedules", "release"],
        ("POST", "/v1/invoiceitems") => &["invoiceItems", "create"],
        ("GET", "/v1/invoices") => &["invoices", "list"],
        ("GET", "/v1/invoices/{}") => &["invoices", "retrieve"],
        ("GET", "/v1/invoice_payments") => &["invoicePayments", "list"],
        ("GET", "/v1/payment_intents/{}") => &["paymentIntents", "retrieve"],
        ("GET", "/v1/disputes") => &["disputes", "list"],
        ("POST", "/v1/refunds") => &["refunds", "create"],
        other => panic!("a request that no call of the library was named for: {other:?}"),
    };
    let mut arguments = ids;
    if !request.fields.is_empty() {
        arguments.push(nested(&request.fields));
    }
    Same { call, arguments: arguments.into() }
}

/// `a[b][0]=x` as `{"a": {"b": ["x"]}}`, with numbers and flags as such.
fn nested(fields: &[(String, String)]) -> Value {
    let mut whole = json!({});
    for (name, text) in fields {
        let mut place = &mut whole;
        for part in name.split(['[', ']']).filter(|part| !part.is_empty()) {
            place = match part.parse::<usize>() {
                Ok(index) => {
                    if !place.is_array() {
                        *place = json!([]);
                    }
                    let list = place.as_array_mut().unwrap();
                    while list.len() <= index {
                        list.push(json!({}));
                    }
                    &mut list[index]
                }
                Err(_) => &mut place[part],
            };
        }
        *place = match text.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            text => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        };
    }
    whole
}
