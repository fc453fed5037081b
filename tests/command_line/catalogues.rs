//! Commands that say what is sold, let another catalogue rule, and take the history elsewhere.

use super::common::command::{ANN, Installation, database, run, scrip};
use super::lines;
use serde_json::{Value, json};

#[test]
fn the_whole_history_of_one_or_of_all_is_exported() {
    let site = Installation::new("creator");
    let mut bob = site.command(&["users", "create", "--email", "bob@example.com"]);
    assert!(run(&mut bob, "correct horse battery").status.success());
    site.json(&["credits", "charge", "--user", ANN, "--feature", "text-to-image", "--description", "=1+1, \"two\""]);
    let all = lines(&site.text(&["export", "--json"]));
    let told: Vec<_> =
        all.iter().map(|row| (row["email"].as_str().unwrap(), row["amount"].as_i64().unwrap())).collect();
    assert_eq!(told, [(ANN, 60), (ANN, -5), ("bob@example.com", 60)]);
    let charge = &all[1];
    assert_eq!(
        (&charge["transaction"], &charge["type"], &charge["cause"]),
        (&json!(2), &json!("debit"), &json!("charge"))
    );
    assert_eq!((&charge["balance_before"], &charge["balance_after"]), (&json!(60), &json!(55)));
    assert_eq!(charge["draws"], json!([{ "grant": 1, "source": "signup", "amount": -5, "expires_at": null }]));
    assert_eq!(lines(&site.text(&["export", "--user", "bob@example.com", "--format", "jsonl"])), all[2..]);

    let file = site.folder.path().join("ann.csv");
    let to_file = ["export", "--user", ANN, "--output", file.to_str().unwrap()];
    assert_eq!(site.text(&to_file), "");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("account,email,transaction,type,cause,amount,"), "{text}");
    assert!(text.contains("\"'=1+1, \"\"two\"\"\""), "a spreadsheet would run it: {text}");
    assert_eq!(text.lines().count(), 3);
    assert!(site.fails(1, &to_file).contains("cannot be made"), "a file was written over");
}

#[test]
fn presets_are_listed_and_shown_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let text = |arguments: &[&str]| {
        let output = run(scrip(folder.path()).args(arguments).env("DATABASE_URL", "sqlite://data/none.db"), "");
        String::from_utf8(output.stdout).unwrap()
    };
    let _ = std::fs::create_dir(folder.path().join("data"));
    let listed: Value = serde_json::from_str(&text(&["preset", "list", "--json"])).unwrap();
    let names: Vec<_> = listed["presets"].as_array().unwrap().iter().map(|preset| preset["name"].clone()).collect();
    assert_eq!(names, ["creator", "subscription", "dual", "api", "mvp"]);
    assert!(text(&["preset", "list"]).contains("5,000 credits at sign-up"));
    let shown = text(&["preset", "show", "dual"]);
    std::fs::write(folder.path().join("mine.toml"), &shown).unwrap();
    assert_eq!(text(&["preset", "show", "./mine.toml"]), shown);
    let json: Value = serde_json::from_str(&text(&["preset", "show", "mvp", "--json"])).unwrap();
    assert_eq!(json["catalogue"]["signup_credits"], 100);
    assert!(!folder.path().join("data/none.db").exists());
}

#[test]
fn another_catalogue_rules_once_somebody_has_said_yes() {
    let site = Installation::new("creator");
    let words = site.fails(2, &["preset", "apply", "dual"]);
    assert!(words.contains("at sign-up: 60 credits -> 0 credits") && words.contains("--yes"), "{words}");
    let dry = site.json(&["preset", "apply", "dual", "--dry-run"]);
    assert_eq!((&dry["applied"], &dry["version"]), (&json!(false), &json!(1)));
    assert!(dry["changes"].to_string().contains("plan premium: goes"), "{dry}");
    let applied = site.json(&["preset", "apply", "dual", "--yes"]);
    assert_eq!((&applied["applied"], &applied["version"]), (&json!(true), &json!(2)));
    assert!(site.text(&["preset", "apply", "dual", "--yes"]).contains("rules already"));
    let current = site.json(&["preset", "show"]);
    assert_eq!((&current["version"], &current["catalogue"]["preset"]), (&json!(2), &json!("dual")));
    assert!(site.text(&["preset", "show"]).starts_with("# Version 2"));
    assert!(site.keeps("apply_catalogue"), "the audit log has no row");
    assert_eq!(site.balance(), 60, "people keep their credits");
    // What a new database would be filled with changes nothing here.
    let mut again = site.command(&["preset", "show", "--json"]);
    let shown = run(again.env("SCRIP_PRESET", "mvp"), "");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("\"version\":2"));
}

#[test]
fn a_catalogue_of_ones_own_is_a_file_and_a_bad_one_is_refused_with_line_column_and_reason() {
    let site = Installation::new("creator");
    let file = site.folder.path().join("mine.toml");
    let text = site.text(&["preset", "show", "mvp"]);
    std::fs::write(&file, text.replacen("signup_credits = 100", "signup_credits = \"many\"", 1)).unwrap();
    let apply = ["preset", "apply", "./mine.toml", "--yes"];
    let words = site.fails(1, &apply);
    assert!(words.contains("./mine.toml, line 4, column 18: "), "{words}");
    std::fs::write(&file, text.replacen("signup_credits = 100", "signup_credits = 7", 1)).unwrap();
    assert_eq!(site.json(&apply)["version"], 2);
    let mut bob = site.command(&["users", "create", "--email", "bob@example.com"]);
    assert!(run(&mut bob, "correct horse battery").status.success());
    assert_eq!(site.json(&["credits", "show", "--user", "bob@example.com"])["balance"], 7);
    assert!(site.fails(1, &["preset", "apply", "./none.toml"]).contains("./none.toml cannot be read"));
    assert!(site.fails(1, &["preset", "show", "creators"]).contains("there is no preset `creators`"));
    // A new database is filled from such a file, too.
    let folder = tempfile::tempdir().unwrap();
    let new = Installation { url: database(&folder), folder, preset: file.to_str().unwrap().to_owned().leak() };
    assert_eq!(new.with_ann().balance(), 7);
}
