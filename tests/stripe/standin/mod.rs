//! A server that speaks Stripe's protocol over real HTTP, as far as Scrip uses it: objects with their rules, idempotency
//! keys, hosted pages to pay on, and signed events. Tests drive it and see what reached it; `make stripe-local` runs it
//! for people. It is strict where Stripe is: a field that it does not know is refused.
#![allow(dead_code, unused_imports, reason = "the tests and the example each use their own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod billing;
mod checkout;
mod events;
mod fields;
mod pages;
mod schedules;
mod world;

pub use events::{Shape, sign};
pub use world::{Card, World};

use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The key that it accepts.
pub const SECRET_KEY: &str = "sk_test_standin_4eC39HqLyjWDarjtT1zdp7dc";
/// The secret that it signs events with, unless told otherwise.
pub const WEBHOOK_SECRET: &str = "whsec_standin_first";

/// Tells what time it is, in seconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How it behaves.
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where events go.
    pub webhook: Option<String>,
    /// The shape of its events; answers always have the shape of the version that the request names.
    pub shape: Shape,
    /// Sends each event by itself; else tests take them from the outbox.
    pub sends: bool,
    /// The clock.
    pub now: Now,
}

impl Default for Options {
    fn default() -> Self {
        let now = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() as i64);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, webhook: None, shape: Shape::Since2025, sends: false, now: Arc::new(now) }
    }
}

/// One request that reached it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: String,
    pub path: String,
    /// Fields of the form or of the query, in order.
    pub fields: Vec<(String, String)>,
    pub key: Option<String>,
    pub version: Option<String>,
    pub content_type: Option<String>,
}

/// What goes wrong with the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not carried out and answered with this status.
    Status(u16),
    /// It is carried out, and the answer is lost.
    LostAnswer,
}

/// What all handlers share.
pub struct Shared {
    pub world: Mutex<World>,
    pub heard: Mutex<Vec<Heard>>,
    pub faults: Mutex<VecDeque<Fault>>,
    pub webhook: Mutex<Option<String>>,
    pub secrets: Mutex<Vec<String>>,
    pub shape: Shape,
    pub base: String,
}

/// The server, as long as this value lives.
pub struct StandIn {
    pub base: String,
    shared: Arc<Shared>,
    http: reqwest::Client,
    tasks: Vec<JoinHandle<()>>,
}

impl StandIn {
    pub async fn start(options: Options) -> Self {
        let listener = TcpListener::bind(options.listen).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(options.now, base.clone())),
            heard: Mutex::default(),
            faults: Mutex::default(),
            webhook: Mutex::new(options.webhook),
            secrets: Mutex::new(vec![WEBHOOK_SECRET.to_owned()]),
            shape: options.shape,
            base: base.clone(),
        });
        let app = api::router(shared.clone());
        let mut tasks = vec![tokio::spawn(async move { axum::serve(listener, app).await.unwrap() })];
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        if options.sends {
            tasks.push(tokio::spawn(events::send_all(shared.clone(), http.clone())));
        }
        Self { base, shared, http, tasks }
    }

    /// What it holds, to look at or to change as time and banks do.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }

    /// Where events go from now on.
    pub fn send_to(&self, webhook: &str) {
        *self.shared.webhook.lock().unwrap() = Some(webhook.to_owned());
    }

    /// The secrets that events are signed with from now on; several while one is being replaced.
    pub fn sign_with(&self, secrets: &[&str]) {
        *self.shared.secrets.lock().unwrap() = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    }

    /// Lets the next requests go wrong, in this order.
    pub fn disturb(&self, faults: &[Fault]) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    /// What reached it until now.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// Takes what waits to be sent, as bodies in the order in which it happened.
    pub fn take_events(&self) -> Vec<String> {
        let events = std::mem::take(&mut self.world().outbox);
        events.into_iter().filter_map(|event| events::body(&event, self.shared.shape)).collect()
    }

    /// What waits to be sent, by the names of the events; it goes on waiting.
    pub fn waiting(&self) -> Vec<(String, String)> {
        let named = |event: &Value| Some((event["id"].as_str()?.to_owned(), events::body(event, self.shared.shape)?));
        self.world().outbox.iter().filter_map(named).collect()
    }

    /// Sends one event and returns the status of the answer.
    pub async fn send(&self, body: &str) -> u16 {
        let (url, header) = events::envelope(&self.shared, body);
        events::post(&self.http, &url.expect("a webhook"), &header, body).await.expect("an answer")
    }

    /// Sends what waits, in order; every one has to be taken.
    pub async fn send_waiting(&self) {
        for body in self.take_events() {
            let status = self.send(&body).await;
            assert!((200..300).contains(&status), "{status} for {body}");
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
