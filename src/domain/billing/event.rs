//! What a provider tells, in words of our own: events, and the state of its things when it is asked.

use super::{CheckoutRef, CustomerRef, DisputeStatus, PaymentRef, SubscriptionRef, SubscriptionStatus, Terms};
use crate::domain::catalogue::Interval;
use crate::domain::{Cents, OrderId, PlanId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an event says has happened. Only a hint: what is booked is what the provider answers when it is asked, so
/// repetitions, losses and another order change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillingEvent {
    /// A checkout was gone through. Links customer, order and subscription; grants nothing for a plan. For a pack
    /// `paid` says whether the money is there already.
    CheckoutCompleted {
        /// Which try.
        checkout: CheckoutRef,
        /// Our order.
        order: Option<OrderId>,
        /// Who paid.
        customer: Option<CustomerRef>,
        /// What it began, of a plan.
        subscription: Option<SubscriptionRef>,
        /// The payment, of a pack that is paid.
        paid: Option<PackPaid>,
    },
    /// A checkout was left, or ran out.
    CheckoutExpired {
        /// Our order.
        order: OrderId,
    },
    /// A payment of a checkout failed; it may be tried again.
    CheckoutDeclined {
        /// Our order.
        order: OrderId,
    },
    /// A pack was paid, perhaps long after its checkout.
    PackPaid(PackPaid),
    /// An invoice of a subscription was paid.
    InvoicePaid(PaidInvoice),
    /// An invoice of a subscription could not be collected.
    PaymentFailed {
        /// Of which subscription.
        subscription: SubscriptionRef,
    },
    /// Anything else about a subscription: began, changed, will end, has ended.
    SubscriptionChanged {
        /// Which.
        subscription: SubscriptionRef,
    },
    /// Money of a payment went back, or a dispute about it was opened, lost or won.
    PaymentChanged {
        /// The provider's own name of the payment (`pi_...`, `ch_...`), to be asked about with `fetch_payment`.
        payment: PaymentRef,
    },
    /// Of no concern to us; kept, and answered like all others.
    Other,
}

/// A pack's payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackPaid {
    /// Our order.
    pub order: OrderId,
    /// The payment; its pack is granted once under this name.
    pub payment: PaymentRef,
    /// What was paid.
    pub amount: Cents,
    /// Who paid.
    pub customer: Option<CustomerRef>,
    /// When, by the provider's clock.
    pub paid_at: Timestamp,
}

/// A paid invoice with a line for a full period of a plan. Invoices without one (proration only) are not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidInvoice {
    /// The invoice; its months are granted once under this name.
    pub invoice: PaymentRef,
    /// The payment behind it (`pi_...`), by which refunds and disputes name it; absent where nothing was due.
    pub payment: Option<PaymentRef>,
    /// Of which subscription.
    pub subscription: SubscriptionRef,
    /// For which plan.
    pub plan: PlanId,
    /// A month or a year of it.
    pub interval: Interval,
    /// The order that it pays, where we know: a first period or an upgrade.
    pub order: Option<OrderId>,
    /// The price of the period, before anything was credited.
    pub price: Cents,
    /// What was paid.
    pub amount: Cents,
    /// Where the period begins: of the line, not of the invoice.
    pub period_start: Timestamp,
    /// Where it ends.
    pub period_end: Timestamp,
    /// When it was paid.
    pub paid_at: Timestamp,
}

/// A subscription as the provider has it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedSubscription {
    /// Which.
    pub id: SubscriptionRef,
    /// Whose, as the provider names them.
    pub customer: Option<CustomerRef>,
    /// The order that began it, from what we attached to it (metadata).
    pub order: Option<OrderId>,
    /// Active, past due ...
    pub status: SubscriptionStatus,
    /// Plan and interval now.
    pub terms: Terms,
    /// Where its months are counted from (billing cycle anchor).
    pub anchor: Timestamp,
    /// The period that is running, or was the last one.
    pub period_start: Timestamp,
    /// Its end.
    pub period_end: Timestamp,
    /// Whether it ends with the period (`cancel_at_period_end`, or a `cancel_at` at its end).
    pub cancel_at_period_end: bool,
    /// What it changes to at the end of the period.
    pub scheduled: Option<Terms>,
    /// When it ended, of one that is canceled.
    pub ended_at: Option<Timestamp>,
    /// Its paid invoices, as far back as a year and a month, in any order.
    pub invoices: Vec<PaidInvoice>,
}

/// A payment as the provider has it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedPayment {
    /// The name under which its credits were granted: the invoice where it is one of a subscription.
    pub reference: PaymentRef,
    /// Of which subscription, if any; where we do not know the payment yet, this is asked about first.
    pub subscription: Option<SubscriptionRef>,
    /// Our order, of a pack, from what we attached to it.
    pub order: Option<OrderId>,
    /// What was paid.
    pub amount: Cents,
    /// What of it went back, all refunds together.
    pub refunded: Cents,
    /// Whether the payer's bank wants it back.
    pub dispute: DisputeStatus,
}
