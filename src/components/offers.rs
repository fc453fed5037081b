//! What can be bought: plans by month or year, and packs. Each button is a plain form or a link.

use crate::api::billing::TakeBackChange;
use crate::api::shop::{BuyPack, UpgradePlan};
use crate::api::views::PlansView;
use crate::components::plan_standing::{Standing, standing_of};
use crate::components::{FormError, Moment, Viewer, credit_count, encode_query};
use crate::domain::catalogue::{Interval, Pack, Plan};
use leptos::prelude::*;

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
    plans: PlansView,
    /// Month or year.
    #[prop(into)]
    interval: Signal<Interval>,
    /// Where people go back to after paying.
    return_to: String,
    /// Whether to leave out what is not above the current plan.
    #[prop(optional)]
    only_upgrades: bool,
) -> impl IntoView {
    let forms = Forms { upgrade: ServerAction::new(), take_back: ServerAction::new() };
    let error = Signal::derive(move || {
        let refused = forms.upgrade.value().get().and_then(Result::err);
        refused.or_else(|| forms.take_back.value().get().and_then(Result::err))
    });
    let mut offered = plans.catalogue.plans.clone();
    offered.retain(|plan| !only_upgrades || plans.compare(&plan.id).is_gt());
    view! {
        <FormError error />
        <ul class="plan-offers">
            {offered
                .into_iter()
                .map(|plan| view! { <PlanOffer plan plans=plans.clone() interval forms return_to=return_to.clone() /> })
                .collect_view()}
        </ul>
    }
}

/// The forms that all offers share.
#[derive(Clone, Copy)]
struct Forms {
    upgrade: ServerAction<UpgradePlan>,
    take_back: ServerAction<TakeBackChange>,
}

#[component]
fn PlanOffer(
    plan: Plan,
    plans: PlansView,
    interval: Signal<Interval>,
    forms: Forms,
    return_to: String,
) -> impl IntoView {
    let is_current = plans.current_plan.as_ref() == Some(&plan.id);
    let id = plan.id.to_string();
    let credits = if plan.credits_per_month.is_zero() {
        format!("{} once, at sign-up", credit_count(plans.signup_credits))
    } else {
        format!("{} each month", credit_count(plan.credits_per_month))
    };
    let action = {
        let plan = plan.clone();
        move || {
            let chosen = interval.get();
            let standing = standing_of(&plans, &plan, chosen);
            view! { <PlanAction plan=plan.clone() standing interval=chosen forms return_to=return_to.clone() /> }
        }
    };
    view! {
        <li class="panel plan-offer" class:is-current=is_current data-plan=id>
            <h3>{plan.name.clone()} {is_current.then(|| view! { <span class="tag">"Your plan"</span> })}</h3>
            <p class="tagline">{plan.tagline.clone()}</p>
            <PlanPrice plan interval />
            <p class="plan-credits">{credits}</p>
            <div class="plan-action">{action}</div>
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

/// What can be done about a plan: a form where one click is enough, a link to the preview where it is not.
#[component]
fn PlanAction(plan: Plan, standing: Standing, interval: Interval, forms: Forms, return_to: String) -> impl IntoView {
    let terms = [("plan", plan.id.as_str()), ("interval", interval.as_str()), ("return_to", return_to.as_str())];
    let change = encode_query("/plans/change", &terms);
    let link = |class: &'static str, words: String| view! { <a class=class href=change.clone()>{words}</a> }.into_any();
    let note = |words: &'static str| view! { <p class="note">{words}</p> }.into_any();
    match standing {
        Standing::SignUp => {
            let next = if plan.is_free() { "/dashboard" } else { "/plans" };
            let href = encode_query("/signup", &[("next", next)]);
            view! {
                <a class="button" class:is-primary=!plan.is_free() href=href>{format!("Start with {}", plan.name)}</a>
            }
            .into_any()
        }
        Standing::Start => view! {
            <ActionForm action=forms.upgrade>
                <input type="hidden" name="plan" value=plan.id.to_string() />
                <input type="hidden" name="interval" value=interval.as_str() />
                <input type="hidden" name="return_to" value=return_to />
                <button type="submit" class="button is-primary" disabled=move || forms.upgrade.pending().get()>
                    {format!("Upgrade to {}", plan.name)}
                </button>
            </ActionForm>
        }
        .into_any(),
        Standing::Current => note("You have this plan."),
        Standing::Lower => note("Less than the plan you have."),
        Standing::NotForSale => note("Not for sale at the moment."),
        Standing::PayFirst => view! {
            <p class="note">"A payment is still due: " <a href="/billing">"see Billing"</a> " first."</p>
        }
        .into_any(),
        Standing::Keep => view! {
            <ActionForm action=forms.take_back>
                <button type="submit" class="button is-primary" disabled=move || forms.take_back.pending().get()>
                    {format!("Keep {}", plan.name)}
                </button>
            </ActionForm>
        }
        .into_any(),
        Standing::Scheduled(at) => view! {
            <p class="note"><span class="tag" data-kind="hold">"Scheduled"</span> " From " <Moment at day_only=true /> " on."</p>
        }
        .into_any(),
        Standing::Upgrade => link("button is-primary", format!("Upgrade to {}", plan.name)),
        Standing::ByTheYear => link("button is-primary", "Pay by the year".to_owned()),
        Standing::ByTheMonth => link("button", "Pay by the month".to_owned()),
        Standing::Downgrade => link("button", format!("Downgrade to {}", plan.name)),
        Standing::Cancel => link("button", "Cancel your plan".to_owned()),
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
