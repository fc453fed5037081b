//! `/admin/accounts/:user`: one account, and its adjustment with a reason.

use super::query_at_start;
use crate::api::admin::{AdjustCredits, load_account};
use crate::api::billing::{RefundPayment, load_person_payments};
use crate::api::error::{ApiError, Field};
use crate::api::views::{AccountView, AuditLine, PersonPaymentsView};
use crate::components::{
    BalanceCard, FormError, HistoryTable, Loaded, Moment, PersonPayments, TextField, Viewer, count_done, signed_amount,
};
use crate::domain::{CreditDelta, Credits};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// An account as an administrator sees it.
#[component]
pub fn AccountPage() -> impl IntoView {
    let params = use_params_map();
    let adjust = ServerAction::<AdjustCredits>::new();
    let refund = ServerAction::<RefundPayment>::new();
    let (adjusted, refunded) = (count_done(adjust.value().into()), count_done(refund.value().into()));
    let account = Resource::new(
        move || (params.read().get("user").unwrap_or_default(), adjusted.get(), refunded.get()),
        |(user, ..)| load_both(user),
    );
    Viewer::expect().refresh_after(adjust.value().into());
    view! {
        <Title text="Account" />
        <div class="page account">
            <p>
                <a href="/admin">"All people"</a>
            </p>
            <Loaded
                resource=account
                view=move |(account, payments): (AccountView, PersonPaymentsView)| {
                    view! { <Account account payments adjust refund /> }
                }
            />
        </div>
    }
}

/// One resource for the whole page: a second one that is only asked for inside of what the first shows would be
/// numbered otherwise in the browser than on the server.
async fn load_both(user: String) -> Result<(AccountView, PersonPaymentsView), ApiError> {
    Ok((load_account(user.clone()).await?, load_person_payments(user).await?))
}

#[component]
fn Account(
    account: AccountView,
    payments: PersonPaymentsView,
    adjust: ServerAction<AdjustCredits>,
    refund: ServerAction<RefundPayment>,
) -> impl IntoView {
    let AccountView { person, balance, history, audit, form_key } = account;
    let available = balance.available;
    let user = person.public_id.to_string();
    view! {
        <header class="page-head">
            <h1>{person.name.clone()} {person.is_admin.then(|| view! { <span class="tag">"Admin"</span> })}</h1>
            <p>{person.email.clone()} " · since " <Moment at=person.created_at day_only=true /></p>
            <p>
                <small class="entry-number">{user.clone()}</small>
            </p>
        </header>
        <div class="overview">
            <BalanceCard balance />
            <Adjust user form_key available adjust />
        </div>
        <PersonPayments view=payments refund />
        <section>
            <h2>"Latest movements"</h2>
            <HistoryTable lines=history.lines paid=history.paid payments_page="" />
        </section>
        <Audit audit />
    }
}

#[component]
fn Adjust(user: String, form_key: String, available: Credits, adjust: ServerAction<AdjustCredits>) -> impl IntoView {
    // What was typed for a refund stands under the same names.
    let typed = |name: &str| if query_at_start("payment").is_empty() { query_at_start(name) } else { String::new() };
    let amount = RwSignal::new(typed("amount"));
    let error = Signal::derive(move || adjust.value().get().and_then(Result::err));
    let was_adjusted = move || matches!(adjust.value().get(), Some(Ok(_))) || query_at_start("adjusted") == "yes";
    // Without JavaScript the preview is a page of its own; a script would make the text of <noscript> plain.
    let preview_button = format!(
        r#"<button type="submit" class="button" formmethod="get" formaction="/admin/accounts/{user}">Preview</button>"#
    );
    view! {
        <ActionForm action=adjust attr:class="panel form adjust" attr:novalidate=true>
            <h2>"Adjust"</h2>
            <FormError error />
            <Show when=was_adjusted>
                <p class="toast" role="status">"Done. It stands in the history and in the audit log."</p>
            </Show>
            <input type="hidden" name="user" value=user />
            <input type="hidden" name="form_key" value=form_key />
            <div on:input=move |event| {
                if event_target::<web_sys::HtmlInputElement>(&event).name() == "amount" {
                    amount.set(event_target_value(&event));
                }
            }>
                <TextField
                    name="amount"
                    label="Credits"
                    hint="Up, like 25, or down, like -10."
                    value=amount.get_untracked()
                    field=Field::Amount
                    error
                />
                <TextField
                    name="reason"
                    label="Reason"
                    hint="Required. The person sees it in their history."
                    value=typed("reason")
                    field=Field::Reason
                    error
                />
            </div>
            <output class="preview" for="amount">
                {move || preview(available, &amount.read())}
            </output>
            <div class="form-foot">
                <button type="submit" class="button is-primary" disabled=move || adjust.pending().get()>
                    "Adjust"
                </button>
                <noscript inner_html=preview_button></noscript>
            </div>
        </ActionForm>
    }
}

/// Before and after; or why not.
fn preview(available: Credits, typed: &str) -> String {
    let Ok(delta) = CreditDelta::parse_typed(typed) else { return format!("Available now: {available}") };
    match Credits::new(available.get() + delta.get()) {
        Ok(after) => format!("Available: {available} \u{2192} {after}"),
        Err(_) if delta.is_up() => "That is more than an account can hold.".to_owned(),
        Err(_) => format!("There are only {available} to take."),
    }
}

#[component]
fn Audit(audit: Vec<AuditLine>) -> impl IntoView {
    let is_empty = audit.is_empty();
    view! {
        <section>
            <h2>"Audit log"</h2>
            {is_empty.then(|| view! { <p class="empty">"Nobody has changed this account by hand."</p> })}
            <ul class="audit-list">
                {audit
                    .into_iter()
                    .map(|line| {
                        view! {
                            <li>
                                <Moment at=line.created_at />
                                " "
                                <strong>{line.action}</strong>
                                {line.delta.map(|delta| format!(" {}", signed_amount(delta)))}
                                " by "
                                {line.actor}
                                {line.reason.map(|reason| format!(": {reason}"))}
                                {line.seq.map(|seq| view! { " (" <a href=format!("#entry-{seq}")>{format!("No. {seq}")}</a> ")" })}
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}
