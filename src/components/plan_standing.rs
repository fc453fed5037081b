//! How a plan stands to what someone has: what can be done about it. The server decides; this only labels.

use crate::api::views::PlansView;
use crate::domain::Timestamp;
use crate::domain::billing::SubscriptionStatus;
use crate::domain::catalogue::{Interval, Plan};
use std::cmp::Ordering;

/// What can be done about a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody is signed in.
    SignUp,
    /// A first plan, by a checkout.
    Start,
    /// It is theirs.
    Current,
    /// It is below theirs, which they did not buy.
    Lower,
    /// Nothing is for sale.
    NotForSale,
    /// Something is owed or under way, and settled first.
    PayFirst,
    /// It is theirs, and something else is scheduled that can be taken back.
    Keep,
    /// It comes by itself then.
    Scheduled(Timestamp),
    /// More, now.
    Upgrade,
    /// The same for a year at once, now.
    ByTheYear,
    /// The same, from the end of the year on.
    ByTheMonth,
    /// Less, at the end of the period.
    Downgrade,
    /// Back to the free plan at the end of the period.
    Cancel,
}

/// How `plan`, paid by `interval`, stands to what someone has.
pub fn standing_of(plans: &PlansView, plan: &Plan, interval: Interval) -> Standing {
    if plans.current_plan.is_none() {
        return Standing::SignUp;
    }
    let running =
        plans.subscription.as_ref().filter(|subscription| subscription.status != SubscriptionStatus::Canceled);
    let Some(subscription) = running else {
        return match plans.compare(&plan.id) {
            Ordering::Less => Standing::Lower,
            Ordering::Equal => Standing::Current,
            Ordering::Greater if plans.for_sale => Standing::Start,
            Ordering::Greater => Standing::NotForSale,
        };
    };
    let terms = &subscription.terms;
    let is_scheduled = match &subscription.scheduled {
        Some((scheduled, _)) => scheduled.plan == plan.id && scheduled.interval == interval,
        None => plan.is_free() && subscription.cancel_at_period_end,
    };
    if is_scheduled {
        return Standing::Scheduled(subscription.period_end);
    }
    if terms.plan == plan.id && terms.interval == interval {
        let has_other_plans = subscription.cancel_at_period_end || subscription.scheduled.is_some();
        return if has_other_plans { Standing::Keep } else { Standing::Current };
    }
    match subscription.status {
        SubscriptionStatus::Incomplete | SubscriptionStatus::PastDue => return Standing::PayFirst,
        SubscriptionStatus::Active | SubscriptionStatus::Canceled => {}
    }
    if plan.is_free() {
        return Standing::Cancel;
    }
    if !plans.for_sale {
        return Standing::NotForSale;
    }
    match (plans.catalogue.rank(&plan.id).cmp(&plans.catalogue.rank(&terms.plan)), interval) {
        (Ordering::Greater, _) => Standing::Upgrade,
        (Ordering::Less, _) => Standing::Downgrade,
        (Ordering::Equal, Interval::Year) => Standing::ByTheYear,
        (Ordering::Equal, Interval::Month) => Standing::ByTheMonth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::views::SubscriptionView;
    use crate::domain::billing::Terms;
    use crate::domain::catalogue::Catalogue;
    use crate::domain::{Cents, Credits, PlanId};

    fn plan(id: &str, cents: i64) -> Plan {
        Plan {
            id: PlanId::parse(id).unwrap(),
            name: id.to_owned(),
            month_cents: Cents::try_from(cents).unwrap(),
            year_cents: Cents::try_from(cents * 10).unwrap(),
            ..serde_json::from_value(serde_json::json!({ "id": id, "name": id, "tagline": "" })).unwrap()
        }
    }

    fn terms(plan: &str, interval: Interval) -> Terms {
        Terms { plan: PlanId::parse(plan).unwrap(), interval }
    }

    fn plans(current: Option<&str>, subscription: Option<SubscriptionView>) -> PlansView {
        let catalogue = serde_json::json!({
            "preset": "test", "site_name": "", "promise": "", "signup_credits": 0, "rates": [],
            "plans": [plan("free", 0), plan("basic", 1500), plan("premium", 2900)],
        });
        PlansView {
            catalogue: serde_json::from_value::<Catalogue>(catalogue).unwrap(),
            signup_credits: Credits::ZERO,
            current_plan: current.map(|id| PlanId::parse(id).unwrap()),
            subscription,
            for_sale: true,
            demo_payments: true,
        }
    }

    fn basic_by_the_month() -> SubscriptionView {
        SubscriptionView {
            terms: terms("basic", Interval::Month),
            plan_name: "Basic".into(),
            status: SubscriptionStatus::Active,
            credits_per_month: Credits::of(500),
            price: Cents::try_from(1500).unwrap(),
            period_start: Timestamp::from_millis(0),
            period_end: Timestamp::from_millis(9),
            next_credits_at: None,
            cancel_at_period_end: false,
            scheduled: None,
            grace_ends_at: None,
            demo_declines: None,
        }
    }

    fn standings(plans: &PlansView, interval: Interval) -> Vec<Standing> {
        plans.catalogue.plans.iter().map(|plan| standing_of(plans, plan, interval)).collect()
    }

    #[test]
    fn without_a_subscription_plans_are_started() {
        assert_eq!(standings(&plans(None, None), Interval::Month), [Standing::SignUp; 3]);
        let free = plans(Some("free"), None);
        assert_eq!(standings(&free, Interval::Year), [Standing::Current, Standing::Start, Standing::Start]);
    }

    #[test]
    fn a_subscription_goes_up_now_and_down_later() {
        let basic = plans(Some("basic"), Some(basic_by_the_month()));
        assert_eq!(standings(&basic, Interval::Month), [Standing::Cancel, Standing::Current, Standing::Upgrade]);
        assert_eq!(standings(&basic, Interval::Year), [Standing::Cancel, Standing::ByTheYear, Standing::Upgrade]);
        let premium = SubscriptionView { terms: terms("premium", Interval::Year), ..basic_by_the_month() };
        let premium = plans(Some("premium"), Some(premium));
        assert_eq!(standings(&premium, Interval::Month), [Standing::Cancel, Standing::Downgrade, Standing::ByTheMonth]);
    }

    #[test]
    fn what_is_scheduled_says_so_and_can_be_taken_back() {
        let end = Standing::Scheduled(Timestamp::from_millis(9));
        let ending = SubscriptionView { cancel_at_period_end: true, ..basic_by_the_month() };
        let ending = plans(Some("basic"), Some(ending));
        assert_eq!(standings(&ending, Interval::Month), [end, Standing::Keep, Standing::Upgrade]);
        let changing = SubscriptionView {
            terms: terms("premium", Interval::Month),
            scheduled: Some((terms("basic", Interval::Month), "Basic".into())),
            ..basic_by_the_month()
        };
        let changing = plans(Some("premium"), Some(changing));
        assert_eq!(standings(&changing, Interval::Month), [Standing::Cancel, end, Standing::Keep]);
    }

    #[test]
    fn what_is_owed_comes_first() {
        let owing = SubscriptionView { status: SubscriptionStatus::PastDue, ..basic_by_the_month() };
        let owing = plans(Some("basic"), Some(owing));
        assert_eq!(standings(&owing, Interval::Month), [Standing::PayFirst, Standing::Current, Standing::PayFirst]);
    }
}
