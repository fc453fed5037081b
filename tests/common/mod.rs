//! What the tests share: a fresh database of either kind, people, and short submissions.
#![allow(dead_code, unused_macros, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod command;
pub mod postgres;
pub mod server;
pub mod upstream;

use scrip::domain::access::Scopes;
use scrip::domain::identity::{Email, PersonName, Role};
use scrip::domain::operation::{Memo, NewGrant, Operation, Outcome, Source};
use scrip::domain::{
    AccountId, Allowance, ApiKeyId, Credits, HoldId, IdempotencyKey, PlanId, Receipt, Timestamp, UserId,
};
use scrip::server::clock::ManualClock;
use scrip::server::ledger::{Answer, Ledger, LedgerError, RequestKey, Step, Submission, Target};
use scrip::server::store::{AuditEntry, ChainKey, DatabaseUrl, NewApiKey, NewUser, SqlStore, Store};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A moment to start from: November 2026.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// The key of the chain of all tests' histories, as its file holds it: a program that joins another has it too.
pub const CHAIN_KEY: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";

pub fn chain_key() -> ChainKey {
    ChainKey::new(&[0x2a; ChainKey::BYTES])
}

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Makes two tests of each function: `name::sqlite` and `name::postgres`. After `on one thread:` nothing runs
/// beside a test while it does not wait, so a writer finds all at once what was handed in until then.
macro_rules! on_both_databases {
    (on one thread: $($tests:tt)+) => {
        on_both_databases! { @ "current_thread" $($tests)+ }
    };
    (@ $flavor:tt $($(#[$attribute:meta])* async fn $name:ident($engine:ident: Engine) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "some tests need nothing but the database")]
                use super::*;

                async fn run($engine: $crate::common::Engine) $body

                #[tokio::test(flavor = $flavor)]
                async fn sqlite() {
                    run($crate::common::Engine::Sqlite).await;
                }

                #[tokio::test(flavor = $flavor)]
                async fn postgres() {
                    run($crate::common::Engine::Postgres).await;
                }
            }
        )+
    };
    ($($tests:tt)+) => {
        on_both_databases! { @ "multi_thread" $($tests)+ }
    };
}

#[allow(unused_imports, reason = "not every test binary runs on both")]
pub(crate) use on_both_databases;

/// A ledger over a database of its own, with a clock that tests move.
pub struct TestLedger {
    pub store: Arc<dyn Store>,
    pub sql: SqlStore,
    pub url: DatabaseUrl,
    pub ledger: Ledger,
    pub writers: TaskTracker,
    pub clock: Arc<ManualClock>,
    pub stop: CancellationToken,
    pub folder: TempDir,
}

impl TestLedger {
    pub async fn start(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => DatabaseUrl::Sqlite(folder.path().join("scrip.db")),
            Engine::Postgres => DatabaseUrl::Postgres(postgres::new_database()),
        };
        Self::open(url, folder, Arc::new(ManualClock::new(NOW))).await
    }

    /// On a database that is there.
    pub async fn on(url: String) -> Self {
        Self::open(DatabaseUrl::Postgres(url), tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(NOW))).await
    }

    /// Another program on the same database, by the same clock.
    pub async fn beside(&self) -> Self {
        Self::open(self.url.clone(), tempfile::tempdir().unwrap(), self.clock.clone()).await
    }

    /// The same on the same database, with another key of the chain.
    pub async fn with_chain_key(&self, key: ChainKey) -> Self {
        Self::open_with(self.url.clone(), tempfile::tempdir().unwrap(), self.clock.clone(), key).await
    }

    async fn open(url: DatabaseUrl, folder: TempDir, clock: Arc<ManualClock>) -> Self {
        Self::open_with(url, folder, clock, chain_key()).await
    }

    async fn open_with(url: DatabaseUrl, folder: TempDir, clock: Arc<ManualClock>, key: ChainKey) -> Self {
        let sql = SqlStore::open(&url).await.unwrap().with_chain_key(key);
        let store: Arc<SqlStore> = Arc::new(sql.clone());
        let stop = CancellationToken::new();
        let (ledger, writers) = Ledger::start(store.clone(), clock.clone(), stop.clone());
        Self { store, sql, url, ledger, writers, clock, stop, folder }
    }

    /// Adds a person who gets so many credits for signing up; none where it is zero.
    pub async fn sign_up(&self, email: &str, credits: u32) -> Result<Answer, LedgerError> {
        let grant = step(grant(Source::Signup, credits));
        let steps = if credits == 0 { Vec::new() } else { vec![grant] };
        let target = Target::NewUser(Box::new(new_user(email)));
        self.ledger.submit(Submission { target, steps, key: None, booking: None, audit: None }).await
    }

    pub async fn account(&self, credits: u32) -> AccountId {
        let name = format!("{}@example.com", next_number());
        account_of(&self.sign_up(&name, credits).await.unwrap())
    }

    pub async fn apply(&self, account: AccountId, operation: Operation) -> Result<Answer, LedgerError> {
        self.ledger.submit(Submission::one(account, operation, memo())).await
    }

    pub async fn balance(&self, account: AccountId) -> Credits {
        self.store.read_account(account).await.unwrap().unwrap().total()
    }

    /// A key of a program that may do everything.
    pub async fn service_key(&self, name: &str) -> ApiKeyId {
        let key = new_api_key(name, None);
        self.store.add_api_key(&key, &audit_entry(None, "add_api_key")).await.unwrap();
        key.id
    }

    /// Fails where any account does not agree with its history.
    pub async fn assert_books_balance(&self) {
        let books = self.store.check_books().await.unwrap();
        assert!(books.balance_out(), "{:#?}", books.flaws);
    }
}

/// Distinct names without a random source: a counter.
fn next_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

pub fn new_user(email: &str) -> NewUser {
    NewUser {
        public_id: UserId::parse(&format!("u{}", next_number())).unwrap(),
        email: Email::parse(email).unwrap(),
        name: PersonName::parse("Somebody").unwrap(),
        password_hash: None,
        role: Role::User,
        created_at: NOW,
    }
}

/// A key of an account, or a service key where there is none.
pub fn new_api_key(name: &str, account: Option<AccountId>) -> NewApiKey {
    let scopes = if account.is_some() { "" } else { "accounts:read,accounts:write" };
    NewApiKey {
        id: ApiKeyId::parse(name).unwrap(),
        hash: format!("hash of {name}"),
        account,
        scopes: Scopes::parse(scopes).unwrap(),
        label: format!("label of {name}"),
        created_at: NOW,
        expires_at: None,
    }
}

pub fn audit_entry(account: Option<AccountId>, action: &str) -> AuditEntry {
    AuditEntry {
        account,
        seq: None,
        actor: "system".into(),
        action: action.into(),
        detail: serde_json::json!({}),
        created_at: NOW,
    }
}

pub fn memo() -> Memo {
    Memo::new(Memo::OWNER, "test")
}

pub fn step(operation: Operation) -> Step {
    Step { operation, memo: memo() }
}

pub fn grant(source: Source, amount: u32) -> Operation {
    Operation::Grant(NewGrant { source, amount: Credits::of(amount), expires_at: None, reference: None })
}

pub fn charge(cost: u32) -> Operation {
    Operation::Charge { cost: Credits::of(cost), usage: None }
}

pub fn hold(cost: u32) -> Operation {
    Operation::Hold { cost: Credits::of(cost), usage: None, ttl_seconds: 900 }
}

/// A first plan: so many credits now, and as many each month.
pub fn subscribe(plan: &str, reference: &str, credits: u32) -> Operation {
    let allowance = Allowance::endless(PlanId::parse(plan).unwrap(), reference.to_owned(), Credits::of(credits), NOW);
    Operation::Subscribe { allowance, replaces: None }
}

/// Hands in `count` submissions at once, to these ledgers by turns, and returns what came of each, in order.
pub async fn all_at_once(
    ledgers: &[&Ledger],
    count: usize,
    submission: impl Fn(usize) -> Submission,
) -> Vec<Result<Answer, LedgerError>> {
    let mut tasks = JoinSet::new();
    for index in 0..count {
        let (ledger, submission) = (ledgers[index % ledgers.len()].clone(), submission(index));
        tasks.spawn(async move { (index, ledger.submit(submission).await) });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

pub fn key(name: &str, request: &str) -> Option<RequestKey> {
    let key = IdempotencyKey::parse(name).unwrap();
    Some(RequestKey::new(key, request.as_bytes(), |outcome| serde_json::to_string(outcome).unwrap()))
}

pub fn outcome(answer: &Answer) -> &Outcome {
    match answer {
        Answer::Applied { outcome, .. } => outcome,
        Answer::Replayed { text } => panic!("not applied but replayed: {text}"),
    }
}

pub fn account_of(answer: &Answer) -> AccountId {
    match answer {
        Answer::Applied { account, .. } => *account,
        Answer::Replayed { text } => panic!("not applied but replayed: {text}"),
    }
}

pub fn is_replayed(answer: &Answer) -> bool {
    matches!(answer, Answer::Replayed { .. })
}

pub fn receipt(answer: &Answer) -> &Receipt {
    match outcome(answer) {
        Outcome::Receipt(receipt) => receipt,
        other => panic!("no receipt but {other:?}"),
    }
}

pub fn hold_id(answer: &Answer) -> HoldId {
    match outcome(answer) {
        Outcome::Hold { hold, .. } => hold.id,
        other => panic!("no hold but {other:?}"),
    }
}
