//! How a use case can fail. The causes are for the log; what people read is written elsewhere, from the
//! variant alone.

use crate::domain::billing::PreviewRefusal;
use crate::domain::operation::Refusal;
use crate::domain::{Credits, FeatureId};
use crate::server::billing::ProviderError;
use crate::server::identity::passwords::PasswordError;
use crate::server::identity::throttle::Wait;
use crate::server::ledger::LedgerError;
use crate::server::store::StoreError;

pub use crate::api::error::{Field, Problem};

/// What use cases return.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Something that was typed does not fit.
    #[error("{field:?} is {problem:?}")]
    Invalid {
        /// What.
        field: Field,
        /// How.
        problem: Problem,
    },
    /// Someone has that address already.
    #[error("the address is taken")]
    AddressTaken,
    /// No such address, or another password. Which of them is not told.
    #[error("the address or the password is wrong")]
    WrongPassword,
    /// Too many tries.
    #[error("too many tries")]
    TooManyTries(Wait),
    /// Fewer credits are available than it costs.
    #[error("insufficient credits")]
    Insufficient {
        /// For which feature.
        feature: Option<FeatureId>,
        /// What it costs.
        required: Credits,
        /// What there is.
        available: Credits,
    },
    /// Nothing was made, and nothing was charged.
    #[error("the generation failed: {0}")]
    GenerationFailed(String),
    /// It is not there, or not theirs.
    #[error("not found")]
    NotFound,
    /// It has no price.
    #[error("{feature} has no price: {why}")]
    NoPrice {
        /// Which feature.
        feature: FeatureId,
        /// Why not.
        why: String,
    },
    /// It cannot be bought.
    #[error("not for sale")]
    NotForSale,
    /// They have a subscription: another plan is a change of it.
    #[error("there is a subscription already")]
    HasSubscription,
    /// The plan cannot be changed so.
    #[error(transparent)]
    Change(PreviewRefusal),
    /// Something else is there by now than was shown.
    #[error("the plan has changed in the meantime")]
    PlanChanged,
    /// It could not be paid; nothing has changed.
    #[error("the payment was declined")]
    PaymentDeclined,
    /// The payment provider did not do it.
    #[error("the payment provider did not do it")]
    Provider(#[source] ProviderError),
    /// A provider tells of something that nobody knows, or not yet.
    #[error("nobody knows {0}")]
    Unknown(&'static str),
    /// The account says no, in a way that only a program or an administrator meets.
    #[error(transparent)]
    Refused(Refusal),
    /// A form was sent again with other contents.
    #[error("the form was changed after it had been sent")]
    FormReused,
    /// Too many are waiting.
    #[error("the ledger is busy")]
    Busy,
    /// The database fails; nothing has happened.
    #[error("the database fails")]
    Unavailable(#[source] Option<StoreError>),
    /// A defect, or a machine in trouble.
    #[error("{0}")]
    Internal(String),
}

impl ServiceError {
    /// Something that was typed does not fit.
    pub fn invalid(field: Field, problem: Problem) -> Self {
        Self::Invalid { field, problem }
    }
}

impl From<LedgerError> for ServiceError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(Refusal::Insufficient { required, available }) => {
                Self::Insufficient { feature: None, required, available }
            }
            LedgerError::Refused(refusal) => Self::Refused(refusal),
            LedgerError::KeyReused => Self::FormReused,
            LedgerError::AddressTaken => Self::AddressTaken,
            LedgerError::NoSuchAccount => Self::NotFound,
            LedgerError::Outdated => Self::PlanChanged,
            LedgerError::Busy | LedgerError::Stopped => Self::Busy,
            LedgerError::HistoryAltered => Self::Internal(error.to_string()),
            LedgerError::Unavailable => Self::Unavailable(None),
        }
    }
}

impl From<ProviderError> for ServiceError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Declined => Self::PaymentDeclined,
            ProviderError::NotFound(_)
            | ProviderError::Refused(_)
            | ProviderError::Unavailable(_)
            | ProviderError::Malformed(_) => Self::Provider(error),
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Some(error))
    }
}

impl From<PasswordError> for ServiceError {
    fn from(error: PasswordError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Wait> for ServiceError {
    fn from(wait: Wait) -> Self {
        Self::TooManyTries(wait)
    }
}
