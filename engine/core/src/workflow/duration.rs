//! Durations as people write them: `500ms`, `10s`, `5m`, `2h`, `3d`, `1w`, and sums such as `1h30m`.

use std::time::Duration;

/// No duration is longer: ten years.
pub const MAX_DURATION: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);

/// Units with their milliseconds, longest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration. The error says what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write a number with a unit, such as `500ms`, `10s`, `5m`, `2h`, `3d`, `1w` or `1h30m`";
    let shown: String = text.chars().take(40).collect();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("the duration is empty: {HOW}"));
    }
    let mut total_ms: u64 = 0;
    let mut last_unit = None;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        if digits == 0 {
            return Err(format!("`{shown}` is not a duration: {HOW}"));
        }
        if unit.is_empty() {
            return Err(match rest[digits..].starts_with(['.', ',']) {
                true => format!("`{shown}` has a fraction: write it as a sum of whole units, such as `1h30m`"),
                false => format!("`{shown}` lacks a unit: {HOW}"),
            });
        }
        let Some(rank) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` is not a unit of time: {HOW}"));
        };
        if last_unit.is_some_and(|last| rank <= last) {
            return Err(format!("`{shown}` is out of order: write longer units first, each once, such as `1h30m`"));
        }
        last_unit = Some(rank);
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(UNITS[rank].1));
        total_ms = part
            .and_then(|part| total_ms.checked_add(part))
            .filter(|total| Duration::from_millis(*total) <= MAX_DURATION)
            .ok_or_else(|| {
                format!("`{shown}` is too long: the longest duration is {}", format_duration(MAX_DURATION))
            })?;
        rest = &rest[digits + letters..];
    }
    Ok(Duration::from_millis(total_ms))
}

/// Writes a duration the way [`parse_duration`] reads it, without weeks; below a millisecond is cut.
pub fn format_duration(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, unit_ms) in &UNITS[1..] {
        let count = rest_ms / unit_ms;
        rest_ms %= unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, ms, back) in [
            ("500ms", 500, "500ms"),
            ("10s", 10_000, "10s"),
            ("5m", 300_000, "5m"),
            ("2h", 7_200_000, "2h"),
            ("3d", 259_200_000, "3d"),
            ("1w", 604_800_000, "7d"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1w2d3h4m5s6ms", 788_645_006, "9d3h4m5s6ms"),
            ("0s", 0, "0s"),
            ("90m", 5_400_000, "1h30m"),
            (" 5m ", 300_000, "5m"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms), "{text}");
            assert_eq!(format_duration(duration), back, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, hint) in [
            ("", "empty"),
            ("5", "lacks a unit"),
            ("1.5h", "fraction"),
            ("5 m", "lacks a unit"),
            ("m", "not a duration"),
            ("-5m", "not a duration"),
            ("5min", "not a unit"),
            ("5M", "not a unit"),
            ("30m1h", "out of order"),
            ("1m1m", "out of order"),
            ("99999w", "too long"),
            ("99999999999999999999w", "too long"),
            ("3651d", "too long"),
            ("５m", "not a duration"),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
