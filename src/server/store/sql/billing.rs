//! Payments in SQL: events, subscriptions, payments, and what a booking writes.

use super::shop::order;
use super::{SqlStore, rows, save};
use crate::domain::billing::{
    AccountBooks, CheckoutRef, CustomerRef, DisputeStatus, EventRef, Payment, PaymentGrant, PaymentKind, PaymentRef,
    Subscription, SubscriptionRef, SubscriptionStatus, Terms,
};
use crate::domain::catalogue::Interval;
use crate::domain::{AccountId, GrantId, OrderId, Seq, Source, Timestamp};
use crate::server::store::database::{Reads, Row, Transaction};
use crate::server::store::{AuditEntry, Billing, Booking, Order, PaymentEvent, PaymentMovement, StoreResult};
use async_trait::async_trait;

/// Decides a booking: nobody else has booked on this account since its books were read. PostgreSQL waits here for
/// who is booking, and then finds another version.
const CLAIM_BOOKS: &str = "
    INSERT INTO billing_accounts (account_id, version) VALUES ($1, 1)
    ON CONFLICT (account_id) DO UPDATE SET version = billing_accounts.version + 1
    WHERE billing_accounts.version = $2";

const FINISH_EVENT: &str = "
    UPDATE payment_events SET status = 'processed', processed_at = $3, next_try_at = NULL
    WHERE provider = $1 AND id = $2 AND status <> 'processed'";

const ADD_CUSTOMER: &str = "
    INSERT INTO payment_customers (provider, customer, account_id, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING";

/// What has ended never changes.
const UPSERT_SUBSCRIPTION: &str = "
    INSERT INTO subscriptions (id, provider, account_id, order_id, status, plan, interval, credits_per_month, anchor,
        period_start, period_end, cancel_at_period_end, next_plan, next_interval, past_due_since, ended_at, surplus,
        created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, plan = excluded.plan, interval = excluded.interval,
        credits_per_month = excluded.credits_per_month, anchor = excluded.anchor,
        period_start = excluded.period_start, period_end = excluded.period_end,
        cancel_at_period_end = excluded.cancel_at_period_end, next_plan = excluded.next_plan,
        next_interval = excluded.next_interval, past_due_since = excluded.past_due_since,
        ended_at = excluded.ended_at, surplus = excluded.surplus
    WHERE subscriptions.status <> 'canceled'";

const UPSERT_PAYMENT: &str = "
    INSERT INTO payments (reference, provider, account_id, payment, kind, item, interval, order_id, subscription_id,
        credits, price_cents, amount_cents, refunded_cents, dispute, surplus, period_start, period_end, paid_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    ON CONFLICT (reference) DO UPDATE SET refunded_cents = excluded.refunded_cents, dispute = excluded.dispute,
        payment = coalesce(payments.payment, excluded.payment)";

const PAY_ORDER: &str = "
    UPDATE orders SET status = 'paid', settled_at = $3 WHERE id = $1 AND account_id = $2 AND status <> 'paid'";

const ADD_EVENT: &str = "
    INSERT INTO payment_events (provider, id, kind, body, status, attempts, next_try_at, received_at)
    VALUES ($1, $2, $3, $4, 'received', 0, $5, $5) ON CONFLICT DO NOTHING";

const LIST_DUE_EVENTS: &str = "
    SELECT provider, id, kind, body, attempts, last_error, received_at FROM payment_events
    WHERE status = 'received' AND next_try_at <= $1 ORDER BY next_try_at, received_at, id LIMIT $2";

const FAIL_EVENT: &str = "
    UPDATE payment_events SET status = CASE WHEN CAST($4 AS BIGINT) IS NULL THEN 'dead' ELSE 'received' END,
        attempts = $5, next_try_at = CAST($4 AS BIGINT), last_error = $3
    WHERE provider = $1 AND id = $2 AND status = 'received'";

const LIST_DEAD_EVENTS: &str = "
    SELECT provider, id, kind, body, attempts, last_error, received_at FROM payment_events
    WHERE status = 'dead' ORDER BY received_at DESC, id LIMIT $1";

const REVIVE_EVENT: &str = "
    UPDATE payment_events SET status = 'received', attempts = 0, next_try_at = $3
    WHERE provider = $1 AND id = $2 AND status = 'dead'";

const READ_VERSION: &str = "SELECT version FROM billing_accounts WHERE account_id = $1";

macro_rules! select_subscriptions {
    ($rest:literal) => {
        concat!(
            "SELECT id, provider, account_id, order_id, status, plan, interval, credits_per_month, anchor, period_start,
                period_end, cancel_at_period_end, next_plan, next_interval, past_due_since, ended_at, surplus,
                created_at
             FROM subscriptions ",
            $rest
        )
    };
}

const LIST_SUBSCRIPTIONS: &str = select_subscriptions!("WHERE account_id = $1 ORDER BY created_at DESC, id");

const FIND_SUBSCRIPTION: &str = select_subscriptions!("WHERE id = $1");

const LIST_SUBSCRIPTIONS_TO_LOOK_AT: &str = select_subscriptions!(
    "WHERE status <> 'canceled' AND provider = $1 AND (period_end <= $2 OR status = 'past_due' OR surplus = 1)
        AND id > $3 ORDER BY id LIMIT $4"
);

macro_rules! select_payments {
    ($rest:literal) => {
        concat!(
            "SELECT reference, provider, account_id, payment, kind, item, interval, order_id, subscription_id, credits,
                price_cents, amount_cents, refunded_cents, dispute, surplus, period_start, period_end, paid_at
             FROM payments ",
            $rest
        )
    };
}

const LIST_PAYMENTS: &str = select_payments!("WHERE account_id = $1 ORDER BY paid_at DESC, reference");

const FIND_PAYMENT: &str = select_payments!(
    "WHERE reference = $1 OR payment = $1 ORDER BY CASE WHEN reference = $1 THEN 0 ELSE 1 END LIMIT 1"
);

/// A refund that is lost is found by this, too: what is disputed goes back by itself.
const LIST_PAYMENTS_TO_RETURN: &str = select_payments!(
    "WHERE surplus = 1 AND provider = $1 AND refunded_cents < amount_cents AND dispute NOT IN ('open', 'lost')
        ORDER BY reference LIMIT $2"
);

const FIND_CUSTOMER_ACCOUNT: &str = "SELECT account_id FROM payment_customers WHERE provider = $1 AND customer = $2";

const FIND_CUSTOMER: &str = "
    SELECT customer FROM payment_customers WHERE provider = $1 AND account_id = $2
    ORDER BY created_at DESC, customer LIMIT 1";

/// `substr` rather than LIKE: a reference is text, not a pattern.
const LIST_PAYMENT_GRANTS: &str = "
    SELECT id, source, reference, amount, expired, clawed_back, expires_at FROM grants
    WHERE account_id = $1 AND (reference = $2 OR substr(reference, 1, length($2) + 1) = $2 || ':') ORDER BY id";

/// A grant was opened by the row of its own number.
const LIST_PAYMENT_MOVEMENTS: &str = "
    SELECT g.reference, t.seq, t.amount, t.description, t.created_at
    FROM grants g JOIN transactions t ON t.account_id = g.account_id AND t.seq = g.id
    WHERE g.account_id = $1 AND g.reference IS NOT NULL AND g.source IN ('monthly', 'purchase')
    UNION ALL
    SELECT g.reference, t.seq, CAST(part.value ->> 1 AS BIGINT), t.description, t.created_at
    FROM transactions t CROSS JOIN json_each(t.draws) part
    JOIN grants g ON g.account_id = t.account_id AND g.id = CAST(part.value ->> 0 AS BIGINT)
    WHERE t.account_id = $1 AND t.type = 'clawback' AND g.reference IS NOT NULL
        AND g.source IN ('monthly', 'purchase')
    ORDER BY 2";

const SET_CHECKOUT: &str = "UPDATE orders SET checkout = $2, checkout_url = $3 WHERE id = $1 AND status <> 'paid'";

const SUBMIT_ORDER: &str = "UPDATE orders SET submitted_at = $2 WHERE id = $1 AND status <> 'paid'";

const ABANDON_ORDER: &str = "
    UPDATE orders SET status = 'abandoned', settled_at = $2 WHERE id = $1 AND status IN ('pending', 'declined')";

const LIST_OPEN_ORDERS: &str = "
    SELECT id, account_id, kind, item, interval, credits, amount_cents, status, return_to, checkout, checkout_url,
        submitted_at, created_at, settled_at
    FROM orders
    WHERE status IN ('pending', 'declined') AND checkout IS NOT NULL AND account_id = coalesce($1, account_id)
        AND created_at >= $2 AND created_at <= $3
    ORDER BY created_at DESC, id LIMIT $4";

/// Writes a booking; `false`, and nothing written, where somebody else has booked since.
pub(super) async fn claim(
    transaction: &mut Transaction,
    account: AccountId,
    booking: &Booking,
    now: Timestamp,
) -> StoreResult<bool> {
    if transaction.execute(CLAIM_BOOKS, &[account.into(), booking.version.into()]).await? == 0 {
        return Ok(false);
    }
    if let Some((provider, event)) = &booking.event {
        transaction.execute(FINISH_EVENT, &[provider.into(), event.as_str().into(), now.into()]).await?;
    }
    if let Some((provider, customer)) = &booking.customer {
        let values = [provider.into(), customer.as_str().into(), account.into(), now.into()];
        transaction.execute(ADD_CUSTOMER, &values).await?;
    }
    if let Some(subscription) = &booking.subscription {
        save_subscription(transaction, subscription).await?;
    }
    for payment in &booking.payments {
        save_payment(transaction, payment).await?;
    }
    for order in &booking.paid_orders {
        transaction.execute(PAY_ORDER, &[order.as_str().into(), account.into(), now.into()]).await?;
    }
    Ok(true)
}

async fn save_subscription(transaction: &mut Transaction, subscription: &Subscription) -> StoreResult<()> {
    let scheduled = subscription.scheduled.as_ref();
    let values = [
        subscription.id.as_str().into(),
        (&subscription.provider).into(),
        subscription.account.into(),
        subscription.order.as_ref().map(OrderId::as_str).into(),
        subscription.status.as_str().into(),
        subscription.terms.plan.as_str().into(),
        subscription.terms.interval.as_str().into(),
        subscription.credits_per_month.into(),
        subscription.anchor.into(),
        subscription.period_start.into(),
        subscription.period_end.into(),
        i64::from(subscription.cancel_at_period_end).into(),
        scheduled.map(|terms| terms.plan.as_str()).into(),
        scheduled.map(|terms| terms.interval.as_str()).into(),
        subscription.past_due_since.into(),
        subscription.ended_at.into(),
        i64::from(subscription.surplus).into(),
        subscription.created_at.into(),
    ];
    transaction.execute(UPSERT_SUBSCRIPTION, &values).await?;
    Ok(())
}

async fn save_payment(transaction: &mut Transaction, payment: &Payment) -> StoreResult<()> {
    let values = [
        payment.reference.as_str().into(),
        (&payment.provider).into(),
        payment.account.into(),
        payment.payment.as_ref().map(PaymentRef::as_str).into(),
        payment.kind.as_str().into(),
        payment.item.as_str().into(),
        payment.interval.map(Interval::as_str).into(),
        payment.order.as_ref().map(OrderId::as_str).into(),
        payment.subscription.as_ref().map(SubscriptionRef::as_str).into(),
        payment.credits.into(),
        payment.price.get().into(),
        payment.amount.get().into(),
        payment.refunded.get().into(),
        payment.dispute.as_str().into(),
        i64::from(payment.surplus).into(),
        payment.period.map(|(start, _)| start).into(),
        payment.period.map(|(_, end)| end).into(),
        payment.paid_at.into(),
    ];
    transaction.execute(UPSERT_PAYMENT, &values).await?;
    Ok(())
}

#[async_trait]
impl Billing for SqlStore {
    async fn add_event(&self, event: &PaymentEvent) -> StoreResult<bool> {
        let values = [
            (&event.provider).into(),
            event.id.as_str().into(),
            (&event.kind).into(),
            (&event.body).into(),
            event.received_at.into(),
        ];
        Ok(self.database.execute(ADD_EVENT, &values).await? == 1)
    }

    async fn list_due_events(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<PaymentEvent>> {
        self.database.fetch_all(LIST_DUE_EVENTS, &[now.into(), limit.into()]).await?.iter().map(event).collect()
    }

    async fn finish_event(&self, event: &PaymentEvent, now: Timestamp) -> StoreResult<()> {
        let values = [(&event.provider).into(), event.id.as_str().into(), now.into()];
        self.database.execute(FINISH_EVENT, &values).await?;
        Ok(())
    }

    async fn fail_event(&self, event: &PaymentEvent, error: &str, next_try_at: Option<Timestamp>) -> StoreResult<()> {
        let values = [
            (&event.provider).into(),
            event.id.as_str().into(),
            error.into(),
            next_try_at.into(),
            (event.attempts + 1).into(),
        ];
        self.database.execute(FAIL_EVENT, &values).await?;
        Ok(())
    }

    async fn list_dead_events(&self, limit: u32) -> StoreResult<Vec<PaymentEvent>> {
        self.database.fetch_all(LIST_DEAD_EVENTS, &[limit.into()]).await?.iter().map(event).collect()
    }

    async fn revive_event(&self, provider: &str, id: &EventRef, entry: &AuditEntry) -> StoreResult<bool> {
        let mut transaction = self.database.begin().await?;
        let values = [provider.into(), id.as_str().into(), entry.created_at.into()];
        if transaction.execute(REVIVE_EVENT, &values).await? == 0 {
            return Ok(false);
        }
        save::save_audit(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn read_account_books(&self, account: AccountId) -> StoreResult<AccountBooks> {
        let mut snapshot = self.database.begin_snapshot(Reads::FewRows).await?;
        let version = snapshot.fetch_optional(READ_VERSION, &[account.into()]).await?;
        let subscriptions = snapshot.fetch_all(LIST_SUBSCRIPTIONS, &[account.into()]).await?;
        let payments = snapshot.fetch_all(LIST_PAYMENTS, &[account.into()]).await?;
        Ok(AccountBooks {
            version: version.map_or(Ok(0), |row| row.integer("version"))?,
            subscriptions: subscriptions.iter().map(subscription).collect::<StoreResult<_>>()?,
            payments: payments.iter().map(payment).collect::<StoreResult<_>>()?,
        })
    }

    async fn find_subscription(&self, id: &SubscriptionRef) -> StoreResult<Option<Subscription>> {
        let row = self.database.fetch_optional(FIND_SUBSCRIPTION, &[id.as_str().into()]).await?;
        row.as_ref().map(subscription).transpose()
    }

    async fn find_payment(&self, name: &PaymentRef) -> StoreResult<Option<Payment>> {
        let row = self.database.fetch_optional(FIND_PAYMENT, &[name.as_str().into()]).await?;
        row.as_ref().map(payment).transpose()
    }

    async fn find_customer_account(&self, provider: &str, customer: &CustomerRef) -> StoreResult<Option<AccountId>> {
        let values = [provider.into(), customer.as_str().into()];
        self.database.fetch_optional(FIND_CUSTOMER_ACCOUNT, &values).await?.as_ref().map(rows::account_id).transpose()
    }

    async fn find_customer(&self, provider: &str, account: AccountId) -> StoreResult<Option<CustomerRef>> {
        let row = self.database.fetch_optional(FIND_CUSTOMER, &[provider.into(), account.into()]).await?;
        row.map(|row| rows::expected(CustomerRef::parse(row.text("customer")?), "customer")).transpose()
    }

    async fn list_payment_grants(&self, account: AccountId, reference: &PaymentRef) -> StoreResult<Vec<PaymentGrant>> {
        let values = [account.into(), reference.as_str().into()];
        self.database.fetch_all(LIST_PAYMENT_GRANTS, &values).await?.iter().map(payment_grant).collect()
    }

    async fn list_payment_movements(&self, account: AccountId) -> StoreResult<Vec<PaymentMovement>> {
        self.database.fetch_all(LIST_PAYMENT_MOVEMENTS, &[account.into()]).await?.iter().map(movement).collect()
    }

    async fn list_subscriptions_to_look_at(
        &self,
        provider: &str,
        ended_by: Timestamp,
        above: &str,
        limit: u32,
    ) -> StoreResult<Vec<Subscription>> {
        let values = [provider.into(), ended_by.into(), above.into(), limit.into()];
        self.database.fetch_all(LIST_SUBSCRIPTIONS_TO_LOOK_AT, &values).await?.iter().map(subscription).collect()
    }

    async fn list_payments_to_return(&self, provider: &str, limit: u32) -> StoreResult<Vec<Payment>> {
        let values = [provider.into(), limit.into()];
        self.database.fetch_all(LIST_PAYMENTS_TO_RETURN, &values).await?.iter().map(payment).collect()
    }

    async fn set_checkout(&self, order: &OrderId, checkout: &CheckoutRef, url: &str) -> StoreResult<()> {
        self.database.execute(SET_CHECKOUT, &[order.as_str().into(), checkout.as_str().into(), url.into()]).await?;
        Ok(())
    }

    async fn submit_order(&self, order: &OrderId, now: Timestamp) -> StoreResult<()> {
        self.database.execute(SUBMIT_ORDER, &[order.as_str().into(), now.into()]).await?;
        Ok(())
    }

    async fn abandon_order(&self, order: &OrderId, now: Timestamp) -> StoreResult<()> {
        self.database.execute(ABANDON_ORDER, &[order.as_str().into(), now.into()]).await?;
        Ok(())
    }

    async fn list_open_orders(
        &self,
        account: Option<AccountId>,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Order>> {
        let values = [account.into(), from.into(), to.into(), limit.into()];
        self.database.fetch_all(LIST_OPEN_ORDERS, &values).await?.iter().map(order).collect()
    }
}

fn event(row: &Row) -> StoreResult<PaymentEvent> {
    Ok(PaymentEvent {
        provider: row.text("provider")?.to_owned(),
        id: rows::expected(EventRef::parse(row.text("id")?), "event")?,
        kind: row.text("kind")?.to_owned(),
        body: row.text("body")?.to_owned(),
        attempts: rows::expected(u32::try_from(row.integer("attempts")?).ok(), "attempts")?,
        last_error: row.optional_text("last_error")?.map(str::to_owned),
        received_at: rows::moment(row, "received_at")?,
    })
}

fn interval(text: &str) -> StoreResult<Interval> {
    rows::expected(Interval::parse(text), "interval")
}

fn order_id(row: &Row) -> StoreResult<Option<OrderId>> {
    row.optional_text("order_id")?.map(|text| rows::expected(OrderId::parse(text), "order")).transpose()
}

fn subscription(row: &Row) -> StoreResult<Subscription> {
    let scheduled = match row.optional_text("next_plan")?.zip(row.optional_text("next_interval")?) {
        Some((plan, every)) => Some(Terms { plan: rows::plan_id(plan)?, interval: interval(every)? }),
        None => None,
    };
    Ok(Subscription {
        id: rows::expected(SubscriptionRef::parse(row.text("id")?), "subscription")?,
        provider: row.text("provider")?.to_owned(),
        account: rows::account_id(row)?,
        order: order_id(row)?,
        status: rows::expected(SubscriptionStatus::parse(row.text("status")?), "status of a subscription")?,
        terms: Terms { plan: rows::plan_id(row.text("plan")?)?, interval: interval(row.text("interval")?)? },
        credits_per_month: rows::credits(row.integer("credits_per_month")?)?,
        anchor: rows::moment(row, "anchor")?,
        period_start: rows::moment(row, "period_start")?,
        period_end: rows::moment(row, "period_end")?,
        cancel_at_period_end: row.integer("cancel_at_period_end")? != 0,
        scheduled,
        past_due_since: rows::optional_moment(row, "past_due_since")?,
        ended_at: rows::optional_moment(row, "ended_at")?,
        surplus: row.integer("surplus")? != 0,
        created_at: rows::moment(row, "created_at")?,
    })
}

fn payment_ref(text: &str) -> StoreResult<PaymentRef> {
    rows::expected(PaymentRef::parse(text), "payment")
}

fn payment(row: &Row) -> StoreResult<Payment> {
    let subscription = row.optional_text("subscription_id")?;
    let period = rows::optional_moment(row, "period_start")?.zip(rows::optional_moment(row, "period_end")?);
    Ok(Payment {
        reference: payment_ref(row.text("reference")?)?,
        provider: row.text("provider")?.to_owned(),
        account: rows::account_id(row)?,
        payment: row.optional_text("payment")?.map(payment_ref).transpose()?,
        kind: rows::expected(PaymentKind::parse(row.text("kind")?), "kind of a payment")?,
        item: rows::plan_id(row.text("item")?)?,
        interval: row.optional_text("interval")?.map(interval).transpose()?,
        order: order_id(row)?,
        subscription: subscription
            .map(|text| rows::expected(SubscriptionRef::parse(text), "subscription"))
            .transpose()?,
        credits: rows::credits(row.integer("credits")?)?,
        price: rows::cents(row.integer("price_cents")?)?,
        amount: rows::cents(row.integer("amount_cents")?)?,
        refunded: rows::cents(row.integer("refunded_cents")?)?,
        dispute: rows::expected(DisputeStatus::parse(row.text("dispute")?), "dispute")?,
        surplus: row.integer("surplus")? != 0,
        period,
        paid_at: rows::moment(row, "paid_at")?,
    })
}

fn payment_grant(row: &Row) -> StoreResult<PaymentGrant> {
    Ok(PaymentGrant {
        id: GrantId(Seq(row.integer("id")?)),
        source: rows::expected(Source::parse(row.text("source")?), "source")?,
        reference: row.text("reference")?.to_owned(),
        amount: rows::credits(row.integer("amount")?)?,
        expired: rows::credits(row.integer("expired")?)?,
        clawed_back: rows::credits(row.integer("clawed_back")?)?,
        expires_at: rows::optional_moment(row, "expires_at")?,
    })
}

fn movement(row: &Row) -> StoreResult<PaymentMovement> {
    Ok(PaymentMovement {
        reference: row.text("reference")?.to_owned(),
        seq: Seq(row.integer("seq")?),
        amount: row.integer("amount")?,
        description: row.text("description")?.to_owned(),
        created_at: rows::moment(row, "created_at")?,
    })
}
