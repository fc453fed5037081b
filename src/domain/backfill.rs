//! Backfilling: bringing an account to a number of credits after the fact, as one does for people who were there before
//! there were credits. Always by a grant or an adjustment in the history, never by overwriting a balance.

use crate::domain::credits::Credits;

/// What the rule needs to know of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// All that remains, what is on hold included.
    pub total: Credits,
    /// What is owed: new credits pay it first.
    pub debt: Credits,
    /// What can be taken: credits that nobody paid for and that are not on hold.
    pub free: Credits,
}

/// What a backfill does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backfill {
    /// So many credits come in.
    Raise(Credits),
    /// So many free credits go.
    Lower(Credits),
    /// It is left alone.
    Leave,
}

/// What brings an account to `target`. Below it, all that is missing comes in, and what is owed on top, since that is
/// paid off first. Above it, and only where it may be lowered, free credits go as far as they reach: what was bought is
/// never taken, nor what is on hold.
pub fn decide(standing: Standing, target: Credits, may_lower: bool) -> Backfill {
    let Standing { total, debt, free } = standing;
    if let Some(missing) = target.checked_sub(total).filter(|missing| !missing.is_zero()) {
        return Backfill::Raise(missing.checked_add(debt).unwrap_or(Credits::MAX));
    }
    match total.saturating_sub(target).min(free) {
        surplus if may_lower && !surplus.is_zero() => Backfill::Lower(surplus),
        _ => Backfill::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(total: u32, debt: u32, free: u32, target: u32, may_lower: bool) -> Backfill {
        let standing = Standing { total: Credits::of(total), debt: Credits::of(debt), free: Credits::of(free) };
        decide(standing, Credits::of(target), may_lower)
    }

    #[test]
    fn who_has_less_gets_what_is_missing() {
        assert_eq!(decided(60, 0, 60, 5_000, false), Backfill::Raise(Credits::of(4_940)));
        assert_eq!(decided(0, 0, 0, 1, true), Backfill::Raise(Credits::of(1)));
    }

    #[test]
    fn what_is_owed_comes_on_top() {
        assert_eq!(decided(40, 30, 0, 100, false), Backfill::Raise(Credits::of(90)));
    }

    #[test]
    fn who_has_as_much_or_more_is_left_alone() {
        assert_eq!(decided(100, 0, 100, 100, true), Backfill::Leave);
        assert_eq!(decided(150, 0, 150, 100, false), Backfill::Leave);
    }

    #[test]
    fn only_free_credits_are_taken() {
        assert_eq!(decided(150, 0, 150, 100, true), Backfill::Lower(Credits::of(50)));
        assert_eq!(decided(150, 0, 20, 100, true), Backfill::Lower(Credits::of(20)));
        assert_eq!(decided(150, 0, 0, 100, true), Backfill::Leave);
    }
}
