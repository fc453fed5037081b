//! Subscriptions and payments as plain values: what a provider can tell, what we keep of it, and what follows from
//! both. No clock, no disk, no provider; the server feeds it, pages show it.

mod booking;
mod change;
mod event;
mod payment;
mod returns;
mod subscription;

pub use booking::{AccountBooks, Context, Entry, book_subscription, free_from};
pub use change::{ChangeKind, Preview, PreviewRefusal, Standing};
pub use event::{BillingEvent, ObservedPayment, ObservedSubscription, PackPaid, PaidInvoice};
pub use payment::{DisputeStatus, Payment, PaymentKind, keep_of};
pub use returns::PaymentGrant;
pub use subscription::{Subscription, SubscriptionStatus, Terms, Transition};

use serde::{Deserialize, Serialize};
use std::fmt;

/// Makes the name that a provider gave to one of its things: 1 to 255 visible ASCII characters.
macro_rules! provider_ref {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Longest length in bytes.
            pub const MAX_LENGTH: usize = 255;

            /// Takes text from outside; `None` where it is empty, too long or has other characters.
            pub fn parse(text: &str) -> Option<Self> {
                let fits = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
                fits.then(|| Self(text.to_owned()))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(concat!("not a ", stringify!($name)))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

provider_ref!(
    /// One event, as the provider names it (`evt_...`). Not what grants are unique by.
    EventRef
);
provider_ref!(
    /// A customer (`cus_...`).
    CustomerRef
);
provider_ref!(
    /// A subscription (`sub_...`).
    SubscriptionRef
);
provider_ref!(
    /// What one payment is known by for ever: the invoice of a subscription (`in_...`), else the payment itself.
    /// Grants are unique by it.
    PaymentRef
);
provider_ref!(
    /// One try to pay, open until it is paid, declined or left (`cs_...`).
    CheckoutRef
);

#[cfg(test)]
mod tests;
