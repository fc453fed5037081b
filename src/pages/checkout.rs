//! `/checkout/:order`: the demo's payment page. It says that it is one.

use crate::api::shop::{ApprovePayment, DeclinePayment, load_order};
use crate::api::views::{OrderStatusView, OrderView};
use crate::components::{FormError, Loaded, credit_count};
use crate::domain::catalogue::Interval;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_params_map;

/// What is to be paid, and the demo's three endings: pay, be declined, go away.
#[component]
pub fn CheckoutPage() -> impl IntoView {
    let params = use_params_map();
    let order = Resource::new(move || params.read().get("order").unwrap_or_default(), |order| load_order(order, false));
    view! {
        <Title text="Checkout" />
        <section class="page narrow checkout">
            <Loaded
                resource=order
                view=|order: OrderView| match order.status {
                    OrderStatusView::Paid => {
                        Either::Left(view! { <Redirect path=format!("/orders/{}", order.id) /> })
                    }
                    OrderStatusView::Pending
                    | OrderStatusView::Processing
                    | OrderStatusView::Declined
                    | OrderStatusView::Abandoned => {
                        Either::Right(view! { <Checkout order /> })
                    }
                }
            />
        </section>
    }
}

#[component]
fn Checkout(order: OrderView) -> impl IntoView {
    let (approve, decline) = (ServerAction::<ApprovePayment>::new(), ServerAction::<DeclinePayment>::new());
    let error = Signal::derive(move || {
        let approved = approve.value().get().and_then(Result::err);
        approved.or_else(|| decline.value().get().and_then(Result::err))
    });
    let is_busy = move || approve.pending().get() || decline.pending().get();
    let (id, declined_id) = (order.id.to_string(), order.id.to_string());
    let back = order.return_to.clone().unwrap_or_else(|| "/plans".to_owned());
    view! {
        <p class="demo-banner" role="note">
            <strong>"This is a demonstration."</strong>
            " No money moves, and no card is asked for."
        </p>
        <h1>"Checkout"</h1>
        <div class="panel receipt">
            <OrderLines order=order.clone() />
            <FormError error />
            <div class="receipt-actions">
                <ActionForm action=approve>
                    <input type="hidden" name="order" value=id />
                    <button type="submit" class="button is-primary is-wide" disabled=is_busy>
                        {format!("Pay {}", order.amount.in_dollars())}
                    </button>
                </ActionForm>
                <ActionForm action=decline>
                    <input type="hidden" name="order" value=declined_id />
                    <button type="submit" class="button is-wide" disabled=is_busy>
                        "Let the payment be declined"
                    </button>
                </ActionForm>
                <a href=back>"Go back without paying"</a>
            </div>
        </div>
    }
}

#[component]
fn OrderLines(order: OrderView) -> impl IntoView {
    let (what, every) = match order.interval {
        Some(Interval::Month) => (format!("{} plan, monthly", order.title), " a month"),
        Some(Interval::Year) => (format!("{} plan, yearly", order.title), " a year"),
        None => (order.title.clone(), ""),
    };
    let credits = match order.interval {
        Some(_) => format!("{} now, and each month", credit_count(order.credits)),
        None => format!("{} now, for good", credit_count(order.credits)),
    };
    view! {
        <dl class="facts">
            <div>
                <dt>"What"</dt>
                <dd>{what}</dd>
            </div>
            <div>
                <dt>"You get"</dt>
                <dd>{credits}</dd>
            </div>
            <div class="is-total">
                <dt>"Due now"</dt>
                <dd>{order.amount.in_dollars()} <small>{every}</small></dd>
            </div>
        </dl>
    }
}
