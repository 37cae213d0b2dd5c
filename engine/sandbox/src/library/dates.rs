//! Dates (points in time, shown in a time zone) and durations. Nothing here knows what time it is.

use std::fmt;

use chrono::{
    DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone, Timelike,
};
use chrono_tz::Tz;
use rhai::{Dynamic, Engine, ImmutableString};
use rust_decimal::Decimal;

use crate::error::{Failure, fail};

/// Milliseconds of the latest date, end of the year 9999, and of the earliest, start of the year 1.
const LATEST_MS: i64 = 253_402_300_799_999;
const EARLIEST_MS: i64 = -62_135_596_800_000;
/// Longest duration in milliseconds (about 10,000 years).
const LONGEST_MS: i64 = 315_576_000_000_000;
/// Longest format text in bytes.
const FORMAT_MAX_BYTES: usize = 200;

/// A point in time to the millisecond, with the zone it is shown in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Date(DateTime<Tz>);

/// A signed length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(i64);

impl Date {
    /// RFC 3339, or a date with or without time and zone as stores write them (`2026-11-21T07:00:00`); without a zone
    /// in the text it is `zone`, else UTC.
    pub(crate) fn parse(text: &str, zone: Option<Tz>) -> Option<Self> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Self::from_millis(time.timestamp_millis(), zone.unwrap_or(Tz::UTC));
        }
        let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
            .ok()
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
        Self::local(local, zone.unwrap_or(Tz::UTC))
    }

    /// A time on the clock in a zone: the earlier one where the clock shows it twice, the next that exists where it
    /// is skipped.
    fn local(local: NaiveDateTime, zone: Tz) -> Option<Self> {
        const HALF_HOURS_SKIPPED_AT_MOST: i64 = 48;
        for half_hours in 0..=HALF_HOURS_SKIPPED_AT_MOST {
            let at = local.checked_add_signed(chrono::TimeDelta::minutes(30 * half_hours))?;
            match zone.from_local_datetime(&at) {
                LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => {
                    return Self::from_millis(time.timestamp_millis(), zone);
                }
                LocalResult::None => {}
            }
        }
        None
    }

    fn from_millis(millis: i64, zone: Tz) -> Option<Self> {
        if !(EARLIEST_MS..=LATEST_MS).contains(&millis) {
            return None;
        }
        Some(Self(DateTime::from_timestamp_millis(millis)?.with_timezone(&zone)))
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn millis(&self) -> i64 {
        self.0.timestamp_millis()
    }

    fn plus(&self, millis: i64) -> Result<Self, Failure> {
        let sum = self.millis().checked_add(millis).and_then(|ms| Self::from_millis(ms, self.0.timezone()));
        sum.ok_or_else(|| fail("the date would lie outside the years 1 to 9999"))
    }

    fn moved(&self, local: Option<NaiveDateTime>) -> Result<Self, Failure> {
        local
            .and_then(|local| Self::local(local, self.0.timezone()))
            .ok_or_else(|| fail("the date would lie outside the years 1 to 9999"))
    }

    /// How many whole units lie between two dates, counted on the calendar and the clock of the first one's zone for
    /// days and longer; negative when the second is earlier.
    fn diff(&self, other: &Self, unit: &str) -> Result<i64, Failure> {
        if let Some((_, millis)) = [("millis", 1), ("seconds", 1_000), ("minutes", 60_000), ("hours", 3_600_000)]
            .into_iter()
            .find(|(name, _)| *name == unit)
        {
            return Ok((other.millis() - self.millis()) / millis);
        }
        let (from, to) = (self.0.naive_local(), other.0.with_timezone(&self.0.timezone()).naive_local());
        let months = || {
            let count = i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
            // A month is over when its day and time are reached, or its last day where it is shorter.
            let reached = from.checked_add_months_signed(count).unwrap_or(to);
            match count.signum() {
                1 if reached > to => count - 1,
                -1 if reached < to => count + 1,
                _ => count,
            }
        };
        match unit {
            "days" => Ok((to - from).num_days()),
            "weeks" => Ok((to - from).num_weeks()),
            "months" => Ok(months()),
            "years" => Ok(months() / 12),
            _ => Err(fail(format!(
                "`{unit}` is not a unit; use millis, seconds, minutes, hours, days, weeks, months or years"
            ))),
        }
    }

    fn format(&self, pattern: &str) -> Result<String, Failure> {
        use chrono::format::{Item, StrftimeItems};
        if pattern.len() > FORMAT_MAX_BYTES {
            return Err(fail(format!("a format has at most {FORMAT_MAX_BYTES} bytes")));
        }
        let items: Vec<_> = StrftimeItems::new(pattern).collect();
        if items.iter().any(|item| matches!(item, Item::Error)) {
            return Err(fail("this is not a date format; write it like %Y-%m-%d %H:%M"));
        }
        Ok(self.0.format_with_items(items.into_iter()).to_string())
    }
}

impl fmt::Display for Date {
    /// RFC 3339; `Z` in UTC, the offset elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = if self.0.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        if self.0.timezone() == Tz::UTC {
            return f.write_str(&self.0.to_utc().to_rfc3339_opts(seconds, true));
        }
        f.write_str(&self.0.to_rfc3339_opts(seconds, false))
    }
}

/// Months in both directions; the last day of a month that is too short.
trait SignedMonths: Sized {
    fn checked_add_months_signed(self, months: i64) -> Option<Self>;
}

impl SignedMonths for NaiveDateTime {
    fn checked_add_months_signed(self, months: i64) -> Option<Self> {
        let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 { self.checked_sub_months(count) } else { self.checked_add_months(count) }
    }
}

/// Units with their milliseconds, largest first.
const UNITS: [(&str, i64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Milliseconds of a duration as text: `500ms`, `10s`, `1h30m`, `-2d`.
pub(crate) fn parse_span(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim()),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*millis)?)?;
        rest = after;
    }
    Some(sign * total).filter(|ms| ms.abs() <= LONGEST_MS)
}

impl Span {
    fn new(millis: i64) -> Result<Self, Failure> {
        if millis.unsigned_abs() > LONGEST_MS.unsigned_abs() {
            return Err(fail("the duration is too long"));
        }
        Ok(Self(millis))
    }

    /// Milliseconds.
    pub(crate) fn millis(self) -> i64 {
        self.0
    }

    fn seconds(seconds: Decimal) -> Result<Self, Failure> {
        let millis = seconds.checked_mul(1000.into()).and_then(|ms| i64::try_from(ms.trunc()).ok());
        Self::new(millis.ok_or_else(|| fail("the duration is too long"))?)
    }

    /// In a unit, exact: a whole number where it is one.
    fn total(self, unit_millis: i64) -> Dynamic {
        if self.0 % unit_millis == 0 {
            return Dynamic::from_int(self.0 / unit_millis);
        }
        Dynamic::from_decimal((Decimal::from(self.0) / Decimal::from(unit_millis)).normalize())
    }
}

impl fmt::Display for Span {
    /// As it is written: `1d2h`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut left = self.0.abs();
        for (name, millis) in UNITS.iter().filter(|(name, _)| *name != "w") {
            if left >= *millis {
                write!(f, "{}{name}", left / millis)?;
                left %= millis;
            }
        }
        Ok(())
    }
}

fn zone(name: &str) -> Result<Tz, Failure> {
    name.parse().map_err(|_| fail(format!("`{name}` is not a time zone; write it like Europe/Berlin")))
}

fn date(text: &str, zone: Option<Tz>) -> Result<Date, Failure> {
    Date::parse(text, zone).ok_or_else(|| fail(format!("`{text}` is not a date; write it like 2026-11-21T07:00:00Z")))
}

fn span(text: &str) -> Result<Span, Failure> {
    parse_span(text).map(Span).ok_or_else(|| fail(format!("`{text}` is not a duration; write it like 90s or 1h30m")))
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Date>("date")
        .register_type_with_name::<Span>("duration")
        .register_fn("date", |text: ImmutableString| date(&text, None))
        .register_fn("date", |text: ImmutableString, name: ImmutableString| date(&text, Some(zone(&name)?)))
        .register_fn("date", |seconds: i64| {
            let millis = seconds.checked_mul(1000).and_then(|ms| Date::from_millis(ms, Tz::UTC));
            millis.ok_or_else(|| fail("the date would lie outside the years 1 to 9999"))
        })
        .register_fn("date", |date: Date| date)
        .register_fn("duration", |text: ImmutableString| span(&text))
        .register_fn("duration", |seconds: i64| Span::seconds(seconds.into()))
        .register_fn("duration", |seconds: Decimal| Span::seconds(seconds))
        .register_fn("to_string", |date: Date| date.to_string())
        .register_fn("to_debug", |date: Date| date.to_string())
        .register_fn("to_string", |span: Span| span.to_string())
        .register_fn("to_debug", |span: Span| span.to_string())
        .register_fn("format", |date: Date, pattern: ImmutableString| date.format(&pattern))
        .register_fn("in_zone", |date: Date, name: ImmutableString| {
            Ok::<_, Failure>(Date(date.0.with_timezone(&zone(&name)?)))
        })
        .register_fn("add_days", |date: Date, days: i64| {
            let count = Days::new(days.unsigned_abs());
            let local = date.0.naive_local();
            date.moved(if days < 0 { local.checked_sub_days(count) } else { local.checked_add_days(count) })
        })
        .register_fn("add_months", |date: Date, months: i64| {
            date.moved(date.0.naive_local().checked_add_months_signed(months))
        })
        .register_fn("add_weeks", |date: Date, weeks: i64| {
            let days = weeks.checked_mul(7).and_then(chrono::TimeDelta::try_days);
            date.moved(days.and_then(|days| date.0.naive_local().checked_add_signed(days)))
        })
        .register_fn("add_years", |date: Date, years: i64| {
            let months = years.checked_mul(12);
            date.moved(months.and_then(|months| date.0.naive_local().checked_add_months_signed(months)))
        })
        .register_fn("diff", |date: Date, other: Date, unit: ImmutableString| date.diff(&other, &unit))
        .register_fn("start_of_week", |date: Date| {
            let back = Days::new(u64::from(date.0.weekday().num_days_from_monday()));
            let monday = date.0.date_naive().checked_sub_days(back);
            date.moved(monday.and_then(|day| day.and_hms_opt(0, 0, 0)))
        })
        .register_fn("start_of_year", |date: Date| {
            date.moved(NaiveDate::from_ymd_opt(date.0.year(), 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0)))
        })
        .register_fn("start_of_hour", |date: Date| {
            let into = i64::from(date.0.minute()) * 60_000 + i64::from(date.0.second()) * 1_000;
            date.plus(-(into + i64::from(date.0.timestamp_subsec_millis())))
        })
        .register_fn("start_of_day", |date: Date| date.moved(date.0.date_naive().and_hms_opt(0, 0, 0)))
        .register_fn("start_of_month", |date: Date| {
            date.moved(date.0.date_naive().with_day(1).and_then(|day| day.and_hms_opt(0, 0, 0)))
        })
        .register_fn("+", |date: Date, span: Span| date.plus(span.0))
        .register_fn("+", |span: Span, date: Date| date.plus(span.0))
        .register_fn("-", |date: Date, span: Span| date.plus(-span.0))
        .register_fn("-", |a: Date, b: Date| Span::new(a.millis() - b.millis()))
        .register_fn("+", |a: Span, b: Span| Span::new(a.0 + b.0))
        .register_fn("-", |a: Span, b: Span| Span::new(a.0 - b.0))
        .register_fn("-", |a: Span| Span(-a.0))
        .register_fn("*", |a: Span, by: i64| {
            Span::new(a.0.checked_mul(by).ok_or_else(|| fail("the duration is too long"))?)
        });
    getters(engine);
}

fn getters(engine: &mut Engine) {
    type Field = (&'static str, fn(&Date) -> i64);
    let fields: [Field; 10] = [
        ("year", |date| date.0.year().into()),
        ("month", |date| date.0.month().into()),
        ("day", |date| date.0.day().into()),
        ("hour", |date| date.0.hour().into()),
        ("minute", |date| date.0.minute().into()),
        ("second", |date| date.0.second().into()),
        // Monday is 1, as in ISO 8601.
        ("weekday", |date| date.0.weekday().number_from_monday().into()),
        ("week", |date| date.0.iso_week().week().into()),
        ("timestamp", |date| date.0.timestamp()),
        ("millis", Date::millis),
    ];
    for (name, field) in fields {
        engine.register_get(name, move |date: &mut Date| field(date));
    }
    engine.register_get("zone", |date: &mut Date| date.0.timezone().name().to_owned());
    for (name, unit) in [("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1_000)] {
        engine.register_get(name, move |span: &mut Span| span.total(unit));
    }
    engine.register_get("millis", |span: &mut Span| span.0);
}
