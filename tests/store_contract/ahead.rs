//! On SQLite a batch is thought through while the one before it is still being saved. It follows from what will be there
//! then; where that does not come to be, neither does what follows from it.

use crate::common::{Engine, NOW, TestLedger, charge, memo};
use scrip::domain::account::Account;
use scrip::domain::{AccountId, Credits};
use scrip::server::store::{Batch, CommitError, Guard, LedgerTransaction, Saving, StoreError, Wanted};
use std::sync::Arc;

/// An account with 9 credits that is remembered.
async fn start() -> (TestLedger, AccountId) {
    let test = TestLedger::start(Engine::Sqlite).await;
    let id = test.account(10).await;
    test.apply(id, charge(1)).await.unwrap();
    (test, id)
}

async fn loaded(test: &TestLedger, id: AccountId) -> (Box<dyn LedgerTransaction>, Account) {
    let mut transaction = test.store.begin(Guard::Compare).await.unwrap();
    let wanted = Wanted { accounts: vec![id], ..Wanted::default() };
    let account = transaction.load(&wanted).await.unwrap().accounts.remove(&id).unwrap();
    (transaction, account)
}

/// Charges one credit, as far as to the point from which others can follow.
async fn handed_in(transaction: Box<dyn LedgerTransaction>, mut account: Account) -> Result<Saving, CommitError> {
    account.apply(&charge(1), &memo(), NOW).unwrap();
    transaction.commit(&Batch { accounts: vec![&account], now: NOW, ..Batch::default() }).await
}

fn assert_outdated(answer: Result<(), CommitError>) {
    assert!(matches!(answer, Err(CommitError::Refused(StoreError::Conflict))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_follows_from_one_that_is_still_being_saved() {
    let (test, id) = start().await;
    let (first, account) = loaded(&test, id).await;
    let first = handed_in(first, account).await.unwrap();

    let (second, account) = loaded(&test, id).await;
    assert_eq!((account.total(), test.balance(id).await), (Credits::of(8), Credits::of(9)));
    let second = tokio::spawn(handed_in(second, account));
    first.await.unwrap();
    second.await.unwrap().unwrap().await.unwrap();
    assert_eq!(test.balance(id).await, Credits::of(7));
    test.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_a_batch_that_is_not_saved_is_refused() {
    let (test, id) = start().await;
    let (first, account) = loaded(&test, id).await;
    let first = handed_in(first, account).await.unwrap();
    let (second, account) = loaded(&test, id).await;
    drop(first);
    assert_outdated(handed_in(second, account).await.map(drop));

    let (first, account) = loaded(&test, id).await;
    assert_eq!(account.total(), Credits::of(9));
    let first = handed_in(first, account).await.unwrap();
    let (second, _) = loaded(&test, id).await;
    drop(first);
    // Whoever is told that credits are missing is told so by what is there.
    let refused = second.finish().await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(test.balance(id).await, Credits::of(9));
    test.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_changes_in_between_refuses_both() {
    let (test, id) = start().await;
    let (first, account) = loaded(&test, id).await;
    let first = handed_in(first, account).await.unwrap();
    let (second, account) = loaded(&test, id).await;
    test.beside().await.apply(id, charge(5)).await.unwrap();
    assert_outdated(first.await);
    assert_outdated(handed_in(second, account).await.map(drop));
    assert_eq!(loaded(&test, id).await.1.total(), Credits::of(4));
}

/// The ledger begins a batch once the one before is on its way, but those that it tries again come when they come.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_at_once_follow_from_each_other_in_some_order() {
    let test = Arc::new(TestLedger::start(Engine::Sqlite).await);
    let id = test.account(160).await;
    let charges = |_| {
        let test = test.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                let (transaction, account) = loaded(&test, id).await;
                handed_in(transaction, account).await.unwrap().await.unwrap();
            }
        })
    };
    for charged in (0..8).map(charges).collect::<Vec<_>>() {
        charged.await.unwrap();
    }
    assert_eq!(test.balance(id).await, Credits::ZERO);
    test.assert_books_balance().await;
}
