//! Resets of monthly credits out of turn, many accounts in one run, and their exact reversal.

use super::{ServiceError, ServiceResult, Services};
use crate::domain::operation::{Memo, Operation, Refusal};
use crate::domain::{AccountId, PlanId};
use crate::server::ledger::{Answer, LedgerError, Submission};
use crate::server::random::random_name;
use std::collections::HashSet;

/// Accounts that are looked up at a time.
const PAGE: u32 = 500;
/// Characters of a run's name.
const RUN_CHARS: usize = 12;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ResetReport {
    /// Its name, by which it is undone, or gone on with.
    pub run: String,
    /// Accounts that it changed.
    pub changed: usize,
    /// Accounts that it had changed before, or that refused.
    pub skipped: usize,
}

impl Services {
    /// The accounts that a run would change.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_resettable(&self, plan: Option<&PlanId>) -> ServiceResult<Vec<AccountId>> {
        let mut accounts: Vec<AccountId> = Vec::new();
        loop {
            let page = self.0.store.list_monthly_accounts(plan, accounts.last().copied(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            accounts.extend(page);
            if is_last {
                return Ok(accounts);
            }
        }
    }

    /// Begins the month's credits anew for these accounts. A run that was broken off is gone on with by its
    /// name: no account is reset twice in one run.
    ///
    /// # Errors
    /// Where the database fails; what was done until then stays, and can be undone.
    pub async fn reset_accounts(&self, run: Option<String>, accounts: &[AccountId]) -> ServiceResult<ResetReport> {
        let run = run.unwrap_or_else(|| random_name(RUN_CHARS));
        let mut report = ResetReport { run: run.clone(), ..ResetReport::default() };
        for account in accounts {
            let operation = Operation::Reset { reference: format!("{}{}", prefix_of(&run), account.0) };
            let memo = Memo::system(&format!("Monthly credits, begun anew by the reset {run}"));
            count(&mut report, self.0.ledger.submit(Submission::one(*account, operation, memo)).await)?;
        }
        Ok(report)
    }

    /// Reverses a run, account by account.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there was no such run.
    pub async fn undo_reset(&self, run: &str) -> ServiceResult<ResetReport> {
        let grants = self.0.store.list_reset_grants(&prefix_of(run)).await?;
        if grants.is_empty() {
            return Err(ServiceError::NotFound);
        }
        let mut report = ResetReport { run: run.to_owned(), ..ResetReport::default() };
        for (account, grant) in grants {
            let memo = Memo::system(&format!("The reset {run} was undone"));
            let undo = Submission::one(account, Operation::UndoReset { grant }, memo);
            count(&mut report, self.0.ledger.submit(undo).await)?;
        }
        Ok(report)
    }

    /// How many accounts a run changed that could be undone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_reset(&self, run: &str) -> ServiceResult<usize> {
        Ok(self.0.store.list_reset_grants(&prefix_of(run)).await?.len())
    }

    /// How many of these accounts a run has not reset yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_waiting_for_reset(&self, run: &str, accounts: &[AccountId]) -> ServiceResult<usize> {
        let grants = self.0.store.list_reset_grants(&prefix_of(run)).await?;
        let done: HashSet<AccountId> = grants.into_iter().map(|(account, _)| account).collect();
        Ok(accounts.iter().filter(|account| !done.contains(*account)).count())
    }
}

/// How the references of a run's grants begin.
fn prefix_of(run: &str) -> String {
    format!("reset:{run}:")
}

fn count(report: &mut ResetReport, answer: Result<Answer, LedgerError>) -> ServiceResult<()> {
    match answer {
        Ok(_) => report.changed += 1,
        Err(LedgerError::Refused(
            Refusal::AlreadyGranted { .. }
            | Refusal::ResetUndone
            | Refusal::NoMonthlyCredits
            | Refusal::BalanceTooLarge,
        )) => report.skipped += 1,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
