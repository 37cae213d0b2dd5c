//! Money and dates against other ways to calculate them: whole cents, and chrono itself.

use cartwright_core::Json;
use chrono::{Datelike as _, Days, Duration, Months, NaiveDate, NaiveDateTime, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{World, eval, sandbox};

const ZONES: [Tz; 5] =
    [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Asia__Kolkata];

/// `-1234` cents as a store writes them.
fn text(cents: i64) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

fn value(source: &str, data: Json) -> Json {
    thread_local!(static SANDBOX: cartwright_sandbox::Sandbox = sandbox());
    let world = World::with_event(data);
    SANDBOX.with(|sandbox| eval(sandbox, source, &world)).unwrap_or_else(|error| panic!("{source}: {}", error.message))
}

fn local() -> impl Strategy<Value = NaiveDateTime> {
    (1971i32..2090, 1u32..=366, 0i64..86_400).prop_filter_map("a day of the year", |(year, day, seconds)| {
        Some(NaiveDate::from_yo_opt(year, day)?.and_hms_opt(0, 0, 0)? + Duration::seconds(seconds))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_money_are_exact(cents in prop::collection::vec(-10_000_000_000i64..10_000_000_000, 0..40)) {
        let lines: Vec<Json> = cents.iter().map(|cents| json!({ "total": text(*cents) })).collect();
        let total: i64 = cents.iter().sum();
        let data = json!({ "lines": lines });
        prop_assert_eq!(value("money(sum(event.data.lines, \"total\"))", data.clone()), json!(text(total)));
        prop_assert_eq!(value("cents(sum(event.data.lines, \"total\"))", data), json!(total));
    }

    #[test]
    fn taxes_round_half_up_to_the_cent(cents in -1_000_000_000i64..1_000_000_000, percent in 0i64..=100) {
        // In hundredths of a cent, then half up and away from zero.
        let exact = cents * percent;
        let rounded = (exact.abs() + 50) / 100 * exact.signum();
        let data = json!({ "net": text(cents), "rate": percent });
        prop_assert_eq!(value("money(number(event.data.net) * event.data.rate / 100.0)", data), json!(text(rounded)));
    }

    #[test]
    fn separators_stand_between_groups_of_three(cents in any::<i64>().prop_map(|cents| cents / 1000)) {
        let data = json!({ "x": text(cents) });
        let shown = value("money(event.data.x, 2, \",\", \".\")", data);
        let shown = shown.as_str().expect("a text");
        let (whole, fraction) = shown.split_once(',').expect("a fraction");
        prop_assert_eq!(format!("{}.{fraction}", whole.replace('.', "")), text(cents));
        let groups: Vec<&str> = whole.trim_start_matches('-').split('.').collect();
        prop_assert!(groups[1..].iter().all(|group| group.len() == 3) && (1..=3).contains(&groups[0].len()), "{}", shown);
    }

    #[test]
    fn days_and_months_move_on_the_calendar(at in local(), zone in 0usize..ZONES.len(), days in -4000i64..4000, months in -400i64..400) {
        let zone = ZONES[zone];
        let data = json!({ "at": at.format("%Y-%m-%dT%H:%M:%S").to_string(), "zone": zone.name(), "days": days, "months": months });
        let Some(start) = zone.from_local_datetime(&at).earliest() else {
            // The clock never showed this; the next time that it showed counts.
            let shown = value("date(event.data.at, event.data.zone)", data);
            prop_assert!(shown.as_str().is_some());
            return Ok(());
        };
        let naive = start.naive_local();
        let count = Days::new(days.unsigned_abs());
        let by_days = if days < 0 { naive - count } else { naive + count };
        let count = Months::new(u32::try_from(months.unsigned_abs()).expect("small"));
        let by_months = if months < 0 { naive - count } else { naive + count };
        for (call, moved) in [("add_days(event.data.days)", by_days), ("add_months(event.data.months)", by_months)] {
            let source = format!("date(event.data.at, event.data.zone).{call}.format(\"%Y-%m-%dT%H:%M:%S\")");
            if zone.from_local_datetime(&moved).earliest().is_some() {
                prop_assert_eq!(value(&source, data.clone()), json!(moved.format("%Y-%m-%dT%H:%M:%S").to_string()));
            }
        }
        let monday = naive.date() - Days::new(u64::from(naive.weekday().num_days_from_monday()));
        prop_assert_eq!(
            value("date(event.data.at, event.data.zone).start_of_week().format(\"%F\")", data.clone()),
            json!(monday.format("%F").to_string())
        );
        prop_assert_eq!(value("date(event.data.at, event.data.zone).hour", data), json!(naive.hour()));
    }

    #[test]
    fn durations_are_exact(at in local(), seconds in -10_000_000i64..10_000_000) {
        let data = json!({ "at": at.and_utc().to_rfc3339(), "s": seconds });
        let moved = (at + Duration::seconds(seconds)).and_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        prop_assert_eq!(value("date(event.data.at) + duration(event.data.s)", data.clone()), json!(moved));
        let source = "date(event.data.at).diff(date(event.data.at) + duration(event.data.s), \"seconds\")";
        prop_assert_eq!(value(source, data), json!(seconds));
    }
}
