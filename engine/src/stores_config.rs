//! `[stores]`: limits of calls to stores, as written in the configuration and as the client takes them.

use std::{num::NonZeroU32, time::Duration};

use cartwright_core::workflow::parse_duration;
use cartwright_woo::ClientOptions;
use serde::Deserialize;

use crate::failure::{Result, usage};

/// `[stores]`: what holds for calls to each of all stores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoresFile {
    /// In the long run.
    requests_per_second: Option<u32>,
    /// At once after a quiet time; as many as a second's where it is absent.
    burst: Option<u32>,
    /// On their way at the same time.
    concurrency: Option<u32>,
    /// How long a store may work on a request whose answer was lost, as `5m`: PHP's and its web server's limits.
    request_can_run: Option<String>,
}

impl StoresFile {
    /// As the client takes them.
    pub(crate) fn options(&self) -> Result<ClientOptions> {
        let usual = ClientOptions::default();
        let bounded = |name: &str, given: Option<u32>| match given {
            None => Ok(None),
            Some(given) => NonZeroU32::new(given).filter(|n| n.get() <= STORE_LIMIT_MAX).map(Some).ok_or_else(|| {
                usage(format!("`{name}` under [stores] is {given}: write a number from 1 to {STORE_LIMIT_MAX}"))
            }),
        };
        let requests_per_second = bounded("requests_per_second", self.requests_per_second)?;
        let burst = bounded("burst", self.burst)?.or(requests_per_second).unwrap_or(usual.burst);
        let at_once = bounded("concurrency", self.concurrency)?.map(|n| n.get() as usize);
        Ok(ClientOptions {
            requests_per_second: requests_per_second.unwrap_or(usual.requests_per_second),
            burst,
            requests_at_once: at_once.unwrap_or(usual.requests_at_once),
            request_can_run: self.request_can_run(usual.request_can_run)?,
            ..usual
        })
    }

    fn request_can_run(&self, usual: Duration) -> Result<Duration> {
        let Some(text) = &self.request_can_run else { return Ok(usual) };
        let wrong = |why: String| usage(format!("`request_can_run` under [stores]: {why}"));
        let time = parse_duration(text).map_err(wrong)?;
        if !(REQUEST_CAN_RUN_MIN..=REQUEST_CAN_RUN_MAX).contains(&time) {
            return Err(wrong(format!("`{text}` is not between 1s and 1d; 5m is usual")));
        }
        Ok(time)
    }
}

/// Shorter than any request takes would repeat writes that are still being made.
const REQUEST_CAN_RUN_MIN: Duration = Duration::from_secs(1);
/// Nobody waits longer for a lost answer.
const REQUEST_CAN_RUN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Of requests to one store: no shop takes more, and more would be no limit.
const STORE_LIMIT_MAX: u32 = 1_000;
