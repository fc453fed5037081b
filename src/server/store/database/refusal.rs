//! What an error of either database means for what was asked: whether it did not happen, and whether trying again helps.

use crate::server::store::StoreError;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use sqlx::sqlite::SqliteError;
use std::borrow::Cow;

impl StoreError {
    /// Whether the database broke the transaction off only because of another one: trying again helps.
    pub fn is_transient(&self) -> bool {
        // Conflict is our own finding of the same kind;
        // 40001 serialization_failure, 40P01 deadlock_detected (PostgreSQL, appendix A);
        // 5 SQLITE_BUSY in all its forms (sqlite.org/rescode.html).
        matches!(self, Self::Conflict)
            || self.sqlite_code().is_some_and(|code| code == 5)
            || self.database_code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01"))
    }

    /// Whether there was no connection to be had: what is tried again waits as long.
    pub fn is_without_connection(&self) -> bool {
        matches!(self, Self::NoConnection(_))
    }

    /// Whether the database itself said that it did not do what it was asked, and went on. A connection that broke says
    /// nothing; a server that is stopping or crashes (FATAL, PANIC) may have kept it, or will have once it recovers; a disk
    /// that fails may have it.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Conflict => true,
            // SQLITE_ERROR, BUSY, LOCKED, CONSTRAINT, MISMATCH: what these answer, a COMMIT has not done.
            Self::Database(_) if self.sqlite_code().is_some() => {
                self.sqlite_code().is_some_and(|code| matches!(code, 1 | 5 | 6 | 19 | 20))
            }
            Self::Database(sqlx::Error::Database(error)) => {
                // Class 08: connection exceptions; 40003: statement_completion_unknown (PostgreSQL, appendix A).
                let is_of_another_end =
                    |code: &str| code.starts_with("08") || code.starts_with("57") || code == "40003";
                error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| {
                    matches!(error.severity(), PgSeverity::Error) && !is_of_another_end(error.code())
                })
            }
            Self::Database(_) | Self::Migration(_) | Self::Corrupt(_) | Self::NoChainKey | Self::NoConnection(_) => {
                false
            }
        }
    }

    /// Whether another transaction has taken a name in the meantime: trying again finds it.
    pub fn is_taken(&self) -> bool {
        self.said().is_some_and(DatabaseError::is_unique_violation)
    }

    /// What the database itself answered.
    fn said(&self) -> Option<&dyn DatabaseError> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => Some(error.as_ref()),
            Self::Database(_)
            | Self::Migration(_)
            | Self::Corrupt(_)
            | Self::NoChainKey
            | Self::NoConnection(_)
            | Self::Conflict => None,
        }
    }

    /// The primary code of an error of SQLite: the lowest byte (sqlite.org/rescode.html).
    fn sqlite_code(&self) -> Option<u32> {
        let error = self.said()?.try_downcast_ref::<SqliteError>()?;
        Some(error.code()?.parse::<u32>().ok()? & 0xff)
    }

    fn database_code(&self) -> Option<Cow<'_, str>> {
        self.said()?.code()
    }
}
