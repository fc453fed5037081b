//! The provider that is built in: a checkout of our own where no money moves. It behaves like one that is elsewhere:
//! it keeps its own things, tells of them by signed events that are delivered until they are taken, and is asked about
//! them. Time brings renewals, by the clock that it is given.

mod objects;
mod provider;

use super::signature;
use super::{ProviderError, ProviderResult};
use crate::domain::billing::{
    CheckoutRef, CustomerRef, DisputeStatus, EventRef, PackPaid, PaidInvoice, PaymentRef, SubscriptionRef,
    SubscriptionStatus,
};
use crate::domain::{Cents, OrderId, Timestamp};
use crate::server::clock::Clock;
use crate::server::random::{SECRET_CHARS, random_name};
use crate::server::store::{DemoKind, DemoObject, Store, StoreError};
use http::{HeaderMap, HeaderName, HeaderValue};
use objects::{Checkout, CheckoutStatus, DemoPayment, DemoSubscription, Item, Turn};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The header with an event's signature.
pub const SIGNATURE: HeaderName = HeaderName::from_static("demo-signature");

/// How often a change is begun again that another program has got ahead of.
const MAX_TRIES: u32 = 16;

/// Things that the clock looks at in one statement.
const BATCH: u32 = 200;

/// How long news are held back where that is wanted, in seconds: long enough to be seen.
const LATE_SECONDS: i64 = 3;

/// How many periods of a subscription one look of the clock brings at most: ten years of months.
const MAX_TURNS: usize = 120;

/// The demo.
#[derive(Debug)]
pub struct DemoProvider {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The first one signs; all of them are taken.
    secrets: Vec<String>,
}

/// What an event says, as it is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Event {
    id: EventRef,
    #[serde(rename = "type")]
    kind: String,
    created_at: Timestamp,
    #[serde(flatten)]
    news: News,
}

/// What has happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "object", content = "data")]
enum News {
    CheckoutCompleted {
        checkout: CheckoutRef,
        order: OrderId,
        customer: CustomerRef,
        subscription: Option<SubscriptionRef>,
        paid: Option<PackPaid>,
    },
    CheckoutExpired {
        order: OrderId,
    },
    CheckoutDeclined {
        order: OrderId,
    },
    InvoicePaid(PaidInvoice),
    InvoiceFailed {
        subscription: SubscriptionRef,
    },
    Subscription {
        subscription: SubscriptionRef,
    },
    Payment {
        payment: PaymentRef,
    },
}

impl News {
    fn kind(&self) -> &'static str {
        match self {
            Self::CheckoutCompleted { .. } => "checkout.completed",
            Self::CheckoutExpired { .. } => "checkout.expired",
            Self::CheckoutDeclined { .. } => "checkout.declined",
            Self::InvoicePaid(_) => "invoice.paid",
            Self::InvoiceFailed { .. } => "invoice.payment_failed",
            Self::Subscription { .. } => "subscription.changed",
            Self::Payment { .. } => "payment.changed",
        }
    }
}

/// An event on its way.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its name.
    pub id: String,
    /// With its signature.
    pub headers: HeaderMap,
    /// What is signed.
    pub body: String,
}

impl From<StoreError> for ProviderError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Something that was read, with the version that it was.
struct Held<T> {
    object: DemoObject,
    value: T,
}

fn to_json<T: Serialize>(value: &T) -> ProviderResult<String> {
    serde_json::to_string(value).map_err(|error| ProviderError::Malformed(error.to_string()))
}

fn name<T>(parsed: Option<T>) -> ProviderResult<T> {
    parsed.ok_or_else(|| ProviderError::Malformed("a name is too long".to_owned()))
}

impl DemoProvider {
    /// A demo with its secrets; at least one, by which it signs.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, secrets: Vec<String>) -> Self {
        Self { store, clock, secrets }
    }

    /// A demo whose events only this program takes.
    pub fn with_own_secret(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self::new(store, clock, vec![random_name(SECRET_CHARS)])
    }

    /// The checkout of an order.
    pub fn checkout_of(order: &OrderId) -> Option<CheckoutRef> {
        CheckoutRef::parse(&format!("demo_cs_{order}"))
    }

    async fn find<T: DeserializeOwned>(&self, id: &str, what: &'static str) -> ProviderResult<Held<T>> {
        let object = self.store.find_demo_object(id).await?.ok_or(ProviderError::NotFound(what))?;
        let value = serde_json::from_str(&object.body).map_err(|error| ProviderError::Malformed(error.to_string()))?;
        Ok(Held { object, value })
    }

    async fn find_optional<T: DeserializeOwned>(&self, id: &str) -> ProviderResult<Option<T>> {
        match self.find(id, "thing").await {
            Ok(held) => Ok(Some(held.value)),
            Err(ProviderError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn new_object<T: Serialize>(id: &str, kind: DemoKind, value: &T) -> ProviderResult<DemoObject> {
        Ok(DemoObject { id: id.to_owned(), kind, version: 0, due_at: None, body: to_json(value)? })
    }

    fn event(news: News, now: Timestamp, due_at: Timestamp) -> ProviderResult<DemoObject> {
        let id = format!("demo_evt_{}", random_name(SECRET_CHARS));
        let kind = news.kind().to_owned();
        let event = Event { id: name(EventRef::parse(&id))?, kind, created_at: now, news };
        Ok(DemoObject { due_at: Some(due_at), ..Self::new_object(&id, DemoKind::Event, &event)? })
    }

    fn changed<T: Serialize>(held: &Held<T>) -> ProviderResult<DemoObject> {
        Ok(DemoObject { body: to_json(&held.value)?, ..held.object.clone() })
    }

    fn changed_subscription(held: &Held<DemoSubscription>) -> ProviderResult<DemoObject> {
        Ok(DemoObject { due_at: held.value.due_at(), ..Self::changed(held)? })
    }

    fn payment_of(invoice: &PaidInvoice) -> ProviderResult<DemoObject> {
        let payment = DemoPayment {
            reference: invoice.invoice.clone(),
            subscription: Some(invoice.subscription.clone()),
            order: invoice.order.clone(),
            amount: invoice.amount,
            refunded: Cents::default(),
            dispute: DisputeStatus::None,
            refund_keys: Vec::new(),
        };
        Self::new_object(invoice.invoice.as_str(), DemoKind::Payment, &payment)
    }

    /// Approves a checkout; does nothing where it is paid already. `late` holds the news of it back for a moment.
    ///
    /// # Errors
    /// Where it was left, or the database fails.
    pub async fn approve(&self, checkout: &CheckoutRef, late: bool) -> ProviderResult<()> {
        for _ in 0..MAX_TRIES {
            let mut held: Held<Checkout> = self.find(checkout.as_str(), "checkout").await?;
            match held.value.status {
                CheckoutStatus::Paid => return Ok(()),
                CheckoutStatus::Expired => return Err(ProviderError::NotFound("checkout")),
                CheckoutStatus::Open => {}
            }
            let now = self.clock.now();
            held.value.status = CheckoutStatus::Paid;
            held.value.paid_at = Some(now);
            let told_at = if late { now.plus_seconds(LATE_SECONDS) } else { now };
            let objects = Self::paid(&held, checkout, now, told_at)?;
            if self.store.save_demo_objects(&objects).await? {
                return Ok(());
            }
        }
        Err(ProviderError::Unavailable("others are always ahead".to_owned()))
    }

    /// What a paid checkout leaves.
    fn paid(
        held: &Held<Checkout>,
        checkout: &CheckoutRef,
        now: Timestamp,
        told_at: Timestamp,
    ) -> ProviderResult<Vec<DemoObject>> {
        let paid = &held.value;
        let mut objects = vec![Self::changed(held)?];
        let completed = |subscription, paid_pack| News::CheckoutCompleted {
            checkout: checkout.clone(),
            order: paid.order.clone(),
            customer: paid.customer.clone(),
            subscription,
            paid: paid_pack,
        };
        match &paid.item {
            Item::Plan(terms) => {
                let id = name(SubscriptionRef::parse(&format!("demo_sub_{}", paid.order)))?;
                let (subscription, invoice) = DemoSubscription::begin(id.clone(), paid, terms, now);
                let due_at = subscription.due_at();
                let object = Self::new_object(id.as_str(), DemoKind::Subscription, &subscription)?;
                objects.push(DemoObject { due_at, ..object });
                objects.push(Self::payment_of(&invoice)?);
                objects.push(Self::event(News::Subscription { subscription: id.clone() }, now, told_at)?);
                objects.push(Self::event(News::InvoicePaid(invoice), now, told_at)?);
                objects.push(Self::event(completed(Some(id), None), now, told_at)?);
            }
            Item::Pack => {
                let pack = Self::pack_paid(paid)?;
                let payment = DemoPayment {
                    reference: pack.payment.clone(),
                    subscription: None,
                    order: Some(paid.order.clone()),
                    amount: paid.amount,
                    refunded: Cents::default(),
                    dispute: DisputeStatus::None,
                    refund_keys: Vec::new(),
                };
                objects.push(Self::new_object(pack.payment.as_str(), DemoKind::Payment, &payment)?);
                objects.push(Self::event(completed(None, Some(pack)), now, told_at)?);
            }
        }
        Ok(objects)
    }

    fn pack_paid(checkout: &Checkout) -> ProviderResult<PackPaid> {
        Ok(PackPaid {
            order: checkout.order.clone(),
            payment: name(PaymentRef::parse(&format!("demo_pay_{}", checkout.order)))?,
            amount: checkout.amount,
            customer: Some(checkout.customer.clone()),
            paid_at: checkout.paid_at.unwrap_or_default(),
        })
    }

    /// Declines the payment of a checkout; it can be tried again.
    ///
    /// # Errors
    /// Where there is no such checkout, or the database fails.
    pub async fn decline(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        let held: Held<Checkout> = self.find(checkout.as_str(), "checkout").await?;
        if held.value.status == CheckoutStatus::Open {
            let now = self.clock.now();
            let event = Self::event(News::CheckoutDeclined { order: held.value.order }, now, now)?;
            self.store.save_demo_objects(&[event]).await?;
        }
        Ok(())
    }

    /// Changes a subscription, and tells of it what `change` answers; nothing where it answers nothing.
    async fn change_subscription(
        &self,
        id: &SubscriptionRef,
        change: impl Fn(&mut DemoSubscription, Timestamp) -> ProviderResult<Option<Vec<News>>> + Send + Sync,
    ) -> ProviderResult<()> {
        for _ in 0..MAX_TRIES {
            let mut held: Held<DemoSubscription> = self.find(id.as_str(), "subscription").await?;
            let now = self.clock.now();
            let Some(news) = change(&mut held.value, now)? else { return Ok(()) };
            if self.save_subscription(&held, news, now).await? {
                return Ok(());
            }
        }
        Err(ProviderError::Unavailable("others are always ahead".to_owned()))
    }

    async fn save_subscription(
        &self,
        held: &Held<DemoSubscription>,
        news: Vec<News>,
        now: Timestamp,
    ) -> ProviderResult<bool> {
        let mut objects = vec![Self::changed_subscription(held)?];
        for piece in news {
            if let News::InvoicePaid(invoice) = &piece {
                objects.push(Self::payment_of(invoice)?);
            }
            objects.push(Self::event(piece, now, now)?);
        }
        Ok(self.store.save_demo_objects(&objects).await?)
    }

    async fn change_alive(
        &self,
        id: &SubscriptionRef,
        change: impl Fn(&mut DemoSubscription) + Send + Sync,
    ) -> ProviderResult<()> {
        self.change_subscription(id, |subscription, _| {
            if subscription.status == SubscriptionStatus::Canceled {
                return Err(ProviderError::NotFound("subscription"));
            }
            let before = subscription.clone();
            change(subscription);
            let news = News::Subscription { subscription: subscription.id.clone() };
            Ok((*subscription != before).then(|| vec![news]))
        })
        .await
    }

    /// Has the card of a subscription's payer decline from now on, or no more: then what is owed is paid at once.
    ///
    /// # Errors
    /// Where there is no such subscription, or the database fails.
    pub async fn set_card(&self, id: &SubscriptionRef, declines: bool) -> ProviderResult<()> {
        self.change_subscription(id, |subscription, now| {
            if subscription.status == SubscriptionStatus::Canceled {
                return Err(ProviderError::NotFound("subscription"));
            }
            subscription.declines = declines;
            if !declines && subscription.status == SubscriptionStatus::PastDue {
                subscription.retry_at = Some(now);
            }
            Ok(Some(Vec::new()))
        })
        .await?;
        self.tick().await
    }

    /// Whether the card of a subscription's payer declines.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn card_declines(&self, id: &SubscriptionRef) -> ProviderResult<bool> {
        let found: Option<DemoSubscription> = self.find_optional(id.as_str()).await?;
        Ok(found.is_some_and(|subscription| subscription.declines))
    }

    /// Opens, loses or wins a dispute about a payment.
    ///
    /// # Errors
    /// Where there is no such payment, or the database fails.
    pub async fn dispute(&self, payment: &PaymentRef, status: DisputeStatus) -> ProviderResult<()> {
        self.change_payment(payment, |payment| {
            payment.dispute = status;
            Ok(true)
        })
        .await
    }

    async fn change_payment(
        &self,
        id: &PaymentRef,
        change: impl Fn(&mut DemoPayment) -> ProviderResult<bool> + Send + Sync,
    ) -> ProviderResult<()> {
        for _ in 0..MAX_TRIES {
            let mut held: Held<DemoPayment> = self.find(id.as_str(), "payment").await?;
            if !change(&mut held.value)? {
                return Ok(());
            }
            let now = self.clock.now();
            let event = Self::event(News::Payment { payment: id.clone() }, now, now)?;
            if self.store.save_demo_objects(&[Self::changed(&held)?, event]).await? {
                return Ok(());
            }
        }
        Err(ProviderError::Unavailable("others are always ahead".to_owned()))
    }

    /// Brings what time has made due: renewals, ends, and new tries of declined ones.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tick(&self) -> ProviderResult<()> {
        let now = self.clock.now();
        loop {
            let due = self.store.list_due_demo_objects(DemoKind::Subscription, now, BATCH).await?;
            for object in &due {
                let value = serde_json::from_str(&object.body);
                let value = value.map_err(|error| ProviderError::Malformed(error.to_string()))?;
                self.turn(Held { object: object.clone(), value }, now).await?;
            }
            if due.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    async fn turn(&self, mut held: Held<DemoSubscription>, now: Timestamp) -> ProviderResult<()> {
        let mut news = Vec::new();
        for _ in 0..MAX_TURNS {
            let id = held.value.id.clone();
            match held.value.turn(now) {
                Some(Turn::Renewed(invoice)) => {
                    news.push(News::Subscription { subscription: id });
                    news.push(News::InvoicePaid(invoice));
                }
                Some(Turn::Declined) => news.push(News::InvoiceFailed { subscription: id }),
                Some(Turn::Ended) => news.push(News::Subscription { subscription: id }),
                None => break,
            }
        }
        // Where another program was ahead, it has brought the same.
        self.save_subscription(&held, news, now).await?;
        Ok(())
    }

    /// Events that are to be delivered now, signed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn deliveries(&self) -> ProviderResult<Vec<Delivery>> {
        let now = self.clock.now();
        let due = self.store.list_due_demo_objects(DemoKind::Event, now, BATCH).await?;
        let secret = self.secrets.first().map_or("", String::as_str);
        due.into_iter()
            .map(|object| {
                let mut headers = HeaderMap::new();
                let signed = signature::sign(secret, object.body.as_bytes(), now);
                let signed = HeaderValue::from_str(&signed);
                headers.insert(SIGNATURE, signed.map_err(|error| ProviderError::Malformed(error.to_string()))?);
                Ok(Delivery { id: object.id, headers, body: object.body })
            })
            .collect()
    }

    /// Notes that an event was taken.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delivered(&self, delivery: &Delivery) -> ProviderResult<()> {
        Ok(self.store.remove_demo_object(&delivery.id).await?)
    }
}
