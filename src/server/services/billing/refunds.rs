//! Giving money back, by an administrator's hand. The provider does it; what it means for the credits is booked by
//! what the provider then says.

use super::super::{ServiceError, ServiceResult, Services};
use super::booking::Hint;
use crate::api::views::PersonPaymentsView;
use crate::domain::billing::PaymentRef;
use crate::domain::operation::Memo;
use crate::domain::{Cents, IdempotencyKey, Operation, UserId};
use crate::server::ledger::{AuditNote, Submission};
use crate::server::random::{SECRET_CHARS, random_name};
use crate::server::services::{Field, Problem};
use crate::server::store::User;

/// The longest reason of a refund, in characters.
const MAX_REASON_CHARS: usize = 200;

/// A refund that is asked for.
#[derive(Clone, Debug)]
pub struct Refunding {
    /// Which payment.
    pub payment: PaymentRef,
    /// How much; all that is left where absent.
    pub amount: Option<Cents>,
    /// Why.
    pub reason: String,
    /// Makes it happen once, however often its form is sent.
    pub key: Option<IdempotencyKey>,
}

impl Refunding {
    /// Takes what was typed: an amount like `5` or `4.50`, or nothing for all that is left.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] with the first field that does not fit.
    pub fn parse(payment: &str, amount: &str, reason: &str, key: &str) -> ServiceResult<Self> {
        let payment = PaymentRef::parse(payment).ok_or(ServiceError::NotFound)?;
        let malformed = || ServiceError::invalid(Field::Money, Problem::Malformed);
        let amount = match amount.trim() {
            "" => None,
            typed => Some(Cents::parse(typed).filter(|cents| !cents.is_zero()).ok_or_else(malformed)?),
        };
        let reason = reason.trim();
        match reason.chars().count() {
            0 => Err(ServiceError::invalid(Field::Reason, Problem::Missing)),
            1..=MAX_REASON_CHARS => {
                Ok(Self { payment, amount, reason: reason.to_owned(), key: IdempotencyKey::parse(key) })
            }
            _ => Err(ServiceError::invalid(Field::Reason, Problem::TooLong)),
        }
    }
}

impl Services {
    /// Someone's payments, as an administrator sees them.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is nobody of that id.
    pub async fn read_person_payments(&self, person: &UserId) -> ServiceResult<PersonPaymentsView> {
        let user = self.find_by_public_id(person).await?;
        let page = self.read_billing(user.account).await?;
        Ok(PersonPaymentsView {
            person: user.public_id,
            subscription: page.subscription,
            payments: page.payments,
            form_key: random_name(SECRET_CHARS),
        })
    }

    /// Gives money of someone's payment back; the credits follow in proportion.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where it is not theirs; [`ServiceError::Invalid`] where less is left of it.
    pub async fn refund_payment(&self, admin: &User, person: &UserId, refunding: Refunding) -> ServiceResult<()> {
        let user = self.find_by_public_id(person).await?;
        let payment = self.0.store.find_payment(&refunding.payment).await?;
        let payment = payment.filter(|known| known.account == user.account).ok_or(ServiceError::NotFound)?;
        let left = payment.amount.saturating_sub(payment.refunded);
        let amount = refunding.amount.unwrap_or(left);
        if amount > left || amount.is_zero() {
            return Err(ServiceError::invalid(Field::Money, Problem::TooLong));
        }
        let key = refunding.key.map_or_else(|| random_name(SECRET_CHARS), |key| key.to_string());
        self.provider()?.refund(&payment.reference, amount, &format!("refund-{key}")).await?;
        let actor = format!("admin:{}", admin.public_id);
        let detail = serde_json::json!({
            "payment": payment.reference, "amount_cents": amount, "reason": refunding.reason,
            "by": admin.email.as_str(),
        });
        let note = AuditNote { actor: actor.clone(), action: "refund_payment", detail };
        let memo = Memo::new(actor, &refunding.reason);
        self.0.ledger.submit(Submission::one(user.account, Operation::RollForward, memo).with_audit(note)).await?;
        if let Err(error) = self.sync_payment(&payment.reference, &Hint::default()).await {
            tracing::warn!(%error, "a refund is booked later");
        }
        self.deliver_demo_events().await
    }
}
