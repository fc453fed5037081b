//! Who people are, parsed once at the door: an address, a name and a password that fit their limits.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An e-mail address in lower case, so that `Ann@Example.com` and `ann@example.com` are one account.
/// At most 254 bytes (RFC 5321, 4.5.3.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The longest address in bytes.
    pub const MAX_LENGTH: usize = 254;

    /// Takes an address that someone typed; blanks around it do not count.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let has_dotted_domain = text.rsplit_once('@').is_some_and(|(_, domain)| domain.contains('.'));
        let is_address = text.len() <= Self::MAX_LENGTH
            && has_dotted_domain
            && !text.contains(['"', '<', ' '])
            && email_address::EmailAddress::from_str(&text).is_ok();
        is_address.then_some(Self(text))
    }

    /// The address itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an e-mail address")
    }
}

impl From<Email> for String {
    fn from(email: Email) -> String {
        email.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person wants to be called: 1 to 80 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName(String);

impl PersonName {
    /// The longest name in characters.
    pub const MAX_CHARS: usize = 80;

    /// Takes a name that someone typed; blanks around it do not count.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let count = text.chars().count();
        let fits = (1..=Self::MAX_CHARS).contains(&count) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password on its way to being hashed: never printed, never stored.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// The shortest password in characters (NIST SP 800-63B-4 allows 8 beside throttling).
    pub const MIN_CHARS: usize = 8;
    /// The longest in bytes: long enough for any pass phrase, short enough to cost nothing to refuse.
    pub const MAX_BYTES: usize = 256;

    /// Takes a password that someone typed, as it is.
    pub fn parse(text: String) -> Option<Self> {
        let fits = text.len() <= Self::MAX_BYTES && text.chars().count() >= Self::MIN_CHARS;
        fits.then_some(Self(text))
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// What someone may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Their own account only.
    User,
    /// Every account: adjusts, prices and audits.
    Admin,
}

impl Role {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_whatever_its_case_and_the_blanks_around_it() {
        assert_eq!(Email::parse("  Ann@Example.COM "), Email::parse("ann@example.com"));
        for bad in ["", "ann", "ann@", "@example.com", "ann@localhost", "a b@example.com", "Ann <ann@example.com>"] {
            assert!(Email::parse(bad).is_none(), "{bad} was taken");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(250))).is_none());
    }

    #[test]
    fn a_password_has_a_shortest_and_a_longest_length_and_is_never_printed() {
        assert!(Password::parse("1234567".into()).is_none());
        assert!(Password::parse("x".repeat(257)).is_none());
        assert_eq!(format!("{:?}", Password::parse("correct horse".into()).unwrap()), "Password(hidden)");
    }

    #[test]
    fn a_name_is_not_blank() {
        assert!(PersonName::parse("   ").is_none());
        assert!(PersonName::parse("A\u{0}").is_none());
        assert_eq!(PersonName::parse(" Ann ").unwrap().as_str(), "Ann");
    }
}
