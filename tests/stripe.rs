//! Payments by Stripe, down to the wire: against a server of our own that speaks its protocol, against the official
//! library, and against a server that others have written. The billing suite runs here as it does with the demo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "stripe/backstage.rs"]
mod backstage;
#[path = "billing/changes.rs"]
mod changes;
#[path = "stripe/client.rs"]
mod client;
mod common;
#[path = "stripe/emulate.rs"]
mod emulate;
#[path = "stripe/localstripe.rs"]
mod localstripe;
#[path = "stripe/official.rs"]
mod official;
#[path = "stripe/orders.rs"]
mod orders;
#[path = "stripe/provider.rs"]
mod provider;
#[path = "billing/purchases.rs"]
#[allow(unused_imports, reason = "the suite of the demo")]
mod purchases;
#[path = "billing/returns.rs"]
mod returns;
#[path = "stripe/settings.rs"]
mod settings;
#[path = "stripe/shop.rs"]
mod shop;
#[path = "stripe/standin/mod.rs"]
mod standin;
#[path = "billing/stories.rs"]
#[allow(unused_imports, reason = "the suite of the demo")]
mod stories;
#[path = "stripe/webhooks.rs"]
mod webhooks;
#[path = "stripe/world.rs"]
#[allow(dead_code, reason = "what the suite asks of its world")]
mod world;
