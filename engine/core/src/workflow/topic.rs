//! Topics (`order.created`) and patterns of topics (`order.*`, `*`).

/// Longest topic or pattern.
pub const MAX_TOPIC_BYTES: usize = 200;

/// Whether a text is a topic; the error says why not.
pub fn check_topic(text: &str) -> Result<(), String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(fine);
    if text.len() <= MAX_TOPIC_BYTES && text.split('.').all(segment) {
        return Ok(());
    }
    let shown: String = text.chars().take(60).collect();
    Err(format!("`{shown}` is not a topic: use words of a-z, A-Z, 0-9, `_` and `-`, joined by `.`"))
}

/// Whether a text is a topic, `*`, or a topic whose last segment is `*`.
pub fn check_pattern(text: &str) -> Result<(), String> {
    match text.strip_suffix(".*") {
        _ if text == "*" => Ok(()),
        Some(prefix) => check_topic(prefix),
        None if text.contains('*') => Err(format!(
            "`{}` has `*` in the wrong place: it stands for the last segments, as in `order.*`",
            super::node::shorten(text)
        )),
        None => check_topic(text),
    }
}

/// Whether a topic fits a pattern; `*` stands for one or more last segments.
pub fn matches(pattern: &str, topic: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => topic.len() > prefix.len() && topic.starts_with(prefix),
        None => pattern == topic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_last_segments() {
        for (pattern, topic, fits) in [
            ("order.created", "order.created", true),
            ("order.created", "order.created.x", false),
            ("order.*", "order.created", true),
            ("order.*", "order.status.changed", true),
            ("order.*", "order", false),
            ("order.*", "orders.created", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, topic), fits, "{pattern} {topic}");
        }
    }

    #[test]
    fn hostile_topics_are_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "a b", "ä", "a/b", "a\n", &"a".repeat(201)] {
            assert!(check_topic(text).is_err(), "{text}");
            assert!(check_pattern(text).is_err(), "{text}");
        }
        for text in ["*.created", "order*", "a.*.b", "**", ".*"] {
            assert!(check_pattern(text).is_err(), "{text}");
        }
    }
}
