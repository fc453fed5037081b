//! Accounts and grants, for service keys and administrators.

use super::Problem;
use super::call::{Call, Caller, Subject, require_scope, respond};
use super::credits::{check_words, moment};
use super::views::{MovementView, account_json, grant_id, outcome_json};
use crate::domain::access::Scope;
use crate::domain::identity::{Email, PersonName, Role};
use crate::domain::operation::{NewGrant, Refusal, Source};
use crate::domain::{Credits, UserId};
use crate::server::random::{USER_ID_CHARS, random_name};
use crate::server::services::{GRANTABLE_SOURCES, Granting, NewAccount, ServiceError, Services};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

/// The longest reference of a grant, in characters.
const MAX_REFERENCE_CHARS: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountBody {
    email: String,
    name: Option<String>,
}

impl AccountBody {
    fn check(self) -> Result<NewAccount, Problem> {
        let wrong = || Problem::invalid("email", "An e-mail address is needed.");
        let email = Email::parse(&self.email).ok_or_else(wrong)?;
        let before_at = email.as_str().split('@').next().unwrap_or_default().to_owned();
        let name = self.name.unwrap_or(before_at);
        let name = PersonName::parse(&name).ok_or_else(|| Problem::invalid("name", "A name is one short line."))?;
        let id = UserId::parse(&random_name(USER_ID_CHARS));
        let id = id.ok_or_else(|| ServiceError::Internal("a random id does not fit".into()))?;
        Ok(NewAccount { id, email, name })
    }
}

pub async fn create(State(services): State<Services>, call: Call<Caller, AccountBody>) -> Result<Response, Problem> {
    let api_key = match &call.who {
        Caller::Service(key) => {
            require_scope(key, Scope::AccountsWrite)?;
            Some(key.id.clone())
        }
        Caller::Person(admin) if admin.role == Role::Admin => None,
        Caller::Person(_) => return Err(Problem::forbidden("Accounts are made by a service key.")),
    };
    let new = AccountBody { email: call.body.email.clone(), name: call.body.name.clone() }.check()?;
    let (id, email, name) = (new.id.clone(), new.email.to_string(), new.name.as_str().to_owned());
    let render = move |outcome: &_| account_json(&id, &email, &name, outcome);
    // An administrator's request has no key of a program to which an idempotency key could belong.
    let key = api_key.and_then(|id| call.request_key(render.clone()).map(|key| key.of_api_key(id)));
    Ok(respond(StatusCode::CREATED, services.make_account(new, key).await?, render))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    amount: Credits,
    source: Source,
    reason: String,
    reference: Option<String>,
    expires_at: Option<String>,
}

impl GrantBody {
    fn check(self) -> Result<Granting, Problem> {
        if !GRANTABLE_SOURCES.contains(&self.source) {
            let names: Vec<_> = GRANTABLE_SOURCES.iter().map(|source| source.as_str()).collect();
            return Err(Problem::invalid("source", format!("The source is one of {}.", names.join(", "))));
        }
        let fits = |text: &String| {
            !text.trim().is_empty()
                && text.chars().count() <= MAX_REFERENCE_CHARS
                && !text.chars().any(char::is_control)
        };
        if !self.reference.as_ref().is_none_or(fits) {
            let words = format!("A reference is one line of 1 to {MAX_REFERENCE_CHARS} characters.");
            return Err(Problem::invalid("reference", words));
        }
        let grant = NewGrant {
            source: self.source,
            amount: self.amount,
            expires_at: moment("expires_at", self.expires_at.as_deref())?,
            reference: self.reference,
        };
        Ok(Granting { grant, reason: check_words("reason", self.reason)? })
    }
}

pub async fn grant(State(services): State<Services>, call: Call<Subject, GrantBody>) -> Result<Response, Problem> {
    call.who.require_grantor()?;
    let key = call.request_key(outcome_json);
    let (subject, granting) = (call.who, call.body.check()?);
    match services.grant(subject.account(), &subject.actor, granting, key).await {
        Ok(answer) => Ok(respond(StatusCode::CREATED, answer, outcome_json)),
        Err(error) => Err(with_first_grant(&services, &subject, error).await),
    }
}

/// A reference that was granted before is answered with that grant, where it is this account's.
async fn with_first_grant(services: &Services, subject: &Subject, error: ServiceError) -> Problem {
    let ServiceError::Refused(Refusal::AlreadyGranted { first: Some(first) }) = &error else { return error.into() };
    let row = services.find_grant_row(subject.account(), *first).await.ok().flatten();
    let transaction = row.as_ref().map(MovementView::from);
    let first = json!({ "grant": grant_id(*first), "transaction": transaction });
    Problem::from(error).with("first", first)
}
