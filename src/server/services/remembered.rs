//! What is remembered of the database between calls, so that a warm call asks it nothing but what it came for: who a
//! key belongs to, who a person is, what things cost. A task asks twice a second whether any of it has changed; what
//! was not confirmed within a second is read anew.

use super::{ServiceResult, Services};
use crate::server::store::StoreResult;
use dashmap::DashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long what is remembered is trusted, from the moment at which the database was last asked.
const TRUST: Duration = Duration::from_secs(1);
/// How often the database is asked.
const ASK_INTERVAL: Duration = Duration::from_millis(400);
/// The most entries of one kind; when it is full, it begins anew.
const MAX_ENTRIES: usize = 20_000;

/// Whether what was remembered may still be used. Nothing is until somebody asks the database regularly
/// ([`Services::follow_changes`]), which a single command does not.
#[derive(Debug)]
pub struct Freshness {
    start: Instant,
    /// Rises whenever something may have changed: what was read under an earlier one is not used.
    generation: AtomicU64,
    /// Until when, in milliseconds from the start.
    trusted_until: AtomicU64,
    /// The number of the last change of keys and people that was heard of.
    last_change: AtomicI64,
}

impl Default for Freshness {
    fn default() -> Self {
        let (generation, trusted_until) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { start: Instant::now(), generation, trusted_until, last_change: AtomicI64::new(-1) }
    }
}

impl Freshness {
    /// Under what number something may be remembered that is read from now on.
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether something of that number may be used.
    fn covers(&self, generation: u64) -> bool {
        generation == self.generation() && self.millis(Instant::now()) < self.trusted_until.load(Ordering::Acquire)
    }

    /// Nothing that was read before is used any more.
    pub(super) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes what the database said when it was asked at that moment.
    fn confirm(&self, asked: Instant, change: i64) {
        if self.last_change.swap(change, Ordering::AcqRel) != change {
            self.forget();
        }
        self.trusted_until.fetch_max(self.millis(asked + TRUST), Ordering::AcqRel);
    }

    fn millis(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is remembered of one kind, by name.
#[derive(Debug)]
pub struct Remembered<V>(DashMap<String, (u64, V)>);

impl<V> Default for Remembered<V> {
    fn default() -> Self {
        Self(DashMap::new())
    }
}

impl<V: Clone> Remembered<V> {
    /// What is known under that name, else what `read` finds. Only what is found is remembered: a name that nobody has
    /// may be given out at any moment.
    pub(super) async fn get_or_read(
        &self,
        freshness: &Freshness,
        name: &str,
        read: impl Future<Output = StoreResult<Option<V>>>,
    ) -> ServiceResult<Option<V>> {
        let known = self.0.get(name).map(|entry| entry.clone());
        if let Some((generation, value)) = known
            && freshness.covers(generation)
        {
            return Ok(Some(value));
        }
        // Taken before the reading: what changes while it is read is read again.
        let generation = freshness.generation();
        let found = read.await?;
        if let Some(value) = &found {
            if self.0.len() >= MAX_ENTRIES {
                self.0.clear();
            }
            self.0.insert(name.to_owned(), (generation, value.clone()));
        }
        Ok(found)
    }
}

impl Services {
    /// Asks the database again and again what has changed, until told to stop. While it runs, other programs' changes
    /// of the catalogue, of keys and of people are noticed within a second.
    pub async fn follow_changes(&self, stop: CancellationToken) {
        let mut rounds = tokio::time::interval(ASK_INTERVAL);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_failing = false;
        while stop.run_until_cancelled(rounds.tick()).await.is_some() {
            let asked = stop.run_until_cancelled(self.notice_changes()).await;
            match asked {
                None => return,
                Some(Ok(())) => is_failing = false,
                Some(Err(error)) => {
                    // What is remembered runs out by itself. One line is enough for a database that stays away.
                    if !is_failing {
                        tracing::warn!(%error, "changes by other programs cannot be noticed");
                    }
                    is_failing = true;
                }
            }
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn notice_changes(&self) -> ServiceResult<()> {
        let asked = Instant::now();
        let marks = self.0.store.read_change_marks().await?;
        if marks.catalogue > self.rate_version()
            && let Some((version, catalogue)) = self.0.store.read_catalogue().await?
        {
            let preset = catalogue.preset.clone();
            self.0.catalogue.advance(version, catalogue);
            tracing::info!(version, preset, "another catalogue rules");
        }
        self.0.memory.freshness.confirm(asked, marks.access);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look(remembered: &Remembered<u32>, freshness: &Freshness, in_database: Option<u32>) -> Option<u32> {
        remembered.get_or_read(freshness, "x", async { Ok(in_database) }).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_read_is_used_until_something_changes() {
        let (remembered, freshness) = (Remembered::default(), Freshness::default());
        freshness.confirm(Instant::now(), 7);
        assert_eq!(look(&remembered, &freshness, Some(1)).await, Some(1));
        assert_eq!(look(&remembered, &freshness, Some(2)).await, Some(1));
        freshness.confirm(Instant::now(), 7);
        assert_eq!(look(&remembered, &freshness, Some(2)).await, Some(1));
        freshness.confirm(Instant::now(), 8);
        assert_eq!(look(&remembered, &freshness, Some(2)).await, Some(2));
        freshness.forget();
        assert_eq!(look(&remembered, &freshness, None).await, None);
    }

    #[tokio::test]
    async fn nothing_is_used_that_was_not_confirmed_within_a_second() {
        let (remembered, freshness) = (Remembered::default(), Freshness::default());
        assert_eq!(look(&remembered, &freshness, Some(1)).await, Some(1));
        assert_eq!(look(&remembered, &freshness, Some(2)).await, Some(2), "nobody asks the database");
        let long_ago = Freshness { start: Instant::now() - 2 * TRUST, ..Freshness::default() };
        long_ago.confirm(long_ago.start, 1);
        assert_eq!(look(&remembered, &long_ago, Some(3)).await, Some(3));
        assert_eq!(look(&remembered, &long_ago, Some(4)).await, Some(4), "it was asked too long ago");
    }

    #[tokio::test]
    async fn what_changes_while_it_is_read_is_not_remembered() {
        let (remembered, freshness) = (Remembered::default(), Freshness::default());
        freshness.confirm(Instant::now(), 1);
        let read = async {
            freshness.forget();
            Ok(Some(1))
        };
        assert_eq!(remembered.get_or_read(&freshness, "x", read).await.unwrap(), Some(1));
        assert_eq!(look(&remembered, &freshness, Some(2)).await, Some(2));
    }

    #[tokio::test]
    async fn nobody_is_not_remembered() {
        let (remembered, freshness) = (Remembered::default(), Freshness::default());
        freshness.confirm(Instant::now(), 1);
        assert_eq!(look(&remembered, &freshness, None).await, None);
        assert_eq!(look(&remembered, &freshness, Some(1)).await, Some(1));
    }
}
