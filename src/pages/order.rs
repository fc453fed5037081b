//! `/orders/:order`: what became of a purchase, and the way back to what one was doing.

use crate::api::shop::load_order;
use crate::api::views::{OrderStatusView, OrderView};
use crate::components::{Loaded, credit_count};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// Paid, declined or still open.
#[component]
pub fn OrderPage() -> impl IntoView {
    let params = use_params_map();
    let order = Resource::new(move || params.read().get("order").unwrap_or_default(), |order| load_order(order, false));
    view! {
        <Title text="Your purchase" />
        <section class="page narrow">
            <Loaded resource=order view=|order: OrderView| view! { <Settled order /> } />
        </section>
    }
}

#[component]
fn Settled(order: OrderView) -> impl IntoView {
    let back = order.return_to.clone();
    let checkout = format!("/checkout/{}", order.id);
    match order.status {
        OrderStatusView::Paid => view! {
            <div class="panel result is-good">
                <h1>"Paid"</h1>
                <p class="lead">{format!("{} are in your account.", credit_count(order.credits))}</p>
                <p class="result-actions">
                    {back
                        .map(|path| view! { <a class="button is-primary" href=path>"Go on where you were"</a> })}
                    <a class="button" href="/history">"See it in the history"</a>
                </p>
            </div>
        }
        .into_any(),
        OrderStatusView::Declined => view! {
            <div class="panel result is-bad">
                <h1>"Declined"</h1>
                <p class="lead">"The payment was declined. Nothing was charged and nothing was added."</p>
                <p class="result-actions">
                    <a class="button is-primary" href=checkout>"Try again"</a>
                    <a class="button" href=back.unwrap_or_else(|| "/plans".to_owned())>"Go back"</a>
                </p>
            </div>
        }
        .into_any(),
        OrderStatusView::Pending | OrderStatusView::Processing | OrderStatusView::Abandoned => view! {
            <div class="panel result">
                <h1>"Not paid yet"</h1>
                <p class="lead">"Nothing was charged."</p>
                <p class="result-actions">
                    <a class="button is-primary" href=checkout>"Go to the payment"</a>
                </p>
            </div>
        }
        .into_any(),
    }
}
