//! Races taken apart step by step: what another program books between reading our books and asking the provider.

use crate::common::{Engine, on_both_databases};
use crate::world::{World, checkout_of, month};
use async_trait::async_trait;
use http::HeaderMap;
use scrip::domain::billing::{
    BillingEvent, CheckoutRef, CustomerRef, ObservedPayment, ObservedSubscription, PaymentRef, SubscriptionRef, Terms,
};
use scrip::domain::{Cents, OrderId, Timestamp};
use scrip::server::billing::{
    Checkout, DemoProvider, NewCheckout, PaymentProvider, ProviderResult, SignedEvent, WebhookRefusal,
};
use scrip::server::services::Services;
use std::sync::{Arc, Mutex};

/// A provider that lets another program process all events each time it is asked about a subscription, before it
/// answers.
#[derive(Debug)]
struct Interrupted {
    demo: Arc<DemoProvider>,
    meanwhile: Arc<Meanwhile>,
}

#[derive(Default)]
struct Meanwhile {
    other: Mutex<Option<Services>>,
    interrupted: Mutex<usize>,
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Meanwhile {
    async fn happens(&self) {
        let other = self.other.lock().unwrap().clone();
        if let Some(other) = other {
            let processed = other.process_due_events().await.unwrap();
            *self.interrupted.lock().unwrap() += usize::from(processed > 0);
        }
    }
}

#[async_trait]
impl PaymentProvider for Interrupted {
    fn name(&self) -> &'static str {
        self.demo.name()
    }

    async fn begin_checkout(&self, new: &NewCheckout) -> ProviderResult<Checkout> {
        self.demo.begin_checkout(new).await
    }

    async fn expire_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        self.demo.expire_checkout(checkout).await
    }

    async fn change_now(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        credited: Cents,
        order: &OrderId,
    ) -> ProviderResult<()> {
        self.demo.change_now(subscription, to, price, credited, order).await
    }

    async fn change_at_period_end(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        key: &str,
    ) -> ProviderResult<()> {
        self.demo.change_at_period_end(subscription, to, price, key).await
    }

    async fn cancel_at_period_end(&self, subscription: &SubscriptionRef, key: &str) -> ProviderResult<()> {
        self.demo.cancel_at_period_end(subscription, key).await
    }

    async fn keep(&self, subscription: &SubscriptionRef, key: &str) -> ProviderResult<()> {
        self.demo.keep(subscription, key).await
    }

    async fn cancel_now(&self, subscription: &SubscriptionRef) -> ProviderResult<()> {
        self.demo.cancel_now(subscription).await
    }

    async fn refund(&self, payment: &PaymentRef, amount: Cents, key: &str) -> ProviderResult<()> {
        self.demo.refund(payment, amount, key).await
    }

    async fn portal_url(&self, customer: &CustomerRef, return_url: &str) -> ProviderResult<Option<String>> {
        self.demo.portal_url(customer, return_url).await
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<SignedEvent, WebhookRefusal> {
        self.demo.verify(headers, body, now)
    }

    async fn interpret(&self, body: &str) -> ProviderResult<BillingEvent> {
        self.demo.interpret(body).await
    }

    async fn fetch_subscription(&self, id: &SubscriptionRef) -> ProviderResult<Option<ObservedSubscription>> {
        let before = self.demo.fetch_subscription(id).await;
        self.meanwhile.happens().await;
        // What was true before the other program went on, which is the worst of both.
        before
    }

    async fn fetch_payment(&self, id: &PaymentRef) -> ProviderResult<Option<ObservedPayment>> {
        let before = self.demo.fetch_payment(id).await;
        self.meanwhile.happens().await;
        before
    }

    async fn fetch_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<Option<BillingEvent>> {
        self.demo.fetch_checkout(checkout).await
    }
}

/// A program that is always interrupted by another one, and that other one.
async fn start(engine: Engine) -> (World, World, Arc<Meanwhile>) {
    let meanwhile = Arc::new(Meanwhile::default());
    let of_world = meanwhile.clone();
    let world = World::start_with(engine, move |demo| Arc::new(Interrupted { demo, meanwhile: of_world })).await;
    let other = world.beside().await;
    *meanwhile.other.lock().unwrap() = Some(other.services().clone());
    (world, other, meanwhile)
}

on_both_databases! {
    async fn a_subscription_that_another_program_books_in_between_is_no_second_one(engine: Engine) {
        let (world, _other, meanwhile) = start(engine).await;
        let order = world.order_plan(&month("basic")).await;
        world.approve(&order).await;
        for event in world.take_events().await {
            world.deliver(&event).await;
        }
        // Our books were read without it; while the provider is asked, the other program books it.
        world.services().process_due_events().await.unwrap();
        assert!(*meanwhile.interrupted.lock().unwrap() > 0, "nothing came in between");
        world.hear().await;
        let known = world.subscriptions().await;
        assert_eq!(known.len(), 1);
        assert!(known[0].is_current(), "{known:?}");
        assert_eq!(world.payments().await[0].refunded.get(), 0);
        world.assert_stands("basic", 560).await;
    }

    async fn an_upgrade_that_another_program_books_in_between_is_booked_once(engine: Engine) {
        let (world, _other, _meanwhile) = start(engine).await;
        world.subscribe(&month("basic")).await;
        world.change(&month("premium")).await.unwrap();
        world.hear().await;
        world.assert_stands("premium", 1_760).await;
        assert_eq!(world.payments().await.len(), 2);
    }

    async fn a_refund_that_another_program_books_in_between_takes_nothing_twice(engine: Engine) {
        let (world, _other, _meanwhile) = start(engine).await;
        let order = world.buy_pack("pack-500").await;
        let payment = world.payment_of(&order).await.reference;
        world.refund(&payment, 500, "a quarter").await;
        world.refund(&payment, 500, "another").await;
        world.assert_stands("free", 60 + 250).await;
    }

    async fn two_checkouts_that_are_both_paid_leave_one_subscription_and_the_other_goes_back(engine: Engine) {
        let world = World::start(engine).await;
        let first = world.order_plan(&month("basic")).await;
        world.approve(&first).await;
        // Paid in one tab, and nobody has heard of it; begun and paid in another.
        let held_back = world.take_events().await;
        let second = world.order_plan(&month("premium")).await;
        world.demo.approve(&checkout_of(&second), false).await.unwrap();
        world.hear().await;
        for event in held_back {
            world.deliver(&event).await;
        }
        world.services().process_due_events().await.unwrap();
        world.hear().await;
        let known = world.subscriptions().await;
        assert_eq!((known.len(), known.iter().filter(|one| one.is_current()).count()), (2, 1));
        let payments = world.payments().await;
        let (back, kept): (Vec<_>, Vec<_>) = payments.iter().partition(|payment| payment.surplus);
        assert_eq!((back.len(), kept.len()), (1, 1));
        assert_eq!((back[0].refunded, kept[0].refunded.get()), (back[0].amount, 0));
        let surplus = known.iter().find(|one| one.surplus).unwrap();
        assert!(surplus.ended_at.is_some());
        world.assert_stands("premium", 1_260).await;
    }

    async fn a_new_subscription_after_an_end_that_nobody_heard_of_is_no_second_one(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let old = world.current().await.unwrap();
        let order = world.order_beside(&month("premium"), "beside").await;
        world.demo.cancel_now(&old.id).await.unwrap();
        world.take_events().await;
        world.demo.approve(&checkout_of(&order), false).await.unwrap();
        world.hear().await;
        assert_eq!(world.current().await.unwrap().terms, month("premium"));
        assert!(world.payments().await.iter().all(|payment| !payment.surplus && payment.refunded.is_zero()));
        world.assert_stands("premium", 60 + 500 + 1_200).await;
    }
}
