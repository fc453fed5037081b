//! Housekeeping in the background. Correctness never waits for it: what it removes is past its time
//! already, and everyone else knows.

use crate::server::services::Services;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower_sessions::ExpiredDeletion;
use tower_sessions_sqlx_store::SqliteStore as SessionStore;

/// How often to look.
const ROUND: Duration = Duration::from_secs(600);

/// Runs until told to stop.
pub async fn run(services: Services, sessions: SessionStore, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => tidy(&services, &sessions).await,
        }
    }
}

async fn tidy(services: &Services, sessions: &SessionStore) {
    services.forget_old_tries();
    match services.remove_old_creations().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "old creations were removed"),
        Err(error) => tracing::warn!(%error, "old creations could not be removed"),
    }
    match services.remove_forgotten_files().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "forgotten files were removed"),
        Err(error) => tracing::warn!(%error, "forgotten files could not be removed"),
    }
    if let Err(error) = sessions.delete_expired().await {
        tracing::warn!(%error, "old sessions could not be removed");
    }
}
