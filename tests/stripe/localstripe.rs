//! localstripe, a server that others have written: it shows that our client and our reading of events do not only agree
//! with a stand-in of our own. It speaks the shapes before 2025-03-31, and knows neither Checkout nor prices nor
//! schedules, so people and plans are made by hand here.

use super::shop::{cents, client, terms};
use super::standin::SECRET_KEY;
use axum::extract::State;
use http::HeaderMap;
use scrip::domain::Timestamp;
use scrip::domain::billing::{BillingEvent, DisputeStatus, PaymentRef, SubscriptionRef};
use scrip::domain::catalogue::{Interval, PriceNames};
use scrip::domain::identity::Email;
use scrip::server::billing::PaymentProvider;
use scrip::server::billing::stripe::{Client, Form, Stripe, StripeSettings};
use scrip::server::presets;
use scrip::server::secret::Secret;
use scrip::server::store::{DatabaseUrl, Shop as _, SqlStore};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const SECRET: &str = "whsec_of_localstripe";
/// localstripe waits for a second before it sends an event.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, as long as this value lives: it ends with its standard input.
struct LocalStripe {
    base: String,
    _child: Child,
}

impl LocalStripe {
    fn start() -> Self {
        let home = std::env::var("HOME").unwrap_or_default();
        let python = std::env::var("LOCALSTRIPE_PYTHON")
            .unwrap_or_else(|_| format!("{home}/.cache/scrip/tools/localstripe-1.15.10/bin/python"));
        let mut child = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stripe/serve_localstripe.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{python}: {error}. Run `scripts/setup.sh test`, which installs localstripe.")
            });
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { base: format!("http://127.0.0.1:{}", port.trim()), _child: child }
    }
}

pub type Sent = (HeaderMap, String);

/// Takes what is sent to it; emulate's events too.
pub async fn listen() -> (String, mpsc::UnboundedReceiver<Sent>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let app = axum::Router::new()
        .fallback(|State(sender): State<mpsc::UnboundedSender<Sent>>, headers: HeaderMap, body: String| async move {
            // What comes after the test has ended is of no use.
            let _ = sender.send((headers, body));
        })
        .with_state(sender);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, receiver)
}

async fn provider(base: &str, folder: &tempfile::TempDir) -> Stripe {
    let store = SqlStore::open(&DatabaseUrl::Sqlite(folder.path().join("scrip.db"))).await.unwrap();
    let mut catalogue = presets::find("creator").unwrap();
    let basic = catalogue.plans.iter_mut().find(|plan| plan.id.as_str() == "basic").unwrap();
    basic.stripe_price = Some(PriceNames { month: Some("basic_by_month".into()), year: None });
    store.add_catalogue(&catalogue, 0, &super::common::audit_entry(None, "apply_catalogue")).await.unwrap();
    let settings = StripeSettings {
        secret_key: Secret::new(SECRET_KEY),
        webhook_secrets: vec![Secret::new("whsec_next"), Secret::new(SECRET)],
        api_base: base.parse().unwrap(),
    };
    Stripe::new(&settings, Arc::new(store)).unwrap()
}

/// Somebody with a card, and a plan that they pay.
async fn subscribe(client: &Client) -> Value {
    let email = Email::parse("ann@example.com").unwrap();
    let customer = client.post("/v1/customers", &Form::new().with("email", email.as_str()), "c").await.unwrap();
    let id = customer["id"].as_str().unwrap();
    let card = Form::new()
        .with("type", "card")
        .with("card[number]", "4242424242424242")
        .with("card[exp_month]", 12)
        .with("card[exp_year]", 2040)
        .with("card[cvc]", 123);
    let card = client.post("/v1/payment_methods", &card, "p").await.unwrap();
    let card = card["id"].as_str().unwrap();
    client.post(&format!("/v1/payment_methods/{card}/attach"), &Form::new().with("customer", id), "a").await.unwrap();
    let default = Form::new().with("invoice_settings[default_payment_method]", card);
    client.post(&format!("/v1/customers/{id}"), &default, "d").await.unwrap();
    let plan = Form::new()
        .with("id", "basic_by_month")
        .with("amount", 1_500)
        .with("currency", "usd")
        .with("interval", "month")
        .with("product[name]", "Basic");
    client.post("/v1/plans", &plan, "plan").await.unwrap();
    let form =
        Form::new().with("customer", id).with("items[0][plan]", "basic_by_month").with("metadata[scrip_order]", "one");
    client.post("/v1/subscriptions", &form, "s").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_another_server_are_verified_and_understood() {
    let local = LocalStripe::start();
    let folder = tempfile::tempdir().unwrap();
    let stripe = provider(&local.base, &folder).await;
    let (url, mut events) = listen().await;
    let configured = reqwest::Client::new()
        .post(format!("{}/_config/webhooks/scrip", local.base))
        .form(&[("url", url.as_str()), ("secret", SECRET)])
        .send()
        .await
        .unwrap();
    assert!(configured.status().is_success());
    let subscription = subscribe(&client(&local.base, SECRET_KEY)).await;
    let id = SubscriptionRef::parse(subscription["id"].as_str().unwrap()).unwrap();
    let (mut paid, mut changed) = (None, false);
    while paid.is_none() || !changed {
        let (headers, body) = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        let sent = serde_json::from_str::<Value>(&body).unwrap()["created"].as_i64().unwrap();
        let now = Timestamp::from_millis((sent + 2) * 1_000);
        let known = stripe.verify(&headers, body.as_bytes(), now).unwrap();
        assert!(stripe.verify(&headers, format!("{body} ").as_bytes(), now).is_err());
        match stripe.interpret(&body).await.unwrap() {
            BillingEvent::InvoicePaid(invoice) => paid = Some(invoice),
            BillingEvent::SubscriptionChanged { subscription } => changed = subscription == id,
            BillingEvent::Other => assert!(!known.kind.starts_with("invoice.paid")),
            other => panic!("{} is {other:?}", known.kind),
        }
    }
    let paid = paid.unwrap();
    let monthly = terms("basic", Interval::Month);
    assert_eq!((&paid.subscription, paid.amount, paid.price), (&id, cents(1_500), cents(1_500)));
    assert_eq!((paid.plan, paid.interval), (monthly.plan, monthly.interval));
    assert_eq!(paid.period_start.millis() / 1_000, subscription["current_period_start"].as_i64().unwrap());
    assert_eq!(paid.period_end.millis() / 1_000, subscription["current_period_end"].as_i64().unwrap());
    assert!(paid.payment.unwrap().as_str().starts_with("pi_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_cancels_resumes_ends_and_refunds_as_asked() {
    let local = LocalStripe::start();
    let folder = tempfile::tempdir().unwrap();
    let (stripe, client) = (provider(&local.base, &folder).await, client(&local.base, SECRET_KEY));
    let subscription = subscribe(&client).await;
    let id = SubscriptionRef::parse(subscription["id"].as_str().unwrap()).unwrap();
    let ends = async || {
        let held = client.get(&format!("/v1/subscriptions/{id}"), &Form::new()).await.unwrap();
        held["cancel_at_period_end"].as_bool().unwrap()
    };
    stripe.cancel_at_period_end(&id, "k1").await.unwrap();
    assert!(ends().await);
    stripe.keep(&id, "k2").await.unwrap();
    assert!(!ends().await);

    let invoice = PaymentRef::parse(subscription["latest_invoice"].as_str().unwrap()).unwrap();
    stripe.refund(&invoice, cents(400), "r1").await.unwrap();
    let seen = stripe.fetch_payment(&invoice).await.unwrap().unwrap();
    assert_eq!((seen.amount, seen.refunded, seen.dispute), (cents(1_500), cents(400), DisputeStatus::None));

    stripe.cancel_now(&id).await.unwrap();
    stripe.cancel_now(&id).await.unwrap();
    let gone = SubscriptionRef::parse("sub_nobody").unwrap();
    assert_eq!(stripe.fetch_subscription(&gone).await.unwrap(), None);
    let wrong = super::shop::client(&local.base, "nonsense").get("/v1/customers", &Form::new()).await;
    assert!(wrong.is_err());
}
