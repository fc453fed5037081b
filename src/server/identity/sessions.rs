//! Sessions: a random cookie, its record in the database, and nothing in it but who it is.

use crate::domain::AccountId;
use crate::server::config::Config;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration;
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use tower_sessions_sqlx_store::SqliteStore as SessionStore;

/// How long someone stays signed in without coming back.
const IDLE_DAYS: i64 = 14;

const ACCOUNT: &str = "account";
const SEEN: &str = "seen";

/// Why a session could not be read or written.
pub type SessionError = tower_sessions::session::Error;

/// The layer that reads and writes the cookie. Lax, not Strict: who returns from a payment page on
/// another site would look signed out. Where the site has HTTPS the name says that no other host set it.
pub fn layer(store: SessionStore, config: &Config) -> SessionManagerLayer<SessionStore> {
    let is_https = config.is_https();
    SessionManagerLayer::new(store)
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
