//! What the provider does, and what it sees afterwards.

use super::shop::{Shop, cents, checkout, order, plan_checkout, price, terms};
use super::standin::Card;
use scrip::domain::billing::{BillingEvent, DisputeStatus, PaymentRef, SubscriptionStatus};
use scrip::domain::catalogue::{Interval, PriceNames};
use scrip::domain::{Cents, Credits, PlanId};
use scrip::server::billing::{CheckoutItem, PaymentProvider, ProviderError};
use serde_json::json;

const MONTH: Interval = Interval::Month;
const YEAR: Interval = Interval::Year;

#[tokio::test]
async fn a_plan_is_bought_and_seen_with_its_period_and_its_invoice() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", MONTH).await;
    let seen = shop.see(&id).await;
    assert_eq!(seen.terms, terms("basic", MONTH));
    assert_eq!(seen.status, SubscriptionStatus::Active);
    assert_eq!(seen.order, Some(order("one")));
    assert_eq!(seen.period_end, seen.period_start.plus_months(1));
    assert!(!seen.cancel_at_period_end && seen.scheduled.is_none());
    let [invoice] = seen.invoices.as_slice() else { panic!("{seen:#?}") };
    assert_eq!(invoice.amount, price("basic", MONTH));
    assert_eq!((invoice.period_start, invoice.period_end), (seen.period_start, seen.period_end));
    assert!(invoice.payment.as_ref().unwrap().as_str().starts_with("pi_"));
    // The renewal's period is the line's; the invoice's own is the moment of making it.
    shop.standin.world().end_period(id.as_str());
    let renewed = shop.see(&id).await;
    assert_eq!(renewed.invoices.len(), 2);
    assert_eq!(renewed.period_start, seen.period_end);
    assert!(renewed.invoices.iter().any(|invoice| invoice.period_start == seen.period_end));
}

#[tokio::test]
async fn a_pack_is_bought_at_once_or_days_later() {
    let shop = Shop::open().await;
    let pack = CheckoutItem::Pack { pack: PlanId::parse("pack-100").unwrap(), credits: Credits::of(100) };
    let begun = shop.stripe.begin_checkout(&checkout("one", pack.clone(), cents(500))).await.unwrap();
    assert_eq!(shop.stripe.fetch_checkout(&begun.checkout).await.unwrap(), None);
    shop.pay(&begun);
    let Some(BillingEvent::CheckoutCompleted { paid: Some(paid), .. }) =
        shop.stripe.fetch_checkout(&begun.checkout).await.unwrap()
    else {
        panic!("not paid")
    };
    assert_eq!((paid.order, paid.amount), (order("one"), cents(500)));
    let seen = shop.stripe.fetch_payment(&paid.payment).await.unwrap().unwrap();
    assert_eq!((seen.reference, seen.order, seen.refunded), (paid.payment, Some(order("one")), Cents::default()));

    let slow = shop.stripe.begin_checkout(&checkout("two", pack, cents(500))).await.unwrap();
    shop.standin.world().pay_session_slowly(slow.checkout.as_str());
    let told = shop.stripe.fetch_checkout(&slow.checkout).await.unwrap().unwrap();
    assert!(matches!(told, BillingEvent::CheckoutCompleted { paid: None, .. }), "{told:?}");
    shop.standin.world().settle_slow_payment(slow.checkout.as_str(), true);
    let told = shop.stripe.fetch_checkout(&slow.checkout).await.unwrap().unwrap();
    assert!(matches!(told, BillingEvent::CheckoutCompleted { paid: Some(_), .. }), "{told:?}");
}

#[tokio::test]
async fn a_checkout_can_be_closed_unless_it_was_paid() {
    let shop = Shop::open().await;
    let left = shop.stripe.begin_checkout(&plan_checkout("one", "basic", MONTH)).await.unwrap();
    shop.stripe.expire_checkout(&left.checkout).await.unwrap();
    shop.stripe.expire_checkout(&left.checkout).await.unwrap();
    let told = shop.stripe.fetch_checkout(&left.checkout).await.unwrap();
    assert_eq!(told, Some(BillingEvent::CheckoutExpired { order: order("one") }));
    let paid = shop.stripe.begin_checkout(&plan_checkout("two", "basic", MONTH)).await.unwrap();
    shop.pay(&paid);
    shop.stripe.expire_checkout(&paid.checkout).await.unwrap();
    assert_eq!(shop.held(paid.checkout.as_str())["status"], "complete");
}

#[tokio::test]
async fn an_upgrade_begins_a_new_cycle_at_the_full_price_less_what_is_credited() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", YEAR).await;
    shop.standin.world().wait_seconds(86_400 * 40);
    let (to, full) = (terms("premium", YEAR), price("premium", YEAR));
    for _ in 0..2 {
        shop.stripe.change_now(&id, &to, full, cents(1_000), &order("two")).await.unwrap();
    }
    let seen = shop.see(&id).await;
    assert_eq!((&seen.terms, seen.order.clone()), (&to, Some(order("two"))));
    assert_eq!(seen.anchor, seen.period_start);
    assert_eq!(seen.invoices.len(), 2, "asked twice, done once");
    let newest = seen.invoices.iter().max_by_key(|invoice| invoice.period_start).unwrap();
    assert_eq!(newest.amount.get(), full.get() - 1_000);
    assert_eq!((newest.period_start, newest.plan.as_str()), (seen.period_start, "premium"));
}

#[tokio::test]
async fn a_declined_upgrade_leaves_everything_as_it_was() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "premium", MONTH).await;
    shop.stripe.change_at_period_end(&id, &terms("basic", MONTH), price("basic", MONTH), "k1").await.unwrap();
    let before = shop.see(&id).await;
    assert_eq!(before.scheduled, Some(terms("basic", MONTH)));
    shop.card(&id, Card::Declines);
    for _ in 0..2 {
        let full = price("premium", YEAR);
        let failed = shop.stripe.change_now(&id, &terms("premium", YEAR), full, cents(300), &order("two")).await;
        assert!(matches!(failed, Err(ProviderError::Declined)), "{failed:?}");
    }
    assert_eq!(shop.see(&id).await, before);
    assert!(shop.standin.world().all("invoiceitem", |_| true).is_empty(), "no credit is left behind");
}

#[tokio::test]
async fn changes_at_the_periods_end_replace_each_other_and_can_be_taken_back() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "premium", YEAR).await;
    let (basic, monthly) = (terms("basic", MONTH), terms("premium", MONTH));
    for key in ["k1", "k1", "k2"] {
        shop.stripe.change_at_period_end(&id, &basic, price("basic", MONTH), key).await.unwrap();
        assert_eq!(shop.see(&id).await.scheduled.as_ref(), Some(&basic));
    }
    shop.stripe.change_at_period_end(&id, &monthly, price("premium", MONTH), "k3").await.unwrap();
    assert_eq!(shop.see(&id).await.scheduled, Some(monthly));
    shop.stripe.cancel_at_period_end(&id, "k4").await.unwrap();
    let ending = shop.see(&id).await;
    assert!(ending.cancel_at_period_end && ending.scheduled.is_none());
    shop.stripe.change_at_period_end(&id, &basic, price("basic", MONTH), "k5").await.unwrap();
    let changing = shop.see(&id).await;
    assert!(!changing.cancel_at_period_end && changing.scheduled.as_ref() == Some(&basic));
    shop.stripe.keep(&id, "k6").await.unwrap();
    let kept = shop.see(&id).await;
    assert!(!kept.cancel_at_period_end && kept.scheduled.is_none());
    shop.stripe.change_at_period_end(&id, &basic, price("basic", MONTH), "k7").await.unwrap();
    shop.standin.world().end_period(id.as_str());
    let changed = shop.see(&id).await;
    assert_eq!((changed.terms, changed.scheduled, changed.period_start), (basic, None, kept.period_end));
}

#[tokio::test]
async fn an_end_is_seen_by_the_flag_and_by_the_moment_and_taken_back_either_way() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", MONTH).await;
    shop.stripe.cancel_at_period_end(&id, "k1").await.unwrap();
    assert!(shop.see(&id).await.cancel_at_period_end);
    shop.stripe.keep(&id, "k2").await.unwrap();
    assert!(!shop.see(&id).await.cancel_at_period_end);
    shop.standin.world().cancel_in_portal(id.as_str(), true);
    assert_eq!(shop.held(id.as_str())["cancel_at_period_end"], false);
    assert!(shop.see(&id).await.cancel_at_period_end);
    shop.stripe.keep(&id, "k3").await.unwrap();
    assert!(!shop.see(&id).await.cancel_at_period_end);
    shop.stripe.cancel_now(&id).await.unwrap();
    shop.stripe.cancel_now(&id).await.unwrap();
    let ended = shop.see(&id).await;
    assert_eq!(ended.status, SubscriptionStatus::Canceled);
    assert!(ended.ended_at.is_some());
}

#[tokio::test]
async fn refunds_and_disputes_are_seen_by_every_name_of_the_payment() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", MONTH).await;
    let paid = shop.see(&id).await.invoices.remove(0);
    let payment = paid.payment.unwrap();
    for _ in 0..2 {
        shop.stripe.refund(&paid.invoice, cents(400), "r1").await.unwrap();
    }
    shop.stripe.refund(&payment, cents(100), "r2").await.unwrap();
    let charge = shop.held(payment.as_str())["latest_charge"].as_str().map(PaymentRef::parse).unwrap().unwrap();
    for name in [&paid.invoice, &payment, &charge] {
        let seen = shop.stripe.fetch_payment(name).await.unwrap().unwrap();
        assert_eq!((&seen.reference, seen.refunded, seen.dispute), (&paid.invoice, cents(500), DisputeStatus::None));
        assert_eq!(seen.subscription.as_ref(), Some(&id));
    }
    let dispute = shop.standin.world().open_dispute(payment.as_str());
    for (word, status) in [("", DisputeStatus::Open), ("won", DisputeStatus::Won), ("lost", DisputeStatus::Lost)] {
        if !word.is_empty() {
            shop.standin.world().close_dispute(&dispute, word);
        }
        let seen = shop.stripe.fetch_payment(&paid.invoice).await.unwrap().unwrap();
        assert_eq!(seen.dispute, status);
    }
    assert_eq!(shop.stripe.fetch_payment(&PaymentRef::parse("pi_nobody").unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_declined_renewal_is_past_due_and_recovers() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", MONTH).await;
    shop.card(&id, Card::Declines);
    shop.standin.world().end_period(id.as_str());
    let behind = shop.see(&id).await;
    assert_eq!((behind.status, behind.invoices.len()), (SubscriptionStatus::PastDue, 1));
    shop.card(&id, Card::Pays);
    shop.standin.world().pay_what_is_open(id.as_str());
    let again = shop.see(&id).await;
    assert_eq!((again.status, again.invoices.len()), (SubscriptionStatus::Active, 2));
}

#[tokio::test]
async fn prices_are_made_once_follow_the_catalogue_and_are_still_known_afterwards() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", MONTH).await;
    shop.subscribe("two", "basic", MONTH).await;
    assert_eq!(shop.requests("POST", "/v1/prices"), 1);
    let dearer = Cents::try_from(price("basic", MONTH).get() + 500).unwrap();
    let item = plan_checkout("three", "basic", MONTH).item;
    shop.stripe.begin_checkout(&checkout("three", item, dearer)).await.unwrap();
    let prices = shop.standin.world().all("price", |_| true);
    let keys: Vec<_> = prices.iter().map(|price| price["lookup_key"].clone()).collect();
    assert_eq!(keys, [json!(null), json!("scrip_basic_month")]);
    assert_eq!(prices[0]["product"], prices[1]["product"]);
    assert_eq!(shop.see(&id).await.terms, terms("basic", MONTH), "the old price is still the plan's");
}

#[tokio::test]
async fn a_price_that_the_catalogue_names_is_used_or_refused_with_a_reason() {
    let shop = Shop::open_with(|catalogue| {
        let basic = catalogue.plans.iter_mut().find(|plan| plan.id.as_str() == "basic").unwrap();
        basic.stripe_price = Some(PriceNames { month: Some("price_mine".into()), year: Some("price_gone".into()) });
    })
    .await;
    let amount = price("basic", MONTH).get();
    shop.standin.world().keep(json!({"id": "price_mine", "object": "price", "active": true, "currency": "usd",
        "unit_amount": amount, "product": "prod_mine", "lookup_key": null, "metadata": {},
        "recurring": {"interval": "month", "interval_count": 1}}));
    let findings = shop.stripe.check().await.unwrap();
    assert_eq!(findings.problems.len(), 1, "{findings:?}");
    assert!(findings.problems[0].contains("price_gone"), "{findings:?}");
    assert!(findings.to_be_made.contains(&"scrip_premium_month".to_owned()), "{findings:?}");
    let id = shop.subscribe("one", "basic", MONTH).await;
    assert_eq!(shop.see(&id).await.terms, terms("basic", MONTH));
    assert_eq!(shop.requests("POST", "/v1/prices"), 0);
    let gone = shop.stripe.begin_checkout(&plan_checkout("two", "basic", YEAR)).await;
    assert!(matches!(gone, Err(ProviderError::Refused(_))), "{gone:?}");
    shop.standin.world().set("price_mine", json!({"unit_amount": amount + 1}));
    assert_eq!(shop.stripe.check().await.unwrap().problems.len(), 2);
}

#[tokio::test]
async fn subscriptions_of_others_on_the_same_account_are_none_of_ours() {
    let shop = Shop::open().await;
    let price = json!({"id": "price_other", "object": "price", "active": true, "currency": "usd", "unit_amount": 900,
        "product": "prod_other", "recurring": {"interval": "month", "interval_count": 1}, "metadata": {}});
    let (foreign, ours) = {
        let mut world = shop.standin.world();
        world.keep(price);
        let foreign = world.new_subscription("cus_other", "price_other", json!({}));
        (foreign, world.new_subscription("cus_other", "price_other", json!({"scrip_order": "one"})))
    };
    let id = |name: &str| scrip::domain::billing::SubscriptionRef::parse(name).unwrap();
    assert_eq!(shop.stripe.fetch_subscription(&id(&foreign)).await.unwrap(), None);
    assert_eq!(shop.stripe.fetch_subscription(&id("sub_nobody")).await.unwrap(), None);
    let ours = shop.stripe.fetch_subscription(&id(&ours)).await;
    assert!(matches!(ours, Err(ProviderError::Refused(_))), "{ours:?}");
}

#[tokio::test]
async fn the_portal_has_an_address_for_each_visit() {
    let shop = Shop::open().await;
    let id = shop.subscribe("one", "basic", MONTH).await;
    let customer = shop.customer_of(&id);
    let first = shop.stripe.portal_url(&customer, "https://credits.example.com/billing").await.unwrap().unwrap();
    let second = shop.stripe.portal_url(&customer, "https://credits.example.com/billing").await.unwrap().unwrap();
    assert!(first.starts_with(&shop.standin.base) && first != second, "{first} {second}");
}
