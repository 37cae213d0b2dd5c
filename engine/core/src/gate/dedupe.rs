//! `dedupe`: one event per key and window. The window begins with the event that passed; duplicates do not extend it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::{EventId, RunId},
    time::Timestamp,
};

/// The event that passed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Which.
    pub event: EventId,
    /// The run it started, or will start, where that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// When it was accepted.
    pub at: Timestamp,
    /// The window that counted then.
    pub window_ms: u64,
}

impl Passed {
    /// When the next one may pass.
    pub fn until(&self, window: Duration) -> Timestamp {
        self.at.plus(window)
    }

    /// The window that counted when it passed.
    pub fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

/// Whether an event that was accepted at `at` is a duplicate. An event that was accepted before the one that passed and
/// is looked at after it counts as one.
pub fn is_duplicate(passed: Option<&Passed>, window: Duration, at: Timestamp) -> bool {
    passed.is_some_and(|passed| at < passed.until(window))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the list of all that passed: an event passes exactly when none passed in the window before it.
        #[test]
        fn one_passes_per_window(gaps in proptest::collection::vec(0i64..50, 1..60), window in 1u64..120) {
            let window = Duration::from_millis(window);
            let (mut state, mut passed, mut at) = (None::<Passed>, Vec::<Timestamp>::new(), 0);
            for gap in gaps {
                at += gap;
                let now = Timestamp::from_millis(at);
                let expected = passed.iter().any(|before| now.since(*before) < window);
                prop_assert_eq!(is_duplicate(state.as_ref(), window, now), expected);
                if !expected {
                    let event = EventId::new(now, [0; 10]);
                    let window_ms = window.as_millis() as u64;
                    state = Some(Passed { event, run: None, at: now, window_ms });
                    passed.push(now);
                }
            }
        }
    }

    #[test]
    fn an_older_event_that_comes_late_is_a_duplicate() {
        let at = Timestamp::from_millis(1_000);
        let passed = Passed { event: EventId::new(at, [0; 10]), run: None, at, window_ms: 10 };
        assert!(is_duplicate(Some(&passed), passed.window(), Timestamp::from_millis(995)));
        assert!(!is_duplicate(Some(&passed), passed.window(), Timestamp::from_millis(1_010)));
        assert!(!is_duplicate(None, passed.window(), at));
    }
}
