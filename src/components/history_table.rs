//! History as a table: when, what, how much, from which grants, and where it left the balance.

use crate::api::views::HistoryLine;
use crate::components::{Moment, credit_count, signed_amount};
use crate::domain::account::{Hold, HoldStatus};
use crate::domain::credits::group_digits;
use crate::domain::journal::{Cause, Draw};
use crate::domain::{Transaction, TransactionType};
use leptos::either::Either;
use leptos::prelude::*;

/// Lines of history, newest first.
#[component]
pub fn HistoryTable(
    /// The lines.
    lines: Vec<HistoryLine>,
    /// The numbers of those that belong to a payment.
    paid: Vec<i64>,
    /// The page that shows the payments; this one where it is empty.
    #[prop(default = "/billing")]
    payments_page: &'static str,
) -> impl IntoView {
    view! {
        <table class="history-table" role="table">
            <caption class="visually-hidden">"Movements of credits, newest first"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">"When (UTC)"</th>
                    <th scope="col" role="columnheader">"What"</th>
                    <th scope="col" role="columnheader">"From or to"</th>
                    <th scope="col" role="columnheader" class="amount">"Credits"</th>
                    <th scope="col" role="columnheader" class="amount">"Balance"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                {lines
                    .into_iter()
                    .map(|line| match line {
                        HistoryLine::Transaction(row) => {
                            let payment = paid.contains(&row.seq.0).then(|| format!("{payments_page}#row-{}", row.seq.0));
                            Either::Left(view! { <TransactionRow row=*row payment /> })
                        }
                        HistoryLine::Hold { hold, draws } => Either::Right(view! { <HoldRow hold=*hold draws=draws /> }),
                    })
                    .collect_view()}
            </tbody>
        </table>
    }
}

#[component]
fn TransactionRow(row: Transaction, payment: Option<String>) -> impl IntoView {
    let seq = row.seq.0;
    view! {
        <tr role="row" id=format!("entry-{seq}") data-type=row.kind.as_str()>
            <td role="cell" data-label="When">
                <Moment at=row.created_at />
            </td>
            <td role="cell" data-label="What">
                <span class="tag" data-kind=row.kind.as_str()>{label_of(row.kind, row.cause)}</span>
                <span class="description">{row.description.clone()}</span>
                <small class="entry-number">
                    {format!("No. {seq}")}
                    {row
                        .refund_of
                        .map(|charge| {
                            view! { " · gives back " <a href=format!("#entry-{}", charge.0)>{format!("No. {}", charge.0)}</a> }
                        })}
                    {payment.map(|href| view! { " · " <a href=href rel="external">"payment"</a> })}
                    {row.hold.map(|hold| format!(" · was on hold as No. {}", hold.0.0))}
                    {(!row.debt_after.is_zero()).then(|| format!(" · {} still owed", credit_count(row.debt_after)))}
                </small>
            </td>
            <td role="cell" data-label="From or to">
                <Draws draws=row.draws />
            </td>
            <td role="cell" data-label="Credits" class="amount" class:is-up=row.amount.is_positive()>
                {signed_amount(row.amount)}
            </td>
            <td role="cell" data-label="Balance" class="amount">
                {row.balance_after.to_string()}
            </td>
        </tr>
    }
}

#[component]
fn Draws(
    draws: Vec<Draw>,
    /// Shows an amount: what is reserved went neither in nor out.
    #[prop(default = signed_amount)]
    amount: fn(i64) -> String,
) -> impl IntoView {
    view! {
        <ul class="draws">
            {draws
                .into_iter()
                .map(|draw| {
                    view! {
                        <li>
                            {draw.source.label()} " " <span class="number">{amount(draw.amount)}</span>
                            {draw
                                .expires_at
                                .map(|at| view! { <small>" until " <Moment at day_only=true /></small> })}
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

#[component]
fn HoldRow(hold: Hold, draws: Vec<Draw>) -> impl IntoView {
    let seq = hold.id.0.0;
    let is_pending = hold.status == HoldStatus::Pending;
    view! {
        <tr role="row" id=format!("entry-{seq}") class="is-hold" data-type="hold" data-status=hold.status.as_str()>
            <td role="cell" data-label="When">
                <Moment at=hold.created_at />
            </td>
            <td role="cell" data-label="What">
                <span class="tag" data-kind="hold">{status_of(hold.status)}</span>
                <span class="description">{hold.description.clone()}</span>
                <small class="entry-number">
                    {format!("No. {seq}")} {hold.reason.clone().map(|reason| format!(" · {reason}"))}
                    {is_pending
                        .then(|| view! { " · goes back by itself at " <Moment at=hold.deadline /> })}
                </small>
            </td>
            <td role="cell" data-label="From or to">
                <div>
                    {credit_count(hold.amount)} {if is_pending { " reserved of" } else { " were reserved of" }}
                    <Draws draws=draws amount=group_digits />
                </div>
            </td>
            <td role="cell" data-label="Credits" class="amount">"0"</td>
            <td role="cell" data-label="Balance" class="amount">"–"</td>
        </tr>
    }
}

const fn label_of(kind: TransactionType, cause: Cause) -> &'static str {
    match (kind, cause) {
        (_, Cause::Adjust) => "Adjusted",
        (TransactionType::Expiry, Cause::Reset) => "Ended by a reset",
        (_, Cause::Reset) => "Reset",
        (_, Cause::Undo) => "Reset undone",
        (_, Cause::Repay) => "Debt paid",
        (TransactionType::Credit, _) => "Added",
        (TransactionType::Debit, _) => "Spent",
        (TransactionType::Refund, _) => "Refunded",
        (TransactionType::Purchase, _) => "Bought",
        (TransactionType::Expiry, _) => "Ended",
        (TransactionType::Clawback, _) => "Taken back",
    }
}

const fn status_of(status: HoldStatus) -> &'static str {
    match status {
        HoldStatus::Pending => "On hold",
        HoldStatus::Captured => "Spent",
        HoldStatus::Released => "Not charged",
        HoldStatus::Expired => "Hold expired",
    }
}
