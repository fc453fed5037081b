//! Plans, packs and prices; buying them.

use crate::api::error::ApiError;
use crate::api::views::{OrderView, ShopView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::api::guard,
    crate::domain::catalogue::Interval,
    crate::domain::{OrderId, PlanId},
    crate::server::services::Purchase,
    crate::server::store::User,
};

/// What there is to buy and to spend on; for everyone.
#[server(prefix = "/fn", endpoint = "load_shop", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_shop() -> Result<ShopView, ApiError> {
    let account = guard::current_user().await?.map(|user| user.account);
    guard::services()?.read_shop(account).await.map_err(guard::from_service)
}

/// Upgrades to a plan: writes the order down and goes on to its payment.
#[server(prefix = "/fn", endpoint = "upgrade_plan")]
pub async fn upgrade_plan(
    plan: String,
    interval: String,
    #[server(default)] return_to: String,
) -> Result<(), ApiError> {
    let purchase = PlanId::parse(&plan).zip(Interval::parse(&interval));
    let result = begin(purchase.map(|(plan, interval)| Purchase::Plan(plan, interval)), return_to.clone()).await;
    let typed = [("interval", interval.as_str()), ("return_to", &return_to)];
    guard::answer_form::<UpgradePlan, ()>(result, "/plans", &typed)
}

/// Buys a pack: writes the order down and goes on to its payment.
#[server(prefix = "/fn", endpoint = "buy_pack")]
pub async fn buy_pack(pack: String, #[server(default)] return_to: String) -> Result<(), ApiError> {
    let result = begin(PlanId::parse(&pack).map(Purchase::Pack), return_to.clone()).await;
    guard::answer_form::<BuyPack, ()>(result, "/buy", &[("return_to", &return_to)])
}

#[cfg(feature = "ssr")]
async fn begin(purchase: Option<Purchase>, return_to: String) -> Result<(), ApiError> {
    let Some(user) = guard::current_user().await? else {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", &return_to).finish();
        guard::send_to_sign_in(&format!("/buy?{query}"));
        return Err(ApiError::SignInRequired);
    };
    let purchase = purchase.ok_or(ApiError::NotForSale)?;
    let return_to = (!return_to.is_empty()).then_some(return_to);
    let order = guard::services()?.begin_purchase(user.account, purchase, return_to).await;
    guard::go_to(&format!("/checkout/{}", order.map_err(guard::from_service)?));
    Ok(())
}

/// A purchase of one's own.
#[server(prefix = "/fn", endpoint = "load_order", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_order(order: String) -> Result<OrderView, ApiError> {
    let (user, order) = own_order(&order).await?;
    guard::services()?.read_order(user.account, &order).await.map_err(guard::from_service)
}

/// Pays with the demo, and goes on to what came of it.
#[server(prefix = "/fn", endpoint = "approve_payment")]
pub async fn approve_payment(order: String) -> Result<(), ApiError> {
    let result = async {
        let (user, id) = own_order(&order).await?;
        guard::services()?.approve_demo_payment(user.account, &id).await.map_err(guard::from_service)?;
        guard::go_to(&format!("/orders/{id}"));
        Ok(())
    };
    result.await
}

/// Declines with the demo, and goes on to what came of it.
#[server(prefix = "/fn", endpoint = "decline_payment")]
pub async fn decline_payment(order: String) -> Result<(), ApiError> {
    let result = async {
        let (user, id) = own_order(&order).await?;
        guard::services()?.decline_demo_payment(user.account, &id).await.map_err(guard::from_service)?;
        guard::go_to(&format!("/orders/{id}"));
        Ok(())
    };
    result.await
}

#[cfg(feature = "ssr")]
async fn own_order(order: &str) -> Result<(User, OrderId), ApiError> {
    let user = guard::require_user().await?;
    Ok((user, OrderId::parse(order).ok_or(ApiError::NotFound)?))
}
