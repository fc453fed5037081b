//! People in SQLite.

use super::{SqliteStore, rows, save};
use crate::domain::identity::{Email, Role};
use crate::domain::{AccountId, UserId};
use crate::server::store::{AuditEntry, People, StoreResult, User, UserLine};
use async_trait::async_trait;
use sqlx::Row;

const FIND_USER: &str = "SELECT id, public_id, email, name, role, created_at FROM users WHERE id = $1";
const FIND_USER_BY_PUBLIC_ID: &str =
    "SELECT id, public_id, email, name, role, created_at FROM users WHERE public_id = $1";
const FIND_LOGIN: &str =
    "SELECT id, public_id, email, name, role, created_at, password_hash FROM users WHERE email = $1";

/// `instr` rather than LIKE: what was typed is text, not a pattern. SQLite lowers only ASCII letters, so a
/// name is also compared as it was typed.
const SEARCH_USERS: &str = "
    SELECT u.id, u.public_id, u.email, u.name, u.role, u.created_at, a.balance, l.plan
    FROM users u JOIN accounts a ON a.id = u.id LEFT JOIN allowances l ON l.account_id = u.id
    WHERE instr(u.email, $1) OR instr(lower(u.name), $1) OR instr(u.name, $2) OR instr(u.public_id, $1)
    ORDER BY u.id DESC LIMIT $3";

const SET_ROLE: &str = "UPDATE users SET role = $2 WHERE email = $1";

#[async_trait]
impl People for SqliteStore {
    async fn find_user(&self, account: AccountId) -> StoreResult<Option<User>> {
        let row = sqlx::query(FIND_USER).bind(account.0).fetch_optional(&self.readers).await?;
        row.as_ref().map(rows::user).transpose()
    }

    async fn find_user_by_public_id(&self, id: &UserId) -> StoreResult<Option<User>> {
        let row = sqlx::query(FIND_USER_BY_PUBLIC_ID).bind(id.as_str()).fetch_optional(&self.readers).await?;
        row.as_ref().map(rows::user).transpose()
    }

    async fn find_login(&self, email: &Email) -> StoreResult<Option<(User, Option<String>)>> {
        let row = sqlx::query(FIND_LOGIN).bind(email.as_str()).fetch_optional(&self.readers).await?;
        row.map(|row| Ok((rows::user(&row)?, row.try_get("password_hash")?))).transpose()
    }

    async fn search_users(&self, text: &str, limit: u32) -> StoreResult<Vec<UserLine>> {
        let found = sqlx::query(SEARCH_USERS)
            .bind(text.trim().to_lowercase())
            .bind(text.trim())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        let line = |row: &sqlx::sqlite::SqliteRow| {
            Ok(UserLine {
                user: rows::user(row)?,
                balance: rows::credits(row.try_get("balance")?)?,
                plan: row.try_get::<Option<&str>, _>("plan")?.map(rows::plan_id).transpose()?,
            })
        };
        found.iter().map(line).collect()
    }

    async fn set_role(&self, email: &Email, role: Role, entry: &AuditEntry) -> StoreResult<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let changed = sqlx::query(SET_ROLE).bind(email.as_str()).bind(role.as_str()).execute(&mut *transaction).await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        save::save_audit(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
