//! Which times count: whether something that looks like what a call made can have been made by it.

use std::time::Duration;

use cartwright_core::{Json, time::Timestamp};

use super::REQUEST_CAN_RUN;

/// How far a store's clock is expected to be off.
const CLOCK_SKEW: Duration = Duration::from_secs(2 * 60);
/// How long before the last moment at which a try may have been sent it may really have been: after a crash that moment is
/// the restart, and the engine may have been down over a long weekend.
const LOOK_BACK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How far back a list that is too long to be read whole must have been read for its silence to count.
const COVERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The time around the last try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    last: Timestamp,
}

/// What an object's date says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// While the last try could run.
    Then,
    /// Before it, but an earlier try or a wrong clock cannot be excluded.
    Perhaps,
    /// By somebody else.
    Otherwise,
}

impl Window {
    pub(super) fn new(last: Timestamp) -> Self {
        Self { last }
    }

    /// When an object was made, by its `date_created_gmt`.
    pub(super) fn of(self, object: &Json) -> Made {
        let Some(made) = date(object) else { return Made::Perhaps };
        if made > self.last.plus(REQUEST_CAN_RUN + CLOCK_SKEW) {
            Made::Otherwise
        } else if made >= back(self.last, CLOCK_SKEW) {
            Made::Then
        } else if made >= back(self.last, LOOK_BACK) {
            Made::Perhaps
        } else {
            Made::Otherwise
        }
    }

    /// Whether a list, newest first, that ends with this object goes back far enough.
    pub(super) fn is_covered_by(self, oldest: &Json) -> bool {
        date(oldest).is_some_and(|made| made < back(self.last, COVERED))
    }

    /// The time from which lists are read, as WooCommerce's `after` takes it.
    pub(super) fn after(self) -> String {
        back(self.last, LOOK_BACK).to_utc().format("%Y-%m-%dT%H:%M:%S").to_string()
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
        let window = Window::new(Timestamp::parse("2026-11-21T12:00:00Z").expect("a time"));
        let of = |text: &str| window.of(&json!({"date_created_gmt": text}));
        assert_eq!(window.after(), "2026-11-14T12:00:00");
        assert_eq!(of("2026-11-14T11:59:59"), Made::Otherwise);
        assert_eq!(of("2026-11-14T12:00:00"), Made::Perhaps);
        assert!(window.is_covered_by(&json!({"date_created_gmt": "2026-11-20T11:59:59"})));
        assert!(!window.is_covered_by(&json!({"date_created_gmt": "2026-11-20T12:00:00"})));
        assert!(!window.is_covered_by(&json!({})));
        assert_eq!(of("2026-11-21T11:57:59"), Made::Perhaps);
        assert_eq!(of("2026-11-21T11:58:00"), Made::Then);
        assert_eq!(of("2026-11-21T12:07:00"), Made::Then);
        assert_eq!(of("2026-11-21T12:07:01Z"), Made::Otherwise);
        assert_eq!(of("yesterday"), Made::Perhaps);
        assert_eq!(window.of(&json!({"date_created_gmt": null})), Made::Perhaps);
    }
}
