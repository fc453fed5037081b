//! What is kept of payments: events, subscriptions, payments, and what the demo provider has.

use super::{Order, StoreResult};
use crate::domain::billing::{
    AccountBooks, CheckoutRef, CustomerRef, EventRef, Payment, PaymentGrant, PaymentRef, Subscription, SubscriptionRef,
};
use crate::domain::{AccountId, OrderId, Seq, Timestamp};
use async_trait::async_trait;

/// Rows about payments that are written with operations of the ledger, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Booking {
    /// The state of the account's books that it was decided on.
    pub version: i64,
    /// The event that it comes from: it is processed then.
    pub event: Option<(String, EventRef)>,
    /// Who the account is at a provider.
    pub customer: Option<(String, CustomerRef)>,
    /// A subscription that is new, or has changed.
    pub subscription: Option<Subscription>,
    /// Payments that are new, or of which something went back.
    pub payments: Vec<Payment>,
    /// Orders that are paid by it.
    pub paid_orders: Vec<OrderId>,
    /// Rows of the audit log: what happened, and the particulars.
    pub audit: Vec<(&'static str, serde_json::Value)>,
    /// Who books.
    pub actor: String,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentEvent {
    /// Who sent it.
    pub provider: String,
    /// As the provider names it.
    pub id: EventRef,
    /// What the provider calls its kind.
    pub kind: String,
    /// The very words whose signature was checked.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong the last time.
    pub last_error: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
}

/// A row of history of a grant that a payment has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMovement {
    /// The reference of the grant.
    pub reference: String,
    /// The row.
    pub seq: Seq,
    /// What it moved.
    pub amount: i64,
    /// One line for people.
    pub description: String,
    /// When.
    pub created_at: Timestamp,
}

/// What was told of payments, and what was booked of it.
#[async_trait]
pub trait Billing: Send + Sync {
    /// Keeps an event before it is answered; `false` where it has come before.
    async fn add_event(&self, event: &PaymentEvent) -> StoreResult<bool>;
    /// Events that are to be tried, in the order in which they came.
    async fn list_due_events(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<PaymentEvent>>;
    /// Marks an event as processed that changes nothing in the ledger.
    async fn finish_event(&self, event: &PaymentEvent, now: Timestamp) -> StoreResult<()>;
    /// Notes a try that failed: `next_try_at` says when to try again; without it the event is dead.
    async fn fail_event(&self, event: &PaymentEvent, error: &str, next_try_at: Option<Timestamp>) -> StoreResult<()>;
    /// Events that are dead, newest first.
    async fn list_dead_events(&self, limit: u32) -> StoreResult<Vec<PaymentEvent>>;
    /// Has a dead event tried again, with its audit row; `false` where it is not dead.
    async fn revive_event(&self, provider: &str, id: &EventRef, entry: &super::AuditEntry) -> StoreResult<bool>;

    /// Subscriptions and payments of an account, and the version that names this state.
    async fn read_account_books(&self, account: AccountId) -> StoreResult<AccountBooks>;
    /// A subscription by its name.
    async fn find_subscription(&self, id: &SubscriptionRef) -> StoreResult<Option<Subscription>>;
    /// A payment by its reference, or by the provider's name of what is behind it.
    async fn find_payment(&self, name: &PaymentRef) -> StoreResult<Option<Payment>>;
    /// Whose a customer is.
    async fn find_customer_account(&self, provider: &str, customer: &CustomerRef) -> StoreResult<Option<AccountId>>;
    /// Who an account is at a provider.
    async fn find_customer(&self, provider: &str, account: AccountId) -> StoreResult<Option<CustomerRef>>;
    /// The grants of a payment.
    async fn list_payment_grants(&self, account: AccountId, reference: &PaymentRef) -> StoreResult<Vec<PaymentGrant>>;
    /// The rows of history that brought credits of payments, or took them back, oldest first.
    async fn list_payment_movements(&self, account: AccountId) -> StoreResult<Vec<PaymentMovement>>;
    /// Subscriptions of a provider that are not over, and whose period has ended by `ended_by`, or that are past due
    /// or one too many, from above a name on, in the order of their names.
    async fn list_subscriptions_to_look_at(
        &self,
        provider: &str,
        ended_by: Timestamp,
        above: &str,
        limit: u32,
    ) -> StoreResult<Vec<Subscription>>;
    /// Payments of a provider that are to go back, since their subscription was one too many.
    async fn list_payments_to_return(&self, provider: &str, limit: u32) -> StoreResult<Vec<Payment>>;

    /// Notes where an order is paid.
    async fn set_checkout(&self, order: &OrderId, checkout: &CheckoutRef, url: &str) -> StoreResult<()>;
    /// Notes that someone came back from paying.
    async fn submit_order(&self, order: &OrderId, now: Timestamp) -> StoreResult<()>;
    /// Marks an order that nobody has paid as left.
    async fn abandon_order(&self, order: &OrderId, now: Timestamp) -> StoreResult<()>;
    /// Orders with a checkout that nobody has paid or left, begun within a time, of one account or of any.
    async fn list_open_orders(
        &self,
        account: Option<AccountId>,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Order>>;
}

/// Which of its things the demo provider keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoKind {
    /// A try to pay.
    Checkout,
    /// A subscription with its invoices.
    Subscription,
    /// A payment.
    Payment,
    /// An event that is to be delivered.
    Event,
}

impl DemoKind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Subscription => "subscription",
            Self::Payment => "payment",
            Self::Event => "event",
        }
    }
}

/// One thing of the demo provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoObject {
    /// Random.
    pub id: String,
    /// Of which kind.
    pub kind: DemoKind,
    /// The version that was read; zero of a new one.
    pub version: i64,
    /// When the clock has to look at it.
    pub due_at: Option<Timestamp>,
    /// As JSON.
    pub body: String,
}

/// What the demo provider has, as if it were elsewhere.
#[async_trait]
pub trait DemoObjects: Send + Sync {
    /// One by its name.
    async fn find_demo_object(&self, id: &str) -> StoreResult<Option<DemoObject>>;
    /// Those that are due, the earliest first.
    async fn list_due_demo_objects(&self, kind: DemoKind, now: Timestamp, limit: u32) -> StoreResult<Vec<DemoObject>>;
    /// Keeps new and changed ones together; `false`, and nothing kept, where one was changed since it was read.
    async fn save_demo_objects(&self, objects: &[DemoObject]) -> StoreResult<bool>;
    /// Forgets one.
    async fn remove_demo_object(&self, id: &str) -> StoreResult<()>;
}
