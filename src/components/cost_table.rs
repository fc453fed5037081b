//! What things cost, from the rates themselves.

use crate::components::Icon;
use crate::domain::rates::{Rate, Unit};
use leptos::prelude::*;

/// All features with their price in words.
#[component]
pub fn CostTable(
    /// The rates.
    rates: Vec<Rate>,
) -> impl IntoView {
    view! {
        <table class="cost-table">
            <caption class="visually-hidden">"What each feature costs"</caption>
            <thead>
                <tr>
                    <th scope="col">"Feature"</th>
                    <th scope="col">"Cost"</th>
                </tr>
            </thead>
            <tbody>
                {rates
                    .into_iter()
                    .map(|rate| {
                        view! {
                            <tr>
                                <th scope="row">
                                    <Icon name=icon_of(rate.unit) />
                                    {rate.name.clone()}
                                </th>
                                <td>{rate.in_words()}</td>
                            </tr>
                        }
                    })
                    .collect_view()}
            </tbody>
        </table>
    }
}

const fn icon_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Image => "image",
        Unit::Second => "sound",
        Unit::Message => "chat",
        Unit::Call => "call",
    }
}
