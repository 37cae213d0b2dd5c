//! Cron expressions of five fields with Unix meaning, and when they are due next.
//!
//! The fields are read here and handed to the `cron` crate in its own dialect (a field for seconds, Sunday is 1). The
//! crate only answers in calendar time; what daylight saving does to that is decided here, as cron has always done:
//! a fixed hour that does not exist comes right after the gap, one that exists twice comes once; `*` in the hour
//! field follows the clock through both.

use chrono::{DateTime, Duration as Span, LocalResult, NaiveDateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::CronExpression;
use crate::time::Timestamp;

/// No time zone shifts its clock by more at once.
const MAX_SHIFT_HOURS: i64 = 3;

/// Longest accepted expression.
const MAX_SOURCE_BYTES: usize = 200;

/// How many occurrences are looked at around a shift of the clock: every minute of it, twice.
const MAX_CANDIDATES: usize = 2 * 60 * 2 * MAX_SHIFT_HOURS as usize;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names of the values from `min` on.
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, words: &[] },
    Field { name: "hour", min: 0, max: 23, words: &[] },
    Field { name: "day of month", min: 1, max: 31, words: &[] },
    Field { name: "month", min: 1, max: 12, words: &MONTHS },
    Field { name: "day of week", min: 0, max: 7, words: &DAYS },
];

impl CronExpression {
    /// Reads five fields (minute, hour, day of month, month, day of week) or one of `@hourly`, `@daily`, `@weekly`,
    /// `@monthly`, `@yearly`. The error says what to write instead.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(format!("a cron expression has at most {MAX_SOURCE_BYTES} characters"));
        }
        let text = match source.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            text => text,
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(format!(
                "`{source}` has {} fields: a cron expression has five (minute, hour, day of month, month, day of week), such as `0 7 * * MON-FRI`",
                parts.len()
            ));
        };
        let [minutes, hours, days, months, weekdays] = [
            field(&FIELDS[0], minute)?,
            field(&FIELDS[1], hour)?,
            field(&FIELDS[2], day)?,
            field(&FIELDS[3], month)?,
            field(&FIELDS[4], weekday)?,
        ];
        // The crate counts Sunday as 1.
        let weekdays: Vec<u32> = weekdays.into_iter().map(|day| day % 7 + 1).collect();
        let day_text = list(day, &days);
        let weekday_text = list(weekday, &weekdays);
        let build = |days: &str, weekdays: &str| {
            let text = format!(
                "0 {} {} {days} {} {weekdays} *",
                list(minute, &minutes),
                list(hour, &hours),
                list(month, &months)
            );
            text.parse::<cron::Schedule>().map_err(|error| format!("`{source}` is not a cron expression: {error}"))
        };
        // Unix: a field with `*` restricts nothing by itself; when neither day field has one, either may match.
        let schedules = match day.contains('*') || weekday.contains('*') {
            true => vec![build(&day_text, &weekday_text)?],
            false => vec![build(&day_text, "*")?, build("*", &weekday_text)?],
        };
        let expression = Self { source: source.trim().to_owned(), schedules, every_hour: hour.starts_with('*') };
        match expression.next_local(NaiveDateTime::default()) {
            Some(_) => Ok(expression),
            None => Err(format!("`{source}` never comes: no month has that day")),
        }
    }

    /// The first time it is due after `after`, in the given time zone; `None` past the end of the calendar (2100).
    pub fn next_after(&self, after: Timestamp, tz: Tz) -> Option<Timestamp> {
        let after = after.to_utc();
        let local = after.with_timezone(&tz).naive_local();
        let first = self.next_local(local)?;
        if let LocalResult::Single(time) = tz.from_local_datetime(&first)
            && time.offset().fix() == after.with_timezone(&tz).offset().fix()
        {
            return Some(Timestamp::from_millis(time.timestamp_millis()));
        }
        self.next_around_a_shift(after, local, tz)
    }

    /// The clock shifts between `after` and the next occurrence, or the calendar shows one hour twice: compares the
    /// instants of all occurrences near by.
    fn next_around_a_shift(&self, after: DateTime<Utc>, local: NaiveDateTime, tz: Tz) -> Option<Timestamp> {
        let mut best: Option<DateTime<Tz>> = None;
        let mut cursor = local - Span::hours(MAX_SHIFT_HOURS);
        for _ in 0..MAX_CANDIDATES {
            let Some(next) = self.next_local(cursor) else { break };
            // Later calendar times cannot be earlier instants once the largest shift is passed.
            if best.as_ref().is_some_and(|best| next > best.naive_local() + Span::hours(MAX_SHIFT_HOURS)) {
                break;
            }
            let instants = match tz.from_local_datetime(&next) {
                LocalResult::Single(time) => [Some(time), None],
                LocalResult::Ambiguous(first, second) => [Some(first), self.every_hour.then_some(second)],
                LocalResult::None if self.every_hour => [None, None],
                LocalResult::None => [after_gap(next, tz), None],
            };
            for time in instants.into_iter().flatten() {
                if time > after && best.as_ref().is_none_or(|best| time < *best) {
                    best = Some(time);
                }
            }
            cursor = next;
        }
        best.map(|time| Timestamp::from_millis(time.timestamp_millis()))
    }

    /// The next match in calendar time.
    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let after = Utc.from_utc_datetime(&after);
        let next = |schedule: &cron::Schedule| schedule.after(&after).next();
        self.schedules.iter().filter_map(next).min().map(|time| time.naive_utc())
    }
}

/// The first instant after the gap that swallows a calendar time.
fn after_gap(local: NaiveDateTime, tz: Tz) -> Option<DateTime<Tz>> {
    let minutes = (1..=MAX_SHIFT_HOURS * 60).map(|minutes| local + Span::minutes(minutes));
    minutes.filter_map(|local| tz.from_local_datetime(&local).earliest()).next()
}

/// A field for the crate: `*` stays, everything else is a list of numbers.
fn list(text: &str, values: &[u32]) -> String {
    match text {
        "*" | "?" => "*".to_owned(),
        _ => values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
    }
}

fn field(field: &Field, text: &str) -> Result<Vec<u32>, String> {
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, 1),
            Some((range, step)) => {
                let step = step.parse::<u32>().ok().filter(|step| (1..=field.max).contains(step));
                let step = step.ok_or_else(|| {
                    format!("`{part}` in the {} field: the step is a number from 1 to {}", field.name, field.max)
                })?;
                (range, step)
            }
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (field.min, field.max),
            Some((from, to)) => (value(field, from)?, value(field, to)?),
            None if step > 1 || part.contains('/') => {
                return Err(format!("`{part}` in the {} field: a step needs a range, such as `*/{step}`", field.name));
            }
            None => {
                let value = value(field, range)?;
                (value, value)
            }
        };
        // `FRI-SUN`: Sunday as the end of a range is 7.
        let to = if field.max == 7 && to == 0 && from > 0 { 7 } else { to };
        if from > to {
            return Err(format!(
                "`{part}` in the {} field runs backwards: write two ranges joined by a comma",
                field.name
            ));
        }
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        values.extend((from..=to).step_by(step));
    }
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn value(field: &Field, text: &str) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    if let Some(index) = field.words.iter().position(|word| *word == lower) {
        return Ok(field.min + u32::try_from(index).unwrap_or(0));
    }
    let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    number.filter(|number| (field.min..=field.max).contains(number)).ok_or_else(|| {
        let words = match (field.words.first(), field.words.last()) {
            (Some(first), Some(last)) => format!(" or a name from {} to {}", first.to_uppercase(), last.to_uppercase()),
            _ => String::new(),
        };
        format!("`{text}` in the {} field: write a number from {} to {}{words}", field.name, field.min, field.max)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, tz: Tz, after: &str, count: usize) -> Vec<String> {
        let cron = CronExpression::parse(cron).unwrap();
        let mut at = Timestamp::parse(after).unwrap();
        let mut out = Vec::new();
        for _ in 0..count {
            at = cron.next_after(at, tz).unwrap();
            out.push(at.to_utc().with_timezone(&tz).format("%a %m-%d %H:%M%:z").to_string());
        }
        out
    }

    fn utc(cron: &str, after: &str, count: usize) -> Vec<String> {
        times(cron, Tz::UTC, after, count).into_iter().map(|time| time.replace("+00:00", "")).collect()
    }

    #[test]
    fn unix_meaning() {
        let start = "2026-11-21T07:00:00Z"; // a Saturday
        assert_eq!(utc("0 7 * * MON-FRI", start, 2), ["Mon 11-23 07:00", "Tue 11-24 07:00"]);
        assert_eq!(utc("0 7 * * 0", start, 1), ["Sun 11-22 07:00"]);
        assert_eq!(utc("0 7 * * 7", start, 1), ["Sun 11-22 07:00"]);
        assert_eq!(utc("0 7 * * sun", start, 1), ["Sun 11-22 07:00"]);
        assert_eq!(utc("0 7 * * FRI-SUN", start, 2), ["Sun 11-22 07:00", "Fri 11-27 07:00"]);
        assert_eq!(utc("*/20 7 * * *", start, 3), ["Sat 11-21 07:20", "Sat 11-21 07:40", "Sun 11-22 07:00"]);
        assert_eq!(utc("0 0 1 JAN *", start, 1), ["Fri 01-01 00:00"]);
        assert_eq!(
            utc("10-14/2,59 * * * *", start, 4),
            ["Sat 11-21 07:10", "Sat 11-21 07:12", "Sat 11-21 07:14", "Sat 11-21 07:59"]
        );
        assert_eq!(utc("@daily", start, 1), ["Sun 11-22 00:00"]);
        assert_eq!(utc("0 0 29 2 *", start, 1), ["Tue 02-29 00:00"]);
    }

    #[test]
    fn two_restricted_day_fields_mean_either() {
        let start = "2026-11-21T07:00:00Z";
        assert_eq!(utc("0 0 25 * MON", start, 3), ["Mon 11-23 00:00", "Wed 11-25 00:00", "Mon 11-30 00:00"]);
        assert_eq!(utc("0 0 */2 * MON", start, 1), ["Mon 11-23 00:00"]);
    }

    #[test]
    fn a_fixed_hour_in_the_gap_comes_right_after_it() {
        let tz = chrono_tz::Europe::Berlin; // 2027-03-28 02:00 → 03:00
        assert_eq!(
            times("30 2 * * *", tz, "2027-03-27T00:00:00Z", 3),
            ["Sat 03-27 02:30+01:00", "Sun 03-28 03:00+02:00", "Mon 03-29 02:30+02:00"]
        );
    }

    #[test]
    fn a_fixed_hour_that_exists_twice_comes_once() {
        let tz = chrono_tz::Europe::Berlin; // 2026-10-25 03:00 → 02:00
        assert_eq!(
            times("30 2 * * *", tz, "2026-10-24T12:00:00Z", 2),
            ["Sun 10-25 02:30+02:00", "Mon 10-26 02:30+01:00"]
        );
    }

    #[test]
    fn every_hour_follows_the_clock_through_both_shifts() {
        let tz = chrono_tz::Europe::Berlin;
        assert_eq!(
            times("30 * * * *", tz, "2026-10-24T23:00:00Z", 4),
            ["Sun 10-25 01:30+02:00", "Sun 10-25 02:30+02:00", "Sun 10-25 02:30+01:00", "Sun 10-25 03:30+01:00"]
        );
        assert_eq!(
            times("30 * * * *", tz, "2027-03-28T00:00:00Z", 3),
            ["Sun 03-28 01:30+01:00", "Sun 03-28 03:30+02:00", "Sun 03-28 04:30+02:00"]
        );
        assert_eq!(times("* * * * *", tz, "2026-10-25T00:59:00Z", 1), ["Sun 10-25 02:00+01:00"]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, hint) in [
            ("", "has 0 fields"),
            ("* * * * * *", "has 6 fields"),
            ("60 * * * *", "minute field"),
            ("* 24 * * *", "hour field"),
            ("* * 0 * *", "day of month field"),
            ("* * * 13 *", "JAN to DEC"),
            ("* * * * 8", "SUN to SAT"),
            ("*/0 * * * *", "step"),
            ("5/10 * * * *", "needs a range"),
            ("30-10 * * * *", "backwards"),
            ("1,,2 * * * *", "minute field"),
            ("0 0 30 2 *", "never comes"),
            ("+5 * * * *", "minute field"),
        ] {
            let error = CronExpression::parse(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
        assert!(CronExpression::parse(&"1,".repeat(1_000)).is_err());
    }

    /// Goes through every minute of a stretch and asks which calendar minutes the expression names: the slow truth.
    fn by_hand(cron: &CronExpression, after: Timestamp, tz: Tz, hours: i64) -> Vec<Timestamp> {
        let minute_ms = 60_000;
        let first = after.as_millis().div_euclid(minute_ms) + 1;
        let mut out = Vec::new();
        let matches = |local: NaiveDateTime| cron.next_local(local - Span::seconds(1)) == Some(local);
        let mut previous: Option<NaiveDateTime> = None;
        for minute in first - 240..first + hours * 60 {
            let at = Timestamp::from_millis(minute * minute_ms);
            let local = at.to_utc().with_timezone(&tz).naive_local();
            let repeated = matches!(tz.from_local_datetime(&local), LocalResult::Ambiguous(first, _) if first.timestamp_millis() < at.as_millis());
            // What the clock jumped over, for expressions with a fixed hour.
            let skipped = previous.is_some_and(|previous| {
                let jumped = (local - previous).num_minutes();
                !cron.every_hour && jumped > 1 && (1..jumped).any(|minute| matches(previous + Span::minutes(minute)))
            });
            if (matches(local) && (cron.every_hour || !repeated)) || skipped {
                out.push(at);
            }
            previous = Some(local);
        }
        out.retain(|at| *at > after);
        out
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

        #[test]
        fn agrees_with_the_clock_minute_by_minute(
            minute in proptest::sample::select(vec!["0", "30", "*/20", "15,45"]),
            hour in proptest::sample::select(vec!["*", "*/2", "2", "1-3", "0", "23", "3"]),
            days in proptest::sample::select(vec!["* * *", "* * 0", "25,28 * *", "25 * SUN"]),
            zone in proptest::sample::select(vec![Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::America__Santiago, Tz::Asia__Kolkata]),
            shift in proptest::sample::select(vec!["2026-10-24T20:00:00Z", "2027-03-27T20:00:00Z", "2026-11-01T00:00:00Z", "2027-03-13T23:00:00Z", "2027-04-03T10:00:00Z", "2026-10-03T10:00:00Z", "2026-09-06T00:00:00Z", "2027-04-03T23:00:00Z"]),
            later_ms in 0i64..6 * 3_600_000,
        ) {
            let cron = CronExpression::parse(&format!("{minute} {hour} {days}")).unwrap();
            let after = Timestamp::from_millis(Timestamp::parse(shift).unwrap().as_millis() + later_ms);
            let hours = 40;
            let end = after.plus(std::time::Duration::from_secs(hours as u64 * 3_600));
            let mut fast = Vec::new();
            let mut at = after;
            while let Some(next) = cron.next_after(at, zone).filter(|next| *next < end) {
                fast.push(next);
                at = next;
            }
            let mut slow = by_hand(&cron, after, zone, hours);
            slow.retain(|at| *at < end);
            slow.dedup();
            proptest::prop_assert_eq!(fast, slow, "{} in {} after {}", cron.source, zone, after);
        }
    }
}
