//! Booking what a provider says: the books are read, the provider is asked, and what follows is written together with
//! its grants, unless somebody else has booked since the books were read. Then it is all done again. Asking before
//! reading would be wrong: between the two, another program may book the very subscription that is asked about, and
//! it would look like a second one.

use super::super::{ServiceError, ServiceResult, Services};
use super::MAX_TRIES;
use crate::domain::billing::{
    AccountBooks, BillingEvent, Context, CustomerRef, Entry, ObservedPayment, ObservedSubscription, PackPaid,
    PaidInvoice, Payment, PaymentKind, PaymentRef, Subscription, SubscriptionRef, SubscriptionStatus,
    book_subscription,
};
use crate::domain::credits::credit_count;
use crate::domain::operation::{Memo, NewGrant, Source};
use crate::domain::{AccountId, Cents, Credits, Metadata, Operation, OrderId};
use crate::server::billing::ProviderError;
use crate::server::ledger::{LedgerError, Step, Submission, Target};
use crate::server::store::{Booking, OrderItem, PaymentEvent};
use serde_json::json;
use std::collections::HashMap;

/// Where something is booked from, and what is known of it already.
#[derive(Clone, Debug, Default)]
pub(super) struct Hint {
    /// The event that tells of it; it is processed once this is booked.
    pub event: Option<PaymentEvent>,
    /// An invoice that the event carries: as good as one that the provider lists.
    pub invoice: Option<PaidInvoice>,
    /// The order that it belongs to.
    pub order: Option<OrderId>,
    /// Whose it is.
    pub customer: Option<CustomerRef>,
}

/// What is to be written, all of it or nothing.
struct Writing {
    account: AccountId,
    booking: Booking,
    steps: Vec<(Operation, String)>,
    payment: Option<PaymentRef>,
}

impl Services {
    /// Books a subscription as its provider has it now.
    ///
    /// # Errors
    /// Where the provider or the database fails, or nobody knows whose it is.
    pub(super) async fn sync_subscription(&self, id: &SubscriptionRef, hint: &Hint) -> ServiceResult<()> {
        for _ in 0..MAX_TRIES {
            let account = self.account_of_subscription(id, hint).await?;
            let books = self.0.store.read_account_books(account).await?;
            let mut observed = self.ask_for_subscription(id).await?;
            complete(&mut observed, &books, hint);
            if self.rival_is_over(&books, &observed).await? {
                continue;
            }
            let entry = self.decide(account, &books, &observed).await?;
            if entry.is_empty() {
                return self.note_processed(hint).await;
            }
            if self.write_entry(&books, &observed, entry, hint).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Busy)
    }

    async fn ask_for_subscription(&self, id: &SubscriptionRef) -> ServiceResult<ObservedSubscription> {
        let found = self.provider()?.fetch_subscription(id).await?;
        Ok(found.ok_or(ProviderError::NotFound("subscription"))?)
    }

    async fn account_of_subscription(&self, id: &SubscriptionRef, hint: &Hint) -> ServiceResult<AccountId> {
        if let Some(known) = self.0.store.find_subscription(id).await? {
            return Ok(known.account);
        }
        if let Some(account) = self.account_by(hint.order.as_ref(), hint.customer.as_ref()).await? {
            return Ok(account);
        }
        let observed = self.ask_for_subscription(id).await?;
        let found = self.account_by(observed.order.as_ref(), observed.customer.as_ref()).await?;
        found.ok_or(ServiceError::Unknown("whose subscription that is"))
    }

    async fn account_by(
        &self,
        order: Option<&OrderId>,
        customer: Option<&CustomerRef>,
    ) -> ServiceResult<Option<AccountId>> {
        if let Some(id) = order
            && let Some(order) = self.0.store.find_order(id).await?
        {
            return Ok(Some(order.account));
        }
        match customer {
            Some(customer) => Ok(self.0.store.find_customer_account(self.provider()?.name(), customer).await?),
            None => Ok(None),
        }
    }

    /// Whether the account has its plan by another subscription that is over at the provider without our knowing: its
    /// end is booked then, and the new one is no second one.
    async fn rival_is_over(&self, books: &AccountBooks, observed: &ObservedSubscription) -> ServiceResult<bool> {
        let is_new = |known: &Subscription| known.id != observed.id || !(known.surplus || known.status.is_current());
        let rival = books.current().filter(|current| current.id != observed.id);
        let Some(rival) = rival.filter(|_| observed.status.is_current() && books.subscriptions.iter().all(is_new))
        else {
            return Ok(false);
        };
        if rival.provider != self.provider()?.name() {
            return Ok(false);
        }
        if self.ask_for_subscription(&rival.id).await?.status != SubscriptionStatus::Canceled {
            return Ok(false);
        }
        Box::pin(self.sync_subscription(&rival.id, &Hint::default())).await?;
        Ok(true)
    }

    async fn decide(
        &self,
        account: AccountId,
        books: &AccountBooks,
        observed: &ObservedSubscription,
    ) -> ServiceResult<Entry> {
        let free = self.free_months(account).await?;
        let ordered = self.ordered_credits(books, observed).await?;
        let ruling = self.catalogue();
        let context = Context {
            catalogue: &ruling,
            provider: self.provider()?.name(),
            account,
            free: &free,
            now: self.0.clock.now(),
        };
        Ok(book_subscription(books, observed, context, |invoice| ordered.get(&invoice.invoice).copied()))
    }

    /// What orders promised for the invoices that are new: the catalogue may have changed since.
    async fn ordered_credits(
        &self,
        books: &AccountBooks,
        observed: &ObservedSubscription,
    ) -> ServiceResult<HashMap<PaymentRef, Credits>> {
        let mut promised = HashMap::new();
        for invoice in &observed.invoices {
            let is_new = books.payments.iter().all(|known| known.reference != invoice.invoice);
            let Some(order) = invoice.order.as_ref().filter(|_| is_new) else { continue };
            if let Some(order) = self.0.store.find_order(order).await?
                && matches!(&order.item, OrderItem::Plan { plan, .. } if *plan == invoice.plan)
            {
                promised.insert(invoice.invoice.clone(), order.credits);
            }
        }
        Ok(promised)
    }

    async fn write_entry(
        &self,
        books: &AccountBooks,
        observed: &ObservedSubscription,
        entry: Entry,
        hint: &Hint,
    ) -> ServiceResult<bool> {
        let id = &entry.subscription.id;
        let mut audit: Vec<_> =
            entry.transitions.iter().map(|step| (step.name(), json!({ "subscription": id, "step": step }))).collect();
        audit.extend(entry.payments.iter().map(|payment| ("payment_booked", payment_in_words(payment))));
        let customer = hint.customer.clone().or_else(|| observed.customer.clone());
        let account = entry.subscription.account;
        let payment = entry.payments.last().map(|payment| payment.reference.clone());
        let booking = Booking {
            version: books.version,
            event: None,
            customer: customer.map(|customer| (entry.subscription.provider.clone(), customer)),
            paid_orders: entry.payments.iter().filter_map(|payment| payment.order.clone()).collect(),
            subscription: Some(entry.subscription),
            payments: entry.payments,
            audit,
            actor: self.booker()?,
        };
        self.write(Writing { account, booking, steps: entry.steps, payment }, hint).await
    }

    /// Books the payment of a pack, once for each payment, however often and by whichever event it is told.
    ///
    /// # Errors
    /// Where the database fails, or there is no such order.
    pub(super) async fn book_pack(&self, paid: &PackPaid, hint: &Hint) -> ServiceResult<()> {
        let order = self.0.store.find_order(&paid.order).await?;
        let order = order.ok_or(ServiceError::Unknown("which order that pays"))?;
        let OrderItem::Pack(pack) = &order.item else {
            return Err(ProviderError::Refused("a pack was paid where a plan was ordered".to_owned()).into());
        };
        if paid.amount < order.amount {
            return Err(ProviderError::Refused("less was paid than was ordered".to_owned()).into());
        }
        let provider = self.provider()?.name();
        let payment = Payment {
            reference: paid.payment.clone(),
            provider: provider.to_owned(),
            account: order.account,
            payment: None,
            kind: PaymentKind::Pack,
            item: pack.clone(),
            interval: None,
            order: Some(order.id.clone()),
            subscription: None,
            credits: order.credits,
            price: order.amount,
            amount: paid.amount,
            refunded: Cents::default(),
            dispute: crate::domain::billing::DisputeStatus::None,
            surplus: false,
            period: None,
            paid_at: paid.paid_at,
        };
        let grant = NewGrant {
            source: Source::Purchase,
            amount: order.credits,
            expires_at: None,
            reference: Some(payment.grant_reference(0)),
        };
        let words = format!("Pack of {}", credit_count(order.credits));
        for _ in 0..MAX_TRIES {
            let books = self.0.store.read_account_books(order.account).await?;
            if books.payments.iter().any(|known| known.reference == payment.reference) {
                return self.note_processed(hint).await;
            }
            let customer = paid.customer.clone().or_else(|| hint.customer.clone());
            let booking = Booking {
                version: books.version,
                customer: customer.map(|customer| (provider.to_owned(), customer)),
                payments: vec![payment.clone()],
                paid_orders: vec![order.id.clone()],
                audit: vec![("payment_booked", payment_in_words(&payment))],
                actor: self.booker()?,
                ..Booking::default()
            };
            let steps = vec![(Operation::Grant(grant.clone()), words.clone())];
            let payment = Some(payment.reference.clone());
            if self.write(Writing { account: order.account, booking, steps, payment }, hint).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Busy)
    }

    /// Books what became of a payment: refunds and disputes, as its provider has them now.
    ///
    /// # Errors
    /// Where the provider or the database fails, or the payment is not known yet.
    pub(super) async fn sync_payment(&self, name: &PaymentRef, hint: &Hint) -> ServiceResult<()> {
        for _ in 0..MAX_TRIES {
            let observed = self.ask_for_payment(name).await?;
            let known = match self.0.store.find_payment(&observed.reference).await? {
                Some(known) => known,
                None => self.find_payment_by_its_cause(&observed).await?,
            };
            let books = self.0.store.read_account_books(known.account).await?;
            let observed = self.ask_for_payment(name).await?;
            let Some(before) = books.payments.iter().find(|payment| payment.reference == known.reference) else {
                continue;
            };
            let after = Payment {
                refunded: observed.refunded.min(before.amount),
                dispute: observed.dispute,
                payment: before.payment.clone().or_else(|| Some(name.clone()).filter(|own| *own != before.reference)),
                ..before.clone()
            };
            let grants = self.0.store.list_payment_grants(before.account, &before.reference).await?;
            let mut steps = after.settle(&grants, self.0.clock.now());
            if after == *before && steps.is_empty() {
                return self.note_processed(hint).await;
            }
            steps.splice(0..0, after.months_to_come());
            let change = json!({
                "payment": after.reference, "refunded_cents": after.refunded, "dispute": after.dispute,
            });
            let booking = Booking {
                version: books.version,
                payments: vec![after.clone()],
                audit: vec![("payment_changed", change)],
                actor: self.booker()?,
                ..Booking::default()
            };
            let writing = Writing { account: after.account, booking, steps, payment: Some(after.reference) };
            // Once more after writing: a month may have begun in between, whose credits go back as well.
            self.write(writing, hint).await?;
        }
        Err(ServiceError::Busy)
    }

    async fn ask_for_payment(&self, name: &PaymentRef) -> ServiceResult<ObservedPayment> {
        let found = self.provider()?.fetch_payment(name).await?;
        Ok(found.ok_or(ProviderError::NotFound("payment"))?)
    }

    /// A payment that we hear of for the first time by its refund: what it paid for is booked first.
    async fn find_payment_by_its_cause(&self, observed: &ObservedPayment) -> ServiceResult<Payment> {
        if let Some(subscription) = &observed.subscription {
            Box::pin(self.sync_subscription(subscription, &Hint::default())).await?;
        } else if let Some(order) = &observed.order {
            Box::pin(self.sync_order(order)).await?;
        }
        let found = self.0.store.find_payment(&observed.reference).await?;
        found.ok_or(ServiceError::Unknown("what that payment was for"))
    }

    /// Books what became of the checkout of an order.
    ///
    /// # Errors
    /// Where the provider or the database fails.
    pub(super) async fn sync_order(&self, id: &OrderId) -> ServiceResult<()> {
        let order = self.0.store.find_order(id).await?.ok_or(ServiceError::NotFound)?;
        let Some((checkout, _)) = order.checkout else { return Ok(()) };
        match self.provider()?.fetch_checkout(&checkout).await? {
            Some(news) => self.book(news, None).await,
            None => Ok(()),
        }
    }

    /// Books what an event says.
    ///
    /// # Errors
    /// Where the provider or the database fails, or the event names what nobody knows.
    pub(super) async fn book(&self, news: BillingEvent, event: Option<PaymentEvent>) -> ServiceResult<()> {
        let hint = Hint { event, ..Hint::default() };
        let now = self.0.clock.now();
        match news {
            BillingEvent::CheckoutCompleted { order, customer, subscription, paid, .. } => {
                let hint = Hint { order, customer, ..hint };
                match (paid, subscription) {
                    (Some(paid), _) => self.book_pack(&paid, &hint).await,
                    (None, Some(subscription)) => self.sync_subscription(&subscription, &hint).await,
                    (None, None) => self.note_processed(&hint).await,
                }
            }
            BillingEvent::CheckoutExpired { order } => {
                self.0.store.abandon_order(&order, now).await?;
                self.note_processed(&hint).await
            }
            BillingEvent::CheckoutDeclined { order } => {
                self.0.store.decline_order(&order, now).await?;
                self.note_processed(&hint).await
            }
            BillingEvent::PackPaid(paid) => self.book_pack(&paid, &hint).await,
            BillingEvent::InvoicePaid(invoice) => {
                let subscription = invoice.subscription.clone();
                self.sync_subscription(&subscription, &Hint { invoice: Some(invoice), ..hint }).await
            }
            BillingEvent::PaymentFailed { subscription } | BillingEvent::SubscriptionChanged { subscription } => {
                self.sync_subscription(&subscription, &hint).await
            }
            BillingEvent::PaymentChanged { payment } => self.sync_payment(&payment, &hint).await,
            BillingEvent::Other => self.note_processed(&hint).await,
        }
    }

    /// Who books, for history and audit.
    fn booker(&self) -> ServiceResult<String> {
        Ok(format!("payments:{}", self.provider()?.name()))
    }

    async fn note_processed(&self, hint: &Hint) -> ServiceResult<()> {
        match &hint.event {
            Some(event) => Ok(self.0.store.finish_event(event, self.0.clock.now()).await?),
            None => Ok(()),
        }
    }

    /// Writes it; `false` where somebody else has booked on the account since its books were read.
    async fn write(&self, writing: Writing, hint: &Hint) -> ServiceResult<bool> {
        let Writing { account, mut booking, steps, payment } = writing;
        booking.event = hint.event.as_ref().map(|event| (event.provider.clone(), event.id.clone()));
        let metadata = payment.and_then(|payment| Metadata::parse(&json!({ "payment": payment }).to_string()));
        let step = |(operation, words): (Operation, String)| Step {
            operation,
            memo: Memo::new(Memo::PAYMENTS, &words).with_metadata(metadata.clone()),
        };
        let submission = Submission {
            target: Target::Account(account),
            steps: steps.into_iter().map(step).collect(),
            key: None,
            booking: Some(Box::new(booking)),
            audit: None,
        };
        match self.0.ledger.submit(submission).await {
            Ok(_) => Ok(true),
            Err(LedgerError::Outdated) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Adds what the event carries and the provider does not list yet, and the order of a first invoice.
fn complete(observed: &mut ObservedSubscription, books: &AccountBooks, hint: &Hint) {
    if let Some(invoice) = &hint.invoice
        && invoice.subscription == observed.id
        && observed.invoices.iter().all(|known| known.invoice != invoice.invoice)
    {
        observed.invoices.push(invoice.clone());
    }
    let order = observed.order.clone().or_else(|| hint.order.clone());
    let is_first = books.payments.iter().all(|payment| payment.subscription.as_ref() != Some(&observed.id));
    if is_first
        && observed.invoices.iter().all(|invoice| invoice.order.is_none())
        && let Some(first) = observed.invoices.iter_mut().min_by_key(|invoice| invoice.period_start)
    {
        first.order = order;
    }
}

fn payment_in_words(payment: &Payment) -> serde_json::Value {
    json!({
        "payment": payment.reference, "kind": payment.kind, "item": payment.item, "amount_cents": payment.amount,
        "order": payment.order, "surplus": payment.surplus,
    })
}
