//! The program itself: what commands print, and how a bad setting is refused.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "command_line/catalogues.rs"]
mod catalogues;
mod common;

use common::command::{ANN, Installation, database, refused, run, scrip};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

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
    let mut grant = scrip(folder.path());
    let granted = run(grant.args(["credits", "grant", "--user", ANN, "--amount", "40"]), "");
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
    assert!(server.wait().unwrap().success());
}

#[test]
fn without_its_key_the_history_is_not_touched_until_a_new_chain_is_begun() {
    let site = Installation::new("mvp");
    let key = site.folder.path().join("chain.key");
    let first = std::fs::read_to_string(&key).unwrap();
    assert_eq!(site.balance(), 100);

    std::fs::remove_file(&key).unwrap();
    let grant = ["credits", "grant", "--user", ANN, "--amount", "40"];
    let said = site.fails(1, &grant);
    assert!(said.contains("key of the history's chain is missing") && said.contains("scrip chain renew"), "{said}");
    assert!(!key.exists(), "a new key was made for an old history");
    site.fails(1, &["reconcile"]);

    std::fs::write(&key, format!("{}\n", "5c".repeat(32))).unwrap();
    let said = site.fails(1, &grant);
    assert!(said.contains("holds another key"), "{said}");
    std::fs::write(&key, "no key").unwrap();
    assert!(site.fails(1, &grant).contains("holds no key"));

    // The right one again, under another name.
    let elsewhere = site.folder.path().join("elsewhere");
    std::fs::write(&elsewhere, &first).unwrap();
    std::fs::remove_file(&key).unwrap();
    let mut command = site.command(&["reconcile"]);
    assert!(run(command.env("SCRIP_CHAIN_KEY_FILE", &elsewhere), "").status.success());

    assert!(site.fails(2, &["chain", "renew"]).contains("--yes"));
    let said = site.text(&["chain", "renew", "--yes"]);
    assert!(said.contains("over 1 account; rows of history: 1."), "{said}");
    assert_ne!(std::fs::read_to_string(&key).unwrap(), first);
    site.text(&grant);
    assert_eq!(site.balance(), 140);
    site.assert_books_balance();
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        "serve",
        "migrate",
        "preset list",
        "preset show",
        "preset apply",
        "users create",
        "users promote",
        "users demote",
        "users set-password",
        "users list",
        "keys create",
        "keys revoke",
        "keys list",
        "credits grant",
        "credits charge",
        "credits show",
        "credits backfill",
        "credits clawback",
        "reset run",
        "reset undo",
        "chain renew",
        "export",
        "reconcile",
    ] {
        let mut command = scrip(folder.path());
        let output = run(command.args(path.split(' ')).arg("--help"), "");
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && help.contains(&format!("Usage: scrip {path}")), "{path}: {help}");
        assert!(!help.starts_with("Usage"), "{path} says nothing of what it does");
    }
    let help = run(scrip(folder.path()).arg("--help"), "");
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes: 0 where it is done"));
}

#[test]
fn people_are_found_by_a_part_of_their_address() {
    let site = Installation::new("creator");
    let found = site.json(&["users", "list", "--search", "ann@"]);
    let ann = &found["users"][0];
    assert_eq!((&ann["email"], &ann["balance"], &ann["role"]), (&json!(ANN), &json!(60), &json!("user")));
    assert!(site.text(&["users", "list"]).contains("ann@example.com (ann): 60 credits, Free"));
    assert_eq!(site.json(&["users", "list", "--search", "bob"]), json!({ "users": [] }));
}

#[test]
fn an_administrator_is_made_and_made_ordinary_again() {
    let site = Installation::new("creator");
    let role = || site.json(&["users", "list"])["users"][0]["role"].clone();
    assert_eq!(site.json(&["users", "promote", "--email", ANN]), json!({ "email": ANN, "role": "admin" }));
    assert_eq!(role(), "admin");
    assert!(site.text(&["users", "demote", "--email", ANN]).contains("no administrator any more"));
    assert_eq!(role(), "user");
    assert!(site.fails(1, &["users", "demote", "--email", "bob@example.com"]).contains("Nobody has signed up"));
}

#[test]
fn a_key_is_printed_once_and_only_its_hash_is_kept() {
    let site = Installation::new("creator");
    let made = site.json(&["keys", "create", "--user", ANN, "--label", "billing"]);
    let (id, secret) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(secret.starts_with("scrip_"), "{secret}");
    assert!(site.keeps(id), "the files were not read where the key is");
    assert!(!site.keeps(secret) && !site.keeps(secret.trim_start_matches("scrip_")));
    let listed = site.json(&["keys", "list", "--user", ANN]);
    assert_eq!((&listed["keys"][0]["id"], &listed["keys"][0]["label"]), (&json!(id), &json!("billing")));
    assert!(!listed.to_string().contains(secret));
    assert!(site.text(&["keys", "create", "--user", ANN]).contains("shown this once"));
}

#[test]
fn a_service_key_has_the_scopes_that_were_named() {
    let site = Installation::new("creator");
    site.json(&["keys", "create", "--service", "--expires-in-days", "30"]);
    site.json(&["keys", "create", "--service", "--scopes", "accounts:read", "--label", "reader"]);
    let listed = site.json(&["keys", "list"]);
    let keys = listed["keys"].as_array().unwrap();
    let scopes_of = |label: &str| &keys.iter().find(|key| key["label"] == label).unwrap()["scopes"];
    assert_eq!(scopes_of("reader"), &json!(["accounts:read"]));
    assert_eq!(scopes_of("command line"), &json!(["accounts:read", "accounts:write"]));
    assert!(keys.iter().any(|key| key["expires_at"].is_string()) && keys.len() == 2, "{listed}");
    let words = site.fails(2, &["keys", "create", "--service", "--scopes", "accounts:read,everything"]);
    assert!(words.contains("the scopes are accounts:read and accounts:write"), "{words}");
    site.fails(2, &["keys", "create", "--service", "--user", ANN]);
    site.fails(2, &["keys", "create"]);
    let nobody = site.fails(1, &["keys", "create", "--user", "bob@example.com"]);
    assert!(nobody.contains("Nobody has signed up as bob@example.com."), "{nobody}");
}

#[test]
fn a_key_ends_when_it_is_told_to() {
    let site = Installation::new("creator");
    site.json(&["keys", "create", "--user", ANN, "--expires", "2099-01-31T00:00:00Z"]);
    let listed = site.json(&["keys", "list", "--user", ANN]);
    assert_eq!(listed["keys"][0]["expires_at"], "2099-01-31T00:00:00Z");
    let words = site.fails(1, &["keys", "create", "--user", ANN, "--expires", "2020-01-31T00:00:00Z"]);
    assert!(words.contains("ends in the future"), "{words}");
    site.fails(2, &["keys", "create", "--user", ANN, "--expires", "tomorrow"]);
}

#[test]
fn a_key_is_revoked_once() {
    let site = Installation::new("creator");
    let made = site.json(&["keys", "create", "--user", ANN]);
    let id = made["id"].as_str().unwrap();
    let revoked_at = || site.json(&["keys", "list", "--user", ANN])["keys"][0]["revoked_at"].clone();
    assert!(revoked_at().is_null());
    assert_eq!(site.json(&["keys", "revoke", id]), json!({ "id": id, "revoked": true }));
    assert!(revoked_at().is_string());
    assert!(site.fails(1, &["keys", "revoke", id]).contains("or it was revoked before"));
}

#[test]
fn credits_are_granted_charged_and_shown() {
    let site = Installation::new("creator");
    let grant = ["credits", "grant", "--user", ANN, "--amount", "40", "--source", "promotion", "--reference", "spring"];
    let granted = site.json(&grant);
    let expected = json!({
        "transaction": 2, "type": "credit", "amount": 40, "balance_before": 60, "balance_after": 100,
        "available": 100, "held": 0, "debt": 0,
    });
    assert_eq!(granted, expected);
    assert!(site.fails(1, &grant).contains("granted already, as grant 2"));
    let charged = site.json(&["credits", "charge", "--user", ANN, "--amount", "30"]);
    assert_eq!((&charged["amount"], &charged["balance_after"]), (&json!(-30), &json!(70)));
    let by_feature = ["credits", "charge", "--user", ANN, "--feature", "text-to-image", "--units", "2"];
    assert!(site.text(&by_feature).contains("Charged ann@example.com 10 credits, as transaction 4."));
    let shown = site.json(&["credits", "show", "--user", ANN]);
    assert_eq!((&shown["balance"], &shown["held"], &shown["debt"]), (&json!(60), &json!(0), &json!(0)));
    assert_eq!(shown["by_source"], json!({ "signup": 20, "promotion": 40 }));
    let (newest, count) = (&shown["transactions"][0], shown["transactions"].as_array().unwrap().len());
    assert_eq!((&newest["feature"], &newest["actor"], count), (&json!("text-to-image"), &json!("system"), 4));
    assert!(site.text(&["credits", "show", "--user", ANN]).contains("ann@example.com has 60 credits"));
    site.assert_books_balance();
}

#[test]
fn a_change_with_a_key_happens_once_and_is_answered_alike() {
    let site = Installation::new("creator");
    let grant =
        |amount| ["credits", "grant", "--user", ANN, "--amount", amount, "--idempotency-key", "payday", "--json"];
    assert_eq!(site.text(&grant("40")), site.text(&grant("40")));
    assert_eq!(site.balance(), 100);
    let again = site.text(&grant("40")[..8]);
    assert!(again.contains("Gave ann@example.com 40 credits") && again.contains("nothing was changed now"), "{again}");
    assert!(site.fails(1, &grant("41")).contains("used for another request"));
    let charge = ["credits", "charge", "--user", ANN, "--amount", "10", "--idempotency-key", "rent", "--json"];
    assert_eq!(site.text(&charge), site.text(&charge));
    assert_eq!(site.balance(), 90);
}

#[test]
fn what_an_account_does_not_have_is_not_spent() {
    let site = Installation::new("creator");
    let words = site.fails(1, &["credits", "charge", "--user", ANN, "--amount", "500"]);
    assert!(words.contains("This takes 500 credits, and 60 are available."), "{words}");
    let unknown = site.fails(1, &["credits", "charge", "--user", ANN, "--feature", "telepathy"]);
    assert!(unknown.contains("The feature telepathy has no price"), "{unknown}");
    for arguments in [
        &["credits", "charge", "--user", ANN] as &[&str],
        &["credits", "charge", "--user", ANN, "--amount", "0"],
        &["credits", "charge", "--user", ANN, "--amount", "-5"],
        &["credits", "charge", "--user", ANN, "--amount", "5", "--feature", "upscale"],
        &["credits", "grant", "--user", ANN, "--amount", "5", "--source", "signup"],
        &["credits", "grant", "--user", ANN, "--amount", "5", "--expires-at", "tomorrow"],
    ] {
        site.fails(2, arguments);
    }
    let ended = ["credits", "grant", "--user", ANN, "--amount", "5", "--expires-at", "2020-01-01T00:00:00Z"];
    assert!(site.fails(1, &ended).contains("has to end in the future"));
    assert_eq!(site.balance(), 60);
}

#[test]
fn a_clawback_takes_what_is_left_and_the_rest_is_owed() {
    let site = Installation::new("creator");
    site.json(&["credits", "grant", "--user", ANN, "--amount", "100", "--source", "purchase", "--reference", "A-7"]);
    site.json(&["credits", "charge", "--user", ANN, "--amount", "130"]);
    let clawback =
        |grant| ["credits", "clawback", "--user", ANN, "--grant", grant, "--reason", "The payment was returned"];
    let missing = site.fails(1, &clawback("3"));
    assert!(missing.contains("ann@example.com has no grant 3."), "{missing}");
    let taken = site.json(&clawback("2"));
    assert_eq!((&taken["amount"], &taken["available"], &taken["debt"]), (&json!(-30), &json!(0), &json!(70)));
    site.fails(1, &clawback("2"));
    assert!(site.text(&["reconcile"]).contains("70 owed"));
}

#[test]
fn sound_books_are_told_with_their_numbers() {
    let site = Installation::new("creator");
    site.json(&["credits", "charge", "--user", ANN, "--amount", "10"]);
    let books = site.json(&["reconcile"]);
    assert_eq!((&books["ok"], &books["accounts"], &books["balance"]), (&json!(true), &json!(1), &json!(50)));
    assert_eq!((&books["totals"]["granted"], &books["totals"]["consumed"]), (&json!(60), &json!(10)));
    assert_eq!((&books["flaws"], &books["rows"]), (&json!([]), &json!(2)));
    let equation = "60 granted + 0 restored = 50 remaining + 10 consumed - 0 refunded + 0 expired + 0 taken back";
    assert!(site.text(&["reconcile"]).contains(equation));
}

#[tokio::test]
async fn a_balance_that_was_forced_is_named() {
    use sqlx::Connection;
    let site = Installation::new("creator");
    let mut connection = sqlx::SqliteConnection::connect(&site.url).await.unwrap();
    for forced in ["DROP TRIGGER accounts_number_rises", "UPDATE accounts SET balance = 500"] {
        sqlx::query(forced).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let output = site.output(&["reconcile", "--json"]);
    let books: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &books["ok"]), (Some(1), &json!(false)));
    assert!(books["flaws"][0].as_str().unwrap().starts_with("account 1: the balance is 500"), "{books}");
    let output = site.output(&["reconcile"]);
    let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("account 1: the balance is 500") && words.contains("do not balance"), "{said}{words}");
}

#[test]
fn a_reset_needs_a_yes_and_can_be_tried_without_changing_anything() {
    let site = Installation::new("dual");
    site.json(&["credits", "charge", "--user", ANN, "--amount", "20"]);
    let words = site.fails(2, &["reset", "run"]);
    assert!(words.contains("This begins the monthly credits of 1 account anew.") && words.contains("--yes"), "{words}");
    let dry = json!({ "run": null, "changed": 0, "skipped": 0, "dry_run": true, "accounts": 1 });
    assert_eq!(site.json(&["reset", "run", "--dry-run"]), dry);
    assert!(site.text(&["reset", "run", "--user", ANN, "--dry-run"]).contains("Nothing was changed."));
    assert_eq!(site.json(&["reset", "run", "--plan", "pro", "--dry-run"])["accounts"], 0);
    assert!(site.fails(1, &["reset", "run", "--plan", "gold", "--yes"]).contains("There is no plan gold."));
    assert!(site.fails(1, &["reset", "undo", "nothing", "--yes"]).contains("There was no reset run nothing"));
    assert_eq!(site.balance(), 30);
}

#[test]
fn a_reset_is_reversed_exactly_and_once() {
    let site = Installation::new("dual");
    site.json(&["credits", "charge", "--user", ANN, "--amount", "20"]);
    let report = site.json(&["reset", "run", "--yes"]);
    assert_eq!((&report["changed"], &report["skipped"], site.balance()), (&json!(1), &json!(0), 50));
    let name = report["run"].as_str().unwrap();
    assert_eq!(site.json(&["reset", "run", "--run", name, "--dry-run"])["accounts"], 0);
    let again = site.json(&["reset", "run", "--run", name, "--yes"]);
    assert_eq!(again, json!({ "run": name, "changed": 0, "skipped": 1 }), "no account is reset twice in one run");
    site.fails(2, &["reset", "undo", name]);
    assert_eq!(site.json(&["reset", "undo", name, "--dry-run"])["accounts"], 1);
    assert_eq!(site.balance(), 50);
    let undone = site.json(&["reset", "undo", name, "--yes"]);
    assert_eq!((undone, site.balance()), (json!({ "run": name, "changed": 1, "skipped": 0 }), 30));
    let again = site.json(&["reset", "undo", name, "--yes"]);
    assert_eq!((again, site.balance()), (json!({ "run": name, "changed": 0, "skipped": 1 }), 30));
    site.assert_books_balance();
}

#[test]
fn what_was_spent_of_a_reset_is_taken_back_with_it() {
    let site = Installation::new("dual");
    site.json(&["credits", "charge", "--user", ANN, "--amount", "20"]);
    site.json(&["reset", "run", "--user", ANN, "--run", "november", "--yes"]);
    site.json(&["credits", "charge", "--user", ANN, "--amount", "5"]);
    site.json(&["reset", "undo", "november", "--yes"]);
    let shown = site.json(&["credits", "show", "--user", ANN]);
    assert_eq!((&shown["balance"], &shown["debt"]), (&json!(25), &json!(0)), "as if the reset had never been");
    site.assert_books_balance();
}

/// Lines of JSON, as `export` writes them.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn commands_work_on_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let site = Installation { folder, url: common::postgres::new_database(), preset: "creator" };
    assert!(site.text(&["migrate"]).contains("is up to date"));
    let site = site.with_ann();
    let granted = site.json(&["credits", "grant", "--user", ANN, "--amount", "40"]);
    assert_eq!((&granted["transaction"], &granted["balance_after"]), (&json!(2), &json!(100)));
    let made = site.json(&["keys", "create", "--user", ANN]);
    site.json(&["keys", "revoke", made["id"].as_str().unwrap()]);
    assert_eq!(site.json(&["preset", "apply", "mvp", "--yes"])["version"], 2);
    assert_eq!(lines(&site.text(&["export", "--json"])).len(), 2);
    let changed = run(&mut site.command(&["users", "set-password", "--email", ANN]), "another horse battery");
    assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    let books = site.json(&["reconcile"]);
    assert_eq!((&books["ok"], &books["balance"], &books["flaws"]), (&json!(true), &json!(100), &json!([])));
}
