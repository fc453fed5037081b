//! The store in SQL, for both databases: one file per area, one text of each statement.

mod access;
mod billing;
mod books;
mod chain;
mod changes;
mod creations;
mod demo;
mod history;
mod ledger;
mod load;
mod movements;
mod pace;
mod people;
mod recent;
mod rows;
mod save;
mod shop;

use crate::server::store::chain::ChainKey;
use crate::server::store::database::{Database, DatabaseUrl};
use crate::server::store::{Store, StoreResult};
use changes::Feed;
use pace::Pace;
use recent::RecentAccounts;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A database that is open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
    feed: Feed,
    recent: RecentAccounts,
    /// Who thinks about accounts, on SQLite: one batch at a time, in the order in which they will be saved.
    thinking: Arc<Mutex<()>>,
    pace: Pace,
    /// Without it nothing of the ledger can be changed or proved.
    chain_key: Option<ChainKey>,
}

impl SqlStore {
    /// Opens the database, makes the file where there is none, and brings the tables up to this version.
    ///
    /// # Errors
    /// Where the folder is missing, the file is no database, the server cannot be reached, or the tables were
    /// made by a newer version.
    pub async fn open(url: &DatabaseUrl) -> StoreResult<Self> {
        let database = Database::open(url).await?;
        let feed = Feed::start(database.notifications()).await?;
        Ok(Self {
            database,
            feed,
            recent: RecentAccounts::default(),
            thinking: Arc::default(),
            pace: Pace::default(),
            chain_key: None,
        })
    }

    /// Closes all connections; what was committed stays.
    pub async fn close(&self) {
        self.feed.close().await;
        self.database.close().await;
    }
}

impl Store for SqlStore {}
