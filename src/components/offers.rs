//! What can be bought: plans by month or year, and packs. Each button is a plain form.

use crate::api::shop::{BuyPack, UpgradePlan};
use crate::api::views::ShopView;
use crate::components::{FormError, Viewer, credit_count, encode_query};
use crate::domain::catalogue::{Interval, Pack, Plan};
use leptos::either::EitherOf4;
use leptos::prelude::*;
use std::cmp::Ordering;

/// Month or year: links that work by themselves, and switch in place once the page is alive.
#[component]
pub fn IntervalSwitch(
    /// Which is chosen.
    interval: RwSignal<Interval>,
    /// The page that the links lead to.
    page: &'static str,
    /// Where people go back to after paying.
    return_to: String,
) -> impl IntoView {
    let choice = move |choice: Interval, label: &'static str| {
        let href = encode_query(page, &[("interval", choice.as_str()), ("return_to", &return_to)]);
        view! {
            <a
                href=href
                aria-current=move || (interval.get() == choice).then_some("true")
                on:click=move |event| {
                    event.prevent_default();
                    interval.set(choice);
                }
            >
                {label}
            </a>
        }
    };
    view! {
        <p class="interval-switch" role="group" aria-label="Pay by">
            {choice.clone()(Interval::Month, "Monthly")} {choice(Interval::Year, "Yearly")}
        </p>
    }
}

/// All plans, each with what can be done about it.
#[component]
pub fn PlanOffers(
    /// What there is.
    shop: ShopView,
    /// Month or year.
    #[prop(into)]
    interval: Signal<Interval>,
    /// Where people go back to after paying.
    return_to: String,
    /// Whether to leave out what is not above the current plan.
    #[prop(optional)]
    only_upgrades: bool,
) -> impl IntoView {
    let upgrade = ServerAction::<UpgradePlan>::new();
    let error = Signal::derive(move || upgrade.value().get().and_then(Result::err));
    let mut plans = shop.catalogue.plans.clone();
    plans.retain(|plan| !only_upgrades || shop.compare(&plan.id).is_gt());
    view! {
        <FormError error />
        <ul class="plan-offers">
            {plans
                .into_iter()
                .map(|plan| view! { <PlanOffer plan shop=shop.clone() interval upgrade return_to=return_to.clone() /> })
                .collect_view()}
        </ul>
    }
}

#[component]
fn PlanOffer(
    plan: Plan,
    shop: ShopView,
    interval: Signal<Interval>,
    upgrade: ServerAction<UpgradePlan>,
    return_to: String,
) -> impl IntoView {
    let is_current = shop.current_plan.as_ref() == Some(&plan.id);
    let id = plan.id.to_string();
    let credits = if plan.credits_per_month.is_zero() {
        format!("{} once, at sign-up", credit_count(shop.signup_credits))
    } else {
        format!("{} each month", credit_count(plan.credits_per_month))
    };
    view! {
        <li class="panel plan-offer" class:is-current=is_current data-plan=id>
            <h3>{plan.name.clone()} {is_current.then(|| view! { <span class="tag">"Your plan"</span> })}</h3>
            <p class="tagline">{plan.tagline.clone()}</p>
            <PlanPrice plan=plan.clone() interval />
            <p class="plan-credits">{credits}</p>
            <PlanAction plan shop interval upgrade return_to />
        </li>
    }
}

#[component]
fn PlanPrice(plan: Plan, interval: Signal<Interval>) -> impl IntoView {
    let price = {
        let plan = plan.clone();
        move || plan.price(interval.get()).in_dollars()
    };
    let is_free = plan.is_free();
    let unit = move || match interval.get() {
        _ if is_free => "for good",
        Interval::Month => "a month",
        Interval::Year => "a year",
    };
    let saving = plan.yearly_saving();
    let saved = move || {
        let amount = saving.filter(|_| interval.get() == Interval::Year)?;
        Some(view! { <span class="saving">"saves " {amount.in_dollars()} " a year"</span> })
    };
    view! {
        <p class="price">
            <span class="number">{price}</span>
            " "
            <small>{unit}</small>
            {saved}
        </p>
    }
}

#[component]
fn PlanAction(
    plan: Plan,
    shop: ShopView,
    interval: Signal<Interval>,
    upgrade: ServerAction<UpgradePlan>,
    return_to: String,
) -> impl IntoView {
    let is_anonymous = shop.current_plan.is_none();
    if is_anonymous {
        let next = if plan.is_free() { "/dashboard" } else { "/plans" };
        let href = encode_query("/signup", &[("next", next)]);
        return EitherOf4::A(view! {
            <a class="button" class:is-primary=!plan.is_free() href=href>{format!("Start with {}", plan.name)}</a>
        });
    }
    match shop.compare(&plan.id) {
        Ordering::Greater if !shop.for_sale => {
            EitherOf4::C(view! { <p class="note">"Not for sale at the moment."</p> })
        }
        Ordering::Equal => EitherOf4::B(view! { <p class="note">"You have this plan."</p> }),
        Ordering::Less => EitherOf4::C(view! { <p class="note">"Less than the plan you have."</p> }),
        Ordering::Greater => EitherOf4::D(view! {
            <ActionForm action=upgrade>
                <input type="hidden" name="plan" value=plan.id.to_string() />
                <input type="hidden" name="interval" value=move || interval.get().as_str() />
                <input type="hidden" name="return_to" value=return_to />
                <button type="submit" class="button is-primary" disabled=move || upgrade.pending().get()>
                    {format!("Upgrade to {}", plan.name)}
                </button>
            </ActionForm>
        }),
    }
}

/// All packs.
#[component]
pub fn PackOffers(
    /// The packs.
    packs: Vec<Pack>,
    /// Where people go back to after paying.
    return_to: String,
) -> impl IntoView {
    let buy = ServerAction::<BuyPack>::new();
    let error = Signal::derive(move || buy.value().get().and_then(Result::err));
    let is_anonymous = move || Viewer::expect().user().is_none();
    view! {
        <FormError error />
        <ul class="pack-offers">
            {packs
                .into_iter()
                .map(|pack| view! { <PackOffer pack buy return_to=return_to.clone() /> })
                .collect_view()}
        </ul>
        <p class="note">
            "Bought credits never expire, and are spent after monthly and free ones."
            <Show when=is_anonymous>" You sign in first."</Show>
        </p>
    }
}

#[component]
fn PackOffer(pack: Pack, buy: ServerAction<BuyPack>, return_to: String) -> impl IntoView {
    view! {
        <li class="pack-offer">
            <ActionForm action=buy>
                <input type="hidden" name="pack" value=pack.id.to_string() />
                <input type="hidden" name="return_to" value=return_to />
                <button type="submit" class="ticket" disabled=move || buy.pending().get()>
                    <span class="ticket-amount">{pack.credits.to_string()}</span>
                    <span class="ticket-unit">"credits"</span>
                    <span class="ticket-price">{pack.price_cents.in_dollars()}</span>
                </button>
            </ActionForm>
        </li>
    }
}
