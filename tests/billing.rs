//! Payments from the click to the credits, with the demo as the provider: whatever the network does to its events,
//! people get exactly what they paid for, once. On both databases, through the same services as the pages use.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "billing/changes.rs"]
mod changes;
mod common;
#[path = "billing/events.rs"]
mod events;
#[path = "billing/purchases.rs"]
mod purchases;
#[path = "billing/races.rs"]
mod races;
#[path = "billing/returns.rs"]
mod returns;
#[path = "billing/stories.rs"]
mod stories;
#[path = "billing/world.rs"]
mod world;
