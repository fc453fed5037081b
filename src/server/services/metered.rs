//! Metering: quote, hold, work, capture; or release, with the reason, when the work fails, takes too long or the
//! caller goes away. What was not delivered costs nothing, and what was not paid is not delivered.

use super::{Actor, ServiceError, ServiceResult, Services};
use crate::domain::account::{Balance, HoldStatus};
use crate::domain::journal::{Receipt, Usage};
use crate::domain::operation::{DEFAULT_HOLD_TTL_SECONDS, Memo, Operation, Outcome, Refusal, Settler};
use crate::domain::{AccountId, Credits, FeatureId, HoldId, Seq};
use crate::server::ledger::{Answer, LedgerError, RequestKey, Submission};
use crate::server::store::{HistoryEntry, HistoryFilter, HistoryQuery};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest that work may take. It has to stay below [`DEFAULT_HOLD_TTL_SECONDS`], so that the hold is
/// still there at the end.
pub const MAKING_TIME_LIMIT: Duration = Duration::from_secs(300);
const _: () = assert!(MAKING_TIME_LIMIT.as_secs() < DEFAULT_HOLD_TTL_SECONDS.unsigned_abs());

/// How often a settlement is tried while the ledger is busy or out of reach, and how long between. After
/// that the hold goes back by itself at its deadline.
const SETTLEMENT_TRIES: u32 = 40;
const SETTLEMENT_PAUSE: Duration = Duration::from_millis(250);
/// How many rows of history are looked through for the capture of a hold whose answer was lost.
const SEARCHED_ROWS: u32 = 100;

/// What is to be metered.
#[derive(Clone, Debug)]
pub struct Metered {
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
    type Kept: Clone + Send + Sync + 'static;

    /// Makes it. Dropped half-way when the caller goes away, it leaves nothing behind.
    async fn make(&self) -> Result<Self::Made, String>;

    /// Puts it where its owner finds it, stamped with what it costs.
    async fn keep(&self, made: Self::Made, cost: Credits) -> Result<Self::Kept, String>;

    /// Takes it away again: it could not be charged.
    async fn discard(&self, kept: Self::Kept);
}

/// How an answer is put into words that are kept under an idempotency key.
pub type Render<T> = Arc<dyn Fn(&T, &Outcome) -> String + Send + Sync>;

/// An idempotency key, and the words for its answer.
pub type Once<T> = Option<(RequestKey, Render<T>)>;

/// What came of a metered job.
#[derive(Debug)]
pub enum Delivery<T> {
    /// It was done now.
    Done {
        /// What the job gave.
        result: T,
        /// The charge, and where it leaves the account.
        receipt: Box<Receipt>,
        /// What is kept under the key, where there is one.
        text: Option<String>,
    },
    /// It was done before, by a request with the same key.
    Replayed(String),
}

/// What metered work says of itself at its end.
#[derive(Debug)]
pub enum Worked<T> {
    /// It is to be charged.
    Well(T),
    /// It is not; why, for the history.
    Badly(T, String),
}

/// What came of metered work.
#[derive(Debug)]
pub enum Settlement<T> {
    /// It was charged.
    Charged {
        /// What the work gave.
        result: T,
        /// The charge, and where it leaves the account.
        receipt: Box<Receipt>,
        /// What is kept under the key, where there is one.
        text: Option<String>,
    },
    /// The work says that it is not to be charged.
    Free {
        /// What the work gave.
        result: T,
        /// Where that leaves the account.
        balance: Box<Balance>,
    },
    /// It was charged before, by a request with the same key.
    Replayed(String),
    /// It took too long, or broke off; nothing was charged.
    Failed(Failure),
}

/// How work ends that gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It took longer than it may.
    Late,
    /// It broke off.
    Broken,
    /// Nobody waits for it any more.
    Unwanted,
}

impl Failure {
    /// What the history says.
    const fn reason(self) -> &'static str {
        match self {
            Self::Late => "it took too long",
            Self::Broken => "it broke off",
            Self::Unwanted => "the caller went away",
        }
    }
}

/// What a capture gave.
enum Captured {
    Now {
        receipt: Box<Receipt>,
        text: Option<String>,
    },
    /// Another program has done the same request meanwhile, and was charged for it.
    Elsewhere(String),
}

impl Services {
    /// Runs a job that costs credits, in a task of its own that settles the hold whatever becomes of the
    /// caller.
    ///
    /// # Errors
    /// [`ServiceError::Insufficient`] before anything is done; [`ServiceError::GenerationFailed`] where the
    /// job failed. Nothing is charged then.
    pub(super) async fn run_metered<J: Job>(
        &self,
        metered: Metered,
        job: J,
        once: Once<J::Kept>,
    ) -> ServiceResult<Delivery<J::Kept>> {
        self.price(&metered.feature, metered.units)?;
        let services = self.clone();
        self.outlive(|gone| async move { services.do_job(&metered, Arc::new(job), once, gone).await }).await
    }

    /// Runs work that costs credits between its hold and its settlement, in a task that outlives its caller. It is
    /// dropped where it takes longer than `limit`, at most [`MAKING_TIME_LIMIT`], or where its caller goes away.
    ///
    /// # Errors
    /// [`ServiceError::Insufficient`], and other reasons for which the work was not begun; or where it could not be
    /// charged: nothing is delivered then.
    pub async fn meter<T, W>(&self, metered: Metered, limit: Duration, work: W) -> ServiceResult<Settlement<T>>
    where
        T: Send + 'static,
        W: Future<Output = Worked<T>> + Send + 'static,
    {
        let services = self.clone();
        self.outlive(|gone| async move { services.do_work(&metered, limit, work, gone, |_| None).await }).await
    }

    /// The same once for each key: a request that was charged before is answered as it was then, and a second one
    /// waits while the first is under way.
    ///
    /// # Errors
    /// As [`Services::meter`]; [`ServiceError::FormReused`] where the key was used for another request.
    pub async fn meter_once<T, W>(
        &self,
        metered: Metered,
        limit: Duration,
        work: W,
        (key, render): (RequestKey, Render<T>),
    ) -> ServiceResult<Settlement<T>>
    where
        T: Clone + Send + Sync + 'static,
        W: Future<Output = Worked<T>> + Send + 'static,
    {
        let services = self.clone();
        self.outlive(|gone| async move {
            let turn = services.0.gates.enter(metered.account, key.key());
            let Some(_turn) = gone.run_until_cancelled(turn).await else {
                return Ok(Settlement::Failed(Failure::Unwanted));
            };
            if let Some(text) = services.find_replay(metered.account, &key).await? {
                return Ok(Settlement::Replayed(text));
            }
            services.do_work(&metered, limit, work, gone, move |result| Some(keyed(key, render, result.clone()))).await
        })
        .await
    }

    /// Gives a charge back whose delivery broke off on our side or further up, in full.
    pub fn refund_broken_delivery(&self, account: AccountId, charge: Seq, reason: &'static str) {
        let services = self.clone();
        self.0.running.spawn(async move {
            let memo = Memo::new(Memo::JOB, reason);
            let refund = Submission::one(account, Operation::Refund { charge, amount: None }, memo);
            if let Err(error) = services.settle(refund).await {
                tracing::error!(%error, account = account.0, charge = charge.0, "a charge could not be given back");
            }
        });
    }

    /// Runs something in a task that goes on when its caller is dropped, and is told so.
    async fn outlive<T, F, W>(&self, work: F) -> ServiceResult<T>
    where
        T: Send + 'static,
        F: FnOnce(CancellationToken) -> W,
        W: Future<Output = ServiceResult<T>> + Send + 'static,
    {
        let gone = CancellationToken::new();
        // Dropped with this future, that is, when the caller goes away.
        let caller = gone.clone().drop_guard();
        let running = self.0.running.spawn(work(gone));
        let done = running.await.map_err(|error| ServiceError::Internal(error.to_string()))?;
        caller.disarm();
        done
    }

    async fn do_job<J: Job>(
        &self,
        metered: &Metered,
        job: Arc<J>,
        once: Once<J::Kept>,
        gone: CancellationToken,
    ) -> ServiceResult<Delivery<J::Kept>> {
        let mut turn = None;
        if let Some((key, _)) = &once {
            let entered = gone.run_until_cancelled(self.0.gates.enter(metered.account, key.key())).await;
            turn = Some(entered.ok_or_else(|| failed(Failure::Unwanted))?);
            if let Some(text) = self.find_replay(metered.account, key).await? {
                return Ok(Delivery::Replayed(text));
            }
        }
        let (hold, cost) = self.hold_for(metered).await?;
        let making = job.clone();
        let made = finish_in_time(async move { making.make().await }, MAKING_TIME_LIMIT, gone).await;
        let kept = match made.unwrap_or_else(|failure| Err(failure.reason().to_owned())) {
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
        let key = once.map(|(key, render)| keyed(key, render, kept.clone()));
        let captured = self.capture_job(metered, hold, key).await;
        drop(turn);
        match captured {
            Ok(Captured::Now { receipt, text }) => Ok(Delivery::Done { result: kept, receipt, text }),
            Ok(Captured::Elsewhere(text)) => {
                job.discard(kept).await;
                Ok(Delivery::Replayed(text))
            }
            Err(error) => {
                job.discard(kept).await;
                Err(error)
            }
        }
    }

    async fn do_work<T: Send + 'static>(
        &self,
        metered: &Metered,
        limit: Duration,
        work: impl Future<Output = Worked<T>> + Send + 'static,
        gone: CancellationToken,
        key: impl FnOnce(&T) -> Option<RequestKey>,
    ) -> ServiceResult<Settlement<T>> {
        let (hold, _) = self.hold_for(metered).await?;
        match finish_in_time(work, limit.min(MAKING_TIME_LIMIT), gone).await {
            Err(failure) => {
                self.release_job(metered.account, hold, failure.reason()).await?;
                Ok(Settlement::Failed(failure))
            }
            Ok(Worked::Badly(result, reason)) => {
                let balance = self.release_job(metered.account, hold, &reason).await?;
                Ok(Settlement::Free { result, balance: Box::new(balance) })
            }
            Ok(Worked::Well(result)) => match self.capture_job(metered, hold, key(&result)).await? {
                Captured::Now { receipt, text } => Ok(Settlement::Charged { result, receipt, text }),
                Captured::Elsewhere(text) => Ok(Settlement::Replayed(text)),
            },
        }
    }

    /// What a key was answered with before.
    async fn find_replay(&self, account: AccountId, key: &RequestKey) -> ServiceResult<Option<String>> {
        match self.0.store.find_answer(account, key.key()).await? {
            None => Ok(None),
            Some(stored) if key.is_answered_by(&stored) => Ok(Some(stored.text)),
            Some(_) => Err(ServiceError::FormReused),
        }
    }

    async fn hold_for(&self, metered: &Metered) -> ServiceResult<(HoldId, Credits)> {
        let (cost, usage): (Credits, Usage) = self.price(&metered.feature, metered.units)?;
        let operation = Operation::Hold { cost, usage: Some(usage), ttl_seconds: DEFAULT_HOLD_TTL_SECONDS };
        let memo = Memo::new(Memo::JOB, &metered.description);
        let answer = self.0.ledger.submit(Submission::one(metered.account, operation, memo)).await;
        match answer.map_err(|error| with_feature(error.into(), &metered.feature))? {
            Answer::Applied { outcome: Outcome::Hold { hold, .. }, .. } => Ok((hold.id, cost)),
            Answer::Applied { .. } | Answer::Replayed { .. } => {
                Err(ServiceError::Internal("a hold gave no hold".into()))
            }
        }
    }

    /// Charges for a hold. Where its key was used by another program meanwhile, the hold goes back.
    async fn capture_job(&self, metered: &Metered, hold: HoldId, key: Option<RequestKey>) -> ServiceResult<Captured> {
        let operation = Operation::Capture { hold, amount: None, by: Settler::Anyone };
        let memo = Memo::new(Memo::JOB, &metered.description);
        let capture = Submission::one(metered.account, operation, memo).with_key(key);
        match self.settle(capture).await {
            Ok(Answer::Applied { outcome: Outcome::Receipt(receipt), text, .. }) => Ok(Captured::Now { receipt, text }),
            Ok(Answer::Applied { .. }) => Err(ServiceError::Internal("a capture gave no receipt".into())),
            Ok(Answer::Replayed { text }) => {
                let words = "the same request was charged before";
                match self.release_job(metered.account, hold, words).await {
                    // It was this very capture, whose first answer was lost on the way.
                    Err(ServiceError::Refused(Refusal::HoldSettled(HoldStatus::Captured))) => {
                        let receipt = self.find_capture(metered.account, hold).await?;
                        Ok(Captured::Now { receipt, text: Some(text) })
                    }
                    released => released.map(|_| Captured::Elsewhere(text)),
                }
            }
            Err(LedgerError::Refused(Refusal::HoldSettled(HoldStatus::Captured))) => {
                let receipt = self.find_capture(metered.account, hold).await?;
                Ok(Captured::Now { receipt, text: None })
            }
            Err(LedgerError::KeyReused) => {
                self.release_job(metered.account, hold, "its key was used for another request").await?;
                Err(ServiceError::FormReused)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The receipt of a capture whose answer was lost.
    async fn find_capture(&self, account: AccountId, hold: HoldId) -> ServiceResult<Box<Receipt>> {
        let query = HistoryQuery { filter: HistoryFilter::Movements, limit: SEARCHED_ROWS, ..HistoryQuery::default() };
        let rows = self.0.store.list_history(account, &query).await?;
        let found = rows.into_iter().find_map(|row| match row {
            HistoryEntry::Transaction(row) if row.hold == Some(hold) => Some(*row),
            HistoryEntry::Transaction(_) | HistoryEntry::Hold { .. } => None,
        });
        let transaction = found.ok_or_else(|| ServiceError::Internal("a captured hold has no charge".into()))?;
        Ok(Box::new(Receipt { transaction, balance: self.read_balance(account).await? }))
    }

    async fn release_job(&self, account: AccountId, hold: HoldId, reason: &str) -> ServiceResult<Balance> {
        tracing::info!(account = account.0, hold = hold.0.0, reason, "a hold is released");
        let operation = Operation::Release { hold, reason: reason.to_owned(), by: Settler::Anyone };
        match self.settle(Submission::one(account, operation, Memo::system(reason))).await? {
            Answer::Applied { outcome, .. } => Ok(outcome.balance().clone()),
            Answer::Replayed { .. } => Err(ServiceError::Internal("a release without a key was replayed".into())),
        }
    }

    /// Settles, patiently: what is refused for want of room or reach is tried again.
    async fn settle(&self, submission: Submission) -> Result<Answer, LedgerError> {
        for _ in 1..SETTLEMENT_TRIES {
            match self.0.ledger.submit(submission.clone()).await {
                Err(LedgerError::Busy | LedgerError::Unavailable) => tokio::time::sleep(SETTLEMENT_PAUSE).await,
                settled => return settled,
            }
        }
        self.0.ledger.submit(submission).await
    }

    /// A metered use of a feature, described by the name that the catalogue has for it.
    pub fn metered_call(&self, account: AccountId, by: &Actor, feature: &FeatureId, units: u32) -> Metered {
        let name = self.catalogue().rate(feature).map_or_else(|| feature.to_string(), |rate| rate.name.clone());
        let description = if by.name == Memo::OWNER { name } else { format!("{name}, by {}", by.name) };
        Metered { account, feature: feature.clone(), units, description }
    }
}

/// The key, with the words for what came of it.
fn keyed<T: Send + Sync + 'static>(key: RequestKey, render: Render<T>, result: T) -> RequestKey {
    key.rendered_by(move |outcome| render(&result, outcome))
}

fn failed(failure: Failure) -> ServiceError {
    ServiceError::GenerationFailed(failure.reason().to_owned())
}

/// Waits for work, or says why not.
async fn finish_in_time<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    limit: Duration,
    gone: CancellationToken,
) -> Result<T, Failure> {
    // A task of its own, so that a panic in it ends here as an error and not as a forgotten hold.
    let mut working = tokio::spawn(work);
    let done = tokio::select! {
        finished = &mut working => finished.map_err(|_| Failure::Broken),
        () = tokio::time::sleep(limit) => Err(Failure::Late),
        () = gone.cancelled() => Err(Failure::Unwanted),
    };
    working.abort();
    done
}

fn with_feature(error: ServiceError, of: &FeatureId) -> ServiceError {
    match error {
        ServiceError::Insufficient { required, available, feature: _ } => {
            ServiceError::Insufficient { feature: Some(of.clone()), required, available }
        }
        other => other,
    }
}
