//! Many accounts at once, in SQL that both databases take and none of their triggers refuses: each with one grant, and
//! some charges of it that were made before.

use super::{CREDITS, pgbench};
use scrip::server::store::DatabaseUrl;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, SqliteConnection};

/// Rows of history of each account: the grant's, and charges of one credit.
pub const HISTORY: i64 = 3;

/// The numbers of the accounts; $1 is how many, $2 the credits of the grant, $3 the rows of history.
macro_rules! for_each_account {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE accounts_to_be (number) AS (SELECT CAST(1 AS BIGINT)
                UNION ALL SELECT number + 1 FROM accounts_to_be WHERE number < CAST($1 AS BIGINT)),
            rows_to_be (seq) AS (SELECT CAST(1 AS BIGINT)
                UNION ALL SELECT seq + 1 FROM rows_to_be WHERE seq < CAST($3 AS BIGINT)),
            terms (credits, height) AS (SELECT CAST($2 AS BIGINT), CAST($3 AS BIGINT)) ",
            $rest
        )
    };
}

/// In the order in which rows refer to each other.
const STATEMENTS: [&str; 4] = [
    for_each_account!(
        "INSERT INTO users (id, public_id, email, name, role, created_at)
         SELECT number, 'u' || number, number || '@example.com', 'Somebody', 'user', 0 FROM accounts_to_be"
    ),
    for_each_account!(
        "INSERT INTO accounts (id, balance, last_seq, chain_code, chain_seal)
         SELECT number, credits - height + 1, height, '', '' FROM accounts_to_be, terms"
    ),
    for_each_account!(
        "INSERT INTO grants (account_id, id, source, amount, remaining, created_at)
         SELECT number, 1, 'purchase', credits, credits - height + 1, 0 FROM accounts_to_be, terms"
    ),
    // The trigger asks that the rows of an account come in their order.
    for_each_account!(
        "INSERT INTO transactions (account_id, seq, type, cause, amount, balance_after, debt_after, description, actor,
            created_at, draws, code)
         SELECT number, seq, CASE WHEN seq = 1 THEN 'purchase' ELSE 'debit' END,
            CASE WHEN seq = 1 THEN 'grant' ELSE 'charge' END, CASE WHEN seq = 1 THEN credits ELSE -1 END,
            credits - seq + 1, 0, 'benchmark', 'system', 0,
            '[[1,' || CASE WHEN seq = 1 THEN credits ELSE -1 END || ']]', ''
         FROM accounts_to_be, rows_to_be, terms ORDER BY number, seq"
    ),
];

/// Fills a database that has its tables and nobody in it; the accounts are numbered from 1.
pub async fn fill(url: &DatabaseUrl, accounts: i64) {
    match url {
        DatabaseUrl::Sqlite(file) => {
            let options = SqliteConnectOptions::new().filename(file);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            for text in STATEMENTS {
                let statement = sqlx::query(text).bind(accounts).bind(CREDITS).bind(HISTORY);
                statement.execute(&mut *transaction).await.unwrap();
            }
            transaction.commit().await.unwrap();
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            for text in STATEMENTS {
                let statement = sqlx::query(text).bind(accounts).bind(CREDITS).bind(HISTORY);
                statement.execute(&mut *transaction).await.unwrap();
            }
            transaction.commit().await.unwrap();
            connection.close().await.unwrap();
            pgbench::tidy(url).await;
        }
    }
}
