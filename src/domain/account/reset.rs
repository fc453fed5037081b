//! Resets of monthly credits out of turn, and their exact reversal. Nothing is ever set: the old credits end
//! by one row of history, the new ones come by the next, and both can be reversed.

use super::{Account, Entry, PastReset, sum};
use crate::domain::credits::Credits;
use crate::domain::ids::GrantId;
use crate::domain::journal::{Cause, TransactionType};
use crate::domain::operation::{Memo, NewGrant, Outcome, Refusal, Source};
use crate::domain::timestamp::Timestamp;

impl Account {
    /// Ends what is left of the month's credits and grants the month anew. What is on hold stays until its
    /// hold is settled.
    pub(super) fn reset(&mut self, reference: &str, memo: &Memo, now: Timestamp) -> Result<Outcome, Refusal> {
        let monthly = self
            .allowance
            .as_ref()
            .filter(|known| known.month_end() > now)
            .map(|known| (known.month_end(), known.credits_per_month));
        let (end, credits_per_month) =
            monthly.filter(|(_, credits)| !credits.is_zero()).ok_or(Refusal::NoMonthlyCredits)?;
        let ending = self.open_monthly();
        let staying = self.total().saturating_sub(sum(ending.iter().map(|(_, left)| *left)));
        staying.checked_add(credits_per_month).ok_or(Refusal::BalanceTooLarge)?;
        if !ending.is_empty() {
            let draws = ending.iter().map(|(id, left)| self.expire(*id, *left)).collect();
            let entry = Entry::new(TransactionType::Expiry, Cause::Reset, draws);
            self.book(entry, &Memo::new(memo.actor.clone(), "Monthly credits ended by a reset"), now);
        }
        let month = NewGrant {
            source: Source::Monthly,
            amount: credits_per_month,
            expires_at: Some(end),
            reference: Some(reference.to_owned()),
        };
        self.open_grant(&month, TransactionType::Credit, Cause::Reset, memo, now)
    }

    /// Takes the grant of a reset back, and gives back what the reset had ended. Where the month is over, the
    /// old credits would have ended too, but what was spent of the new ones would have come from them first.
    pub(super) fn undo_reset(&mut self, id: GrantId, memo: &Memo, now: Timestamp) -> Result<Outcome, Refusal> {
        let reset = self.resets.iter().find(|past| past.grant == id).cloned().ok_or(Refusal::NoSuchReset)?;
        let grant = self.grants.iter().find(|grant| grant.id == id).ok_or(Refusal::NoSuchReset)?;
        if !grant.clawed_back.is_zero() {
            return Err(Refusal::ResetUndone);
        }
        if !grant.expired.is_zero() && !grant.has_ended(now) {
            return Err(Refusal::ResetFollowed);
        }
        let back = self.still_lasting(&reset, now);
        let given = sum(back.iter().map(|(_, part)| *part));
        let covered = sum(reset.ended.iter().map(|(_, part)| *part)).saturating_sub(given);
        let available = grant.available();
        let spent = grant.amount.saturating_sub(grant.expired).saturating_sub(available);
        let owed = available.checked_add(spent.saturating_sub(covered)).unwrap_or(grant.amount);
        self.total().saturating_sub(available).checked_add(given).ok_or(Refusal::BalanceTooLarge)?;
        let taken = match owed.is_zero() {
            true if back.is_empty() => return Err(Refusal::ResetUndone),
            true => None,
            false => Some(self.take_back(id, owed, Cause::Undo, memo, now)?),
        };
        match self.unexpire(&back, memo, now) {
            Some(outcome) => Ok(outcome),
            None => taken.ok_or(Refusal::ResetUndone),
        }
    }

    fn open_monthly(&self) -> Vec<(GrantId, Credits)> {
        let monthly = self.grants.iter().filter(|grant| grant.source == Source::Monthly);
        monthly.map(|grant| (grant.id, grant.available())).filter(|(_, left)| !left.is_zero()).collect()
    }

    /// Of what a reset ended, what would not have ended by itself since, and did not come back before.
    fn still_lasting(&self, reset: &PastReset, now: Timestamp) -> Vec<(GrantId, Credits)> {
        let lasting = |(id, ended): &(GrantId, Credits)| {
            let grant = self.grants.iter().find(|grant| grant.id == *id && !grant.has_ended(now))?;
            let part = (*ended).min(grant.expired);
            (!part.is_zero()).then_some((*id, part))
        };
        reset.ended.iter().filter_map(lasting).collect()
    }

    fn unexpire(&mut self, parts: &[(GrantId, Credits)], memo: &Memo, now: Timestamp) -> Option<Outcome> {
        let given = |account: &mut Self, id: GrantId, part: Credits| {
            account.change_grant(id, |grant| {
                grant.expired = grant.expired.saturating_sub(part);
                grant.remaining = grant.remaining.checked_add(part).unwrap_or(grant.amount);
                super::spend::draw(grant, part.get())
            })
        };
        let draws: Vec<_> = parts.iter().filter_map(|(id, part)| given(self, *id, *part)).collect();
        if draws.is_empty() {
            return None;
        }
        let outcome = self.book(Entry::new(TransactionType::Credit, Cause::Undo, draws), memo, now);
        self.repay_from(parts, now);
        Some(outcome)
    }
}
