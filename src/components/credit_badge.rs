//! The credit badge: the balance in the header of every page, and what it is made of.

use crate::api::views::UserView;
use crate::components::{BuyLink, Icon, Menu, Moment, credit_count};
use crate::domain::{Credits, Source};
use leptos::prelude::*;

/// Fewer credits than this are called low.
const LOW: Credits = Credits::of(10);

/// The balance, with its particulars a tap away.
#[component]
pub fn CreditBadge(
    /// Whose.
    user: UserView,
    /// Whether more can be bought.
    for_sale: bool,
) -> impl IntoView {
    let balance = user.balance;
    let is_low = balance.available < LOW;
    let label = format!("{} available{}", credit_count(balance.available), if is_low { ", low" } else { "" });
    let rows = [
        ("Monthly", balance.of(Source::Monthly)),
        ("Purchased", balance.of(Source::Purchase)),
        ("On hold", balance.held),
    ];
    let rows = rows.into_iter().filter(|(_, amount)| !amount.is_zero());
    let available = balance.available;
    let button = Box::new(move || {
        view! {
            <Icon name=if is_low { "low" } else { "coin" } />
            <span class="badge-number" data-testid="balance">{available.to_string()}</span>
            {is_low.then(|| view! { <span class="badge-low">"low"</span> })}
        }
        .into_any()
    });
    view! {
        <Menu class=if is_low { "menu credit-badge is-low" } else { "menu credit-badge" } label button>
                <p class="menu-title">
                    {user.plan_name.map_or_else(|| "Your credits".to_owned(), |plan| format!("{plan} plan"))}
                </p>
                <dl class="facts">
                    <div>
                        <dt>"Available"</dt>
                        <dd>{balance.available.to_string()}</dd>
                    </div>
                    {rows
                        .map(|(name, amount)| {
                            view! {
                                <div>
                                    <dt>{name}</dt>
                                    <dd>{amount.to_string()}</dd>
                                </div>
                            }
                        })
                        .collect_view()}
                    {balance
                        .next_reset
                        .map(|(at, amount)| {
                            view! {
                                <div>
                                    <dt>"New on " <Moment at day_only=true /></dt>
                                    <dd>{amount.to_string()}</dd>
                                </div>
                            }
                        })}
                    {balance
                        .next_expiry
                        .map(|(at, amount)| {
                            view! {
                                <div>
                                    <dt>"Ends on " <Moment at day_only=true /></dt>
                                    <dd>{amount.to_string()}</dd>
                                </div>
                            }
                        })}
                </dl>
                {for_sale.then(|| view! { <BuyLink class="button is-primary">"Add credits"</BuyLink> })}
                <a href="/history">"See every movement"</a>
        </Menu>
    }
}
