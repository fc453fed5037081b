//! Keys for programs: one's own, and the service keys of administrators.

use crate::api::error::ApiError;
use crate::api::views::{KeysView, MadeKeyView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::api::guard,
    crate::domain::access::Scopes,
    crate::domain::{AccountId, ApiKeyId},
    crate::server::services::WantedKey,
    crate::server::web::one_look,
};

/// The page of one's own keys.
#[cfg(feature = "ssr")]
const OWN_PAGE: &str = "/settings/keys";
/// The page of the service keys.
#[cfg(feature = "ssr")]
const SERVICE_PAGE: &str = "/admin/keys";

/// One's own keys.
#[server(prefix = "/fn", endpoint = "load_keys", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_keys() -> Result<KeysView, ApiError> {
    let user = guard::require_user().await?;
    view_of(Some(user.account), OWN_PAGE).await
}

/// The service keys.
#[server(prefix = "/fn", endpoint = "load_service_keys", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_service_keys() -> Result<KeysView, ApiError> {
    guard::require_admin().await?;
    view_of(None, SERVICE_PAGE).await
}

#[cfg(feature = "ssr")]
async fn view_of(of: Option<AccountId>, page: &str) -> Result<KeysView, ApiError> {
    let services = guard::services()?;
    let made = match one_look::take(page) {
        Some(secret) => services.find_made_key(of, &secret).await.map_err(guard::from_service)?,
        None => None,
    };
    let keys = services.read_keys(of).await.map_err(guard::from_service)?;
    Ok(KeysView { keys, made })
}

/// Makes a key of one's own; `days` is empty for one without an end. The secret is in this answer only.
#[server(prefix = "/fn", endpoint = "make_key")]
pub async fn make_key(label: String, #[server(default)] days: String) -> Result<MadeKeyView, ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        let wanted = WantedKey::parse(&label, &days).map_err(guard::from_service)?;
        let made = guard::services()?.make_own_key(&user, wanted).await.map_err(guard::from_service)?;
        show_once(OWN_PAGE, &made);
        Ok(made)
    };
    guard::answer_form::<MakeKey, MadeKeyView>(result.await, OWN_PAGE, &[("label", &label), ("days", &days)])
}

/// Makes a service key that may do what is ticked.
#[server(prefix = "/fn", endpoint = "make_service_key")]
pub async fn make_service_key(
    label: String,
    #[server(default)] days: String,
    #[server(default)] read: String,
    #[server(default)] write: String,
) -> Result<MadeKeyView, ApiError> {
    let result = async {
        let admin = guard::require_admin().await?;
        let wanted = WantedKey::parse(&label, &days).map_err(guard::from_service)?;
        let ticked = [(&read, "accounts:read"), (&write, "accounts:write")];
        let names: Vec<&str> = ticked.into_iter().filter(|(tick, _)| !tick.is_empty()).map(|(_, name)| name).collect();
        let scopes = Scopes::parse(&names.join(",")).ok_or(ApiError::Refused)?;
        let made = guard::services()?.make_service_key(&admin, wanted, scopes).await.map_err(guard::from_service)?;
        show_once(SERVICE_PAGE, &made);
        Ok(made)
    };
    let typed = [("label", label.as_str()), ("days", &days), ("read", &read), ("write", &write)];
    guard::answer_form::<MakeServiceKey, MadeKeyView>(result.await, SERVICE_PAGE, &typed)
}

#[cfg(feature = "ssr")]
fn show_once(page: &str, made: &MadeKeyView) {
    if guard::is_plain_form() {
        one_look::send(page, &made.secret);
    }
    go_back_to(page);
}

/// A plain form comes back to its page; in a page that is alive nothing moves.
#[cfg(feature = "ssr")]
fn go_back_to(page: &str) {
    if guard::is_plain_form() {
        guard::go_to(page);
    }
}

/// Ends a key of one's own for good.
#[server(prefix = "/fn", endpoint = "revoke_key")]
pub async fn revoke_key(key: String) -> Result<(), ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        let id = ApiKeyId::parse(&key).ok_or(ApiError::NotFound)?;
        guard::services()?.revoke_listed_key(Some(user.account), &id, &user).await.map_err(guard::from_service)?;
        go_back_to(OWN_PAGE);
        Ok(())
    };
    guard::answer_form::<RevokeKey, ()>(result.await, OWN_PAGE, &[])
}

/// Ends a service key for good.
#[server(prefix = "/fn", endpoint = "revoke_service_key")]
pub async fn revoke_service_key(key: String) -> Result<(), ApiError> {
    let result = async {
        let admin = guard::require_admin().await?;
        let id = ApiKeyId::parse(&key).ok_or(ApiError::NotFound)?;
        guard::services()?.revoke_listed_key(None, &id, &admin).await.map_err(guard::from_service)?;
        go_back_to(SERVICE_PAGE);
        Ok(())
    };
    guard::answer_form::<RevokeServiceKey, ()>(result.await, SERVICE_PAGE, &[])
}
