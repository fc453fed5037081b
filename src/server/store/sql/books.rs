//! The proof of the books: every balance recomputed from history, in SQL, and compared.

use super::chain;
use crate::server::store::chain::ChainKey;
use crate::server::store::database::Transaction;
use crate::server::store::{Books, StoreResult, Totals};

/// Both sides of the equation for each account. A refund to a grant that had ended opened another one, so it
/// counts as restored and not as refunded.
macro_rules! with_equation {
    ($rest:literal) => {
        concat!(
            "WITH issued AS (
                SELECT account_id, sum(CASE WHEN source = 'restored' THEN 0 ELSE amount END) AS granted,
                    sum(CASE WHEN source = 'restored' THEN amount ELSE 0 END) AS restored,
                    sum(remaining) AS remaining, sum(expired) AS ended, sum(clawed_back) AS clawed_back
                FROM grants GROUP BY account_id
            ), moved AS (
                SELECT account_id, sum(CASE WHEN cause IN ('charge', 'capture') THEN -amount ELSE 0 END) AS consumed,
                    sum(CASE WHEN type = 'expiry' OR type = 'credit' AND cause = 'undo' THEN -amount ELSE 0 END)
                        AS expired,
                    sum(CASE WHEN type = 'clawback' THEN -amount ELSE 0 END) AS returned,
                    sum(CASE WHEN cause = 'adjust' AND amount < 0 THEN -amount ELSE 0 END) AS adjusted
                FROM transactions GROUP BY account_id
            ), refunds AS (
                SELECT t.account_id, sum(CAST(part.value ->> 1 AS BIGINT)) AS refunded
                FROM transactions t CROSS JOIN json_each(t.draws) part
                WHERE t.cause = 'refund' AND CAST(part.value ->> 0 AS BIGINT) <> t.seq GROUP BY t.account_id
            ), sides AS (
                SELECT a.id AS account_id, a.debt, coalesce(i.granted, 0) AS granted,
                    coalesce(i.restored, 0) AS restored, coalesce(i.remaining, 0) AS remaining,
                    coalesce(i.ended, 0) AS ended, coalesce(i.clawed_back, 0) AS clawed_back,
                    coalesce(m.consumed, 0) AS consumed, coalesce(m.expired, 0) AS expired,
                    coalesce(m.returned, 0) AS returned, coalesce(m.returned, 0) + coalesce(m.adjusted, 0) AS taken_back,
                    coalesce(r.refunded, 0) AS refunded
                FROM accounts a LEFT JOIN issued i ON i.account_id = a.id LEFT JOIN moved m ON m.account_id = a.id
                LEFT JOIN refunds r ON r.account_id = a.id
            ) ",
            $rest
        )
    };
}

/// All draws of all rows of history, one by one.
macro_rules! with_draws {
    ($rest:literal) => {
        concat!(
            "WITH draws AS (
                SELECT t.account_id, t.seq, CAST(part.value ->> 0 AS BIGINT) AS grant_id,
                    CAST(part.value ->> 1 AS BIGINT) AS amount
                FROM transactions t CROSS JOIN json_each(t.draws) part
            ) ",
            $rest
        )
    };
}

const TOTALS: &str = with_equation!(
    "SELECT count(*) AS accounts, CAST(coalesce(sum(granted), 0) AS BIGINT) AS granted,
        CAST(coalesce(sum(restored), 0) AS BIGINT) AS restored,
        CAST(coalesce(sum(remaining), 0) AS BIGINT) AS remaining,
        CAST(coalesce(sum(consumed), 0) AS BIGINT) AS consumed,
        CAST(coalesce(sum(refunded), 0) AS BIGINT) AS refunded,
        CAST(coalesce(sum(expired), 0) AS BIGINT) AS expired,
        CAST(coalesce(sum(taken_back), 0) AS BIGINT) AS taken_back,
        CAST(coalesce(sum(debt), 0) AS BIGINT) AS debt
     FROM sides"
);

/// Each statement finds what does not fit, as a sentence; in sound books each finds nothing.
const PROOFS: [&str; 12] = [
    // Granted + restored = remaining + consumed - refunded + expired + taken back.
    with_equation!(
        "SELECT 'account ' || account_id || ': ' || granted || ' granted and ' || restored || ' restored, but '
            || remaining || ' remaining, ' || consumed || ' consumed, ' || refunded || ' refunded, ' || expired
            || ' expired and ' || taken_back || ' taken back' AS flaw
         FROM sides WHERE granted + restored <> remaining + consumed - refunded + expired + taken_back"
    ),
    // What grants say of their end and of clawbacks is what history says.
    with_equation!(
        "SELECT 'account ' || account_id || ': its grants lost ' || ended || ' by ending and ' || clawed_back
            || ' by clawbacks, its history says ' || expired || ' and ' || returned || ' with a debt of ' || debt AS flaw
         FROM sides WHERE ended <> expired OR clawed_back <> returned + debt"
    ),
    // What remains of all grants is the balance, and what is held of them is what is held.
    "SELECT 'account ' || a.id || ': the balance is ' || a.balance || ' with ' || a.held || ' held, its grants have '
        || coalesce(sum(g.remaining), 0) || ' with ' || coalesce(sum(g.held), 0) || ' held' AS flaw
     FROM accounts a LEFT JOIN grants g ON g.account_id = a.id
     GROUP BY a.id, a.balance, a.held
     HAVING a.balance <> coalesce(sum(g.remaining), 0) OR a.held <> coalesce(sum(g.held), 0)",
    // The sum of history is the balance.
    "SELECT 'account ' || a.id || ': the balance is ' || a.balance || ', its history adds up to '
        || coalesce(sum(t.amount), 0) AS flaw
     FROM accounts a LEFT JOIN transactions t ON t.account_id = a.id
     GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(t.amount), 0)",
    // The last row of history says so too, and what is owed.
    "SELECT 'account ' || a.id || ': the balance is ' || a.balance || ' and the debt ' || a.debt
        || ', its last row of history, ' || t.seq || ', says ' || t.balance_after || ' and ' || t.debt_after AS flaw
     FROM accounts a JOIN transactions t ON t.account_id = a.id
     WHERE t.seq = (SELECT max(seq) FROM transactions WHERE account_id = a.id)
        AND (t.balance_after <> a.balance OR t.debt_after <> a.debt)",
    // Each row follows from the row before.
    "SELECT 'account ' || account_id || ', row ' || seq || ': ' || previous || ' and ' || amount || ' do not make '
        || balance_after AS flaw
     FROM (SELECT account_id, seq, amount, balance_after, coalesce(lag(balance_after)
        OVER (PARTITION BY account_id ORDER BY seq), 0) AS previous FROM transactions) AS pairs
     WHERE previous + amount <> balance_after",
    // No row is newer than the account knows.
    "SELECT 'account ' || a.id || ': it has reached number ' || a.last_seq || ', its history ' || t.seq AS flaw
     FROM accounts a JOIN transactions t ON t.account_id = a.id WHERE t.seq > a.last_seq",
    // What was drawn from a grant, its own opening among it, is what remains of it.
    with_draws!(
        "SELECT 'account ' || g.account_id || ', grant ' || g.id || ': ' || g.remaining || ' remain, its draws leave '
        || coalesce(sum(d.amount), 0) AS flaw
     FROM grants g LEFT JOIN draws d ON d.account_id = g.account_id AND d.grant_id = g.id
     GROUP BY g.account_id, g.id, g.remaining HAVING g.remaining <> coalesce(sum(d.amount), 0)"
    ),
    // Nothing was drawn from a grant that is not there.
    with_draws!(
        "SELECT 'account ' || d.account_id || ', row ' || d.seq || ': it draws on grant ' || d.grant_id
        || ', which is not there' AS flaw
     FROM draws d WHERE NOT EXISTS (SELECT 1 FROM grants g WHERE g.account_id = d.account_id AND g.id = d.grant_id)"
    ),
    // A grant was opened by the row of its own number, with all of its amount.
    with_draws!(
        "SELECT 'account ' || g.account_id || ', grant ' || g.id || ': it has ' || g.amount || ', the row that opened it '
        || coalesce(d.amount, 0) AS flaw
     FROM grants g LEFT JOIN draws d ON d.account_id = g.account_id AND d.seq = g.id AND d.grant_id = g.id
     WHERE g.amount <> coalesce(d.amount, 0)"
    ),
    // The draws of a transaction add up to its amount.
    with_draws!(
        "SELECT 'account ' || t.account_id || ', row ' || t.seq || ': it moved ' || t.amount || ', its draws '
        || coalesce(sum(d.amount), 0) AS flaw
     FROM transactions t LEFT JOIN draws d ON d.account_id = t.account_id AND d.seq = t.seq
     GROUP BY t.account_id, t.seq, t.amount HAVING t.amount <> coalesce(sum(d.amount), 0)"
    ),
    // What pending holds reserve on a grant is what it has on hold.
    "SELECT 'account ' || g.account_id || ', grant ' || g.id || ': ' || g.held || ' held, its pending holds reserve '
        || coalesce(p.reserved, 0) AS flaw
     FROM grants g LEFT JOIN (
        SELECT h.account_id, CAST(part.value ->> 0 AS BIGINT) AS grant_id,
            sum(CAST(part.value ->> 1 AS BIGINT)) AS reserved
        FROM holds h, json_each(h.draws) part WHERE h.status = 'pending' GROUP BY 1, 2
     ) p ON p.account_id = g.account_id AND p.grant_id = g.id
     WHERE g.held <> coalesce(p.reserved, 0)",
];

/// Checks every account.
pub(super) async fn check(snapshot: &mut Transaction, key: &ChainKey) -> StoreResult<Books> {
    let mut books = read_totals(snapshot).await?;
    for proof in PROOFS {
        for row in snapshot.fetch_all(proof, &[]).await? {
            books.flaws.push(row.text("flaw")?.to_owned());
        }
    }
    books.rows = chain::check(snapshot, key, &mut books.flaws).await?;
    Ok(books)
}

async fn read_totals(snapshot: &mut Transaction) -> StoreResult<Books> {
    let Some(row) = snapshot.fetch_optional(TOTALS, &[]).await? else { return Ok(Books::default()) };
    let totals = Totals {
        granted: row.integer("granted")?,
        restored: row.integer("restored")?,
        remaining: row.integer("remaining")?,
        consumed: row.integer("consumed")?,
        refunded: row.integer("refunded")?,
        expired: row.integer("expired")?,
        taken_back: row.integer("taken_back")?,
        debt: row.integer("debt")?,
    };
    Ok(Books { accounts: row.integer("accounts")?, totals, ..Books::default() })
}
