//! People: signing up, with the first credits, and signing in.

use super::{Field, Problem, ServiceError, ServiceResult, Services};
use crate::domain::account::Allowance;
use crate::domain::identity::{Email, Password, PersonName, Role};
use crate::domain::operation::{Memo, NewGrant, Operation, Source};
use crate::domain::{AccountId, Timestamp, UserId};
use crate::server::ledger::{Answer, Step, Submission, Target};
use crate::server::random::{USER_ID_CHARS, random_name};
use crate::server::store::{AuditEntry, NewUser, User};
use std::net::IpAddr;

/// What someone typed to sign up.
#[derive(Debug)]
pub struct SignUpForm {
    /// Their address.
    pub email: Email,
    /// What they are called.
    pub name: PersonName,
    /// Their password.
    pub password: Password,
}

impl SignUpForm {
    /// Takes what was typed, field by field.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] with the first field that does not fit.
    pub fn parse(email: &str, name: &str, password: String) -> ServiceResult<Self> {
        let name = PersonName::parse(name).ok_or(ServiceError::invalid(Field::Name, Problem::of_text(name)))?;
        let email = Email::parse(email).ok_or(ServiceError::invalid(Field::Email, Problem::of_text(email)))?;
        Ok(Self { email, name, password: parse_password(password)? })
    }
}

fn parse_password(text: String) -> ServiceResult<Password> {
    let problem = if text.len() > Password::MAX_BYTES { Problem::TooLong } else { Problem::TooShort };
    Password::parse(text).ok_or(ServiceError::invalid(Field::Password, problem))
}

impl Services {
    /// Signs someone up in a browser.
    ///
    /// # Errors
    /// Where something typed does not fit, the address is taken, or there were too many tries.
    pub async fn sign_up(&self, form: SignUpForm, from: IpAddr) -> ServiceResult<AccountId> {
        self.0.throttle.count_address(from)?;
        Ok(self.create_user(form, Role::User).await?.0)
    }

    /// Makes a person with their account and first credits, all in one transaction.
    ///
    /// # Errors
    /// Where the address is taken, or the database fails.
    pub async fn create_user(&self, form: SignUpForm, role: Role) -> ServiceResult<(AccountId, UserId)> {
        let password_hash = Some(self.0.passwords.hash(form.password).await?);
        let id = random_name(USER_ID_CHARS);
        let public_id = UserId::parse(&id).ok_or(ServiceError::Internal("a random id does not fit".into()))?;
        let created_at = self.0.clock.now();
        let steps = self.first_steps(&public_id, created_at);
        let user = NewUser {
            public_id: public_id.clone(),
            email: form.email,
            name: form.name,
            password_hash,
            role,
            created_at,
        };
        let target = Target::NewUser(Box::new(user));
        let submission = Submission { target, steps, key: None, booking: None, audit: None };
        match self.0.ledger.submit(submission).await? {
            Answer::Applied { account, .. } => Ok((account, public_id)),
            Answer::Replayed { .. } => Err(ServiceError::Internal("a sign-up without a key was replayed".into())),
        }
    }

    /// The grant at signup, and the months of a free plan that has some.
    pub(super) fn first_steps(&self, id: &UserId, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        let amount = self.signup_credits();
        if !amount.is_zero() {
            let reference = Some(id.to_string());
            let grant = NewGrant { source: Source::Signup, amount, expires_at: None, reference };
            steps.push(Step { operation: Operation::Grant(grant), memo: Memo::system("Welcome credits") });
        }
        let catalogue = self.catalogue();
        if let Some(plan) = catalogue.free_plan().filter(|plan| !plan.credits_per_month.is_zero()) {
            let allowance = Allowance::endless(plan.id.clone(), id.to_string(), plan.credits_per_month, now);
            steps.push(Step {
                operation: Operation::Subscribe { allowance, replaces: None },
                memo: Memo::system(&format!("Monthly credits, {}", plan.name)),
            });
        }
        steps
    }

    /// Checks an address and a password.
    ///
    /// # Errors
    /// [`ServiceError::WrongPassword`] whichever of the two is wrong, after the same time; or where there
    /// were too many tries.
    pub async fn sign_in(&self, email: &str, password: String, from: IpAddr) -> ServiceResult<AccountId> {
        let email = Email::parse(email).ok_or(ServiceError::invalid(Field::Email, Problem::of_text(email)))?;
        self.0.throttle.count_sign_in(&email, from)?;
        let password = Password::parse(password).ok_or(ServiceError::WrongPassword)?;
        let login = self.0.store.find_login(&email).await?;
        let (user, hash) = login.map_or((None, None), |(user, hash)| (Some(user), hash));
        match (self.0.passwords.fits(password, hash).await?, user) {
            (true, Some(user)) => Ok(user.account),
            (true, None) | (false, Some(_) | None) => Err(ServiceError::WrongPassword),
        }
    }

    /// Who that is; `None` where they are gone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn find_user(&self, account: AccountId) -> ServiceResult<Option<User>> {
        Ok(self.0.store.find_user(account).await?)
    }

    /// Changes what someone may do who has signed up before.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where nobody has that address.
    pub async fn set_role(&self, email: &Email, role: Role) -> ServiceResult<()> {
        let account = self.0.store.find_login(email).await?.map(|(user, _)| user.account);
        let action = match role {
            Role::Admin => "promote",
            Role::User => "demote",
        };
        match self.0.store.set_role(email, role, &self.by_command(account, action)).await? {
            true => {
                self.0.memory.freshness.forget();
                Ok(())
            }
            false => Err(ServiceError::NotFound),
        }
    }
    /// Gives someone another password, and signs them out everywhere.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] where it is too short or too long, [`ServiceError::NotFound`] where nobody has that
    /// address.
    pub async fn set_password(&self, email: &Email, password: String) -> ServiceResult<()> {
        let password = parse_password(password)?;
        let (user, _) = self.0.store.find_login(email).await?.ok_or(ServiceError::NotFound)?;
        let hash = self.0.passwords.hash(password).await?;
        let entry = self.by_command(Some(user.account), "set_password");
        match self.0.store.set_password(user.account, &hash, &entry).await? {
            true => Ok(()),
            false => Err(ServiceError::NotFound),
        }
    }

    fn by_command(&self, account: Option<AccountId>, action: &str) -> AuditEntry {
        AuditEntry {
            account,
            seq: None,
            actor: "system".into(),
            action: action.into(),
            detail: serde_json::json!({ "reason": "by the command line" }),
            created_at: self.0.clock.now(),
        }
    }
}
