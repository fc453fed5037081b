//! Keeps what belongs to one request on one task. While a page is rendered, the framework hands parts of the work to
//! tasks of their own, which walk over the same page. On several threads, one of them finds a value missing while another
//! one computes it; and where the reader has left, they go on with what was cleaned up. Here they are worked on in turn
//! with the request that they belong to, never beside it, and end with it (decision 0025).

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::iter::once;
use std::mem::take;
use std::sync::LazyLock;
use std::task::Poll;

/// The longest answer that is collected, in bytes: many times the largest page.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

tokio::task_local! {
    /// Tasks that the request which is being worked on has begun, not yet polled.
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

static EXECUTOR_IS_OURS: LazyLock<bool> = LazyLock::new(|| Executor::init_custom_executor(RequestExecutor).is_ok());

/// Makes the framework begin its tasks here; a second call changes nothing.
///
/// # Panics
/// Where the framework has been used before, and begins them elsewhere.
pub fn keep_tasks_with_requests() {
    assert!(*EXECUTOR_IS_OURS, "the framework begins its tasks elsewhere");
}

/// Answers when the whole answer is there: what comes after its first part is work of the request as well.
pub async fn answer_on_one_task(request: Request, next: Next) -> Response {
    run_with_tasks(async {
        let (parts, body) = next.run(request).await.into_parts();
        match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(whole) => Response::from_parts(parts, Body::from(whole.to_bytes())),
            Err(error) => {
                tracing::error!(%error, "an answer broke off or is too long");
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
                    // A task has ended.
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
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use leptos::task::spawn;
    use std::future::pending;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tokio::task::try_id;
    use tokio::time::timeout;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    /// Begins a task by the framework that waits for ever, and gives what ends with it.
    async fn begin_endless() -> oneshot::Receiver<()> {
        let (kept, is_dropped) = oneshot::channel();
        let (polled, is_polled) = oneshot::channel();
        spawn(async move {
            polled.send(()).unwrap();
            pending::<()>().await;
            drop(kept);
        });
        is_polled.await.unwrap();
        is_dropped
    }

    async fn assert_dropped(task: oneshot::Receiver<()>) {
        assert!(timeout(Duration::from_secs(10), task).await.expect("the task goes on").is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_framework_begins_runs_on_the_task_of_its_request() {
        keep_tasks_with_requests();
        let page = async || {
            let (inner, inner_id) = oneshot::channel();
            spawn(async { spawn(async { inner.send(try_id()).unwrap() }) });
            let is_same = inner_id.await.unwrap() == try_id();
            if is_same { StatusCode::OK } else { StatusCode::IM_A_TEAPOT }
        };
        let app = Router::new().route("/", get(page)).layer(from_fn(answer_on_one_task));
        // On a task, which has an id.
        let answer = tokio::spawn(app.oneshot(Request::new(Body::empty()))).await.unwrap();
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn tasks_end_with_the_answer() {
        keep_tasks_with_requests();
        assert_dropped(run_with_tasks(begin_endless()).await).await;
    }

    #[tokio::test]
    async fn tasks_end_when_nobody_waits_for_the_answer_any_more() {
        keep_tasks_with_requests();
        let (begun, has_begun) = oneshot::channel();
        let request = tokio::spawn(run_with_tasks(async {
            begun.send(begin_endless().await).unwrap();
            pending::<()>().await;
        }));
        let task = has_begun.await.unwrap();
        request.abort();
        assert_dropped(task).await;
    }

    #[tokio::test]
    async fn a_task_that_panics_is_an_error_and_no_page_that_never_comes() {
        let page = async || {
            spawn(async { panic!("a defect of the page") });
            pending::<()>().await;
        };
        let app = Router::new().route("/", get(page)).layer(from_fn(answer_on_one_task)).layer(CatchPanicLayer::new());
        let answer = timeout(Duration::from_secs(10), app.oneshot(Request::new(Body::empty()))).await;
        let answer = answer.expect("it never comes").unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[tokio::test]
    async fn outside_of_requests_the_runtime_has_the_tasks() {
        keep_tasks_with_requests();
        let (ended, has_ended) = oneshot::channel();
        spawn(async move { ended.send(()).unwrap() });
        has_ended.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_an_error() {
        let endless = async || {
            let parts = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 64 * 1024]));
            Body::from_stream(parts)
        };
        let app = Router::new().route("/", get(endless)).layer(from_fn(answer_on_one_task));
        let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
