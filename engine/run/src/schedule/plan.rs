//! What is due of a schedule, and what passed without anybody there: from times to times, without clock and storage.

use std::time::Duration;

use cartwright_core::{
    id::{StoreId, WorkflowId},
    time::Timestamp,
    workflow::{CATCH_UP_MAX, Schedule},
};
use sha2::{Digest, Sha256};

/// One start: of an occurrence, for a store or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// The occurrence's time.
    pub(super) due: Timestamp,
    /// When it starts: at that time, or later by its part of the jitter.
    pub(super) moment: Timestamp,
    pub(super) store: Option<StoreId>,
}

/// Occurrences that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// How many of them are known.
    pub(super) count: usize,
    /// There were others before them.
    pub(super) more: bool,
    /// The last of them, at most [`CATCH_UP_MAX`], earliest first.
    pub(super) last: Vec<Timestamp>,
    /// The last one: what follows is due as usual.
    pub(super) until: Timestamp,
}

/// How far back it is looked, step by step, until enough was found: a year of minutes is not counted one by one.
const LOOKS: [u64; 5] = [3600, 24 * 3600, 7 * 24 * 3600, 31 * 24 * 3600, 366 * 24 * 3600];
/// Most occurrences that one look counts.
const COUNTED_MAX: usize = 10_000;

/// What passed since `considered` and is later than `late` at `now`.
pub(super) fn missed(schedule: &Schedule, considered: Timestamp, now: Timestamp, late: Duration) -> Option<Passed> {
    let until = Timestamp::from_millis(now.as_millis() - millis(late) - millis(schedule.jitter));
    let first = schedule.cron.next_after(considered, schedule.timezone)?;
    if first > until {
        return None;
    }
    let looks =
        LOOKS.iter().map(|seconds| Timestamp::from_millis(until.as_millis() - millis(Duration::from_secs(*seconds))));
    let mut found = Vec::new();
    let mut more = false;
    for from in looks.chain([considered]) {
        let from = from.max(considered);
        found = between(schedule, from, until);
        more = from > considered;
        if found.len() >= CATCH_UP_MAX || !more {
            break;
        }
    }
    // A look that began later than `considered` may still have seen everything.
    more = more && found.first().is_none_or(|seen| *seen > first);
    let until = *found.last()?;
    let count = found.len();
    let last = found.split_off(count.saturating_sub(CATCH_UP_MAX));
    Some(Passed { count, more, last, until })
}

fn between(schedule: &Schedule, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let next = |after: &Timestamp| schedule.cron.next_after(*after, schedule.timezone).filter(|next| *next <= until);
    std::iter::successors(next(&from), next).take(COUNTED_MAX).collect()
}

/// The starts of an occurrence in order of time.
pub(super) fn firings(
    workflow: &WorkflowId,
    schedule: &Schedule,
    due: Timestamp,
    stores: Vec<Option<StoreId>>,
) -> Vec<Due> {
    let next = schedule.cron.next_after(due, schedule.timezone);
    // Never into the next occurrence.
    let room = next.map_or(schedule.jitter, |next| next.since(due).saturating_sub(Duration::from_secs(1)));
    let most = millis(schedule.jitter.min(room));
    let mut all: Vec<Due> = stores
        .into_iter()
        .map(|store| {
            let offset = if most > 0 { share(workflow, store.as_ref(), due) % (most.unsigned_abs() + 1) } else { 0 };
            Due { due, moment: due.plus(Duration::from_millis(offset)), store }
        })
        .collect();
    all.sort_by(|a, b| (a.moment, &a.store).cmp(&(b.moment, &b.store)));
    all
}

/// A number that is the same whenever it is made.
fn share(workflow: &WorkflowId, store: Option<&StoreId>, due: Timestamp) -> u64 {
    let mut hash = Sha256::new();
    let time = due.as_millis().to_be_bytes();
    for part in [workflow.as_str().as_bytes(), store.map_or(&b""[..], |store| store.as_str().as_bytes()), &time] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use cartwright_core::workflow::{TriggerKind, parse};

    use super::*;

    const LATE: Duration = Duration::from_secs(900);

    fn schedule(text: &str) -> Schedule {
        let source = format!("on: {{ schedule: {text} }}\nsteps: [{{ stop: done }}]\n");
        let parsed = parse("nightly".parse().expect("an id"), &source, &|_: &str| Err(String::new()));
        let workflow = parsed.workflow.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        match &workflow.triggers[0].kind {
            TriggerKind::Schedule(all) => all[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn what_passed_is_counted_and_the_last_is_kept() {
        let check = |text: &str, considered: &str, now: &str| missed(&schedule(text), at(considered), at(now), LATE);
        let now = "2026-11-21T12:00:00Z";
        assert_eq!(check(r#""0 7 * * *""#, "2026-11-21T07:00:00Z", now), None, "nothing passed");
        assert_eq!(check(r#""50 11 * * *""#, "2026-11-21T07:00:00Z", now), None, "it is late, and no more");
        let three = check(r#""0 7 * * *""#, "2026-11-18T07:00:00Z", now).expect("three passed");
        assert_eq!((three.count, three.more, three.last.len()), (3, false, 3));
        assert_eq!((three.last[0], three.until), (at("2026-11-19T07:00:00Z"), at("2026-11-21T07:00:00Z")));
        let year = check(r#""* * * * *""#, "2025-11-21T12:00:00Z", now).expect("many passed");
        assert_eq!((year.last.len(), year.more), (CATCH_UP_MAX, true));
        assert_eq!(year.until, at("2026-11-21T11:45:00Z"));
        assert_eq!(check(r#""0 0 1 1 *""#, "2020-06-01T00:00:00Z", now).map(|all| all.count), Some(6));
        assert_eq!(check(r#""0 7 * * *""#, "2027-01-01T00:00:00Z", now), None, "the clock stepped back");
    }

    #[test]
    fn jitter_is_the_same_each_time_differs_by_store_and_ends_before_the_next_occurrence() {
        let (id, due) = ("nightly".parse().expect("an id"), at("2026-11-21T12:00:00Z"));
        let stores = || (0..40).map(|n| Some(format!("s{n}").parse().expect("an id"))).collect::<Vec<_>>();
        for (text, most) in
            [(r#"{ cron: "0 * * * *", jitter: 5m }"#, 300), (r#"{ cron: "* * * * *", jitter: 5m }"#, 59)]
        {
            let all = firings(&id, &schedule(text), due, stores());
            assert_eq!(all, firings(&id, &schedule(text), due, stores()));
            assert!(all.iter().all(|one| one.moment >= due && one.moment <= due.plus(Duration::from_secs(most))));
            assert!(all.windows(2).all(|pair| pair[0].moment <= pair[1].moment));
            let moments: std::collections::BTreeSet<_> = all.iter().map(|one| one.moment).collect();
            assert!(moments.len() > 30, "spread");
        }
        let plain = firings(&id, &schedule(r#""0 * * * *""#), due, vec![None]);
        assert_eq!(plain, [Due { due, moment: due, store: None }]);
    }
}
