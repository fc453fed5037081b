//! One batch: claim what can collide, load, fold through the core, save, commit. All in one database
//! transaction; the answers are given out only after it.

use super::{Answer, KeyOwner, LedgerError, RequestKey, Submission, Target};
use crate::domain::account::Account;
use crate::domain::operation::{Operation, Outcome, Refusal};
use crate::domain::{AccountId, ApiKeyId, GrantId, IdempotencyKey, Source, Timestamp};
use crate::server::store::{
    AuditEntry, BalanceChange, Batch, CommitError, Guard, LedgerStore, LedgerTransaction, Loaded, StoreError,
    StoreResult, StoredAnswer, Wanted,
};
use std::collections::HashSet;

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
    /// The commit itself failed: whether it happened is not known, so it is not tried again.
    Unsure(StoreError),
}

impl From<StoreError> for BatchFailure {
    fn from(error: StoreError) -> Self {
        if error.is_without_connection() { Self::NotBegun(error) } else { Self::Store(error) }
    }
}

impl From<CommitError> for BatchFailure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::NotBegun(error) => Self::NotBegun(error),
            CommitError::Refused(error) => Self::Store(error),
            CommitError::Unsure(error) => Self::Unsure(error),
        }
    }
}

impl BatchFailure {
    /// Whether some of the batch may succeed by themselves.
    pub(super) fn is_worth_trying_apart(&self) -> bool {
        match self {
            Self::Store(_) | Self::Undone(_) => true,
            Self::NotBegun(_) | Self::Unsure(_) => false,
        }
    }

    pub(super) fn log(&self, submissions: usize) {
        match self {
            Self::NotBegun(error) => tracing::error!(%error, submissions, "the ledger could not begin a batch"),
            Self::Store(error) => tracing::error!(%error, submissions, "the ledger could not write a batch"),
            Self::Unsure(error) => tracing::error!(%error, submissions, "the ledger could not commit a batch"),
            Self::Undone(reason) => tracing::debug!(%reason, submissions, "a batch is tried one by one"),
        }
    }
}

/// Commits submissions together. The replies stand in their order. Says so when the batch is on its way to the disk: the
/// next one can follow from it then.
pub(super) async fn commit(
    store: &dyn LedgerStore,
    submissions: &[Submission],
    guard: Guard,
    now: Timestamp,
    on_its_way: impl FnOnce() + Send,
) -> Result<Vec<Reply>, BatchFailure> {
    let guard = if submissions.iter().any(claims_rows) { Guard::Lock } else { guard };
    let mut transaction = store.begin(guard).await.map_err(BatchFailure::NotBegun)?;
    if repeats_a_service_key(submissions) {
        return Err(BatchFailure::Undone(LedgerError::KeyReused));
    }
    let claims = claim_all(transaction.as_mut(), submissions, now).await?;
    let wanted = wanted_by(submissions, &claims);
    let mut fold = Fold::new(transaction.load(&wanted).await?, now);
    let replies: Vec<Reply> =
        submissions.iter().zip(claims).map(|(submission, claim)| fold.reply(submission, claim)).collect();
    if let Some(refusal) = first_refusal_after_claim(submissions, &replies) {
        return Err(BatchFailure::Undone(refusal));
    }
    let batch = fold.into_batch();
    let has_claimed =
        submissions.iter().zip(&replies).any(|(submission, reply)| reply.is_ok() && claims_rows(submission));
    if has_claimed || batch.has_changes() {
        let saving = transaction.commit(&batch.as_rows(now)).await?;
        on_its_way();
        saving.await?;
        store.announce(batch.news());
    } else {
        transaction.finish().await?;
    }
    Ok(replies)
}

/// What became of what can collide.
enum Claim {
    /// Its operations are for this account.
    Account(AccountId),
    /// The key had its answer.
    Replayed(StoredAnswer),
    /// It came too late.
    Lost(LedgerError),
}

/// Two requests with one key of an API key cannot both be decided in one batch: the second would find its
/// address taken, and not the answer of the first.
fn repeats_a_service_key(submissions: &[Submission]) -> bool {
    let mut seen = HashSet::new();
    submissions.iter().filter_map(service_key).any(|key| !seen.insert(key))
}

fn service_key(submission: &Submission) -> Option<(&ApiKeyId, &IdempotencyKey)> {
    match submission.key.as_ref().map(|request| (&request.owner, &request.key)) {
        Some((KeyOwner::ApiKey(id), key)) => Some((id, key)),
        Some((KeyOwner::Account, _)) | None => None,
    }
}

/// Inserts first what can collide; who comes too late is refused, the others go on.
async fn claim_all(
    transaction: &mut dyn LedgerTransaction,
    submissions: &[Submission],
    now: Timestamp,
) -> StoreResult<Vec<Claim>> {
    let mut claims = Vec::with_capacity(submissions.len());
    for submission in submissions {
        claims.push(claim(transaction, submission, now).await?);
    }
    Ok(claims)
}

async fn claim(transaction: &mut dyn LedgerTransaction, submission: &Submission, now: Timestamp) -> StoreResult<Claim> {
    if let Some((api_key, key)) = service_key(submission)
        && let Some(answer) = transaction.find_service_answer(api_key, key).await?
    {
        return Ok(Claim::Replayed(answer));
    }
    let account = match &submission.target {
        Target::Account(account) => *account,
        Target::NewUser(user) => match transaction.claim_user(user).await? {
            Some(account) => account,
            None => return lost_address(transaction, submission).await,
        },
    };
    match &submission.booking {
        Some(booking) if !transaction.claim_booking(account, booking, now).await? => {
            Ok(Claim::Lost(LedgerError::Outdated))
        }
        Some(_) | None => Ok(Claim::Account(account)),
    }
}

/// The address was taken, perhaps while this waited, by the same request to another program: then its answer is
/// there by now.
async fn lost_address(transaction: &mut dyn LedgerTransaction, submission: &Submission) -> StoreResult<Claim> {
    let answer = match service_key(submission) {
        Some((api_key, key)) => transaction.find_service_answer(api_key, key).await?,
        None => None,
    };
    Ok(answer.map_or(Claim::Lost(LedgerError::AddressTaken), Claim::Replayed))
}

/// A refusal of a submission whose claim had succeeded.
fn first_refusal_after_claim(submissions: &[Submission], replies: &[Reply]) -> Option<LedgerError> {
    let refused = submissions.iter().zip(replies).filter(|(submission, _)| claims_rows(submission));
    refused.filter_map(|(_, reply)| reply.as_ref().err()).find(|error| !lost_the_claim(error)).cloned()
}

/// Whether it inserts or marks rows before its operations are decided.
fn claims_rows(submission: &Submission) -> bool {
    match submission.target {
        Target::NewUser(_) => true,
        Target::Account(_) => submission.booking.is_some(),
    }
}

fn lost_the_claim(error: &LedgerError) -> bool {
    matches!(error, LedgerError::AddressTaken | LedgerError::Outdated)
}

/// What has to be loaded for these submissions.
fn wanted_by(submissions: &[Submission], claims: &[Claim]) -> Wanted {
    let mut wanted = Wanted::default();
    for (submission, claim) in submissions.iter().zip(claims) {
        let Claim::Account(account) = claim else { continue };
        wanted.accounts.push(*account);
        let own_key = submission.key.as_ref().filter(|request| request.owner == KeyOwner::Account);
        wanted.keys.extend(own_key.map(|request| (*account, request.key.clone())));
        wanted.references.extend(references_of(submission));
        for step in &submission.steps {
            match &step.operation {
                Operation::Capture { hold, .. } | Operation::Release { hold, .. } => {
                    wanted.holds.push((*account, *hold));
                }
                Operation::Refund { charge, .. } => wanted.charges.push((*account, *charge)),
                Operation::Clawback { grant, .. } | Operation::ClawbackTo { grant, .. } => {
                    wanted.grants.push((*account, *grant))
                }
                Operation::UndoReset { grant } => wanted.resets.push((*account, *grant)),
                Operation::Grant(_)
                | Operation::Charge { .. }
                | Operation::Hold { .. }
                | Operation::Adjust(_)
                | Operation::Backfill { .. }
                | Operation::Subscribe { .. }
                | Operation::PayMonths { .. }
                | Operation::SetMonths { .. }
                | Operation::EndMonths { .. }
                | Operation::Reset { .. }
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
    answers: Vec<(AccountId, IdempotencyKey, StoredAnswer)>,
    service_answers: Vec<(ApiKeyId, IdempotencyKey, StoredAnswer)>,
    audit: Vec<AuditEntry>,
}

impl Fold {
    fn new(loaded: Loaded, now: Timestamp) -> Self {
        Self { loaded, now, changed: Changed::default() }
    }

    fn reply(&mut self, submission: &Submission, claim: Claim) -> Reply {
        match claim {
            Claim::Lost(error) => Err(error),
            Claim::Replayed(stored) => replay(&stored, submission.key.as_ref()),
            Claim::Account(account) => self.apply(submission, account),
        }
    }

    fn apply(&mut self, submission: &Submission, id: AccountId) -> Reply {
        if let Some(request) = &submission.key
            && let Some(stored) = self.loaded.answers.get(&(id, request.key.clone()))
        {
            return replay(stored, Some(request));
        }
        let outcome = self.apply_steps(submission, id)?;
        let text = self.remember(submission, id, &outcome);
        Ok(Answer::Applied { account: id, outcome, text })
    }

    /// All steps, or none of them.
    fn apply_steps(&mut self, submission: &Submission, id: AccountId) -> Result<Outcome, LedgerError> {
        if self.loaded.altered.contains(&id) {
            return Err(LedgerError::HistoryAltered);
        }
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

    /// Notes what has to be saved with it; gives the text that is kept under its key.
    fn remember(&mut self, submission: &Submission, id: AccountId, outcome: &Outcome) -> Option<String> {
        let seq = match outcome {
            Outcome::Receipt(receipt) => Some(receipt.transaction.seq),
            Outcome::Hold { .. } | Outcome::Rolled { .. } => None,
        };
        for reference in references_of(submission) {
            self.loaded.references.insert(reference, (id, GrantId(seq.unwrap_or_default())));
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
        let now = self.now;
        let rows = submission.booking.iter().flat_map(|booking| {
            booking.audit.iter().map(move |(action, detail)| AuditEntry {
                account: Some(id),
                seq,
                actor: booking.actor.clone(),
                action: (*action).to_owned(),
                detail: detail.clone(),
                created_at: now,
            })
        });
        self.changed.audit.extend(rows);
        submission.key.as_ref().map(|request| self.remember_answer(request, id, outcome))
    }

    fn remember_answer(&mut self, request: &RequestKey, id: AccountId, outcome: &Outcome) -> String {
        let text = (request.render)(outcome);
        let answer = StoredAnswer { fingerprint: request.fingerprint.clone(), text: text.clone() };
        match &request.owner {
            KeyOwner::Account => {
                self.loaded.answers.insert((id, request.key.clone()), answer.clone());
                self.changed.answers.push((id, request.key.clone(), answer));
            }
            KeyOwner::ApiKey(api_key) => {
                self.changed.service_answers.push((api_key.clone(), request.key.clone(), answer));
            }
        }
        text
    }

    fn into_batch(self) -> Changed {
        let accounts = self.loaded.accounts.into_values().filter(Account::is_changed).collect();
        Changed { accounts, ..self.changed }
    }
}

/// The first answer to a key, for the same request only.
fn replay(stored: &StoredAnswer, request: Option<&RequestKey>) -> Reply {
    match request {
        Some(request) if request.fingerprint == stored.fingerprint => {
            Ok(Answer::Replayed { text: stored.text.clone() })
        }
        Some(_) | None => Err(LedgerError::KeyReused),
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
            service_answers: self.service_answers.clone(),
            audit: self.audit.clone(),
            now,
        }
    }

    fn news(&self) -> Vec<BalanceChange> {
        self.accounts.iter().map(|account| BalanceChange::Account(account.id(), account.last_seq())).collect()
    }
}

fn references_of(submission: &Submission) -> impl Iterator<Item = (Source, String)> + '_ {
    let granted = submission.steps.iter().filter_map(|step| step.operation.granted_reference());
    granted.map(|(source, text)| (source, text.to_owned()))
}
