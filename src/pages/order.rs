//! `/orders/:order`: what became of a purchase, and the way back to what one was doing. Who comes back from paying
//! waits here until the provider's word has come.

use crate::api::shop::load_order;
use crate::api::views::{OrderStatusView, OrderView};
use crate::components::{Loaded, Viewer, credit_count, history_row};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use std::time::Duration;

/// How long the page waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same without JavaScript, where the whole page comes anew.
const RELOAD: &str = r#"<meta http-equiv="refresh" content="2">"#;

/// Processing, paid, declined, given up or still open.
#[component]
pub fn OrderPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = move || params.read().get("order").unwrap_or_default();
    let returned = move || query.read().get("returned").is_some();
    let order = Resource::new(move || (id(), returned()), |(id, returned)| load_order(id, returned));
    let order_again = order;
    let viewer = Viewer::expect();
    // The badge in the header has loaded before the credits came.
    Effect::new(move |before: Option<Option<OrderStatusView>>| {
        let before = before.flatten();
        let now = order.get().and_then(Result::ok).map(|order| order.status).or(before);
        if now == Some(OrderStatusView::Paid) && before.is_some_and(|before| before != OrderStatusView::Paid) {
            viewer.refresh();
        }
        now
    });
    view! {
        <Title text="Your purchase" />
        <section class="page narrow order">
            <div aria-live="polite">
                <Loaded
                    resource=order
                    view=move |order: OrderView| match order.status {
                        OrderStatusView::Processing => view! { <Processing look_again=move || order_again.refetch() /> }.into_any(),
                        OrderStatusView::Paid => view! { <Paid order /> }.into_any(),
                        // An earlier try was declined, and the news of a later one may still be on its way.
                        OrderStatusView::Declined if returned() => {
                            view! { <Declined order /> <LookAgain look_again=move || order_again.refetch() /> }.into_any()
                        }
                        OrderStatusView::Declined => view! { <Declined order /> }.into_any(),
                        OrderStatusView::Abandoned => view! { <Abandoned order /> }.into_any(),
                        OrderStatusView::Pending => view! { <Pending order /> }.into_any(),
                    }
                />
            </div>
        </section>
    }
}

/// Looks again every now and then, for as long as it is shown.
#[component]
fn LookAgain<F: Fn() + Copy + Send + Sync + 'static>(look_again: F) -> impl IntoView {
    Effect::new(move || {
        if let Ok(timer) = set_timeout_with_handle(look_again, LOOK_AGAIN) {
            on_cleanup(move || timer.clear());
        }
    });
}

#[component]
fn Processing<F: Fn() + Copy + Send + Sync + 'static>(look_again: F) -> impl IntoView {
    view! {
        <div class="panel result" aria-busy="true">
            <h1>"Processing"</h1>
            <p class="lead">
                "The payment is being confirmed. Your credits come as soon as it is; this page shows it by itself."
            </p>
            <p class="note">"You can also go on: nothing is lost when you leave."</p>
            <noscript inner_html=RELOAD></noscript>
        </div>
        <LookAgain look_again />
    }
}

#[component]
fn Paid(order: OrderView) -> impl IntoView {
    let lead = match order.interval {
        Some(_) => format!("{} are in your account, and as many come each month.", credit_count(order.credits)),
        None => format!("{} are in your account.", credit_count(order.credits)),
    };
    let row = order.granted_row.map_or_else(|| "/history".to_owned(), history_row);
    view! {
        <div class="panel result is-good">
            <h1>"Paid"</h1>
            <p class="lead">{lead}</p>
            <p class="result-actions">
                {order
                    .return_to
                    .map(|path| view! { <a class="button is-primary" href=path>"Go on where you were"</a> })}
                <a class="button" href=row rel="external">"See it in the history"</a>
                <a class="button" href="/billing">"See your billing"</a>
            </p>
        </div>
    }
}

#[component]
fn Declined(order: OrderView) -> impl IntoView {
    let back = order.return_to.clone().unwrap_or_else(|| "/plans".to_owned());
    view! {
        <div class="panel result is-bad">
            <h1>"Declined"</h1>
            <p class="lead">"The payment was declined. Nothing was charged and nothing was added."</p>
            <p class="result-actions">
                {order
                    .checkout_url
                    .map(|url| view! { <a class="button is-primary" href=url>"Try again"</a> })}
                <a class="button" href=back>"Go back"</a>
            </p>
        </div>
    }
}

#[component]
fn Abandoned(order: OrderView) -> impl IntoView {
    let back = order.return_to.clone().unwrap_or_else(|| "/plans".to_owned());
    view! {
        <div class="panel result">
            <h1>"Not bought"</h1>
            <p class="lead">"You left without paying. Nothing was charged and nothing was added."</p>
            <p class="result-actions">
                <a class="button is-primary" href=back>"Go back"</a>
                <a class="button" href="/plans">"See plans and packs"</a>
            </p>
        </div>
    }
}

#[component]
fn Pending(order: OrderView) -> impl IntoView {
    view! {
        <div class="panel result">
            <h1>"Not paid yet"</h1>
            <p class="lead">"Nothing was charged."</p>
            <p class="result-actions">
                {order
                    .checkout_url
                    .map(|url| view! { <a class="button is-primary" href=url>"Go to the payment"</a> })}
            </p>
        </div>
    }
}
