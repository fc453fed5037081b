//! What the demo has: checkouts, subscriptions, payments and events, and the changes of a subscription by time.

use crate::domain::billing::{
    CustomerRef, DisputeStatus, ObservedSubscription, PaidInvoice, PaymentRef, SubscriptionRef, SubscriptionStatus,
    Terms,
};
use crate::domain::{Cents, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

/// How long after a declined renewal it is tried again, in seconds: a day.
const RETRY_SECONDS: i64 = 86_400;

/// How many invoices a subscription keeps: more than it can have in a year and a month.
const KEPT_INVOICES: usize = 14;

/// Where a checkout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckoutStatus {
    Open,
    Paid,
    Expired,
}

/// What is bought at a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Item {
    Plan(Terms),
    Pack,
}

/// A try to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkout {
    pub order: OrderId,
    pub customer: CustomerRef,
    pub item: Item,
    pub amount: Cents,
    pub status: CheckoutStatus,
    pub paid_at: Option<Timestamp>,
}

/// A subscription with its invoices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DemoSubscription {
    pub id: SubscriptionRef,
    pub customer: CustomerRef,
    pub order: OrderId,
    pub status: SubscriptionStatus,
    pub terms: Terms,
    pub price: Cents,
    /// Where its months are counted from.
    pub anchor: Timestamp,
    /// How many months after it the period began and ends.
    pub from_month: u32,
    pub to_month: u32,
    pub cancel_at_period_end: bool,
    pub scheduled: Option<(Terms, Cents)>,
    pub ended_at: Option<Timestamp>,
    /// Money that comes off the next invoices.
    pub credit: Cents,
    /// Whether the payer's card declines.
    pub declines: bool,
    /// When a declined renewal is tried again.
    pub retry_at: Option<Timestamp>,
    pub invoices: Vec<PaidInvoice>,
}

/// What the clock did to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Renewed(PaidInvoice),
    Declined,
    Ended,
}

impl DemoSubscription {
    /// A first period, paid now.
    pub fn begin(id: SubscriptionRef, checkout: &Checkout, terms: &Terms, now: Timestamp) -> (Self, PaidInvoice) {
        let mut begun = Self {
            id,
            customer: checkout.customer.clone(),
            order: checkout.order.clone(),
            status: SubscriptionStatus::Active,
            terms: terms.clone(),
            price: checkout.amount,
            anchor: now,
            from_month: 0,
            to_month: terms.interval.months(),
            cancel_at_period_end: false,
            scheduled: None,
            ended_at: None,
            credit: Cents::default(),
            declines: false,
            retry_at: None,
            invoices: Vec::new(),
        };
        let invoice = begun.invoice(Some(checkout.order.clone()), now);
        (begun, invoice)
    }

    /// A new cycle now, paid now.
    pub fn change_now(
        &mut self,
        to: &Terms,
        price: Cents,
        credited: Cents,
        order: &OrderId,
        now: Timestamp,
    ) -> PaidInvoice {
        self.order = order.clone();
        self.terms = to.clone();
        self.price = price;
        self.anchor = now;
        self.from_month = 0;
        self.to_month = to.interval.months();
        self.cancel_at_period_end = false;
        self.scheduled = None;
        self.credit = Cents::try_from(self.credit.get() + credited.get()).unwrap_or(self.credit);
        self.invoice(Some(order.clone()), now)
    }

    /// When the clock has to look at it.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status {
            SubscriptionStatus::Canceled | SubscriptionStatus::Incomplete => None,
            SubscriptionStatus::Active => Some(self.period_end()),
            SubscriptionStatus::PastDue => self.retry_at.or(Some(self.period_end())),
        }
    }

    /// The next thing that time brings by `now`.
    pub fn turn(&mut self, now: Timestamp) -> Option<Turn> {
        let due_at = self.due_at().filter(|at| *at <= now)?;
        if self.cancel_at_period_end {
            self.end(self.period_end());
            return Some(Turn::Ended);
        }
        if self.declines {
            self.status = SubscriptionStatus::PastDue;
            self.retry_at = Some(due_at.plus_seconds(RETRY_SECONDS));
            return Some(Turn::Declined);
        }
        if let Some((terms, price)) = self.scheduled.take() {
            self.terms = terms;
            self.price = price;
        }
        self.status = SubscriptionStatus::Active;
        self.retry_at = None;
        self.from_month = self.to_month;
        self.to_month += self.terms.interval.months();
        Some(Turn::Renewed(self.invoice(None, due_at)))
    }

    /// Ends it for good.
    pub fn end(&mut self, at: Timestamp) {
        self.status = SubscriptionStatus::Canceled;
        self.ended_at = Some(at);
        self.scheduled = None;
        self.retry_at = None;
    }

    fn period_start(&self) -> Timestamp {
        self.anchor.plus_months(self.from_month)
    }

    fn period_end(&self) -> Timestamp {
        self.anchor.plus_months(self.to_month)
    }

    /// The invoice of the running period, paid with what is credited and then with money.
    fn invoice(&mut self, order: Option<OrderId>, paid_at: Timestamp) -> PaidInvoice {
        let amount = self.price.saturating_sub(self.credit);
        self.credit = self.credit.saturating_sub(self.price);
        let mut name = format!("demo_in_{}_{}_{}", self.id, self.anchor.millis(), self.to_month);
        if let Some(order) = &order {
            name = format!("demo_in_{order}");
        }
        let reference = PaymentRef::parse(&name);
        // The parts of the name are short and of visible characters.
        let invoice = reference.unwrap_or_else(|| self.invoices[0].invoice.clone());
        let paid = PaidInvoice {
            invoice,
            payment: None,
            subscription: self.id.clone(),
            plan: self.terms.plan.clone(),
            interval: self.terms.interval,
            order,
            price: self.price,
            amount,
            period_start: self.period_start(),
            period_end: self.period_end(),
            paid_at,
        };
        self.invoices.push(paid.clone());
        let surplus = self.invoices.len().saturating_sub(KEPT_INVOICES);
        self.invoices.drain(..surplus);
        paid
    }

    /// As it answers whoever asks.
    pub fn observed(&self) -> ObservedSubscription {
        ObservedSubscription {
            id: self.id.clone(),
            customer: Some(self.customer.clone()),
            order: Some(self.order.clone()),
            status: self.status,
            terms: self.terms.clone(),
            anchor: self.anchor,
            period_start: self.period_start(),
            period_end: self.period_end(),
            cancel_at_period_end: self.cancel_at_period_end,
            scheduled: self.scheduled.as_ref().map(|(terms, _)| terms.clone()),
            ended_at: self.ended_at,
            invoices: self.invoices.clone(),
        }
    }
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DemoPayment {
    pub reference: PaymentRef,
    pub subscription: Option<SubscriptionRef>,
    pub order: Option<OrderId>,
    pub amount: Cents,
    pub refunded: Cents,
    pub dispute: DisputeStatus,
    /// Keys of the refunds that were made.
    pub refund_keys: Vec<String>,
}
