//! Made-up histories against a model of a store that knows no idempotency keys: answers get lost, requests arrive late,
//! the store goes away, the engine crashes, people retry. Whoever makes a call does what its contract says: a first try
//! writes blindly, a later one looks first and writes only when the earlier request can no longer be running. Then
//! every write must happen exactly once.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A request that was sent arrives within this time or never.
const REQUEST_CAN_RUN: Duration = Duration::from_secs(300);
/// From then on nothing goes wrong any more, so that every history ends.
const TROUBLE: usize = 60;
const EVENTS_MAX: usize = 3_000;

const YAML: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
retry: 2
steps:
  - { id: first, woo: orders/61/notes, method: POST, with: { note: first } }
  - { id: work, script: "3 writes" }
  - id: each
    for_each: "[1, 2, 3, 4]"
    parallel: 3
    steps:
      - { id: note, woo: orders/61/notes, method: POST, with: { note: each } }
      - { id: inner, script: "3 writes" }
  - fail: on purpose
on_failure:
  - { id: last, woo: orders/61/notes, method: POST, with: { note: last } }
"#;
/// `first`, `work`, four times `note` and `inner`, `last`.
const WRITES: usize = 1 + 3 + 4 * (1 + 3) + 1;

/// A sequence of numbers that looks random (splitmix64).
struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

struct World {
    bench: Bench,
    luck: Luck,
    /// When each write happened or will happen, by key.
    store: BTreeMap<String, Vec<Timestamp>>,
    under_way: Vec<Asked>,
    trouble: bool,
    seen: BTreeSet<&'static str>,
}

impl World {
    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::RunScript { path, attempt } => {
                    let end = self.execute(&path);
                    let effects = self.bench.script(path.as_str(), attempt, end);
                    self.take(effects);
                }
                Effect::Abort { .. } => {
                    assert!(self.under_way.is_empty(), "the workflow fails when nothing is under way");
                }
                effect => self.under_way.extend(calls(&[effect])),
            }
        }
    }

    /// A script that makes three writes one after another and catches nothing.
    fn execute(&self, path: &StepPath) -> ScriptEnd {
        let calls = self.bench.state().calls(path);
        let open = (0..3).find(|index| calls.get(*index).and_then(|call| call.outcome.as_ref()).is_none());
        let failed = calls.iter().position(|call| matches!(call.outcome, Some(CallOutcome::Err(_))));
        match (failed, open) {
            (Some(index), _) => {
                let Some(CallOutcome::Err(error)) = calls[index].outcome.clone() else { panic!() };
                ScriptEnd::Failed { error, call: Some(u32::try_from(index).unwrap()) }
            }
            (None, Some(index)) => asks(u32::try_from(index).unwrap(), &note_spec()),
            (None, None) => ScriptEnd::Done(json!("done")),
        }
    }

    /// A request leaves now; whether its answer is seen is another matter.
    fn send(&mut self, key: &str) {
        let late = self.luck.below(u64::try_from(REQUEST_CAN_RUN.as_millis()).unwrap());
        let arrives = self.bench.now.plus(Duration::from_millis(if self.trouble { late } else { 0 }));
        self.store.entry(key.to_owned()).or_default().push(arrives);
    }

    /// What the store's client does with a call, and what it tells.
    fn make(&mut self, asked: &Asked) -> Result<Json, CallError> {
        let luck = if self.trouble { self.luck.below(100) } else { 99 };
        match luck {
            0..20 => return Err(deferred(None)),
            20..25 => return Err(unavailable()),
            _ => {}
        }
        if let Some(again) = asked.again {
            // What is older than the first try cannot be this call's: whoever looks does not look further back.
            let arrived = |at: &Timestamp| *at <= self.bench.now && *at >= again.since;
            if self.store.get(&asked.key).is_some_and(|writes| writes.iter().any(arrived)) {
                self.seen.insert("found");
                return Ok(json!("found"));
            }
            let waited = self.bench.now.since(again.until);
            if waited < REQUEST_CAN_RUN {
                self.seen.insert("settling");
                return Err(deferred(u64::try_from((REQUEST_CAN_RUN - waited).as_millis()).ok()));
            }
            self.seen.insert("repeated");
        }
        match luck {
            25..35 => Err(unknown()),
            35..55 => {
                self.send(&asked.key);
                Err(unknown())
            }
            _ => {
                self.store.entry(asked.key.clone()).or_default().push(self.bench.now);
                Ok(json!("made"))
            }
        }
    }

    fn crash(&mut self) {
        for asked in std::mem::take(&mut self.under_way) {
            // Sent or not, nobody knows; but never blindly a second time.
            if self.luck.below(2) == 0 && asked.again.is_none() {
                self.send(&asked.key);
            }
        }
        self.bench.is_what_the_journal_says();
        let effects = self.bench.crash(Duration::from_secs(1));
        self.take(effects);
    }

    /// The next thing that happens; `false`: nothing can.
    fn happens(&mut self) -> bool {
        if self.trouble && self.luck.below(12) == 0 {
            self.crash();
        } else if self.trouble && self.luck.below(12) == 0 && self.bench.state().deferred().next().is_some() {
            let effects = self.bench.retry(false).unwrap();
            self.take(effects);
        } else if !self.under_way.is_empty() {
            let index = self.luck.below(self.under_way.len() as u64);
            let asked = self.under_way.remove(usize::try_from(index).unwrap());
            self.bench.now = self.bench.now.plus(Duration::from_secs(1));
            let answer = self.make(&asked);
            let effects = self.bench.answers(asked.path.as_str(), asked.index, answer);
            self.take(effects);
        } else if self.bench.status() == RunStatus::Parked {
            self.seen.insert("parked");
            let effects = self.bench.retry(false).unwrap();
            self.take(effects);
        } else {
            let timers = self.bench.state().timers.iter().min_by_key(|(_, due)| **due);
            let Some(((path, kind), due)) = timers.map(|(key, due)| (key.clone(), *due)) else { return false };
            self.bench.now = self.bench.now.max(due);
            let effects = self.bench.fires(path.as_str(), kind);
            self.take(effects);
        }
        true
    }
}

#[test]
fn every_write_happens_exactly_once_in_any_history() {
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let (mut bench, effects) = Bench::new(YAML);
        bench.checked = false;
        let mut world = World {
            bench,
            luck: Luck(seed),
            store: BTreeMap::new(),
            under_way: Vec::new(),
            trouble: true,
            seen: BTreeSet::new(),
        };
        world.take(effects);
        let mut events = 0;
        while world.bench.status() != RunStatus::Failed {
            events += 1;
            world.trouble = events < TROUBLE;
            assert!(events < EVENTS_MAX && world.happens(), "seed {seed}: no end after {events} events");
        }
        let error = world.bench.state().row().error.unwrap();
        assert_eq!(error.message, "on purpose", "seed {seed}: {error:?}");
        let twice: Vec<_> = world.store.iter().filter(|(_, times)| times.len() != 1).collect();
        assert!(twice.is_empty(), "seed {seed}: {twice:?}\n{:#?}", world.bench.journal);
        assert_eq!(world.store.len(), WRITES, "seed {seed}");
        seen.extend(world.seen);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["found", "parked", "repeated", "settling"],
        "all of it was tried"
    );
}
