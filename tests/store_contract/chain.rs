//! What the chain finds where all sums are right: somebody with the database, past its triggers, but without the key.

use super::common::{NOW, TestLedger, chain_key, charge, hold, on_both_databases};
use super::ending;
use super::falsification::Shell;
use scrip::domain::AccountId;
use scrip::server::ledger::LedgerError;
use scrip::server::store::{ChainKey, Guard, LedgerStore, StoreError};

/// Each account was granted 60 in row 1, charged 5 in row 2 and 2 in row 4, and has 5 on hold.
async fn account(test: &TestLedger) -> AccountId {
    let account = test.account(60).await;
    for operation in [charge(5), hold(5), charge(2)] {
        test.apply(account, operation).await.unwrap();
    }
    account
}

async fn flaws(test: &TestLedger) -> Vec<String> {
    test.store.check_books().await.unwrap().flaws
}

const ROW_2: &str = "account $, row 2: it is not as it was written, or does not follow from the row before it";
const ROW_4: &str = "account $, row 4: it is not as it was written, or does not follow from the row before it";
const ROW_6: &str = "account $, row 6: it is not as it was written, or does not follow from the row before it";
const HEAD: &str = "account $: the head of its history is not as it was written";

/// What is forged, and all that the proof says of it; `$` is the account, `?` another one with the same history.
const FORGERIES: [(&[&str], &[&str]); 15] = [
    (&["UPDATE transactions SET description = 'another' WHERE account_id = $ AND seq = 2"], &[ROW_2]),
    (&["UPDATE transactions SET metadata = '{}' WHERE account_id = $ AND seq = 2"], &[ROW_2]),
    (&["UPDATE transactions SET actor = 'another' WHERE account_id = $ AND seq = 2"], &[ROW_2]),
    (&["UPDATE transactions SET created_at = created_at + 1 WHERE account_id = $ AND seq = 2"], &[ROW_2]),
    (
        &["UPDATE transactions SET feature = 'video', units = 1, rate_version = 1 WHERE account_id = $ AND seq = 4"],
        &[ROW_4],
    ),
    (&["UPDATE transactions SET description = '', erased_words = 'gone' WHERE account_id = $ AND seq = 2"], &[ROW_2]),
    (
        &["UPDATE transactions SET code = '' WHERE account_id = $ AND seq = 1"],
        &["account $, row 1: it is not as it was written, or does not follow from the row before it", ROW_2],
    ),
    // Two amounts, so that the sums are right.
    (
        &[
            "UPDATE transactions SET amount = -6, balance_after = 54, draws = '[[1,-6]]' WHERE account_id = $ AND seq = 2",
            "UPDATE transactions SET amount = -1, draws = '[[1,-1]]' WHERE account_id = $ AND seq = 4",
        ],
        &[ROW_2, ROW_4],
    ),
    // Removed from the middle, cut off at the end, and cut off with the head moved back.
    (
        &[
            "DELETE FROM transactions WHERE account_id = $ AND seq = 2",
            "UPDATE transactions SET amount = -7, draws = '[[1,-7]]' WHERE account_id = $ AND seq = 4",
        ],
        &[ROW_4, "account $: its history ends after 2 rows, and not as its head says after 3"],
    ),
    (
        &[
            "DELETE FROM transactions WHERE account_id = $ AND seq = 4",
            "UPDATE grants SET remaining = 55 WHERE account_id = $",
            "UPDATE accounts SET balance = 55 WHERE id = $",
        ],
        &["account $: its history ends after 2 rows, and not as its head says after 3"],
    ),
    (
        &[
            "DELETE FROM transactions WHERE account_id = $ AND seq = 4",
            "UPDATE grants SET remaining = 55 WHERE account_id = $",
            "UPDATE accounts SET balance = 55, chain_rows = 2, chain_code =
                (SELECT code FROM transactions WHERE account_id = $ AND seq = 2) WHERE id = $",
        ],
        &[HEAD],
    ),
    // Added, with the head moved on.
    (
        &[
            "INSERT INTO transactions (account_id, seq, type, cause, amount, balance_after, debt_after, description,
                actor, created_at, draws, code)
             SELECT account_id, 6, 'debit', 'charge', -3, 50, 0, 'forged', 'user', created_at, '[[1,-3]]', code
             FROM transactions WHERE account_id = $ AND seq = 4",
            "UPDATE grants SET remaining = 50 WHERE account_id = $",
            "UPDATE accounts SET balance = 50, last_seq = 6, chain_rows = 4 WHERE id = $",
        ],
        &[ROW_6, HEAD],
    ),
    // Row and head of another account.
    (
        &["UPDATE transactions SET code = (SELECT code FROM transactions WHERE account_id = ? AND seq = 4)
            WHERE account_id = $ AND seq = 4"],
        &[ROW_4, "account $: its history ends after 3 rows, and not as its head says after 3"],
    ),
    (&["UPDATE accounts SET chain_seal = (SELECT chain_seal FROM accounts WHERE id = ?) WHERE id = $"], &[HEAD]),
    (
        &["UPDATE accounts SET chain_rows = 0, chain_code = '' WHERE id = $"],
        &[HEAD, "account $: its history ends after 3 rows, and not as its head says after 0"],
    ),
];

on_both_databases! {
    async fn what_is_forged_with_right_sums_is_named_by_the_chain_alone(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = account(&test).await;
        let mut accounts = Vec::new();
        for _ in FORGERIES {
            accounts.push(account(&test).await);
        }
        test.assert_books_balance().await;
        let mut shell = Shell::open(&test, false).await;
        shell.remove_guards().await;
        let mut known = Vec::new();
        for ((forged, sentences), account) in FORGERIES.iter().zip(&accounts) {
            let account = account.0.to_string();
            for statement in *forged {
                let statement = statement.replace('$', &account).replace('?', &other.0.to_string());
                assert_eq!(shell.run(&statement).await.unwrap(), 1, "{statement}");
            }
            let all = flaws(&test).await;
            let found: Vec<String> = all.iter().filter(|flaw| !known.contains(*flaw)).cloned().collect();
            let expected: Vec<String> = sentences.iter().map(|sentence| sentence.replace('$', &account)).collect();
            assert_eq!(found, expected, "{forged:?}");
            known = all;
        }
    }

    async fn what_was_cut_off_is_not_covered_by_what_comes_after(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (cut, whole) = (account(&test).await, account(&test).await);
        let mut shell = Shell::open(&test, false).await;
        shell.remove_guards().await;
        for statement in [
            "DELETE FROM transactions WHERE account_id = $ AND seq = 4",
            "UPDATE grants SET remaining = 55 WHERE account_id = $",
            "UPDATE accounts SET balance = 55, chain_rows = 2, chain_code =
                (SELECT code FROM transactions WHERE account_id = $ AND seq = 2) WHERE id = $",
        ] {
            shell.run(&statement.replace('$', &cut.0.to_string())).await.unwrap();
        }
        assert_eq!(test.apply(cut, charge(1)).await, Err(LedgerError::HistoryAltered));
        assert!(test.apply(whole, charge(1)).await.is_ok(), "the others were not served");
        assert_eq!(flaws(&test).await, [HEAD.replace('$', &cut.0.to_string())]);
    }

    async fn words_that_are_erased_with_the_key_leave_the_chain_whole(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = account(&test).await;
        let words = chain_key().words(account, 2, "test", None);
        let mut shell = Shell::open(&test, true).await;
        let id = account.0;
        let erase = format!(
            "UPDATE transactions SET description = '', erased_words = '{words}' WHERE account_id = {id} AND seq = 2"
        );
        assert_eq!(shell.run(&erase).await.unwrap(), 1);
        test.assert_books_balance().await;
        test.apply(account, charge(1)).await.unwrap();

        // Only once, and other words in their place are found.
        assert!(shell.run(&erase).await.is_err());
        shell.remove_guards().await;
        let forge = format!("UPDATE transactions SET description = 'x' WHERE account_id = {id} AND seq = 2");
        assert_eq!(shell.run(&forge).await.unwrap(), 1);
        assert_eq!(flaws(&test).await, [ROW_2.replace('$', &id.to_string())]);
    }

    async fn a_new_chain_takes_the_history_as_it_stands_and_goes_on_from_there(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let (touched, fresh) = (account(&test).await, test.account(0).await);
        let mut shell = Shell::open(&test, false).await;
        shell.remove_guards().await;
        let id = touched.0;
        let alter = |seq| format!("UPDATE transactions SET actor = 'x' || actor WHERE account_id = {id} AND seq = {seq}");
        shell.run(&alter(2)).await.unwrap();
        assert_eq!(flaws(&test).await.len(), 1);

        let another = ChainKey::new(&[7; ChainKey::BYTES]);
        let renewed = test.sql.renew_chain(&another, "system", NOW).await.unwrap();
        assert_eq!((renewed.accounts, renewed.rows), (2, 3));
        assert_eq!(test.sql.find_chain_proof().await.unwrap(), Some(another.proof()));
        // The old key is worth nothing now.
        assert_eq!(test.apply(touched, charge(1)).await, Err(LedgerError::HistoryAltered));
        assert!(!flaws(&test).await.is_empty());

        let again = test.with_chain_key(another).await;
        again.assert_books_balance().await;
        for account in [touched, fresh] {
            again.apply(account, ending(9, 100)).await.unwrap();
        }
        again.apply(touched, charge(1)).await.unwrap();
        again.assert_books_balance().await;
        shell.run(&alter(6)).await.unwrap();
        assert_eq!(flaws(&again).await, [ROW_6.replace('$', &id.to_string())]);
        shell.run(&alter(1)).await.unwrap();
        let begun = format!("account {id}, rows up to 4: they are not as they were when the chain was begun anew");
        assert_eq!(flaws(&again).await, [begun.clone(), ROW_6.replace('$', &id.to_string())]);
        shell.run("DELETE FROM chain_starts").await.unwrap();
        assert!(flaws(&again).await.len() > 2, "a start that was removed is not missed");
    }

    async fn without_the_key_nothing_is_changed_or_proved(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = account(&test).await;
        let keyless = scrip::server::store::SqlStore::open(&test.url).await.unwrap();
        assert!(matches!(keyless.begin(Guard::Compare).await.err(), Some(StoreError::NoChainKey)));
        assert!(matches!(keyless.check_books().await, Err(StoreError::NoChainKey)));
        assert!(keyless.read_account(account).await.unwrap().is_some());
    }
}
