//! A real HTTP server of somebody else's, for tests: it does what it is told and remembers what it was sent.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What it saw, and what it waits for.
#[derive(Default)]
pub struct Seen {
    requests: Mutex<Vec<Received>>,
    /// Told when a request that hangs has arrived.
    pub arrived: Notify,
    /// Hanging requests go on when told.
    pub go_on: Notify,
}

pub struct OtherServer {
    pub base: String,
    pub seen: Arc<Seen>,
    serving: JoinHandle<()>,
}

impl Drop for OtherServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl OtherServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen::default());
        let app = axum::Router::new().fallback(answer).with_state(seen.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, seen, serving }
    }

    pub fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }
}

/// The last part of the path says what to do.
async fn answer(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let deed = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    if deed == "echo" {
        let answer = Response::builder().header("content-type", "text/plain").header("set-cookie", "theirs=1");
        return answer.body(body).unwrap();
    }
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = parts.uri.path_and_query().unwrap().to_string();
    let received = Received { method: parts.method, path, headers: parts.headers, body };
    seen.requests.lock().unwrap().push(received);
    match deed.as_str() {
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, "the upstream's own words").into_response(),
        "teapot" => (StatusCode::IM_A_TEAPOT, "short and stout").into_response(),
        "away" => (StatusCode::FOUND, [("location", "http://169.254.169.254/")]).into_response(),
        "hang" => {
            seen.arrived.notify_one();
            seen.go_on.notified().await;
            "late".into_response()
        }
        "half" => Body::from_stream(half()).into_response(),
        "endless" => Body::from_stream(endless()).into_response(),
        "stall" => Body::from_stream(stall()).into_response(),
        "huge" => ([("content-length", "99999999999")], Body::from_stream(endless())).into_response(),
        "picture" => ([("content-type", "image/png")], Bytes::from_static(b"\x89PNG\r\n\x1a\n...")).into_response(),
        "page" => ([("content-type", "text/html")], "<script>alert(1)</script>").into_response(),
        "text" => axum::Json(serde_json::json!({ "text": "forty-two" })).into_response(),
        "sound" => axum::Json(serde_json::json!({ "content_type": "audio/mpeg", "data": "SUQz" })).into_response(),
        _ => axum::Json(serde_json::json!({ "at": deed })).into_response(),
    }
}

type Parts = Result<Bytes, std::io::Error>;

/// Some bytes, and then the connection breaks.
fn half() -> impl futures_util::Stream<Item = Parts> {
    let parts = [Ok(Bytes::from_static(b"the first half")), Err(std::io::Error::other("broken"))];
    futures_util::stream::iter(parts)
}

/// Bytes for ever.
fn endless() -> impl futures_util::Stream<Item = Parts> {
    futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 16 * 1024])))
}

/// Some bytes, and then nothing.
fn stall() -> impl futures_util::Stream<Item = Parts> {
    use futures_util::StreamExt;
    let first = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"and then"))]);
    first.map(|part| Ok(part.unwrap())).chain(futures_util::stream::pending())
}
