//! Spending: charge, hold, capture, release and refund. Each finds its draws before it changes anything.

use super::{Account, Charge, Entry, Grant, Hold, HoldStatus, sum};
use crate::domain::credits::Credits;
use crate::domain::ids::{GrantId, HoldId, Seq};
use crate::domain::journal::{Cause, Draw, TransactionType, Usage};
use crate::domain::operation::{HOLD_TTL_SECONDS, Memo, Outcome, RESTORED_TTL_SECONDS, Refusal, Settler, Source};
use crate::domain::timestamp::Timestamp;

impl Account {
    /// Spends a cost at once, from the open grants in burn order.
    pub(super) fn charge(
        &mut self,
        cost: Credits,
        usage: Option<Usage>,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        self.spend(cost, Cause::Charge, usage, memo, now)
    }

    /// Takes credits out: a charge, or an adjustment downwards.
    pub(super) fn spend(
        &mut self,
        cost: Credits,
        cause: Cause,
        usage: Option<Usage>,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let plan = self.plan_draws(cost)?;
        let draws = plan.iter().map(|(grant, amount)| self.take(*grant, *amount)).collect();
        Ok(self.book(Entry { usage, ..Entry::new(TransactionType::Debit, cause, draws) }, memo, now))
    }

    /// Reserves a cost on named grants until the deadline.
    pub(super) fn hold(
        &mut self,
        cost: Credits,
        usage: Option<Usage>,
        ttl_seconds: i64,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        if !HOLD_TTL_SECONDS.contains(&ttl_seconds) {
            return Err(Refusal::HoldTime);
        }
        let draws = self.plan_draws(cost)?;
        for (grant, amount) in &draws {
            self.change_grant(*grant, |grant| grant.held = grant.held.checked_add(*amount).unwrap_or(grant.held));
        }
        self.last_seq = self.last_seq.next();
        let hold = Hold {
            id: HoldId(self.last_seq),
            amount: cost,
            status: HoldStatus::Pending,
            captured: Credits::ZERO,
            usage,
            description: memo.description.clone(),
            actor: memo.actor.clone(),
            metadata: memo.metadata.clone(),
            reason: None,
            deadline: now.plus_seconds(ttl_seconds),
            created_at: now,
            settled_at: None,
            draws,
        };
        self.holds.push(hold.clone());
        self.changes.holds.insert(hold.id);
        Ok(self.hold_outcome(hold))
    }

    /// Takes a pending hold, or part of it; the rest goes back to its grants. Without words of its own the
    /// row of history has those of the hold.
    pub(super) fn capture(
        &mut self,
        id: HoldId,
        amount: Option<Credits>,
        by: Settler,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let hold = self.pending_hold(id, by)?;
        let taken = amount.unwrap_or(hold.amount);
        if taken.is_zero() {
            return Err(Refusal::NothingAsked);
        }
        if taken > hold.amount {
            return Err(Refusal::CaptureAboveHold { held: hold.amount });
        }
        self.settle(id, HoldStatus::Captured, taken, None, now);
        let draws = take_in_order(&hold.draws, taken).map(|(grant, part)| self.take(grant, part)).collect();
        let entry = Entry {
            usage: hold.usage,
            metadata: hold.metadata,
            hold: Some(id),
            ..Entry::new(TransactionType::Debit, Cause::Capture, draws)
        };
        let own_words = (!memo.description.is_empty()).then(|| memo.description.clone());
        let memo = Memo { description: own_words.unwrap_or(hold.description), ..memo.clone() };
        let outcome = self.book(entry, &memo, now);
        self.repay_from_freed(&hold.draws, taken, now);
        Ok(outcome)
    }

    /// Gives a pending hold back.
    pub(super) fn release(
        &mut self,
        id: HoldId,
        reason: &str,
        by: Settler,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        self.pending_hold(id, by)?;
        self.last_seq = self.last_seq.next();
        let settled = self.settle(id, HoldStatus::Released, Credits::ZERO, Some(reason.to_owned()), now);
        let hold = settled.ok_or(Refusal::NoSuchHold)?;
        self.repay_from_freed(&hold.draws, Credits::ZERO, now);
        Ok(self.hold_outcome(hold))
    }

    /// Gives a charge back, whole or in part, to the very grants that it drew from, last drawn first.
    /// What belongs to a grant that has ended comes back as a restored grant.
    pub(super) fn refund(
        &mut self,
        charge: Seq,
        amount: Option<Credits>,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let place = self.charges.iter().position(|known| known.seq == charge).ok_or(Refusal::NoSuchCharge)?;
        let known = self.charges[place].clone();
        let refundable = known.cost().saturating_sub(known.refunded);
        let amount = amount.unwrap_or(refundable);
        if amount > refundable || refundable.is_zero() {
            return Err(Refusal::RefundAboveCharge { refundable });
        }
        if amount.is_zero() {
            return Err(Refusal::NothingAsked);
        }
        self.total().checked_add(amount).ok_or(Refusal::BalanceTooLarge)?;
        self.charges[place].refunded = known.refunded.checked_add(amount).unwrap_or(known.cost());
        let draws = self.give_back(&known, amount, now);
        let entry = Entry {
            usage: known.usage,
            refund_of: Some(charge),
            ..Entry::new(TransactionType::Refund, Cause::Refund, draws)
        };
        let given: Vec<(GrantId, Credits)> = entry.draws.iter().map(|draw| (draw.grant, draw.magnitude())).collect();
        let outcome = self.book(entry, memo, now);
        self.repay_from(&given, now);
        Ok(outcome)
    }

    fn give_back(&mut self, charge: &Charge, amount: Credits, now: Timestamp) -> Vec<Draw> {
        let mut draws = Vec::new();
        let mut ended = Credits::ZERO;
        for (id, part) in parts_to_return(charge, amount) {
            match self.grants.iter().find(|grant| grant.id == id && !grant.has_ended(now)) {
                Some(_) => draws.extend(self.change_grant(id, |grant| {
                    grant.remaining = grant.remaining.checked_add(part).unwrap_or(grant.amount);
                    draw(grant, part.get())
                })),
                None => ended = ended.checked_add(part).unwrap_or(amount),
            }
        }
        if !ended.is_zero() {
            draws.push(self.restore(ended, now));
        }
        draws
    }

    /// Opens the grant that stands in for ended ones; the refund's own row of history opens it.
    fn restore(&mut self, amount: Credits, now: Timestamp) -> Draw {
        let id = GrantId(self.last_seq.next());
        let grant = Grant::open(id, Source::Restored, amount, Some(now.plus_seconds(RESTORED_TTL_SECONDS)), now);
        let opened = draw(&grant, amount.get());
        self.insert_grant(grant);
        opened
    }

    /// Which grants a cost would come from, in burn order.
    ///
    /// # Errors
    /// [`Refusal::Insufficient`] where not all of it is there.
    pub fn plan_draws(&self, cost: Credits) -> Result<Vec<(GrantId, Credits)>, Refusal> {
        self.plan_draws_from(cost, |_| true)
    }

    /// The same, from some of the grants only.
    pub(super) fn plan_draws_from(
        &self,
        cost: Credits,
        is_meant: impl Fn(&Grant) -> bool,
    ) -> Result<Vec<(GrantId, Credits)>, Refusal> {
        if cost.is_zero() {
            return Err(Refusal::NothingAsked);
        }
        let meant = self.grants.iter().filter(|grant| is_meant(grant));
        let open = meant.map(|grant| (grant.id, grant.available())).filter(|(_, left)| !left.is_zero());
        let plan: Vec<_> = take_in_order(&open.collect::<Vec<_>>(), cost).collect();
        if sum(plan.iter().map(|(_, part)| *part)) < cost {
            return Err(Refusal::Insufficient { required: cost, available: self.available() });
        }
        Ok(plan)
    }

    fn pending_hold(&self, id: HoldId, by: Settler) -> Result<Hold, Refusal> {
        let known = self.holds.iter().find(|hold| hold.id == id);
        let hold = known.filter(|hold| by.may_settle(&hold.actor)).ok_or(Refusal::NoSuchHold)?;
        match hold.status {
            HoldStatus::Pending => Ok(hold.clone()),
            status @ (HoldStatus::Captured | HoldStatus::Released | HoldStatus::Expired) => {
                Err(Refusal::HoldSettled(status))
            }
        }
    }

    /// Frees what a hold reserved and marks what became of it.
    pub(super) fn settle(
        &mut self,
        id: HoldId,
        status: HoldStatus,
        captured: Credits,
        reason: Option<String>,
        now: Timestamp,
    ) -> Option<Hold> {
        let hold = self.holds.iter_mut().find(|hold| hold.id == id)?;
        hold.status = status;
        hold.captured = captured;
        hold.reason = reason;
        hold.settled_at = Some(now);
        let settled = hold.clone();
        for (grant, amount) in &settled.draws {
            self.change_grant(*grant, |grant| grant.held = grant.held.saturating_sub(*amount));
        }
        self.changes.holds.insert(id);
        Some(settled)
    }

    fn hold_outcome(&self, hold: Hold) -> Outcome {
        Outcome::Hold { hold: Box::new(hold), balance: self.balance() }
    }

    /// Takes a part out of a grant that was planned to have it.
    pub(super) fn take(&mut self, id: GrantId, part: Credits) -> Draw {
        let taken = self.change_grant(id, |grant| {
            grant.remaining = grant.remaining.saturating_sub(part);
            draw(grant, -part.get())
        });
        // A plan names only grants that are here; a draw on none would show in the proof of the books.
        taken.unwrap_or(Draw { grant: id, source: Source::Adjustment, amount: -part.get(), expires_at: None })
    }

    pub(super) fn change_grant<T>(&mut self, id: GrantId, change: impl FnOnce(&mut Grant) -> T) -> Option<T> {
        let grant = self.grants.iter_mut().find(|grant| grant.id == id)?;
        self.changes.grants.insert(id);
        Some(change(grant))
    }
}

pub(super) fn draw(grant: &Grant, amount: i64) -> Draw {
    Draw { grant: grant.id, source: grant.source, amount, expires_at: grant.expires_at }
}

/// Splits an amount over parts from the first on; yields less where there is less.
fn take_in_order(parts: &[(GrantId, Credits)], amount: Credits) -> impl Iterator<Item = (GrantId, Credits)> {
    let mut left = amount;
    parts.iter().map_while(move |(grant, part)| {
        let taken = (*part).min(left);
        left = left.saturating_sub(taken);
        (!taken.is_zero()).then_some((*grant, taken))
    })
}

/// What a refund gives back to which grant: from the last draw backwards, past what was given back before.
fn parts_to_return(charge: &Charge, amount: Credits) -> Vec<(GrantId, Credits)> {
    let mut skipped = charge.refunded;
    let mut backwards = Vec::new();
    for (grant, part) in charge.draws.iter().rev() {
        let already = skipped.min(*part);
        skipped = skipped.saturating_sub(already);
        if let Some(left) = part.checked_sub(already).filter(|left| !left.is_zero()) {
            backwards.push((*grant, left));
        }
    }
    take_in_order(&backwards, amount).collect()
}
