//! The pure core: accounts, grants, holds, rates and plans as plain values and arithmetic. Nothing in
//! here reads a clock, a disk, a random number or a setting; it compiles for the server and for the
//! browser, and every rule about credits stands here and nowhere else.

pub mod access;
pub mod account;
pub mod backfill;
pub mod billing;
pub mod catalogue;
pub mod catalogue_changes;
pub mod credits;
pub mod identity;
pub mod ids;
pub mod journal;
pub mod metadata;
pub mod money;
pub mod operation;
pub mod own_path;
pub mod rates;
pub mod timestamp;

pub use account::{Account, Allowance, Balance, Grant, Hold, HoldStatus};
pub use credits::{CreditDelta, Credits, CreditsError};
pub use ids::{AccountId, ApiKeyId, FeatureId, GrantId, HoldId, IdempotencyKey, OrderId, PlanId, Seq, UserId};
pub use journal::{Draw, Receipt, Transaction, TransactionType, Usage};
pub use metadata::Metadata;
pub use money::Cents;
pub use operation::{Memo, NewGrant, Operation, Outcome, Refusal, Settler, Source};
pub use own_path::OwnPath;
pub use timestamp::Timestamp;
