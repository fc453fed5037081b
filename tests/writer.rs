//! The writer under many callers at once, on both databases: exact, once, and with balanced books.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    NOW, TestLedger, account_of, all_at_once, charge, grant, hold, hold_id, is_replayed, key, memo, new_user,
    on_both_databases, receipt, step, subscribe,
};
use scrip::domain::account::HoldStatus;
use scrip::domain::operation::{NewGrant, Operation, Refusal, Settler, Source};
use scrip::domain::{AccountId, ApiKeyId, CreditDelta, Credits, Seq};
use scrip::server::ledger::{Answer, AuditNote, LedgerError, QUEUE_CAPACITY, Submission, Target};

type Answers = [Result<Answer, LedgerError>];

fn charging(account: AccountId, cost: u32) -> impl Fn(usize) -> Submission {
    move |_| Submission::one(account, charge(cost), memo())
}

/// A payment of a hundred credits.
fn payment(account: AccountId, reference: &str) -> Submission {
    let reference = Some(reference.to_owned());
    let new = NewGrant { source: Source::Purchase, amount: Credits::of(100), expires_at: None, reference };
    Submission::one(account, Operation::Grant(new), memo())
}

fn signing_up(email: &str) -> Submission {
    let steps = vec![step(grant(Source::Signup, 60))];
    Submission { target: Target::NewUser(Box::new(new_user(email))), steps, key: None, booking: None, audit: None }
}

/// The same, asked by a program with a key of its own.
fn signed_up_by(program: &ApiKeyId, email: &str, request: &str) -> Submission {
    let key = key("make-account", request).map(|key| key.of_api_key(program.clone()));
    signing_up(email).with_key(key)
}

fn refund_of(charge: Seq) -> Operation {
    Operation::Refund { charge, amount: None }
}

fn capture_of(answer: &Answer, amount: Option<u32>) -> Operation {
    Operation::Capture { hold: hold_id(answer), amount: amount.map(Credits::of), by: Settler::Anyone }
}

fn refused(refusal: Refusal) -> LedgerError {
    LedgerError::Refused(refusal)
}

fn count_of(answers: &Answers, error: &LedgerError) -> usize {
    answers.iter().filter(|answer| answer.as_ref().err() == Some(error)).count()
}

fn text_of(answer: &Answer) -> &str {
    match answer {
        Answer::Applied { text, .. } => text.as_deref().unwrap(),
        Answer::Replayed { text } => text,
    }
}

/// So many charges of one were served, each with a balance of its own; the others were told that nothing is left.
fn assert_spent_to_the_last(answers: &Answers, credits: i64) {
    let mut balances: Vec<i64> =
        answers.iter().flatten().map(|answer| receipt(answer).transaction.balance_after.get()).collect();
    balances.sort_unstable();
    assert_eq!(balances, (0..credits).collect::<Vec<_>>());
    let none_left = refused(Refusal::Insufficient { required: Credits::of(1), available: Credits::ZERO });
    assert_eq!(count_of(answers, &none_left), answers.len() - balances.len());
}

on_both_databases! {
    async fn a_thousand_charges_of_one_against_six_hundred_give_six_hundred_receipts(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(600).await;
        let answers = all_at_once(&[&test.ledger], 1_000, charging(account, 1)).await;
        assert_spent_to_the_last(&answers, 600);
        assert_eq!(test.balance(account).await, Credits::ZERO);
        test.assert_books_balance().await;
    }

    async fn two_programs_that_charge_one_account_at_once_spend_no_credit_twice(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = test.beside().await;
        let account = test.account(600).await;
        let answers = all_at_once(&[&test.ledger, &other.ledger], 1_000, charging(account, 1)).await;
        assert_spent_to_the_last(&answers, 600);
        assert_eq!(other.balance(account).await, Credits::ZERO);
        test.assert_books_balance().await;
    }

    /// A hold that goes back leaves no row of history, so the database itself has nothing to refuse.
    async fn two_programs_that_give_holds_of_one_account_back_at_once_lose_none(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = test.beside().await;
        let account = test.account(400).await;
        let holding = |_| Submission::one(account, hold(1), memo());
        let held = all_at_once(&[&test.ledger], 400, holding).await;
        let held: Vec<_> = held.into_iter().map(|answer| hold_id(&answer.unwrap())).collect();
        let giving_back = |index: usize| {
            let release = Operation::Release { hold: held[index], reason: "not needed".to_owned(), by: Settler::Anyone };
            Submission::one(account, release, memo())
        };
        let answers = all_at_once(&[&test.ledger, &other.ledger], held.len(), giving_back).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(test.balance(account).await, Credits::of(400));
        test.assert_books_balance().await;
    }

    /// What one program remembers of an account is worth nothing once another one has changed it, for a refusal no less
    /// than for a receipt.
    async fn two_programs_by_turns_always_know_what_the_other_one_did(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = test.beside().await;
        let account = test.account(1).await;
        for _ in 0..3 {
            for (here, there) in [(&test.ledger, &other.ledger), (&other.ledger, &test.ledger)] {
                assert!(here.submit(Submission::one(account, charge(1), memo())).await.is_ok());
                let refused = here.submit(Submission::one(account, charge(1), memo())).await;
                assert!(matches!(refused, Err(LedgerError::Refused(Refusal::Insufficient { .. }))), "{refused:?}");
                let granting = Submission::one(account, grant(Source::Promotion, 1), memo());
                assert!(there.submit(granting).await.is_ok());
            }
        }
        // With something left, so that the account is there to be remembered as it was.
        assert!(test.ledger.submit(Submission::one(account, grant(Source::Promotion, 1), memo())).await.is_ok());
        assert!(test.ledger.submit(Submission::one(account, charge(1), memo())).await.is_ok());
        assert!(other.ledger.submit(Submission::one(account, charge(1), memo())).await.is_ok());
        let refused = test.ledger.submit(Submission::one(account, charge(1), memo())).await;
        assert!(matches!(refused, Err(LedgerError::Refused(Refusal::Insufficient { .. }))), "{refused:?}");
        test.assert_books_balance().await;
    }

    /// Batches that follow from it are refused with it, and begun again beside what is left of it.
    async fn a_batch_that_fails_does_not_sink_those_that_follow_from_it(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (ann, bob) = (test.account(5_000).await, test.account(0).await);
        test.apply(bob, subscribe("basic", "order-1", 50)).await.unwrap();
        let is_bad = |index: usize| index % 500 == 250;
        let answers = all_at_once(&[&test.ledger], 3_000, |index| match is_bad(index) {
            // The core cannot know that the reference of this month is taken; the database refuses its row.
            true => Submission::one(ann, subscribe("basic", "order-1", 50), memo()),
            false => Submission::one(ann, charge(1), memo()),
        })
        .await;
        for (index, answer) in answers.iter().enumerate() {
            assert_eq!(answer.as_ref().err(), is_bad(index).then_some(&LedgerError::Unavailable), "{index}");
        }
        assert_eq!(test.balance(ann).await, Credits::of(5_000 - 2_994));
        test.assert_books_balance().await;
    }

    async fn five_hundred_grants_at_once_are_exact(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(0).await;
        let granting = |_| Submission::one(account, grant(Source::Promotion, 3), memo());
        let answers = all_at_once(&[&test.ledger], 500, granting).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(test.balance(account).await, Credits::of(1_500));
        test.assert_books_balance().await;
    }

    async fn one_key_sixty_four_times_at_once_is_applied_once_and_answered_alike(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(100).await;
        let charging = |_| Submission::one(account, charge(7), memo()).with_key(key("order-1", "charge 7"));
        let answers = all_at_once(&[&test.ledger], 64, charging).await;
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
        assert!(answers.iter().all(|answer| text_of(answer) == text_of(&answers[0])), "the answers differ");
        assert_eq!(test.balance(account).await, Credits::of(93));

        let other = Submission::one(account, charge(8), memo()).with_key(key("order-1", "charge 8"));
        assert_eq!(test.ledger.submit(other).await, Err(LedgerError::KeyReused));
        test.assert_books_balance().await;
    }

    async fn one_key_is_free_for_each_account_and_may_hold_any_sign(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let name = r#"it's "one" \ {key}, [100%] $1"#;
        for account in [test.account(10).await, test.account(10).await] {
            let charging = || Submission::one(account, charge(7), memo()).with_key(key(name, "charge 7"));
            let first = test.ledger.submit(charging()).await.unwrap();
            let again = test.ledger.submit(charging()).await.unwrap();
            assert_eq!(again, Answer::Replayed { text: text_of(&first).to_owned() });
            assert_eq!(test.balance(account).await, Credits::of(3));
        }
    }

    async fn a_refused_request_does_not_use_up_its_key(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(5).await;
        let submission = || Submission::one(account, charge(7), memo()).with_key(key("once", "charge 7"));
        assert!(matches!(test.ledger.submit(submission()).await, Err(LedgerError::Refused(_))));
        test.apply(account, grant(Source::Promotion, 2)).await.unwrap();
        assert!(!is_replayed(&test.ledger.submit(submission()).await.unwrap()));
        assert!(is_replayed(&test.ledger.submit(submission()).await.unwrap()));
        assert_eq!(test.balance(account).await, Credits::ZERO);
    }

    async fn one_address_signs_up_once_and_the_others_in_the_batch_are_served(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let answers = all_at_once(&[&test.ledger], 100, |index| match index % 2 {
            0 => signing_up("same@example.com"),
            _ => signing_up(&format!("n{index}@example.com")),
        })
        .await;
        assert_eq!((answers.iter().flatten().count(), count_of(&answers, &LedgerError::AddressTaken)), (51, 49));
        let books = test.store.check_books().await.unwrap();
        assert_eq!((books.accounts, books.totals.granted), (51, 51 * 60));
    }

    async fn one_key_of_a_program_makes_one_account_however_often_it_is_sent(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (program, another) = (test.service_key("program").await, test.service_key("another").await);
        let making = |_| signed_up_by(&program, "ann@example.com", "make ann");
        let answers = all_at_once(&[&test.ledger], 64, making).await;
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
        assert!(answers.iter().all(|answer| text_of(answer) == text_of(&answers[0])), "the answers differ");

        let reused = test.ledger.submit(signed_up_by(&program, "bob@example.com", "make bob")).await;
        assert_eq!(reused, Err(LedgerError::KeyReused));
        let of_another = test.ledger.submit(signed_up_by(&another, "bob@example.com", "make bob")).await.unwrap();
        assert!(!is_replayed(&of_another), "the keys of two programs were taken for one");
        let books = test.store.check_books().await.unwrap();
        assert_eq!((books.accounts, books.totals.granted), (2, 120));
    }

    async fn one_key_sent_to_two_programs_at_once_makes_one_account_and_is_answered_by_both(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = test.beside().await;
        let program = test.service_key("program").await;
        for round in 0..20 {
            let making = |_| {
                let key = key(&format!("make-{round}"), "make").map(|key| key.of_api_key(program.clone()));
                signing_up(&format!("n{round}@example.com")).with_key(key)
            };
            let answers = all_at_once(&[&test.ledger, &other.ledger], 2, making).await;
            let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
            assert_eq!(answers.iter().filter(|answer| is_replayed(answer)).count(), 1, "{answers:?}");
            assert_eq!(text_of(&answers[0]), text_of(&answers[1]));
        }
        assert_eq!(test.store.check_books().await.unwrap().accounts, 20);
    }

    async fn a_person_without_a_grant_is_kept_all_the_same(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = account_of(&test.sign_up("plain@example.com", 0).await.unwrap());
        assert_eq!(test.balance(account).await, Credits::ZERO);
        assert_eq!(test.sign_up("plain@example.com", 0).await, Err(LedgerError::AddressTaken));
    }

    async fn a_refused_grant_takes_its_new_person_back(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let nothing = Submission { steps: vec![step(grant(Source::Signup, 0))], ..signing_up("ann@example.com") };
        assert_eq!(test.ledger.submit(nothing).await, Err(refused(Refusal::NothingAsked)));
        assert!(test.sign_up("ann@example.com", 60).await.is_ok(), "the address stayed taken");
    }

    async fn steps_happen_together_or_not_at_all(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(10).await;
        let steps = vec![step(charge(6)), step(charge(6))];
        let submission = Submission { target: Target::Account(account), steps, key: None, booking: None, audit: None };
        assert!(test.ledger.submit(submission).await.is_err());
        assert_eq!(test.balance(account).await, Credits::of(10));
    }

    async fn one_reference_is_granted_once_however_many_ask(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(0).await;
        let answers = all_at_once(&[&test.ledger], 100, |_| payment(account, "payment-1")).await;
        assert_eq!(answers.iter().flatten().count(), 1);
        assert_eq!(test.balance(account).await, Credits::of(100));
        let again = test.ledger.submit(payment(account, "payment-1")).await;
        assert!(matches!(again, Err(LedgerError::Refused(Refusal::AlreadyGranted { first: Some(_) }))), "{again:?}");
    }

    async fn one_reference_from_two_programs_at_once_is_granted_to_one_account(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = test.beside().await;
        let accounts = [test.account(0).await, test.account(0).await];
        for round in 0..20 {
            let paying = |index: usize| payment(accounts[index], &format!("payment-{round}"));
            let answers = all_at_once(&[&test.ledger, &other.ledger], 2, paying).await;
            let granted = answers.iter().flatten().count();
            let late = count_of(&answers, &refused(Refusal::AlreadyGranted { first: None }));
            assert_eq!((granted, late), (1, 1), "{answers:?}");
        }
        assert_eq!(test.store.check_books().await.unwrap().totals.granted, 2_000);
        test.assert_books_balance().await;
    }

    async fn a_hold_lives_across_batches_and_is_settled_once(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(10).await;
        let held = test.apply(account, hold(8)).await.unwrap();
        let too_much = Refusal::Insufficient { required: Credits::of(3), available: Credits::of(2) };
        assert_eq!(test.apply(account, charge(3)).await, Err(refused(too_much)));
        let captured = test.apply(account, capture_of(&held, Some(5))).await.unwrap();
        assert_eq!(receipt(&captured).balance.available, Credits::of(5));
        let again = test.apply(account, capture_of(&held, Some(5))).await;
        assert_eq!(again, Err(refused(Refusal::HoldSettled(HoldStatus::Captured))));
        test.assert_books_balance().await;
    }

    async fn a_hold_nobody_settles_goes_back_at_its_deadline(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(10).await;
        let held = test.apply(account, hold(8)).await.unwrap();
        test.clock.advance_seconds(900);
        let late = test.apply(account, capture_of(&held, None)).await;
        assert_eq!(late, Err(refused(Refusal::HoldSettled(HoldStatus::Expired))));
        assert_eq!(test.store.read_account(account).await.unwrap().unwrap().available(), Credits::of(10));
        test.assert_books_balance().await;
    }

    async fn a_thousand_charges_refunded_twice_at_once_come_back_once_to_the_grants_they_came_from(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(600).await;
        test.apply(account, grant(Source::Purchase, 600)).await.unwrap();
        let charged = all_at_once(&[&test.ledger], 1_000, charging(account, 1)).await;
        let charges: Vec<Seq> = charged.iter().flatten().map(|answer| receipt(answer).transaction.seq).collect();
        assert_eq!(charges.len(), 1_000);
        let refunding = |index: usize| Submission::one(account, refund_of(charges[index % charges.len()]), memo());
        let answers = all_at_once(&[&test.ledger], 2_000, refunding).await;
        let twice = refused(Refusal::RefundAboveCharge { refundable: Credits::ZERO });
        assert_eq!((answers.iter().flatten().count(), count_of(&answers, &twice)), (1_000, 1_000));
        let whole = test.store.read_account(account).await.unwrap().unwrap();
        assert!(whole.grants().iter().all(|grant| grant.remaining == grant.amount), "{whole:?}");
        let of_a_refund = refund_of(receipt(answers.iter().flatten().next().unwrap()).transaction.seq);
        assert_eq!(test.apply(account, of_a_refund).await, Err(refused(Refusal::NoSuchCharge)));
        test.assert_books_balance().await;
    }

    async fn a_fully_spent_grant_is_opened_again_by_a_refund(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(5).await;
        let charged = test.apply(account, charge(5)).await.unwrap();
        let charge = receipt(&charged).transaction.seq;
        test.apply(account, Operation::Refund { charge, amount: Some(Credits::of(2)) }).await.unwrap();
        let read = test.store.read_account(account).await.unwrap().unwrap();
        assert_eq!((read.grants().len(), read.total()), (1, Credits::of(2)));
        test.assert_books_balance().await;
    }

    async fn an_unknown_account_is_refused(engine: Engine) {
        let test = TestLedger::start(engine).await;
        assert_eq!(test.apply(AccountId(404), charge(1)).await, Err(LedgerError::NoSuchAccount));
    }

    async fn an_adjustment_is_written_with_its_audit_row(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(10).await;
        let detail = serde_json::json!({ "reason": "goodwill" });
        let note = AuditNote { actor: "admin:x".into(), action: "adjust", detail };
        let adjust = Operation::Adjust(CreditDelta::new(-4).unwrap());
        let answer = test.ledger.submit(Submission::one(account, adjust, memo()).with_audit(note)).await.unwrap();
        let audit = test.store.list_audit(account, 10).await.unwrap();
        assert_eq!(audit.len(), 1);
        assert_eq!(audit[0].seq, Some(receipt(&answer).transaction.seq));
        assert_eq!(audit[0].created_at, NOW);
    }
}

on_both_databases! { on one thread:
    /// One batch: the writer finds all hundred at once.
    async fn three_bad_passengers_of_a_batch_do_not_sink_the_ninety_seven_others(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (ann, bob) = (test.account(100).await, test.account(0).await);
        test.sign_up("taken@example.com", 0).await.unwrap();
        test.ledger.submit(payment(bob, "payment-1")).await.unwrap();
        test.apply(bob, subscribe("basic", "order-1", 50)).await.unwrap();
        let answers = all_at_once(&[&test.ledger], 100, |index| match index {
            20 => signing_up("taken@example.com"),
            40 => payment(ann, "payment-1"),
            // The core cannot know that the reference of this month is taken; the database refuses its row.
            60 => Submission::one(ann, subscribe("basic", "order-1", 50), memo()),
            _ => Submission::one(ann, charge(1), memo()),
        })
        .await;
        let already = refused(Refusal::AlreadyGranted { first: None });
        let expected = vec![(20, LedgerError::AddressTaken), (40, already), (60, LedgerError::Unavailable)];
        let numbered = answers.into_iter().enumerate();
        let bad: Vec<_> = numbered.filter_map(|(index, answer)| Some((index, answer.err()?))).collect();
        assert_eq!(bad, expected);
        assert_eq!(test.balance(ann).await, Credits::of(3));
        test.assert_books_balance().await;
    }

    async fn what_was_let_in_is_answered_before_the_writer_stops(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(100).await;
        let mut waiting = Vec::new();
        for _ in 0..50 {
            let mut submitted = Box::pin(test.ledger.submit(Submission::one(account, charge(1), memo())));
            // The first look hands it in.
            let is_waiting = std::future::poll_fn(|context| {
                std::task::Poll::Ready(submitted.as_mut().poll(context).is_pending())
            })
            .await;
            assert!(is_waiting);
            waiting.push(submitted);
        }
        test.stop.cancel();
        for submitted in waiting {
            assert!(submitted.await.is_ok());
        }
        test.writers.wait().await;
        assert_eq!(test.apply(account, charge(1)).await, Err(LedgerError::Stopped));
        assert_eq!(test.balance(account).await, Credits::of(50));
        test.assert_books_balance().await;
    }

    async fn a_flood_is_refused_at_once_and_what_was_let_in_is_exact(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(1_000_000).await;
        let answers = all_at_once(&[&test.ledger], QUEUE_CAPACITY + 1_000, charging(account, 1)).await;
        let (taken, busy) = (answers.iter().flatten().count(), count_of(&answers, &LedgerError::Busy));
        assert!(busy > 0, "nothing was refused");
        assert_eq!(busy + taken, QUEUE_CAPACITY + 1_000);
        assert_eq!(test.balance(account).await, Credits::of(1_000_000 - u32::try_from(taken).unwrap()));
    }
}
