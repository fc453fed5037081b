//! PostgreSQL: one pool; several programs may work on one database.

use super::{ACQUIRE_TIMEOUT, migrations};
use crate::server::store::StoreResult;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Row};
use std::str::FromStr;

/// Connections of one program: the writers of the ledger, and the readers beside them.
const CONNECTIONS: u32 = 16;
/// How long a transaction waits for another one's rows, and may lie idle when its program has died, in
/// milliseconds.
const LOCK_TIMEOUT_MS: &str = "10000";
const IDLE_TIMEOUT_MS: &str = "30000";

/// Connects, and brings the tables up to this version.
pub(super) async fn open(url: &str) -> StoreResult<PgPool> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("scrip")
        .options([("lock_timeout", LOCK_TIMEOUT_MS), ("idle_in_transaction_session_timeout", IDLE_TIMEOUT_MS)]);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    let migrator = migrations::postgres();
    // A role that may not make tables can still serve, as long as there is nothing to make.
    if !is_up_to_date(&pool, &migrator).await {
        migrator.run(&pool).await?;
    }
    Ok(pool)
}

async fn is_up_to_date(pool: &PgPool, migrator: &Migrator) -> bool {
    let text = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
    let Ok(applied) = sqlx::query(text).fetch_all(pool).await else { return false };
    applied.len() == migrator.iter().count()
        && applied.iter().zip(migrator.iter()).all(|(row, known)| {
            row.try_get::<i64, _>("version").is_ok_and(|version| version == known.version)
                && row.try_get::<&[u8], _>("checksum").is_ok_and(|checksum| checksum == known.checksum.as_ref())
        })
}
