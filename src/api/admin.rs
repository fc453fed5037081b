//! The administrator's doors. Each asks the database for the caller's role.

use crate::api::error::ApiError;
use crate::api::views::{AccountView, PersonLine};
use crate::domain::account::Balance;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {crate::api::guard, crate::domain::UserId, crate::server::services::Adjustment};

/// People whose address, name or id contains a text.
#[server(prefix = "/fn", endpoint = "search_people", input = leptos::server_fn::codec::GetUrl)]
pub async fn search_people(#[server(default)] text: String) -> Result<Vec<PersonLine>, ApiError> {
    guard::require_admin().await?;
    guard::services()?.search_people(&text).await.map_err(guard::from_service)
}

/// One account.
#[server(prefix = "/fn", endpoint = "load_account", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_account(user: String) -> Result<AccountView, ApiError> {
    guard::require_admin().await?;
    let id = UserId::parse(&user).ok_or(ApiError::NotFound)?;
    guard::services()?.read_account_for_admin(&id).await.map_err(guard::from_service)
}

/// Changes a balance by hand, up or down, with a reason.
#[server(prefix = "/fn", endpoint = "adjust_credits")]
pub async fn adjust_credits(
    user: String,
    amount: String,
    reason: String,
    #[server(default)] form_key: String,
) -> Result<Balance, ApiError> {
    let result = async {
        let admin = guard::require_admin().await?;
        let id = UserId::parse(&user).ok_or(ApiError::NotFound)?;
        let adjustment = Adjustment::parse(&amount, &reason, &form_key).map_err(guard::from_service)?;
        let done = guard::services()?.adjust_credits(&admin, &id, adjustment).await;
        let balance = done.map_err(guard::from_service)?;
        if guard::is_plain_form() {
            guard::go_to(&format!("/admin/accounts/{id}?adjusted=yes"));
        }
        Ok(balance)
    };
    let page = format!("/admin/accounts/{user}");
    guard::answer_form::<AdjustCredits, Balance>(result.await, &page, &[("amount", &amount), ("reason", &reason)])
}
