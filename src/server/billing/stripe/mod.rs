//! Payments by Stripe. Its words stay in this folder: what comes out are the events and observations of
//! `domain::billing`, what comes in are our orders, plans and packs.

mod changes;
mod check;
mod checkout;
mod client;
mod form;
mod interpret;
mod observe;
mod prices;
mod wire;

pub use client::{API_BASE, API_VERSION, Client, WireError};
pub use form::Form;

use super::provider::{
    Checkout, NewCheckout, PaymentProvider, ProviderError, ProviderResult, SignedEvent, WebhookRefusal,
};
use crate::domain::billing::{
    BillingEvent, CheckoutRef, CustomerRef, EventRef, ObservedPayment, ObservedSubscription, PaymentRef,
    SubscriptionRef, Terms,
};
use crate::domain::{Cents, OrderId, Timestamp};
use crate::server::billing::signature;
use crate::server::secret::Secret;
use crate::server::store::Store;
use async_trait::async_trait;
use http::HeaderMap;
use prices::Prices;
use std::sync::Arc;
use url::Url;

/// As stored, and in the webhook's path.
pub const NAME: &str = "stripe";
/// What everything is priced in.
const CURRENCY: &str = "usd";

/// How to reach the account.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// The account's secret key.
    pub secret_key: Secret,
    /// What events are signed with; several while one is being replaced.
    pub webhook_secrets: Vec<Secret>,
    /// Where Stripe is.
    pub api_base: Url,
}

/// The provider.
#[derive(Debug)]
pub struct Stripe {
    client: Client,
    webhook_secrets: Vec<Secret>,
    prices: Prices,
}

impl Stripe {
    /// Puts it together; the catalogue of `store` says what things cost.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn new(settings: &StripeSettings, store: Arc<dyn Store>) -> Result<Self, WireError> {
        let client = Client::new(settings.api_base.clone(), settings.secret_key.clone())?;
        let prices = Prices::new(client.clone(), store);
        Ok(Self { client, webhook_secrets: settings.webhook_secrets.clone(), prices })
    }
}

impl From<WireError> for ProviderError {
    fn from(error: WireError) -> Self {
        match &error {
            _ if error.is_declined() => Self::Declined,
            _ if error.is_missing() => Self::NotFound("thing"),
            // A key that is not accepted is put right by a person; what waits is tried again until then.
            _ if error.is_passing() || error.is_about_the_key() => Self::Unavailable(error.to_string()),
            WireError::Unreadable(_) => Self::Malformed(error.to_string()),
            WireError::Refused(_) | WireError::NoAnswer(_) => Self::Refused(error.to_string()),
        }
    }
}

/// An answer without something that it always has.
fn malformed(what: &str) -> ProviderError {
    ProviderError::Malformed(format!("no {what}"))
}

#[async_trait]
impl PaymentProvider for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn check_and_tell(&self) {
        self.tell_findings().await;
    }

    async fn begin_checkout(&self, new: &NewCheckout) -> ProviderResult<Checkout> {
        self.make_session(new).await
    }

    async fn expire_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        self.expire_session(checkout).await
    }

    async fn change_now(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        credited: Cents,
        order: &OrderId,
    ) -> ProviderResult<()> {
        self.upgrade(subscription, to, price, credited, order).await
    }

    async fn change_at_period_end(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        key: &str,
    ) -> ProviderResult<()> {
        let price = self.prices.of_plan(to, price).await?;
        self.schedule(subscription, &price, key).await
    }

    async fn cancel_at_period_end(&self, subscription: &SubscriptionRef, key: &str) -> ProviderResult<()> {
        self.stop_at_period_end(subscription, key).await
    }

    async fn keep(&self, subscription: &SubscriptionRef, key: &str) -> ProviderResult<()> {
        self.take_back(subscription, key).await
    }

    async fn cancel_now(&self, subscription: &SubscriptionRef) -> ProviderResult<()> {
        self.stop_now(subscription).await
    }

    async fn refund(&self, payment: &PaymentRef, amount: Cents, key: &str) -> ProviderResult<()> {
        self.give_back(payment, amount, key).await
    }

    async fn portal_url(&self, customer: &CustomerRef, return_url: &str) -> ProviderResult<Option<String>> {
        self.open_portal(customer, return_url).await.map(Some)
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<SignedEvent, WebhookRefusal> {
        let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
        let header = header.ok_or(WebhookRefusal::BadSignature)?;
        let secrets: Vec<String> = self.webhook_secrets.iter().map(|secret| secret.reveal().to_owned()).collect();
        signature::check(header, &secrets, body, now)?;
        let event = wire::Event::read(body).ok_or(WebhookRefusal::Malformed)?;
        let id = EventRef::parse(&event.id).ok_or(WebhookRefusal::Malformed)?;
        Ok(SignedEvent { id, kind: event.kind })
    }

    async fn interpret(&self, body: &str) -> ProviderResult<BillingEvent> {
        let event = wire::Event::read(body.as_bytes()).ok_or_else(|| malformed("event"))?;
        self.read_event(&event).await
    }

    async fn fetch_subscription(&self, id: &SubscriptionRef) -> ProviderResult<Option<ObservedSubscription>> {
        self.observe_subscription(id).await
    }

    async fn fetch_payment(&self, id: &PaymentRef) -> ProviderResult<Option<ObservedPayment>> {
        self.observe_payment(id).await
    }

    async fn fetch_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<Option<BillingEvent>> {
        self.observe_session(checkout).await
    }
}
