//! Plans, packs and prices; buying them.

use crate::api::error::ApiError;
use crate::api::views::OrderView;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::api::guard,
    crate::api::views::ChangeOutcome,
    crate::domain::billing::Terms,
    crate::domain::{OrderId, PlanId},
    crate::server::services::Purchase,
    crate::server::store::User,
};

/// A first plan: writes the order down and goes on to its payment. With a subscription it is a change of it.
#[server(prefix = "/fn", endpoint = "upgrade_plan")]
pub async fn upgrade_plan(
    plan: String,
    interval: String,
    #[server(default)] return_to: String,
) -> Result<(), ApiError> {
    let terms = Terms::parse(&plan, &interval);
    let result = async {
        let Some(user) = guard::current_user().await? else { return Err(sign_in_first(&return_to)) };
        let terms = terms.ok_or(ApiError::NotForSale)?;
        let back = (!return_to.is_empty()).then(|| return_to.clone());
        let outcome = guard::services()?.change_plan(user.account, &terms, None, back).await;
        match outcome.map_err(guard::from_service)? {
            ChangeOutcome::Pay { url, order } => guard::go_out(&url, &format!("/pay/{order}")),
            ChangeOutcome::Changed { .. } => guard::go_to("/plans"),
        }
        Ok(())
    };
    let typed = [("interval", interval.as_str()), ("return_to", &return_to)];
    guard::answer_form::<UpgradePlan, ()>(result.await, "/plans", &typed)
}

/// Buys a pack: writes the order down and goes on to its payment.
#[server(prefix = "/fn", endpoint = "buy_pack")]
pub async fn buy_pack(pack: String, #[server(default)] return_to: String) -> Result<(), ApiError> {
    let result = async {
        let Some(user) = guard::current_user().await? else { return Err(sign_in_first(&return_to)) };
        let purchase = Purchase::Pack(PlanId::parse(&pack).ok_or(ApiError::NotForSale)?);
        let back = (!return_to.is_empty()).then(|| return_to.clone());
        let begun = guard::services()?.begin_purchase(user.account, purchase, back).await;
        let begun = begun.map_err(guard::from_service)?;
        guard::go_out(&begun.url, &format!("/pay/{}", begun.order));
        Ok(())
    };
    guard::answer_form::<BuyPack, ()>(result.await, "/buy", &[("return_to", &return_to)])
}

#[cfg(feature = "ssr")]
fn sign_in_first(return_to: &str) -> ApiError {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", return_to).finish();
    guard::send_to_sign_in(&format!("/buy?{query}"));
    ApiError::SignInRequired
}

/// A purchase of one's own.
#[server(prefix = "/fn", endpoint = "load_order", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_order(order: String, #[server(default)] returned: bool) -> Result<OrderView, ApiError> {
    let (user, order) = own_order(&order).await?;
    guard::services()?.read_order(user.account, &order, returned).await.map_err(guard::from_service)
}

/// Pays with the demo, and goes on to what came of it; `late` holds the news back for a moment.
#[server(prefix = "/fn", endpoint = "approve_payment")]
pub async fn approve_payment(order: String, #[server(default)] late: bool) -> Result<(), ApiError> {
    let result = async {
        let (user, id) = own_order(&order).await?;
        guard::services()?.approve_demo_payment(user.account, &id, late).await.map_err(guard::from_service)?;
        guard::go_to(&format!("/orders/{id}?returned=1"));
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

/// Leaves a checkout without paying, and goes on to what came of it.
#[server(prefix = "/fn", endpoint = "abandon_payment")]
pub async fn abandon_payment(order: String) -> Result<(), ApiError> {
    let (user, id) = own_order(&order).await?;
    guard::services()?.abandon_order(user.account, &id).await.map_err(guard::from_service)?;
    guard::go_to(&format!("/orders/{id}"));
    Ok(())
}

#[cfg(feature = "ssr")]
async fn own_order(order: &str) -> Result<(User, OrderId), ApiError> {
    let user = guard::require_user().await?;
    Ok((user, OrderId::parse(order).ok_or(ApiError::NotFound)?))
}
