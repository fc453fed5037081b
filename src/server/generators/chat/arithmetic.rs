//! Arithmetic: works out what a line of digits and operators comes to, exactly.
//!
//! Values are fractions of two i128, so 0.1 + 0.2 is 0.3. What does not fit is refused, never rounded
//! or wrapped.

use std::fmt;

/// Longest expression, in bytes: nobody types a longer one.
const MAX_EXPRESSION_BYTES: usize = 1_000;
/// Deepest nesting of brackets and powers: the parser calls itself once for each.
const MAX_DEPTH: u32 = 64;
/// Largest exponent: 2^127 no longer fits an i128, so only 0, 1 and -1 could ever need more.
const MAX_EXPONENT: i128 = 1_000;
/// Digits shown behind the point of a number that does not end.
const SHOWN_DECIMALS: usize = 12;

/// Why an expression has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArithmeticError {
    #[error("that divides by zero, and nothing comes out of that")]
    DivisionByZero,
    #[error("that number grows too large for me to stay exact")]
    TooLarge,
    #[error("those brackets go deeper than I can follow")]
    TooDeep,
    #[error("I can only raise to whole powers between -1000 and 1000")]
    Exponent,
    #[error("I could not read that as a calculation")]
    Malformed,
}

/// An exact value. The denominator is above zero and shares no factor with the numerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

/// Works out `expression`: + - * / ^, brackets, decimals, "15%" as a hundredth part and "17 % 5" as
/// a remainder.
///
/// # Errors
/// [`ArithmeticError`] where it cannot be read or has no exact value within an i128.
pub fn evaluate(expression: &str) -> Result<Fraction, ArithmeticError> {
    if expression.len() > MAX_EXPRESSION_BYTES {
        return Err(ArithmeticError::TooLarge);
    }
    let signs: Vec<char> = expression.chars().filter(|c| !c.is_whitespace()).collect();
    let mut parser = Parser { signs: &signs, at: 0, depth: 0 };
    let value = parser.sum()?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(ArithmeticError::Malformed),
    }
}

impl Fraction {
    fn new(numerator: i128, denominator: i128) -> Result<Fraction, ArithmeticError> {
        if denominator == 0 {
            return Err(ArithmeticError::DivisionByZero);
        }
        // i128::MIN has no positive counterpart; refusing it here keeps every later negation safe.
        if numerator == i128::MIN || denominator == i128::MIN {
            return Err(ArithmeticError::TooLarge);
        }
        let shared = greatest_common_divisor(numerator.abs(), denominator.abs());
        Ok(Fraction { numerator: numerator / shared * denominator.signum(), denominator: denominator.abs() / shared })
    }

    fn whole(value: i128) -> Fraction {
        Fraction { numerator: value, denominator: 1 }
    }

    fn negated(self) -> Fraction {
        Fraction { numerator: -self.numerator, denominator: self.denominator }
    }

    fn plus(self, other: Fraction) -> Result<Fraction, ArithmeticError> {
        let numerator = times(self.numerator, other.denominator)?
            .checked_add(times(other.numerator, self.denominator)?)
            .ok_or(ArithmeticError::TooLarge)?;
        Fraction::new(numerator, times(self.denominator, other.denominator)?)
    }

    fn times(self, other: Fraction) -> Result<Fraction, ArithmeticError> {
        // Crosswise reduction first: a large value times its own inverse must not overflow.
        let left = Fraction::new(self.numerator, other.denominator)?;
        let right = Fraction::new(other.numerator, self.denominator)?;
        Fraction::new(times(left.numerator, right.numerator)?, times(left.denominator, right.denominator)?)
    }

    fn inverse(self) -> Result<Fraction, ArithmeticError> {
        Fraction::new(self.denominator, self.numerator)
    }

    /// What is left of `self` after taking away whole `other`s, with the sign of `self`.
    fn remainder(self, other: Fraction) -> Result<Fraction, ArithmeticError> {
        let quotient = self.times(other.inverse()?)?;
        let whole = Fraction::whole(quotient.numerator / quotient.denominator);
        self.plus(other.times(whole)?.negated())
    }

    fn power(self, exponent: Fraction) -> Result<Fraction, ArithmeticError> {
        let count = exponent.numerator;
        if exponent.denominator != 1 || count.abs() > MAX_EXPONENT {
            return Err(ArithmeticError::Exponent);
        }
        let base = if count < 0 { self.inverse()? } else { self };
        let mut result = Fraction::whole(1);
        for _ in 0..count.abs() {
            result = result.times(base)?;
        }
        Ok(result)
    }
}

impl fmt::Display for Fraction {
    /// Writes "12", "-0.5", or "≈ 0.333333333333" where the digits do not end.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.numerator < 0 { "-" } else { "" };
        let whole = self.numerator.abs() / self.denominator;
        let mut rest = self.numerator.abs() % self.denominator;
        let mut digits = String::new();
        while rest != 0 && digits.len() < SHOWN_DECIMALS {
            let Some(shifted) = rest.checked_mul(10) else {
                break;
            };
            digits.push_str(&(shifted / self.denominator).to_string());
            rest = shifted % self.denominator;
        }
        let about = if rest == 0 { "" } else { "≈ " };
        let point = if digits.is_empty() { "" } else { "." };
        write!(out, "{about}{sign}{whole}{point}{digits}")
    }
}

fn times(left: i128, right: i128) -> Result<i128, ArithmeticError> {
    left.checked_mul(right).ok_or(ArithmeticError::TooLarge)
}

/// Euclid's. At least 1 as long as one of the two is above zero, which every denominator is.
fn greatest_common_divisor(mut left: i128, mut right: i128) -> i128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

/// Recursive descent: sum, product, sign, power, atom, each binding more tightly than the one before.
struct Parser<'a> {
    signs: &'a [char],
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.signs.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += 1;
        }
        found
    }

    fn sum(&mut self) -> Result<Fraction, ArithmeticError> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value = value.plus(self.product()?)?;
            } else if self.take('-') {
                value = value.plus(self.product()?.negated())?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<Fraction, ArithmeticError> {
        let mut value = self.signed()?;
        loop {
            if self.take('*') {
                value = value.times(self.signed()?)?;
            } else if self.take('/') {
                value = value.times(self.signed()?.inverse()?)?;
            } else if self.take('%') {
                value = value.remainder(self.signed()?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn signed(&mut self) -> Result<Fraction, ArithmeticError> {
        let mut negative = false;
        loop {
            if self.take('-') {
                negative = !negative;
            } else if !self.take('+') {
                break;
            }
        }
        let value = self.power()?;
        Ok(if negative { value.negated() } else { value })
    }

    /// Powers bind to the right: 2^3^2 is 2^9.
    fn power(&mut self) -> Result<Fraction, ArithmeticError> {
        let base = self.percent()?;
        if !self.take('^') {
            return Ok(base);
        }
        let exponent = self.deeper(Parser::signed)?;
        base.power(exponent)
    }

    /// A percent sign is a hundredth part, unless a value follows: then it asks for a remainder.
    fn percent(&mut self) -> Result<Fraction, ArithmeticError> {
        let value = self.atom()?;
        let follower = self.signs.get(self.at + 1).copied();
        let starts_value = follower.is_some_and(|c| c.is_ascii_digit() || c == '(' || c == '.');
        if self.peek() == Some('%') && !starts_value {
            self.at += 1;
            return value.times(Fraction::new(1, 100)?);
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<Fraction, ArithmeticError> {
        if !self.take('(') {
            return self.number();
        }
        let value = self.deeper(Parser::sum)?;
        if self.take(')') { Ok(value) } else { Err(ArithmeticError::Malformed) }
    }

    fn deeper(
        &mut self,
        rule: fn(&mut Self) -> Result<Fraction, ArithmeticError>,
    ) -> Result<Fraction, ArithmeticError> {
        if self.depth == MAX_DEPTH {
            return Err(ArithmeticError::TooDeep);
        }
        self.depth += 1;
        let value = rule(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// Digits with at most one point; commas may part thousands.
    fn number(&mut self) -> Result<Fraction, ArithmeticError> {
        let (mut numerator, mut denominator) = (0_i128, 1_i128);
        let (mut digits, mut behind_point) = (0, false);
        while let Some(sign) = self.peek() {
            if let Some(digit) = sign.to_digit(10) {
                numerator = times(numerator, 10)?.checked_add(i128::from(digit)).ok_or(ArithmeticError::TooLarge)?;
                denominator = times(denominator, if behind_point { 10 } else { 1 })?;
                digits += 1;
            } else if sign == '.' && !behind_point {
                behind_point = true;
            } else if !(sign == ',' && digits > 0 && !behind_point && self.thousands_follow()) {
                break;
            }
            self.at += 1;
        }
        if digits == 0 {
            return Err(ArithmeticError::Malformed);
        }
        Fraction::new(numerator, denominator)
    }

    /// Exactly three digits behind the comma at hand: "1,000", never "3,5" or "1,0000".
    fn thousands_follow(&self) -> bool {
        let behind = self.signs.iter().skip(self.at + 1);
        behind.take_while(|c| c.is_ascii_digit()).count() == 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expression: &str) -> String {
        match evaluate(expression) {
            Ok(value) => value.to_string(),
            Err(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn expressions_come_out_right() {
        let examples = [
            ("12*(3+4)", "84"),
            ("2+3*4", "14"),
            ("10-4-3", "3"),
            ("24/4/3", "2"),
            ("2^3^2", "512"),
            ("-2^2", "-4"),
            ("2^-2", "0.25"),
            ("--3", "3"),
            ("0.1+0.2", "0.3"),
            ("1/3", "≈ 0.333333333333"),
            ("-7/2", "-3.5"),
            ("1,000,000 + 1", "1000001"),
            ("15% * 240", "36"),
            ("17 % 5", "2"),
            ("-17 % 5", "-2"),
            ("100 + 50%", "100.5"),
            (".5 * 4", "2"),
            ("0^0", "1"),
            ("1/3*3", "1"),
        ];
        for (expression, expected) in examples {
            assert_eq!(shown(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_has_no_value_says_why() {
        let examples = [
            ("1/0", "DivisionByZero"),
            ("5 % 0", "DivisionByZero"),
            ("0^-1", "DivisionByZero"),
            ("9^999", "TooLarge"),
            ("2^1001", "Exponent"),
            ("4^0.5", "Exponent"),
            ("2+", "Malformed"),
            ("(2", "Malformed"),
            ("2)", "Malformed"),
            ("", "Malformed"),
            (".", "Malformed"),
            ("3,5", "Malformed"),
            ("1..2", "Malformed"),
        ];
        for (expression, expected) in examples {
            assert_eq!(shown(expression), expected, "{expression}");
        }
    }

    #[test]
    fn brackets_are_followed_to_the_limit_and_no_deeper() {
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(shown(&nested(64)), "1");
        assert_eq!(shown(&nested(65)), "TooDeep");
        assert_eq!(shown(&"2^".repeat(400)), "TooDeep");
        assert_eq!(shown(&"(".repeat(100_000)), "TooLarge");
    }

    #[test]
    fn the_edges_of_the_largest_number_are_refused_not_wrapped() {
        let largest = i128::MAX.to_string();
        assert_eq!(shown(&largest), largest);
        assert_eq!(shown(&format!("{largest} + 1")), "TooLarge");
        assert_eq!(shown(&format!("-{largest} - 1")), "TooLarge");
        assert_eq!(shown(&format!("{largest} * (1/{largest})")), "1");
    }

    #[test]
    fn generated_sums_agree_with_the_machine() {
        for left in -12_i64..12 {
            for right in -12_i64..12 {
                let expression = format!("({left}) * 3 - ({right}) + ({left}) * ({right})");
                let expected = (left * 3 - right + left * right).to_string();
                assert_eq!(shown(&expression), expected, "{expression}");
            }
        }
    }
}
