//! Money that goes back, and may come again: what that means for the credits that a payment has granted. Cumulative,
//! so that it does not matter in how many parts, and in which order, it is told.

use super::Payment;
use crate::domain::operation::{NewGrant, Source};
use crate::domain::{Credits, GrantId, Operation, Timestamp};

/// A grant that a payment has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentGrant {
    /// Which.
    pub id: GrantId,
    /// Where it came from.
    pub source: Source,
    /// What it is for.
    pub reference: String,
    /// How many credits it had.
    pub amount: Credits,
    /// How many of them ended unspent.
    pub expired: Credits,
    /// How many of them were taken back.
    pub clawed_back: Credits,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl PaymentGrant {
    /// How many more can be taken back to come to `total`.
    fn open_to(&self, total: Credits) -> Credits {
        let left = self.amount.saturating_sub(self.expired).saturating_sub(self.clawed_back);
        total.saturating_sub(self.clawed_back).min(left)
    }
}

impl Payment {
    /// What has to happen to the account so that of this payment's credits so much stays as its money does. Nothing
    /// once that is so.
    pub fn settle(&self, grants: &[PaymentGrant], now: Timestamp) -> Vec<(Operation, String)> {
        let (back, original): (Vec<_>, Vec<_>) = grants.iter().partition(|grant| self.is_reinstated(grant));
        let keep = self.keep_of(self.credits);
        let mut steps: Vec<(Operation, String)> = Vec::new();
        for grant in &original {
            let total = grant.amount.saturating_sub(keep);
            if !grant.open_to(total).is_zero() {
                let words = "Taken back: the payment was returned".to_owned();
                steps.push((Operation::ClawbackTo { grant: grant.id, total }, words));
            }
        }
        // What has ended by now does not come back.
        let lasting = |grant: &&&PaymentGrant| grant.expires_at.is_none_or(|end| end > now);
        let too_much = |grant: &&PaymentGrant| grant.clawed_back.saturating_sub(grant.amount.saturating_sub(keep));
        let wanted = add(original.iter().filter(lasting).map(too_much));
        let given = add(back.iter().filter(lasting).map(|grant| grant.amount.saturating_sub(grant.clawed_back)));
        if wanted > given {
            let last = original.iter().filter(lasting).max_by_key(|grant| grant.expires_at);
            steps.extend(last.map(|grant| self.reinstate(grant, wanted.saturating_sub(given), back.len())));
        }
        let mut over = given.saturating_sub(wanted);
        for grant in back.iter().filter(lasting) {
            let part = grant.amount.saturating_sub(grant.clawed_back).min(over);
            let total = grant.clawed_back.checked_add(part).unwrap_or(grant.amount);
            over = over.saturating_sub(part);
            if !grant.open_to(total).is_zero() {
                let words = "Taken back: the payment was returned".to_owned();
                steps.push((Operation::ClawbackTo { grant: grant.id, total }, words));
            }
        }
        steps
    }

    /// What the months bring that are paid and still to come.
    pub fn months_to_come(&self) -> Option<(Operation, String)> {
        let keep = self.keep_of(self.credits);
        let reference = self.reference.to_string();
        let step = Operation::SetMonths { reference, credits_per_month: Some(keep), renewal_credits: None };
        self.interval.map(|_| (step, String::from("Plan")))
    }

    fn is_reinstated(&self, grant: &PaymentGrant) -> bool {
        grant.reference.strip_prefix(self.reference.as_str()).is_some_and(|rest| rest.starts_with(":back:"))
    }

    fn reinstate(&self, like: &PaymentGrant, amount: Credits, nth: usize) -> (Operation, String) {
        let grant = NewGrant {
            source: like.source,
            amount,
            expires_at: like.expires_at,
            reference: Some(self.reinstated_reference(nth)),
        };
        (Operation::Grant(grant), "Given again: the payment stands".to_owned())
    }
}

fn add(parts: impl Iterator<Item = Credits>) -> Credits {
    parts.fold(Credits::ZERO, |total, part| total.checked_add(part).unwrap_or(Credits::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, payment, year};
    use super::super::{DisputeStatus, PaymentKind};
    use super::*;
    use crate::domain::account::Account;
    use crate::domain::operation::Memo;
    use crate::domain::{AccountId, Cents};
    use proptest::prelude::*;

    fn pack(credits: u32, cents: i64) -> Payment {
        let amount = Cents::try_from(cents).unwrap();
        Payment {
            kind: PaymentKind::Pack,
            interval: None,
            subscription: None,
            period: None,
            credits: Credits::of(credits),
            price: amount,
            amount,
            ..payment(&year("basic"), cents)
        }
    }

    fn grants_of(account: &Account) -> Vec<PaymentGrant> {
        let known = |grant: &crate::domain::Grant| PaymentGrant {
            id: grant.id,
            source: grant.source,
            reference: grant.reference.clone().unwrap_or_default(),
            amount: grant.amount,
            expired: grant.expired,
            clawed_back: grant.clawed_back,
            expires_at: grant.expires_at,
        };
        let mut grants: Vec<_> = account.grants().iter().map(known).collect();
        grants.sort_by_key(|grant| grant.id);
        grants
    }

    fn bought(payment: &Payment, spent: u32) -> Account {
        let mut account = Account::new(AccountId(1));
        let reference = Some(payment.grant_reference(0));
        let new = NewGrant { source: Source::Purchase, amount: payment.credits, expires_at: None, reference };
        account.apply(&Operation::Grant(new), &Memo::system("bought"), NOW).unwrap();
        if spent > 0 {
            let charge = Operation::Charge { cost: Credits::of(spent), usage: None };
            account.apply(&charge, &Memo::system("spent"), NOW).unwrap();
        }
        account
    }

    fn settle(payment: &Payment, account: &mut Account) {
        for (step, words) in payment.settle(&grants_of(account), NOW) {
            account.apply(&step, &Memo::system(&words), NOW).unwrap();
        }
        assert_eq!(payment.settle(&grants_of(account), NOW), [], "it is settled then");
    }

    #[test]
    fn a_lost_dispute_takes_all_and_a_won_one_gives_it_again() {
        let mut payment = pack(500, 2_000);
        let mut account = bought(&payment, 200);
        payment.dispute = DisputeStatus::Open;
        settle(&payment, &mut account);
        assert_eq!(account.total(), Credits::of(300));
        payment.dispute = DisputeStatus::Lost;
        settle(&payment, &mut account);
        assert_eq!((account.total(), account.debt()), (Credits::ZERO, Credits::of(200)));
        payment.dispute = DisputeStatus::Won;
        settle(&payment, &mut account);
        assert_eq!((account.total(), account.debt()), (Credits::of(300), Credits::ZERO));
        payment.dispute = DisputeStatus::Lost;
        settle(&payment, &mut account);
        assert_eq!((account.total(), account.debt()), (Credits::ZERO, Credits::of(200)));
    }

    proptest! {
        #[test]
        fn whatever_was_told_before_only_the_last_word_counts(
            told in prop::collection::vec((0_i64..=2_000, 0_u8..4), 1..8), spent in 0_u32..=500,
        ) {
            let mut payment = pack(500, 2_000);
            let (mut step_by_step, mut at_once) = (bought(&payment, spent), bought(&payment, spent));
            for (refunded, dispute) in told {
                payment.refunded = Cents::try_from(refunded).unwrap();
                payment.dispute = [DisputeStatus::None, DisputeStatus::Open, DisputeStatus::Lost, DisputeStatus::Won]
                    [usize::from(dispute)];
                settle(&payment, &mut step_by_step);
            }
            settle(&payment, &mut at_once);
            let stands = |account: &Account| account.total().get() - account.debt().get();
            prop_assert_eq!(stands(&step_by_step), stands(&at_once));
            prop_assert_eq!(stands(&at_once), payment.keep_of(payment.credits).get() - i64::from(spent));
        }
    }
}
