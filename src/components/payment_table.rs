//! Payments as a table: what was paid and went back, each with its rows in the history.

use crate::api::views::{PaymentLine, PaymentRow};
use crate::components::{Moment, history_row, signed_amount};
use crate::domain::billing::DisputeStatus;
use leptos::prelude::*;

/// Payments, newest first.
#[component]
pub fn PaymentTable<F, V>(
    /// The payments.
    payments: Vec<PaymentLine>,
    /// Where a row of history is found, by its number.
    #[prop(default = history_row)]
    row_path: fn(i64) -> String,
    /// What can be done about one, in a column of its own where there is something.
    action: F,
) -> impl IntoView
where
    F: Fn(&PaymentLine) -> Option<V> + Send + 'static,
    V: IntoView + 'static,
{
    view! {
        <table class="book-table payment-table" role="table">
            <caption class="visually-hidden">"Payments, newest first"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">"Paid on"</th>
                    <th scope="col" role="columnheader">"What"</th>
                    <th scope="col" role="columnheader" class="amount">"Amount"</th>
                    <th scope="col" role="columnheader">"In the history"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                {payments
                    .into_iter()
                    .map(|payment| {
                        let action = action(&payment);
                        view! { <PaymentTableRow payment row_path action /> }
                    })
                    .collect_view()}
            </tbody>
        </table>
    }
}

#[component]
fn PaymentTableRow<V: IntoView + 'static>(
    payment: PaymentLine,
    row_path: fn(i64) -> String,
    action: Option<V>,
) -> impl IntoView {
    let tags = tags_of(&payment);
    let refunded = (!payment.refunded.is_zero()).then(|| format!("{} refunded", payment.refunded.in_dollars()));
    view! {
        <tr role="row" data-payment=payment.reference.to_string()>
            <td role="cell" data-label="Paid on">
                <Moment at=payment.paid_at day_only=true />
            </td>
            <td role="cell" data-label="What" class="is-head">
                <strong>{payment.title.clone()}</strong>
                " "
                {tags.into_iter().map(|(kind, words)| view! { <span class="tag" data-kind=kind>{words}</span> " " }).collect_view()}
                {payment
                    .period
                    .map(|(from, to)| {
                        view! { <small><Moment at=from day_only=true /> " to " <Moment at=to day_only=true /></small> }
                    })}
                {action}
            </td>
            <td role="cell" data-label="Amount" class="amount">
                <span>{payment.amount.in_dollars()} {refunded.map(|words| view! { <small class="refunded">{words}</small> })}</span>
            </td>
            <td role="cell" data-label="In the history">
                <ul class="draws">
                    {payment.rows.into_iter().map(|row| view! { <HistoryLink row row_path /> }).collect_view()}
                </ul>
            </td>
        </tr>
    }
}

#[component]
fn HistoryLink(row: PaymentRow, row_path: fn(i64) -> String) -> impl IntoView {
    view! {
        <li id=format!("row-{}", row.seq)>
            <a href=row_path(row.seq) rel="external">{format!("No. {}", row.seq)}</a>
            ": "
            <span class="number">{signed_amount(row.amount)}</span>
            " "
            <small>{row.description} ", " <Moment at=row.created_at day_only=true /></small>
        </li>
    }
}

fn tags_of(payment: &PaymentLine) -> Vec<(&'static str, &'static str)> {
    let refund = match (payment.refunded.is_zero(), payment.refunded < payment.amount) {
        (true, _) => None,
        (false, true) => Some(("refund", "Refunded in part")),
        (false, false) => Some(("refund", "Refunded")),
    };
    let dispute = match payment.dispute {
        DisputeStatus::None => None,
        DisputeStatus::Open => Some(("hold", "Disputed")),
        DisputeStatus::Lost => Some(("clawback", "Dispute lost")),
        DisputeStatus::Won => Some(("credit", "Dispute won")),
    };
    let surplus = payment.surplus.then_some(("debit", "Paid twice, given back"));
    [refund, dispute, surplus].into_iter().flatten().collect()
}
