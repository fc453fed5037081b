//! The hosted pages: to pay, to be declined, to leave; and the customer portal.

use super::{
    Shared,
    world::{number, text},
};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui;max-width:30rem;margin:4rem auto;padding:0 1rem;background:#f6f6f9;color:#222}\
    main{background:#fff;border-radius:12px;padding:2rem;box-shadow:0 2px 12px #0002}button{font:inherit;padding:.6rem 1.2rem;\
    margin:.3rem .3rem .3rem 0;border:0;border-radius:8px;background:#4338ca;color:#fff}button.plain{background:#ddd;color:#222}\
    .note{background:#fff4d6;padding:.6rem;border-radius:8px}.bad{background:#fde2e2;padding:.6rem;border-radius:8px}";

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <link rel=\"icon\" href=\"data:,\"><title>{title}</title><style>{STYLE}</style><main><p class=\"note\">Stand-in for the payment provider: no money \
         moves.</p><h1>{title}</h1>{body}</main></html>"
    );
    Html(html).into_response()
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, page("Nothing here", "<p>This page is over.</p>")).into_response()
}

/// `GET /c/pay/{session}`.
pub fn checkout(shared: &Shared, id: &str, declined: bool) -> Response {
    let world = shared.world.lock().unwrap();
    let Ok(session) = world.open_session(id) else { return gone() };
    let price = world.find(text(&session, "/standin_price")).cloned().unwrap_or_default();
    let cents = number(&session, "/amount_total");
    let every = match text(&price, "/recurring/interval") {
        "" => "once".to_owned(),
        interval => format!("every {interval}"),
    };
    let problem = if declined { "<p class=\"bad\" role=\"alert\">Your card was declined.</p>" } else { "" };
    let cancel = escape(text(&session, "/cancel_url"));
    let name = escape(&product_name(&world, &price));
    page(
        "Pay",
        &format!(
            "<p>{name}</p><p><strong>${}.{:02}</strong> {every}</p>{problem}<form method=\"post\">\
             <button name=\"do\" value=\"pay\">Pay</button><button name=\"do\" value=\"decline\" class=\"plain\">Pay with \
             a card that is declined</button></form><p><a href=\"{cancel}\">Back without paying</a></p>",
            cents / 100,
            cents % 100,
        ),
    )
}

/// `POST /c/pay/{session}`.
pub fn act_on_checkout(shared: &Shared, id: &str, action: &str) -> Response {
    if action != "pay" {
        // Where it is over, the page says so.
        let _ = shared.world.lock().unwrap().decline_session(id);
        return checkout(shared, id, true);
    }
    let paid = shared.world.lock().unwrap().pay_session(id);
    match paid {
        Ok(()) => {
            let world = shared.world.lock().unwrap();
            let url = text(world.find(id).expect("a session"), "/success_url").replace("{CHECKOUT_SESSION_ID}", id);
            Redirect::to(&url).into_response()
        }
        Err(refusal) if refusal.status == 402 => checkout(shared, id, true),
        Err(_) => gone(),
    }
}

/// `GET /p/session/{id}`.
pub fn portal(shared: &Shared, id: &str) -> Response {
    let world = shared.world.lock().unwrap();
    let Ok(session) = world.get("billing_portal.session", id) else { return gone() };
    let customer = text(&session, "/customer").to_owned();
    let held = world.all("subscription", |one| text(one, "/customer") == customer && one["status"] != "canceled");
    let mut body = String::new();
    for subscription in &held {
        let name = escape(&product_name(&world, &subscription["items"]["data"][0]["price"]));
        let (word, action) =
            if subscription["cancel_at"].is_null() { ("Cancel plan", "cancel") } else { ("Renew plan", "resume") };
        let subscription = text(subscription, "/id");
        body += &format!(
            "<p>{name}</p><form method=\"post\"><input type=\"hidden\" name=\"subscription\" value=\"{subscription}\">\
             <button name=\"do\" value=\"{action}\">{word}</button></form>"
        );
    }
    let back = escape(text(&session, "/return_url"));
    page("Your plan", &format!("{body}<p><a href=\"{back}\">Back to the site</a></p>"))
}

/// `POST /p/session/{id}`.
pub fn act_on_portal(shared: &Shared, id: &str, action: &str, subscription: &str) -> Response {
    shared.world.lock().unwrap().cancel_in_portal(subscription, action == "cancel");
    portal(shared, id)
}

fn product_name(world: &super::World, price: &Value) -> String {
    world
        .find(text(price, "/product"))
        .map_or_else(|| "Something".to_owned(), |product| text(product, "/name").to_owned())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
