//! Accepting events.

use cartwright_storage::{Accepted, NewEvent};
use tokio::task::JoinSet;

use super::{Fixture, make::*};

pub async fn a_new_event_is_kept_and_waits(f: &mut dyn Fixture) {
    let e = event(1);
    assert_eq!(f.storage().accept(vec![new(e.clone())]).await.expect("works"), [Accepted::New(e.id.clone())]);
    for _ in 0..2 {
        let storage = f.storage();
        let kept = storage.event(&e.id).await.expect("works").expect("kept");
        assert_eq!((kept.event.data.get(), kept.matches), (r#"{"id":1}"#, None));
        assert_eq!(storage.inbox(shard(), None, 9).await.expect("works").len(), 1);
        drop(storage);
        f.reopen().await;
    }
    assert!(f.storage().event(&event(2).id).await.expect("works").is_none());
    let impossible = "evt_ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse().expect("valid text");
    assert!(f.storage().event(&impossible).await.expect("works").is_none());
}

pub async fn a_key_is_accepted_once_in_its_shard(f: &mut dyn Fixture) {
    let first = event(1);
    f.storage().accept(vec![keyed(first.clone(), 7)]).await.expect("works");
    f.reopen().await;
    let again = keyed(event(2), 7);
    assert_eq!(f.storage().accept(vec![again.clone()]).await.expect("works"), [Accepted::Duplicate(first.id)]);
    assert!(f.storage().event(&again.event.id).await.expect("works").is_none(), "a duplicate leaves nothing");
    let elsewhere = event_of(3, Some("other"), "order.created", "{}");
    let id = elsewhere.id.clone();
    assert_eq!(f.storage().accept(vec![keyed(elsewhere, 7)]).await.expect("works"), [Accepted::New(id)]);
    let no_key = event(4);
    let id = no_key.id.clone();
    assert_eq!(f.storage().accept(vec![new(no_key)]).await.expect("works"), [Accepted::New(id)]);
}

pub async fn an_id_is_accepted_once(f: &mut dyn Fixture) {
    let e = event(1);
    f.storage().accept(vec![new(e.clone())]).await.expect("works");
    let again = f.storage().accept(vec![new(e.clone()), keyed(e.clone(), 1)]).await.expect("works");
    assert_eq!(again, [Accepted::Duplicate(e.id.clone()), Accepted::Duplicate(e.id)]);
    assert_eq!(f.storage().counts().await.expect("works").events, 1);
}

pub async fn answers_come_in_order_and_batches_may_repeat_themselves(f: &mut dyn Fixture) {
    let (a, b, c) = (event(1), event(2), event(3));
    let batch = vec![keyed(a.clone(), 1), keyed(b, 1), keyed(c.clone(), 2)];
    let answers = f.storage().accept(batch).await.expect("works");
    assert_eq!(answers, [Accepted::New(a.id.clone()), Accepted::Duplicate(a.id), Accepted::New(c.id)]);
    assert_eq!(f.storage().accept(Vec::new()).await.expect("works"), []);
}

pub async fn racing_calls_with_one_key_get_one_new(f: &mut dyn Fixture) {
    let storage = f.storage();
    let mut racing = JoinSet::new();
    for n in 0..32 {
        let storage = storage.clone();
        racing.spawn(async move { storage.accept(vec![keyed(event(n), 5)]).await });
    }
    let answers: Vec<Accepted> = racing.join_all().await.into_iter().flat_map(|a| a.expect("works")).collect();
    let new: Vec<_> = answers.iter().filter_map(|a| if let Accepted::New(id) = a { Some(id) } else { None }).collect();
    assert_eq!(new.len(), 1);
    assert!(answers.iter().all(|a| matches!(a, Accepted::New(id) | Accepted::Duplicate(id) if id == new[0])));
}

pub async fn the_inbox_is_paged_oldest_first(f: &mut dyn Fixture) {
    let events: Vec<NewEvent> = (0..5).rev().map(|n| new(event(n))).collect();
    f.storage().accept(events).await.expect("works");
    f.storage().accept(vec![new(event_of(9, Some("other"), "t", "{}"))]).await.expect("works");
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = f.storage().inbox(shard(), after.as_ref(), 2).await.expect("works");
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        assert!(page.len() <= 2);
        seen.extend(page.into_iter().map(|e| e.time));
    }
    assert_eq!(seen, [at(0), at(1), at(2), at(3), at(4)]);
}

pub async fn large_events_come_back_whole(f: &mut dyn Fixture) {
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(300_000));
    let e = event_of(1, Some("shop"), "t", &data);
    let fence = own(&*f.storage(), shard()).await;
    run(&*f.storage(), fence, &e, "w", cartwright_core::run::row::RunStatus::Running).await;
    f.reopen().await;
    let kept = f.storage().event(&e.id).await.expect("works").expect("kept");
    assert_eq!(kept.event.data.get(), data);
    assert_eq!(kept.matches.expect("matched").len(), 1);
}
