//! Events in every order: whichever comes first, the end is the same.

use crate::common::on_both_databases;
use crate::world::{World, month};
use scrip::server::billing::demo::Delivery;
use scrip::server::services::Webhook;

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let insert = |order: &Vec<usize>, place: usize| [&order[..place], &[count - 1], &order[place..]].concat();
    orders(count - 1).iter().flat_map(|order| (0..count).map(move |place| insert(order, place))).collect()
}

fn of_kind(events: &[Delivery], kind: &str) -> Delivery {
    let named = format!("\"type\": \"{kind}\"");
    let found = events.iter().find(|event| event.body.contains(&named)).unwrap();
    Delivery { id: found.id.clone(), headers: found.headers.clone(), body: found.body.clone() }
}

on_both_databases! {
    async fn checkout_invoices_and_a_cancellation_in_every_order_end_alike(engine: Engine) {
        for order in orders(4) {
            let world = World::start(engine).await;
            let bought = world.order_plan(&month("basic")).await;
            world.approve(&bought).await;
            let first = world.take_events().await;
            let subscription = world.demo.standin.world().last("subscription")["id"].as_str().unwrap().to_owned();
            let end = world.now().plus_months(1);
            world.move_to(end).await;
            world.demo.tick().await.unwrap();
            let renewed = world.take_events().await;
            world.demo.standin.world().cancel_in_portal(&subscription, true);
            let cancelled = world.take_events().await;
            // Signed anew, as a sender does that tries for days.
            let events = [
                of_kind(&first, "checkout.session.completed"),
                of_kind(&first, "invoice.paid"),
                of_kind(&renewed, "invoice.paid"),
                of_kind(&cancelled, "customer.subscription.updated"),
            ]
            .map(|event| world.demo.sign_now(event));
            for index in &order {
                assert_eq!(world.deliver(&events[*index]).await, Webhook::Kept);
                world.services().process_due_events().await.unwrap();
            }
            world.assert_stands("basic", 560).await;
            assert_eq!(world.payments().await.len(), 2, "{order:?}");
            assert!(world.current().await.unwrap().cancel_at_period_end, "{order:?}");
        }
    }
}
