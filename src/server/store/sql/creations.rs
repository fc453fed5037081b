//! What people made, in SQL.

use super::{SqlStore, rows};
use crate::domain::{AccountId, FeatureId, Timestamp};
use crate::server::store::database::Row;
use crate::server::store::{Creation, Creations, StoreResult};
use async_trait::async_trait;

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
impl Creations for SqlStore {
    async fn add_creation(&self, creation: &Creation) -> StoreResult<()> {
        let values = [
            (&creation.name).into(),
            creation.account.into(),
            creation.feature.as_str().into(),
            (&creation.prompt).into(),
            creation.answer.as_deref().into(),
            (&creation.content_type).into(),
            creation.credits_used.into(),
            creation.created_at.into(),
            creation.expires_at.into(),
        ];
        self.database.execute(ADD_CREATION, &values).await?;
        Ok(())
    }

    async fn find_creation(&self, name: &str, now: Timestamp) -> StoreResult<Option<Creation>> {
        let row = self.database.fetch_optional(FIND_CREATION, &[name.into(), now.into()]).await?;
        row.as_ref().map(creation).transpose()
    }

    async fn list_creations(&self, account: AccountId, now: Timestamp, limit: u32) -> StoreResult<Vec<Creation>> {
        let values = [account.into(), now.into(), limit.into()];
        self.database.fetch_all(LIST_CREATIONS, &values).await?.iter().map(creation).collect()
    }

    async fn list_expired_creations(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<String>> {
        let found = self.database.fetch_all(LIST_EXPIRED_CREATIONS, &[now.into(), limit.into()]).await?;
        found.iter().map(|row| Ok(row.text("name")?.to_owned())).collect()
    }

    async fn remove_creation(&self, name: &str) -> StoreResult<()> {
        self.database.execute(REMOVE_CREATION, &[name.into()]).await?;
        Ok(())
    }
}

fn creation(row: &Row) -> StoreResult<Creation> {
    Ok(Creation {
        name: row.text("name")?.to_owned(),
        account: AccountId(row.integer("account_id")?),
        feature: rows::expected(FeatureId::parse(row.text("feature")?), "feature")?,
        prompt: row.text("prompt")?.to_owned(),
        answer: row.optional_text("answer")?.map(str::to_owned),
        content_type: row.text("content_type")?.to_owned(),
        credits_used: rows::credits(row.integer("credits_used")?)?,
        created_at: rows::moment(row, "created_at")?,
        expires_at: rows::moment(row, "expires_at")?,
    })
}
