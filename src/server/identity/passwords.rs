//! Passwords: argon2id, off the async threads, a few at a time.

use crate::domain::identity::Password;
use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Why a password could not be hashed or checked: never the password's fault.
#[derive(Debug, thiserror::Error)]
#[error("passwords cannot be hashed: {0}")]
pub struct PasswordError(String);

/// Hashes and checks passwords with argon2id, m = 19,456 KiB, t = 2, p = 1 (OWASP's first choice, the
/// crate's default). One at a time per core, so that a flood of sign-ins leaves cores for everyone else.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of no password: checked for unknown addresses, so that they take as long as known ones.
    decoy: Arc<str>,
}

impl Passwords {
    /// Prepares for so many cores.
    ///
    /// # Errors
    /// [`PasswordError`] where the system gives no randomness.
    pub fn new(cores: usize) -> Result<Self, PasswordError> {
        let decoy = hash_now(b"nobody's password")?;
        Ok(Self { turns: Arc::new(Semaphore::new(cores.max(1))), decoy: decoy.into() })
    }

    /// The hash of a password, in PHC form.
    ///
    /// # Errors
    /// [`PasswordError`], never because of the password.
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        self.in_turn(move || hash_now(password.as_bytes())).await?
    }

    /// Whether a password fits a hash. Without a hash it never does, and takes as long.
    ///
    /// # Errors
    /// [`PasswordError`], never because of the password.
    pub async fn fits(&self, password: Password, hash: Option<String>) -> Result<bool, PasswordError> {
        let is_known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        let fits = self.in_turn(move || {
            let parsed = PasswordHash::new(&hash).map_err(|error| PasswordError(error.to_string()))?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        });
        Ok(fits.await?? && is_known)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|error| PasswordError(error.to_string()))?;
        // The turn goes with the work: a caller that hangs up does not make room for another hash meanwhile.
        let worked = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        worked.await.map_err(|error| PasswordError(error.to_string()))
    }
}

fn hash_now(password: &[u8]) -> Result<String, PasswordError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password, &salt).map_err(|error| PasswordError(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let passwords = Passwords::new(2).unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.fits(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.fits(password("battery staple"), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_is_let_in_without_a_hash() {
        let passwords = Passwords::new(2).unwrap();
        assert!(!passwords.fits(password("nobody's password"), None).await.unwrap());
    }
}
