//! What an observed subscription comes to, by examples and by generated stories.

use super::*;
use crate::domain::account::{Account, Allowance};
use crate::domain::catalogue::{Catalogue, Interval, Plan};
use crate::domain::operation::{Memo, Operation};
use crate::domain::{AccountId, Cents, Credits, OrderId, PlanId, Timestamp};
use proptest::prelude::*;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ACCOUNT: AccountId = AccountId(1);

pub(super) fn terms(plan: &str, interval: Interval) -> Terms {
    Terms { plan: PlanId::parse(plan).unwrap(), interval }
}

pub(super) fn month(plan: &str) -> Terms {
    terms(plan, Interval::Month)
}

pub(super) fn year(plan: &str) -> Terms {
    terms(plan, Interval::Year)
}

pub(super) fn catalogue() -> Catalogue {
    let plan = |id: &str, credits, month, year| Plan {
        id: PlanId::parse(id).unwrap(),
        name: id.to_owned(),
        tagline: String::new(),
        credits_per_month: Credits::of(credits),
        month_cents: Cents::try_from(month).unwrap(),
        year_cents: Cents::try_from(year).unwrap(),
        stripe_price: None,
    };
    Catalogue {
        preset: "test".into(),
        site_name: "test".into(),
        promise: String::new(),
        signup_credits: Credits::ZERO,
        insufficient_message: None,
        plans: vec![plan("free", 0, 0, 0), plan("basic", 500, 1_500, 21_000), plan("premium", 1_200, 2_900, 29_000)],
        packs: Vec::new(),
        rates: Vec::new(),
    }
}

fn observed(id: &str, of: &Terms, invoices: Vec<PaidInvoice>) -> ObservedSubscription {
    ObservedSubscription {
        id: SubscriptionRef::parse(id).unwrap(),
        customer: None,
        order: OrderId::parse("order"),
        status: SubscriptionStatus::Active,
        terms: of.clone(),
        anchor: NOW,
        period_start: NOW,
        period_end: NOW.plus_months(of.interval.months()),
        cancel_at_period_end: false,
        scheduled: None,
        ended_at: None,
        invoices,
    }
}

fn invoice(subscription: &str, of: &Terms, id: &str, start: Timestamp) -> PaidInvoice {
    PaidInvoice {
        invoice: PaymentRef::parse(id).unwrap(),
        payment: None,
        subscription: SubscriptionRef::parse(subscription).unwrap(),
        plan: of.plan.clone(),
        interval: of.interval,
        order: None,
        price: Cents::default(),
        amount: Cents::default(),
        period_start: start,
        period_end: start.plus_months(of.interval.months()),
        paid_at: start,
    }
}

pub(super) fn subscription(of: &Terms) -> Subscription {
    let mut begun = Subscription::begin(&observed("sub", of, Vec::new()), "test", ACCOUNT, NOW);
    begun.observe(&observed("sub", of, Vec::new()), NOW);
    begun.credits_per_month = catalogue().plan(&of.plan).unwrap().credits_per_month;
    begun
}

pub(super) fn payment(of: &Terms, cents: i64) -> Payment {
    let (price, invoice) = (Cents::try_from(cents).unwrap(), invoice("sub", of, "in", NOW));
    let paid = PaidInvoice { price, amount: price, ..invoice };
    let entry = book(&AccountBooks::default(), &observed("sub", of, vec![paid]), NOW);
    entry.payments.into_iter().next().unwrap()
}

fn free() -> Allowance {
    Allowance::endless(PlanId::parse("free").unwrap(), "somebody".into(), Credits::ZERO, NOW)
}

fn book(books: &AccountBooks, observed: &ObservedSubscription, now: Timestamp) -> Entry {
    let (catalogue, free) = (catalogue(), free());
    let context = Context { catalogue: &catalogue, provider: "test", account: ACCOUNT, free: &free, now };
    book_subscription(books, observed, context, |_| None)
}

/// Books and account together, as the ledger keeps them.
#[derive(Clone, Debug)]
struct World {
    books: AccountBooks,
    account: Account,
}

impl World {
    fn new() -> Self {
        Self { books: AccountBooks::default(), account: Account::new(ACCOUNT) }
    }

    fn observe(&mut self, observed: &ObservedSubscription, now: Timestamp) -> Entry {
        let entry = book(&self.books, observed, now);
        self.books.subscriptions.retain(|known| known.id != observed.id);
        self.books.subscriptions.push(entry.subscription.clone());
        self.books.payments.extend(entry.payments.clone());
        for (operation, words) in &entry.steps {
            self.account.apply(operation, &Memo::system(words), now).unwrap();
        }
        entry
    }

    fn total_at(&mut self, now: Timestamp) -> i64 {
        self.account.apply(&Operation::RollForward, &Memo::system("later"), now).unwrap();
        self.account.total().get()
    }
}

#[test]
fn a_year_of_a_yearly_plan_drips_twelve_times_and_then_no_more() {
    let mut world = World::new();
    world.observe(&observed("sub", &year("basic"), vec![invoice("sub", &year("basic"), "in", NOW)]), NOW);
    for month in 0..12 {
        let begins = NOW.plus_months(month);
        assert_eq!(world.total_at(begins), 500, "month {month}");
        assert_eq!(world.total_at(NOW.plus_months(month + 1).plus_seconds(-1)), 500);
    }
    assert_eq!(world.total_at(NOW.plus_months(12)), 0, "nothing comes that was not paid");
    assert_eq!(world.total_at(NOW.plus_months(30)), 0);
}

#[test]
fn a_renewal_brings_the_next_months_and_an_end_brings_none() {
    let (mut world, of) = (World::new(), month("basic"));
    let (first, second) = (invoice("sub", &of, "in-1", NOW), invoice("sub", &of, "in-2", NOW.plus_months(1)));
    world.observe(&observed("sub", &of, vec![first.clone()]), NOW);
    let later = NOW.plus_months(1).plus_seconds(3_600);
    let renewed = ObservedSubscription {
        period_start: NOW.plus_months(1),
        period_end: NOW.plus_months(2),
        ..observed("sub", &of, vec![second, first])
    };
    let entry = world.observe(&renewed, later);
    assert_eq!(entry.transitions, [Transition::Renewed]);
    assert_eq!((entry.payments.len(), world.total_at(later)), (1, 500));
    assert!(world.observe(&renewed, later).is_empty(), "the same again is nothing new");
    let over =
        ObservedSubscription { status: SubscriptionStatus::Canceled, ended_at: Some(NOW.plus_months(2)), ..renewed };
    assert_eq!(world.observe(&over, NOW.plus_months(2)).transitions, [Transition::Ended]);
    assert_eq!(world.total_at(NOW.plus_months(2)), 0);
    assert_eq!(world.account.allowance().unwrap().plan.as_str(), "free");
}

#[test]
fn a_second_subscription_is_one_too_many_and_grants_nothing() {
    let (mut world, of) = (World::new(), month("basic"));
    world.observe(&observed("first", &of, vec![invoice("first", &of, "in-1", NOW)]), NOW);
    let entry = world.observe(&observed("second", &of, vec![invoice("second", &of, "in-2", NOW)]), NOW);
    assert!(entry.subscription.surplus && entry.payments[0].surplus && entry.steps.is_empty());
    assert_eq!(world.books.current().unwrap().id.as_str(), "first");
    assert_eq!(world.total_at(NOW), 500);
    let again = world.observe(&observed("first", &of, vec![invoice("first", &of, "in-1", NOW)]), NOW);
    assert!(again.is_empty(), "the first one stays what it is: {again:?}");
}

/// States of one subscription in the order in which they came about: each is what the provider answers from then on.
fn story(renewals: u32, upgrade: bool, canceled: bool, yearly: bool) -> Vec<(Timestamp, ObservedSubscription)> {
    let of = if yearly { year("basic") } else { month("basic") };
    let step = of.interval.months();
    let mut told = Vec::new();
    let mut invoices = Vec::new();
    let mut state = observed("sub", &of, Vec::new());
    for renewal in 0..=renewals {
        let start = NOW.plus_months(renewal * step);
        invoices.push(invoice("sub", &of, &format!("in-{renewal}"), start));
        let period_end = NOW.plus_months((renewal + 1) * step);
        state = ObservedSubscription { period_start: start, period_end, invoices: invoices.clone(), ..state };
        told.push((start, state.clone()));
    }
    let mut last = told.last().map_or(NOW, |(at, _)| *at);
    if upgrade {
        last = last.plus_seconds(10 * 86_400);
        invoices.push(invoice("sub", &month("premium"), "in-up", last));
        let period_end = last.plus_months(1);
        state = ObservedSubscription {
            anchor: last,
            period_start: last,
            period_end,
            terms: month("premium"),
            invoices,
            ..state
        };
        told.push((last, state.clone()));
    }
    if canceled {
        last = last.plus_seconds(5 * 86_400);
        state = ObservedSubscription { status: SubscriptionStatus::Canceled, ended_at: Some(last), ..state };
        told.push((last, state));
    }
    told
}

proptest! {
    #[test]
    fn whatever_was_told_late_or_never_the_end_is_the_same(
        renewals in 0_u32..4, upgrade: bool, canceled: bool, yearly: bool, heard in prop::collection::vec(any::<bool>(), 8),
    ) {
        let story = story(renewals, upgrade, canceled, yearly);
        let (end, last) = story.last().cloned().unwrap();
        let mut punctual = World::new();
        for (at, state) in &story {
            punctual.observe(state, *at);
            punctual.observe(state, *at);
        }
        let mut late = World::new();
        for ((at, state), heard) in story.iter().zip(heard) {
            if heard {
                late.observe(state, *at);
            }
        }
        late.observe(&last, end);
        for months in 0..14 {
            let then = end.plus_months(months);
            prop_assert_eq!(punctual.total_at(then), late.total_at(then), "{} months later", months);
        }
        prop_assert_eq!(punctual.books.current().map(|s| &s.terms), late.books.current().map(|s| &s.terms));
        prop_assert_eq!(punctual.books.payments.len(), late.books.payments.len());
    }
}
