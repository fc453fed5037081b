//! The writer's loop: take what waits, commit it together, answer. While a batch is on its way to the disk, the next one is
//! thought through. Where a batch fails as a whole, its submissions are tried one by one, so that one bad passenger does not
//! sink the others.

use super::batch::{self, BatchFailure};
use super::{Answer, Job, LedgerError, MAX_BATCH, Submission};
use crate::domain::operation::Outcome;
use crate::server::clock::Clock;
use crate::server::store::{Guard, LedgerStore};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often a batch is begun again that another program's transaction has broken off.
const MAX_TRIES: u32 = 8;

/// How often a batch lets the others have their turn, so that callers who were just answered and ask again come along
/// rather than wait for the one after it. Only a batch that is smaller than usual waits so.
const MAX_YIELDS: u32 = 16;

type Reply = oneshot::Sender<Result<Answer, LedgerError>>;

/// A batch on its way to the disk.
struct UnderWay {
    size: usize,
    end: JoinHandle<()>,
}

/// Runs until told to stop and until everything that was let in is answered.
pub(super) async fn run(
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let mut waiting = Vec::with_capacity(MAX_BATCH);
    let mut usual = 0;
    let mut before: Option<UnderWay> = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled(), if !jobs.is_closed() => jobs.close(),
            taken = jobs.recv_many(&mut waiting, MAX_BATCH) => {
                if taken == 0 {
                    return end_of(&mut before).await;
                }
                gather(store.as_ref(), &mut jobs, &mut waiting, &mut before, usual).await;
                // Callers who were answered a moment ago may not have come back yet.
                usual = (waiting.len() + size_of(before.as_ref())).max(usual / 2);
                let this = start(&store, &clock, waiting.drain(..)).await;
                // It had to wait for the connection of the one before. What may be left of that one are its answers, and
                // where it failed the tries of its submissions one by one.
                end_of(&mut before).await;
                before = Some(this);
            }
        }
    }
}

/// Begins a batch, and waits until the next one can follow from it.
async fn start(
    store: &Arc<dyn LedgerStore>,
    clock: &Arc<dyn Clock>,
    jobs: impl ExactSizeIterator<Item = Job>,
) -> UnderWay {
    let size = jobs.len();
    let (submissions, replies) = split(jobs);
    let (store, clock) = (store.clone(), clock.clone());
    let (on_its_way, is_on_its_way) = oneshot::channel();
    // A task of its own: a defect that panics costs one batch its answers, not the program its writer.
    let end = tokio::spawn(async move {
        commit_all(store.as_ref(), clock.as_ref(), &submissions, replies, on_its_way).await;
    });
    // A batch that never gets there says so by its end.
    let _ = is_on_its_way.await;
    UnderWay { size, end }
}

/// Waits for the end of a batch.
async fn end_of(before: &mut Option<UnderWay>) {
    if let Some(under_way) = before
        && let Err(error) = (&mut under_way.end).await
    {
        tracing::error!(%error, "a batch broke off");
    }
    *before = None;
}

fn size_of(before: Option<&UnderWay>) -> usize {
    before.map_or(0, |under_way| under_way.size)
}

/// Takes what comes in while the batch before is on its way, and then within a few turns, as long as there is less than
/// usual.
async fn gather(
    store: &dyn LedgerStore,
    jobs: &mut mpsc::Receiver<Job>,
    waiting: &mut Vec<Job>,
    before: &mut Option<UnderWay>,
    usual: usize,
) {
    let share_of = |callers: usize| {
        let share = if store.divides(callers) { callers.div_ceil(2) } else { callers };
        share.min(MAX_BATCH)
    };
    while before.is_some() && waiting.len() < share_of(waiting.len() + size_of(before.as_ref())) {
        let room = MAX_BATCH - waiting.len();
        tokio::select! {
            biased;
            () = end_of(before) => {}
            taken = jobs.recv_many(waiting, room) => if taken == 0 {
                return;
            },
        }
    }
    for _ in 0..MAX_YIELDS {
        if before.is_some() || waiting.len() >= share_of(usual) {
            return;
        }
        tokio::task::yield_now().await;
        while waiting.len() < MAX_BATCH
            && let Ok(job) = jobs.try_recv()
        {
            waiting.push(job);
        }
    }
}

fn split(jobs: impl Iterator<Item = Job>) -> (Vec<Submission>, Vec<Reply>) {
    jobs.map(|job| (job.submission, job.reply)).unzip()
}

async fn commit_all(
    store: &dyn LedgerStore,
    clock: &dyn Clock,
    submissions: &[Submission],
    replies: Vec<Reply>,
    on_its_way: oneshot::Sender<()>,
) {
    // Kept until the end where the batch fails: nothing can follow from it then.
    let mut on_its_way = Some(on_its_way);
    match commit(store, clock, submissions, &mut on_its_way).await {
        Ok(answers) => {
            for ((submission, reply), answer) in submissions.iter().zip(replies).zip(answers) {
                send(submission, reply, answer);
            }
        }
        Err(failure) if failure.is_worth_trying_apart() => {
            failure.log(submissions.len());
            for (submission, reply) in submissions.iter().zip(replies) {
                send(submission, reply, commit_one(store, clock, submission).await);
            }
        }
        Err(failure) => {
            failure.log(submissions.len());
            for (submission, reply) in submissions.iter().zip(replies) {
                send(submission, reply, Err(LedgerError::Unavailable));
            }
        }
    }
}

/// Commits a batch; what another program's transaction has broken off is begun again, and then keeps that program out.
async fn commit(
    store: &dyn LedgerStore,
    clock: &dyn Clock,
    submissions: &[Submission],
    on_its_way: &mut Option<oneshot::Sender<()>>,
) -> Result<Vec<Result<Answer, LedgerError>>, BatchFailure> {
    let mut say_so = || {
        // Nobody need wait for it.
        let _ = on_its_way.take().map(|told| told.send(()));
    };
    let mut guard = Guard::Compare;
    for _ in 1..MAX_TRIES {
        let tried = batch::commit(store, submissions, guard, clock.now(), &mut say_so).await;
        guard = Guard::Lock;
        match tried {
            Err(BatchFailure::Store(error)) if error.is_transient() => {
                tracing::debug!(%error, "a batch is begun again");
            }
            // Alone, a name that was taken in between is found at the second try, and refused in words.
            Err(BatchFailure::Store(error)) if error.is_taken() && submissions.len() == 1 => {
                tracing::debug!(%error, "a submission is begun again");
            }
            finished => return finished,
        }
    }
    batch::commit(store, submissions, guard, clock.now(), say_so).await
}

async fn commit_one(
    store: &dyn LedgerStore,
    clock: &dyn Clock,
    submission: &Submission,
) -> Result<Answer, LedgerError> {
    match commit(store, clock, std::slice::from_ref(submission), &mut None).await {
        Ok(mut answers) => answers.pop().unwrap_or(Err(LedgerError::Unavailable)),
        Err(BatchFailure::Undone(refusal)) => Err(refusal),
        Err(failure @ (BatchFailure::Store(_) | BatchFailure::NotBegun(_) | BatchFailure::Unsure(_))) => {
            failure.log(1);
            Err(LedgerError::Unavailable)
        }
    }
}

/// A caller that went away does not need its answer; what it asked for has happened all the same.
fn send(submission: &Submission, reply: Reply, answer: Result<Answer, LedgerError>) {
    log(submission, &answer);
    let _ = reply.send(answer);
}

/// One line for each submission, with what a person needs to find it again.
fn log(submission: &Submission, answer: &Result<Answer, LedgerError>) {
    let operations: Vec<_> = submission.steps.iter().map(|step| step.operation.name()).collect();
    let operations = operations.join("+");
    let actor = submission.steps.first().map(|step| step.memo.actor.as_str());
    match answer {
        Ok(Answer::Applied { account, outcome, .. }) => {
            let (seq, amount) = match outcome {
                Outcome::Receipt(receipt) => (receipt.transaction.seq.0, receipt.transaction.amount),
                Outcome::Hold { hold, .. } => (hold.id.0.0, hold.amount.get()),
                Outcome::Rolled { .. } => (0, 0),
            };
            let balance = outcome.balance();
            let (available, held) = (balance.available.get(), balance.held.get());
            tracing::info!(account = account.0, operations, actor, seq, amount, available, held, "applied");
        }
        Ok(Answer::Replayed { .. }) => tracing::info!(target = ?submission.target, operations, actor, "replayed"),
        Err(reason) => tracing::info!(target = ?submission.target, operations, actor, %reason, "refused"),
    }
}
