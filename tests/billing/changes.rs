//! Changing plans, and what time does to them.

use crate::common::on_both_databases;
use crate::world::{DAY, World, is_active, month, paid_order, year};
use scrip::api::views::{ChangeOutcome, OrderStatusView};
use scrip::domain::billing::{ChangeKind, SubscriptionStatus};
use scrip::server::services::ServiceError;

on_both_databases! {
    async fn a_year_of_a_yearly_plan_brings_its_credits_twelve_times(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&year("basic")).await;
        let start = world.now();
        for months in 0..12 {
            world.pass_until(start.plus_months(months)).await;
            world.assert_stands("basic", 560).await;
            world.spend(7).await;
            world.pass_until(start.plus_months(months + 1).plus_seconds(-1)).await;
            assert_eq!(world.balance().await, 553);
        }
        assert_eq!(world.payments().await.len(), 1, "it was paid once");
        world.pass_until(start.plus_months(12)).await;
        world.assert_stands("basic", 560).await;
        assert_eq!(world.payments().await.len(), 2, "and is paid again");
        assert_eq!(world.audited("subscription_renewed").await, 1);
    }

    async fn an_upgrade_is_paid_in_full_now_and_the_old_month_stays_until_its_end(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let start = world.now();
        world.pass_until(start.plus_seconds(10 * DAY)).await;
        let preview = world.services().preview_change(world.ann, &month("premium")).await.unwrap().preview;
        assert_eq!((preview.kind, preview.due_now.get(), preview.credits_now.get()), (ChangeKind::Upgrade, 2_900, 1_200));
        let order = paid_order(&world.change(&month("premium")).await.unwrap());
        assert_eq!(world.status(&order).await, OrderStatusView::Paid);
        world.assert_stands("premium", 60 + 500 + 1_200).await;
        world.pass_until(start.plus_months(1)).await;
        world.assert_stands("premium", 60 + 1_200).await;
        world.pass_until(start.plus_seconds(10 * DAY).plus_months(1)).await;
        world.assert_stands("premium", 60 + 1_200).await;
        assert_eq!(world.payments().await.iter().map(|payment| payment.amount.get()).collect::<Vec<_>>(), [2_900, 2_900, 1_500]);
    }

    async fn the_months_of_a_year_that_have_not_come_are_credited(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&year("basic")).await;
        let start = world.now();
        world.pass_until(start.plus_months(4).plus_seconds(DAY)).await;
        let order = paid_order(&world.change(&year("premium")).await.unwrap());
        let paid = world.payment_of(&order).await;
        assert_eq!((paid.price.get(), paid.amount.get()), (29_000, 29_000 - 12_250), "seven months of twelve");
        world.assert_stands("premium", 60 + 500 + 1_200).await;
        world.pass_until(start.plus_months(5).plus_seconds(2 * DAY)).await;
        world.assert_stands("premium", 60 + 1_200).await;
    }

    async fn what_is_credited_beyond_the_price_pays_the_next_months(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&year("basic")).await;
        let order = paid_order(&world.change(&month("premium")).await.unwrap());
        assert_eq!(world.payment_of(&order).await.amount.get(), 0, "19,250 are credited");
        let start = world.now();
        for months in 1..=7 {
            world.pass_until(start.plus_months(months)).await;
        }
        let amounts: Vec<_> = world.payments().await.iter().map(|payment| payment.amount.get()).collect();
        assert!(amounts.contains(&21_000), "{amounts:?}");
        assert_eq!(amounts.iter().sum::<i64>(), 21_000 + 8 * 2_900 - 19_250);
        world.assert_stands("premium", 60 + 1_200).await;
    }

    async fn a_declined_upgrade_changes_nothing_and_can_be_tried_again(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let current = world.current().await.unwrap();
        world.demo.set_card(&current.id, true).await.unwrap();
        assert!(matches!(world.change(&month("premium")).await, Err(ServiceError::PaymentDeclined)));
        world.assert_stands("basic", 560).await;
        world.demo.set_card(&current.id, false).await.unwrap();
        world.change(&month("premium")).await.unwrap();
        world.assert_stands("premium", 1_760).await;
    }

    async fn a_form_that_is_sent_twice_at_once_upgrades_and_is_paid_once(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let seen = world.services().preview_change(world.ann, &month("premium")).await.unwrap().seen;
        let to = month("premium");
        let send = || world.services().change_plan(world.ann, &to, Some(&seen), None);
        let (first, second) = tokio::join!(send(), send());
        world.hear().await;
        let paid = [first, second].into_iter().flatten().map(|outcome| paid_order(&outcome)).collect::<Vec<_>>();
        assert!(!paid.is_empty() && paid.iter().all(|order| *order == paid[0]), "{paid:?}");
        assert!(matches!(send().await, Err(ServiceError::Change(_) | ServiceError::PlanChanged)));
        world.assert_stands("premium", 1_760).await;
        assert_eq!(world.payments().await.len(), 2);
    }

    async fn what_is_confirmed_is_what_was_shown(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let shown = world.services().preview_change(world.ann, &month("premium")).await.unwrap().seen;
        world.buy_pack("pack-100").await;
        let late = world.services().change_plan(world.ann, &month("premium"), Some(&shown), None).await;
        assert!(matches!(late, Err(ServiceError::PlanChanged)));
        world.assert_stands("basic", 660).await;
    }

    async fn less_comes_at_the_end_of_the_period_and_can_be_taken_back(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("premium")).await;
        let end = world.current().await.unwrap().period_end;
        assert!(matches!(world.change(&month("basic")).await.unwrap(), ChangeOutcome::Changed { .. }));
        assert_eq!(world.current().await.unwrap().scheduled, Some(month("basic")));
        assert_eq!(world.services().read_balance(world.ann).await.unwrap().next_reset.unwrap().1.get(), 500);
        world.services().take_back_change(world.ann).await.unwrap();
        world.hear().await;
        assert_eq!(world.current().await.unwrap().scheduled, None);
        world.change(&month("basic")).await.unwrap();
        world.pass_until(end.plus_seconds(-1)).await;
        world.assert_stands("premium", 1_260).await;
        world.pass_until(end).await;
        world.assert_stands("basic", 560).await;
        assert_eq!(world.payments().await[0].amount.get(), 1_500);
    }

    async fn a_cancelled_plan_lasts_to_its_end_and_what_was_bought_stays(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        world.buy_pack("pack-100").await;
        let end = world.current().await.unwrap().period_end;
        world.change(&month("free")).await.unwrap();
        assert!(world.services().read_balance(world.ann).await.unwrap().next_reset.is_none());
        world.services().take_back_change(world.ann).await.unwrap();
        world.hear().await;
        assert!(!world.current().await.unwrap().cancel_at_period_end);
        world.change(&month("free")).await.unwrap();
        world.pass_until(end.plus_seconds(-1)).await;
        world.assert_stands("basic", 660).await;
        world.pass_until(end).await;
        world.assert_stands("free", 160).await;
        world.pass_until(end.plus_months(3)).await;
        world.assert_stands("free", 160).await;
        assert_eq!(world.payments().await.len(), 2);
        world.subscribe(&month("premium")).await;
        world.assert_stands("premium", 1_360).await;
    }

    async fn a_declined_renewal_brings_nothing_until_it_is_paid(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let current = world.current().await.unwrap();
        world.demo.set_card(&current.id, true).await.unwrap();
        world.pass_until(current.period_end.plus_seconds(DAY)).await;
        assert_eq!(world.current().await.unwrap().status, SubscriptionStatus::PastDue);
        world.assert_stands("basic", 60).await;
        assert!(matches!(world.change(&month("premium")).await, Err(ServiceError::Change(_))));
        world.demo.set_card(&current.id, false).await.unwrap();
        world.hear().await;
        assert!(is_active(&world.current().await.unwrap()));
        world.assert_stands("basic", 560).await;
        assert_eq!((world.audited("subscription_fell_behind").await, world.payments().await.len()), (1, 2));
    }

    async fn what_is_past_due_for_longer_than_the_days_of_grace_ends(engine: Engine) {
        let world = World::start(engine).await;
        world.subscribe(&month("basic")).await;
        let current = world.current().await.unwrap();
        world.demo.set_card(&current.id, true).await.unwrap();
        world.pass_until(current.period_end).await;
        world.pass_until(current.period_end.plus_seconds(7 * DAY - 60)).await;
        world.services().look_after_payments().await.unwrap();
        assert_eq!(world.current().await.unwrap().status, SubscriptionStatus::PastDue);
        world.pass_until(current.period_end.plus_seconds(7 * DAY + 60)).await;
        world.services().look_after_payments().await.unwrap();
        world.hear().await;
        assert!(world.current().await.is_none());
        world.assert_stands("free", 60).await;
    }
}
