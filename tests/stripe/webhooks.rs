//! The webhook over real HTTP: what is forged has no effect, what is signed is kept and booked, and secrets are replaced
//! while events arrive. Every signature here is made by the official library.

use super::common::server::{TestServer, Visitor};
use super::official::sign;
use super::standin::{Options, SECRET_KEY, Shape, StandIn, WEBHOOK_SECRET};
use reqwest::StatusCode;
use scrip::domain::OrderId;
use scrip::server::billing::stripe::StripeSettings;
use scrip::server::config::Payments;
use scrip::server::secret::Secret;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

/// The secret that takes the place of the first.
const NEXT_SECRET: &str = "whsec_standin_second";
/// Longer than anything takes; what never comes fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    server: TestServer,
    standin: StandIn,
}

impl Site {
    async fn start(shape: Shape, secrets: &[&str]) -> Self {
        let standin = StandIn::start(Options { shape, ..Options::default() }).await;
        let settings = StripeSettings {
            secret_key: Secret::new(SECRET_KEY),
            webhook_secrets: secrets.iter().map(|secret| Secret::new(secret)).collect(),
            api_base: Url::parse(&standin.base).unwrap(),
        };
        let server = TestServer::start_with(|config| {
            config.payments = Payments::Stripe;
            config.stripe = Some(settings);
        })
        .await;
        Self { server, standin }
    }

    /// Somebody who has paid for a plan; nobody has told the site yet.
    async fn who_has_paid(&self) -> Visitor<'_> {
        let visitor = Visitor::signed_up(&self.server, "ann@example.com").await;
        let answer = visitor.send("upgrade_plan", &[("plan", "basic"), ("interval", "month")]).await;
        assert!(answer.status().is_success() || answer.status().is_redirection(), "{answer:?}");
        let session = self.standin.world().last("checkout.session");
        self.standin.world().pay_session(session["id"].as_str().unwrap()).unwrap();
        visitor
    }

    async fn post(&self, header: Option<&str>, body: &str) -> StatusCode {
        let mut request = reqwest::Client::new().post(self.server.url("/api/webhooks/stripe"));
        if let Some(header) = header {
            request = request.header("Stripe-Signature", header);
        }
        request.body(body.to_owned()).send().await.unwrap().status()
    }

    /// How many events the site has kept.
    async fn kept(&self) -> usize {
        use scrip::server::store::Billing;
        let store = self.server.open_store().await;
        let far = scrip::domain::Timestamp::from_millis(i64::MAX / 2);
        store.list_due_events(far, 1_000).await.unwrap().len()
    }
}

fn seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

async fn wait_for_balance(visitor: &Visitor<'_>, credits: i64) {
    let waited = async {
        while visitor.available().await != credits {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let balance = tokio::time::timeout(PATIENCE, waited).await;
    assert!(balance.is_ok(), "the balance is {} and not {credits}", visitor.available().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_by_stripe_is_refused_and_has_no_effect() {
    let site = Site::start(Shape::Since2025, &[WEBHOOK_SECRET]).await;
    let visitor = site.who_has_paid().await;
    let events = site.standin.take_events();
    let body = events.iter().find(|body| body.contains("\"invoice.paid\"")).unwrap();
    let now = seconds();
    let signed =
        sign(&[(body, WEBHOOK_SECRET, now), (body, "whsec_other", now), (body, WEBHOOK_SECRET, now - 310)]).await;
    let altered = body.replace("\"amount_paid\"", "\"amount_paid \"");
    for (name, header, body) in [
        ("unsigned", None, body.as_str()),
        ("empty", Some(""), body),
        ("forged", Some("t=1,v1=00"), body),
        ("another secret", Some(signed[1].as_str()), body),
        ("stale", Some(signed[2].as_str()), body),
        ("altered", Some(signed[0].as_str()), &altered),
        ("cut off", Some(signed[0].as_str()), &body[..body.len() - 1]),
        ("no body", Some(signed[0].as_str()), ""),
    ] {
        assert_eq!(site.post(header, body).await, StatusCode::BAD_REQUEST, "{name}");
    }
    assert_eq!((site.kept().await, visitor.available().await), (0, 60));
    assert_eq!(site.post(Some(&signed[0]), body).await, StatusCode::OK);
    wait_for_balance(&visitor, 560).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_payment_grants_once_however_often_and_by_however_many_events_it_is_told() {
    for shape in [Shape::Since2025, Shape::Before2025] {
        let site = Site::start(shape, &[WEBHOOK_SECRET]).await;
        let visitor = site.who_has_paid().await;
        let events = site.standin.take_events();
        let now = seconds();
        let bodies: Vec<(&str, &str, i64)> = events.iter().map(|body| (body.as_str(), WEBHOOK_SECRET, now)).collect();
        let signed = sign(&bodies).await;
        // The last first; each several times at once, and the one that brings the credits a hundred times.
        for (body, header) in events.iter().zip(&signed).rev() {
            let times = if body.contains("\"type\": \"invoice.paid\"") { 100 } else { 5 };
            let posts = (0..times).map(|_| site.post(Some(header), body));
            let statuses = futures_util::future::join_all(posts).await;
            assert!(statuses.iter().all(|status| status.is_success()), "{statuses:?} for {body}");
        }
        wait_for_balance(&visitor, 560).await;
        let unknown = json!({"id": "evt_new", "object": "event", "type": "something.of.tomorrow", "created": now,
            "data": {"object": {"id": "x", "object": "something"}}})
        .to_string();
        let header = sign(&[(&unknown, WEBHOOK_SECRET, now)]).await.remove(0);
        assert_eq!(site.post(Some(&header), &unknown).await, StatusCode::OK);
        assert_eq!(visitor.available().await, 560, "{shape:?}");
        site.server.assert_books_balance().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_replaced_while_events_arrive() {
    let body = |name: &str| json!({"id": name, "object": "event", "type": "ping", "data": {"object": {}}}).to_string();
    let (old, new, both) = (body("evt_old"), body("evt_new"), body("evt_both"));
    let now = seconds();
    let signed = sign(&[
        (&old, WEBHOOK_SECRET, now),
        (&new, NEXT_SECRET, now),
        (&both, WEBHOOK_SECRET, now),
        (&both, NEXT_SECRET, now),
    ])
    .await;
    let of_both = format!("{},{}", signed[2], signed[3].split_once(',').unwrap().1);
    for (secrets, taken) in [
        (&[WEBHOOK_SECRET][..], [true, false, true]),
        (&[NEXT_SECRET, WEBHOOK_SECRET], [true, true, true]),
        (&[NEXT_SECRET], [false, true, true]),
    ] {
        let site = Site::start(Shape::Since2025, secrets).await;
        for ((header, body), taken) in
            [(&signed[0], &old), (&signed[1], &new), (&of_both, &both)].into_iter().zip(taken)
        {
            let expected = if taken { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            assert_eq!(site.post(Some(header), body).await, expected, "{secrets:?} {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_javascript_is_sent_on_by_a_page_of_ours() {
    let site = Site::start(Shape::Since2025, &[WEBHOOK_SECRET]).await;
    let visitor = Visitor::signed_up(&site.server, "ann@example.com").await;
    let answer = visitor.submit("buy_pack", &[("pack", "pack-100")]).await;
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let order = location.strip_prefix("/pay/").and_then(OrderId::parse);
    assert!(order.is_some(), "a form leads to no other site: {location}");
    let page = visitor.get(&location).await;
    let refresh = page.headers()["refresh"].to_str().unwrap().to_owned();
    let session = site.standin.world().last("checkout.session");
    assert_eq!(refresh, format!("0; url={}", session["url"].as_str().unwrap()));
    assert!(page.headers().contains_key("content-security-policy"));
    let stranger = Visitor::signed_up(&site.server, "bob@example.com").await;
    assert_eq!(stranger.get(&location).await.status(), StatusCode::NOT_FOUND);
    let nobody = Visitor::new(&site.server).get(&location).await;
    assert_eq!(nobody.headers()["location"], "/signin");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_the_site_holds_a_key() {
    let site = Site::start(Shape::Since2025, &[WEBHOOK_SECRET]).await;
    let visitor = site.who_has_paid().await;
    site.standin.disturb(&[super::standin::Fault::Status(401); 3]);
    let failed = visitor.send("buy_pack", &[("pack", "pack-100")]).await;
    assert!(!failed.status().is_success());
    let mut said = failed.text().await.unwrap();
    for path in ["/plans", "/buy", "/billing/portal", "/api/plans", "/api/openapi.json"] {
        said.push_str(&visitor.get(path).await.text().await.unwrap());
    }
    for secret in [SECRET_KEY, WEBHOOK_SECRET] {
        assert!(!said.contains(secret));
    }
    let _: Value = visitor.load("load_session").await;
}
