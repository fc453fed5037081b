//! Small pieces of text: times, amounts, icons.

use crate::domain::Timestamp;
use crate::domain::catalogue::Interval;
use crate::domain::credits::group_digits;
use leptos::prelude::*;

/// A moment, in UTC.
#[component]
pub fn Moment(
    /// When.
    at: Timestamp,
    /// Whether the day alone is enough.
    #[prop(optional)]
    day_only: bool,
) -> impl IntoView {
    let shown = if day_only { at.to_day() } else { at.to_minute() };
    view! { <time datetime=at.to_rfc3339() title=format!("{} UTC", at.to_minute())>{shown}</time> }
}

/// An icon of the sprite; it says nothing that the text beside it does not.
#[component]
pub fn Icon(
    /// Its name in `public/icons.svg`.
    name: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use href=format!("/icons.svg#{name}") />
        </svg>
    }
}

/// `+25`, `−5`.
pub fn signed_amount(amount: i64) -> String {
    if amount > 0 { format!("+{}", group_digits(amount)) } else { group_digits(amount) }
}

/// How often a price is paid.
pub const fn every(interval: Interval) -> &'static str {
    match interval {
        Interval::Month => "a month",
        Interval::Year => "a year",
    }
}

/// A plan with how it is paid: `Basic, monthly`.
pub fn terms_in_words(plan: &str, interval: Interval) -> String {
    match interval {
        Interval::Month => format!("{plan}, monthly"),
        Interval::Year => format!("{plan}, yearly"),
    }
}

/// Where a row of history stands on its page.
pub fn history_row(seq: i64) -> String {
    format!("/history?before={}#entry-{seq}", seq + 1)
}

/// Puts a path and its parameters together, escaped.
pub fn encode_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let encoded = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()))
        .finish();
    if encoded.is_empty() { path.to_owned() } else { format!("{path}?{encoded}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_empty_ones_left_out() {
        assert_eq!(encode_query("/studio", &[("prompt", "a&b \u{e9}"), ("made", "")]), "/studio?prompt=a%26b+%C3%A9");
        assert_eq!(encode_query("/studio", &[("made", "")]), "/studio");
    }
}
