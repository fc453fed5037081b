//! The shop: beginning a purchase, and the demo's payment of it.

use super::{ServiceError, ServiceResult, Services};
use crate::api::views::{OrderStatusView, OrderView, ShopView};
use crate::domain::account::Allowance;
use crate::domain::catalogue::{Interval, Pack, Plan};
use crate::domain::credits::credit_count;
use crate::domain::operation::Refusal;
use crate::domain::operation::{Memo, NewGrant, Operation, Source};
use crate::domain::{AccountId, Credits, OrderId, OwnPath, PlanId};
use crate::server::config::Payments;
use crate::server::ledger::{LedgerError, Step, Submission, Target};
use crate::server::random::{SECRET_CHARS, random_name};
use crate::server::store::{Order, OrderItem, OrderStatus};

/// What someone wants to buy.
#[derive(Clone, Debug)]
pub enum Purchase {
    /// A subscription.
    Plan(PlanId, Interval),
    /// Credits, once.
    Pack(PlanId),
}

impl Services {
    /// What there is to buy, as someone sees it who is signed in, or nobody.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_shop(&self, account: Option<AccountId>) -> ServiceResult<ShopView> {
        let current_plan = match account {
            Some(account) => self.current_plan(account).await?,
            None => None,
        };
        Ok(ShopView {
            catalogue: (**self.catalogue()).clone(),
            signup_credits: self.signup_credits(),
            current_plan,
            for_sale: self.is_for_sale(),
            demo_payments: self.has_demo_payments(),
        })
    }

    async fn current_plan(&self, account: AccountId) -> ServiceResult<Option<PlanId>> {
        Ok(self.plan_or_free(self.read_balance(account).await?.plan))
    }

    /// Someone's plan: the free one where they bought none.
    pub fn plan_or_free(&self, with_allowance: Option<PlanId>) -> Option<PlanId> {
        with_allowance.or_else(|| self.catalogue().free_plan().map(|plan| plan.id.clone()))
    }

    /// The ways to so many more credits: the cheapest pack that covers them, and the next plan up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn suggest(&self, account: AccountId, shortfall: Credits) -> ServiceResult<(Option<Pack>, Option<Plan>)> {
        if !self.is_for_sale() {
            return Ok((None, None));
        }
        let current = self.current_plan(account).await?;
        let catalogue = self.catalogue();
        Ok((catalogue.cheapest_pack_for(shortfall).cloned(), catalogue.next_plan(current.as_ref()).cloned()))
    }

    /// Writes down what someone wants to buy, at today's price, and returns where they pay.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where there is no such thing, or no plan above the current one is meant.
    pub async fn begin_purchase(
        &self,
        account: AccountId,
        purchase: Purchase,
        return_to: Option<String>,
    ) -> ServiceResult<OrderId> {
        if !self.is_for_sale() {
            return Err(ServiceError::NotForSale);
        }
        let (item, credits, amount) = match purchase {
            Purchase::Plan(id, interval) => {
                let (plan, _) = self.upgrade_to(account, &id).await?;
                (OrderItem::Plan { plan: id, interval }, plan.credits_per_month, plan.price(interval))
            }
            Purchase::Pack(id) => {
                let catalogue = self.catalogue();
                let pack = catalogue.pack(&id).ok_or(ServiceError::NotForSale)?;
                (OrderItem::Pack(id), pack.credits, pack.price_cents)
            }
        };
        let id = OrderId::parse(&random_name(SECRET_CHARS));
        let order = Order {
            id: id.ok_or(ServiceError::Internal("a random id does not fit".into()))?,
            account,
            item,
            credits,
            amount,
            status: OrderStatus::Pending,
            return_to: return_to.as_deref().and_then(OwnPath::parse).map(|path| path.to_string()),
            created_at: self.0.clock.now(),
            settled_at: None,
        };
        self.0.store.add_order(&order).await?;
        Ok(order.id)
    }

    /// The plan of that name, and the one with an allowance that it would replace. Both come from one read:
    /// the core refuses the change where the replaced plan is no longer that one.
    async fn upgrade_to(&self, account: AccountId, id: &PlanId) -> ServiceResult<(Plan, Option<PlanId>)> {
        let catalogue = self.catalogue();
        let plan = catalogue.plan(id).filter(|plan| !plan.is_free()).ok_or(ServiceError::NotForSale)?;
        let replaces = self.read_balance(account).await?.plan;
        let rank = self.plan_or_free(replaces.clone()).map_or(0, |current| catalogue.rank(&current));
        if catalogue.rank(id) <= rank { Err(ServiceError::NotForSale) } else { Ok((plan.clone(), replaces)) }
    }

    /// A purchase of one's own.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is none, or it is somebody else's.
    pub async fn read_order(&self, account: AccountId, id: &OrderId) -> ServiceResult<OrderView> {
        let order = self.own_order(account, id).await?;
        Ok(OrderView {
            title: self.title(&order),
            interval: match order.item {
                OrderItem::Plan { interval, .. } => Some(interval),
                OrderItem::Pack(_) => None,
            },
            status: match order.status {
                OrderStatus::Pending => OrderStatusView::Pending,
                OrderStatus::Paid => OrderStatusView::Paid,
                OrderStatus::Declined => OrderStatusView::Declined,
            },
            id: order.id,
            credits: order.credits,
            amount: order.amount,
            return_to: order.return_to,
        })
    }

    async fn own_order(&self, account: AccountId, id: &OrderId) -> ServiceResult<Order> {
        let found = self.0.store.find_order(id).await?;
        found.filter(|order| order.account == account).ok_or(ServiceError::NotFound)
    }

    fn title(&self, order: &Order) -> String {
        match &order.item {
            OrderItem::Pack(_) => format!("{}, once", credit_count(order.credits)),
            OrderItem::Plan { plan, .. } => {
                self.catalogue().plan(plan).map_or_else(|| plan.to_string(), |plan| plan.name.clone())
            }
        }
    }

    /// Pays with the demo: the order is marked and its credits are granted in one transaction, so however
    /// often this is asked, they come once.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where payments are not the demo's.
    pub async fn approve_demo_payment(&self, account: AccountId, id: &OrderId) -> ServiceResult<()> {
        self.require_demo()?;
        let order = self.own_order(account, id).await?;
        if order.status == OrderStatus::Paid {
            // By a second click or a reloaded page: the credits are there.
            return Ok(());
        }
        let submission = Submission {
            target: Target::Account(account),
            steps: vec![self.step_for(&order).await?],
            key: None,
            order: Some(order.id.clone()),
            audit: None,
        };
        match self.0.ledger.submit(submission).await {
            Ok(_) | Err(LedgerError::OrderSettled) => Ok(()),
            Err(LedgerError::Refused(Refusal::PlanChanged)) => Err(ServiceError::NotForSale),
            Err(error) => Err(error.into()),
        }
    }

    /// What paying an order does. A plan is decided again now: since the click another may have been paid.
    async fn step_for(&self, order: &Order) -> ServiceResult<Step> {
        match &order.item {
            OrderItem::Plan { plan, .. } => {
                let (upgrade, replaces) = self.upgrade_to(order.account, plan).await?;
                let name = &upgrade.name;
                let allowance = Allowance {
                    plan: plan.clone(),
                    reference: order.id.to_string(),
                    credits_per_month: order.credits,
                    anchor: order.created_at,
                    next_month: 0,
                };
                let memo = Memo::new("user", &format!("{name} plan, first month"));
                Ok(Step { operation: Operation::Subscribe { allowance, replaces }, memo })
            }
            OrderItem::Pack(_) => {
                let grant = NewGrant {
                    source: Source::Purchase,
                    amount: order.credits,
                    expires_at: None,
                    reference: Some(order.id.to_string()),
                };
                let memo = Memo::new("user", &format!("Pack of {}", credit_count(order.credits)));
                Ok(Step { operation: Operation::Grant(grant), memo })
            }
        }
    }

    /// Declines with the demo; it can be tried again.
    ///
    /// # Errors
    /// [`ServiceError::NotForSale`] where payments are not the demo's.
    pub async fn decline_demo_payment(&self, account: AccountId, id: &OrderId) -> ServiceResult<()> {
        self.require_demo()?;
        let order = self.own_order(account, id).await?;
        Ok(self.0.store.decline_order(&order.id, self.0.clock.now()).await?)
    }

    fn require_demo(&self) -> ServiceResult<()> {
        match self.0.payments {
            Payments::Demo => Ok(()),
            Payments::None => Err(ServiceError::NotForSale),
        }
    }
}
