//! `credits backfill`: every account is brought to a number by rows of history, once per run, however often the run is
//! broken off.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::command::{ANN, Installation, run};
use common::{Engine, TestLedger, account_of, all_at_once, grant, memo, new_user, on_both_databases, step};
use scrip::domain::Source;
use scrip::server::ledger::{Submission, Target};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const BOB: &str = "bob@example.com";

/// Ann and Bob, with what they have for signing up.
fn two_people(preset: &'static str) -> Installation {
    let site = Installation::new(preset);
    let made = run(&mut site.command(&["users", "create", "--email", BOB]), "correct horse battery");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    site
}

fn balance_of(site: &Installation, email: &str) -> i64 {
    site.json(&["credits", "show", "--user", email])["balance"].as_i64().unwrap()
}

fn balances(site: &Installation) -> (i64, i64) {
    (balance_of(site, ANN), balance_of(site, BOB))
}

#[test]
fn who_has_less_is_raised_and_who_has_more_is_left_alone() {
    let site = two_people("creator");
    site.json(&["credits", "grant", "--user", BOB, "--amount", "9940"]);
    let report = site.json(&["credits", "backfill", "--amount", "5000", "--yes"]);
    assert_eq!((&report["raised"], &report["granted"], &report["lowered"]), (&json!(1), &json!(4_940), &json!(0)));
    assert_eq!(balances(&site), (5_000, 10_000));
    let newest = site.json(&["credits", "show", "--user", ANN])["transactions"][0].clone();
    assert_eq!((&newest["amount"], &newest["type"]), (&json!(4_940), &json!("credit")));
    assert_eq!((&newest["description"], &newest["actor"]), (&json!("Backfill to 5,000"), &json!("system")));
    site.assert_books_balance();
}

#[test]
fn it_asks_first_and_can_be_tried_without_changing_anything() {
    let site = two_people("creator");
    let words = site.fails(2, &["credits", "backfill", "--amount", "100"]);
    assert!(words.contains("2 accounts raised by 80 in all") && words.contains("--yes"), "{words}");
    let dry = site.json(&["credits", "backfill", "--amount", "100", "--dry-run"]);
    assert_eq!((&dry["accounts"], &dry["granted"], &dry["changed"]), (&json!(2), &json!(80), &json!(0)));
    assert!(site.text(&["credits", "backfill", "--amount", "100", "--dry-run"]).contains("Nothing was changed."));
    assert_eq!(balances(&site), (60, 60));
    for arguments in [
        &["credits", "backfill", "--yes"] as &[&str],
        &["credits", "backfill", "--amount", "-1", "--yes"],
        &["credits", "backfill", "--amount", "many", "--yes"],
        &["credits", "backfill", "--amount", "9007199254740992", "--yes"],
        &["credits", "backfill", "--amount", "5", "--lower", "--yes"],
    ] {
        site.fails(2, arguments);
    }
}

#[test]
fn no_account_takes_part_in_a_run_twice() {
    let site = two_people("creator");
    let backfill = |amount, run| site.json(&["credits", "backfill", "--amount", amount, "--run", run, "--yes"]);
    assert_eq!(backfill("100", "first")["raised"], 2);
    site.json(&["credits", "charge", "--user", ANN, "--amount", "30"]);
    let again = backfill("100", "first");
    assert_eq!((&again["raised"], &again["skipped"], balances(&site)), (&json!(0), &json!(1), (70, 100)));
    let words = site.fails(1, &["credits", "backfill", "--amount", "500", "--run", "first", "--yes"]);
    assert!(words.contains("The run first had another target."), "{words}");
    assert_eq!(backfill("100", "second")["raised"], 1);
    assert_eq!(balances(&site), (100, 100));
    site.assert_books_balance();
}

#[test]
fn accounts_that_have_more_are_only_lowered_on_demand_and_from_free_credits() {
    let site = two_people("creator");
    let bought = ["credits", "grant", "--user", ANN, "--amount", "300", "--source", "purchase"];
    site.json(&[&bought[..], &["--expires-at", "2099-01-01T00:00:00Z"]].concat());
    site.json(&["credits", "grant", "--user", BOB, "--amount", "140"]);
    let counted = site.json(&["credits", "backfill", "--amount", "50", "--all", "--yes"]);
    assert_eq!((&counted["left_above"], &counted["changed"], balances(&site)), (&json!(2), &json!(0), (360, 200)));
    let dry = site.json(&["credits", "backfill", "--amount", "50", "--all", "--lower", "--dry-run"]);
    assert_eq!((&dry["lowered"], &dry["taken"]), (&json!(2), &json!(210)));
    let done = site.json(&["credits", "backfill", "--amount", "50", "--all", "--lower", "--yes"]);
    assert_eq!((&done["lowered"], &done["taken"], &done["raised"]), (&json!(2), &json!(210), &json!(0)));
    assert_eq!(balances(&site), (300, 50), "what Ann bought ends sooner, and stays all the same");
    assert_eq!(site.json(&["credits", "show", "--user", ANN])["by_source"], json!({ "purchase": 300 }));
    site.assert_books_balance();
}

#[test]
fn what_is_owed_is_paid_with_it() {
    let site = two_people("creator");
    site.json(&["credits", "grant", "--user", ANN, "--amount", "100", "--source", "purchase"]);
    site.json(&["credits", "charge", "--user", ANN, "--amount", "130"]);
    site.json(&["credits", "clawback", "--user", ANN, "--grant", "2", "--reason", "The payment was returned"]);
    assert_eq!(site.json(&["credits", "show", "--user", ANN])["debt"], 70);
    site.json(&["credits", "backfill", "--amount", "100", "--yes"]);
    let shown = site.json(&["credits", "show", "--user", ANN]);
    assert_eq!((&shown["balance"], &shown["debt"]), (&json!(100), &json!(0)));
    site.assert_books_balance();
}

#[test]
fn credits_whose_time_is_over_do_not_count() {
    let site = Installation::new("creator");
    site.json(&["credits", "charge", "--user", ANN, "--amount", "60"]);
    let end = scrip::server::clock::Clock::now(&scrip::server::clock::SystemClock).plus_seconds(1).to_rfc3339();
    let ending = ["credits", "grant", "--user", ANN, "--amount", "500", "--expires-at", end.as_str()];
    // On a slow machine its second is over before it is granted; then there is nothing to end.
    site.output(&ending);
    let begun = std::time::Instant::now();
    while site.json(&["credits", "backfill", "--amount", "100", "--dry-run"])["accounts"] == 0 {
        assert!(begun.elapsed().as_secs() < 60, "what has ended is still counted");
    }
    site.json(&["credits", "backfill", "--amount", "100", "--yes"]);
    assert_eq!(balance_of(&site, ANN), 100);
    site.assert_books_balance();
}

/// A ledger with many accounts that have 60 credits each.
async fn many_accounts(engine: Engine, count: usize) -> (TestLedger, Installation) {
    let test = TestLedger::start(engine).await;
    let newcomer = |number: usize| Submission {
        target: Target::NewUser(Box::new(new_user(&format!("{number}@example.com")))),
        steps: vec![step(grant(Source::Signup, 60))],
        key: None,
        booking: None,
        audit: None,
    };
    for answer in all_at_once(&[&test.ledger], count, newcomer).await {
        account_of(&answer.unwrap());
    }
    let site = Installation::beside(&test.url, "creator");
    (test, site)
}

/// The adjustments of each account, from the export.
fn adjustments(site: &Installation) -> HashMap<String, Vec<i64>> {
    let mut found: HashMap<String, Vec<i64>> = HashMap::new();
    for line in site.text(&["export", "--json"]).lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let amounts = found.entry(row["email"].as_str().unwrap().to_owned()).or_default();
        if row["cause"] == "adjust" {
            amounts.push(row["amount"].as_i64().unwrap());
        }
    }
    found
}

on_both_databases! {
    async fn a_run_that_was_killed_is_gone_on_with_and_gives_nothing_twice(engine: Engine) {
        const ACCOUNTS: usize = 4_000;
        let (test, site) = many_accounts(engine, ACCOUNTS).await;
        let backfill = ["credits", "backfill", "--amount", "5000", "--run", "third", "--yes", "--json"];
        let mut child = site.command(&backfill).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        // Before it there may be a line of the log.
        assert!(said.any(|line| line.unwrap() == "The run is called third."));
        let raised = async || ACCOUNTS - test.store.list_accounts_beside(scrip::domain::Credits::of(5_000), false, None, 10_000).await.unwrap().len();
        while raised().await == 0 {
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let before = raised().await;
        let report = site.json(&backfill[..backfill.len() - 1]);
        // PostgreSQL may finish what was under way after its caller is gone, so that there is less left to do.
        assert!(report["raised"].as_u64().is_some_and(|raised| raised <= (ACCOUNTS - before) as u64), "{report}");
        let found = adjustments(&site);
        assert_eq!(found.len(), ACCOUNTS);
        assert!(found.values().all(|amounts| amounts == &[4_940]), "somebody got it twice, or not at all");
        test.assert_books_balance().await;
    }

    async fn it_works_beside_a_program_that_spends(engine: Engine) {
        let (test, site) = many_accounts(engine, 50).await;
        let accounts: Vec<_> = test.store.list_accounts_beside(scrip::domain::Credits::of(5_000), false, None, 100).await.unwrap();
        let charge = |index: usize| Submission::one(accounts[index % 50].0, common::charge(1), memo());
        let mut command = site.command(&["credits", "backfill", "--amount", "5000", "--yes", "--json"]);
        let backfill = tokio::task::spawn_blocking(move || command.output().unwrap());
        for answer in all_at_once(&[&test.ledger], 1_000, charge).await {
            answer.unwrap();
        }
        let output = backfill.await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["raised"], 50, "{report}");
        test.assert_books_balance().await;
    }
}
