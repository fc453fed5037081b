//! What every door needs on the server: who calls, from where, and how a failure becomes an answer.

use crate::api::error::ApiError;
use crate::domain::billing::PreviewRefusal;
use crate::domain::identity::Role;
use crate::domain::{AccountId, OwnPath};
use crate::server::identity::sessions;
use crate::server::services::{ServiceError, Services};
use crate::server::store::User;
use axum::extract::ConnectInfo;
use http::header::ACCEPT;
use http::request::Parts;
use leptos::context::use_context;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tower_sessions::Session;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// The services, from the context of the request.
pub fn services() -> Result<Services, ApiError> {
    use_context::<Services>().ok_or(ApiError::Internal)
}

/// The session of the request.
pub fn session() -> Result<Session, ApiError> {
    let parts = use_context::<Parts>().ok_or(ApiError::Internal)?;
    parts.extensions.get::<Session>().cloned().ok_or(ApiError::Internal)
}

/// The account that is signed in, whatever became of its user.
pub async fn signed_in() -> Result<Option<AccountId>, ApiError> {
    let account = sessions::signed_in(&session()?).await;
    account.map_err(|error| {
        tracing::error!(%error, "a session could not be read");
        ApiError::Unavailable
    })
}

/// Puts off the end of the session of who comes back.
pub async fn keep_signed_in() -> Result<(), ApiError> {
    let today = services()?.clock().now().millis() / MILLIS_PER_DAY;
    sessions::mark_seen(&session()?, today).await.map_err(|error| {
        tracing::error!(%error, "a session could not be kept");
        ApiError::Unavailable
    })
}

/// Who is signed in; read from the database each time, so that a changed role counts at once.
pub async fn current_user() -> Result<Option<User>, ApiError> {
    match signed_in().await? {
        Some(account) => services()?.find_user(account).await.map_err(from_service),
        None => Ok(None),
    }
}

/// Refuses whoever is not signed in.
pub async fn require_user() -> Result<User, ApiError> {
    current_user().await?.ok_or(ApiError::SignInRequired)
}

/// Refuses whoever is not an administrator now.
pub async fn require_admin() -> Result<User, ApiError> {
    let user = require_user().await?;
    match user.role {
        Role::Admin => Ok(user),
        Role::User => Err(ApiError::Forbidden),
    }
}

/// The address that the request came from.
pub fn client_address() -> IpAddr {
    let parts = use_context::<Parts>();
    let info = parts.and_then(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()));
    info.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// For forms: without JavaScript a failure goes back to `page`, which has what was typed in
/// its address, so that it is not lost.
pub fn answer_form<F: ServerFn<Error = ApiError>, T>(
    result: Result<T, ApiError>,
    page: &str,
    typed: &[(&str, &str)],
) -> Result<T, ApiError> {
    if let Err(error) = &result
        && is_plain_form()
        && *error != ApiError::SignInRequired
        && let Some(location) = page_with(F::PATH, error, page, typed)
    {
        leptos_axum::redirect(location.as_str());
    }
    result
}

/// Goes on to another page of this site; a path that leads elsewhere is not followed.
pub fn go_to(path: &str) {
    if let Some(location) = OwnPath::parse(path) {
        leptos_axum::redirect(location.as_str());
    }
}

/// Goes on to where something is paid: a page of this site, or the provider's own. A form that a browser sends by
/// itself may not lead to another site; it takes the way over `stop_over`, a page of ours that does.
pub fn go_out(url: &str, stop_over: &str) {
    match OwnPath::parse(url) {
        Some(_) => go_to(url),
        None if is_plain_form() => go_to(stop_over),
        None => leptos_axum::redirect(url),
    }
}

/// Sends whoever has to sign in to that page, and back to `next` afterwards.
pub fn send_to_sign_in(next: &str) {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    go_to(&format!("/signin?{query}"));
}

/// Whether a browser sent a form by itself and wants a page back.
pub fn is_plain_form() -> bool {
    let parts = use_context::<Parts>();
    let accept = parts.as_ref().and_then(|parts| parts.headers.get(ACCEPT)).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn page_with(function: &str, error: &ApiError, page: &str, typed: &[(&str, &str)]) -> Option<OwnPath> {
    // Only there to build the address; it never leaves the server.
    let origin = "http://scrip.invalid";
    let mut url = ServerFnUrlError::new(function, error.clone()).to_url(&format!("{origin}{page}")).ok()?;
    url.query_pairs_mut().extend_pairs(typed.iter().filter(|(_, value)| !value.is_empty()));
    OwnPath::parse(url.as_str().strip_prefix(origin)?)
}

/// From what went wrong inside to what is told outside. The causes go into the log.
pub fn from_service(error: ServiceError) -> ApiError {
    match error {
        ServiceError::Invalid { field, problem } => ApiError::Invalid { field, problem },
        ServiceError::AddressTaken => ApiError::AddressTaken,
        ServiceError::WrongPassword => ApiError::WrongPassword,
        ServiceError::TooManyTries(wait) => ApiError::TooManyTries { wait_seconds: wait.0 },
        ServiceError::Insufficient { feature, required, available } => {
            ApiError::Insufficient { feature, required, available }
        }
        ServiceError::GenerationFailed(_) => ApiError::GenerationFailed,
        ServiceError::NotFound | ServiceError::NoPrice { .. } => ApiError::NotFound,
        ServiceError::NotForSale | ServiceError::HasSubscription => ApiError::NotForSale,
        ServiceError::Change(PreviewRefusal::PastDue) => ApiError::PaymentOwed,
        ServiceError::Change(_) => ApiError::NothingToChange,
        ServiceError::PlanChanged => ApiError::PlanChanged,
        ServiceError::PaymentDeclined => ApiError::PaymentDeclined,
        ServiceError::Provider(cause) => {
            tracing::error!(%cause, "the payment provider did not do it");
            ApiError::PaymentProvider
        }
        ServiceError::Unknown(what) => {
            tracing::error!(what, "nobody knows");
            ApiError::PaymentProvider
        }
        ServiceError::Refused(_) => ApiError::Refused,
        ServiceError::FormReused => ApiError::FormReused,
        ServiceError::Busy => ApiError::Busy,
        ServiceError::Unavailable(cause) => {
            tracing::error!(?cause, "the database fails");
            ApiError::Unavailable
        }
        ServiceError::Internal(cause) => {
            tracing::error!(cause, "an internal error");
            ApiError::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_goes_back_with_the_error() {
        let location = page_with("/fn/sign_up", &ApiError::AddressTaken, "/signup", &[("email", "a+b@example.com")]);
        let location = location.unwrap().to_string();
        assert!(location.starts_with("/signup?__path=%2Ffn%2Fsign_up&__err="), "{location}");
        assert!(location.ends_with("&email=a%2Bb%40example.com"), "{location}");
    }
}
