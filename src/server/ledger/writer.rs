//! The writer's loop: take what waits, commit it together, answer. Where a batch fails as a whole, its
//! submissions are tried one by one, so that one bad passenger does not sink the others.

use super::batch::{self, BatchFailure};
use super::{Answer, Job, LedgerError, MAX_BATCH, Submission};
use crate::server::clock::Clock;
use crate::server::store::LedgerStore;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

type Reply = oneshot::Sender<Result<Answer, LedgerError>>;

/// Runs until told to stop and until everything that was let in is answered.
pub(super) async fn run(
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let mut waiting = Vec::with_capacity(MAX_BATCH);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled(), if !jobs.is_closed() => jobs.close(),
            taken = jobs.recv_many(&mut waiting, MAX_BATCH) => {
                if taken == 0 {
                    return;
                }
                let (submissions, replies) = split(waiting.drain(..));
                let (store, clock) = (store.clone(), clock.clone());
                // A task of its own: a defect that panics costs one batch its answers, not the program its writer.
                let batch = tokio::spawn(async move {
                    commit_all(store.as_ref(), clock.as_ref(), &submissions, replies).await;
                });
                if let Err(error) = batch.await {
                    tracing::error!(%error, "a batch broke off");
                }
            }
        }
    }
}

fn split(jobs: impl Iterator<Item = Job>) -> (Vec<Submission>, Vec<Reply>) {
    jobs.map(|job| (job.submission, job.reply)).unzip()
}

async fn commit_all(store: &dyn LedgerStore, clock: &dyn Clock, submissions: &[Submission], replies: Vec<Reply>) {
    match batch::commit(store, submissions, clock.now()).await {
        Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| send(reply, answer)),
        Err(failure @ BatchFailure::NotBegun(_)) => {
            failure.log(submissions.len());
            replies.into_iter().for_each(|reply| send(reply, Err(LedgerError::Unavailable)));
        }
        Err(failure @ (BatchFailure::Store(_) | BatchFailure::Undone(_))) => {
            failure.log(submissions.len());
            for (submission, reply) in submissions.iter().zip(replies) {
                send(reply, commit_one(store, clock, submission).await);
            }
        }
    }
}

async fn commit_one(
    store: &dyn LedgerStore,
    clock: &dyn Clock,
    submission: &Submission,
) -> Result<Answer, LedgerError> {
    match batch::commit(store, std::slice::from_ref(submission), clock.now()).await {
        Ok(mut answers) => answers.pop().unwrap_or(Err(LedgerError::Unavailable)),
        Err(BatchFailure::Undone(refusal)) => Err(refusal),
        Err(failure @ (BatchFailure::Store(_) | BatchFailure::NotBegun(_))) => {
            failure.log(1);
            Err(LedgerError::Unavailable)
        }
    }
}

/// A caller that went away does not need its answer; what it asked for has happened all the same.
fn send(reply: Reply, answer: Result<Answer, LedgerError>) {
    let _ = reply.send(answer);
}
