//! Lists of runs and events, and counters.

use cartwright_core::{
    event::Event,
    run::row::{RunRow, RunStatus},
    shard::Fence,
    time::Timestamp,
};
use cartwright_storage::{Batch, EventFilter, RunFilter, RunWrite, Storage, StorageError};

use super::{Fixture, make::*};

/// Events of several stores (and of none) in one second, two workflows each, statuses by turns.
async fn fill(storage: &dyn Storage, count: i64) -> Vec<RunRow> {
    let mut rows = Vec::new();
    for n in 0..count {
        let of = [Some("shop"), Some("other"), None][n as usize % 3];
        let event = event_of(n * 37, of, if n % 2 == 0 { "t" } else { "u" }, "{}");
        let fence = own(storage, event.shard()).await;
        for of in ["a", "b/c"] {
            let status = RunStatus::ALL[rows.len() % 7];
            rows.push(run_again(storage, fence, &event, of, status).await);
        }
    }
    rows.sort_by(|x, y| y.id.cmp(&x.id));
    rows
}

/// Like `run`, for an event that may be there already.
async fn run_again(storage: &dyn Storage, fence: Fence, event: &Event, of: &str, status: RunStatus) -> RunRow {
    storage.accept(vec![new(event.clone())]).await.expect("accepted");
    let row = row(event, of, status);
    let batch = Batch { runs: vec![begin(row.clone())], ..Batch::default() };
    storage.commit(event.shard(), fence, batch).await.expect("committed");
    row
}

async fn all(storage: &dyn Storage, filter: &RunFilter, limit: usize) -> Vec<RunRow> {
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = storage.query_runs(filter, cursor.as_deref(), limit).await.expect("works");
        assert!(page.items.len() <= limit);
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return rows;
        }
    }
}

fn filters(rows: &[RunRow]) -> Vec<RunFilter> {
    let mut filters = Vec::new();
    for workflow in [None, Some("a"), Some("b/c"), Some("none")] {
        for of in [None, Some("shop"), Some("none")] {
            for status in [
                None,
                Some(RunStatus::Queued),
                Some(RunStatus::Parked),
                Some(RunStatus::Succeeded),
                Some(RunStatus::Failed),
            ] {
                for event in [None, Some(rows[0].event.clone())] {
                    filters.push(RunFilter {
                        workflow: workflow.map(workflow_id),
                        store: of.map(store),
                        status,
                        event,
                        ..RunFilter::default()
                    });
                }
            }
        }
    }
    filters
}

fn workflow_id(name: &str) -> cartwright_core::id::WorkflowId {
    workflow(name)
}

fn matching(rows: &[RunRow], filter: &RunFilter) -> Vec<RunRow> {
    let fits = |row: &&RunRow| {
        filter.workflow.as_ref().is_none_or(|w| *w == row.workflow)
            && filter.store.as_ref().is_none_or(|s| Some(s) == row.store.as_ref())
            && filter.status.is_none_or(|s| s == row.status)
            && filter.event.as_ref().is_none_or(|e| *e == row.event)
            && filter.since.is_none_or(|since| row.started >= since)
            && filter.until.is_none_or(|until| row.started < until)
    };
    rows.iter().filter(fits).cloned().collect()
}

pub async fn runs_are_listed_newest_first_by_every_filter(f: &mut dyn Fixture) {
    let rows = fill(&*f.storage(), 60).await;
    for _ in 0..2 {
        for filter in filters(&rows) {
            let expect = matching(&rows, &filter);
            for limit in [1, 7, 1000] {
                assert_eq!(all(&*f.storage(), &filter, limit).await, expect, "{filter:?} {limit}");
            }
        }
        f.reopen().await;
    }
}

pub async fn pages_stay_put_while_new_runs_arrive(f: &mut dyn Fixture) {
    let rows = fill(&*f.storage(), 20).await;
    let mut n = 1_000_000;
    let fence = own(&*f.storage(), shard()).await;
    for filter in [RunFilter::default(), RunFilter { workflow: Some(workflow("a")), ..RunFilter::default() }] {
        let expect = matching(&rows, &filter);
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = f.storage().query_runs(&filter, cursor.as_deref(), 3).await.expect("works");
            seen.extend(page.items.into_iter().filter(|row| row.started < at(900_000)));
            n += 1;
            run(&*f.storage(), fence, &event(n), "a", RunStatus::Running).await;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let seen_old: Vec<_> = seen.iter().map(|row| row.id.clone()).collect();
        let expect: Vec<_> = expect.iter().map(|row| row.id.clone()).collect();
        assert_eq!(seen_old, expect);
    }
}

pub async fn events_are_listed(f: &mut dyn Fixture) {
    let s = f.storage();
    for n in 0..40 {
        let of = [Some("shop"), Some("other"), None][n as usize % 3];
        s.accept(vec![new(event_of(n * 37, of, if n % 2 == 0 { "t" } else { "u" }, "{}"))]).await.expect("works");
    }
    drop(s);
    f.reopen().await;
    for of in [None, Some("shop"), Some("none")] {
        for topic in [None, Some("t"), Some("none")] {
            let filter =
                EventFilter { store: of.map(store), topic: topic.map(str::to_owned), ..EventFilter::default() };
            let expect: Vec<i64> = (0..40)
                .rev()
                .filter(|n| of.is_none_or(|of| Some(of) == [Some("shop"), Some("other"), None][*n as usize % 3]))
                .filter(|n| topic.is_none_or(|topic| topic == if n % 2 == 0 { "t" } else { "u" }))
                .collect();
            let mut seen = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let page = f.storage().query_events(&filter, cursor.as_deref(), 4).await.expect("works");
                seen.extend(page.items.iter().map(|e| e.event.time));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expect.iter().map(|n| at(n * 37)).collect::<Vec<_>>(), "{filter:?}");
        }
    }
}

pub async fn bad_cursors_are_refused(f: &mut dyn Fixture) {
    for cursor in ["", "x", "run_", "evt_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "run_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "run_\u{e9}"] {
        let runs = f.storage().query_runs(&RunFilter::default(), Some(cursor), 9).await;
        assert!(matches!(runs, Err(StorageError::Invalid { .. })), "{cursor}");
        let events = f.storage().query_events(&EventFilter::default(), Some(cursor), 9).await;
        assert!(matches!(events, Err(StorageError::Invalid { .. })), "{cursor}");
    }
}

pub async fn lists_follow_status(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let mut now = run(&*f.storage(), fence, &event(1), "w", RunStatus::Queued).await;
    let path = [RunStatus::Running, RunStatus::Failed, RunStatus::Running, RunStatus::Parked, RunStatus::Succeeded];
    for (n, status) in path.into_iter().enumerate() {
        now.status = status;
        let write = RunWrite { row: now.clone(), expected_len: n as u64 + 1, append: vec![entry(n as u32)] };
        f.storage().commit(shard(), fence, Batch { runs: vec![write], ..Batch::default() }).await.expect("moved");
        for other in RunStatus::ALL {
            for (workflow, of) in [
                (None, None),
                (Some(workflow("w")), None),
                (None, Some(store("shop"))),
                (Some(workflow("w")), Some(store("shop"))),
            ] {
                let filter = RunFilter { workflow, store: of, status: Some(other), ..RunFilter::default() };
                let found = all(&*f.storage(), &filter, 9).await;
                assert_eq!(found.len(), usize::from(other == status), "{filter:?} when {status:?}");
            }
            let counted = f.storage().counts().await.expect("works").runs[other as usize];
            assert_eq!(counted, u64::from(other == status));
        }
    }
}

pub async fn counts_follow_commits(f: &mut dyn Fixture) {
    let rows = fill(&*f.storage(), 21).await;
    f.reopen().await;
    let counts = f.storage().counts().await.expect("works");
    for status in RunStatus::ALL {
        let expect = rows.iter().filter(|row| row.status == status).count() as u64;
        assert_eq!(counts.runs[status as usize], expect, "{status:?}");
    }
    assert_eq!((counts.events, counts.inbox, counts.timers, counts.outbox), (21, 21, 0, 0));
}

/// Spans that begin and end before, between, at and after what `fill` makes (0 to 59 × 37 ms), and one that is empty.
fn spans() -> Vec<(Option<Timestamp>, Option<Timestamp>)> {
    let far = Some(Timestamp::from_millis(i64::MAX));
    let early = Some(Timestamp::from_millis(-1));
    vec![
        (Some(at(370)), None),
        (None, Some(at(370))),
        (Some(at(371)), Some(at(1480))),
        (Some(at(740)), Some(at(741))),
        (Some(at(740)), Some(at(740))),
        (Some(at(900)), Some(at(100))),
        (early, far),
        (far, None),
        (None, early),
    ]
}

pub async fn a_span_of_time_bounds_every_list_of_runs(f: &mut dyn Fixture) {
    let rows = fill(&*f.storage(), 60).await;
    for _ in 0..2 {
        for (since, until) in spans() {
            for filter in filters(&rows) {
                let filter = RunFilter { since, until, ..filter };
                let expect = matching(&rows, &filter);
                assert_eq!(all(&*f.storage(), &filter, 3).await, expect, "{filter:?}");
            }
        }
        f.reopen().await;
    }
}

pub async fn a_span_of_time_bounds_every_list_of_events(f: &mut dyn Fixture) {
    fill(&*f.storage(), 60).await;
    f.reopen().await;
    for (since, until) in spans() {
        for of in [None, Some("shop")] {
            for topic in [None, Some("t")] {
                let filter = EventFilter { store: of.map(store), topic: topic.map(str::to_owned), since, until };
                let expect = (0..60_i64).rev().filter(|n| {
                    of.is_none_or(|_| n % 3 == 0)
                        && topic.is_none_or(|_| n % 2 == 0)
                        && since.is_none_or(|since| at(n * 37) >= since)
                        && until.is_none_or(|until| at(n * 37) < until)
                });
                let mut seen = Vec::new();
                let mut cursor: Option<String> = None;
                loop {
                    let page = f.storage().query_events(&filter, cursor.as_deref(), 4).await.expect("works");
                    seen.extend(page.items.iter().map(|e| e.event.time));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, expect.map(|n| at(n * 37)).collect::<Vec<_>>(), "{filter:?}");
            }
        }
    }
}
