//! People in SQL.

use super::{SqlStore, rows, save};
use crate::domain::identity::{Email, Role};
use crate::domain::{AccountId, UserId};
use crate::server::store::database::{Row, Sql};
use crate::server::store::{AuditEntry, People, StoreResult, User, UserLine};
use async_trait::async_trait;

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
    WHERE instr(u.email, $1) > 0 OR instr(lower(u.name), $1) > 0 OR instr(u.name, $2) > 0
        OR instr(u.public_id, $1) > 0
    ORDER BY u.id DESC LIMIT $3";

const SET_ROLE: &str = "UPDATE users SET role = $2 WHERE email = $1";

const SET_PASSWORD: &str = "UPDATE users SET password_hash = $2 WHERE id = $1";

/// Each database reads JSON in its own way. It looks at all sessions, which a new password is rare enough for.
const REMOVE_SESSIONS_OF: Sql = Sql {
    sqlite: "DELETE FROM sessions WHERE json_extract(data, '$.account') = $1",
    postgres: "DELETE FROM sessions WHERE CAST(data::json ->> 'account' AS BIGINT) = $1",
};

#[async_trait]
impl People for SqlStore {
    async fn find_user(&self, account: AccountId) -> StoreResult<Option<User>> {
        let row = self.database.fetch_optional(FIND_USER, &[account.into()]).await?;
        row.as_ref().map(rows::user).transpose()
    }

    async fn find_user_by_public_id(&self, id: &UserId) -> StoreResult<Option<User>> {
        let row = self.database.fetch_optional(FIND_USER_BY_PUBLIC_ID, &[id.as_str().into()]).await?;
        row.as_ref().map(rows::user).transpose()
    }

    async fn find_login(&self, email: &Email) -> StoreResult<Option<(User, Option<String>)>> {
        let row = self.database.fetch_optional(FIND_LOGIN, &[email.as_str().into()]).await?;
        let login = |row: Row| Ok((rows::user(&row)?, row.optional_text("password_hash")?.map(str::to_owned)));
        row.map(login).transpose()
    }

    async fn search_users(&self, text: &str, limit: u32) -> StoreResult<Vec<UserLine>> {
        let lowered = text.trim().to_lowercase();
        let values = [(&lowered).into(), text.trim().into(), limit.into()];
        let line = |row: &Row| {
            Ok(UserLine {
                user: rows::user(row)?,
                balance: rows::credits(row.integer("balance")?)?,
                plan: row.optional_text("plan")?.map(rows::plan_id).transpose()?,
            })
        };
        self.database.fetch_all(SEARCH_USERS, &values).await?.iter().map(line).collect()
    }

    async fn set_role(&self, email: &Email, role: Role, entry: &AuditEntry) -> StoreResult<bool> {
        let mut transaction = self.database.begin().await?;
        if transaction.execute(SET_ROLE, &[email.as_str().into(), role.as_str().into()]).await? == 0 {
            return Ok(false);
        }
        save::save_audit(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }
    async fn set_password(&self, account: AccountId, hash: &str, entry: &AuditEntry) -> StoreResult<bool> {
        let mut transaction = self.database.begin().await?;
        if transaction.execute(SET_PASSWORD, &[account.into(), hash.into()]).await? == 0 {
            return Ok(false);
        }
        transaction.execute(REMOVE_SESSIONS_OF, &[account.into()]).await?;
        save::save_audit(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
