//! Not enough credits: what it takes, what there is, and the shortest ways on.

use crate::api::billing::load_plans;
use crate::api::shop::{BuyPack, UpgradePlan};
use crate::api::views::PlansView;
use crate::components::{BuyLink, Icon, Loaded, credit_count, every};
use crate::domain::Credits;
use leptos::prelude::*;

/// Says what is missing and offers the cheapest pack that covers it, the next plan, and all the rest.
/// Afterwards people are back at what they were doing.
#[component]
pub fn InsufficientPrompt(
    /// What it costs.
    required: Credits,
    /// What there is.
    available: Credits,
    /// Where people go back to after paying, with what they had typed.
    return_to: String,
) -> impl IntoView {
    let plans = Resource::new(|| (), |()| load_plans());
    let shortfall = required.saturating_sub(available);
    view! {
        <section class="insufficient" role="alert" aria-labelledby="insufficient-title">
            <h2 id="insufficient-title">
                <Icon name="low" />
                "Not enough credits"
            </h2>
            <dl class="facts">
                <div>
                    <dt>"It takes"</dt>
                    <dd>{required.to_string()}</dd>
                </div>
                <div>
                    <dt>"You have"</dt>
                    <dd>{available.to_string()}</dd>
                </div>
                <div class="is-short">
                    <dt>"Short by"</dt>
                    <dd>{shortfall.to_string()}</dd>
                </div>
            </dl>
            <Loaded
                resource=plans
                view=move |plans: PlansView| view! { <WaysOn plans shortfall return_to=return_to.clone() /> }
            />
        </section>
    }
}

#[component]
fn WaysOn(plans: PlansView, shortfall: Credits, return_to: String) -> impl IntoView {
    let (buy, upgrade) = (ServerAction::<BuyPack>::new(), ServerAction::<UpgradePlan>::new());
    let is_for_sale = plans.for_sale;
    let closed_words = plans
        .catalogue
        .insufficient_message
        .clone()
        .unwrap_or_else(|| "Ask your administrator for more credits.".to_owned());
    let pack = plans.catalogue.cheapest_pack_for(shortfall).cloned().filter(|_| is_for_sale);
    let plan = plans.next_plan().cloned().filter(|_| is_for_sale);
    let interval = plans.paid_interval();
    let (pack_return, plan_return) = (return_to.clone(), return_to.clone());
    view! {
        <div class="ways-on">
            {(!is_for_sale).then(|| view! { <p>{closed_words}</p> })}
            {pack
                .map(|pack| {
                    view! {
                        <ActionForm action=buy>
                            <input type="hidden" name="pack" value=pack.id.to_string() />
                            <input type="hidden" name="return_to" value=pack_return />
                            <button type="submit" class="button is-primary">
                                {format!("Buy {} for {}", credit_count(pack.credits), pack.price_cents.in_dollars())}
                            </button>
                        </ActionForm>
                    }
                })}
            {plan
                .map(|plan| {
                    let price = plan.price(interval).in_dollars();
                    let words = format!("Upgrade to {}: {} a month", plan.name, credit_count(plan.credits_per_month));
                    view! {
                        <ActionForm action=upgrade>
                            <input type="hidden" name="plan" value=plan.id.to_string() />
                            <input type="hidden" name="interval" value=interval.as_str() />
                            <input type="hidden" name="return_to" value=plan_return />
                            <button type="submit" class="button">
                                {format!("{words} for {price} {}", every(interval))}
                            </button>
                        </ActionForm>
                    }
                })}
            {is_for_sale.then(|| view! { <BuyLink return_to>"See all ways"</BuyLink> })}
        </div>
    }
}
