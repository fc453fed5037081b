//! The requests: who asks, whether it was asked before, and what is to be done.

use super::fields::Fields;
use super::world::{Answer, Refusal, World, list, text};
use super::{Fault, Heard, SECRET_KEY, Shared, pages};
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::sync::Arc;

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let shared = shared.clone();
        async move {
            let body = String::from_utf8_lossy(&body).into_owned();
            if uri.path().starts_with("/v1/") {
                answer(&shared, &method, &uri, &headers, &body)
            } else {
                show(&shared, &method, &uri, &body)
            }
        }
    })
}

fn show(shared: &Shared, method: &Method, uri: &Uri, body: &str) -> Response {
    let form = Fields::parse(body);
    let (action, parts) = (form.get("do").unwrap_or_default(), uri.path().split('/').skip(1).collect::<Vec<_>>());
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["c", "pay", id]) => pages::checkout(shared, id, false),
        ("POST", ["c", "pay", id]) => pages::act_on_checkout(shared, id, action),
        ("GET", ["p", "session", id]) => pages::portal(shared, id),
        ("POST", ["p", "session", id]) => {
            pages::act_on_portal(shared, id, action, form.get("subscription").unwrap_or_default())
        }
        ("GET", ["healthz"]) => "alive\n".into_response(),
        // What a test in a browser does that banks and time do otherwise.
        ("POST", ["standin", "end-period"]) => {
            let subscription = text(&shared.world.lock().unwrap().last("subscription"), "/id").to_owned();
            shared.world.lock().unwrap().end_period(&subscription);
            "done\n".into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(shared: &Shared, method: &Method, uri: &Uri, headers: &HeaderMap, body: &str) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let fields = Fields::parse(if method == Method::POST { body } else { uri.query().unwrap_or_default() });
    shared.heard.lock().unwrap().push(Heard {
        method: method.to_string(),
        path: uri.path().to_owned(),
        fields: fields.0.clone(),
        key: header("idempotency-key"),
        version: header("stripe-version"),
        content_type: header("content-type"),
    });
    let fault = shared.faults.lock().unwrap().pop_front();
    if let Some(Fault::Status(status)) = fault {
        let body = json!({"error": {"type": "api_error", "message": "a fault on purpose"}});
        return (StatusCode::from_u16(status).expect("a status"), Json(body)).into_response();
    }
    let (status, answer) = if header("authorization").as_deref() == Some(&format!("Bearer {SECRET_KEY}")) {
        let request = format!("{method} {} {body}", uri.path());
        once(&mut shared.world.lock().unwrap(), header("idempotency-key"), request, |world| {
            carry_out(world, method, uri.path(), &fields)
        })
    } else {
        let refusal = Refusal { status: 401, kind: "invalid_request_error", code: String::new(), field: String::new() };
        (401, refusal.body())
    };
    if fault == Some(Fault::LostAnswer) {
        // An answer that breaks off: the length is announced and nothing follows.
        let nothing = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("broken off on purpose"))]);
        return Response::new(axum::body::Body::from_stream(nothing));
    }
    let request_id = [("request-id", "req_standin")];
    (StatusCode::from_u16(status).expect("a status"), request_id, Json(answer)).into_response()
}

/// The same key and request are answered as the first time; the same key with another request is refused.
fn once(
    world: &mut World,
    key: Option<String>,
    request: String,
    carry_out: impl FnOnce(&mut World) -> Answer,
) -> (u16, Value) {
    if let Some((first, status, answer)) = key.as_ref().and_then(|key| world.keys.get(key)) {
        if *first == request {
            return (*status, answer.clone());
        }
        let refusal = Refusal { status: 400, kind: "idempotency_error", code: String::new(), field: String::new() };
        return (refusal.status, refusal.body());
    }
    let (status, answer) = match carry_out(world) {
        Ok(object) => (200, without_own(object)),
        Err(refusal) => (refusal.status, refusal.body()),
    };
    // What was refused before anything was done is not remembered.
    if let Some(key) = key.filter(|_| status == 200 || status == 402) {
        world.keys.insert(key, (request, status, answer.clone()));
    }
    (status, answer)
}

fn without_own(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| !name.starts_with("standin"));
    }
    object
}

fn carry_out(world: &mut World, method: &Method, path: &str, fields: &Fields) -> Answer {
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["customers"]) => make_customer(world, fields),
        ("GET", ["customers", id]) => world.get("customer", id),
        ("POST", ["products"]) => make_product(world, fields),
        ("GET", ["products", id]) => world.get("product", id),
        ("POST", ["prices"]) => make_price(world, fields),
        ("GET", ["prices"]) => Ok(find_prices(world, fields)),
        ("GET", ["prices", id]) => world.get("price", id),
        ("POST", ["checkout", "sessions"]) => world.make_session(fields),
        ("GET", ["checkout", "sessions", id]) => world.get("checkout.session", id),
        ("POST", ["checkout", "sessions", id, "expire"]) => world.expire_session(id),
        ("POST", ["billing_portal", "sessions"]) => world.make_portal(fields),
        ("GET", ["subscriptions"]) => Ok(subscriptions_of(world, fields)),
        ("GET", ["subscriptions", id]) => world.get("subscription", id),
        ("POST", ["subscriptions", id]) => world.update_subscription(id, fields),
        ("DELETE", ["subscriptions", id]) => {
            world.get("subscription", id)?;
            world.end_subscription(id);
            world.get("subscription", id)
        }
        ("POST", ["subscription_schedules"]) => world.make_schedule(fields),
        ("GET", ["subscription_schedules", id]) => world.get("subscription_schedule", id),
        ("POST", ["subscription_schedules", id]) => world.update_schedule(id, fields),
        ("POST", ["subscription_schedules", id, "release"]) => world.release_schedule(id),
        ("POST", ["invoiceitems"]) => make_invoice_item(world, fields),
        ("DELETE", ["invoiceitems", id]) => remove_invoice_item(world, id),
        ("GET", ["invoices"]) => Ok(invoices_of(world, fields)),
        ("GET", ["invoices", id]) => Ok(without_payments(world.get("invoice", id)?)),
        ("GET", ["invoice_payments"]) => Ok(invoice_payments(world, fields)),
        ("GET", ["payment_intents", id]) => payment_intent(world, id, fields),
        ("GET", ["disputes"]) => {
            let wanted = fields.need("payment_intent")?.to_owned();
            Ok(list(world.all("dispute", |one| text(one, "/payment_intent") == wanted), "/v1/disputes"))
        }
        ("GET", ["charges", id]) => world.get("charge", id),
        ("POST", ["refunds"]) => {
            fields.only(&["payment_intent", "amount", "reason", "metadata", "expand"])?;
            let metadata = fields.map("metadata").into();
            world.give_back(fields.need("payment_intent")?, fields.integer("amount")?, metadata)
        }
        ("GET", ["events"]) => Ok(list(world.events.iter().rev().cloned().collect(), "/v1/events")),
        _ => Err(Refusal::missing("url")),
    }
}

fn make_customer(world: &mut World, fields: &Fields) -> Answer {
    fields.only(&["email", "name", "metadata"])?;
    let (id, now) = (world.name("cus"), world.seconds());
    Ok(world.keep(
        json!({"id": id, "object": "customer", "email": fields.get("email"), "name": fields.get("name"), "balance": 0,
        "created": now, "livemode": false, "metadata": fields.map("metadata")}),
    ))
}

fn make_product(world: &mut World, fields: &Fields) -> Answer {
    fields.only(&["name", "metadata"])?;
    let id = world.name("prod");
    Ok(world.keep(json!({"id": id, "object": "product", "name": fields.need("name")?, "active": true,
        "metadata": fields.map("metadata")})))
}

fn make_price(world: &mut World, fields: &Fields) -> Answer {
    fields.only(&[
        "product",
        "product_data",
        "unit_amount",
        "currency",
        "recurring",
        "lookup_key",
        "transfer_lookup_key",
        "metadata",
        "nickname",
    ])?;
    fields.need("currency")?;
    let amount = fields.integer("unit_amount")?.ok_or_else(|| Refusal::invalid("parameter_missing", "unit_amount"))?;
    let product = match fields.get("product") {
        Some(product) => text(&world.get("product", product)?, "/id").to_owned(),
        None => {
            let (id, name) = (world.name("prod"), fields.need("product_data[name]")?);
            world.keep(json!({"id": id, "object": "product", "name": name, "active": true,
                "metadata": fields.map("product_data[metadata]")}));
            id
        }
    };
    let lookup_key = fields.get("lookup_key");
    let holders = world.all("price", |price| lookup_key.is_some() && price["lookup_key"].as_str() == lookup_key);
    for holder in holders {
        if !fields.is_true("transfer_lookup_key") {
            return Err(Refusal::invalid("lookup_key_in_use", "lookup_key"));
        }
        world.set(text(&holder, "/id"), json!({"lookup_key": null}));
    }
    let recurring = fields.get("recurring[interval]").map(|interval| {
        json!({"interval": interval, "interval_count": 1,
        "usage_type": "licensed"})
    });
    let id = world.name("price");
    Ok(world.keep(json!({"id": id, "object": "price", "active": true, "currency": fields.get("currency"), "product": product,
        "type": if recurring.is_some() { "recurring" } else { "one_time" }, "unit_amount": amount, "recurring": recurring,
        "lookup_key": lookup_key, "metadata": fields.map("metadata"), "livemode": false})))
}

fn find_prices(world: &World, fields: &Fields) -> Value {
    let wanted: Vec<&str> =
        fields.0.iter().filter(|(name, _)| name.starts_with("lookup_keys[")).map(|(_, value)| value.as_str()).collect();
    let is_wanted = |price: &Value| wanted.is_empty() || wanted.contains(&text(price, "/lookup_key"));
    list(world.all("price", is_wanted), "/v1/prices")
}

fn subscriptions_of(world: &World, fields: &Fields) -> Value {
    let customer = fields.get("customer").unwrap_or_default();
    let has_status = |one: &Value| fields.get("status") == Some("all") || one["status"] != "canceled";
    list(world.all("subscription", |one| text(one, "/customer") == customer && has_status(one)), "/v1/subscriptions")
}

fn make_invoice_item(world: &mut World, fields: &Fields) -> Answer {
    fields.only(&["customer", "subscription", "amount", "currency", "description", "metadata"])?;
    let customer = world.get("customer", fields.need("customer")?)?;
    let (id, now) = (world.name("ii"), world.seconds());
    Ok(world.keep(json!({"id": id, "object": "invoiceitem", "customer": customer["id"], "invoice": null, "currency": "usd",
        "subscription": fields.get("subscription"), "amount": fields.integer("amount")?, "date": now, "proration": false,
        "description": fields.get("description"), "period": {"start": now, "end": now}, "livemode": false,
        "metadata": fields.map("metadata")})))
}

fn remove_invoice_item(world: &mut World, id: &str) -> Answer {
    let item = world.get("invoiceitem", id)?;
    if !item["invoice"].is_null() {
        return Err(Refusal::invalid("invoice_item_in_use", "invoiceitem"));
    }
    world.remove(id);
    Ok(json!({"id": id, "object": "invoiceitem", "deleted": true}))
}

fn invoice_payments(world: &World, fields: &Fields) -> Value {
    let fits =
        |pointer: &str, wanted: Option<&str>, link: &Value| wanted.is_none_or(|wanted| text(link, pointer) == wanted);
    let found = world.all("invoice_payment", |link| {
        fits("/invoice", fields.get("invoice"), link)
            && fits("/payment/payment_intent", fields.get("payment[payment_intent]"), link)
    });
    list(found, "/v1/invoice_payments")
}

/// Payments are only shown where they were asked for, by `expand`.
fn without_payments(mut invoice: Value) -> Value {
    invoice.as_object_mut().expect("an invoice").remove("payments");
    invoice
}

fn expands(fields: &Fields, what: &str) -> bool {
    fields.0.iter().any(|(name, value)| name.starts_with("expand[") && value == what)
}

fn invoices_of(world: &World, fields: &Fields) -> Value {
    let is =
        |pointer: &str, name: &str, one: &Value| fields.get(name).is_none_or(|wanted| text(one, pointer) == wanted);
    let mut found = world.all("invoice", |one| {
        is("/parent/subscription_details/subscription", "subscription", one) && is("/status", "status", one)
    });
    found.reverse();
    if !expands(fields, "data.payments") {
        found = found.into_iter().map(without_payments).collect();
    }
    list(found, "/v1/invoices")
}

fn payment_intent(world: &World, id: &str, fields: &Fields) -> Answer {
    let mut payment = world.get("payment_intent", id)?;
    if expands(fields, "latest_charge") {
        payment["latest_charge"] = world.get("charge", text(&payment, "/latest_charge"))?;
    }
    Ok(payment)
}
