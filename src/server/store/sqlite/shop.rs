//! The catalogue and the orders in SQLite.

use super::load::to_json;
use super::{SqliteStore, rows};
use crate::domain::catalogue::{Catalogue, Interval};
use crate::domain::{AccountId, OrderId, Timestamp};
use crate::server::store::{Order, OrderItem, OrderStatus, Shop, StoreResult};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

const READ_CATALOGUE: &str = "SELECT version, body FROM catalogue_versions ORDER BY version DESC LIMIT 1";

const ADD_CATALOGUE: &str = "
    INSERT INTO catalogue_versions (version, body, created_at)
    VALUES ((SELECT coalesce(max(version), 0) + 1 FROM catalogue_versions), $1, $2) RETURNING version";

const ADD_ORDER: &str = "
    INSERT INTO orders (id, account_id, kind, item, interval, credits, amount_cents, status, return_to, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)";

const FIND_ORDER: &str = "
    SELECT id, account_id, kind, item, interval, credits, amount_cents, status, return_to, created_at, settled_at
    FROM orders WHERE id = $1";

const DECLINE_ORDER: &str =
    "UPDATE orders SET status = 'declined', settled_at = $2 WHERE id = $1 AND status = 'pending'";

#[async_trait]
impl Shop for SqliteStore {
    async fn read_catalogue(&self) -> StoreResult<Option<(i64, Catalogue)>> {
        let Some(row) = sqlx::query(READ_CATALOGUE).fetch_optional(&self.readers).await? else { return Ok(None) };
        let catalogue = rows::expected(serde_json::from_str(row.try_get("body")?).ok(), "catalogue")?;
        Ok(Some((row.try_get("version")?, catalogue)))
    }

    async fn add_catalogue(&self, catalogue: &Catalogue, now: Timestamp) -> StoreResult<i64> {
        let query = sqlx::query(ADD_CATALOGUE).bind(to_json(catalogue)?).bind(now.millis());
        Ok(query.fetch_one(&self.writer).await?.try_get("version")?)
    }

    async fn add_order(&self, order: &Order) -> StoreResult<()> {
        let (kind, item, interval) = match &order.item {
            OrderItem::Plan { plan, interval } => ("plan", plan, Some(interval.as_str())),
            OrderItem::Pack(pack) => ("pack", pack, None),
        };
        sqlx::query(ADD_ORDER)
            .bind(order.id.as_str())
            .bind(order.account.0)
            .bind(kind)
            .bind(item.as_str())
            .bind(interval)
            .bind(order.credits.get())
            .bind(order.amount.get())
            .bind(&order.return_to)
            .bind(order.created_at.millis())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn find_order(&self, id: &OrderId) -> StoreResult<Option<Order>> {
        let row = sqlx::query(FIND_ORDER).bind(id.as_str()).fetch_optional(&self.readers).await?;
        row.as_ref().map(order).transpose()
    }

    async fn decline_order(&self, id: &OrderId, now: Timestamp) -> StoreResult<()> {
        sqlx::query(DECLINE_ORDER).bind(id.as_str()).bind(now.millis()).execute(&self.writer).await?;
        Ok(())
    }
}

fn order(row: &SqliteRow) -> StoreResult<Order> {
    let status = match row.try_get("status")? {
        "pending" => Some(OrderStatus::Pending),
        "paid" => Some(OrderStatus::Paid),
        "declined" => Some(OrderStatus::Declined),
        _ => None,
    };
    Ok(Order {
        id: rows::expected(OrderId::parse(row.try_get("id")?), "order")?,
        account: AccountId(row.try_get("account_id")?),
        item: order_item(row)?,
        credits: rows::credits(row.try_get("credits")?)?,
        amount: rows::cents(row.try_get("amount_cents")?)?,
        status: rows::expected(status, "status of an order")?,
        return_to: row.try_get("return_to")?,
        created_at: rows::moment(row, "created_at")?,
        settled_at: rows::optional_moment(row, "settled_at")?,
    })
}

fn order_item(row: &SqliteRow) -> StoreResult<OrderItem> {
    let item = rows::plan_id(row.try_get("item")?)?;
    match row.try_get::<Option<&str>, _>("interval")? {
        None => Ok(OrderItem::Pack(item)),
        Some(text) => Ok(OrderItem::Plan { plan: item, interval: rows::expected(Interval::parse(text), "interval")? }),
    }
}
