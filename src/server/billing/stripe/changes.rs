//! Changes of subscriptions, and refunds. Each step can be sent again with the same key: a change that broke off in the
//! middle is finished by asking for it once more.

use super::form::Form;
use super::wire::{Object, Subscription};
use super::{CURRENCY, Stripe, malformed};
use crate::domain::billing::{PaymentRef, SubscriptionRef, Terms};
use crate::domain::{Cents, OrderId};
use crate::server::billing::provider::{ProviderError, ProviderResult};
use serde_json::Value;

impl Stripe {
    async fn read_subscription(&self, id: &SubscriptionRef) -> ProviderResult<Subscription> {
        let answer = self.client.get(&format!("/v1/subscriptions/{id}"), &Form::new()).await;
        let answer = answer.map_err(|error| match error {
            error if error.is_missing() => ProviderError::NotFound("subscription"),
            error => error.into(),
        })?;
        Subscription::read(&answer).ok_or_else(|| malformed("subscription"))
    }

    async fn update(&self, subscription: &str, form: &Form, key: &str) -> ProviderResult<()> {
        self.client.post(&format!("/v1/subscriptions/{subscription}"), form, key).await?;
        Ok(())
    }

    /// A new cycle now at the full price, less what is credited. The update is one request, so a declined card leaves
    /// the subscription as it was; what was put beside it before is taken away again.
    pub(super) async fn upgrade(
        &self,
        id: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        credited: Cents,
        order: &OrderId,
    ) -> ProviderResult<()> {
        let held = self.read_subscription(id).await?;
        if held.order.as_deref() == Some(order.as_str()) {
            return Ok(());
        }
        let (new_price, item) =
            (self.prices.of_plan(to, price).await?, held.item.as_deref().ok_or_else(|| malformed("item"))?);
        let scheduled = self.scheduled_price(&held).await?;
        self.release(&held).await?;
        let credit = self.credit(&held, credited, order).await?;
        let form = not_ending(&held)
            .with("items[0][id]", item)
            .with("items[0][price]", new_price)
            .with("billing_cycle_anchor", "now")
            .with("proration_behavior", "none")
            .with("payment_behavior", "error_if_incomplete")
            .with("metadata[scrip_order]", order);
        let updated = self.update(&held.id, &form, &format!("scrip_{order}_upgrade")).await;
        if let Err(ProviderError::Declined | ProviderError::Refused(_)) = &updated {
            if let Some(credit) = credit {
                self.remove_credit(&credit).await?;
            }
            if let Some(price) = scheduled {
                // Each schedule is released once and followed by one: its name makes the key.
                let released = held.schedule.as_deref().unwrap_or_default();
                self.schedule(id, &price, &format!("scrip_after_{released}")).await?;
            }
        }
        updated
    }

    /// Puts money beside a subscription that comes off its next invoice.
    async fn credit(&self, held: &Subscription, credited: Cents, order: &OrderId) -> ProviderResult<Option<String>> {
        if credited.is_zero() {
            return Ok(None);
        }
        let form = Form::new()
            .with("customer", held.customer.as_deref().ok_or_else(|| malformed("customer"))?)
            .with("subscription", &held.id)
            .with("amount", -credited.get())
            .with("currency", CURRENCY)
            .with("description", "Months that were paid and not used")
            .with("metadata[scrip_order]", order);
        let answer = self.client.post("/v1/invoiceitems", &form, &format!("scrip_{order}_credit")).await?;
        Object(&answer).text("id").map(|id| Some(id.to_owned())).ok_or_else(|| malformed("invoice item"))
    }

    async fn remove_credit(&self, item: &str) -> ProviderResult<()> {
        match self.client.delete(&format!("/v1/invoiceitems/{item}")).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Another price from the end of the period on.
    pub(super) async fn schedule(&self, id: &SubscriptionRef, price: &str, key: &str) -> ProviderResult<()> {
        let held = self.read_subscription(id).await?;
        if held.ends_at.is_none() && self.scheduled_price(&held).await?.as_deref() == Some(price) {
            return Ok(());
        }
        let current = held.price.as_deref().ok_or_else(|| malformed("price"))?;
        if current == price {
            return self.take_back_all(&held, key).await;
        }
        self.resume(&held, key).await?;
        let schedule = self.schedule_of(&held, key).await?;
        let schedule = Object(&schedule);
        let id = schedule.text("id").ok_or_else(|| malformed("schedule"))?;
        let running = running_phase(schedule).ok_or_else(|| malformed("phase"))?;
        let moment = |name: &str| running.integer(name).ok_or_else(|| malformed("moment of a phase"));
        let form = Form::new()
            .with("end_behavior", "release")
            .with("proration_behavior", "none")
            .with("phases[0][items][0][price]", current)
            .with("phases[0][items][0][quantity]", 1)
            .with("phases[0][start_date]", moment("start_date")?)
            .with("phases[0][end_date]", moment("end_date")?)
            .with("phases[0][proration_behavior]", "none")
            .with("phases[1][items][0][price]", price)
            .with("phases[1][items][0][quantity]", 1)
            .with("phases[1][iterations]", 1)
            .with("phases[1][proration_behavior]", "none");
        self.client.post(&format!("/v1/subscription_schedules/{id}"), &form, &format!("{key}_phases")).await?;
        Ok(())
    }

    /// The schedule that a subscription has, or a new one.
    async fn schedule_of(&self, held: &Subscription, key: &str) -> ProviderResult<Value> {
        if let Some(schedule) = &held.schedule {
            return Ok(self.client.get(&format!("/v1/subscription_schedules/{schedule}"), &Form::new()).await?);
        }
        let form = Form::new().with("from_subscription", &held.id);
        Ok(self.client.post("/v1/subscription_schedules", &form, &format!("{key}_schedule")).await?)
    }

    /// The price from the end of the period on, where it is to be another.
    pub(super) async fn scheduled_price(&self, held: &Subscription) -> ProviderResult<Option<String>> {
        let Some(schedule) = &held.schedule else { return Ok(None) };
        let answer = self.client.get(&format!("/v1/subscription_schedules/{schedule}"), &Form::new()).await?;
        let answer = Object(&answer);
        if !matches!(answer.text("status"), Some("active" | "not_started")) {
            return Ok(None);
        }
        let now = running_phase(answer).and_then(|phase| phase.integer("start_date")).unwrap_or(i64::MIN);
        let next = answer.entries("phases").find(|phase| phase.integer("start_date").is_some_and(|start| start > now));
        let price =
            next.and_then(|phase| phase.entries("items").next()).and_then(|item| item.first_id(&["price", "plan"]));
        Ok(price.filter(|price| held.price.as_ref() != Some(price)))
    }

    /// Lets a subscription go on without its schedule. A schedule is released once, so its id is the key.
    async fn release(&self, held: &Subscription) -> ProviderResult<()> {
        let Some(schedule) = &held.schedule else { return Ok(()) };
        let path = format!("/v1/subscription_schedules/{schedule}/release");
        self.client.post(&path, &Form::new(), &format!("scrip_release_{schedule}")).await?;
        Ok(())
    }

    async fn take_back_all(&self, held: &Subscription, key: &str) -> ProviderResult<()> {
        self.release(held).await?;
        self.resume(held, key).await
    }

    async fn resume(&self, held: &Subscription, key: &str) -> ProviderResult<()> {
        let form = not_ending(held);
        if form.fields().is_empty() { Ok(()) } else { self.update(&held.id, &form, &format!("{key}_resume")).await }
    }

    /// Ends it with its period.
    pub(super) async fn stop_at_period_end(&self, id: &SubscriptionRef, key: &str) -> ProviderResult<()> {
        let held = self.read_subscription(id).await?;
        self.release(&held).await?;
        if held.ends_at.is_some() {
            return Ok(());
        }
        self.update(&held.id, &Form::new().with("cancel_at_period_end", true), &format!("{key}_cancel")).await
    }

    /// Takes back whatever is to come.
    pub(super) async fn take_back(&self, id: &SubscriptionRef, key: &str) -> ProviderResult<()> {
        let held = self.read_subscription(id).await?;
        self.take_back_all(&held, key).await
    }

    /// Ends it now.
    pub(super) async fn stop_now(&self, id: &SubscriptionRef) -> ProviderResult<()> {
        match self.read_subscription(id).await {
            Ok(held) if held.is_over() => return Ok(()),
            Ok(_) => {}
            Err(ProviderError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        match self.client.delete(&format!("/v1/subscriptions/{id}")).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives money of an invoice or a payment back.
    pub(super) async fn give_back(&self, payment: &PaymentRef, amount: Cents, key: &str) -> ProviderResult<()> {
        let intent = self.payment_behind(payment.as_str()).await?;
        let intent = intent.ok_or_else(|| ProviderError::Refused("nothing was paid".to_owned()))?;
        let form = Form::new()
            .with("payment_intent", intent)
            .with("amount", amount.get())
            .with("metadata[scrip_payment]", payment);
        self.client.post("/v1/refunds", &form, &format!("scrip_refund_{key}")).await?;
        Ok(())
    }
}

/// The phase that a schedule is in; the first where it does not say.
fn running_phase(schedule: Object<'_>) -> Option<Object<'_>> {
    let now = schedule.integer("current_phase.start_date");
    let running = schedule.entries("phases").find(|phase| now.is_some() && phase.integer("start_date") == now);
    running.or_else(|| schedule.entries("phases").next())
}

/// What takes the end of a subscription back: the flag where it is set, else the moment. Both at once are refused.
fn not_ending(held: &Subscription) -> Form {
    match (held.ends_by_flag, held.ends_at) {
        (true, _) => Form::new().with("cancel_at_period_end", false),
        (false, Some(_)) => Form::new().with("cancel_at", ""),
        (false, None) => Form::new(),
    }
}
