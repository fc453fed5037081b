//! Use cases: sign up, spend, buy, adjust. What pages and programs ask for is done here, once; below
//! are the ledger and the store, above is only the door.

mod access;
mod admin;
mod backfill;
mod billing;
mod catalogue;
mod error;
mod gates;
mod listed_keys;
mod metered;
mod people;
mod programs;
mod remembered;
mod resets;
mod shop;
mod studio;
mod wallet;

pub use access::{KeyCaller, KeyHolder, MAX_LABEL_CHARS};
pub use admin::Adjustment;
pub use backfill::{BackfillReport, BackfillTarget};
pub use billing::{Begun, BillingRound, Purchase, Refunding, Webhook};
pub use error::{Field, Problem, ServiceError, ServiceResult};
pub use gates::Gates;
pub use listed_keys::WantedKey;
pub use metered::{Delivery, Failure, MAKING_TIME_LIMIT, Metered, Once, Render, Settlement, Worked};
pub use people::SignUpForm;
pub use programs::{Actor, GRANTABLE_SOURCES, Granting, NO_SUCH_FEATURE, NewAccount, Price, Quote, Spending};
pub use remembered::Freshness;
pub use resets::ResetReport;
pub use studio::{MediaFile, Picture, Wish};

use crate::domain::{AccountId, ApiKeyId, Credits, PlanId};
use crate::server::billing::Cashier;
use crate::server::clock::Clock;
use crate::server::config::{Mode, Payments};
use crate::server::current_catalogue::{CurrentCatalogue, RulingCatalogue};
use crate::server::generators::Generator;
use crate::server::identity::passwords::Passwords;
use crate::server::identity::throttle::{CallLimit, Throttle};
use crate::server::ledger::Ledger;
use crate::server::store::{Books, Store, User};
use access::KnownKey;
use remembered::Remembered;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything that a use case needs. Cheap to clone.
#[derive(Clone)]
pub struct Services(Arc<Parts>);

/// The parts that are put together at the start.
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The writer.
    pub ledger: Ledger,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The catalogue that rules.
    pub catalogue: CurrentCatalogue,
    /// What makes things.
    pub generator: Arc<dyn Generator>,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Counts tries.
    pub throttle: Throttle,
    /// Counts calls of people's keys and sessions.
    pub call_limit: CallLimit<AccountId>,
    /// Counts calls of service keys, where they have a limit.
    pub service_call_limit: Option<CallLimit<ApiKeyId>>,
    /// Where files of what was made lie.
    pub media_dir: PathBuf,
    /// Credits for a new account, instead of the catalogue's.
    pub signup_credits: Option<Credits>,
    /// How careful to be.
    pub mode: Mode,
    /// Who takes the money.
    pub payments: Payments,
    /// The same, as it is asked.
    pub cashier: Cashier,
    /// The address under which people reach the site, without a slash at its end; empty where it is not known.
    pub site_url: String,
    /// How many days a subscription goes on whose renewal could not be collected.
    pub grace_days: u32,
    /// Told when a payment event has come.
    pub payment_news: Notify,
    /// Makes requests with one key wait for each other.
    pub gates: Gates,
    /// Work that goes on when its caller has gone, to be waited for at the end.
    pub running: TaskTracker,
    /// Cancelled when the program begins to stop: what would go on for ever ends then.
    pub closing: CancellationToken,
    /// What need not be read again for each call.
    pub memory: Memory,
}

/// What is remembered of the database between calls.
#[derive(Debug, Default)]
pub struct Memory {
    freshness: Freshness,
    /// Keys, by the hash of their secret.
    keys: Remembered<Arc<KnownKey>>,
    /// People, by their id and by their address.
    people: Remembered<User>,
}

impl Services {
    /// Puts them together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The catalogue that rules now. Who prices something looks once: the next look may find another one.
    pub fn catalogue(&self) -> Arc<RulingCatalogue> {
        self.0.catalogue.get()
    }

    /// The version of the catalogue that rules now.
    pub fn rate_version(&self) -> i64 {
        self.catalogue().version
    }

    /// The clock that all use cases go by.
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    /// Credits for a new account.
    pub fn signup_credits(&self) -> Credits {
        self.0.signup_credits.unwrap_or(self.catalogue().signup_credits)
    }

    /// The name of someone's plan: the free one's where they bought none.
    pub fn plan_name(&self, bought: Option<&PlanId>) -> Option<String> {
        let catalogue = self.catalogue();
        let plan = bought.and_then(|id| catalogue.plan(id)).or_else(|| catalogue.free_plan());
        plan.map(|plan| plan.name.clone())
    }

    /// Whether payments are the demo's.
    pub fn has_demo_payments(&self) -> bool {
        self.0.payments == Payments::Demo
    }

    /// Whether anything can be bought.
    pub fn is_for_sale(&self) -> bool {
        let has_goods = self.catalogue().plans.len() > 1 || !self.catalogue().packs.is_empty();
        self.0.payments != Payments::None && has_goods
    }

    /// Tells what would go on for ever that the program stops.
    pub fn begin_closing(&self) {
        self.0.closing.cancel();
    }

    /// Waits until the program begins to stop.
    pub async fn closing(&self) {
        self.0.closing.cancelled().await;
    }

    /// Waits until all work that was begun is done.
    pub async fn finish(&self) {
        self.0.running.close();
        self.0.running.wait().await;
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn check_database(&self) -> ServiceResult<()> {
        self.0.store.read_catalogue().await?;
        Ok(())
    }

    /// Recomputes every account from its history and compares.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn check_books(&self) -> ServiceResult<Books> {
        Ok(self.0.store.check_books().await?)
    }

    /// Counts a call by an account's own person.
    ///
    /// # Errors
    /// [`ServiceError::TooManyTries`] where there were too many.
    pub fn count_call(&self, account: AccountId) -> ServiceResult<()> {
        Ok(self.0.call_limit.count(&account)?)
    }

    /// Counts a call with a service key.
    ///
    /// # Errors
    /// [`ServiceError::TooManyTries`] where it has a limit and there were too many.
    pub fn count_service_call(&self, key: &ApiKeyId) -> ServiceResult<()> {
        match &self.0.service_call_limit {
            Some(limit) => Ok(limit.count(key)?),
            None => Ok(()),
        }
    }

    /// Forgets old tries of signing in, and old calls.
    pub fn forget_old_tries(&self) {
        self.0.throttle.forget_old();
        self.0.call_limit.forget_old();
        self.0.service_call_limit.iter().for_each(CallLimit::forget_old);
    }
}
