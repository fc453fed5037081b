//! Payments as use cases: buying, changing, what providers tell, and what goes back. A provider is asked first and
//! believed; what follows is booked on the state of the books that was read before asking, or not at all.

mod booking;
mod care;
mod change;
mod events;
mod purchase;
mod refunds;
mod views;

pub use care::BillingRound;
pub use events::Webhook;
pub use purchase::{Begun, Purchase};
pub use refunds::Refunding;

use super::{ServiceError, ServiceResult, Services};
use crate::domain::AccountId;
use crate::domain::Allowance;
use crate::server::billing::{DemoProvider, PaymentProvider};
use std::sync::Arc;

/// How often something is decided again because somebody else has booked in between.
const MAX_TRIES: u32 = 12;

impl Services {
    /// Who takes the money.
    pub(super) fn provider(&self) -> ServiceResult<&dyn PaymentProvider> {
        self.0.cashier.provider.as_deref().ok_or(ServiceError::NotForSale)
    }

    /// The demo, where it takes the money.
    pub(super) fn demo(&self) -> ServiceResult<&Arc<DemoProvider>> {
        self.0.cashier.demo.as_ref().ok_or(ServiceError::NotForSale)
    }

    /// The months of the free plan of an account, counted from its sign-up.
    pub(super) async fn free_months(&self, account: AccountId) -> ServiceResult<Allowance> {
        let user = self.find_user(account).await?.ok_or(ServiceError::NotFound)?;
        let catalogue = self.catalogue();
        let free = catalogue.free_plan().ok_or(ServiceError::NotForSale)?;
        Ok(Allowance::endless(free.id.clone(), user.public_id.to_string(), free.credits_per_month, user.created_at))
    }
}
