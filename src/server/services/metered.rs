//! Metering: quote, hold, make, keep, capture; or release, with the reason, when it fails, takes too long or
//! the caller goes away. What was not delivered costs nothing, and what was not paid is not delivered.

use super::{ServiceError, ServiceResult, Services};
use crate::domain::account::Balance;
use crate::domain::journal::Usage;
use crate::domain::operation::{DEFAULT_HOLD_TTL_SECONDS, Memo, Operation, Outcome, Settler};
use crate::domain::{AccountId, Credits, FeatureId, HoldId};
use crate::server::ledger::{Answer, LedgerError, Submission};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest that making may take. It has to stay below [`DEFAULT_HOLD_TTL_SECONDS`], so that the hold
/// is still there at the end.
const MAKING_TIME_LIMIT: Duration = Duration::from_secs(300);
const _: () = assert!(MAKING_TIME_LIMIT.as_secs() < DEFAULT_HOLD_TTL_SECONDS.unsigned_abs());

/// How often a settlement is tried while the ledger is busy or out of reach, and how long between. After
/// that the hold goes back by itself at its deadline.
const SETTLEMENT_TRIES: u32 = 40;
const SETTLEMENT_PAUSE: Duration = Duration::from_millis(250);

/// What is to be metered.
#[derive(Clone, Debug)]
pub(super) struct Metered {
    /// Who pays.
    pub account: AccountId,
    /// For what.
    pub feature: FeatureId,
    /// How much of it.
    pub units: u32,
    /// One line for the history.
    pub description: String,
}

/// The work that is paid for, in the two steps that matter: what may be broken off at any moment, and what
/// may not.
#[async_trait]
pub(super) trait Job: Send + Sync + 'static {
    /// What making gives; nothing of it is anywhere yet.
    type Made: Send + 'static;
    /// What is there to stay.
    type Kept: Clone + Send + 'static;

    /// Makes it. Dropped half-way when the caller goes away, it leaves nothing behind.
    async fn make(&self) -> Result<Self::Made, String>;

    /// Puts it where its owner finds it, stamped with what it costs.
    async fn keep(&self, made: Self::Made, cost: Credits) -> Result<Self::Kept, String>;

    /// Takes it away again: it could not be charged.
    async fn discard(&self, kept: Self::Kept);
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Delivered<T> {
    /// What the job gave.
    pub result: T,
    /// Where that leaves the account.
    pub balance: Balance,
}

impl Services {
    /// Runs a job that costs credits, in a task of its own that settles the hold whatever becomes of the
    /// caller.
    ///
    /// # Errors
    /// [`ServiceError::Insufficient`] before anything is done; [`ServiceError::GenerationFailed`] where the
    /// job failed. Nothing is charged then.
    pub(super) async fn run_metered<J: Job>(&self, metered: Metered, job: J) -> ServiceResult<Delivered<J::Kept>> {
        let (cost, usage) = self.price(&metered.feature, metered.units)?;
        let gone = CancellationToken::new();
        // Dropped with this future, that is, when the caller goes away.
        let caller = gone.clone().drop_guard();
        let (services, job) = (self.clone(), Arc::new(job));
        let running = self.0.running.spawn(async move {
            let hold = services.hold_for(&metered, cost, usage).await?;
            services.deliver(&metered, hold, cost, job, gone).await
        });
        let delivered = running.await.map_err(|error| ServiceError::Internal(error.to_string()))?;
        caller.disarm();
        delivered
    }

    async fn hold_for(&self, metered: &Metered, cost: Credits, usage: Usage) -> ServiceResult<HoldId> {
        let operation = Operation::Hold { cost, usage: Some(usage), ttl_seconds: DEFAULT_HOLD_TTL_SECONDS };
        let memo = Memo::new(Memo::JOB, &metered.description);
        let answer = self.0.ledger.submit(Submission::one(metered.account, operation, memo)).await;
        match answer.map_err(|error| with_feature(error.into(), &metered.feature))? {
            Answer::Applied { outcome: Outcome::Hold { hold, .. }, .. } => Ok(hold.id),
            Answer::Applied { .. } | Answer::Replayed { .. } => {
                Err(ServiceError::Internal("a hold gave no hold".into()))
            }
        }
    }

    /// Makes, keeps and charges; each failure on the way gives the hold back.
    async fn deliver<J: Job>(
        &self,
        metered: &Metered,
        hold: HoldId,
        cost: Credits,
        job: Arc<J>,
        gone: CancellationToken,
    ) -> ServiceResult<Delivered<J::Kept>> {
        let kept = match make_unless_gone(&job, gone).await {
            Ok(made) => job.keep(made, cost).await,
            Err(reason) => Err(reason),
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(reason) => {
                self.release_job(metered.account, hold, &reason).await?;
                return Err(ServiceError::GenerationFailed(reason));
            }
        };
        match self.capture_job(metered, hold).await {
            Ok(balance) => Ok(Delivered { result: kept, balance }),
            Err(error) => {
                job.discard(kept).await;
                Err(error)
            }
        }
    }

    async fn capture_job(&self, metered: &Metered, hold: HoldId) -> ServiceResult<Balance> {
        let operation = Operation::Capture { hold, amount: None, by: Settler::Anyone };
        let memo = Memo::new(Memo::JOB, &metered.description);
        self.settle(Submission::one(metered.account, operation, memo)).await
    }

    async fn release_job(&self, account: AccountId, hold: HoldId, reason: &str) -> ServiceResult<()> {
        tracing::info!(account = account.0, hold = hold.0.0, reason, "a hold is released");
        let operation = Operation::Release { hold, reason: reason.to_owned(), by: Settler::Anyone };
        self.settle(Submission::one(account, operation, Memo::system(reason))).await?;
        Ok(())
    }

    /// Settles a hold, patiently: what is refused for want of room or reach is tried again.
    async fn settle(&self, submission: Submission) -> ServiceResult<Balance> {
        for _ in 1..SETTLEMENT_TRIES {
            match self.0.ledger.submit(submission.clone()).await {
                Err(LedgerError::Busy | LedgerError::Unavailable) => tokio::time::sleep(SETTLEMENT_PAUSE).await,
                settled => return balance_of(settled?),
            }
        }
        balance_of(self.0.ledger.submit(submission).await?)
    }
}

fn balance_of(answer: Answer) -> ServiceResult<Balance> {
    match answer {
        Answer::Applied { outcome, .. } => Ok(outcome.balance().clone()),
        Answer::Replayed { .. } => Err(ServiceError::Internal("a settlement without a key was replayed".into())),
    }
}

/// Makes, or says why not.
async fn make_unless_gone<J: Job>(job: &Arc<J>, gone: CancellationToken) -> Result<J::Made, String> {
    let job = job.clone();
    // A task of its own, so that a panic in it ends here as an error and not as a forgotten hold.
    let mut making = tokio::spawn(async move { job.make().await });
    let made = tokio::select! {
        finished = &mut making => finished.unwrap_or_else(|_| Err("the generator broke off".to_owned())),
        () = tokio::time::sleep(MAKING_TIME_LIMIT) => Err("it took too long".to_owned()),
        () = gone.cancelled() => Err("the caller went away".to_owned()),
    };
    making.abort();
    made
}

fn with_feature(error: ServiceError, of: &FeatureId) -> ServiceError {
    match error {
        ServiceError::Insufficient { required, available, feature: _ } => {
            ServiceError::Insufficient { feature: Some(of.clone()), required, available }
        }
        other => other,
    }
}
