//! What a payment provider has to do. Everything that changes something takes a key under which the provider does it
//! once, so that it can be tried again; everything that tells something can be asked again.

use crate::domain::billing::{
    BillingEvent, CheckoutRef, CustomerRef, EventRef, ObservedPayment, ObservedSubscription, PaymentRef,
    SubscriptionRef, Terms,
};
use crate::domain::identity::Email;
use crate::domain::{Cents, Credits, OrderId, PlanId, Timestamp, UserId};
use async_trait::async_trait;
use http::HeaderMap;

/// Why a provider did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The payment was declined; nothing has changed.
    #[error("the payment was declined")]
    Declined,
    /// The provider has no such thing, or it is over.
    #[error("the provider has no such {0}")]
    NotFound(&'static str),
    /// The provider refuses this for good; trying again does not help.
    #[error("the provider refuses: {0}")]
    Refused(String),
    /// The provider cannot be reached, or fails, or is too busy: try again later.
    #[error("the provider fails: {0}")]
    Unavailable(String),
    /// It answered in a way that we do not understand.
    #[error("the provider's answer is not understood: {0}")]
    Malformed(String),
}

/// What providers return.
pub type ProviderResult<T> = Result<T, ProviderError>;

/// What is bought at a checkout, at the price of the order.
#[derive(Clone, Debug)]
pub enum CheckoutItem {
    /// A subscription.
    Plan {
        /// Plan and interval.
        terms: Terms,
        /// Its name for people.
        name: String,
        /// Credits each month.
        credits_per_month: Credits,
    },
    /// A pack, once.
    Pack {
        /// Which.
        pack: PlanId,
        /// How many credits.
        credits: Credits,
    },
}

/// A checkout to be begun.
#[derive(Clone, Debug)]
pub struct NewCheckout {
    /// Our order; comes back with every event (metadata), and is the idempotency key.
    pub order: OrderId,
    /// Whose account.
    pub user: UserId,
    /// Their address.
    pub email: Email,
    /// Who they are at the provider, where we know.
    pub customer: Option<CustomerRef>,
    /// What is bought.
    pub item: CheckoutItem,
    /// What it costs.
    pub amount: Cents,
    /// An address on this site to come back to after paying; proves nothing.
    pub success_url: String,
    /// An address on this site to come back to without paying.
    pub cancel_url: String,
}

/// A checkout that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// As the provider names it.
    pub checkout: CheckoutRef,
    /// Where the person pays: absolute, or a path on this site.
    pub url: String,
}

/// An event whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    /// As the provider names it.
    pub id: EventRef,
    /// What the provider calls its kind (`invoice.paid`), for people who look.
    pub kind: String,
}

/// Why an event is not taken. All of them are answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// No signature, or one that does not fit.
    #[error("the signature does not fit")]
    BadSignature,
    /// Signed too long ago, or in the future.
    #[error("the signature is too old")]
    Stale,
    /// Signed, and still no event.
    #[error("that is no event")]
    Malformed,
}

/// A payment provider.
#[async_trait]
pub trait PaymentProvider: Send + Sync + std::fmt::Debug {
    /// As stored, and in `/api/webhooks/{name}`.
    fn name(&self) -> &'static str;

    /// Says in the log what is missing at the provider; asked at the start.
    async fn check_and_tell(&self) {}

    /// Begins a checkout. The order's id is its idempotency key.
    async fn begin_checkout(&self, new: &NewCheckout) -> ProviderResult<Checkout>;

    /// Ends a checkout that nobody has paid, so that nobody can any more; does nothing where it is over.
    async fn expire_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<()>;

    /// Changes a subscription now, as a new cycle at the full price, less what is credited; takes back what was
    /// scheduled. [`ProviderError::Declined`] leaves everything as it was. `order` goes with the payment.
    async fn change_now(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        credited: Cents,
        order: &OrderId,
    ) -> ProviderResult<()>;

    /// Changes a subscription at the end of its period; replaces what was scheduled, an end too.
    async fn change_at_period_end(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        key: &str,
    ) -> ProviderResult<()>;

    /// Ends a subscription at the end of its period; replaces what was scheduled.
    async fn cancel_at_period_end(&self, subscription: &SubscriptionRef, key: &str) -> ProviderResult<()>;

    /// Takes back whatever is scheduled, a change or an end.
    async fn keep(&self, subscription: &SubscriptionRef, key: &str) -> ProviderResult<()>;

    /// Ends a subscription now, without giving money back; does nothing where it is over.
    async fn cancel_now(&self, subscription: &SubscriptionRef) -> ProviderResult<()>;

    /// Gives money of a payment back. `payment` is the reference under which it was granted (invoice or payment).
    async fn refund(&self, payment: &PaymentRef, amount: Cents, key: &str) -> ProviderResult<()>;

    /// An address where people change how they pay, where the provider has one.
    async fn portal_url(&self, customer: &CustomerRef, return_url: &str) -> ProviderResult<Option<String>>;

    /// Checks an event's signature over its raw bytes, before anything is parsed.
    ///
    /// # Errors
    /// [`WebhookRefusal`]; nothing is stored then.
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<SignedEvent, WebhookRefusal>;

    /// Says in our words what a stored event says; may ask the provider for what the event leaves out.
    async fn interpret(&self, body: &str) -> ProviderResult<BillingEvent>;

    /// A subscription as it is now; `None` where there is none of that name.
    async fn fetch_subscription(&self, id: &SubscriptionRef) -> ProviderResult<Option<ObservedSubscription>>;

    /// A payment as it is now, by its own name or its invoice's; `None` where there is none.
    async fn fetch_payment(&self, id: &PaymentRef) -> ProviderResult<Option<ObservedPayment>>;

    /// What became of a checkout, in the words of the event that may have been lost; `None` while it is open.
    async fn fetch_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<Option<BillingEvent>>;
}
