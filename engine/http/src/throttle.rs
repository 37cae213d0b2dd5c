//! How often somebody may try: each token at its own rate, and sign-ins with pauses that grow for a name and a quota for
//! an address, so that passwords cannot be guessed.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use cartwright_core::time::Timestamp;
use cartwright_run::access::Token;
use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

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
/// Names remembered at most.
const NAMES_MAX: usize = 100_000;
/// Networks from which a person signed in that are remembered.
const FAMILIAR_NETWORKS_MAX: usize = 4;
/// Passwords checked at once: each takes 19 MB and some 20 ms of one core, which runs and webhooks need too.
const PASSWORDS_AT_ONCE: usize = 2;
/// Passwords that may wait for their turn. More are a flood, and are sent away.
const PASSWORDS_WAITING_MAX: usize = 64;
/// For those who are sent away to come back.
const FLOOD_PAUSE_SECONDS: u64 = 5;

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
    names: Mutex<HashMap<Tried, Tries>>,
    /// Where people signed in from since the start. Pauses that somebody elsewhere causes do not hold there, so that nobody
    /// is locked out of a place they use by others who guess.
    familiar: Mutex<HashMap<String, VecDeque<IpAddr>>>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    passwords: Semaphore,
    /// Who has or waits for a turn.
    places: Semaphore,
}

/// A name, tried from one of its familiar networks or from anywhere else.
type Tried = (String, Option<IpAddr>);

/// The right to check or make a password.
pub(crate) struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _place: SemaphorePermit<'a>,
}

struct Tries {
    failed: u32,
    not_before: Timestamp,
}

impl Default for SignIns {
    fn default() -> Self {
        let quota = Quota::with_period(ADDRESS_PAUSE).expect("not zero").allow_burst(ADDRESS_BURST);
        Self {
            names: Mutex::default(),
            familiar: Mutex::default(),
            addresses: RateLimiter::keyed(quota),
            passwords: Semaphore::new(PASSWORDS_AT_ONCE),
            places: Semaphore::new(PASSWORDS_AT_ONCE + PASSWORDS_WAITING_MAX),
        }
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
        let tried = self.tried(name, address);
        let mut names = self.names.lock();
        if names.len() > NAMES_BEFORE_SWEEP {
            let longest = Duration::from_secs(LONGEST_PAUSE_SECONDS);
            names.retain(|_, tries| now < tries.not_before.plus(longest));
        }
        if names.len() >= NAMES_MAX {
            // A flood from very many networks: what is remembered about names without a pause is given up first.
            names.retain(|_, tries| now < tries.not_before);
        }
        if names.len() >= NAMES_MAX && !names.contains_key(&tried) {
            return Err(FLOOD_PAUSE_SECONDS);
        }
        let tries = names.entry(tried).or_insert(Tries { failed: 0, not_before: now });
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
    pub(crate) fn succeeded(&self, name: &str, address: IpAddr) {
        let (tried, network) = (self.tried(name, address), network(address));
        self.names.lock().remove(&tried);
        let mut familiar = self.familiar.lock();
        let known = familiar.entry(name.to_owned()).or_default();
        known.retain(|one| *one != network);
        known.push_front(network);
        known.truncate(FAMILIAR_NETWORKS_MAX);
    }

    fn tried(&self, name: &str, address: IpAddr) -> Tried {
        let network = network(address);
        let familiar = self.familiar.lock().get(name).is_some_and(|known| known.contains(&network));
        (name.to_owned(), familiar.then_some(network))
    }

    /// Waits for a turn to check or make a password; the seconds to wait when too many do already.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, u64> {
        let place = self.places.try_acquire().map_err(|_| FLOOD_PAUSE_SECONDS)?;
        let turn = self.passwords.acquire().await.map_err(|_| FLOOD_PAUSE_SECONDS)?;
        Ok(Turn { _turn: turn, _place: place })
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
        tries.succeeded("ada", from(2));
        assert_eq!(tries.begin("ada", from(2), now), Ok(()));
        assert_eq!(tries.begin("ada", from(2), now), Ok(()));
    }

    #[test]
    fn who_guesses_elsewhere_locks_nobody_out_where_they_sign_in() {
        let tries = SignIns::default();
        let (home, elsewhere) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([203, 0, 113, 1]));
        assert_eq!(tries.begin("ada", home, NOW), Ok(()));
        tries.succeeded("ada", home);
        let guessed = (0..20).filter(|_| tries.begin("ada", elsewhere, NOW).is_ok()).count();
        assert_eq!(guessed, 5);
        assert!(tries.begin("ada", IpAddr::from([198, 51, 100, 1]), NOW).is_err(), "from anywhere else");
        assert_eq!(tries.begin("ada", home, NOW), Ok(()), "but not at home");
        let at_home = (0..20).filter(|_| tries.begin("ada", home, NOW).is_ok()).count();
        assert_eq!(at_home, 4, "where guesses are counted too");
    }

    #[tokio::test]
    async fn a_flood_of_passwords_is_sent_away() {
        let tries = SignIns::default();
        let mut waiting = Vec::new();
        let turns = [tries.turn().await, tries.turn().await];
        assert!(turns.iter().all(Result::is_ok));
        for _ in 0..PASSWORDS_WAITING_MAX {
            let mut turn = Box::pin(tries.turn());
            assert!(futures_poll(&mut turn).is_none(), "waits");
            waiting.push(turn);
        }
        assert!(tries.turn().await.is_err(), "one too many");
        drop(turns);
        assert!(waiting.remove(0).await.is_ok(), "the first has its turn");
    }

    /// What a future gives now, if anything.
    fn futures_poll<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn an_address_tries_many_names_only_for_a_while() {
        let tries = SignIns::default();
        let from: IpAddr = "2001:db8::1".parse().expect("an address");
        let fine = (0..100).filter(|n| tries.begin(&format!("n{n}"), from, NOW).is_ok()).count();
        assert!((30..=40).contains(&fine), "{fine}");
    }
}
