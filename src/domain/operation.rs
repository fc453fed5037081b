//! What can be asked of an account, and how it can say no.

use crate::domain::account::{Allowance, Balance, Hold, HoldStatus};
use crate::domain::credits::{CreditDelta, Credits};
use crate::domain::ids::{GrantId, HoldId, PlanId, Seq};
use crate::domain::journal::{Receipt, Usage};
use crate::domain::metadata::Metadata;
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The shortest and the longest time that a hold may reserve credits, in seconds: a second to a day.
pub const HOLD_TTL_SECONDS: std::ops::RangeInclusive<i64> = 1..=86_400;
/// How long a hold lasts where nobody says otherwise, in seconds.
pub const DEFAULT_HOLD_TTL_SECONDS: i64 = 900;
/// How long a refund stays usable whose grant has ended meanwhile, in seconds: 30 days.
pub const RESTORED_TTL_SECONDS: i64 = 30 * 86_400;

/// Where a grant came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Once, for signing up.
    Signup,
    /// Each month, with a plan.
    Monthly,
    /// Bought.
    Purchase,
    /// Given away.
    Promotion,
    /// For bringing someone.
    Referral,
    /// By an administrator.
    Adjustment,
    /// A refund whose own grant had ended.
    Restored,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Signup,
        Self::Monthly,
        Self::Purchase,
        Self::Promotion,
        Self::Referral,
        Self::Adjustment,
        Self::Restored,
    ];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Monthly => "monthly",
            Self::Purchase => "purchase",
            Self::Promotion => "promotion",
            Self::Referral => "referral",
            Self::Adjustment => "adjustment",
            Self::Restored => "restored",
        }
    }

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Signup => "Sign-up credits",
            Self::Monthly => "Monthly credits",
            Self::Purchase => "Purchased credits",
            Self::Promotion => "Promotion",
            Self::Referral => "Referral",
            Self::Adjustment => "Adjustment",
            Self::Restored => "Restored credits",
        }
    }

    /// Takes the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// Whether money was paid for exactly these credits; they are spent after free ones.
    pub const fn is_paid(self) -> bool {
        match self {
            Self::Purchase => true,
            Self::Signup | Self::Monthly | Self::Promotion | Self::Referral | Self::Adjustment | Self::Restored => {
                false
            }
        }
    }
}

/// A lot of credits that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Where it comes from.
    pub source: Source,
    /// How many.
    pub amount: Credits,
    /// When they end; never where absent.
    pub expires_at: Option<Timestamp>,
    /// What it is for, unique per source: an order, a month of a subscription.
    pub reference: Option<String>,
}

/// What can be asked of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Credits come in.
    Grant(NewGrant),
    /// Spends at once.
    Charge {
        /// How many.
        cost: Credits,
        /// What for.
        usage: Option<Usage>,
    },
    /// Reserves, to be captured or released before the deadline.
    Hold {
        /// How many.
        cost: Credits,
        /// What for.
        usage: Option<Usage>,
        /// How long, within [`HOLD_TTL_SECONDS`].
        ttl_seconds: i64,
    },
    /// Takes a hold, or part of it; the rest is given back.
    Capture {
        /// Which hold.
        hold: HoldId,
        /// How many; all where absent.
        amount: Option<Credits>,
        /// Who asks.
        by: Settler,
    },
    /// Gives a hold back.
    Release {
        /// Which hold.
        hold: HoldId,
        /// Why, for the history.
        reason: String,
        /// Who asks.
        by: Settler,
    },
    /// Gives a charge back to the very grants that it drew from, last drawn first.
    Refund {
        /// The charge or capture.
        charge: Seq,
        /// How many; all that is left of it where absent.
        amount: Option<Credits>,
    },
    /// Takes back what a payment granted that was returned since: first what is left of the grant, and what
    /// was spent of it becomes debt, which the next credits pay off.
    Clawback {
        /// Which grant.
        grant: GrantId,
        /// How many; all that was not taken back yet, and did not end unspent, where absent.
        amount: Option<Credits>,
    },
    /// Takes a grant back until so much of it was taken in all; does nothing where that much was. However often a
    /// provider tells of a refund, this comes to the same.
    ClawbackTo {
        /// Which grant.
        grant: GrantId,
        /// How many in all; what ended unspent is left out.
        total: Credits,
    },
    /// Changes the balance by an administrator's hand.
    Adjust(CreditDelta),
    /// Brings the balance to a number: up by a grant; down, where that is allowed, from free credits only.
    Backfill {
        /// To how many.
        target: Credits,
        /// Whether an account that has more is lowered.
        may_lower: bool,
    },
    /// Starts a month of credits now, and one each month from then on; replaces what was there before.
    Subscribe {
        /// What comes each month.
        allowance: Allowance,
        /// The plan that it was decided upon; refused where another is there by now.
        replaces: Option<PlanId>,
    },
    /// Months of a plan were paid for: those that have begun come now, the others when they begin.
    PayMonths {
        /// Which months, of which plan; replaces what was there before.
        months: Allowance,
        /// Where something had ended them by the time that this is booked, when: what came after them stays.
        until: Option<Timestamp>,
    },
    /// Changes what months still bring, if they are the ones that count; otherwise nothing.
    SetMonths {
        /// Of which allowance.
        reference: String,
        /// What each of them brings from now on.
        credits_per_month: Option<Credits>,
        /// What is to be told of the month after them.
        renewal_credits: Option<Credits>,
    },
    /// Ends months of a plan, if they are the ones that count; otherwise nothing. No credits are taken.
    EndMonths {
        /// Of which allowances: all that the subscription has had, since its last one may have come too late to count.
        references: Vec<String>,
        /// What comes each month from then on.
        back_to: Allowance,
    },
    /// Begins the month's credits anew: what is left of the old ones ends, the new ones last as long as the
    /// old ones would have. Bought credits are untouched, and so is the day of the next month.
    Reset {
        /// Names the new grant, unique: the run, and the account in it.
        reference: String,
    },
    /// Reverses a reset exactly: its grant is taken back, with what was spent of it, and what it had ended
    /// comes back, as long as that month lasts.
    UndoReset {
        /// The grant that the reset opened.
        grant: GrantId,
    },
    /// Books what time alone has made true.
    RollForward,
}

impl Operation {
    /// Its name, for the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Grant(_) => "grant",
            Self::Charge { .. } => "charge",
            Self::Hold { .. } => "hold",
            Self::Capture { .. } => "capture",
            Self::Release { .. } => "release",
            Self::Refund { .. } => "refund",
            Self::Clawback { .. } => "clawback",
            Self::ClawbackTo { .. } => "clawback_to",
            Self::Adjust(_) => "adjust",
            Self::Backfill { .. } => "backfill",
            Self::Subscribe { .. } => "subscribe",
            Self::PayMonths { .. } => "pay_months",
            Self::SetMonths { .. } => "set_months",
            Self::EndMonths { .. } => "end_months",
            Self::Reset { .. } => "reset",
            Self::UndoReset { .. } => "undo_reset",
            Self::RollForward => "roll_forward",
        }
    }

    /// The grant that it opens, and the reference by which that happens only once.
    pub fn granted_reference(&self) -> Option<(Source, &str)> {
        match self {
            Self::Grant(grant) => grant.reference.as_deref().map(|reference| (grant.source, reference)),
            Self::Reset { reference } => Some((Source::Monthly, reference)),
            Self::Charge { .. }
            | Self::Hold { .. }
            | Self::Capture { .. }
            | Self::Release { .. }
            | Self::Refund { .. }
            | Self::Clawback { .. }
            | Self::ClawbackTo { .. }
            | Self::Adjust(_)
            | Self::Backfill { .. }
            | Self::Subscribe { .. }
            | Self::PayMonths { .. }
            | Self::SetMonths { .. }
            | Self::EndMonths { .. }
            | Self::UndoReset { .. }
            | Self::RollForward => None,
        }
    }
}

/// Who wants to settle a hold. To all others it looks as if there were no such hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settler {
    /// The account's own person, by session or personal key: their own holds.
    Owner,
    /// A program that acts for the account: all but those of a running job.
    Program,
    /// The job that made it, or an administrator: any.
    Anyone,
}

impl Settler {
    /// Whether a hold with that maker is theirs to settle.
    pub(super) fn may_settle(self, maker: &str) -> bool {
        match self {
            Self::Owner => maker == Memo::OWNER,
            Self::Program => maker != Memo::JOB,
            Self::Anyone => true,
        }
    }
}

/// Who asks, and in which words it stands in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// One line for people, at most [`Memo::MAX_DESCRIPTION_CHARS`].
    pub description: String,
    /// Who: `user`, `job`, `key:<id>`, `admin:<id>`, `system` ...
    pub actor: String,
    /// What the caller wants to find again with it.
    pub metadata: Option<Metadata>,
}

impl Memo {
    /// The actor of what the account's own person does.
    pub const OWNER: &'static str = "user";
    /// The actor of what a payment does.
    pub const PAYMENTS: &'static str = "payments";
    /// The actor of what a running job does for them.
    pub const JOB: &'static str = "job";
    /// The longest description in characters; what is longer is cut.
    pub const MAX_DESCRIPTION_CHARS: usize = 300;

    /// Puts the two together. Control characters are left out: a line is a line, and PostgreSQL takes no NUL.
    pub fn new(actor: impl Into<String>, description: &str) -> Self {
        let visible = description.chars().filter(|character| !character.is_control());
        let description = visible.take(Self::MAX_DESCRIPTION_CHARS).collect();
        Self { description, actor: actor.into(), metadata: None }
    }

    /// The same, with what the caller wants to find again.
    #[must_use]
    pub fn with_metadata(self, metadata: Option<Metadata>) -> Self {
        Self { metadata, ..self }
    }

    /// What the system does by itself.
    pub fn system(description: &str) -> Self {
        Self::new("system", description)
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The balance changed.
    Receipt(Box<Receipt>),
    /// Credits were reserved or given back.
    Hold {
        /// The hold as it is now.
        hold: Box<Hold>,
        /// The balance now.
        balance: Balance,
    },
    /// Time was booked, nothing more.
    Rolled {
        /// The balance now.
        balance: Balance,
    },
}

impl Outcome {
    /// The same, with the balance as it is at the very end.
    #[must_use]
    pub fn with_balance(self, balance: Balance) -> Self {
        match self {
            Self::Receipt(receipt) => Self::Receipt(Box::new(Receipt { balance, ..*receipt })),
            Self::Hold { hold, .. } => Self::Hold { hold, balance },
            Self::Rolled { .. } => Self::Rolled { balance },
        }
    }

    /// The balance that it leaves.
    pub fn balance(&self) -> &Balance {
        match self {
            Self::Receipt(receipt) => &receipt.balance,
            Self::Hold { balance, .. } | Self::Rolled { balance } => balance,
        }
    }
}

/// How an account says no; it is then as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Fewer credits are available than it costs.
    #[error("{required} credits are required, {available} are available")]
    Insufficient {
        /// What it costs.
        required: Credits,
        /// What is there to spend.
        available: Credits,
    },
    /// Nothing was asked for.
    #[error("an amount has to be above zero")]
    NothingAsked,
    /// The balance would pass the largest number.
    #[error("the balance would be too large")]
    BalanceTooLarge,
    /// A grant would have ended before it began.
    #[error("a grant has to end in the future")]
    EndsInThePast,
    /// A hold lasts a second to a day.
    #[error("a hold lasts between 1 and 86,400 seconds")]
    HoldTime,
    /// No such hold in this account.
    #[error("there is no such hold")]
    NoSuchHold,
    /// The hold was captured, released or has expired.
    #[error("the hold is {} already", .0.as_str())]
    HoldSettled(HoldStatus),
    /// More was to be captured than is held.
    #[error("the hold is for {held} credits")]
    CaptureAboveHold {
        /// What is held.
        held: Credits,
    },
    /// No such charge in this account.
    #[error("there is no such charge")]
    NoSuchCharge,
    /// More was to be refunded than is left of the charge.
    #[error("at most {refundable} credits can be given back")]
    RefundAboveCharge {
        /// What is left.
        refundable: Credits,
    },
    /// No such grant in this account.
    #[error("there is no such grant")]
    NoSuchGrant,
    /// More was to be taken back than the grant gave.
    #[error("at most {reclaimable} credits can be taken back")]
    ClawbackAboveGrant {
        /// What is left to take back.
        reclaimable: Credits,
    },
    /// The account has no plan with monthly credits.
    #[error("there are no monthly credits to reset")]
    NoMonthlyCredits,
    /// No reset opened that grant.
    #[error("there is no such reset")]
    NoSuchReset,
    /// A later reset has ended what is left of this one's credits.
    #[error("a later reset has to be undone first")]
    ResetFollowed,
    /// The reset was undone before, or its month is over and has left nothing to undo.
    #[error("there is nothing left of the reset to undo")]
    ResetUndone,
    /// Another plan began in the meantime.
    #[error("the plan has changed in the meantime")]
    PlanChanged,
    /// The same reference was granted before.
    #[error("this was granted already")]
    AlreadyGranted {
        /// The first grant, where it belongs to this account.
        first: Option<GrantId>,
    },
}
