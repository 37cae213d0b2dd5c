//! When a failed attempt is tried again. Pure: jitter comes from a seed, so a replay waits as long as the run did.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::workflow::{RetryPolicy, Step, Workflow};

/// What a step does that says nothing: five tries within about 15 to 30 seconds, enough for a deploy or a short
/// outage, few enough that a person learns of a real fault soon.
pub const DEFAULT_RETRY: RetryPolicy =
    RetryPolicy { attempts: 5, initial: Duration::from_secs(2), factor: 2.0, max: Duration::from_secs(600) };

/// Most tries that a policy may ask for.
pub const MAX_ATTEMPTS: u32 = 100;

/// Longest wait that the other side's `Retry-After` can cause.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause after a call was put off for the first time.
pub const DEFERRAL_FIRST: Duration = Duration::from_secs(5);
/// The longest pause before a call that was put off is asked for again, unless the other side asks for more.
pub const DEFERRAL_PAUSE_MAX: Duration = Duration::from_secs(600);
/// A call that is put off for this long in a row is given up: a store that comes back after a week is a matter for
/// people.
pub const DEFERRAL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The policy of a step: its own, else its workflow's, else [`DEFAULT_RETRY`].
pub fn policy(workflow: &Workflow, step: &Step) -> RetryPolicy {
    step.retry.or(workflow.retry).unwrap_or(DEFAULT_RETRY)
}

/// How long to wait after attempt `failed_attempt` (from 1) failed; `None` when no attempt is left.
///
/// The wait grows by the policy's factor up to its maximum; a quarter of it is jitter, chosen by `jitter_seed`, so
/// that many runs that failed together do not come back together. `retry_after` is what the other side asked for: the
/// shortest wait, at most [`MAX_RETRY_AFTER`].
pub fn delay(
    policy: &RetryPolicy,
    failed_attempt: u32,
    jitter_seed: u64,
    retry_after: Option<Duration>,
) -> Option<Duration> {
    if failed_attempt >= policy.attempts {
        return None;
    }
    Some(pause(policy, failed_attempt, jitter_seed, retry_after))
}

/// How long to wait before a call is asked for again that was put off `times` times in a row (from 1): from
/// [`DEFERRAL_FIRST`] to [`DEFERRAL_PAUSE_MAX`], each wait twice the one before, with jitter as in [`delay`]; at least
/// what the other side asked for.
pub fn deferral_pause(times: u32, jitter_seed: u64, retry_after: Option<Duration>) -> Duration {
    let policy = RetryPolicy { attempts: u32::MAX, initial: DEFERRAL_FIRST, factor: 2.0, max: DEFERRAL_PAUSE_MAX };
    pause(&policy, times, jitter_seed, retry_after)
}

fn pause(policy: &RetryPolicy, failed_attempt: u32, jitter_seed: u64, retry_after: Option<Duration>) -> Duration {
    let exponent = i32::try_from(failed_attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let max = policy.max.as_secs_f64();
    // NaN and infinity end at `max`.
    let full = (policy.initial.as_secs_f64() * policy.factor.max(1.0).powi(exponent)).min(max);
    let jittered = full * (1.0 - 0.25 * fraction(jitter_seed, failed_attempt));
    let wait = Duration::try_from_secs_f64(jittered).unwrap_or(policy.max);
    let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    wait.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
}

/// A number in `0.0..1.0` that looks random and is the same for the same seed and attempt.
fn fraction(seed: u64, attempt: u32) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(attempt.to_be_bytes());
    let digest = hash.finalize();
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: &RetryPolicy, attempt: u32) -> Option<f64> {
        delay(policy, attempt, 7, None).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn waits_grow_up_to_the_maximum_and_end() {
        let policy = RetryPolicy { attempts: 12, max: Duration::from_secs(60), ..DEFAULT_RETRY };
        for (attempt, full) in [(1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (5, 32.0), (6, 60.0), (11, 60.0)] {
            let wait = seconds(&policy, attempt).unwrap();
            assert!(wait <= full && wait >= full * 0.749, "attempt {attempt}: {wait}");
        }
        assert_eq!(seconds(&policy, 12), None);
        assert_eq!(seconds(&policy, u32::MAX), None);
        assert_eq!(seconds(&RetryPolicy { attempts: 1, ..policy }, 1), None);
    }

    #[test]
    fn jitter_is_the_same_for_the_same_seed_and_differs_between_seeds() {
        let wait = |seed| delay(&DEFAULT_RETRY, 3, seed, None);
        assert_eq!(wait(1), wait(1));
        assert!((0..20).any(|seed| wait(seed) != wait(seed + 1)));
    }

    #[test]
    fn retry_after_is_the_shortest_wait_within_its_limit() {
        let ask = |seconds| delay(&DEFAULT_RETRY, 1, 1, Some(Duration::from_secs(seconds)));
        assert_eq!(ask(100), Some(Duration::from_secs(100)));
        assert!(ask(0) > Some(Duration::from_secs(1)));
        assert_eq!(ask(u64::MAX), Some(MAX_RETRY_AFTER));
        assert_eq!(delay(&DEFAULT_RETRY, 5, 1, Some(Duration::from_secs(1))), None);
    }

    #[test]
    fn pauses_of_deferrals_grow_to_ten_minutes_and_never_end() {
        for (times, full) in [(1, 5.0), (2, 10.0), (3, 20.0), (7, 320.0), (8, 600.0), (1_000, 600.0), (u32::MAX, 600.0)]
        {
            let pause = deferral_pause(times, 7, None).as_secs_f64();
            assert!(pause <= full && pause >= full * 0.749, "time {times}: {pause}");
        }
        assert!((0..20).any(|seed| deferral_pause(3, seed, None) != deferral_pause(3, seed + 1, None)));
        assert_eq!(deferral_pause(1, 7, Some(Duration::from_secs(600))), Duration::from_secs(600));
        assert_eq!(deferral_pause(1, 7, Some(Duration::MAX)), MAX_RETRY_AFTER);
    }

    #[test]
    fn odd_policies_do_not_panic() {
        for factor in [0.0, 1.0, f64::MAX, f64::INFINITY, f64::NAN] {
            let policy = RetryPolicy { attempts: u32::MAX, initial: Duration::MAX, factor, max: Duration::MAX };
            assert!(delay(&policy, 1_000_000, 1, None).is_some());
        }
    }
}
