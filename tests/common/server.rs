//! The real server on a free port with a database of its own, and those who call it.

use super::{CHAIN_KEY, Engine, chain_key, postgres};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use scrip::domain::access::Scopes;
use scrip::domain::identity::{Email, Role};
use scrip::domain::{ApiKeyId, Timestamp};
use scrip::server::clock::{Clock, SystemClock};
use scrip::server::config::{Config, Mode, Payments};
use scrip::server::services::{KeyHolder, SignUpForm};
use scrip::server::start::{Core, Running};
use scrip::server::store::{Books, DatabaseUrl, LedgerStore, SqlStore};
use serde_json::Value;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const PASSWORD: &str = "correct horse battery";
/// Longer than any limit of the server: what hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);
const OWN_BALANCE: &str = "/api/credits/balance";

/// A server of its own, on a port of its own, with a database of its own.
pub struct TestServer {
    pub base: String,
    pub folder: TempDir,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
    pub database: DatabaseUrl,
    /// A key with all scopes.
    pub service_key: String,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_on(engine: Engine) -> Self {
        Self::start_with(|config| {
            if let Engine::Postgres = engine {
                config.database = DatabaseUrl::Postgres(postgres::new_database());
            }
        })
        .await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with_clock(Arc::new(SystemClock), change).await
    }

    /// By a clock of the test's.
    pub async fn start_with_clock(clock: Arc<dyn Clock>, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config_in(&folder);
        change(&mut config);
        let core = Core::open_with_clock(&config, clock).await.unwrap();
        let admin = SignUpForm::parse("admin@example.com", "Admin", PASSWORD.into()).unwrap();
        core.services.create_user(admin, Role::Admin).await.unwrap();
        let scopes = Scopes::parse("accounts:read,accounts:write").unwrap();
        let made = core.services.make_api_key(KeyHolder::Service(scopes), "tests", None, "system").await.unwrap();
        Self::serve(core, config, folder, made.1).await
    }

    /// Another program on a database that is there.
    pub async fn start_again(database: DatabaseUrl) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { database, ..config_in(&folder) };
        let core = Core::open(&config).await.unwrap();
        Self::serve(core, config, folder, String::new()).await
    }

    async fn serve(core: Core, config: Config, folder: TempDir, service_key: String) -> Self {
        let running = Running::assemble(core, &config).await.unwrap();
        let listener = TcpListener::bind(config.site_addr).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(running.serve(listener, stop.clone()));
        Self { base, folder, stop, serving, database: config.database, service_key }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }

    /// A second way into the same database.
    pub async fn open_store(&self) -> SqlStore {
        SqlStore::open(&self.database).await.unwrap().with_chain_key(chain_key())
    }

    /// Fails where any account does not agree with its history.
    pub async fn assert_books_balance(&self) -> Books {
        let books = self.open_store().await.check_books().await.unwrap();
        assert!(books.balance_out(), "{:#?}", books.flaws);
        books
    }

    /// Makes a key for someone who has signed up.
    pub async fn personal_key(&self, email: &str) -> String {
        self.make_key(KeyHolder::Person(Email::parse(email).unwrap())).await.1
    }

    /// Makes a service key with these scopes only; gives its id and its secret.
    pub async fn service_key_with(&self, scopes: &str) -> (ApiKeyId, String) {
        self.make_key(KeyHolder::Service(Scopes::parse(scopes).unwrap())).await
    }

    async fn make_key(&self, holder: KeyHolder) -> (ApiKeyId, String) {
        let core = self.open_core().await;
        let made = core.services.make_api_key(holder, "tests", None, "system").await.unwrap();
        core.close().await;
        made
    }

    /// Makes a service key with all scopes that ends at that moment; gives its secret.
    pub async fn service_key_until(&self, end: &str) -> String {
        let core = self.open_core().await;
        let holder = KeyHolder::Service(Scopes::parse("accounts:read,accounts:write").unwrap());
        let end = Timestamp::parse_rfc3339(end);
        let made = core.services.make_api_key(holder, "tests", end, "system").await.unwrap();
        core.close().await;
        made.1
    }

    pub async fn revoke(&self, id: &ApiKeyId) {
        let core = self.open_core().await;
        core.services.revoke_api_key(id, "system").await.unwrap();
        core.close().await;
    }

    /// As a command does that runs beside the server.
    pub async fn open_core(&self) -> Core {
        Core::open(&Config { database: self.database.clone(), ..config_in(&self.folder) }).await.unwrap()
    }
}

pub fn config_in(folder: &TempDir) -> Config {
    let site_root = folder.path().join("site");
    std::fs::create_dir_all(site_root.join("pkg")).unwrap();
    std::fs::write(site_root.join("robots.txt"), "User-agent: *\n").unwrap();
    let chain_key_file = folder.path().join("chain.key");
    std::fs::write(&chain_key_file, CHAIN_KEY).unwrap();
    Config {
        database: DatabaseUrl::Sqlite(folder.path().join("scrip.db")),
        media_dir: folder.path().join("media"),
        chain_key_file,
        site_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        site_root,
        mode: Mode::Development,
        payments: Payments::Demo,
        grace_days: 7,
        stripe: None,
        public_url: None,
        preset: "creator".into(),
        signup_credits: None,
        calls_per_second: NonZeroU32::new(100).unwrap(),
        service_calls_per_second: None,
        first_admin: None,
        gateway: Vec::new(),
        generator: None,
    }
}

/// Someone with a browser's cookies, who does not follow redirects by themselves.
pub struct Visitor<'a> {
    pub server: &'a TestServer,
    pub client: Client,
}

impl<'a> Visitor<'a> {
    pub fn new(server: &'a TestServer) -> Self {
        let client = Client::builder().cookie_store(true).redirect(Policy::none()).timeout(PATIENCE).build().unwrap();
        Self { server, client }
    }

    pub async fn signed_up(server: &'a TestServer, email: &str) -> Self {
        let visitor = Self::new(server);
        let answer = visitor.send("sign_up", &[("name", "Ann"), ("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
        visitor
    }

    pub async fn admin(server: &'a TestServer) -> Self {
        let visitor = Self::new(server);
        let answer = visitor.send("sign_in", &[("email", "admin@example.com"), ("password", PASSWORD)]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        visitor
    }

    /// Calls a server function as the browser's program does.
    pub async fn send(&self, function: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(self.server.url(&format!("/fn/{function}"))).form(form);
        request.header(ACCEPT, "application/json").send().await.unwrap()
    }

    /// Sends a form as a browser without JavaScript does.
    pub async fn submit(&self, function: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(self.server.url(&format!("/fn/{function}"))).form(form);
        request.header(ACCEPT, "text/html").send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.server.url(path)).header(ACCEPT, "text/html").send().await.unwrap()
    }

    pub async fn load(&self, function: &str) -> Value {
        let request = self.client.get(self.server.url(&format!("/fn/{function}")));
        request.header(ACCEPT, "application/json").send().await.unwrap().json().await.unwrap()
    }

    pub async fn available(&self) -> i64 {
        self.load("load_session").await["user"]["balance"]["available"].as_i64().unwrap()
    }
}

/// A program that calls the machine interface.
#[derive(Clone)]
pub struct Program {
    base: String,
    pub key: Option<String>,
    client: Client,
}

/// What a program was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub text: String,
    pub content_type: String,
    pub replayed: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn number(&self, pointer: &str) -> i64 {
        self.json().pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
    }

    /// Of a balance: what is available and what is held.
    fn balance(&self) -> (i64, i64) {
        (self.number("/available"), self.number("/held"))
    }

    pub fn word(&self, pointer: &str) -> String {
        let json = self.json();
        json.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {self:?}")).to_owned()
    }

    pub fn code(&self) -> String {
        self.word("/code")
    }
}

impl Program {
    pub fn with_key(server: &TestServer, key: Option<&str>) -> Self {
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        Self { base: server.base.clone(), key: key.map(str::to_owned), client }
    }

    /// One that acts for any account.
    pub fn service(server: &TestServer) -> Self {
        Self::with_key(server, Some(&server.service_key))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    /// Asks until it is answered so: what another program changed is noticed within a second.
    pub async fn get_until(&self, path: &str, status: StatusCode) -> Answer {
        self.get_until_it(path, |answer| answer.status == status).await
    }

    /// Asks until the answer is as it should be.
    pub async fn get_until_it(&self, path: &str, is_there: impl Fn(&Answer) -> bool) -> Answer {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.get(path).await;
            if is_there(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays {answer:?}");
            tokio::task::yield_now().await;
        }
    }

    /// What the caller's account has available and held.
    pub async fn balance(&self) -> (i64, i64) {
        self.get(OWN_BALANCE).await.balance()
    }

    /// Waits until nothing is held and so much is available: what happens after an answer is settled beside it.
    pub async fn expect_balance(&self, available: i64) {
        self.get_until_it(OWN_BALANCE, |answer| answer.balance() == (available, 0)).await;
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Method::POST, path, Some(body), None).await
    }

    pub async fn post_once(&self, path: &str, body: &str, key: &str) -> Answer {
        self.send(Method::POST, path, Some(body), Some(key)).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&str>, once: Option<&str>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(once) = once {
            request = request.header("Idempotency-Key", once);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let (content_type, replayed) = (header("content-type").unwrap_or_default(), header("idempotent-replayed"));
        let status = response.status();
        let replayed = replayed.as_deref() == Some("true");
        Answer { status, text: response.text().await.unwrap(), content_type, replayed }
    }

    /// Makes an account with its first 60 credits and gives its id.
    pub async fn make_account(&self, email: &str) -> String {
        let made = self.post("/api/accounts", &format!(r#"{{"email":"{email}"}}"#)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.word("/id")
    }

    pub async fn available(&self, account: &str) -> i64 {
        self.get(&format!("/api/accounts/{account}/credits/balance")).await.number("/available")
    }
}
