//! The core by examples, and by generated sequences against the rules that must always hold.

mod clawback;
mod examples;
mod reset;
mod sequences;

use super::*;
use crate::domain::operation::{DEFAULT_HOLD_TTL_SECONDS, Settler};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const DAY: i64 = 86_400;

fn memo() -> Memo {
    Memo::new(Memo::OWNER, "test")
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

fn capture(hold: i64, amount: Option<u32>) -> Operation {
    Operation::Capture { hold: HoldId(Seq(hold)), amount: amount.map(Credits::of), by: Settler::Anyone }
}

fn release(hold: i64) -> Operation {
    Operation::Release { hold: HoldId(Seq(hold)), reason: "the generator failed".into(), by: Settler::Anyone }
}

fn refund(charge: i64, amount: Option<u32>) -> Operation {
    Operation::Refund { charge: Seq(charge), amount: amount.map(Credits::of) }
}

fn clawback(grant: i64, amount: Option<u32>) -> Operation {
    Operation::Clawback { grant: GrantId(Seq(grant)), amount: amount.map(Credits::of) }
}

fn allowance(credits: u32) -> Allowance {
    Allowance::endless(PlanId::parse("basic").unwrap(), "order".into(), Credits::of(credits), NOW)
}

fn subscribe(credits: u32) -> Operation {
    Operation::Subscribe { allowance: allowance(credits), replaces: None }
}

fn reset() -> Operation {
    Operation::Reset { reference: "reset".into() }
}

fn undo(grant: i64) -> Operation {
    Operation::UndoReset { grant: GrantId(Seq(grant)) }
}

fn account(operations: &[Operation]) -> Account {
    let mut account = Account::new(AccountId(1));
    apply_all(&mut account, operations, NOW);
    account
}

fn apply_all(account: &mut Account, operations: &[Operation], at: Timestamp) {
    for operation in operations {
        account.apply(operation, &memo(), at).unwrap();
    }
}

fn receipt(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Receipt(receipt) => *receipt,
        other => panic!("no receipt but {other:?}"),
    }
}

fn insufficient(required: u32, available: u32) -> Refusal {
    Refusal::Insufficient { required: Credits::of(required), available: Credits::of(available) }
}

/// What is there, what of it is on hold, and what is owed.
fn standing(account: &Account) -> (i64, i64, i64) {
    (account.total().get(), account.held().get(), account.debt().get())
}

/// What the store does between two batches: everything saved, past charges and resets to be found again.
fn reloaded(account: &Account) -> Account {
    let snapshot = Snapshot {
        last_seq: account.last_seq,
        debt: account.debt,
        grants: account.grants.clone(),
        holds: account.holds.clone(),
        charges: known_charges(account),
        resets: known_resets(account),
        allowance: account.allowance.clone(),
    };
    Account::load(account.id, snapshot)
}

/// Charges that were known, and those of the new rows.
fn known_charges(account: &Account) -> Vec<Charge> {
    let mut charges = account.charges.clone();
    for row in account.changes.transactions.iter().filter(|row| matches!(row.cause, Cause::Charge | Cause::Capture)) {
        if charges.iter().all(|known| known.seq != row.seq) {
            charges.push(Charge { seq: row.seq, usage: None, draws: taken_by(row), refunded: Credits::ZERO });
        }
    }
    charges
}

/// Resets that were known, and those of the new rows: what a reset ended stands in the row before.
fn known_resets(account: &Account) -> Vec<PastReset> {
    let rows = &account.changes.transactions;
    let of_a_reset = |row: &Transaction, kind: TransactionType| row.cause == Cause::Reset && row.kind == kind;
    let mut resets = account.resets.clone();
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| of_a_reset(row, TransactionType::Credit)) {
        let grant = GrantId(row.seq);
        if resets.iter().all(|known| known.grant != grant) {
            let before = place.checked_sub(1).map(|before| &rows[before]);
            let ending = before.filter(|r| r.seq.next() == row.seq && of_a_reset(r, TransactionType::Expiry));
            resets.push(PastReset { grant, ended: ending.map(taken_by).unwrap_or_default() });
        }
    }
    resets
}

fn taken_by(row: &Transaction) -> Vec<(GrantId, Credits)> {
    row.draws.iter().map(|draw| (draw.grant, Credits::new(-draw.amount).unwrap())).collect()
}
