//! Time: holds and grants that end, and months that begin. What is due is booked in the order and at the
//! moment in which it fell due, however late the booking comes, so a late job changes nothing.

use super::months::month_of;
use super::{Account, Allowance, Entry, HoldStatus};
use crate::domain::credits::Credits;
use crate::domain::ids::{GrantId, HoldId};
use crate::domain::journal::{Cause, Draw, TransactionType};
use crate::domain::operation::Memo;
use crate::domain::timestamp::Timestamp;

/// Something that time makes true. The order settles what comes first at the same moment: a hold goes
/// back before its grant ends, and the old month ends before the new one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    HoldEnds(HoldId),
    GrantEnds(GrantId),
    MonthBegins,
}

impl Account {
    /// Whether [`Account::roll_forward`] would change anything.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_due().is_some_and(|(at, _)| at <= now)
    }

    /// When time next makes something true.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        self.next_due().map(|(at, _)| at)
    }

    /// Applies all that has fallen due up to `now`, in its own order and at its own time.
    pub fn roll_forward(&mut self, now: Timestamp) {
        self.book_due(Timestamp::from_millis(i64::MIN), now);
    }

    /// Books what an operation at `now` has made due: what it gave back to a grant that had ended before.
    pub(super) fn settle_ends(&mut self, now: Timestamp) {
        self.book_due(now, now);
    }

    /// Books what is due up to `now`, nothing of it earlier than `from`.
    fn book_due(&mut self, from: Timestamp, now: Timestamp) {
        let mut reached = from;
        while let Some((due_at, due)) = self.next_due().filter(|(at, _)| *at <= now) {
            // A grant whose hold came back after its end ends at that later moment.
            reached = reached.max(due_at);
            match due {
                Due::HoldEnds(hold) => self.end_hold(hold, reached),
                Due::GrantEnds(grant) => self.end_grant(grant, reached),
                Due::MonthBegins => self.begin_month(reached),
            }
        }
    }

    fn next_due(&self) -> Option<(Timestamp, Due)> {
        let pending = self.holds.iter().filter(|hold| hold.status == HoldStatus::Pending);
        let holds = pending.map(|hold| (hold.deadline, Due::HoldEnds(hold.id)));
        let open = self.grants.iter().filter(|grant| !grant.available().is_zero());
        let grants = open.filter_map(|grant| grant.expires_at.map(|end| (end, Due::GrantEnds(grant.id))));
        let month = self.allowance.as_ref().and_then(Allowance::next_at).map(|at| (at, Due::MonthBegins));
        holds.chain(grants).chain(month).min()
    }

    fn end_hold(&mut self, id: HoldId, at: Timestamp) {
        self.last_seq = self.last_seq.next();
        let reason = "not settled before its deadline".to_owned();
        if let Some(hold) = self.settle(id, HoldStatus::Expired, Credits::ZERO, Some(reason), at) {
            self.repay_from_freed(&hold.draws, Credits::ZERO, at);
        }
    }

    /// Takes what is left of an ended grant; what is on hold stays until the hold is settled.
    fn end_grant(&mut self, id: GrantId, at: Timestamp) {
        let Some(grant) = self.grants.iter().find(|grant| grant.id == id) else { return };
        let (left, label) = (grant.available(), grant.source.label());
        let draw = self.expire(id, left);
        let entry = Entry::new(TransactionType::Expiry, Cause::Expire, vec![draw]);
        self.book(entry, &Memo::system(&format!("{label} ended")), at);
    }

    /// Ends a part of a grant that nobody spent.
    pub(super) fn expire(&mut self, id: GrantId, part: Credits) -> Draw {
        self.change_grant(id, |grant| grant.expired = grant.expired.checked_add(part).unwrap_or(grant.amount));
        self.take(id, part)
    }

    fn begin_month(&mut self, at: Timestamp) {
        let Some(allowance) = self.allowance.clone() else { return };
        let memo = Memo::system("Monthly credits");
        // A balance at its upper limit takes no more; the month is passed over rather than tried for ever.
        let _ = self.grant(&month_of(&allowance), &memo, at);
        self.set_allowance(Allowance { next_month: allowance.next_month + 1, ..allowance });
    }
}
