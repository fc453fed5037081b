//! Generated sequences of operations through the ledger and the store, on both databases: every answer, and all that
//! is there at the end, is what the pure core makes of the same sequence in memory.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Engine, NOW, TestLedger, all_at_once, outcome};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use scrip::domain::account::{Account, Allowance, Charge, HoldStatus, PastReset, Snapshot};
use scrip::domain::journal::{Cause, Transaction, TransactionType, Usage};
use scrip::domain::operation::{Memo, NewGrant, Operation, Outcome, Refusal, Settler, Source};
use scrip::domain::{AccountId, CreditDelta, Credits, FeatureId, GrantId, HoldId, Metadata, PlanId, Seq, Timestamp};
use scrip::server::clock::Clock;
use scrip::server::ledger::{LedgerError, Submission};
use scrip::server::store::{HistoryEntry, HistoryFilter, HistoryQuery};

/// Operations on each account, and sequences on each database, unless TEST_SEQUENCES gives another number for both: one
/// sequence for each account, some accounts to a round.
const SEQUENCES: usize = 192;
/// Accounts that are changed at the same time, so that they share commits.
const ACCOUNTS: usize = 16;
/// More lines than there can be.
const ALL_LINES: u32 = 100_000;

/// One operation on each account, after so many seconds.
#[derive(Clone, Debug)]
struct Step {
    seconds: i64,
    wishes: Vec<Wish>,
}

/// What is asked of one account: which operation, with which numbers.
#[derive(Clone, Copy, Debug)]
struct Wish {
    kind: u8,
    amount: u32,
    target: i64,
}

fn sequences() -> usize {
    std::env::var("TEST_SEQUENCES").map_or(SEQUENCES, |text| text.parse().unwrap())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wish = (0_u8..14, 0_u32..40, 0_i64..60).prop_map(|(kind, amount, target)| Wish { kind, amount, target });
    // Mostly minutes, so that holds are settled in time; now and then up to a month, so that months begin.
    let seconds = prop_oneof![40 => 0_i64..2_000, 1 => 0_i64..2_592_000];
    let step = (seconds, prop::collection::vec(wish, ACCOUNTS));
    prop::collection::vec(step.prop_map(|(seconds, wishes)| Step { seconds, wishes }), sequences())
}

/// An account in memory, with what the store would find of its past.
struct Model {
    account: Account,
    charges: Vec<Charge>,
    resets: Vec<PastReset>,
    rows: Vec<Transaction>,
    /// References are used once.
    references: u32,
}

impl Model {
    fn new(id: AccountId) -> Self {
        let account = Account::new(id);
        Self { account, charges: Vec::new(), resets: Vec::new(), rows: Vec::new(), references: 0 }
    }

    fn apply(&mut self, operation: &Operation, memo: &Memo, now: Timestamp) -> Result<Outcome, Refusal> {
        let answer = self.account.apply(operation, memo, now);
        for row in self.account.changes().transactions.clone() {
            self.learn(&row);
            self.rows.push(row);
        }
        let snapshot = Snapshot {
            last_seq: self.account.last_seq(),
            debt: self.account.debt(),
            grants: self.account.grants().to_vec(),
            holds: self.account.holds().to_vec(),
            charges: self.charges.clone(),
            resets: self.resets.clone(),
            allowance: self.account.allowance().cloned(),
        };
        self.account = Account::load(self.account.id(), snapshot);
        answer
    }

    /// Notes what a later operation may name.
    fn learn(&mut self, row: &Transaction) {
        match row.cause {
            Cause::Charge | Cause::Capture => {
                let (usage, draws) = (row.usage.clone(), taken_by(row));
                self.charges.push(Charge { seq: row.seq, usage, draws, refunded: Credits::ZERO });
            }
            Cause::Refund => {
                let charge = self.charges.iter_mut().find(|charge| Some(charge.seq) == row.refund_of).unwrap();
                charge.refunded = charge.refunded.checked_add(Credits::new(row.amount).unwrap()).unwrap();
            }
            Cause::Reset if row.kind == TransactionType::Credit => {
                // What it ended stands in the row before.
                let before = self.rows.last().filter(|before| before.seq.next() == row.seq);
                let ending = before.filter(|b| b.cause == Cause::Reset && b.kind == TransactionType::Expiry);
                let ended = ending.map(taken_by).unwrap_or_default();
                self.resets.push(PastReset { grant: GrantId(row.seq), ended });
            }
            Cause::Grant
            | Cause::Adjust
            | Cause::Expire
            | Cause::Clawback
            | Cause::Repay
            | Cause::Reset
            | Cause::Undo => {}
        }
    }

    fn submission(&mut self, wish: Wish, now: Timestamp) -> Submission {
        let maker = [Memo::OWNER, Memo::JOB, "key:a"][wish.amount as usize % 3];
        let metadata = if wish.target % 4 == 0 { Metadata::parse(r#"{"order":"A-7"}"#) } else { None };
        let memo = Memo::new(maker, "generated").with_metadata(metadata);
        Submission::one(self.account.id(), self.operation(wish, now), memo)
    }

    fn operation(&mut self, wish: Wish, now: Timestamp) -> Operation {
        let Wish { kind, amount, target } = wish;
        let cost = Credits::of(amount);
        let some = (amount > 0).then_some(cost);
        let place = usize::try_from(target).unwrap();
        let by = [Settler::Owner, Settler::Program, Settler::Anyone][place % 3];
        let feature = FeatureId::parse("chat-message").unwrap();
        let usage = (target % 2 == 0).then_some(Usage { feature, units: amount, rate_version: 1 });
        let hold = HoldId(pick(self.account.holds().iter().map(|hold| hold.id.0), target));
        match kind {
            0 | 1 => Operation::Grant(NewGrant {
                source: Source::ALL[place % Source::ALL.len()],
                amount: cost,
                expires_at: (target % 3 > 0).then(|| now.plus_seconds(target * 600)),
                reference: None,
            }),
            2 | 3 => Operation::Charge { cost, usage },
            4 => Operation::Hold { cost, usage, ttl_seconds: target * 900 },
            5 => Operation::Capture { hold, amount: some, by },
            6 => Operation::Release { hold, reason: "generated".into(), by },
            7 => {
                let charge = pick(self.charges.iter().map(|charge| charge.seq), target);
                Operation::Refund { charge, amount: some }
            }
            8 => CreditDelta::new(i64::from(amount) - 20).map_or(Operation::RollForward, Operation::Adjust),
            9 => self.subscription(cost),
            10 => {
                let grant = GrantId(pick(self.account.grants().iter().map(|grant| grant.id.0), target));
                Operation::Clawback { grant, amount: some }
            }
            11 => Operation::Reset { reference: self.next_reference() },
            12 => Operation::UndoReset { grant: GrantId(pick(self.resets.iter().map(|past| past.grant.0), target)) },
            _ => Operation::RollForward,
        }
    }

    fn subscription(&mut self, credits_per_month: Credits) -> Operation {
        let replaces = self.account.allowance().map(|current| current.plan.clone());
        let plan = PlanId::parse("basic").unwrap();
        let reference = self.next_reference();
        let allowance = Allowance::endless(plan, reference, credits_per_month, NOW);
        Operation::Subscribe { allowance, replaces }
    }

    fn next_reference(&mut self) -> String {
        self.references += 1;
        format!("{}-{}", self.account.id().0, self.references)
    }

    /// The database has what the model has.
    async fn assert_kept(&self, test: &TestLedger) -> Result<(), TestCaseError> {
        let read = test.store.read_account(self.account.id()).await.unwrap().unwrap();
        let open: Vec<_> = self.account.grants().iter().filter(|grant| !grant.remaining.is_zero()).collect();
        prop_assert_eq!(read.grants().iter().collect::<Vec<_>>(), open);
        let mut pending = read.holds().to_vec();
        pending.sort_by_key(|hold| hold.id);
        let mut holds = self.account.holds().to_vec();
        holds.sort_by_key(|hold| hold.id);
        let still_pending: Vec<_> = holds.iter().filter(|hold| hold.status == HoldStatus::Pending).collect();
        prop_assert_eq!(pending.iter().collect::<Vec<_>>(), still_pending);
        prop_assert_eq!(read.balance(), self.account.balance());
        prop_assert_eq!((read.last_seq(), read.allowance()), (self.account.last_seq(), self.account.allowance()));

        let query = HistoryQuery { limit: ALL_LINES, ..HistoryQuery::default() };
        let lines = test.store.list_history(self.account.id(), &query).await.unwrap();
        let uncaptured = holds.iter().filter(|hold| hold.status != HoldStatus::Captured);
        prop_assert_eq!(lines.len(), self.rows.len() + uncaptured.clone().count());
        let movements = HistoryQuery { filter: HistoryFilter::Movements, ..query };
        let movements = test.store.list_history(self.account.id(), &movements).await.unwrap();
        let rows = self.rows.iter().rev().cloned().map(|row| HistoryEntry::Transaction(Box::new(row)));
        prop_assert_eq!(movements, rows.collect::<Vec<_>>());
        for hold in uncaptured {
            let is_it = |line: &HistoryEntry| matches!(line, HistoryEntry::Hold { hold: kept, .. } if **kept == *hold);
            prop_assert!(lines.iter().any(is_it), "{:?} is not in the history", hold);
        }
        Ok(())
    }
}

fn taken_by(row: &Transaction) -> Vec<(GrantId, Credits)> {
    row.draws.iter().map(|draw| (draw.grant, Credits::new(-draw.amount).unwrap())).collect()
}

/// One of the latest numbers that there are, or one that may or may not be there.
fn pick(known: impl Iterator<Item = Seq>, target: i64) -> Seq {
    let mut known: Vec<Seq> = known.collect();
    known.sort_unstable();
    let place = usize::try_from(target % 5).unwrap();
    known.iter().rev().take(4).nth(place).copied().unwrap_or(Seq(target))
}

async fn compare(test: &TestLedger, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut models = Vec::new();
    for _ in 0..ACCOUNTS {
        models.push(Model::new(test.account(0).await));
    }
    for step in steps {
        test.clock.advance_seconds(step.seconds);
        let now = test.clock.now();
        let pairs = models.iter_mut().zip(&step.wishes);
        let submissions: Vec<_> = pairs.map(|(model, wish)| model.submission(*wish, now)).collect();
        let answers = all_at_once(&[&test.ledger], ACCOUNTS, |index| submissions[index].clone()).await;
        for ((model, submission), answer) in models.iter_mut().zip(&submissions).zip(answers) {
            let asked = &submission.steps[0];
            let expected = model.apply(&asked.operation, &asked.memo, now).map_err(LedgerError::Refused);
            let answered = answer.map(|answer| outcome(&answer).clone());
            prop_assert_eq!(answered, expected, "{:?}", asked.operation);
        }
    }
    for model in &models {
        model.assert_kept(test).await?;
    }
    Ok(())
}

/// The generator is no async code, so the runtime stands inside of it.
fn compare_generated(engine: Engine) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let test = runtime.block_on(TestLedger::start(engine));
    let cases = u32::try_from(sequences().div_ceil(ACCOUNTS)).unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let compared = TestRunner::new(config).run(&steps(), |steps| runtime.block_on(compare(&test, &steps)));
    if let Err(failure) = compared {
        panic!("{failure}");
    }
    // Once: it reads the history of all rounds.
    runtime.block_on(test.assert_books_balance());
}

mod the_store_answers_and_keeps_what_the_core_decides {
    use super::*;

    #[test]
    fn sqlite() {
        compare_generated(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        compare_generated(Engine::Postgres);
    }
}
