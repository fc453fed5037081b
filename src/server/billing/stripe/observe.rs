//! How things stand at Stripe now, in our words.

use super::form::Form;
use super::interpret::{cents, completed};
use super::wire::{Charge, CheckoutSession, Dispute, Invoice, InvoicePayment, Object, Subscription};
use super::{Stripe, malformed};
use crate::domain::OrderId;
use crate::domain::billing::{
    BillingEvent, CheckoutRef, CustomerRef, DisputeStatus, ObservedPayment, ObservedSubscription, PaymentRef,
    SubscriptionRef, SubscriptionStatus, Terms,
};
use crate::server::billing::provider::{ProviderError, ProviderResult};
use serde_json::Value;

/// How many invoices of a subscription are read: a year and a month of monthly ones, and some upgrades.
const INVOICES_READ: u32 = 24;
/// How many disputes of a payment are read; there is hardly ever more than one.
const DISPUTES_READ: u32 = 10;

impl Stripe {
    /// Reads something; `None` where there is none of that name.
    async fn find(&self, path: &str, query: &Form) -> ProviderResult<Option<Value>> {
        match self.client.get(path, query).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A subscription with its paid invoices. One that is neither begun by an order of ours nor of a plan of ours is
    /// somebody else's on the same account.
    pub(super) async fn observe_subscription(
        &self,
        id: &SubscriptionRef,
    ) -> ProviderResult<Option<ObservedSubscription>> {
        let Some(answer) = self.find(&format!("/v1/subscriptions/{id}"), &Form::new()).await? else { return Ok(None) };
        let held = Subscription::read(&answer).ok_or_else(|| malformed("subscription"))?;
        let price = held.price.as_deref().ok_or_else(|| malformed("price"))?;
        let order = held.order.as_deref().and_then(OrderId::parse);
        let terms = match self.prices.terms_of(price).await? {
            Some(terms) => terms,
            None if order.is_none() => return Ok(None),
            None => return Err(ProviderError::Refused(format!("the price {price} is of no plan in the catalogue"))),
        };
        let period = held.period.ok_or_else(|| malformed("period"))?;
        Ok(Some(ObservedSubscription {
            id: id.clone(),
            customer: held.customer.as_deref().and_then(CustomerRef::parse),
            order,
            status: status(&held.status),
            terms,
            anchor: held.anchor.or(held.started_at).unwrap_or(period.from),
            period_start: period.from,
            period_end: period.to,
            cancel_at_period_end: held.ends_by_flag || held.ends_at.is_some_and(|at| at <= period.to),
            scheduled: self.scheduled_terms(&held).await?,
            ended_at: held.ended_at,
            invoices: self.paid_invoices(id).await?,
        }))
    }

    async fn scheduled_terms(&self, held: &Subscription) -> ProviderResult<Option<Terms>> {
        match self.scheduled_price(held).await? {
            Some(price) => self.prices.terms_of(&price).await,
            None => Ok(None),
        }
    }

    async fn paid_invoices(&self, id: &SubscriptionRef) -> ProviderResult<Vec<crate::domain::billing::PaidInvoice>> {
        let query = Form::new()
            .with("subscription", id)
            .with("status", "paid")
            .with("limit", INVOICES_READ)
            .with("expand[0]", "data.payments");
        let answer = self.client.get("/v1/invoices", &query).await?;
        let mut paid = Vec::new();
        for invoice in Object(&answer).entries("data").filter_map(|invoice| Invoice::read(invoice.0)) {
            paid.extend(self.read_invoice(invoice).await?);
        }
        Ok(paid)
    }

    /// The payment of an invoice (since 2025-03-31 it is not named by it), or a payment itself.
    pub(super) async fn payment_behind(&self, name: &str) -> ProviderResult<Option<String>> {
        if !name.starts_with("in_") {
            return Ok(Some(name.to_owned()));
        }
        let query = Form::new().with("invoice", name).with("status", "paid").with("limit", 1);
        if let Some(answer) = self.find("/v1/invoice_payments", &query).await? {
            return Ok(Object(&answer)
                .entries("data")
                .find_map(|link| InvoicePayment::read(link.0))
                .map(|link| link.payment));
        }
        // A server that has none of these names the payment at the invoice.
        let invoice = self.find(&format!("/v1/invoices/{name}"), &Form::new()).await?;
        Ok(invoice.and_then(|invoice| Invoice::read(&invoice)).and_then(|invoice| invoice.payment))
    }

    /// A payment by its own name, its charge's or its invoice's.
    pub(super) async fn observe_payment(&self, id: &PaymentRef) -> ProviderResult<Option<ObservedPayment>> {
        let Some(charge) = self.charge_of(id.as_str()).await? else { return self.observe_free(id).await };
        let payment = charge.payment.clone().unwrap_or_else(|| charge.id.clone());
        let invoice = self.invoice_of(&payment, &charge).await?;
        let order = if invoice.is_none() { self.order_of(&payment).await? } else { None };
        let reference = invoice.as_ref().map_or(payment.as_str(), |invoice| invoice.id.as_str());
        Ok(Some(ObservedPayment {
            reference: PaymentRef::parse(reference).ok_or_else(|| malformed("payment's id"))?,
            subscription: invoice.and_then(|invoice| invoice.subscription).as_deref().and_then(SubscriptionRef::parse),
            order,
            amount: cents(charge.amount),
            refunded: cents(charge.refunded),
            dispute: self.dispute_of(&payment, &charge).await?,
        }))
    }

    /// An invoice that credit has paid, or a session that a discount has: no money moved, so none goes back.
    async fn observe_free(&self, id: &PaymentRef) -> ProviderResult<Option<ObservedPayment>> {
        let free = |subscription: Option<String>, order: Option<String>| ObservedPayment {
            reference: id.clone(),
            subscription: subscription.as_deref().and_then(SubscriptionRef::parse),
            order: order.as_deref().and_then(OrderId::parse),
            amount: cents(0),
            refunded: cents(0),
            dispute: DisputeStatus::None,
        };
        Ok(match id.as_str().split('_').next() {
            Some("in") => {
                let invoice = self.find(&format!("/v1/invoices/{id}"), &Form::new()).await?;
                let invoice = invoice.and_then(|invoice| Invoice::read(&invoice)).filter(|invoice| invoice.paid);
                invoice.map(|invoice| free(invoice.subscription, None))
            }
            Some("cs") => {
                let session = self.find(&format!("/v1/checkout/sessions/{id}"), &Form::new()).await?;
                let session = session.and_then(|session| CheckoutSession::read(&session));
                session.map(|session| free(None, session.order))
            }
            _ => None,
        })
    }

    async fn charge_of(&self, name: &str) -> ProviderResult<Option<Charge>> {
        if name.starts_with("ch_") || name.starts_with("py_") {
            let answer = self.find(&format!("/v1/charges/{name}"), &Form::new()).await?;
            return Ok(answer.and_then(|charge| Charge::read(&charge)));
        }
        if name.starts_with("cs_") {
            return Ok(None);
        }
        let Some(payment) = self.payment_behind(name).await? else { return Ok(None) };
        let query = Form::new().with("expand[0]", "latest_charge");
        let Some(answer) = self.find(&format!("/v1/payment_intents/{payment}"), &query).await? else { return Ok(None) };
        match Object(&answer).at("latest_charge") {
            Some(charge) if charge.0.is_object() => Ok(Charge::read(charge.0)),
            Some(charge) => {
                let id = charge.0.as_str().unwrap_or_default();
                Ok(self
                    .find(&format!("/v1/charges/{id}"), &Form::new())
                    .await?
                    .and_then(|charge| Charge::read(&charge)))
            }
            None => Ok(None),
        }
    }

    async fn invoice_of(&self, payment: &str, charge: &Charge) -> ProviderResult<Option<Invoice>> {
        let query = Form::new().with("payment[type]", "payment_intent").with("payment[payment_intent]", payment);
        let links = self.find("/v1/invoice_payments", &query.with("limit", 1)).await?;
        let linked = links
            .as_ref()
            .and_then(|links| Object(links).entries("data").find_map(|link| InvoicePayment::read(link.0)));
        let Some(invoice) = linked.map(|link| link.invoice).or_else(|| charge.invoice.clone()) else { return Ok(None) };
        let answer = self.find(&format!("/v1/invoices/{invoice}"), &Form::new()).await?;
        Ok(answer.and_then(|invoice| Invoice::read(&invoice)))
    }

    async fn order_of(&self, payment: &str) -> ProviderResult<Option<OrderId>> {
        let answer = self.find(&format!("/v1/payment_intents/{payment}"), &Form::new()).await?;
        Ok(answer.and_then(|payment| OrderId::parse(Object(&payment).text("metadata.scrip_order")?)))
    }

    async fn dispute_of(&self, payment: &str, charge: &Charge) -> ProviderResult<DisputeStatus> {
        if !charge.disputed {
            return Ok(DisputeStatus::None);
        }
        let query = Form::new().with("payment_intent", payment).with("limit", DISPUTES_READ);
        let answer = self.client.get("/v1/disputes", &query).await?;
        let all = Object(&answer).entries("data").filter_map(|dispute| Dispute::read(dispute.0));
        Ok(all.map(|dispute| dispute_status(&dispute.status)).max_by_key(|status| weight(*status)).unwrap_or_default())
    }

    /// What became of a session; `None` while it is open.
    pub(super) async fn observe_session(&self, checkout: &CheckoutRef) -> ProviderResult<Option<BillingEvent>> {
        let Some(answer) = self.find(&format!("/v1/checkout/sessions/{checkout}"), &Form::new()).await? else {
            return Ok(None);
        };
        let session = CheckoutSession::read(&answer).ok_or_else(|| malformed("session"))?;
        Ok(match (session.status.as_deref(), session.order.as_deref().and_then(OrderId::parse)) {
            (Some("complete"), Some(_)) => {
                Some(completed(&session, Object(&answer).moment("created").unwrap_or_default()))
            }
            (Some("expired"), Some(order)) => Some(BillingEvent::CheckoutExpired { order }),
            _ => None,
        })
    }
}

/// Stripe: subscriptions/overview, "Subscription statuses". What has no payment yet has not begun.
fn status(word: &str) -> SubscriptionStatus {
    match word {
        "active" => SubscriptionStatus::Active,
        "past_due" => SubscriptionStatus::PastDue,
        "canceled" | "incomplete_expired" | "unpaid" => SubscriptionStatus::Canceled,
        _ => SubscriptionStatus::Incomplete,
    }
}

/// An inquiry (`warning_...`) takes no money. Words that are not known leave the dispute open.
fn dispute_status(word: &str) -> DisputeStatus {
    match word {
        "won" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        "prevented" => DisputeStatus::None,
        word if word.starts_with("warning_") => DisputeStatus::None,
        _ => DisputeStatus::Open,
    }
}

/// Of several disputes the worst counts.
const fn weight(status: DisputeStatus) -> u8 {
    match status {
        DisputeStatus::None => 0,
        DisputeStatus::Won => 1,
        DisputeStatus::Open => 2,
        DisputeStatus::Lost => 3,
    }
}
