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
}
