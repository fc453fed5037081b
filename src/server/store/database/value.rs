//! Statements and their parameters, one kind for both databases.

use crate::domain::{AccountId, Credits, GrantId, HoldId, Seq, Timestamp};
use std::borrow::Cow;

/// A statement, with `$1` and so on for its parameters. Most are one text; see `migrations/postgres` for the
/// two functions that PostgreSQL learned for that.
#[derive(Clone, Copy, Debug)]
pub(in crate::server::store) struct Sql {
    /// As SQLite takes it.
    pub sqlite: &'static str,
    /// As PostgreSQL takes it.
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
}

/// A parameter. Whole numbers and texts are all that our tables hold.
#[derive(Clone, Debug)]
pub(in crate::server::store) enum Value<'a> {
    Integer(Option<i64>),
    Text(Option<Cow<'a, str>>),
}

/// What a value becomes that is a number inside.
macro_rules! integer_from {
    ($($of:ty => $number:expr),* $(,)?) => {
        $(
            impl From<$of> for Value<'_> {
                fn from(value: $of) -> Self {
                    Self::Integer(Some($number(value)))
                }
            }

            impl From<Option<$of>> for Value<'_> {
                fn from(value: Option<$of>) -> Self {
                    Self::Integer(value.map($number))
                }
            }
        )*
    };
}

integer_from! {
    i64 => |number| number,
    u32 => i64::from,
    AccountId => |id: AccountId| id.0,
    Seq => |seq: Seq| seq.0,
    GrantId => |id: GrantId| id.0.0,
    HoldId => |id: HoldId| id.0.0,
    Credits => Credits::get,
    Timestamp => Timestamp::millis,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

/// A statement with its parameters, for whichever database the executor is of.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query($text);
        for value in $values {
            query = match value {
                Value::Integer(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.as_deref()),
            };
        }
        query
    }};
}

pub(super) use bound;
