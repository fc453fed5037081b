//! Money as people write it: whole cents, shown in the catalogue's currency.

use serde::{Deserialize, Serialize};

/// A price in cents, from 0 to one million dollars; larger is taken for a typing mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Cents(i64);

impl Cents {
    /// The highest price, in cents.
    pub const MAX: i64 = 100_000_000;

    /// The plain number of cents.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether nothing is due.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Takes an amount in dollars as people type it: `15`, `4.50`, `$4.50`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('$');
        let (dollars, cents) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if dollars.is_empty() || dollars.len() > 9 || cents.len() > 2 || !is_number(dollars) || !is_number(cents) {
            return None;
        }
        let whole: i64 = dollars.parse().ok()?;
        let part: i64 = format!("{cents:0<2}").parse().ok()?;
        Self::try_from(whole * 100 + part).ok()
    }

    /// What is left after taking `other`, not below nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(if self.0 > other.0 { self.0 - other.0 } else { 0 })
    }

    /// `$15`, `$4.50`: without cents where there are none.
    pub fn in_dollars(self) -> String {
        let (dollars, cents) = (self.0 / 100, self.0 % 100);
        let dollars = crate::domain::credits::group_digits(dollars);
        if cents == 0 { format!("${dollars}") } else { format!("${dollars}.{cents:02}") }
    }
}

impl TryFrom<i64> for Cents {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        if (0..=Self::MAX).contains(&value) { Ok(Self(value)) } else { Err("a price is 0 to 100,000,000 cents") }
    }
}

impl From<Cents> for i64 {
    fn from(cents: Cents) -> i64 {
        cents.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_shows_cents_only_where_there_are_some() {
        let price = |cents: i64| Cents::try_from(cents).unwrap().in_dollars();
        assert_eq!(price(1500), "$15");
        assert_eq!(price(450), "$4.50");
        assert_eq!(price(123_456), "$1,234.56");
        assert!(Cents::try_from(-1).is_err());
    }

    #[test]
    fn an_amount_is_read_as_people_type_it() {
        let cents = |text| Cents::parse(text).map(Cents::get);
        assert_eq!(["15", "4.5", "$4.50", " 0.05 ", "0"].map(cents), [1_500, 450, 450, 5, 0].map(Some));
        assert_eq!(["", ".5", "-1", "1.234", "1e3", "1,5", "9999999999", "1000000.01"].map(cents), [None; 8]);
    }
}
