//! Clawback and debt. What a returned payment had granted is taken back from what is left of its grant; what
//! was spent of it becomes debt. The balance never goes below zero: whatever comes in later pays the debt off
//! first, and so does what comes back to a grant that was taken back.

use super::{Account, Entry, Grant};
use crate::domain::credits::Credits;
use crate::domain::ids::GrantId;
use crate::domain::journal::{Cause, TransactionType};
use crate::domain::operation::{Memo, Outcome, Refusal};
use crate::domain::timestamp::Timestamp;

impl Grant {
    /// What can still be taken back: not what ended unspent, and nothing twice.
    fn reclaimable(&self) -> Credits {
        self.amount.saturating_sub(self.expired).saturating_sub(self.clawed_back)
    }
}

impl Account {
    /// Takes a grant back, whole or in part.
    pub(super) fn clawback(
        &mut self,
        id: GrantId,
        amount: Option<Credits>,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let grant = self.grants.iter().find(|grant| grant.id == id).ok_or(Refusal::NoSuchGrant)?;
        let reclaimable = grant.reclaimable();
        let amount = amount.unwrap_or(reclaimable);
        if amount > reclaimable || reclaimable.is_zero() {
            return Err(Refusal::ClawbackAboveGrant { reclaimable });
        }
        if amount.is_zero() {
            return Err(Refusal::NothingAsked);
        }
        self.take_back(id, amount, Cause::Clawback, memo, now)
    }

    /// Takes a grant back until so much of it was taken, as far as it did not end unspent.
    pub(super) fn clawback_to(
        &mut self,
        id: GrantId,
        total: Credits,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let grant = self.grants.iter().find(|grant| grant.id == id).ok_or(Refusal::NoSuchGrant)?;
        let amount = total.saturating_sub(grant.clawed_back).min(grant.reclaimable());
        if amount.is_zero() {
            return Ok(self.rolled());
        }
        self.take_back(id, amount, Cause::Clawback, memo, now)
    }

    /// Takes from what is left of the grant, and makes debt of the rest. What is on hold counts as spent: if
    /// the hold is released, it pays the debt off.
    pub(super) fn take_back(
        &mut self,
        id: GrantId,
        amount: Credits,
        cause: Cause,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let grant = self.grants.iter().find(|grant| grant.id == id).ok_or(Refusal::NoSuchGrant)?;
        let taken = grant.available().min(amount);
        let debt = self.debt.checked_add(amount.saturating_sub(taken)).ok_or(Refusal::BalanceTooLarge)?;
        self.debt = debt;
        self.change_grant(id, |grant| {
            grant.clawed_back = grant.clawed_back.checked_add(amount).unwrap_or(grant.amount);
        });
        let draws = if taken.is_zero() { Vec::new() } else { vec![self.take(id, taken)] };
        Ok(self.book(Entry::new(TransactionType::Clawback, cause, draws), memo, now))
    }

    /// Pays off debt with what has come into these grants, and no more: what they had before was not owed.
    pub(super) fn repay_from(&mut self, incoming: &[(GrantId, Credits)], now: Timestamp) {
        let mut draws = Vec::new();
        for (id, amount) in incoming {
            let available = self.grants.iter().find(|grant| grant.id == *id).map_or(Credits::ZERO, Grant::available);
            let part = available.min(*amount).min(self.debt);
            if !part.is_zero() {
                self.debt = self.debt.saturating_sub(part);
                draws.push(self.take(*id, part));
            }
        }
        if !draws.is_empty() {
            let memo = Memo::system("Paid off what a returned payment had left owing");
            self.book(Entry::new(TransactionType::Clawback, Cause::Repay, draws), &memo, now);
        }
    }

    /// Pays off debt with what a settled hold has freed of grants that were taken back: all of it but what was
    /// captured, which is taken from the first of its draws.
    pub(super) fn repay_from_freed(&mut self, held: &[(GrantId, Credits)], captured: Credits, now: Timestamp) {
        if self.debt.is_zero() {
            return;
        }
        let mut taken = captured;
        let mut freed = Vec::new();
        for (id, amount) in held {
            let spent = taken.min(*amount);
            taken = taken.saturating_sub(spent);
            if self.grants.iter().any(|grant| grant.id == *id && !grant.clawed_back.is_zero()) {
                freed.push((*id, amount.saturating_sub(spent)));
            }
        }
        self.repay_from(&freed, now);
    }
}
