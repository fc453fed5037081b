//! What the pages about plans, payments and orders get to see.

use crate::domain::billing::{DisputeStatus, PaymentKind, PaymentRef, Preview, SubscriptionStatus, Terms};
use crate::domain::catalogue::{Catalogue, Interval, Plan};
use crate::domain::{Cents, Credits, OrderId, PlanId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Plans and packs, and how whoever is signed in stands to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlansView {
    /// Plans, packs and rates.
    pub catalogue: Catalogue,
    /// Credits for a new account.
    pub signup_credits: Credits,
    /// The plan of whoever is signed in; the free one where they bought none; `None` for nobody.
    pub current_plan: Option<PlanId>,
    /// Their subscription, where they have one that is not over.
    pub subscription: Option<SubscriptionView>,
    /// Whether anything can be bought.
    pub for_sale: bool,
    /// Whether payments are the demo's.
    pub demo_payments: bool,
}

impl PlansView {
    /// Where a plan stands to the current one: below, the same or above.
    pub fn compare(&self, plan: &PlanId) -> std::cmp::Ordering {
        let current = self.current_plan.as_ref().map_or(0, |id| self.catalogue.rank(id));
        self.catalogue.rank(plan).cmp(&current)
    }

    /// The plan above the current one.
    pub fn next_plan(&self) -> Option<&Plan> {
        self.catalogue.next_plan(self.current_plan.as_ref())
    }

    /// How often they pay now; by the month where they pay for no plan.
    pub fn paid_interval(&self) -> Interval {
        self.subscription.as_ref().map(|subscription| subscription.terms.interval).unwrap_or_default()
    }

    /// Whether any plan costs something.
    pub fn sells_plans(&self) -> bool {
        self.catalogue.plans.iter().any(|plan| !plan.is_free())
    }
}

/// A subscription that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// Plan and interval.
    pub terms: Terms,
    /// The plan's name.
    pub plan_name: String,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// Credits each month.
    pub credits_per_month: Credits,
    /// What a period costs.
    pub price: Cents,
    /// When the running period began.
    pub period_start: Timestamp,
    /// When it ends: the next payment, or the end, or the scheduled change.
    pub period_end: Timestamp,
    /// When the next credits come, where some do in the period that is paid.
    pub next_credits_at: Option<Timestamp>,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
    /// What it changes to at the end of the period, with the plan's name.
    pub scheduled: Option<(Terms, String)>,
    /// Of one that is past due: when it ends unless it is paid.
    pub grace_ends_at: Option<Timestamp>,
    /// In the demo: whether the next payment will be declined.
    pub demo_declines: Option<bool>,
}

/// A change of plan before it is confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangePreviewView {
    /// What it costs and brings.
    pub preview: Preview,
    /// The name of the plan that there is.
    pub from_name: String,
    /// The name of the plan that is wanted.
    pub to_name: String,
    /// Names the state that this was computed from; the confirmation brings it back (`seen`) and is refused with
    /// [`crate::api::error::ApiError::PlanChanged`] where another is there by then.
    pub seen: String,
    /// Whether payments are the demo's.
    pub demo_payments: bool,
}

/// The billing page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BillingPageView {
    /// The plan: the free one where there is no subscription.
    pub plan_name: Option<String>,
    /// The free plan's name, which stands for a cancellation.
    pub free_plan: Option<PlanId>,
    /// The subscription, where there is one that is not over.
    pub subscription: Option<SubscriptionView>,
    /// Payments, newest first, at most a hundred.
    pub payments: Vec<PaymentLine>,
    /// Orders that were begun in the last day and neither paid nor given up, newest first.
    pub open_orders: Vec<OrderView>,
    /// Credits that were spent of money that went back; the next ones pay it off.
    pub debt: Credits,
    /// Whether the provider has a page where people change how they pay (see `open_portal`).
    pub has_portal: bool,
    /// Whether payments are the demo's.
    pub demo_payments: bool,
}

/// One payment: of a pack, or of a period of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentLine {
    /// As the provider names it.
    pub reference: PaymentRef,
    /// What it was for.
    pub kind: PaymentKind,
    /// For people: `Pack of 500 credits`, `Basic, a month`.
    pub title: String,
    /// The period, of a plan.
    pub period: Option<(Timestamp, Timestamp)>,
    /// What was paid.
    pub amount: Cents,
    /// What went back.
    pub refunded: Cents,
    /// Whether it was disputed.
    pub dispute: DisputeStatus,
    /// Whether it was given back because the account had a subscription already.
    pub surplus: bool,
    /// When it was paid.
    pub paid_at: Timestamp,
    /// Its rows in the history: the grants, and what was taken back or came back.
    pub rows: Vec<PaymentRow>,
}

/// A row of history that a payment has made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRow {
    /// Its number: `/history?row=N` or an anchor.
    pub seq: i64,
    /// Credits that came (positive) or went.
    pub amount: i64,
    /// One line for people.
    pub description: String,
    /// When.
    pub created_at: Timestamp,
}

/// A purchase, from the click to the payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderView {
    /// Names it in addresses.
    pub id: OrderId,
    /// What is bought, for people.
    pub title: String,
    /// Paid how often; `None` for a pack.
    pub interval: Option<Interval>,
    /// Credits at once.
    pub credits: Credits,
    /// What it costs.
    pub amount: Cents,
    /// What became of it.
    pub status: OrderStatusView,
    /// Where to pay, while that is possible.
    pub checkout_url: Option<String>,
    /// Where to go afterwards.
    pub return_to: Option<String>,
    /// The row of history of its credits, once it is paid.
    pub granted_row: Option<i64>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// What became of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatusView {
    /// Nobody has paid yet.
    Pending,
    /// Someone came back from paying; the provider's word is still to come.
    Processing,
    /// It was paid, and the credits are there.
    Paid,
    /// The payment was declined; it may be tried again.
    Declined,
    /// It was left without paying, or ran out.
    Abandoned,
}

/// What came of confirming a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum ChangeOutcome {
    /// Something is to be paid, or is being paid: go there (absolute, or a path on this site).
    Pay {
        /// The order.
        order: OrderId,
        /// Where.
        url: String,
    },
    /// Nothing is due now; this is how the subscription stands.
    Changed {
        /// As it is now.
        subscription: Option<SubscriptionView>,
    },
}

/// An administrator's view of someone's payments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonPaymentsView {
    /// Whose.
    pub person: UserId,
    /// Their subscription.
    pub subscription: Option<SubscriptionView>,
    /// Their payments, newest first, at most a hundred.
    pub payments: Vec<PaymentLine>,
    /// Makes the next refund happen once, however often its form is sent.
    pub form_key: String,
}

/// An event that could not be processed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadEventLine {
    /// As the provider names it.
    pub id: String,
    /// Which provider.
    pub provider: String,
    /// What the provider calls its kind.
    pub kind: String,
    /// When it came.
    pub received_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong the last time.
    pub last_error: String,
}
