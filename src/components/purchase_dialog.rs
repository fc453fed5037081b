//! The purchase modal. It is a page too: every trigger is a link to `/buy`, which the browser opens as a
//! dialog once the page is alive.

use crate::api::billing::load_plans;
use crate::api::views::PlansView;
use crate::components::{IntervalSwitch, Loaded, PackOffers, PlanOffers, Viewer, encode_query};
use crate::domain::catalogue::Interval;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// A link to more credits: to the page, or to the dialog.
#[component]
pub fn BuyLink(
    /// How it looks.
    #[prop(default = "")]
    class: &'static str,
    /// Where people go back to after paying; the page they are on where absent.
    #[prop(optional, into)]
    return_to: Option<String>,
    /// What it says.
    children: Children,
) -> impl IntoView {
    let viewer = Viewer::expect();
    let location = use_location();
    let here = StoredValue::new(return_to.unwrap_or_else(|| location.pathname.get_untracked()));
    let open = move |event: leptos::ev::MouseEvent| {
        // With a modifier key it is a link like any other.
        if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
            event.prevent_default();
            viewer.open_purchase(here.get_value());
        }
    };
    view! {
        <a class=class href=encode_query("/buy", &[("return_to", &here.get_value())]) on:click=open>
            {children()}
        </a>
    }
}

/// The dialog; empty until it is opened.
#[component]
pub fn PurchaseDialog() -> impl IntoView {
    let viewer = Viewer::expect();
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(element) = dialog.get() else { return };
        match viewer.purchase().get() {
            // It throws where the dialog is open already, which changes nothing.
            Some(_) => drop(element.show_modal()),
            None => element.close(),
        }
    });
    view! {
        <dialog
            class="modal"
            node_ref=dialog
            aria-labelledby="purchase-title"
            on:close=move |_| viewer.close_purchase()
        >
            {move || {
                viewer
                    .purchase()
                    .get()
                    .map(|return_to| {
                        view! {
                            <header class="modal-header">
                                <h2 id="purchase-title">"Add credits"</h2>
                                <button
                                    type="button"
                                    class="close"
                                    aria-label="Close"
                                    on:click=move |_| viewer.close_purchase()
                                >
                                    "×"
                                </button>
                            </header>
                            <PurchaseOptions return_to page="/buy" interval=None />
                        }
                    })
            }}
        </dialog>
    }
}

/// Packs and plans to choose from, in the dialog and on its page.
#[component]
pub fn PurchaseOptions(
    /// Where people go back to after paying.
    return_to: String,
    /// The page that links lead to.
    page: &'static str,
    /// Month or year at first; as they pay now where absent.
    #[prop(optional_no_strip)]
    interval: Option<Interval>,
) -> impl IntoView {
    let plans = Resource::new(|| (), |()| load_plans());
    view! {
        <Loaded
            resource=plans
            view=move |plans: PlansView| {
                let chosen = RwSignal::new(interval.unwrap_or_else(|| plans.paid_interval()));
                view! { <Options plans return_to=return_to.clone() page chosen /> }
            }
        />
    }
}

#[component]
fn Options(plans: PlansView, return_to: String, page: &'static str, chosen: RwSignal<Interval>) -> impl IntoView {
    let packs = plans.catalogue.packs.clone();
    let (has_plans, is_demo) = (plans.next_plan().is_some(), plans.demo_payments);
    let is_closed = !plans.for_sale;
    view! {
        <div class="purchase-options">
            {is_closed.then(|| view! { <p class="note">"Nothing is for sale here. Ask your administrator for credits."</p> })}
            {(!is_closed && !packs.is_empty())
                .then(|| {
                    view! {
                        <section>
                            <h3>{if has_plans { "Once" } else { "Packs of credits" }}</h3>
                            <PackOffers packs return_to=return_to.clone() />
                        </section>
                    }
                })}
            {(!is_closed && has_plans)
                .then(|| {
                    view! {
                        <section>
                            <h3>"With a plan"</h3>
                            <IntervalSwitch interval=chosen page return_to=return_to.clone() />
                            <PlanOffers plans interval=chosen return_to=return_to.clone() only_upgrades=true />
                        </section>
                    }
                })}
            {is_demo.then(|| view! { <p class="note">"Payments are a demonstration: no money moves."</p> })}
        </div>
    }
}
