//! Keys of programs: whose they are, and what they may do.

use crate::domain::ids::{AccountId, ApiKeyId};
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that a service key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// See any account.
    #[serde(rename = "accounts:read")]
    AccountsRead,
    /// Make accounts, and change any account.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AccountsRead, Self::AccountsWrite];

    /// As stored and typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What a service key may do; empty of a personal key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Takes names with commas between them; `None` where one is not known.
    pub fn parse(text: &str) -> Option<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut scopes = names.map(Scope::parse).collect::<Option<Vec<_>>>()?;
        scopes.sort_unstable();
        scopes.dedup();
        Some(Self(scopes))
    }

    /// Whether it is there.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The stored form: names with commas between them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&names.join(","))
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its public name.
    pub id: ApiKeyId,
    /// Whose it is; absent of a service key.
    pub account: Option<AccountId>,
    /// What a service key may do.
    pub scopes: Scopes,
    /// What its maker calls it.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, by the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything now.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_names_with_commas() {
        let both = Scopes::parse("accounts:write, accounts:read,accounts:read").unwrap();
        assert_eq!(both.to_string(), "accounts:read,accounts:write");
        assert!(both.contains(Scope::AccountsWrite));
        assert!(Scopes::parse("").unwrap().is_empty());
        assert!(Scopes::parse("accounts:read,everything").is_none());
    }

    #[test]
    fn a_key_ends_at_its_end_or_when_it_is_revoked() {
        let end = Timestamp::from_millis(1_000);
        let key = ApiKey {
            id: ApiKeyId::parse("k").unwrap(),
            account: None,
            scopes: Scopes::default(),
            label: String::new(),
            created_at: Timestamp::from_millis(0),
            expires_at: Some(end),
            last_used_at: None,
            revoked_at: None,
        };
        assert!(key.is_valid(Timestamp::from_millis(999)));
        assert!(!key.is_valid(end));
        assert!(!ApiKey { revoked_at: Some(end), ..key }.is_valid(Timestamp::from_millis(1)));
    }
}
