//! The wallet: where an account stands, and how it came there.

use super::{ServiceError, ServiceResult, Services};
use crate::api::views::{HistoryLine, HistoryView};
use crate::domain::account::{Account, Balance};
use crate::domain::journal::Cause;
use crate::domain::operation::{Memo, Operation};
use crate::domain::{AccountId, Seq};
use crate::server::ledger::{LedgerError, Submission};
use crate::server::store::{BalanceChange, HistoryEntry, HistoryFilter, HistoryQuery, OwnedMovement};
use std::collections::BTreeSet;
use tokio::sync::broadcast;

/// Accounts that are brought up to date, and sessions that are forgotten, at a time.
const DUE_PAGE: u32 = 500;
const SESSIONS_PAGE: u32 = 1_000;
/// Lines on one page of history.
const PAGE_LINES: u32 = 25;

impl Services {
    /// Where an account stands now.
    ///
    /// # Errors
    /// Where there is no such account, or the database fails.
    pub async fn read_balance(&self, account: AccountId) -> ServiceResult<Balance> {
        Ok(self.read_account(account).await?.balance())
    }

    /// The same, with the number of the account's last change.
    ///
    /// # Errors
    /// As [`Services::read_balance`].
    pub async fn read_standing(&self, account: AccountId) -> ServiceResult<(Seq, Balance)> {
        let account = self.read_account(account).await?;
        Ok((account.last_seq(), account.balance()))
    }

    /// Which accounts change from now on.
    pub fn watch_balances(&self) -> broadcast::Receiver<BalanceChange> {
        self.0.store.watch()
    }

    /// The account as it is now. What time has made due is booked first: whoever looks pays, so that
    /// balance and history never disagree.
    pub(super) async fn read_account(&self, id: AccountId) -> ServiceResult<Account> {
        let account = self.0.store.read_account(id).await?.ok_or(ServiceError::NotFound)?;
        if !account.is_due(self.0.clock.now()) {
            return Ok(account);
        }
        let booking = Submission::one(id, Operation::RollForward, Memo::system("Time"));
        self.0.ledger.submit(booking).await?;
        self.0.store.read_account(id).await?.ok_or(ServiceError::NotFound)
    }

    /// Books what time has made due in accounts that nobody looks at. Correctness does not wait for it: every
    /// look and every operation does the same for its own account. Gives how many there were.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn book_due_accounts(&self) -> ServiceResult<usize> {
        let (mut above, mut count) = (None, 0);
        loop {
            let due = self.0.store.list_due_accounts(self.0.clock.now(), above, DUE_PAGE).await?;
            for account in &due {
                let booking = Submission::one(*account, Operation::RollForward, Memo::system("Time"));
                match self.0.ledger.submit(booking).await {
                    // One account that somebody has tampered with does not stop the time of all the others.
                    Ok(_) | Err(LedgerError::HistoryAltered) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            count += due.len();
            above = match due.last() {
                Some(last) if due.len() == DUE_PAGE as usize => Some(*last),
                Some(_) | None => return Ok(count),
            };
        }
    }

    /// Forgets sessions that have ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remove_ended_sessions(&self) -> ServiceResult<()> {
        while self.0.store.remove_ended_sessions(self.0.clock.now(), SESSIONS_PAGE).await? == u64::from(SESSIONS_PAGE) {
        }
        Ok(())
    }

    /// A page of all movements of one account, or of all, oldest first, after that one of that account; none at the end.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_all_movements(
        &self,
        of: Option<AccountId>,
        after: Option<(AccountId, Seq)>,
        limit: u32,
    ) -> ServiceResult<Vec<OwnedMovement>> {
        Ok(self.0.store.list_all_movements(of, after, limit).await?)
    }

    /// A page of history, newest first, from below a number on.
    ///
    /// # Errors
    /// Where there is no such account, or the database fails.
    pub async fn list_history(
        &self,
        account: AccountId,
        filter: HistoryFilter,
        before: Option<Seq>,
    ) -> ServiceResult<HistoryView> {
        self.read_account(account).await?;
        // One more than is shown tells whether there is another page.
        let query = HistoryQuery { filter, before, limit: PAGE_LINES + 1, ..HistoryQuery::default() };
        let mut entries = self.0.store.list_history(account, &query).await?;
        let has_more = entries.len() > PAGE_LINES as usize;
        entries.truncate(PAGE_LINES as usize);
        let next_before = entries.last().filter(|_| has_more).map(|entry| entry.seq().0);
        let paid = match entries.iter().any(may_be_paid) {
            true => self.read_paid_rows(account).await?,
            false => BTreeSet::new(),
        };
        let paid = entries.iter().map(HistoryEntry::seq).filter(|seq| paid.contains(seq)).map(|seq| seq.0).collect();
        Ok(HistoryView { lines: entries.into_iter().map(line).collect(), paid, next_before })
    }
}

/// Whether it is of a kind that payments make.
fn may_be_paid(entry: &HistoryEntry) -> bool {
    match entry {
        HistoryEntry::Transaction(row) => matches!(row.cause, Cause::Grant | Cause::Clawback),
        HistoryEntry::Hold { .. } => false,
    }
}

fn line(entry: HistoryEntry) -> HistoryLine {
    match entry {
        HistoryEntry::Transaction(row) => HistoryLine::Transaction(row),
        HistoryEntry::Hold { hold, draws } => HistoryLine::Hold { hold, draws },
    }
}
