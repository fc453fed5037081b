//! Monthly credits begun anew out of turn, and the way back.

use super::*;

/// A pack and a plan of which a hundred were spent: grants 1 and 2, charge 3.
fn started() -> Account {
    account(&[grant(Source::Purchase, 7, None), subscribe(500), charge(100)])
}

/// The same after a reset: what it ended is row 4, what it granted is 5.
fn reset_once() -> Account {
    let mut account = started();
    apply_all(&mut account, &[reset()], NOW);
    reloaded(&account)
}

fn months(count: u32) -> Timestamp {
    NOW.plus_months(count)
}

#[test]
fn a_reset_ends_the_old_monthly_credits_and_grants_the_month_anew() {
    let mut account = started();
    let before = account.clone();
    let receipt = receipt(account.apply(&reset(), &memo(), NOW).unwrap());
    let row = &receipt.transaction;
    assert_eq!((row.kind, row.cause, row.amount), (TransactionType::Credit, Cause::Reset, 500));
    let rows = &account.changes().transactions;
    let ended = &rows[rows.len() - 2];
    assert_eq!((ended.kind, ended.cause, ended.amount), (TransactionType::Expiry, Cause::Reset, -400));
    let balance = receipt.balance;
    assert_eq!((balance.of(Source::Monthly), balance.of(Source::Purchase)), (Credits::of(500), Credits::of(7)));
    assert_eq!(balance.next_expiry, Some((months(1), Credits::of(500))), "it ends when the month does");
    assert_eq!(account.allowance(), before.allowance(), "the next month comes as if nothing had been");
}

#[test]
fn the_month_after_a_reset_begins_on_its_own_day() {
    let mut account = reset_once();
    account.roll_forward(months(1));
    assert_eq!(standing(&account), (507, 0, 0));
    assert_eq!(account.balance().next_reset, Some((months(2), Credits::of(500))));
    let mid_month = months(1).plus_seconds(5 * DAY);
    apply_all(&mut account, &[charge(20), reset()], mid_month);
    assert_eq!(standing(&account), (507, 0, 0));
    assert_eq!(account.balance().next_expiry, Some((months(2), Credits::of(500))));
    account.roll_forward(months(2));
    assert_eq!(standing(&account), (507, 0, 0));
}

#[test]
fn what_is_on_hold_outlives_a_reset() {
    let mut account = account(&[subscribe(10), hold(4), reset()]);
    assert_eq!(standing(&account), (14, 4, 0));
    apply_all(&mut account, &[capture(2, None)], NOW);
    assert_eq!(standing(&account), (10, 0, 0));
}

#[test]
fn without_monthly_credits_there_is_nothing_to_reset() {
    for mut account in [account(&[grant(Source::Signup, 10, None)]), account(&[subscribe(0)])] {
        let before = account.clone();
        assert_eq!(account.apply(&reset(), &memo(), NOW), Err(Refusal::NoMonthlyCredits));
        assert_eq!(account, before);
    }
}

#[test]
fn undone_at_once_everything_is_as_before() {
    let (before, mut account) = (started(), reset_once());
    let outcome = account.apply(&undo(5), &memo(), NOW).unwrap();
    assert_eq!(*outcome.balance(), before.balance());
    let others: Vec<_> = account.grants().iter().filter(|grant| grant.id != GrantId(Seq(5))).collect();
    assert_eq!(others, before.grants().iter().collect::<Vec<_>>());
}

#[test]
fn undone_after_spending_the_balance_is_what_it_would_have_been() {
    let (mut never_reset, mut account) = (started(), reset_once());
    for account in [&mut never_reset, &mut account] {
        apply_all(account, &[charge(150)], NOW);
    }
    apply_all(&mut account, &[undo(5)], NOW);
    assert_eq!(account.balance(), never_reset.balance());
}

#[test]
fn what_the_old_credits_do_not_cover_is_owed() {
    let spent_after_reset = |cost| reloaded(&account(&[subscribe(100), charge(80), reset(), charge(cost)]));
    let mut partly = spent_after_reset(70);
    apply_all(&mut partly, &[undo(4)], NOW);
    assert_eq!(standing(&partly), (0, 0, 50));
    let mut wholly = spent_after_reset(100);
    apply_all(&mut wholly, &[undo(4)], NOW);
    assert_eq!(standing(&wholly), (0, 0, 80));
}

#[test]
fn a_hold_on_the_new_credits_counts_after_the_undo_as_if_it_were_on_the_old_ones() {
    let mut released = reloaded(&account(&[subscribe(100), reset(), hold(30)]));
    apply_all(&mut released, &[undo(3)], NOW);
    assert_eq!(released.available(), Credits::of(70));
    let mut captured = released.clone();
    apply_all(&mut released, &[release(4)], NOW);
    assert_eq!(standing(&released), (100, 0, 0));
    apply_all(&mut captured, &[capture(4, None)], NOW);
    assert_eq!(standing(&captured), (70, 0, 0));
}

#[test]
fn a_reset_is_undone_once_and_nothing_else_is_taken_for_one() {
    let mut account = reset_once();
    for no_reset in [1, 2, 3, 4, 6] {
        assert_eq!(account.apply(&undo(no_reset), &memo(), NOW), Err(Refusal::NoSuchReset));
    }
    apply_all(&mut account, &[undo(5)], NOW);
    let before = account.clone();
    assert_eq!(account.apply(&undo(5), &memo(), NOW), Err(Refusal::ResetUndone));
    assert_eq!(account, before);
}

#[test]
fn of_two_resets_the_later_is_undone_first() {
    let started = started();
    // The first reset grants 5, the second 7.
    let mut account = reset_once();
    apply_all(&mut account, &[reset()], NOW);
    let mut account = reloaded(&account);
    assert_eq!(account.apply(&undo(5), &memo(), NOW), Err(Refusal::ResetFollowed));
    apply_all(&mut account, &[undo(7), undo(5)], NOW);
    assert_eq!(account.balance(), started.balance());
}

#[test]
fn a_reset_that_ended_unspent_gives_nothing_back_twice() {
    // Monthly credits that outlast the month: the reset ended them, and its own credits end before them.
    let lasting = grant(Source::Monthly, 10, Some(100));
    let mut account = reloaded(&account(&[subscribe(100), lasting, reset()]));
    account.roll_forward(months(1));
    let first = account.apply(&undo(4), &memo(), months(1));
    assert!(account.total() <= Credits::of(110), "{first:?}");
    let before = account.clone();
    assert_eq!(account.apply(&undo(4), &memo(), months(1)), Err(Refusal::ResetUndone));
    assert_eq!(account, before);
}

#[test]
fn after_the_month_only_what_the_old_credits_would_not_have_covered_is_owed() {
    // Four hundred were left of the old credits; all of both would have ended with the month.
    for (spent, owed) in [(60, 0), (400, 0), (450, 50)] {
        let mut account = reset_once();
        apply_all(&mut account, &[charge(spent)], NOW);
        let mut account = reloaded(&account);
        let undone = account.apply(&undo(5), &memo(), months(1));
        assert_eq!(standing(&account), (507, 0, owed), "{spent}: {undone:?}");
        assert_eq!(undone == Err(Refusal::ResetUndone), owed == 0);
    }
}
