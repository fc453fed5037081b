//! Accounts as this program has last saved them, or is saving them now, so that the next batch need not load them. What
//! stands here is only a guess at what the database holds: it is used where the database says that nobody else has
//! changed it meanwhile (decision 0020).

use super::load::Mark;
use crate::domain::AccountId;
use crate::domain::account::Account;
use crate::server::store::database::OthersMark;
use hashlink::LruCache;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Accounts that are remembered, those that were used last. By its structures one has some 500 bytes, and 200 more for
/// each grant and hold.
const CAPACITY: usize = 16_384;
/// Open grants and pending holds of one that is remembered, none of them with what a caller attached to it: more is worth
/// less than the room it takes.
const MAX_PARTS: usize = 16;

/// An account and what its next commit has to know.
pub(super) type Remembered = (Account, Mark);

/// Shared by all who use the same database in this program.
#[derive(Clone, Debug)]
pub(super) struct RecentAccounts(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    accounts: LruCache<AccountId, Remembered>,
    /// Moves on where one of them turned out not to be true: what was concluded from them before is void.
    generation: u64,
    /// As of which all of them are true, on SQLite, or will be once they are saved.
    others_mark: Option<OthersMark>,
}

/// As of when something was found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsOf {
    generation: u64,
    /// Of the database, on SQLite.
    pub others_mark: Option<OthersMark>,
}

/// Accounts that are remembered as they will be once they are saved. Dropped before that is certain, they are forgotten, and
/// what was concluded meanwhile is void.
#[derive(Debug)]
pub(super) struct Expectation {
    recent: RecentAccounts,
    /// Which accounts, until it is met.
    open: Vec<AccountId>,
}

impl Expectation {
    /// They are on the disk.
    pub fn meet(mut self) {
        self.open.clear();
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        if !self.open.is_empty() {
            let mut state = self.recent.state();
            for account in &self.open {
                state.accounts.remove(account);
            }
            state.generation += 1;
        }
    }
}

impl Default for RecentAccounts {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { accounts: LruCache::new(CAPACITY), generation: 0, others_mark: None })))
    }
}

impl State {
    fn clear(&mut self) {
        self.accounts.clear();
        self.generation += 1;
    }
}

impl RecentAccounts {
    /// Forgets everything where somebody else has changed the database since the last time.
    pub fn compare(&self, others_mark: Option<OthersMark>) {
        let mut state = self.state();
        if others_mark.is_none() || state.others_mark != others_mark {
            state.clear();
            state.others_mark = others_mark;
        }
    }

    /// As of which all that is known is true.
    pub fn as_of(&self) -> AsOf {
        let state = self.state();
        AsOf { generation: state.generation, others_mark: state.others_mark }
    }

    /// Whether nothing has turned out not to be true since.
    pub fn is_still(&self, as_of: AsOf) -> bool {
        self.state().generation == as_of.generation
    }

    /// Those of the accounts that are known.
    pub fn find(&self, accounts: impl Iterator<Item = AccountId>) -> Vec<Remembered> {
        let mut state = self.state();
        accounts.filter_map(|account| state.accounts.get(&account).cloned()).collect()
    }

    /// Remembers accounts as they will be once they are saved, for the batch that is thought through meanwhile.
    pub fn expect(&self, saved: Vec<Remembered>) -> Expectation {
        let open: Vec<_> = saved.iter().map(|(account, _)| account.id()).collect();
        self.forget(open.iter().copied());
        self.keep(saved);
        Expectation { recent: self.clone(), open }
    }

    /// Remembers accounts.
    pub fn keep(&self, saved: Vec<Remembered>) {
        let mut state = self.state();
        for (account, mark) in saved {
            let is_small = account.grants().len() + account.holds().len() <= MAX_PARTS;
            if is_small && account.holds().iter().all(|hold| hold.metadata.is_none()) {
                state.accounts.insert(account.id(), (account, mark));
            }
        }
    }

    /// Forgets accounts: it is not known what is on the disk.
    pub fn forget(&self, accounts: impl Iterator<Item = AccountId>) {
        let mut state = self.state();
        for account in accounts {
            state.accounts.remove(&account);
        }
    }

    /// Forgets all accounts.
    pub fn clear(&self) {
        self.state().clear();
    }

    /// Each of the functions above leaves it whole, wherever it might break off.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
