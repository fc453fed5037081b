//! The ways out of this site to where people pay. A form may not lead to another site (`form-action 'self'` holds for
//! redirects after it too), so it leads here, and the answer sends the browser on by itself: with a `Refresh`, which
//! needs no script, and a link for whoever turned that off.

use crate::domain::{AccountId, OrderId};
use crate::server::identity::sessions;
use crate::server::services::{ServiceError, ServiceResult, Services};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use tower_sessions::Session;

/// Both ways; they need the session.
pub fn router<S: Clone + Send + Sync + 'static>(services: Services) -> Router<S> {
    Router::new().route("/pay/{order}", get(to_payment)).route("/billing/portal", get(to_portal)).with_state(services)
}

/// To where an order of one's own is paid.
async fn to_payment(State(services): State<Services>, session: Session, Path(order): Path<String>) -> Response {
    let found = async {
        let Some(account) = signed_in(&session).await? else { return Ok(None) };
        let order = OrderId::parse(&order).ok_or(ServiceError::NotFound)?;
        let view = services.read_order(account, &order, false).await?;
        Ok(Some(view.checkout_url.unwrap_or_else(|| format!("/orders/{order}"))))
    };
    answer(found.await)
}

/// To the provider's page where cards are changed.
async fn to_portal(State(services): State<Services>, session: Session) -> Response {
    let found = async {
        let Some(account) = signed_in(&session).await? else { return Ok(None) };
        Ok(Some(services.portal_url(account).await?))
    };
    answer(found.await)
}

async fn signed_in(session: &Session) -> ServiceResult<Option<AccountId>> {
    sessions::signed_in(session).await.map_err(|error| {
        tracing::error!(%error, "a session could not be read");
        ServiceError::Unavailable(None)
    })
}

fn answer(found: ServiceResult<Option<String>>) -> Response {
    match found {
        Ok(None) => Redirect::to("/signin").into_response(),
        Ok(Some(own)) if own.starts_with('/') => Redirect::to(&own).into_response(),
        Ok(Some(url)) => send_on(&url),
        Err(ServiceError::NotFound | ServiceError::NotForSale) => {
            (StatusCode::NOT_FOUND, "There is nothing here.").into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "nobody can be sent to the payment provider");
            (StatusCode::SERVICE_UNAVAILABLE, "The payment provider cannot be reached. Please try again.")
                .into_response()
        }
    }
}

fn send_on(url: &str) -> Response {
    let Ok(refresh) = HeaderValue::from_str(&format!("0; url={url}")) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "The payment provider's address cannot be used.").into_response();
    };
    let shown = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>To the payment</title><p><a href=\"{shown}\">Go on to the payment</a></p></html>"
    );
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    ([(header::CONTENT_TYPE, html), (header::REFRESH, refresh)], page).into_response()
}
