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

    /// How many months one payment is for.
    pub const fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Year => 12,
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
    /// The names of its prices at Stripe, where they were made there by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe_price: Option<PriceNames>,
}

/// The names of a plan's two prices at a payment provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceNames {
    /// Of a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// Of a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<String>,
}

impl PriceNames {
    /// The name of the price of that interval.
    pub fn get(&self, interval: Interval) -> Option<&str> {
        match interval {
            Interval::Month => self.month.as_deref(),
            Interval::Year => self.year.as_deref(),
        }
    }
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
    /// The name of its price at Stripe, where it was made there by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe_price: Option<String>,
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

/// The lists of a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is subscribed to.
    Plans,
    /// What is bought once.
    Packs,
    /// What features cost.
    Rates,
}

/// Why a catalogue cannot be used; the text names the entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CatalogueFlaw {
    /// Which entry of which list, where it is one entry's.
    pub entry: Option<(Section, usize)>,
    reason: String,
}

impl CatalogueFlaw {
    fn of_all(reason: impl Into<String>) -> Self {
        Self { entry: None, reason: reason.into() }
    }

    fn of(section: Section, place: usize, reason: impl Into<String>) -> Self {
        Self { entry: Some((section, place)), reason: reason.into() }
    }
}

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
        if [self.plans.len(), self.packs.len(), self.rates.len()].iter().any(|count| *count > MAX_ENTRIES) {
            let reason = format!("there can be at most {MAX_ENTRIES} plans, packs and rates each");
            return Err(CatalogueFlaw::of_all(reason));
        }
        for (place, rate) in self.rates.iter().enumerate() {
            if let Some(reason) = rate.flaw() {
                return Err(CatalogueFlaw::of(Section::Rates, place, format!("rate `{}`: {reason}", rate.feature)));
            }
        }
        if let Some(place) = self.packs.iter().position(|pack| pack.credits.is_zero()) {
            let reason = format!("pack `{}`: it has to hold credits", self.packs[place].id);
            return Err(CatalogueFlaw::of(Section::Packs, place, reason));
        }
        self.validate_plans()?;
        match first_repeated(&self.names()) {
            Some((section, place, name)) => {
                Err(CatalogueFlaw::of(*section, *place, format!("`{name}` stands there twice")))
            }
            None => Ok(()),
        }
    }

    fn validate_plans(&self) -> Result<(), CatalogueFlaw> {
        let one_sided = |plan: &Plan| plan.month_cents.is_zero() != plan.year_cents.is_zero();
        if let Some(place) = self.plans.iter().position(one_sided) {
            let id = &self.plans[place].id;
            let reason = format!("plan `{id}`: it costs something by the month and by the year, or by neither");
            return Err(CatalogueFlaw::of(Section::Plans, place, reason));
        }
        if !self.plans.is_empty() && self.free_plan().is_none() {
            let reason = "plans: one of them has to cost nothing, for people who bought none";
            return Err(CatalogueFlaw::of(Section::Plans, 0, reason));
        }
        // What is an upgrade is decided by their order.
        if let Some(place) = self.plans.windows(2).position(|pair| pair[0].month_cents > pair[1].month_cents) {
            let reason = format!("plan `{}`: plans stand from the cheapest to the dearest", self.plans[place + 1].id);
            return Err(CatalogueFlaw::of(Section::Plans, place + 1, reason));
        }
        Ok(())
    }

    fn names(&self) -> Vec<(Section, usize, String)> {
        let plans = self.plans.iter().enumerate().map(|(at, plan)| (Section::Plans, at, format!("plan {}", plan.id)));
        let packs = self.packs.iter().enumerate().map(|(at, pack)| (Section::Packs, at, format!("pack {}", pack.id)));
        let rates =
            self.rates.iter().enumerate().map(|(at, rate)| (Section::Rates, at, format!("rate {}", rate.feature)));
        plans.chain(packs).chain(rates).collect()
    }
}

/// The first entry whose name another one has that stands before it.
fn first_repeated(names: &[(Section, usize, String)]) -> Option<&(Section, usize, String)> {
    let is_repeated = |at: usize| names[..at].iter().any(|earlier| earlier.2 == names[at].2);
    (0..names.len()).find(|at| is_repeated(*at)).map(|at| &names[at])
}
