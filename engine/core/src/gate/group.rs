//! Held groups: events that wait together for one run. `debounce` starts it when a burst is over, with the last event;
//! `collect` when there are enough or it has waited long enough, with all of them.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::GateKind;
use crate::{
    id::{EventId, RunId},
    shard::ShardId,
    time::Timestamp,
};

/// Events that a group names. `collect` takes no more; `debounce` counts those above it without their names.
pub const MEMBERS_NAMED_MAX: usize = 1_000;

/// A collected group whose events' data is this large starts its run, so that a run can be held in memory: 8 MiB.
pub const GROUP_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Events that wait for one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The run that will come of it (where `collect` follows `debounce`: the one that would).
    pub run: RunId,
    /// Where its timer is.
    pub shard: ShardId,
    /// When its first event was accepted.
    pub since: Timestamp,
    /// When it starts its run.
    pub due: Timestamp,
    /// Its events in order of arrival, the first [`MEMBERS_NAMED_MAX`] of them.
    pub events: Vec<EventId>,
    /// The event that came last.
    pub last: EventId,
    /// How many there are.
    pub count: u64,
    /// How large the data of a `collect` is; of a `debounce`, that of its last event.
    pub bytes: u64,
    /// The highest hop count of its events, so that loops end.
    #[serde(default)]
    pub hops: u32,
    /// The keys of the gates that come after this one, as its last event has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub onward: BTreeMap<GateKind, Option<String>>,
}

/// An event on its way into a group.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Which.
    pub event: EventId,
    /// When it was accepted.
    pub at: Timestamp,
    /// How large its data is.
    pub bytes: u64,
    /// The run that comes of a group that it begins.
    pub run: RunId,
    /// Where the timer of such a group is.
    pub shard: ShardId,
    /// Its hop count.
    pub hops: u32,
    /// The keys of the gates after this one.
    pub onward: BTreeMap<GateKind, Option<String>>,
}

/// What came of an arrival.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined {
    /// Groups that start their runs now, in order: one that was due before the event came, and the one that it filled.
    pub fired: Vec<Group>,
    /// What is held from now on.
    pub held: Option<Group>,
    /// The run of the group that the event is in.
    pub run: RunId,
    /// When that group starts it at the latest; when the event came, if it filled the group.
    pub until: Timestamp,
}

impl Group {
    fn begin(arrival: Arrival, due: Timestamp) -> Self {
        Self {
            run: arrival.run,
            shard: arrival.shard,
            since: arrival.at,
            due,
            events: vec![arrival.event.clone()],
            last: arrival.event,
            count: 1,
            bytes: arrival.bytes,
            hops: arrival.hops,
            onward: arrival.onward,
        }
    }

    fn add(&mut self, arrival: Arrival) {
        if self.events.len() < MEMBERS_NAMED_MAX {
            self.events.push(arrival.event.clone());
        }
        self.last = arrival.event;
        self.count += 1;
        self.bytes = self.bytes.saturating_add(arrival.bytes);
        self.hops = self.hops.max(arrival.hops);
        self.onward = arrival.onward;
    }

    /// Whether its time has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due <= now
    }
}

/// Takes what was held apart: it goes on, or it was due before the event came.
fn still(held: Option<Group>, at: Timestamp) -> (Vec<Group>, Option<Group>) {
    match held {
        Some(group) if group.is_due(at) => (vec![group], None),
        held => (Vec::new(), held),
    }
}

/// An event comes to a `debounce`: its run starts after `wait` without another, at the latest `max_wait` after the first.
pub fn debounce(held: Option<Group>, wait: Duration, max_wait: Duration, arrival: Arrival) -> Joined {
    let (fired, held) = still(held, arrival.at);
    let silence = arrival.at.plus(wait);
    let group = match held {
        None => Group::begin(arrival, silence),
        Some(mut group) => {
            let bytes = arrival.bytes;
            group.add(arrival);
            group.bytes = bytes;
            // An event that comes late does not shorten the wait, nor does a shorter `wait` in the file.
            group.due = group.due.max(silence.min(group.since.plus(max_wait)));
            group
        }
    };
    Joined { fired, run: group.run.clone(), until: group.due, held: Some(group) }
}

/// An event comes to a `collect`: its run starts with `max_items`, at the latest `max_wait` after the first.
pub fn collect(held: Option<Group>, max_items: u32, max_wait: Duration, arrival: Arrival) -> Joined {
    let at = arrival.at;
    let (mut fired, held) = still(held, at);
    let group = match held {
        None => Group::begin(arrival, at.plus(max_wait)),
        Some(mut group) => {
            group.add(arrival);
            group
        }
    };
    let full = group.count >= u64::from(max_items)
        || group.events.len() >= MEMBERS_NAMED_MAX
        || group.bytes >= GROUP_BYTES_MAX;
    let (run, until) = (group.run.clone(), if full { at } else { group.due });
    let held = if full {
        fired.push(group);
        None
    } else {
        Some(group)
    };
    Joined { fired, held, run, until }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WAIT: Duration = Duration::from_millis(10);
    const MAX_WAIT: Duration = Duration::from_millis(35);

    fn arrival(number: usize, at: i64, bytes: u64) -> Arrival {
        let at = Timestamp::from_millis(at);
        let mut low = [0; 10];
        low[..8].copy_from_slice(&number.to_be_bytes());
        let event = EventId::new(at, low);
        // Made once: hashing an id for each arrival is what these tests would spend their time on.
        static RUN: std::sync::OnceLock<RunId> = std::sync::OnceLock::new();
        let run = RUN.get_or_init(|| RunId::derived(at, &event, &"w".parse().expect("an id"))).clone();
        Arrival { event, at, bytes, run, shard: ShardId::of("s"), hops: 0, onward: BTreeMap::new() }
    }

    /// What came of a history: the groups that fired, each with when.
    fn play(times: &[i64], mut join: impl FnMut(Option<Group>, Arrival) -> Joined, timely: bool) -> Vec<(i64, Group)> {
        let (mut held, mut fired) = (None::<Group>, Vec::new());
        for (number, at) in times.iter().enumerate() {
            // A timer that fires in time, or one that is late and is overtaken by the event.
            if timely && let Some(group) = held.take_if(|group| group.is_due(Timestamp::from_millis(*at))) {
                fired.push((group.due.as_millis(), group));
            }
            let joined = join(held.take(), arrival(number, *at, 1));
            fired.extend(joined.fired.into_iter().map(|group| (group.due.as_millis().min(*at), group)));
            held = joined.held;
        }
        fired.extend(held.map(|group| (group.due.as_millis(), group)));
        fired
    }

    /// The groups a list of times falls into, and when each fires: the simplest description of `debounce`.
    fn bursts(times: &[i64]) -> Vec<(i64, Vec<usize>)> {
        let mut groups: Vec<(i64, i64, Vec<usize>)> = Vec::new();
        for (number, at) in times.iter().enumerate() {
            match groups.last_mut() {
                Some((first, due, members)) if *at < *due => {
                    members.push(number);
                    *due = (*at + 10).min(*first + 35);
                }
                _ => groups.push((*at, *at + 10, vec![number])),
            }
        }
        groups.into_iter().map(|(_, due, members)| (due, members)).collect()
    }

    fn members(times: &[i64], group: &Group) -> Vec<usize> {
        let ids: BTreeMap<EventId, usize> = (0..times.len()).map(|n| (arrival(n, times[n], 1).event, n)).collect();
        group.events.iter().map(|event| ids[event]).collect()
    }

    fn times(gaps: &[i64]) -> Vec<i64> {
        gaps.iter()
            .scan(0, |at, gap| {
                Some({
                    *at += gap;
                    *at
                })
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_burst_starts_one_run_after_silence_and_not_later_than_the_longest_wait(
            gaps in proptest::collection::vec(0i64..20, 1..80),
            timely in any::<bool>(),
        ) {
            let times = times(&gaps);
            let fired = play(&times, |held, event| debounce(held, WAIT, MAX_WAIT, event), timely);
            let expected = bursts(&times);
            let got: Vec<_> = fired.iter().map(|(at, group)| (*at, members(&times, group))).collect();
            prop_assert_eq!(got, expected);
            for (at, group) in &fired {
                let all = members(&times, group);
                let last = *all.last().expect("an event");
                prop_assert_eq!(&group.last, &arrival(last, times[last], 1).event);
                prop_assert!(*at - times[all[0]] <= 35);
                prop_assert_eq!(group.count, all.len() as u64);
            }
        }

        #[test]
        fn collected_events_are_each_in_one_run_in_order(
            gaps in proptest::collection::vec(0i64..12, 1..80),
            max_items in 1u32..9,
            timely in any::<bool>(),
        ) {
            let times = times(&gaps);
            let fired = play(&times, |held, event| collect(held, max_items, MAX_WAIT, event), timely);
            let all: Vec<usize> = fired.iter().flat_map(|(_, group)| members(&times, group)).collect();
            prop_assert_eq!(all, (0..times.len()).collect::<Vec<_>>());
            for (at, group) in &fired {
                let inside = members(&times, group);
                prop_assert!(inside.len() <= max_items as usize);
                prop_assert!(*at - times[inside[0]] <= 35, "it waited too long");
                prop_assert!(inside.len() == max_items as usize || *at == times[inside[0]] + 35, "it went too early");
            }
        }
    }

    #[test]
    fn a_group_that_is_large_starts_at_once() {
        let joined = collect(None, 100, MAX_WAIT, arrival(1, 0, GROUP_BYTES_MAX - 1));
        assert!(joined.fired.is_empty());
        let joined = collect(joined.held, 100, MAX_WAIT, arrival(2, 1, 1));
        assert_eq!((joined.fired.len(), joined.held), (1, None));
    }

    #[test]
    fn a_debounce_counts_events_that_it_does_not_name() {
        let mut held = None;
        for number in 0..MEMBERS_NAMED_MAX + 5 {
            held = debounce(held, WAIT, Duration::from_secs(9), arrival(number, 1, 1)).held;
        }
        let group = held.expect("held");
        assert_eq!((group.events.len(), group.count), (MEMBERS_NAMED_MAX, MEMBERS_NAMED_MAX as u64 + 5));
        assert_eq!(group.last, arrival(MEMBERS_NAMED_MAX + 4, 1, 1).event);
    }

    #[test]
    fn a_late_event_does_not_shorten_the_wait() {
        let first = debounce(None, WAIT, MAX_WAIT, arrival(1, 20, 1));
        let joined = debounce(first.held, WAIT, MAX_WAIT, arrival(2, 15, 1));
        assert_eq!(joined.until, Timestamp::from_millis(30));
    }
}
