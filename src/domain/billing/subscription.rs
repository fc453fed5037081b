//! A subscription as a state machine: which states there are, and what may follow what.

use super::{ObservedSubscription, SubscriptionRef};
use crate::domain::catalogue::Interval;
use crate::domain::{AccountId, Credits, OrderId, PlanId, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// Begun, its first payment still to come.
    Incomplete,
    /// Paid.
    Active,
    /// A renewal could not be collected; the plan stays for the days of grace.
    PastDue,
    /// Over, for good.
    Canceled,
}

impl SubscriptionStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Incomplete, Self::Active, Self::PastDue, Self::Canceled];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Canceled => "canceled",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the plan is the account's: paid, or within the days of grace.
    pub const fn is_current(self) -> bool {
        match self {
            Self::Active | Self::PastDue => true,
            Self::Incomplete | Self::Canceled => false,
        }
    }

    /// The state after a provider has said `observed`. What has ended stays so, and what was paid once never goes
    /// back to waiting for its first payment.
    pub const fn after(self, observed: Self) -> Self {
        match (self, observed) {
            (Self::Canceled, _) => Self::Canceled,
            (Self::Active | Self::PastDue, Self::Incomplete) => self,
            (Self::Incomplete | Self::Active | Self::PastDue, _) => observed,
        }
    }
}

/// Which plan, paid how often.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// Which plan.
    pub plan: PlanId,
    /// Paid how often.
    pub interval: Interval,
}

impl Terms {
    /// Takes what a form or a program sent.
    pub fn parse(plan: &str, interval: &str) -> Option<Self> {
        Some(Self { plan: PlanId::parse(plan)?, interval: Interval::parse(interval)? })
    }
}

/// What we keep of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// As the provider names it.
    pub id: SubscriptionRef,
    /// Who takes the money.
    pub provider: String,
    /// Whose.
    pub account: AccountId,
    /// The order that began it.
    pub order: Option<OrderId>,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// Plan and interval now.
    pub terms: Terms,
    /// Credits of each month when it was last paid.
    pub credits_per_month: Credits,
    /// Where its months are counted from; an upgrade begins anew.
    pub anchor: Timestamp,
    /// The period that is running.
    pub period_start: Timestamp,
    /// Its end.
    pub period_end: Timestamp,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
    /// What it changes to at the end of the period.
    pub scheduled: Option<Terms>,
    /// Since when a renewal is owed.
    pub past_due_since: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether it is one too many: the account had another one. It is ended and refunded, and grants nothing.
    pub surplus: bool,
    /// When it came into our books.
    pub created_at: Timestamp,
}

/// A step of the state machine, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transition")]
pub enum Transition {
    /// It is in our books now.
    Began,
    /// Its first payment has come, or a renewal that was owed.
    Activated,
    /// A renewal could not be collected.
    FellBehind,
    /// The next period has begun.
    Renewed,
    /// Another plan or interval, now.
    ChangedTo(Terms),
    /// Another plan or interval at the end of the period.
    ScheduledChangeTo(Terms),
    /// That was taken back.
    TookBackChange,
    /// It will end with the period.
    ScheduledEnd,
    /// That was taken back.
    TookBackEnd,
    /// It is over.
    Ended,
    /// It is one too many.
    FoundSurplus,
}

impl Transition {
    /// As the audit log names it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Began => "subscription_began",
            Self::Activated => "subscription_activated",
            Self::FellBehind => "subscription_fell_behind",
            Self::Renewed => "subscription_renewed",
            Self::ChangedTo(_) => "subscription_changed",
            Self::ScheduledChangeTo(_) => "subscription_change_scheduled",
            Self::TookBackChange => "subscription_change_taken_back",
            Self::ScheduledEnd => "subscription_end_scheduled",
            Self::TookBackEnd => "subscription_end_taken_back",
            Self::Ended => "subscription_ended",
            Self::FoundSurplus => "subscription_one_too_many",
        }
    }
}

impl Subscription {
    /// A subscription that we hear of for the first time.
    pub fn begin(observed: &ObservedSubscription, provider: &str, account: AccountId, now: Timestamp) -> Self {
        Self {
            id: observed.id.clone(),
            provider: provider.to_owned(),
            account,
            order: observed.order.clone(),
            status: SubscriptionStatus::Incomplete,
            terms: observed.terms.clone(),
            credits_per_month: Credits::ZERO,
            anchor: observed.anchor,
            period_start: observed.period_start,
            period_end: observed.period_end,
            cancel_at_period_end: false,
            scheduled: None,
            past_due_since: None,
            ended_at: None,
            surplus: false,
            created_at: now,
        }
    }

    /// Whether the plan is the account's by this subscription.
    pub fn is_current(&self) -> bool {
        self.status.is_current() && !self.surplus
    }

    /// Takes over what the provider says, and tells which steps that were. A subscription that has ended stays so.
    pub fn observe(&mut self, observed: &ObservedSubscription, now: Timestamp) -> Vec<Transition> {
        let mut steps = Vec::new();
        if self.status == SubscriptionStatus::Canceled {
            return steps;
        }
        self.observe_terms(observed, &mut steps);
        self.observe_status(observed, now, &mut steps);
        if self.status != SubscriptionStatus::Canceled {
            self.observe_schedule(observed, &mut steps);
        }
        steps
    }

    fn observe_terms(&mut self, observed: &ObservedSubscription, steps: &mut Vec<Transition>) {
        if self.terms != observed.terms {
            steps.push(Transition::ChangedTo(observed.terms.clone()));
            self.terms = observed.terms.clone();
        }
        if observed.period_start > self.period_start {
            steps.push(Transition::Renewed);
        }
        self.anchor = observed.anchor;
        self.period_start = observed.period_start;
        self.period_end = observed.period_end;
    }

    fn observe_status(&mut self, observed: &ObservedSubscription, now: Timestamp, steps: &mut Vec<Transition>) {
        let after = self.status.after(observed.status);
        if after == self.status {
            return;
        }
        self.status = after;
        match after {
            // `after` never leads back here from another state.
            SubscriptionStatus::Incomplete => {}
            SubscriptionStatus::Active => {
                self.past_due_since = None;
                steps.push(Transition::Activated);
            }
            SubscriptionStatus::PastDue => {
                self.past_due_since = Some(now);
                steps.push(Transition::FellBehind);
            }
            SubscriptionStatus::Canceled => {
                self.ended_at = Some(observed.ended_at.unwrap_or(now));
                self.past_due_since = None;
                self.scheduled = None;
                steps.push(Transition::Ended);
            }
        }
    }

    fn observe_schedule(&mut self, observed: &ObservedSubscription, steps: &mut Vec<Transition>) {
        if self.cancel_at_period_end != observed.cancel_at_period_end {
            self.cancel_at_period_end = observed.cancel_at_period_end;
            steps.push(if observed.cancel_at_period_end { Transition::ScheduledEnd } else { Transition::TookBackEnd });
        }
        // What takes effect now is no longer scheduled.
        let scheduled = observed.scheduled.clone().filter(|terms| *terms != self.terms);
        if self.scheduled != scheduled {
            match &scheduled {
                Some(terms) => steps.push(Transition::ScheduledChangeTo(terms.clone())),
                None if steps.iter().any(|step| matches!(step, Transition::ChangedTo(_))) => {}
                None => steps.push(Transition::TookBackChange),
            }
            self.scheduled = scheduled;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SubscriptionStatus::{Active, Canceled, Incomplete, PastDue};
    use super::*;

    #[test]
    fn every_pair_of_states_has_its_next_state() {
        let after = |from: SubscriptionStatus| SubscriptionStatus::ALL.map(|observed| from.after(observed));
        assert_eq!(after(Incomplete), [Incomplete, Active, PastDue, Canceled]);
        assert_eq!(after(Active), [Active, Active, PastDue, Canceled]);
        assert_eq!(after(PastDue), [PastDue, Active, PastDue, Canceled]);
        assert_eq!(after(Canceled), [Canceled; 4]);
    }
}
