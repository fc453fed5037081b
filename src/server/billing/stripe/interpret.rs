//! What an event says, in our words. It is a hint: what is booked is what Stripe answers when it is asked. Types that
//! are not known, and things that are not ours, are [`BillingEvent::Other`].

use super::form::Form;
use super::wire::{CheckoutSession, Event, Invoice, InvoicePayment, Line, Object};
use super::{Stripe, malformed};
use crate::domain::billing::{
    BillingEvent, CheckoutRef, CustomerRef, PackPaid, PaidInvoice, PaymentRef, SubscriptionRef,
};
use crate::domain::{Cents, OrderId, Timestamp};
use crate::server::billing::provider::ProviderResult;

/// The most lines that are read of an invoice; ours have two.
const MAX_LINES: u32 = 100;

impl Stripe {
    /// Reads an event.
    pub(super) async fn read_event(&self, event: &Event) -> ProviderResult<BillingEvent> {
        let object = Object(&event.object);
        let happened = event.created.unwrap_or_default();
        Ok(match event.kind.as_str() {
            "checkout.session.completed" => session(object, happened, Told::Completed),
            "checkout.session.async_payment_succeeded" => session(object, happened, Told::PaidLater),
            "checkout.session.async_payment_failed" => session(object, happened, Told::Failed),
            "checkout.session.expired" => session(object, happened, Told::Expired),
            "payment_intent.payment_failed" => declined(object),
            "invoice.paid" | "invoice.payment_succeeded" => self.paid_invoice_event(object).await?,
            "invoice_payment.paid" => self.invoice_payment_event(object).await?,
            "invoice.payment_failed" => match invoice_subscription(object) {
                Some(subscription) => BillingEvent::PaymentFailed { subscription },
                None => BillingEvent::Other,
            },
            kind if kind.starts_with("customer.subscription.") => changed(object.id("id")),
            kind if kind.starts_with("subscription_schedule.") => {
                changed(object.first_id(&["subscription", "released_subscription"]))
            }
            kind if kind.starts_with("charge.dispute.")
                || kind.starts_with("refund.")
                || kind == "charge.refund.updated" =>
            {
                payment_changed(object.first_id(&["payment_intent", "charge"]))
            }
            "charge.refunded" => payment_changed(object.first_id(&["payment_intent", "id"])),
            _ => BillingEvent::Other,
        })
    }

    async fn paid_invoice_event(&self, object: Object<'_>) -> ProviderResult<BillingEvent> {
        let Some(invoice) = Invoice::read(object.0) else { return Ok(BillingEvent::Other) };
        let Some(subscription) = invoice.subscription.clone() else { return Ok(BillingEvent::Other) };
        Ok(match self.read_invoice(invoice).await? {
            Some(paid) => BillingEvent::InvoicePaid(paid),
            // Proration only, or of a plan that is not ours: asking about the subscription does no harm.
            None => changed(Some(subscription)),
        })
    }

    async fn invoice_payment_event(&self, object: Object<'_>) -> ProviderResult<BillingEvent> {
        let Some(link) = InvoicePayment::read(object.0) else { return Ok(BillingEvent::Other) };
        let answer = self.client.get(&format!("/v1/invoices/{}", link.invoice), &Form::new()).await?;
        self.paid_invoice_event(Object(&answer)).await
    }

    /// A paid invoice with a full period of one of our plans; `None` where it is none.
    pub(super) async fn read_invoice(&self, mut invoice: Invoice) -> ProviderResult<Option<PaidInvoice>> {
        let Some(subscription) = invoice.subscription.as_deref().and_then(SubscriptionRef::parse) else {
            return Ok(None);
        };
        if !invoice.paid {
            return Ok(None);
        }
        if invoice.has_more_lines {
            invoice.lines = self.all_lines(&invoice.id).await?;
        }
        for line in &invoice.lines {
            let (Some(period), Some(price)) = (line.period, &line.price) else { continue };
            // A trial's line costs nothing; a proration is for a part of a period.
            if line.proration || line.amount <= 0 || !line.of_subscription {
                continue;
            }
            let Some(terms) = self.prices.terms_of(price).await? else { continue };
            let payment = match invoice.payment.clone() {
                None if invoice.amount_paid > 0 => self.payment_behind(&invoice.id).await?,
                known => known,
            };
            return Ok(Some(PaidInvoice {
                invoice: PaymentRef::parse(&invoice.id).ok_or_else(|| malformed("invoice's id"))?,
                payment: payment.as_deref().and_then(PaymentRef::parse),
                subscription,
                plan: terms.plan,
                interval: terms.interval,
                order: invoice.order.as_deref().and_then(OrderId::parse),
                price: cents(line.amount),
                amount: cents(invoice.amount_paid),
                period_start: period.from,
                period_end: period.to,
                paid_at: invoice.paid_at.unwrap_or(period.from),
            }));
        }
        Ok(None)
    }

    async fn all_lines(&self, invoice: &str) -> ProviderResult<Vec<Line>> {
        let query = Form::new().with("limit", MAX_LINES);
        let answer = self.client.get(&format!("/v1/invoices/{invoice}/lines"), &query).await?;
        Ok(Object(&answer).entries("data").map(Line::read).collect())
    }
}

/// An amount of Stripe's; what is out of our range is none of our payments.
pub(super) fn cents(amount: i64) -> Cents {
    Cents::try_from(amount).unwrap_or_default()
}

fn invoice_subscription(object: Object<'_>) -> Option<SubscriptionRef> {
    Invoice::read(object.0)?.subscription.as_deref().and_then(SubscriptionRef::parse)
}

fn changed(subscription: Option<String>) -> BillingEvent {
    match subscription.as_deref().and_then(SubscriptionRef::parse) {
        Some(subscription) => BillingEvent::SubscriptionChanged { subscription },
        None => BillingEvent::Other,
    }
}

fn payment_changed(payment: Option<String>) -> BillingEvent {
    match payment.as_deref().and_then(PaymentRef::parse) {
        Some(payment) => BillingEvent::PaymentChanged { payment },
        None => BillingEvent::Other,
    }
}

/// A card was declined on the page where people pay; the order stands in the payment's metadata.
fn declined(object: Object<'_>) -> BillingEvent {
    match object.text("metadata.scrip_order").and_then(OrderId::parse) {
        Some(order) => BillingEvent::CheckoutDeclined { order },
        None => BillingEvent::Other,
    }
}

/// Which of a session's events it was.
#[derive(Clone, Copy)]
enum Told {
    Completed,
    PaidLater,
    Failed,
    Expired,
}

fn session(object: Object<'_>, happened: Timestamp, told: Told) -> BillingEvent {
    let Some(session) = CheckoutSession::read(object.0) else { return BillingEvent::Other };
    let order = session.order.as_deref().and_then(OrderId::parse);
    match (told, order) {
        (Told::Failed, Some(order)) => BillingEvent::CheckoutDeclined { order },
        (Told::Expired, Some(order)) => BillingEvent::CheckoutExpired { order },
        (Told::Completed | Told::PaidLater, Some(_)) => completed(&session, happened),
        // Sessions of others on the same account.
        (_, None) => BillingEvent::Other,
    }
}

/// What a session says that was gone through, by an event or when it is asked about.
pub(super) fn completed(session: &CheckoutSession, happened: Timestamp) -> BillingEvent {
    let Some(checkout) = CheckoutRef::parse(&session.id) else { return BillingEvent::Other };
    let order = session.order.as_deref().and_then(OrderId::parse);
    let customer = session.customer.as_deref().and_then(CustomerRef::parse);
    let is_paid = matches!(session.payment_status.as_deref(), Some("paid" | "no_payment_required"));
    let paid = order.clone().filter(|_| is_paid && !session.is_subscription).and_then(|order| {
        // Where a discount leaves nothing to pay there is no payment: the session names it then.
        let payment = PaymentRef::parse(session.payment.as_deref().unwrap_or(&session.id))?;
        let amount = cents(session.amount.unwrap_or(0));
        Some(PackPaid { order, payment, amount, customer: customer.clone(), paid_at: happened })
    });
    let subscription = session.subscription.as_deref().and_then(SubscriptionRef::parse);
    BillingEvent::CheckoutCompleted { checkout, order, customer, subscription, paid }
}
