//! The built program: started, called, stopped and killed. It is given a database and settings, and nothing else of
//! this process.

use super::PATIENCE;
use super::common::server::Answer;
use super::common::{Engine, postgres};
use super::journal::Request;
use reqwest::{Client, Error, StatusCode};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// A database of its own, and the program for it.
pub struct Site {
    pub folder: TempDir,
    pub database: String,
}

impl Site {
    pub fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("site/pkg")).unwrap();
        let database = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("scrip.db").display()),
            Engine::Postgres => postgres::new_database(),
        };
        Self { folder, database }
    }

    pub fn with_settings(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("DATABASE_URL", &self.database).env("LEPTOS_SITE_ADDR", "127.0.0.1:0");
        command.env("LEPTOS_SITE_ROOT", self.folder.path().join("site")).env("SCRIP_LOG", "error");
        command
    }

    fn program(&self) -> Command {
        self.with_settings(Command::new(env!("CARGO_BIN_EXE_scrip")))
    }

    /// What a command prints for programs.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.program().args(arguments).arg("--json").output().unwrap();
        let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said} {words}");
        serde_json::from_str(&said).unwrap()
    }

    /// The same of a command that may find something wrong.
    pub fn json_of_any_end(&self, arguments: &[&str]) -> Value {
        let output = self.program().args(arguments).arg("--json").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub fn make_service_key(&self) -> String {
        self.json(&["keys", "create", "--service"])["key"].as_str().unwrap().to_owned()
    }

    pub async fn serve(&self) -> Server {
        let mut command = self.program();
        command.arg("serve");
        Server::start(command).await
    }
}

/// The program while it serves. A test that fails leaves none behind.
pub struct Server {
    pub process: Child,
    pub base: String,
    /// Open for as long as it may print.
    _output: BufReader<ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    pub async fn start(mut command: Command) -> Self {
        let spawned = command.stdout(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| {
            let name = command.get_program();
            panic!("{name:?} cannot be run: {error}. `scripts/setup.sh test` installs what tests need.")
        });
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let first_line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| (line, output))
        });
        let Ok(first_line) = timeout(PATIENCE, first_line).await else {
            process.kill().unwrap();
            panic!("it does not start");
        };
        let (line, output) = first_line.unwrap().unwrap();
        let base = line.trim().strip_prefix("Scrip is at ").unwrap_or_default().to_owned();
        let server = Self { process, base, _output: output };
        assert!(!server.base.is_empty(), "it does not serve: {line:?}");
        server
    }

    /// SIGKILL: it cannot be caught, so nothing is finished and nothing is said.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Lets it finish what is under way.
    pub async fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.process.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not stop"),
            }
            sleep(Duration::from_millis(10)).await;
        };
        assert!(status.success(), "{status}");
    }
}

/// Who calls, with a service key.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    secret: String,
    base: String,
}

impl Caller {
    pub fn new(secret: &str, server: &Server) -> Self {
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        Self { client, secret: secret.to_owned(), base: server.base.clone() }
    }

    /// Fails where the connection broke before all of an answer was there.
    pub async fn post(&self, request: &Request) -> Result<Answer, Error> {
        let answer = self.try_post(request).await;
        let hangs = answer.as_ref().is_err_and(Error::is_timeout);
        assert!(!hangs, "{request:?} hangs");
        answer
    }

    async fn try_post(&self, request: &Request) -> Result<Answer, Error> {
        let sending = self.client.post(format!("{}{}", self.base, request.path)).bearer_auth(&self.secret);
        let sending = sending.header("Idempotency-Key", &request.key).header("Content-Type", "application/json");
        let response = sending.body(request.body.clone()).send().await?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (content_type, replayed) = (header("content-type").to_owned(), header("idempotent-replayed") == "true");
        Ok(Answer { status: response.status(), content_type, replayed, text: response.text().await? })
    }

    /// Sends them all at once; each has to be answered.
    pub async fn post_all(&self, requests: Vec<(usize, Request)>) -> Vec<(usize, Answer)> {
        let mut posts = JoinSet::new();
        for (number, request) in requests {
            let caller = self.clone();
            posts.spawn(async move { (number, caller.post(&request).await.unwrap()) });
        }
        posts.join_all().await
    }

    pub async fn get(&self, path: &str) -> Value {
        let sending = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.secret);
        sending.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Makes an account and gives its id.
    pub async fn make_account(&self, name: &str) -> String {
        let body = json!({ "email": format!("{name}@example.com") }).to_string();
        let request = Request { key: name.to_owned(), path: "/api/accounts".to_owned(), body };
        let answer = self.post(&request).await.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.word("/id")
    }
}
