//! `/billing`: one's plan, what is owed, and each payment with its rows in the history.

use crate::api::billing::{OpenPortal, SetDemoCard, TakeBackChange, load_billing};
use crate::api::shop::AbandonPayment;
use crate::api::views::{BillingPageView, OrderView, PaymentLine, SubscriptionView};
use crate::components::{
    BuyLink, FormError, Loaded, Moment, PaymentTable, SubscriptionCard, Viewer, count_done, credit_count, encode_query,
};
use crate::domain::PlanId;
use crate::domain::billing::SubscriptionStatus;
use crate::domain::catalogue::Interval;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;

/// The forms of the page.
#[derive(Clone, Copy)]
struct Forms {
    take_back: ServerAction<TakeBackChange>,
    portal: ServerAction<OpenPortal>,
    card: ServerAction<SetDemoCard>,
    abandon: ServerAction<AbandonPayment>,
}

/// Plan, notices, payments.
#[component]
pub fn BillingPage() -> impl IntoView {
    let forms = Forms {
        take_back: ServerAction::new(),
        portal: ServerAction::new(),
        card: ServerAction::new(),
        abandon: ServerAction::new(),
    };
    let error = Signal::derive(move || {
        let failed = forms.take_back.value().get().and_then(Result::err);
        let failed = failed.or_else(|| forms.portal.value().get().and_then(Result::err));
        let failed = failed.or_else(|| forms.card.value().get().and_then(Result::err));
        failed.or_else(|| forms.abandon.value().get().and_then(Result::err))
    });
    let changes = [
        count_done(forms.take_back.value().into()),
        count_done(forms.card.value().into()),
        count_done(forms.abandon.value().into()),
    ];
    let billing = Resource::new(move || changes.map(|done| done.get()), |_| load_billing());
    Viewer::expect().refresh_after(forms.card.value().into());
    view! {
        <Title text="Billing" />
        <div class="page billing">
            <h1>"Billing"</h1>
            <FormError error />
            <Loaded resource=billing view=move |billing: BillingPageView| view! { <Billing billing forms /> } />
        </div>
    }
}

#[component]
fn Billing(billing: BillingPageView, forms: Forms) -> impl IntoView {
    let owed = billing.subscription.clone().filter(|subscription| subscription.status == SubscriptionStatus::PastDue);
    let demo_declines = billing.subscription.as_ref().and_then(|subscription| subscription.demo_declines);
    let has_portal = billing.has_portal;
    let is_empty = billing.payments.is_empty();
    view! {
        {owed.map(|subscription| view! { <PastDue subscription has_portal forms /> })}
        {(!billing.debt.is_zero())
            .then(|| {
                view! {
                    <p class="banner" role="note">
                        {format!("{} of a returned payment were spent already. The next credits pay that off.", credit_count(billing.debt))}
                    </p>
                }
            })}
        {(!billing.open_orders.is_empty()).then(|| view! { <OpenOrders orders=billing.open_orders forms /> })}
        <div class="overview">
            {match billing.subscription {
                Some(subscription) => Either::Left(view! { <OwnPlan subscription free_plan=billing.free_plan has_portal forms /> }),
                None => Either::Right(view! { <NoPlan plan_name=billing.plan_name /> }),
            }}
            {demo_declines.map(|declines| view! { <DemoCard declines forms /> })}
        </div>
        <section>
            <h2>"Payments"</h2>
            {if is_empty {
                Either::Left(view! { <p class="empty">"Nothing was paid yet. " <a href="/plans">"See plans and packs"</a></p> })
            } else {
                Either::Right(view! { <PaymentTable payments=billing.payments action=nothing /> })
            }}
        </section>
    }
}

/// People cannot do anything about a payment by themselves.
const fn nothing(_: &PaymentLine) -> Option<()> {
    None
}

#[component]
fn OwnPlan(
    subscription: SubscriptionView,
    #[prop(optional_no_strip)] free_plan: Option<PlanId>,
    has_portal: bool,
    forms: Forms,
) -> impl IntoView {
    let name = subscription.plan_name.clone();
    let is_ending = subscription.cancel_at_period_end;
    let can_change = subscription.status == SubscriptionStatus::Active;
    let has_scheduled = is_ending || subscription.scheduled.is_some();
    let take_back = if is_ending { format!("Resume {name}") } else { format!("Keep {name}") };
    let cancel = free_plan.map(|plan| {
        encode_query("/plans/change", &[("plan", plan.as_str()), ("interval", "month"), ("return_to", "/billing")])
    });
    view! {
        <SubscriptionCard subscription>
            {has_scheduled
                .then(|| {
                    view! {
                        <ActionForm action=forms.take_back>
                            <button type="submit" class="button is-primary" disabled=move || forms.take_back.pending().get()>
                                {take_back}
                            </button>
                        </ActionForm>
                    }
                })}
            {can_change.then(|| view! { <a class="button" href="/plans">"Change the plan"</a> })}
            {has_portal.then(|| view! { <PortalForm forms words="Change how you pay" /> })}
            {cancel
                .filter(|_| can_change && !is_ending)
                .map(|href| view! { <a href=href>"Cancel the plan"</a> })}
        </SubscriptionCard>
    }
}

#[component]
fn NoPlan(#[prop(optional_no_strip)] plan_name: Option<String>) -> impl IntoView {
    view! {
        <section class="panel subscription" aria-label="Your plan">
            <h2>{plan_name.map_or_else(|| "No plan".to_owned(), |name| format!("{name} plan"))}</h2>
            <p class="note">"You pay for no plan. What you buy once is yours for good."</p>
            <div class="card-actions">
                <a class="button is-primary" href="/plans">"See plans and packs"</a>
                <BuyLink class="button" return_to="/billing">"Add credits"</BuyLink>
            </div>
        </section>
    }
}

/// A renewal that could not be collected: what happens next, and the way to pay.
#[component]
fn PastDue(subscription: SubscriptionView, has_portal: bool, forms: Forms) -> impl IntoView {
    let has_demo = subscription.demo_declines.is_some();
    view! {
        <section class="banner is-bad" role="alert">
            <h2>"A payment is due"</h2>
            <p>
                {format!("{} for {} could not be collected.", subscription.price.in_dollars(), subscription.plan_name)}
                {subscription
                    .grace_ends_at
                    .map(|at| view! { " The plan stays until " <Moment at day_only=true /> ", and ends then unless it is paid." })}
            </p>
            <div class="card-actions">
                {has_portal.then(|| view! { <PortalForm forms words="Pay now" /> })}
                {has_demo.then(|| view! { <CardForm forms declines=false words="Pay now with a card that works" is_primary=true /> })}
            </div>
        </section>
    }
}

#[component]
fn PortalForm(forms: Forms, words: &'static str) -> impl IntoView {
    view! {
        <ActionForm action=forms.portal>
            <button type="submit" class="button" disabled=move || forms.portal.pending().get()>
                {words}
            </button>
        </ActionForm>
    }
}

/// The demo's card: people can see what a declined renewal does.
#[component]
fn DemoCard(declines: bool, forms: Forms) -> impl IntoView {
    let words = if declines { "Use a card that works" } else { "Use a card that is declined" };
    view! {
        <section class="demo-banner demo-card" aria-label="The demo's card">
            <p>
                <strong>"The demo’s card "</strong>
                {if declines { "will be declined at the next payment." } else { "works." }}
            </p>
            <CardForm forms declines=!declines words />
        </section>
    }
}

#[component]
fn CardForm(forms: Forms, declines: bool, words: &'static str, #[prop(optional)] is_primary: bool) -> impl IntoView {
    view! {
        <ActionForm action=forms.card>
            <input type="hidden" name="declines" value=declines.to_string() />
            <button type="submit" class="button" class:is-primary=is_primary disabled=move || forms.card.pending().get()>
                {words}
            </button>
        </ActionForm>
    }
}

/// Orders that were begun and not paid: pay, or let it be.
#[component]
fn OpenOrders(orders: Vec<OrderView>, forms: Forms) -> impl IntoView {
    view! {
        <section class="open-orders" aria-label="Not paid yet">
            <h2>"Not paid yet"</h2>
            <ul>
                {orders
                    .into_iter()
                    .map(|order| {
                        let title = match order.interval {
                            Some(Interval::Month | Interval::Year) => format!("{} plan", order.title),
                            None => order.title.clone(),
                        };
                        view! {
                            <li class="panel open-order">
                                <p>
                                    <strong>{title}</strong> {format!(" for {}, ", order.amount.in_dollars())}
                                    <Moment at=order.created_at />
                                </p>
                                <div class="card-actions">
                                    {order
                                        .checkout_url
                                        .map(|url| view! { <a class="button" href=url>"Go to the payment"</a> })}
                                    <ActionForm action=forms.abandon>
                                        <input type="hidden" name="order" value=order.id.to_string() />
                                        <button type="submit" class="link-button" disabled=move || forms.abandon.pending().get()>
                                            "Let it be"
                                        </button>
                                    </ActionForm>
                                </div>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}
