//! One batch: claim what can collide, load, fold through the core, save, commit. All in one database
//! transaction; the answers are given out only after it.

use super::{Answer, LedgerError, RequestKey, Submission, Target};
use crate::domain::account::Account;
use crate::domain::operation::{Operation, Outcome, Refusal};
use crate::domain::{AccountId, Timestamp};
use crate::server::store::{
    AuditEntry, Batch, LedgerStore, LedgerTransaction, Loaded, StoreError, StoreResult, StoredAnswer, Wanted,
};

type Reply = Result<Answer, LedgerError>;

/// Why a batch as a whole left nothing behind.
#[derive(Debug)]
pub(super) enum BatchFailure {
    /// No transaction could be begun; trying each one by itself would only wait as often.
    NotBegun(StoreError),
    /// The database refused it.
    Store(StoreError),
    /// A submission was refused after its rows had been claimed; only a rollback takes them back.
    Undone(LedgerError),
}

impl From<StoreError> for BatchFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl BatchFailure {
    pub(super) fn log(&self, submissions: usize) {
        match self {
            Self::NotBegun(error) => tracing::error!(%error, submissions, "the ledger could not begin a batch"),
            Self::Store(error) => tracing::error!(%error, submissions, "the ledger could not commit a batch"),
            Self::Undone(reason) => tracing::debug!(%reason, submissions, "a batch is tried one by one"),
        }
    }
}

/// Commits submissions together. The replies stand in their order.
pub(super) async fn commit(
    store: &dyn LedgerStore,
    submissions: &[Submission],
    now: Timestamp,
) -> Result<Vec<Reply>, BatchFailure> {
    let mut transaction = store.begin().await.map_err(BatchFailure::NotBegun)?;
    let targets = claim_all(transaction.as_mut(), submissions, now).await?;
    let wanted = wanted_by(submissions, &targets);
    let mut fold = Fold::new(transaction.load(&wanted).await?, now);
    let replies: Vec<Reply> =
        submissions.iter().zip(targets).map(|(submission, target)| fold.apply(submission, target?)).collect();
    if let Some(refusal) = first_refusal_after_claim(submissions, &replies) {
        return Err(BatchFailure::Undone(refusal));
    }
    let batch = fold.into_batch();
    let has_claimed = submissions.iter().zip(&replies).any(|(submission, reply)| reply.is_ok() && claims(submission));
    if has_claimed || batch.has_changes() {
        transaction.save(&batch.as_rows(now)).await?;
        transaction.commit().await?;
    }
    Ok(replies)
}

/// Inserts first what can collide; who comes too late is refused, the others go on.
async fn claim_all(
    transaction: &mut dyn LedgerTransaction,
    submissions: &[Submission],
    now: Timestamp,
) -> StoreResult<Vec<Result<AccountId, LedgerError>>> {
    let mut targets = Vec::with_capacity(submissions.len());
    for submission in submissions {
        targets.push(claim(transaction, submission, now).await?);
    }
    Ok(targets)
}

async fn claim(
    transaction: &mut dyn LedgerTransaction,
    submission: &Submission,
    now: Timestamp,
) -> StoreResult<Result<AccountId, LedgerError>> {
    let account = match &submission.target {
        Target::Account(account) => *account,
        Target::NewUser(user) => match transaction.claim_user(user).await? {
            Some(account) => account,
            None => return Ok(Err(LedgerError::AddressTaken)),
        },
    };
    match &submission.order {
        Some(order) if !transaction.claim_order(account, order, now).await? => Ok(Err(LedgerError::OrderSettled)),
        Some(_) | None => Ok(Ok(account)),
    }
}

/// A refusal of a submission whose claim had succeeded.
fn first_refusal_after_claim(submissions: &[Submission], replies: &[Reply]) -> Option<LedgerError> {
    let refused = submissions.iter().zip(replies).filter(|(submission, _)| claims(submission));
    refused.filter_map(|(_, reply)| reply.as_ref().err()).find(|error| !lost_the_claim(error)).cloned()
}

/// Whether it inserts or marks rows before its operations are decided.
fn claims(submission: &Submission) -> bool {
    match submission.target {
        Target::NewUser(_) => true,
        Target::Account(_) => submission.order.is_some(),
    }
}

fn lost_the_claim(error: &LedgerError) -> bool {
    matches!(error, LedgerError::AddressTaken | LedgerError::OrderSettled)
}

/// What has to be loaded for these submissions.
fn wanted_by(submissions: &[Submission], targets: &[Result<AccountId, LedgerError>]) -> Wanted {
    let mut wanted = Wanted::default();
    for (submission, target) in submissions.iter().zip(targets) {
        let Ok(account) = target else { continue };
        wanted.accounts.push(*account);
        wanted.keys.extend(submission.key.iter().map(|request| (*account, request.key.clone())));
        for step in &submission.steps {
            match &step.operation {
                Operation::Capture { hold, .. } | Operation::Release { hold, .. } => {
                    wanted.holds.push((*account, *hold));
                }
                Operation::Refund { charge, .. } => wanted.charges.push((*account, *charge)),
                Operation::Grant(grant) => {
                    wanted.references.extend(grant.reference.iter().map(|text| (grant.source, text.clone())));
                }
                Operation::Charge { .. }
                | Operation::Hold { .. }
                | Operation::Adjust(_)
                | Operation::Subscribe { .. }
                | Operation::RollForward => {}
            }
        }
    }
    wanted.accounts.sort_unstable();
    wanted.accounts.dedup();
    wanted
}

/// The accounts of a batch while operations go through them.
struct Fold {
    loaded: Loaded,
    now: Timestamp,
    changed: Changed,
}

/// What a folded batch leaves to be saved.
#[derive(Default)]
struct Changed {
    accounts: Vec<Account>,
    answers: Vec<(AccountId, crate::domain::IdempotencyKey, StoredAnswer)>,
    audit: Vec<AuditEntry>,
}

impl Fold {
    fn new(loaded: Loaded, now: Timestamp) -> Self {
        Self { loaded, now, changed: Changed::default() }
    }

    fn apply(&mut self, submission: &Submission, id: AccountId) -> Reply {
        if let Some(reply) = submission.key.as_ref().and_then(|request| self.replay(id, request)) {
            return reply;
        }
        let outcome = self.apply_steps(submission, id)?;
        self.remember(submission, id, &outcome);
        Ok(Answer { account: id, outcome, replayed: false })
    }

    /// The first answer to this key, from the database or from earlier in this batch.
    fn replay(&self, account: AccountId, request: &RequestKey) -> Option<Reply> {
        let stored = self.loaded.answers.get(&(account, request.key.clone()))?;
        Some(match stored.fingerprint == request.fingerprint {
            true => Ok(Answer { account, outcome: stored.outcome.clone(), replayed: true }),
            false => Err(LedgerError::KeyReused),
        })
    }

    /// All steps, or none of them.
    fn apply_steps(&mut self, submission: &Submission, id: AccountId) -> Result<Outcome, LedgerError> {
        let account = self.loaded.accounts.get_mut(&id).ok_or(LedgerError::NoSuchAccount)?;
        for reference in references_of(submission) {
            if let Some((owner, first)) = self.loaded.references.get(&reference) {
                let first = (*owner == id).then_some(*first);
                return Err(Refusal::AlreadyGranted { first }.into());
            }
        }
        let before = (submission.steps.len() > 1).then(|| account.clone());
        let mut last = Outcome::Rolled { balance: account.balance() };
        for step in &submission.steps {
            match account.apply(&step.operation, &step.memo, self.now) {
                Ok(outcome) => last = outcome,
                Err(refusal) => {
                    if let Some(before) = before {
                        *account = before;
                    }
                    return Err(refusal.into());
                }
            }
        }
        Ok(last)
    }

    fn remember(&mut self, submission: &Submission, id: AccountId, outcome: &Outcome) {
        let seq = match outcome {
            Outcome::Receipt(receipt) => Some(receipt.transaction.seq),
            Outcome::Hold { .. } | Outcome::Rolled { .. } => None,
        };
        for reference in references_of(submission) {
            let grant = crate::domain::GrantId(seq.unwrap_or_default());
            self.loaded.references.insert(reference, (id, grant));
        }
        if let Some(request) = &submission.key {
            let answer = StoredAnswer { fingerprint: request.fingerprint.clone(), outcome: outcome.clone() };
            self.loaded.answers.insert((id, request.key.clone()), answer.clone());
            self.changed.answers.push((id, request.key.clone(), answer));
        }
        if let Some(note) = &submission.audit {
            self.changed.audit.push(AuditEntry {
                account: Some(id),
                seq,
                actor: note.actor.clone(),
                action: note.action.to_owned(),
                detail: note.detail.clone(),
                created_at: self.now,
            });
        }
    }

    fn into_batch(self) -> Changed {
        let accounts = self.loaded.accounts.into_values().filter(Account::is_changed).collect();
        Changed { accounts, ..self.changed }
    }
}

impl Changed {
    fn has_changes(&self) -> bool {
        !(self.accounts.is_empty() && self.answers.is_empty() && self.audit.is_empty())
    }

    fn as_rows(&self, now: Timestamp) -> Batch<'_> {
        Batch {
            accounts: self.accounts.iter().collect(),
            answers: self.answers.clone(),
            audit: self.audit.clone(),
            now,
        }
    }
}

fn references_of(submission: &Submission) -> impl Iterator<Item = (crate::domain::Source, String)> + '_ {
    submission.steps.iter().filter_map(|step| match &step.operation {
        Operation::Grant(grant) => grant.reference.clone().map(|text| (grant.source, text)),
        Operation::Charge { .. }
        | Operation::Hold { .. }
        | Operation::Capture { .. }
        | Operation::Release { .. }
        | Operation::Refund { .. }
        | Operation::Adjust(_)
        | Operation::Subscribe { .. }
        | Operation::RollForward => None,
    })
}
