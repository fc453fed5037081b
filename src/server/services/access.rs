//! Keys of programs: making them, taking them away, and finding out who calls with one.

use super::{ServiceError, ServiceResult, Services};
use crate::domain::access::{ApiKey, Scopes};
use crate::domain::identity::Email;
use crate::domain::{AccountId, ApiKeyId, Timestamp};
use crate::server::random::{SECRET_CHARS, USER_ID_CHARS, random_name};
use crate::server::store::{AuditEntry, NewApiKey, StoreResult, User};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// How every key begins, so that a scanner for leaked secrets knows it.
const KEY_PREFIX: &str = "scrip_";
/// The longest text that is looked up as a key, in bytes.
const MAX_KEY_BYTES: usize = 64;
/// The longest name that its maker gives a key, in characters.
pub const MAX_LABEL_CHARS: usize = 100;
/// How often the last use of a key is written down, in seconds.
const USE_NOTED_SECONDS: i64 = 60;

/// Whose key is made.
#[derive(Clone, Debug)]
pub enum KeyHolder {
    /// A person: the key acts for their account.
    Person(Email),
    /// A program: the key acts for any account, within its scopes.
    Service(Scopes),
}

/// Who calls with a key.
#[derive(Clone, Debug)]
pub enum KeyCaller {
    /// The person whose key it is.
    Person(Box<User>),
    /// A program.
    Service(ApiKey),
}

/// A key as it is remembered between calls.
#[derive(Debug)]
pub(super) struct KnownKey {
    key: ApiKey,
    /// Whose it is; absent of a service key.
    person: Option<User>,
    /// When its use was last written down, in milliseconds; by other programs on the same database, too, as far as known.
    noted_at: AtomicI64,
}

impl KnownKey {
    /// Whether this use is to be written down; says so to one of many who ask at the same time.
    fn is_to_be_noted(&self, now: Timestamp) -> bool {
        let noted_at = self.noted_at.load(Ordering::Relaxed);
        now.seconds_since(Timestamp::from_millis(noted_at)) >= USE_NOTED_SECONDS
            && self.noted_at.compare_exchange(noted_at, now.millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Services {
    /// Makes a key. The secret is given once and kept nowhere.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is nobody of that address.
    pub async fn make_api_key(
        &self,
        holder: KeyHolder,
        label: &str,
        expires_at: Option<Timestamp>,
        actor: &str,
    ) -> ServiceResult<(ApiKeyId, String)> {
        let (account, scopes) = match holder {
            KeyHolder::Person(email) => (Some(self.find_by_email(&email).await?.account), Scopes::default()),
            KeyHolder::Service(scopes) => (None, scopes),
        };
        let id = ApiKeyId::parse(&random_name(USER_ID_CHARS));
        let id = id.ok_or(ServiceError::Internal("a random id does not fit".into()))?;
        let secret = format!("{KEY_PREFIX}{}", random_name(SECRET_CHARS));
        let created_at = self.0.clock.now();
        let key = NewApiKey {
            id: id.clone(),
            hash: hash_of(&secret),
            account,
            scopes,
            label: label.chars().take(MAX_LABEL_CHARS).collect(),
            created_at,
            expires_at,
        };
        let detail = serde_json::json!({ "key": id, "scopes": key.scopes.to_string(), "label": key.label });
        self.0.store.add_api_key(&key, &self.audit_of_key(account, actor, "create_key", detail)).await?;
        Ok((id, secret))
    }

    /// Ends a key for good.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is none of that id, or it was revoked before.
    pub async fn revoke_api_key(&self, id: &ApiKeyId, actor: &str) -> ServiceResult<()> {
        let entry = self.audit_of_key(None, actor, "revoke_key", serde_json::json!({ "key": id }));
        match self.0.store.revoke_api_key(id, &entry).await? {
            true => {
                self.0.memory.freshness.forget();
                Ok(())
            }
            false => Err(ServiceError::NotFound),
        }
    }

    /// The keys of a person, or all service keys.
    ///
    /// # Errors
    /// Where the database fails, or there is nobody of that address.
    pub async fn list_api_keys(&self, of: Option<&Email>) -> ServiceResult<Vec<ApiKey>> {
        let account = match of {
            Some(email) => Some(self.find_by_email(email).await?.account),
            None => None,
        };
        Ok(self.0.store.list_api_keys(account).await?)
    }

    /// Who calls with this secret; nobody where it was never made, has ended or was revoked.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn find_key_caller(&self, secret: &str) -> ServiceResult<Option<KeyCaller>> {
        if secret.len() > MAX_KEY_BYTES {
            return Ok(None);
        }
        let now = self.0.clock.now();
        let (hash, memory) = (hash_of(secret), &self.0.memory);
        let known = memory.keys.get_or_read(&memory.freshness, &hash, self.read_key(&hash)).await?;
        let Some(known) = known.filter(|known| known.key.is_valid(now)) else { return Ok(None) };
        if known.is_to_be_noted(now) {
            self.0.store.mark_api_key_used(&known.key.id, now).await?;
        }
        match (known.key.account, &known.person) {
            (None, _) => Ok(Some(KeyCaller::Service(known.key.clone()))),
            (Some(_), person) => Ok(person.clone().map(|user| KeyCaller::Person(Box::new(user)))),
        }
    }

    async fn read_key(&self, hash: &str) -> StoreResult<Option<Arc<KnownKey>>> {
        let Some(key) = self.0.store.find_api_key(hash).await? else { return Ok(None) };
        let person = match key.account {
            Some(account) => self.0.store.find_user(account).await?,
            None => None,
        };
        let noted_at = AtomicI64::new(key.last_used_at.map_or(0, Timestamp::millis));
        Ok(Some(Arc::new(KnownKey { key, person, noted_at })))
    }

    /// Someone by their address.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is nobody.
    pub async fn find_by_email(&self, email: &Email) -> ServiceResult<User> {
        let read = async { Ok(self.0.store.find_login(email).await?.map(|(user, _)| user)) };
        let memory = &self.0.memory;
        let found = memory.people.get_or_read(&memory.freshness, email.as_str(), read).await?;
        found.ok_or(ServiceError::NotFound)
    }

    fn audit_of_key(
        &self,
        account: Option<AccountId>,
        actor: &str,
        action: &str,
        detail: serde_json::Value,
    ) -> AuditEntry {
        let created_at = self.0.clock.now();
        AuditEntry { account, seq: None, actor: actor.to_owned(), action: action.to_owned(), detail, created_at }
    }
}

pub(super) fn hash_of(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
