//! Credits as numbers: never negative, never fractional, never larger than what JSON and JavaScript
//! carry exactly. All arithmetic is checked.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest amount in one operation or balance: 2^53 - 1, the largest integer that an IEEE 754
/// double (so every JSON reader) holds exactly (ECMA-262, `Number.MAX_SAFE_INTEGER`).
pub const MAX_CREDITS: i64 = (1 << 53) - 1;

const MIN_DELTA: i64 = -MAX_CREDITS;

/// A whole number of credits from 0 to [`MAX_CREDITS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Credits(i64);

/// Why a number is not an amount of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditsError {
    /// Below zero, or zero where something has to change.
    #[error("an amount of credits has to be above zero")]
    TooSmall,
    /// Above [`MAX_CREDITS`].
    #[error("an amount of credits can be at most {MAX_CREDITS}")]
    TooLarge,
}

impl Credits {
    /// Nothing.
    pub const ZERO: Credits = Credits(0);
    /// The most that one balance can be.
    pub const MAX: Credits = Credits(MAX_CREDITS);

    /// Takes a number from outside.
    ///
    /// # Errors
    /// Where it is negative or above [`MAX_CREDITS`].
    pub const fn new(value: i64) -> Result<Self, CreditsError> {
        match value {
            i64::MIN..0 => Err(CreditsError::TooSmall),
            0..=MAX_CREDITS => Ok(Self(value)),
            _ => Err(CreditsError::TooLarge),
        }
    }

    /// A small amount that is known when the program is written or tested.
    pub const fn of(value: u32) -> Self {
        Self(value as i64)
    }

    /// The plain number, for storage and display.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it leaves the range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::new(self.0 + other.0).ok()
    }

    /// The difference, unless it would be negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::new(self.0 - other.0).ok()
    }

    /// The difference, or nothing where it would be negative.
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// The product, unless it leaves the range.
    pub fn checked_mul(self, factor: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(factor)).and_then(|product| Self::new(product).ok())
    }
}

impl TryFrom<i64> for Credits {
    type Error = CreditsError;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Credits> for i64 {
    fn from(credits: Credits) -> i64 {
        credits.0
    }
}

/// Grouped by thousands with a comma: `12,345`.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&group_digits(self.0))
    }
}

/// A change of a balance, up or down, never nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct CreditDelta(i64);

impl CreditDelta {
    /// Takes a signed number from outside.
    ///
    /// # Errors
    /// Where it is zero, or further from zero than [`MAX_CREDITS`].
    pub const fn new(value: i64) -> Result<Self, CreditsError> {
        match value {
            0 => Err(CreditsError::TooSmall),
            MIN_DELTA..=MAX_CREDITS => Ok(Self(value)),
            _ => Err(CreditsError::TooLarge),
        }
    }

    /// Takes a change as people write it: `25`, `+1,000`, `-3` with any of the usual minus signs.
    ///
    /// # Errors
    /// Where it is no whole number other than zero within the limits.
    pub fn parse_typed(text: &str) -> Result<Self, CreditsError> {
        let plain: String = text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != ',')
            .map(|character| if matches!(character, '\u{2212}' | '\u{2013}') { '-' } else { character })
            .collect();
        plain.parse::<i64>().map_err(|_| CreditsError::TooLarge).and_then(Self::new)
    }

    /// The plain signed number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// How far the balance moves, whichever way.
    pub const fn magnitude(self) -> Credits {
        Credits(self.0.abs())
    }

    /// Whether it adds credits.
    pub const fn is_up(self) -> bool {
        self.0 > 0
    }
}

impl TryFrom<i64> for CreditDelta {
    type Error = CreditsError;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<CreditDelta> for i64 {
    fn from(delta: CreditDelta) -> i64 {
        delta.0
    }
}

/// Writes a whole number with its digits grouped by thousands: `-12,345`.
pub fn group_digits(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        grouped.push('\u{2212}');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 credit`, `2 credits`: an amount with its noun.
pub fn credit_count(amount: Credits) -> String {
    let noun = if amount.get() == 1 { "credit" } else { "credits" };
    format!("{amount} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_stays_within_what_json_holds_exactly() {
        assert_eq!(Credits::new(-1), Err(CreditsError::TooSmall));
        assert_eq!(Credits::new(MAX_CREDITS + 1), Err(CreditsError::TooLarge));
        assert_eq!(Credits::new(i64::MAX), Err(CreditsError::TooLarge));
        assert_eq!(Credits::new(MAX_CREDITS).map(Credits::get), Ok(MAX_CREDITS));
        assert_eq!(Credits::MAX.checked_add(Credits::of(1)), None);
        assert_eq!(Credits::ZERO.checked_sub(Credits::of(1)), None);
        assert_eq!(Credits::MAX.checked_mul(2), None);
    }

    #[test]
    fn a_change_is_never_nothing_and_never_beyond_the_limits() {
        assert_eq!(CreditDelta::new(0), Err(CreditsError::TooSmall));
        assert_eq!(CreditDelta::new(i64::MIN), Err(CreditsError::TooLarge));
        assert_eq!(CreditDelta::new(-MAX_CREDITS).map(CreditDelta::magnitude), Ok(Credits::MAX));
    }

    #[test]
    fn a_change_is_taken_as_people_write_it() {
        let parse = |text| CreditDelta::parse_typed(text).ok().map(CreditDelta::get);
        assert_eq!((parse("25"), parse("+1,000"), parse(" \u{2212}3 ")), (Some(25), Some(1_000), Some(-3)));
        for bad in ["", "0", "-0", "1.5", "1e3", "ten", "--5", "9007199254740992", "99999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad} was taken");
        }
    }

    #[test]
    fn digits_are_grouped_by_thousands() {
        assert_eq!(group_digits(0), "0");
        assert_eq!(group_digits(999), "999");
        assert_eq!(group_digits(1_000), "1,000");
        assert_eq!(group_digits(-1_234_567), "\u{2212}1,234,567");
    }

    #[test]
    fn json_refuses_what_the_constructor_refuses() {
        for bad in ["-1", "9007199254740992", "1.5", "\"5\"", "null"] {
            assert!(serde_json::from_str::<Credits>(bad).is_err(), "{bad} was taken");
        }
    }
}
