//! Which price at Stripe belongs to which plan or pack. The catalogue may name it (`stripe_price`); else it is found by
//! a lookup key, `scrip_<plan>_<interval>` or `scrip_<pack>_once`, and made on first use.

use super::client::Client;
use super::form::Form;
use super::wire::{Object, Price};
use super::{CURRENCY, malformed};
use crate::domain::billing::Terms;
use crate::domain::catalogue::{Catalogue, Interval};
use crate::domain::{Cents, PlanId};
use crate::server::billing::provider::{ProviderError, ProviderResult};
use crate::server::store::Store;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a pack's lookup key ends with.
const ONCE: &str = "once";
/// What every lookup key begins with.
const PREFIX: &str = "scrip_";
/// The most prices that are remembered; a catalogue has at most 150.
const MAX_REMEMBERED: usize = 1_000;

/// Something that has a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A plan by the month or the year.
    Plan(Terms),
    /// A pack.
    Pack(PlanId),
}

impl Item {
    /// As in lookup keys and in the metadata of prices.
    pub fn key(&self) -> String {
        match self {
            Self::Plan(terms) => format!("{PREFIX}{}_{}", terms.plan, terms.interval.as_str()),
            Self::Pack(pack) => format!("{PREFIX}{pack}_{ONCE}"),
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        // Names of plans have no underscore.
        let (name, end) = key.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let name = PlanId::parse(name)?;
        match Interval::parse(end) {
            Some(interval) => Some(Self::Plan(Terms { plan: name, interval })),
            None => (end == ONCE).then_some(Self::Pack(name)),
        }
    }

    /// How often it is paid; `None` where it is paid once.
    pub fn interval(&self) -> Option<Interval> {
        match self {
            Self::Plan(terms) => Some(terms.interval),
            Self::Pack(_) => None,
        }
    }
}

/// The price that the catalogue names for an item.
pub fn named_price<'a>(catalogue: &'a Catalogue, item: &Item) -> Option<&'a str> {
    match item {
        Item::Plan(terms) => catalogue.plan(&terms.plan)?.stripe_price.as_ref()?.get(terms.interval),
        Item::Pack(pack) => catalogue.pack(pack)?.stripe_price.as_deref(),
    }
}

/// Everything in the catalogue that costs something, with what it costs.
pub fn items_for_sale(catalogue: &Catalogue) -> Vec<(Item, Cents)> {
    let plans = catalogue.plans.iter().filter(|plan| !plan.is_free()).flat_map(|plan| {
        [Interval::Month, Interval::Year]
            .map(|interval| (Item::Plan(Terms { plan: plan.id.clone(), interval }), plan.price(interval)))
    });
    let packs = catalogue.packs.iter().map(|pack| (Item::Pack(pack.id.clone()), pack.price_cents));
    plans.chain(packs).collect()
}

/// Why a price does not fit its item; `None` where it does.
pub fn misfit(price: &Price, item: &Item, amount: Cents) -> Option<String> {
    let interval = item.interval().map(Interval::as_str);
    if !price.active {
        Some("it is archived".to_owned())
    } else if price.currency.as_deref() != Some(CURRENCY) {
        Some(format!("it is not in {CURRENCY}"))
    } else if price.interval.as_deref() != interval || price.interval_count != 1 {
        Some("it is paid in another rhythm".to_owned())
    } else if price.amount != Some(amount.get()) {
        Some(format!("it does not cost {}", amount.in_dollars()))
    } else {
        None
    }
}

/// Finds and makes prices, and remembers them.
#[derive(Clone, Debug)]
pub struct Prices {
    client: Client,
    store: Arc<dyn Store>,
    /// The id of the price of an item at an amount.
    ids: Arc<Mutex<HashMap<(String, Cents), String>>>,
    /// What an id is the price of. A price never changes what it costs, nor how often.
    items: Arc<Mutex<HashMap<String, Option<Item>>>>,
}

impl Prices {
    /// By the catalogue of this store.
    pub fn new(client: Client, store: Arc<dyn Store>) -> Self {
        Self { client, store, ids: Arc::default(), items: Arc::default() }
    }

    /// The catalogue as it is now.
    pub async fn catalogue(&self) -> ProviderResult<Catalogue> {
        let read = self.store.read_catalogue().await.map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        read.map(|(_, catalogue)| catalogue).ok_or_else(|| malformed("catalogue"))
    }

    /// The price of a plan; it is made where there is none.
    pub async fn of_plan(&self, terms: &Terms, amount: Cents) -> ProviderResult<String> {
        let catalogue = self.catalogue().await?;
        let name = catalogue.plan(&terms.plan).map_or_else(|| terms.plan.to_string(), |plan| plan.name.clone());
        self.of(&catalogue, &Item::Plan(terms.clone()), &name, amount).await
    }

    /// The price of a pack; it is made where there is none.
    pub async fn of_pack(&self, pack: &PlanId, name: &str, amount: Cents) -> ProviderResult<String> {
        self.of(&self.catalogue().await?, &Item::Pack(pack.clone()), name, amount).await
    }

    async fn of(&self, catalogue: &Catalogue, item: &Item, name: &str, amount: Cents) -> ProviderResult<String> {
        let named = named_price(catalogue, item);
        let known_as = (named.map_or_else(|| item.key(), str::to_owned), amount);
        if let Some(id) = lock(&self.ids).get(&known_as) {
            return Ok(id.clone());
        }
        let id = match named {
            Some(id) => self.fitting(id, item, amount).await?,
            None => self.find_or_make(item, name, amount).await?,
        };
        remember(&self.ids, known_as, id.clone());
        Ok(id)
    }

    /// A price that the catalogue names is used as it is, or not at all.
    async fn fitting(&self, id: &str, item: &Item, amount: Cents) -> ProviderResult<String> {
        let price = self.read(id).await?.ok_or_else(|| ProviderError::Refused(format!("there is no price {id}")))?;
        match misfit(&price, item, amount) {
            None => Ok(price.id),
            Some(reason) => Err(ProviderError::Refused(format!("the price {id} cannot be used: {reason}"))),
        }
    }

    async fn find_or_make(&self, item: &Item, name: &str, amount: Cents) -> ProviderResult<String> {
        let found = self.find(item).await?;
        match found.iter().find(|price| misfit(price, item, amount).is_none()) {
            Some(price) => Ok(price.id.clone()),
            None => self.make(item, name, amount, found.into_iter().find_map(|price| price.product)).await,
        }
    }

    /// The prices under the lookup key of an item: one, or none.
    pub async fn find(&self, item: &Item) -> ProviderResult<Vec<Price>> {
        let query = Form::new().with("lookup_keys[0]", item.key()).with("active", true).with("limit", 1);
        let answer = self.client.get("/v1/prices", &query).await?;
        // Whoever answers may know no lookup keys, and list everything.
        let is_it = |price: &Price| price.lookup_key.as_deref() == Some(item.key().as_str());
        Ok(Object(&answer).entries("data").filter_map(|price| Price::read(price.0)).filter(is_it).collect())
    }

    /// Makes a price, and lets it take over the lookup key from one at another amount.
    async fn make(&self, item: &Item, name: &str, amount: Cents, product: Option<String>) -> ProviderResult<String> {
        let lookup_key = item.key();
        let product = match product {
            Some(product) => product,
            None => self.make_product(&lookup_key, name).await?,
        };
        let form = Form::new()
            .with("currency", CURRENCY)
            .with("unit_amount", amount.get())
            .with("product", &product)
            .with("lookup_key", &lookup_key)
            .with("transfer_lookup_key", true)
            .with("metadata[scrip_item]", &lookup_key)
            .with_some("recurring[interval]", item.interval().map(Interval::as_str));
        let key = format!("{lookup_key}_{}_{product}", amount.get());
        let answer = self.client.post("/v1/prices", &form, &key).await?;
        Ok(Price::read(&answer).ok_or_else(|| malformed("price"))?.id)
    }

    /// What receipts and Stripe's pages call it.
    async fn make_product(&self, lookup_key: &str, name: &str) -> ProviderResult<String> {
        let form = Form::new().with("name", name).with("metadata[scrip_item]", lookup_key);
        let digest = hex::encode(&Sha256::digest(name)[..8]);
        let answer = self.client.post("/v1/products", &form, &format!("{lookup_key}_product_{digest}")).await?;
        Object(&answer).text("id").map(str::to_owned).ok_or_else(|| malformed("product"))
    }

    /// A price by its id; `None` where there is none.
    pub async fn read(&self, id: &str) -> ProviderResult<Option<Price>> {
        match self.client.get(&format!("/v1/prices/{id}"), &Form::new()).await {
            Ok(answer) => Price::read(&answer).map(Some).ok_or_else(|| malformed("price")),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What a price is the price of; `None` where it is none of ours.
    pub async fn item_of(&self, id: &str) -> ProviderResult<Option<Item>> {
        let catalogue = self.catalogue().await?;
        if let Some((item, _)) =
            items_for_sale(&catalogue).into_iter().find(|(item, _)| named_price(&catalogue, item) == Some(id))
        {
            return Ok(Some(item));
        }
        if let Some(item) = lock(&self.items).get(id) {
            return Ok(item.clone());
        }
        let price = self.read(id).await?;
        let item = price.filter(|price| price.interval_count == 1).and_then(|price| {
            let from = |key: Option<&String>| key.and_then(|key| Item::from_key(key));
            let item = from(price.item.as_ref()).or_else(|| from(price.lookup_key.as_ref()));
            item.filter(|item| item.interval().map(Interval::as_str) == price.interval.as_deref())
        });
        remember(&self.items, id.to_owned(), item.clone());
        Ok(item)
    }

    /// The plan that a price is of; `None` where it is none of ours.
    pub async fn terms_of(&self, id: &str) -> ProviderResult<Option<Terms>> {
        Ok(match self.item_of(id).await? {
            Some(Item::Plan(terms)) => Some(terms),
            Some(Item::Pack(_)) | None => None,
        })
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is remembered is whole at every moment.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember<K: std::hash::Hash + Eq, V>(shared: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut known = lock(shared);
    if known.len() >= MAX_REMEMBERED {
        known.clear();
    }
    known.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str, interval: Interval) -> Item {
        Item::Plan(Terms { plan: PlanId::parse(name).unwrap(), interval })
    }

    #[test]
    fn lookup_keys_lead_back_to_what_they_name() {
        for item in [
            plan("basic", Interval::Month),
            plan("basic-plus", Interval::Year),
            Item::Pack(PlanId::parse("pack-100").unwrap()),
        ] {
            assert_eq!(Item::from_key(&item.key()), Some(item));
        }
        assert_eq!(plan("basic", Interval::Year).key(), "scrip_basic_year");
        for other in ["basic_month", "scrip_basic", "scrip_basic_week", "scrip_Basic_month", "other_basic_month", ""] {
            assert_eq!(Item::from_key(other), None, "{other}");
        }
    }

    #[test]
    fn a_price_fits_by_amount_currency_and_rhythm() {
        let price = Price {
            id: "price_1".into(),
            amount: Some(1_500),
            currency: Some("usd".into()),
            interval: Some("month".into()),
            interval_count: 1,
            lookup_key: None,
            item: None,
            active: true,
            product: None,
        };
        let (item, amount) = (plan("basic", Interval::Month), Cents::try_from(1_500).unwrap());
        assert_eq!(misfit(&price, &item, amount), None);
        assert!(misfit(&price, &plan("basic", Interval::Year), amount).is_some());
        assert!(misfit(&price, &item, Cents::try_from(1_501).unwrap()).is_some());
        for other in [
            Price { active: false, ..price.clone() },
            Price { currency: Some("eur".into()), ..price.clone() },
            Price { interval_count: 3, ..price.clone() },
            Price { interval: None, ..price.clone() },
        ] {
            assert!(misfit(&other, &item, amount).is_some(), "{other:?}");
        }
    }
}
