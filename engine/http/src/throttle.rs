//! How often somebody may try: each token at its own rate, and sign-ins with pauses that grow for a name and a quota for
//! an address, so that passwords cannot be guessed.

use std::{collections::HashMap, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use cartwright_core::time::Timestamp;
use cartwright_run::access::Token;
use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::limits::{network, seconds};

/// Wrong passwords for one name before there are pauses.
const FREE_FAILURES: u32 = 5;
/// The first pause; each further failure doubles it.
const FIRST_PAUSE_SECONDS: u64 = 2;
/// The longest pause: somebody who only wants to lock a person out makes them wait so long at most.
const LONGEST_PAUSE_SECONDS: u64 = 15 * 60;
/// Names remembered before quiet ones are forgotten.
const NAMES_BEFORE_SWEEP: usize = 10_000;
/// Addresses remembered before quiet ones are forgotten.
const ADDRESSES_BEFORE_SWEEP: usize = 10_000;
/// Sign-ins of one address at once; then one every few seconds.
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
/// Between two sign-ins of an address that used its burst.
const ADDRESS_PAUSE: Duration = Duration::from_secs(3);
/// Passwords checked at once: each takes 19 MB.
const PASSWORDS_AT_ONCE: usize = 4;

/// Rates of tokens that have one of their own.
#[derive(Default)]
pub(crate) struct TokenRates(Mutex<HashMap<String, Arc<DefaultDirectRateLimiter>>>);

impl TokenRates {
    /// Counts a request; the seconds to wait when there are too many.
    pub(crate) fn admit(&self, token: &Token) -> Result<(), u64> {
        let Some(rate) = token.requests_per_second.and_then(NonZeroU32::new) else { return Ok(()) };
        let limiter = {
            let mut all = self.0.lock();
            let new = || Arc::new(RateLimiter::direct(Quota::per_second(rate)));
            Arc::clone(all.entry(token.id.clone()).or_insert_with(new))
        };
        limiter.check().map_err(|until| seconds(until.wait_time_from(DefaultClock::default().now())))
    }

    /// The token is gone.
    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().remove(id);
    }
}

/// Tries to sign in.
pub(crate) struct SignIns {
    names: Mutex<HashMap<String, Tries>>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    /// Held while a password is checked or made.
    pub(crate) passwords: Semaphore,
}

struct Tries {
    failed: u32,
    not_before: Timestamp,
}

impl Default for SignIns {
    fn default() -> Self {
        let quota = Quota::with_period(ADDRESS_PAUSE).expect("not zero").allow_burst(ADDRESS_BURST);
        let passwords = Semaphore::new(PASSWORDS_AT_ONCE);
        Self { names: Mutex::default(), addresses: RateLimiter::keyed(quota), passwords }
    }
}

impl SignIns {
    /// Counts a try before its password is looked at, so that many at once gain nothing; the seconds to wait when it is
    /// too early. Names that nobody has are treated alike.
    pub(crate) fn begin(&self, name: &str, address: IpAddr, now: Timestamp) -> Result<(), u64> {
        if self.addresses.len() > ADDRESSES_BEFORE_SWEEP {
            self.addresses.retain_recent();
        }
        self.addresses
            .check_key(&network(address))
            .map_err(|until| seconds(until.wait_time_from(DefaultClock::default().now())))?;
        let mut names = self.names.lock();
        if names.len() > NAMES_BEFORE_SWEEP {
            let longest = Duration::from_secs(LONGEST_PAUSE_SECONDS);
            names.retain(|_, tries| now < tries.not_before.plus(longest));
        }
        let tries = names.entry(name.to_owned()).or_insert(Tries { failed: 0, not_before: now });
        if now < tries.not_before {
            return Err(seconds(tries.not_before.since(now)));
        }
        tries.failed = tries.failed.saturating_add(1);
        if let Some(over) = tries.failed.checked_sub(FREE_FAILURES) {
            let pause = FIRST_PAUSE_SECONDS.saturating_mul(1 << over.min(20)).min(LONGEST_PAUSE_SECONDS);
            tries.not_before = now.plus(Duration::from_secs(pause));
        }
        Ok(())
    }

    /// The password was right.
    pub(crate) fn succeeded(&self, name: &str) {
        self.names.lock().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn pauses_grow_for_a_name_and_end_with_the_right_password() {
        let tries = SignIns::default();
        let from = |n: u8| IpAddr::from([192, 0, 2, n]);
        for n in 0..5 {
            assert_eq!(tries.begin("ada", from(n), NOW), Ok(()), "{n}");
        }
        assert_eq!(tries.begin("ada", from(9), NOW), Err(3), "from another address too");
        assert_eq!(tries.begin("bob", from(9), NOW), Ok(()), "another name");
        let later = NOW.plus(Duration::from_secs(2));
        assert_eq!(tries.begin("ada", from(1), later), Ok(()));
        assert_eq!(tries.begin("ada", from(1), later), Err(5), "twice as long");
        let mut now = later;
        for _ in 0..30 {
            now = now.plus(Duration::from_secs(LONGEST_PAUSE_SECONDS));
            assert_eq!(tries.begin("ada", IpAddr::from([192, 0, 3, (now.as_millis() % 251) as u8]), now), Ok(()));
        }
        tries.succeeded("ada");
        assert_eq!(tries.begin("ada", from(2), now), Ok(()));
        assert_eq!(tries.begin("ada", from(2), now), Ok(()));
    }

    #[test]
    fn an_address_tries_many_names_only_for_a_while() {
        let tries = SignIns::default();
        let from: IpAddr = "2001:db8::1".parse().expect("an address");
        let fine = (0..100).filter(|n| tries.begin(&format!("n{n}"), from, NOW).is_ok()).count();
        assert!((30..=40).contains(&fine), "{fine}");
    }
}
