//! The proof of the books: every balance recomputed from history, in SQL, and compared.

use crate::server::store::{Books, StoreResult};
use sqlx::{Row, SqliteConnection};

const TOTALS: &str = "SELECT count(*) AS accounts, coalesce(sum(balance), 0) AS balance FROM accounts";

/// Each statement finds what does not fit, as a sentence; in sound books each finds nothing.
const PROOFS: [&str; 6] = [
    // What remains of all grants is the balance, and what is held of them is what is held.
    "SELECT 'account ' || a.id || ': the balance is ' || a.balance || ' with ' || a.held || ' held, its grants have '
        || coalesce(sum(g.remaining), 0) || ' with ' || coalesce(sum(g.held), 0) || ' held' AS flaw
     FROM accounts a LEFT JOIN grants g ON g.account_id = a.id
     GROUP BY a.id HAVING a.balance <> coalesce(sum(g.remaining), 0) OR a.held <> coalesce(sum(g.held), 0)",
    // The sum of history is the balance.
    "SELECT 'account ' || a.id || ': the balance is ' || a.balance || ', its history adds up to '
        || coalesce(sum(t.amount), 0) AS flaw
     FROM accounts a LEFT JOIN transactions t ON t.account_id = a.id
     GROUP BY a.id HAVING a.balance <> coalesce(sum(t.amount), 0)",
    // The last row of history says so too.
    "SELECT 'account ' || a.id || ': the balance is ' || a.balance || ', its last row of history says '
        || t.balance_after AS flaw
     FROM accounts a JOIN transactions t ON t.account_id = a.id
     WHERE t.seq = (SELECT max(seq) FROM transactions WHERE account_id = a.id) AND t.balance_after <> a.balance",
    // What was drawn from a grant, its own opening among it, is what remains of it.
    "SELECT 'account ' || g.account_id || ', grant ' || g.id || ': ' || g.remaining || ' remain, its draws leave '
        || coalesce(sum(d.amount), 0) AS flaw
     FROM grants g LEFT JOIN draws d ON d.account_id = g.account_id AND d.grant_id = g.id
     GROUP BY g.account_id, g.id HAVING g.remaining <> coalesce(sum(d.amount), 0)",
    // The draws of a transaction add up to its amount.
    "SELECT 'account ' || t.account_id || ', row ' || t.seq || ': it moved ' || t.amount || ', its draws '
        || coalesce(sum(d.amount), 0) AS flaw
     FROM transactions t LEFT JOIN draws d ON d.account_id = t.account_id AND d.seq = t.seq
     GROUP BY t.account_id, t.seq HAVING t.amount <> coalesce(sum(d.amount), 0)",
    // What pending holds reserve on a grant is what it has on hold.
    "SELECT 'account ' || g.account_id || ', grant ' || g.id || ': ' || g.held || ' held, its pending holds reserve '
        || coalesce(p.reserved, 0) AS flaw
     FROM grants g LEFT JOIN (
        SELECT h.account_id, part.value ->> 0 AS grant_id, sum(part.value ->> 1) AS reserved
        FROM holds h, json_each(h.draws) part WHERE h.status = 'pending' GROUP BY 1, 2
     ) p ON p.account_id = g.account_id AND p.grant_id = g.id
     WHERE g.held <> coalesce(p.reserved, 0)",
];

/// Checks every account.
pub(super) async fn check(connection: &mut SqliteConnection) -> StoreResult<Books> {
    let totals = sqlx::query(TOTALS).fetch_one(&mut *connection).await?;
    let mut books =
        Books { accounts: totals.try_get("accounts")?, balance: totals.try_get("balance")?, flaws: Vec::new() };
    for proof in PROOFS {
        for row in sqlx::query(proof).fetch_all(&mut *connection).await? {
            books.flaws.push(row.try_get("flaw")?);
        }
    }
    Ok(books)
}
