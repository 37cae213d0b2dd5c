//! Times as people say them on the command line: a moment, a day, or how long ago.

use std::{str::FromStr, time::Duration};

use cartwright_core::{time::Timestamp, workflow::parse_duration};

/// A time in the past, said in one of two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// This time.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl When {
    /// The time that is meant.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => {
                let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_millis(now.as_millis().saturating_sub(millis).max(0))
            }
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")));
        match time.filter(|time| time.as_millis() >= 0) {
            Some(time) => Ok(Self::At(time)),
            None => parse_duration(text).map(Self::Ago).map_err(|_| {
                "write how long ago (2h, 3d), a day (2026-11-21, UTC) or a time (2026-11-21T07:00:00Z)".to_owned()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_say_times_in_three_ways() {
        let now = Timestamp::parse("2026-11-21T10:00:00Z").expect("a time");
        for (text, meant) in [
            ("2h", "2026-11-21T08:00:00Z"),
            ("1d12h", "2026-11-19T22:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-21T07:00:00+01:00", "2026-11-21T06:00:00Z"),
        ] {
            let when: When = text.parse().expect(text);
            assert_eq!(Some(when.resolve(now)), Timestamp::parse(meant), "{text}");
        }
        assert_eq!(When::Ago(Duration::MAX).resolve(now), Timestamp::from_millis(0));
        for text in ["", "yesterday", "2026-13-01", "5", "-2h", "1969-01-01", "2026-11-21T07:00"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
