//! The writer under many callers at once: exact, once, and with balanced books.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{NOW, TestLedger, charge, grant, hold, hold_id, key, memo, new_user, receipt, step};
use scrip::domain::account::HoldStatus;
use scrip::domain::operation::{NewGrant, Operation, Refusal, Source};
use scrip::domain::{AccountId, CreditDelta, Credits, Seq};
use scrip::server::ledger::{Answer, LedgerError, QUEUE_CAPACITY, Submission, Target};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Runs `count` submissions at once and returns what came of each.
async fn all_at_once(
    test: &Arc<TestLedger>,
    count: usize,
    submission: impl Fn(usize) -> Submission,
) -> Vec<Result<Answer, LedgerError>> {
    let mut tasks = JoinSet::new();
    for index in 0..count {
        let (ledger, submission) = (test.ledger.clone(), submission(index));
        tasks.spawn(async move { ledger.submit(submission).await });
    }
    tasks.join_all().await
}

fn charging(account: AccountId, cost: u32) -> impl Fn(usize) -> Submission {
    move |_| Submission::one(account, charge(cost), memo())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_charges_of_one_against_six_hundred_give_six_hundred_receipts_and_four_hundred_refusals() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(600).await;
    let answers = all_at_once(&test, 1_000, charging(account, 1)).await;
    let refusal = LedgerError::Refused(Refusal::Insufficient { required: Credits::of(1), available: Credits::ZERO });
    let refused = answers.iter().filter(|answer| answer.as_ref().err() == Some(&refusal)).count();
    let mut balances: Vec<i64> =
        answers.iter().flatten().map(|answer| receipt(answer).transaction.balance_after.get()).collect();
    balances.sort_unstable();
    assert_eq!((balances.len(), refused), (600, 400));
    assert_eq!(balances, (0..600).collect::<Vec<_>>(), "each receipt has a balance of its own");
    assert_eq!(test.balance(account).await, Credits::ZERO);
    test.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_grants_at_once_are_exact() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(0).await;
    let answers = all_at_once(&test, 500, |_| Submission::one(account, grant(Source::Promotion, 3), memo())).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(test.balance(account).await, Credits::of(1_500));
    test.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_sixty_four_times_at_once_is_applied_once_and_answered_alike() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(100).await;
    let charging = |_| Submission::one(account, charge(7), memo()).with_key(key("order-1", "charge 7"));
    let answers: Vec<Answer> = all_at_once(&test, 64, charging).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.outcome == answers[0].outcome));
    assert_eq!(test.balance(account).await, Credits::of(93));

    let other = Submission::one(account, charge(8), memo()).with_key(key("order-1", "charge 8"));
    assert_eq!(test.ledger.submit(other).await, Err(LedgerError::KeyReused));
    test.assert_books_balance().await;
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let test = TestLedger::start().await;
    let account = test.account(5).await;
    let submission = || Submission::one(account, charge(7), memo()).with_key(key("once", "charge 7"));
    assert!(matches!(test.ledger.submit(submission()).await, Err(LedgerError::Refused(_))));
    test.apply(account, grant(Source::Promotion, 2)).await.unwrap();
    assert!(!test.ledger.submit(submission()).await.unwrap().replayed);
    assert!(test.ledger.submit(submission()).await.unwrap().replayed);
    assert_eq!(test.balance(account).await, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_signs_up_once_and_the_others_in_the_batch_are_served() {
    let test = Arc::new(TestLedger::start().await);
    let answers = all_at_once(&test, 100, |index| {
        let email = if index % 2 == 0 { "same@example.com".to_owned() } else { format!("n{index}@example.com") };
        let steps = vec![step(grant(Source::Signup, 60))];
        Submission { target: Target::NewUser(Box::new(new_user(&email))), steps, key: None, order: None, audit: None }
    })
    .await;
    let taken = answers.iter().filter(|answer| **answer == Err(LedgerError::AddressTaken)).count();
    assert_eq!((answers.iter().flatten().count(), taken), (51, 49));
    let books = test.store.check_books().await.unwrap();
    assert_eq!((books.accounts, books.balance), (51, 51 * 60));
}

#[tokio::test]
async fn a_person_without_a_grant_is_kept_all_the_same() {
    let test = TestLedger::start().await;
    let account = test.sign_up("plain@example.com", 0).await.unwrap().account;
    assert_eq!(test.balance(account).await, Credits::ZERO);
    assert_eq!(test.sign_up("plain@example.com", 0).await, Err(LedgerError::AddressTaken));
}

#[tokio::test]
async fn a_refused_grant_takes_its_new_person_back() {
    let test = TestLedger::start().await;
    let steps = vec![step(grant(Source::Signup, 0))];
    let target = Target::NewUser(Box::new(new_user("ann@example.com")));
    let refused = test.ledger.submit(Submission { target, steps, key: None, order: None, audit: None }).await;
    assert_eq!(refused, Err(LedgerError::Refused(Refusal::NothingAsked)));
    assert!(test.sign_up("ann@example.com", 60).await.is_ok(), "the address stayed taken");
}

#[tokio::test]
async fn steps_happen_together_or_not_at_all() {
    let test = TestLedger::start().await;
    let account = test.account(10).await;
    let steps = vec![step(charge(6)), step(charge(6))];
    let submission = Submission { target: Target::Account(account), steps, key: None, order: None, audit: None };
    assert!(test.ledger.submit(submission).await.is_err());
    assert_eq!(test.balance(account).await, Credits::of(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reference_is_granted_once_however_many_ask() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(0).await;
    let purchase = |_| {
        let reference = Some("payment-1".to_owned());
        let new = NewGrant { source: Source::Purchase, amount: Credits::of(100), expires_at: None, reference };
        Submission::one(account, Operation::Grant(new), memo())
    };
    let answers = all_at_once(&test, 100, purchase).await;
    assert_eq!(answers.iter().flatten().count(), 1);
    assert_eq!(test.balance(account).await, Credits::of(100));
    let again = test.ledger.submit(purchase(0)).await;
    assert!(matches!(again, Err(LedgerError::Refused(Refusal::AlreadyGranted { first: Some(_) }))), "{again:?}");
}

#[tokio::test]
async fn a_hold_lives_across_batches_and_is_settled_once() {
    let test = TestLedger::start().await;
    let account = test.account(10).await;
    let held = hold_id(&test.apply(account, hold(8)).await.unwrap());
    let refused = test.apply(account, charge(3)).await;
    assert_eq!(
        refused,
        Err(LedgerError::Refused(Refusal::Insufficient { required: Credits::of(3), available: Credits::of(2) }))
    );
    let capture = Operation::Capture { hold: held, amount: Some(Credits::of(5)) };
    let captured = test.apply(account, capture.clone()).await.unwrap();
    assert_eq!(receipt(&captured).balance.available, Credits::of(5));
    let again = test.apply(account, capture).await;
    assert_eq!(again, Err(LedgerError::Refused(Refusal::HoldSettled(HoldStatus::Captured))));
    test.assert_books_balance().await;
}

#[tokio::test]
async fn a_hold_nobody_settles_goes_back_at_its_deadline() {
    let test = TestLedger::start().await;
    let account = test.account(10).await;
    let held = hold_id(&test.apply(account, hold(8)).await.unwrap());
    test.clock.advance_seconds(900);
    let late = test.apply(account, Operation::Capture { hold: held, amount: None }).await;
    assert_eq!(late, Err(LedgerError::Refused(Refusal::HoldSettled(HoldStatus::Expired))));
    assert_eq!(test.store.read_account(account).await.unwrap().unwrap().available(), Credits::of(10));
    test.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_refunded_twice_at_once_come_back_once_to_the_grants_they_came_from() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(100).await;
    test.apply(account, grant(Source::Purchase, 100)).await.unwrap();
    let charged = all_at_once(&test, 60, charging(account, 3)).await;
    let charges: Vec<Seq> = charged.iter().flatten().map(|answer| receipt(answer).transaction.seq).collect();
    assert_eq!(charges.len(), 60);
    let refunding = |index: usize| {
        let refund = Operation::Refund { charge: charges[index % charges.len()], amount: None };
        Submission::one(account, refund, memo())
    };
    let answers = all_at_once(&test, 120, refunding).await;
    assert_eq!(answers.iter().flatten().count(), 60);
    let whole = test.store.read_account(account).await.unwrap().unwrap();
    assert!(whole.grants().iter().all(|grant| grant.remaining == grant.amount), "{whole:?}");
    let of_a_refund =
        Operation::Refund { charge: receipt(answers.iter().flatten().next().unwrap()).transaction.seq, amount: None };
    assert_eq!(test.apply(account, of_a_refund).await, Err(LedgerError::Refused(Refusal::NoSuchCharge)));
    test.assert_books_balance().await;
}

#[tokio::test]
async fn a_fully_spent_grant_is_opened_again_by_a_refund() {
    let test = TestLedger::start().await;
    let account = test.account(5).await;
    let charged = test.apply(account, charge(5)).await.unwrap();
    let refund = Operation::Refund { charge: receipt(&charged).transaction.seq, amount: Some(Credits::of(2)) };
    test.apply(account, refund).await.unwrap();
    let read = test.store.read_account(account).await.unwrap().unwrap();
    assert_eq!((read.grants().len(), read.total()), (1, Credits::of(2)));
    test.assert_books_balance().await;
}

#[tokio::test]
async fn an_unknown_account_is_refused() {
    let test = TestLedger::start().await;
    assert_eq!(test.apply(AccountId(404), charge(1)).await, Err(LedgerError::NoSuchAccount));
}

#[tokio::test]
async fn what_was_let_in_is_answered_before_the_writer_stops() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(100).await;
    let waiting = all_at_once(&test, 50, charging(account, 1));
    let answers = waiting.await;
    test.stop.cancel();
    assert!(answers.iter().all(Result::is_ok));
    let after = loop {
        match test.apply(account, charge(1)).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(after, LedgerError::Stopped);
    test.assert_books_balance().await;
}

#[tokio::test]
async fn a_flood_is_refused_at_once_and_what_was_let_in_is_exact() {
    let test = Arc::new(TestLedger::start().await);
    let account = test.account(1_000_000).await;
    // One thread: the writer cannot take anything before all have been handed in.
    let answers = all_at_once(&test, QUEUE_CAPACITY + 1_000, charging(account, 1)).await;
    let busy = answers.iter().filter(|answer| **answer == Err(LedgerError::Busy)).count();
    let taken = answers.iter().flatten().count();
    assert!(busy > 0, "nothing was refused");
    assert_eq!(busy + taken, QUEUE_CAPACITY + 1_000);
    assert_eq!(test.balance(account).await, Credits::of(1_000_000 - u32::try_from(taken).unwrap()));
}

#[tokio::test]
async fn an_adjustment_is_written_with_its_audit_row() {
    let test = TestLedger::start().await;
    let account = test.account(10).await;
    let note = scrip::server::ledger::AuditNote {
        actor: "admin:x".into(),
        action: "adjust",
        detail: serde_json::json!({ "reason": "goodwill" }),
    };
    let adjust = Operation::Adjust(CreditDelta::new(-4).unwrap());
    let answer = test.ledger.submit(Submission::one(account, adjust, memo()).with_audit(note)).await.unwrap();
    let audit = test.store.list_audit(account, 10).await.unwrap();
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0].seq, Some(receipt(&answer).transaction.seq));
    assert_eq!(audit[0].created_at, NOW);
}
