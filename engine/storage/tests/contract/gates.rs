//! What gates, slots and questions to people stand on: outcomes told anew, events that runs need, and their records.

use cartwright_core::{
    event::{Match, MatchOutcome},
    gate::held_record,
    id::{EventId, RunId},
    run::{
        entry::TimerKind,
        row::RunStatus::{Running, Succeeded},
    },
};
use cartwright_storage::{Batch, CommitError, Expect, Purge, RecordWrite, RunFilter, RunWrite, Storage, Table};

use super::{Fixture, make::*};

const TABLES: [Table; 3] = [Table::Gates, Table::Slots, Table::Approvals];

fn merged(of: &str, run: Option<&RunId>) -> Match {
    Match { workflow: workflow(of), outcome: MatchOutcome::Merged { run: run.cloned(), until: at(9_000) } }
}

fn write(table: Table, key: &str, expect: Expect, value: Option<&str>) -> RecordWrite {
    RecordWrite { table, key: key.to_owned(), expect, value: value.map(|text| text.as_bytes().to_vec()) }
}

fn records(records: Vec<RecordWrite>) -> Batch {
    Batch { records, ..Batch::default() }
}

async fn is_kept(s: &dyn Storage, event: &EventId) -> bool {
    s.event(event).await.expect("works").is_some()
}

async fn runs_of(s: &dyn Storage, event: &EventId) -> Vec<RunId> {
    let filter = RunFilter { event: Some(event.clone()), ..RunFilter::default() };
    s.query_runs(&filter, None, 9).await.expect("works").items.into_iter().map(|row| row.id).collect()
}

async fn purge(s: &dyn Storage) {
    while s.purge(Purge { before: at(1_000_000), keep_runs: u64::MAX, budget: 3 }).await.expect("works").more {}
}

pub async fn a_match_is_told_anew_for_its_workflow_alone(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let (held, gone) = (event(1), event(2));
    let run = row(&held, "w", Running).id;
    f.storage().accept(vec![new(held.clone())]).await.expect("accepted");
    let first = vec![merged("w", None), merged("v", None)];
    let batch = Batch { matched: vec![(held.id.clone(), first)], ..Batch::default() };
    f.storage().commit(shard(), fence, batch).await.expect("matched");
    let told = merged("w", Some(&run));
    // One that is not kept is passed over, and the others are told all the same.
    let rematched = vec![(gone.id.clone(), told.clone()), (held.id.clone(), told.clone())];
    f.storage().commit(shard(), fence, Batch { rematched, ..Batch::default() }).await.expect("told anew");
    for _ in 0..2 {
        let kept = f.storage().event(&held.id).await.expect("works").expect("kept");
        assert_eq!(kept.matches, Some(vec![told.clone(), merged("v", None)]));
        assert!(!is_kept(&*f.storage(), &gone.id).await);
        assert!(f.storage().inbox(shard(), None, 9).await.expect("works").is_empty());
        f.reopen().await;
    }
    // What is refused tells nothing.
    let fence = own(&*f.storage(), shard()).await;
    let refused = Batch {
        rematched: vec![(held.id.clone(), merged("v", Some(&run)))],
        records: vec![write(Table::Gates, "g", Expect::Version(7), None)],
        ..Batch::default()
    };
    let refused = f.storage().commit(shard(), fence, refused).await;
    assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{refused:?}");
    let kept = f.storage().event(&held.id).await.expect("works").expect("kept");
    assert_eq!(kept.matches, Some(vec![told, merged("v", None)]));
}

pub async fn events_that_a_run_needs_are_kept_and_listed_with_it(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let (first, last, other) = (event(1), event(2), event(3));
    let all = [&first, &last, &other].map(|event| new(event.clone()));
    f.storage().accept(all.to_vec()).await.expect("accepted");
    let mut row = row(&last, "w", Running);
    let held = held_record(&row.id);
    // Held: the run is promised and not there.
    let matched = [&first, &last, &other].map(|event| (event.id.clone(), vec![merged("w", None)]));
    let batch = Batch {
        matched: matched.to_vec(),
        needed: vec![(first.id.clone(), row.id.clone()), (last.id.clone(), row.id.clone())],
        records: vec![write(Table::Gates, &held, Expect::Absent, Some("{}"))],
        ..Batch::default()
    };
    f.storage().commit(shard(), fence, batch).await.expect("held");
    purge(&*f.storage()).await;
    f.reopen().await;
    let kept = [&first, &last, &other].map(|event| event.id.clone());
    for (event, expected) in kept.iter().zip([true, true, false]) {
        assert_eq!(is_kept(&*f.storage(), event).await, expected, "as long as it is held");
    }
    // Begun: the record goes, the run comes.
    let fence = own(&*f.storage(), shard()).await;
    let batch = Batch {
        runs: vec![begin(row.clone())],
        records: vec![write(Table::Gates, &held, Expect::Any, None)],
        ..Batch::default()
    };
    f.storage().commit(shard(), fence, batch).await.expect("begun");
    purge(&*f.storage()).await;
    for _ in 0..2 {
        for event in [&first, &last] {
            assert!(is_kept(&*f.storage(), &event.id).await, "as long as its run is there");
            assert_eq!(runs_of(&*f.storage(), &event.id).await, [row.id.clone()]);
        }
        f.reopen().await;
    }
    // Over and old: all of it goes.
    let fence = own(&*f.storage(), shard()).await;
    (row.status, row.finished) = (Succeeded, Some(at(10)));
    let end = RunWrite { row: row.clone(), expected_len: 1, append: vec![entry(1)] };
    f.storage().commit(shard(), fence, Batch { runs: vec![end], ..Batch::default() }).await.expect("ended");
    purge(&*f.storage()).await;
    for event in [&first, &last] {
        assert!(!is_kept(&*f.storage(), &event.id).await, "nobody needs it");
        assert!(runs_of(&*f.storage(), &event.id).await.is_empty());
    }
}

pub async fn what_was_held_and_never_began_is_let_go(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let dropped = event(1);
    let run = row(&dropped, "w", Running).id;
    f.storage().accept(vec![new(dropped.clone())]).await.expect("accepted");
    let batch = Batch {
        matched: vec![(dropped.id.clone(), vec![merged("w", Some(&run))])],
        needed: vec![(dropped.id.clone(), run.clone())],
        records: vec![write(Table::Gates, &held_record(&run), Expect::Absent, Some("{}"))],
        ..Batch::default()
    };
    f.storage().commit(shard(), fence, batch).await.expect("held");
    let batch = records(vec![write(Table::Gates, &held_record(&run), Expect::Any, None)]);
    f.storage().commit(shard(), fence, batch).await.expect("let go");
    purge(&*f.storage()).await;
    assert!(!is_kept(&*f.storage(), &dropped.id).await);
}

pub async fn records_of_gates_slots_and_approvals_are_compared_and_set(f: &mut dyn Fixture) {
    let run = row(&event(1), "w", Running).id;
    for table in TABLES {
        let commit = async |f: &dyn Fixture, records: Vec<RecordWrite>| {
            // A reopened storage has new owners.
            let fence = own(&*f.storage(), shard()).await;
            // A timer beside it, which must come or not come with it.
            let timers_set = vec![timer(&run, &format!("{table:?}"), TimerKind::Gate, 5)];
            f.storage().commit(shard(), fence, Batch { records, timers_set, ..Batch::default() }).await
        };
        let timers = async |f: &dyn Fixture| f.storage().counts().await.expect("works").timers;
        let before = timers(f).await;
        let version = async |f: &dyn Fixture| f.storage().record(table, "g/a").await.expect("works").map(|r| r.version);
        let refused =
            commit(f, vec![write(table, "g/b", Expect::Any, Some("b")), write(table, "g/a", Expect::Version(1), None)]);
        assert!(matches!(refused.await, Err(CommitError::Conflict { .. })), "{table:?}: there is none");
        assert!(f.storage().record(table, "g/b").await.expect("works").is_none(), "{table:?}: half a batch");
        assert_eq!(timers(f).await, before, "{table:?}");
        commit(f, vec![write(table, "g/a", Expect::Absent, Some("1"))]).await.expect("created");
        assert_eq!(timers(f).await, before + 1, "{table:?}");
        let refused = commit(f, vec![write(table, "g/a", Expect::Absent, Some("2"))]).await;
        assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{table:?}: it is there");
        let first = version(f).await.expect("there");
        commit(f, vec![write(table, "g/a", Expect::Version(first), Some("3"))]).await.expect("changed");
        let refused = commit(f, vec![write(table, "g/a", Expect::Version(first), Some("4"))]).await;
        assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{table:?}: it has changed");
        f.reopen().await;
        let now = f.storage().record(table, "g/a").await.expect("works").expect("there");
        assert_eq!(now.value, b"3", "{table:?}");
        commit(f, vec![write(table, "g/a", Expect::Version(now.version), None)]).await.expect("deleted");
        commit(f, vec![write(table, "g/a", Expect::Absent, Some("5"))]).await.expect("created anew");
        assert!(version(f).await.expect("there") > now.version, "{table:?}: a version never comes again");
    }
}

pub async fn records_of_gates_slots_and_approvals_are_listed_by_prefix(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    // A queue in the order of its places; a group whose name another's begins with; a key with a zero in it.
    let keys = ["g/w\0a1", "g/w2\0a1", "h/a1/r1", "q/a1/000", "q/a1/001", "q/a1/010", "q/a10/000", "q/a2/000"];
    for table in TABLES {
        let all = keys.iter().rev().map(|key| write(table, key, Expect::Absent, Some(key))).collect();
        f.storage().commit(shard(), fence, records(all)).await.expect("written");
    }
    for _ in 0..2 {
        for table in TABLES {
            let list = async |prefix: &str, after: Option<&str>, limit: usize| -> Vec<String> {
                let records = f.storage().records(table, prefix, after, limit).await.expect("works");
                records.into_iter().map(|record| record.key).collect()
            };
            assert_eq!(list("", None, 99).await, keys, "{table:?}");
            assert_eq!(list("q/a1/", None, 99).await, ["q/a1/000", "q/a1/001", "q/a1/010"], "{table:?}");
            assert_eq!(list("q/a1/", None, 2).await, ["q/a1/000", "q/a1/001"], "{table:?}");
            assert_eq!(list("q/a1/", Some("q/a1/001"), 2).await, ["q/a1/010"], "{table:?}");
            assert_eq!(list("q/a1/", Some("q/a1/0005"), 1).await, ["q/a1/001"], "{table:?}: after one that is gone");
            assert_eq!(list("g/w\0", None, 99).await, ["g/w\0a1"], "{table:?}");
            assert!(list("q/a1/", Some("q/a1/010"), 9).await.is_empty(), "{table:?}");
        }
        assert!(f.storage().records(Table::State, "", None, 9).await.expect("works").is_empty(), "tables are apart");
        f.reopen().await;
    }
}
