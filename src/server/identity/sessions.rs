//! Sessions: a random cookie, its record in the database, and nothing in it but who it is.

use crate::domain::{AccountId, Timestamp};
use crate::server::clock::Clock;
use crate::server::config::Config;
use crate::server::store::{Store, StoreError};
use async_trait::async_trait;
use std::sync::Arc;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, SessionStore};
use tower_sessions::{Expiry, Session, SessionManagerLayer};

/// How long someone stays signed in without coming back.
const IDLE_DAYS: i64 = 14;

const ACCOUNT: &str = "account";
const SEEN: &str = "seen";

/// Why a session could not be read or written.
pub type SessionError = tower_sessions::session::Error;

/// Where sessions are kept: with everything else, so that both databases have them by the same migrations.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Sessions {
    /// Keeps them there.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        // An id is 128 random bits: a second round means a broken random source, not bad luck.
        while !self.store.add_session(&record.id.to_string(), &encode(record)?, end_of(record)).await.map_err(failed)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.store.save_session(&record.id.to_string(), &encode(record)?, end_of(record)).await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = self.store.find_session(&id.to_string(), self.clock.now()).await.map_err(failed)?;
        let Some((data, end)) = found else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|error| session_store::Error::Decode(error.to_string()))?;
        let end = OffsetDateTime::from_unix_timestamp_nanos(i128::from(end.millis()) * 1_000_000);
        let expiry_date = end.map_err(|error| session_store::Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.store.remove_session(&id.to_string()).await.map_err(failed)
    }
}

fn encode(record: &Record) -> session_store::Result<String> {
    serde_json::to_string(&record.data).map_err(|error| session_store::Error::Encode(error.to_string()))
}

fn end_of(record: &Record) -> Timestamp {
    Timestamp::from_millis(record.expiry_date.unix_timestamp().saturating_mul(1_000))
}

fn failed(error: StoreError) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// The layer that reads and writes the cookie. Lax, not Strict: who returns from a payment page on
/// another site would look signed out. Where the site has HTTPS the name says that no other host set it.
pub fn layer(sessions: Sessions, config: &Config) -> SessionManagerLayer<Sessions> {
    let is_https = config.is_https();
    SessionManagerLayer::new(sessions)
        .with_name(if is_https { "__Host-scrip" } else { "scrip" })
        .with_secure(is_https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(Duration::days(IDLE_DAYS)))
}

/// Whose session it is.
///
/// # Errors
/// Where the record cannot be read.
pub async fn signed_in(session: &Session) -> Result<Option<AccountId>, SessionError> {
    session.get(ACCOUNT).await
}

/// Signs someone in, under a new name, so that a cookie planted before is worth nothing.
///
/// # Errors
/// Where the record cannot be written.
pub async fn sign_in(session: &Session, account: AccountId) -> Result<(), SessionError> {
    session.cycle_id().await?;
    session.insert(ACCOUNT, account).await
}

/// Puts off the end of a session, at most once a day: its record is only saved when it changes.
///
/// # Errors
/// Where the record cannot be written.
pub async fn mark_seen(session: &Session, day: i64) -> Result<(), SessionError> {
    if signed_in(session).await?.is_some() && session.get::<i64>(SEEN).await? != Some(day) {
        session.insert(SEEN, day).await?;
    }
    Ok(())
}

/// Signs out: the record goes, so the cookie is worth nothing even where it was copied.
///
/// # Errors
/// Where the record cannot be removed.
pub async fn sign_out(session: &Session) -> Result<(), SessionError> {
    session.flush().await
}
