//! The world of the billing suite, with Stripe as the provider: events have the shape since 2025-03-31 on SQLite, and
//! the one before on PostgreSQL.

use crate::backstage::Backstage;
pub use crate::backstage::checkout_of;
use crate::common::server::{PASSWORD, config_in};
use crate::common::{Engine, NOW, postgres};
use crate::shop::settings;
use crate::standin::{SECRET_KEY, Shape};
use http::HeaderMap;
use scrip::api::views::{ChangeOutcome, OrderStatusView, OrderView};
use scrip::domain::billing::{DisputeStatus, Payment, PaymentRef, Subscription, SubscriptionStatus, Terms};
use scrip::domain::catalogue::Interval;
use scrip::domain::identity::Role;
use scrip::domain::{AccountId, Cents, Credits, OrderId, PlanId, Timestamp};
use scrip::server::billing::demo::Delivery;
use scrip::server::billing::stripe::Stripe;
use scrip::server::billing::{Cashier, CheckoutItem, NewCheckout};
use scrip::server::clock::{Clock, ManualClock};
use scrip::server::config::Config;
use scrip::server::services::{Actor, Begun, Price, Purchase, ServiceResult, Services, SignUpForm, Spending, Webhook};
use scrip::server::start::Core;
use scrip::server::store::{Billing, DatabaseUrl, LedgerStore, Order, OrderItem, OrderStatus, Shop, SqlStore};
use std::sync::Arc;
use tempfile::TempDir;

pub const DAY: i64 = 86_400;
pub struct World {
    pub core: Core,
    pub demo: Backstage,
    pub clock: Arc<ManualClock>,
    pub store: SqlStore,
    pub config: Config,
    pub ann: AccountId,
    folder: Arc<TempDir>,
}

impl World {
    pub async fn start(engine: Engine) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut config = config_in(&folder);
        let mut shape = Shape::Since2025;
        if let Engine::Postgres = engine {
            config.database = DatabaseUrl::Postgres(postgres::new_database());
            shape = Shape::Before2025;
        }
        let clock = Arc::new(ManualClock::new(NOW));
        let demo = Backstage::start(shape, clock.clone()).await;
        let settings = settings(&demo.standin.base, SECRET_KEY);
        let mut opened = None;
        let core = Core::open_with(&config, clock.clone(), |store| {
            opened = Some(store.clone());
            let stripe = Arc::new(Stripe::new(&settings, Arc::new(store.clone())).unwrap());
            demo.stripe.set(stripe.clone()).unwrap();
            Cashier::other(stripe)
        })
        .await
        .unwrap();
        let mut world = Self { core, demo, clock, store: opened.unwrap(), config, ann: AccountId(0), folder };
        world.ann = world.sign_up("ann@example.com").await;
        world
    }

    pub fn services(&self) -> &Services {
        &self.core.services
    }

    pub async fn sign_up(&self, email: &str) -> AccountId {
        let form = SignUpForm::parse(email, "Somebody", PASSWORD.into()).unwrap();
        self.services().create_user(form, Role::User).await.unwrap().0
    }

    // The person.

    pub async fn order(&self, purchase: Purchase) -> OrderId {
        let Begun { order, .. } = self.services().begin_purchase(self.ann, purchase, None).await.unwrap();
        order
    }

    pub async fn order_pack(&self, pack: &str) -> OrderId {
        self.order(Purchase::Pack(PlanId::parse(pack).unwrap())).await
    }

    pub async fn order_plan(&self, terms: &Terms) -> OrderId {
        self.order(Purchase::Plan(terms.plan.clone(), terms.interval)).await
    }

    /// An order of a plan that was begun while there was no subscription, wherever that has gone since.
    pub async fn order_beside(&self, terms: &Terms, id: &str) -> OrderId {
        let user = self.services().find_user(self.ann).await.unwrap().unwrap();
        let plan = self.services().catalogue().plan(&terms.plan).unwrap().clone();
        let order = Order {
            id: OrderId::parse(id).unwrap(),
            account: self.ann,
            item: OrderItem::Plan { plan: plan.id.clone(), interval: terms.interval },
            credits: plan.credits_per_month,
            amount: plan.price(terms.interval),
            status: OrderStatus::Pending,
            return_to: None,
            checkout: None,
            submitted_at: None,
            created_at: self.now(),
            settled_at: None,
        };
        self.store.add_order(&order).await.unwrap();
        let item = CheckoutItem::Plan {
            terms: terms.clone(),
            name: plan.name.clone(),
            credits_per_month: plan.credits_per_month,
        };
        let new = NewCheckout {
            order: order.id.clone(),
            user: user.public_id,
            email: user.email,
            customer: None,
            item,
            amount: order.amount,
            success_url: String::new(),
            cancel_url: String::new(),
        };
        let begun = self.demo.begin_checkout(&new).await.unwrap();
        self.store.set_checkout(&order.id, &begun.checkout, &begun.url).await.unwrap();
        order.id
    }

    pub async fn approve(&self, order: &OrderId) {
        self.demo.approve(&checkout_of(order), false).await.unwrap();
    }

    /// Buys a plan, and hears of it.
    pub async fn subscribe(&self, terms: &Terms) -> OrderId {
        let order = self.order_plan(terms).await;
        self.approve(&order).await;
        self.hear().await;
        order
    }

    pub async fn buy_pack(&self, pack: &str) -> OrderId {
        let order = self.order_pack(pack).await;
        self.approve(&order).await;
        self.hear().await;
        order
    }

    pub async fn change(&self, to: &Terms) -> ServiceResult<ChangeOutcome> {
        let preview = self.services().preview_change(self.ann, to).await?;
        let outcome = self.services().change_plan(self.ann, to, Some(&preview.seen), None).await?;
        self.hear().await;
        Ok(outcome)
    }

    pub async fn spend(&self, credits: u32) {
        let spending = Spending { price: Price::Amount(Credits::of(credits)), description: None, metadata: None };
        self.services().charge(self.ann, &Actor::owner(), spending, None).await.unwrap();
    }

    // The network.

    /// Delivers one event, and answers whether it was taken.
    pub async fn deliver(&self, delivery: &Delivery) -> Webhook {
        self.post(&delivery.headers, &delivery.body).await
    }

    pub async fn post(&self, headers: &HeaderMap, body: &str) -> Webhook {
        self.services().receive_webhook("stripe", headers, body.as_bytes()).await.unwrap()
    }

    /// Takes the events that wait to be delivered, so that only the test has them.
    pub async fn take_events(&self) -> Vec<Delivery> {
        let events = self.demo.deliveries().await.unwrap();
        for event in &events {
            self.demo.delivered(event).await.unwrap();
        }
        events
    }

    /// Delivers all that waits, and processes it.
    pub async fn hear(&self) {
        for event in self.take_events().await {
            assert_eq!(self.deliver(&event).await, Webhook::Kept);
        }
        self.services().process_due_events().await.unwrap();
    }

    /// Delivers all that waits until nothing does, whether it is new or not.
    pub async fn hear_all(&self) {
        for event in self.take_events().await {
            self.deliver(&event).await;
        }
        self.services().process_due_events().await.unwrap();
    }

    // Time.

    pub async fn move_to(&self, moment: Timestamp) {
        self.clock.advance_seconds(moment.seconds_since(self.clock.now()));
    }

    /// Lets time pass, with what it brings at the provider, and hears of it.
    pub async fn pass_until(&self, moment: Timestamp) {
        self.move_to(moment).await;
        self.demo.tick().await.unwrap();
        self.hear().await;
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    // What there is then.

    pub async fn balance(&self) -> i64 {
        self.services().read_balance(self.ann).await.unwrap().total.get()
    }

    pub async fn debt(&self) -> i64 {
        self.services().read_balance(self.ann).await.unwrap().debt.get()
    }

    pub async fn order_view(&self, order: &OrderId) -> OrderView {
        self.services().read_order(self.ann, order, false).await.unwrap()
    }

    pub async fn status(&self, order: &OrderId) -> OrderStatusView {
        self.order_view(order).await.status
    }

    pub async fn payments(&self) -> Vec<Payment> {
        self.store.read_account_books(self.ann).await.unwrap().payments
    }

    pub async fn subscriptions(&self) -> Vec<Subscription> {
        self.store.read_account_books(self.ann).await.unwrap().subscriptions
    }

    pub async fn current(&self) -> Option<Subscription> {
        self.store.read_account_books(self.ann).await.unwrap().current().cloned()
    }

    pub async fn plan(&self) -> String {
        let plans = self.services().read_plans(Some(self.ann)).await.unwrap();
        plans.current_plan.unwrap().to_string()
    }

    /// The payment of an order.
    pub async fn payment_of(&self, order: &OrderId) -> Payment {
        self.payments().await.into_iter().find(|payment| payment.order.as_ref() == Some(order)).unwrap()
    }

    /// Rows of the audit log with that action.
    pub async fn audited(&self, action: &str) -> usize {
        use scrip::server::store::History;
        let rows = self.store.list_audit(self.ann, 1_000).await.unwrap();
        rows.iter().filter(|row| row.action == action).count()
    }

    pub async fn refund(&self, payment: &PaymentRef, cents: i64, key: &str) {
        self.demo.refund(payment, Cents::try_from(cents).unwrap(), key).await.unwrap();
        self.hear().await;
    }

    pub async fn dispute(&self, payment: &PaymentRef, status: DisputeStatus) {
        self.demo.dispute(payment, status).await.unwrap();
        self.hear().await;
    }

    pub async fn assert_books_balance(&self) {
        let books = self.store.check_books().await.unwrap();
        assert!(books.balance_out(), "{:#?}", books.flaws);
    }

    /// Fails where the account is not on the plan, or has another balance.
    pub async fn assert_stands(&self, plan: &str, balance: i64) {
        assert_eq!((self.plan().await.as_str(), self.balance().await), (plan, balance));
        self.assert_books_balance().await;
    }
}

pub fn month(plan: &str) -> Terms {
    Terms { plan: PlanId::parse(plan).unwrap(), interval: Interval::Month }
}

pub fn year(plan: &str) -> Terms {
    Terms { plan: PlanId::parse(plan).unwrap(), interval: Interval::Year }
}

/// The order of a change that was to be paid.
pub fn paid_order(outcome: &ChangeOutcome) -> OrderId {
    match outcome {
        ChangeOutcome::Pay { order, .. } => order.clone(),
        ChangeOutcome::Changed { .. } => panic!("nothing was due: {outcome:?}"),
    }
}

pub fn is_active(subscription: &Subscription) -> bool {
    subscription.status == SubscriptionStatus::Active
}
