//! The chain of history in SQL: the key that rules, the proof that every row is as it was written, and the beginning
//! of a new chain.

use super::load::to_json;
use super::{SqlStore, rows, save};
use crate::domain::{AccountId, Timestamp};
use crate::server::store::chain::{ChainKey, Head, Link};
use crate::server::store::database::{Row, Transaction};
use crate::server::store::{AuditEntry, ChainRenewal, StoreResult};
use std::collections::VecDeque;

/// Accounts, and rows of history, that are read at once.
const ACCOUNTS_AT_ONCE: u32 = 1_000;
const ROWS_AT_ONCE: u32 = 4_000;

const FIND_PROOF: &str = "SELECT proof FROM chain_keys ORDER BY id DESC LIMIT 1";

/// Where two programs start at once, one of them is first.
const ADD_FIRST_KEY: &str = "
    INSERT INTO chain_keys (id, proof, created_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING";

const ADD_KEY: &str = "
    INSERT INTO chain_keys (id, proof, created_at)
    SELECT coalesce(max(id), 0) + 1, $1, $2 FROM chain_keys RETURNING id";

const LIST_HEADS: &str = "
    SELECT a.id AS account_id, a.chain_rows, a.chain_code, a.chain_seal, s.last_seq, s.row_count, s.code
    FROM accounts a LEFT JOIN chain_starts s
        ON s.account_id = a.id AND s.key_id = (SELECT max(id) FROM chain_keys)
    WHERE a.id > $1 ORDER BY a.id LIMIT $2";

/// The whole history in the order of its accounts, piece by piece.
const LIST_ROWS: &str = "
    SELECT account_id, seq, type, cause, amount, balance_after, debt_after, feature, units, rate_version, description,
        actor, metadata, hold_id, refund_of, created_at, draws, code, erased_words
    FROM transactions WHERE (account_id, seq) > ($1, $2) ORDER BY account_id, seq LIMIT $3";

const INSERT_STARTS: &str = "
    INSERT INTO chain_starts (key_id, account_id, last_seq, row_count, code)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT),
        CAST(value ->> 3 AS BIGINT), value ->> 4 FROM json_each($1)";

const UPDATE_HEADS: &str = "
    UPDATE accounts SET chain_rows = CAST(change.value ->> 1 AS BIGINT), chain_code = change.value ->> 2,
        chain_seal = change.value ->> 3
    FROM json_each($1) change WHERE accounts.id = CAST(change.value ->> 0 AS BIGINT)";

impl SqlStore {
    /// The store that can change something, by the key of its history's chain.
    #[must_use]
    pub fn with_chain_key(self, key: ChainKey) -> Self {
        Self { chain_key: Some(key), ..self }
    }

    /// What proves the key that rules; `None` where none does yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn find_chain_proof(&self) -> StoreResult<Option<String>> {
        let found = self.database.fetch_optional(FIND_PROOF, &[]).await?;
        found.map(|row| Ok(row.text("proof")?.to_owned())).transpose()
    }

    /// Lets a key rule where none did before.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_first_chain_key(&self, key: &ChainKey, now: Timestamp) -> StoreResult<()> {
        self.database.execute(ADD_FIRST_KEY, &[(&key.proof()).into(), now.into()]).await.map(|_| ())
    }

    /// Begins a new chain with another key, or with the same one: what stands in the history now is taken for true.
    /// All of it or nothing; no other program may change accounts meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew_chain(&self, key: &ChainKey, actor: &str, now: Timestamp) -> StoreResult<ChainRenewal> {
        let mut transaction = self.database.begin().await?;
        let added = transaction.fetch_all(ADD_KEY, &[(&key.proof()).into(), now.into()]).await?;
        let key_id = added.first().map_or(Ok(0), |row| row.integer("id"))?;
        let renewal = renew(&mut transaction, key, key_id).await?;
        let entry = AuditEntry {
            account: None,
            seq: None,
            actor: actor.to_owned(),
            action: "renew_chain".to_owned(),
            detail: serde_json::json!({ "accounts": renewal.accounts, "rows": renewal.rows, "key": key_id }),
            created_at: now,
        };
        save::save_audit(&mut transaction, &entry).await?;
        self.recent.clear();
        transaction.commit().await?;
        Ok(renewal)
    }
}

/// Adds one sentence for each account and row that is not as it was written; gives the number of rows.
pub(super) async fn check(snapshot: &mut Transaction, key: &ChainKey, flaws: &mut Vec<String>) -> StoreResult<i64> {
    let mut row_count = 0;
    let mut history = Rows::default();
    let mut above = AccountId(i64::MIN);
    loop {
        let heads = snapshot.fetch_all(LIST_HEADS, &[above.into(), ACCOUNTS_AT_ONCE.into()]).await?;
        let Some(last) = heads.last() else { break };
        above = rows::account_id(last)?;
        for head in &heads {
            let account = rows::account_id(head)?;
            name_strays(snapshot, &mut history, Some(account), flaws).await?;
            let mut chain = Chain::new(key, account, Start::read(head)?);
            while let Some(row) = history.next_of(snapshot, account).await? {
                chain.compare(&row)?;
            }
            chain.end(head)?;
            row_count += chain.at.rows;
            flaws.append(&mut chain.flaws);
        }
    }
    name_strays(snapshot, &mut history, None, flaws).await?;
    Ok(row_count)
}

/// Names rows whose account is not there, before the next one that is.
async fn name_strays(
    snapshot: &mut Transaction,
    history: &mut Rows,
    before: Option<AccountId>,
    flaws: &mut Vec<String>,
) -> StoreResult<()> {
    while let Some(account) = history.peek_account(snapshot).await?.filter(|id| before.is_none_or(|end| *id < end)) {
        while history.next_of(snapshot, account).await?.is_some() {}
        flaws.push(format!("account {}: it has history and is not there itself", account.0));
    }
    Ok(())
}

async fn renew(transaction: &mut Transaction, key: &ChainKey, key_id: i64) -> StoreResult<ChainRenewal> {
    let mut renewal = ChainRenewal::default();
    let mut history = Rows::default();
    let mut above = AccountId(i64::MIN);
    loop {
        let found = transaction.fetch_all(LIST_HEADS, &[above.into(), ACCOUNTS_AT_ONCE.into()]).await?;
        let Some(last) = found.last() else { return Ok(renewal) };
        above = rows::account_id(last)?;
        let mut heads = Vec::new();
        let mut starts = Vec::new();
        for head in &found {
            let account = rows::account_id(head)?;
            while history.peek_account(transaction).await?.is_some_and(|id| id < account) {
                history.buffer.pop_front();
            }
            let (mut at, mut last_seq) = (Head::default(), 0);
            while let Some(row) = history.next_of(transaction, account).await? {
                at = Head { rows: at.rows + 1, code: code_of(key, account, &at.code, &row)? };
                last_seq = row.integer("seq")?;
            }
            let seal = key.seal(account, &at);
            // The codes in rows of the old chain are another key's, so the new one has none to begin with.
            if at.rows > 0 {
                starts.push((key_id, account, last_seq, at.rows, at.code.clone()));
            }
            renewal.accounts += 1;
            renewal.rows += at.rows;
            heads.push((account, at.rows, at.code, seal));
        }
        transaction.execute(INSERT_STARTS, &[(&to_json(&starts)?).into()]).await?;
        transaction.execute(UPDATE_HEADS, &[(&to_json(&heads)?).into()]).await?;
    }
}

fn code_of(key: &ChainKey, account: AccountId, previous: &str, row: &Row) -> StoreResult<String> {
    let seq = row.integer("seq")?;
    let (description, metadata) = (row.text("description")?, row.optional_text("metadata")?);
    let words = match row.optional_text("erased_words")? {
        // New words in the place of erased ones were not there when it was written.
        Some(erased) if description.is_empty() && metadata.is_none() => erased.to_owned(),
        Some(_) | None => key.words(account, seq, description, metadata),
    };
    let link = Link {
        seq,
        kind: row.text("type")?,
        cause: row.text("cause")?,
        amount: row.integer("amount")?,
        balance_after: row.integer("balance_after")?,
        debt_after: row.integer("debt_after")?,
        feature: row.optional_text("feature")?,
        units: row.optional_integer("units")?,
        rate_version: row.optional_integer("rate_version")?,
        words: &words,
        actor: row.text("actor")?,
        hold: row.optional_integer("hold_id")?,
        refund_of: row.optional_integer("refund_of")?,
        created_at: row.integer("created_at")?,
        draws: row.text("draws")?,
    };
    Ok(key.link(account, previous, &link))
}

/// The rows of history in their order; a piece of them is in memory.
#[derive(Default)]
struct Rows {
    buffer: VecDeque<Row>,
    /// Account and number of the last row of the piece.
    read_to: Option<(i64, i64)>,
    is_at_end: bool,
}

impl Rows {
    /// Whose row comes next.
    async fn peek_account(&mut self, transaction: &mut Transaction) -> StoreResult<Option<AccountId>> {
        if self.buffer.is_empty() && !self.is_at_end {
            let (account, seq) = self.read_to.unwrap_or((i64::MIN, i64::MIN));
            let found = transaction.fetch_all(LIST_ROWS, &[account.into(), seq.into(), ROWS_AT_ONCE.into()]).await?;
            match found.last() {
                Some(last) => self.read_to = Some((last.integer("account_id")?, last.integer("seq")?)),
                None => self.is_at_end = true,
            }
            self.buffer = found.into();
        }
        self.buffer.front().map(rows::account_id).transpose()
    }

    /// The next row, if it is of that account.
    async fn next_of(&mut self, transaction: &mut Transaction, account: AccountId) -> StoreResult<Option<Row>> {
        match self.peek_account(transaction).await? {
            Some(next) if next == account => Ok(self.buffer.pop_front()),
            Some(_) | None => Ok(None),
        }
    }
}

/// Rows that were there when the chain was begun anew: they have one code together.
struct Start {
    last_seq: i64,
    head: Head,
}

impl Start {
    fn read(head: &Row) -> StoreResult<Option<Self>> {
        let Some(last_seq) = head.optional_integer("last_seq")? else { return Ok(None) };
        let at = Head { rows: head.integer("row_count")?, code: head.text("code")?.to_owned() };
        Ok(Some(Self { last_seq, head: at }))
    }
}

/// The chain of one account while its rows are compared.
struct Chain<'a> {
    key: &'a ChainKey,
    account: AccountId,
    start: Option<Start>,
    at: Head,
    flaws: Vec<String>,
}

impl<'a> Chain<'a> {
    fn new(key: &'a ChainKey, account: AccountId, start: Option<Start>) -> Self {
        Self { key, account, start, at: Head::default(), flaws: Vec::new() }
    }

    fn compare(&mut self, row: &Row) -> StoreResult<()> {
        let seq = row.integer("seq")?;
        let is_before_start = self.start.as_ref().is_some_and(|start| seq <= start.last_seq);
        if !is_before_start {
            self.pass_start();
        }
        let code = code_of(self.key, self.account, &self.at.code, row)?;
        self.at.rows += 1;
        if is_before_start {
            self.at.code = code;
            return Ok(());
        }
        let stored = row.text("code")?;
        if code != stored {
            self.flaws.push(format!(
                "account {}, row {seq}: it is not as it was written, or does not follow from the row before it",
                self.account.0
            ));
        }
        // From what is stored: so the next row is named only where it was touched itself.
        stored.clone_into(&mut self.at.code);
        Ok(())
    }

    fn pass_start(&mut self) {
        let Some(start) = self.start.take() else { return };
        if self.at != start.head {
            self.flaws.push(format!(
                "account {}, rows up to {}: they are not as they were when the chain was begun anew",
                self.account.0, start.last_seq
            ));
        }
        self.at.code = start.head.code;
    }

    fn end(&mut self, head: &Row) -> StoreResult<()> {
        self.pass_start();
        let known = Head { rows: head.integer("chain_rows")?, code: head.text("chain_code")?.to_owned() };
        if self.key.seal(self.account, &known) != head.text("chain_seal")? {
            self.flaws.push(format!("account {}: the head of its history is not as it was written", self.account.0));
        }
        if known != self.at {
            self.flaws.push(format!(
                "account {}: its history ends after {} rows, and not as its head says after {}",
                self.account.0, self.at.rows, known.rows
            ));
        }
        Ok(())
    }
}
