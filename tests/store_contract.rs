//! What every database has to hold, written against the traits; and what it has to refuse to raw SQL.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{NOW, TestLedger, charge, grant, hold, hold_id, memo, receipt};
use scrip::domain::catalogue::Interval;
use scrip::domain::identity::{Email, Role};
use scrip::domain::operation::{Operation, Source};
use scrip::domain::{Cents, Credits, FeatureId, OrderId, PlanId, TransactionType};
use scrip::server::ledger::{LedgerError, Step, Submission, Target};
use scrip::server::store::{AuditEntry, Creation, HistoryEntry, HistoryFilter, Order, OrderItem, OrderStatus};

fn entry_kind(entry: &HistoryEntry) -> &'static str {
    match entry {
        HistoryEntry::Transaction(row) => row.kind.as_str(),
        HistoryEntry::Hold(hold) => hold.status.as_str(),
    }
}

#[tokio::test]
async fn people_are_found_by_address_by_id_and_by_what_is_typed() {
    let test = TestLedger::start().await;
    let account = test.sign_up("ann@example.com", 60).await.unwrap().account;
    test.sign_up("bob_100%@example.com", 60).await.unwrap();
    let (user, hash) = test.store.find_login(&Email::parse("Ann@example.com").unwrap()).await.unwrap().unwrap();
    assert_eq!((user.account, hash), (account, None));
    assert_eq!(test.store.find_user(account).await.unwrap().unwrap(), user);
    assert_eq!(test.store.find_user_by_public_id(&user.public_id).await.unwrap().unwrap(), user);
    assert_eq!(test.store.search_users("", 10).await.unwrap().len(), 2);
    assert_eq!(test.store.search_users("0%@", 10).await.unwrap().len(), 1, "a pattern sign is text");
    assert_eq!(test.store.search_users("ANN", 10).await.unwrap()[0].balance, Credits::of(60));
    assert_eq!(test.store.search_users("", 1).await.unwrap().len(), 1);
    assert_eq!(test.store.search_users("Somebody", 10).await.unwrap().len(), 2);
    assert_eq!(test.store.search_users("some\u{d6}", 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_role_changes_with_its_audit_row_or_not_at_all() {
    let test = TestLedger::start().await;
    let account = test.sign_up("ann@example.com", 0).await.unwrap().account;
    let entry = AuditEntry {
        account: Some(account),
        seq: None,
        actor: "system".into(),
        action: "promote".into(),
        detail: serde_json::json!({}),
        created_at: NOW,
    };
    let nobody = Email::parse("nobody@example.com").unwrap();
    assert!(!test.store.set_role(&nobody, Role::Admin, &entry).await.unwrap());
    assert!(test.store.list_audit(account, 10).await.unwrap().is_empty());
    let ann = Email::parse("ann@example.com").unwrap();
    assert!(test.store.set_role(&ann, Role::Admin, &entry).await.unwrap());
    assert_eq!(test.store.find_user(account).await.unwrap().unwrap().role, Role::Admin);
    assert_eq!(test.store.list_audit(account, 10).await.unwrap(), [entry]);
}

#[tokio::test]
async fn history_shows_movements_and_unfinished_holds_newest_first_page_by_page() {
    let test = TestLedger::start().await;
    let account = test.account(60).await;
    let charged = test.apply(account, charge(5)).await.unwrap();
    let released = hold_id(&test.apply(account, hold(7)).await.unwrap());
    test.apply(account, Operation::Release { hold: released, reason: "failed".into() }).await.unwrap();
    let captured = hold_id(&test.apply(account, hold(3)).await.unwrap());
    test.apply(account, Operation::Capture { hold: captured, amount: None }).await.unwrap();
    test.apply(account, hold(1)).await.unwrap();

    let all = test.store.list_history(account, HistoryFilter::Everything, None, 50).await.unwrap();
    let kinds: Vec<_> = all.iter().map(entry_kind).collect();
    assert_eq!(kinds, ["pending", "debit", "released", "debit", "credit"]);
    assert!(all.contains(&HistoryEntry::Transaction(receipt(&charged).transaction.clone())), "draws are missing");

    let first = test.store.list_history(account, HistoryFilter::Everything, None, 2).await.unwrap();
    let next = test.store.list_history(account, HistoryFilter::Everything, Some(first[1].seq()), 50).await.unwrap();
    assert_eq!([first, next].concat(), all);

    let debits = HistoryFilter::Only(TransactionType::Debit);
    assert_eq!(test.store.list_history(account, debits, None, 50).await.unwrap().len(), 2);
    assert_eq!(test.store.list_history(account, HistoryFilter::Holds, None, 50).await.unwrap().len(), 2);
}

fn order(id: &str, account: scrip::domain::AccountId) -> Order {
    Order {
        id: OrderId::parse(id).unwrap(),
        account,
        item: OrderItem::Plan { plan: PlanId::parse("basic").unwrap(), interval: Interval::Year },
        credits: Credits::of(500),
        amount: Cents::try_from(21_000).unwrap(),
        status: OrderStatus::Pending,
        return_to: Some("/studio".into()),
        created_at: NOW,
        settled_at: None,
    }
}

#[tokio::test]
async fn an_order_is_paid_once_and_only_by_its_own_account() {
    let test = TestLedger::start().await;
    let (ann, bob) = (test.account(0).await, test.account(0).await);
    let order = order("o1", ann);
    test.store.add_order(&order).await.unwrap();
    assert_eq!(test.store.find_order(&order.id).await.unwrap().unwrap(), order);
    let pay = |account| Submission {
        target: Target::Account(account),
        steps: vec![Step { operation: grant(Source::Purchase, 500), memo: memo() }],
        key: None,
        order: Some(order.id.clone()),
        audit: None,
    };
    assert_eq!(test.ledger.submit(pay(bob)).await, Err(LedgerError::OrderSettled));
    test.store.decline_order(&order.id, NOW).await.unwrap();
    assert_eq!(test.store.find_order(&order.id).await.unwrap().unwrap().status, OrderStatus::Declined);
    test.ledger.submit(pay(ann)).await.unwrap();
    assert_eq!(test.ledger.submit(pay(ann)).await, Err(LedgerError::OrderSettled));
    test.store.decline_order(&order.id, NOW).await.unwrap();
    assert_eq!(test.store.find_order(&order.id).await.unwrap().unwrap().status, OrderStatus::Paid);
    assert_eq!((test.balance(ann).await, test.balance(bob).await), (Credits::of(500), Credits::ZERO));
}

#[tokio::test]
async fn a_creation_is_there_until_its_time_is_over() {
    let test = TestLedger::start().await;
    let account = test.account(0).await;
    let creation = Creation {
        name: "abc.png".into(),
        account,
        feature: FeatureId::parse("text-to-image").unwrap(),
        prompt: "a fox".into(),
        answer: None,
        content_type: "image/png".into(),
        credits_used: Credits::of(5),
        created_at: NOW,
        expires_at: NOW.plus_seconds(10),
    };
    test.store.add_creation(&creation).await.unwrap();
    let (before, after) = (NOW.plus_seconds(9), NOW.plus_seconds(10));
    assert_eq!(test.store.find_creation("abc.png", before).await.unwrap().as_ref(), Some(&creation));
    assert_eq!(test.store.list_creations(account, before, 5).await.unwrap(), [creation]);
    assert!(test.store.find_creation("abc.png", after).await.unwrap().is_none());
    assert_eq!(test.store.list_expired_creations(after, 5).await.unwrap(), ["abc.png"]);
    test.store.remove_creation("abc.png").await.unwrap();
    assert!(test.store.list_expired_creations(after, 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_database_of_ours_is_opened_again_with_all_that_is_in_it() {
    let test = TestLedger::start().await;
    let account = test.account(60).await;
    let held = hold_id(&test.apply(account, hold(7)).await.unwrap());
    let read = test.store.read_account(account).await.unwrap().unwrap();
    test.sqlite.close().await;
    let path = test.folder.path().join("scrip.db");
    let again = scrip::server::store::sqlite::SqliteStore::open(&path).await.unwrap();
    let reopened = scrip::server::store::LedgerStore::read_account(&again, account).await.unwrap().unwrap();
    assert_eq!(reopened, read);
    assert_eq!(reopened.holds()[0].id, held);
}

/// A connection of somebody who has the file and a SQL shell.
async fn raw(test: &TestLedger) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions;
    let path = test.folder.path().join("scrip.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(true);
    options.connect().await.unwrap()
}

#[tokio::test]
async fn raw_sql_is_refused_wherever_it_would_falsify_a_balance_or_history() {
    let test = TestLedger::start().await;
    let account = test.account(60).await;
    test.apply(account, charge(5)).await.unwrap();
    test.apply(account, hold(5)).await.unwrap();
    let keyed = Submission::one(account, charge(1), memo()).with_key(common::key("k", "r"));
    test.ledger.submit(keyed).await.unwrap();
    let mut connection = raw(&test).await;
    for attempt in [
        "UPDATE accounts SET balance = -1",
        "UPDATE accounts SET held = balance + 1",
        "UPDATE accounts SET balance = 9007199254740992",
        "UPDATE accounts SET balance = 'much'",
        "UPDATE accounts SET last_seq = 0",
        "DELETE FROM accounts",
        "UPDATE grants SET remaining = amount + 1",
        "UPDATE grants SET remaining = -1",
        "UPDATE grants SET amount = 1000000",
        "UPDATE grants SET held = remaining + 1",
        "DELETE FROM grants",
        "INSERT OR REPLACE INTO grants SELECT * FROM grants",
        "UPDATE transactions SET amount = amount + 1",
        "UPDATE transactions SET description = 'nothing'",
        "DELETE FROM transactions",
        "INSERT OR REPLACE INTO transactions SELECT * FROM transactions",
        "INSERT INTO transactions (account_id, seq, type, cause, amount, balance_after, description, actor, created_at)
         SELECT id, last_seq + 1, 'credit', 'grant', 500, balance + 400, 'x', 'x', 0 FROM accounts",
        "UPDATE draws SET amount = -1",
        "DELETE FROM draws",
        "INSERT OR REPLACE INTO draws SELECT * FROM draws",
        "UPDATE idempotency_keys SET answer = '{}'",
        "DELETE FROM idempotency_keys",
        "INSERT OR REPLACE INTO idempotency_keys SELECT * FROM idempotency_keys",
        "UPDATE holds SET amount = 1",
        "DELETE FROM holds",
        "INSERT OR REPLACE INTO holds SELECT * FROM holds",
        "INSERT INTO users (public_id, email, name, role, created_at) SELECT 'x', email, 'x', 'user', 0 FROM users",
    ] {
        let done = sqlx::query(attempt).execute(&mut connection).await;
        assert!(done.is_err(), "the database took: {attempt}");
    }
    test.assert_books_balance().await;
}

#[tokio::test]
async fn what_is_forced_through_is_named_by_the_proof_of_the_books() {
    let test = TestLedger::start().await;
    let account = test.account(60).await;
    test.apply(account, charge(5)).await.unwrap();
    test.apply(account, hold(5)).await.unwrap();
    test.assert_books_balance().await;
    let mut connection = raw(&test).await;
    for (trigger, forged, named) in [
        ("accounts_number_rises", "UPDATE accounts SET balance = 500", "account 1: the balance is 500"),
        ("transactions_never_change", "UPDATE transactions SET amount = -4 WHERE seq = 2", "account 1, row 2"),
        ("draws_stay", "DELETE FROM draws WHERE seq = 2", "account 1, grant 1"),
        ("grants_keep_their_terms", "UPDATE grants SET held = 4", "account 1, grant 1: 4 held"),
    ] {
        sqlx::query(&format!("DROP TRIGGER {trigger}")).execute(&mut connection).await.unwrap();
        sqlx::query(forged).execute(&mut connection).await.unwrap();
        let flaws = test.store.check_books().await.unwrap().flaws;
        assert!(flaws.iter().any(|flaw| flaw.starts_with(named)), "{forged}: {flaws:#?}");
    }
}
