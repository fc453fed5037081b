//! What was asked of the program, what it said, and what follows from that. It is kept in the test's own process, which
//! is not killed.

use super::common::server::Answer;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// What the catalogue gives for signing up.
const SIGNUP_CREDITS: i64 = 60;

/// Numbers that look random, the same ones for the same seed: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % u64::try_from(end).unwrap()).unwrap()
    }

    /// From 1 to `most`.
    fn amount(&mut self, most: i64) -> i64 {
        1 + i64::try_from(self.draw() % most.unsigned_abs()).unwrap()
    }

    fn take<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        if from.is_empty() { None } else { Some(from.swap_remove(self.below(from.len()))) }
    }
}

/// What is sent, as often as it takes, with one key.
#[derive(Clone, Debug)]
pub struct Request {
    pub key: String,
    pub path: String,
    pub body: String,
}

/// What a request is to bring about.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Account,
    Grant(i64),
    Charge(i64),
    Hold(i64),
    Capture(i64),
    Refund(i64),
}

/// A wish, where it is sent, and the body.
type Draft = (Wish, String, Value);

/// A request, and what was answered, if anything was.
struct Entry {
    request: Request,
    wish: Wish,
    account: usize,
    answer: Option<Answer>,
}

impl Entry {
    /// Whether the program has said that it has happened.
    fn is_acknowledged(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.status.is_success())
    }
}

/// What an account has to be by all that was answered.
pub struct Expected {
    /// Where it is called.
    pub path: String,
    /// What it has, what is held of it included.
    pub balance: i64,
    /// The rows of its history, with their amounts.
    pub rows: BTreeMap<String, i64>,
    /// What can be captured and refunded. Whoever does so takes it out, so that no refusal of it is lawful.
    holds: Vec<(String, i64)>,
    spent: Vec<(String, i64)>,
}

impl Expected {
    fn new(id: &str) -> Self {
        let rows = BTreeMap::from([("t1".to_owned(), SIGNUP_CREDITS)]);
        let path = format!("/api/accounts/{id}");
        Self { path, balance: SIGNUP_CREDITS, rows, holds: Vec::new(), spent: Vec::new() }
    }

    /// How much of it is held. Every hold that was answered is there: what was being captured is settled by now.
    pub fn held(&self) -> i64 {
        self.holds.iter().map(|(_, amount)| amount).sum()
    }
}

/// Everything that was asked.
pub struct Journal {
    random: Random,
    entries: Vec<Entry>,
    accounts: Vec<Expected>,
    acknowledged: watch::Sender<usize>,
}

impl Journal {
    /// With those accounts, which have only signed up.
    pub fn new(random: Random, accounts: &[String]) -> Self {
        let accounts = accounts.iter().map(|id| Expected::new(id)).collect();
        Self { random, entries: Vec::new(), accounts, acknowledged: watch::Sender::new(0) }
    }

    /// How many requests have happened, told as it rises.
    pub fn acknowledged(&self) -> watch::Receiver<usize> {
        self.acknowledged.subscribe()
    }

    /// The accounts that are charged.
    pub fn accounts(&self) -> &[Expected] {
        &self.accounts
    }

    /// How many accounts there have to be, those that were made in between included.
    pub fn count_accounts(&self) -> usize {
        let made = self.entries.iter().filter(|entry| matches!(entry.wish, Wish::Account) && entry.is_acknowledged());
        self.accounts.len() + made.count()
    }

    /// Makes up a request, and its number here. Spending and granting even out, so that some of it is more than there
    /// is.
    pub fn make_up(&mut self) -> (usize, Request) {
        let number = self.entries.len();
        let account = self.random.below(self.accounts.len());
        let (wish, path, body) = match self.random.below(100) {
            0..4 => (Wish::Account, "/api/accounts".to_owned(), json!({ "email": format!("{number}@example.com") })),
            4..25 => self.grant(account, &format!("gift-{number}")),
            25..45 => self.hold(account),
            45..65 => self.capture(account).unwrap_or_else(|| self.charge(account)),
            65..80 => self.refund(account).unwrap_or_else(|| self.charge(account)),
            _ => self.charge(account),
        };
        let request = Request { key: format!("request-{number}"), path, body: body.to_string() };
        self.entries.push(Entry { request: request.clone(), wish, account, answer: None });
        (number, request)
    }

    fn grant(&mut self, account: usize, reference: &str) -> Draft {
        let amount = self.random.amount(36);
        let body = json!({ "amount": amount, "source": "promotion", "reason": "Gift", "reference": reference });
        (Wish::Grant(amount), format!("{}/grants", self.accounts[account].path), body)
    }

    fn charge(&mut self, account: usize) -> Draft {
        let amount = self.random.amount(30);
        (Wish::Charge(amount), format!("{}/credits/charge", self.accounts[account].path), json!({ "amount": amount }))
    }

    fn hold(&mut self, account: usize) -> Draft {
        let amount = self.random.amount(30);
        // Longer than the test, so that none goes back by itself.
        let body = json!({ "amount": amount, "ttl_seconds": 86_400 });
        (Wish::Hold(amount), format!("{}/credits/holds", self.accounts[account].path), body)
    }

    fn capture(&mut self, account: usize) -> Option<Draft> {
        let account = &mut self.accounts[account];
        let (id, held) = self.random.take(&mut account.holds)?;
        let amount = self.random.amount(held);
        let path = format!("{}/credits/holds/{id}/capture", account.path);
        Some((Wish::Capture(amount), path, json!({ "amount": amount })))
    }

    fn refund(&mut self, account: usize) -> Option<Draft> {
        let account = &mut self.accounts[account];
        let (id, spent) = self.random.take(&mut account.spent)?;
        let amount = self.random.amount(spent);
        let path = format!("{}/credits/transactions/{id}/refund", account.path);
        Some((Wish::Refund(amount), path, json!({ "amount": amount, "reason": "it did not work" })))
    }

    /// Notes an answer. It has to be what was asked for; only spending may be refused, where there is too little.
    pub fn note(&mut self, number: usize, answer: Answer) {
        let entry = &mut self.entries[number];
        let about = || format!("{:?}: {answer:?}", entry.request);
        let (status, may_lack) = match entry.wish {
            Wish::Capture(_) => (StatusCode::OK, false),
            Wish::Account | Wish::Grant(_) | Wish::Refund(_) => (StatusCode::CREATED, false),
            Wish::Charge(_) | Wish::Hold(_) => (StatusCode::CREATED, true),
        };
        if may_lack && answer.status == StatusCode::PAYMENT_REQUIRED {
            assert_eq!(answer.code(), "insufficient_credits", "{}", about());
        } else {
            assert_eq!(answer.status, status, "{}", about());
            let account = &mut self.accounts[entry.account];
            let moved = match entry.wish {
                Wish::Account => None,
                Wish::Hold(amount) => {
                    account.holds.push((answer.word("/id"), amount));
                    None
                }
                Wish::Grant(amount) | Wish::Refund(amount) => Some(amount),
                Wish::Charge(amount) | Wish::Capture(amount) => {
                    account.spent.push((answer.word("/transaction/id"), amount));
                    Some(-amount)
                }
            };
            if let Some(moved) = moved {
                assert_eq!(answer.number("/transaction/amount"), moved, "{}", about());
                account.balance += moved;
                let earlier = account.rows.insert(answer.word("/transaction/id"), moved);
                assert_eq!(earlier, None, "two requests have one row: {}", about());
            }
            self.acknowledged.send_modify(|count| *count += 1);
        }
        entry.answer = Some(answer);
    }

    /// For people: in what an account's history differs from what was answered, and what was refused to it. A refusal
    /// that came from a balance that was no longer true shows here.
    pub fn difference(&self, account: usize, rows: &BTreeMap<String, i64>) -> String {
        let expected = &self.accounts[account].rows;
        let missing_in = |there: &BTreeMap<String, i64>, here: &BTreeMap<String, i64>| {
            let missing = there.iter().filter(|(id, amount)| here.get(*id) != Some(*amount));
            missing.map(|(id, amount)| format!("{id} {amount:+}")).collect::<Vec<_>>().join(", ")
        };
        let of_account = self.entries.iter().filter(|entry| entry.account == account);
        let refused = of_account.clone().filter(|entry| entry.answer.is_some() && !entry.is_acknowledged());
        let said = |entry: &Entry| {
            let answer = entry.answer.as_ref().map(|answer| answer.text.as_str()).unwrap_or_default();
            format!("\n  {} {:?}: {answer}", entry.request.key, entry.wish)
        };
        let unanswered = of_account.filter(|entry| entry.answer.is_none());
        let sent = |entry: &Entry| format!("\n  {} {:?}", entry.request.key, entry.wish);
        format!(
            "in the history and not answered: {}\nanswered and not in the history: {}\nrefused:{}\nwithout an answer:{}",
            missing_in(rows, expected),
            missing_in(expected, rows),
            refused.map(said).collect::<String>(),
            unanswered.map(sent).collect::<String>()
        )
    }

    /// What nobody can know the end of: sent, and not answered.
    pub fn unanswered(&self) -> Vec<(usize, Request)> {
        let unanswered = self.entries.iter().enumerate().filter(|(_, entry)| entry.answer.is_none());
        unanswered.map(|(number, entry)| (number, entry.request.clone())).collect()
    }

    /// So many requests that have happened with their answers: the newest, which would be lost first, and as many of
    /// any age.
    pub fn some_acknowledged(&mut self, count: usize) -> Vec<(Request, Answer)> {
        let acknowledged: Vec<&Entry> = self.entries.iter().filter(|entry| entry.is_acknowledged()).collect();
        let newest = acknowledged.iter().rev().take(count).copied();
        let any_age = (0..count).map(|_| acknowledged[self.random.below(acknowledged.len())]);
        let with_answers = |entry: &Entry| Some((entry.request.clone(), entry.answer.clone()?));
        newest.chain(any_age).filter_map(with_answers).collect()
    }
}
