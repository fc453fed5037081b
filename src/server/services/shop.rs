//! The shop: the ways to more credits.

use super::{ServiceResult, Services};
use crate::domain::catalogue::{Pack, Plan};
use crate::domain::{AccountId, Credits, PlanId};

impl Services {
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
