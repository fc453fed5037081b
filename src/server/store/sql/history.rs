//! History in SQL: movements and holds in one order, by their common numbers.

use super::{SqlStore, rows};
use crate::domain::journal::Draw;
use crate::domain::{AccountId, FeatureId, GrantId, Seq, Source, Timestamp};
use crate::server::store::database::{Row, Value};
use crate::server::store::{AuditEntry, History, HistoryEntry, HistoryFilter, HistoryQuery, StoreResult};
use async_trait::async_trait;
use std::collections::HashMap;

/// `coalesce` of a parameter and the column itself: an absent filter lets all pass, and PostgreSQL knows the
/// parameter's type.
const LIST_TRANSACTIONS: &str = "
    SELECT seq, type, cause, amount, balance_after, debt_after, feature, units, rate_version, description, actor,
        metadata, hold_id, refund_of, created_at
    FROM transactions
    WHERE account_id = $1 AND seq < $2 AND type = coalesce($3, type)
        AND coalesce(feature, '') = coalesce($4, feature, '') AND created_at >= $5 AND created_at < $6
    ORDER BY seq DESC LIMIT $7";

const LIST_DRAWS: &str = "
    SELECT d.seq, d.grant_id, d.amount, g.source, g.expires_at
    FROM draws d JOIN grants g ON g.account_id = d.account_id AND g.id = d.grant_id
    WHERE d.account_id = $1 AND d.seq BETWEEN $2 AND $3
    ORDER BY d.seq, d.position";

/// A captured hold stands in the history as the transaction that it became.
const LIST_HOLDS: &str = "
    SELECT id, amount, status, captured, feature, units, rate_version, description, actor, metadata, reason,
        deadline, created_at, settled_at, draws
    FROM holds
    WHERE account_id = $1 AND id < $2 AND status <> 'captured'
        AND coalesce(feature, '') = coalesce($3, feature, '') AND created_at >= $4 AND created_at < $5
    ORDER BY id DESC LIMIT $6";

/// The sources and ends of the grants that a page of holds names.
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
        let mut transactions = found.iter().map(rows::transaction).collect::<StoreResult<Vec<_>>>()?;
        if let (Some(newest), Some(oldest)) = (transactions.first(), transactions.last()) {
            let mut draws = self.list_draws(account, oldest.seq, newest.seq).await?;
            for row in &mut transactions {
                row.draws = draws.remove(&row.seq).unwrap_or_default();
            }
        }
        Ok(transactions.into_iter().map(|row| HistoryEntry::Transaction(Box::new(row))).collect())
    }

    async fn list_draws(&self, account: AccountId, from: Seq, to: Seq) -> StoreResult<HashMap<Seq, Vec<Draw>>> {
        let mut draws: HashMap<Seq, Vec<Draw>> = HashMap::new();
        for row in self.database.fetch_all(LIST_DRAWS, &[account.into(), from.0.into(), to.0.into()]).await? {
            let draw = Draw {
                grant: GrantId(Seq(row.integer("grant_id")?)),
                source: rows::expected(Source::parse(row.text("source")?), "source")?,
                amount: row.integer("amount")?,
                expires_at: rows::optional_moment(&row, "expires_at")?,
            };
            draws.entry(Seq(row.integer("seq")?)).or_default().push(draw);
        }
        Ok(draws)
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
