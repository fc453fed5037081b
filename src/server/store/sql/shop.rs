//! The catalogue and the orders in SQL.

use super::load::to_json;
use super::{SqlStore, rows, save};
use crate::domain::billing::CheckoutRef;
use crate::domain::catalogue::{Catalogue, Interval};
use crate::domain::{AccountId, OrderId, Timestamp};
use crate::server::store::database::Row;
use crate::server::store::{AuditEntry, Order, OrderItem, OrderStatus, Shop, StoreResult};
use async_trait::async_trait;

const READ_CATALOGUE: &str = "SELECT version, body FROM catalogue_versions ORDER BY version DESC LIMIT 1";

/// Nothing where the version that it was decided upon is no longer the last.
const ADD_CATALOGUE: &str = "
    INSERT INTO catalogue_versions (version, body, created_at)
    SELECT CAST($1 AS BIGINT) + 1, CAST($2 AS TEXT), CAST($3 AS BIGINT)
    WHERE (SELECT coalesce(max(version), 0) FROM catalogue_versions) = $1
    ON CONFLICT DO NOTHING RETURNING version";

const ADD_ORDER: &str = "
    INSERT INTO orders (id, account_id, kind, item, interval, credits, amount_cents, status, return_to, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)";

const FIND_ORDER: &str = "
    SELECT id, account_id, kind, item, interval, credits, amount_cents, status, return_to, checkout, checkout_url,
        submitted_at, created_at, settled_at
    FROM orders WHERE id = $1";

const DECLINE_ORDER: &str =
    "UPDATE orders SET status = 'declined', settled_at = $2 WHERE id = $1 AND status IN ('pending', 'declined')";

#[async_trait]
impl Shop for SqlStore {
    async fn read_catalogue(&self) -> StoreResult<Option<(i64, Catalogue)>> {
        let Some(row) = self.database.fetch_optional(READ_CATALOGUE, &[]).await? else { return Ok(None) };
        let catalogue = rows::expected(serde_json::from_str(row.text("body")?).ok(), "catalogue")?;
        Ok(Some((row.integer("version")?, catalogue)))
    }

    async fn add_catalogue(&self, catalogue: &Catalogue, after: i64, entry: &AuditEntry) -> StoreResult<Option<i64>> {
        let body = to_json(catalogue)?;
        let mut transaction = self.database.begin().await?;
        let values = [after.into(), (&body).into(), entry.created_at.into()];
        let Some(added) = transaction.fetch_optional(ADD_CATALOGUE, &values).await? else { return Ok(None) };
        save::save_audit(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(Some(added.integer("version")?))
    }

    async fn add_order(&self, order: &Order) -> StoreResult<()> {
        let (kind, item, interval) = match &order.item {
            OrderItem::Plan { plan, interval } => ("plan", plan, Some(interval.as_str())),
            OrderItem::Pack(pack) => ("pack", pack, None),
        };
        let values = [
            order.id.as_str().into(),
            order.account.into(),
            kind.into(),
            item.as_str().into(),
            interval.into(),
            order.credits.into(),
            order.amount.get().into(),
            order.return_to.as_deref().into(),
            order.created_at.into(),
        ];
        self.database.execute(ADD_ORDER, &values).await?;
        Ok(())
    }

    async fn find_order(&self, id: &OrderId) -> StoreResult<Option<Order>> {
        let row = self.database.fetch_optional(FIND_ORDER, &[id.as_str().into()]).await?;
        row.as_ref().map(order).transpose()
    }

    async fn decline_order(&self, id: &OrderId, now: Timestamp) -> StoreResult<()> {
        self.database.execute(DECLINE_ORDER, &[id.as_str().into(), now.into()]).await?;
        Ok(())
    }
}

pub(super) fn order(row: &Row) -> StoreResult<Order> {
    let status = match row.text("status")? {
        "pending" => Some(OrderStatus::Pending),
        "paid" => Some(OrderStatus::Paid),
        "declined" => Some(OrderStatus::Declined),
        "abandoned" => Some(OrderStatus::Abandoned),
        _ => None,
    };
    Ok(Order {
        id: rows::expected(OrderId::parse(row.text("id")?), "order")?,
        account: AccountId(row.integer("account_id")?),
        item: order_item(row)?,
        credits: rows::credits(row.integer("credits")?)?,
        amount: rows::cents(row.integer("amount_cents")?)?,
        status: rows::expected(status, "status of an order")?,
        return_to: row.optional_text("return_to")?.map(str::to_owned),
        checkout: checkout(row)?,
        submitted_at: rows::optional_moment(row, "submitted_at")?,
        created_at: rows::moment(row, "created_at")?,
        settled_at: rows::optional_moment(row, "settled_at")?,
    })
}

fn checkout(row: &Row) -> StoreResult<Option<(CheckoutRef, String)>> {
    let Some(name) = row.optional_text("checkout")? else { return Ok(None) };
    let name = rows::expected(CheckoutRef::parse(name), "checkout")?;
    Ok(Some((name, row.optional_text("checkout_url")?.unwrap_or_default().to_owned())))
}

fn order_item(row: &Row) -> StoreResult<OrderItem> {
    let item = rows::plan_id(row.text("item")?)?;
    match row.optional_text("interval")? {
        None => Ok(OrderItem::Pack(item)),
        Some(text) => Ok(OrderItem::Plan { plan: item, interval: rows::expected(Interval::parse(text), "interval")? }),
    }
}
