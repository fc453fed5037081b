//! What one instance of the program tells the others, by PostgreSQL's NOTIFY. It is sent after the commit, on
//! its own: inside a transaction it would make all commits of the database wait for each other.

use sqlx::PgPool;
use sqlx::postgres::PgListener;

const CHANNEL: &str = "scrip_balances";

/// The longest message in bytes; PostgreSQL takes 8,000 (its documentation of NOTIFY).
pub(in crate::server::store) const MAX_MESSAGE_BYTES: usize = 7_900;

/// A way to tell the others, and to hear them.
#[derive(Clone, Debug)]
pub(in crate::server::store) struct Notifications(PgPool);

impl Notifications {
    pub(super) fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    /// Tells all who listen, ourselves among them.
    pub async fn send(&self, message: &str) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(message).execute(&self.0).await.map(|_| ())
    }

    /// Begins to listen; what is sent after this returns is heard.
    pub async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.0).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }
}
