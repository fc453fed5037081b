//! Months of a plan: those that come for nothing, those that were paid for, and their end. A month that was paid for is
//! granted when it begins, and never without the payment; what ends a plan takes no credits that have come.

use super::{Account, Allowance, Outcome};
use crate::domain::credits::Credits;
use crate::domain::ids::PlanId;
use crate::domain::operation::{Memo, NewGrant, Refusal, Source};
use crate::domain::timestamp::Timestamp;

impl Account {
    /// Starts a plan's months now. Credits of the month before stay until they end.
    pub(super) fn subscribe(
        &mut self,
        allowance: &Allowance,
        replaces: Option<&PlanId>,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        if self.allowance.as_ref().map(|current| &current.plan) != replaces {
            return Err(Refusal::PlanChanged);
        }
        let started = Allowance { anchor: now, next_month: 0, ..allowance.clone() };
        if started.credits_per_month.is_zero() {
            self.set_allowance(started);
            return Ok(self.rolled());
        }
        let outcome = self.grant(&month_of(&started), memo, now)?;
        self.set_allowance(Allowance { next_month: 1, ..started });
        Ok(outcome)
    }

    /// Takes months that were paid for. Those that have begun come now, unless they are over; the others come when
    /// they begin. Where something had ended these months by the time `until`, only those come that began before it
    /// and still last, and what came after them stays as it is.
    pub(super) fn pay_months(
        &mut self,
        months: &Allowance,
        until: Option<Timestamp>,
        memo: &Memo,
        now: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let mut paid = months.clone();
        let mut outcome = self.rolled();
        while paid.next_at().is_some_and(|begins| begins <= now && until.is_none_or(|end| begins < end)) {
            let month = month_of(&paid);
            if month.expires_at.is_some_and(|end| end > now) {
                outcome = self.grant(&month, memo, now)?;
            }
            paid.next_month += 1;
        }
        if until.is_none() {
            self.set_allowance(paid);
        }
        Ok(outcome)
    }

    /// Changes what the months still bring, if they are the ones that count.
    pub(super) fn set_months(
        &mut self,
        reference: &str,
        credits_per_month: Option<Credits>,
        renewal_credits: Option<Credits>,
    ) -> Outcome {
        if let Some(current) = self.allowance.clone().filter(|current| current.reference == reference) {
            let changed = Allowance {
                credits_per_month: credits_per_month.unwrap_or(current.credits_per_month),
                renewal_credits: renewal_credits.unwrap_or(current.renewal_credits),
                ..current.clone()
            };
            if changed != current {
                self.set_allowance(changed);
            }
        }
        self.rolled()
    }

    /// Ends the months, if they are the ones that count, and goes back to others. What has come stays until its end.
    pub(super) fn end_months(&mut self, references: &[String], back_to: &Allowance) -> Outcome {
        if self.allowance.as_ref().is_some_and(|current| references.contains(&current.reference)) {
            self.set_allowance(back_to.clone());
        }
        self.rolled()
    }
}

/// The grant of an allowance's next month.
pub(super) fn month_of(allowance: &Allowance) -> NewGrant {
    NewGrant {
        source: Source::Monthly,
        amount: allowance.credits_per_month,
        expires_at: Some(allowance.anchor.plus_months(allowance.next_month + 1)),
        reference: Some(format!(
            "{}:{}",
            allowance.reference,
            allowance.next_month.saturating_sub(allowance.first_month)
        )),
    }
}
