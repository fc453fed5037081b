//! The writer: the only way by which a balance changes. Operations come in through a bounded queue, are
//! folded in groups through the pure core, and are answered after the commit.

mod batch;
mod writer;

use crate::domain::operation::{Memo, Operation, Outcome, Refusal};
use crate::domain::{AccountId, ApiKeyId, IdempotencyKey, UserId};
use crate::server::clock::Clock;
use crate::server::store::{Booking, LedgerStore, NewUser, StoredAnswer};
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Operations that may wait. More are refused at once: a caller that has to come back is better served
/// than one that waits behind a queue that grows.
pub const QUEUE_CAPACITY: usize = 8_192;

/// Operations that share one commit at most; beyond it the statements grow long for nothing.
pub const MAX_BATCH: usize = 1_024;

/// What is asked of the ledger at once: all of it happens, or nothing.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose account.
    pub target: Target,
    /// The operations, in order.
    pub steps: Vec<Step>,
    /// So that a repeated request is applied once.
    pub key: Option<RequestKey>,
    /// Rows about payments that are written with it, or not at all.
    pub booking: Option<Box<Booking>>,
    /// A row of the audit log to be written with it.
    pub audit: Option<AuditNote>,
}

impl Submission {
    /// One operation on one account.
    pub fn one(account: AccountId, operation: Operation, memo: Memo) -> Self {
        let steps = vec![Step { operation, memo }];
        Self { target: Target::Account(account), steps, key: None, booking: None, audit: None }
    }

    /// The same, protected by an idempotency key.
    #[must_use]
    pub fn with_key(self, key: Option<RequestKey>) -> Self {
        Self { key, ..self }
    }

    /// The same, with its row of the audit log.
    #[must_use]
    pub fn with_audit(self, note: AuditNote) -> Self {
        Self { audit: Some(note), ..self }
    }
}

/// Whose account.
#[derive(Clone, Debug)]
pub enum Target {
    /// One that is there.
    Account(AccountId),
    /// One that is made now, with its person; refused where the address is taken.
    NewUser(Box<NewUser>),
}

/// One operation, and how it stands in the history.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is asked.
    pub operation: Operation,
    /// By whom, and in which words.
    pub memo: Memo,
}

/// An idempotency key with the fingerprint of its request, and how its answer is put into words: what is kept
/// is what the caller was told, byte for byte.
#[derive(Clone)]
pub struct RequestKey {
    key: IdempotencyKey,
    fingerprint: String,
    owner: KeyOwner,
    render: Arc<dyn Fn(&Outcome) -> String + Send + Sync>,
}

/// To whom an idempotency key belongs: two owners may use the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// The account that is changed.
    Account,
    /// The API key that makes an account, or the administrator who does, by a name that no API key has.
    ApiKey(ApiKeyId),
}

impl RequestKey {
    /// Ties a key to everything that makes its request what it is.
    pub fn new(
        key: IdempotencyKey,
        request: &[u8],
        render: impl Fn(&Outcome) -> String + Send + Sync + 'static,
    ) -> Self {
        Self { key, fingerprint: Self::fingerprint_of(request), owner: KeyOwner::Account, render: Arc::new(render) }
    }

    /// What tells one request from another.
    pub fn fingerprint_of(request: &[u8]) -> String {
        hex::encode(Sha256::digest(request))
    }

    /// The key itself.
    pub fn key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// Whether a stored answer is one to this request, and not to another with the same key.
    pub fn is_answered_by(&self, stored: &StoredAnswer) -> bool {
        self.fingerprint == stored.fingerprint
    }

    /// The same, put into other words: of what was known only after the work was done.
    #[must_use]
    pub fn rendered_by(self, render: impl Fn(&Outcome) -> String + Send + Sync + 'static) -> Self {
        Self { render: Arc::new(render), ..self }
    }

    /// The same, belonging to the API key that makes an account.
    #[must_use]
    pub fn of_api_key(self, id: ApiKeyId) -> Self {
        Self { owner: KeyOwner::ApiKey(id), ..self }
    }

    /// The same, belonging to the administrator who makes an account.
    #[must_use]
    pub fn of_admin(self, admin: &UserId) -> Self {
        // Random ids have no dash, and the name is within the longest id.
        match ApiKeyId::parse(&format!("admin-{admin}")) {
            Some(id) => self.of_api_key(id),
            None => self,
        }
    }
}

impl std::fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestKey").field("key", &self.key).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// What the audit log says of a submission.
#[derive(Clone, Debug)]
pub struct AuditNote {
    /// Who.
    pub actor: String,
    /// What.
    pub action: &'static str,
    /// The particulars.
    pub detail: serde_json::Value,
}

/// What came of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has happened.
    Applied {
        /// The account; a new one for a new person.
        account: AccountId,
        /// The outcome of the last operation.
        outcome: Outcome,
        /// What is kept under the idempotency key, where there is one.
        text: Option<String>,
    },
    /// It had happened before, by a request with the same key.
    Replayed {
        /// What that request was told.
        text: String,
    },
}

/// Why a submission did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The account says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Someone has that address already.
    #[error("the address is taken")]
    AddressTaken,
    /// Somebody else has booked on the account since the books were read that this was decided on: read and decide
    /// again.
    #[error("the books have changed in the meantime")]
    Outdated,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Somebody without the key of the chain has cut off or added to its history; it takes no changes until that is
    /// cleared up.
    #[error("the history of the account is not as it was written; `scrip reconcile` says more")]
    HistoryAltered,
    /// Too many are waiting; come back in a second.
    #[error("the ledger is busy")]
    Busy,
    /// The database could not take it. Where the connection was lost during a commit it may have happened
    /// all the same: whoever tries again uses the same key.
    #[error("the ledger cannot write")]
    Unavailable,
    /// The program is stopping.
    #[error("the ledger has stopped")]
    Stopped,
}

struct Job {
    submission: Submission,
    reply: oneshot::Sender<Result<Answer, LedgerError>>,
}

/// The way to the writers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// One per writer. An account always goes to the same one, so its operations share commits and wait in
    /// one line; other programs on the same database are kept apart by its row locks.
    queues: Arc<[mpsc::Sender<Job>]>,
}

impl Ledger {
    /// Starts the writers. They end once `stop` is cancelled and everything that waits is answered.
    pub fn start(store: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>, stop: CancellationToken) -> (Self, TaskTracker) {
        let writers = TaskTracker::new();
        let start_one = |_| {
            let (queue, jobs) = mpsc::channel(QUEUE_CAPACITY);
            writers.spawn(writer::run(store.clone(), clock.clone(), jobs, stop.clone()));
            queue
        };
        let queues = (0..store.writers()).map(start_one).collect();
        writers.close();
        (Self { queues }, writers)
    }

    /// Hands a submission in and waits until it is on the disk, or refused.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing has happened then, but see [`LedgerError::Unavailable`]. A caller that goes
    /// away while it waits does not undo it.
    pub async fn submit(&self, submission: Submission) -> Result<Answer, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.queue_of(&submission.target).try_send(Job { submission, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Busy,
            mpsc::error::TrySendError::Closed(_) => LedgerError::Stopped,
        })?;
        answer.await.unwrap_or(Err(LedgerError::Stopped))
    }

    fn queue_of(&self, target: &Target) -> &mpsc::Sender<Job> {
        let mut hasher = DefaultHasher::new();
        match target {
            Target::Account(account) => account.hash(&mut hasher),
            // The same address twice meets in one batch rather than at a row lock.
            Target::NewUser(user) => user.email.as_str().hash(&mut hasher),
        }
        let place = hasher.finish() % self.queues.len() as u64;
        // The remainder is below the number of queues, which is a usize.
        &self.queues[usize::try_from(place).unwrap_or_default()]
    }
}
