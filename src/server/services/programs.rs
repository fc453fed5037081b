//! What programs ask of an account: spend, reserve, settle, give back, grant, and make accounts. The doors
//! above say who asks; here is what they may ask for.

use super::{ServiceError, ServiceResult, Services};
use crate::domain::identity::{Email, PersonName, Role};
use crate::domain::journal::{Draw, Usage};
use crate::domain::metadata::Metadata;
use crate::domain::operation::{Memo, NewGrant, Operation, Refusal, Settler, Source};
use crate::domain::{AccountId, Credits, FeatureId, GrantId, HoldId, Seq, Transaction, UserId};
use crate::server::ledger::{Answer, AuditNote, LedgerError, RequestKey, Submission, Target};
use crate::server::store::{HistoryEntry, HistoryFilter, HistoryQuery, NewUser, User};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Actor {
    /// As it stands in the history: `user`, `key:<id>`, `admin:<id>`.
    pub name: String,
    /// Which holds they may settle.
    pub settler: Settler,
}

impl Actor {
    /// The account's own person.
    pub fn owner() -> Self {
        Self { name: Memo::OWNER.to_owned(), settler: Settler::Owner }
    }

    /// A program with a service key.
    pub fn service(key: &crate::domain::ApiKeyId) -> Self {
        Self { name: format!("key:{key}"), settler: Settler::Program }
    }

    /// An administrator.
    pub fn admin(admin: &UserId) -> Self {
        Self { name: format!("admin:{admin}"), settler: Settler::Anyone }
    }

    /// Whoever has the machine: the command line.
    pub fn system() -> Self {
        Self { name: "system".to_owned(), settler: Settler::Anyone }
    }
}

/// What something costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Price {
    /// By the rates.
    Feature {
        /// Which feature.
        feature: FeatureId,
        /// How many of its units.
        units: u32,
    },
    /// So many credits.
    Amount(Credits),
}

/// What something would cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How many credits.
    pub cost: Credits,
    /// Which version of the rates says so.
    pub rate_version: i64,
    /// What could be spent now.
    pub available: Credits,
    /// From which grants it would come; none where it does not reach.
    pub draws: Vec<Draw>,
}

/// Credits to be spent or reserved.
#[derive(Clone, Debug)]
pub struct Spending {
    /// How many.
    pub price: Price,
    /// One line for the history.
    pub description: Option<String>,
    /// What the caller wants to find again.
    pub metadata: Option<Metadata>,
}

/// Credits to be granted.
#[derive(Clone, Debug)]
pub struct Granting {
    /// The grant.
    pub grant: NewGrant,
    /// One line for the history.
    pub reason: String,
}

/// An account that is made for someone who has not signed up.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// As programs see it; chosen before, so that the answer can be put into words.
    pub id: UserId,
    /// Their address.
    pub email: Email,
    /// What they are called.
    pub name: PersonName,
}

impl Services {
    /// What so many units cost now, with the version of the rates.
    ///
    /// # Errors
    /// [`ServiceError::NoPrice`] where there is no such feature, or it has no price for so many.
    pub fn price(&self, feature: &FeatureId, units: u32) -> ServiceResult<(Credits, Usage)> {
        let no_price = |why: String| ServiceError::NoPrice { feature: feature.clone(), why };
        let catalogue = self.catalogue();
        let rate = catalogue.rate(feature).ok_or_else(|| no_price(NO_SUCH_FEATURE.to_owned()))?;
        let cost = rate.cost(units).map_err(|error| no_price(error.to_string()))?;
        Ok((cost, Usage { feature: feature.clone(), units, rate_version: catalogue.version }))
    }

    /// What so many units would cost this account, and from which grants they would come, without spending.
    ///
    /// # Errors
    /// As [`Services::price`], and where there is no such account.
    pub async fn quote(&self, account: AccountId, feature: &FeatureId, units: u32) -> ServiceResult<Quote> {
        let (cost, usage) = self.price(feature, units)?;
        let account = self.read_account(account).await?;
        let plan = account.plan_draws(cost).unwrap_or_default();
        let source_of = |id: GrantId| account.grants().iter().find(|grant| grant.id == id);
        let draw = |(id, amount): (GrantId, Credits)| {
            let grant = source_of(id)?;
            Some(Draw { grant: id, source: grant.source, amount: -amount.get(), expires_at: grant.expires_at })
        };
        let draws = plan.into_iter().filter_map(draw).collect();
        Ok(Quote { cost, rate_version: usage.rate_version, available: account.available(), draws })
    }

    /// Spends at once.
    ///
    /// # Errors
    /// [`ServiceError::Insufficient`] where fewer credits are available than it costs.
    pub async fn charge(
        &self,
        account: AccountId,
        by: &Actor,
        spending: Spending,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let (cost, usage) = self.cost_of(&spending.price)?;
        let memo = self.memo_of(by, &spending);
        self.submit_spending(account, Operation::Charge { cost, usage }, memo, key, &spending.price).await
    }

    /// Reserves until the deadline.
    ///
    /// # Errors
    /// As [`Services::charge`].
    pub async fn hold(
        &self,
        account: AccountId,
        by: &Actor,
        spending: Spending,
        ttl_seconds: i64,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let (cost, usage) = self.cost_of(&spending.price)?;
        let memo = self.memo_of(by, &spending);
        self.submit_spending(account, Operation::Hold { cost, usage, ttl_seconds }, memo, key, &spending.price).await
    }

    /// Takes a hold, or part of it. In the history it has the words of its hold.
    ///
    /// # Errors
    /// Where it is not there, not theirs to settle, or settled.
    pub async fn capture(
        &self,
        account: AccountId,
        by: &Actor,
        hold: HoldId,
        amount: Option<Credits>,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let memo = Memo::new(by.name.clone(), "");
        let operation = Operation::Capture { hold, amount, by: by.settler };
        self.submit(Submission::one(account, operation, memo).with_key(key)).await
    }

    /// Gives a hold back.
    ///
    /// # Errors
    /// As [`Services::capture`].
    pub async fn release(
        &self,
        account: AccountId,
        by: &Actor,
        hold: HoldId,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let reason = "given back by its maker".to_owned();
        let operation = Operation::Release { hold, reason: reason.clone(), by: by.settler };
        self.submit(Submission::one(account, operation, Memo::new(by.name.clone(), &reason)).with_key(key)).await
    }

    /// Gives a charge back to the very grants that it drew from.
    ///
    /// # Errors
    /// Where there is no such charge, or less is left of it.
    pub async fn refund(
        &self,
        account: AccountId,
        by: &Actor,
        charge: Seq,
        amount: Option<Credits>,
        reason: Option<String>,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let reason = reason.unwrap_or_else(|| "Refund".to_owned());
        let memo = Memo::new(by.name.clone(), &reason);
        let detail = serde_json::json!({ "charge": charge, "amount": amount, "reason": reason });
        let submission = Submission::one(account, Operation::Refund { charge, amount }, memo)
            .with_key(key)
            .with_audit(AuditNote { actor: by.name.clone(), action: "refund", detail });
        self.submit(submission).await
    }

    /// Takes back what was granted for a payment that was returned: first what is left of the grant; what was spent
    /// of it becomes debt, which the next credits pay off.
    ///
    /// # Errors
    /// Where there is no such grant, or less of it can be taken back.
    pub async fn clawback(
        &self,
        account: AccountId,
        by: &Actor,
        grant: GrantId,
        amount: Option<Credits>,
        reason: String,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let memo = Memo::new(by.name.clone(), &reason);
        let detail = serde_json::json!({ "grant": grant, "amount": amount, "reason": reason });
        let submission = Submission::one(account, Operation::Clawback { grant, amount }, memo)
            .with_key(key)
            .with_audit(AuditNote { actor: by.name.clone(), action: "clawback", detail });
        self.submit(submission).await
    }

    /// Grants credits, once for each reference of a source.
    ///
    /// # Errors
    /// [`Refusal::AlreadyGranted`] with the first grant of that reference; [`Refusal::EndsInThePast`].
    pub async fn grant(
        &self,
        account: AccountId,
        by: &Actor,
        granting: Granting,
        key: Option<RequestKey>,
    ) -> ServiceResult<Answer> {
        let detail = serde_json::json!({
            "delta": granting.grant.amount, "source": granting.grant.source, "reason": granting.reason,
            "reference": granting.grant.reference, "by": by.name,
        });
        let memo = Memo::new(by.name.clone(), &granting.reason);
        let submission = Submission::one(account, Operation::Grant(granting.grant), memo)
            .with_key(key)
            .with_audit(AuditNote { actor: by.name.clone(), action: "grant", detail });
        self.submit(submission).await
    }

    /// The row of history that opened a grant.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn find_grant_row(&self, account: AccountId, grant: GrantId) -> ServiceResult<Option<Transaction>> {
        let query = HistoryQuery {
            filter: HistoryFilter::Movements,
            before: Some(grant.0.next()),
            limit: 1,
            ..HistoryQuery::default()
        };
        let found = self.0.store.list_history(account, &query).await?;
        Ok(found.into_iter().find_map(|entry| match entry {
            HistoryEntry::Transaction(row) if row.seq == grant.0 => Some(*row),
            HistoryEntry::Transaction(_) | HistoryEntry::Hold { .. } => None,
        }))
    }

    /// Makes an account with its first credits for someone without a password.
    ///
    /// # Errors
    /// [`ServiceError::AddressTaken`].
    pub async fn make_account(&self, new: NewAccount, key: Option<RequestKey>) -> ServiceResult<Answer> {
        let created_at = self.0.clock.now();
        let steps = self.first_steps(&new.id, created_at);
        let user = NewUser {
            public_id: new.id,
            email: new.email,
            name: new.name,
            password_hash: None,
            role: Role::User,
            created_at,
        };
        let target = Target::NewUser(Box::new(user));
        self.submit(Submission { target, steps, key, booking: None, audit: None }).await
    }

    /// Movements of an account, newest first.
    ///
    /// # Errors
    /// Where there is no such account, or the database fails.
    pub async fn list_movements(&self, account: AccountId, query: HistoryQuery) -> ServiceResult<Vec<Transaction>> {
        self.read_account(account).await?;
        let found = self.0.store.list_history(account, &query).await?;
        let row = |entry| match entry {
            HistoryEntry::Transaction(row) => Some(*row),
            HistoryEntry::Hold { .. } => None,
        };
        Ok(found.into_iter().filter_map(row).collect())
    }

    /// Someone by the id that programs see.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn find_by_id(&self, id: &UserId) -> ServiceResult<User> {
        let memory = &self.0.memory;
        let read = self.0.store.find_user_by_public_id(id);
        let found = memory.people.get_or_read(&memory.freshness, id.as_str(), read).await?;
        found.ok_or(ServiceError::NotFound)
    }

    fn cost_of(&self, price: &Price) -> ServiceResult<(Credits, Option<Usage>)> {
        match price {
            Price::Amount(amount) => Ok((*amount, None)),
            Price::Feature { feature, units } => self.price(feature, *units).map(|(cost, usage)| (cost, Some(usage))),
        }
    }

    fn memo_of(&self, by: &Actor, spending: &Spending) -> Memo {
        let words = match (&spending.description, &spending.price) {
            (Some(words), _) => words.clone(),
            (None, Price::Feature { feature, .. }) => {
                self.catalogue().rate(feature).map_or_else(|| feature.to_string(), |rate| rate.name.clone())
            }
            (None, Price::Amount(_)) => "Charge".to_owned(),
        };
        Memo::new(by.name.clone(), &words).with_metadata(spending.metadata.clone())
    }

    async fn submit_spending(
        &self,
        account: AccountId,
        operation: Operation,
        memo: Memo,
        key: Option<RequestKey>,
        price: &Price,
    ) -> ServiceResult<Answer> {
        let answer = self.submit(Submission::one(account, operation, memo).with_key(key)).await;
        answer.map_err(|error| match (error, price) {
            (ServiceError::Insufficient { required, available, .. }, Price::Feature { feature, .. }) => {
                ServiceError::Insufficient { feature: Some(feature.clone()), required, available }
            }
            (error, _) => error,
        })
    }

    async fn submit(&self, submission: Submission) -> ServiceResult<Answer> {
        self.0.ledger.submit(submission).await.map_err(|error| match error {
            LedgerError::Refused(Refusal::NoSuchHold | Refusal::NoSuchCharge | Refusal::NoSuchGrant) => {
                ServiceError::NotFound
            }
            other => other.into(),
        })
    }
}

/// Why a feature has no price that the catalogue does not have.
pub const NO_SUCH_FEATURE: &str = "there is no such feature";

/// The sources that a program may name.
pub const GRANTABLE_SOURCES: [Source; 4] = [Source::Adjustment, Source::Promotion, Source::Referral, Source::Purchase];
