//! Payments: what we keep of them, and what is kept of their credits when money goes back.

use super::{PaymentRef, SubscriptionRef};
use crate::domain::catalogue::Interval;
use crate::domain::{AccountId, Cents, Credits, OrderId, PlanId, Timestamp};
use serde::{Deserialize, Serialize};

/// What a payment was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentKind {
    /// A month or a year of a plan.
    Plan,
    /// A pack.
    Pack,
}

impl PaymentKind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Pack => "pack",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Plan, Self::Pack].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How a payer's dispute of a payment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisputeStatus {
    /// There is none.
    #[default]
    None,
    /// It is being decided. Nothing is taken back for that.
    Open,
    /// The money is gone: all credits of the payment are taken back.
    Lost,
    /// The money is ours again: what was taken back for it comes back.
    Won,
}

impl DisputeStatus {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Lost => "lost",
            Self::Won => "won",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Open, Self::Lost, Self::Won].into_iter().find(|status| status.as_str() == text)
    }
}

/// What we keep of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// What its credits are granted under: the invoice of a plan, else the payment.
    pub reference: PaymentRef,
    /// Who took the money.
    pub provider: String,
    /// Whose credits.
    pub account: AccountId,
    /// The provider's own name of the payment behind an invoice.
    pub payment: Option<PaymentRef>,
    /// What it was for.
    pub kind: PaymentKind,
    /// Which plan or pack.
    pub item: PlanId,
    /// A month or a year, of a plan.
    pub interval: Option<Interval>,
    /// The order that it paid, where there is one.
    pub order: Option<OrderId>,
    /// Of which subscription.
    pub subscription: Option<SubscriptionRef>,
    /// Credits of the pack, or of each month.
    pub credits: Credits,
    /// The price, before anything was credited.
    pub price: Cents,
    /// What was paid.
    pub amount: Cents,
    /// What of it went back, all refunds together.
    pub refunded: Cents,
    /// Whether the payer's bank wants it back.
    pub dispute: DisputeStatus,
    /// Whether it paid for a subscription that was one too many: it grants nothing and goes back.
    pub surplus: bool,
    /// The period that it paid for, of a plan.
    pub period: Option<(Timestamp, Timestamp)>,
    /// When it was paid.
    pub paid_at: Timestamp,
}

impl Payment {
    /// How many months it paid for; `None` of a pack.
    pub fn months(&self) -> Option<u32> {
        self.interval.map(Interval::months)
    }

    /// What is to stay of `credits` that it granted.
    pub fn keep_of(&self, credits: Credits) -> Credits {
        match self.dispute {
            DisputeStatus::Lost => Credits::ZERO,
            DisputeStatus::None | DisputeStatus::Open | DisputeStatus::Won => {
                keep_of(credits, self.amount, self.refunded)
            }
        }
    }

    /// The reference of the grant of one of its months, or of its pack.
    pub fn grant_reference(&self, month: u32) -> String {
        match self.kind {
            PaymentKind::Pack => self.reference.to_string(),
            PaymentKind::Plan => format!("{}:{month}", self.reference),
        }
    }

    /// The reference of the `nth` grant by which taken credits come back.
    pub fn reinstated_reference(&self, nth: usize) -> String {
        format!("{}:back:{nth}", self.reference)
    }
}

/// What is kept of `credits` that were bought for `paid`, of which `refunded` went back: what is taken is in
/// proportion and rounded down, and all of it where all the money went back. Cumulative: however a refund is cut into
/// parts, the end is the same.
pub fn keep_of(credits: Credits, paid: Cents, refunded: Cents) -> Credits {
    if refunded >= paid && !paid.is_zero() {
        return Credits::ZERO;
    }
    if refunded.is_zero() || paid.is_zero() {
        return credits;
    }
    let taken = i128::from(credits.get()) * i128::from(refunded.get()) / i128::from(paid.get());
    // Below `credits`, since less than all went back.
    let taken = i64::try_from(taken).ok().and_then(|taken| Credits::new(taken).ok()).unwrap_or(credits);
    credits.saturating_sub(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cents(amount: i64) -> Cents {
        Cents::try_from(amount).unwrap()
    }

    #[test]
    fn a_third_of_the_money_takes_a_third_of_the_credits_rounded_down() {
        assert_eq!(keep_of(Credits::of(100), cents(300), cents(100)), Credits::of(67));
        assert_eq!(keep_of(Credits::of(100), cents(300), cents(300)), Credits::ZERO);
        assert_eq!(keep_of(Credits::of(100), cents(0), cents(0)), Credits::of(100));
    }

    proptest! {
        #[test]
        fn more_money_back_never_leaves_more_credits(
            credits in 0_i64..=(1 << 53) - 1, paid in 1_i64..=Cents::MAX, first in 0_i64..=Cents::MAX, more in 0_i64..=Cents::MAX,
        ) {
            let (first, second) = (first.min(paid), first.saturating_add(more).min(paid));
            let credits = Credits::new(credits).unwrap();
            let kept = |refunded| keep_of(credits, cents(paid), cents(refunded));
            prop_assert!(kept(second) <= kept(first) && kept(first) <= credits);
            prop_assert_eq!(kept(0), credits);
            prop_assert_eq!(kept(paid), Credits::ZERO);
        }
    }
}
