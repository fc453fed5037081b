//! What differs between two catalogues, in lines for whoever decides whether the second one shall rule.

use crate::domain::catalogue::{Catalogue, Pack, Plan};
use crate::domain::credits::credit_count;
use crate::domain::rates::Rate;

/// One line for each difference; none where both are the same.
pub fn differences(old: &Catalogue, new: &Catalogue) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |what: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("{what}: {old} -> {new}"));
        }
    };
    compare("preset", old.preset.clone(), new.preset.clone());
    compare("site name", old.site_name.clone(), new.site_name.clone());
    compare("promise", old.promise.clone(), new.promise.clone());
    compare("at sign-up", credit_count(old.signup_credits), credit_count(new.signup_credits));
    let words = |catalogue: &Catalogue| catalogue.insufficient_message.clone().unwrap_or_else(|| "usual".to_owned());
    compare("words for insufficient credits", words(old), words(new));
    lines.extend(compare_entries("plan", &old.plans, &new.plans, |plan| plan.id.as_str(), describe_plan));
    lines.extend(compare_entries("pack", &old.packs, &new.packs, |pack| pack.id.as_str(), describe_pack));
    lines.extend(compare_entries("rate", &old.rates, &new.rates, |rate| rate.feature.as_str(), describe_rate));
    if lines.is_empty() && old != new {
        lines.push("the order of the entries".to_owned());
    }
    lines
}

fn compare_entries<T: PartialEq>(
    kind: &str,
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &str,
    describe: impl Fn(&T) -> String,
) -> Vec<String> {
    let find = |list: &'_ [T], wanted: &str| list.iter().position(|entry| name(entry) == wanted);
    let gone = old.iter().filter(|entry| find(new, name(entry)).is_none());
    let mut lines: Vec<String> = gone.map(|entry| format!("{kind} {}: goes", name(entry))).collect();
    for entry in new {
        let (id, words) = (name(entry), describe(entry));
        match find(old, id).map(|place| &old[place]) {
            None => lines.push(format!("{kind} {id}: new, {words}")),
            Some(before) if before == entry => {}
            Some(before) => lines.push(format!("{kind} {id}: {} -> {words}", describe(before))),
        }
    }
    lines
}

fn describe_plan(plan: &Plan) -> String {
    let price = match plan.is_free() {
        true => "free".to_owned(),
        false => format!("{} a month or {} a year", plan.month_cents.in_dollars(), plan.year_cents.in_dollars()),
    };
    format!("{} ({}), {price}, {} a month", plan.name, plan.tagline, credit_count(plan.credits_per_month))
}

fn describe_pack(pack: &Pack) -> String {
    format!("{} for {}", credit_count(pack.credits), pack.price_cents.in_dollars())
}

fn describe_rate(rate: &Rate) -> String {
    format!("{}, {}", rate.name, rate.in_words())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rates::{Rule, Unit};
    use crate::domain::{Cents, Credits, FeatureId, PlanId};

    fn catalogue() -> Catalogue {
        let plan = |id: &str, credits, cents| Plan {
            id: PlanId::parse(id).unwrap(),
            name: id.to_uppercase(),
            tagline: "x".into(),
            credits_per_month: Credits::of(credits),
            month_cents: Cents::try_from(cents).unwrap(),
            year_cents: Cents::try_from(cents * 10).unwrap(),
            stripe_price: None,
        };
        let rate = Rate {
            feature: FeatureId::parse("api-call").unwrap(),
            name: "API call".into(),
            unit: Unit::Call,
            rule: Rule::PerUnit { cost: Credits::of(1) },
        };
        Catalogue {
            preset: "mine".into(),
            site_name: "Mine".into(),
            promise: "x".into(),
            signup_credits: Credits::of(60),
            insufficient_message: None,
            plans: vec![plan("free", 0, 0), plan("pro", 100, 900)],
            packs: Vec::new(),
            rates: vec![rate],
        }
    }

    #[test]
    fn the_same_catalogue_differs_in_nothing() {
        assert!(differences(&catalogue(), &catalogue()).is_empty());
    }

    #[test]
    fn what_is_new_gone_or_changed_has_a_line() {
        let mut new = catalogue();
        new.signup_credits = Credits::of(100);
        new.plans[1].credits_per_month = Credits::of(150);
        new.rates[0].feature = FeatureId::parse("call").unwrap();
        new.insufficient_message = Some("Write to us.".into());
        let lines = differences(&catalogue(), &new);
        let expected = [
            "at sign-up: 60 credits -> 100 credits",
            "words for insufficient credits: usual -> Write to us.",
            "plan pro: PRO (x), $9 a month or $90 a year, 100 credits a month -> PRO (x), $9 a month or $90 a year, 150 \
             credits a month",
            "rate api-call: goes",
            "rate call: new, API call, 1 credit per call",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn another_order_is_a_difference() {
        let mut new = catalogue();
        new.plans.reverse();
        assert_eq!(differences(&catalogue(), &new), ["the order of the entries"]);
    }
}
