//! A point in time: comes from the host's clock or from texts such as WooCommerce's `date_created_gmt`, goes out as
//! RFC 3339. Small on purpose: no time zones, no calendars but the Gregorian.

use std::{borrow::Cow, fmt, ops, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const DAY_MS: u64 = 24 * 3600 * 1_000;
/// The last moment that can be written with four digits of year: 9999-12-31T23:59:59.999Z.
const LAST_MS: u64 = 253_402_300_799_999;

/// A point in time from 1970 to 9999, in milliseconds. As JSON it is an RFC 3339 text.
///
/// ```
/// use cartwright_plugin::clock::Moment;
///
/// let paid: Moment = "2026-01-02T03:04:05".parse()?; // as WooCommerce writes its `…_gmt` fields
/// assert_eq!(paid.to_string(), "2026-01-02T03:04:05Z");
/// assert_eq!("2026-01-02T05:04:05+02:00".parse::<Moment>()?, paid);
/// # Ok::<(), cartwright_plugin::clock::NoMoment>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMoment(String);

impl fmt::Display for NoMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no time such as 2026-01-02T03:04:05Z", self.0)
    }
}

impl std::error::Error for NoMoment {}

impl From<NoMoment> for crate::Failure {
    fn from(error: NoMoment) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl Moment {
    /// From milliseconds since 1970-01-01T00:00:00Z; what is later than the year 9999 becomes its end.
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LAST_MS { LAST_MS } else { millis })
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// How long before this moment the other was; nothing when it is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Days since 1970-01-01, in UTC.
    pub const fn day(self) -> u64 {
        self.0 / DAY_MS
    }
}

impl ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl ops::Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.day());
        let seconds = self.0 % DAY_MS / 1_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match self.0 % 1_000 {
            0 => f.write_str("Z"),
            millis => write!(f, ".{millis:03}Z"),
        }
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    /// RFC 3339, or a date alone (midnight); without an offset it is UTC.
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        parse(text).ok_or_else(|| NoMoment(text.chars().filter(|c| !c.is_control()).take(40).collect()))
    }
}

fn parse(text: &str) -> Option<Moment> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let midnight = i64::try_from(days(year, month, day) * DAY_MS).ok()?;
    let millis = midnight + time.map_or(Some(0), time_of_day)?;
    u64::try_from(millis).ok().filter(|millis| *millis <= LAST_MS).map(Moment)
}

/// `03:04:05.678+02:00` as milliseconds after midnight UTC, which may be negative.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset_minutes) = match text.rfind(['Z', 'z', '+', '-']) {
        None => (text, 0),
        Some(at) if text[at..].eq_ignore_ascii_case("z") => (&text[..at], 0),
        Some(at) => {
            let (hours, minutes) = text[at + 1..].split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            let offset = i64::try_from(hours * 60 + minutes).ok().filter(|_| hours < 24 && minutes < 60)?;
            (&text[..at], if text[at..].starts_with('-') { -offset } else { offset })
        }
    };
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = match fraction {
        None => 0,
        Some(fraction) if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) => return None,
        Some(fraction) => digits(&format!("{fraction:0<3}")[..3], 3)?,
    };
    let total = i64::try_from(((hour * 60 + minute) * 60 + second) * 1_000 + millis).ok()?;
    Some(total - offset_minutes * 60_000)
}

fn digits(text: &str, length: usize) -> Option<u64> {
    (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

const fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of a year that starts in March, so that the leap day is its last: the well-known trick of Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The way back: year, month and day of a day since 1970.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Not `format: date-time`, which asks for an offset that WooCommerce does not write.
        json_schema!({ "type": "string", "description": "A time such as 2026-01-02T03:04:05Z" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_moments_and_texts_again() {
        let rows = [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2000-02-29T12:30:15.5Z", 951_827_415_500, "2000-02-29T12:30:15.500Z"),
            ("2026-01-02T03:04:05", 1_767_323_045_000, "2026-01-02T03:04:05Z"),
            ("2026-01-02 03:04:05-01:30", 1_767_328_445_000, "2026-01-02T04:34:05Z"),
            ("2026-01-02", 1_767_312_000_000, "2026-01-02T00:00:00Z"),
            ("9999-12-31T23:59:59.9999Z", LAST_MS, "9999-12-31T23:59:59.999Z"),
        ];
        for (text, millis, again) in rows {
            let moment: Moment = text.parse().expect(text);
            assert_eq!((moment.millis(), moment.to_string().as_str()), (millis, again), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..146_097 {
            let (year, month, number) = civil(day);
            assert_eq!(days(year, month, number), day);
            assert!(number <= days_of(year, month));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "1969-12-31",
            "2026-1-1",
            "2026-01-02T",
            "2026-01-02T03:04",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05.xZ",
            "2026-01-02T03:04:05+2:00",
            "2026-01-02T03:04:05+24:00",
            "1970-01-01T00:00:00+01:00",
            "2026-01-02T03:04:05ZZ",
            "2026-01-02T03:04:05é",
            "2026-01-02T0é:04:05",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text} was taken");
        }
        let error = "x\n".repeat(100).parse::<Moment>().expect_err("no time").to_string();
        assert!(error.len() < 100 && error.contains("is no time"), "{error}");
    }

    #[test]
    fn moments_are_counted_with() {
        let moment = Moment::from_millis(DAY_MS);
        assert_eq!((moment - Duration::from_secs(3600)).to_string(), "1970-01-01T23:00:00Z");
        assert_eq!((moment + Duration::from_secs(1)).since(moment), Duration::from_secs(1));
        assert_eq!(moment.since(moment + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(moment + Duration::MAX, Moment::from_millis(u64::MAX));
        assert_eq!(moment - Duration::MAX, Moment::from_millis(0));
    }
}
