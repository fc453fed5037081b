//! What the stand-in holds: objects by their ids, keys that were used, and events that happened.

use super::Now;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What a card does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    Pays,
    Declines,
}

/// A request that is not carried out, as Stripe says so.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub kind: &'static str,
    pub code: String,
    pub field: String,
}

impl Refusal {
    pub fn invalid(code: &str, field: &str) -> Self {
        Self { status: 400, kind: "invalid_request_error", code: code.into(), field: field.into() }
    }

    pub fn missing(field: &str) -> Self {
        Self { status: 404, kind: "invalid_request_error", code: "resource_missing".into(), field: field.into() }
    }

    pub fn declined() -> Self {
        Self { status: 402, kind: "card_error", code: "card_declined".into(), field: String::new() }
    }

    pub fn body(&self) -> Value {
        json!({"error": {"type": self.kind, "code": self.code, "param": self.field,
            "message": format!("{} {}", self.code, self.field), "request_log_url": "https://example.com/log"}})
    }
}

pub type Answer = Result<Value, Refusal>;

/// Everything that it holds.
pub struct World {
    pub now: Now,
    /// Seconds that the clock was moved on by.
    pub moved: i64,
    pub base: String,
    objects: BTreeMap<String, Value>,
    next: u64,
    /// What was asked with a key, and what was answered.
    pub keys: HashMap<String, (String, u16, Value)>,
    pub cards: HashMap<String, Card>,
    /// Every event that happened, whether sent or not.
    pub events: Vec<Value>,
    /// Those that wait to be sent.
    pub outbox: Vec<Value>,
}

impl World {
    pub fn new(now: Now, base: String) -> Self {
        Self {
            now,
            moved: 0,
            base,
            objects: BTreeMap::new(),
            next: 1,
            keys: HashMap::new(),
            cards: HashMap::new(),
            events: Vec::new(),
            outbox: Vec::new(),
        }
    }

    pub fn seconds(&self) -> i64 {
        (self.now)() + self.moved
    }

    /// A name of that kind that was not used: `sub_standin0000012`.
    pub fn name(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}_standin{:07}", self.next)
    }

    /// Keeps an object under its id.
    pub fn keep(&mut self, object: Value) -> Value {
        let id = text(&object, "/id").to_owned();
        self.objects.insert(id, object.clone());
        object
    }

    /// Gives an object that can be looked at.
    pub fn find(&self, id: &str) -> Option<&Value> {
        self.objects.get(id)
    }

    /// Gives an object of that kind, or what Stripe answers where there is none.
    pub fn get(&self, kind: &str, id: &str) -> Answer {
        let found = self.objects.get(id).filter(|object| object["object"] == kind);
        found.cloned().ok_or_else(|| Refusal::missing(kind))
    }

    /// Sets fields of an object.
    pub fn set(&mut self, id: &str, fields: Value) -> Value {
        let object = self.objects.get_mut(id).expect("an object");
        for (name, value) in fields.as_object().expect("fields") {
            object[name.as_str()] = value.clone();
        }
        object.clone()
    }

    pub fn remove(&mut self, id: &str) {
        self.objects.remove(id);
    }

    /// All objects of a kind for which something holds, oldest first.
    pub fn all(&self, kind: &str, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut found: Vec<Value> =
            self.objects.values().filter(|object| object["object"] == kind && is_wanted(object)).cloned().collect();
        found.sort_by_key(|object| text(object, "/id").to_owned());
        found
    }

    /// The newest object of a kind.
    pub fn last(&self, kind: &str) -> Value {
        self.all(kind, |_| true).pop().unwrap_or_else(|| panic!("there is no {kind}"))
    }

    /// Something happened to an object: an event about it as it is now.
    pub fn tell(&mut self, kind: &str, id: &str) {
        let object = self.objects.get(id).cloned().expect("an object");
        self.tell_of(kind, object);
    }

    pub fn tell_of(&mut self, kind: &str, object: Value) {
        let id = self.name("evt");
        let event = json!({"id": id, "object": "event", "type": kind, "created": self.seconds(), "livemode": false,
            "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "data": {"object": object}});
        self.events.push(event.clone());
        self.outbox.push(event);
    }

    /// Time passes.
    pub fn wait_seconds(&mut self, seconds: i64) {
        self.moved += seconds;
    }

    /// What the card of a customer does from now on.
    pub fn card_of(&mut self, customer: &str, card: Card) {
        self.cards.insert(customer.to_owned(), card);
    }
}

/// The text at a pointer; empty where there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a pointer; 0 where there is none.
pub fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// A list in Stripe's wrapping.
pub fn list(entries: Vec<Value>, url: &str) -> Value {
    json!({"object": "list", "data": entries, "has_more": false, "url": url})
}
