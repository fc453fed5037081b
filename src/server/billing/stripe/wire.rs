//! What Stripe's objects say, whatever the version of its interface: the shapes before and since 2025-03-31, a bare id
//! or the object in its place, and fields that are not there. Nothing here fails; what is missing is `None`.

use crate::domain::Timestamp;
use serde_json::Value;

/// A part of an answer or an event, read by paths like `parent.subscription_details.subscription`.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(pub &'a Value);

impl<'a> Object<'a> {
    /// What stands at a path; `None` where nothing does.
    pub fn at(self, path: &str) -> Option<Object<'a>> {
        let found = path.split('.').try_fold(self.0, |value, name| value.get(name));
        found.filter(|value| !value.is_null()).map(Object)
    }

    /// A text that is not empty.
    pub fn text(self, path: &str) -> Option<&'a str> {
        self.at(path)?.0.as_str().filter(|text| !text.is_empty())
    }

    /// A whole number.
    pub fn integer(self, path: &str) -> Option<i64> {
        self.at(path)?.0.as_i64()
    }

    /// Whether a flag is there and set.
    pub fn flag(self, path: &str) -> bool {
        self.at(path).is_some_and(|found| found.0 == &Value::Bool(true))
    }

    /// An id: as it is, or of the whole object in its place.
    pub fn id(self, path: &str) -> Option<String> {
        let found = self.at(path)?;
        found.0.as_str().or_else(|| found.text("id")).map(str::to_owned)
    }

    /// The first of these paths that leads to an id.
    pub fn first_id(self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.id(path))
    }

    /// A moment, which Stripe writes in whole seconds.
    pub fn moment(self, path: &str) -> Option<Timestamp> {
        self.integer(path).map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1_000)))
    }

    /// A span of time from one path to another.
    fn span(self, from: &str, to: &str) -> Option<Span> {
        Some(Span { from: self.moment(from)?, to: self.moment(to)? })
    }

    /// The entries of a list: bare, or in Stripe's wrapping.
    pub fn entries(self, path: &str) -> impl Iterator<Item = Object<'a>> {
        let list = self.at(path);
        let list = list.and_then(|list| list.at("data")).or(list);
        list.and_then(|list| list.0.as_array()).into_iter().flatten().map(Object)
    }
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

/// An event, as it was sent.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// Its type, as in `invoice.paid`.
    pub kind: String,
    /// When it happened; whole seconds only.
    pub created: Option<Timestamp>,
    /// What it is about, as it was then.
    pub object: Value,
}

impl Event {
    /// Reads the body of a webhook; `None` where it is no event.
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let event = Object(&body);
        Some(Self {
            id: event.text("id")?.to_owned(),
            kind: event.text("type")?.to_owned(),
            created: event.moment("created"),
            object: event.at("data.object").map(|object| object.0.clone()).unwrap_or_default(),
        })
    }
}

/// What a subscription says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub customer: Option<String>,
    /// `active`, `past_due`, `canceled`, `incomplete` ...
    pub status: String,
    /// The id of its first item, which has the plan.
    pub item: Option<String>,
    /// The id of its price.
    pub price: Option<String>,
    /// What is paid for now.
    pub period: Option<Span>,
    /// When it ends, where it was cancelled: said as a flag, or as a moment (by the portal).
    pub ends_at: Option<Timestamp>,
    /// Whether that was said by the flag `cancel_at_period_end`.
    pub ends_by_flag: bool,
    /// Where its periods are counted from.
    pub anchor: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// What is to change at the end of the period.
    pub schedule: Option<String>,
    /// The newest of our orders that it was begun or changed by.
    pub order: Option<String>,
}

impl Subscription {
    /// Reads it in either shape.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        let item = object.entries("items").next();
        let in_item = |path: &str| item.and_then(|item| item.id(path));
        let period = item.and_then(|item| item.span("current_period_start", "current_period_end"));
        let period = period.or_else(|| object.span("current_period_start", "current_period_end"));
        let at_period_end = period.filter(|_| object.flag("cancel_at_period_end")).map(|period| period.to);
        Some(Self {
            id: object.text("id")?.to_owned(),
            customer: object.id("customer"),
            status: object.text("status").unwrap_or("unknown").to_owned(),
            item: in_item("id"),
            price: in_item("price").or_else(|| in_item("plan")).or_else(|| object.id("plan")),
            period,
            ends_at: object.moment("cancel_at").or(at_period_end),
            ends_by_flag: object.flag("cancel_at_period_end"),
            anchor: object.moment("billing_cycle_anchor"),
            ended_at: object.moment("ended_at"),
            started_at: object.moment("start_date").or_else(|| object.moment("created")),
            schedule: object.id("schedule"),
            order: object.text("metadata.scrip_order").map(str::to_owned),
        })
    }

    /// Whether it has ended for good, or never began.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "canceled" | "incomplete_expired")
    }
}

/// What an invoice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: String,
    /// For which subscription, where it is for one.
    pub subscription: Option<String>,
    /// Whether nothing is due any more.
    pub paid: bool,
    /// What was paid, in cents.
    pub amount_paid: i64,
    /// The payment, where the invoice says it (before 2025-03-31, or where its payments were asked for).
    pub payment: Option<String>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// The order that it pays: what the subscription carried when it was begun or upgraded. Renewals carry it too, and
    /// pay no order.
    pub order: Option<String>,
    /// What it is made up of.
    pub lines: Vec<Line>,
    /// Whether it has more lines than it was sent with.
    pub has_more_lines: bool,
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The id of its price.
    pub price: Option<String>,
    /// In cents; below zero for a credit.
    pub amount: i64,
    /// Whether it is for a part of a period only.
    pub proration: bool,
    /// Whether a subscription made it, and not somebody by hand.
    pub of_subscription: bool,
    /// What it pays for.
    pub period: Option<Span>,
}

impl Invoice {
    /// Reads it in either shape.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        let lines: Vec<Line> = object.entries("lines").map(Line::read).collect();
        let of_line = || object.entries("lines").find_map(|line| line.first_id(&SUBSCRIPTION_OF_LINE));
        let of_payments = || object.entries("payments").find_map(|one| one.id("payment.payment_intent"));
        let reason = object.text("billing_reason");
        let pays_order = matches!(reason, Some("subscription_create" | "subscription_update"));
        let metadata = ["parent.subscription_details", "subscription_details"];
        let order = metadata.iter().find_map(|path| object.text(&format!("{path}.metadata.scrip_order")));
        Some(Self {
            id: object.text("id")?.to_owned(),
            order: order.filter(|_| pays_order).map(str::to_owned),
            subscription: object
                .first_id(&["parent.subscription_details.subscription", "subscription"])
                .or_else(of_line),
            paid: object.text("status") == Some("paid") || object.flag("paid"),
            amount_paid: object.integer("amount_paid").unwrap_or(0),
            payment: object.id("payment_intent").or_else(of_payments),
            paid_at: object.moment("status_transitions.paid_at").or_else(|| object.moment("created")),
            lines,
            has_more_lines: object.flag("lines.has_more"),
        })
    }
}

const SUBSCRIPTION_OF_LINE: [&str; 2] = ["parent.subscription_item_details.subscription", "subscription"];

impl Line {
    /// Reads it in either shape.
    pub fn read(line: Object<'_>) -> Self {
        let details =
            ["parent.subscription_item_details.proration", "parent.invoice_item_details.proration", "proration"];
        let is_new = line.at("parent.subscription_item_details").is_some();
        let is_old = line.text("type").is_some_and(|kind| kind == "subscription");
        Self {
            price: line.first_id(&["pricing.price_details.price", "price", "plan"]),
            amount: line.integer("amount").unwrap_or(0),
            proration: details.iter().any(|path| line.flag(path)),
            of_subscription: is_new || is_old,
            period: line.span("period.start", "period.end"),
        }
    }
}

/// What a Checkout session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutSession {
    /// Its id.
    pub id: String,
    /// Where it is paid; gone once that is done.
    pub url: Option<String>,
    /// `open`, `complete` or `expired`.
    pub status: Option<String>,
    /// Whether a subscription is bought, and not something once.
    pub is_subscription: bool,
    /// `paid`, `unpaid` or `no_payment_required`.
    pub payment_status: Option<String>,
    /// Who pays.
    pub customer: Option<String>,
    /// What came of it.
    pub subscription: Option<String>,
    /// The payment of something that is bought once.
    pub payment: Option<String>,
    /// What is paid, in cents.
    pub amount: Option<i64>,
    /// Our order's id, where we made it.
    pub order: Option<String>,
}

impl CheckoutSession {
    /// Reads it.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        let order = object.text("metadata.scrip_order").or_else(|| object.text("client_reference_id"));
        Some(Self {
            id: object.text("id")?.to_owned(),
            url: object.text("url").map(str::to_owned),
            status: object.text("status").map(str::to_owned),
            is_subscription: object.text("mode") == Some("subscription"),
            payment_status: object.text("payment_status").map(str::to_owned),
            customer: object.id("customer"),
            subscription: object.id("subscription"),
            payment: object.id("payment_intent"),
            amount: object.integer("amount_total"),
            order: order.map(str::to_owned),
        })
    }
}

/// What a charge says about how much of it went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: String,
    /// The payment that it is part of.
    pub payment: Option<String>,
    /// What was taken, in cents.
    pub amount: i64,
    /// What was given back until now in all, in cents.
    pub refunded: i64,
    /// Whether a bank has asked for it back, or only about it.
    pub disputed: bool,
    /// What it paid, where it says that (before 2025-03-31).
    pub invoice: Option<String>,
}

impl Charge {
    /// Reads it in either shape.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        Some(Self {
            id: object.text("id")?.to_owned(),
            payment: object.id("payment_intent"),
            amount: object.integer("amount_captured").or_else(|| object.integer("amount"))?,
            refunded: object.integer("amount_refunded").unwrap_or(0),
            disputed: object.flag("disputed") || object.at("dispute").is_some(),
            invoice: object.id("invoice"),
        })
    }
}

/// What a dispute says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Its id.
    pub id: String,
    /// `needs_response`, `under_review`, `won`, `lost`, `warning_closed` ...
    pub status: String,
}

impl Dispute {
    /// Reads it.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        Some(Self { id: object.text("id")?.to_owned(), status: object.text("status").unwrap_or("unknown").to_owned() })
    }
}

/// Which payment paid which invoice (since 2025-03-31).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoicePayment {
    /// What was paid.
    pub invoice: String,
    /// By what.
    pub payment: String,
}

impl InvoicePayment {
    /// Reads it.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        Some(Self { invoice: object.id("invoice")?, payment: object.id("payment.payment_intent")? })
    }
}

/// What a price says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Its id.
    pub id: String,
    /// In cents.
    pub amount: Option<i64>,
    /// In lower case.
    pub currency: Option<String>,
    /// `month` or `year`; `None` where it is paid once.
    pub interval: Option<String>,
    /// How many of them are paid at once.
    pub interval_count: i64,
    /// Our name for it, where it has one now.
    pub lookup_key: Option<String>,
    /// Our name for it, where we made it: it stays when another price takes the lookup key over.
    pub item: Option<String>,
    /// Whether it can be bought.
    pub active: bool,
    /// What it is the price of.
    pub product: Option<String>,
}

impl Price {
    /// Reads it.
    pub fn read(value: &Value) -> Option<Self> {
        let object = Object(value);
        Some(Self {
            id: object.text("id")?.to_owned(),
            amount: object.integer("unit_amount").or_else(|| object.integer("amount")),
            currency: object.text("currency").map(str::to_owned),
            interval: object.text("recurring.interval").or_else(|| object.text("interval")).map(str::to_owned),
            interval_count: object.integer("recurring.interval_count").unwrap_or(1),
            lookup_key: object.text("lookup_key").map(str::to_owned),
            item: object.text("metadata.scrip_item").map(str::to_owned),
            active: object.at("active").is_none() || object.flag("active"),
            product: object.id("product"),
        })
    }
}
