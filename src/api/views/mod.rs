//! What pages get to see: plain values that both the server and the browser know.

mod billing;
mod keys;

pub use billing::{
    BillingPageView, ChangeOutcome, ChangePreviewView, DeadEventLine, OrderStatusView, OrderView, PaymentLine,
    PaymentRow, PersonPaymentsView, PlansView, SubscriptionView,
};
pub use keys::{KeyLine, KeyState, KeysView, MadeKeyView};

use crate::api::studio_features::StudioFeature;
use crate::domain::account::{Balance, Hold};
use crate::domain::rates::Rate;
use crate::domain::{Credits, Draw, Timestamp, Transaction, UserId};
use serde::{Deserialize, Serialize};

/// What every page needs: the site, the time, and who is looking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// What the site is called.
    pub site_name: String,
    /// One sentence on what it offers.
    pub promise: String,
    /// Credits for a new account.
    pub signup_credits: Credits,
    /// The server's time; views have no clock of their own.
    pub now: Timestamp,
    /// Whether payments are the demo's.
    pub demo_payments: bool,
    /// Whether plans or packs can be bought.
    pub for_sale: bool,
    /// Who is signed in.
    pub user: Option<UserView>,
}

/// Someone who is signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserView {
    /// As programs see them.
    pub public_id: UserId,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Whether they may see the admin pages.
    pub is_admin: bool,
    /// Their plan's name.
    pub plan_name: Option<String>,
    /// Where their account stands.
    pub balance: Balance,
}

/// Something that was made in the studio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreationView {
    /// Names it in addresses.
    pub name: String,
    /// By which feature.
    pub feature: String,
    /// From what.
    pub prompt: String,
    /// An answer in words.
    pub answer: Option<String>,
    /// Where its file is.
    pub media_url: Option<String>,
    /// What kind of file.
    pub content_type: String,
    /// What it cost.
    pub credits_used: Credits,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it goes.
    pub expires_at: Timestamp,
}

impl CreationView {
    /// Whether it is a picture that stands still, and can be the start of another.
    pub fn is_still_picture(&self) -> bool {
        matches!(self.content_type.as_str(), "image/png" | "image/jpeg")
    }

    /// Whether it is a picture that moves.
    pub fn is_animation(&self) -> bool {
        matches!(self.content_type.as_str(), "image/apng" | "image/gif")
    }
}

/// Something that can be made in the studio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferView {
    /// What.
    pub feature: StudioFeature,
    /// What it costs.
    pub rate: Rate,
    /// Whether the program makes it itself, or another one is asked.
    pub is_built_in: bool,
}

/// The studio: what can be made, at which rates, and what was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudioView {
    /// What can be made here, in the order of the tabs.
    pub offers: Vec<OfferView>,
    /// The newest first.
    pub creations: Vec<CreationView>,
    /// Whether `/fail` makes it fail on purpose.
    pub can_fail: bool,
}

/// What a generation gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MadeView {
    /// The thing.
    pub creation: CreationView,
    /// Where that leaves the account.
    pub balance: Balance,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryLine {
    /// A movement.
    Transaction(Box<Transaction>),
    /// A reservation that is pending, was released or has expired.
    Hold {
        /// The reservation.
        hold: Box<Hold>,
        /// On which grants, each positive.
        draws: Vec<Draw>,
    },
}

/// A page of history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    /// The newest first.
    pub lines: Vec<HistoryLine>,
    /// The numbers of those lines that belong to a payment.
    pub paid: Vec<i64>,
    /// The number below which the next page begins, where there is one.
    pub next_before: Option<i64>,
}

/// One person in the administrator's list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonLine {
    /// As programs see them.
    pub public_id: UserId,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Whether they are an administrator.
    pub is_admin: bool,
    /// Their plan's name.
    pub plan_name: Option<String>,
    /// What they have.
    pub balance: Credits,
    /// When they came.
    pub created_at: Timestamp,
}

/// One account, as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountView {
    /// Whose.
    pub person: PersonLine,
    /// Where it stands.
    pub balance: Balance,
    /// Its newest lines of history.
    pub history: HistoryView,
    /// What administrators did to it.
    pub audit: Vec<AuditLine>,
    /// Makes the next adjustment happen once, however often its form is sent.
    pub form_key: String,
}

/// One row of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Who, for people.
    pub actor: String,
    /// What.
    pub action: String,
    /// How many credits, of an adjustment.
    pub delta: Option<i64>,
    /// Why.
    pub reason: Option<String>,
    /// The row of history that it explains.
    pub seq: Option<i64>,
    /// When.
    pub created_at: Timestamp,
}
