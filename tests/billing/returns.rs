//! Money that goes back, and may come again.

use crate::common::on_both_databases;
use crate::world::{DAY, World, month, year};
use scrip::domain::billing::DisputeStatus;
use scrip::domain::identity::Email;
use scrip::server::services::{Refunding, ServiceError};

on_both_databases! {
    async fn refunds_take_credits_back_in_proportion_and_cumulatively(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.buy_pack("pack-500").await;
        let payment = world.payment_of(&order).await.reference;
        world.refund(&payment, 500, "first").await;
        world.assert_stands("free", 60 + 375).await;
        world.refund(&payment, 500, "first").await;
        world.assert_stands("free", 60 + 375).await;
        world.refund(&payment, 1_000, "second").await;
        world.assert_stands("free", 60 + 125).await;
        world.refund(&payment, 500, "third").await;
        world.assert_stands("free", 60).await;
        assert_eq!(world.payment_of(&order).await.refunded.get(), 2_000);
        let page = world.services().read_billing(world.ann).await.unwrap();
        let moved: Vec<_> = page.payments[0].rows.iter().map(|row| row.amount).collect();
        assert_eq!(moved, [500, -125, -250, -125]);
    }

    async fn what_was_spent_of_a_returned_payment_is_owed_and_paid_off(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.buy_pack("pack-500").await;
        world.spend(260).await;
        let payment = world.payment_of(&order).await.reference;
        world.refund(&payment, 2_000, "all").await;
        assert_eq!((world.balance().await, world.debt().await), (0, 200));
        world.buy_pack("pack-100").await;
        assert_eq!((world.balance().await, world.debt().await), (0, 100));
        world.buy_pack("pack-500").await;
        assert_eq!((world.balance().await, world.debt().await), (400, 0));
        world.assert_books_balance().await;
    }

    async fn an_open_dispute_takes_nothing_a_lost_one_all_and_a_won_one_gives_it_again(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.buy_pack("pack-500").await;
        let payment = world.payment_of(&order).await.reference;
        world.dispute(&payment, DisputeStatus::Open).await;
        world.assert_stands("free", 560).await;
        world.dispute(&payment, DisputeStatus::Lost).await;
        world.assert_stands("free", 60).await;
        world.dispute(&payment, DisputeStatus::Won).await;
        world.assert_stands("free", 560).await;
        world.dispute(&payment, DisputeStatus::Won).await;
        world.assert_stands("free", 560).await;
    }

    async fn a_refunded_year_brings_less_from_then_on(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.subscribe(&year("basic")).await;
        let start = world.now();
        let payment = world.payment_of(&order).await.reference;
        world.pass_until(start.plus_months(2).plus_seconds(DAY)).await;
        world.refund(&payment, 10_500, "half").await;
        world.assert_stands("basic", 60 + 250).await;
        world.pass_until(start.plus_months(3)).await;
        world.assert_stands("basic", 60 + 250).await;
        world.refund(&payment, 10_500, "the rest").await;
        world.assert_stands("basic", 60).await;
        world.pass_until(start.plus_months(4)).await;
        world.assert_stands("basic", 60).await;
    }

    async fn a_refund_of_which_nothing_was_heard_before_finds_what_it_paid_for(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.order_plan(&month("basic")).await;
        world.approve(&order).await;
        world.take_events().await;
        let invoice = scrip::domain::billing::PaymentRef::parse(&format!("demo_in_{order}")).unwrap();
        world.refund(&invoice, 750, "half").await;
        world.assert_stands("basic", 60 + 250).await;
    }

    async fn an_administrator_gives_money_back_once_for_each_form(engine: Engine) {
        let world = World::start(engine).await;
        let order = world.buy_pack("pack-500").await;
        let payment = world.payment_of(&order).await.reference;
        let services = world.services();
        let admin = services.find_by_email(&Email::parse("ann@example.com").unwrap()).await.unwrap();
        let bob = world.sign_up("bob@example.com").await;
        let bob = services.find_user(bob).await.unwrap().unwrap();
        let form = |amount: &str| Refunding::parse(payment.as_str(), amount, "not what I wanted", "form-1").unwrap();
        for _ in 0..2 {
            services.refund_payment(&admin, &admin.public_id, form("5")).await.unwrap();
            world.hear().await;
            world.assert_stands("free", 60 + 375).await;
        }
        assert!(matches!(services.refund_payment(&admin, &bob.public_id, form("5")).await, Err(ServiceError::NotFound)));
        let too_much = services.refund_payment(&admin, &admin.public_id, form("15.01")).await;
        assert!(matches!(too_much, Err(ServiceError::Invalid { .. })));
        let rest = Refunding::parse(payment.as_str(), "", "all of it", "form-2").unwrap();
        services.refund_payment(&admin, &admin.public_id, rest).await.unwrap();
        world.hear().await;
        world.assert_stands("free", 60).await;
        assert_eq!(world.audited("refund_payment").await, 3);
        assert!(Refunding::parse(payment.as_str(), "5", " ", "form").is_err());
        assert!(Refunding::parse(payment.as_str(), "-5", "why", "form").is_err());
    }
}
