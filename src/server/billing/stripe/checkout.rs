//! Where people pay: Checkout sessions, and the customer portal.

use super::form::Form;
use super::wire::{CheckoutSession, Object};
use super::{Stripe, malformed};
use crate::domain::billing::{CheckoutRef, CustomerRef};
use crate::domain::credits::credit_count;
use crate::server::billing::provider::{Checkout, CheckoutItem, NewCheckout, ProviderError, ProviderResult};
use crate::server::random::{SECRET_CHARS, random_name};
use sha2::{Digest, Sha256};

impl Stripe {
    /// Begins a Checkout session for an order.
    pub(super) async fn make_session(&self, new: &NewCheckout) -> ProviderResult<Checkout> {
        let customer = match &new.customer {
            Some(customer) => customer.as_str().to_owned(),
            None => self.make_customer(new).await?,
        };
        let order = new.order.as_str();
        let (mode, price, carrier) = match &new.item {
            CheckoutItem::Plan { terms, .. } => {
                ("subscription", self.prices.of_plan(terms, new.amount).await?, "subscription_data")
            }
            CheckoutItem::Pack { pack, credits } => {
                let name = credit_count(*credits);
                ("payment", self.prices.of_pack(pack, &name, new.amount).await?, "payment_intent_data")
            }
        };
        let form = Form::new()
            .with("mode", mode)
            .with("customer", customer)
            .with("line_items[0][price]", price)
            .with("line_items[0][quantity]", 1)
            .with("success_url", &new.success_url)
            .with("cancel_url", &new.cancel_url)
            .with("client_reference_id", order)
            .with("metadata[scrip_order]", order)
            .with(&format!("{carrier}[metadata][scrip_order]"), order)
            .with(&format!("{carrier}[metadata][scrip_account]"), &new.user);
        let answer = self.client.post("/v1/checkout/sessions", &form, &format!("scrip_checkout_{order}")).await?;
        let session = CheckoutSession::read(&answer).ok_or_else(|| malformed("session"))?;
        let checkout = CheckoutRef::parse(&session.id).ok_or_else(|| malformed("session's id"))?;
        let url = session.url.ok_or_else(|| malformed("address to pay at"))?;
        Ok(Checkout { checkout, url })
    }

    /// One customer per person, also where two checkouts begin at once. The key holds a digest of the address: whoever
    /// has changed it asks for something else.
    async fn make_customer(&self, new: &NewCheckout) -> ProviderResult<String> {
        let form = Form::new().with("email", &new.email).with("metadata[scrip_account]", &new.user);
        let digest = hex::encode(&Sha256::digest(new.email.as_str())[..8]);
        let key = format!("scrip_customer_{}_{digest}", new.user);
        let answer = self.client.post("/v1/customers", &form, &key).await?;
        Object(&answer).text("id").map(str::to_owned).ok_or_else(|| malformed("customer"))
    }

    /// Closes a session that is open.
    pub(super) async fn expire_session(&self, checkout: &CheckoutRef) -> ProviderResult<()> {
        let path = format!("/v1/checkout/sessions/{checkout}");
        match self.client.get(&path, &Form::new()).await {
            Ok(answer) if Object(&answer).text("status") != Some("open") => return Ok(()),
            Ok(_) => {}
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let closed =
            self.client.post(&format!("{path}/expire"), &Form::new(), &format!("scrip_expire_{checkout}")).await;
        match closed.map_err(ProviderError::from) {
            // It was paid, or ran out, between the two requests.
            Ok(_) | Err(ProviderError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A page where a customer changes cards, cancels and reads invoices.
    pub(super) async fn open_portal(&self, customer: &CustomerRef, return_url: &str) -> ProviderResult<String> {
        let form = Form::new().with("customer", customer).with("return_url", return_url);
        // Each visit has a session of its own, which ends by itself: nothing to be made only once.
        let key = format!("scrip_portal_{}", random_name(SECRET_CHARS));
        let answer = self.client.post("/v1/billing_portal/sessions", &form, &key).await?;
        Object(&answer).text("url").map(str::to_owned).ok_or_else(|| malformed("address of the portal"))
    }
}
