//! Texts that must never be shown: keys of payment providers and the like. Nothing but [`Secret::reveal`] gives the
//! text away, and its few callers are easy to find.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A text that neither a log nor an error nor a page shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text from the settings, without the spaces around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text itself: for the wire and for computing signatures, for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    /// It is never refused here: a refusal would quote the text.
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let secret: Secret = " sk_test_abc \n".parse().unwrap();
        assert_eq!(secret.reveal(), "sk_test_abc");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("abc").count(), 0);
    }
}
