//! The rule of slots, against a model that keeps holders and queue as plain sets: random arrivals, ends, waits and
//! returns, with wake-ups delivered late and in any order.

use std::collections::{BTreeMap, BTreeSet};

use cartwright_core::{
    id::{EventId, RunId},
    slots::{Answer, Ask, First, Group, Head, Lane, Place, Position, Refusal, ask, next_to_wake},
    time::Timestamp,
    workflow::OnLimit,
};
use proptest::prelude::*;

fn workflow() -> cartwright_core::id::WorkflowId {
    "sync".parse().expect("a workflow id")
}

fn run(at: i64, salt: u8) -> RunId {
    let at = Timestamp::from_millis(at);
    RunId::derived(at, &EventId::new(at, [salt; 10]), &workflow())
}

fn group() -> Group {
    Group { workflow: workflow(), store: None, key: String::new() }
}

/// What happens to the group.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// A run comes whose event was accepted so long ago.
    Come { late: i64, on_limit: OnLimit, queue_max: Option<u32> },
    /// A holder ends.
    End(usize),
    /// A holder waits without its slot.
    Lend(usize),
    /// One that waits wants to go on.
    Return(usize),
    /// One of the queue is cancelled.
    Leave(usize),
    /// A wake-up arrives.
    Wake(usize),
    /// The process starts again: all of the queue ask.
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let on_limit = prop_oneof![
        4 => Just(OnLimit::Queue),
        1 => Just(OnLimit::Skip),
        1 => Just(OnLimit::Fail),
        1 => Just(OnLimit::Replace),
    ];
    prop_oneof![
        4 => (0i64..3, on_limit, proptest::option::of(0u32..4))
            .prop_map(|(late, on_limit, queue_max)| Op::Come { late, on_limit, queue_max }),
        3 => any::<usize>().prop_map(Op::End),
        1 => any::<usize>().prop_map(Op::Lend),
        1 => any::<usize>().prop_map(Op::Return),
        1 => any::<usize>().prop_map(Op::Leave),
        3 => any::<usize>().prop_map(Op::Wake),
        1 => Just(Op::Restart),
    ]
}

/// The records of one group, and wake-ups on their way.
struct Model {
    limit: u32,
    head: Head,
    holders: BTreeSet<RunId>,
    queue: BTreeMap<Place, RunId>,
    lent: BTreeSet<RunId>,
    wakes: Vec<RunId>,
    clock: i64,
}

impl Model {
    fn new(limit: u32) -> Self {
        let (holders, lent) = (BTreeSet::new(), BTreeSet::new());
        Self { limit, head: Head::new(group()), holders, queue: BTreeMap::new(), lent, wakes: Vec::new(), clock: 100 }
    }

    fn first(&self) -> Option<First> {
        let (place, run) = self.queue.first_key_value()?;
        Some(First { place: place.clone(), run: run.clone(), limit: self.limit })
    }

    fn ask(&mut self, run: &RunId, place: Place, rest: (OnLimit, Option<u32>, bool)) -> Answer {
        let (on_limit, queue_max, again) = rest;
        let queued = self.queue.get(&place) == Some(run);
        let now = if queued { Position::Queued(&place) } else { Position::Out };
        let asked = Ask { place: place.clone(), limit: self.limit, on_limit, queue_max, again };
        let answer = ask(&self.head, self.first().as_ref(), now, &asked);
        match answer {
            Answer::Taken => {
                self.head = self.head.moved(now, Position::Held);
                self.queue.remove(&place);
                assert!(self.holders.insert(run.clone()), "a run holds one slot");
            }
            Answer::Queued if !queued => {
                self.head = self.head.moved(now, Position::Queued(&place));
                assert!(self.queue.insert(place, run.clone()).is_none(), "two runs at one place");
            }
            Answer::Queued | Answer::Refused(_) => {}
        }
        self.changed();
        answer
    }

    fn changed(&mut self) {
        assert_eq!(self.head.held as usize, self.holders.len());
        assert_eq!(self.head.waiting as usize, self.queue.len());
        assert!(self.head.held <= self.limit, "over-admitted");
        self.wakes.extend(next_to_wake(&self.head, self.first().as_ref()).cloned());
    }

    fn wake(&mut self, run: &RunId) {
        let Some(place) = self.queue.iter().find(|(_, queued)| *queued == run).map(|(place, _)| place.clone()) else {
            return;
        };
        self.ask(run, place, (OnLimit::Queue, None, false));
    }

    fn give_back(&mut self, run: &RunId) {
        assert!(self.holders.remove(run));
        self.head = self.head.moved(Position::Held, Position::Out);
        self.changed();
    }

    fn step(&mut self, op: Op) {
        self.clock += 1;
        match op {
            Op::Come { late, on_limit, queue_max } => {
                let run = run(self.clock - late, u8::try_from(self.clock % 256).expect("a byte"));
                let (held, waiting) = (self.head.held, self.head.waiting);
                let answer = self.ask(&run, Place::first(&run), (on_limit, queue_max, false));
                let refused = match answer {
                    Answer::Refused(Refusal::QueueFull) => {
                        assert!(queue_max.is_some_and(|max| waiting >= u64::from(max)));
                        on_limit == OnLimit::Queue
                    }
                    Answer::Refused(Refusal::Skipped) => on_limit == OnLimit::Skip,
                    Answer::Refused(Refusal::Full) => on_limit == OnLimit::Fail,
                    Answer::Taken | Answer::Queued => true,
                };
                assert!(refused, "{answer:?} for {on_limit:?}");
                assert!(answer == Answer::Taken || held == self.limit || waiting > 0, "turned away from a free slot");
            }
            Op::End(n) => {
                if let Some(run) = nth(&self.holders, n) {
                    self.give_back(&run);
                }
            }
            Op::Lend(n) => {
                if let Some(run) = nth(&self.holders, n) {
                    self.give_back(&run);
                    self.lent.insert(run);
                }
            }
            Op::Return(n) => {
                if let Some(run) = nth(&self.lent, n) {
                    self.lent.remove(&run);
                    let place = Place::again(Lane::Returning, &run, Timestamp::from_millis(self.clock));
                    let answer = self.ask(&run, place, (OnLimit::Fail, Some(0), true));
                    assert_ne!(answer, Answer::Refused(Refusal::Full), "what was admitted is not turned away");
                }
            }
            Op::Leave(n) => {
                if let Some(place) = nth(&self.queue.keys().cloned().collect(), n) {
                    self.queue.remove(&place);
                    self.head = self.head.moved(Position::Queued(&place), Position::Out);
                    self.changed();
                }
            }
            Op::Wake(n) if !self.wakes.is_empty() => {
                let run = self.wakes.swap_remove(n % self.wakes.len());
                self.wake(&run);
            }
            Op::Wake(_) => {}
            Op::Restart => {
                self.wakes.clear();
                let queued: Vec<RunId> = self.queue.values().cloned().collect();
                queued.iter().rev().for_each(|run| self.wake(run));
            }
        }
    }

    fn deliver_wakes(&mut self) {
        while let Some(run) = self.wakes.pop() {
            self.wake(&run);
        }
    }

    /// Whoever holds a slot ends, again and again, until nobody is left; gives who got a slot, in order.
    fn drain(&mut self) -> Vec<RunId> {
        let mut order = Vec::new();
        self.deliver_wakes();
        while let Some(run) = self.holders.first().cloned() {
            let before = self.holders.clone();
            self.give_back(&run);
            self.deliver_wakes();
            order.extend(self.holders.difference(&before).cloned());
        }
        order
    }
}

fn nth<T: Clone + Ord>(set: &BTreeSet<T>, n: usize) -> Option<T> {
    if set.is_empty() { None } else { set.iter().nth(n % set.len()).cloned() }
}

proptest! {
    #[test]
    fn slots_are_neither_leaked_nor_given_twice_and_every_queued_run_has_its_turn(
        limit in 1u32..4,
        ops in proptest::collection::vec(op(), 1..120),
    ) {
        let mut model = Model::new(limit);
        ops.into_iter().for_each(|op| model.step(op));
        model.deliver_wakes();
        prop_assert!(model.queue.is_empty() || model.head.held == limit, "a free slot and somebody who waits");
        let queued: Vec<RunId> = model.queue.values().cloned().collect();
        let order = model.drain();
        prop_assert_eq!(order, queued, "the queue was not served in its order");
        prop_assert!(model.head.is_idle());
    }
}

#[test]
fn the_queue_stands_in_the_order_of_the_events_and_returning_runs_in_front() {
    let (early, late) = (run(5, 9), run(6, 1));
    let places = [
        Place::again(Lane::Returning, &late, Timestamp::from_millis(700)),
        Place::again(Lane::Returning, &early, Timestamp::from_millis(701)),
        Place::first(&early),
        Place::first(&late),
        Place::again(Lane::Beginning, &early, Timestamp::from_millis(702)),
    ];
    assert!(places.is_sorted(), "{places:?}");
    for place in &places {
        assert_eq!(Place::parse(place.as_str()).as_ref(), Some(place));
    }
    for wrong in ["", "1", "2ABCDEFGHJKMNPQRSTVWXYZ0123", "1ABCDEFGHJKMNPQRSTVWXYZ01234", "1ÄBCDEFGHJKMNPQRSTVWXYZ01"]
    {
        assert_eq!(Place::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn groups_that_differ_in_anything_have_other_names() {
    let store = |id: &str| Some(id.parse().expect("a store id"));
    let groups = [
        group(),
        Group { key: "a".into(), ..group() },
        Group { store: store("a"), ..group() },
        Group { store: store("a"), key: "a".into(), ..group() },
        Group { workflow: "synca".parse().expect("an id"), ..group() },
    ];
    let names: BTreeSet<String> = groups.iter().map(Group::digest).collect();
    assert_eq!(names.len(), groups.len());
    assert_eq!(groups[3].to_string(), "sync @ a [a]");
}

#[test]
fn the_first_may_have_a_limit_of_its_own() {
    let head = Head { held: 2, ..Head::new(group()) };
    let first = First { place: Place::first(&run(1, 1)), run: run(1, 1), limit: 2 };
    assert_eq!(next_to_wake(&head, Some(&first)), None);
    assert_eq!(next_to_wake(&head, Some(&First { limit: 3, ..first.clone() })), Some(&first.run));
}
