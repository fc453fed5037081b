//! Sessions and keys in SQL.

use super::{SqlStore, rows, save};
use crate::domain::access::{ApiKey, Scopes};
use crate::domain::{AccountId, ApiKeyId, Timestamp};
use crate::server::store::database::Row;
use crate::server::store::{Access, AuditEntry, ChangeMarks, NewApiKey, StoreResult};
use async_trait::async_trait;

const ADD_SESSION: &str = "INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

const SAVE_SESSION: &str = "
    INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at";

const FIND_SESSION: &str = "SELECT data, expires_at FROM sessions WHERE id = $1 AND expires_at > $2";

const REMOVE_SESSION: &str = "DELETE FROM sessions WHERE id = $1";

const REMOVE_ENDED_SESSIONS: &str = "
    DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)";

/// Asked twice a second by every program: two look-ups by key.
const READ_CHANGE_MARKS: &str = "
    SELECT (SELECT coalesce(max(version), 0) FROM catalogue_versions) AS catalogue,
        (SELECT number FROM access_changes WHERE id = 1) AS access";

const ADD_API_KEY: &str = "
    INSERT INTO api_keys (id, hash, account_id, scopes, label, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

const FIND_API_KEY: &str = "
    SELECT id, account_id, scopes, label, created_at, expires_at, last_used_at, revoked_at
    FROM api_keys WHERE hash = $1";

const LIST_API_KEYS: &str = "
    SELECT id, account_id, scopes, label, created_at, expires_at, last_used_at, revoked_at
    FROM api_keys WHERE account_id IS NOT DISTINCT FROM $1 ORDER BY created_at DESC, id";

/// Another request may have been faster; the later moment stays.
const MARK_API_KEY_USED: &str = "
    UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND coalesce(last_used_at, 0) < $2";

const REVOKE_API_KEY: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

#[async_trait]
impl Access for SqlStore {
    async fn add_session(&self, id: &str, data: &str, expires_at: Timestamp) -> StoreResult<bool> {
        let values = [id.into(), data.into(), expires_at.into()];
        Ok(self.database.execute(ADD_SESSION, &values).await? == 1)
    }

    async fn save_session(&self, id: &str, data: &str, expires_at: Timestamp) -> StoreResult<()> {
        self.database.execute(SAVE_SESSION, &[id.into(), data.into(), expires_at.into()]).await?;
        Ok(())
    }

    async fn find_session(&self, id: &str, now: Timestamp) -> StoreResult<Option<(String, Timestamp)>> {
        let found = self.database.fetch_optional(FIND_SESSION, &[id.into(), now.into()]).await?;
        found.map(|row| Ok((row.text("data")?.to_owned(), rows::moment(&row, "expires_at")?))).transpose()
    }

    async fn remove_session(&self, id: &str) -> StoreResult<()> {
        self.database.execute(REMOVE_SESSION, &[id.into()]).await?;
        Ok(())
    }

    async fn remove_ended_sessions(&self, now: Timestamp, limit: u32) -> StoreResult<u64> {
        self.database.execute(REMOVE_ENDED_SESSIONS, &[now.into(), limit.into()]).await
    }

    async fn read_change_marks(&self) -> StoreResult<ChangeMarks> {
        let row = rows::expected(self.database.fetch_optional(READ_CHANGE_MARKS, &[]).await?, "marks of changes")?;
        Ok(ChangeMarks { catalogue: row.integer("catalogue")?, access: row.integer("access")? })
    }

    async fn add_api_key(&self, key: &NewApiKey, entry: &AuditEntry) -> StoreResult<()> {
        let scopes = key.scopes.to_string();
        let mut transaction = self.database.begin().await?;
        let values = [
            key.id.as_str().into(),
            (&key.hash).into(),
            key.account.into(),
            (&scopes).into(),
            (&key.label).into(),
            key.created_at.into(),
            key.expires_at.into(),
        ];
        transaction.execute(ADD_API_KEY, &values).await?;
        save::save_audit(&mut transaction, entry).await?;
        transaction.commit().await
    }

    async fn find_api_key(&self, hash: &str) -> StoreResult<Option<ApiKey>> {
        let row = self.database.fetch_optional(FIND_API_KEY, &[hash.into()]).await?;
        row.as_ref().map(api_key).transpose()
    }

    async fn list_api_keys(&self, account: Option<AccountId>) -> StoreResult<Vec<ApiKey>> {
        self.database.fetch_all(LIST_API_KEYS, &[account.into()]).await?.iter().map(api_key).collect()
    }

    async fn mark_api_key_used(&self, id: &ApiKeyId, now: Timestamp) -> StoreResult<()> {
        self.database.execute(MARK_API_KEY_USED, &[id.as_str().into(), now.into()]).await?;
        Ok(())
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, entry: &AuditEntry) -> StoreResult<bool> {
        let mut transaction = self.database.begin().await?;
        let revoked = transaction.execute(REVOKE_API_KEY, &[id.as_str().into(), entry.created_at.into()]).await? == 1;
        if revoked {
            save::save_audit(&mut transaction, entry).await?;
            transaction.commit().await?;
        }
        Ok(revoked)
    }
}

fn api_key(row: &Row) -> StoreResult<ApiKey> {
    Ok(ApiKey {
        id: rows::expected(ApiKeyId::parse(row.text("id")?), "name of a key")?,
        account: row.optional_integer("account_id")?.map(AccountId),
        scopes: rows::expected(Scopes::parse(row.text("scopes")?), "scopes")?,
        label: row.text("label")?.to_owned(),
        created_at: rows::moment(row, "created_at")?,
        expires_at: rows::optional_moment(row, "expires_at")?,
        last_used_at: rows::optional_moment(row, "last_used_at")?,
        revoked_at: rows::optional_moment(row, "revoked_at")?,
    })
}
