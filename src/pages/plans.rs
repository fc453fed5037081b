//! `/plans`: plans by month or year, packs, and what things cost.

use super::query_at_start;
use crate::api::shop::load_shop;
use crate::api::views::ShopView;
use crate::components::{CostTable, IntervalSwitch, Loaded, PackOffers, PlanOffers};
use crate::domain::catalogue::Interval;
use leptos::prelude::*;
use leptos_meta::Title;

/// Everything that can be bought.
#[component]
pub fn PlansPage() -> impl IntoView {
    let shop = Resource::new(|| (), |()| load_shop());
    view! {
        <Title text="Plans" />
        <div class="page plans">
            <Loaded resource=shop view=|shop: ShopView| view! { <Offers shop /> } />
        </div>
    }
}

#[component]
fn Offers(shop: ShopView) -> impl IntoView {
    let interval = RwSignal::new(Interval::parse(&query_at_start("interval")).unwrap_or_default());
    let return_to = query_at_start("return_to");
    let (packs, rates) = (shop.catalogue.packs.clone(), shop.catalogue.rates.clone());
    let is_closed = !shop.for_sale;
    let has_plans = !shop.catalogue.plans.is_empty();
    let sells_plans = shop.catalogue.plans.iter().any(|plan| !plan.is_free());
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
                    <PlanOffers shop interval return_to=return_to.clone() />
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
