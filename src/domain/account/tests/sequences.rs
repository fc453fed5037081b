//! Whatever is asked in whatever order: what must always hold, holds after every step.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One generated step: which operation, with which numbers, after how many seconds.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    amount: u32,
    target: i64,
    seconds: i64,
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly minutes, so that holds are settled in time; now and then up to a month, so that months begin.
    let seconds = prop_oneof![40 => 0_i64..2_000, 1 => 0_i64..30 * DAY];
    let numbers = (0_u8..14, 0_u32..40, 0_i64..60, seconds);
    numbers.prop_map(|(kind, amount, target, seconds)| Step { kind, amount, target, seconds })
}

/// One of the latest numbers that there are, or one that may or may not be there.
fn pick(known: impl Iterator<Item = Seq>, target: i64) -> Seq {
    let mut known: Vec<Seq> = known.collect();
    known.sort_unstable();
    let place = usize::try_from(target % 5).unwrap();
    known.iter().rev().take(4).nth(place).copied().unwrap_or(Seq(target))
}

fn operation_of(step: Step, account: &Account, now: Timestamp) -> Operation {
    let Step { kind, amount, target, .. } = step;
    let cost = Credits::of(amount);
    let some = (amount > 0).then_some(cost);
    let place = usize::try_from(target).unwrap();
    let by = [Settler::Owner, Settler::Program, Settler::Anyone][place % 3];
    let hold = || HoldId(pick(account.holds.iter().map(|hold| hold.id.0), target));
    match kind {
        0 | 1 => Operation::Grant(NewGrant {
            source: Source::ALL[place % Source::ALL.len()],
            amount: cost,
            expires_at: (target % 3 > 0).then(|| now.plus_seconds(target * 600)),
            reference: None,
        }),
        2 | 3 => Operation::Charge { cost, usage: None },
        4 => Operation::Hold { cost, usage: None, ttl_seconds: target * 900 },
        5 => Operation::Capture { hold: hold(), amount: some, by },
        6 => Operation::Release { hold: hold(), reason: "generated".into(), by },
        7 => Operation::Refund { charge: pick(account.charges.iter().map(|charge| charge.seq), target), amount: some },
        8 => CreditDelta::new(i64::from(amount) - 20).map_or(Operation::RollForward, Operation::Adjust),
        9 => Operation::Subscribe {
            allowance: allowance(amount),
            replaces: account.allowance.as_ref().map(|allowance| allowance.plan.clone()),
        },
        10 => {
            let grant = GrantId(pick(account.grants.iter().map(|grant| grant.id.0), target));
            Operation::Clawback { grant, amount: some }
        }
        11 => reset(),
        12 => Operation::UndoReset { grant: GrantId(pick(account.resets.iter().map(|past| past.grant.0), target)) },
        _ => Operation::RollForward,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_in_whatever_order_the_books_balance(steps in prop::collection::vec(step(), 256)) {
        let mut account = Account::new(AccountId(1));
        let mut now = NOW;
        for step in steps {
            now = now.plus_seconds(step.seconds);
            // What is past becomes known as it would be from the store; the changes are kept for the proof.
            account.charges = known_charges(&account);
            account.resets = known_resets(&account);
            let operation = operation_of(step, &account, now);
            let maker = [Memo::OWNER, Memo::JOB, "key:a"][step.amount as usize % 3];
            account.roll_forward(now);
            let before = account.clone();
            match account.apply(&operation, &Memo::new(maker, "generated"), now) {
                Ok(outcome) => prop_assert_eq!(outcome.balance().clone(), account.balance()),
                Err(_) => prop_assert_eq!(&account, &before, "a refusal changed the account"),
            }
            assert_books_balance(&account);
        }
    }
}

/// Whatever has happened, this is true.
fn assert_books_balance(account: &Account) {
    let rows = &account.changes.transactions;
    assert_totals_fit(account, rows);
    assert_rows_follow(rows);
    assert_grants_fit(account, rows);
    assert_equation(account, rows);
}

fn assert_totals_fit(account: &Account, rows: &[Transaction]) {
    assert_eq!(Some(account.total()), account.available().checked_add(account.held()));
    let pending = account.holds().iter().filter(|hold| hold.status == HoldStatus::Pending);
    assert_eq!(account.held(), sum(pending.map(|hold| hold.amount)));
    let last = rows.last().map_or((Credits::ZERO, Credits::ZERO), |row| (row.balance_after, row.debt_after));
    assert_eq!(last, (account.total(), account.debt()));
}

fn assert_rows_follow(rows: &[Transaction]) {
    for pair in rows.windows(2) {
        assert_eq!(pair[0].balance_after, pair[1].balance_before);
        assert!(pair[0].seq < pair[1].seq && pair[0].created_at <= pair[1].created_at);
    }
}

/// What a grant says of itself is what the rows of history did to it.
fn assert_grants_fit(account: &Account, rows: &[Transaction]) {
    let drawn = drawn_by_grant(rows, |_| true);
    let ended = drawn_by_grant(rows, |row| match row.kind {
        TransactionType::Expiry => true,
        TransactionType::Credit => row.cause == Cause::Undo,
        TransactionType::Debit | TransactionType::Refund | TransactionType::Purchase | TransactionType::Clawback => {
            false
        }
    });
    for grant in account.grants() {
        assert!(grant.held <= grant.remaining && grant.remaining <= grant.amount, "{grant:?}");
        assert!(grant.expired <= grant.amount && grant.clawed_back <= grant.amount, "{grant:?}");
        assert_eq!(drawn.get(&grant.id), Some(&grant.remaining.get()), "draws of {grant:?}");
        assert_eq!(-ended.get(&grant.id).copied().unwrap_or_default(), grant.expired.get(), "ends of {grant:?}");
    }
}

/// Granted + restored = remaining + consumed - refunded + expired + taken back.
fn assert_equation(account: &Account, rows: &[Transaction]) {
    let granted = moved(rows, |row| match row.kind {
        TransactionType::Purchase => true,
        TransactionType::Credit => row.cause != Cause::Undo,
        TransactionType::Debit | TransactionType::Refund | TransactionType::Expiry | TransactionType::Clawback => false,
    });
    let consumed = -moved(rows, |row| matches!(row.cause, Cause::Charge | Cause::Capture));
    let clawed_back = -moved(rows, |row| row.kind == TransactionType::Clawback);
    let adjusted = -moved(rows, |row| row.kind == TransactionType::Debit && row.cause == Cause::Adjust);
    let expired = of_all_grants(account, |grant| grant.expired);
    // A refund opened a grant where it was drawn to the one of its own number.
    let refunds = rows.iter().filter(|row| row.kind == TransactionType::Refund);
    let draws = refunds.flat_map(|row| row.draws.iter().map(|draw| (draw.grant.0 == row.seq, draw.amount)));
    let (opened, given_back): (Vec<_>, Vec<_>) = draws.partition(|(has_opened, _)| *has_opened);
    let restored: i64 = opened.iter().map(|(_, amount)| amount).sum();
    let refunded: i64 = given_back.iter().map(|(_, amount)| amount).sum();

    assert_eq!(of_all_grants(account, |grant| grant.amount), granted + restored);
    let taken_back = clawed_back + adjusted;
    assert_eq!(granted + restored, account.total().get() + consumed - refunded + expired + taken_back);
    assert_eq!(of_all_grants(account, |grant| grant.clawed_back), clawed_back + account.debt().get());
}

fn of_all_grants(account: &Account, part: fn(&Grant) -> Credits) -> i64 {
    account.grants().iter().map(|grant| part(grant).get()).sum()
}

fn moved(rows: &[Transaction], is_counted: impl Fn(&Transaction) -> bool) -> i64 {
    rows.iter().filter(|row| is_counted(row)).map(|row| row.amount).sum()
}

fn drawn_by_grant(rows: &[Transaction], is_counted: impl Fn(&Transaction) -> bool) -> BTreeMap<GrantId, i64> {
    let mut drawn = BTreeMap::new();
    for draw in rows.iter().filter(|row| is_counted(row)).flat_map(|row| &row.draws) {
        *drawn.entry(draw.grant).or_insert(0) += draw.amount;
    }
    drawn
}
