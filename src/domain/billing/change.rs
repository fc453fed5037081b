//! Changing plans: what a change is, and what it costs and brings, before anyone confirms it.

use super::{Payment, Subscription, SubscriptionStatus, Terms};
use crate::domain::account::Balance;
use crate::domain::catalogue::{Catalogue, Interval, Plan};
use crate::domain::operation::Source;
use crate::domain::{Cents, Credits, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What a wanted change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A first plan: by a checkout.
    Start,
    /// More: now, at the full price, as a new cycle. A higher plan, or the same one by the year instead of the month.
    Upgrade,
    /// Less: at the end of the period. A lower plan, or the same one by the month instead of the year.
    Downgrade,
    /// Back to the free plan: at the end of the period.
    Cancel,
    /// What is there already, while something else is scheduled: takes that back.
    TakeBack,
}

/// A change before it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// What it is.
    pub kind: ChangeKind,
    /// What there is now; `None` without a subscription.
    pub from: Option<Terms>,
    /// What is wanted.
    pub to: Terms,
    /// When it takes effect; the moment of asking where it does so at once.
    pub effective_at: Timestamp,
    /// The price of the first period.
    pub price: Cents,
    /// Money for months of a yearly plan that were paid and not granted yet; it comes off what is due, now and, where
    /// it is more than that, at the next payments.
    pub credited: Cents,
    /// How many months that are.
    pub credited_months: u32,
    /// Due on confirming: the price less what is credited, not below zero.
    pub due_now: Cents,
    /// The next payment.
    pub due_next: Cents,
    /// When; `None` where nothing follows.
    pub due_next_at: Option<Timestamp>,
    /// Credits that come on confirming.
    pub credits_now: Credits,
    /// Credits each month from then on.
    pub credits_per_month: Credits,
    /// Credits of the month already paid that stay, and until when.
    pub kept_monthly: Option<(Credits, Timestamp)>,
    /// Bought and given credits that stay in any case.
    pub kept_for_good: Credits,
    /// Credits a month that come no more.
    pub lost_per_month: Credits,
}

/// Why there is nothing to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreviewRefusal {
    /// There is no such plan.
    #[error("there is no such plan")]
    NoSuchPlan,
    /// It is what there is already.
    #[error("that is the plan already")]
    Same,
    /// A renewal is owed; that is settled first.
    #[error("a payment is owed")]
    PastDue,
}

/// Where an account stands before a change.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Plans and prices.
    pub catalogue: &'a Catalogue,
    /// By which the account has its plan, if by any.
    pub subscription: Option<&'a Subscription>,
    /// The payment of its running period.
    pub paid: Option<&'a Payment>,
    /// How many months of that payment have not come yet.
    pub months_left: u32,
    /// The balance.
    pub balance: &'a Balance,
    /// Now.
    pub now: Timestamp,
}

impl Standing<'_> {
    /// What changing to `to` would cost and bring.
    ///
    /// # Errors
    /// [`PreviewRefusal`] where it cannot be done, or there is nothing to do.
    pub fn preview(&self, to: &Terms) -> Result<Preview, PreviewRefusal> {
        let plan = self.catalogue.plan(&to.plan).ok_or(PreviewRefusal::NoSuchPlan)?;
        let kind = self.kind_of(plan, to)?;
        Ok(match (kind, self.subscription) {
            (ChangeKind::Upgrade, Some(current)) => self.upgrade(current, plan, to),
            (ChangeKind::Downgrade | ChangeKind::Cancel | ChangeKind::TakeBack, Some(current)) => {
                self.at_period_end(kind, current, plan, to)
            }
            (
                ChangeKind::Start
                | ChangeKind::Upgrade
                | ChangeKind::Downgrade
                | ChangeKind::Cancel
                | ChangeKind::TakeBack,
                _,
            ) => self.start(plan, to),
        })
    }

    fn kind_of(&self, plan: &Plan, to: &Terms) -> Result<ChangeKind, PreviewRefusal> {
        let Some(current) = self.subscription else {
            return if plan.is_free() { Err(PreviewRefusal::Same) } else { Ok(ChangeKind::Start) };
        };
        let is_scheduled = current.cancel_at_period_end || current.scheduled.is_some();
        if plan.is_free() {
            return if current.cancel_at_period_end { Err(PreviewRefusal::Same) } else { Ok(ChangeKind::Cancel) };
        }
        if current.terms == *to {
            return if is_scheduled { Ok(ChangeKind::TakeBack) } else { Err(PreviewRefusal::Same) };
        }
        if current.scheduled.as_ref() == Some(to) {
            return Err(PreviewRefusal::Same);
        }
        if current.status == SubscriptionStatus::PastDue {
            return Err(PreviewRefusal::PastDue);
        }
        let by_interval = to.interval.months().cmp(&current.terms.interval.months());
        Ok(match self.catalogue.rank(&to.plan).cmp(&self.catalogue.rank(&current.terms.plan)).then(by_interval) {
            Ordering::Greater => ChangeKind::Upgrade,
            Ordering::Less | Ordering::Equal => ChangeKind::Downgrade,
        })
    }

    fn start(&self, plan: &Plan, to: &Terms) -> Preview {
        let price = plan.price(to.interval);
        Preview {
            kind: ChangeKind::Start,
            from: None,
            to: to.clone(),
            effective_at: self.now,
            price,
            credited: Cents::default(),
            credited_months: 0,
            due_now: price,
            due_next: price,
            due_next_at: Some(self.now.plus_months(to.interval.months())),
            credits_now: plan.credits_per_month,
            credits_per_month: plan.credits_per_month,
            kept_monthly: self.kept_monthly(),
            kept_for_good: self.kept_for_good(),
            lost_per_month: Credits::ZERO,
        }
    }

    fn upgrade(&self, current: &Subscription, plan: &Plan, to: &Terms) -> Preview {
        let credited_months = if current.terms.interval == Interval::Year { self.months_left.min(12) } else { 0 };
        let credited = self.paid.map_or(Cents::default(), |paid| months_in_money(paid, credited_months));
        let price = plan.price(to.interval);
        let left_over = credited.saturating_sub(price);
        Preview {
            kind: ChangeKind::Upgrade,
            from: Some(current.terms.clone()),
            credited,
            credited_months,
            due_now: price.saturating_sub(credited),
            due_next: price.saturating_sub(left_over),
            ..self.start(plan, to)
        }
    }

    fn at_period_end(&self, kind: ChangeKind, current: &Subscription, plan: &Plan, to: &Terms) -> Preview {
        let goes_on = !plan.is_free();
        let price = plan.price(to.interval);
        let lost = current.credits_per_month.saturating_sub(plan.credits_per_month);
        Preview {
            kind,
            from: Some(current.terms.clone()),
            effective_at: if kind == ChangeKind::TakeBack { self.now } else { current.period_end },
            due_now: Cents::default(),
            due_next: price,
            due_next_at: goes_on.then_some(current.period_end),
            credits_now: Credits::ZERO,
            lost_per_month: lost,
            ..self.start(plan, to)
        }
    }

    fn kept_monthly(&self) -> Option<(Credits, Timestamp)> {
        let monthly = self.balance.of(Source::Monthly);
        let until = self.balance.next_expiry.map(|(at, _)| at).or(self.subscription.map(|current| current.period_end));
        until.filter(|_| !monthly.is_zero()).map(|until| (monthly, until))
    }

    fn kept_for_good(&self) -> Credits {
        self.balance.total.saturating_sub(self.balance.of(Source::Monthly))
    }
}

/// What months of a payment are worth that have not come: in proportion, rounded down, without what went back.
fn months_in_money(paid: &Payment, months: u32) -> Cents {
    let kept = paid.price.saturating_sub(paid.refunded);
    let worth = kept.get() * i64::from(months) / i64::from(paid.months().unwrap_or(1).max(1));
    // At most the price, which is in range.
    Cents::try_from(worth).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, catalogue, month, payment, subscription, terms, year};
    use super::*;
    use crate::domain::PlanId;

    fn standing<'a>(catalogue: &'a Catalogue, balance: &'a Balance, current: Option<&'a Subscription>) -> Standing<'a> {
        Standing { catalogue, subscription: current, paid: None, months_left: 0, balance, now: NOW }
    }

    fn cents(amount: i64) -> Cents {
        Cents::try_from(amount).unwrap()
    }

    #[test]
    fn every_change_between_two_plans_has_its_kind() {
        let (catalogue, balance) = (catalogue(), Balance::default());
        let all = [month("basic"), year("basic"), month("premium"), year("premium")];
        let kinds = all.clone().map(|from| {
            let current = subscription(&from);
            let standing = standing(&catalogue, &balance, Some(&current));
            all.clone().map(|to| standing.preview(&to).map(|preview| preview.kind).ok())
        });
        let (up, down, same) = (Some(ChangeKind::Upgrade), Some(ChangeKind::Downgrade), None);
        assert_eq!(kinds[0], [same, up, up, up]);
        assert_eq!(kinds[1], [down, same, up, up]);
        assert_eq!(kinds[2], [down, down, same, up]);
        assert_eq!(kinds[3], [down, down, down, same]);
        let nobody = standing(&catalogue, &balance, None);
        assert_eq!(nobody.preview(&month("basic")).unwrap().kind, ChangeKind::Start);
        assert_eq!(nobody.preview(&month("free")), Err(PreviewRefusal::Same));
        let unknown = Terms { plan: PlanId::parse("gone").unwrap(), interval: Interval::Month };
        assert_eq!(nobody.preview(&unknown), Err(PreviewRefusal::NoSuchPlan));
    }

    #[test]
    fn an_upgrade_costs_the_full_price_now_and_begins_a_new_cycle() {
        let (catalogue, balance) = (catalogue(), Balance::default());
        let current = subscription(&month("basic"));
        let preview = standing(&catalogue, &balance, Some(&current)).preview(&month("premium")).unwrap();
        assert_eq!((preview.due_now, preview.due_next, preview.credited), (cents(2_900), cents(2_900), cents(0)));
        assert_eq!((preview.effective_at, preview.due_next_at), (NOW, Some(NOW.plus_months(1))));
        assert_eq!((preview.credits_now, preview.lost_per_month), (Credits::of(1_200), Credits::ZERO));
    }

    #[test]
    fn months_of_a_year_that_have_not_come_are_credited_in_money() {
        let (catalogue, balance) = (catalogue(), Balance::default());
        let (current, paid) = (subscription(&year("basic")), payment(&year("basic"), 21_000));
        let mut standing = standing(&catalogue, &balance, Some(&current));
        standing.paid = Some(&paid);
        standing.months_left = 7;
        let preview = standing.preview(&year("premium")).unwrap();
        assert_eq!((preview.credited, preview.due_now), (cents(12_250), cents(16_750)));
        let preview = standing.preview(&month("premium")).unwrap();
        assert_eq!((preview.due_now, preview.due_next), (cents(0), cents(0)), "9,350 are left of it");
    }

    #[test]
    fn less_comes_at_the_end_of_the_period_and_costs_nothing_now() {
        let (catalogue, balance) = (catalogue(), Balance::default());
        let current = subscription(&month("premium"));
        let standing = standing(&catalogue, &balance, Some(&current));
        let down = standing.preview(&month("basic")).unwrap();
        assert_eq!((down.due_now, down.due_next, down.effective_at), (cents(0), cents(1_500), current.period_end));
        assert_eq!(down.lost_per_month, Credits::of(700));
        let cancel = standing.preview(&month("free")).unwrap();
        assert_eq!((cancel.kind, cancel.due_next_at), (ChangeKind::Cancel, None));
        assert_eq!(cancel.lost_per_month, Credits::of(1_200));
    }

    #[test]
    fn what_is_scheduled_can_be_taken_back_and_not_asked_for_twice() {
        let (catalogue, balance) = (catalogue(), Balance::default());
        let ending = Subscription { cancel_at_period_end: true, ..subscription(&month("premium")) };
        let standing_of = |current| standing(&catalogue, &balance, Some(current));
        assert_eq!(standing_of(&ending).preview(&month("premium")).unwrap().kind, ChangeKind::TakeBack);
        assert_eq!(standing_of(&ending).preview(&month("free")), Err(PreviewRefusal::Same));
        assert_eq!(standing_of(&ending).preview(&month("basic")).unwrap().kind, ChangeKind::Downgrade);
        let going_down = Subscription { scheduled: Some(month("basic")), ..subscription(&month("premium")) };
        assert_eq!(standing_of(&going_down).preview(&month("basic")), Err(PreviewRefusal::Same));
        assert_eq!(standing_of(&going_down).preview(&month("premium")).unwrap().kind, ChangeKind::TakeBack);
        let owing = Subscription { status: SubscriptionStatus::PastDue, ..subscription(&month("basic")) };
        assert_eq!(standing_of(&owing).preview(&month("premium")), Err(PreviewRefusal::PastDue));
        assert_eq!(standing_of(&owing).preview(&terms("free", Interval::Month)).unwrap().kind, ChangeKind::Cancel);
    }
}
