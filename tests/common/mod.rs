//! What the tests share: a fresh database in a folder that goes with it, people, and short submissions.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use scrip::domain::identity::{Email, PersonName, Role};
use scrip::domain::operation::{Memo, NewGrant, Operation, Outcome, Source};
use scrip::domain::{AccountId, Credits, HoldId, IdempotencyKey, Receipt, Timestamp, UserId};
use scrip::server::clock::ManualClock;
use scrip::server::ledger::{Answer, Ledger, LedgerError, RequestKey, Step, Submission, Target};
use scrip::server::store::sqlite::SqliteStore;
use scrip::server::store::{NewUser, Store};
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A moment to start from: November 2026.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// A ledger over a database of its own, with a clock that tests move.
pub struct TestLedger {
    pub store: Arc<dyn Store>,
    pub sqlite: SqliteStore,
    pub ledger: Ledger,
    pub clock: Arc<ManualClock>,
    pub stop: CancellationToken,
    pub folder: TempDir,
}

impl TestLedger {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(&folder.path().join("scrip.db")).await.unwrap();
        let store: Arc<SqliteStore> = Arc::new(sqlite.clone());
        let clock = Arc::new(ManualClock::new(NOW));
        let stop = CancellationToken::new();
        let (ledger, _) = Ledger::start(store.clone(), clock.clone(), stop.clone());
        Self { store, sqlite, ledger, clock, stop, folder }
    }

    /// Adds a person who gets so many credits for signing up; none where it is zero.
    pub async fn sign_up(&self, email: &str, credits: u32) -> Result<Answer, LedgerError> {
        let grant = step(grant(Source::Signup, credits));
        let steps = if credits == 0 { Vec::new() } else { vec![grant] };
        let target = Target::NewUser(Box::new(new_user(email)));
        self.ledger.submit(Submission { target, steps, key: None, order: None, audit: None }).await
    }

    pub async fn account(&self, credits: u32) -> AccountId {
        let name = format!("{}@example.com", next_number());
        self.sign_up(&name, credits).await.unwrap().account
    }

    pub async fn apply(&self, account: AccountId, operation: Operation) -> Result<Answer, LedgerError> {
        self.ledger.submit(Submission::one(account, operation, memo())).await
    }

    pub async fn balance(&self, account: AccountId) -> Credits {
        self.store.read_account(account).await.unwrap().unwrap().total()
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

pub fn memo() -> Memo {
    Memo::new("user", "test")
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

pub fn key(name: &str, request: &str) -> Option<RequestKey> {
    Some(RequestKey::new(IdempotencyKey::parse(name).unwrap(), request.as_bytes()))
}

pub fn receipt(answer: &Answer) -> &Receipt {
    match &answer.outcome {
        Outcome::Receipt(receipt) => receipt,
        other => panic!("no receipt but {other:?}"),
    }
}

pub fn hold_id(answer: &Answer) -> HoldId {
    match &answer.outcome {
        Outcome::Hold { hold, .. } => hold.id,
        other => panic!("no hold but {other:?}"),
    }
}
