//! Generated stories, told twice: once to a shop that hears of everything at once, and once to a shop whose network
//! repeats, delays, reorders and loses events. In the end both stand alike.

use crate::common::{Engine, on_both_databases};
use crate::world::{DAY, World, month, year};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use scrip::domain::billing::{DisputeStatus, Terms};

/// How many stories are told on each database.
const STORIES: usize = 8;
/// Seconds between two looks of the clock job at what may have been lost.
const ROUND_SECONDS: i64 = 1_200;

/// Something that somebody does, or that happens at the provider.
#[derive(Clone, Debug)]
enum Turn {
    /// Wants a plan: buys or changes, as it is. The free one stands for a cancellation.
    Plan(Terms),
    TakeBack,
    Pack,
    /// The card declines from now on, or no more.
    Card(bool),
    /// So many hundredths of the newest payment go back.
    Refund(i64),
    Dispute(DisputeStatus),
    /// So many days pass.
    Days(i64),
}

/// What the network does with the events of a turn: a number that decides for each of them.
type Weather = Vec<u8>;

fn turns() -> impl Strategy<Value = Vec<(Turn, Weather)>> {
    let plans = [month("free"), month("basic"), year("basic"), month("premium"), year("premium")];
    let dispute = [DisputeStatus::Open, DisputeStatus::Lost, DisputeStatus::Won];
    let turn = prop_oneof![
        6 => prop::sample::select(plans.to_vec()).prop_map(Turn::Plan),
        1 => Just(Turn::TakeBack),
        2 => Just(Turn::Pack),
        1 => any::<bool>().prop_map(Turn::Card),
        2 => prop::sample::select(vec![10, 50, 100]).prop_map(Turn::Refund),
        1 => prop::sample::select(dispute.to_vec()).prop_map(Turn::Dispute),
        6 => prop::sample::select(vec![1, 10, 31, 40, 100]).prop_map(Turn::Days),
    ];
    prop::collection::vec((turn, prop::collection::vec(any::<u8>(), 12)), 6..16)
}

/// Delivers what waits: all of it in order in fine weather, else as it comes.
async fn carry(world: &World, weather: Option<&Weather>) {
    let Some(weather) = weather else { return world.hear_all().await };
    let mut waiting = world.demo.deliveries().await.unwrap();
    waiting.sort_by_key(|event| {
        let place = usize::from(event.id.bytes().last().unwrap_or_default());
        weather[place % weather.len()]
    });
    for (event, luck) in waiting.iter().zip(weather.iter().cycle()) {
        match luck % 8 {
            // Lost for good.
            0 | 1 => world.demo.delivered(event).await.unwrap(),
            // Delivered, and the answer lost: it comes again with the next ones.
            2 => drop(world.deliver(event).await),
            // Later.
            3 | 4 => {}
            _ => {
                world.deliver(event).await;
                world.deliver(event).await;
                world.demo.delivered(event).await.unwrap();
            }
        }
        if luck % 3 == 0 {
            world.services().process_due_events().await.unwrap();
        }
    }
    world.services().process_due_events().await.unwrap();
}

async fn play(world: &World, turn: &Turn, weather: Option<&Weather>) {
    match turn {
        Turn::Plan(terms) => want(world, terms).await,
        Turn::TakeBack => drop(world.services().take_back_change(world.ann).await),
        Turn::Pack => {
            let order = world.order_pack("pack-100").await;
            world.approve(&order).await;
        }
        Turn::Card(declines) => {
            if let Some(current) = world.current().await {
                drop(world.demo.set_card(&current.id, *declines).await);
            }
        }
        Turn::Refund(hundredths) => {
            if let Some(newest) = world.payments().await.into_iter().max_by_key(|known| (known.price, known.paid_at)) {
                let cents = newest.amount.get() * hundredths / 100 - newest.refunded.get();
                if let Some(cents) = scrip::domain::Cents::try_from(cents).ok().filter(|cents| !cents.is_zero()) {
                    use scrip::server::billing::PaymentProvider;
                    let key = format!("{cents:?} after {:?}", newest.refunded);
                    drop(world.demo.refund(&newest.reference, cents, &key).await);
                }
            }
        }
        Turn::Dispute(status) => {
            if let Some(oldest) = world.payments().await.into_iter().min_by_key(|known| (known.price, known.paid_at)) {
                world.demo.dispute(&oldest.reference, *status).await.unwrap();
            }
        }
        Turn::Days(days) => {
            for _ in 0..*days {
                world.clock.advance_seconds(DAY);
                world.demo.tick().await.unwrap();
            }
        }
    }
    carry(world, weather).await;
    world.clock.advance_seconds(ROUND_SECONDS);
    world.services().look_after_payments().await.unwrap();
    if weather.is_none() {
        world.hear_all().await;
    }
}

async fn want(world: &World, terms: &Terms) {
    match world.services().change_plan(world.ann, terms, None, None).await {
        Ok(scrip::api::views::ChangeOutcome::Pay { order, .. }) => {
            drop(world.demo.approve(&crate::world::checkout_of(&order), false).await);
        }
        Ok(scrip::api::views::ChangeOutcome::Changed { .. }) | Err(_) => {}
    }
}

/// Where an account stands: plan, credits, debt, payments with what went back, subscriptions.
async fn standing(world: &World) -> (String, i64, i64, Vec<String>, Vec<String>) {
    let mut payments: Vec<_> = world
        .payments()
        .await
        .iter()
        .map(|known| {
            format!(
                "{} {} {} of {} {:?}",
                known.item,
                known.credits,
                known.refunded.get(),
                known.amount.get(),
                known.dispute
            )
        })
        .collect();
    payments.sort();
    let mut known: Vec<_> = world
        .subscriptions()
        .await
        .iter()
        .map(|known| format!("{:?} {:?} {}", known.terms, known.status, known.surplus))
        .collect();
    known.sort();
    (world.plan().await, world.balance().await, world.debt().await, payments, known)
}

async fn tell(engine: Engine, story: &[(Turn, Weather)]) {
    let (fine, foul) = (World::start(engine).await, World::start(engine).await);
    for (turn, weather) in story {
        // In foul weather too, people go on only once they see what is there.
        foul.services().ask_about_account(foul.ann).await.unwrap();
        play(&fine, turn, None).await;
        play(&foul, turn, Some(weather)).await;
    }
    for world in [&fine, &foul] {
        world.hear_all().await;
        world.services().ask_about_account(world.ann).await.unwrap();
        world.hear_all().await;
        world.assert_books_balance().await;
    }
    assert_eq!(standing(&fine).await, standing(&foul).await, "{story:#?}");
    assert!(foul.services().list_dead_events().await.unwrap().is_empty());
}

on_both_databases! {
    async fn whatever_the_network_does_the_end_is_the_same(engine: Engine) {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = turns();
        for _ in 0..STORIES {
            let story = strategy.new_tree(&mut runner).unwrap().current();
            tell(engine, &story).await;
        }
    }
}
