//! The core alone: what one charge costs in arithmetic, without queue, database or disk, by the number of grants that
//! are open. `cargo bench --features ssr --bench core`
#![allow(clippy::unwrap_used)]

use scrip::domain::account::Snapshot;
use scrip::domain::{Account, AccountId, Credits, Memo, NewGrant, Operation, Source, Timestamp};
use scrip::server::store::{ChainKey, Head, Link};
use std::hint::black_box;
use std::time::{Duration, Instant};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// As many as one commit may bring to one account; the rows of history pile up in it as they do there.
const CHARGES: u32 = 1_024;
/// For each line: the quickest round within it counts, since whatever else the machine does only adds.
const TIME: Duration = Duration::from_secs(3);

fn main() {
    println!("| open grants | ns per charge |\n| --- | --- |");
    for grants in [1, 10, 1_000] {
        let account = account_with(grants);
        let begun = Instant::now();
        let mut quickest = time_charges(&account);
        while begun.elapsed() < TIME {
            quickest = quickest.min(time_charges(&account));
        }
        println!("| {grants} | {} |", (quickest / CHARGES).as_nanos());
    }
    let begun = Instant::now();
    let mut quickest = time_chain();
    while begun.elapsed() < TIME {
        quickest = quickest.min(time_chain());
    }
    println!("\nThe chain of history: {} ns per charge.", (quickest / CHARGES).as_nanos());
}

/// What the store adds to a charge for the chain: it checks the seal, makes the codes of the words and of the row, and
/// makes the next seal.
fn time_chain() -> Duration {
    let key = ChainKey::new(&[1; ChainKey::BYTES]);
    let account = AccountId(1);
    let mut head = Head::default();
    let mut seal = key.seal(account, &head);
    let begun = Instant::now();
    for number in 0..CHARGES {
        assert_eq!(key.seal(account, black_box(&head)), seal);
        let seq = i64::from(number) + 1;
        let words = key.words(account, seq, black_box("Text to image"), None);
        let link = Link {
            seq,
            kind: "debit",
            cause: "charge",
            amount: -5,
            balance_after: 1_000_000,
            debt_after: 0,
            feature: Some("text-to-image"),
            units: Some(1),
            rate_version: Some(1),
            words: &words,
            actor: "user",
            hold: None,
            refund_of: None,
            created_at: NOW.millis(),
            draws: "[[1,-5]]",
        };
        head = Head { rows: seq, code: key.link(account, &head.code, &link) };
        seal = key.seal(account, &head);
    }
    black_box(seal);
    begun.elapsed()
}

/// As the store hands it over, with grants that end one after the other.
fn account_with(grants: i64) -> Account {
    let mut account = Account::new(AccountId(1));
    for number in 1..=grants {
        let expires_at = Some(NOW.plus_seconds(number * 86_400));
        let amount = Credits::of(1_000_000);
        let grant = NewGrant { source: Source::Promotion, amount, expires_at, reference: None };
        account.apply(&Operation::Grant(grant), &Memo::system("benchmark"), NOW).unwrap();
    }
    let grants = account.grants().to_vec();
    Account::load(account.id(), Snapshot { last_seq: account.last_seq(), grants, ..Snapshot::default() })
}

fn time_charges(account: &Account) -> Duration {
    let mut account = account.clone();
    let charge = Operation::Charge { cost: Credits::of(1), usage: None };
    let memo = Memo::new(Memo::OWNER, "benchmark");
    let begun = Instant::now();
    for _ in 0..CHARGES {
        black_box(account.apply(black_box(&charge), &memo, NOW)).unwrap();
    }
    begun.elapsed()
}
