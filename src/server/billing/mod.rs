//! Who takes the money: one trait, and one file or folder per provider. Nothing in here knows of balances; what a
//! provider tells is booked by the services.

pub mod demo;
pub mod provider;
pub mod signature;
pub mod stripe;

pub use demo::DemoProvider;
pub use provider::{
    Checkout, CheckoutItem, NewCheckout, PaymentProvider, ProviderError, ProviderResult, SignedEvent, WebhookRefusal,
};

use std::sync::Arc;

/// Who takes the money here.
#[derive(Clone, Debug, Default)]
pub struct Cashier {
    /// The provider; `None` where nothing can be bought.
    pub provider: Option<Arc<dyn PaymentProvider>>,
    /// The same, where it is the demo: its checkout is a page of ours.
    pub demo: Option<Arc<DemoProvider>>,
}

impl Cashier {
    /// The demo takes the money.
    pub fn demo(provider: DemoProvider) -> Self {
        let demo = Arc::new(provider);
        Self { provider: Some(demo.clone()), demo: Some(demo) }
    }

    /// A provider takes the money that has pages of its own.
    pub fn other(provider: Arc<dyn PaymentProvider>) -> Self {
        Self { provider: Some(provider), demo: None }
    }
}
