//! Who may try how often: password guessing is slowed down before any hash is computed.

use crate::domain::identity::Email;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Tries for one account from one address in a row, and then one in six seconds.
const TRIES_PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Tries for all accounts from one address in a row, and then one a second.
const TRIES_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Counts tries, per account and address and per address. Someone else's guesses from elsewhere do not
/// lock an owner out.
#[derive(Debug)]
pub struct Throttle {
    per_account: DefaultKeyedRateLimiter<(String, IpAddr)>,
    per_address: DefaultKeyedRateLimiter<IpAddr>,
}

/// How long to wait, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

impl Default for Throttle {
    fn default() -> Self {
        let per_account = Quota::per_minute(TRIES_PER_ACCOUNT);
        let per_address = Quota::per_second(NonZeroU32::MIN).allow_burst(TRIES_PER_ADDRESS);
        Self { per_account: RateLimiter::keyed(per_account), per_address: RateLimiter::keyed(per_address) }
    }
}

impl Throttle {
    /// Counts a try to sign in.
    ///
    /// # Errors
    /// [`Wait`] where there were too many.
    pub fn count_sign_in(&self, email: &Email, from: IpAddr) -> Result<(), Wait> {
        self.count_address(from)?;
        let key = (email.as_str().to_owned(), from);
        self.per_account.check_key(&key).map_err(|denied| wait_of(denied.wait_time_from(DefaultClock::default().now())))
    }

    /// Counts something that costs a hash: a sign-up too.
    ///
    /// # Errors
    /// [`Wait`] where there were too many.
    pub fn count_address(&self, from: IpAddr) -> Result<(), Wait> {
        self.per_address
            .check_key(&from)
            .map_err(|denied| wait_of(denied.wait_time_from(DefaultClock::default().now())))
    }

    /// Forgets those who have not tried for a while; called now and then, so that memory stays bounded.
    pub fn forget_old(&self) {
        self.per_account.retain_recent();
        self.per_address.retain_recent();
    }
}

/// How many times its calls of a second a caller may make at once.
const CALLS_AT_ONCE: u32 = 10;

/// Counts calls by who makes them, so that a script that runs wild does not slow down all others.
#[derive(Debug)]
pub struct CallLimit<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> CallLimit<K> {
    /// Lets so many calls through in a second, over time.
    pub fn new(calls_per_second: NonZeroU32) -> Self {
        let at_once = calls_per_second.saturating_mul(NonZeroU32::MIN.saturating_add(CALLS_AT_ONCE - 1));
        Self(RateLimiter::keyed(Quota::per_second(calls_per_second).allow_burst(at_once)))
    }

    /// Counts a call.
    ///
    /// # Errors
    /// [`Wait`] where there were too many.
    pub fn count(&self, caller: &K) -> Result<(), Wait> {
        self.0.check_key(caller).map_err(|denied| wait_of(denied.wait_time_from(DefaultClock::default().now())))
    }

    /// Forgets those who have not called for a while, so that memory stays bounded.
    pub fn forget_old(&self) {
        self.0.retain_recent();
    }
}

fn wait_of(duration: std::time::Duration) -> Wait {
    Wait(duration.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn guessing_one_password_is_slowed_down_and_the_owner_gets_in_from_elsewhere() {
        let throttle = Throttle::default();
        let ann = Email::parse("ann@example.com").unwrap();
        let allowed = (0..100).filter(|_| throttle.count_sign_in(&ann, HERE).is_ok()).count();
        assert_eq!(allowed, 10);
        assert!(throttle.count_sign_in(&ann, ELSEWHERE).is_ok());
    }

    #[test]
    fn a_script_that_runs_wild_is_slowed_down_and_nobody_else() {
        let limit = CallLimit::new(NonZeroU32::new(100).unwrap());
        let allowed = (0..2_000).filter(|_| limit.count(&1).is_ok()).count();
        assert!((1_000..1_900).contains(&allowed), "{allowed}");
        assert!(limit.count(&2).is_ok());
    }

    #[test]
    fn guessing_many_accounts_from_one_address_is_slowed_down_too() {
        let throttle = Throttle::default();
        let allowed = (0..300)
            .filter(|index| {
                let email = Email::parse(&format!("n{index}@example.com")).unwrap();
                throttle.count_sign_in(&email, HERE).is_ok()
            })
            .count();
        assert!((100..110).contains(&allowed), "{allowed}");
    }
}
