//! All histories in SQL, page by page, for who takes them elsewhere.

use super::load::to_json;
use super::rows;
use crate::domain::identity::Email;
use crate::domain::journal::Draw;
use crate::domain::{AccountId, GrantId, Seq, Source, Timestamp, Transaction, UserId};
use crate::server::store::database::{Database, Row};
use crate::server::store::{OwnedMovement, StoreResult};
use std::collections::HashMap;

/// It goes on after the last row of the page before, along the primary key.
const LIST_ALL_MOVEMENTS: &str = "
    SELECT t.account_id, u.public_id, u.email, t.seq, t.type, t.cause, t.amount, t.balance_after, t.debt_after,
        t.feature, t.units, t.rate_version, t.description, t.actor, t.metadata, t.hold_id, t.refund_of, t.created_at,
        t.draws
    FROM transactions t JOIN users u ON u.id = t.account_id
    WHERE (t.account_id, t.seq) > ($1, $2) AND t.account_id <= $3
    ORDER BY t.account_id, t.seq LIMIT $4";

/// The sources and ends of the grants that such a page names.
const LIST_NAMED_GRANTS: &str = "
    SELECT g.account_id, g.id, g.source, g.expires_at
    FROM json_each($1) want CROSS JOIN grants g
    WHERE g.account_id = CAST(want.value ->> 0 AS BIGINT) AND g.id = CAST(want.value ->> 1 AS BIGINT)";

type Named = HashMap<(AccountId, GrantId), (Source, Option<Timestamp>)>;

/// A page of the movements of one account, or of all.
pub(super) async fn list_all(
    database: &Database,
    of: Option<AccountId>,
    after: Option<(AccountId, Seq)>,
    limit: u32,
) -> StoreResult<Vec<OwnedMovement>> {
    // Numbers of an account begin at 1: one account is all that comes after its own 0, up to itself.
    let (account, seq) = after.unwrap_or((of.unwrap_or(AccountId(0)), Seq::default()));
    let last = of.unwrap_or(AccountId(i64::MAX));
    let values = [account.into(), seq.0.into(), last.into(), limit.into()];
    let found = database.fetch_all(LIST_ALL_MOVEMENTS, &values).await?;
    let grants = list_named_grants(database, &found).await?;
    found.iter().map(|row| movement(row, &grants)).collect()
}

async fn list_named_grants(database: &Database, found: &[Row]) -> StoreResult<Named> {
    let mut wanted = Vec::new();
    for row in found {
        let account = rows::account_id(row)?;
        wanted.extend(rows::draws(row)?.into_iter().map(|(grant, _)| (account, grant)));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let list = to_json(&wanted)?;
    let grant = |row: &Row| {
        let source = rows::expected(Source::parse(row.text("source")?), "source")?;
        let name = (rows::account_id(row)?, GrantId(Seq(row.integer("id")?)));
        Ok((name, (source, rows::optional_moment(row, "expires_at")?)))
    };
    database.fetch_all(LIST_NAMED_GRANTS, &[(&list).into()]).await?.iter().map(grant).collect()
}

fn movement(row: &Row, grants: &Named) -> StoreResult<OwnedMovement> {
    let account = rows::account_id(row)?;
    let draw = |(grant, amount): (GrantId, i64)| {
        let (source, expires_at) = rows::expected(grants.get(&(account, grant)).copied(), "draw")?;
        Ok(Draw { grant, source, amount, expires_at })
    };
    let draws = rows::draws(row)?.into_iter().map(draw).collect::<StoreResult<_>>()?;
    Ok(OwnedMovement {
        account,
        public_id: rows::expected(UserId::parse(row.text("public_id")?), "public id")?,
        email: rows::expected(Email::parse(row.text("email")?), "address")?,
        row: Transaction { draws, ..rows::transaction(row)? },
    })
}
