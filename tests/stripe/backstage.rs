//! What the billing suite does behind the scenes of a provider, done at the stand-in: people pay, cards decline, banks
//! take back, time passes, and events wait for the test to deliver them.

use super::standin::{Card, Options, Shape, StandIn, WEBHOOK_SECRET, sign};
use http::HeaderMap;
use scrip::domain::billing::{CheckoutRef, DisputeStatus, PaymentRef, SubscriptionRef};
use scrip::domain::{Cents, OrderId};
use scrip::server::billing::demo::Delivery;
use scrip::server::billing::stripe::Stripe;
use scrip::server::billing::{Checkout, NewCheckout, PaymentProvider, ProviderError, ProviderResult};
use scrip::server::clock::{Clock, ManualClock};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};

/// The stand-in, by the names that the suite has for what it does.
pub struct Backstage {
    pub standin: StandIn,
    /// The provider that is tested, once the world has it.
    pub stripe: OnceLock<Arc<Stripe>>,
    refunds: Mutex<HashSet<(String, String)>>,
    clock: Arc<ManualClock>,
}

/// The suite names a checkout by its order; its session is looked up when something is done to it.
pub fn checkout_of(order: &OrderId) -> CheckoutRef {
    CheckoutRef::parse(order.as_str()).unwrap()
}

impl Backstage {
    pub async fn start(shape: Shape, clock: Arc<ManualClock>) -> Self {
        let now = clock.clone();
        let now = Arc::new(move || now.now().millis().div_euclid(1_000));
        let standin = StandIn::start(Options { shape, now, ..Options::default() }).await;
        Self { standin, stripe: OnceLock::new(), refunds: Mutex::default(), clock }
    }

    /// A checkout of which the site knows nothing.
    pub async fn begin_checkout(&self, new: &NewCheckout) -> ProviderResult<Checkout> {
        self.stripe.get().unwrap().begin_checkout(new).await
    }

    fn session_of(&self, checkout: &CheckoutRef) -> ProviderResult<String> {
        let sessions =
            self.standin.world().all("checkout.session", |one| one["client_reference_id"] == checkout.as_str());
        let session = sessions.first().and_then(|session| session["id"].as_str());
        session.map(str::to_owned).ok_or(ProviderError::NotFound("checkout"))
    }

    pub async fn approve(&self, checkout: &CheckoutRef, _late: bool) -> ProviderResult<()> {
        let session = self.session_of(checkout)?;
        self.standin.world().pay_session(&session).map_err(|_| ProviderError::Declined)
    }

    pub async fn decline(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        let session = self.session_of(checkout)?;
        self.standin.world().decline_session(&session).map_err(|_| ProviderError::NotFound("checkout"))
    }

    pub async fn expire_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        let session = self.session_of(checkout)?;
        self.standin.world().expire_session(&session).map(|_| ()).map_err(|_| ProviderError::NotFound("checkout"))
    }

    /// Declines from now on; or pays again, and what is owed at once.
    pub async fn set_card(&self, subscription: &SubscriptionRef, declines: bool) -> ProviderResult<()> {
        let mut world = self.standin.world();
        let held = world.find(subscription.as_str()).cloned().unwrap();
        world.card_of(held["customer"].as_str().unwrap(), if declines { Card::Declines } else { Card::Pays });
        if !declines && held["status"] == "past_due" {
            world.pay_what_is_open(subscription.as_str());
        }
        Ok(())
    }

    /// The payment behind an invoice, a payment itself, or by the suite's name for the invoice of an order.
    fn intent_of(&self, payment: &PaymentRef) -> String {
        let world = self.standin.world();
        let order = payment.as_str().strip_prefix("demo_in_");
        let begun = order.map(|order| world.all("subscription", |one| one["metadata"]["scrip_order"] == order));
        let invoice = begun.and_then(|begun| begun[0]["latest_invoice"].as_str().map(str::to_owned));
        let invoice = invoice.unwrap_or_else(|| payment.to_string());
        let links = world.all("invoice_payment", |link| link["invoice"] == invoice.as_str());
        let linked = links.first().and_then(|link| link.pointer("/payment/payment_intent")).and_then(Value::as_str);
        linked.unwrap_or(payment.as_str()).to_owned()
    }

    /// Once for each key.
    pub async fn refund(&self, payment: &PaymentRef, amount: Cents, key: &str) -> ProviderResult<()> {
        if !self.refunds.lock().unwrap().insert((payment.to_string(), key.to_owned())) {
            return Ok(());
        }
        let intent = self.intent_of(payment);
        let given = self.standin.world().give_back(&intent, Some(amount.get()), json!({}));
        given.map(|_| ()).map_err(|refusal| ProviderError::Refused(refusal.code))
    }

    pub async fn dispute(&self, payment: &PaymentRef, status: DisputeStatus) -> ProviderResult<()> {
        let intent = self.intent_of(payment);
        let mut world = self.standin.world();
        let known = world.all("dispute", |one| one["payment_intent"] == intent.as_str());
        let known = known.last().map(|one| one["id"].as_str().unwrap().to_owned());
        let dispute = known.unwrap_or_else(|| world.open_dispute(&intent));
        match status {
            DisputeStatus::Won => world.close_dispute(&dispute, "won"),
            DisputeStatus::Lost => world.close_dispute(&dispute, "lost"),
            DisputeStatus::Open | DisputeStatus::None => {}
        }
        Ok(())
    }

    /// Brings what has become due until now, one period after the other.
    pub async fn tick(&self) -> ProviderResult<()> {
        let now = self.clock.now().millis().div_euclid(1_000);
        let end = |one: &Value| one["items"]["data"][0]["current_period_end"].as_i64().unwrap();
        loop {
            let mut world = self.standin.world();
            let due = world.all("subscription", |one| one["status"] == "active" && end(one) <= now);
            let Some(next) = due.iter().min_by_key(|one| end(one)) else { return Ok(()) };
            world.end_period(next["id"].as_str().unwrap());
        }
    }

    /// An event with a signature of this moment.
    pub fn sign_now(&self, event: Delivery) -> Delivery {
        let seconds = self.clock.now().millis().div_euclid(1_000);
        let signature = sign(&event.body, &[WEBHOOK_SECRET.to_owned()], seconds);
        let headers = HeaderMap::from_iter([("stripe-signature".parse().unwrap(), signature.parse().unwrap())]);
        Delivery { headers, ..event }
    }

    /// What waits to be delivered.
    pub async fn deliveries(&self) -> ProviderResult<Vec<Delivery>> {
        let unsigned = |(id, body)| Delivery { id, headers: HeaderMap::new(), body };
        Ok(self.standin.waiting().into_iter().map(|event| self.sign_now(unsigned(event))).collect())
    }

    /// It waits no more.
    pub async fn delivered(&self, delivery: &Delivery) -> ProviderResult<()> {
        self.standin.world().outbox.retain(|event| event["id"] != delivery.id.as_str());
        Ok(())
    }
}
