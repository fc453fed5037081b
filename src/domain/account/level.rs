//! Backfilling an account: the rule of `domain/backfill.rs`, applied to what is there at that moment.

use super::{Account, Entry, Grant, sum};
use crate::domain::backfill::{Backfill, Standing, decide};
use crate::domain::credits::Credits;
use crate::domain::journal::{Cause, TransactionType};
use crate::domain::operation::{Memo, NewGrant, Outcome, Refusal, Source};
use crate::domain::timestamp::Timestamp;

impl Account {
    /// Brings the balance to `target`, as far as free credits reach where it has to be lowered.
    pub(super) fn backfill(
        &mut self,
        target: Credits,
        may_lower: bool,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let free = sum(self.grants.iter().filter(|grant| !grant.source.is_paid()).map(Grant::available));
        match decide(Standing { total: self.total(), debt: self.debt, free }, target, may_lower) {
            Backfill::Raise(amount) => {
                let new = NewGrant { source: Source::Adjustment, amount, expires_at: None, reference: None };
                self.open_grant(&new, TransactionType::Credit, Cause::Adjust, memo, now)
            }
            Backfill::Lower(amount) => {
                let plan = self.plan_draws_from(amount, |grant| !grant.source.is_paid())?;
                let draws = plan.iter().map(|(grant, part)| self.take(*grant, *part)).collect();
                Ok(self.book(Entry::new(TransactionType::Debit, Cause::Adjust, draws), memo, now))
            }
            Backfill::Leave => Ok(self.rolled()),
        }
    }
}
