//! Stands in for Stripe on this machine, so that people can click through subscriptions and packs without an account:
//! `cargo run --features ssr --example stripe_standin -- 127.0.0.1:12111 http://127.0.0.1:3000/api/webhooks/stripe`.
//! `make stripe-local` starts it together with Scrip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/stripe/standin/mod.rs"]
mod standin;

use standin::{Options, Shape, StandIn};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:12111".into()).parse().expect("an address and a port");
    let webhook = arguments.next().unwrap_or_else(|| "http://127.0.0.1:3000/api/webhooks/stripe".into());
    let shape = match arguments.next().as_deref() {
        Some("before-2025") => Shape::Before2025,
        _ => Shape::Since2025,
    };
    let options = Options { listen, webhook: Some(webhook.clone()), shape, sends: true, ..Options::default() };
    let standin = StandIn::start(options).await;
    println!("A stand-in for Stripe is at {}. It sends its events to {webhook}.", standin.base);
    std::future::pending::<()>().await;
}
