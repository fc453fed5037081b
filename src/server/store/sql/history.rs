//! History in SQL: movements and holds in one order, by their common numbers.

use super::{SqlStore, movements, rows};
use crate::domain::journal::Draw;
use crate::domain::{AccountId, FeatureId, GrantId, Seq, Source, Timestamp, Transaction};
use crate::server::store::database::{Row, Value};
use crate::server::store::{
    AuditEntry, History, HistoryEntry, HistoryFilter, HistoryQuery, OwnedMovement, StoreResult,
};
use async_trait::async_trait;
use std::collections::HashMap;

/// `coalesce` of a parameter and the column itself: an absent filter lets all pass, and PostgreSQL knows the
/// parameter's type.
const LIST_TRANSACTIONS: &str = "
    SELECT seq, type, cause, amount, balance_after, debt_after, feature, units, rate_version, description, actor,
        metadata, hold_id, refund_of, created_at, draws
    FROM transactions
    WHERE account_id = $1 AND seq < $2 AND type = coalesce($3, type)
        AND coalesce(feature, '') = coalesce($4, feature, '') AND created_at >= $5 AND created_at < $6
    ORDER BY seq DESC LIMIT $7";

/// A captured hold stands in the history as the transaction that it became.
const LIST_HOLDS: &str = "
    SELECT id, amount, status, captured, feature, units, rate_version, description, actor, metadata, reason,
        deadline, created_at, settled_at, draws
    FROM holds
    WHERE account_id = $1 AND id < $2 AND status <> 'captured'
        AND coalesce(feature, '') = coalesce($3, feature, '') AND created_at >= $4 AND created_at < $5
    ORDER BY id DESC LIMIT $6";

/// The sources and ends of the grants that a page of history names.
const LIST_GRANTS: &str = "
    SELECT id, source, expires_at FROM grants
    WHERE account_id = $1 AND id IN (SELECT CAST(value AS BIGINT) FROM json_each($2))";

const LIST_AUDIT: &str = "
    SELECT account_id, seq, actor, action, detail, created_at FROM audit WHERE account_id = $1 ORDER BY id DESC LIMIT $2";

#[async_trait]
impl History for SqlStore {
    async fn list_history(&self, account: AccountId, query: &HistoryQuery) -> StoreResult<Vec<HistoryEntry>> {
        let (kind, with_rows, with_holds) = match query.filter {
            HistoryFilter::Everything => (None, true, true),
            HistoryFilter::Movements => (None, true, false),
            HistoryFilter::Only(kind) => (Some(kind.as_str()), true, false),
            HistoryFilter::Holds => (None, false, true),
        };
        let mut entries = Vec::new();
        if with_rows {
            entries.extend(self.list_transactions(account, kind, query).await?);
        }
        if with_holds {
            entries.extend(self.list_holds(account, query).await?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq()));
        entries.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(entries)
    }

    async fn list_all_movements(
        &self,
        of: Option<AccountId>,
        after: Option<(AccountId, Seq)>,
        limit: u32,
    ) -> StoreResult<Vec<OwnedMovement>> {
        movements::list_all(&self.database, of, after, limit).await
    }

    async fn list_audit(&self, account: AccountId, limit: u32) -> StoreResult<Vec<AuditEntry>> {
        let found = self.database.fetch_all(LIST_AUDIT, &[account.into(), limit.into()]).await?;
        let entry = |row: &Row| {
            Ok(AuditEntry {
                account: row.optional_integer("account_id")?.map(AccountId),
                seq: row.optional_integer("seq")?.map(Seq),
                actor: row.text("actor")?.to_owned(),
                action: row.text("action")?.to_owned(),
                detail: rows::expected(serde_json::from_str(row.text("detail")?).ok(), "detail of an audit row")?,
                created_at: rows::moment(row, "created_at")?,
            })
        };
        found.iter().map(entry).collect()
    }
}

/// The parameters that both kinds of lines share: below which number, which feature, from when, until when.
fn bounds(query: &HistoryQuery) -> (Value<'_>, Value<'_>, Value<'_>, Value<'_>) {
    let earliest = query.from.unwrap_or(Timestamp::from_millis(i64::MIN));
    let latest = query.to.unwrap_or(Timestamp::from_millis(i64::MAX));
    let feature = query.feature.as_ref().map(FeatureId::as_str);
    (query.before.map_or(i64::MAX, |seq| seq.0).into(), feature.into(), earliest.into(), latest.into())
}

impl SqlStore {
    async fn list_transactions(
        &self,
        account: AccountId,
        kind: Option<&str>,
        query: &HistoryQuery,
    ) -> StoreResult<Vec<HistoryEntry>> {
        let (before, feature, from, to) = bounds(query);
        let values = [account.into(), before, kind.into(), feature, from, to, query.limit.into()];
        let found = self.database.fetch_all(LIST_TRANSACTIONS, &values).await?;
        let pairs = found.iter().map(rows::draws).collect::<StoreResult<Vec<_>>>()?;
        let named: Vec<GrantId> = pairs.iter().flatten().map(|(grant, _)| *grant).collect();
        let grants = self.list_grants(account, &named).await?;
        let with_draws = |(row, pairs): (&Row, Vec<(GrantId, i64)>)| {
            let draws = pairs.into_iter().map(|(grant, amount)| {
                let (source, expires_at) = rows::expected(grants.get(&grant).copied(), "draw")?;
                Ok(Draw { grant, source, amount, expires_at })
            });
            let transaction = Transaction { draws: draws.collect::<StoreResult<_>>()?, ..rows::transaction(row)? };
            Ok(HistoryEntry::Transaction(Box::new(transaction)))
        };
        found.iter().zip(pairs).map(with_draws).collect()
    }

    async fn list_holds(&self, account: AccountId, query: &HistoryQuery) -> StoreResult<Vec<HistoryEntry>> {
        let (before, feature, from, to) = bounds(query);
        let values = [account.into(), before, feature, from, to, query.limit.into()];
        let found = self.database.fetch_all(LIST_HOLDS, &values).await?;
        let holds = found.iter().map(rows::hold).collect::<StoreResult<Vec<_>>>()?;
        let named: Vec<GrantId> = holds.iter().flat_map(|hold| hold.draws.iter().map(|(grant, _)| *grant)).collect();
        let grants = self.list_grants(account, &named).await?;
        let with_draws = |hold: crate::domain::Hold| {
            let draw = |(grant, amount): &(GrantId, crate::domain::Credits)| {
                let (source, expires_at) = *grants.get(grant)?;
                Some(Draw { grant: *grant, source, amount: amount.get(), expires_at })
            };
            let draws = hold.draws.iter().filter_map(draw).collect();
            HistoryEntry::Hold { hold: Box::new(hold), draws }
        };
        Ok(holds.into_iter().map(with_draws).collect())
    }

    async fn list_grants(
        &self,
        account: AccountId,
        named: &[GrantId],
    ) -> StoreResult<HashMap<GrantId, (Source, Option<Timestamp>)>> {
        if named.is_empty() {
            return Ok(HashMap::new());
        }
        let list = super::load::to_json(&named)?;
        let found = self.database.fetch_all(LIST_GRANTS, &[account.into(), (&list).into()]).await?;
        let grant = |row: &Row| {
            let source = rows::expected(Source::parse(row.text("source")?), "source")?;
            Ok((GrantId(Seq(row.integer("id")?)), (source, rows::optional_moment(row, "expires_at")?)))
        };
        found.iter().map(grant).collect()
    }
}
