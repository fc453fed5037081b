//! Gates: of several requests with one idempotency key, one works and the others wait for its answer. They stand
//! between requests of this program; between programs the ledger decides, and only one of them is charged.

use crate::domain::{AccountId, IdempotencyKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// Gates that nobody uses any more are forgotten when there are so many.
const SWEEP_AT: usize = 1_024;

type Gate = tokio::sync::Mutex<()>;

/// One gate for each key that is in use now.
#[derive(Debug, Default)]
pub struct Gates(Mutex<HashMap<(AccountId, IdempotencyKey), Weak<Gate>>>);

impl Gates {
    /// Waits for its turn; the next one goes when the guard is dropped.
    pub async fn enter(&self, account: AccountId, key: &IdempotencyKey) -> OwnedMutexGuard<()> {
        self.gate(account, key).lock_owned().await
    }

    fn gate(&self, account: AccountId, key: &IdempotencyKey) -> Arc<Gate> {
        // Nothing can panic while it is locked; and a map of gates is sound in any case.
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= SWEEP_AT {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let place = gates.entry((account, key.clone())).or_default();
        if let Some(gate) = place.upgrade() {
            return gate;
        }
        let gate = Arc::new(Gate::new(()));
        *place = Arc::downgrade(&gate);
        gate
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_key_of_one_account_lets_one_through_and_others_pass_beside_it() {
        let gates = Gates::default();
        let (one, other) = (IdempotencyKey::parse("a").unwrap(), IdempotencyKey::parse("b").unwrap());
        let first = gates.enter(AccountId(1), &one).await;
        let second = gates.gate(AccountId(1), &one);
        assert!(second.try_lock().is_err());
        assert!(gates.gate(AccountId(2), &one).try_lock().is_ok());
        assert!(gates.gate(AccountId(1), &other).try_lock().is_ok());
        drop(first);
        assert!(second.try_lock().is_ok());
    }

    #[tokio::test]
    async fn gates_that_nobody_uses_are_forgotten() {
        let gates = Gates::default();
        let kept = gates.gate(AccountId(0), &IdempotencyKey::parse("kept").unwrap());
        for number in 0..3 * SWEEP_AT {
            gates.gate(AccountId(1), &IdempotencyKey::parse(&format!("k{number}")).unwrap());
        }
        assert!(gates.0.lock().unwrap().len() <= SWEEP_AT);
        let again = gates.gate(AccountId(0), &IdempotencyKey::parse("kept").unwrap());
        assert!(Arc::ptr_eq(&kept, &again));
    }
}
