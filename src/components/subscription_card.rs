//! A subscription: what it is, what comes next, and what can be done about it.

use crate::api::views::SubscriptionView;
use crate::components::{Moment, credit_count, every, terms_in_words};
use crate::domain::billing::SubscriptionStatus;
use leptos::prelude::*;

/// Plan, price and the next dates; what can be done stands in `children`.
#[component]
pub fn SubscriptionCard(
    /// The subscription.
    subscription: SubscriptionView,
    /// What can be done about it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let terms = terms_in_words(&subscription.plan_name, subscription.terms.interval);
    let tag = tag_of(&subscription);
    let interval = subscription.terms.interval;
    let is_ending = subscription.cancel_at_period_end;
    let scheduled = subscription.scheduled.clone();
    view! {
        <section class="panel subscription" aria-label="Your plan" data-status=status_name(subscription.status)>
            <h2>
                {terms} " "
                {tag.map(|(kind, words)| view! { <span class="tag" data-kind=kind>{words}</span> })}
            </h2>
            <dl class="facts">
                <div>
                    <dt>"Price"</dt>
                    <dd>{subscription.price.in_dollars()} " " <small>{every(interval)}</small></dd>
                </div>
                <div>
                    <dt>"Credits each month"</dt>
                    <dd>{subscription.credits_per_month.to_string()}</dd>
                </div>
                {subscription
                    .next_credits_at
                    .map(|at| view! { <div><dt>"Next credits"</dt><dd><Moment at day_only=true /></dd></div> })}
                <div>
                    <dt>{if is_ending { "Ends on" } else if scheduled.is_some() { "Changes on" } else { "Next payment" }}</dt>
                    <dd>
                        <Moment at=subscription.period_end day_only=true />
                    </dd>
                </div>
            </dl>
            {is_ending
                .then(|| {
                    view! {
                        <p class="note">
                            {format!("{} a month come until then. After that you are on the free plan, and keep what you bought.", credit_count(subscription.credits_per_month))}
                        </p>
                    }
                })}
            {scheduled
                .map(|(terms, name)| {
                    view! {
                        <p class="note">{format!("It becomes {} then.", terms_in_words(&name, terms.interval))}</p>
                    }
                })}
            {children.map(|children| view! { <div class="card-actions">{children()}</div> })}
        </section>
    }
}

fn tag_of(subscription: &SubscriptionView) -> Option<(&'static str, &'static str)> {
    match subscription.status {
        SubscriptionStatus::Incomplete => Some(("hold", "Waiting for its first payment")),
        SubscriptionStatus::PastDue => Some(("clawback", "Past due")),
        SubscriptionStatus::Canceled => Some(("debit", "Over")),
        SubscriptionStatus::Active if subscription.cancel_at_period_end => Some(("hold", "Ends")),
        SubscriptionStatus::Active if subscription.scheduled.is_some() => Some(("hold", "Changes")),
        SubscriptionStatus::Active => None,
    }
}

const fn status_name(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Incomplete => "incomplete",
        SubscriptionStatus::Active => "active",
        SubscriptionStatus::PastDue => "past-due",
        SubscriptionStatus::Canceled => "canceled",
    }
}
