//! Buying: writing an order down at today's price, and sending the person to where they pay.

use super::super::{ServiceError, ServiceResult, Services};
use crate::api::views::{OrderStatusView, OrderView};
use crate::domain::billing::{BillingEvent, Terms};
use crate::domain::catalogue::Interval;
use crate::domain::credits::credit_count;
use crate::domain::{AccountId, Cents, Credits, IdempotencyKey, Memo, Operation, OrderId, OwnPath, PlanId};
use crate::server::billing::{CheckoutItem, DemoProvider, NewCheckout, ProviderError};
use crate::server::ledger::{Answer, RequestKey, Submission};
use crate::server::random::{SECRET_CHARS, random_name};
use crate::server::store::{Order, OrderItem, OrderStatus};
use sha2::{Digest, Sha256};

/// How far back open orders are looked at, in seconds: a day.
pub(super) const OPEN_ORDER_SECONDS: i64 = 86_400;
/// Characters of the id of an order that is named by what it is for: 160 bits.
const ORDER_ID_CHARS: usize = 40;
/// How many open orders of one account are looked at.
const OPEN_ORDERS: u32 = 20;

/// What someone wants to buy.
#[derive(Clone, Debug)]
pub enum Purchase {
    /// A subscription.
    Plan(PlanId, Interval),
    /// Credits, once.
    Pack(PlanId),
}

/// A purchase that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The order.
    pub order: OrderId,
    /// Where the person pays: absolute, or a path on this site.
    pub url: String,
}

/// An order that is named by what it is for.
pub(super) fn order_id(name: &[u8]) -> Option<OrderId> {
    let name: String = hex::encode(Sha256::digest(name)).chars().take(ORDER_ID_CHARS).collect();
    OrderId::parse(&name)
}

impl Services {
    /// An address of this site, from its beginning on.
    pub fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.0.site_url) } else { url.to_owned() }
    }

    /// What a key was answered with, where it was the same request.
    ///
    /// # Errors
    /// [`ServiceError::FormReused`] where it was another request.
    pub async fn find_answer(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
        request: &[u8],
    ) -> ServiceResult<Option<String>> {
        match self.0.store.find_answer(account, key).await? {
            Some(known) if known.fingerprint == RequestKey::fingerprint_of(request) => Ok(Some(known.text)),
            Some(_) => Err(ServiceError::FormReused),
            None => Ok(None),
        }
    }

    /// Keeps the answer to a call that changes no balance.
    ///
    /// # Errors
    /// [`ServiceError::FormReused`] where its key was used for another request by now.
    pub async fn keep_answer(&self, account: AccountId, key: RequestKey) -> ServiceResult<Answer> {
        let memo = Memo::system("Answer kept");
        Ok(self.0.ledger.submit(Submission::one(account, Operation::RollForward, memo).with_key(Some(key))).await?)
    }

    /// Writes down what someone wants to buy, at today's price, and begins its checkout.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where there is no such thing; [`ServiceError::HasSubscription`] for a plan of
    /// someone who has one: that is a change.
    pub async fn begin_purchase(
        &self,
        account: AccountId,
        purchase: Purchase,
        return_to: Option<String>,
    ) -> ServiceResult<Begun> {
        self.begin_purchase_once(account, purchase, return_to, None).await
    }

    /// The same, once for each name of a call.
    ///
    /// # Errors
    /// As there.
    pub async fn begin_purchase_once(
        &self,
        account: AccountId,
        purchase: Purchase,
        return_to: Option<String>,
        name: Option<Vec<u8>>,
    ) -> ServiceResult<Begun> {
        if !self.is_for_sale() {
            return Err(ServiceError::NotForSale);
        }
        let (item, credits, amount) = match purchase {
            Purchase::Plan(id, interval) => {
                let catalogue = self.catalogue();
                let plan = catalogue.plan(&id).filter(|plan| !plan.is_free()).ok_or(ServiceError::NotForSale)?;
                if self.0.store.read_account_books(account).await?.current().is_some() {
                    return Err(ServiceError::HasSubscription);
                }
                self.leave_open_plans(account).await?;
                (OrderItem::Plan { plan: id, interval }, plan.credits_per_month, plan.price(interval))
            }
            Purchase::Pack(id) => {
                let catalogue = self.catalogue();
                let pack = catalogue.pack(&id).ok_or(ServiceError::NotForSale)?;
                (OrderItem::Pack(id), pack.credits, pack.price_cents)
            }
        };
        let id = match name {
            Some(name) => order_id(&[account.0.to_string().as_bytes(), b"\n".as_slice(), name.as_slice()].concat()),
            None => OrderId::parse(&random_name(SECRET_CHARS)),
        };
        let id = id.ok_or(ServiceError::Internal("an id does not fit".into()))?;
        if let Some(begun) = self.0.store.find_order(&id).await? {
            return self.begin_checkout(&begun).await;
        }
        let order = self.new_order(id, account, item, credits, amount, return_to);
        match self.0.store.add_order(&order).await {
            // The same call, a moment earlier.
            Err(error) if error.is_taken() => {}
            added => added?,
        }
        self.begin_checkout(&order).await
    }

    pub(super) fn new_order(
        &self,
        id: OrderId,
        account: AccountId,
        item: OrderItem,
        credits: Credits,
        amount: Cents,
        return_to: Option<String>,
    ) -> Order {
        Order {
            id,
            account,
            item,
            credits,
            amount,
            status: OrderStatus::Pending,
            return_to: return_to.as_deref().and_then(OwnPath::parse).map(|path| path.to_string()),
            checkout: None,
            submitted_at: None,
            created_at: self.0.clock.now(),
            settled_at: None,
        }
    }

    async fn begin_checkout(&self, order: &Order) -> ServiceResult<Begun> {
        let user = self.find_user(order.account).await?.ok_or(ServiceError::NotFound)?;
        let provider = self.provider()?;
        let item = match &order.item {
            OrderItem::Plan { plan, interval } => CheckoutItem::Plan {
                terms: Terms { plan: plan.clone(), interval: *interval },
                name: self.title(order),
                credits_per_month: order.credits,
            },
            OrderItem::Pack(pack) => CheckoutItem::Pack { pack: pack.clone(), credits: order.credits },
        };
        let back = format!("{}/orders/{}", self.0.site_url, order.id);
        let new = NewCheckout {
            order: order.id.clone(),
            user: user.public_id,
            email: user.email,
            customer: self.0.store.find_customer(provider.name(), order.account).await?,
            item,
            amount: order.amount,
            success_url: format!("{back}?returned=1"),
            cancel_url: format!("{back}?left=1"),
        };
        let begun = provider.begin_checkout(&new).await?;
        self.0.store.set_checkout(&order.id, &begun.checkout, &begun.url).await?;
        Ok(Begun { order: order.id.clone(), url: begun.url })
    }

    /// Leaves checkouts of plans that were begun before, so that nobody pays for two.
    async fn leave_open_plans(&self, account: AccountId) -> ServiceResult<()> {
        let now = self.0.clock.now();
        let since = now.plus_seconds(-OPEN_ORDER_SECONDS);
        for order in self.0.store.list_open_orders(Some(account), since, now, OPEN_ORDERS).await? {
            if let (OrderItem::Plan { .. }, Some((checkout, _))) = (&order.item, &order.checkout) {
                match self.provider()?.expire_checkout(checkout).await {
                    Ok(()) | Err(ProviderError::NotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                }
                self.0.store.abandon_order(&order.id, now).await?;
            }
        }
        Ok(())
    }

    /// A purchase of one's own. `returned` says that the person has just come back from paying: that proves nothing,
    /// but it is told so until the provider's word has come.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is none, or it is somebody else's.
    pub async fn read_order(&self, account: AccountId, id: &OrderId, returned: bool) -> ServiceResult<OrderView> {
        let order = self.own_order(account, id).await?;
        let is_waited_for = returned || order.submitted_at.is_some();
        let status = match order.status {
            OrderStatus::Pending if is_waited_for => OrderStatusView::Processing,
            OrderStatus::Pending => OrderStatusView::Pending,
            OrderStatus::Paid => OrderStatusView::Paid,
            OrderStatus::Declined => OrderStatusView::Declined,
            OrderStatus::Abandoned => OrderStatusView::Abandoned,
        };
        let granted_row = match order.status {
            OrderStatus::Paid => self.granted_row(&order).await?,
            OrderStatus::Pending | OrderStatus::Declined | OrderStatus::Abandoned => None,
        };
        Ok(OrderView { granted_row, ..self.order_view(&order, status) })
    }

    pub(super) fn order_view(&self, order: &Order, status: OrderStatusView) -> OrderView {
        let can_be_paid = matches!(status, OrderStatusView::Pending | OrderStatusView::Declined);
        let url = order.checkout.as_ref().map(|(_, url)| url.clone());
        OrderView {
            title: self.title(order),
            interval: match order.item {
                OrderItem::Plan { interval, .. } => Some(interval),
                OrderItem::Pack(_) => None,
            },
            status,
            id: order.id.clone(),
            credits: order.credits,
            amount: order.amount,
            checkout_url: url.filter(|_| can_be_paid),
            return_to: order.return_to.clone(),
            granted_row: None,
            created_at: order.created_at,
        }
    }

    async fn granted_row(&self, order: &Order) -> ServiceResult<Option<i64>> {
        let books = self.0.store.read_account_books(order.account).await?;
        let Some(payment) = books.payments.iter().find(|payment| payment.order.as_ref() == Some(&order.id)) else {
            return Ok(None);
        };
        let grants = self.0.store.list_payment_grants(order.account, &payment.reference).await?;
        Ok(grants.first().map(|grant| grant.id.0.0))
    }

    pub(super) async fn own_order(&self, account: AccountId, id: &OrderId) -> ServiceResult<Order> {
        let found = self.0.store.find_order(id).await?;
        found.filter(|order| order.account == account).ok_or(ServiceError::NotFound)
    }

    pub(super) fn title(&self, order: &Order) -> String {
        match &order.item {
            OrderItem::Pack(_) => format!("{}, once", credit_count(order.credits)),
            OrderItem::Plan { plan, .. } => self.name_of_plan(plan),
        }
    }

    pub(super) fn name_of_plan(&self, plan: &PlanId) -> String {
        self.catalogue().plan(plan).map_or_else(|| plan.to_string(), |plan| plan.name.clone())
    }

    /// Leaves an order without paying.
    ///
    /// # Errors
    /// Where it is not theirs, or the provider fails.
    pub async fn abandon_order(&self, account: AccountId, id: &OrderId) -> ServiceResult<()> {
        let order = self.own_order(account, id).await?;
        if let Some((checkout, _)) = &order.checkout {
            self.provider()?.expire_checkout(checkout).await?;
        }
        self.deliver_demo_events().await?;
        // What was paid in the meantime stays paid.
        match order.status {
            OrderStatus::Paid => Ok(()),
            OrderStatus::Pending | OrderStatus::Declined | OrderStatus::Abandoned => {
                Ok(self.0.store.abandon_order(&order.id, self.0.clock.now()).await?)
            }
        }
    }

    /// Pays with the demo. `late` holds the news of it back for a moment, to see what waiting looks like.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where payments are not the demo's.
    pub async fn approve_demo_payment(&self, account: AccountId, id: &OrderId, late: bool) -> ServiceResult<()> {
        let checkout = self.own_demo_checkout(account, id).await?;
        self.demo()?.approve(&checkout, late).await?;
        self.0.store.submit_order(id, self.0.clock.now()).await?;
        self.deliver_demo_events().await
    }

    /// Declines with the demo; it can be tried again.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where payments are not the demo's.
    pub async fn decline_demo_payment(&self, account: AccountId, id: &OrderId) -> ServiceResult<()> {
        let checkout = self.own_demo_checkout(account, id).await?;
        self.demo()?.decline(&checkout).await?;
        self.deliver_demo_events().await
    }

    async fn own_demo_checkout(
        &self,
        account: AccountId,
        id: &OrderId,
    ) -> ServiceResult<crate::domain::billing::CheckoutRef> {
        self.demo()?;
        let order = self.own_order(account, id).await?;
        let named = order.checkout.map(|(checkout, _)| checkout).or_else(|| DemoProvider::checkout_of(id));
        named.ok_or(ServiceError::NotFound)
    }

    /// Asks the provider what became of an order that nobody has heard of, as after a lost event.
    ///
    /// # Errors
    /// Where the provider or the database fails.
    pub async fn ask_about_order(&self, order: &Order) -> ServiceResult<()> {
        let Some((checkout, _)) = &order.checkout else { return Ok(()) };
        let news: Option<BillingEvent> = self.provider()?.fetch_checkout(checkout).await?;
        match news {
            Some(news) => self.book(news, None).await,
            None => Ok(()),
        }
    }
}
