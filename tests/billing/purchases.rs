//! Buying plans and packs: approved, declined, left, and what the pages are told.

use crate::common::on_both_databases;
use crate::world::{World, checkout_of, month, year};
use scrip::api::views::OrderStatusView;
use scrip::server::billing::PaymentProvider;
use scrip::server::services::{Purchase, ServiceError};

on_both_databases! {
    async fn a_plan_that_is_paid_brings_its_first_month_once_the_event_has_come(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.order_plan(&month("basic")).await;
        assert_eq!(world.status(&order).await, OrderStatusView::Pending);
        world.approve(&order).await;
        let returned = world.services().read_order(world.ann, &order, true).await.unwrap();
        assert_eq!(returned.status, OrderStatusView::Processing, "coming back proves nothing");
        world.assert_stands("free", 60).await;
        world.hear().await;
        let view = world.order_view(&order).await;
        assert_eq!(view.status, OrderStatusView::Paid);
        world.assert_stands("basic", 560).await;
        let page = world.services().read_billing(world.ann).await.unwrap();
        assert_eq!(page.payments.len(), 1);
        assert_eq!(page.payments[0].rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [view.granted_row.unwrap()]);
        assert_eq!(world.audited("subscription_began").await, 1);
        assert_eq!(world.audited("subscription_activated").await, 1);
    }

    async fn a_declined_payment_can_be_tried_again_and_a_left_one_brings_nothing(engine: Engine) {
        let world = World::start(engine).await;
        let (left, declined) = (world.order_pack("pack-500").await, world.order_pack("pack-100").await);
        world.demo.decline(&checkout_of(&declined)).await.unwrap();
        world.demo.expire_checkout(&checkout_of(&left)).await.unwrap();
        world.hear().await;
        assert_eq!(world.status(&declined).await, OrderStatusView::Declined);
        assert_eq!(world.status(&left).await, OrderStatusView::Abandoned);
        world.assert_stands("free", 60).await;
        assert!(world.demo.approve(&checkout_of(&left), false).await.is_err(), "a left checkout is over");
        world.approve(&declined).await;
        world.hear().await;
        assert_eq!(world.status(&declined).await, OrderStatusView::Paid);
        world.assert_stands("free", 160).await;
    }

    async fn packs_add_up_for_subscribers_too_and_stay_when_the_month_ends(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        world.buy_pack("pack-500").await;
        world.buy_pack("pack-500").await;
        world.assert_stands("basic", 1_560).await;
        world.spend(100).await;
        let end = world.current().await.unwrap().period_end;
        world.pass_until(end).await;
        world.assert_stands("basic", 1_560).await;
        assert_eq!(world.payments().await.len(), 4);
    }

    async fn a_checkout_that_is_begun_anew_ends_the_one_before(engine: Engine) {
        let world = World::start(engine).await;
        let first = world.order_plan(&month("basic")).await;
        let second = world.order_plan(&year("premium")).await;
        assert!(world.demo.approve(&checkout_of(&first), false).await.is_err());
        world.approve(&second).await;
        world.hear().await;
        assert_eq!(world.status(&first).await, OrderStatusView::Abandoned);
        world.assert_stands("premium", 1_260).await;
        let again = world.services().begin_purchase(world.ann, Purchase::Plan(month("basic").plan, month("basic").interval), None);
        assert!(matches!(again.await, Err(ServiceError::HasSubscription)));
    }

    async fn somebody_elses_order_is_not_there(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.order_pack("pack-100").await;
        let bob = world.sign_up("bob@example.com").await;
        assert!(matches!(world.services().read_order(bob, &order, true).await, Err(ServiceError::NotFound)));
        assert!(matches!(world.services().abandon_order(bob, &order).await, Err(ServiceError::NotFound)));
    }
}
