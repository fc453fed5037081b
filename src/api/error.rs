//! What can go wrong, as pages see it: variants without any free text, since without JavaScript they
//! travel in an address that anyone can write. The words for people stand here and nowhere else.

use crate::domain::credits::credit_count;
use crate::domain::identity::Password;
use crate::domain::{Credits, FeatureId};
use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// An e-mail address.
    Email,
    /// A person's name.
    Name,
    /// A password.
    Password,
    /// What is to be made.
    Prompt,
    /// The picture that it starts from.
    Picture,
    /// Credits of an adjustment.
    Amount,
    /// Why an adjustment is made.
    Reason,
    /// What a key is called.
    Label,
    /// How long a key lasts.
    Expiry,
    /// What a service key may do.
    Scopes,
    /// An amount of money.
    Money,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Problem {
    /// Nothing is there.
    Missing,
    /// It is not what it should be.
    Malformed,
    /// Too few characters.
    TooShort,
    /// Too many characters.
    TooLong,
    /// There are as many as there can be.
    TooMany,
}

impl Problem {
    /// Nothing, or not what it should be.
    pub fn of_text(text: &str) -> Self {
        if text.trim().is_empty() { Self::Missing } else { Self::Malformed }
    }
}

/// Why a page's request did not happen. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ApiError {
    /// Something that was typed does not fit.
    Invalid {
        /// What.
        field: Field,
        /// How.
        problem: Problem,
    },
    /// Someone has that address already.
    AddressTaken,
    /// No such address, or another password.
    WrongPassword,
    /// Too many tries.
    TooManyTries {
        /// How long to wait.
        wait_seconds: u64,
    },
    /// One has to sign in first.
    SignInRequired,
    /// Only an administrator may.
    Forbidden,
    /// It is not there, or not theirs.
    NotFound,
    /// Fewer credits are available than it costs.
    Insufficient {
        /// For which feature.
        feature: Option<FeatureId>,
        /// What it costs.
        required: Credits,
        /// What there is.
        available: Credits,
    },
    /// Nothing was made, and nothing was charged.
    GenerationFailed,
    /// It cannot be bought, or not from the current plan.
    NotForSale,
    /// It is what there is already.
    NothingToChange,
    /// A renewal is owed; that is settled first.
    PaymentOwed,
    /// Something else is there by now than was shown.
    PlanChanged,
    /// It could not be paid.
    PaymentDeclined,
    /// The payment provider cannot be reached, or did not do it.
    PaymentProvider,
    /// The account does not allow it.
    Refused,
    /// The form was sent before, with other contents.
    FormReused,
    /// Too many are waiting.
    Busy,
    /// The database fails.
    Unavailable,
    /// A defect on our side.
    Internal,
    /// The request did not reach the server, or its answer not the browser.
    Connection,
}

impl ApiError {
    /// The status of the answer (RFC 9110; 402 for insufficient credits, as clients expect).
    pub const fn status_code(&self) -> u16 {
        match self {
            Self::Invalid { .. } | Self::Refused | Self::NotForSale | Self::NothingToChange | Self::FormReused => 422,
            Self::AddressTaken | Self::PlanChanged | Self::PaymentOwed => 409,
            Self::WrongPassword | Self::SignInRequired => 401,
            Self::TooManyTries { .. } => 429,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Insufficient { .. } | Self::PaymentDeclined => 402,
            Self::GenerationFailed | Self::PaymentProvider => 502,
            Self::Busy | Self::Unavailable => 503,
            // On the server: the body broke off or came too slowly.
            Self::Connection => 400,
            Self::Internal => 500,
        }
    }

    /// How long to wait before trying again, where that helps.
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::TooManyTries { wait_seconds } => Some(*wait_seconds),
            Self::Busy | Self::Unavailable => Some(1),
            Self::Invalid { .. }
            | Self::AddressTaken
            | Self::WrongPassword
            | Self::SignInRequired
            | Self::Forbidden
            | Self::NotFound
            | Self::Insufficient { .. }
            | Self::GenerationFailed
            | Self::NotForSale
            | Self::NothingToChange
            | Self::PaymentOwed
            | Self::PlanChanged
            | Self::PaymentDeclined
            | Self::PaymentProvider
            | Self::Refused
            | Self::FormReused
            | Self::Internal
            | Self::Connection => None,
        }
    }

    /// The field that it is about, where it is about one.
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::Invalid { field, .. } => Some(*field),
            Self::AddressTaken => Some(Field::Email),
            Self::Insufficient { .. }
            | Self::WrongPassword
            | Self::TooManyTries { .. }
            | Self::SignInRequired
            | Self::Forbidden
            | Self::NotFound
            | Self::GenerationFailed
            | Self::NotForSale
            | Self::NothingToChange
            | Self::PaymentOwed
            | Self::PlanChanged
            | Self::PaymentDeclined
            | Self::PaymentProvider
            | Self::Refused
            | Self::FormReused
            | Self::Busy
            | Self::Unavailable
            | Self::Internal
            | Self::Connection => None,
        }
    }

    /// A clear sentence or two for people.
    pub fn message(&self) -> String {
        match self {
            Self::Invalid { field, problem } => invalid_message(*field, *problem),
            Self::AddressTaken => "This address has an account already. Sign in instead.".into(),
            Self::WrongPassword => "The address or the password is wrong.".into(),
            Self::TooManyTries { wait_seconds } => {
                format!("Too many tries. Please wait {wait_seconds} s and try again.")
            }
            Self::SignInRequired => "Please sign in first.".into(),
            Self::Forbidden => "Only an administrator may see this.".into(),
            Self::NotFound => "There is nothing here, or it is not yours.".into(),
            Self::Insufficient { required, available, .. } => {
                format!("This takes {}, and {} available.", credit_count(*required), are_there(*available))
            }
            Self::GenerationFailed => "That did not work out. It cost you nothing: the credits are back.".into(),
            Self::NotForSale => "This cannot be bought, or it is not above the plan you have.".into(),
            Self::NothingToChange => "That is the plan you have already.".into(),
            Self::PaymentOwed => "A payment is owed. Settle it first, then change the plan.".into(),
            Self::PlanChanged => "Your plan has changed in the meantime. Look at the change again.".into(),
            Self::PaymentDeclined => "The payment was declined. Nothing has changed; try another card.".into(),
            Self::PaymentProvider => "The payment provider did not answer as it should. Please try again later.".into(),
            Self::Refused => "The account does not allow this change.".into(),
            Self::FormReused => "This form was sent before. Reload the page to see what it did.".into(),
            Self::Busy => "We are very busy right now. Please try again in a moment.".into(),
            Self::Unavailable => "We cannot save anything right now. Nothing was changed; please try again.".into(),
            Self::Internal => "Something went wrong on our side. Nothing was changed.".into(),
            Self::Connection => "The server could not be reached. Check your connection and try again.".into(),
        }
    }
}

fn are_there(amount: Credits) -> String {
    match amount.get() {
        0 => "none are".into(),
        1 => "1 is".into(),
        _ => format!("{amount} are"),
    }
}

fn invalid_message(field: Field, problem: Problem) -> String {
    let words = match (field, problem) {
        (Field::Email, Problem::Missing) => "Please enter your e-mail address.",
        (Field::Email, _) => "This is not an e-mail address. It looks like ann@example.com.",
        (Field::Name, Problem::Missing) => "Please enter your name.",
        (Field::Name, _) => "A name has 1 to 80 characters.",
        (Field::Password, Problem::TooLong) => "This password is too long.",
        (Field::Password, _) => return format!("A password needs at least {} characters.", Password::MIN_CHARS),
        (Field::Prompt, Problem::TooLong) => "This is too long: at most 2,000 characters.",
        (Field::Prompt, _) => "Please write what you would like.",
        (Field::Picture, Problem::Missing) => "Please choose a picture.",
        (Field::Picture, Problem::TooLong) => {
            "This picture is too large: at most 6 MB, and 16 megapixels to change or 4 to upscale."
        }
        (Field::Picture, _) => "This is no PNG or JPEG picture, or it is broken.",
        (Field::Amount, Problem::Missing) => "Please enter how many credits.",
        (Field::Amount, _) => "Enter a whole number other than zero, like 25 or -10, up to 9,007,199,254,740,991.",
        (Field::Money, Problem::TooLong) => "There is less to give back.",
        (Field::Money, _) => "Enter an amount like 5 or 4.50.",
        (Field::Reason, Problem::TooLong) => "A reason has at most 200 characters.",
        (Field::Label, Problem::TooMany) => "There are too many keys. Revoke one that is no longer needed.",
        (Field::Label, Problem::TooLong) => "A name of a key has at most 100 characters.",
        (Field::Label, _) => "Please give it a name that tells you later where it is used.",
        (Field::Expiry, _) => "Please choose how long the key lasts: at most 3,650 days.",
        (Field::Scopes, _) => "Please tick what the key may do.",
        (Field::Reason, _) => "Please say why. It stands in the history and in the audit log.",
    };
    words.to_owned()
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) | ServerFnErrorErr::Deserialization(_) => {
                Self::Connection
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => Self::Refused,
            ServerFnErrorErr::UnsupportedRequestMethod(_)
            | ServerFnErrorErr::Registration(_)
            | ServerFnErrorErr::ServerError(_)
            | ServerFnErrorErr::MiddlewareError(_)
            | ServerFnErrorErr::Serialization(_) => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insufficient_credits_say_how_much_is_needed_and_how_much_is_there() {
        let error = |required, available| ApiError::Insufficient {
            feature: None,
            required: Credits::of(required),
            available: Credits::of(available),
        };
        assert_eq!(error(5, 0).message(), "This takes 5 credits, and none are available.");
        assert_eq!(error(1_200, 1).message(), "This takes 1,200 credits, and 1 is available.");
        assert_eq!(error(5, 3).status_code(), 402);
    }

    #[test]
    fn an_error_survives_the_address_it_travels_in() {
        let error = ApiError::Invalid { field: Field::Reason, problem: Problem::Missing };
        assert_eq!(ApiError::de(error.ser()), error);
    }
}
