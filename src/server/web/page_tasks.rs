//! Keeps what belongs to one request on one task. While a page is rendered, the framework hands parts of the work to
//! tasks of their own, which walk over the same page: on several threads they meet in values that another one
//! is just computing, and go on without anybody where the reader has left. Here they are worked on in turn with
//! the request that they belong to, never beside it, and end with it.

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http::StatusCode;
use http_body_util::BodyExt;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::iter::once;
use std::mem::take;
use std::sync::LazyLock;
use std::task::Poll;

tokio::task_local! {
    /// What the request that is being worked on has begun, and nobody has looked at yet.
    static BEGUN: RefCell<Vec<PinnedFuture<()>>>;
}

/// Where the framework's tasks go: to the request that begins them, and outside of requests to the runtime.
struct RequestExecutor;

impl CustomExecutor for RequestExecutor {
    fn spawn(&self, task: PinnedFuture<()>) {
        let mut task = Some(task);
        let _ = BEGUN.try_with(|begun| begun.borrow_mut().extend(task.take()));
        if let Some(task) = task {
            tokio::spawn(task);
        }
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(task);
    }

    fn poll_local(&self) {}
}

static IS_SET: LazyLock<bool> = LazyLock::new(|| Executor::init_custom_executor(RequestExecutor).is_ok());

/// Makes the framework begin its tasks here; a second call changes nothing.
///
/// # Panics
/// Where the framework has been used before, and begins them elsewhere.
pub fn keep_tasks_with_requests() {
    assert!(*IS_SET, "the framework begins its tasks elsewhere");
}

/// Answers when the whole answer is there: what comes after its first part is work of the request as well.
pub async fn answer_on_one_task(request: Request, next: Next) -> Response {
    run_with_tasks(async {
        let (parts, body) = next.run(request).await.into_parts();
        match body.collect().await {
            Ok(whole) => Response::from_parts(parts, Body::from(whole.to_bytes())),
            Err(error) => {
                tracing::error!(%error, "an answer broke off");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    })
    .await
}

/// Runs `main` and the tasks that it and they begin, in turn, until `main` has ended; then drops what is left.
async fn run_with_tasks<T>(main: impl Future<Output = T>) -> T {
    keep_tasks_with_requests();
    let main = Either::Left(main.map(Some));
    let run = async {
        let mut running: FuturesUnordered<_> = once(main).collect();
        poll_fn(|context| {
            loop {
                running.extend(take_begun().into_iter().map(|task| Either::Right(task.map(|()| None))));
                match running.poll_next_unpin(context) {
                    Poll::Ready(Some(Some(answer))) => return Poll::Ready(answer),
                    Poll::Ready(_) => {}
                    Poll::Pending if BEGUN.with(|begun| begun.borrow().is_empty()) => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
        })
        .await
    };
    BEGUN.scope(RefCell::default(), run).await
}

fn take_begun() -> Vec<PinnedFuture<()>> {
    BEGUN.with(|begun| take(&mut *begun.borrow_mut()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_is_never_worked_on_beside_its_request() {
        run_with_tasks(async {
            let (begun, is_begun) = mpsc::channel();
            let (ended, has_ended) = oneshot::channel();
            Executor::spawn(async move {
                begun.send(()).unwrap();
                Executor::spawn(async move { ended.send(()).unwrap() });
            });
            // The other thread has nothing else to do meanwhile.
            let beside = is_begun.recv_timeout(Duration::from_millis(100));
            assert_eq!(beside, Err(mpsc::RecvTimeoutError::Timeout));
            has_ended.await.unwrap();
            assert_eq!(is_begun.try_recv(), Ok(()));
        })
        .await;
    }

    #[tokio::test]
    async fn tasks_end_with_their_request() {
        let (kept, is_dropped) = oneshot::channel::<()>();
        run_with_tasks(async {
            Executor::spawn(async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
        })
        .await;
        assert!(is_dropped.await.is_err());
    }

    #[tokio::test]
    async fn outside_of_requests_the_runtime_has_the_tasks() {
        keep_tasks_with_requests();
        let (ended, has_ended) = oneshot::channel();
        Executor::spawn(async move { ended.send(()).unwrap() });
        has_ended.await.unwrap();
    }
}
