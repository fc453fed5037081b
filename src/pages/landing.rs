//! `/`: what this is, what it costs, and the way in.

use crate::api::billing::load_plans;
use crate::api::views::PlansView;
use crate::components::{CostTable, IntervalSwitch, Loaded, PlanOffers, Viewer, credit_count, signed_amount};
use crate::domain::Credits;
use crate::domain::credits::group_digits;
use leptos::prelude::*;
use leptos_meta::Title;

/// The start page.
#[component]
pub fn LandingPage() -> impl IntoView {
    let plans = Resource::new(|| (), |()| load_plans());
    view! {
        <Title text="Credits that add up" />
        <div class="page landing">
            <Hero />
            <section class="steps" aria-label="How it works">
                <ol>
                    <li>
                        <h2>"Sign up"</h2>
                        <p>"Your first credits are there at once. No card needed."</p>
                    </li>
                    <li>
                        <h2>"Make something"</h2>
                        <p>"Each button says what it costs. What fails costs nothing."</p>
                    </li>
                    <li>
                        <h2>"See every movement"</h2>
                        <p>"Where each credit came from and where it went, for good."</p>
                    </li>
                </ol>
            </section>
            <Loaded resource=plans view=|plans: PlansView| view! { <Offers plans /> } />
        </div>
    }
}

#[component]
fn Hero() -> impl IntoView {
    let viewer = Viewer::expect();
    let content = move || {
        Suspend::new(async move {
            viewer.session().await.ok().map(|session| {
                let (href, label) = match (&session.user, session.signup_credits) {
                    (Some(_), _) => ("/studio", "Open the studio".to_owned()),
                    (None, credits) if credits.is_zero() => ("/signup", "Sign up".to_owned()),
                    (None, credits) => ("/signup", format!("Start with {}", credit_count(credits))),
                };
                view! {
                    <h1>{session.promise}</h1>
                    <p class="hero-actions">
                        <a class="button is-primary is-large" href=href>
                            {label}
                        </a>
                        <a class="button is-large" href="#costs">
                            "See what things cost"
                        </a>
                    </p>
                }
            })
        })
    };
    let sample = move || {
        Suspend::new(async move {
            let session = viewer.session().await.ok();
            session.map(|session| view! { <SampleLedger signup_credits=session.signup_credits /> })
        })
    };
    view! {
        <section class="hero">
            <div class="hero-text">
                <p class="eyebrow">"Pay by the credit"</p>
                <Transition>{content}</Transition>
            </div>
            <Transition>{sample}</Transition>
        </section>
    }
}

/// What an account's first movements look like: an example, from what a new account gets.
#[component]
fn SampleLedger(signup_credits: Credits) -> impl IntoView {
    let start = if signup_credits < Credits::of(10) { 60 } else { signup_credits.get() };
    let rows = [("Image", -5), ("Chat message", -1), ("Audio, 22 s", -2), ("Image that failed", 0)];
    let left = start + rows.iter().map(|(_, amount)| amount).sum::<i64>();
    view! {
        <div class="hero-ticket" aria-hidden="true">
            <span class="ticket-row">
                <span>"Welcome credits"</span>
                <span>{signed_amount(start)}</span>
            </span>
            {rows
                .into_iter()
                .map(|(name, amount)| {
                    view! {
                        <span class="ticket-row">
                            <span>{name}</span>
                            <span>{signed_amount(amount)}</span>
                        </span>
                    }
                })
                .collect_view()}
            <span class="ticket-row is-total">
                <span>"Balance"</span>
                <span>{group_digits(left)}</span>
            </span>
        </div>
    }
}

#[component]
fn Offers(plans: PlansView) -> impl IntoView {
    let interval = RwSignal::new(plans.paid_interval());
    let rates = plans.catalogue.rates.clone();
    view! {
        <section class="costs" id="costs">
            <h2>"What things cost"</h2>
            <CostTable rates />
        </section>
        {(!plans.catalogue.plans.is_empty())
            .then(|| {
                view! {
                    <section class="plans-section" id="plans">
                        <header>
                            <h2>"Plans"</h2>
                            <IntervalSwitch interval page="/plans" return_to="".to_owned() />
                        </header>
                        <PlanOffers plans interval return_to="".to_owned() />
                    </section>
                }
            })}
    }
}
