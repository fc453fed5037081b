//! Checkout and the customer portal: sessions, and what people do on their pages.

use super::billing::Draft;
use super::fields::Fields;
use super::world::{Answer, Refusal, World, number, text};
use serde_json::{Value, json};

impl World {
    /// `POST /v1/checkout/sessions`.
    pub fn make_session(&mut self, fields: &Fields) -> Answer {
        fields.only(&[
            "mode",
            "customer",
            "line_items",
            "success_url",
            "cancel_url",
            "client_reference_id",
            "metadata",
            "subscription_data",
            "payment_intent_data",
            "allow_promotion_codes",
            "expand",
        ])?;
        let mode = fields.need("mode")?.to_owned();
        let price = self.get("price", fields.need("line_items[0][price]")?)?;
        fields.need("line_items[0][quantity]")?;
        if (mode == "subscription") == price["recurring"].is_null() {
            return Err(Refusal::invalid("price_does_not_fit_mode", "line_items[0][price]"));
        }
        let customer = match fields.get("customer") {
            Some(customer) => Some(text(&self.get("customer", customer)?, "/id").to_owned()),
            None => None,
        };
        let (id, now) = (self.name("cs_test"), self.seconds());
        Ok(self.keep(json!({"id": id, "object": "checkout.session", "mode": mode, "status": "open", "created": now,
            "payment_status": "unpaid", "customer": customer, "amount_total": price["unit_amount"], "currency": "usd",
            "url": format!("{}/c/pay/{id}", self.base), "success_url": fields.need("success_url")?,
            "cancel_url": fields.get("cancel_url"), "client_reference_id": fields.get("client_reference_id"),
            "expires_at": now + 86_400, "subscription": null, "payment_intent": null, "invoice": null, "livemode": false,
            "metadata": fields.map("metadata"), "standin_price": price["id"],
            "standin_metadata": if mode == "subscription" { fields.map("subscription_data[metadata]") }
                else { fields.map("payment_intent_data[metadata]") }})))
    }

    /// Somebody pays on the page.
    pub fn pay_session(&mut self, id: &str) -> Result<(), Refusal> {
        let session = self.open_session(id)?;
        let (customer, metadata) = (text(&session, "/customer").to_owned(), session["standin_metadata"].clone());
        if session["mode"] == "payment" {
            let payment = self.take_money(&customer, number(&session, "/amount_total"), metadata)?;
            self.set(id, json!({"payment_intent": payment}));
        } else {
            if self.cards.get(&customer) == Some(&super::Card::Declines) {
                return Err(Refusal::declined());
            }
            let subscription = self.new_subscription(&customer, text(&session, "/standin_price"), metadata);
            self.tell("customer.subscription.created", &subscription);
            let line = self.period_line(&subscription);
            let draft = Draft { customer: &customer, subscription: Some(&subscription), reason: "subscription_create" };
            let invoice = self.make_invoice(&draft, vec![line]);
            self.pay_invoice(&invoice)?;
            self.set(id, json!({"subscription": subscription, "invoice": invoice}));
        }
        self.complete_session(id, "paid");
        Ok(())
    }

    /// Somebody's card is declined on the page; they may try another.
    pub fn decline_session(&mut self, id: &str) -> Result<(), Refusal> {
        let session = self.open_session(id)?;
        let (payment, now) = (self.name("pi"), self.seconds());
        let payment = json!({"id": payment, "object": "payment_intent", "amount": session["amount_total"], "currency": "usd",
            "customer": session["customer"], "status": "requires_payment_method", "created": now, "livemode": false,
            "latest_charge": null, "metadata": session["standin_metadata"],
            "last_payment_error": {"type": "card_error", "code": "card_declined"}});
        self.keep(payment.clone());
        self.tell_of("payment_intent.payment_failed", payment);
        Ok(())
    }

    /// Somebody pays on the page in a way that takes days; the bank answers later.
    pub fn pay_session_slowly(&mut self, id: &str) {
        self.open_session(id).expect("an open session");
        self.complete_session(id, "unpaid");
    }

    /// The bank answers.
    pub fn settle_slow_payment(&mut self, id: &str, succeeds: bool) {
        let session = self.find(id).cloned().expect("a session");
        if !succeeds {
            self.tell("checkout.session.async_payment_failed", id);
            return;
        }
        let customer = text(&session, "/customer").to_owned();
        let amount = number(&session, "/amount_total");
        let payment =
            self.take_money(&customer, amount, session["standin_metadata"].clone()).expect("a card that pays");
        self.set(id, json!({"payment_intent": payment, "payment_status": "paid"}));
        self.tell("checkout.session.async_payment_succeeded", id);
    }

    fn complete_session(&mut self, id: &str, payment_status: &str) {
        self.set(id, json!({"status": "complete", "payment_status": payment_status, "url": null}));
        self.tell("checkout.session.completed", id);
    }

    /// `POST /v1/checkout/sessions/{id}/expire`, or a day has passed.
    pub fn expire_session(&mut self, id: &str) -> Answer {
        self.open_session(id)?;
        let session = self.set(id, json!({"status": "expired", "url": null}));
        self.tell("checkout.session.expired", id);
        Ok(session)
    }

    pub fn open_session(&self, id: &str) -> Answer {
        let session = self.get("checkout.session", id)?;
        if session["status"] == "open" { Ok(session) } else { Err(Refusal::invalid("session_not_open", "session")) }
    }

    /// `POST /v1/billing_portal/sessions`.
    pub fn make_portal(&mut self, fields: &Fields) -> Answer {
        fields.only(&["customer", "return_url", "expand"])?;
        let customer = self.get("customer", fields.need("customer")?)?;
        let (id, now) = (self.name("bps"), self.seconds());
        Ok(self.keep(json!({"id": id, "object": "billing_portal.session", "customer": customer["id"], "created": now,
            "return_url": fields.get("return_url"), "livemode": false, "url": format!("{}/p/session/{id}", self.base)})))
    }

    /// Somebody cancels or resumes in the portal, which names the moment and sets no flag.
    pub fn cancel_in_portal(&mut self, subscription: &str, cancels: bool) {
        let held = self.find(subscription).cloned().expect("a subscription");
        let end = &held["items"]["data"][0]["current_period_end"];
        let at = if cancels { end.clone() } else { Value::Null };
        self.set(subscription, json!({"cancel_at": at, "cancel_at_period_end": false}));
        self.tell("customer.subscription.updated", subscription);
    }
}
