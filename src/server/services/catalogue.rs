//! Changing the catalogue: always as a whole, as a version after the one that was looked at.

use super::{ServiceResult, Services};
use crate::domain::catalogue::Catalogue;
use crate::domain::catalogue_changes::differences;
use crate::server::store::AuditEntry;

impl Services {
    /// Lets another catalogue rule, here at once and in other programs within a second. Gives its version; `None` where
    /// the one with the version `after` rules no longer, so that nobody undoes what they have not seen.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn replace_catalogue(&self, new: Catalogue, after: i64, actor: &str) -> ServiceResult<Option<i64>> {
        let current = self.catalogue();
        let entry = AuditEntry {
            account: None,
            seq: None,
            actor: actor.to_owned(),
            action: "apply_catalogue".to_owned(),
            detail: serde_json::json!({
                "preset": new.preset, "after": after, "changes": differences(&current, &new),
            }),
            created_at: self.0.clock.now(),
        };
        let added = self.0.store.add_catalogue(&new, after, &entry).await?;
        if let Some(version) = added {
            self.0.catalogue.advance(version, new);
        }
        Ok(added)
    }
}
