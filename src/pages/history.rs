//! `/history`: every movement, filtered by chips in the address, page by page.

use crate::api::history::load_history;
use crate::api::views::HistoryView;
use crate::components::{HistoryTable, Loaded, encode_query};
use crate::domain::TransactionType;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The history of one's own account.
#[component]
pub fn HistoryPage() -> impl IntoView {
    let query = use_query_map();
    let only = Memo::new(move |_| query.read().get("only").unwrap_or_default());
    let before = Memo::new(move |_| query.read().get("before").and_then(|text| text.parse::<i64>().ok()));
    let history = Resource::new(
        move || (only.get(), before.get()),
        |(only, before)| load_history((!only.is_empty()).then_some(only), before),
    );
    view! {
        <Title text="History" />
        <div class="page history">
            <h1>"History"</h1>
            <Chips only />
            <Loaded
                resource=history
                view=move |history: HistoryView| view! { <Lines history only=only.get_untracked() is_first=before.get_untracked().is_none() /> }
            />
        </div>
    }
}

#[component]
fn Chips(only: Memo<String>) -> impl IntoView {
    let chip = move |name: &'static str, label: &'static str| {
        view! {
            <a
                class="chip"
                href=encode_query("/history", &[("only", name)])
                aria-current=move || (only.get() == name).then_some("true")
            >
                {label}
            </a>
        }
    };
    view! {
        <nav class="chips" aria-label="Which movements">
            {chip("", "All")}
            {TransactionType::ALL.into_iter().map(|kind| chip(kind.as_str(), label_of(kind))).collect_view()}
            {chip("hold", "Not charged")}
        </nav>
    }
}

const fn label_of(kind: TransactionType) -> &'static str {
    match kind {
        TransactionType::Credit => "Added",
        TransactionType::Debit => "Spent",
        TransactionType::Refund => "Refunded",
        TransactionType::Purchase => "Bought",
        TransactionType::Expiry => "Ended",
        TransactionType::Clawback => "Taken back",
    }
}

#[component]
fn Lines(history: HistoryView, only: String, is_first: bool) -> impl IntoView {
    let is_empty = history.lines.is_empty();
    let older =
        history.next_before.map(|before| encode_query("/history", &[("only", &only), ("before", &before.to_string())]));
    view! {
        {is_empty
            .then(|| {
                view! {
                    <p class="empty">"No such movements yet. " <a href="/studio">"Make something"</a> " and it shows up here."</p>
                }
            })}
        {(!is_empty).then(|| view! { <HistoryTable lines=history.lines paid=history.paid /> })}
        {(!is_first || older.is_some())
            .then(|| {
                view! {
                    <nav class="pager" aria-label="Pages">
                        {(!is_first)
                            .then(|| view! { <a class="button" href=encode_query("/history", &[("only", &only)])>"Newest"</a> })}
                        {older.map(|href| view! { <a class="button" href=href>"Older"</a> })}
                    </nav>
                }
            })}
    }
}
