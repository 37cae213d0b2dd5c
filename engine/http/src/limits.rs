//! How much one caller may ask: a quota for each store and each hook, so that none of them drowns the others, and a
//! small one for each address that keeps being refused.
//!
//! Stores and hooks are asked for after a request is known to be theirs, so the tables have as many keys as there are
//! stores and hooks. Addresses are forgotten once they have been quiet.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// Addresses remembered before quiet ones are looked for.
const ADDRESSES_BEFORE_SWEEP: usize = 10_000;

/// Quotas of the door.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Requests a second and at once, of one store or one hook. WooCommerce never repeats a delivery and disables a
    /// webhook after seven refusals, so this is far above what a store sends and below what would starve the others.
    pub accepted_per_second: NonZeroU32,
    /// Refused requests a second of one address.
    pub refused_per_second: NonZeroU32,
    /// Refused requests of one address at once: more than a store with a wrong secret sends in a burst.
    pub refused_burst: NonZeroU32,
}

impl Default for Quotas {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        Self { accepted_per_second: number(20_000), refused_per_second: number(50), refused_burst: number(1_000) }
    }
}

/// The quotas' state.
pub(crate) struct Limits {
    accepted: DefaultKeyedRateLimiter<String>,
    refused: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            accepted: RateLimiter::keyed(Quota::per_second(quotas.accepted_per_second)),
            refused: RateLimiter::keyed(Quota::per_second(quotas.refused_per_second).allow_burst(quotas.refused_burst)),
        }
    }

    /// Counts a request of a store or hook; the seconds to wait when there are too many.
    pub(crate) fn admit(&self, key: &str) -> Result<(), u64> {
        self.accepted
            .check_key(&key.to_owned())
            .map_err(|until| seconds(until.wait_time_from(DefaultClock::default().now())))
    }

    /// Counts a refused request of an address; the seconds to wait when there are too many.
    ///
    /// Only refused requests are counted and only they are answered with 429: many stores may share one address
    /// (a proxy in front of us), and a signed delivery must get through whoever else is behind it.
    pub(crate) fn refuse(&self, address: IpAddr) -> Result<(), u64> {
        if self.refused.len() > ADDRESSES_BEFORE_SWEEP {
            self.refused.retain_recent();
            self.refused.shrink_to_fit();
        }
        let key = network(address);
        self.refused.check_key(&key).map_err(|until| seconds(until.wait_time_from(DefaultClock::default().now())))
    }
}

/// One IPv6 customer has a whole /64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(accepted: u32) -> Limits {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        Limits::new(Quotas {
            accepted_per_second: number(accepted),
            refused_per_second: number(1),
            refused_burst: number(2),
        })
    }

    #[test]
    fn one_store_over_its_quota_does_not_stop_another() {
        let limits = limits(1);
        assert!(limits.admit("a").is_ok());
        assert_eq!(limits.admit("a"), Err(1));
        assert!(limits.admit("b").is_ok());
    }

    #[test]
    fn an_address_may_fail_a_few_times() {
        let limits = limits(1);
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        assert!(limits.refuse(address).is_ok() && limits.refuse(address).is_ok());
        assert_eq!(limits.refuse(address), Err(1));
        assert_eq!(limits.refuse("::ffff:192.0.2.1".parse().expect("an address")), Err(1), "the same address");
        assert!(limits.refuse("192.0.2.2".parse().expect("an address")).is_ok());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_caller() {
        let limits = limits(1);
        for (address, fine) in
            [("2001:db8::1", true), ("2001:db8::2", true), ("2001:db8::3", false), ("2001:db8:0:1::1", true)]
        {
            assert_eq!(limits.refuse(address.parse().expect("an address")).is_ok(), fine, "{address}");
        }
    }
}
