//! Subscription schedules: what changes when a period ends.

use super::fields::Fields;
use super::world::{Answer, Refusal, World, text};
use serde_json::{Value, json};

impl World {
    /// `POST /v1/subscription_schedules`, from a subscription as it is.
    pub fn make_schedule(&mut self, fields: &Fields) -> Answer {
        fields.only(&["from_subscription", "expand"])?;
        let held = self.get("subscription", fields.need("from_subscription")?)?;
        if !held["schedule"].is_null() {
            return Err(Refusal::invalid("subscription_has_schedule", "from_subscription"));
        }
        let (id, item) = (self.name("sub_sched"), &held["items"]["data"][0]);
        let phase = json!({"start_date": item["current_period_start"], "end_date": item["current_period_end"],
            "items": [{"price": item["price"]["id"], "quantity": 1}]});
        let schedule =
            self.keep(json!({"id": id, "object": "subscription_schedule", "status": "active", "livemode": false,
            "subscription": held["id"], "customer": held["customer"], "end_behavior": "release", "metadata": {},
            "current_phase": {"start_date": item["current_period_start"], "end_date": item["current_period_end"]},
            "phases": [phase]}));
        self.set(text(&held, "/id"), json!({"schedule": id}));
        self.tell("subscription_schedule.created", &id);
        self.tell("customer.subscription.updated", text(&held, "/id"));
        Ok(schedule)
    }

    /// `POST /v1/subscription_schedules/{id}`: the phase that runs, and the one after it.
    pub fn update_schedule(&mut self, id: &str, fields: &Fields) -> Answer {
        fields.only(&["end_behavior", "proration_behavior", "phases", "metadata", "expand"])?;
        let held = self.active_schedule(id)?;
        let running = &held["phases"][0];
        // Phases that are there are sent again as they are, else they would be lost.
        for (name, expected) in [
            ("phases[0][items][0][price]", text(running, "/items/0/price").to_owned()),
            ("phases[0][start_date]", running["start_date"].to_string()),
            ("phases[0][end_date]", running["end_date"].to_string()),
        ] {
            if fields.need(name)? != expected {
                return Err(Refusal::invalid("phase_cannot_change", name));
            }
        }
        let price = self.get("price", fields.need("phases[1][items][0][price]")?)?;
        let next = json!({"start_date": running["end_date"], "items": [{"price": price["id"], "quantity": 1}],
            "proration_behavior": fields.need("phases[1][proration_behavior]")?});
        let schedule = self.set(id, json!({"phases": [running, next], "end_behavior": fields.need("end_behavior")?}));
        self.tell("subscription_schedule.updated", id);
        Ok(schedule)
    }

    /// `POST /v1/subscription_schedules/{id}/release`: the subscription goes on as it is.
    pub fn release_schedule(&mut self, id: &str) -> Answer {
        let held = self.active_schedule(id)?;
        let subscription = text(&held, "/subscription").to_owned();
        let schedule =
            self.set(id, json!({"status": "released", "released_subscription": subscription, "subscription": null}));
        self.set(&subscription, json!({"schedule": null}));
        self.tell("subscription_schedule.released", id);
        self.tell("customer.subscription.updated", &subscription);
        Ok(schedule)
    }

    fn active_schedule(&self, id: &str) -> Answer {
        let held = self.get("subscription_schedule", id)?;
        if held["status"] == "active" { Ok(held) } else { Err(Refusal::invalid("schedule_not_active", "schedule")) }
    }

    /// A period ends: the next phase, where there is one, begins.
    pub fn follow_schedule(&mut self, subscription: &str) {
        let held = self.find(subscription).cloned().expect("a subscription");
        let Some(id) = held["schedule"].as_str() else { return };
        let schedule = self.find(id).cloned().expect("a schedule");
        if let Some(price) = schedule.pointer("/phases/1/items/0/price").and_then(Value::as_str) {
            let mut items = held["items"].clone();
            items["data"][0]["price"] = self.find(price).cloned().expect("a price");
            self.set(subscription, json!({"items": items}));
        }
        self.release_schedule(id).expect("an active schedule");
    }
}
