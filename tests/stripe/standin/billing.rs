//! Subscriptions, invoices and payments: what happens to them by requests, by time and by banks.

use super::fields::Fields;
use super::world::{Answer, Card, Refusal, World, list, number, text};
use serde_json::{Value, json};

/// What an invoice is to hold.
pub struct Draft<'a> {
    pub customer: &'a str,
    pub subscription: Option<&'a str>,
    pub reason: &'a str,
}

impl World {
    /// A subscription to a price from now on, without its first payment.
    pub fn new_subscription(&mut self, customer: &str, price: &str, metadata: Value) -> String {
        let (now, id, item) = (self.seconds(), self.name("sub"), self.name("si"));
        let price = self.find(price).cloned().expect("a price");
        let end = self.period_end(&price, now, now);
        let item = json!({"id": item, "object": "subscription_item", "subscription": id, "quantity": 1, "price": price,
            "current_period_start": now, "current_period_end": end, "metadata": {}});
        self.keep(json!({"id": id, "object": "subscription", "customer": customer, "status": "active", "created": now,
            "start_date": now, "billing_cycle_anchor": now, "cancel_at_period_end": false, "cancel_at": null,
            "canceled_at": null, "ended_at": null, "schedule": null, "latest_invoice": null, "livemode": false,
            "currency": "usd", "collection_method": "charge_automatically", "metadata": metadata,
            "items": list(vec![item], "/v1/subscription_items")}));
        id
    }

    /// The end of a period of this price that begins at `from`, counted from the anchor: the 31st comes back.
    pub fn period_end(&self, price: &Value, anchor: i64, from: i64) -> i64 {
        let months = if text(price, "/recurring/interval") == "year" { 12 } else { 1 };
        let anchor = scrip::domain::Timestamp::from_millis(anchor * 1_000);
        let ends = (1..).map(|periods| anchor.plus_months(months * periods).millis() / 1_000);
        ends.into_iter().find(|end| *end > from).expect("an end")
    }

    /// The line of a subscription for its period.
    pub fn period_line(&mut self, subscription: &str) -> Value {
        let id = self.name("il");
        let subscription = self.find(subscription).cloned().expect("a subscription");
        let item = &subscription["items"]["data"][0];
        json!({"id": id, "object": "line_item", "amount": item["price"]["unit_amount"], "currency": "usd",
            "description": "1 x plan", "quantity": 1, "livemode": false, "metadata": subscription["metadata"],
            "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
            "parent": {"type": "subscription_item_details", "invoice_item_details": null, "subscription_item_details":
                {"subscription": subscription["id"], "subscription_item": item["id"], "proration": false,
                 "invoice_item": null, "proration_details": {"credited_items": null}}},
            "pricing": {"type": "price_details", "unit_amount_decimal": item["price"]["unit_amount"].to_string(),
                "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]}}})
    }

    /// Makes an invoice of these lines and of what waits for this subscription, and tells of it.
    pub fn make_invoice(&mut self, draft: &Draft<'_>, mut lines: Vec<Value>) -> String {
        let waiting = self.all("invoiceitem", |item| {
            item["invoice"].is_null()
                && text(item, "/customer") == draft.customer
                && item["subscription"].as_str() == draft.subscription
        });
        let id = self.name("in");
        for item in waiting {
            self.set(text(&item, "/id"), json!({"invoice": id}));
            lines.push(hand_written_line(&self.name("il"), &item));
        }
        let total: i64 = lines.iter().map(|line| number(line, "/amount")).sum();
        let due = self.apply_balance(draft.customer, total);
        let now = self.seconds();
        let parent = draft.subscription.map(|subscription| {
            let metadata = self.find(subscription).expect("a subscription")["metadata"].clone();
            json!({"type": "subscription_details", "quote_details": null,
                "subscription_details": {"subscription": subscription, "metadata": metadata}})
        });
        self.keep(json!({"id": id, "object": "invoice", "customer": draft.customer, "billing_reason": draft.reason,
            "status": "open", "created": now, "currency": "usd", "total": total, "amount_due": due,
            "amount_paid": 0, "amount_remaining": due, "attempt_count": 0, "livemode": false,
            "period_start": now, "period_end": now, "parent": parent, "metadata": {},
            "payments": list(Vec::new(), "/v1/invoice_payments"), "lines": list(lines, "/v1/invoices/lines")}));
        if let Some(subscription) = draft.subscription {
            self.set(subscription, json!({"latest_invoice": id}));
        }
        self.tell("invoice.created", &id);
        self.tell("invoice.finalized", &id);
        id
    }

    /// What is due of a total: credit of the customer comes off it, and what is below zero becomes credit.
    fn apply_balance(&mut self, customer: &str, total: i64) -> i64 {
        let Some(held) = self.find(customer) else { return total.max(0) };
        let after = number(held, "/balance") + total;
        self.set(customer, json!({"balance": after.min(0)}));
        after.max(0)
    }

    /// Takes the money of an invoice, where the card gives it.
    pub fn pay_invoice(&mut self, invoice: &str) -> Result<(), Refusal> {
        let held = self.find(invoice).cloned().expect("an invoice");
        let (customer, due) = (text(&held, "/customer").to_owned(), number(&held, "/amount_due"));
        if due > 0 {
            let payment = self.take_money(&customer, due, json!({}))?;
            let link = self.name("inpay");
            let now = self.seconds();
            let link = self.keep(json!({"id": link, "object": "invoice_payment", "invoice": invoice, "status": "paid",
                "amount_paid": due, "amount_requested": due, "currency": "usd", "created": now, "is_default": true,
                "livemode": false, "payment": {"type": "payment_intent", "payment_intent": payment},
                "status_transitions": {"paid_at": now, "canceled_at": null}}));
            self.set(invoice, json!({"payments": list(vec![link.clone()], "/v1/invoice_payments")}));
            let charge =
                text(self.find(text(&link, "/payment/payment_intent")).expect("it"), "/latest_charge").to_owned();
            self.set(&charge, json!({"standin_invoice": invoice}));
            self.tell_of("invoice_payment.paid", link);
        }
        self.set(invoice, json!({"status": "paid", "amount_paid": due, "amount_remaining": 0, "attempt_count": 1}));
        self.tell("invoice.paid", invoice);
        self.tell("invoice.payment_succeeded", invoice);
        Ok(())
    }

    /// A payment by card.
    pub fn take_money(&mut self, customer: &str, amount: i64, metadata: Value) -> Result<String, Refusal> {
        if self.cards.get(customer) == Some(&Card::Declines) {
            return Err(Refusal::declined());
        }
        let (payment, charge, now) = (self.name("pi"), self.name("ch"), self.seconds());
        self.keep(json!({"id": charge, "object": "charge", "amount": amount, "amount_captured": amount, "paid": true,
            "amount_refunded": 0, "refunded": false, "currency": "usd", "customer": customer, "created": now,
            "payment_intent": payment, "status": "succeeded", "disputed": false, "livemode": false, "metadata": metadata}));
        self.keep(json!({"id": payment, "object": "payment_intent", "amount": amount, "amount_received": amount,
            "currency": "usd", "customer": customer, "status": "succeeded", "latest_charge": charge, "created": now,
            "livemode": false, "metadata": metadata}));
        self.tell("charge.succeeded", &charge);
        self.tell("payment_intent.succeeded", &payment);
        Ok(payment)
    }

    /// A new period of a subscription begins, whatever it was before; it is invoiced now.
    pub fn begin_period(&mut self, subscription: &str, from: i64, reason: &str) -> Result<String, Refusal> {
        let held = self.find(subscription).cloned().expect("a subscription");
        let price = held["items"]["data"][0]["price"].clone();
        let end = self.period_end(&price, number(&held, "/billing_cycle_anchor"), from);
        let mut items = held["items"].clone();
        items["data"][0]["current_period_start"] = from.into();
        items["data"][0]["current_period_end"] = end.into();
        self.set(subscription, json!({"items": items}));
        let line = self.period_line(subscription);
        let customer = text(&held, "/customer").to_owned();
        let draft = Draft { customer: &customer, subscription: Some(subscription), reason };
        let invoice = self.make_invoice(&draft, vec![line]);
        self.pay_invoice(&invoice).map(|()| invoice)
    }

    /// The period of a subscription ends: it is renewed, or changed as scheduled, or ends. Time moves there.
    pub fn end_period(&mut self, subscription: &str) {
        let held = self.find(subscription).cloned().expect("a subscription");
        let end = number(&held, "/items/data/0/current_period_end");
        self.moved += (end - self.seconds()).max(0);
        let ends_now = held["cancel_at_period_end"] == true || held["cancel_at"].as_i64().is_some_and(|at| at <= end);
        if ends_now {
            self.end_subscription(subscription);
            return;
        }
        self.follow_schedule(subscription);
        match self.begin_period(subscription, end, "subscription_cycle") {
            Ok(_) => self.tell("customer.subscription.updated", subscription),
            Err(_) => {
                self.set(subscription, json!({"status": "past_due"}));
                let invoice = text(self.find(subscription).expect("it"), "/latest_invoice").to_owned();
                self.tell("invoice.payment_failed", &invoice);
                self.tell("customer.subscription.updated", subscription);
            }
        }
    }

    /// The card works again: what is open is paid.
    pub fn pay_what_is_open(&mut self, subscription: &str) {
        let invoice = text(self.find(subscription).expect("a subscription"), "/latest_invoice").to_owned();
        self.pay_invoice(&invoice).expect("a card that pays");
        self.set(subscription, json!({"status": "active"}));
        self.tell("customer.subscription.updated", subscription);
    }

    pub fn end_subscription(&mut self, subscription: &str) {
        let now = self.seconds();
        self.set(subscription, json!({"status": "canceled", "ended_at": now, "canceled_at": now}));
        self.tell("customer.subscription.deleted", subscription);
    }

    /// Money goes back, as by the API or by hand in the dashboard.
    pub fn give_back(&mut self, payment: &str, amount: Option<i64>, metadata: Value) -> Answer {
        let payment = self.get("payment_intent", payment)?;
        let charge = self.get("charge", text(&payment, "/latest_charge"))?;
        let (taken, before) = (number(&charge, "/amount"), number(&charge, "/amount_refunded"));
        let amount = amount.unwrap_or(taken - before);
        if before == taken {
            return Err(Refusal::invalid("charge_already_refunded", "payment_intent"));
        }
        if amount <= 0 || before + amount > taken {
            return Err(Refusal::invalid("amount_too_large", "amount"));
        }
        let (id, now) = (self.name("re"), self.seconds());
        let charge_id = text(&charge, "/id").to_owned();
        self.set(&charge_id, json!({"amount_refunded": before + amount, "refunded": before + amount == taken}));
        let refund = self
            .keep(json!({"id": id, "object": "refund", "amount": amount, "charge": charge_id, "currency": "usd",
            "payment_intent": payment["id"], "status": "succeeded", "created": now, "metadata": metadata}));
        self.tell_of("refund.created", refund.clone());
        self.tell("charge.refunded", &charge_id);
        Ok(refund)
    }

    /// A bank asks for its money back.
    pub fn open_dispute(&mut self, payment: &str) -> String {
        let payment = self.get("payment_intent", payment).expect("a payment");
        let (id, now) = (self.name("dp"), self.seconds());
        self.keep(
            json!({"id": id, "object": "dispute", "amount": payment["amount"], "charge": payment["latest_charge"],
            "payment_intent": payment["id"], "currency": "usd", "reason": "fraudulent", "status": "needs_response",
            "created": now, "livemode": false, "metadata": {}}),
        );
        self.set(text(&payment, "/latest_charge"), json!({"disputed": true}));
        self.tell("charge.dispute.created", &id);
        self.tell("charge.dispute.funds_withdrawn", &id);
        id
    }

    /// A bank decides: `won` or `lost`.
    pub fn close_dispute(&mut self, dispute: &str, status: &str) {
        self.set(dispute, json!({"status": status}));
        self.tell("charge.dispute.closed", dispute);
        if status == "won" {
            self.tell("charge.dispute.funds_reinstated", dispute);
        }
    }

    /// `POST /v1/subscriptions/{id}`.
    pub fn update_subscription(&mut self, id: &str, fields: &Fields) -> Answer {
        fields.only(&[
            "items",
            "billing_cycle_anchor",
            "proration_behavior",
            "payment_behavior",
            "cancel_at_period_end",
            "cancel_at",
            "metadata",
            "expand",
        ])?;
        let held = self.get("subscription", id)?;
        if held["status"] == "canceled" {
            return Err(Refusal::missing("subscription"));
        }
        let stops = fields.get("cancel_at_period_end").is_some() || fields.get("cancel_at").is_some();
        let has_schedule = !held["schedule"].is_null();
        if has_schedule && (stops || fields.get("items[0][price]").is_some()) {
            return Err(Refusal::invalid("subscription_managed_by_schedule", "cancel_at_period_end"));
        }
        if let Some(price) = fields.get("items[0][price]") {
            self.change_price(&held, price, fields)?;
        } else {
            self.set_metadata(id, fields);
        }
        if let Some(stop) = fields.get("cancel_at_period_end") {
            let end = (stop == "true").then(|| held["items"]["data"][0]["current_period_end"].clone());
            self.set(id, json!({"cancel_at_period_end": stop == "true", "cancel_at": end}));
        }
        match fields.get("cancel_at") {
            Some("") => drop(self.set(id, json!({"cancel_at": null, "cancel_at_period_end": false}))),
            Some(_) => drop(self.set(id, json!({"cancel_at": fields.integer("cancel_at")?}))),
            None => {}
        }
        self.tell("customer.subscription.updated", id);
        self.get("subscription", id)
    }

    fn set_metadata(&mut self, id: &str, fields: &Fields) {
        let mut metadata = self.find(id).expect("a subscription")["metadata"].clone();
        for (name, value) in fields.map("metadata") {
            metadata[name.as_str()] = value;
        }
        self.set(id, json!({"metadata": metadata}));
    }

    /// Another price at once, in a new period that is paid now: the one way of changing that Scrip uses.
    fn change_price(&mut self, held: &Value, price: &str, fields: &Fields) -> Result<(), Refusal> {
        let price = self.get("price", price)?;
        let (id, item) = (text(held, "/id"), &held["items"]["data"][0]);
        if fields.need("items[0][id]")? != text(item, "/id") {
            return Err(Refusal::missing("items[0][id]"));
        }
        for (name, value) in [
            ("billing_cycle_anchor", "now"),
            ("proration_behavior", "none"),
            ("payment_behavior", "error_if_incomplete"),
        ] {
            if fields.need(name)? != value {
                return Err(Refusal::invalid("not_supported_here", name));
            }
        }
        if self.cards.get(text(held, "/customer")) == Some(&Card::Declines) {
            return Err(Refusal::declined());
        }
        self.set_metadata(id, fields);
        let mut items = held["items"].clone();
        items["data"][0]["price"] = price;
        self.set(id, json!({"items": items, "billing_cycle_anchor": self.seconds()}));
        self.begin_period(id, self.seconds(), "subscription_update").map(|_| ())
    }
}

fn hand_written_line(id: &str, item: &Value) -> Value {
    json!({"id": id, "object": "line_item", "amount": item["amount"], "currency": "usd", "quantity": 1, "metadata": {},
        "description": item["description"], "livemode": false, "pricing": null, "period": item["period"],
        "parent": {"type": "invoice_item_details", "subscription_item_details": null, "invoice_item_details":
            {"invoice_item": item["id"], "subscription": item["subscription"], "proration": false,
             "proration_details": {"credited_items": null}}}})
}
