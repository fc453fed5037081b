//! The wallet: where an account stands, and how it came there.

use super::{ServiceError, ServiceResult, Services};
use crate::api::views::{HistoryLine, HistoryView};
use crate::domain::account::{Account, Balance};
use crate::domain::operation::{Memo, Operation};
use crate::domain::{AccountId, Seq};
use crate::server::ledger::Submission;
use crate::server::store::{HistoryEntry, HistoryFilter};

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
        let mut entries = self.0.store.list_history(account, filter, before, PAGE_LINES + 1).await?;
        let has_more = entries.len() > PAGE_LINES as usize;
        entries.truncate(PAGE_LINES as usize);
        let next_before = entries.last().filter(|_| has_more).map(|entry| entry.seq().0);
        Ok(HistoryView { lines: entries.into_iter().map(line).collect(), next_before })
    }
}

fn line(entry: HistoryEntry) -> HistoryLine {
    match entry {
        HistoryEntry::Transaction(row) => HistoryLine::Transaction(Box::new(row)),
        HistoryEntry::Hold(hold) => HistoryLine::Hold(Box::new(hold)),
    }
}
