//! Someone's payments, as an administrator sees them: with a way to give money back.

use crate::api::billing::RefundPayment;
use crate::api::error::{ApiError, Field};
use crate::api::views::{PaymentLine, PersonPaymentsView};
use crate::components::{FormError, PaymentTable, SubscriptionCard, TextField};
use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// A person's subscription and payments.
#[component]
pub fn PersonPayments(
    /// What there is.
    view: PersonPaymentsView,
    /// The form that gives money back.
    refund: ServerAction<RefundPayment>,
) -> impl IntoView {
    let PersonPaymentsView { person, subscription, payments, form_key } = view;
    let person = person.to_string();
    let error = Signal::derive(move || refund.value().get().and_then(Result::err));
    // Which payment the last form was about: the action forgets it when it is done.
    let sent = Memo::new(move |last: Option<&Option<String>>| {
        let now = refund.input().get().map(|sent| sent.payment);
        now.or_else(|| last.cloned().flatten())
    });
    let came_back = use_query_map().read_untracked().get("refunded").is_some();
    let was_refunded = move || refund.value().get().map_or(came_back, |done| done.is_ok());
    view! {
        <section class="person-payments">
            <h2>"Payments"</h2>
            {subscription.map(|subscription| view! { <SubscriptionCard subscription /> })}
            <FormError error />
            <Show when=was_refunded>
                <p class="toast" role="status">"Done. The money goes back, and its credits are taken back."</p>
            </Show>
            {if payments.is_empty() {
                Either::Left(view! { <p class="empty">"Nothing was paid."</p> })
            } else {
                let action = move |payment: &PaymentLine| {
                    let is_left = payment.refunded < payment.amount;
                    let (person, form_key, payment) = (person.clone(), form_key.clone(), payment.clone());
                    is_left.then(|| view! { <Refund person form_key payment refund error sent /> })
                };
                Either::Right(view! { <PaymentTable payments row_path=row_on_page action /> })
            }}
        </section>
    }
}

/// The newest rows of an account's history stand on its page.
fn row_on_page(seq: i64) -> String {
    format!("#entry-{seq}")
}

#[component]
fn Refund(
    person: String,
    form_key: String,
    payment: PaymentLine,
    refund: ServerAction<RefundPayment>,
    error: Signal<Option<ApiError>>,
    sent: Memo<Option<String>>,
) -> impl IntoView {
    let reference = payment.reference.to_string();
    let query = use_query_map();
    // What was typed for this payment, where a plain form comes back with an error.
    let is_this_one = query.read_untracked().get("payment").as_deref() == Some(reference.as_str());
    let typed = move |name: &str| {
        if is_this_one { query.read_untracked().get(name).unwrap_or_default() } else { String::new() }
    };
    let of_this_one = {
        let reference = reference.clone();
        Signal::derive(move || {
            let is_ours = sent.get().map_or(is_this_one, |sent| sent == reference);
            error.get().filter(|error| is_ours && error.field().is_some())
        })
    };
    let left = i64::from(payment.amount) - i64::from(payment.refunded);
    let left = crate::domain::Cents::try_from(left).unwrap_or_default().in_dollars();
    let hint = format!("In dollars, at most {left}. All of it where it is empty.");
    let (amount_id, reason_id) = (format!("amount-{reference}"), format!("reason-{reference}"));
    view! {
        <details class="confirm" open=is_this_one>
            <summary class="button is-small">"Refund"</summary>
            <ActionForm action=refund attr:class="confirm-panel form" attr:novalidate=true>
                <input type="hidden" name="person" value=person />
                <input type="hidden" name="payment" value=reference />
                <input type="hidden" name="form_key" value=form_key />
                <TextField
                    name="amount"
                    id=amount_id
                    label="Amount"
                    hint
                    value=typed("amount")
                    field=Field::Money
                    error=of_this_one
                />
                <TextField
                    name="reason"
                    id=reason_id
                    label="Reason"
                    hint="Required. It stands in the audit log."
                    value=typed("reason")
                    field=Field::Reason
                    error=of_this_one
                />
                <button type="submit" class="button is-danger" disabled=move || refund.pending().get()>
                    "Give the money back"
                </button>
            </ActionForm>
        </details>
    }
}
