//! Accounts and grants, for service keys and administrators.

use super::call::{Call, Caller, Subject, require_scope, respond};
use super::credits::check_words;
use super::problem::ProblemView;
use super::reading::moment;
use super::schemas::{Amount, Moment, Words};
use super::views::{AccountView, MovementView, ReceiptView, account_json, grant_id, outcome_json};
use super::{Problem, tags};
use crate::domain::access::Scope;
use crate::domain::identity::{Email, PersonName, Role};
use crate::domain::operation::{NewGrant, Refusal, Source};
use crate::domain::{Credits, UserId};
use crate::server::random::{USER_ID_CHARS, random_name};
use crate::server::services::{GRANTABLE_SOURCES, Granting, NewAccount, ServiceError, Services};
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// The longest reference of a grant, in characters.
const MAX_REFERENCE_CHARS: usize = 200;

/// Who may make accounts; anyone else is refused before the body is read.
#[derive(Debug)]
pub struct AccountMaker(Caller);

impl FromRequestParts<Services> for AccountMaker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, services).await?;
        match &caller {
            Caller::Service(key) => require_scope(key, Scope::AccountsWrite)?,
            Caller::Person(admin) if admin.role == Role::Admin => {}
            Caller::Person(_) => return Err(Problem::forbidden("Accounts are made by a service key.")),
        }
        Ok(Self(caller))
    }
}

/// Whose account is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountRequest, example = json!({ "email": "ann@example.com", "name": "Ann" }))]
pub struct AccountBody {
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// What they are called; the part of the address before `@` where absent.
    #[schema(min_length = 1, max_length = 80)]
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

/// Make an account.
///
/// With its credits for signing up, and without a password: its person takes it over by a link sent to the address.
/// For service keys with `accounts:write` and administrators.
#[utoipa::path(
    post, path = "/accounts", operation_id = "create_account", tag = tags::ACCOUNTS, request_body = AccountBody,
    responses((status = 201, description = "The account is there.", body = AccountView),
        (status = 409, description = "The address has an account already.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn create(
    State(services): State<Services>,
    call: Call<AccountMaker, AccountBody>,
) -> Result<Response, Problem> {
    let new = AccountBody { email: call.body.email.clone(), name: call.body.name.clone() }.check()?;
    let (id, email, name) = (new.id.clone(), new.email.to_string(), new.name.as_str().to_owned());
    let render = move |outcome: &_| account_json(&id, &email, &name, outcome);
    let key = call.request_key(render.clone()).map(|key| match &call.who.0 {
        Caller::Service(api_key) => key.of_api_key(api_key.id.clone()),
        Caller::Person(admin) => key.of_admin(&admin.public_id),
    });
    Ok(respond(StatusCode::CREATED, services.make_account(new, key).await?, render))
}

/// Credits to be granted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Granting, example = json!({
    "amount": 500, "source": "purchase", "reason": "Pack of 500", "reference": "invoice-7" }))]
pub struct GrantBody {
    #[schema(value_type = Amount)]
    amount: Credits,
    #[schema(value_type = GrantSource)]
    source: Source,
    /// How it stands in the history.
    #[schema(value_type = Words)]
    reason: String,
    /// What it is for, as an invoice's number: granted once for each source, in whatever account.
    #[schema(min_length = 1, max_length = 200)]
    reference: Option<String>,
    /// When it ends; never where absent.
    #[schema(value_type = Option<Moment>)]
    expires_at: Option<String>,
}

/// The sources that a program may name.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described; read as a Source")]
enum GrantSource {
    Adjustment,
    Promotion,
    Referral,
    Purchase,
}

/// A reference that was granted before, with that grant where it is this account's.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlreadyGranted {
    #[serde(flatten)]
    problem: ProblemView,
    first: Option<FirstGrant>,
}

/// The first grant of a reference.
#[derive(Debug, Serialize, ToSchema)]
pub struct FirstGrant {
    #[schema(example = "g12")]
    grant: String,
    transaction: Option<MovementView>,
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

/// Grant credits.
///
/// For service keys with `accounts:write` and administrators.
#[utoipa::path(
    post, path = "/accounts/{account}/grants", operation_id = "grant", tag = tags::ACCOUNTS, request_body = GrantBody,
    responses((status = 201, description = "The credits are there.", body = ReceiptView),
        (status = 409, description = "The reference was granted before.", body = AlreadyGranted,
            content_type = "application/problem+json")))]
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
    let first = FirstGrant { grant: grant_id(*first), transaction: row.as_ref().map(MovementView::from) };
    Problem::from(error).with("first", json!(first))
}
