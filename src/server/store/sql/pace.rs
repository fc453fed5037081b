//! How long batches take on this machine and this disk, from which it follows whether callers are better divided between
//! the batch that is saved and the one that is thought through meanwhile (decision 0022).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Fewer callers are never divided: what it costs to hand a batch in is then more than what is gained.
const MIN_DIVIDED: usize = 16;
/// So many times as long as one without changes a commit may take: the rest is writing them, and dividing does not write them
/// twice. An estimate; it is not measured how much of a commit is what.
const COMMIT_WITH_CHANGES: u32 = 2;
/// Of a new measurement; the rest is what was known before.
const SHARE_OF_THE_NEW: f64 = 0.25;

/// Shared by all who use the same database in this program.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether the last batch was thought through without the database. Else batches only wait one behind the other.
    is_ahead: bool,
    /// What it takes to think of one change.
    thinking: Option<Duration>,
    /// What it takes to commit.
    commit: Option<Duration>,
}

impl Pace {
    /// So many changes, one or two for each caller, were thought through in that time, without the database.
    pub fn note_thinking(&self, changes: usize, took: Duration) {
        let mut state = self.state();
        state.is_ahead = true;
        state.thinking = Some(mean(state.thinking, took / u32::try_from(changes).unwrap_or(u32::MAX).max(1)));
    }

    /// A batch needed the database before it was thought through.
    pub fn note_asking(&self) {
        self.state().is_ahead = false;
    }

    /// A commit took that long, changes not included.
    pub fn note_commit(&self, took: Duration) {
        let mut state = self.state();
        state.commit = Some(mean(state.commit, took));
    }

    /// Whether so many callers are better divided: two commits instead of one have to cost less than what is thought
    /// meanwhile.
    pub fn divides(&self, callers: usize) -> bool {
        let state = self.state();
        let (Some(thinking), Some(commit)) = (state.thinking, state.commit) else { return false };
        let thought_meanwhile = thinking.saturating_mul(u32::try_from(callers).unwrap_or(u32::MAX));
        let worth_a_commit = thought_meanwhile.saturating_mul(COMMIT_WITH_CHANGES);
        state.is_ahead && callers >= MIN_DIVIDED && commit < worth_a_commit
    }

    /// Each of the functions above leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mean(known: Option<Duration>, new: Duration) -> Duration {
    known.map_or(new, |known| known.mul_f64(1.0 - SHARE_OF_THE_NEW) + new.mul_f64(SHARE_OF_THE_NEW))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(commit: Duration) -> Pace {
        let pace = Pace::default();
        pace.note_thinking(64, Duration::from_micros(64 * 20));
        pace.note_commit(commit);
        pace
    }

    #[test]
    fn callers_are_divided_where_that_costs_less_than_it_gives() {
        let quick = pace(Duration::from_micros(100));
        assert_eq!([8, 16, 64].map(|callers| quick.divides(callers)), [false, true, true]);
        let slow = pace(Duration::from_millis(8));
        assert_eq!([64, 200, 201].map(|callers| slow.divides(callers)), [false, false, true]);
    }

    #[test]
    fn nobody_is_divided_where_batches_ask_the_database_or_nothing_is_known() {
        let pace = pace(Duration::from_micros(100));
        pace.note_asking();
        assert!(!pace.divides(64));
        pace.note_thinking(64, Duration::from_micros(64 * 20));
        assert!(pace.divides(64));
        assert!(!Pace::default().divides(64));
    }

    #[test]
    fn one_measurement_out_of_line_does_not_decide() {
        let pace = pace(Duration::from_micros(100));
        pace.note_commit(Duration::from_millis(6));
        assert!(pace.divides(64));
        (0..3).for_each(|_| pace.note_commit(Duration::from_millis(6)));
        assert!(!pace.divides(64));
    }
}
