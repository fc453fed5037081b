//! What the benchmarks share: a ledger with accounts to charge, callers that keep it busy, and the table in which
//! what they did is told.
#![allow(dead_code, reason = "each benchmark uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod bulk;
pub mod http_load;
pub mod pgbench;
pub mod plain_sqlite;
#[path = "../../tests/common/postgres.rs"]
pub mod postgres;

use scrip::domain::identity::{Email, PersonName, Role};
use scrip::domain::{AccountId, Credits, Memo, NewGrant, Operation, Source, Timestamp, UserId};
use scrip::server::clock::SystemClock;
use scrip::server::ledger::{Answer, Ledger, MAX_BATCH, Step, Submission, Target};
use scrip::server::store::{ChainKey, DatabaseUrl, LedgerStore, NewUser, SqlStore};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// As the program has it.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Work that is not counted, before the work that is.
const WARM_UP: Duration = Duration::from_secs(1);

/// What every account has to begin with: more than any benchmark spends of it.
pub const CREDITS: i64 = 1_000_000_000;

/// A folder on the disk of the build, which is the project's own: `/tmp` may be memory.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The key of the chain of history, as its file holds it.
pub const CHAIN_KEY: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";

pub fn chain_key() -> ChainKey {
    ChainKey::new(&[0x2a; ChainKey::BYTES])
}

/// The ledger as the program runs it, over a database of its own.
#[derive(Clone)]
pub struct Bench {
    pub store: SqlStore,
    pub ledger: Ledger,
}

impl Bench {
    pub async fn open(url: &DatabaseUrl) -> Self {
        let store = SqlStore::open(url).await.unwrap().with_chain_key(chain_key());
        let (ledger, _) = Ledger::start(Arc::new(store.clone()), Arc::new(SystemClock), CancellationToken::new());
        Self { store, ledger }
    }

    /// Signs people up through the ledger, as many at once as share a commit.
    pub async fn sign_up(&self, count: usize) -> Vec<AccountId> {
        let mut accounts = Vec::with_capacity(count);
        while accounts.len() < count {
            let mut tasks = JoinSet::new();
            for number in accounts.len()..count.min(accounts.len() + MAX_BATCH) {
                let ledger = self.ledger.clone();
                tasks.spawn(async move { ledger.submit(newcomer(number)).await.unwrap() });
            }
            accounts.extend(tasks.join_all().await.into_iter().map(|answer| match answer {
                Answer::Applied { account, .. } => account,
                Answer::Replayed { .. } => panic!("a sign-up without a key was replayed"),
            }));
        }
        accounts
    }

    /// Takes one credit.
    pub async fn charge(&self, account: AccountId) {
        let charge = Operation::Charge { cost: Credits::of(1), usage: None };
        self.ledger.submit(Submission::one(account, charge, Memo::new(Memo::OWNER, "benchmark"))).await.unwrap();
    }

    /// What was timed has happened: every account agrees with its history, and so much was charged in all.
    pub async fn charged(&self) -> i64 {
        let books = self.store.check_books().await.unwrap();
        assert!(books.balance_out(), "{:#?}", books.flaws);
        books.totals.consumed
    }
}

fn newcomer(number: usize) -> Submission {
    let user = NewUser {
        public_id: UserId::parse(&format!("u{number}")).unwrap(),
        email: Email::parse(&format!("{number}@example.com")).unwrap(),
        name: PersonName::parse("Somebody").unwrap(),
        password_hash: None,
        role: Role::User,
        created_at: Timestamp::from_millis(0),
    };
    let amount = Credits::new(CREDITS).unwrap();
    let grant = Operation::Grant(NewGrant { source: Source::Purchase, amount, expires_at: None, reference: None });
    let steps = vec![Step { operation: grant, memo: Memo::system("benchmark") }];
    Submission { target: Target::NewUser(Box::new(user)), steps, key: None, booking: None, audit: None }
}

/// What callers finished in a time, and how long they waited for each.
#[derive(Debug, Default)]
pub struct Rate {
    time: Duration,
    waits: Vec<Duration>,
}

impl Rate {
    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.time += other.time;
        self.waits.extend(other.waits);
        self
    }

    pub fn per_second(&self) -> f64 {
        self.waits.len() as f64 / self.time.as_secs_f64()
    }

    /// The wait that so many of a hundred did not exceed, in milliseconds.
    pub fn wait_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.waits.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1_000.0)
    }
}

/// Keeps so many callers busy, each with one thing at a time. What was begun in the warm-up and finished after it
/// counts, and what is unfinished at the end does not: over the time the two make up for each other.
pub async fn drive<W, F>(callers: usize, time: Duration, work: W) -> Rate
where
    W: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let work = work.clone();
        tasks.spawn(async move {
            let mut waits = Vec::new();
            let mut numbers = Numbers(caller as u64);
            let mut asked = Instant::now();
            while asked < end {
                work(numbers.next()).await;
                let answered = Instant::now();
                if (begin..end).contains(&answered) {
                    waits.push(answered - asked);
                }
                asked = answered;
            }
            waits
        });
    }
    Rate { time, waits: tasks.join_all().await.concat() }
}

/// Numbers that look random and are the same in every run: splitmix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One of a list, by a number.
pub fn pick<T: Copy>(list: &[T], number: u64) -> T {
    list[(number % list.len() as u64) as usize]
}

/// Says what the figures depend on most: how many cores there are, and how long the disk takes to keep a page.
pub fn print_machine(folder: &Path) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut waits = fsync_times(folder);
    waits.sort_unstable();
    let (median, slow) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!(
        "{cores} cores; write and fdatasync of one page of 4 KiB: {:.3} ms at the median, {:.3} ms at the 99th percentile\n",
        median.as_secs_f64() * 1_000.0,
        slow.as_secs_f64() * 1_000.0
    );
}

fn fsync_times(folder: &Path) -> Vec<Duration> {
    let file = std::fs::File::create(folder.join("page")).unwrap();
    let write = |number: u8| {
        let begun = Instant::now();
        file.write_all_at(&[number; 4_096], 0).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    };
    // The first one also makes room for the page.
    write(0);
    (0..=u8::MAX).chain(0..=u8::MAX).map(write).collect()
}

/// Prints one line of a Markdown table.
pub fn print_row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints the head of a Markdown table.
pub fn print_head(titles: &[&str]) {
    println!("| {} |\n|{}", titles.join(" | "), " --- |".repeat(titles.len()));
}

/// A number of things, with its digits grouped.
pub fn count(number: f64) -> String {
    scrip::domain::credits::group_digits(number.round() as i64)
}

/// Two waits in milliseconds: the median and the 99th percentile.
pub fn waits(rate: &Rate) -> String {
    format!("{:.2} / {:.2}", rate.wait_ms(50), rate.wait_ms(99))
}
