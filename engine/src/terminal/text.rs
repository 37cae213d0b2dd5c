//! Times, spans and texts as people read them.

use std::time::Duration;

use cartwright_core::{Json, time::Timestamp};

/// At most `limit` characters; what is cut is marked with `…`.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}

/// How long before `now` (`12s ago`), or after it (`in 3m`).
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    if time > now {
        return format!("in {}", coarse(time.since(now)));
    }
    let past = now.since(time);
    if past < Duration::from_secs(1) { "just now".into() } else { format!("{} ago", coarse(past)) }
}

/// Roughly how long: `12s`, `3m`, `5h`, `2d`.
pub(super) fn coarse(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long something took: `7ms`, `1.24s`, `2m05s`, `3h02m`, `2d04h`.
pub(crate) fn span(span: Duration) -> String {
    let (millis, seconds) = (span.as_millis(), span.as_secs());
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{:.2}s", span.as_secs_f64()),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A value on one line.
pub(crate) fn one_line(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let now = Timestamp::from_millis(1_000_000_000);
        for (millis, expect) in [
            (0, "just now"),
            (-12_000, "12s ago"),
            (-61_000, "1m ago"),
            (-7_200_000, "2h ago"),
            (-172_800_000, "2d ago"),
            (90_000, "in 1m"),
        ] {
            assert_eq!(ago(Timestamp::from_millis(1_000_000_000 + millis), now), expect);
        }
        for (millis, expect) in [
            (0, "0ms"),
            (7, "7ms"),
            (1_240, "1.24s"),
            (125_000, "2m05s"),
            (10_920_000, "3h02m"),
            (187_200_000, "2d04h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expect);
        }
    }

    #[test]
    fn texts_stay_on_their_line() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(one_line(&serde_json::json!("a\nb\u{1b}[31m")), "a b [31m");
    }
}
