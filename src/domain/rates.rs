//! What things cost: a feature has a unit, a rate turns units into credits, and says so in words.

use crate::domain::credits::{Credits, credit_count};
use crate::domain::ids::FeatureId;
use serde::{Deserialize, Serialize};

/// The most units in one use of a feature: a day of seconds.
pub const MAX_UNITS: u32 = 86_400;

/// Characters that a voice speaks in a second: 150 words a minute, six characters a word with its blank.
const SPOKEN_CHARS_PER_SECOND: usize = 15;

/// What a feature is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// One picture.
    Image,
    /// One second of sound or moving pictures.
    Second,
    /// One message.
    Message,
    /// One call of a program.
    Call,
}

impl Unit {
    /// `image`, `second` ...
    pub const fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Second => "second",
            Self::Message => "message",
            Self::Call => "call",
        }
    }
}

/// How units become credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// So many credits for each unit.
    PerUnit {
        /// Credits for one unit.
        cost: Credits,
    },
    /// So many credits for each started block of `size` units.
    PerStarted {
        /// Units in a block.
        size: u32,
        /// Credits for one block.
        cost: Credits,
    },
    /// A fixed price by size; more units than the last step are refused.
    Steps(Vec<Step>),
}

/// One step of [`Rule::Steps`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The last number of units that this price covers.
    pub up_to: u32,
    /// Credits for all of them together.
    pub cost: Credits,
}

/// A feature and its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Which feature.
    pub feature: FeatureId,
    /// Its name for people.
    pub name: String,
    /// What it is counted in.
    pub unit: Unit,
    /// How units become credits.
    pub rule: Rule,
}

/// Why a number of units has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Nothing was asked for.
    #[error("at least one unit is needed")]
    NoUnits,
    /// More than the rule, or [`MAX_UNITS`], allows.
    #[error("at most {max} units at once")]
    TooManyUnits {
        /// The most that is allowed.
        max: u32,
    },
}

impl Rate {
    /// The cost of `units`.
    ///
    /// # Errors
    /// [`RateError`] where the rule has no price for so few or so many.
    pub fn cost(&self, units: u32) -> Result<Credits, RateError> {
        if units == 0 {
            return Err(RateError::NoUnits);
        }
        let max = self.max_units();
        let too_many = RateError::TooManyUnits { max };
        if units > max {
            return Err(too_many);
        }
        match &self.rule {
            Rule::PerUnit { cost } => cost.checked_mul(units),
            Rule::PerStarted { size, cost } => cost.checked_mul(units.div_ceil((*size).max(1))),
            Rule::Steps(steps) => steps.iter().find(|step| units <= step.up_to).map(|step| step.cost),
        }
        .ok_or(too_many)
    }

    /// The most units at once.
    pub fn max_units(&self) -> u32 {
        match &self.rule {
            Rule::PerUnit { .. } | Rule::PerStarted { .. } => MAX_UNITS,
            Rule::Steps(steps) => steps.last().map_or(0, |step| step.up_to.min(MAX_UNITS)),
        }
    }

    /// The price in a line: `1 credit per started 15 s`.
    pub fn in_words(&self) -> String {
        match &self.rule {
            Rule::PerUnit { cost } => format!("{} per {}", credit_count(*cost), self.unit.word()),
            Rule::PerStarted { size, cost } => {
                format!("{} per started {}", credit_count(*cost), self.count(*size))
            }
            Rule::Steps(steps) => {
                let lines =
                    steps.iter().map(|step| format!("{} up to {}", credit_count(step.cost), self.count(step.up_to)));
                lines.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// `15 s`, `1 image`, `3 messages`.
    pub fn count(&self, units: u32) -> String {
        match self.unit {
            Unit::Second => format!("{units} s"),
            Unit::Image | Unit::Message | Unit::Call if units == 1 => format!("1 {}", self.unit.word()),
            Unit::Image | Unit::Message | Unit::Call => format!("{units} {}s", self.unit.word()),
        }
    }

    /// What is wrong with the rule itself, where anything is.
    pub fn flaw(&self) -> Option<&'static str> {
        match &self.rule {
            Rule::PerUnit { cost } => cost.is_zero().then_some("a cost has to be above zero"),
            Rule::PerStarted { size: 0, .. } => Some("a block has at least one unit"),
            Rule::PerStarted { cost, .. } => cost.is_zero().then_some("a cost has to be above zero"),
            Rule::Steps(steps) if steps.is_empty() => Some("there has to be at least one step"),
            Rule::Steps(steps) if steps.iter().any(|step| step.cost.is_zero()) => Some("a cost has to be above zero"),
            Rule::Steps(steps) => {
                let rises = steps.windows(2).all(|pair| pair[0].up_to < pair[1].up_to) && steps[0].up_to > 0;
                (!rises).then_some("each step has to reach further than the one before")
            }
        }
    }
}

/// Seconds that speaking a text takes, estimated from its length; at least one.
pub fn estimate_speech_seconds(text: &str) -> u32 {
    let seconds = text.trim().chars().count().div_ceil(SPOKEN_CHARS_PER_SECOND);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(unit: Unit, rule: Rule) -> Rate {
        Rate { feature: FeatureId::parse("x").unwrap(), name: "X".into(), unit, rule }
    }

    fn video() -> Rate {
        let step = |up_to, cost| Step { up_to, cost: Credits::of(cost) };
        rate(Unit::Second, Rule::Steps(vec![step(5, 25), step(10, 50)]))
    }

    fn audio() -> Rate {
        rate(Unit::Second, Rule::PerStarted { size: 15, cost: Credits::of(1) })
    }

    #[test]
    fn an_image_costs_five_each() {
        let image = rate(Unit::Image, Rule::PerUnit { cost: Credits::of(5) });
        assert_eq!(image.cost(1), Ok(Credits::of(5)));
        assert_eq!(image.cost(3), Ok(Credits::of(15)));
        assert_eq!(image.cost(0), Err(RateError::NoUnits));
        assert_eq!(image.in_words(), "5 credits per image");
    }

    #[test]
    fn a_video_has_a_price_for_five_and_for_ten_seconds_and_none_beyond() {
        assert_eq!(video().cost(1), Ok(Credits::of(25)));
        assert_eq!(video().cost(5), Ok(Credits::of(25)));
        assert_eq!(video().cost(6), Ok(Credits::of(50)));
        assert_eq!(video().cost(10), Ok(Credits::of(50)));
        assert_eq!(video().cost(11), Err(RateError::TooManyUnits { max: 10 }));
        assert_eq!(video().in_words(), "25 credits up to 5 s, 50 credits up to 10 s");
    }

    #[test]
    fn audio_and_lipsync_cost_by_the_started_block() {
        let lipsync = rate(Unit::Second, Rule::PerStarted { size: 10, cost: Credits::of(20) });
        assert_eq!(audio().cost(15), Ok(Credits::of(1)));
        assert_eq!(audio().cost(16), Ok(Credits::of(2)));
        assert_eq!(lipsync.cost(1), Ok(Credits::of(20)));
        assert_eq!(lipsync.cost(21), Ok(Credits::of(60)));
        assert_eq!(audio().in_words(), "1 credit per started 15 s");
    }

    #[test]
    fn the_length_of_speech_is_estimated_from_the_text() {
        assert_eq!(estimate_speech_seconds(""), 1);
        assert_eq!(estimate_speech_seconds(&"a".repeat(225)), 15);
        assert_eq!(estimate_speech_seconds(&"a".repeat(226)), 16);
    }

    #[test]
    fn more_units_never_cost_less() {
        for rate in [video(), audio()] {
            for units in 1..rate.max_units().min(1_000) {
                assert!(rate.cost(units).unwrap() <= rate.cost(units + 1).unwrap());
            }
        }
    }

    #[test]
    fn a_rule_that_gives_things_away_or_falls_has_a_flaw() {
        let step = |up_to, cost| Step { up_to, cost: Credits::of(cost) };
        assert!(rate(Unit::Call, Rule::PerUnit { cost: Credits::ZERO }).flaw().is_some());
        assert!(rate(Unit::Call, Rule::PerStarted { size: 0, cost: Credits::of(1) }).flaw().is_some());
        assert!(rate(Unit::Call, Rule::Steps(vec![])).flaw().is_some());
        assert!(rate(Unit::Call, Rule::Steps(vec![step(5, 1), step(5, 2)])).flaw().is_some());
        assert!(video().flaw().is_none());
    }
}
