//! Changing plans: what it would cost and bring, then the change itself. What was shown is what is done: a
//! confirmation names the state of the books that it was shown for.

use super::super::{ServiceError, ServiceResult, Services};
use super::Purchase;
use super::booking::Hint;
use super::purchase::order_id;
use crate::api::views::{ChangeOutcome, ChangePreviewView};
use crate::domain::billing::{
    AccountBooks, ChangeKind, Payment, Preview, PreviewRefusal, Standing, Subscription, Terms,
};
use crate::domain::{AccountId, OrderId};
use crate::server::billing::ProviderError;
use crate::server::store::{Order, OrderItem, OrderStatus};

/// How often one change may be declined and tried again, before its account has to change otherwise.
const MAX_DECLINED: u32 = 50;

impl Services {
    /// What a change of plan would cost and bring; the free plan's name stands for a cancellation.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where there is no such plan; [`ServiceError::Change`] where there is nothing to
    /// change, or not now.
    pub async fn preview_change(&self, account: AccountId, to: &Terms) -> ServiceResult<ChangePreviewView> {
        let (books, preview) = self.look_at_change(account, to).await?;
        let from = match &preview.from {
            Some(terms) => Some(terms.plan.clone()),
            None => self.catalogue().free_plan().map(|plan| plan.id.clone()),
        };
        Ok(ChangePreviewView {
            from_name: from.map(|plan| self.name_of_plan(&plan)).unwrap_or_default(),
            to_name: self.name_of_plan(&to.plan),
            seen: seen(&books, &preview),
            demo_payments: self.has_demo_payments(),
            preview,
        })
    }

    async fn look_at_change(&self, account: AccountId, to: &Terms) -> ServiceResult<(AccountBooks, Preview)> {
        if !self.is_for_sale() {
            return Err(ServiceError::NotForSale);
        }
        let balance = self.read_balance(account).await?;
        let known = self.0.store.read_account(account).await?.ok_or(ServiceError::NotFound)?;
        let books = self.0.store.read_account_books(account).await?;
        let subscription = books.current();
        let paid = known.allowance().and_then(|allowance| paid_by(&books, &allowance.reference));
        let months_left = known
            .allowance()
            .and_then(|allowance| allowance.end_month.map(|end| end.saturating_sub(allowance.next_month)))
            .unwrap_or(0);
        let now = self.0.clock.now();
        let ruling = self.catalogue();
        let catalogue = &**ruling;
        let standing = Standing { catalogue, subscription, paid, months_left, balance: &balance, now };
        let preview = standing.preview(to).map_err(|refusal| match refusal {
            PreviewRefusal::NoSuchPlan => ServiceError::NotForSale,
            PreviewRefusal::Same | PreviewRefusal::PastDue => ServiceError::Change(refusal),
        })?;
        Ok((books, preview))
    }

    /// Does a change of plan that was shown; `shown` is what its preview named, or nothing where it was not shown.
    ///
    /// # Errors
    /// [`ServiceError::PlanChanged`] where something else is there by now than was shown;
    /// [`ServiceError::PaymentDeclined`] where it could not be paid. Nothing has changed then.
    pub async fn change_plan(
        &self,
        account: AccountId,
        to: &Terms,
        shown: Option<&str>,
        return_to: Option<String>,
    ) -> ServiceResult<ChangeOutcome> {
        let (books, preview) = self.look_at_change(account, to).await?;
        if shown.is_some_and(|shown| shown != seen(&books, &preview)) {
            return Err(ServiceError::PlanChanged);
        }
        let Some(current) = books.current() else {
            let purchase = Purchase::Plan(to.plan.clone(), to.interval);
            let begun = self.begin_purchase(account, purchase, return_to).await?;
            return Ok(ChangeOutcome::Pay { order: begun.order, url: begun.url });
        };
        let provider = self.provider()?;
        // The same try has the same key, however often it is sent.
        let key = format!("{}-{}-{}", current.id, books.version, to.plan);
        match preview.kind {
            ChangeKind::Start => return Err(ServiceError::PlanChanged),
            ChangeKind::Upgrade => {
                let order = self.upgrade(&books, current, &preview, return_to).await?;
                let url = format!("/orders/{order}?returned=1");
                return Ok(ChangeOutcome::Pay { order, url });
            }
            ChangeKind::Downgrade => provider.change_at_period_end(&current.id, to, preview.price, &key).await?,
            ChangeKind::Cancel => provider.cancel_at_period_end(&current.id, &key).await?,
            ChangeKind::TakeBack => provider.keep(&current.id, &key).await?,
        }
        self.book_at_once(&current.id.clone()).await?;
        Ok(ChangeOutcome::Changed { subscription: self.current_subscription(account).await? })
    }

    /// Begins a change for a program: what is to be paid is written down, and a person pays it at the address that is
    /// answered; what costs nothing is done. Once for each name of a call.
    ///
    /// # Errors
    /// As [`Services::change_plan`].
    pub async fn begin_change(
        &self,
        account: AccountId,
        to: &Terms,
        name: Option<Vec<u8>>,
    ) -> ServiceResult<ChangeOutcome> {
        let (books, preview) = self.look_at_change(account, to).await?;
        match (preview.kind, books.current()) {
            (ChangeKind::Upgrade, Some(current)) => {
                let order = self.order_for(&books, current, &preview, None).await?.id;
                let url = format!("/plans/change?plan={}&interval={}", to.plan, to.interval.as_str());
                Ok(ChangeOutcome::Pay { order, url })
            }
            (ChangeKind::Start, _) => {
                let purchase = Purchase::Plan(to.plan.clone(), to.interval);
                let begun = self.begin_purchase_once(account, purchase, None, name).await?;
                Ok(ChangeOutcome::Pay { order: begun.order, url: begun.url })
            }
            (ChangeKind::Upgrade | ChangeKind::Downgrade | ChangeKind::Cancel | ChangeKind::TakeBack, _) => {
                self.change_plan(account, to, None, None).await
            }
        }
    }

    /// Takes back whatever is scheduled.
    ///
    /// # Errors
    /// [`ServiceError::Change`] where nothing is.
    pub async fn take_back_change(&self, account: AccountId) -> ServiceResult<ChangeOutcome> {
        let books = self.0.store.read_account_books(account).await?;
        let current = books.current().ok_or(ServiceError::Change(PreviewRefusal::Same))?;
        self.change_plan(account, &current.terms, None, None).await
    }

    async fn upgrade(
        &self,
        books: &AccountBooks,
        current: &Subscription,
        preview: &Preview,
        return_to: Option<String>,
    ) -> ServiceResult<OrderId> {
        let order = self.order_for(books, current, preview, return_to).await?;
        if order.status == OrderStatus::Paid {
            return Ok(order.id);
        }
        let (provider, to) = (self.provider()?, &preview.to);
        match provider.change_now(&current.id, to, preview.price, preview.credited, &order.id).await {
            Ok(()) => {}
            Err(ProviderError::Declined) => {
                self.0.store.decline_order(&order.id, self.0.clock.now()).await?;
                return Err(ServiceError::PaymentDeclined);
            }
            Err(error) => return Err(error.into()),
        }
        self.0.store.submit_order(&order.id, self.0.clock.now()).await?;
        self.book_at_once(&current.id).await?;
        Ok(order.id)
    }

    /// The order of an upgrade, named by what it changes: a form that is sent twice, or by two tabs at once, is one
    /// order, and the provider takes its money once. After a decline it is another one.
    async fn order_for(
        &self,
        books: &AccountBooks,
        current: &Subscription,
        preview: &Preview,
        return_to: Option<String>,
    ) -> ServiceResult<Order> {
        for attempt in 0..MAX_DECLINED {
            let name = format!("{} {} {:?} {attempt}", current.id, books.version, preview.to);
            let id = order_id(name.as_bytes()).ok_or(ServiceError::Internal("an id does not fit".into()))?;
            match self.0.store.find_order(&id).await? {
                Some(order) if order.status == OrderStatus::Declined => {}
                Some(order) => return Ok(order),
                None => {
                    let item = OrderItem::Plan { plan: preview.to.plan.clone(), interval: preview.to.interval };
                    let (credits, amount) = (preview.credits_now, preview.due_now);
                    let order = self.new_order(id, current.account, item, credits, amount, return_to.clone());
                    match self.0.store.add_order(&order).await {
                        Ok(()) => return Ok(order),
                        // The same form, a moment earlier.
                        Err(error) if error.is_taken() => return Ok(order),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Err(ServiceError::PaymentDeclined)
    }

    /// Books a change that a provider has just made. Where that does not work now, its events will do it.
    async fn book_at_once(&self, id: &crate::domain::billing::SubscriptionRef) -> ServiceResult<()> {
        if let Err(error) = self.sync_subscription(id, &Hint::default()).await {
            tracing::warn!(%error, "a change is booked later");
        }
        self.deliver_demo_events().await
    }

    /// An address where people change how they pay.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where the provider has none, or does not know them.
    pub async fn portal_url(&self, account: AccountId) -> ServiceResult<String> {
        let provider = self.provider()?;
        let customer = self.0.store.find_customer(provider.name(), account).await?.ok_or(ServiceError::NotFound)?;
        let back = format!("{}/billing", self.0.site_url);
        provider.portal_url(&customer, &back).await?.ok_or(ServiceError::NotFound)
    }

    /// Has the demo's card decline from now on, or no more.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] without a subscription of the demo.
    pub async fn set_demo_card(&self, account: AccountId, declines: bool) -> ServiceResult<()> {
        let demo = self.demo()?;
        let books = self.0.store.read_account_books(account).await?;
        let current = books.current().ok_or(ServiceError::NotFound)?;
        demo.set_card(&current.id, declines).await?;
        self.deliver_demo_events().await
    }
}

/// The payment that the account's months come from.
fn paid_by<'a>(books: &'a AccountBooks, reference: &str) -> Option<&'a Payment> {
    books.payments.iter().find(|payment| payment.reference.as_str() == reference)
}

/// Names what a preview was shown for: the books, and the money.
fn seen(books: &AccountBooks, preview: &Preview) -> String {
    format!("{}-{}-{}", books.version, preview.due_now.get(), preview.credited_months)
}
