//! What a database has to hold, written against the traits and run on both; and what it has to refuse to raw SQL
//! (`falsification.rs`).
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "store_contract/ahead.rs"]
mod ahead;
#[path = "store_contract/chain.rs"]
mod chain;
mod common;
#[path = "store_contract/falsification.rs"]
mod falsification;
#[path = "store_contract/roles.rs"]
mod roles;

use common::{
    Engine, NOW, TestLedger, account_of, all_at_once, audit_entry, charge, grant, hold, hold_id, memo, new_api_key,
    on_both_databases, receipt, step, subscribe,
};
use scrip::domain::access::{ApiKey, Scopes};
use scrip::domain::catalogue::Interval;
use scrip::domain::identity::{Email, Role};
use scrip::domain::operation::{NewGrant, Operation, Settler, Source};
use scrip::domain::{
    AccountId, ApiKeyId, Cents, CreditDelta, Credits, Draw, FeatureId, GrantId, Memo, Metadata, OrderId, PlanId, Seq,
    TransactionType, Usage,
};
use scrip::server::ledger::{Answer, LedgerError, Submission, Target};
use scrip::server::store::{
    AuditEntry, BalanceChange, Batch, Booking, Creation, Guard, HistoryEntry, HistoryFilter, HistoryQuery, LedgerStore,
    NewApiKey, Order, OrderItem, OrderStatus, SqlStore, Totals, Wanted,
};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

fn plan(name: &str) -> PlanId {
    PlanId::parse(name).unwrap()
}

fn feature(name: &str) -> FeatureId {
    FeatureId::parse(name).unwrap()
}

fn usage(name: &str) -> Option<Usage> {
    Some(Usage { feature: feature(name), units: 1, rate_version: 1 })
}

/// Credits that end so many seconds after the start.
fn ending(amount: u32, seconds: i64) -> Operation {
    let expires_at = Some(NOW.plus_seconds(seconds));
    Operation::Grant(NewGrant { source: Source::Promotion, amount: Credits::of(amount), expires_at, reference: None })
}

fn hold_for(cost: u32, ttl_seconds: i64) -> Operation {
    Operation::Hold { cost: Credits::of(cost), usage: None, ttl_seconds }
}

fn capture(answer: &Answer) -> Operation {
    Operation::Capture { hold: hold_id(answer), amount: None, by: Settler::Anyone }
}

fn refund(answer: &Answer, amount: u32) -> Operation {
    Operation::Refund { charge: receipt(answer).transaction.seq, amount: Some(Credits::of(amount)) }
}

/// The grant that this opened.
fn opened_by(answer: &Answer) -> GrantId {
    GrantId(receipt(answer).transaction.seq)
}

fn reset(reference: &str) -> Operation {
    Operation::Reset { reference: reference.to_owned() }
}

fn of_history(answer: &Answer) -> HistoryEntry {
    HistoryEntry::Transaction(Box::new(receipt(answer).transaction.clone()))
}

fn of_kind(filter: HistoryFilter) -> HistoryQuery {
    HistoryQuery { filter, limit: 50, ..HistoryQuery::default() }
}

/// The numbers of the lines that a query finds.
async fn numbers(test: &TestLedger, account: AccountId, query: HistoryQuery) -> Vec<i64> {
    let lines = test.store.list_history(account, &query).await.unwrap();
    lines.iter().map(|line| line.seq().0).collect()
}

fn order(id: &str, account: AccountId) -> Order {
    Order {
        id: OrderId::parse(id).unwrap(),
        account,
        item: OrderItem::Plan { plan: plan("basic"), interval: Interval::Year },
        credits: Credits::of(500),
        amount: Cents::try_from(21_000).unwrap(),
        status: OrderStatus::Pending,
        return_to: Some("/studio".into()),
        checkout: None,
        submitted_at: None,
        created_at: NOW,
        settled_at: None,
    }
}

/// A payment of that order, decided on that state of the account's books.
fn payment_of(order: &Order, account: AccountId, version: i64) -> Submission {
    let booking = Booking { version, paid_orders: vec![order.id.clone()], ..Booking::default() };
    let booking = Some(Box::new(booking));
    let steps = vec![step(grant(Source::Purchase, 500))];
    Submission { target: Target::Account(account), steps, key: None, booking, audit: None }
}

on_both_databases! {
    async fn people_are_found_by_address_by_id_and_by_what_is_typed(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = account_of(&test.sign_up("ann@example.com", 60).await.unwrap());
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

    async fn a_role_changes_with_its_audit_row_or_not_at_all(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = account_of(&test.sign_up("ann@example.com", 0).await.unwrap());
        let entry = audit_entry(Some(account), "promote");
        let nobody = Email::parse("nobody@example.com").unwrap();
        assert!(!test.store.set_role(&nobody, Role::Admin, &entry).await.unwrap());
        assert!(test.store.list_audit(account, 10).await.unwrap().is_empty());
        let ann = Email::parse("ann@example.com").unwrap();
        assert!(test.store.set_role(&ann, Role::Admin, &entry).await.unwrap());
        assert_eq!(test.store.find_user(account).await.unwrap().unwrap().role, Role::Admin);
        assert_eq!(test.store.list_audit(account, 10).await.unwrap(), [entry]);
    }
}

on_both_databases! {
    async fn history_shows_movements_and_unfinished_holds_newest_first_page_by_page(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(60).await;
        let charged = test.apply(account, charge(5)).await.unwrap();
        let released = hold_id(&test.apply(account, hold(7)).await.unwrap());
        let release = Operation::Release { hold: released, reason: "failed".into(), by: Settler::Anyone };
        test.apply(account, release).await.unwrap();
        let captured = test.apply(account, hold(3)).await.unwrap();
        test.apply(account, capture(&captured)).await.unwrap();
        test.apply(account, hold(1)).await.unwrap();

        let all = test.store.list_history(account, &of_kind(HistoryFilter::Everything)).await.unwrap();
        let kind = |line: &HistoryEntry| match line {
            HistoryEntry::Transaction(row) => row.kind.as_str(),
            HistoryEntry::Hold { hold, .. } => hold.status.as_str(),
        };
        assert_eq!(all.iter().map(kind).collect::<Vec<_>>(), ["pending", "debit", "released", "debit", "credit"]);
        assert!(all.contains(&of_history(&charged)), "draws are missing");

        let page = |before, limit| HistoryQuery { before, limit, ..HistoryQuery::default() };
        let first = test.store.list_history(account, &page(None, 2)).await.unwrap();
        let next = test.store.list_history(account, &page(Some(first[1].seq()), 50)).await.unwrap();
        assert_eq!([first, next].concat(), all);

        assert_eq!(numbers(&test, account, of_kind(HistoryFilter::Only(TransactionType::Debit))).await, [6, 2]);
        assert_eq!(numbers(&test, account, of_kind(HistoryFilter::Movements)).await, [6, 2, 1]);
        assert_eq!(numbers(&test, account, of_kind(HistoryFilter::Holds)).await, [7, 3]);
    }

    async fn history_is_narrowed_by_feature_and_by_time(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(60).await;
        let charge_for = |name| Operation::Charge { cost: Credits::of(1), usage: usage(name) };
        let hold_for_chat = Operation::Hold { cost: Credits::of(1), usage: usage("chat"), ttl_seconds: 900 };
        test.apply(account, charge_for("image")).await.unwrap();
        test.clock.advance_seconds(100);
        test.apply(account, charge_for("chat")).await.unwrap();
        test.apply(account, hold_for_chat).await.unwrap();
        test.clock.advance_seconds(100);
        test.apply(account, charge_for("image")).await.unwrap();

        let all = of_kind(HistoryFilter::Everything);
        let of = |name| HistoryQuery { feature: Some(feature(name)), ..all.clone() };
        assert_eq!(numbers(&test, account, of("image")).await, [5, 2]);
        assert_eq!(numbers(&test, account, of("chat")).await, [4, 3]);
        let chat_movements = HistoryQuery { filter: HistoryFilter::Movements, ..of("chat") };
        assert_eq!(numbers(&test, account, chat_movements).await, [3]);

        let (from, to) = (Some(NOW.plus_seconds(100)), Some(NOW.plus_seconds(200)));
        assert_eq!(numbers(&test, account, HistoryQuery { from, ..all.clone() }).await, [5, 4, 3]);
        assert_eq!(numbers(&test, account, HistoryQuery { to: from, ..all.clone() }).await, [2, 1]);
        assert_eq!(numbers(&test, account, HistoryQuery { from, to, ..all }).await, [4, 3]);
    }

    async fn a_hold_in_history_tells_which_grants_it_reserves(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(10).await;
        test.apply(account, ending(5, 1_000)).await.unwrap();
        test.apply(account, hold(12)).await.unwrap();
        let lines = test.store.list_history(account, &of_kind(HistoryFilter::Holds)).await.unwrap();
        let [HistoryEntry::Hold { hold, draws }] = lines.as_slice() else { panic!("not one hold but {lines:?}") };
        let draw = |grant, source, amount, expires_at| Draw { grant: GrantId(Seq(grant)), source, amount, expires_at };
        let promoted = draw(2, Source::Promotion, 5, Some(NOW.plus_seconds(1_000)));
        assert_eq!(*draws, [promoted, draw(1, Source::Signup, 7, None)]);
        assert_eq!(hold.amount, Credits::of(12));
    }

    async fn what_a_caller_writes_and_attaches_comes_back_as_it_was(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(20).await;
        let words = "O'Brien: \u{201c}2 \u{d7} \u{1f98a}\u{201d} \\ {\"a\": [1]} -- $1 %";
        let metadata = Metadata::parse(r#"{"note":"\"Grüße\" \\ 🦊 \u0000","deep":{"list":[1,2.5,null]}}"#);
        assert!(metadata.is_some());
        let attaching = |operation| {
            let memo = Memo::new(Memo::OWNER, words).with_metadata(metadata.clone());
            test.ledger.submit(Submission::one(account, operation, memo))
        };
        let charged = attaching(charge(1)).await.unwrap();
        assert_eq!(receipt(&charged).transaction.description, words);
        let held = attaching(hold(5)).await.unwrap();
        let read = test.store.read_account(account).await.unwrap().unwrap();
        assert_eq!((read.holds()[0].description.as_str(), &read.holds()[0].metadata), (words, &metadata));
        let captured = test.apply(account, capture(&held)).await.unwrap();
        assert_eq!(receipt(&captured).transaction.metadata, metadata);
        let lines = test.store.list_history(account, &of_kind(HistoryFilter::Movements)).await.unwrap();
        assert_eq!(lines[..2], [of_history(&captured), of_history(&charged)]);
    }
}

on_both_databases! {
    async fn an_order_is_paid_by_its_own_account_and_stays_so(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (ann, bob) = (test.account(0).await, test.account(0).await);
        let order = order("o1", ann);
        test.store.add_order(&order).await.unwrap();
        let status = async || test.store.find_order(&order.id).await.unwrap().unwrap().status;
        assert_eq!(test.store.find_order(&order.id).await.unwrap().unwrap(), order);
        test.ledger.submit(payment_of(&order, bob, 0)).await.unwrap();
        assert_eq!(status().await, OrderStatus::Pending);
        test.store.decline_order(&order.id, NOW).await.unwrap();
        assert_eq!(status().await, OrderStatus::Declined);
        test.store.abandon_order(&order.id, NOW).await.unwrap();
        assert_eq!(status().await, OrderStatus::Abandoned);
        test.ledger.submit(payment_of(&order, ann, 0)).await.unwrap();
        test.store.decline_order(&order.id, NOW).await.unwrap();
        test.store.abandon_order(&order.id, NOW).await.unwrap();
        assert_eq!(status().await, OrderStatus::Paid);
    }

    async fn a_booking_on_books_that_have_changed_is_refused_and_leaves_nothing(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let ann = test.account(0).await;
        let order = order("o1", ann);
        test.store.add_order(&order).await.unwrap();
        let version = async || test.store.read_account_books(ann).await.unwrap().version;
        assert_eq!(version().await, 0);
        let answers = all_at_once(&[&test.ledger], 20, |_| payment_of(&order, ann, 0)).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(answers.iter().flatten().count() == 1 && answers.contains(&Err(LedgerError::Outdated)));
        assert_eq!((version().await, test.balance(ann).await), (1, Credits::of(500)));
        let too_much = Submission { steps: vec![step(charge(501))], ..payment_of(&order, ann, 1) };
        assert!(matches!(test.ledger.submit(too_much).await, Err(LedgerError::Refused(_))));
        assert_eq!(version().await, 1, "a refused booking is taken back");
        test.ledger.submit(payment_of(&order, ann, 1)).await.unwrap();
        assert_eq!(version().await, 2);
    }

    async fn a_creation_is_there_until_its_time_is_over(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(0).await;
        let creation = Creation {
            name: "abc.png".into(),
            account,
            feature: feature("text-to-image"),
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

    /// A second try, which locks, would hide that the first one never does it.
    async fn a_batch_is_saved_at_its_first_try_whether_its_account_is_loaded_or_remembered(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let id = test.account(10).await;
        for left in [9, 8, 7] {
            let mut transaction = test.store.begin(Guard::Compare).await.unwrap();
            let wanted = Wanted { accounts: vec![id], ..Wanted::default() };
            let mut account = transaction.load(&wanted).await.unwrap().accounts.remove(&id).unwrap();
            account.apply(&charge(1), &memo(), NOW).unwrap();
            let batch = Batch { accounts: vec![&account], now: NOW, ..Batch::default() };
            transaction.commit(&batch).await.unwrap().await.unwrap();
            assert_eq!(test.balance(id).await, Credits::of(left));
        }
        test.assert_books_balance().await;
    }

    async fn a_database_of_ours_is_opened_again_with_all_that_is_in_it(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(60).await;
        let held = hold_id(&test.apply(account, hold(7)).await.unwrap());
        let read = test.store.read_account(account).await.unwrap().unwrap();
        test.sql.close().await;
        let again = SqlStore::open(&test.url).await.unwrap();
        let reopened = again.read_account(account).await.unwrap().unwrap();
        assert_eq!(reopened, read);
        assert_eq!(reopened.holds()[0].id, held);
    }
}

on_both_databases! {
    async fn a_session_is_there_until_it_ends_or_is_removed(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (end, later) = (NOW.plus_seconds(60), NOW.plus_seconds(120));
        let session = |data: &str, end| Some((data.to_owned(), end));
        assert!(test.store.add_session("s1", r#"{"user":1}"#, end).await.unwrap());
        assert!(!test.store.add_session("s1", r#"{"user":2}"#, later).await.unwrap(), "a taken id was given away");
        assert_eq!(test.store.find_session("s1", NOW).await.unwrap(), session(r#"{"user":1}"#, end));
        assert_eq!(test.store.find_session("s1", end).await.unwrap(), None);

        test.store.save_session("s1", r#"{"user":3}"#, later).await.unwrap();
        assert_eq!(test.store.find_session("s1", end).await.unwrap(), session(r#"{"user":3}"#, later));
        test.store.save_session("s2", "{}", later).await.unwrap();
        test.store.remove_session("s1").await.unwrap();
        assert_eq!(test.store.find_session("s1", NOW).await.unwrap(), None);
        assert_eq!(test.store.find_session("s2", NOW).await.unwrap(), session("{}", later));
    }

    async fn sessions_that_have_ended_are_removed_some_at_a_time(engine: Engine) {
        let test = TestLedger::start(engine).await;
        for (id, seconds) in [("s1", 10), ("s2", 20), ("s3", 30), ("s4", 40)] {
            assert!(test.store.add_session(id, "{}", NOW.plus_seconds(seconds)).await.unwrap());
        }
        let now = NOW.plus_seconds(30);
        let mut removed = Vec::new();
        for _ in 0..3 {
            removed.push(test.store.remove_ended_sessions(now, 2).await.unwrap());
        }
        assert_eq!(removed, [2, 1, 0]);
        assert!(test.store.find_session("s4", now).await.unwrap().is_some());
    }

    async fn a_key_is_kept_with_its_audit_row_and_found_by_its_hash(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let ann = test.account(0).await;
        let entry = audit_entry(Some(ann), "add_api_key");
        let older = new_api_key("older", Some(ann));
        let (created_at, expires_at) = (NOW.plus_seconds(1), Some(NOW.plus_seconds(60)));
        let newer = NewApiKey { created_at, expires_at, ..new_api_key("newer", Some(ann)) };
        for key in [&older, &newer] {
            test.store.add_api_key(key, &entry).await.unwrap();
        }
        test.service_key("service").await;

        let expected = ApiKey {
            id: newer.id.clone(),
            account: Some(ann),
            scopes: Scopes::default(),
            label: newer.label.clone(),
            created_at,
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        assert_eq!(test.store.find_api_key(&newer.hash).await.unwrap(), Some(expected));
        assert_eq!(test.store.find_api_key("hash of nothing").await.unwrap(), None);
        let service = test.store.find_api_key("hash of service").await.unwrap().unwrap();
        assert_eq!((service.account, service.scopes.to_string().as_str()), (None, "accounts:read,accounts:write"));
        let names = |keys: Vec<ApiKey>| keys.iter().map(|key| key.id.to_string()).collect::<Vec<_>>();
        assert_eq!(names(test.store.list_api_keys(Some(ann)).await.unwrap()), ["newer", "older"]);
        assert_eq!(names(test.store.list_api_keys(None).await.unwrap()), ["service"]);

        let same_secret = NewApiKey { id: ApiKeyId::parse("twice").unwrap(), ..older.clone() };
        assert!(test.store.add_api_key(&same_secret, &entry).await.is_err());
        assert_eq!(test.store.list_audit(ann, 10).await.unwrap(), [entry.clone(), entry]);
    }

    async fn the_use_of_a_key_only_moves_forward_and_its_revocation_is_final(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let id = test.service_key("service").await;
        let find = || async { test.store.find_api_key("hash of service").await.unwrap().unwrap() };
        for seconds in [60, 0] {
            test.store.mark_api_key_used(&id, NOW.plus_seconds(seconds)).await.unwrap();
        }
        assert_eq!(find().await.last_used_at, Some(NOW.plus_seconds(60)));
        assert!(find().await.is_valid(NOW));

        let revoked_after = |seconds| {
            AuditEntry { created_at: NOW.plus_seconds(seconds), ..audit_entry(None, "revoke_api_key") }
        };
        assert!(test.store.revoke_api_key(&id, &revoked_after(70)).await.unwrap());
        assert!(!test.store.revoke_api_key(&id, &revoked_after(80)).await.unwrap());
        assert!(!test.store.revoke_api_key(&ApiKeyId::parse("nobody").unwrap(), &revoked_after(80)).await.unwrap());
        assert_eq!(find().await.revoked_at, Some(NOW.plus_seconds(70)));
        assert!(!find().await.is_valid(NOW));
    }
}

async fn due(test: &TestLedger, seconds: i64) -> Vec<AccountId> {
    test.store.list_due_accounts(NOW.plus_seconds(seconds), None, 10).await.unwrap()
}

async fn monthly(test: &TestLedger, of: Option<&str>, above: Option<AccountId>, limit: u32) -> Vec<AccountId> {
    test.store.list_monthly_accounts(of.map(plan).as_ref(), above, limit).await.unwrap()
}

on_both_databases! {
    async fn what_time_makes_due_is_listed_by_account_and_page_by_page(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let lasting = test.account(10).await;
        let ends = test.account(0).await;
        test.apply(ends, ending(5, 100)).await.unwrap();
        let holds = test.account(10).await;
        test.apply(holds, hold_for(5, 50)).await.unwrap();
        let monthly = test.account(0).await;
        test.apply(monthly, subscribe("basic", "order-1", 50)).await.unwrap();
        // All of what ends is on hold, so it does not end before the hold does.
        let held = test.account(0).await;
        test.apply(held, ending(5, 100)).await.unwrap();
        test.apply(held, hold_for(5, 500)).await.unwrap();

        let month = NOW.plus_months(1).seconds_since(NOW);
        assert!(due(&test, 49).await.is_empty());
        assert_eq!(due(&test, 50).await, [holds]);
        assert_eq!(due(&test, 100).await, [ends, holds]);
        assert_eq!(due(&test, 500).await, [ends, holds, held]);
        assert_eq!(due(&test, month).await, [ends, holds, monthly, held]);
        let second_page = test.store.list_due_accounts(NOW.plus_seconds(month), Some(holds), 1).await.unwrap();
        assert_eq!(second_page, [monthly]);

        test.clock.advance_seconds(month);
        for account in [lasting, ends, holds, monthly, held] {
            test.apply(account, Operation::RollForward).await.unwrap();
        }
        assert!(due(&test, month).await.is_empty(), "what was booked is still due");
        test.assert_books_balance().await;
    }

    async fn accounts_with_monthly_credits_are_listed_by_plan_and_page_by_page(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let mut accounts = Vec::new();
        for (plan, order, credits) in [("basic", "o1", 50), ("pro", "o2", 90), ("basic", "o3", 50), ("free", "o4", 0)] {
            let account = test.account(0).await;
            test.apply(account, subscribe(plan, order, credits)).await.unwrap();
            accounts.push(account);
        }
        assert_eq!(monthly(&test, None, None, 10).await, accounts[..3]);
        assert_eq!(monthly(&test, Some("basic"), None, 10).await, [accounts[0], accounts[2]]);
        assert_eq!(monthly(&test, None, None, 2).await, accounts[..2]);
        assert_eq!(monthly(&test, None, Some(accounts[1]), 2).await, [accounts[2]]);
        assert!(monthly(&test, Some("free"), None, 10).await.is_empty(), "a plan without monthly credits");
    }

    async fn the_grants_of_a_run_of_resets_are_found_by_how_their_references_begin(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let mut grants = Vec::new();
        for (order, reference) in [("order-1", "run-1:1"), ("order-2", "run-1:2"), ("order-3", "run-10:1")] {
            let account = test.account(0).await;
            test.apply(account, subscribe("basic", order, 50)).await.unwrap();
            grants.push((account, opened_by(&test.apply(account, reset(reference)).await.unwrap())));
        }
        assert_eq!(test.store.list_reset_grants("run-1:").await.unwrap(), grants[..2]);
        assert_eq!(test.store.list_reset_grants("run-1").await.unwrap(), grants);
        assert!(test.store.list_reset_grants("run%").await.unwrap().is_empty(), "a pattern sign is text");
    }

    async fn debt_lives_across_batches_and_rows_that_only_make_debt_are_kept(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let bought = test.account(0).await;
        let payment = test.apply(bought, grant(Source::Purchase, 10)).await.unwrap();
        test.apply(bought, charge(10)).await.unwrap();
        let clawback = Operation::Clawback { grant: opened_by(&payment), amount: None };
        let taken_back = test.apply(bought, clawback).await.unwrap();
        assert_eq!((receipt(&taken_back).transaction.amount, receipt(&taken_back).balance.debt.get()), (0, 10));
        test.apply(bought, grant(Source::Promotion, 4)).await.unwrap();
        let read = test.store.read_account(bought).await.unwrap().unwrap();
        assert_eq!((read.total(), read.debt()), (Credits::ZERO, Credits::of(6)));

        let monthly = test.account(0).await;
        test.apply(monthly, subscribe("basic", "order-1", 10)).await.unwrap();
        test.apply(monthly, charge(10)).await.unwrap();
        let begun_anew = test.apply(monthly, reset("run-1:1")).await.unwrap();
        test.apply(monthly, charge(10)).await.unwrap();
        let undo = Operation::UndoReset { grant: opened_by(&begun_anew) };
        let undone = test.apply(monthly, undo).await.unwrap();
        assert_eq!((receipt(&undone).transaction.amount, receipt(&undone).balance.debt.get()), (0, 10));
        test.assert_books_balance().await;
    }

    async fn the_totals_of_the_books_are_both_sides_of_the_equation(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(60).await;
        test.apply(account, ending(10, 100)).await.unwrap();
        let first = test.apply(account, charge(4)).await.unwrap();
        let second = test.apply(account, charge(8)).await.unwrap();
        // Two go back to the sign-up credits and one to the promotion, where it ends.
        test.apply(account, refund(&second, 3)).await.unwrap();
        test.clock.advance_seconds(100);
        test.apply(account, refund(&first, 4)).await.unwrap();
        test.apply(account, Operation::Adjust(CreditDelta::new(-5).unwrap())).await.unwrap();
        let payment = test.apply(account, grant(Source::Purchase, 10)).await.unwrap();
        test.apply(account, Operation::Clawback { grant: opened_by(&payment), amount: None }).await.unwrap();
        let books = test.store.check_books().await.unwrap();
        let expected = Totals {
            granted: 80,
            restored: 4,
            remaining: 59,
            consumed: 12,
            refunded: 3,
            expired: 1,
            taken_back: 15,
            debt: 0,
        };
        assert_eq!((books.accounts, books.totals, books.flaws), (1, expected, Vec::new()));
    }
}

/// What a watcher hears next. What is never heard fails the test.
async fn heard(news: &mut Receiver<BalanceChange>) -> BalanceChange {
    tokio::time::timeout(Duration::from_secs(60), news.recv()).await.unwrap().unwrap()
}

on_both_databases! {
    async fn who_watches_hears_what_is_announced_and_what_is_committed(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let mut news = test.store.watch();
        let announced = BalanceChange::Account(AccountId(7), Seq(3));
        test.store.announce(vec![announced]);
        assert_eq!(heard(&mut news).await, announced);
        let account = test.account(10).await;
        assert_eq!(heard(&mut news).await, BalanceChange::Account(account, Seq(1)));
        test.apply(account, charge(1)).await.unwrap();
        assert_eq!(heard(&mut news).await, BalanceChange::Account(account, Seq(2)));
    }
}

/// Only here: programs on one SQLite file do not tell each other.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_one_program_hears_what_another_commits() {
    let test = TestLedger::start(Engine::Postgres).await;
    let other = test.beside().await;
    let mut news = other.store.watch();
    let account = test.account(10).await;
    assert_eq!(heard(&mut news).await, BalanceChange::Account(account, Seq(1)));
    test.apply(account, charge(1)).await.unwrap();
    assert_eq!(heard(&mut news).await, BalanceChange::Account(account, Seq(2)));
}
