//! `/checkout/:order`: the demo's payment page. It says that it is one.

use crate::api::shop::{AbandonPayment, ApprovePayment, DeclinePayment, load_order};
use crate::api::views::{OrderStatusView, OrderView};
use crate::components::{FormError, Loaded, credit_count, every, terms_in_words};
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
                    OrderStatusView::Pending | OrderStatusView::Declined => view! { <Checkout order /> }.into_any(),
                    OrderStatusView::Paid | OrderStatusView::Processing | OrderStatusView::Abandoned => {
                        view! { <Redirect path=format!("/orders/{}", order.id) /> }.into_any()
                    }
                }
            />
        </section>
    }
}

#[component]
fn Checkout(order: OrderView) -> impl IntoView {
    let approve = ServerAction::<ApprovePayment>::new();
    let decline = ServerAction::<DeclinePayment>::new();
    let abandon = ServerAction::<AbandonPayment>::new();
    let error = Signal::derive(move || {
        let failed = approve.value().get().and_then(Result::err);
        let failed = failed.or_else(|| decline.value().get().and_then(Result::err));
        failed.or_else(|| abandon.value().get().and_then(Result::err))
    });
    let is_busy = move || approve.pending().get() || decline.pending().get() || abandon.pending().get();
    let id = StoredValue::new(order.id.to_string());
    let hidden = move || view! { <input type="hidden" name="order" value=id.get_value() /> };
    let was_declined = order.status == OrderStatusView::Declined;
    view! {
        <p class="demo-banner" role="note">
            <strong>"This is a demonstration."</strong>
            " No money moves, and no card is asked for."
        </p>
        <h1>"Checkout"</h1>
        <div class="panel receipt">
            <OrderLines order=order.clone() />
            {was_declined.then(|| view! { <p class="form-error">"The last try was declined. Nothing was charged."</p> })}
            <FormError error />
            <div class="receipt-actions">
                <ActionForm action=approve>
                    {hidden()}
                    <button type="submit" class="button is-primary is-wide" disabled=is_busy>
                        {format!("Pay {}", order.amount.in_dollars())}
                    </button>
                </ActionForm>
                <ActionForm action=approve>
                    {hidden()}
                    <input type="hidden" name="late" value="true" />
                    <button type="submit" class="button is-wide" disabled=is_busy>
                        "Pay, and let the news of it come late"
                    </button>
                </ActionForm>
                <ActionForm action=decline>
                    {hidden()}
                    <button type="submit" class="button is-wide" disabled=is_busy>
                        "Let the payment be declined"
                    </button>
                </ActionForm>
                <ActionForm action=abandon>
                    {hidden()}
                    <button type="submit" class="link-button" disabled=is_busy>
                        "Go back without paying"
                    </button>
                </ActionForm>
            </div>
        </div>
    }
}

#[component]
fn OrderLines(order: OrderView) -> impl IntoView {
    let (what, credits, how_often) = match order.interval {
        Some(interval) => (
            terms_in_words(&format!("{} plan", order.title), interval),
            format!("{} now, and each month", credit_count(order.credits)),
            every(interval),
        ),
        None => (order.title.clone(), format!("{} now, for good", credit_count(order.credits)), ""),
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
                <dd>{order.amount.in_dollars()} " " <small>{how_often}</small></dd>
            </div>
        </dl>
    }
}
