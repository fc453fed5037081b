//! Plans, packs, rates and the grant at signup together: what there is to buy and to spend on. The
//! database keeps every version of it; each charge is stamped with the version that priced it.

use crate::domain::credits::Credits;
use crate::domain::ids::{FeatureId, PlanId};
use crate::domain::money::Cents;
use crate::domain::rates::Rate;
use serde::{Deserialize, Serialize};

/// The most plans, packs or rates in one catalogue.
pub const MAX_ENTRIES: usize = 50;

/// How often a plan is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// Every month.
    #[default]
    Month,
    /// Every year; the credits still come every month.
    Year,
}

impl Interval {
    /// As stored and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Takes what a form sent.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "month" => Some(Self::Month),
            "year" => Some(Self::Year),
            _ => None,
        }
    }
}

/// Something to be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name in lower case.
    pub id: PlanId,
    /// Its name for people.
    pub name: String,
    /// One line on whom it suits.
    pub tagline: String,
    /// Credits in each month; nothing where the plan has only the grant at signup.
    #[serde(default)]
    pub credits_per_month: Credits,
    /// Price of a month; zero for the free plan.
    #[serde(default)]
    pub month_cents: Cents,
    /// Price of a year; zero for the free plan.
    #[serde(default)]
    pub year_cents: Cents,
}

impl Plan {
    /// Whether it costs nothing.
    pub fn is_free(&self) -> bool {
        self.month_cents.is_zero()
    }

    /// What one payment costs.
    pub fn price(&self, interval: Interval) -> Cents {
        match interval {
            Interval::Month => self.month_cents,
            Interval::Year => self.year_cents,
        }
    }

    /// What a year saves against twelve months, in cents; `None` where it saves nothing.
    pub fn yearly_saving(&self) -> Option<Cents> {
        let saving = self.month_cents.get() * 12 - self.year_cents.get();
        Cents::try_from(saving).ok().filter(|saving| !saving.is_zero())
    }
}

/// Credits that are bought once and never expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name in lower case.
    pub id: PlanId,
    /// How many credits.
    pub credits: Credits,
    /// What it costs.
    pub price_cents: Cents,
}

/// Everything that is for sale, and the grant policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Which preset it started from.
    pub preset: String,
    /// What the site is called.
    pub site_name: String,
    /// One sentence on what it offers.
    pub promise: String,
    /// Credits for a new account, once.
    pub signup_credits: Credits,
    /// Own words for insufficient credits, where the preset has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insufficient_message: Option<String>,
    /// From the cheapest to the dearest; the first costs nothing. Empty where nothing is for sale.
    #[serde(default)]
    pub plans: Vec<Plan>,
    /// From the smallest to the largest.
    #[serde(default)]
    pub packs: Vec<Pack>,
    /// What features cost.
    pub rates: Vec<Rate>,
}

/// Why a catalogue cannot be used; the text names the entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CatalogueFlaw(String);

impl Catalogue {
    /// The plan of that name.
    pub fn plan(&self, id: &PlanId) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == *id)
    }

    /// The pack of that name.
    pub fn pack(&self, id: &PlanId) -> Option<&Pack> {
        self.packs.iter().find(|pack| pack.id == *id)
    }

    /// The rate of that feature.
    pub fn rate(&self, feature: &FeatureId) -> Option<&Rate> {
        self.rates.iter().find(|rate| rate.feature == *feature)
    }

    /// The plan of everyone who has bought none.
    pub fn free_plan(&self) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.is_free())
    }

    /// The cheapest pack that makes up for a shortfall.
    pub fn cheapest_pack_for(&self, shortfall: Credits) -> Option<&Pack> {
        self.packs.iter().filter(|pack| pack.credits >= shortfall).min_by_key(|pack| pack.price_cents)
    }

    /// The plan above the one that someone has.
    pub fn next_plan(&self, current: Option<&PlanId>) -> Option<&Plan> {
        let rank = current.map_or(0, |id| self.rank(id));
        self.plans.iter().enumerate().find(|(index, plan)| *index > rank && !plan.is_free()).map(|(_, plan)| plan)
    }

    /// The place of a plan from the cheapest, 0; plans that are gone count as the cheapest.
    pub fn rank(&self, id: &PlanId) -> usize {
        self.plans.iter().position(|plan| plan.id == *id).unwrap_or(0)
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`CatalogueFlaw`] with the entry and the reason.
    pub fn validate(&self) -> Result<(), CatalogueFlaw> {
        let flaw = |text: String| Err(CatalogueFlaw(text));
        if [self.plans.len(), self.packs.len(), self.rates.len()].iter().any(|count| *count > MAX_ENTRIES) {
            return flaw(format!("there can be at most {MAX_ENTRIES} plans, packs and rates each"));
        }
        for rate in &self.rates {
            if let Some(reason) = rate.flaw() {
                return flaw(format!("rate `{}`: {reason}", rate.feature));
            }
        }
        if let Some(pack) = self.packs.iter().find(|pack| pack.credits.is_zero()) {
            return flaw(format!("pack `{}`: it has to hold credits", pack.id));
        }
        if let Some(plan) = self.plans.iter().find(|plan| plan.month_cents.is_zero() != plan.year_cents.is_zero()) {
            return flaw(format!("plan `{}`: it costs something by the month and by the year, or by neither", plan.id));
        }
        if !self.plans.is_empty() && self.free_plan().is_none() {
            return flaw("plans: one of them has to cost nothing, for people who bought none".into());
        }
        match first_repeated(self.names()) {
            Some(name) => flaw(format!("`{name}` stands there twice")),
            None => Ok(()),
        }
    }

    fn names(&self) -> Vec<String> {
        let plans = self.plans.iter().map(|plan| format!("plan {}", plan.id));
        let packs = self.packs.iter().map(|pack| format!("pack {}", pack.id));
        let rates = self.rates.iter().map(|rate| format!("rate {}", rate.feature));
        plans.chain(packs).chain(rates).collect()
    }
}

fn first_repeated(mut names: Vec<String>) -> Option<String> {
    names.sort();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone())
}
