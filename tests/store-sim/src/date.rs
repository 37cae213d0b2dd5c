//! Seconds since 1970 and the two ways WordPress writes them: site time and `_gmt`, both without a zone.

use chrono::{DateTime, NaiveDateTime};

/// `2026-11-21T01:15:54`, as every `date_*_gmt` field.
pub fn gmt(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// `Sat, 21 Nov 2026 12:00:00 GMT`, as HTTP's headers.
pub fn http(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The same moment in the shop's own time, as the `date_*` fields without `_gmt`.
pub fn local(seconds: i64, utc_offset_minutes: i32) -> String {
    gmt(seconds + i64::from(utc_offset_minutes) * 60)
}

/// Reads what `rest_parse_date` accepts: date, `T` or space, time, an optional fraction, an optional zone. A time
/// without a zone is taken `utc_offset_minutes` east of Greenwich.
pub fn parse(text: &str, utc_offset_minutes: i32) -> Option<i64> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (stamp, rest) = text.split_at(19);
    let stamp = stamp.replacen([' ', 't'], "T", 1);
    let naive = NaiveDateTime::parse_from_str(&stamp, "%Y-%m-%dT%H:%M:%S").ok()?;
    let zone =
        rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let offset_minutes = match zone {
        "" => utc_offset_minutes,
        "Z" | "z" => 0,
        zone => zone_minutes(zone)?,
    };
    Some(naive.and_utc().timestamp() - i64::from(offset_minutes) * 60)
}

/// `+02`, `+02:00`, `-05:30`.
fn zone_minutes(zone: &str) -> Option<i32> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "00"));
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    Some(sign * (hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_wordpress_reads() {
        for text in
            ["2026-11-21T01:15:54", "2026-11-21 01:15:54", "2026-11-21T01:15:54Z", "2026-11-21T03:15:54.25+02:00"]
        {
            assert_eq!(parse(text, 0), Some(1_795_223_754), "{text}");
        }
        assert_eq!(parse("2026-11-21T01:15:54", 60), Some(1_795_223_754 - 3_600));
        assert_eq!(gmt(1_795_223_754), "2026-11-21T01:15:54");
        assert_eq!(local(1_795_223_754, 60), "2026-11-21T02:15:54");
    }

    #[test]
    fn refuses_what_wordpress_refuses() {
        for text in
            ["notadate", "2026-11-21", "2026-13-21T01:15:54", "2026-11-21T01:15:54+2", "2026-11-21T01:15:5\u{e4}x"]
        {
            assert_eq!(parse(text, 0), None, "{text}");
        }
    }
}
