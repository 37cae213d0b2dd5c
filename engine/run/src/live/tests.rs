//! The ring against a model, with one thread and with many, and what a real engine tells.

use std::{sync::Arc, time::Duration};

use cartwright_core::{
    id::{EventId, RunId, StepPath, Version, WorkflowId},
    run::{
        entry::{Entry, What},
        row::{RunRow, RunStatus},
    },
    shard::ShardId,
    time::Timestamp,
};
use cartwright_storage::{Batch, RunWrite};
use proptest::prelude::*;

use super::{
    facts::{Shown, of_batch},
    item::{LiveItem, LiveKind},
    ring::{LastId, Ring, Subscription, Taken},
};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const ALL: usize = usize::MAX;

fn item(number: u64) -> LiveItem {
    let mut item = LiveItem::new(LiveKind::Event, NOW, "accepted");
    item.data = serde_json::json!({ "number": number });
    item
}

fn number(item: &LiveItem) -> u64 {
    item.data["number"].as_u64().expect("a number")
}

fn publish(ring: &Ring, numbers: std::ops::Range<u64>) {
    ring.publish(NOW, || numbers.map(item).collect());
}

fn numbers(taken: &Taken) -> Vec<u64> {
    taken.items.iter().map(|item| number(item)).collect()
}

fn listen(ring: &Ring, last: Option<&str>) -> Subscription {
    let last = last.map(|text| text.parse::<LastId>().expect("an id"));
    ring.subscribe(last.as_ref(), || {})
}

fn gap(taken: &Taken) -> Option<(&str, &str)> {
    taken.gap.as_ref().map(|gap| (gap.from.as_str(), gap.to.as_str()))
}

#[test]
fn who_listens_gets_what_comes_from_then_on() {
    let ring = Ring::new("s", 10, ALL);
    let mut first = listen(&ring, None);
    publish(&ring, 0..2);
    let mut second = listen(&ring, None);
    publish(&ring, 2..3);
    assert_eq!(numbers(&first.take(2, ALL)), [0, 1]);
    assert_eq!(first.position(), "s-2");
    assert_eq!(numbers(&first.take(10, ALL)), [2]);
    assert_eq!(numbers(&second.take(10, ALL)), [2]);
    assert!(first.take(10, ALL).is_empty() && second.take(10, ALL).is_empty());
}

#[test]
fn one_who_is_overtaken_gets_exactly_one_gap_and_goes_on() {
    let ring = Ring::new("s", 4, ALL);
    let (mut slow, mut quick) = (listen(&ring, None), listen(&ring, None));
    for number in 0..9 {
        publish(&ring, number..number + 1);
        assert_eq!(numbers(&quick.take(10, ALL)), [number]);
    }
    let taken = slow.take(2, ALL);
    assert_eq!((gap(&taken), numbers(&taken)), (Some(("s-0", "s-5")), vec![5, 6]));
    let taken = slow.take(2, ALL);
    assert_eq!((gap(&taken), numbers(&taken)), (None, vec![7, 8]));
}

#[test]
fn memory_is_bounded_in_bytes_and_so_is_what_is_taken_at_once() {
    let weight = item(0).weight();
    let ring = Ring::new("s", 100, 3 * weight);
    let mut slow = listen(&ring, None);
    publish(&ring, 0..10);
    let taken = slow.take(100, 2 * weight);
    assert_eq!((gap(&taken), numbers(&taken)), (Some(("s-0", "s-7")), vec![7, 8]));
    assert_eq!(numbers(&slow.take(100, 1)), [9], "one item always");
}

#[test]
fn resuming_goes_on_after_the_last_id_or_says_what_is_missing() {
    let ring = Ring::new("s", 4, ALL);
    let _listening = listen(&ring, None);
    publish(&ring, 0..6);
    for (last, missed, rest) in [
        ("s-6", None, vec![]),
        ("s-4", None, vec![4, 5]),
        ("s-2", None, vec![2, 3, 4, 5]),
        ("s-1", Some(("s-1", "s-2")), vec![2, 3, 4, 5]),
        ("s-0", Some(("s-0", "s-2")), vec![2, 3, 4, 5]),
        ("s-7", Some(("s-7", "s-2")), vec![2, 3, 4, 5]),
        ("other-3", Some(("other-3", "s-2")), vec![2, 3, 4, 5]),
    ] {
        let mut back = listen(&ring, Some(last));
        let taken = back.take(10, ALL);
        assert_eq!((gap(&taken), numbers(&taken)), (missed, rest), "{last}");
        assert!(back.take(10, ALL).is_empty(), "{last}");
    }
}

#[test]
fn last_ids_are_checked() {
    for text in ["s-1", "5f0c9a2b7d1e-1042", "s-0"] {
        assert_eq!(text.parse::<LastId>().expect(text).to_string(), text);
    }
    for text in ["", "s", "-", "s-", "-1", "s-x", "s-+1", "s-1-2", "s é-1", "s-99999999999999999999", &"9".repeat(70)]
    {
        assert!(text.parse::<LastId>().is_err(), "{text}");
    }
}

#[test]
fn nothing_is_kept_while_nobody_listens_and_resuming_over_that_is_a_gap() {
    let ring = Ring::new("s", 100, ALL);
    ring.publish(NOW, || panic!("nobody ever listened"));
    let mut first = listen(&ring, None);
    assert_eq!(first.position(), "s-1", "what was not kept has a number");
    publish(&ring, 0..2);
    assert_eq!(numbers(&first.take(10, ALL)), [0, 1]);
    let last = first.position();
    drop(first);
    let soon = NOW.plus(Duration::from_secs(100));
    ring.publish(NOW, || vec![item(2)]);
    ring.publish(soon, || vec![item(3)]);
    let mut back = listen(&ring, Some(&last));
    assert_eq!((back.take(10, ALL).gap, back.position().as_str()), (None, "s-5"), "it came back in time");
    drop(back);
    ring.publish(soon, || vec![item(4)]);
    ring.publish(soon.plus(Duration::from_secs(120)), || panic!("nobody listened for two minutes"));
    let taken = listen(&ring, Some("s-5")).take(10, ALL);
    assert_eq!((gap(&taken), numbers(&taken)), (Some(("s-5", "s-7")), vec![]));
    publish(&ring, 5..6);
    assert_eq!(numbers(&listen(&ring, Some("s-7")).take(10, ALL)), [5]);
}

#[derive(Debug, Clone)]
enum Act {
    Publish(u8),
    Take {
        reader: usize,
        items: usize,
    },
    /// Leaves and comes back after so many of the items it has seen.
    Return {
        reader: usize,
        forgot: u64,
    },
    Pass(u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..6_u8).prop_map(Act::Publish),
        4 => (0..3_usize, 1..8_usize).prop_map(|(reader, items)| Act::Take { reader, items }),
        1 => (0..3_usize, 0..4_u64).prop_map(|(reader, forgot)| Act::Return { reader, forgot }),
        1 => (0..200_u16).prop_map(Act::Pass),
    ];
    proptest::collection::vec(act, 1..200)
}

/// A reader of the model: the sequence number up to which everything was given or said to be missing.
struct Reader {
    subscription: Option<Subscription>,
    known: u64,
}

impl Reader {
    /// Everything given follows on what was given before; what does not is covered by exactly one gap.
    fn take(&mut self, items: usize) {
        let Some(subscription) = &mut self.subscription else { return };
        let taken = subscription.take(items, ALL);
        let seq = |id: &str| id.split_once('-').expect("an id").1.parse::<u64>().expect("a number");
        if let Some(gap) = &taken.gap {
            assert_eq!(seq(&gap.from), self.known, "a gap begins where the reader was");
            assert!(seq(&gap.to) > self.known, "a gap covers something");
            self.known = seq(&gap.to);
        }
        for item in &taken.items {
            assert_eq!(item.seq, self.known + 1, "nothing is left out silently, nothing comes twice");
            self.known = item.seq;
        }
        assert_eq!(seq(&subscription.position()), self.known);
    }
}

proptest! {
    #[test]
    fn nobody_misses_an_item_without_being_told(acts in acts()) {
        let ring = Ring::new("s", 7, ALL);
        let mut now = NOW;
        let mut readers: Vec<Reader> = (0..3).map(|_| {
            let subscription = listen(&ring, None);
            Reader { known: subscription.position()[2..].parse().expect("a number"), subscription: Some(subscription) }
        }).collect();
        for act in acts {
            match act {
                Act::Publish(count) => ring.publish(now, || (0..u64::from(count)).map(item).collect()),
                Act::Take { reader, items } => readers[reader].take(items),
                Act::Return { reader, forgot } => {
                    let reader = &mut readers[reader];
                    if reader.subscription.take().is_none() {
                        reader.known = reader.known.saturating_sub(forgot);
                        reader.subscription = Some(listen(&ring, Some(&format!("s-{}", reader.known))));
                    }
                }
                Act::Pass(seconds) => now = now.plus(Duration::from_secs(seconds.into())),
            }
        }
        ring.publish(now, || vec![item(0)]);
        for reader in &mut readers {
            if reader.subscription.is_none() {
                reader.subscription = Some(listen(&ring, Some(&format!("s-{}", reader.known))));
            }
            reader.take(ALL);
        }
        let ends: Vec<u64> = readers.iter().map(|reader| reader.known).collect();
        prop_assert!(ends.iter().all(|end| *end == ends[0]), "everybody ends at the same place: {ends:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_publishers_and_readers_lose_no_item_and_no_wake_up() {
    const PUBLISHERS: u64 = 4;
    const EACH: u64 = 2_000;
    let ring = Arc::new(Ring::new("s", 100_000, ALL));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut subscription = listen(&ring, None);
            tokio::spawn(async move {
                let mut seen: Vec<u64> = Vec::new();
                while seen.len() < (PUBLISHERS * EACH) as usize {
                    subscription.wait().await;
                    let taken = subscription.take(50, ALL);
                    assert_eq!(taken.gap, None);
                    seen.extend(numbers(&taken));
                }
                seen
            })
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let ring = Arc::clone(&ring);
            std::thread::spawn(move || {
                (0..EACH).for_each(|n| publish(&ring, publisher * EACH + n..publisher * EACH + n + 1));
            })
        })
        .collect();
    let mut orders = Vec::new();
    for reader in readers {
        orders.push(reader.await.expect("no panic"));
    }
    publishers.into_iter().for_each(|publisher| publisher.join().expect("no panic"));
    assert!(orders.iter().all(|order| *order == orders[0]), "all see the same order");
    for publisher in 0..PUBLISHERS {
        let of: Vec<u64> = orders[0].iter().copied().filter(|number| number / EACH == publisher).collect();
        assert!(of.is_sorted() && of.len() == EACH as usize, "a publisher's items keep their order");
    }
}

/// What a written entry tells of a run in this state.
fn told(status: RunStatus, what: What) -> Vec<(String, String)> {
    let id = EventId::new(NOW, [1; 10]);
    let workflow: WorkflowId = "tell".parse().expect("an id");
    let row = RunRow {
        id: RunId::derived(NOW, &id, &workflow),
        workflow,
        version: Version::of(&[]),
        status,
        store: None,
        event: id,
        shard: ShardId::of(""),
        retries: 0,
        started: NOW,
        finished: None,
        error: None,
        delayed_until: None,
    };
    let append = vec![Entry { at: NOW, what }];
    let batch = Batch { runs: vec![RunWrite { row, expected_len: 1, append }], ..Batch::default() };
    let items = of_batch(&batch, &Shown::default());
    items
        .into_iter()
        .map(|item| (item.data["step"].as_str().unwrap_or("run").to_owned(), item.status.to_string()))
        .collect()
}

#[test]
fn what_people_say_about_steps_and_runs_is_told() {
    let said = |happened| What::OutcomeGiven {
        path: StepPath::new("tell"),
        index: 0,
        by: "ann".into(),
        happened,
        result: serde_json::Value::Null,
    };
    let is = |told: Vec<(String, String)>, expect: &[(&str, &str)]| {
        let expect: Vec<_> = expect.iter().map(|(of, status)| ((*of).to_owned(), (*status).to_owned())).collect();
        assert_eq!(told, expect);
    };
    is(told(RunStatus::Parked, said(true)), &[("tell", "waiting"), ("run", "parked")]);
    is(told(RunStatus::Failed, said(false)), &[("tell", "cancelled"), ("run", "failed")]);
    let given_up = What::FailRequested { by: "ann".into(), reason: None };
    is(told(RunStatus::Failed, given_up), &[("run", "failed")]);
}
