//! A row of either database. Numbers are whole, texts are UTF-8; nothing else is in our tables.

use crate::server::store::StoreResult;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// A row, its columns by name.
pub(in crate::server::store) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(super) fn all<R>(rows: Vec<R>, wrap: fn(R) -> Self) -> Vec<Self> {
        rows.into_iter().map(wrap).collect()
    }

    /// A number.
    pub fn integer(&self, column: &str) -> StoreResult<i64> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A number, or nothing.
    pub fn optional_integer(&self, column: &str) -> StoreResult<Option<i64>> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A text.
    pub fn text(&self, column: &str) -> StoreResult<&str> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A text, or nothing.
    pub fn optional_text(&self, column: &str) -> StoreResult<Option<&str>> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}
