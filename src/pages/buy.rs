//! `/buy`: the purchase dialog as a page of its own.

use super::query_at_start;
use crate::components::PurchaseOptions;
use crate::domain::catalogue::Interval;
use leptos::prelude::*;
use leptos_meta::Title;

/// Packs and plans, for who has no JavaScript or opens the link in a tab.
#[component]
pub fn BuyPage() -> impl IntoView {
    let return_to = query_at_start("return_to");
    let interval = Interval::parse(&query_at_start("interval"));
    view! {
        <Title text="Add credits" />
        <section class="page buy">
            <h1>"Add credits"</h1>
            <h2 class="visually-hidden">"Ways to pay"</h2>
            <PurchaseOptions return_to page="/buy" interval />
        </section>
    }
}
