//! The writer: the only way by which a balance changes. Operations come in through a bounded queue, are
//! folded in groups through the pure core, and are answered after the commit.

mod batch;
mod writer;

use crate::domain::operation::{Memo, Operation, Outcome, Refusal};
use crate::domain::{AccountId, IdempotencyKey, OrderId};
use crate::server::clock::Clock;
use crate::server::store::{LedgerStore, NewUser};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
    /// An order that this pays; only the first payment of it counts.
    pub order: Option<OrderId>,
    /// A row of the audit log to be written with it.
    pub audit: Option<AuditNote>,
}

impl Submission {
    /// One operation on one account.
    pub fn one(account: AccountId, operation: Operation, memo: Memo) -> Self {
        let steps = vec![Step { operation, memo }];
        Self { target: Target::Account(account), steps, key: None, order: None, audit: None }
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

/// An idempotency key with the fingerprint of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    key: IdempotencyKey,
    fingerprint: String,
}

impl RequestKey {
    /// Ties a key to everything that makes its request what it is.
    pub fn new(key: IdempotencyKey, request: &[u8]) -> Self {
        let fingerprint = Sha256::digest(request).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key, fingerprint }
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
pub struct Answer {
    /// The account; a new one for a new person.
    pub account: AccountId,
    /// The outcome of the last operation.
    pub outcome: Outcome,
    /// Whether this is the answer to an earlier request with the same key.
    pub replayed: bool,
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
    /// The order is paid already, or not this account's.
    #[error("the order is settled already")]
    OrderSettled,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Too many are waiting; come back in a second.
    #[error("the ledger is busy")]
    Busy,
    /// The database could not take it. Nothing has happened.
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

/// The way to the writer; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    queue: mpsc::Sender<Job>,
}

impl Ledger {
    /// Starts the writer. It ends once `stop` is cancelled and everything that waits is answered.
    pub fn start(
        store: Arc<dyn LedgerStore>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(QUEUE_CAPACITY);
        let writer = tokio::spawn(writer::run(store, clock, jobs, stop));
        (Self { queue }, writer)
    }

    /// Hands a submission in and waits until it is on the disk, or refused.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing has happened then. A caller that goes away while it waits does not undo it.
    pub async fn submit(&self, submission: Submission) -> Result<Answer, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job { submission, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Busy,
            mpsc::error::TrySendError::Closed(_) => LedgerError::Stopped,
        })?;
        answer.await.unwrap_or(Err(LedgerError::Stopped))
    }
}
