//! Who calls, for which account, and with which key against repetition.

use super::problem::Suggestion;
use super::views::{PackView, PlanView};
use super::{Problem, json};
use crate::domain::access::{ApiKey, Scope};
use crate::domain::identity::{Email, Role};
use crate::domain::{AccountId, IdempotencyKey, Outcome, UserId};
use crate::server::identity::sessions;
use crate::server::ledger::{Answer, RequestKey};
use crate::server::services::{Actor, KeyCaller, ServiceError, Services};
use crate::server::store::User;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;
use tower_sessions::Session;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Who calls.
#[derive(Debug)]
pub enum Caller {
    /// A person, by session or by a key of theirs.
    Person(Box<User>),
    /// A program.
    Service(ApiKey),
}

impl FromRequestParts<Services> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        let caller = match bearer(&parts.headers)? {
            Some(secret) => match services.find_key_caller(&secret).await? {
                Some(KeyCaller::Person(user)) => Self::Person(user),
                Some(KeyCaller::Service(key)) => Self::Service(key),
                None => return Err(Problem::unauthorized()),
            },
            None => Self::Person(Box::new(signed_in(parts, services).await?)),
        };
        match &caller {
            Self::Person(user) => services.count_call(user.account)?,
            Self::Service(key) => services.count_service_call(&key.id)?,
        }
        Ok(caller)
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::unauthorized())?;
    let (scheme, secret) = text.split_once(' ').ok_or_else(Problem::unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized());
    }
    Ok(Some(secret.trim().to_owned()))
}

/// Requests of other sites never come here: see `web/cross_site.rs`.
async fn signed_in(parts: &Parts, services: &Services) -> Result<User, Problem> {
    let session = parts.extensions.get::<Session>().ok_or_else(Problem::unauthorized)?;
    let account = sessions::signed_in(session).await.map_err(|error| {
        tracing::error!(%error, "a session could not be read");
        Problem::from(ServiceError::Unavailable(None))
    })?;
    let account = account.ok_or_else(Problem::unauthorized)?;
    services.find_user(account).await?.ok_or_else(Problem::unauthorized)
}

/// The account that a call is about, and in whose name.
#[derive(Debug)]
pub struct Subject {
    /// Whose account.
    pub user: User,
    /// Who acts on it.
    pub actor: Actor,
    /// Whether it is a program or an administrator, who may also grant and refund.
    pub may_grant: bool,
}

impl Subject {
    /// The account's number.
    pub fn account(&self) -> AccountId {
        self.user.account
    }

    /// Refuses whoever may only spend.
    pub fn require_grantor(&self) -> Result<(), Problem> {
        match self.may_grant {
            true => Ok(()),
            false => Err(Problem::forbidden("Grants and refunds need a service key or an administrator.")),
        }
    }
}

impl FromRequestParts<Services> for Subject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, services).await?;
        match (path_param(parts, "account").await?, caller) {
            (None, Caller::Person(user)) => Ok(Self { user: *user, actor: Actor::owner(), may_grant: false }),
            (None, Caller::Service(_)) => {
                Err(Problem::forbidden("A service key names the account: /api/accounts/{account}/credits and so on."))
            }
            (Some(name), Caller::Service(key)) => {
                require_scope(&key, needed_scope(&parts.method))?;
                let user = find_account(services, &name).await?;
                Ok(Self { user, actor: Actor::service(&key.id), may_grant: true })
            }
            (Some(name), Caller::Person(admin)) if admin.role == Role::Admin => {
                let user = find_account(services, &name).await?;
                Ok(Self { user, actor: Actor::admin(&admin.public_id), may_grant: true })
            }
            (Some(_), Caller::Person(_)) => {
                Err(Problem::forbidden("Accounts by name need a service key or an administrator."))
            }
        }
    }
}

fn needed_scope(method: &Method) -> Scope {
    match *method {
        Method::GET | Method::HEAD => Scope::AccountsRead,
        _ => Scope::AccountsWrite,
    }
}

/// Refuses a service key without that scope.
pub fn require_scope(key: &ApiKey, scope: Scope) -> Result<(), Problem> {
    match key.scopes.contains(scope) {
        true => Ok(()),
        false => Err(Problem::forbidden(&format!("This key needs the scope {}.", scope.as_str()))),
    }
}

async fn find_account(services: &Services, name: &str) -> Result<User, Problem> {
    let found = match name.strip_prefix("email:") {
        Some(address) => match Email::parse(address) {
            Some(email) => services.find_by_email(&email).await,
            None => Err(ServiceError::NotFound),
        },
        None => match UserId::parse(name) {
            Some(id) => services.find_by_id(&id).await,
            None => Err(ServiceError::NotFound),
        },
    };
    Ok(found?)
}

async fn path_param(parts: &mut Parts, name: &str) -> Result<Option<String>, Problem> {
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Problem::not_found())?;
    Ok(params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()))
}

/// A call that changes something: who, with which key, and the body.
#[derive(Debug)]
pub struct Call<W, T> {
    /// Who calls: a [`Subject`] or a [`Caller`].
    pub who: W,
    /// What was sent.
    pub body: T,
    key: Option<IdempotencyKey>,
    request: Vec<u8>,
}

impl<W, T> FromRequest<Services> for Call<W, T>
where
    W: FromRequestParts<Services, Rejection = Problem> + Send,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request(request: Request, services: &Services) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let who = W::from_request_parts(&mut parts, services).await?;
        let key = idempotency_key(&parts.headers)?;
        let mut request = line_of(&parts, Uri::path);
        let (value, bytes) = json::read(Request::from_parts(parts, body)).await?;
        request.extend_from_slice(&bytes);
        Ok(Self { who, body: value, key, request })
    }
}

impl<W, T> Call<W, T> {
    /// Names this call for who has to do it once: the same key and request have the same name.
    pub fn name(&self) -> Option<Vec<u8>> {
        self.key.as_ref().map(|key| [key.as_str().as_bytes(), b"\n".as_slice(), self.request.as_slice()].concat())
    }

    /// What was answered to this call before.
    pub async fn first_answer(
        &self,
        services: &Services,
        account: AccountId,
        status_of: impl Fn(&str) -> StatusCode,
    ) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let text = services.find_answer(account, key, &self.request).await?;
        Ok(text.map(|text| respond(status_of(&text), Answer::Replayed { text }, |_| String::new())))
    }

    /// Answers this call, and keeps the answer under its key where it has one.
    pub async fn remember(
        &self,
        services: &Services,
        account: AccountId,
        status: StatusCode,
        text: String,
    ) -> Result<Response, Problem> {
        let kept = text.clone();
        let Some(key) = self.request_key(move |_| kept.clone()) else {
            let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
            return Ok((status, kind, text).into_response());
        };
        let answer = services.keep_answer(account, key).await?;
        Ok(respond(status, answer, move |_| text.clone()))
    }

    /// The key of this request, where it has one; what is kept under it is what `render` says.
    pub fn request_key(&self, render: impl Fn(&Outcome) -> String + Send + Sync + 'static) -> Option<RequestKey> {
        self.key.clone().map(|key| RequestKey::new(key, &self.request, render))
    }
}

/// Method and address of a request, before its body in what a key is tied to.
fn line_of(parts: &Parts, address: impl Fn(&Uri) -> &str) -> Vec<u8> {
    // Nested routers see only their part of the path.
    let original = parts.extensions.get::<axum::extract::OriginalUri>().map_or(&parts.uri, |original| &original.0);
    format!("{}\n{}\n", parts.method, address(original)).into_bytes()
}

/// Whether a request brings a key against repetition.
pub fn has_key(headers: &HeaderMap) -> bool {
    headers.contains_key(IDEMPOTENCY_KEY)
}

/// The key of a request with any kind of body, tied to it and to the query too.
pub fn request_key(parts: &Parts, body: &[u8]) -> Result<Option<RequestKey>, Problem> {
    let mut request = line_of(parts, |uri| uri.path_and_query().map_or(uri.path(), |whole| whole.as_str()));
    request.extend_from_slice(body);
    Ok(idempotency_key(&parts.headers)?.map(|key| RequestKey::new(key, &request, |_| String::new())))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().and_then(IdempotencyKey::parse);
    let words = "An Idempotency-Key has 1 to 255 visible ASCII characters.";
    key.map(Some).ok_or_else(|| Problem::malformed(words).about("Idempotency-Key"))
}

/// A defect of ours.
pub fn internal(error: &impl std::fmt::Display) -> Problem {
    ServiceError::Internal(error.to_string()).into()
}

/// The answer to a call: what was kept under its key, or the same words without one.
pub fn respond(status: StatusCode, answer: Answer, render: impl Fn(&Outcome) -> String) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    match answer {
        Answer::Applied { outcome, text, .. } => {
            (status, kind, text.unwrap_or_else(|| render(&outcome))).into_response()
        }
        Answer::Replayed { text } => {
            (status, kind, [(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"))], text).into_response()
        }
    }
}

/// The status and words of a failure; insufficient credits with the way to more.
pub async fn explain(services: &Services, subject: &Subject, error: ServiceError) -> Problem {
    let ServiceError::Insufficient { required, available, feature } = error else { return error.into() };
    let shortfall = required.saturating_sub(available);
    let suggestion = match services.suggest(subject.account(), shortfall).await {
        Ok((pack, plan)) => Suggestion {
            cheapest_pack: pack.as_ref().map(PackView::from),
            next_plan: plan.as_ref().map(PlanView::from),
        },
        Err(_) => Suggestion::default(),
    };
    let problem = Problem::insufficient(required, available, feature, suggestion);
    match services.catalogue().insufficient_message.clone() {
        Some(words) => problem.with_detail(words),
        None => problem,
    }
}
