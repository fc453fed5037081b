//! What a returned payment had granted is taken back, and what was spent of it is owed.

use super::*;

fn bought(amount: u32) -> Operation {
    grant(Source::Purchase, amount, None)
}

/// Ten credits were bought and spent, and the payment was returned: grant 1, charge 2, a debt of ten.
fn in_debt() -> Account {
    let mut account = reloaded(&account(&[bought(10), charge(10)]));
    apply_all(&mut account, &[clawback(1, None)], NOW);
    account
}

fn refused(account: &mut Account, operation: &Operation) -> Refusal {
    let before = account.clone();
    let refusal = account.apply(operation, &memo(), NOW).unwrap_err();
    assert_eq!(*account, before, "a refusal changed the account");
    refusal
}

#[test]
fn an_unspent_grant_is_taken_back_whole_and_leaves_no_debt() {
    let mut account = account(&[bought(10), grant(Source::Signup, 5, None)]);
    let receipt = receipt(account.apply(&clawback(1, None), &memo(), NOW).unwrap());
    let row = receipt.transaction;
    assert_eq!((row.kind, row.cause), (TransactionType::Clawback, Cause::Clawback));
    assert_eq!((row.amount, row.debt_after), (-10, Credits::ZERO));
    assert_eq!(receipt.balance.by_source, [(Source::Signup, Credits::of(5))]);
    assert_eq!(standing(&account), (5, 0, 0));
}

#[test]
fn what_was_spent_of_it_is_owed_and_other_credits_stay() {
    let mut account = account(&[bought(10), charge(6), grant(Source::Signup, 3, None)]);
    let receipt = receipt(account.apply(&clawback(1, None), &memo(), NOW).unwrap());
    assert_eq!((receipt.transaction.amount, receipt.transaction.debt_after), (-4, Credits::of(6)));
    assert_eq!((receipt.balance.available, receipt.balance.debt), (Credits::of(3), Credits::of(6)));
}

#[test]
fn what_was_all_spent_moves_nothing_and_is_owed_whole() {
    let account = in_debt();
    let row = account.changes().transactions.last().unwrap();
    assert_eq!((row.amount, row.draws.len(), row.debt_after), (0, 0, Credits::of(10)));
    assert_eq!(standing(&account), (0, 0, 10));
}

#[test]
fn the_next_credits_pay_the_debt_first() {
    let mut account = in_debt();
    let first = receipt(account.apply(&bought(4), &memo(), NOW).unwrap());
    assert_eq!((first.transaction.amount, first.balance.total), (4, Credits::ZERO));
    let row = account.changes().transactions.last().unwrap();
    assert_eq!((row.kind, row.cause), (TransactionType::Clawback, Cause::Repay));
    assert_eq!((row.amount, row.debt_after), (-4, Credits::of(6)));
    apply_all(&mut account, &[bought(10)], NOW);
    assert_eq!(standing(&account), (4, 0, 0));
}

#[test]
fn a_refund_to_the_grant_pays_the_debt() {
    let mut account = in_debt();
    apply_all(&mut account, &[refund(2, Some(4))], NOW);
    assert_eq!(standing(&account), (0, 0, 6));
    apply_all(&mut account, &[refund(2, None)], NOW);
    assert_eq!(standing(&account), (0, 0, 0));
}

#[test]
fn what_is_on_hold_is_owed_until_the_hold_gives_it_back() {
    let taken_back = || account(&[bought(10), hold(8), clawback(1, None)]);
    assert_eq!(standing(&taken_back()), (8, 8, 8));

    let mut released = taken_back();
    apply_all(&mut released, &[release(2)], NOW);
    assert_eq!(standing(&released), (0, 0, 0));

    let mut captured = taken_back();
    apply_all(&mut captured, &[capture(2, Some(5))], NOW);
    assert_eq!(standing(&captured), (0, 0, 5));

    let mut expired = taken_back();
    expired.roll_forward(NOW.plus_seconds(DEFAULT_HOLD_TTL_SECONDS));
    assert_eq!(standing(&expired), (0, 0, 0));
}

#[test]
fn a_settled_hold_pays_no_more_than_it_gave_back() {
    // The first grant was spent and is owed; of the second, five are left beside two on hold.
    let operations = [bought(5), charge(5), bought(10), hold(2), clawback(3, Some(3)), clawback(1, None)];
    let mut released = account(&operations);
    assert_eq!(standing(&released), (7, 2, 5));
    let mut captured = released.clone();

    apply_all(&mut released, &[release(4)], NOW);
    assert_eq!(standing(&released), (5, 0, 3));
    apply_all(&mut captured, &[capture(4, None)], NOW);
    assert_eq!(standing(&captured), (5, 0, 5));
}

#[test]
fn a_refund_pays_no_more_than_it_gave_back() {
    let operations = [bought(30), charge(30), grant(Source::Signup, 50, None), charge(10), clawback(1, None)];
    let mut account = reloaded(&account(&operations));
    assert_eq!(standing(&account), (40, 0, 30));
    apply_all(&mut account, &[refund(4, Some(1))], NOW);
    assert_eq!(standing(&account), (40, 0, 29));
}

#[test]
fn the_month_that_begins_pays_the_debt() {
    let mut account = account(&[subscribe(50), bought(10), charge(60), clawback(2, None)]);
    assert_eq!(standing(&account), (0, 0, 10));
    account.roll_forward(NOW.plus_months(1));
    assert_eq!(standing(&account), (40, 0, 0));
}

#[test]
fn no_more_is_taken_back_than_the_grant_gave_and_nothing_twice() {
    let mut account = account(&[bought(10), charge(4)]);
    let above = |reclaimable| Refusal::ClawbackAboveGrant { reclaimable: Credits::of(reclaimable) };
    assert_eq!(refused(&mut account, &clawback(1, Some(11))), above(10));
    assert_eq!(refused(&mut account, &clawback(1, Some(0))), Refusal::NothingAsked);
    assert_eq!(refused(&mut account, &clawback(2, None)), Refusal::NoSuchGrant);
    apply_all(&mut account, &[clawback(1, None)], NOW);
    assert_eq!(refused(&mut account, &clawback(1, None)), above(0));
    assert_eq!(standing(&account), (0, 0, 4));
}

#[test]
fn a_grant_is_taken_back_in_parts() {
    let mut account = account(&[bought(10), charge(3)]);
    apply_all(&mut account, &[clawback(1, Some(4))], NOW);
    assert_eq!(standing(&account), (3, 0, 0));
    apply_all(&mut account, &[clawback(1, Some(5))], NOW);
    assert_eq!(standing(&account), (0, 0, 2));
    apply_all(&mut account, &[clawback(1, None)], NOW);
    assert_eq!(standing(&account), (0, 0, 3));
}

#[test]
fn what_ended_unspent_is_not_owed() {
    let mut account = account(&[grant(Source::Promotion, 10, Some(1)), charge(4), grant(Source::Referral, 5, Some(1))]);
    account.roll_forward(NOW.plus_seconds(DAY));
    let unspent = account.apply(&clawback(3, None), &memo(), NOW.plus_seconds(DAY));
    assert_eq!(unspent, Err(Refusal::ClawbackAboveGrant { reclaimable: Credits::ZERO }));
    apply_all(&mut account, &[clawback(1, None)], NOW.plus_seconds(DAY));
    assert_eq!(standing(&account), (0, 0, 4));
}
