//! Ownership, and what belongs to a shard: timers, waits, mail, the outbox, active runs.

use cartwright_core::{
    id::StepPath,
    run::{
        entry::TimerKind,
        row::RunStatus::{Parked, Queued, Running, Succeeded, Waiting},
    },
    shard::{Fence, ShardId},
};
use cartwright_storage::{Batch, CommitError, Mail, MailBody, MailKey, RunWrite, Timer, Wait, WaitKey};

use super::{Fixture, make::*};

pub async fn a_lease_keeps_others_out(f: &mut dyn Fixture) {
    let s = f.storage();
    let a = s.acquire(shard(), "a", at(0), at(10)).await.expect("works").expect("free");
    assert_eq!(s.acquire(shard(), "b", at(9), at(19)).await.expect("works"), None);
    let again = s.acquire(shard(), "a", at(1), at(11)).await.expect("works").expect("its own");
    assert!(again > a);
    assert!(!s.renew(shard(), a, at(50)).await.expect("works"), "the first period is over");
    assert!(s.renew(shard(), again, at(20)).await.expect("works"));
    assert_eq!(s.acquire(shard(), "b", at(19), at(29)).await.expect("works"), None);
    let b = s.acquire(shard(), "b", at(20), at(30)).await.expect("works").expect("the lease is over");
    assert!(b > again);
    assert!(!s.renew(shard(), again, at(99)).await.expect("works"));
    s.release(shard(), again).await.expect("releasing what is lost is fine");
    assert_eq!(s.acquire(shard(), "a", at(21), at(31)).await.expect("works"), None);
    s.release(shard(), b).await.expect("works");
    assert!(s.acquire(shard(), "a", at(21), at(31)).await.expect("works").is_some_and(|fence| fence > b));
    assert!(s.acquire(ShardId::of("other"), "b", at(0), at(9)).await.expect("works").is_some(), "shards are apart");
}

pub async fn an_old_fence_is_refused(f: &mut dyn Fixture) {
    let s = f.storage();
    let old = own(&*s, shard()).await;
    let e = event(1);
    let row = run(&*s, old, &e, "w", Running).await;
    let now = own(&*s, shard()).await;
    let append = |n| Batch {
        runs: vec![RunWrite { row: row.clone(), expected_len: n, append: vec![entry(1)] }],
        ..Batch::default()
    };
    for fence in [old, Fence(0), Fence(now.0 + 1)] {
        assert!(matches!(s.commit(shard(), fence, append(1)).await, Err(CommitError::Fenced)), "{fence:?}");
    }
    assert!(matches!(s.commit(ShardId::of("other"), now, Batch::default()).await, Err(CommitError::Fenced)));
    s.commit(shard(), now, append(1)).await.expect("the owner's");
    s.release(shard(), now).await.expect("works");
    assert!(matches!(s.commit(shard(), now, append(2)).await, Err(CommitError::Fenced)), "given back");
    assert_eq!(s.journal(&row.id).await.expect("works").len(), 2);
}

pub async fn fences_rise_across_reopening(f: &mut dyn Fixture) {
    let mut last = Fence(0);
    for _ in 0..3 {
        for _ in 0..3 {
            let fence = own(&*f.storage(), shard()).await;
            assert!(fence > last);
            last = fence;
        }
        f.reopen().await;
    }
}

pub async fn timers_come_due_in_order(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let a = run(&*f.storage(), fence, &event(1), "a", Waiting).await.id;
    let b = run(&*f.storage(), fence, &event(2), "b", Waiting).await.id;
    assert_eq!(f.storage().next_timer(shard()).await.expect("works"), None);
    let set = [
        timer(&a, "x", TimerKind::Sleep, 30),
        timer(&a, "x", TimerKind::Call(1), 10),
        timer(&b, "each[3]/y", TimerKind::Wait(7), 20),
        timer(&b, "", TimerKind::RunTimeout, 20),
        timer(&a, "", TimerKind::ParkExpiry, -10),
    ];
    let change = |set: &[Timer], clear: &[Timer]| Batch {
        timers_set: set.to_vec(),
        timers_clear: clear.iter().map(|t| t.key.clone()).collect(),
        ..Batch::default()
    };
    f.storage().commit(shard(), fence, change(&set, &[])).await.expect("set");
    f.reopen().await;
    let s = f.storage();
    let due = async |now, limit| s.due_timers(shard(), at(now), limit).await.expect("works");
    assert_eq!(due(9, 9).await, [set[4].clone()]);
    assert_eq!(due(10, 9).await, [set[4].clone(), set[1].clone()]);
    assert_eq!(due(99, 2).await, [set[4].clone(), set[1].clone()]);
    assert_eq!(due(99, 9).await.len(), 5);
    assert!(due(99, 9).await.is_sorted_by_key(|t| t.due));
    assert!(s.due_timers(ShardId::of("other"), at(99), 9).await.expect("works").is_empty());
    let fence = own(&*s, shard()).await;
    let moved = timer(&a, "", TimerKind::ParkExpiry, 40);
    s.commit(shard(), fence, change(std::slice::from_ref(&moved), &set[1..2])).await.expect("moved and cleared");
    s.commit(shard(), fence, change(&[], &set[1..2])).await.expect("clearing what is not there is fine");
    assert_eq!(s.next_timer(shard()).await.expect("works"), Some(at(20)));
    assert_eq!(due(99, 9).await.last(), Some(&moved));
    assert_eq!(s.counts().await.expect("works").timers, 4);
}

pub async fn waits_are_found_by_topic(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let id = run(&*f.storage(), fence, &event(1), "w", Waiting).await.id;
    let wait = |topic: &str, index, condition: Option<&str>| Wait {
        key: WaitKey { topic: topic.to_owned(), run: id.clone(), path: StepPath::new("s"), index },
        since: at(5),
        condition: condition.map(str::to_owned),
        scope: condition.map(|_| serde_json::json!({"item": index})),
    };
    let waits = vec![wait("t", 0, Some("a == b")), wait("t", 1, None), wait("tt", 0, None), wait("", 0, None)];
    let batch = Batch { waits_set: waits.clone(), ..Batch::default() };
    f.storage().commit(shard(), fence, batch).await.expect("set");
    f.reopen().await;
    let s = f.storage();
    assert_eq!(s.waits(shard(), "t").await.expect("works"), waits[..2]);
    assert_eq!(s.waits(shard(), "tt").await.expect("works"), waits[2..3]);
    assert!(s.waits(ShardId::of("other"), "t").await.expect("works").is_empty());
    let fence = own(&*s, shard()).await;
    let clear = Batch { waits_clear: vec![waits[0].key.clone(), wait("none", 0, None).key], ..Batch::default() };
    s.commit(shard(), fence, clear).await.expect("cleared");
    assert_eq!(s.waits(shard(), "t").await.expect("works"), waits[1..2]);
}

pub async fn mail_is_kept_once_until_taken(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let a = run(&*f.storage(), fence, &event(1), "w", Waiting).await.id;
    let b = run(&*f.storage(), fence, &event(2), "w", Waiting).await.id;
    let mail = |run: &cartwright_core::id::RunId, id: &str, by: &str| Mail {
        key: MailKey { run: run.clone(), id: id.to_owned() },
        body: MailBody::Cancel { by: by.to_owned() },
    };
    let sent = vec![mail(&b, "1", "x"), mail(&a, "2", "x"), mail(&a, "1", "x")];
    f.storage().commit(shard(), fence, Batch { mail: sent.clone(), ..Batch::default() }).await.expect("sent");
    let again = Batch { mail: vec![mail(&a, "1", "y")], ..Batch::default() };
    f.storage().commit(shard(), fence, again).await.expect("sent again");
    f.reopen().await;
    let s = f.storage();
    let of_shard = s.mail(shard(), None, 9).await.expect("works");
    assert_eq!(of_shard, [mail(&a, "1", "x"), mail(&a, "2", "x"), mail(&b, "1", "x")], "by run, the first of two wins");
    assert_eq!(s.mail(shard(), Some(&of_shard[0].key), 1).await.expect("works"), of_shard[1..2]);
    assert_eq!(s.mail_of(&a).await.expect("works"), of_shard[..2]);
    assert!(s.mail(ShardId::of("other"), None, 9).await.expect("works").is_empty());
    let fence = own(&*s, shard()).await;
    let done = Batch { mail_done: vec![of_shard[0].key.clone()], ..Batch::default() };
    s.commit(shard(), fence, done).await.expect("taken");
    assert_eq!(s.mail(shard(), None, 9).await.expect("works"), of_shard[1..]);
    assert_eq!(s.mail_of(&a).await.expect("works"), of_shard[1..2]);
}

pub async fn the_outbox_is_kept_until_delivered(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let out = [keyed(event_of(2, Some("other"), "t", "{}"), 3), new(event_of(1, None, "t", "[1]"))];
    for _ in 0..2 {
        let batch = Batch { outbox: out.to_vec(), ..Batch::default() };
        f.storage().commit(shard(), fence, batch).await.expect("put");
    }
    f.reopen().await;
    let s = f.storage();
    let kept = s.outbox(shard(), 9).await.expect("works");
    let ids: Vec<_> = kept.iter().map(|new| new.event.id.clone()).collect();
    assert_eq!(ids, [out[1].event.id.clone(), out[0].event.id.clone()], "oldest first, once each");
    assert_eq!((kept[1].dedupe, kept[0].event.data.get()), (Some([3; 32]), "[1]"));
    assert_eq!(s.outbox(shard(), 1).await.expect("works").len(), 1);
    assert_eq!(s.counts().await.expect("works").outbox, 2);
    let fence = own(&*s, shard()).await;
    for _ in 0..2 {
        let done = Batch { outbox_done: vec![ids[0].clone()], ..Batch::default() };
        s.commit(shard(), fence, done).await.expect("done");
    }
    assert_eq!(s.outbox(shard(), 9).await.expect("works").len(), 1);
    assert_eq!(s.counts().await.expect("works").outbox, 1);
}

pub async fn active_runs_are_found_again(f: &mut dyn Fixture) {
    let fence = own(&*f.storage(), shard()).await;
    let mut rows = Vec::new();
    for (n, status) in [Running, Queued, Waiting, Parked, Succeeded, Running].into_iter().enumerate() {
        rows.push(run(&*f.storage(), fence, &event(n as i64), "w", status).await);
    }
    let mut begun = rows[0].clone();
    begun.status = Waiting;
    let mut woken = rows[2].clone();
    woken.status = Running;
    let moves = [begun, woken.clone()].map(|row| RunWrite { row, expected_len: 1, append: vec![entry(1)] });
    f.storage().commit(shard(), fence, Batch { runs: moves.into(), ..Batch::default() }).await.expect("moved");
    f.reopen().await;
    let s = f.storage();
    let all = s.active_runs(shard(), None, 9).await.expect("works");
    assert_eq!(all, [rows[1].clone(), woken, rows[5].clone()]);
    assert_eq!(s.active_runs(shard(), Some(&all[0].id), 1).await.expect("works"), all[1..2]);
    assert!(s.active_runs(ShardId::of("other"), None, 9).await.expect("works").is_empty());
}
