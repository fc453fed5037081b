//! The ledger's door to the database: one transaction per batch.

use super::load::Marks;
use super::load::to_json;
use super::pace::Pace;
use super::recent::{AsOf, RecentAccounts, Remembered};
use super::{SqlStore, billing, books, load, rows, save};
use crate::domain::account::Account;
use crate::domain::backfill::Standing;
use crate::domain::{AccountId, ApiKeyId, Credits, GrantId, IdempotencyKey, PlanId, Seq, Timestamp};
use crate::server::store::chain::{ChainKey, Head};
use crate::server::store::database::{Database, Reads, Row, Transaction, Versions};
use crate::server::store::{
    BalanceChange, Batch, Booking, Books, CommitError, Guard, LedgerStore, LedgerTransaction, Loaded, NewUser, Saving,
    StoreError, StoreResult, StoredAnswer, Wanted,
};
use async_trait::async_trait;
use std::collections::{BTreeSet, HashSet};
use std::future::ready;
use std::time::Instant;
use tokio::sync::{OwnedMutexGuard, broadcast};

/// Decides a sign-up: no row comes back where the address is taken.
const INSERT_USER: &str = "
    INSERT INTO users (public_id, email, name, password_hash, role, created_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING RETURNING id";

/// With the head of a history without rows.
const INSERT_ACCOUNT: &str = "INSERT INTO accounts (id, chain_code, chain_seal) VALUES ($1, $2, $3)";

const FIND_SERVICE_ANSWER: &str = "
    SELECT fingerprint, answer FROM service_requests WHERE caller = $1 AND key = $2";

const FIND_ANSWER: &str = "
    SELECT fingerprint, answer FROM idempotency_keys WHERE account_id = $1 AND key = $2";

/// PostgreSQL only: whoever else wants one of these accounts waits here. Always in the order of ids, so that
/// two batches never wait for each other. NO KEY, since rows that only refer to an account need not wait.
const LOCK_ACCOUNTS: &str = "
    SELECT id FROM accounts WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
    ORDER BY id FOR NO KEY UPDATE";

/// `+id` is no column to a planner: else SQLite walks through all accounts in the order of their ids.
const LIST_DUE_ACCOUNTS: &str = "
    SELECT id AS account_id FROM accounts WHERE next_due <= $1 AND +id > $2 ORDER BY +id LIMIT $3";

const LIST_MONTHLY_ACCOUNTS: &str = "
    SELECT account_id FROM allowances
    WHERE credits_per_month > 0 AND account_id > $2 AND plan = coalesce($1, plan)
    ORDER BY account_id LIMIT $3";

/// The rows of balances that differ from a number, in one walk over the accounts. Free is what nobody paid for, as
/// `Source::is_paid` has it.
const LIST_ACCOUNTS_BESIDE: &str = "
    SELECT a.id, a.balance, a.debt, CAST((SELECT coalesce(sum(g.remaining - g.held), 0) FROM grants g
        WHERE g.account_id = a.id AND g.remaining > 0 AND g.source <> 'purchase') AS BIGINT) AS free
    FROM accounts a
    WHERE a.id > $1 AND (a.balance < $2 OR $3 = 1 AND a.balance > $2)
    ORDER BY a.id LIMIT $4";

/// `substr` rather than LIKE: the prefix is text, not a pattern.
const LIST_RESET_GRANTS: &str = "
    SELECT account_id, id FROM grants
    WHERE source = 'monthly' AND substr(reference, 1, length($1)) = $1 ORDER BY account_id, id";

/// The right to think about accounts, and since when it is used.
struct Thinking {
    _right: OwnedMutexGuard<()>,
    since: Instant,
}

struct SqlLedgerTransaction {
    database: Database,
    inner: Transaction,
    chain_key: ChainKey,
    recent: RecentAccounts,
    /// Of the accounts that are known by now.
    marks: Marks,
    /// Those of them that were not loaded: the database has not yet said that they are still like this.
    remembered: HashSet<AccountId>,
    /// As of when that was remembered.
    as_of: AsOf,
    /// In builds for tests: what was remembered, until it is compared with the database.
    to_prove: Vec<Remembered>,
    pace: Pace,
    /// SQLite only, until the changes are handed in: nobody else thinks about accounts meanwhile.
    thinking: Option<Thinking>,
}

impl SqlLedgerTransaction {
    /// Accounts that need not be loaded: those remembered that have all that the batch wants of them. Whoever has locked
    /// rows reads them, too.
    fn recall(&self, wanted: &Wanted) -> Vec<Remembered> {
        if self.inner.needs_row_locks() {
            return Vec::new();
        }
        let named = wanted.charges.iter().map(|(account, _)| account);
        let named = named.chain(wanted.grants.iter().chain(&wanted.resets).map(|(account, _)| account));
        let named: HashSet<&AccountId> = named.collect();
        let mut found = self.recent.find(wanted.accounts.iter().copied().filter(|account| !named.contains(account)));
        if !wanted.holds.is_empty() {
            let lacks_hold = |(account, _): &Remembered| {
                let mut its_holds = wanted.holds.iter().filter(|(owner, _)| *owner == account.id());
                its_holds.any(|(_, hold)| !account.holds().iter().any(|known| known.id == *hold))
            };
            found.retain(|remembered| !lacks_hold(remembered));
        }
        found
    }

    /// With which versions accounts were read: those that are changed now, and those that were only remembered.
    fn versions(&self, changed: &[&Account]) -> Versions {
        let changed = changed.iter().filter(|account| account.is_changed()).map(|account| account.id());
        let compared: BTreeSet<AccountId> = changed.chain(self.remembered.iter().copied()).collect();
        let mut versions = Versions::default();
        for (account, mark) in compared.into_iter().filter_map(|account| Some((account, self.marks.get(&account)?))) {
            versions.ids.push(account.0);
            versions.versions.push(mark.version);
            versions.seals.push(mark.seal.clone());
        }
        versions
    }

    /// Whether accounts are still as they were read, which in a transaction they are then until its end.
    async fn confirm(&mut self, versions: &Versions) -> StoreResult<()> {
        let is_so = match (self.inner.is_still_to_begin(), self.as_of.others_mark) {
            (true, Some(mark)) => self.inner.is_unchanged_since(mark).await?,
            (true, None) => false,
            (false, _) => self.inner.are_unchanged(versions).await?,
        };
        if is_so { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Whether it has come so far without the database, and how long that took.
    fn note_pace(&self, batch: &Batch<'_>) {
        match &self.thinking {
            Some(thinking) if self.inner.is_still_to_begin() => {
                let changes = |account: &&Account| account.changes().transactions.len() + account.changes().holds.len();
                self.pace.note_thinking(batch.accounts.iter().map(changes).sum(), thinking.since.elapsed());
            }
            Some(_) | None => self.pace.note_asking(),
        }
    }

    /// Waits until the batch before this one has come to its end, by waiting for its connection. If it failed, what was
    /// remembered of it was never true.
    async fn arrive(&mut self) -> StoreResult<()> {
        self.inner.arrive().await?;
        if !self.remembered.is_empty() && !self.recent.is_still(self.as_of) {
            return Err(StoreError::Conflict);
        }
        if cfg!(debug_assertions) { self.prove().await } else { Ok(()) }
    }

    /// In builds for tests: whether what is remembered is what the database holds.
    async fn prove(&mut self) -> StoreResult<()> {
        let recalled = std::mem::take(&mut self.to_prove);
        let accounts = recalled.iter().map(|(account, _)| account.id()).collect();
        let wanted = Wanted { accounts, ..Wanted::default() };
        let (loaded, marks) = load::load(&mut self.inner, &wanted, &HashSet::new()).await?;
        // What others have changed meanwhile, the commit finds.
        if self.inner.is_still_to_begin() && self.confirm(&Versions::default()).await.is_err() {
            return Ok(());
        }
        for (account, mark) in &recalled {
            let found = marks.get(&account.id());
            let is_outdated = found.is_some_and(|found| found.version != mark.version);
            let is_so = (found, loaded.accounts.get(&account.id())) == (Some(mark), Some(account));
            // A panic and no error: a batch that fails is tried in another way, and nobody would know.
            debug_assert!(is_outdated || is_so, "account {} is not as it is remembered", account.id().0);
        }
        Ok(())
    }

    /// On SQLite: everything goes to the file in one trip, and the batch after this one is thought through meanwhile.
    async fn hand_in(mut self, batch: &Batch<'_>, rows: save::Rows) -> Result<Saving, CommitError> {
        let saved = save::saved(batch, &self.marks, None);
        let since = self.as_of.others_mark;
        let prepared = self.inner.prepare(since, rows.into_all()).map_err(CommitError::Refused)?;
        self.note_pace(batch);
        self.arrive().await.map_err(not_begun_or_refused)?;
        let expectation = self.recent.expect(saved);
        drop(self.thinking);
        let pace = self.pace;
        let done = self.inner.change_and_commit(prepared, move || expectation.meet());
        Ok(Box::pin(async move {
            pace.note_commit(done.await.map_err(refused_or_unsure)?);
            Ok(())
        }))
    }

    /// On PostgreSQL: by a statement that compares, or more of them in a transaction.
    async fn save(mut self, batch: &Batch<'_>, rows: save::Rows, versions: &Versions) -> Result<(), CommitError> {
        if self.inner.commits_each_statement() && rows.need_several_statements() {
            self.inner = self.database.begin().await.map_err(CommitError::NotBegun)?;
            self.confirm(versions).await.map_err(CommitError::Refused)?;
        }
        let is_final = self.inner.commits_each_statement();
        let version = rows.save(&mut self.inner, versions).await;
        let version = version.map_err(if is_final { refused_or_unsure } else { CommitError::Refused })?;
        let saved = save::saved(batch, &self.marks, Some(version));
        self.inner.commit().await.map_err(CommitError::Unsure)?;
        self.recent.keep(saved);
        Ok(())
    }
}

#[async_trait]
impl LedgerStore for SqlStore {
    fn writers(&self) -> usize {
        self.database.writers()
    }

    fn divides(&self, callers: usize) -> bool {
        self.pace.divides(callers)
    }

    async fn begin(&self, guard: Guard) -> StoreResult<Box<dyn LedgerTransaction>> {
        let chain_key = self.chain_key.clone().ok_or(StoreError::NoChainKey)?;
        let database = self.database.clone();
        let thinking = if database.has_one_writer() {
            Some(Thinking { _right: self.thinking.clone().lock_owned().await, since: Instant::now() })
        } else {
            None
        };
        let inner = match guard {
            Guard::Compare => database.begin_unlocked().await?,
            Guard::Lock => database.begin().await?,
        };
        Ok(Box::new(SqlLedgerTransaction {
            database,
            inner,
            chain_key,
            recent: self.recent.clone(),
            marks: Marks::new(),
            remembered: HashSet::new(),
            as_of: AsOf::default(),
            to_prove: Vec::new(),
            pace: self.pace.clone(),
            thinking,
        }))
    }

    async fn read_account(&self, account: AccountId) -> StoreResult<Option<Account>> {
        load::read(&self.database, account).await
    }

    async fn check_books(&self) -> StoreResult<Books> {
        let key = self.chain_key.as_ref().ok_or(StoreError::NoChainKey)?;
        books::check(&mut self.database.begin_snapshot(Reads::WholeTables).await?, key).await
    }

    async fn list_due_accounts(
        &self,
        now: Timestamp,
        above: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<AccountId>> {
        let values = [now.into(), above.unwrap_or(AccountId(0)).into(), limit.into()];
        self.database.fetch_all(LIST_DUE_ACCOUNTS, &values).await?.iter().map(rows::account_id).collect()
    }

    async fn list_monthly_accounts(
        &self,
        plan: Option<&PlanId>,
        above: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<AccountId>> {
        let values = [plan.map(PlanId::as_str).into(), above.unwrap_or(AccountId(0)).into(), limit.into()];
        self.database.fetch_all(LIST_MONTHLY_ACCOUNTS, &values).await?.iter().map(rows::account_id).collect()
    }

    async fn list_accounts_beside(
        &self,
        target: Credits,
        or_more: bool,
        above: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<(AccountId, Standing)>> {
        let above = above.unwrap_or(AccountId(0));
        let values = [above.into(), target.into(), i64::from(or_more).into(), limit.into()];
        let standing = |row: &Row| {
            let credits = |column: &str| rows::credits(row.integer(column)?);
            let standing = Standing { total: credits("balance")?, debt: credits("debt")?, free: credits("free")? };
            Ok((AccountId(row.integer("id")?), standing))
        };
        self.database.fetch_all(LIST_ACCOUNTS_BESIDE, &values).await?.iter().map(standing).collect()
    }

    async fn list_reset_grants(&self, reference_prefix: &str) -> StoreResult<Vec<(AccountId, GrantId)>> {
        let found = self.database.fetch_all(LIST_RESET_GRANTS, &[reference_prefix.into()]).await?;
        found.iter().map(|row| Ok((rows::account_id(row)?, GrantId(Seq(row.integer("id")?))))).collect()
    }

    async fn find_answer(&self, account: AccountId, key: &IdempotencyKey) -> StoreResult<Option<StoredAnswer>> {
        let found = self.database.fetch_optional(FIND_ANSWER, &[account.into(), key.as_str().into()]).await?;
        found.as_ref().map(rows::answer).transpose()
    }

    fn announce(&self, changes: Vec<BalanceChange>) {
        self.feed.announce(changes);
    }

    fn watch(&self) -> broadcast::Receiver<BalanceChange> {
        self.feed.watch()
    }
}

#[async_trait]
impl LedgerTransaction for SqlLedgerTransaction {
    async fn claim_user(&mut self, user: &NewUser) -> StoreResult<Option<AccountId>> {
        self.inner.begin_now().await?;
        let values = [
            user.public_id.as_str().into(),
            user.email.as_str().into(),
            user.name.as_str().into(),
            user.password_hash.as_deref().into(),
            user.role.as_str().into(),
            user.created_at.into(),
        ];
        let Some(row) = self.inner.fetch_optional(INSERT_USER, &values).await? else { return Ok(None) };
        let id = AccountId(row.integer("id")?);
        let head = Head::default();
        let seal = self.chain_key.seal(id, &head);
        self.inner.execute(INSERT_ACCOUNT, &[id.into(), (&head.code).into(), (&seal).into()]).await?;
        Ok(Some(id))
    }

    async fn find_service_answer(
        &mut self,
        api_key: &ApiKeyId,
        key: &IdempotencyKey,
    ) -> StoreResult<Option<StoredAnswer>> {
        let values = [api_key.as_str().into(), key.as_str().into()];
        let found = self.inner.fetch_optional(FIND_SERVICE_ANSWER, &values).await?;
        found.as_ref().map(rows::answer).transpose()
    }

    async fn claim_booking(&mut self, account: AccountId, booking: &Booking, now: Timestamp) -> StoreResult<bool> {
        self.inner.begin_now().await?;
        billing::claim(&mut self.inner, account, booking, now).await
    }

    async fn load(&mut self, wanted: &Wanted) -> StoreResult<Loaded> {
        if self.inner.needs_row_locks() && !wanted.accounts.is_empty() {
            self.inner.execute(LOCK_ACCOUNTS, &[(&to_json(&wanted.accounts)?).into()]).await?;
        }
        // In this order: what is forgotten in between shows.
        self.as_of = self.recent.as_of();
        let mut recalled = self.recall(wanted);
        if self.inner.takes_all_at_once() && !(self.inner.is_still_to_begin() && suffices(&recalled, wanted)) {
            let others_mark = self.inner.begin_now().await?;
            self.recent.compare(others_mark);
            self.as_of = self.recent.as_of();
            recalled = self.recall(wanted);
        }
        if cfg!(debug_assertions) {
            self.to_prove = recalled.clone();
        }
        self.remembered = recalled.iter().map(|(account, _)| account.id()).collect();
        let (mut loaded, marks) = load::load(&mut self.inner, wanted, &self.remembered).await?;
        for (account, mark) in marks {
            if self.chain_key.seal(account, &mark.head) == mark.seal {
                self.marks.insert(account, mark);
            } else {
                tracing::error!(account = account.0, "the head of its history is not as it was written");
                loaded.accounts.remove(&account);
                loaded.altered.insert(account);
            }
        }
        for (account, mark) in recalled {
            self.marks.insert(account.id(), mark);
            loaded.accounts.insert(account.id(), account);
        }
        Ok(loaded)
    }

    async fn commit(mut self: Box<Self>, batch: &Batch<'_>) -> Result<Saving, CommitError> {
        let versions = self.versions(&batch.accounts);
        let rows = save::Rows::of(batch, &self.chain_key, &mut self.marks).map_err(CommitError::Refused)?;
        if self.inner.takes_all_at_once() {
            return self.hand_in(batch, rows).await;
        }
        // Until it is known what has become of them.
        self.recent.forget(self.marks.keys().copied());
        if cfg!(debug_assertions) {
            self.prove().await.map_err(CommitError::Refused)?;
        }
        self.save(batch, rows, &versions).await?;
        Ok(Box::pin(ready(Ok(()))))
    }

    async fn finish(mut self: Box<Self>) -> StoreResult<()> {
        if self.remembered.is_empty() {
            return self.inner.give_up().await;
        }
        let versions = self.versions(&[]);
        let is_so = match self.arrive().await {
            Ok(()) => self.confirm(&versions).await,
            Err(error) => Err(error),
        };
        if let Err(error) = is_so {
            self.recent.forget(self.remembered.iter().copied());
            return Err(error);
        }
        self.inner.give_up().await
    }
}

/// Of what nothing was written for yet.
fn not_begun_or_refused(error: StoreError) -> CommitError {
    if error.is_without_connection() { CommitError::NotBegun(error) } else { CommitError::Refused(error) }
}

/// Of what is durable if it has happened at all.
fn refused_or_unsure(error: StoreError) -> CommitError {
    if error.is_refusal() { CommitError::Refused(error) } else { CommitError::Unsure(error) }
}

/// Whether a batch wants nothing but these accounts, as they are.
fn suffices(recalled: &[Remembered], wanted: &Wanted) -> bool {
    let Wanted { accounts, holds: _, charges, grants, resets, keys, references } = wanted;
    // An account is not recalled where it lacks a hold that is wanted.
    recalled.len() == accounts.len()
        && charges.is_empty()
        && grants.is_empty()
        && resets.is_empty()
        && keys.is_empty()
        && references.is_empty()
}
