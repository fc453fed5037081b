//! The provider over the stand-in, with a catalogue and nothing else.

use super::common::audit_entry;
use super::standin::{Card, Options, SECRET_KEY, StandIn, WEBHOOK_SECRET};
use scrip::domain::billing::{BillingEvent, CustomerRef, ObservedSubscription, SubscriptionRef, Terms};
use scrip::domain::catalogue::{Catalogue, Interval};
use scrip::domain::identity::Email;
use scrip::domain::{Cents, Credits, OrderId, PlanId, UserId};
use scrip::server::billing::stripe::{Client, Stripe, StripeSettings};
use scrip::server::billing::{Checkout, CheckoutItem, NewCheckout, PaymentProvider};
use scrip::server::presets;
use scrip::server::secret::Secret;
use scrip::server::store::{DatabaseUrl, Shop as _, SqlStore};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use url::Url;

/// A shop with the catalogue of a preset, and what stands in for Stripe.
pub struct Shop {
    pub standin: StandIn,
    pub stripe: Stripe,
    _folder: TempDir,
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub async fn open_with(change: impl FnOnce(&mut Catalogue)) -> Self {
        let standin = StandIn::start(Options::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&DatabaseUrl::Sqlite(folder.path().join("scrip.db"))).await.unwrap();
        let mut catalogue = presets::find("creator").unwrap();
        change(&mut catalogue);
        store.add_catalogue(&catalogue, 0, &audit_entry(None, "apply_catalogue")).await.unwrap();
        let stripe = Stripe::new(&settings(&standin.base, SECRET_KEY), Arc::new(store)).unwrap();
        Self { standin, stripe, _folder: folder }
    }

    /// Buys a plan on the hosted page; the order's name goes with it.
    pub async fn subscribe(&self, order: &str, plan: &str, interval: Interval) -> SubscriptionRef {
        let checkout = self.stripe.begin_checkout(&plan_checkout(order, plan, interval)).await.unwrap();
        self.pay(&checkout);
        let told = self.stripe.fetch_checkout(&checkout.checkout).await.unwrap().unwrap();
        match told {
            BillingEvent::CheckoutCompleted { subscription, .. } => subscription.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub fn pay(&self, checkout: &Checkout) {
        self.standin.world().pay_session(checkout.checkout.as_str()).unwrap();
    }

    pub async fn see(&self, subscription: &SubscriptionRef) -> ObservedSubscription {
        self.stripe.fetch_subscription(subscription).await.unwrap().unwrap()
    }

    pub fn held(&self, id: impl AsRef<str>) -> Value {
        self.standin.world().find(id.as_ref()).cloned().unwrap()
    }

    pub fn customer_of(&self, subscription: &SubscriptionRef) -> CustomerRef {
        CustomerRef::parse(self.held(subscription.as_str())["customer"].as_str().unwrap()).unwrap()
    }

    /// What the card does that pays a subscription.
    pub fn card(&self, subscription: &SubscriptionRef, card: Card) {
        let customer = self.customer_of(subscription);
        self.standin.world().card_of(customer.as_str(), card);
    }

    /// How many requests of that kind reached the stand-in.
    pub fn requests(&self, method: &str, path: &str) -> usize {
        self.standin.heard().iter().filter(|heard| heard.method == method && heard.path == path).count()
    }
}

pub fn settings(base: &str, key: &str) -> StripeSettings {
    StripeSettings {
        secret_key: Secret::new(key),
        webhook_secrets: vec![Secret::new(WEBHOOK_SECRET)],
        api_base: Url::parse(base).unwrap(),
    }
}

pub fn client(base: &str, key: &str) -> Client {
    Client::new(Url::parse(base).unwrap(), Secret::new(key)).unwrap()
}

pub fn cents(amount: i64) -> Cents {
    Cents::try_from(amount).unwrap()
}

pub fn terms(plan: &str, interval: Interval) -> Terms {
    Terms { plan: PlanId::parse(plan).unwrap(), interval }
}

pub fn order(name: &str) -> OrderId {
    OrderId::parse(name).unwrap()
}

/// What a plan of the preset `creator` costs.
pub fn price(plan: &str, interval: Interval) -> Cents {
    let catalogue = presets::find("creator").unwrap();
    catalogue.plan(&PlanId::parse(plan).unwrap()).unwrap().price(interval)
}

pub fn plan_checkout(order_name: &str, plan: &str, interval: Interval) -> NewCheckout {
    let item =
        CheckoutItem::Plan { terms: terms(plan, interval), name: plan.to_owned(), credits_per_month: Credits::of(100) };
    checkout(order_name, item, price(plan, interval))
}

pub fn checkout(order_name: &str, item: CheckoutItem, amount: Cents) -> NewCheckout {
    NewCheckout {
        order: order(order_name),
        user: UserId::parse("ann").unwrap(),
        email: Email::parse("ann@example.com").unwrap(),
        customer: None,
        item,
        amount,
        success_url: format!("https://credits.example.com/orders/{order_name}?returned=1"),
        cancel_url: format!("https://credits.example.com/orders/{order_name}?left=1"),
    }
}
