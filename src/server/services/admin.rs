//! The administrator's work: finding people, seeing an account, adjusting it with a reason.

use super::{Field, Problem, ServiceError, ServiceResult, Services};
use crate::api::views::{AccountView, AuditLine, PersonLine};
use crate::domain::account::Balance;
use crate::domain::identity::Role;
use crate::domain::operation::{Memo, Operation, Outcome};
use crate::domain::{CreditDelta, IdempotencyKey, UserId};
use crate::server::ledger::{Answer, AuditNote, RequestKey, Submission};
use crate::server::random::{SECRET_CHARS, random_name};
use crate::server::store::{AuditEntry, HistoryFilter, User, UserLine};

/// People in one list.
const LISTED: u32 = 50;
/// Rows of the audit log that are shown.
const AUDIT_SHOWN: u32 = 20;
/// The longest text to search for, in characters.
const MAX_SEARCH_CHARS: usize = 200;
/// The longest reason in characters.
pub const MAX_REASON_CHARS: usize = 200;

/// An adjustment that was typed.
#[derive(Clone, Debug)]
pub struct Adjustment {
    delta: CreditDelta,
    reason: String,
    key: Option<IdempotencyKey>,
}

impl Adjustment {
    /// Takes what was typed.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] where the amount is not a whole number other than zero within the limits,
    /// or there is no reason.
    pub fn parse(amount: &str, reason: &str, key: &str) -> ServiceResult<Self> {
        let invalid = |_| ServiceError::invalid(Field::Amount, Problem::of_text(amount));
        let delta = CreditDelta::parse_typed(amount).map_err(invalid)?;
        let reason = reason.trim();
        match reason.chars().count() {
            0 => Err(ServiceError::invalid(Field::Reason, Problem::Missing)),
            1..=MAX_REASON_CHARS => Ok(Self { delta, reason: reason.to_owned(), key: IdempotencyKey::parse(key) }),
            _ => Err(ServiceError::invalid(Field::Reason, Problem::TooLong)),
        }
    }
}

impl Services {
    /// People whose address, name or id contains a text, newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn search_people(&self, text: &str) -> ServiceResult<Vec<PersonLine>> {
        let visible = text.chars().filter(|character| !character.is_control());
        let text: String = visible.take(MAX_SEARCH_CHARS).collect();
        let found = self.0.store.search_users(&text, LISTED).await?;
        Ok(found.into_iter().map(|line| self.person_line(line)).collect())
    }

    /// One account with its history and audit rows.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is nobody of that id.
    pub async fn read_account_for_admin(&self, id: &UserId) -> ServiceResult<AccountView> {
        let user = self.find_by_public_id(id).await?;
        let balance = self.read_balance(user.account).await?;
        let history = self.list_history(user.account, HistoryFilter::Everything, None).await?;
        let audit = self.0.store.list_audit(user.account, AUDIT_SHOWN).await?;
        let line = UserLine { balance: balance.total, plan: balance.plan.clone(), user };
        Ok(AccountView {
            person: self.person_line(line),
            balance,
            history,
            audit: audit.into_iter().map(audit_line).collect(),
            form_key: random_name(SECRET_CHARS),
        })
    }

    /// Changes a balance by hand: the movement and its audit row are written together.
    ///
    /// # Errors
    /// [`ServiceError::Insufficient`] where more would be taken than is there.
    pub async fn adjust_credits(&self, admin: &User, id: &UserId, adjustment: Adjustment) -> ServiceResult<Balance> {
        let user = self.find_by_public_id(id).await?;
        let actor = format!("admin:{}", admin.public_id);
        let detail = serde_json::json!({
            "delta": adjustment.delta, "reason": adjustment.reason, "by": admin.email.as_str(),
        });
        let request = format!("adjust {id} {} {}", adjustment.delta.get(), adjustment.reason);
        let key = adjustment.key.map(|key| RequestKey::new(key, request.as_bytes(), balance_as_json));
        let memo = Memo::new(actor.clone(), &adjustment.reason);
        let submission = Submission::one(user.account, Operation::Adjust(adjustment.delta), memo)
            .with_key(key)
            .with_audit(AuditNote { actor, action: "adjust", detail });
        match self.0.ledger.submit(submission).await? {
            Answer::Applied { outcome, .. } => Ok(outcome.balance().clone()),
            Answer::Replayed { .. } => self.read_balance(user.account).await,
        }
    }

    fn person_line(&self, line: UserLine) -> PersonLine {
        PersonLine {
            plan_name: self.plan_name(line.plan.as_ref()),
            public_id: line.user.public_id,
            name: line.user.name,
            email: line.user.email.to_string(),
            is_admin: line.user.role == Role::Admin,
            balance: line.balance,
            created_at: line.user.created_at,
        }
    }

    pub(super) async fn find_by_public_id(&self, id: &UserId) -> ServiceResult<User> {
        self.0.store.find_user_by_public_id(id).await?.ok_or(ServiceError::NotFound)
    }
}

/// What is kept under the key of a form: the balance that it left.
fn balance_as_json(outcome: &Outcome) -> String {
    serde_json::json!({ "balance": outcome.balance() }).to_string()
}

fn audit_line(entry: AuditEntry) -> AuditLine {
    let text = |name: &str| entry.detail.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    AuditLine {
        actor: text("by").unwrap_or_else(|| entry.actor.clone()),
        delta: entry.detail.get("delta").and_then(serde_json::Value::as_i64),
        reason: text("reason"),
        action: entry.action,
        seq: entry.seq.map(|seq| seq.0),
        created_at: entry.created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_required_and_has_a_longest_length() {
        assert!(Adjustment::parse("5", "  ", "").is_err());
        assert!(Adjustment::parse("5", &"x".repeat(201), "").is_err());
    }
}
