//! Eight clients at once on one account, and everything they were told: recorded as it happened, and checked by
//! stateright. A history passes where one account that does one thing at a time would have given the same answers, in
//! some order that never puts an operation before one that had been answered when it was asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Engine, TestLedger, charge, grant, hold, memo, on_both_databases};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use scrip::domain::operation::{Operation, Outcome, Refusal, Settler, Source};
use scrip::domain::{AccountId, Credits, HoldId, HoldStatus, Seq};
use scrip::server::ledger::{Answer, Ledger, LedgerError, Submission};
use scrip::server::store::Store;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const CLIENTS: usize = 8;
/// By each client.
const OPERATIONS: usize = 8;
/// Little enough that clients run out of it.
const FIRST_CREDITS: u32 = 16;

/// How many histories each test records.
fn histories() -> u64 {
    std::env::var("TEST_HISTORIES").map_or(20, |text| text.parse().expect("TEST_HISTORIES is a number"))
}

/// What the clients' choices come from. The moments at which they meet come from the machine, and never again.
fn first_seed() -> u64 {
    let by_clock = || u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
    std::env::var("TEST_SEED").map_or_else(|_| by_clock(), |text| text.parse().expect("TEST_SEED is a number"))
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    Charge(u32),
    Grant(u32),
    Hold(u32),
    Capture(HoldId, u32),
    Release(HoldId),
    Balance,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    /// How the account stands afterwards, and the number that it has reached. A release does not tell the number.
    Stands {
        number: Option<Seq>,
        available: Credits,
        held: Credits,
    },
    Refused(Refusal),
}

/// The specification: an account in as few words as possible, and none of them the ledger's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Purse {
    number: Seq,
    available: Credits,
    holds: BTreeMap<HoldId, (Credits, HoldStatus)>,
}

impl Purse {
    fn new(credits: u32) -> Self {
        Self { number: Seq(1), available: Credits::of(credits), holds: BTreeMap::new() }
    }

    fn answer(&mut self, ask: Ask) -> Told {
        match self.change(ask) {
            Ok(()) => {
                let number = (!matches!(ask, Ask::Release(_))).then_some(self.number);
                Told::Stands { number, available: self.available, held: self.held() }
            }
            Err(refusal) => Told::Refused(refusal),
        }
    }

    fn change(&mut self, ask: Ask) -> Result<(), Refusal> {
        let next = self.number.next();
        match ask {
            Ask::Balance => return Ok(()),
            Ask::Charge(cost) => self.spend(cost)?,
            Ask::Grant(amount) => self.give(Credits::of(amount)),
            Ask::Hold(cost) => {
                self.spend(cost)?;
                self.holds.insert(HoldId(next), (Credits::of(cost), HoldStatus::Pending));
            }
            Ask::Capture(hold, part) => {
                let (held, part) = (self.pending(hold)?, Credits::of(part));
                let rest = held.checked_sub(part).ok_or(Refusal::CaptureAboveHold { held })?;
                self.holds.insert(hold, (held, HoldStatus::Captured));
                self.give(rest);
            }
            Ask::Release(hold) => {
                let held = self.pending(hold)?;
                self.holds.insert(hold, (held, HoldStatus::Released));
                self.give(held);
            }
        }
        self.number = next;
        Ok(())
    }

    fn spend(&mut self, cost: u32) -> Result<(), Refusal> {
        let (required, available) = (Credits::of(cost), self.available);
        self.available = available.checked_sub(required).ok_or(Refusal::Insufficient { required, available })?;
        Ok(())
    }

    fn give(&mut self, amount: Credits) {
        self.available = self.available.checked_add(amount).unwrap();
    }

    fn pending(&self, hold: HoldId) -> Result<Credits, Refusal> {
        match self.holds.get(&hold) {
            Some((held, HoldStatus::Pending)) => Ok(*held),
            Some((_, settled)) => Err(Refusal::HoldSettled(*settled)),
            None => Err(Refusal::NoSuchHold),
        }
    }

    fn held(&self) -> Credits {
        let pending = self.holds.values().filter(|(_, status)| *status == HoldStatus::Pending);
        pending.fold(Credits::ZERO, |sum, (held, _)| sum.checked_add(*held).unwrap())
    }
}

/// The specification as the tester walks through the orders of a history. It remembers where it has been, since
/// otherwise a history with many refusals takes minutes: they may change places, and every order of them was tried.
#[derive(Clone, Debug)]
struct Walk {
    purse: Purse,
    /// The operations so far, one bit for the place of each.
    done: u128,
    been: Rc<RefCell<HashSet<(u128, Purse)>>>,
}

impl SequentialSpec for Walk {
    /// With its place in the history.
    type Op = (usize, Ask);
    type Ret = Told;

    fn invoke(&mut self, (place, ask): &(usize, Ask)) -> Told {
        self.done |= 1 << place;
        self.purse.answer(*ask)
    }

    /// What has not led to the end from the same place, with the same operations left, does not lead there now.
    fn is_valid_step(&mut self, op: &(usize, Ask), told: &Told) -> bool {
        self.invoke(op) == *told && self.been.borrow_mut().insert((self.done, self.purse.clone()))
    }
}

/// One line of a history, by the number of the client.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Asked(usize, Ask),
    Told(usize, Told),
}

/// Whether one account that does one thing at a time could have given these answers.
fn is_linearizable(first_credits: u32, history: &[Event]) -> bool {
    let mut tester =
        LinearizabilityTester::new(Walk { purse: Purse::new(first_credits), done: 0, been: Rc::default() });
    for (place, event) in history.iter().enumerate() {
        match event {
            Event::Asked(client, ask) => tester.on_invoke(*client, (place, *ask)).unwrap(),
            Event::Told(client, told) => tester.on_return(*client, told.clone()).unwrap(),
        };
    }
    tester.is_consistent()
}

fn lines_of(history: &[Event]) -> String {
    history.iter().map(|event| format!("{event:?}\n")).collect()
}

/// A client's way to the database: the ledger of one program, and the balances that it reads.
#[derive(Clone)]
struct Program {
    ledger: Ledger,
    store: Arc<dyn Store>,
}

/// One history while it is made.
struct Recording {
    account: AccountId,
    history: Mutex<Vec<Event>>,
    /// Those that no client was told the end of: any of them may try to settle them.
    holds: Mutex<Vec<HoldId>>,
}

impl Recording {
    /// Lets all clients work at once, spread over the programs.
    async fn make(programs: &[Program], account: AccountId, seed: u64) -> Vec<Event> {
        let recording = Arc::new(Self { account, history: Mutex::default(), holds: Mutex::default() });
        let start = Arc::new(Barrier::new(CLIENTS));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (recording, start) = (recording.clone(), start.clone());
            let program = programs[client % programs.len()].clone();
            let mut dice = StdRng::seed_from_u64(seed * CLIENTS as u64 + client as u64);
            clients.spawn(async move {
                start.wait().await;
                for _ in 0..OPERATIONS {
                    let ask = recording.choose(&mut dice);
                    recording.record(Event::Asked(client, ask));
                    let told = recording.ask(&program, ask).await;
                    recording.record(Event::Told(client, told));
                }
            });
        }
        clients.join_all().await;
        let history = recording.history.lock().unwrap();
        history.clone()
    }

    fn record(&self, event: Event) {
        self.history.lock().unwrap().push(event);
    }

    fn choose(&self, dice: &mut StdRng) -> Ask {
        let amount = dice.random_range(1..=5);
        let holds = self.holds.lock().unwrap();
        let hold = (!holds.is_empty()).then(|| holds[dice.random_range(0..holds.len())]);
        match (dice.random_range(0..100), hold) {
            (0..30, _) => Ask::Charge(amount),
            (30..42, _) => Ask::Grant(amount),
            (42..57, Some(hold)) => Ask::Capture(hold, amount),
            (57..67, Some(hold)) => Ask::Release(hold),
            (42..82, _) => Ask::Hold(amount),
            _ => Ask::Balance,
        }
    }

    async fn ask(&self, program: &Program, ask: Ask) -> Told {
        let Some(operation) = operation(ask) else {
            let account = program.store.read_account(self.account).await.unwrap().unwrap();
            let (available, held) = (account.available(), account.held());
            return Told::Stands { number: Some(account.last_seq()), available, held };
        };
        let told = match program.ledger.submit(Submission::one(self.account, operation, memo())).await {
            Ok(Answer::Applied { outcome, .. }) => told_by(&outcome),
            Err(LedgerError::Refused(refusal)) => Told::Refused(refusal),
            other => panic!("{ask:?} was answered with {other:?}"),
        };
        self.remember_holds(ask, &told);
        told
    }

    fn remember_holds(&self, ask: Ask, told: &Told) {
        let mut holds = self.holds.lock().unwrap();
        match (ask, told) {
            (Ask::Hold(_), Told::Stands { number: Some(number), .. }) => holds.push(HoldId(*number)),
            (Ask::Capture(hold, _) | Ask::Release(hold), Told::Stands { .. }) => holds.retain(|known| *known != hold),
            _ => {}
        }
    }
}

fn told_by(outcome: &Outcome) -> Told {
    let number = match outcome {
        Outcome::Receipt(receipt) => Some(receipt.transaction.seq),
        Outcome::Hold { hold, .. } => (hold.status == HoldStatus::Pending).then_some(hold.id.0),
        Outcome::Rolled { .. } => panic!("nothing changed: {outcome:?}"),
    };
    let balance = outcome.balance();
    Told::Stands { number, available: balance.available, held: balance.held }
}

/// `None` for what is only read.
fn operation(ask: Ask) -> Option<Operation> {
    let by = Settler::Anyone;
    Some(match ask {
        Ask::Charge(cost) => charge(cost),
        Ask::Grant(amount) => grant(Source::Promotion, amount),
        Ask::Hold(cost) => hold(cost),
        Ask::Capture(hold, part) => Operation::Capture { hold, amount: Some(Credits::of(part)), by },
        Ask::Release(hold) => Operation::Release { hold, reason: "not needed".into(), by },
        Ask::Balance => return None,
    })
}

fn stands(number: i64, available: u32, held: u32) -> Told {
    Told::Stands { number: Some(Seq(number)), available: Credits::of(available), held: Credits::of(held) }
}

/// A question that is answered before anybody else asks.
fn alone(client: usize, ask: Ask, told: Told) -> [Event; 2] {
    [Event::Asked(client, ask), Event::Told(client, told)]
}

/// Two questions that are both on the way before either is answered.
fn at_once(first: (Ask, Told), second: (Ask, Told)) -> [Event; 4] {
    [Event::Asked(0, first.0), Event::Asked(1, second.0), Event::Told(0, first.1), Event::Told(1, second.1)]
}

/// What the histories have to contain for their passing to mean something.
#[derive(Debug, Default)]
struct Seen {
    most_at_once: usize,
    short_of_credits: usize,
    settled_before: usize,
}

impl Seen {
    fn add(&mut self, history: &[Event]) {
        let mut under_way = 0_usize;
        for event in history {
            match event {
                Event::Asked(..) => under_way += 1,
                Event::Told(_, told) => {
                    under_way -= 1;
                    match told {
                        Told::Refused(Refusal::Insufficient { .. }) => self.short_of_credits += 1,
                        Told::Refused(Refusal::HoldSettled(_)) => self.settled_before += 1,
                        Told::Refused(_) | Told::Stands { .. } => {}
                    }
                }
            }
            self.most_at_once = self.most_at_once.max(under_way);
        }
    }
}

/// Records histories of clients that are spread over these programs on one database, each on an account of its own.
async fn every_history_is_linearizable(tests: &[&TestLedger]) {
    let first_seed = first_seed();
    let programs: Vec<Program> =
        tests.iter().map(|test| Program { ledger: test.ledger.clone(), store: test.store.clone() }).collect();
    let mut seen = Seen::default();
    for seed in first_seed..first_seed + histories() {
        let account = tests[0].account(FIRST_CREDITS).await;
        let history = Recording::make(&programs, account, seed).await;
        assert!(
            is_linearizable(FIRST_CREDITS, &history),
            "TEST_SEED={seed} is not linearizable:\n{}",
            lines_of(&history)
        );
        seen.add(&history);
    }
    assert!(seen.most_at_once >= CLIENTS / 2 && seen.short_of_credits > 0 && seen.settled_before > 0, "{seen:?}");
    tests[0].assert_books_balance().await;
}

on_both_databases! {
    async fn what_clients_of_one_program_are_told_is_linearizable(engine: Engine) {
        every_history_is_linearizable(&[&TestLedger::start(engine).await]).await;
    }

    async fn a_changed_number_in_a_recorded_history_is_found(engine: Engine) {
        let test = TestLedger::start(engine).await;
        let account = test.account(FIRST_CREDITS).await;
        let program = Program { ledger: test.ledger.clone(), store: test.store.clone() };
        let mut history = Recording::make(&[program], account, first_seed()).await;
        assert!(is_linearizable(FIRST_CREDITS, &history));
        let mut told = history.iter_mut().filter_map(|event| match event {
            Event::Told(_, Told::Stands { number: Some(_), available, .. }) => Some(available),
            Event::Told(..) | Event::Asked(..) => None,
        });
        let available = told.nth(OPERATIONS).expect("a history with so many successes");
        *available = available.checked_add(Credits::of(1)).unwrap();
        assert!(!is_linearizable(FIRST_CREDITS, &history), "it was not found in\n{}", lines_of(&history));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_of_two_programs_on_one_database_are_told_is_linearizable() {
    let one = TestLedger::start(Engine::Postgres).await;
    let other = one.beside().await;
    every_history_is_linearizable(&[&one, &other]).await;
}

#[test]
fn a_balance_without_a_charge_that_was_answered_before_is_found() {
    let charged = (Ask::Charge(4), stands(2, 6, 0));
    let stale = (Ask::Balance, stands(1, 10, 0));
    assert!(is_linearizable(10, &at_once(charged.clone(), stale.clone())), "at once it may have come first");
    let history = [alone(0, charged.0, charged.1), alone(1, stale.0, stale.1)].concat();
    assert!(!is_linearizable(10, &history));
}

#[test]
fn credits_that_are_spent_twice_are_found() {
    let spend = |number| (Ask::Charge(7), stands(number, 3, 0));
    assert!(!is_linearizable(10, &at_once(spend(2), spend(3))));
    assert!(!is_linearizable(10, &at_once(spend(2), spend(2))));
    let (required, available) = (Credits::of(7), Credits::of(3));
    let refused = (Ask::Charge(7), Told::Refused(Refusal::Insufficient { required, available }));
    assert!(is_linearizable(10, &at_once(spend(2), refused)));
}

#[test]
fn a_refusal_of_credits_that_were_there_is_found() {
    let (required, available) = (Credits::of(7), Credits::of(3));
    let refused = alone(0, Ask::Charge(7), Told::Refused(Refusal::Insufficient { required, available }));
    assert!(!is_linearizable(10, &refused));
}

#[test]
fn a_hold_that_is_settled_twice_is_found() {
    let id = HoldId(Seq(2));
    let held = alone(0, Ask::Hold(7), stands(2, 3, 7));
    let captured = (Ask::Capture(id, 7), stands(3, 3, 0));
    let released = (Ask::Release(id), Told::Stands { number: None, available: Credits::of(10), held: Credits::ZERO });
    let refused = (Ask::Release(id), Told::Refused(Refusal::HoldSettled(HoldStatus::Captured)));
    let history = |second| [held.to_vec(), at_once(captured.clone(), second).to_vec()].concat();
    assert!(!is_linearizable(10, &history(released)));
    assert!(is_linearizable(10, &history(refused)));
}
