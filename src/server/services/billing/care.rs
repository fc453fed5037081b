//! What the clock does for payments: the demo's renewals, the end of the days of grace, what is one too many, and
//! looking again where an event may have been lost.

use super::super::{ServiceError, ServiceResult, Services};
use super::booking::Hint;
use super::purchase::OPEN_ORDER_SECONDS;
use crate::domain::billing::{Subscription, SubscriptionStatus};
use crate::domain::{AccountId, Cents, Timestamp};

/// How long after the end of a period nobody has heard of the next one, in seconds: an hour.
const SILENCE_SECONDS: i64 = 3_600;
/// How long an order is left alone before its provider is asked, in seconds.
const ORDER_SILENCE_SECONDS: i64 = 600;
/// Things looked at in one statement.
const BATCH: u32 = 100;
/// Seconds of a day of grace.
const DAY_SECONDS: i64 = 86_400;

/// What a round has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BillingRound {
    /// Subscriptions that were looked at.
    pub subscriptions: usize,
    /// Orders that were asked about.
    pub orders: usize,
    /// What could not be asked; the next round tries again.
    pub failures: usize,
}

impl Services {
    /// Brings what time has made due at the demo, hands its events in, and processes all that wait.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn attend_payments(&self) -> ServiceResult<()> {
        if let Some(demo) = &self.0.cashier.demo {
            demo.tick().await?;
            self.deliver_demo_events().await?;
        }
        if self.0.cashier.provider.is_some() {
            self.process_due_events().await?;
        }
        Ok(())
    }

    /// Says in the log what is missing at the provider. It stops nothing: the rest of the site does not need it.
    pub async fn check_payments(&self) {
        if let Ok(provider) = self.provider() {
            provider.check_and_tell().await;
        }
    }

    /// Looks again where an event may have been lost, and ends what is past due for too long.
    ///
    /// # Errors
    /// Where the database fails. Where the provider fails, the next round tries again.
    pub async fn look_after_payments(&self) -> ServiceResult<BillingRound> {
        let mut round = BillingRound::default();
        let Ok(provider) = self.provider() else { return Ok(round) };
        let now = self.0.clock.now();
        let ended_by = now.plus_seconds(-SILENCE_SECONDS);
        let mut above = String::new();
        loop {
            let found = self.0.store.list_subscriptions_to_look_at(provider.name(), ended_by, &above, BATCH).await?;
            let Some(last) = found.last() else { break };
            above = last.id.to_string();
            for subscription in &found {
                round.subscriptions += 1;
                round.failures += usize::from(failed(self.look_after(subscription, now).await)?);
            }
        }
        let to = now.plus_seconds(-ORDER_SILENCE_SECONDS);
        let from = now.plus_seconds(-3 * OPEN_ORDER_SECONDS);
        for order in self.0.store.list_open_orders(None, from, to, BATCH).await? {
            round.orders += 1;
            round.failures += usize::from(failed(self.ask_about_order(&order).await)?);
        }
        self.return_surplus().await?;
        self.deliver_demo_events().await?;
        Ok(round)
    }

    async fn look_after(&self, subscription: &Subscription, now: Timestamp) -> ServiceResult<()> {
        let grace_ends = self.grace_ends_at(subscription);
        if subscription.surplus || grace_ends.is_some_and(|end| end <= now) {
            self.provider()?.cancel_now(&subscription.id).await?;
        }
        self.sync_subscription(&subscription.id, &Hint::default()).await
    }

    /// When a subscription ends that is past due.
    pub(super) fn grace_ends_at(&self, subscription: &Subscription) -> Option<Timestamp> {
        let since = subscription.past_due_since.filter(|_| subscription.status == SubscriptionStatus::PastDue)?;
        Some(since.plus_seconds(i64::from(self.0.grace_days).saturating_mul(DAY_SECONDS)))
    }

    /// Ends subscriptions that are one too many, and gives their money back. Which ones these are was decided and
    /// written down before; here it is only done.
    ///
    /// # Errors
    /// Where the database fails. Where the provider fails, the next round tries again.
    pub(super) async fn return_surplus(&self) -> ServiceResult<()> {
        let provider = self.provider()?;
        for payment in self.0.store.list_payments_to_return(provider.name(), BATCH).await? {
            if let Some(subscription) = &payment.subscription {
                failed(self.end_surplus(subscription).await)?;
            }
            let left: Cents = payment.amount.saturating_sub(payment.refunded);
            let key = format!("surplus-{}", payment.reference);
            let returned = provider.refund(&payment.reference, left, &key).await.map_err(ServiceError::from);
            if !failed(returned)? {
                failed(self.sync_payment(&payment.reference, &Hint::default()).await)?;
            }
        }
        Ok(())
    }

    async fn end_surplus(&self, id: &crate::domain::billing::SubscriptionRef) -> ServiceResult<()> {
        self.provider()?.cancel_now(id).await?;
        self.sync_subscription(id, &Hint::default()).await
    }

    /// Asks the provider about everything that is known of an account, as after an outage in which events were lost.
    ///
    /// # Errors
    /// Where the provider or the database fails.
    pub async fn ask_about_account(&self, account: AccountId) -> ServiceResult<()> {
        let now = self.0.clock.now();
        let from = now.plus_seconds(-3 * OPEN_ORDER_SECONDS);
        for order in self.0.store.list_open_orders(Some(account), from, now, BATCH).await? {
            self.ask_about_order(&order).await?;
        }
        let books = self.0.store.read_account_books(account).await?;
        let provider = self.provider()?.name();
        let alive = books.subscriptions.iter().filter(|known| known.status != SubscriptionStatus::Canceled);
        for subscription in alive.filter(|known| known.provider == provider) {
            self.sync_subscription(&subscription.id, &Hint::default()).await?;
        }
        let books = self.0.store.read_account_books(account).await?;
        for payment in books.payments.iter().filter(|known| known.provider == provider) {
            self.sync_payment(&payment.reference, &Hint::default()).await?;
        }
        self.return_surplus().await
    }
}

/// Whether it failed in a way that the next round may find better; what the database says is passed on.
fn failed(result: ServiceResult<()>) -> ServiceResult<bool> {
    match result {
        Ok(()) => Ok(false),
        Err(error @ (ServiceError::Unavailable(_) | ServiceError::Internal(_))) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "a payment is looked at again later");
            Ok(true)
        }
    }
}
