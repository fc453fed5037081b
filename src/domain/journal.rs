//! What an operation leaves behind: rows of history with their draws, and the receipt that tells of them.

use crate::domain::account::Balance;
use crate::domain::credits::Credits;
use crate::domain::ids::{FeatureId, GrantId, HoldId, Seq};
use crate::domain::metadata::Metadata;
use crate::domain::operation::Source;
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// What kind of movement a row of history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionType {
    /// Credits came in.
    Credit,
    /// Credits were spent, or taken by an administrator.
    Debit,
    /// A charge was given back.
    Refund,
    /// Credits were bought.
    Purchase,
    /// Credits ran out.
    Expiry,
    /// What a lost payment had granted was taken back.
    Clawback,
}

impl TransactionType {
    /// All of them, in the order in which filters show them.
    pub const ALL: [Self; 6] = [Self::Credit, Self::Debit, Self::Refund, Self::Purchase, Self::Expiry, Self::Clawback];

    /// As stored and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Purchase => "purchase",
            Self::Expiry => "expiry",
            Self::Clawback => "clawback",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Which operation made a row: a debit may be a charge or an adjustment, and the books tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Credits were granted: at signup, each month, by a purchase ...
    Grant,
    /// A cost was spent at once.
    Charge,
    /// A hold was taken.
    Capture,
    /// A charge was given back.
    Refund,
    /// An administrator changed the balance.
    Adjust,
    /// A grant reached its end.
    Expire,
    /// What a returned payment had granted was taken back.
    Clawback,
    /// New credits paid off the debt of a clawback.
    Repay,
    /// A month's credits were begun anew: the old ones ended, the new ones came.
    Reset,
    /// A reset was reversed.
    Undo,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Grant,
        Self::Charge,
        Self::Capture,
        Self::Refund,
        Self::Adjust,
        Self::Expire,
        Self::Clawback,
        Self::Repay,
        Self::Reset,
        Self::Undo,
    ];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Charge => "charge",
            Self::Capture => "capture",
            Self::Refund => "refund",
            Self::Adjust => "adjust",
            Self::Expire => "expire",
            Self::Clawback => "clawback",
            Self::Repay => "repay",
            Self::Reset => "reset",
            Self::Undo => "undo",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// What was used: the feature, how much of it, and the version of the rates that priced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Which feature.
    pub feature: FeatureId,
    /// How many of its units.
    pub units: u32,
    /// Which version of the catalogue gave the price.
    pub rate_version: i64,
}

/// Which grant a transaction took from (negative) or gave to (positive), and how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// The grant.
    pub grant: GrantId,
    /// Where that grant came from.
    pub source: Source,
    /// Signed credits.
    pub amount: i64,
    /// When that grant ends.
    pub expires_at: Option<Timestamp>,
}

impl Draw {
    /// How many credits, whichever way.
    pub fn magnitude(&self) -> Credits {
        // The parts of a balance are within its range.
        i64::try_from(self.amount.unsigned_abs()).ok().and_then(|n| Credits::new(n).ok()).unwrap_or(Credits::MAX)
    }
}

/// One row of history; never changed once written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its number in the account.
    pub seq: Seq,
    /// What kind of movement.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// Which operation made it.
    pub cause: Cause,
    /// Signed credits; the sum of its draws.
    pub amount: i64,
    /// The balance before.
    pub balance_before: Credits,
    /// The balance after.
    pub balance_after: Credits,
    /// What is owed after it; see [`Cause::Clawback`].
    pub debt_after: Credits,
    /// What was used, where something was.
    pub usage: Option<Usage>,
    /// One line for people.
    pub description: String,
    /// Who did it: `user`, `job`, `key:<id>`, `admin:<id>`, `system` ...
    pub actor: String,
    /// What the caller attached to it.
    pub metadata: Option<Metadata>,
    /// The hold that it took, of a capture.
    pub hold: Option<HoldId>,
    /// The charge that it gives back, of a refund.
    pub refund_of: Option<Seq>,
    /// When.
    pub created_at: Timestamp,
    /// From and to which grants.
    pub draws: Vec<Draw>,
}

/// What someone gets for an operation: what happened, and where that leaves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The row of history.
    pub transaction: Transaction,
    /// The balance now.
    pub balance: Balance,
}
