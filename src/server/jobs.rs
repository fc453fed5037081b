//! Housekeeping in the background. Correctness never waits for it: what it removes is past its time
//! already, and everyone else knows.

use crate::server::services::Services;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to tidy up.
const ROUND: Duration = Duration::from_secs(600);
/// How often to book what time has made due in accounts that nobody looks at.
const BOOKING_ROUND: Duration = Duration::from_secs(60);

/// How often to see whether payments wait: what has come, is to be tried again, or is due at the demo.
const PAYMENT_ROUND: Duration = Duration::from_secs(1);
/// How often to look for payments of which an event may have been lost.
const PAYMENT_CARE_ROUND: Duration = Duration::from_secs(600);

/// Attends to payments until told to stop: at once when an event comes, and every second.
pub async fn attend_payments(services: Services, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(PAYMENT_ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut care_rounds = tokio::time::interval(PAYMENT_CARE_ROUND);
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            () = services.payment_news() => services.attend_payments().await,
            _ = rounds.tick() => services.attend_payments().await,
            _ = care_rounds.tick() => services.look_after_payments().await.map(drop),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "payments could not be attended to");
        }
    }
}

/// Runs until told to stop.
pub async fn run(services: Services, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    let mut booking_rounds = tokio::time::interval(BOOKING_ROUND);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => tidy(&services).await,
            _ = booking_rounds.tick() => book_due(&services, &stop).await,
        }
    }
}

async fn book_due(services: &Services, stop: &CancellationToken) {
    let booked = stop.run_until_cancelled(services.book_due_accounts()).await;
    match booked {
        None | Some(Ok(0)) => {}
        Some(Ok(count)) => tracing::info!(count, "accounts were brought up to date"),
        Some(Err(error)) => tracing::warn!(%error, "accounts could not be brought up to date"),
    }
}

async fn tidy(services: &Services) {
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
    if let Err(error) = services.remove_ended_sessions().await {
        tracing::warn!(%error, "old sessions could not be removed");
    }
}
