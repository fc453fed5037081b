//! The program itself: what commands print, and how a bad setting is refused.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn scrip(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip"));
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn refused(command: &mut Command, input: &str) -> String {
    let output = run(command, input);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn database(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("scrip.db").display())
}

#[test]
fn a_person_is_made_with_a_password_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["users", "create", "--email", "Ann@example.com", "--admin", "--json"];
    let create = || {
        let mut command = scrip(folder.path());
        command.args(arguments).env("DATABASE_URL", database(&folder));
        command
    };
    let made = run(&mut create(), "correct horse battery\n");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let json: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((json["email"].as_str(), json["role"].as_str()), (Some("ann@example.com"), Some("admin")));
    assert_eq!(json["id"].as_str().unwrap().len(), 20);
    assert!(refused(&mut create(), "correct horse battery").contains("has an account already"));
}

#[test]
fn what_is_wrong_with_a_person_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let create = |email: &str, password: &str| {
        let mut command = scrip(folder.path());
        refused(command.args(["users", "create", "--email", email]), password)
    };
    assert!(create("nobody", "correct horse battery").contains("not an e-mail address"));
    assert!(create("ann@example.com", "short").contains("at least 8 characters"));
    let mut promote = scrip(folder.path());
    let words = refused(promote.args(["users", "promote", "--email", "ann@example.com"]), "");
    assert!(words.contains("Nobody has signed up as ann@example.com."), "{words}");
}

#[test]
fn a_bad_setting_stops_the_start_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value, words) in [
        ("DATABASE_URL", "sqlite:///nowhere/at/all/scrip.db", "there is no folder /nowhere/at/all"),
        ("DATABASE_URL", "mysql://localhost/scrip", "has to start with sqlite://"),
        ("SCRIP_SINGUP_CREDITS", "100", "SCRIP_SINGUP_CREDITS is not a setting"),
        ("SCRIP_SIGNUP_CREDITS", "-1", "above zero"),
        ("SCRIP_MODE", "staging", "possible values: development, production"),
        ("SCRIP_MODE", "production", "SCRIP_PUBLIC_URL has to be set"),
        ("SCRIP_PRESET", "nothing", "there is no preset `nothing`"),
        ("SCRIP_LOG", "=,=", "SCRIP_LOG cannot be understood"),
        ("SCRIP_CONFIG", "missing.toml", "cannot be read"),
        ("LEPTOS_SITE_ADDR", "anywhere", "invalid socket address"),
    ] {
        let said = refused(scrip(folder.path()).arg("serve").env(name, value), "");
        assert!(said.contains(words), "{name}={value}: {said}");
    }
    let mut unsafe_payments = scrip(folder.path());
    unsafe_payments.envs([
        ("SCRIP_MODE", "production"),
        ("SCRIP_PAYMENTS", "demo"),
        ("SCRIP_PUBLIC_URL", "https://x.example"),
    ]);
    assert!(refused(unsafe_payments.arg("serve"), "").contains("gives credits away"));
}

#[test]
fn a_file_of_settings_gives_way_to_the_environment_and_names_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scrip.toml");
    std::fs::write(&file, "SCRIP_MODE = \"staging\"\n").unwrap();
    let with_file = || {
        let mut command = scrip(folder.path());
        command.args(["migrate", "--config"]).arg(&file);
        command
    };
    assert!(!run(&mut with_file(), "").status.success(), "the file's value was not used");
    assert!(run(with_file().env("SCRIP_MODE", "development"), "").status.success());
    std::fs::write(&file, "SCRIP_MODES = \"development\"\n").unwrap();
    assert!(refused(&mut with_file(), "").contains("SCRIP_MODES in"));
}

#[test]
fn it_serves_from_any_folder_and_a_signal_ends_it_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = scrip(folder.path())
        .arg("serve")
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("Scrip is at http://127.0.0.1:"), "{first}");
    assert!(folder.path().join("data/scrip.db").is_file(), "the default data folder was not made");
    // Commands work while it runs.
    let mut create = scrip(folder.path());
    let made = run(create.args(["users", "create", "--email", "ann@example.com"]), "correct horse battery");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
    assert!(server.wait().unwrap().success());
}
