//! What somebody with the database and a SQL shell is refused; and what the proof of the books finds where they
//! get past that.

use super::common::{
    Engine, NOW, TestLedger, audit_entry, chain_key, charge, hold, key, memo, new_user, on_both_databases,
};
use super::{order, payment_of};
use scrip::server::ledger::{Submission, Target};
use scrip::server::presets;
use scrip::server::store::DatabaseUrl;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};

/// A connection of somebody who has the database and a SQL shell.
pub enum Shell {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Shell {
    /// On SQLite it is whoever connects who decides whether references between tables are kept.
    pub async fn open(test: &TestLedger, with_foreign_keys: bool) -> Self {
        match &test.url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).foreign_keys(with_foreign_keys);
                Self::Sqlite(options.connect().await.unwrap())
            }
            DatabaseUrl::Postgres(url) => Self::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    /// Runs a statement, and tells how many rows it met.
    pub async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => sqlx::query(AssertSqlSafe(sql)).execute(connection).await?.rows_affected(),
            Self::Postgres(connection) => sqlx::query(AssertSqlSafe(sql)).execute(connection).await?.rows_affected(),
        })
    }

    /// Takes away what guards the tables, as only their owner can.
    pub async fn remove_guards(&mut self) {
        let statements: Vec<String> = match self {
            Self::Sqlite(connection) => {
                let triggers = "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'";
                sqlx::query_scalar(triggers).fetch_all(connection).await.unwrap()
            }
            Self::Postgres(_) => ["accounts", "grants", "holds", "transactions", "chain_starts"]
                .map(|table| format!("ALTER TABLE {table} DISABLE TRIGGER ALL"))
                .into(),
        };
        for statement in statements {
            self.run(&statement).await.unwrap();
        }
    }
}

/// Whether a rule of the data was broken, or a value is none of its type: a slip in a statement is neither.
fn is_refusal(engine: Engine, error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    match engine {
        // The lower byte of an extended code is the code; 19 is SQLITE_CONSTRAINT (sqlite.org/rescode.html).
        Engine::Sqlite => code.parse::<u32>().is_ok_and(|code| code % 256 == 19),
        // Classes 22, data exception, and 23, integrity constraint violation (PostgreSQL, appendix A).
        Engine::Postgres => code.starts_with("22") || code.starts_with("23"),
    }
}

/// A row of history that is right but for its draws.
macro_rules! with_draws {
    ($draws:literal) => {
        concat!(
            "INSERT INTO transactions (account_id, seq, type, cause, amount, balance_after, debt_after, description,
                actor, created_at, draws, code)
             SELECT id, last_seq + 1, 'credit', 'grant', 500, balance + 500, 0, 'drawn', 'x', 0, ",
            $draws,
            ", '' FROM accounts WHERE balance > 0"
        )
    };
}

/// What both databases have to refuse, each by a rule of its own.
const FALSIFICATIONS: [&str; 62] = [
    "UPDATE accounts SET balance = -1",
    "UPDATE accounts SET held = balance + 1",
    "UPDATE accounts SET debt = -1",
    "UPDATE accounts SET balance = 9007199254740992",
    "UPDATE accounts SET balance = 'much'",
    "UPDATE accounts SET last_seq = 0",
    "DELETE FROM accounts",
    "UPDATE grants SET remaining = amount + 1",
    "UPDATE grants SET remaining = -1",
    "UPDATE grants SET amount = 1000000",
    "UPDATE grants SET held = remaining + 1",
    "UPDATE grants SET expired = amount + 1",
    "UPDATE grants SET clawed_back = -1",
    "UPDATE grants SET expires_at = 0",
    "UPDATE grants SET reference = 'another'",
    "DELETE FROM grants",
    "UPDATE transactions SET amount = amount + 1",
    "UPDATE transactions SET description = 'nothing'",
    "DELETE FROM transactions",
    "INSERT INTO transactions
        (account_id, seq, type, cause, amount, balance_after, debt_after, description, actor, created_at, draws, code)
     SELECT id, last_seq + 1, 'credit', 'grant', 500, balance + 400, 0, 'does not follow', 'x', 0, '[[1,500]]', ''
     FROM accounts WHERE balance > 0",
    "INSERT INTO transactions
        (account_id, seq, type, cause, amount, balance_after, debt_after, description, actor, created_at, draws, code)
     SELECT id, 1, 'credit', 'grant', 500, balance + 500, 0, 'a number twice', 'x', 0, '[[1,500]]', ''
     FROM accounts WHERE balance > 0",
    "INSERT INTO transactions
        (account_id, seq, type, cause, amount, balance_after, debt_after, description, actor, created_at, draws, code)
     SELECT id, last_seq + 1, 'debit', 'charge', 5, balance + 5, 0, 'a charge that gives', 'x', 0, '[[1,5]]', ''
     FROM accounts WHERE balance > 0",
    "INSERT INTO transactions
        (account_id, seq, type, cause, amount, balance_after, debt_after, description, actor, refund_of, created_at,
            draws, code)
     SELECT id, last_seq + 1, 'refund', 'refund', 5, balance + 5, 0, 'of nothing', 'x', 99, 0, '[[1,5]]', ''
     FROM accounts WHERE balance > 0",
    "INSERT INTO transactions
        (account_id, seq, type, cause, amount, balance_after, debt_after, description, actor, created_at, draws, code)
     SELECT max(id) + 1, 1, 'clawback', 'clawback', 0, 0, 5, 'of nobody', 'x', 0, '[]', '' FROM accounts",
    with_draws!("'[[1,499]]'"),
    with_draws!("'[[1,500],[1,1]]'"),
    with_draws!("'[[99,500]]'"),
    with_draws!("'[[1,500],[99,0]]'"),
    with_draws!("'[[1,\"500\",0]]'"),
    with_draws!("'[[01,500]]'"),
    with_draws!("'[[1,0500]]'"),
    with_draws!("'[500]'"),
    with_draws!("'[[1,500]'"),
    with_draws!("NULL"),
    "UPDATE transactions SET draws = '[]'",
    "UPDATE transactions SET code = ''",
    "UPDATE transactions SET description = '', metadata = NULL, erased_words = 'x', amount = amount + 1",
    "UPDATE transactions SET description = 'others', erased_words = 'x'",
    "UPDATE transactions SET description = ''",
    "UPDATE chain_keys SET proof = ''",
    "DELETE FROM chain_keys",
    "UPDATE chain_starts SET code = ''",
    "DELETE FROM chain_starts",
    "UPDATE idempotency_keys SET answer = '{}'",
    "DELETE FROM idempotency_keys",
    "UPDATE service_requests SET answer = '{}'",
    "DELETE FROM service_requests",
    "UPDATE holds SET amount = 1",
    "UPDATE holds SET status = 'captured'",
    "UPDATE holds SET metadata = 'no JSON'",
    "DELETE FROM holds",
    "UPDATE audit SET detail = '{}'",
    "DELETE FROM audit",
    "UPDATE catalogue_versions SET body = '{}'",
    "DELETE FROM catalogue_versions",
    "UPDATE orders SET status = 'pending'",
    "UPDATE orders SET amount_cents = 1",
    "DELETE FROM orders",
    "UPDATE api_keys SET scopes = 'accounts:read'",
    "UPDATE api_keys SET revoked_at = NULL",
    "INSERT INTO users (public_id, email, name, role, created_at) SELECT 'x', email, 'x', 'user', 0 FROM users",
    "DELETE FROM users",
];

/// SQLite's way around an UPDATE and a DELETE.
const SQLITE_FALSIFICATIONS: [&str; 13] = [
    "INSERT OR REPLACE INTO accounts SELECT * FROM accounts",
    "INSERT OR REPLACE INTO grants SELECT * FROM grants",
    "INSERT OR REPLACE INTO holds SELECT * FROM holds",
    "INSERT OR REPLACE INTO transactions SELECT * FROM transactions",
    "INSERT OR REPLACE INTO transactions (rowid, account_id, seq, type, cause, amount, balance_after, debt_after,
        description, actor, created_at, draws, code)
     SELECT (SELECT min(rowid) FROM transactions), id, last_seq + 1, 'credit', 'grant', 500, balance + 500, 0,
        'in the place of another', 'x', 0, '[[1,500]]', ''
     FROM accounts WHERE balance > 0",
    "UPDATE OR REPLACE transactions SET rowid = rowid - 1, description = '', metadata = NULL, erased_words = 'x'",
    "INSERT OR REPLACE INTO chain_keys SELECT * FROM chain_keys",
    "INSERT OR REPLACE INTO chain_starts SELECT * FROM chain_starts",
    "INSERT OR REPLACE INTO idempotency_keys SELECT * FROM idempotency_keys",
    "INSERT OR REPLACE INTO service_requests SELECT * FROM service_requests",
    "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    "INSERT OR REPLACE INTO catalogue_versions SELECT * FROM catalogue_versions",
    "INSERT OR REPLACE INTO orders SELECT * FROM orders",
];

/// PostgreSQL's ways around them.
const POSTGRES_FALSIFICATIONS: [&str; 22] = [
    "INSERT INTO accounts SELECT * FROM accounts ON CONFLICT (id) DO UPDATE SET last_seq = 0",
    "INSERT INTO grants SELECT * FROM grants ON CONFLICT (account_id, id) DO UPDATE SET amount = 1000000",
    "INSERT INTO holds SELECT * FROM holds ON CONFLICT (account_id, id) DO UPDATE SET amount = 1",
    "INSERT INTO transactions SELECT * FROM transactions
     ON CONFLICT (account_id, seq, created_at) DO UPDATE SET description = 'nothing'",
    "INSERT INTO chain_keys SELECT * FROM chain_keys ON CONFLICT (id) DO UPDATE SET proof = ''",
    "INSERT INTO chain_starts SELECT * FROM chain_starts ON CONFLICT (key_id, account_id) DO UPDATE SET code = ''",
    "INSERT INTO idempotency_keys SELECT * FROM idempotency_keys
     ON CONFLICT (account_id, key) DO UPDATE SET answer = '{}'",
    "INSERT INTO service_requests SELECT * FROM service_requests
     ON CONFLICT (caller, key) DO UPDATE SET answer = '{}'",
    "INSERT INTO audit SELECT * FROM audit ON CONFLICT (id, created_at) DO UPDATE SET actor = 'x'",
    "INSERT INTO catalogue_versions SELECT * FROM catalogue_versions ON CONFLICT (version) DO UPDATE SET body = '{}'",
    "INSERT INTO orders SELECT * FROM orders ON CONFLICT (id) DO UPDATE SET status = 'pending'",
    "TRUNCATE accounts CASCADE",
    "TRUNCATE grants CASCADE",
    "TRUNCATE holds CASCADE",
    "TRUNCATE transactions CASCADE",
    "TRUNCATE chain_keys CASCADE",
    "TRUNCATE chain_starts",
    "TRUNCATE idempotency_keys",
    "TRUNCATE service_requests",
    "TRUNCATE audit",
    "TRUNCATE catalogue_versions",
    "TRUNCATE orders",
];

/// A row in each table that has to stay as it is.
async fn filled(engine: Engine) -> TestLedger {
    let test = TestLedger::start(engine).await;
    let account = test.account(60).await;
    test.apply(account, charge(5)).await.unwrap();
    test.apply(account, hold(5)).await.unwrap();
    let keyed = Submission::one(account, charge(1), memo()).with_key(key("k", "r"));
    test.ledger.submit(keyed).await.unwrap();
    let order = order("o1", account);
    test.store.add_order(&order).await.unwrap();
    test.ledger.submit(payment_of(&order, account, 0)).await.unwrap();
    let entry = audit_entry(None, "apply_catalogue");
    test.store.add_catalogue(&presets::find("mvp").unwrap(), 0, &entry).await.unwrap();
    let program = test.service_key("program").await;
    let target = Target::NewUser(Box::new(new_user("made@example.com")));
    let key = key("k", "r").map(|key| key.of_api_key(program.clone()));
    let making = Submission { target, steps: Vec::new(), key, booking: None, audit: None };
    test.ledger.submit(making).await.unwrap();
    test.sql.renew_chain(&chain_key(), "system", NOW).await.unwrap();
    assert!(test.store.revoke_api_key(&program, &audit_entry(None, "revoke_api_key")).await.unwrap());
    test
}

on_both_databases! {
    async fn raw_sql_is_refused_wherever_it_would_falsify_a_balance_or_history(engine: Engine) {
        let test = filled(engine).await;
        let mut shell = Shell::open(&test, true).await;
        let own: &[&str] = match engine {
            Engine::Sqlite => &SQLITE_FALSIFICATIONS,
            Engine::Postgres => &POSTGRES_FALSIFICATIONS,
        };
        for attempt in FALSIFICATIONS.iter().chain(own) {
            match shell.run(attempt).await {
                Ok(rows) => panic!("the database took: {attempt} ({rows} rows)"),
                Err(error) => assert!(is_refusal(engine, &error), "{attempt}: {error}"),
            }
        }
        test.assert_books_balance().await;
    }
}

/// What is forged, and what the proof says of it; `$` is the account. It was granted 60 in row 1, charged 5 in row 2
/// and 2 in row 4, and has 5 on hold.
const FORGERIES: [(&str, &[&str]); 15] = [
    (
        "UPDATE accounts SET balance = 500 WHERE id = $",
        &[
            "account $: the balance is 500 with 5 held, its grants have 53 with 5 held",
            "account $: the balance is 500, its history adds up to 53",
        ],
    ),
    (
        "UPDATE accounts SET held = 4 WHERE id = $",
        &["account $: the balance is 53 with 4 held, its grants have 53 with 5 held"],
    ),
    (
        "UPDATE accounts SET debt = 7 WHERE id = $",
        &[
            "account $: the balance is 53 and the debt 7, its last row of history, 4, says 53 and 0",
            "account $: its grants lost 0 by ending and 0 by clawbacks, its history says 0 and 0 with a debt of 7",
        ],
    ),
    ("UPDATE accounts SET last_seq = 3 WHERE id = $", &["account $: it has reached number 3, its history 4"]),
    (
        "UPDATE transactions SET amount = -4 WHERE account_id = $ AND seq = 2",
        &[
            "account $, row 2: 60 and -4 do not make 55",
            "account $, row 2: it moved -4, its draws -5",
            "account $: 60 granted and 0 restored, but 53 remaining, 6 consumed, 0 refunded, 0 expired and \
             0 taken back",
        ],
    ),
    (
        "DELETE FROM transactions WHERE account_id = $ AND seq = 4",
        &["account $: the balance is 53 and the debt 0, its last row of history, 2, says 55 and 0"],
    ),
    (
        "UPDATE transactions SET draws = '[]' WHERE account_id = $ AND seq = 2",
        &["account $, grant 1: 53 remain, its draws leave 58", "account $, row 2: it moved -5, its draws 0"],
    ),
    (
        "UPDATE transactions SET draws = '[[1,-6]]' WHERE account_id = $ AND seq = 2",
        &["account $, grant 1: 53 remain, its draws leave 52", "account $, row 2: it moved -5, its draws -6"],
    ),
    (
        "UPDATE transactions SET draws = '[[9,-5]]' WHERE account_id = $ AND seq = 2",
        &[
            "account $, grant 1: 53 remain, its draws leave 58",
            "account $, row 2: it draws on grant 9, which is not there",
        ],
    ),
    ("UPDATE grants SET remaining = 54 WHERE account_id = $", &["account $, grant 1: 54 remain, its draws leave 53"]),
    (
        "UPDATE grants SET amount = 61 WHERE account_id = $",
        &["account $, grant 1: it has 61, the row that opened it 60"],
    ),
    ("UPDATE grants SET held = 4 WHERE account_id = $", &["account $, grant 1: 4 held, its pending holds reserve 5"]),
    (
        "UPDATE grants SET expired = 3 WHERE account_id = $",
        &["account $: its grants lost 3 by ending and 0 by clawbacks, its history says 0 and 0 with a debt of 0"],
    ),
    (
        "UPDATE grants SET clawed_back = 3 WHERE account_id = $",
        &["account $: its grants lost 0 by ending and 3 by clawbacks, its history says 0 and 0 with a debt of 0"],
    ),
    (
        "UPDATE holds SET status = 'released', settled_at = 1 WHERE account_id = $",
        &["account $, grant 1: 5 held, its pending holds reserve 0"],
    ),
];

on_both_databases! {
    /// Each forgery has an account of its own, so that none hides behind another.
    async fn what_is_forced_through_is_named_by_the_proof_of_the_books(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let mut accounts = Vec::new();
        for _ in FORGERIES {
            let account = test.account(60).await;
            for operation in [charge(5), hold(5), charge(2)] {
                test.apply(account, operation).await.unwrap();
            }
            accounts.push(account.0.to_string());
        }
        test.assert_books_balance().await;

        let mut shell = Shell::open(&test, false).await;
        shell.remove_guards().await;
        let mut known = Vec::new();
        for ((forged, sentences), account) in FORGERIES.iter().zip(&accounts) {
            let forged = forged.replace('$', account);
            assert_eq!(shell.run(&forged).await.unwrap(), 1, "{forged}");
            let flaws = test.store.check_books().await.unwrap().flaws;
            let found: Vec<&String> = flaws.iter().filter(|flaw| !known.contains(*flaw)).collect();
            for sentence in sentences.iter().map(|sentence| sentence.replace('$', account)) {
                assert!(found.contains(&&sentence), "{forged}: no \"{sentence}\" in {found:#?}");
            }
            let names = [format!("account {account}:"), format!("account {account},")];
            let is_named = |flaw: &&String| names.iter().any(|name| flaw.starts_with(name));
            assert!(found.iter().all(is_named), "{forged}: {found:#?}");
            known = flaws;
        }
    }
}
