//! The program as a command: what it is given, what it prints, and with which code it ends.

use super::CHAIN_KEY;
use scrip::server::store::DatabaseUrl;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Where the key of the chain of history lies unless something else is said: beside the database.
const CHAIN_KEY_FILE: &str = "chain.key";

pub fn scrip(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip"));
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

pub fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub fn refused(command: &mut Command, input: &str) -> String {
    let output = run(command, input);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn database(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("scrip.db").display())
}

pub const ANN: &str = "ann@example.com";

/// A database that commands work on, with Ann in it, who has what its preset gives for signing up.
pub struct Installation {
    pub folder: TempDir,
    pub url: String,
    pub preset: &'static str,
}

impl Installation {
    pub fn new(preset: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = database(&folder);
        Self { folder, url, preset }.with_ann()
    }

    /// Commands on a database that another program has, with the key of the tests' chains.
    pub fn beside(database: &DatabaseUrl, preset: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CHAIN_KEY_FILE), CHAIN_KEY).unwrap();
        let url = match database {
            DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        };
        Self { folder, url, preset }
    }

    pub fn with_ann(self) -> Self {
        let made = run(&mut self.command(&["users", "create", "--email", ANN]), "correct horse battery\n");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = scrip(self.folder.path());
        command.args(arguments).env("DATABASE_URL", &self.url).env("SCRIP_PRESET", self.preset);
        command.env("SCRIP_CHAIN_KEY_FILE", self.folder.path().join(CHAIN_KEY_FILE));
        command
    }

    pub fn output(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments), "")
    }

    /// What a command prints that does its work.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, for programs.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// What a command says that does not, and exits with `code`.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
        words
    }

    pub fn balance(&self) -> i64 {
        self.json(&["credits", "show", "--user", ANN])["balance"].as_i64().unwrap()
    }

    pub fn assert_books_balance(&self) {
        assert_eq!(self.json(&["reconcile"])["ok"], true);
    }

    /// Whether any file of the database holds that text.
    pub fn keeps(&self, text: &str) -> bool {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let holds_it = |bytes: Vec<u8>| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        files.map(|file| std::fs::read(file).unwrap()).any(holds_it)
    }
}
