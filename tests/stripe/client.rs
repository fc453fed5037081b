//! The wire: what is sent, what is tried again, and what never shows.

use super::shop::{Shop, client, plan_checkout};
use super::standin::{Fault, Options, SECRET_KEY, StandIn};
use scrip::domain::catalogue::Interval;
use scrip::server::billing::stripe::{API_VERSION, Form, WireError};
use scrip::server::billing::{PaymentProvider, ProviderError};

fn customer() -> Form {
    Form::new().with("email", "ann@example.com").with("metadata[scrip_account]", "ann")
}

#[tokio::test]
async fn every_request_names_the_version_and_every_post_has_a_key() {
    let shop = Shop::open().await;
    shop.subscribe("one", "basic", Interval::Month).await;
    let heard = shop.standin.heard();
    assert!(heard.len() > 4, "{heard:#?}");
    for request in &heard {
        assert_eq!(request.version.as_deref(), Some(API_VERSION), "{request:?}");
        assert_eq!(request.key.is_some(), request.method == "POST", "{request:?}");
        if request.method == "POST" {
            assert_eq!(request.content_type.as_deref(), Some("application/x-www-form-urlencoded"));
        }
    }
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_a_lasting_one_is_told() {
    let standin = StandIn::start(Options::default()).await;
    let client = client(&standin.base, SECRET_KEY);
    for passing in [Fault::Status(500), Fault::Status(503), Fault::Status(429), Fault::Status(409), Fault::LostAnswer] {
        standin.disturb(&[passing, passing]);
        client.post("/v1/customers", &customer(), &format!("{passing:?}")).await.unwrap();
    }
    assert_eq!(standin.world().all("customer", |_| true).len(), 5, "one of each, however often it was sent");
    standin.disturb(&[Fault::Status(500); 3]);
    let failed = client.post("/v1/customers", &customer(), "three").await.unwrap_err();
    assert!(failed.is_passing(), "{failed}");
    let before = standin.heard().len();
    standin.disturb(&[Fault::Status(400)]);
    let failed = client.post("/v1/customers", &customer(), "four").await.unwrap_err();
    assert!(!failed.is_passing(), "{failed}");
    assert_eq!(standin.heard().len(), before + 1);
}

#[tokio::test]
async fn the_same_key_is_carried_out_once_and_with_another_request_refused() {
    let standin = StandIn::start(Options::default()).await;
    let client = client(&standin.base, SECRET_KEY);
    let first = client.post("/v1/customers", &customer(), "key").await.unwrap();
    assert_eq!(client.post("/v1/customers", &customer(), "key").await.unwrap(), first);
    let other = client.post("/v1/customers", &customer().with("name", "Ann"), "key").await.unwrap_err();
    let WireError::Refused(refused) = &other else { panic!("{other:?}") };
    assert_eq!((refused.status, refused.kind.as_str()), (400, "idempotency_error"));
    assert_eq!(standin.world().all("customer", |_| true).len(), 1);
}

#[tokio::test]
async fn nobody_there_is_told_as_a_passing_failure() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let failed = client(&base, SECRET_KEY).get("/v1/prices", &Form::new()).await.unwrap_err();
    assert!(failed.is_passing(), "{failed}");
    assert!(!failed.to_string().contains("127.0.0.1"), "{failed}");
}

#[tokio::test]
async fn a_key_that_is_not_accepted_shows_nowhere_and_can_be_put_right() {
    let standin = StandIn::start(Options::default()).await;
    let failed = client(&standin.base, "sk_test_wrong").get("/v1/prices", &Form::new()).await.unwrap_err();
    let error = ProviderError::from(failed.clone());
    assert!(matches!(error, ProviderError::Unavailable(_)), "{error:?}");
    for said in [format!("{failed} {failed:?}"), format!("{error} {error:?}")] {
        assert!(!said.contains("sk_test"), "{said}");
    }
    let shop = Shop::open().await;
    assert!(!format!("{:?}", shop.stripe).contains("standin_4eC"), "{:?}", shop.stripe);
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let app = axum::Router::new().fallback(|| async { vec![b' '; 3 * 1024 * 1024] });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let failed = client(&base, SECRET_KEY).get("/v1/prices", &Form::new()).await.unwrap_err();
    assert_eq!(failed, WireError::Unreadable("it is too large"));
    serving.abort();
}

#[tokio::test]
async fn an_order_is_checked_out_once_however_often_it_is_begun() {
    let shop = Shop::open().await;
    let new = plan_checkout("one", "basic", Interval::Month);
    shop.standin.disturb(&[Fault::LostAnswer]);
    let first = shop.stripe.begin_checkout(&new).await.unwrap();
    assert_eq!(shop.stripe.begin_checkout(&new).await.unwrap(), first);
    let world = shop.standin.world();
    assert_eq!(world.all("checkout.session", |_| true).len(), 1);
    assert_eq!(world.all("customer", |_| true).len(), 1);
    assert_eq!(world.all("price", |_| true).len(), 1);
}
