//! Plans, payments and subscriptions as pages see them.

use super::super::{ServiceResult, Services};
use super::purchase::OPEN_ORDER_SECONDS;
use crate::api::views::{
    BillingPageView, OrderStatusView, OrderView, PaymentLine, PaymentRow, PlansView, SubscriptionView,
};
use crate::domain::account::Balance;
use crate::domain::billing::{AccountBooks, Payment, PaymentKind, Subscription};
use crate::domain::catalogue::Interval;
use crate::domain::credits::credit_count;
use crate::domain::{AccountId, Seq};
use crate::server::store::{OrderStatus, PaymentMovement};
use std::collections::BTreeSet;

/// Payments on the page.
const SHOWN: usize = 100;
/// Open orders on the page.
const OPEN_ORDERS: u32 = 10;

impl Services {
    /// Plans and packs, and how someone stands to them who is signed in, or nobody.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_plans(&self, account: Option<AccountId>) -> ServiceResult<PlansView> {
        let subscription = match account {
            Some(account) => self.current_subscription(account).await?,
            None => None,
        };
        let current = match account {
            Some(account) => self.plan_or_free(self.read_balance(account).await?.plan),
            None => None,
        };
        Ok(PlansView {
            catalogue: (**self.catalogue()).clone(),
            signup_credits: self.signup_credits(),
            current_plan: subscription.as_ref().map(|known| known.terms.plan.clone()).or(current),
            subscription,
            for_sale: self.is_for_sale(),
            demo_payments: self.has_demo_payments(),
        })
    }

    /// The subscription by which an account has its plan.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn current_subscription(&self, account: AccountId) -> ServiceResult<Option<SubscriptionView>> {
        let balance = self.read_balance(account).await?;
        let books = self.0.store.read_account_books(account).await?;
        match books.current() {
            Some(current) => Ok(Some(self.subscription_view(current, &balance).await?)),
            None => Ok(None),
        }
    }

    async fn subscription_view(&self, known: &Subscription, balance: &Balance) -> ServiceResult<SubscriptionView> {
        let price = self.catalogue().plan(&known.terms.plan).map(|plan| plan.price(known.terms.interval));
        let demo_declines = match &self.0.cashier.demo {
            Some(demo) => Some(demo.card_declines(&known.id).await?),
            None => None,
        };
        Ok(SubscriptionView {
            terms: known.terms.clone(),
            plan_name: self.name_of_plan(&known.terms.plan),
            status: known.status,
            credits_per_month: known.credits_per_month,
            price: price.unwrap_or_default(),
            period_start: known.period_start,
            period_end: known.period_end,
            next_credits_at: balance.next_reset.map(|(at, _)| at),
            cancel_at_period_end: known.cancel_at_period_end,
            scheduled: known.scheduled.clone().map(|terms| {
                let name = self.name_of_plan(&terms.plan);
                (terms, name)
            }),
            grace_ends_at: self.grace_ends_at(known),
            demo_declines,
        })
    }

    /// The billing page of an account.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_billing(&self, account: AccountId) -> ServiceResult<BillingPageView> {
        let balance = self.read_balance(account).await?;
        let books: AccountBooks = self.0.store.read_account_books(account).await?;
        let movements = self.0.store.list_payment_movements(account).await?;
        let subscription = match books.current() {
            Some(current) => Some(self.subscription_view(current, &balance).await?),
            None => None,
        };
        let has_portal = self.0.cashier.demo.is_none() && !books.payments.is_empty();
        Ok(BillingPageView {
            free_plan: self.catalogue().free_plan().map(|plan| plan.id.clone()),
            plan_name: self.plan_name(books.current().map(|current| &current.terms.plan)),
            subscription,
            payments: books.payments.iter().take(SHOWN).map(|known| self.payment_line(known, &movements)).collect(),
            open_orders: self.open_orders(account).await?,
            debt: balance.debt,
            has_portal,
            demo_payments: self.has_demo_payments(),
        })
    }

    /// The rows of an account's history that belong to a payment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_paid_rows(&self, account: AccountId) -> ServiceResult<BTreeSet<Seq>> {
        let books = self.0.store.read_account_books(account).await?;
        if books.payments.is_empty() {
            return Ok(BTreeSet::new());
        }
        let movements = self.0.store.list_payment_movements(account).await?;
        let is_paid = |movement: &&PaymentMovement| books.payments.iter().any(|payment| is_of(movement, payment));
        Ok(movements.iter().filter(is_paid).map(|movement| movement.seq).collect())
    }

    async fn open_orders(&self, account: AccountId) -> ServiceResult<Vec<OrderView>> {
        let now = self.0.clock.now();
        let since = now.plus_seconds(-OPEN_ORDER_SECONDS);
        let open = self.0.store.list_open_orders(Some(account), since, now, OPEN_ORDERS).await?;
        let status_of = |status| match status {
            OrderStatus::Pending => OrderStatusView::Pending,
            OrderStatus::Declined => OrderStatusView::Declined,
            OrderStatus::Paid => OrderStatusView::Paid,
            OrderStatus::Abandoned => OrderStatusView::Abandoned,
        };
        Ok(open.iter().map(|order| self.order_view(order, status_of(order.status))).collect())
    }

    fn payment_line(&self, payment: &Payment, movements: &[PaymentMovement]) -> PaymentLine {
        let row = |movement: &PaymentMovement| PaymentRow {
            seq: movement.seq.0,
            amount: movement.amount,
            description: movement.description.clone(),
            created_at: movement.created_at,
        };
        let title = match (payment.kind, payment.interval) {
            (PaymentKind::Pack, _) => format!("Pack of {}", credit_count(payment.credits)),
            (PaymentKind::Plan, Some(Interval::Year)) => format!("{}, a year", self.name_of_plan(&payment.item)),
            (PaymentKind::Plan, Some(Interval::Month) | None) => {
                format!("{}, a month", self.name_of_plan(&payment.item))
            }
        };
        PaymentLine {
            reference: payment.reference.clone(),
            kind: payment.kind,
            title,
            period: payment.period,
            amount: payment.amount,
            refunded: payment.refunded,
            dispute: payment.dispute,
            surplus: payment.surplus,
            paid_at: payment.paid_at,
            rows: movements.iter().filter(|movement| is_of(movement, payment)).map(row).collect(),
        }
    }
}

/// A month of a plan is granted under the payment's name with the month after a colon.
fn is_of(movement: &PaymentMovement, payment: &Payment) -> bool {
    let rest = movement.reference.strip_prefix(payment.reference.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
