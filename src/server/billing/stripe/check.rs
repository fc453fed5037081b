//! The check at the start: whether the key works, and what is missing at Stripe. It says so in the log and stops
//! nothing, because the rest of the site does not need Stripe.

use super::Stripe;
use super::prices::{Item, items_for_sale, misfit, named_price};
use crate::domain::Cents;
use crate::domain::catalogue::Catalogue;
use crate::server::billing::provider::{ProviderError, ProviderResult};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What has to be put right, each in a sentence.
    pub problems: Vec<String>,
    /// Lookup keys of prices that will be made when somebody first buys them.
    pub to_be_made: Vec<String>,
}

impl Stripe {
    /// Looks at every price of the catalogue.
    ///
    /// # Errors
    /// Where Stripe cannot be asked.
    pub async fn check(&self) -> ProviderResult<Findings> {
        let catalogue = self.prices.catalogue().await?;
        let mut findings = Findings::default();
        for (item, amount) in items_for_sale(&catalogue) {
            self.check_price(&catalogue, &item, amount, &mut findings).await?;
        }
        Ok(findings)
    }

    async fn check_price(
        &self,
        catalogue: &Catalogue,
        item: &Item,
        amount: Cents,
        found: &mut Findings,
    ) -> ProviderResult<()> {
        let Some(id) = named_price(catalogue, item) else {
            let prices = self.prices.find(item).await?;
            if !prices.iter().any(|price| misfit(price, item, amount).is_none()) {
                found.to_be_made.push(item.key());
            }
            return Ok(());
        };
        match self.prices.read(id).await? {
            None => found.problems.push(format!("The catalogue names the price {id}, which is not there.")),
            Some(price) => {
                if let Some(reason) = misfit(&price, item, amount) {
                    found.problems.push(format!("The catalogue names the price {id}, which cannot be used: {reason}."));
                }
            }
        }
        Ok(())
    }

    /// The check as it is done at the start: its findings go to the log.
    pub(super) async fn tell_findings(&self) {
        match self.check().await {
            Ok(findings) => {
                for problem in &findings.problems {
                    tracing::error!("Stripe: {problem}");
                }
                if !findings.to_be_made.is_empty() {
                    let keys = findings.to_be_made.join(", ");
                    tracing::info!("Stripe: these prices are made when somebody first buys them: {keys}");
                }
                if findings.problems.is_empty() {
                    tracing::info!("Stripe: the key works, and every price that the catalogue names is there");
                }
            }
            Err(ProviderError::Unavailable(reason)) => {
                tracing::error!("Stripe cannot be asked at the moment, or does not accept the key: {reason}");
            }
            Err(error) => tracing::error!("Stripe: {error}"),
        }
    }
}
