//! From what a provider says to what is booked: a pure function of our books and of what was observed. It decides
//! which invoices are new, which months they bring, whether a subscription is one too many, and what its end leaves.

use super::{
    ObservedSubscription, PaidInvoice, Payment, PaymentKind, Subscription, SubscriptionStatus, Terms, Transition,
};
use crate::domain::account::Allowance;
use crate::domain::catalogue::Catalogue;
use crate::domain::{AccountId, Credits, Operation, PlanId, Timestamp};

/// How far a period may begin from where the months of its subscription begin, in seconds: providers round.
const ANCHOR_TOLERANCE_SECONDS: i64 = 86_400;

/// What our books say of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountBooks {
    /// Names the state that this is: whoever books on it names it, and is refused where another is there by then.
    pub version: i64,
    /// All its subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// All its payments.
    pub payments: Vec<Payment>,
}

impl AccountBooks {
    /// The subscription by which the account has its plan.
    pub fn current(&self) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.is_current())
    }
}

/// What is known besides the books.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Plans and their credits.
    pub catalogue: &'a Catalogue,
    /// Who takes the money.
    pub provider: &'a str,
    /// Whose.
    pub account: AccountId,
    /// The free plan's months of this account, counted from its sign-up.
    pub free: &'a Allowance,
    /// Now.
    pub now: Timestamp,
}

/// What is to be booked, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The subscription as it is then.
    pub subscription: Subscription,
    /// Its steps, for the audit log.
    pub transitions: Vec<Transition>,
    /// Payments that are new.
    pub payments: Vec<Payment>,
    /// What happens to the account, with words for its history.
    pub steps: Vec<(Operation, String)>,
}

impl Entry {
    /// Whether there is anything to book.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty() && self.payments.is_empty()
    }
}

/// Decides what an observed subscription means for the account that it is of. `credits_of` says what each month of an
/// invoice brings where its order knows better than the catalogue.
pub fn book_subscription(
    books: &AccountBooks,
    observed: &ObservedSubscription,
    context: Context<'_>,
    credits_of: impl Fn(&PaidInvoice) -> Option<Credits>,
) -> Entry {
    let known = books.subscriptions.iter().find(|known| known.id == observed.id);
    let mut transitions = Vec::new();
    let mut subscription = known.cloned().unwrap_or_else(|| {
        transitions.push(Transition::Began);
        Subscription::begin(observed, context.provider, context.account, context.now)
    });
    let was_current = subscription.status.is_current();
    transitions.extend(subscription.observe(observed, context.now));
    let others = books.subscriptions.iter().any(|other| other.id != observed.id && other.is_current());
    if others && !was_current && subscription.is_current() {
        subscription.surplus = true;
        transitions.push(Transition::FoundSurplus);
    }
    let mut entry = Entry { subscription, transitions, payments: Vec::new(), steps: Vec::new() };
    entry.take_invoices(books, observed, context, credits_of);
    entry.tell_what_follows(books, context);
    entry
}

impl Entry {
    /// Books the invoices that are new, the oldest first.
    fn take_invoices(
        &mut self,
        books: &AccountBooks,
        observed: &ObservedSubscription,
        context: Context<'_>,
        credits_of: impl Fn(&PaidInvoice) -> Option<Credits>,
    ) {
        let is_new = |invoice: &&PaidInvoice| books.payments.iter().all(|known| known.reference != invoice.invoice);
        let mut new: Vec<&PaidInvoice> = observed.invoices.iter().filter(is_new).collect();
        new.sort_by_key(|invoice| (invoice.period_start, invoice.invoice.clone()));
        new.dedup_by_key(|invoice| invoice.invoice.clone());
        let mut starts = self.known_starts(books);
        starts.extend(new.iter().map(|invoice| invoice.period_start));
        for invoice in new {
            let of_plan = context.catalogue.plan(&invoice.plan).map(|plan| plan.credits_per_month);
            let credits = credits_of(invoice).or(of_plan).unwrap_or(self.subscription.credits_per_month);
            self.subscription.credits_per_month = credits;
            let later = starts.iter().copied().filter(|start| *start > invoice.period_start).min();
            let until = [later, self.subscription.ended_at].into_iter().flatten().min();
            let payment = self.payment_of(invoice, credits, context);
            if !self.subscription.surplus {
                let months = self.months_of(invoice, credits);
                let words = words_for(context.catalogue, &invoice.plan, invoice.interval.months());
                self.steps.push((Operation::PayMonths { months, until }, words));
            }
            self.payments.push(payment);
        }
    }

    fn known_starts(&self, books: &AccountBooks) -> Vec<Timestamp> {
        let own = books.payments.iter().filter(|payment| payment.subscription.as_ref() == Some(&self.subscription.id));
        own.filter_map(|payment| payment.period.map(|(start, _)| start)).collect()
    }

    fn payment_of(&self, invoice: &PaidInvoice, credits: Credits, context: Context<'_>) -> Payment {
        Payment {
            reference: invoice.invoice.clone(),
            provider: context.provider.to_owned(),
            account: context.account,
            payment: invoice.payment.clone(),
            kind: PaymentKind::Plan,
            item: invoice.plan.clone(),
            interval: Some(invoice.interval),
            order: invoice.order.clone(),
            subscription: Some(invoice.subscription.clone()),
            credits,
            price: invoice.price,
            amount: invoice.amount,
            refunded: crate::domain::Cents::default(),
            dispute: super::DisputeStatus::None,
            surplus: self.subscription.surplus,
            period: Some((invoice.period_start, invoice.period_end)),
            paid_at: invoice.paid_at,
        }
    }

    /// The months of an invoice, counted from where its subscription's months are counted from, so that the 31st
    /// comes back after a February.
    fn months_of(&self, invoice: &PaidInvoice, credits: Credits) -> Allowance {
        let (anchor, first) = place_in_cycle(self.subscription.anchor, invoice.period_start);
        Allowance {
            plan: invoice.plan.clone(),
            reference: invoice.invoice.to_string(),
            credits_per_month: credits,
            anchor,
            first_month: first,
            next_month: first,
            end_month: Some(first + invoice.interval.months()),
            renewal_credits: Credits::ZERO,
        }
    }

    /// Ends the months of what is over, and else says what the next payment will bring.
    fn tell_what_follows(&mut self, books: &AccountBooks, context: Context<'_>) {
        if self.is_empty() || self.subscription.surplus {
            return;
        }
        let own = books.payments.iter().chain(&self.payments);
        let own = own.filter(|payment| payment.subscription.as_ref() == Some(&self.subscription.id));
        let mut own: Vec<&Payment> = own.collect();
        own.sort_by_key(|payment| payment.period);
        let references: Vec<String> = own.iter().map(|payment| payment.reference.to_string()).collect();
        let Some(reference) = references.last().cloned() else { return };
        let step = match self.subscription.status {
            SubscriptionStatus::Canceled => {
                let ended = self.subscription.ended_at.unwrap_or(context.now);
                Operation::EndMonths { references, back_to: free_from(context.free, ended) }
            }
            SubscriptionStatus::Incomplete | SubscriptionStatus::Active | SubscriptionStatus::PastDue => {
                let renewal_credits = Some(self.renewal_credits(context.catalogue));
                Operation::SetMonths { reference, credits_per_month: None, renewal_credits }
            }
        };
        self.steps.push((step, String::from("Plan")));
    }

    fn renewal_credits(&self, catalogue: &Catalogue) -> Credits {
        let subscription = &self.subscription;
        if subscription.cancel_at_period_end {
            return Credits::ZERO;
        }
        let Terms { plan, .. } = subscription.scheduled.as_ref().unwrap_or(&subscription.terms);
        catalogue.plan(plan).map_or(subscription.credits_per_month, |plan| plan.credits_per_month)
    }
}

/// In words for the history.
fn words_for(catalogue: &Catalogue, plan: &PlanId, months: u32) -> String {
    let name = catalogue.plan(plan).map_or(plan.as_str(), |plan| &plan.name);
    match months {
        1 => format!("{name}, a month"),
        _ => format!("{name}, a month of a year"),
    }
}

/// The month of a cycle that begins at `start`; where none does, a cycle of its own.
fn place_in_cycle(anchor: Timestamp, start: Timestamp) -> (Timestamp, u32) {
    // A month has 28 days at least, so this is never too few.
    let most = u32::try_from(start.seconds_since(anchor) / (28 * 86_400) + 1).unwrap_or(0);
    let distance = |month: &u32| anchor.plus_months(*month).seconds_since(start).abs();
    let nearest = (most.saturating_sub(most / 8 + 2)..=most).min_by_key(distance).unwrap_or(0);
    if distance(&nearest) <= ANCHOR_TOLERANCE_SECONDS { (anchor, nearest) } else { (start, 0) }
}

/// The free plan's months from the first one on that begins at `from` or later: the one before may have come already.
pub fn free_from(free: &Allowance, from: Timestamp) -> Allowance {
    let most = u32::try_from(from.seconds_since(free.anchor).max(0) / (28 * 86_400) + 1).unwrap_or(0);
    let least = most.saturating_sub(most / 8 + 2);
    let next = (least..=most).find(|month| free.anchor.plus_months(*month) >= from).unwrap_or(most);
    Allowance { next_month: next.max(free.next_month), ..free.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    proptest! {
        #[test]
        fn every_month_of_a_cycle_is_found_again(start in 0_i64..4_000_000_000_000, month in 0_u32..600) {
            let anchor = Timestamp::from_millis(start);
            prop_assert_eq!(place_in_cycle(anchor, anchor.plus_months(month)), (anchor, month));
            prop_assert_eq!(place_in_cycle(anchor, anchor.plus_months(month).plus_seconds(-3_600)), (anchor, month));
        }

        #[test]
        fn a_free_plan_goes_on_with_its_next_month(start in 0_i64..4_000_000_000_000, seconds in 0_i64..400_000_000) {
            let anchor = Timestamp::from_millis(start);
            let free = Allowance::endless(PlanId::parse("free").unwrap(), "u".into(), Credits::of(50), anchor);
            let from = anchor.plus_seconds(seconds);
            let next = free_from(&free, from).next_month;
            prop_assert!(anchor.plus_months(next) >= from);
            prop_assert!(next == 0 || anchor.plus_months(next - 1) < from);
        }
    }

    #[test]
    fn a_period_that_begins_elsewhere_is_a_cycle_of_its_own() {
        let (anchor, start) = (moment("2027-01-31T10:00:00Z"), moment("2027-03-15T10:00:00Z"));
        assert_eq!(place_in_cycle(anchor, start), (start, 0));
        assert_eq!(place_in_cycle(start, anchor), (anchor, 0));
        assert_eq!(place_in_cycle(anchor, moment("2027-02-28T10:00:00Z")), (anchor, 1));
    }
}
