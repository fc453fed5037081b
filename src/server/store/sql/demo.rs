//! What the demo provider has, in SQL.

use super::{SqlStore, rows};
use crate::domain::Timestamp;
use crate::server::store::database::Row;
use crate::server::store::{DemoKind, DemoObject, DemoObjects, StoreResult};
use async_trait::async_trait;

const FIND: &str = "SELECT id, kind, version, due_at, body FROM demo_objects WHERE id = $1";

const LIST_DUE: &str = "
    SELECT id, kind, version, due_at, body FROM demo_objects WHERE kind = $1 AND due_at <= $2
    ORDER BY due_at, id LIMIT $3";

const ADD: &str = "
    INSERT INTO demo_objects (id, kind, version, due_at, body) VALUES ($1, $2, 1, $3, $4) ON CONFLICT DO NOTHING";

const CHANGE: &str = "
    UPDATE demo_objects SET version = version + 1, due_at = $3, body = $4 WHERE id = $1 AND version = $2";

const REMOVE: &str = "DELETE FROM demo_objects WHERE id = $1";

#[async_trait]
impl DemoObjects for SqlStore {
    async fn find_demo_object(&self, id: &str) -> StoreResult<Option<DemoObject>> {
        self.database.fetch_optional(FIND, &[id.into()]).await?.as_ref().map(object).transpose()
    }

    async fn list_due_demo_objects(&self, kind: DemoKind, now: Timestamp, limit: u32) -> StoreResult<Vec<DemoObject>> {
        let values = [kind.as_str().into(), now.into(), limit.into()];
        self.database.fetch_all(LIST_DUE, &values).await?.iter().map(object).collect()
    }

    async fn save_demo_objects(&self, objects: &[DemoObject]) -> StoreResult<bool> {
        let mut transaction = self.database.begin().await?;
        for object in objects {
            let (id, due_at, body) = ((&object.id).into(), object.due_at.into(), (&object.body).into());
            let saved = match object.version {
                0 => transaction.execute(ADD, &[id, object.kind.as_str().into(), due_at, body]).await?,
                version => transaction.execute(CHANGE, &[id, version.into(), due_at, body]).await?,
            };
            if saved == 0 {
                return Ok(false);
            }
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn remove_demo_object(&self, id: &str) -> StoreResult<()> {
        self.database.execute(REMOVE, &[id.into()]).await?;
        Ok(())
    }
}

fn object(row: &Row) -> StoreResult<DemoObject> {
    let kinds = [DemoKind::Checkout, DemoKind::Subscription, DemoKind::Payment, DemoKind::Event];
    let kind = row.text("kind")?;
    Ok(DemoObject {
        id: row.text("id")?.to_owned(),
        kind: rows::expected(kinds.into_iter().find(|known| known.as_str() == kind), "kind of the demo's")?,
        version: row.integer("version")?,
        due_at: rows::optional_moment(row, "due_at")?,
        body: row.text("body")?.to_owned(),
    })
}
