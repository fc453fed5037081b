//! The balance in full: how much, of what kind, and what happens to it next.

use crate::components::{Moment, credit_count};
use crate::domain::account::Balance;
use leptos::prelude::*;

/// An account's balance with its sources, holds and next dates.
#[component]
pub fn BalanceCard(
    /// Where the account stands.
    balance: Balance,
    /// The plan's name.
    #[prop(optional_no_strip)]
    plan_name: Option<String>,
) -> impl IntoView {
    let sources = balance.by_source.clone();
    view! {
        <section class="panel balance-card" aria-label="Balance">
            <p class="balance-label">
                "Available " {plan_name.map(|plan| view! { <span class="tag">{plan}</span> })}
            </p>
            <p class="balance-total">
                <span class="number">{balance.available.to_string()}</span>
                " credits"
            </p>
            <dl class="facts">
                {sources
                    .into_iter()
                    .map(|(source, amount)| {
                        view! {
                            <div>
                                <dt>{source.label()}</dt>
                                <dd>{amount.to_string()}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
                {(!balance.held.is_zero())
                    .then(|| {
                        view! {
                            <div>
                                <dt>"Of these on hold"</dt>
                                <dd>{balance.held.to_string()}</dd>
                            </div>
                        }
                    })}
            </dl>
            {(!balance.debt.is_zero())
                .then(|| {
                    view! {
                        <p class="note">
                            {credit_count(balance.debt)}
                            " of a returned payment were spent already. The next credits pay that off."
                        </p>
                    }
                })}
            {balance
                .next_reset
                .map(|(at, amount)| {
                    view! {
                        <p class="note">{credit_count(amount)} " come on " <Moment at day_only=true /> "."</p>
                    }
                })}
            {balance
                .next_expiry
                .map(|(at, amount)| {
                    view! { <p class="note">{credit_count(amount)} " end on " <Moment at day_only=true /> "."</p> }
                })}
        </section>
    }
}
