//! Saving a batch: each table by one statement, whatever the number of accounts, most of them in one trip.

use super::load::{Mark, Marks, to_json};
use super::recent::Remembered;
use crate::domain::account::{Account, Grant, Hold};
use crate::domain::{AccountId, IdempotencyKey, Metadata, Transaction};
use crate::server::store::chain::{ChainKey, Link};
use crate::server::store::database::{Change, Deed, Given, Transaction as DatabaseTransaction, Value, Versions};
use crate::server::store::{AuditEntry, Batch, StoreError, StoreResult, StoredAnswer};

static ACCOUNTS: Change<9> = Change {
    table: "accounts",
    deed: Deed::Update(1),
    columns: ["id", "balance", "held", "debt", "last_seq", "chain_rows", "chain_code", "chain_seal", "next_due"],
};

#[rustfmt::skip]
static NEW_GRANTS: Change<11> = Change {
    table: "grants",
    deed: Deed::Insert,
    columns: [
        "account_id", "id", "source", "reference", "amount", "remaining", "held", "expired", "clawed_back", "expires_at",
        "created_at",
    ],
};

static GRANTS: Change<6> = Change {
    table: "grants",
    deed: Deed::Update(2),
    columns: ["account_id", "id", "remaining", "held", "expired", "clawed_back"],
};

#[rustfmt::skip]
static NEW_HOLDS: Change<16> = Change {
    table: "holds",
    deed: Deed::Insert,
    columns: [
        "account_id", "id", "amount", "feature", "units", "rate_version", "description", "actor", "metadata", "deadline",
        "created_at", "draws", "status", "captured", "reason", "settled_at",
    ],
};

static HOLDS: Change<6> = Change {
    table: "holds",
    deed: Deed::Update(2),
    columns: ["account_id", "id", "status", "captured", "reason", "settled_at"],
};

#[rustfmt::skip]
static TRANSACTIONS: Change<18> = Change {
    table: "transactions",
    deed: Deed::Insert,
    columns: [
        "account_id", "seq", "type", "cause", "amount", "balance_after", "debt_after", "feature", "units",
        "rate_version", "description", "actor", "metadata", "hold_id", "refund_of", "created_at", "draws", "code",
    ],
};

#[rustfmt::skip]
static ALLOWANCES: Change<9> = Change {
    table: "allowances",
    deed: Deed::Upsert("account_id"),
    columns: [
        "account_id", "plan", "reference", "credits_per_month", "anchor", "first_month", "next_month", "end_month",
        "renewal_credits",
    ],
};

static ANSWERS: Change<5> = Change {
    table: "idempotency_keys",
    deed: Deed::Insert,
    columns: ["account_id", "key", "fingerprint", "answer", "created_at"],
};

static SERVICE_ANSWERS: Change<5> = Change {
    table: "service_requests",
    deed: Deed::Insert,
    columns: ["caller", "key", "fingerprint", "answer", "created_at"],
};

static AUDIT: Change<6> = Change {
    table: "audit",
    deed: Deed::Insert,
    columns: ["actor", "account_id", "seq", "action", "detail", "created_at"],
};

/// The rows of a batch.
pub(super) struct Rows {
    /// What has to be there before the rows that refer to it.
    first: Vec<Given>,
    /// What most batches have, in one trip.
    most: Vec<Given>,
    /// The rest.
    rest: Vec<Given>,
}

impl Rows {
    /// Puts down what a batch changed, and moves the marks of its accounts on.
    ///
    /// # Errors
    /// Where an account was not loaded before.
    pub fn of(batch: &Batch<'_>, key: &ChainKey, marks: &mut Marks) -> StoreResult<Self> {
        // In the order of ids, in which everybody locks accounts.
        let mut changed: Vec<_> = batch.accounts.iter().filter(|account| account.is_changed()).collect();
        changed.sort_unstable_by_key(|account| account.id());
        let changed = || changed.iter().copied();
        let (new_grants, old_grants): (Vec<_>, Vec<_>) = changed()
            .flat_map(|account| changed_grants(account))
            .partition(|(account, grant)| account.is_new(grant.id.0));
        let (new_holds, old_holds): (Vec<_>, Vec<_>) =
            changed().flat_map(|account| changed_holds(account)).partition(|(account, hold)| account.is_new(hold.id.0));
        let (mut accounts, mut transactions) = (Vec::new(), Vec::new());
        for account in changed() {
            let mark =
                marks.get_mut(&account.id()).ok_or_else(|| StoreError::Corrupt("head of a history".to_owned()))?;
            for row in &account.changes().transactions {
                transactions.push(transaction_columns(account.id(), row, key, mark)?);
            }
            mark.seal = key.seal(account.id(), &mark.head);
            accounts.push(account_columns(account, mark));
        }
        let new_holds = new_holds.iter().map(|(account, hold)| new_hold(account.id(), hold));
        let allowances = changed().filter(|account| account.changes().allowance);
        let answers = batch.answers.iter();
        let service_answers = batch.service_answers.iter();
        Ok(Self {
            first: some([NEW_GRANTS.by(new_grants.iter().map(|(account, grant)| new_grant(account.id(), grant)))]),
            most: some([
                ACCOUNTS.by(accounts),
                GRANTS.by(old_grants.iter().map(|(account, grant)| grant_columns(account.id(), grant))),
                NEW_HOLDS.by(new_holds.collect::<StoreResult<Vec<_>>>()?),
                HOLDS.by(old_holds.iter().map(|(account, hold)| hold_columns(account.id(), hold))),
                TRANSACTIONS.by(transactions),
                ANSWERS.by(answers.map(|(account, key, answer)| answer_columns((*account).into(), key, answer, batch))),
            ]),
            rest: some([
                ALLOWANCES.by(allowances.filter_map(|account| allowance_columns(account))),
                SERVICE_ANSWERS.by(service_answers.map(|(caller, key, answer)| {
                    answer_columns(caller.as_str().to_owned().into(), key, answer, batch)
                })),
                AUDIT.by(batch.audit.iter().map(audit_columns)),
            ]),
        })
    }

    /// Whether there is more than fits into one statement on PostgreSQL, so that only a transaction keeps it together.
    pub fn need_several_statements(&self) -> bool {
        !(self.first.is_empty() && self.rest.is_empty())
    }

    /// All of them, in the order in which rows refer to each other.
    pub fn into_all(self) -> Vec<Given> {
        [self.first, self.most, self.rest].into_iter().flatten().collect()
    }

    /// Saves them on PostgreSQL, in that order, and gives the version that the accounts have now.
    ///
    /// # Errors
    /// Where the database refuses it, or an account is not as it was loaded.
    pub async fn save(self, transaction: &mut DatabaseTransaction, loaded: &Versions) -> StoreResult<i64> {
        if transaction.commits_each_statement() && self.need_several_statements() {
            return Err(StoreError::Conflict);
        }
        transaction.change(self.first).await?;
        let version = transaction.change_unchanged(loaded, self.most).await?.ok_or(StoreError::Conflict)?;
        transaction.change(self.rest).await?;
        Ok(version)
    }
}

fn some<const N: usize>(changes: [Given; N]) -> Vec<Given> {
    changes.into_iter().filter(|change| !change.is_empty()).collect()
}

/// The accounts of a batch as they stand on the disk once it is saved, its rows having been put down.
pub(super) fn saved(batch: &Batch<'_>, marks: &Marks, version: Option<i64>) -> Vec<Remembered> {
    let remembered = |account: &&Account| {
        let mark = marks.get(&account.id())?;
        Some((account.as_saved(), Mark { version: version.unwrap_or(mark.version), ..mark.clone() }))
    };
    batch.accounts.iter().filter(|account| account.is_changed()).filter_map(remembered).collect()
}

/// Adds a row of the audit log on its own.
pub(super) async fn save_audit(transaction: &mut DatabaseTransaction, entry: &AuditEntry) -> StoreResult<()> {
    transaction.change(vec![AUDIT.by([audit_columns(entry)])]).await
}

fn changed_grants(account: &Account) -> impl Iterator<Item = (&Account, &Grant)> {
    let changed = account.grants().iter().filter(|grant| account.changes().grants.contains(&grant.id));
    changed.map(move |grant| (account, grant))
}

fn changed_holds(account: &Account) -> impl Iterator<Item = (&Account, &Hold)> {
    let changed = account.holds().iter().filter(|hold| account.changes().holds.contains(&hold.id));
    changed.map(move |hold| (account, hold))
}

// Each function below gives the columns of its change, in their order.

fn account_columns(account: &Account, mark: &Mark) -> [Value<'static>; 9] {
    [
        account.id().into(),
        account.total().into(),
        account.held().into(),
        account.debt().into(),
        account.last_seq().into(),
        mark.head.rows.into(),
        mark.head.code.clone().into(),
        mark.seal.clone().into(),
        account.next_due_at().into(),
    ]
}

fn answer_columns(
    owner: Value<'static>,
    key: &IdempotencyKey,
    answer: &StoredAnswer,
    batch: &Batch<'_>,
) -> [Value<'static>; 5] {
    let (key, fingerprint, text) = (key.as_str().to_owned(), answer.fingerprint.clone(), answer.text.clone());
    [owner, key.into(), fingerprint.into(), text.into(), batch.now.into()]
}

fn new_grant(account: AccountId, grant: &Grant) -> [Value<'static>; 11] {
    [
        account.into(),
        grant.id.into(),
        grant.source.as_str().into(),
        grant.reference.clone().into(),
        grant.amount.into(),
        grant.remaining.into(),
        grant.held.into(),
        grant.expired.into(),
        grant.clawed_back.into(),
        grant.expires_at.into(),
        grant.created_at.into(),
    ]
}

fn grant_columns(account: AccountId, grant: &Grant) -> [Value<'static>; 6] {
    [
        account.into(),
        grant.id.into(),
        grant.remaining.into(),
        grant.held.into(),
        grant.expired.into(),
        grant.clawed_back.into(),
    ]
}

fn new_hold(account: AccountId, hold: &Hold) -> StoreResult<[Value<'static>; 16]> {
    let usage = hold.usage.as_ref();
    Ok([
        account.into(),
        hold.id.into(),
        hold.amount.into(),
        usage.map(|usage| usage.feature.as_str().to_owned()).into(),
        usage.map(|usage| usage.units).into(),
        usage.map(|usage| usage.rate_version).into(),
        hold.description.clone().into(),
        hold.actor.clone().into(),
        hold.metadata.as_ref().map(Metadata::to_json).into(),
        hold.deadline.into(),
        hold.created_at.into(),
        to_json(&hold.draws)?.into(),
        hold.status.as_str().into(),
        hold.captured.into(),
        hold.reason.clone().into(),
        hold.settled_at.into(),
    ])
}

fn hold_columns(account: AccountId, hold: &Hold) -> [Value<'static>; 6] {
    [
        account.into(),
        hold.id.into(),
        hold.status.as_str().into(),
        hold.captured.into(),
        hold.reason.clone().into(),
        hold.settled_at.into(),
    ]
}

/// The columns of a row of history with its code, by which the head moves on.
fn transaction_columns(
    account: AccountId,
    row: &Transaction,
    key: &ChainKey,
    mark: &mut Mark,
) -> StoreResult<[Value<'static>; 18]> {
    let usage = row.usage.as_ref();
    let feature = usage.map(|usage| usage.feature.as_str());
    let (units, rate_version) = (usage.map(|usage| usage.units), usage.map(|usage| usage.rate_version));
    let metadata = row.metadata.as_ref().map(Metadata::to_json);
    let draws = to_json(&row.draws.iter().map(|draw| (draw.grant, draw.amount)).collect::<Vec<_>>())?;
    let words = key.words(account, row.seq.0, &row.description, metadata.as_deref());
    let link = Link {
        seq: row.seq.0,
        kind: row.kind.as_str(),
        cause: row.cause.as_str(),
        amount: row.amount,
        balance_after: row.balance_after.get(),
        debt_after: row.debt_after.get(),
        feature,
        units: units.map(i64::from),
        rate_version,
        words: &words,
        actor: &row.actor,
        hold: row.hold.map(|hold| hold.0.0),
        refund_of: row.refund_of.map(|charge| charge.0),
        created_at: row.created_at.millis(),
        draws: &draws,
    };
    let head = &mut mark.head;
    head.code = key.link(account, &head.code, &link);
    head.rows += 1;
    Ok([
        account.into(),
        row.seq.into(),
        row.kind.as_str().into(),
        row.cause.as_str().into(),
        row.amount.into(),
        row.balance_after.into(),
        row.debt_after.into(),
        feature.map(str::to_owned).into(),
        units.into(),
        rate_version.into(),
        row.description.clone().into(),
        row.actor.clone().into(),
        metadata.into(),
        row.hold.into(),
        row.refund_of.into(),
        row.created_at.into(),
        draws.into(),
        head.code.clone().into(),
    ])
}

fn allowance_columns(account: &Account) -> Option<[Value<'static>; 9]> {
    let allowance = account.allowance()?;
    Some([
        account.id().into(),
        allowance.plan.as_str().to_owned().into(),
        allowance.reference.clone().into(),
        allowance.credits_per_month.into(),
        allowance.anchor.into(),
        allowance.first_month.into(),
        allowance.next_month.into(),
        allowance.end_month.into(),
        allowance.renewal_credits.into(),
    ])
}

fn audit_columns(entry: &AuditEntry) -> [Value<'static>; 6] {
    [
        entry.actor.clone().into(),
        entry.account.into(),
        entry.seq.into(),
        entry.action.clone().into(),
        entry.detail.to_string().into(),
        entry.created_at.into(),
    ]
}
