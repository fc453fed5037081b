//! One file per address.

mod account;
mod admin;
mod billing;
mod buy;
mod change;
mod checkout;
mod dashboard;
mod dead_events;
mod history;
mod keys;
mod landing;
mod not_found;
mod order;
mod plans;
mod service_keys;
mod sign_in;
mod sign_up;
mod studio;

pub use account::AccountPage;
pub use admin::AdminPage;
pub use billing::BillingPage;
pub use buy::BuyPage;
pub use change::ChangePage;
pub use checkout::CheckoutPage;
pub use dashboard::DashboardPage;
pub use dead_events::DeadEventsPage;
pub use history::HistoryPage;
pub use keys::KeysPage;
pub use landing::LandingPage;
pub use not_found::NotFoundPage;
pub use order::OrderPage;
pub use plans::PlansPage;
pub use service_keys::ServiceKeysPage;
pub use sign_in::SignInPage;
pub use sign_up::SignUpPage;
pub use studio::StudioPage;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// A parameter of the address as it was when the page was opened; empty where it is not there.
fn query_at_start(name: &str) -> String {
    use_query_map().read_untracked().get(name).unwrap_or_default()
}
