//! The shop: what there is to buy, and the ways to more credits.

use super::{ServiceResult, Services};
use crate::api::views::ShopView;
use crate::domain::catalogue::{Pack, Plan};
use crate::domain::{AccountId, Credits, PlanId};

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
}
