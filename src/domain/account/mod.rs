//! An account: its open grants in burn order, its pending holds, and every operation on them. Each
//! operation checks first and changes after, so a refusal leaves the account byte for byte as it was.

mod clawback;
mod level;
mod months;
mod reset;
mod spend;
mod time;

use crate::domain::credits::{CreditDelta, Credits};
use crate::domain::ids::{AccountId, GrantId, HoldId, PlanId, Seq};
use crate::domain::journal::{Cause, Draw, Receipt, Transaction, TransactionType, Usage};
use crate::domain::metadata::Metadata;
use crate::domain::operation::{Memo, NewGrant, Operation, Outcome, Refusal, Source};
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A lot of credits; `0 <= held <= remaining <= amount` always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Named by the transaction that opened it.
    pub id: GrantId,
    /// Where it came from.
    pub source: Source,
    /// What it is for, unique per source.
    pub reference: Option<String>,
    /// How many credits it had.
    pub amount: Credits,
    /// How many are left, those on hold among them.
    pub remaining: Credits,
    /// How many of them are on hold.
    pub held: Credits,
    /// How many ended unspent.
    pub expired: Credits,
    /// How many were taken back: from what remained, or as debt for what was spent.
    pub clawed_back: Credits,
    /// When it ends; never where absent.
    pub expires_at: Option<Timestamp>,
    /// When it came.
    pub created_at: Timestamp,
}

impl Grant {
    /// A new one, with all of it left and no reference.
    fn open(id: GrantId, source: Source, amount: Credits, expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            id,
            source,
            reference: None,
            amount,
            remaining: amount,
            held: Credits::ZERO,
            expired: Credits::ZERO,
            clawed_back: Credits::ZERO,
            expires_at,
            created_at: now,
        }
    }

    /// What can be spent of it.
    pub fn available(&self) -> Credits {
        self.remaining.saturating_sub(self.held)
    }

    /// Its place in the burn order: soonest to expire, never-expiring last, free before paid, oldest
    /// first, id.
    fn burn_order(&self) -> (Timestamp, bool, Timestamp, GrantId) {
        let end = self.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX));
        (end, self.source.is_paid(), self.created_at, self.id)
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldStatus {
    /// The credits are reserved.
    Pending,
    /// All or part of it was taken.
    Captured,
    /// It was given back.
    Released,
    /// Nobody settled it in time; it went back by itself.
    Expired,
}

impl HoldStatus {
    /// As stored, and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Captured, Self::Released, Self::Expired]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// Credits reserved on named grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Named by the change that made it.
    pub id: HoldId,
    /// How many credits.
    pub amount: Credits,
    /// What became of it.
    pub status: HoldStatus,
    /// How much of it was taken.
    pub captured: Credits,
    /// What it is for.
    pub usage: Option<Usage>,
    /// One line for people.
    pub description: String,
    /// Who made it.
    pub actor: String,
    /// What the caller attached to it.
    pub metadata: Option<Metadata>,
    /// Why it was given back.
    pub reason: Option<String>,
    /// When it goes back by itself.
    pub deadline: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was captured, released or expired.
    pub settled_at: Option<Timestamp>,
    /// On which grants, in the order in which they are taken.
    pub draws: Vec<(GrantId, Credits)>,
}

/// Credits that come each month. Month `n` begins `n` months after the anchor, clamped to the length of
/// the month; its grant ends when the next month begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Which plan.
    pub plan: PlanId,
    /// What its grants are for: whose free plan it is, or the invoice that pays for these months. The reference of a
    /// grant is this and the number of its month, counted from the first.
    pub reference: String,
    /// How many each month.
    pub credits_per_month: Credits,
    /// Where months are counted from.
    pub anchor: Timestamp,
    /// The first month that this is about.
    pub first_month: u32,
    /// The month whose grant comes next.
    pub next_month: u32,
    /// The first month that is not paid for; `None` where nothing has to be paid.
    pub end_month: Option<u32>,
    /// What that month will bring once it is paid for: only to be told, it brings nothing by itself.
    pub renewal_credits: Credits,
}

impl Allowance {
    /// The months of a plan that costs nothing, from the anchor on.
    pub fn endless(plan: PlanId, reference: String, credits_per_month: Credits, anchor: Timestamp) -> Self {
        Self {
            plan,
            reference,
            credits_per_month,
            anchor,
            first_month: 0,
            next_month: 0,
            end_month: None,
            renewal_credits: Credits::ZERO,
        }
    }

    /// When the next credits come by themselves; `None` where none do before something is paid.
    pub fn next_at(&self) -> Option<Timestamp> {
        let is_paid = self.end_month.is_none_or(|end| self.next_month < end);
        (is_paid && !self.credits_per_month.is_zero()).then(|| self.month_end())
    }

    /// When the month's credits end that came last.
    fn month_end(&self) -> Timestamp {
        self.anchor.plus_months(self.next_month)
    }

    /// When the next credits come, and how many, if what has to be paid for them is paid.
    fn expected(&self) -> Option<(Timestamp, Credits)> {
        let renewal = || (!self.renewal_credits.is_zero()).then(|| (self.month_end(), self.renewal_credits));
        self.next_at().map(|at| (at, self.credits_per_month)).or_else(renewal)
    }
}

/// A past charge, with what a refund of it needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its number.
    pub seq: Seq,
    /// What was used.
    pub usage: Option<Usage>,
    /// What it took from which grant, in the order of taking.
    pub draws: Vec<(GrantId, Credits)>,
    /// How much of it was given back already.
    pub refunded: Credits,
}

impl Charge {
    fn cost(&self) -> Credits {
        sum(self.draws.iter().map(|(_, amount)| *amount))
    }
}

/// A past reset, with what undoing it needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastReset {
    /// The grant that it opened.
    pub grant: GrantId,
    /// What it ended of which grant.
    pub ended: Vec<(GrantId, Credits)>,
}

/// Where an account stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// All that remains.
    pub total: Credits,
    /// What can be spent now.
    pub available: Credits,
    /// What is reserved.
    pub held: Credits,
    /// What was spent of a payment that was returned since; the next credits pay it off.
    pub debt: Credits,
    /// What remains of each source that has something, in the order of [`Source::ALL`].
    pub by_source: Vec<(Source, Credits)>,
    /// The plan.
    pub plan: Option<PlanId>,
    /// When the next monthly credits come, and how many.
    pub next_reset: Option<(Timestamp, Credits)>,
    /// What ends next, and when.
    pub next_expiry: Option<(Timestamp, Credits)>,
}

impl Balance {
    /// What remains of one source.
    pub fn of(&self, source: Source) -> Credits {
        self.by_source.iter().find(|(of, _)| *of == source).map_or(Credits::ZERO, |(_, amount)| *amount)
    }
}

/// What changed since the account was loaded: the rows that are to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New rows of history, in order.
    pub transactions: Vec<Transaction>,
    /// Grants that are new or differ.
    pub grants: BTreeSet<GrantId>,
    /// Holds that are new or differ.
    pub holds: BTreeSet<HoldId>,
    /// Whether the allowance differs.
    pub allowance: bool,
}

/// A wallet of credits, as loaded from the store, and what has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    id: AccountId,
    last_seq: Seq,
    /// The number of the last change when it was loaded: what has a higher one is new.
    loaded_seq: Seq,
    /// In burn order. Those without anything left are here only where a refund may need them.
    grants: Vec<Grant>,
    /// In the order in which they were made: pending ones, and those that changed since loading.
    holds: Vec<Hold>,
    debt: Credits,
    charges: Vec<Charge>,
    resets: Vec<PastReset>,
    allowance: Option<Allowance>,
    changes: Changes,
}

/// What the store has of an account: all open grants and pending holds, and of the rest what the coming
/// operations name.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The number of the last change.
    pub last_seq: Seq,
    /// What is owed.
    pub debt: Credits,
    /// In any order.
    pub grants: Vec<Grant>,
    /// Pending ones, and those that are named.
    pub holds: Vec<Hold>,
    /// Charges that are to be refunded.
    pub charges: Vec<Charge>,
    /// Resets that are to be undone.
    pub resets: Vec<PastReset>,
    /// The credits that come each month.
    pub allowance: Option<Allowance>,
}

impl Account {
    /// An account without anything in it.
    pub fn new(id: AccountId) -> Self {
        Self::load(id, Snapshot::default())
    }

    /// An account as the store has it.
    pub fn load(id: AccountId, snapshot: Snapshot) -> Self {
        let Snapshot { last_seq, debt, mut grants, mut holds, charges, resets, allowance } = snapshot;
        grants.sort_by_key(Grant::burn_order);
        holds.sort_by_key(|hold| hold.id);
        let changes = Changes::default();
        Self { id, last_seq, loaded_seq: last_seq, grants, holds, debt, charges, resets, allowance, changes }
    }

    /// Applies one operation at one moment; what time has made true by then is booked before.
    ///
    /// # Errors
    /// [`Refusal`]; apart from the passing of time the account is then unchanged.
    pub fn apply(&mut self, operation: &Operation, memo: &Memo, now: Timestamp) -> Result<Outcome, Refusal> {
        self.roll_forward(now);
        let outcome = match operation {
            Operation::Grant(grant) => self.grant(grant, memo, now),
            Operation::Charge { cost, usage } => self.charge(*cost, usage.clone(), memo, now),
            Operation::Hold { cost, usage, ttl_seconds } => self.hold(*cost, usage.clone(), *ttl_seconds, memo, now),
            Operation::Capture { hold, amount, by } => self.capture(*hold, *amount, *by, memo, now),
            Operation::Release { hold, reason, by } => self.release(*hold, reason, *by, now),
            Operation::Refund { charge, amount } => self.refund(*charge, *amount, memo, now),
            Operation::Clawback { grant, amount } => self.clawback(*grant, *amount, memo, now),
            Operation::Adjust(delta) => self.adjust(*delta, memo, now),
            Operation::Backfill { target, may_lower } => self.backfill(*target, *may_lower, memo, now),
            Operation::ClawbackTo { grant, total } => self.clawback_to(*grant, *total, memo, now),
            Operation::Subscribe { allowance, replaces } => self.subscribe(allowance, replaces.as_ref(), memo, now),
            Operation::PayMonths { months, until } => self.pay_months(months, *until, memo, now),
            Operation::SetMonths { reference, credits_per_month, renewal_credits } => {
                Ok(self.set_months(reference, *credits_per_month, *renewal_credits))
            }
            Operation::EndMonths { references, back_to } => Ok(self.end_months(references, back_to)),
            Operation::Reset { reference } => self.reset(reference, memo, now),
            Operation::UndoReset { grant } => self.undo_reset(*grant, memo, now),
            Operation::RollForward => Ok(self.rolled()),
        }?;
        self.settle_ends(now);
        Ok(outcome.with_balance(self.balance()))
    }

    /// The account as the store has it once its changes are saved, with nothing in it that only some operations need.
    #[must_use]
    pub fn as_saved(&self) -> Self {
        let open = self.grants.iter().filter(|grant| !grant.remaining.is_zero());
        let pending = self.holds.iter().filter(|hold| hold.status == HoldStatus::Pending);
        let snapshot = Snapshot {
            last_seq: self.last_seq,
            debt: self.debt,
            grants: open.cloned().collect(),
            holds: pending.cloned().collect(),
            charges: Vec::new(),
            resets: Vec::new(),
            allowance: self.allowance.clone(),
        };
        Self::load(self.id, snapshot)
    }

    /// Which account it is.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The number of the last change.
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Whether anything has to be saved.
    pub fn is_changed(&self) -> bool {
        self.last_seq != self.loaded_seq || self.changes.allowance
    }

    /// Whether that number was given since the account was loaded.
    pub fn is_new(&self, seq: Seq) -> bool {
        seq > self.loaded_seq
    }

    /// The grants that are known, in burn order.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The holds that are known.
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// The credits that come each month.
    pub fn allowance(&self) -> Option<&Allowance> {
        self.allowance.as_ref()
    }

    /// What is owed for payments that were returned.
    pub fn debt(&self) -> Credits {
        self.debt
    }

    /// What has to be saved.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// All that remains.
    pub fn total(&self) -> Credits {
        sum(self.grants.iter().map(|grant| grant.remaining))
    }

    /// What can be spent.
    pub fn available(&self) -> Credits {
        sum(self.grants.iter().map(Grant::available))
    }

    /// What is reserved.
    pub fn held(&self) -> Credits {
        sum(self.grants.iter().map(|grant| grant.held))
    }

    /// Where the account stands, for people and programs.
    pub fn balance(&self) -> Balance {
        let of_source = |source| sum(self.grants.iter().filter(|g| g.source == source).map(|g| g.remaining));
        let by_source = Source::ALL.into_iter().map(|source| (source, of_source(source)));
        let next_end = self.grants.iter().filter(|g| !g.available().is_zero()).find_map(|g| g.expires_at);
        let ending_at = |end| sum(self.grants.iter().filter(|g| g.expires_at == Some(end)).map(Grant::available));
        Balance {
            total: self.total(),
            available: self.available(),
            held: self.held(),
            debt: self.debt,
            by_source: by_source.filter(|(_, amount)| !amount.is_zero()).collect(),
            plan: self.allowance.as_ref().map(|allowance| allowance.plan.clone()),
            next_reset: self.allowance.as_ref().and_then(Allowance::expected),
            next_expiry: next_end.map(|end| (end, ending_at(end))),
        }
    }

    /// Credits come in, as a new grant.
    fn grant(&mut self, new: &NewGrant, memo: &Memo, now: Timestamp) -> Result<Outcome, Refusal> {
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::EndsInThePast);
        }
        let kind = match new.source {
            Source::Purchase => TransactionType::Purchase,
            Source::Signup
            | Source::Monthly
            | Source::Promotion
            | Source::Referral
            | Source::Adjustment
            | Source::Restored => TransactionType::Credit,
        };
        self.open_grant(new, kind, Cause::Grant, memo, now)
    }

    /// An administrator's hand: up is a grant that never ends, down takes in burn order.
    fn adjust(&mut self, delta: CreditDelta, memo: &Memo, now: Timestamp) -> Result<Outcome, Refusal> {
        let amount = delta.magnitude();
        if delta.is_up() {
            let new = NewGrant { source: Source::Adjustment, amount, expires_at: None, reference: None };
            return self.open_grant(&new, TransactionType::Credit, Cause::Adjust, memo, now);
        }
        self.spend(amount, Cause::Adjust, None, memo, now)
    }

    fn rolled(&self) -> Outcome {
        Outcome::Rolled { balance: self.balance() }
    }

    fn set_allowance(&mut self, allowance: Allowance) {
        self.allowance = Some(allowance);
        self.changes.allowance = true;
    }

    fn open_grant(
        &mut self,
        new: &NewGrant,
        kind: TransactionType,
        cause: Cause,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        if new.amount.is_zero() {
            return Err(Refusal::NothingAsked);
        }
        self.total().checked_add(new.amount).ok_or(Refusal::BalanceTooLarge)?;
        let id = GrantId(self.last_seq.next());
        let draw = Draw { grant: id, source: new.source, amount: new.amount.get(), expires_at: new.expires_at };
        let opened = Grant::open(id, new.source, new.amount, new.expires_at, now);
        self.insert_grant(Grant { reference: new.reference.clone(), ..opened });
        let outcome = self.book(Entry::new(kind, cause, vec![draw]), memo, now);
        self.repay_from(&[(id, new.amount)], now);
        Ok(outcome)
    }

    fn insert_grant(&mut self, grant: Grant) {
        self.changes.grants.insert(grant.id);
        let place = self.grants.partition_point(|other| other.burn_order() < grant.burn_order());
        self.grants.insert(place, grant);
    }

    /// Writes the row of history for draws that were already made, and gives the receipt.
    fn book(&mut self, entry: Entry, memo: &Memo, now: Timestamp) -> Outcome {
        let amount: i64 = entry.draws.iter().map(|draw| draw.amount).sum();
        let after = self.total();
        self.last_seq = self.last_seq.next();
        let transaction = Transaction {
            seq: self.last_seq,
            kind: entry.kind,
            cause: entry.cause,
            amount,
            balance_before: Credits::new(after.get() - amount).unwrap_or(Credits::ZERO),
            balance_after: after,
            debt_after: self.debt,
            usage: entry.usage,
            description: memo.description.clone(),
            actor: memo.actor.clone(),
            metadata: entry.metadata.or_else(|| memo.metadata.clone()),
            hold: entry.hold,
            refund_of: entry.refund_of,
            created_at: now,
            draws: entry.draws,
        };
        self.changes.transactions.push(transaction.clone());
        Outcome::Receipt(Box::new(Receipt { transaction, balance: self.balance() }))
    }
}

/// What differs between the rows of history.
struct Entry {
    kind: TransactionType,
    cause: Cause,
    draws: Vec<Draw>,
    usage: Option<Usage>,
    metadata: Option<Metadata>,
    hold: Option<HoldId>,
    refund_of: Option<Seq>,
}

impl Entry {
    fn new(kind: TransactionType, cause: Cause, draws: Vec<Draw>) -> Self {
        Self { kind, cause, draws, usage: None, metadata: None, hold: None, refund_of: None }
    }
}

/// Adds up parts of one balance. The balance itself is within the range ([`Refusal::BalanceTooLarge`]),
/// so its parts are.
fn sum(parts: impl Iterator<Item = Credits>) -> Credits {
    parts.fold(Credits::ZERO, |total, part| total.checked_add(part).unwrap_or(Credits::MAX))
}

#[cfg(test)]
mod tests;
