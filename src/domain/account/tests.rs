//! The core by examples, and by generated sequences against the rules that must always hold.

use super::*;
use crate::domain::operation::DEFAULT_HOLD_TTL_SECONDS;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const DAY: i64 = 86_400;

fn memo() -> Memo {
    Memo::new("user", "test")
}

fn grant(source: Source, amount: u32, expires_in_days: Option<i64>) -> Operation {
    Operation::Grant(NewGrant {
        source,
        amount: Credits::of(amount),
        expires_at: expires_in_days.map(|days| NOW.plus_seconds(days * DAY)),
        reference: None,
    })
}

fn charge(cost: u32) -> Operation {
    Operation::Charge { cost: Credits::of(cost), usage: None }
}

fn hold(cost: u32) -> Operation {
    Operation::Hold { cost: Credits::of(cost), usage: None, ttl_seconds: DEFAULT_HOLD_TTL_SECONDS }
}

fn account(operations: &[Operation]) -> Account {
    let mut account = Account::new(AccountId(1));
    for operation in operations {
        account.apply(operation, &memo(), NOW).unwrap();
    }
    account
}

fn receipt(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Receipt(receipt) => *receipt,
        other => panic!("no receipt but {other:?}"),
    }
}

/// What the store does between two batches: everything saved, past charges to be found again.
fn reloaded(account: &Account) -> Account {
    let mut charges = account.charges.clone();
    for row in account.changes.transactions.iter().filter(|row| matches!(row.cause, Cause::Charge | Cause::Capture)) {
        let draws = row.draws.iter().map(|draw| (draw.grant, Credits::new(-draw.amount).unwrap())).collect();
        charges.push(Charge { seq: row.seq, usage: None, draws, refunded: Credits::ZERO });
    }
    let (grants, holds) = (account.grants.clone(), account.holds.clone());
    Account::load(account.id, account.last_seq, grants, holds, charges, account.allowance.clone())
}

#[test]
fn credits_are_spent_in_burn_order() {
    let mut account = account(&[
        grant(Source::Purchase, 10, None),
        grant(Source::Signup, 10, None),
        grant(Source::Monthly, 10, Some(30)),
        grant(Source::Promotion, 10, Some(5)),
    ]);
    let receipt = receipt(account.apply(&charge(35), &memo(), NOW).unwrap());
    let sources: Vec<_> = receipt.transaction.draws.iter().map(|draw| (draw.source, draw.amount)).collect();
    let expected = [(Source::Promotion, -10), (Source::Monthly, -10), (Source::Signup, -10), (Source::Purchase, -5)];
    assert_eq!(sources, expected);
    assert_eq!(receipt.balance.total, Credits::of(5));
    assert_eq!(receipt.transaction.balance_before, Credits::of(40));
}

#[test]
fn a_charge_above_what_is_available_says_how_much_is_there_and_changes_nothing() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(4)]);
    let before = account.clone();
    let refusal = account.apply(&charge(7), &memo(), NOW).unwrap_err();
    assert_eq!(refusal, Refusal::Insufficient { required: Credits::of(7), available: Credits::of(6) });
    assert_eq!(account, before);
}

#[test]
fn a_hold_reserves_and_its_capture_takes_and_gives_back_the_rest() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(8)]);
    assert_eq!(
        (account.available(), account.held(), account.total()),
        (Credits::of(2), Credits::of(8), Credits::of(10))
    );
    let capture = Operation::Capture { hold: HoldId(Seq(2)), amount: Some(Credits::of(5)) };
    let receipt = receipt(account.apply(&capture, &memo(), NOW).unwrap());
    assert_eq!(receipt.transaction.amount, -5);
    assert_eq!(receipt.transaction.hold, Some(HoldId(Seq(2))));
    assert_eq!((account.available(), account.held()), (Credits::of(5), Credits::ZERO));
    let again = account.apply(&capture, &memo(), NOW);
    assert_eq!(again, Err(Refusal::HoldSettled(HoldStatus::Captured)));
}

#[test]
fn a_hold_is_not_captured_above_what_it_holds() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(4)]);
    let capture = Operation::Capture { hold: HoldId(Seq(2)), amount: Some(Credits::of(5)) };
    let refusal = account.apply(&capture, &memo(), NOW);
    assert_eq!(refusal, Err(Refusal::CaptureAboveHold { held: Credits::of(4) }));
}

#[test]
fn a_released_hold_costs_nothing_and_says_why() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(8)]);
    let release = Operation::Release { hold: HoldId(Seq(2)), reason: "the generator failed".into() };
    account.apply(&release, &memo(), NOW).unwrap();
    assert_eq!(account.available(), Credits::of(10));
    assert_eq!(account.holds()[0].reason.as_deref(), Some("the generator failed"));
    assert!(account.changes().transactions.iter().all(|row| row.kind != TransactionType::Debit));
}

#[test]
fn a_hold_past_its_deadline_goes_back_by_itself_and_is_not_captured() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(8)]);
    let late = NOW.plus_seconds(DEFAULT_HOLD_TTL_SECONDS);
    let capture = Operation::Capture { hold: HoldId(Seq(2)), amount: None };
    assert_eq!(account.apply(&capture, &memo(), late), Err(Refusal::HoldSettled(HoldStatus::Expired)));
    assert_eq!(account.available(), Credits::of(10));
}

#[test]
fn what_is_on_hold_does_not_end_before_the_hold_is_settled() {
    let long_hold = Operation::Hold { cost: Credits::of(8), usage: None, ttl_seconds: DAY };
    let mut account = account(&[grant(Source::Monthly, 10, Some(0))]);
    assert_eq!(account.apply(&charge(1), &memo(), NOW).unwrap_err(), insufficient(1, 0));

    let mut account = Account::new(AccountId(1));
    let ends_soon = NewGrant {
        source: Source::Monthly,
        amount: Credits::of(10),
        expires_at: Some(NOW.plus_seconds(60)),
        reference: None,
    };
    account.apply(&Operation::Grant(ends_soon), &memo(), NOW).unwrap();
    account.apply(&long_hold, &memo(), NOW).unwrap();
    let later = NOW.plus_seconds(120);
    account.apply(&Operation::RollForward, &memo(), later).unwrap();
    assert_eq!((account.total(), account.held()), (Credits::of(8), Credits::of(8)));
    let capture = Operation::Capture { hold: HoldId(Seq(2)), amount: Some(Credits::of(3)) };
    let captured = receipt(account.apply(&capture, &memo(), later).unwrap());
    assert_eq!(captured.balance.total, Credits::ZERO, "the receipt tells of the end that follows the capture");
    assert_eq!(account.total(), Credits::ZERO, "what was not taken ends with its grant");
}

fn insufficient(required: u32, available: u32) -> Refusal {
    Refusal::Insufficient { required: Credits::of(required), available: Credits::of(available) }
}

#[test]
fn a_refund_goes_back_to_the_grants_it_came_from_last_drawn_first() {
    let spent = account(&[grant(Source::Monthly, 10, Some(30)), grant(Source::Purchase, 10, None), charge(15)]);
    let mut account = reloaded(&spent);
    let part = Operation::Refund { charge: Seq(3), amount: Some(Credits::of(7)) };
    let receipt = receipt(account.apply(&part, &memo(), NOW).unwrap());
    let draws: Vec<_> = receipt.transaction.draws.iter().map(|draw| (draw.source, draw.amount)).collect();
    assert_eq!(draws, [(Source::Purchase, 5), (Source::Monthly, 2)]);
    let rest = Operation::Refund { charge: Seq(3), amount: None };
    account.apply(&rest, &memo(), NOW).unwrap();
    assert_eq!(account.grants(), reloaded(&spent_nothing(&spent)).grants());
    let refusal = account.apply(&rest, &memo(), NOW).unwrap_err();
    assert_eq!(refusal, Refusal::RefundAboveCharge { refundable: Credits::ZERO });
}

fn spent_nothing(account: &Account) -> Account {
    let mut whole = account.clone();
    whole.grants.iter_mut().for_each(|grant| grant.remaining = grant.amount);
    whole
}

#[test]
fn a_refund_to_an_ended_grant_comes_back_as_a_restored_one() {
    let mut account = reloaded(&account(&[grant(Source::Monthly, 10, Some(1)), charge(6)]));
    let later = NOW.plus_seconds(2 * DAY);
    let refund = Operation::Refund { charge: Seq(2), amount: None };
    account.apply(&refund, &memo(), later).unwrap();
    assert_eq!(account.balance().of(Source::Restored), Credits::of(6));
    assert_eq!(account.balance().next_expiry, Some((later.plus_seconds(30 * DAY), Credits::of(6))));
}

#[test]
fn a_charge_that_is_not_there_is_not_refunded() {
    let mut account = reloaded(&account(&[grant(Source::Signup, 10, None)]));
    let refund = Operation::Refund { charge: Seq(1), amount: None };
    assert_eq!(account.apply(&refund, &memo(), NOW), Err(Refusal::NoSuchCharge));
}

#[test]
fn an_adjustment_never_takes_more_than_there_is() {
    let mut account = account(&[grant(Source::Signup, 10, None)]);
    let down = |by| Operation::Adjust(CreditDelta::new(by).unwrap());
    assert_eq!(account.apply(&down(-11), &memo(), NOW), Err(insufficient(11, 10)));
    account.apply(&down(-10), &memo(), NOW).unwrap();
    account.apply(&down(3), &memo(), NOW).unwrap();
    assert_eq!(account.balance().of(Source::Adjustment), Credits::of(3));
}

#[test]
fn a_balance_never_passes_the_largest_number() {
    let mut account = Account::new(AccountId(1));
    let most = NewGrant { source: Source::Signup, amount: Credits::MAX, expires_at: None, reference: None };
    account.apply(&Operation::Grant(most), &memo(), NOW).unwrap();
    assert_eq!(account.apply(&grant(Source::Signup, 1, None), &memo(), NOW), Err(Refusal::BalanceTooLarge));
}

fn allowance(credits: u32) -> Allowance {
    Allowance {
        plan: PlanId::parse("basic").unwrap(),
        reference: "order".into(),
        credits_per_month: Credits::of(credits),
        anchor: NOW,
        next_month: 0,
    }
}

fn subscribe(credits: u32) -> Operation {
    Operation::Subscribe { allowance: allowance(credits), replaces: None }
}

#[test]
fn a_plan_that_was_decided_upon_another_does_not_begin() {
    let mut account = account(&[subscribe(500)]);
    let before = account.clone();
    assert_eq!(account.apply(&subscribe(500), &memo(), NOW), Err(Refusal::PlanChanged));
    assert_eq!(account, before);
    let replaces = PlanId::parse("basic");
    account.apply(&Operation::Subscribe { allowance: allowance(1_200), replaces }, &memo(), NOW).unwrap();
    assert_eq!(account.total(), Credits::of(1_700));
}

#[test]
fn each_month_the_old_credits_end_and_the_new_ones_come_and_bought_ones_stay() {
    let mut account = account(&[grant(Source::Purchase, 7, None)]);
    account.apply(&subscribe(500), &memo(), NOW).unwrap();
    account.apply(&charge(100), &memo(), NOW).unwrap();
    let next_month = NOW.plus_months(1);
    account.apply(&Operation::RollForward, &memo(), next_month).unwrap();
    let balance = account.balance();
    assert_eq!((balance.of(Source::Monthly), balance.of(Source::Purchase)), (Credits::of(500), Credits::of(7)));
    assert_eq!(balance.next_reset, Some((NOW.plus_months(2), Credits::of(500))));
}

#[test]
fn a_job_that_is_late_by_months_leaves_the_same_history_as_one_in_time() {
    let started = || {
        let mut account = Account::new(AccountId(1));
        account.apply(&subscribe(50), &memo(), NOW).unwrap();
        account
    };
    let (mut late, mut punctual) = (started(), started());
    for month in 1..=14 {
        punctual.roll_forward(NOW.plus_months(month));
        punctual.roll_forward(NOW.plus_months(month));
    }
    late.roll_forward(NOW.plus_months(14));
    assert_eq!(late, punctual);
    assert_eq!(late.total(), Credits::of(50));
    assert!(!late.is_due(NOW.plus_months(14)));
}

/// Whatever has happened, this is true.
fn assert_books_balance(account: &Account) {
    let total = account.total();
    assert_eq!(total, account.available().checked_add(account.held()).unwrap());
    for grant in account.grants() {
        assert!(grant.held <= grant.remaining && grant.remaining <= grant.amount, "{grant:?}");
    }
    let pending = account.holds().iter().filter(|hold| hold.status == HoldStatus::Pending);
    assert_eq!(account.held(), sum(pending.map(|hold| hold.amount)));
    let rows = &account.changes().transactions;
    assert_eq!(rows.last().map_or(Credits::ZERO, |row| row.balance_after), total);
    for pair in rows.windows(2) {
        assert_eq!(pair[0].balance_after, pair[1].balance_before);
        assert!(pair[0].seq < pair[1].seq && pair[0].created_at <= pair[1].created_at);
    }
    for grant in account.grants() {
        let drawn: i64 = rows.iter().flat_map(|row| &row.draws).filter(|d| d.grant == grant.id).map(|d| d.amount).sum();
        assert_eq!(drawn, grant.remaining.get(), "draws of {:?}", grant.id);
    }
}

/// One generated step: which operation, with which numbers, after how many seconds.
fn step() -> impl Strategy<Value = (u8, i64, i64, u32)> {
    (0_u8..9, 0_i64..40, 0_i64..60, 0_u32..20_000)
}

fn operation_of(
    (kind, amount, target, _): (u8, i64, i64, u32),
    current: Option<&PlanId>,
    now: Timestamp,
) -> Option<Operation> {
    let credits = Credits::new(amount).unwrap();
    let some = (amount > 0).then_some(credits);
    Some(match kind {
        0 => Operation::Grant(NewGrant {
            source: Source::ALL[usize::try_from(target).unwrap() % Source::ALL.len()],
            amount: credits,
            expires_at: (target % 3 > 0).then(|| now.plus_seconds(target * 600)),
            reference: None,
        }),
        1 | 2 => Operation::Charge { cost: credits, usage: None },
        3 => Operation::Hold { cost: credits, usage: None, ttl_seconds: target * 900 },
        4 => Operation::Capture { hold: HoldId(Seq(target)), amount: some },
        5 => Operation::Release { hold: HoldId(Seq(target)), reason: "generated".into() },
        6 => Operation::Refund { charge: Seq(target), amount: some },
        7 => Operation::Adjust(CreditDelta::new(amount - 20).ok()?),
        _ => Operation::Subscribe { allowance: allowance(u32::try_from(amount).unwrap()), replaces: current.cloned() },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_in_whatever_order_the_books_balance(steps in prop::collection::vec(step(), 256)) {
        let mut account = Account::new(AccountId(1));
        let mut now = NOW;
        for generated in steps {
            now = now.plus_seconds(i64::from(generated.3));
            let current = account.allowance.as_ref().map(|allowance| allowance.plan.clone());
            let Some(operation) = operation_of(generated, current.as_ref(), now) else { continue };
            // Past charges become known as they would be from the store; the changes are kept for the proof.
            let rows = std::mem::take(&mut account.changes);
            account.changes = rows.clone();
            let known = reloaded(&account).charges;
            account.charges = merge_charges(&account.charges, known);
            account.roll_forward(now);
            let before = account.clone();
            match account.apply(&operation, &memo(), now) {
                Ok(outcome) => prop_assert_eq!(outcome.balance().total, account.total()),
                Err(_) => prop_assert_eq!(&account, &before, "a refusal changed the account"),
            }
            assert_books_balance(&account);
        }
    }
}

fn merge_charges(known: &[Charge], found: Vec<Charge>) -> Vec<Charge> {
    let mut merged = known.to_vec();
    merged.extend(found.into_iter().filter(|charge| known.iter().all(|old| old.seq != charge.seq)));
    merged
}
