//! Two roles on PostgreSQL, as `ops/postgres-roles.sql` makes them: one owns the tables, the other serves.

use crate::common::{self, TestLedger, charge, hold, hold_id, memo, postgres, step, subscribe};
use scrip::domain::operation::{Operation, Settler};
use scrip::domain::{CreditDelta, Credits};
use scrip::server::ledger::{AuditNote, Submission};
use scrip::server::store::{DatabaseUrl, SqlStore};
use sqlx::{Connection, PgConnection};
use std::path::Path;

const ROLES: [(&str, &str); 2] = [("owner", "roles_owner"), ("app", "roles_app")];

#[tokio::test(flavor = "multi_thread")]
async fn the_role_that_serves_may_do_all_that_the_ledger_does_and_not_rewrite_history() {
    let url = postgres::new_database();
    let (as_owner, as_app) = (url.replace("postgres@", "roles_owner@"), url.replace("postgres@", "roles_app@"));
    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/postgres-roles.sql");
    postgres::run_file(&url, &roles, &ROLES);
    SqlStore::open(&DatabaseUrl::Postgres(as_owner)).await.unwrap().close().await;
    postgres::run_file(&url, &roles, &ROLES);

    let test = TestLedger::on(as_app.clone()).await;
    let account = test.account(60).await;
    test.apply(account, subscribe("basic", "a plan", 100)).await.unwrap();
    let (reference, less) = ("a plan".to_owned(), Some(Credits::of(50)));
    let setting = Operation::SetMonths { reference, credits_per_month: less, renewal_credits: None };
    test.apply(account, setting).await.unwrap();
    test.apply(account, charge(7)).await.unwrap();
    let held = hold_id(&test.apply(account, hold(5)).await.unwrap());
    test.apply(account, Operation::Capture { hold: held, amount: None, by: Settler::Anyone }).await.unwrap();
    let down = Operation::Adjust(CreditDelta::new(-3).unwrap());
    let note = AuditNote { actor: "admin".into(), action: "adjust", detail: serde_json::json!({}) };
    let adjusting = Submission { steps: vec![step(down)], ..Submission::one(account, charge(1), memo()) };
    let adjusting = adjusting.with_audit(note).with_key(common::key("adjust-1", "down"));
    test.ledger.submit(adjusting).await.unwrap();
    test.assert_books_balance().await;

    let mut app = PgConnection::connect(&as_app).await.unwrap();
    for rewriting in ["DELETE FROM transactions", "UPDATE transactions SET amount = 1", "UPDATE grants SET amount = 1"]
    {
        let refused = sqlx::query(rewriting).execute(&mut app).await.unwrap_err();
        // 42501 insufficient_privilege (PostgreSQL, appendix A).
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{rewriting}: {refused}");
    }
}
