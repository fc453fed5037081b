//! What the pages about keys of programs get to see.

use crate::domain::access::Scopes;
use crate::domain::{ApiKeyId, Timestamp};
use serde::{Deserialize, Serialize};

/// Keys of programs: a person's own, or the service keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeysView {
    /// Those that open something first.
    pub keys: Vec<KeyLine>,
    /// The one that a plain form has just made.
    pub made: Option<MadeKeyView>,
}

/// A key that was just made, with its secret: nobody sees it a second time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MadeKeyView {
    /// As it stands in the list.
    pub key: KeyLine,
    /// What the program sends.
    pub secret: String,
}

/// A key in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyLine {
    /// Its public name.
    pub id: ApiKeyId,
    /// What its maker calls it.
    pub label: String,
    /// What a service key may do; empty of a personal key.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, by the minute.
    pub last_used_at: Option<Timestamp>,
    /// Whether it opens anything.
    pub state: KeyState,
}

/// Whether a key opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It does.
    Valid,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}
