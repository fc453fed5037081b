//! Events as networks treat them: repeated, at once, out of order, forged, and before a crash.

use crate::common::on_both_databases;
use crate::world::{SECRETS, World, month};
use http::HeaderMap;
use scrip::api::views::OrderStatusView;
use scrip::domain::Timestamp;
use scrip::server::billing::demo::{Delivery, SIGNATURE};
use scrip::server::billing::{WebhookRefusal, signature};
use scrip::server::services::Webhook;
use scrip::server::store::User;
use tokio::task::JoinSet;

fn signed(secret: &str, body: &str, at: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, signature::sign(secret, body.as_bytes(), at).parse().unwrap());
    headers
}

fn of_kind<'a>(events: &'a [Delivery], kind: &str) -> &'a Delivery {
    let fits = |event: &&Delivery| event.body.contains(&format!("\"type\":\"{kind}\""));
    events.iter().find(fits).unwrap()
}

on_both_databases! {
    async fn one_event_a_hundred_times_at_once_is_one_grant(engine: Engine) {
        let world = World::start(engine).await;
        let other = world.beside().await;
        let order = world.order_pack("pack-100").await;
        world.approve(&order).await;
        let events = world.take_events().await;
        let event = of_kind(&events, "checkout.completed");
        let mut posts = JoinSet::new();
        for index in 0..100 {
            let services = [&world, &other][index % 2].services().clone();
            let (headers, body) = (event.headers.clone(), event.body.clone());
            posts.spawn(async move {
                let came = services.receive_webhook("demo", &headers, body.as_bytes()).await.unwrap();
                services.process_due_events().await.unwrap();
                came
            });
        }
        let came = posts.join_all().await;
        assert_eq!(came.iter().filter(|came| **came == Webhook::Kept).count(), 1);
        assert!(came.iter().all(|came| matches!(came, Webhook::Kept | Webhook::KnownAlready)));
        world.assert_stands("free", 160).await;
        assert_eq!(world.payments().await.len(), 1);
    }

    async fn different_events_for_one_payment_are_one_grant(engine: Engine) {
        let world = World::start(engine).await;
        let other = world.beside().await;
        let order = world.order_plan(&month("basic")).await;
        world.approve(&order).await;
        let events = world.take_events().await;
        assert_eq!(events.len(), 3, "the subscription, its invoice and the checkout, each of which brings it");
        for event in &events {
            // The same news under other names.
            for copy in 0..5 {
                let mut body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
                body["id"] = format!("{}-{copy}", event.id).into();
                let body = body.to_string();
                assert_eq!(world.post(&signed(SECRETS[0], &body, world.now()), &body).await, Webhook::Kept);
            }
        }
        let (here, there) = (world.services().process_due_events(), other.services().process_due_events());
        let (here, there) = tokio::join!(here, there);
        here.unwrap();
        there.unwrap();
        world.assert_stands("basic", 560).await;
        assert_eq!((world.payments().await.len(), world.subscriptions().await.len()), (1, 1));
    }

    async fn whichever_event_comes_first_or_alone_brings_the_same(engine: Engine) {
        for kept in 0..3 {
            let world = World::start(engine).await;
            let order = world.order_plan(&month("basic")).await;
            world.approve(&order).await;
            let events = world.take_events().await;
            assert_eq!(world.deliver(&events[kept]).await, Webhook::Kept);
            world.services().process_due_events().await.unwrap();
            world.assert_stands("basic", 560).await;
            assert_eq!(world.status(&order).await, OrderStatusView::Paid);
        }
    }

    async fn killed_between_receipt_and_grant_it_is_granted_once_after_the_start(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.order_pack("pack-100").await;
        world.approve(&order).await;
        let events = world.take_events().await;
        assert_eq!(world.deliver(&events[0]).await, Webhook::Kept);
        // Nobody processes it; another program starts on the same database.
        let again = world.beside().await;
        assert_eq!(again.deliver(&events[0]).await, Webhook::KnownAlready);
        again.services().attend_payments().await.unwrap();
        again.services().attend_payments().await.unwrap();
        again.assert_stands("free", 160).await;
        world.services().attend_payments().await.unwrap();
        assert_eq!(world.payments().await.len(), 1);
    }

    async fn lost_events_are_made_up_for_by_asking(engine: Engine) {
        let world = World::start(engine).await;
        let (plan, pack) = (world.order_plan(&month("basic")).await, world.order_pack("pack-100").await);
        world.approve(&plan).await;
        world.approve(&pack).await;
        world.take_events().await;
        world.clock.advance_seconds(1_200);
        let round = world.services().look_after_payments().await.unwrap();
        assert_eq!((round.orders, round.failures), (2, 0));
        world.assert_stands("basic", 660).await;
        // A renewal of which nobody hears.
        let end = world.current().await.unwrap().period_end;
        world.move_to(end.plus_seconds(7_200)).await;
        world.demo.tick().await.unwrap();
        world.take_events().await;
        world.services().look_after_payments().await.unwrap();
        world.assert_stands("basic", 660).await;
        assert_eq!(world.payments().await.len(), 3);
    }

    async fn forged_stale_and_altered_events_are_refused_and_leave_nothing(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.order_pack("pack-100").await;
        world.approve(&order).await;
        let events = world.take_events().await;
        let (body, now) = (&events[0].body, world.now());
        let refused = |refusal| Webhook::Refused(refusal);
        assert_eq!(world.post(&HeaderMap::new(), body).await, refused(WebhookRefusal::BadSignature));
        assert_eq!(world.post(&signed("a guess", body, now), body).await, refused(WebhookRefusal::BadSignature));
        let altered = body.replace("demo_evt_", "demo_evt-");
        assert_eq!(world.post(&signed(SECRETS[0], body, now), &altered).await, refused(WebhookRefusal::BadSignature));
        for seconds in [-301, 301] {
            let stale = signed(SECRETS[0], body, now.plus_seconds(seconds));
            assert_eq!(world.post(&stale, body).await, refused(WebhookRefusal::Stale));
        }
        for words in ["", "nonsense", "{}", "[1]", "{\"id\":7,\"type\":\"x\"}", "{\"id\":\"a b\",\"type\":\"x\"}"] {
            assert_eq!(world.post(&signed(SECRETS[0], words, now), words).await, refused(WebhookRefusal::Malformed));
        }
        assert_eq!(world.services().process_due_events().await.unwrap(), 0);
        world.assert_stands("free", 60).await;
        assert_eq!(world.post(&signed(SECRETS[1], body, now), body).await, Webhook::Kept, "the secret before");
        world.services().process_due_events().await.unwrap();
        world.assert_stands("free", 160).await;
    }

    async fn what_nobody_understands_is_kept_and_answered_like_all_others(engine: Engine) {
        let world = World::start(engine).await;
        let body = r#"{"id":"demo_evt_x","type":"something.new","created_at":0,"object":"unheard_of","data":{}}"#;
        assert_eq!(world.post(&signed(SECRETS[0], body, world.now()), body).await, Webhook::Kept);
        assert_eq!(world.services().process_due_events().await.unwrap(), 1);
        assert!(world.services().list_dead_events().await.unwrap().is_empty());
        world.assert_stands("free", 60).await;
    }

    async fn an_event_that_cannot_be_processed_is_tried_again_and_put_aside_in_the_end(engine: Engine) {
        let world = World::start(engine).await;
        let data = r#"{"subscription":"demo_sub_unknown"}"#;
        let body = format!(
            r#"{{"id":"demo_evt_1","type":"subscription.changed","created_at":0,"object":"subscription","data":{data}}}"#
        );
        assert_eq!(world.post(&signed(SECRETS[0], &body, world.now()), &body).await, Webhook::Kept);
        let mut tries = 0;
        while world.services().list_dead_events().await.unwrap().is_empty() {
            tries += world.services().process_due_events().await.unwrap();
            world.clock.advance_seconds(3_600);
            assert!(tries < 20, "it is tried for ever");
        }
        assert_eq!(tries, 3);
        let dead = world.services().list_dead_events().await.unwrap().remove(0);
        assert_eq!((dead.id.as_str(), dead.attempts), ("demo_evt_1", 3));
        let admin: User = world.services().find_user(world.ann).await.unwrap().unwrap();
        world.services().retry_dead_event(&admin, "demo", "demo_evt_1").await.unwrap();
        assert!(world.services().list_dead_events().await.unwrap().is_empty());
        assert_eq!(world.services().process_due_events().await.unwrap(), 1);
        assert!(world.services().retry_dead_event(&admin, "demo", "demo_evt_1").await.is_err(), "it waits already");
    }
}
