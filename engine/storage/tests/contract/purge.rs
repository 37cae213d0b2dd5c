//! Retention.

use cartwright_core::run::row::RunStatus::{self, Failed, Parked, Running, Succeeded, Waiting};
use cartwright_storage::{Accepted, Batch, EventFilter, Purge, Purged, RunFilter, RunWrite, Storage};

use super::{Fixture, make::*};

async fn purge_all(storage: &dyn Storage, before: i64, keep_runs: u64, budget: usize) -> Purged {
    let mut sum = Purged::default();
    for _ in 0..10_000 {
        let step = storage.purge(Purge { before: at(before), keep_runs, budget }).await.expect("works");
        sum.runs += step.runs;
        sum.events += step.events;
        sum.dedupe_keys += step.dedupe_keys;
        if !step.more {
            return sum;
        }
    }
    panic!("purging does not end: {sum:?}");
}

async fn newest(storage: &dyn Storage, status: Option<RunStatus>) -> usize {
    let filter = RunFilter { status, ..RunFilter::default() };
    storage.query_runs(&filter, None, 1000).await.expect("works").items.len()
}

pub async fn old_ended_runs_go_and_open_ones_stay(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let mut rows = Vec::new();
    for n in 0..70 {
        rows.push(run(&*f.storage(), fence, &event(n * 100), "w", RunStatus::ALL[n as usize % 7]).await);
    }
    // Began long ago, ended just now: not old.
    let mut late = rows[2].clone();
    assert_eq!(late.status, Waiting);
    late.status = Succeeded;
    late.finished = Some(at(9000));
    let write = RunWrite { row: late.clone(), expected_len: 1, append: vec![entry(1)] };
    f.storage().commit(shard(), fence, Batch { runs: vec![write], ..Batch::default() }).await.expect("ended");
    rows[2] = late;
    let purged = purge_all(&*f.storage(), 3500, u64::MAX, 7).await;
    let gone = |row: &cartwright_core::run::row::RunRow| row.finished.is_some_and(|finished| finished < at(3500));
    assert_eq!(purged.runs, rows.iter().filter(|row| gone(row)).count() as u64);
    for _ in 0..2 {
        let s = f.storage();
        for row in &rows {
            assert_eq!(s.run(&row.id).await.expect("works").is_none(), gone(row), "{row:?}");
            assert_eq!(s.journal(&row.id).await.expect("works").is_empty(), gone(row));
            assert_eq!(
                s.event(&row.event).await.expect("works").is_none(),
                gone(row),
                "an event goes with its last run"
            );
        }
        let left: u64 = s.counts().await.expect("works").runs.iter().sum();
        assert_eq!(left, 70 - purged.runs);
        assert_eq!(newest(&*s, None).await as u64, left);
        for status in RunStatus::ALL {
            let expect = rows.iter().filter(|row| row.status == status && !gone(row)).count();
            assert_eq!(newest(&*s, Some(status)).await, expect, "{status:?}");
        }
        drop(s);
        f.reopen().await;
    }
}

pub async fn events_go_after_their_runs(f: &mut dyn Fixture) {
    let s = f.storage();
    let fence = own(&*s, shard()).await;
    let (waiting, unmatched, no_run, young) = (event(1), event(2), event(3), event(9000));
    let old = keyed(event(4), 4);
    s.accept(vec![new(unmatched.clone()), new(no_run.clone()), old.clone(), new(young.clone())]).await.expect("works");
    for event in [&no_run, &old.event, &young] {
        let batch = Batch { matched: vec![(event.id.clone(), vec![])], ..Batch::default() };
        s.commit(shard(), fence, batch).await.expect("matched");
    }
    run(&*s, fence, &waiting, "w", Waiting).await;
    let purged = purge_all(&*s, 5000, u64::MAX, 3).await;
    assert_eq!((purged.runs, purged.events, purged.dedupe_keys), (0, 2, 1));
    for (event, kept) in [(&waiting, true), (&unmatched, true), (&no_run, false), (&old.event, false), (&young, true)] {
        assert_eq!(s.event(&event.id).await.expect("works").is_some(), kept, "{event:?}");
    }
    assert_eq!(
        s.query_events(&EventFilter { store: Some(store("shop")), ..EventFilter::default() }, None, 99)
            .await
            .expect("works")
            .items
            .len(),
        3
    );
    assert_eq!(s.counts().await.expect("works").events, 3);
    let again = keyed(event(9500), 4);
    let id = again.event.id.clone();
    assert_eq!(s.accept(vec![again]).await.expect("works"), [Accepted::New(id)], "the key is forgotten with its event");
}

pub async fn only_so_many_runs_are_kept(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    for n in 0..30 {
        let status = if n % 10 == 0 { Parked } else { [Succeeded, Failed][n as usize % 2] };
        run(&*f.storage(), fence, &event(n * 300), "w", status).await;
    }
    let purged = purge_all(&*f.storage(), 0, 12, 4).await;
    assert_eq!(purged.runs, 18);
    let left = f.storage().query_runs(&RunFilter::default(), None, 99).await.expect("works").items;
    assert_eq!(left.len(), 12);
    assert_eq!(left.iter().filter(|row| row.status == Parked).count(), 3, "open runs stay, however old");
    assert!(left[..9].iter().all(|row| row.started > at(6000)), "the newest stay");
    assert_eq!(purge_all(&*f.storage(), 0, 1, 4).await.runs, 9);
    assert_eq!(purge_all(&*f.storage(), 0, 1, 4).await, Purged::default(), "only open ones are left; it ends");
}

pub async fn a_step_is_bounded(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    for n in 0..40 {
        run(&*f.storage(), fence, &event(n * 300), "w", Succeeded).await;
    }
    let mut steps = 0;
    loop {
        let step =
            f.storage().purge(Purge { before: at(1_000_000), keep_runs: u64::MAX, budget: 5 }).await.expect("works");
        assert!(step.runs <= 8 && step.events <= 8, "{step:?}");
        steps += 1;
        assert!(steps < 100);
        if !step.more {
            break;
        }
    }
    assert!(steps >= 5);
    assert_eq!(f.storage().counts().await.expect("works").runs, [0; 7]);
    assert_eq!(f.storage().counts().await.expect("works").events, 0);
}

pub async fn a_retried_run_stays(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let mut row = run(&*f.storage(), fence, &event(1), "w", Failed).await;
    row.status = Running;
    row.finished = None;
    let write = RunWrite { row: row.clone(), expected_len: 1, append: vec![entry(1)] };
    f.storage().commit(shard(), fence, Batch { runs: vec![write], ..Batch::default() }).await.expect("retried");
    assert_eq!(purge_all(&*f.storage(), 5000, 0, 10).await, Purged::default());
    assert_eq!(f.storage().run(&row.id).await.expect("works"), Some(row));
}
