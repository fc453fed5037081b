//! `/plans/change`: what a change of plan costs and brings, before it is confirmed.

use super::query_at_start;
use crate::api::billing::{ConfirmChange, preview_change};
use crate::api::error::ApiError;
use crate::api::views::ChangePreviewView;
use crate::components::{FormError, Loaded, Moment, credit_count, every, terms_in_words};
use crate::domain::billing::{ChangeKind, Preview};
use crate::domain::catalogue::Interval;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The preview of a change, and the form that confirms it.
#[component]
pub fn ChangePage() -> impl IntoView {
    let query = use_query_map();
    let confirm = ServerAction::<ConfirmChange>::new();
    let error = Signal::derive(move || confirm.value().get().and_then(Result::err));
    // Where the plan was changed elsewhere meanwhile, the preview is another now.
    let outdated = Memo::new(move |count: Option<&u32>| {
        let before = count.copied().unwrap_or_default();
        if error.get() == Some(ApiError::PlanChanged) { before + 1 } else { before }
    });
    let wanted = move || {
        let query = query.read();
        (query.get("plan").unwrap_or_default(), query.get("interval").unwrap_or_default(), outdated.get())
    };
    let preview = Resource::new(wanted, |(plan, interval, _)| preview_change(plan, interval));
    view! {
        <Title text="Change your plan" />
        <section class="page narrow change">
            <Loaded
                resource=preview
                view=move |view: ChangePreviewView| view! { <Change view confirm error /> }
            />
        </section>
    }
}

#[component]
fn Change(
    view: ChangePreviewView,
    confirm: ServerAction<ConfirmChange>,
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let ChangePreviewView { preview, from_name, to_name, seen, .. } = view;
    let return_to = query_at_start("return_to");
    let back = if return_to.is_empty() { "/plans".to_owned() } else { return_to.clone() };
    let from =
        preview.from.as_ref().map_or_else(|| from_name.clone(), |from| terms_in_words(&from_name, from.interval));
    let to = match preview.kind {
        ChangeKind::Cancel => to_name.clone(),
        ChangeKind::Start | ChangeKind::Upgrade | ChangeKind::Downgrade | ChangeKind::TakeBack => {
            terms_in_words(&to_name, preview.to.interval)
        }
    };
    let is_kept = preview.kind == ChangeKind::TakeBack;
    view! {
        <h1>{heading(preview.kind, &from_name, &to_name)}</h1>
        {(!is_kept)
            .then(|| {
                view! {
                    <p class="lead from-to">
                        <span>{from}</span>
                        " "
                        <span class="visually-hidden">"to"</span>
                        <span aria-hidden="true">"→"</span>
                        " "
                        <strong>{to}</strong>
                    </p>
                }
            })}
        <div class="panel receipt">
            <Money preview=preview.clone() />
            <KeptAndLost preview=preview.clone() />
            <FormError error />
            <div class="receipt-actions">
                <ActionForm action=confirm>
                    <input type="hidden" name="plan" value=preview.to.plan.to_string() />
                    <input type="hidden" name="interval" value=preview.to.interval.as_str() />
                    <input type="hidden" name="seen" value=seen />
                    <input type="hidden" name="return_to" value=return_to />
                    <button
                        type="submit"
                        class=if preview.kind == ChangeKind::Cancel { "button is-wide is-danger" } else { "button is-wide is-primary" }
                        disabled=move || confirm.pending().get()
                    >
                        {confirm_words(&preview, &to_name)}
                    </button>
                </ActionForm>
                <a href=back>"Leave it as it is"</a>
            </div>
        </div>
    }
}

fn heading(kind: ChangeKind, from: &str, to: &str) -> String {
    match kind {
        ChangeKind::Start => format!("Start with {to}"),
        ChangeKind::Upgrade if from == to => format!("Pay {to} by the year"),
        ChangeKind::Upgrade => format!("Upgrade to {to}"),
        ChangeKind::Downgrade if from == to => format!("Pay {to} by the month"),
        ChangeKind::Downgrade => format!("Downgrade to {to}"),
        ChangeKind::Cancel => format!("Cancel {from}"),
        ChangeKind::TakeBack => format!("Keep {to}"),
    }
}

fn confirm_words(preview: &Preview, to: &str) -> String {
    match preview.kind {
        ChangeKind::Start | ChangeKind::Upgrade if preview.due_now.is_zero() => "Upgrade now".to_owned(),
        ChangeKind::Start => format!("Go on to pay {}", preview.due_now.in_dollars()),
        ChangeKind::Upgrade => format!("Pay {} and upgrade now", preview.due_now.in_dollars()),
        ChangeKind::Downgrade => format!("Change to {to} on {}", preview.effective_at.to_day()),
        ChangeKind::Cancel => format!("Cancel on {}", preview.effective_at.to_day()),
        ChangeKind::TakeBack => format!("Keep {to}"),
    }
}

/// What is due now and next, with its lines on demand.
#[component]
fn Money(preview: Preview) -> impl IntoView {
    let is_now = matches!(preview.kind, ChangeKind::Start | ChangeKind::Upgrade);
    let interval = preview.to.interval;
    let effective_at = preview.effective_at;
    let has_credit = !preview.credited.is_zero();
    let months =
        if preview.credited_months == 1 { "1 month".to_owned() } else { format!("{} months", preview.credited_months) };
    view! {
        <dl class="facts">
            <div class="is-total">
                <dt>"Due now"</dt>
                <dd data-testid="due-now">{preview.due_now.in_dollars()}</dd>
            </div>
            {preview
                .due_next_at
                .map(|at| {
                    view! {
                        <div>
                            <dt>"Due on " <Moment at day_only=true /></dt>
                            <dd data-testid="due-next">{preview.due_next.in_dollars()} <small>" " {every(interval)}</small></dd>
                        </div>
                    }
                })}
            {preview.due_next_at.is_none().then(|| view! { <div><dt>"Due after that"</dt><dd data-testid="due-next">"nothing"</dd></div> })}
            <div>
                <dt>"Takes effect"</dt>
                <dd>
                    {if is_now {
                        view! { "now" }.into_any()
                    } else {
                        view! { <Moment at=effective_at day_only=true /> }.into_any()
                    }}
                </dd>
            </div>
            <div>
                <dt>"Credits now"</dt>
                <dd data-testid="credits-now">{format!("+{}", preview.credits_now)}</dd>
            </div>
            <div>
                <dt>"Credits each month"</dt>
                <dd data-testid="credits-per-month">{preview.credits_per_month.to_string()}</dd>
            </div>
        </dl>
        {has_credit
            .then(|| {
                view! {
                    <details class="lines">
                        <summary>"How the amount comes about"</summary>
                        <dl class="facts">
                            <div>
                                <dt>{match interval {
                                    Interval::Month => "The first month",
                                    Interval::Year => "The first year",
                                }}</dt>
                                <dd>{preview.price.in_dollars()}</dd>
                            </div>
                            <div>
                                <dt>{format!("{months} paid and not used yet")}</dt>
                                <dd>{format!("−{}", preview.credited.in_dollars())}</dd>
                            </div>
                        </dl>
                    </details>
                }
            })}
    }
}

#[component]
fn KeptAndLost(preview: Preview) -> impl IntoView {
    let kept_monthly = preview.kept_monthly.filter(|(credits, _)| !credits.is_zero());
    let is_kept = kept_monthly.is_some() || !preview.kept_for_good.is_zero();
    let lost = (!preview.lost_per_month.is_zero()).then_some(preview.lost_per_month);
    let effective_at = preview.effective_at;
    view! {
        {is_kept
            .then(|| {
                view! {
                    <h2>"You keep"</h2>
                    <ul class="kept">
                        {kept_monthly
                            .map(|(credits, until)| {
                                view! {
                                    <li>
                                        {format!("{} of this month, until ", credit_count(credits))} <Moment at=until day_only=true />
                                    </li>
                                }
                            })}
                        {(!preview.kept_for_good.is_zero())
                            .then(|| {
                                view! { <li>{format!("{}, bought or given, which stay", credit_count(preview.kept_for_good))}</li> }
                            })}
                    </ul>
                }
            })}
        {lost
            .map(|credits| {
                view! {
                    <h2>"You lose"</h2>
                    <ul class="lost">
                        <li>{format!("{} a month from ", credit_count(credits))} <Moment at=effective_at day_only=true /> " on"</li>
                    </ul>
                }
            })}
        <p class="note">"Credits of a plan come each month and last until the next ones come. Bought ones never expire."</p>
    }
}
