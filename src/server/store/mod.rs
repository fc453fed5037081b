//! The store: what the rest of the program may ask of a database, as traits. All SQL stands below this
//! room, and no rule about credits does.
//!
//! A new question is added in three steps: a function with a plain name in the trait of its area; the
//! statement as a constant with the why above it, and its function, in `sql/`; a case in
//! `tests/store_contract.rs`, which is written against the traits and runs on both databases.

mod billing;
mod chain;
mod database;
mod sql;

pub use billing::{Billing, Booking, DemoKind, DemoObject, DemoObjects, PaymentEvent, PaymentMovement};
pub use chain::{ChainKey, Head, Link};
pub use database::DatabaseUrl;
pub use sql::SqlStore;

use crate::domain::access::{ApiKey, Scopes};
use crate::domain::account::{Account, Hold};
use crate::domain::backfill::Standing;
use crate::domain::billing::CheckoutRef;
use crate::domain::catalogue::{Catalogue, Interval};
use crate::domain::identity::{Email, PersonName, Role};
use crate::domain::journal::Draw;
use crate::domain::{
    AccountId, ApiKeyId, Cents, Credits, FeatureId, GrantId, HoldId, IdempotencyKey, OrderId, PlanId, Seq, Source,
    Timestamp, Transaction, TransactionType, UserId,
};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::collections::{HashMap, HashSet};

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or cannot be reached.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The database cannot be brought to this version.
    #[error("the database cannot be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this program never writes.
    #[error("the database holds an impossible value: {0}")]
    Corrupt(String),
    /// The store was opened without the key of the chain, so it can only be read.
    #[error("the key of the chain of history was not given")]
    NoChainKey,
    /// No connection could be had.
    #[error("the database cannot be reached: {0}")]
    NoConnection(sqlx::Error),
    /// Another program has changed what this one has read and not locked: read and decide again.
    #[error("another program has changed an account in the meantime")]
    Conflict,
}

/// What a store function returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// Everything that the program asks of a database.
pub trait Store:
    LedgerStore + People + History + Shop + Creations + Access + Billing + DemoObjects + std::fmt::Debug
{
}

/// The ledger's own door: one transaction per batch of operations.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// How many transactions can usefully write at the same time.
    fn writers(&self) -> usize;

    /// Whether so many callers are better divided between a batch that is being saved and one that is thought through
    /// meanwhile.
    fn divides(&self, callers: usize) -> bool;

    /// Begins a transaction. What it commits follows from accounts as they were when it loaded them, however that
    /// is guarded.
    async fn begin(&self, guard: Guard) -> StoreResult<Box<dyn LedgerTransaction>>;

    /// An account as the last commit left it; `None` where there is none.
    async fn read_account(&self, account: AccountId) -> StoreResult<Option<Account>>;

    /// Recomputes every account from its history and compares.
    async fn check_books(&self) -> StoreResult<Books>;

    /// Accounts with something that time has made due by `now`, from above an account on, in the order of
    /// their ids.
    async fn list_due_accounts(
        &self,
        now: Timestamp,
        above: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<AccountId>>;

    /// Accounts with monthly credits, of one plan or of any, from above an account on, in the order of their
    /// ids.
    async fn list_monthly_accounts(
        &self,
        plan: Option<&PlanId>,
        above: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<AccountId>>;

    /// Accounts that have less than `target`, and where `or_more` those that have more, as of their last booking, from
    /// above an account on, in the order of their ids.
    async fn list_accounts_beside(
        &self,
        target: Credits,
        or_more: bool,
        above: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<(AccountId, Standing)>>;

    /// The grants that resets opened whose references begin so, by account.
    async fn list_reset_grants(&self, reference_prefix: &str) -> StoreResult<Vec<(AccountId, GrantId)>>;

    /// What a key of an account was answered with, where it was used.
    async fn find_answer(&self, account: AccountId, key: &IdempotencyKey) -> StoreResult<Option<StoredAnswer>>;

    /// Tells those who watch, here and in other programs on the same database, of committed changes. Never
    /// waits, and may lose some: who watches also looks by itself now and then.
    fn announce(&self, changes: Vec<BalanceChange>);

    /// Committed changes from now on.
    fn watch(&self) -> tokio::sync::broadcast::Receiver<BalanceChange>;
}

/// News of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceChange {
    /// That account has reached that number.
    Account(AccountId, Seq),
    /// Some news were lost: any account may have changed.
    Unknown,
}

/// How a transaction of the writer guards what it has loaded. On SQLite the difference is only whether it waits for the
/// file's one write lock at the start or when it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Others may change it meanwhile; then the commit is refused with [`StoreError::Conflict`]. The quickest where
    /// that is seldom. Claims are not possible.
    Compare,
    /// Others wait until the end of the transaction.
    Lock,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub enum CommitError {
    /// No transaction could be begun for it.
    NotBegun(StoreError),
    /// The database refused it; nothing of it is there.
    Refused(StoreError),
    /// The answer was lost: whether it happened is not known.
    Unsure(StoreError),
}

/// What was handed in, on its way to the disk. Dropped before its end, it may have happened or not.
pub type Saving = BoxFuture<'static, Result<(), CommitError>>;

/// One transaction of the writer. Dropped without a commit it leaves nothing behind.
#[async_trait]
pub trait LedgerTransaction: Send {
    /// Adds a person with an empty account; `None` where the address is taken.
    async fn claim_user(&mut self, user: &NewUser) -> StoreResult<Option<AccountId>>;

    /// The answer that this key of an API key was given, for requests that make accounts.
    async fn find_service_answer(
        &mut self,
        api_key: &ApiKeyId,
        key: &IdempotencyKey,
    ) -> StoreResult<Option<StoredAnswer>>;

    /// Writes rows about payments; `false`, and nothing written, where somebody else has booked on this account since
    /// its books were read.
    async fn claim_booking(&mut self, account: AccountId, booking: &Booking, now: Timestamp) -> StoreResult<bool>;

    /// Loads all that a batch needs, in a number of statements that does not depend on its size. Accounts may come from
    /// memory; whether they are still so shows at the commit or the end.
    async fn load(&mut self, wanted: &Wanted) -> StoreResult<Loaded>;

    /// Hands in what a batch changed, likewise. It is durable once that has come to its end: then a power cut
    /// takes nothing back. Until then another transaction may begin that follows from this one, and whatever came of this
    /// one is known before that one is committed or finished; if this fails, that one is refused with
    /// [`StoreError::Conflict`].
    async fn commit(self: Box<Self>, batch: &Batch<'_>) -> Result<Saving, CommitError>;

    /// Ends it where there is nothing to save. Only now is it certain that what was loaded was so:
    /// [`StoreError::Conflict`] where it was not.
    async fn finish(self: Box<Self>) -> StoreResult<()>;
}

/// What a batch needs to know.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Accounts, with all their open grants and pending holds.
    pub accounts: Vec<AccountId>,
    /// Holds that are named, settled ones too.
    pub holds: Vec<(AccountId, HoldId)>,
    /// Charges that are to be refunded, with the grants that they drew from.
    pub charges: Vec<(AccountId, Seq)>,
    /// Grants that are to be taken back.
    pub grants: Vec<(AccountId, GrantId)>,
    /// Resets that are to be undone, by the grants that they opened.
    pub resets: Vec<(AccountId, GrantId)>,
    /// Keys that may have been used.
    pub keys: Vec<(AccountId, IdempotencyKey)>,
    /// References that may have been granted.
    pub references: Vec<(Source, String)>,
}

/// What the store knows of it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The accounts that exist.
    pub accounts: HashMap<AccountId, Account>,
    /// Accounts whose history was cut off or added to by somebody without the key of the chain. What is written now
    /// would hide that, so they take no changes.
    pub altered: HashSet<AccountId>,
    /// The keys that were used.
    pub answers: HashMap<(AccountId, IdempotencyKey), StoredAnswer>,
    /// The references that were granted, and where.
    pub references: HashMap<(Source, String), (AccountId, GrantId)>,
}

/// What a key was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of the request, in hexadecimal.
    pub fingerprint: String,
    /// What the caller was told, byte for byte.
    pub text: String,
}

/// What a batch changed.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// Accounts with their changes.
    pub accounts: Vec<&'a Account>,
    /// Keys that were used now.
    pub answers: Vec<(AccountId, IdempotencyKey, StoredAnswer)>,
    /// The same, of requests that made accounts.
    pub service_answers: Vec<(ApiKeyId, IdempotencyKey, StoredAnswer)>,
    /// What administrators did.
    pub audit: Vec<AuditEntry>,
    /// When.
    pub now: Timestamp,
}

/// Someone new.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Random.
    pub public_id: UserId,
    /// Their address.
    pub email: Email,
    /// What they are called.
    pub name: PersonName,
    /// The hash of their password, in PHC form; absent where they have none.
    pub password_hash: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they came.
    pub created_at: Timestamp,
}

/// Someone who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their account.
    pub account: AccountId,
    /// As people and programs see them.
    pub public_id: UserId,
    /// Their address.
    pub email: Email,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they came.
    pub created_at: Timestamp,
}

/// One line of a list of people.
#[derive(Clone, Debug)]
pub struct UserLine {
    /// Who.
    pub user: User,
    /// What they have, as of the last booking.
    pub balance: Credits,
    /// Their plan.
    pub plan: Option<PlanId>,
}

/// Who may sign in.
#[async_trait]
pub trait People: Send + Sync {
    /// By account.
    async fn find_user(&self, account: AccountId) -> StoreResult<Option<User>>;
    /// By the id that leaves the server.
    async fn find_user_by_public_id(&self, id: &UserId) -> StoreResult<Option<User>>;
    /// By address, with the hash of the password.
    async fn find_login(&self, email: &Email) -> StoreResult<Option<(User, Option<String>)>>;
    /// Those whose address, name or id contains the text, newest first; everyone where it is empty.
    async fn search_users(&self, text: &str, limit: u32) -> StoreResult<Vec<UserLine>>;
    /// Changes what someone may do, with its audit row; `false` where there is nobody of that address.
    async fn set_role(&self, email: &Email, role: Role, entry: &AuditEntry) -> StoreResult<bool>;
    /// Gives someone another password, by its hash, and ends their sessions, with its audit row; `false` where there is
    /// no such account.
    async fn set_password(&self, account: AccountId, hash: &str, entry: &AuditEntry) -> StoreResult<bool>;
}

/// What an administrator or the system did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// To whose account.
    pub account: Option<AccountId>,
    /// The row of history that it explains.
    pub seq: Option<Seq>,
    /// Who.
    pub actor: String,
    /// What: `adjust`, `promote` ...
    pub action: String,
    /// The particulars.
    pub detail: serde_json::Value,
    /// When.
    pub created_at: Timestamp,
}

/// One line of an account's history: a row of it, or a hold that did not become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryEntry {
    /// A movement.
    Transaction(Box<Transaction>),
    /// A reservation that is pending, was released or has expired.
    Hold {
        /// The reservation.
        hold: Box<Hold>,
        /// On which grants, each positive.
        draws: Vec<Draw>,
    },
}

impl HistoryEntry {
    /// Its number.
    pub fn seq(&self) -> Seq {
        match self {
            Self::Transaction(row) => row.seq,
            Self::Hold { hold, .. } => hold.id.0,
        }
    }
}

/// A movement, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedMovement {
    /// Whose account.
    pub account: AccountId,
    /// Their id as people and programs see it.
    pub public_id: UserId,
    /// Their address.
    pub email: Email,
    /// The row of history.
    pub row: Transaction,
}

/// Which lines of history, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of which kind.
    pub filter: HistoryFilter,
    /// Of one feature only.
    pub feature: Option<FeatureId>,
    /// Not older than this.
    pub from: Option<Timestamp>,
    /// Older than this.
    pub to: Option<Timestamp>,
    /// Below this number.
    pub before: Option<Seq>,
    /// At most so many.
    pub limit: u32,
}

/// Which kind of lines of history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryFilter {
    /// All of them.
    #[default]
    Everything,
    /// All movements.
    Movements,
    /// Movements of one type.
    Only(TransactionType),
    /// Holds that are pending, released or expired.
    Holds,
}

/// What has happened.
#[async_trait]
pub trait History: Send + Sync {
    /// Lines of an account's history.
    async fn list_history(&self, account: AccountId, query: &HistoryQuery) -> StoreResult<Vec<HistoryEntry>>;
    /// Movements of one account, or of all, in the order of accounts and numbers, after that one of that account.
    async fn list_all_movements(
        &self,
        of: Option<AccountId>,
        after: Option<(AccountId, Seq)>,
        limit: u32,
    ) -> StoreResult<Vec<OwnedMovement>>;
    /// What administrators did to an account, newest first.
    async fn list_audit(&self, account: AccountId, limit: u32) -> StoreResult<Vec<AuditEntry>>;
}

/// What an order is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderItem {
    /// A subscription.
    Plan {
        /// Which.
        plan: PlanId,
        /// Paid how often.
        interval: Interval,
    },
    /// A one-time purchase.
    Pack(PlanId),
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Nobody has paid yet.
    Pending,
    /// It was paid, and granted.
    Paid,
    /// The payment was declined; it may be tried again.
    Declined,
    /// It was left without paying, or ran out.
    Abandoned,
}

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Random.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// What for.
    pub item: OrderItem,
    /// Credits at once: those of the pack, or of the plan's first month.
    pub credits: Credits,
    /// What it costs.
    pub amount: Cents,
    /// What became of it.
    pub status: OrderStatus,
    /// Where to go afterwards, a path on this site.
    pub return_to: Option<String>,
    /// The provider's checkout, and where the person pays.
    pub checkout: Option<(CheckoutRef, String)>,
    /// When somebody came back from paying; the provider's word decides.
    pub submitted_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was paid, declined or left.
    pub settled_at: Option<Timestamp>,
}

/// What is for sale, and what was bought.
#[async_trait]
pub trait Shop: Send + Sync {
    /// The catalogue that rules, with its version; `None` in a new database.
    async fn read_catalogue(&self) -> StoreResult<Option<(i64, Catalogue)>>;
    /// Adds the version after that one (0 in a new database) with its audit row and returns its number; `None` where
    /// another one has come after it by now.
    async fn add_catalogue(&self, catalogue: &Catalogue, after: i64, entry: &AuditEntry) -> StoreResult<Option<i64>>;
    /// Writes down a purchase that was begun.
    async fn add_order(&self, order: &Order) -> StoreResult<()>;
    /// An order by its id.
    async fn find_order(&self, id: &OrderId) -> StoreResult<Option<Order>>;
    /// Marks a pending order as declined.
    async fn decline_order(&self, id: &OrderId, now: Timestamp) -> StoreResult<()>;
}

/// Something that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// Unguessable, with the ending of its file.
    pub name: String,
    /// Whose.
    pub account: AccountId,
    /// By which feature.
    pub feature: FeatureId,
    /// From what.
    pub prompt: String,
    /// An answer in words, or absent where there is a file.
    pub answer: Option<String>,
    /// What kind of file.
    pub content_type: String,
    /// What it cost.
    pub credits_used: Credits,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it goes.
    pub expires_at: Timestamp,
}

/// What people made.
#[async_trait]
pub trait Creations: Send + Sync {
    /// Keeps one.
    async fn add_creation(&self, creation: &Creation) -> StoreResult<()>;
    /// One by its name, unless it has gone.
    async fn find_creation(&self, name: &str, now: Timestamp) -> StoreResult<Option<Creation>>;
    /// The newest of an account that have not gone.
    async fn list_creations(&self, account: AccountId, now: Timestamp, limit: u32) -> StoreResult<Vec<Creation>>;
    /// The names of those whose time is over, at most `limit`.
    async fn list_expired_creations(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<String>>;
    /// Forgets one; its file is gone already.
    async fn remove_creation(&self, name: &str) -> StoreResult<()>;
}

/// What lets someone in: sessions of browsers, keys of programs.
#[async_trait]
pub trait Access: Send + Sync {
    /// Keeps a new session; `false` where its id is taken.
    async fn add_session(&self, id: &str, data: &str, expires_at: Timestamp) -> StoreResult<bool>;
    /// Keeps a session, or changes it.
    async fn save_session(&self, id: &str, data: &str, expires_at: Timestamp) -> StoreResult<()>;
    /// A session that has not ended, with its end.
    async fn find_session(&self, id: &str, now: Timestamp) -> StoreResult<Option<(String, Timestamp)>>;
    /// Forgets a session.
    async fn remove_session(&self, id: &str) -> StoreResult<()>;
    /// Forgets sessions that have ended, at most `limit`.
    async fn remove_ended_sessions(&self, now: Timestamp, limit: u32) -> StoreResult<u64>;

    /// What tells whether something has changed that may be remembered between calls.
    async fn read_change_marks(&self) -> StoreResult<ChangeMarks>;

    /// Keeps a key, by the hash of its secret, with its audit row.
    async fn add_api_key(&self, key: &NewApiKey, entry: &AuditEntry) -> StoreResult<()>;
    /// A key by the hash of its secret, ended and revoked ones too.
    async fn find_api_key(&self, hash: &str) -> StoreResult<Option<ApiKey>>;
    /// The keys of an account, or all service keys, newest first.
    async fn list_api_keys(&self, account: Option<AccountId>) -> StoreResult<Vec<ApiKey>>;
    /// Notes that a key was used.
    async fn mark_api_key_used(&self, id: &ApiKeyId, now: Timestamp) -> StoreResult<()>;
    /// Ends a key for good, with its audit row; `false` where there is none of that id, or it had ended so.
    async fn revoke_api_key(&self, id: &ApiKeyId, entry: &AuditEntry) -> StoreResult<bool>;
}

/// Two numbers that rise with every change of what may be remembered between calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeMarks {
    /// The version of the catalogue that rules; 0 in a new database.
    pub catalogue: i64,
    /// Changes of keys and of people, those that only add one aside.
    pub access: i64,
}

/// A key that is made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its public name.
    pub id: ApiKeyId,
    /// SHA-256 of the secret, in hexadecimal.
    pub hash: String,
    /// Whose it is; absent of a service key.
    pub account: Option<AccountId>,
    /// What a service key may do.
    pub scopes: Scopes,
    /// What its maker calls it.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// The result of checking every account against its history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// How many accounts were checked.
    pub accounts: i64,
    /// How many rows of history. It never falls: whoever puts everything back to an earlier state shows in it.
    pub rows: i64,
    /// All accounts together.
    pub totals: Totals,
    /// One sentence for each thing that does not fit.
    pub flaws: Vec<String>,
}

/// What a new chain of history begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainRenewal {
    /// How many accounts.
    pub accounts: i64,
    /// How many rows of their history.
    pub rows: i64,
}

/// Both sides of the equation: granted + restored = remaining + consumed - refunded + expired + taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// All grants, but those that a refund opened.
    pub granted: i64,
    /// Grants that a refund opened, because the old ones had ended.
    pub restored: i64,
    /// What is left of all grants.
    pub remaining: i64,
    /// Charges and captures.
    pub consumed: i64,
    /// What of it went back to the very grants.
    pub refunded: i64,
    /// What ended unspent.
    pub expired: i64,
    /// Adjustments downwards, clawbacks, paid debt, undone resets.
    pub taken_back: i64,
    /// What is still owed.
    pub debt: i64,
}

impl Books {
    /// Whether everything fits.
    pub fn balance_out(&self) -> bool {
        self.flaws.is_empty()
    }
}
