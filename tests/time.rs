//! Time on both databases: every end of a month, leap years, and jobs that are late, doubled, or run on two machines at
//! once. What is booked, and with which moment, never depends on when somebody looked.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::server::config_in;
use common::{NOW, TestLedger, charge, memo, on_both_databases, subscribe};
use scrip::domain::operation::{NewGrant, Operation, Source};
use scrip::domain::{AccountId, Credits, Timestamp, Transaction};
use scrip::server::clock::Clock;
use scrip::server::config::Config;
use scrip::server::ledger::Submission;
use scrip::server::start::Core;
use scrip::server::store::{HistoryEntry, HistoryFilter, HistoryQuery};
use tempfile::TempDir;

const DAY: i64 = 86_400;
/// More lines than there can be.
const ALL_LINES: u32 = 10_000;

/// Days since 1970 of a day of the Gregorian calendar: Howard Hinnant, "chrono-compatible low-level date algorithms".
/// Another way than the core's own.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// How long a month is.
fn length_of(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_of(next_year, next_month, 1) - days_of(year, month, 1)
}

/// A day at noon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Noon {
    year: i64,
    month: i64,
    day: i64,
}

impl Noon {
    fn moment(self) -> Timestamp {
        Timestamp::from_millis((days_of(self.year, self.month, self.day) * DAY + DAY / 2) * 1_000)
    }

    /// The same day so many months later, or the last one of a month that is shorter.
    fn months_later(self, months: i64) -> Self {
        let index = self.month - 1 + months;
        let (year, month) = (self.year + index / 12, index % 12 + 1);
        Self { year, month, day: self.day.min(length_of(year, month)) }
    }
}

#[test]
fn the_calendar_of_this_test_knows_leap_years() {
    assert_eq!(days_of(1970, 1, 1), 0);
    assert_eq!([2027, 2028, 2100, 2000].map(|year| length_of(year, 2)), [28, 29, 28, 29]);
}

/// Another machine on the same database, with the program's own job.
struct Machine {
    core: Core,
    _folder: TempDir,
}

impl Machine {
    async fn start(test: &TestLedger) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { database: test.url.clone(), ..config_in(&folder) };
        Self { core: Core::open_with_clock(&config, test.clock.clone()).await.unwrap(), _folder: folder }
    }

    async fn run_job(&self) -> usize {
        self.core.services.book_due_accounts().await.unwrap()
    }
}

fn move_to(test: &TestLedger, moment: Timestamp) {
    let ahead = moment.seconds_since(test.clock.now());
    assert!(ahead >= 0, "time goes forward only");
    test.clock.advance_seconds(ahead);
}

/// The movements of an account, the oldest first.
async fn movements(test: &TestLedger, account: AccountId) -> Vec<Transaction> {
    let query = HistoryQuery { filter: HistoryFilter::Movements, limit: ALL_LINES, ..HistoryQuery::default() };
    let lines = test.store.list_history(account, &query).await.unwrap();
    let rows = lines.into_iter().filter_map(|line| match line {
        HistoryEntry::Transaction(row) => Some(*row),
        HistoryEntry::Hold { .. } => None,
    });
    rows.rev().collect()
}

/// When credits of a month came and when they end, in order.
fn months_of(rows: &[Transaction]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let came = rows.iter().filter(|row| row.amount > 0);
    came.map(|row| (row.created_at, row.draws[0].expires_at)).collect()
}

on_both_databases! {
    /// The job comes every eleventh day only, and at the moment of some months and not of others.
    async fn every_month_begins_on_its_day_however_long_the_months_are(engine: Engine) {
        const MONTHS: i64 = 14;
        let test = TestLedger::start(engine).await;
        let machine = Machine::start(&test).await;
        let of_year = |year| (1..=12).flat_map(move |month| (28..=length_of(year, month)).map(move |day| (year, month, day)));
        // 2028 is a leap year. 1 and 15 stand for all days that every month has.
        let ends = of_year(2027).chain(of_year(2028)).chain([(2027, 1, 1), (2027, 6, 15)]);
        let mut anchors: Vec<Noon> = ends.map(|(year, month, day)| Noon { year, month, day }).collect();
        anchors.sort_unstable();
        let mut accounts = Vec::new();
        for (number, anchor) in anchors.iter().enumerate() {
            move_to(&test, anchor.moment());
            let account = test.account(0).await;
            test.apply(account, subscribe("basic", &format!("order-{number}"), 50)).await.unwrap();
            accounts.push(account);
        }
        let end = anchors.last().unwrap().months_later(MONTHS).moment();
        while test.clock.now() < end {
            let rest = end.seconds_since(test.clock.now());
            test.clock.advance_seconds(rest.min(11 * DAY));
            machine.run_job().await;
        }
        assert_eq!(machine.run_job().await, 0, "what was booked is still due");
        for (anchor, account) in anchors.iter().zip(accounts) {
            let booked = months_of(&movements(&test, account).await);
            let expected: Vec<_> = (0..)
                .map(|month| (anchor.months_later(month).moment(), Some(anchor.months_later(month + 1).moment())))
                .take_while(|(begins, _)| *begins <= end)
                .collect();
            assert_eq!(booked, expected, "{anchor:?}");
        }
        test.assert_books_balance().await;
    }

    async fn a_month_begins_at_its_moment_and_not_a_second_before(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let machine = Machine::start(&test).await;
        let anchor = Noon { year: 2027, month: 12, day: 31 };
        move_to(&test, anchor.moment());
        let account = test.account(0).await;
        test.apply(account, subscribe("basic", "order", 50)).await.unwrap();
        for month in 1..=14 {
            test.apply(account, charge(7)).await.unwrap();
            move_to(&test, anchor.months_later(month).moment().plus_seconds(-1));
            assert_eq!((machine.run_job().await, test.balance(account).await), (0, Credits::of(43)), "month {month}");
            test.clock.advance_seconds(1);
            assert_eq!((machine.run_job().await, test.balance(account).await), (1, Credits::of(50)), "month {month}");
        }
        test.assert_books_balance().await;
    }
}

/// How somebody looks after an account as time goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Whenever something falls due.
    InTime,
    /// A day too late.
    Late,
    /// Twice, one after the other.
    Doubled,
    /// Two machines at the same moment, each several times.
    ByTwoMachines,
    /// Nobody, until the end.
    None,
}

const CARES: [Care; 5] = [Care::InTime, Care::Late, Care::Doubled, Care::ByTwoMachines, Care::None];

/// Something of each kind that falls due: a month, credits that end, a hold that nobody settles, and one whose grant
/// ends while it is held.
async fn fill(test: &TestLedger, account: AccountId, order: &str) {
    let ending = |amount, seconds| {
        let expires_at = Some(NOW.plus_seconds(seconds));
        Operation::Grant(NewGrant {
            source: Source::Promotion,
            amount: Credits::of(amount),
            expires_at,
            reference: None,
        })
    };
    let hold = |cost, ttl_seconds| Operation::Hold { cost: Credits::of(cost), usage: None, ttl_seconds };
    for operation in [
        subscribe("basic", order, 50),
        ending(10, 3 * DAY),
        ending(20, DAY / 2),
        hold(15, DAY),
        ending(5, 40 * DAY),
        hold(3, 900),
        charge(4),
    ] {
        test.apply(account, operation).await.unwrap();
    }
}

async fn roll_forward(test: &TestLedger, account: AccountId) {
    test.ledger.submit(Submission::one(account, Operation::RollForward, memo())).await.unwrap();
}

on_both_databases! {
    async fn who_looks_and_when_changes_nothing_of_what_is_booked(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let other = test.beside().await;
        let mut accounts = Vec::new();
        for care in CARES {
            let account = test.account(0).await;
            fill(&test, account, &format!("{care:?}")).await;
            accounts.push((care, account));
        }
        let mut moments = vec![NOW.plus_seconds(900), NOW.plus_seconds(DAY / 2), NOW.plus_seconds(DAY)];
        moments.extend([3 * DAY, 40 * DAY].map(|seconds| NOW.plus_seconds(seconds)));
        moments.extend((1..=4).map(|month| NOW.plus_months(month)));
        let in_time: Vec<Timestamp> = moments.clone();
        moments.extend(in_time.iter().map(|moment| moment.plus_seconds(DAY)));
        moments.sort_unstable();
        for moment in moments {
            move_to(&test, moment);
            let is_in_time = in_time.contains(&moment);
            for (care, account) in &accounts {
                match care {
                    Care::InTime if is_in_time => roll_forward(&test, *account).await,
                    Care::Late if !is_in_time => roll_forward(&test, *account).await,
                    Care::Doubled if is_in_time => {
                        roll_forward(&test, *account).await;
                        roll_forward(&test, *account).await;
                    }
                    Care::ByTwoMachines if is_in_time => {
                        let rolling = |_| Submission::one(*account, Operation::RollForward, memo());
                        let answers = common::all_at_once(&[&test.ledger, &other.ledger], 8, rolling).await;
                        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
                    }
                    Care::InTime | Care::Late | Care::Doubled | Care::ByTwoMachines | Care::None => {}
                }
            }
        }
        let mut histories = Vec::new();
        for (care, account) in &accounts {
            roll_forward(&test, *account).await;
            histories.push((care, movements(&test, *account).await));
        }
        let (_, first) = &histories[0];
        assert!(first.len() > 10, "{first:#?}");
        for (care, history) in &histories {
            assert_eq!(history, first, "{care:?}");
        }
        test.assert_books_balance().await;
    }

    async fn jobs_on_two_machines_at_once_book_everything_once(engine: Engine) {
        const ACCOUNTS: usize = 60;
        let test = TestLedger::start(engine).await;
        let (here, there) = (Machine::start(&test).await, Machine::start(&test).await);
        let mut accounts = Vec::new();
        for number in 0..ACCOUNTS {
            let account = test.account(0).await;
            test.apply(account, subscribe("basic", &format!("order-{number}"), 50)).await.unwrap();
            accounts.push(account);
        }
        for month in 1..=3 {
            move_to(&test, NOW.plus_months(month));
            let booked = tokio::join!(here.run_job(), there.run_job());
            assert!(booked.0.max(booked.1) > 0, "no job found anything");
        }
        for account in accounts {
            let booked = months_of(&movements(&test, account).await);
            let expected: Vec<_> =
                (0..=3).map(|month| (NOW.plus_months(month), Some(NOW.plus_months(month + 1)))).collect();
            assert_eq!(booked, expected);
        }
        test.assert_books_balance().await;
    }
}
