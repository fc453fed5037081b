//! The demo as a payment provider: what is asked of it from outside.

use super::objects::{Checkout, CheckoutStatus, DemoPayment, DemoSubscription, Item};
use super::{DemoProvider, Event, Held, MAX_TRIES, News, SIGNATURE, name};
use crate::domain::billing::{
    BillingEvent, CheckoutRef, CustomerRef, EventRef, ObservedPayment, ObservedSubscription, PaymentRef,
    SubscriptionRef, SubscriptionStatus, Terms,
};
use crate::domain::{Cents, OrderId, Timestamp};
use crate::server::billing::{
    self, CheckoutItem, NewCheckout, PaymentProvider, ProviderError, ProviderResult, SignedEvent, WebhookRefusal,
    signature,
};
use crate::server::store::DemoKind;
use async_trait::async_trait;
use http::HeaderMap;
use serde::Deserialize;

/// What every event has.
#[derive(Deserialize)]
struct Envelope {
    id: EventRef,
    #[serde(rename = "type")]
    kind: String,
}

#[async_trait]
impl PaymentProvider for DemoProvider {
    fn name(&self) -> &'static str {
        "demo"
    }

    async fn begin_checkout(&self, new: &NewCheckout) -> ProviderResult<billing::Checkout> {
        let id = name(Self::checkout_of(&new.order))?;
        let checkout = Checkout {
            order: new.order.clone(),
            customer: name(CustomerRef::parse(&format!("demo_cus_{}", new.user)))?,
            item: match &new.item {
                CheckoutItem::Plan { terms, .. } => Item::Plan(terms.clone()),
                CheckoutItem::Pack { .. } => Item::Pack,
            },
            amount: new.amount,
            status: CheckoutStatus::Open,
            paid_at: None,
        };
        // Where it is there already, this one is not kept.
        self.store.save_demo_objects(&[Self::new_object(id.as_str(), DemoKind::Checkout, &checkout)?]).await?;
        Ok(billing::Checkout { checkout: id, url: format!("/checkout/{}", new.order) })
    }

    async fn expire_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        for _ in 0..MAX_TRIES {
            let mut held: Held<Checkout> = self.find(checkout.as_str(), "checkout").await?;
            if held.value.status != CheckoutStatus::Open {
                return Ok(());
            }
            held.value.status = CheckoutStatus::Expired;
            let now = self.clock.now();
            let event = Self::event(News::CheckoutExpired { order: held.value.order.clone() }, now, now)?;
            if self.store.save_demo_objects(&[Self::changed(&held)?, event]).await? {
                return Ok(());
            }
        }
        Err(ProviderError::Unavailable("others are always ahead".to_owned()))
    }

    async fn change_now(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        credited: Cents,
        order: &OrderId,
    ) -> ProviderResult<()> {
        self.change_subscription(subscription, |subscription, now| {
            if subscription.invoices.iter().any(|invoice| invoice.order.as_ref() == Some(order)) {
                return Ok(None);
            }
            match subscription.status {
                SubscriptionStatus::Active => {}
                SubscriptionStatus::PastDue => return Err(ProviderError::Declined),
                SubscriptionStatus::Incomplete | SubscriptionStatus::Canceled => {
                    return Err(ProviderError::NotFound("subscription"));
                }
            }
            if subscription.declines {
                return Err(ProviderError::Declined);
            }
            let invoice = subscription.change_now(to, price, credited, order, now);
            let changed = News::Subscription { subscription: subscription.id.clone() };
            Ok(Some(vec![changed, News::InvoicePaid(invoice)]))
        })
        .await
    }

    async fn change_at_period_end(
        &self,
        subscription: &SubscriptionRef,
        to: &Terms,
        price: Cents,
        _key: &str,
    ) -> ProviderResult<()> {
        self.change_alive(subscription, |subscription| {
            subscription.cancel_at_period_end = false;
            subscription.scheduled = Some((to.clone(), price));
        })
        .await
    }

    async fn cancel_at_period_end(&self, subscription: &SubscriptionRef, _key: &str) -> ProviderResult<()> {
        self.change_alive(subscription, |subscription| {
            subscription.cancel_at_period_end = true;
            subscription.scheduled = None;
        })
        .await
    }

    async fn keep(&self, subscription: &SubscriptionRef, _key: &str) -> ProviderResult<()> {
        self.change_alive(subscription, |subscription| {
            subscription.cancel_at_period_end = false;
            subscription.scheduled = None;
        })
        .await
    }

    async fn cancel_now(&self, subscription: &SubscriptionRef) -> ProviderResult<()> {
        self.change_subscription(subscription, |subscription, now| {
            if subscription.status == SubscriptionStatus::Canceled {
                return Ok(None);
            }
            subscription.end(now);
            Ok(Some(vec![News::Subscription { subscription: subscription.id.clone() }]))
        })
        .await
    }

    async fn refund(&self, payment: &PaymentRef, amount: Cents, key: &str) -> ProviderResult<()> {
        self.change_payment(payment, |payment| {
            if payment.refund_keys.iter().any(|known| known == key) {
                return Ok(false);
            }
            if amount > payment.amount.saturating_sub(payment.refunded) || amount.is_zero() {
                return Err(ProviderError::Refused("there is less to give back".to_owned()));
            }
            let refunded = Cents::try_from(payment.refunded.get() + amount.get());
            payment.refunded = refunded.map_err(|error| ProviderError::Refused(error.to_owned()))?;
            payment.refund_keys.push(key.to_owned());
            Ok(true)
        })
        .await
    }

    async fn portal_url(&self, _customer: &CustomerRef, _return_url: &str) -> ProviderResult<Option<String>> {
        Ok(None)
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<SignedEvent, WebhookRefusal> {
        let header = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
        signature::check(header.ok_or(WebhookRefusal::BadSignature)?, &self.secrets, body, now)?;
        let envelope: Envelope = serde_json::from_slice(body).map_err(|_| WebhookRefusal::Malformed)?;
        Ok(SignedEvent { id: envelope.id, kind: envelope.kind })
    }

    async fn interpret(&self, body: &str) -> ProviderResult<BillingEvent> {
        let Ok(event) = serde_json::from_str::<Event>(body) else { return Ok(BillingEvent::Other) };
        Ok(match event.news {
            News::CheckoutCompleted { checkout, order, customer, subscription, paid } => {
                let (order, customer) = (Some(order), Some(customer));
                BillingEvent::CheckoutCompleted { checkout, order, customer, subscription, paid }
            }
            News::CheckoutExpired { order } => BillingEvent::CheckoutExpired { order },
            News::CheckoutDeclined { order } => BillingEvent::CheckoutDeclined { order },
            News::InvoicePaid(invoice) => BillingEvent::InvoicePaid(invoice),
            News::InvoiceFailed { subscription } => BillingEvent::PaymentFailed { subscription },
            News::Subscription { subscription } => BillingEvent::SubscriptionChanged { subscription },
            News::Payment { payment } => BillingEvent::PaymentChanged { payment },
        })
    }

    async fn fetch_subscription(&self, id: &SubscriptionRef) -> ProviderResult<Option<ObservedSubscription>> {
        let found: Option<DemoSubscription> = self.find_optional(id.as_str()).await?;
        Ok(found.map(|subscription| subscription.observed()))
    }

    async fn fetch_payment(&self, id: &PaymentRef) -> ProviderResult<Option<ObservedPayment>> {
        let found: Option<DemoPayment> = self.find_optional(id.as_str()).await?;
        Ok(found.map(|payment| ObservedPayment {
            reference: payment.reference,
            subscription: payment.subscription,
            order: payment.order,
            amount: payment.amount,
            refunded: payment.refunded,
            dispute: payment.dispute,
        }))
    }

    async fn fetch_checkout(&self, checkout: &CheckoutRef) -> ProviderResult<Option<BillingEvent>> {
        let Some(found) = self.find_optional::<Checkout>(checkout.as_str()).await? else { return Ok(None) };
        Ok(match found.status {
            CheckoutStatus::Open => None,
            CheckoutStatus::Expired => Some(BillingEvent::CheckoutExpired { order: found.order }),
            CheckoutStatus::Paid => {
                let (subscription, paid) = match &found.item {
                    Item::Plan(_) => (SubscriptionRef::parse(&format!("demo_sub_{}", found.order)), None),
                    Item::Pack => (None, Some(Self::pack_paid(&found)?)),
                };
                let (order, customer) = (Some(found.order), Some(found.customer));
                Some(BillingEvent::CheckoutCompleted {
                    checkout: checkout.clone(),
                    order,
                    customer,
                    subscription,
                    paid,
                })
            }
        })
    }
}
