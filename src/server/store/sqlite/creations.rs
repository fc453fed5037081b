//! What people made, in SQLite.

use super::{SqliteStore, rows};
use crate::domain::{AccountId, FeatureId, Timestamp};
use crate::server::store::{Creation, Creations, StoreResult};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

const ADD_CREATION: &str = "
    INSERT INTO creations (name, account_id, feature, prompt, answer, content_type, credits_used, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const FIND_CREATION: &str = "
    SELECT name, account_id, feature, prompt, answer, content_type, credits_used, created_at, expires_at
    FROM creations WHERE name = $1 AND expires_at > $2";

const LIST_CREATIONS: &str = "
    SELECT name, account_id, feature, prompt, answer, content_type, credits_used, created_at, expires_at
    FROM creations WHERE account_id = $1 AND expires_at > $2 ORDER BY created_at DESC, name LIMIT $3";

const LIST_EXPIRED_CREATIONS: &str = "SELECT name FROM creations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";

const REMOVE_CREATION: &str = "DELETE FROM creations WHERE name = $1";

#[async_trait]
impl Creations for SqliteStore {
    async fn add_creation(&self, creation: &Creation) -> StoreResult<()> {
        sqlx::query(ADD_CREATION)
            .bind(&creation.name)
            .bind(creation.account.0)
            .bind(creation.feature.as_str())
            .bind(&creation.prompt)
            .bind(&creation.answer)
            .bind(&creation.content_type)
            .bind(creation.credits_used.get())
            .bind(creation.created_at.millis())
            .bind(creation.expires_at.millis())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn find_creation(&self, name: &str, now: Timestamp) -> StoreResult<Option<Creation>> {
        let row = sqlx::query(FIND_CREATION).bind(name).bind(now.millis()).fetch_optional(&self.readers).await?;
        row.as_ref().map(creation).transpose()
    }

    async fn list_creations(&self, account: AccountId, now: Timestamp, limit: u32) -> StoreResult<Vec<Creation>> {
        let query = sqlx::query(LIST_CREATIONS).bind(account.0).bind(now.millis()).bind(limit);
        query.fetch_all(&self.readers).await?.iter().map(creation).collect()
    }

    async fn list_expired_creations(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<String>> {
        let query = sqlx::query(LIST_EXPIRED_CREATIONS).bind(now.millis()).bind(limit);
        query.fetch_all(&self.readers).await?.iter().map(|row| Ok(row.try_get("name")?)).collect()
    }

    async fn remove_creation(&self, name: &str) -> StoreResult<()> {
        sqlx::query(REMOVE_CREATION).bind(name).execute(&self.writer).await?;
        Ok(())
    }
}

fn creation(row: &SqliteRow) -> StoreResult<Creation> {
    Ok(Creation {
        name: row.try_get("name")?,
        account: AccountId(row.try_get("account_id")?),
        feature: rows::expected(FeatureId::parse(row.try_get("feature")?), "feature")?,
        prompt: row.try_get("prompt")?,
        answer: row.try_get("answer")?,
        content_type: row.try_get("content_type")?,
        credits_used: rows::credits(row.try_get("credits_used")?)?,
        created_at: rows::moment(row, "created_at")?,
        expires_at: rows::moment(row, "expires_at")?,
    })
}
