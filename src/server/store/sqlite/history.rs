//! History in SQLite: movements and holds in one order, by their common numbers.

use super::{SqliteStore, rows};
use crate::domain::journal::Draw;
use crate::domain::{AccountId, GrantId, Seq, Source};
use crate::server::store::{AuditEntry, History, HistoryEntry, HistoryFilter, StoreResult};
use async_trait::async_trait;
use sqlx::Row;
use std::collections::HashMap;

const LIST_TRANSACTIONS: &str = "
    SELECT seq, type, cause, amount, balance_after, feature, units, rate_version, description, actor, hold_id,
        refund_of, created_at
    FROM transactions
    WHERE account_id = $1 AND seq < $2 AND ($3 IS NULL OR type = $3)
    ORDER BY seq DESC LIMIT $4";

const LIST_DRAWS: &str = "
    SELECT d.seq, d.grant_id, d.amount, g.source, g.expires_at
    FROM draws d JOIN grants g ON g.account_id = d.account_id AND g.id = d.grant_id
    WHERE d.account_id = $1 AND d.seq BETWEEN $2 AND $3
    ORDER BY d.seq, d.position";

/// A captured hold stands in the history as the transaction that it became.
const LIST_HOLDS: &str = "
    SELECT id, amount, status, captured, feature, units, rate_version, description, actor, reason, deadline,
        created_at, settled_at, draws
    FROM holds WHERE account_id = $1 AND id < $2 AND status <> 'captured' ORDER BY id DESC LIMIT $3";

const LIST_AUDIT: &str = "
    SELECT account_id, seq, actor, action, detail, created_at FROM audit WHERE account_id = $1 ORDER BY id DESC LIMIT $2";

#[async_trait]
impl History for SqliteStore {
    async fn list_history(
        &self,
        account: AccountId,
        filter: HistoryFilter,
        before: Option<Seq>,
        limit: u32,
    ) -> StoreResult<Vec<HistoryEntry>> {
        let before = before.map_or(i64::MAX, |seq| seq.0);
        let (kind, with_rows, with_holds) = match filter {
            HistoryFilter::Everything => (None, true, true),
            HistoryFilter::Only(kind) => (Some(kind.as_str()), true, false),
            HistoryFilter::Holds => (None, false, true),
        };
        let mut entries = Vec::new();
        if with_rows {
            entries.extend(self.list_transactions(account, kind, before, limit).await?);
        }
        if with_holds {
            entries.extend(self.list_holds(account, before, limit).await?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq()));
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries)
    }

    async fn list_audit(&self, account: AccountId, limit: u32) -> StoreResult<Vec<AuditEntry>> {
        let found = sqlx::query(LIST_AUDIT).bind(account.0).bind(limit).fetch_all(&self.readers).await?;
        let entry = |row: &sqlx::sqlite::SqliteRow| {
            Ok(AuditEntry {
                account: row.try_get::<Option<i64>, _>("account_id")?.map(AccountId),
                seq: row.try_get::<Option<i64>, _>("seq")?.map(Seq),
                actor: row.try_get("actor")?,
                action: row.try_get("action")?,
                detail: rows::expected(serde_json::from_str(row.try_get("detail")?).ok(), "detail of an audit row")?,
                created_at: rows::moment(row, "created_at")?,
            })
        };
        found.iter().map(entry).collect()
    }
}

impl SqliteStore {
    async fn list_transactions(
        &self,
        account: AccountId,
        kind: Option<&str>,
        before: i64,
        limit: u32,
    ) -> StoreResult<Vec<HistoryEntry>> {
        let query = sqlx::query(LIST_TRANSACTIONS).bind(account.0).bind(before).bind(kind).bind(limit);
        let found = query.fetch_all(&self.readers).await?;
        let mut transactions = found.iter().map(rows::transaction).collect::<StoreResult<Vec<_>>>()?;
        if let (Some(newest), Some(oldest)) = (transactions.first(), transactions.last()) {
            let mut draws = self.list_draws(account, oldest.seq, newest.seq).await?;
            for row in &mut transactions {
                row.draws = draws.remove(&row.seq).unwrap_or_default();
            }
        }
        Ok(transactions.into_iter().map(HistoryEntry::Transaction).collect())
    }

    async fn list_draws(&self, account: AccountId, from: Seq, to: Seq) -> StoreResult<HashMap<Seq, Vec<Draw>>> {
        let query = sqlx::query(LIST_DRAWS).bind(account.0).bind(from.0).bind(to.0);
        let mut draws: HashMap<Seq, Vec<Draw>> = HashMap::new();
        for row in query.fetch_all(&self.readers).await? {
            let draw = Draw {
                grant: GrantId(Seq(row.try_get("grant_id")?)),
                source: rows::expected(Source::parse(row.try_get("source")?), "source")?,
                amount: row.try_get("amount")?,
                expires_at: rows::optional_moment(&row, "expires_at")?,
            };
            draws.entry(Seq(row.try_get("seq")?)).or_default().push(draw);
        }
        Ok(draws)
    }

    async fn list_holds(&self, account: AccountId, before: i64, limit: u32) -> StoreResult<Vec<HistoryEntry>> {
        let query = sqlx::query(LIST_HOLDS).bind(account.0).bind(before).bind(limit);
        let found = query.fetch_all(&self.readers).await?;
        found.iter().map(|row| rows::hold(row).map(HistoryEntry::Hold)).collect()
    }
}
