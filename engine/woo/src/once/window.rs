//! Which times count: whether something that looks like what a call made can have been made by it.

use std::time::Duration;

use cartwright_core::{Json, call::Again, time::Timestamp};

/// How far a store's clock is expected to be off.
const CLOCK_SKEW: Duration = Duration::from_secs(2 * 60);

/// The time in which earlier tries can have made something, by the store's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    first: Timestamp,
    last: Timestamp,
}

/// What an object's date says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// While an earlier try could run.
    Then,
    /// It has no date that can be read.
    Perhaps,
    /// By somebody else.
    Otherwise,
}

impl Window {
    pub(super) fn new(again: Again, can_run: Duration) -> Self {
        // Dates have whole seconds, cut off.
        let since = back(again.since, CLOCK_SKEW).as_millis();
        Self {
            first: Timestamp::from_millis(since - since.rem_euclid(1000)),
            last: again.until.plus(can_run + CLOCK_SKEW),
        }
    }

    /// When an object was made, by its `date_created_gmt`.
    pub(super) fn of(self, object: &Json) -> Made {
        match date(object) {
            None => Made::Perhaps,
            Some(made) if made < self.first || made > self.last => Made::Otherwise,
            Some(_) => Made::Then,
        }
    }

    /// Whether a list, newest first, that ends with this object goes back far enough: some stores do not know `after`.
    pub(super) fn is_covered_by(self, oldest: &Json) -> bool {
        date(oldest).is_some_and(|made| made < self.first)
    }

    /// The time from which lists are read, as WooCommerce's `after` takes it: that second is not in the list.
    pub(super) fn after(self) -> String {
        back(self.first, Duration::from_secs(1)).to_utc().format("%Y-%m-%dT%H:%M:%S").to_string()
    }
}

fn back(time: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(time.as_millis().saturating_sub(millis))
}

fn date(object: &Json) -> Option<Timestamp> {
    object.get("date_created_gmt").and_then(Json::as_str).and_then(gmt)
}

/// WooCommerce writes `2026-11-21T01:15:59`, without a zone.
fn gmt(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}Z")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dates_say_who_can_have_made_something() {
        let time = |text: &str| Timestamp::parse(text).expect("a time");
        let again = Again { since: time("2026-11-19T09:00:00.900Z"), until: time("2026-11-21T12:00:00Z") };
        let window = Window::new(again, Duration::from_secs(300));
        let of = |text: &str| window.of(&json!({"date_created_gmt": text}));
        assert_eq!(window.after(), "2026-11-19T08:57:59");
        // What was made in the second of the beginning can be ours.
        assert_eq!(of("2026-11-19T08:57:59"), Made::Otherwise);
        assert_eq!(of("2026-11-19T08:58:00"), Made::Then);
        assert_eq!(of("2026-11-21T12:07:00"), Made::Then);
        assert_eq!(of("2026-11-21T12:07:01Z"), Made::Otherwise);
        assert_eq!(of("yesterday"), Made::Perhaps);
        assert_eq!(window.of(&json!({"date_created_gmt": null})), Made::Perhaps);
        assert!(window.is_covered_by(&json!({"date_created_gmt": "2026-11-19T08:57:59"})));
        assert!(!window.is_covered_by(&json!({"date_created_gmt": "2026-11-19T08:58:00"})));
        assert!(!window.is_covered_by(&json!({})));
    }
}
