//! `/plans`: plans by month or year, packs, and what things cost.

use super::query_at_start;
use crate::api::billing::load_plans;
use crate::api::views::PlansView;
use crate::components::{CostTable, IntervalSwitch, Loaded, PackOffers, PlanOffers};
use crate::domain::catalogue::Interval;
use leptos::prelude::*;
use leptos_meta::Title;

/// Everything that can be bought.
#[component]
pub fn PlansPage() -> impl IntoView {
    let plans = Resource::new(|| (), |()| load_plans());
    view! {
        <Title text="Plans" />
        <div class="page plans">
            <Loaded resource=plans view=|plans: PlansView| view! { <Offers plans /> } />
        </div>
    }
}

#[component]
fn Offers(plans: PlansView) -> impl IntoView {
    let interval = Interval::parse(&query_at_start("interval")).unwrap_or_else(|| plans.paid_interval());
    let interval = RwSignal::new(interval);
    let return_to = query_at_start("return_to");
    let (packs, rates) = (plans.catalogue.packs.clone(), plans.catalogue.rates.clone());
    let is_closed = !plans.for_sale;
    let has_plans = !plans.catalogue.plans.is_empty();
    let sells_plans = plans.sells_plans();
    let heading = match (sells_plans, packs.is_empty()) {
        (true, true) => "Plans",
        (true, false) => "Plans and packs",
        (false, _) => "Credits",
    };
    view! {
        <header class="page-head">
            <h1>{heading}</h1>
            {has_plans.then(|| view! { <IntervalSwitch interval page="/plans" return_to=return_to.clone() /> })}
        </header>
        {is_closed.then(|| view! { <p class="note">"Nothing can be bought here at the moment."</p> })}
        {has_plans
            .then(|| {
                view! {
                    <h2 class="visually-hidden">"Plans"</h2>
                    <PlanOffers plans interval return_to=return_to.clone() />
                    <p class="note">
                        "Credits of a plan come every month, on a yearly plan too, and last until the next ones come. An upgrade starts a new month now; what is left of the old one stays until its end."
                    </p>
                }
            })}
        {(!is_closed && !packs.is_empty())
            .then(|| {
                view! {
                    <section class="packs-section">
                        <h2>{if sells_plans { "Or once" } else { "Packs of credits" }}</h2>
                        <PackOffers packs return_to=return_to.clone() />
                    </section>
                }
            })}
        <section class="costs" id="costs">
            <h2>"What things cost"</h2>
            <CostTable rates />
        </section>
    }
}
