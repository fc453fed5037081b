//! Keys as people handle them on pages: one's own, and the service keys of administrators.

use super::access::{MAX_LABEL_CHARS, hash_of};
use super::{Field, KeyHolder, Problem, ServiceError, ServiceResult, Services};
use crate::api::views::{KeyLine, KeyState, MadeKeyView};
use crate::domain::access::{ApiKey, Scopes};
use crate::domain::{AccountId, ApiKeyId, Timestamp};
use crate::server::store::User;

/// The most keys that open something, of one person or of all programs together: who needs more has forgotten some.
const MAX_VALID_KEYS: usize = 50;
/// The most keys in a list, ended ones among them.
const MAX_LISTED: usize = 100;
/// The longest life of a key that has an end, in days: ten years.
const MAX_DAYS: i64 = 3_650;
/// How long after it was made a key may still be shown, in seconds: a plain form comes back by then.
const SHOWN_SECONDS: i64 = 120;
const SECONDS_PER_DAY: i64 = 86_400;

/// A key that was asked for with a form.
#[derive(Clone, Debug)]
pub struct WantedKey {
    label: String,
    days: Option<i64>,
}

impl WantedKey {
    /// Takes what was typed; no days is a key without an end.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] with the first field that does not fit.
    pub fn parse(label: &str, days: &str) -> ServiceResult<Self> {
        let label: String = label.chars().filter(|character| !character.is_control()).collect();
        let label = label.trim().to_owned();
        match label.chars().count() {
            0 => return Err(ServiceError::invalid(Field::Label, Problem::Missing)),
            1..=MAX_LABEL_CHARS => {}
            _ => return Err(ServiceError::invalid(Field::Label, Problem::TooLong)),
        }
        let days = match days.trim() {
            "" => None,
            text => {
                let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
                Some(days.ok_or(ServiceError::invalid(Field::Expiry, Problem::Malformed))?)
            }
        };
        Ok(Self { label, days })
    }
}

impl Services {
    /// The keys of a person, or the service keys: those that open something first, then the newest.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_keys(&self, of: Option<AccountId>) -> ServiceResult<Vec<KeyLine>> {
        let now = self.clock().now();
        let mut keys = self.0.store.list_api_keys(of).await?;
        // A stable sort: among equals the newest stay first.
        keys.sort_by_key(|key| !key.is_valid(now));
        Ok(keys.into_iter().take(MAX_LISTED).map(|key| key_line(key, now)).collect())
    }

    /// Makes a key for whoever asks. Its secret is given once and kept nowhere.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] where they have too many.
    pub async fn make_own_key(&self, user: &User, wanted: WantedKey) -> ServiceResult<MadeKeyView> {
        self.require_room(Some(user.account)).await?;
        self.make_wanted_key(KeyHolder::Person(user.email.clone()), wanted, &actor_of(user)).await
    }

    /// Makes a service key.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] where it may do nothing, or there are too many.
    pub async fn make_service_key(
        &self,
        admin: &User,
        wanted: WantedKey,
        scopes: Scopes,
    ) -> ServiceResult<MadeKeyView> {
        if scopes.is_empty() {
            return Err(ServiceError::invalid(Field::Scopes, Problem::Missing));
        }
        self.require_room(None).await?;
        self.make_wanted_key(KeyHolder::Service(scopes), wanted, &actor_of(admin)).await
    }

    /// Ends a key that is one of theirs; `None` for the service keys.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where it is somebody else's, not there, or was revoked before.
    pub async fn revoke_listed_key(&self, of: Option<AccountId>, id: &ApiKeyId, by: &User) -> ServiceResult<()> {
        let is_theirs = self.0.store.list_api_keys(of).await?.iter().any(|key| key.id == *id);
        if is_theirs { self.revoke_api_key(id, &actor_of(by)).await } else { Err(ServiceError::NotFound) }
    }

    /// The key of this secret, where it was made just now and for them: what a plain form shows after it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn find_made_key(&self, of: Option<AccountId>, secret: &str) -> ServiceResult<Option<MadeKeyView>> {
        let now = self.clock().now();
        let found = self.0.store.find_api_key(&hash_of(secret)).await?;
        let is_new =
            |key: &ApiKey| key.account == of && key.is_valid(now) && now.seconds_since(key.created_at) < SHOWN_SECONDS;
        let found = found.filter(is_new);
        Ok(found.map(|key| MadeKeyView { key: key_line(key, now), secret: secret.to_owned() }))
    }

    async fn require_room(&self, of: Option<AccountId>) -> ServiceResult<()> {
        let now = self.clock().now();
        let keys = self.0.store.list_api_keys(of).await?;
        let valid = keys.iter().filter(|key| key.is_valid(now)).count();
        if valid < MAX_VALID_KEYS { Ok(()) } else { Err(ServiceError::invalid(Field::Label, Problem::TooMany)) }
    }

    async fn make_wanted_key(&self, holder: KeyHolder, wanted: WantedKey, actor: &str) -> ServiceResult<MadeKeyView> {
        let scopes = match &holder {
            KeyHolder::Person(_) => Scopes::default(),
            KeyHolder::Service(scopes) => scopes.clone(),
        };
        let created_at = self.clock().now();
        let expires_at = wanted.days.map(|days| created_at.plus_seconds(days * SECONDS_PER_DAY));
        let (id, secret) = self.make_api_key(holder, &wanted.label, expires_at, actor).await?;
        let (label, last_used_at) = (wanted.label, None);
        let key = KeyLine { id, label, scopes, created_at, expires_at, last_used_at, state: KeyState::Valid };
        Ok(MadeKeyView { key, secret })
    }
}

fn actor_of(user: &User) -> String {
    format!("user:{}", user.public_id)
}

fn key_line(key: ApiKey, now: Timestamp) -> KeyLine {
    let state = match (key.revoked_at, key.is_valid(now)) {
        (Some(_), _) => KeyState::Revoked,
        (None, true) => KeyState::Valid,
        (None, false) => KeyState::Expired,
    };
    KeyLine {
        state,
        id: key.id,
        label: key.label,
        scopes: key.scopes,
        created_at: key.created_at,
        expires_at: key.expires_at,
        last_used_at: key.last_used_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_key_has_a_name_and_a_time_that_can_be_chosen() {
        assert_eq!(WantedKey::parse(" Blog \u{7} ", "").unwrap().label, "Blog");
        assert_eq!(WantedKey::parse("Blog", "30").unwrap().days, Some(30));
        for (label, days) in
            [("", ""), ("  ", "30"), (&"x".repeat(101), ""), ("Blog", "0"), ("Blog", "3651"), ("Blog", "soon")]
        {
            assert!(WantedKey::parse(label, days).is_err(), "{label:?} {days:?} was taken");
        }
    }
}
