//! Names of things: small types, so that a grant's number is never taken for a hold's.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An account's row in the database. It never leaves the server; people and programs see the [`UserId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// The number of one change of one account: 1, 2, 3 ... in the order in which they were committed.
/// Transactions, and the making and settling of holds, take their numbers from the same counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl Seq {
    /// The number after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A grant, named by the transaction that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub Seq);

/// A hold, named by the change that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(pub Seq);

/// Makes an opaque text identifier with its longest length in bytes.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Longest length in bytes.
            pub const MAX_LENGTH: usize = $max;

            /// Takes text from outside; `None` where it is empty, too long or has other characters.
            pub fn parse(text: &str) -> Option<Self> {
                let allowed: fn(char) -> bool = $allowed;
                let fits = !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.chars().all(allowed);
                fits.then(|| Self(text.to_owned()))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(concat!("it is empty, longer than ", $max, " bytes, or has other characters"))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

const fn is_slug(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
}

text_id!(
    /// A user, as people and programs see it: random, so that it tells nothing about how many there are.
    UserId, 32, is_slug
);
text_id!(
    /// A plan, its name in lower case: `basic`.
    PlanId, 40, is_slug
);
text_id!(
    /// Something that costs credits: `text-to-image`.
    FeatureId, 40, is_slug
);
text_id!(
    /// One purchase, from the click to the payment: random.
    OrderId, 40, is_slug
);
text_id!(
    /// A key of a program, by its public name: random.
    ApiKeyId, 40, is_slug
);
text_id!(
    /// Chosen by the caller so that a repeated request is applied once.
    IdempotencyKey, 255, |character| character.is_ascii_graphic() || character == ' '
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_a_length_and_an_alphabet() {
        assert!(FeatureId::parse("text-to-image").is_some());
        for bad in ["", "Text", "a b", "../etc", &"x".repeat(41)] {
            assert!(FeatureId::parse(bad).is_none(), "{bad} was taken");
        }
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_some());
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_none());
        assert!(IdempotencyKey::parse("line\nbreak").is_none());
    }
}
