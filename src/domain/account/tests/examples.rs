//! What each operation does, and how it says no.

use super::*;

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
    let capture = capture(2, Some(5));
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
    let refusal = account.apply(&capture(2, Some(5)), &memo(), NOW);
    assert_eq!(refusal, Err(Refusal::CaptureAboveHold { held: Credits::of(4) }));
}

#[test]
fn a_released_hold_costs_nothing_and_says_why() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(8)]);
    account.apply(&release(2), &memo(), NOW).unwrap();
    assert_eq!(account.available(), Credits::of(10));
    assert_eq!(account.holds()[0].reason.as_deref(), Some("the generator failed"));
    assert!(account.changes().transactions.iter().all(|row| row.kind != TransactionType::Debit));
}

#[test]
fn a_hold_past_its_deadline_goes_back_by_itself_and_is_not_captured() {
    let mut account = account(&[grant(Source::Signup, 10, None), hold(8)]);
    let late = NOW.plus_seconds(DEFAULT_HOLD_TTL_SECONDS);
    assert_eq!(account.apply(&capture(2, None), &memo(), late), Err(Refusal::HoldSettled(HoldStatus::Expired)));
    assert_eq!(account.available(), Credits::of(10));
}

/// An account with one hold, number 2, of this maker.
fn held_by(maker: &str) -> Account {
    let mut account = account(&[grant(Source::Signup, 10, None)]);
    account.apply(&hold(8), &Memo::new(maker, "test"), NOW).unwrap();
    account
}

/// What a capture and a release are told.
fn settled_by(by: Settler, account: &Account) -> [Result<(), Refusal>; 2] {
    let capture = Operation::Capture { hold: HoldId(Seq(2)), amount: None, by };
    let release = Operation::Release { hold: HoldId(Seq(2)), reason: "test".into(), by };
    [capture, release].map(|operation| account.clone().apply(&operation, &memo(), NOW).map(|_| ()))
}

#[test]
fn the_hold_of_a_running_job_is_not_there_for_anybody_else() {
    let account = held_by(Memo::JOB);
    let not_there = [Err(Refusal::NoSuchHold), Err(Refusal::NoSuchHold)];
    assert_eq!(settled_by(Settler::Owner, &account), not_there);
    assert_eq!(settled_by(Settler::Program, &account), not_there);
    assert_eq!(settled_by(Settler::Anyone, &account), [Ok(()), Ok(())]);
}

#[test]
fn a_program_settles_the_owners_holds_and_the_owner_none_of_a_program() {
    assert_eq!(settled_by(Settler::Owner, &held_by(Memo::OWNER)), [Ok(()), Ok(())]);
    assert_eq!(settled_by(Settler::Program, &held_by(Memo::OWNER)), [Ok(()), Ok(())]);
    assert_eq!(settled_by(Settler::Program, &held_by("key:a")), [Ok(()), Ok(())]);
    let not_there = [Err(Refusal::NoSuchHold), Err(Refusal::NoSuchHold)];
    assert_eq!(settled_by(Settler::Owner, &held_by("key:a")), not_there);
}

#[test]
fn a_capture_carries_the_metadata_and_without_words_of_its_own_those_of_the_hold() {
    let (first, second) = (Metadata::parse(r#"{"order":"A-7"}"#), Metadata::parse(r#"{"order":"B-8"}"#));
    let captured = |of_the_hold: Memo, own: Memo| {
        let mut account = account(&[grant(Source::Signup, 10, None)]);
        account.apply(&hold(8), &of_the_hold, NOW).unwrap();
        receipt(account.apply(&capture(2, None), &own, NOW).unwrap()).transaction
    };
    let poem = || Memo::new("user", "A poem");
    let row = captured(poem().with_metadata(first.clone()), Memo::new("user", "").with_metadata(second.clone()));
    assert_eq!((row.description.as_str(), row.metadata), ("A poem", first));
    let row = captured(poem(), Memo::new("user", "Two poems").with_metadata(second.clone()));
    assert_eq!((row.description.as_str(), row.metadata), ("Two poems", second));
}

#[test]
fn what_is_on_hold_does_not_end_before_the_hold_is_settled() {
    let long_hold = Operation::Hold { cost: Credits::of(8), usage: None, ttl_seconds: DAY };
    let mut account = Account::new(AccountId(1));
    assert_eq!(account.apply(&grant(Source::Monthly, 10, Some(0)), &memo(), NOW), Err(Refusal::EndsInThePast));
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
    let captured = receipt(account.apply(&capture(2, Some(3)), &memo(), later).unwrap());
    assert_eq!(captured.balance.total, Credits::ZERO, "the receipt tells of the end that follows the capture");
    assert_eq!(account.total(), Credits::ZERO, "what was not taken ends with its grant");
}

#[test]
fn a_refund_goes_back_to_the_grants_it_came_from_last_drawn_first() {
    let spent = account(&[grant(Source::Monthly, 10, Some(30)), grant(Source::Purchase, 10, None), charge(15)]);
    let mut account = reloaded(&spent);
    let receipt = receipt(account.apply(&refund(3, Some(7)), &memo(), NOW).unwrap());
    let draws: Vec<_> = receipt.transaction.draws.iter().map(|draw| (draw.source, draw.amount)).collect();
    assert_eq!(draws, [(Source::Purchase, 5), (Source::Monthly, 2)]);
    let rest = refund(3, None);
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
    account.apply(&refund(2, None), &memo(), later).unwrap();
    assert_eq!(account.balance().of(Source::Restored), Credits::of(6));
    assert_eq!(account.balance().next_expiry, Some((later.plus_seconds(30 * DAY), Credits::of(6))));
}

#[test]
fn a_refund_to_a_restored_grant_that_has_ended_too_is_restored_again() {
    let mut account = reloaded(&account(&[grant(Source::Monthly, 10, Some(1)), charge(6)]));
    let later = NOW.plus_seconds(2 * DAY);
    let restored = receipt(account.apply(&refund(2, None), &memo(), later).unwrap());
    let spent = receipt(account.apply(&charge(5), &memo(), later).unwrap());
    let mut account = reloaded(&account);
    let much_later = later.plus_seconds(31 * DAY);
    let again = receipt(account.apply(&refund(spent.transaction.seq.0, None), &memo(), much_later).unwrap());
    assert_eq!(restored.transaction.draws[0].grant, GrantId(restored.transaction.seq));
    assert_eq!(again.transaction.draws[0].grant, GrantId(again.transaction.seq));
    assert_eq!(again.balance.by_source, [(Source::Restored, Credits::of(5))]);
    assert_eq!(again.balance.next_expiry, Some((much_later.plus_seconds(30 * DAY), Credits::of(5))));
}

#[test]
fn a_charge_that_is_not_there_is_not_refunded() {
    let mut account = reloaded(&account(&[grant(Source::Signup, 10, None)]));
    assert_eq!(account.apply(&refund(1, None), &memo(), NOW), Err(Refusal::NoSuchCharge));
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
