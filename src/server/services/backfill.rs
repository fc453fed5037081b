//! Backfills: bringing many accounts to a number of credits in one run. A run has a name, and each account takes part in
//! it once, so that a run that was broken off is gone on with without giving anything twice.

use super::{ServiceError, ServiceResult, Services};
use crate::domain::backfill::{Backfill, decide};
use crate::domain::operation::{Memo, Operation, Outcome, Refusal};
use crate::domain::{AccountId, Credits, IdempotencyKey};
use crate::server::ledger::{Answer, AuditNote, LedgerError, RequestKey, Submission};
use futures_util::future::join_all;

/// Accounts that are changed at a time; they share a few commits.
const PAGE: u32 = 500;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillTarget {
    /// How many credits every account shall have.
    pub amount: Credits,
    /// Whether accounts that have more are looked at, too.
    pub all: bool,
    /// Whether those are lowered, from free credits only.
    pub lower: bool,
}

/// What a run did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BackfillReport {
    /// Accounts that got credits.
    pub raised: u64,
    /// Credits that came in.
    pub granted: i64,
    /// Accounts that lost free credits.
    pub lowered: u64,
    /// Credits that went.
    pub taken: i64,
    /// Accounts that have more and were left alone: they may not be lowered, or have nothing free.
    pub left_above: u64,
    /// Accounts that took part in this run before, or could not take so much.
    pub skipped: u64,
}

impl BackfillReport {
    /// How many accounts it changes.
    pub fn changed(&self) -> u64 {
        self.raised + self.lowered
    }

    fn count(&mut self, amount: i64) {
        match amount {
            0 => self.left_above += 1,
            1.. => {
                self.raised += 1;
                self.granted = self.granted.saturating_add(amount);
            }
            _ => {
                self.lowered += 1;
                self.taken = self.taken.saturating_sub(amount);
            }
        }
    }
}

impl Services {
    /// What a run would do now, if it were a new one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn plan_backfill(&self, target: BackfillTarget) -> ServiceResult<BackfillReport> {
        // What time has made true is booked first, so that balances are what their owners see.
        self.book_due_accounts().await?;
        let (mut report, mut above) = (BackfillReport::default(), None);
        loop {
            let page = self.0.store.list_accounts_beside(target.amount, target.all, above, PAGE).await?;
            for (_, standing) in &page {
                report.count(match decide(*standing, target.amount, target.lower) {
                    Backfill::Raise(amount) => amount.get(),
                    Backfill::Lower(amount) => -amount.get(),
                    Backfill::Leave => 0,
                });
            }
            match next_page(page.len(), page.last().map(|(account, _)| *account)) {
                None => return Ok(report),
                next => above = next,
            }
        }
    }

    /// Brings all accounts to the number, page by page; what each account needs is decided when it is written.
    ///
    /// # Errors
    /// [`ServiceError::FormReused`] where the run of that name had another target; else where the database fails. What
    /// was done until then stays, and the same run goes on with the rest.
    pub async fn backfill(&self, run: &str, target: BackfillTarget) -> ServiceResult<BackfillReport> {
        self.book_due_accounts().await?;
        let (mut report, mut above) = (BackfillReport::default(), None);
        loop {
            let page = self.0.store.list_accounts_beside(target.amount, target.all, above, PAGE).await?;
            let mut submissions = Vec::with_capacity(page.len());
            for (account, _) in &page {
                submissions.push(self.0.ledger.submit(submission_for(*account, run, target)?));
            }
            for answer in join_all(submissions).await {
                count_answer(&mut report, answer)?;
            }
            match next_page(page.len(), page.last().map(|(account, _)| *account)) {
                None => return Ok(report),
                next => above = next,
            }
        }
    }
}

fn next_page(found: usize, last: Option<AccountId>) -> Option<AccountId> {
    last.filter(|_| found == PAGE as usize)
}

fn submission_for(account: AccountId, run: &str, target: BackfillTarget) -> ServiceResult<Submission> {
    let BackfillTarget { amount, lower, .. } = target;
    let words = format!("Backfill to {amount}");
    let key = IdempotencyKey::parse(&format!("backfill:{run}"));
    let key = key.ok_or_else(|| ServiceError::Internal("the name of a run does not fit".to_owned()))?;
    let request = format!("backfill {} {lower}", amount.get());
    let key = RequestKey::new(key, request.as_bytes(), |outcome| {
        serde_json::json!({ "balance": outcome.balance().total }).to_string()
    });
    let detail = serde_json::json!({ "reason": words, "run": run, "target": amount, "lower": lower });
    let operation = Operation::Backfill { target: amount, may_lower: lower };
    let note = AuditNote { actor: "system".to_owned(), action: "backfill", detail };
    Ok(Submission::one(account, operation, Memo::system(&words)).with_key(Some(key)).with_audit(note))
}

fn count_answer(report: &mut BackfillReport, answer: Result<Answer, LedgerError>) -> ServiceResult<()> {
    match answer {
        Ok(Answer::Applied { outcome: Outcome::Receipt(receipt), .. }) => report.count(receipt.transaction.amount),
        Ok(Answer::Applied { outcome: Outcome::Hold { .. } | Outcome::Rolled { .. }, .. }) => report.count(0),
        Ok(Answer::Replayed { .. }) | Err(LedgerError::Refused(Refusal::BalanceTooLarge)) => report.skipped += 1,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
