//! The ledger's door to SQLite: one immediate transaction per batch.

use super::{SqliteStore, books, load, save};
use crate::domain::account::Account;
use crate::domain::{AccountId, OrderId, Timestamp};
use crate::server::store::{Batch, Books, LedgerStore, LedgerTransaction, Loaded, NewUser, StoreResult, Wanted};
use async_trait::async_trait;
use sqlx::{Row, Sqlite, Transaction};

/// Decides a sign-up: no row comes back where the address is taken.
const INSERT_USER: &str = "
    INSERT INTO users (public_id, email, name, password_hash, role, created_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING RETURNING id";

const INSERT_ACCOUNT: &str = "INSERT INTO accounts (id) VALUES ($1)";

/// Decides a payment: only the first finds the order pending. A declined one may be tried again.
const PAY_ORDER: &str = "
    UPDATE orders SET status = 'paid', settled_at = $3
    WHERE id = $1 AND account_id = $2 AND status <> 'paid'";

struct SqliteLedgerTransaction(Transaction<'static, Sqlite>);

#[async_trait]
impl LedgerStore for SqliteStore {
    async fn begin(&self) -> StoreResult<Box<dyn LedgerTransaction>> {
        // IMMEDIATE takes the write lock at once: what is read afterwards cannot change before the commit.
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Box::new(SqliteLedgerTransaction(transaction)))
    }

    async fn read_account(&self, account: AccountId) -> StoreResult<Option<Account>> {
        // One transaction, so that all statements see the same commit.
        let mut snapshot = self.readers.begin().await?;
        let wanted = Wanted { accounts: vec![account], ..Wanted::default() };
        Ok(load::load(&mut snapshot, &wanted).await?.accounts.remove(&account))
    }

    async fn check_books(&self) -> StoreResult<Books> {
        let mut snapshot = self.readers.begin().await?;
        books::check(&mut snapshot).await
    }
}

#[async_trait]
impl LedgerTransaction for SqliteLedgerTransaction {
    async fn claim_user(&mut self, user: &NewUser) -> StoreResult<Option<AccountId>> {
        let inserted = sqlx::query(INSERT_USER)
            .bind(user.public_id.as_str())
            .bind(user.email.as_str())
            .bind(user.name.as_str())
            .bind(&user.password_hash)
            .bind(user.role.as_str())
            .bind(user.created_at.millis())
            .fetch_optional(&mut *self.0)
            .await?;
        let Some(row) = inserted else { return Ok(None) };
        let id: i64 = row.try_get("id")?;
        sqlx::query(INSERT_ACCOUNT).bind(id).execute(&mut *self.0).await?;
        Ok(Some(AccountId(id)))
    }

    async fn claim_order(&mut self, account: AccountId, order: &OrderId, now: Timestamp) -> StoreResult<bool> {
        let paid = sqlx::query(PAY_ORDER)
            .bind(order.as_str())
            .bind(account.0)
            .bind(now.millis())
            .execute(&mut *self.0)
            .await?;
        Ok(paid.rows_affected() == 1)
    }

    async fn load(&mut self, wanted: &Wanted) -> StoreResult<Loaded> {
        load::load(&mut self.0, wanted).await
    }

    async fn save(&mut self, batch: &Batch<'_>) -> StoreResult<()> {
        save::save(&mut self.0, batch).await
    }

    async fn commit(self: Box<Self>) -> StoreResult<()> {
        Ok(self.0.commit().await?)
    }
}
