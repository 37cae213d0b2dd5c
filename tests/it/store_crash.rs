//! The engine is killed with -9 in the middle of every kind of write to a store: when the request never arrived, when
//! its effect is there and its answer is not, when the answer may or may not have been journaled. Afterwards each store
//! holds what one that was asked once holds, nothing more and nothing less, and every run has succeeded.
//!
//! `engine/docs/decisions/0006-once-only-writes.md` names what nobody can know. None of it is met by killing the engine
//! (it takes a PHP that dies, or somebody else who writes the same), so no run may end in doubt here.

mod writes;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cartwright_store_sim::{
    Shop, ShopConfig,
    faults::{Fault, When},
    server::ShopSpec,
    state::{Kind, Permissions},
};
use cartwright_tests::{
    engine::Engine,
    environment,
    random::{Random, fresh_seed},
    shops::{KINDS as THINGS, Shops, ask, census},
};
use serde_json::{Value, json};

use self::writes::{Ground, IN_A_ROW, KINDS, Make, Write, ground, in_a_row};

/// One step each; the path and the body come with the event.
const STEP: &str = r#"
on: { event: [write.METHOD] }
grants: { woo: [products.write, orders.write, customers.write, coupons.write, webhooks.write, taxes.write], stores: [self] }
steps:
  - id: write
    woo: "${{ event.data.path }}"
    method: METHOD
    BODY
"#;

/// Several writes in a row in one script.
const SCRIPT: &str = r#"
on: { event: [write.script] }
grants: { woo: [products.write, orders.write, customers.write, coupons.write], stores: [self] }
steps:
  - id: write
    script: |
      let ids = [];
      for write in event.data.writes {
        let made = if write.method == "PUT" { woo::put(write.path, write.body) } else { woo::post(write.path, write.body) };
        ids.push(made.id);
      }
      ids
"#;

/// A second is the least that can be set: long enough for a request over loopback.
const CONFIG: &str = "[stores]\nrequest_can_run = \"1s\"\n";

/// Where the engine is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The request is intended and on its way, and never arrives.
    Sent,
    /// The effect is there, and the answer hangs.
    Done,
    /// The effect is there, the connection broke, and the engine is about to find out.
    Cut,
    /// Anywhere.
    Anywhere,
}

/// Killed three times anywhere: answers are sent and journaled, or not, in another order each time.
const PLACES: [Place; 6] = [Place::Sent, Place::Done, Place::Cut, Place::Anywhere, Place::Anywhere, Place::Anywhere];

/// A store, and one like it to which the same things happened, once.
struct Pair {
    id: String,
    shop: Arc<Shop>,
    key: (String, String),
    reference: Shop,
    reference_key: (String, String),
    /// Which of the round's writes is the one that is hit.
    hit: usize,
    kind: Option<Make>,
}

impl Pair {
    fn new(shops: &Shops, id: String, hit: usize, kind: Option<Make>) -> Self {
        let shop = shops.shop(&id);
        let reference = Shop::new(ShopConfig::new("http://reference.test", Arc::clone(&shop.config().clock)));
        let reference_key = reference.add_key(Permissions::ReadWrite, 1);
        let key = shops.server().key(&id);
        Self { id, shop, key, reference, reference_key, hit, kind }
    }

    /// Prepares a round in both; what the engine is to write.
    fn prepare(&self, round: usize) -> Vec<Write> {
        let on = ground(&self.shop, (&self.key.0, &self.key.1), round);
        let key = (self.reference_key.0.as_str(), self.reference_key.1.as_str());
        let there = ground(&self.reference, key, round);
        let writes = |on: Ground| self.kind.map_or_else(|| in_a_row(on), |write| vec![write(on)]);
        for Write { method, path, body } in writes(there) {
            ask(&self.reference, key, method, &path, &body);
        }
        writes(on)
    }

    /// Writes that the shop answered, whatever they came to.
    fn written(&self) -> u64 {
        self.shop.requests().iter().filter(|(route, _)| !route.starts_with("GET ")).map(|(_, count)| count).sum()
    }

    fn check(&self, context: &str) {
        let mut differences = Vec::new();
        let (ours, once) = (census(&self.shop), census(&self.reference));
        let names: std::collections::BTreeSet<&String> = ours.keys().chain(once.keys()).collect();
        for name in names {
            let (ours, once) = (ours.get(name).unwrap_or(&0), once.get(name).unwrap_or(&0));
            if ours != once {
                differences.push(format!("{name}: {ours} instead of {once}"));
            }
        }
        for thing in THINGS {
            let (skus, marks) =
                (self.shop.duplicate_skus(thing), self.shop.duplicate_markers(thing, "_cartwright_call"));
            differences.extend(skus.iter().chain(&marks).map(|twice| format!("{thing:?} twice: {twice:?}")));
        }
        assert!(
            differences.is_empty(),
            "{context}, store {}: {differences:#?}\n{:#?}",
            self.id,
            self.shop.recent_requests()
        );
    }
}

struct World {
    shops: Shops,
    pairs: Vec<Pair>,
    engine: Engine,
}

impl World {
    fn new() -> Self {
        let names: Vec<(String, usize, Option<Make>)> = KINDS
            .iter()
            .map(|(name, write)| ((*name).to_owned(), 0, Some(*write)))
            .chain((0..IN_A_ROW.len()).map(|hit| (format!("script-{hit}"), hit, None)))
            .collect();
        let shops = Shops::open(names.iter().map(|(name, ..)| ShopSpec::http(name)).collect());
        let pairs = names.into_iter().map(|(name, hit, kind)| Pair::new(&shops, name, hit, kind)).collect();
        let with = "with: \"${{ event.data.body }}\"";
        let step = |method: &str, body: &str| STEP.replace("METHOD", method).replace("BODY", body);
        let delete = "query: { force: true }";
        let mut engine = Engine::new(&[
            ("post.yaml", &step("POST", with)),
            ("put.yaml", &step("PUT", with)),
            ("delete.yaml", &step("DELETE", delete)),
            ("script.yaml", SCRIPT),
        ]);
        std::fs::write(engine.folder().join("cartwright.toml"), CONFIG).expect("a configuration");
        engine.start();
        let world = Self { shops, pairs, engine };
        for pair in &world.pairs {
            let (url, key, secret) = world.shops.connection(&pair.id);
            let store = json!({"id": pair.id, "url": url, "key": key, "secret": secret});
            let answer = world.engine.api("POST", "/api/v1/stores", Some(&store));
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        world
    }

    /// Lets the store's next writes go wrong at this place; counts those that do.
    fn fault(&self, pair: &Pair, place: Place, met: &Arc<AtomicU64>) {
        let fault = match place {
            Place::Sent => Fault::Hang,
            Place::Done => Fault::HangAfter,
            Place::Cut => Fault::CutAfter,
            Place::Anywhere => return,
        };
        let (met, seen) = (Arc::clone(met), AtomicU64::new(0));
        let hit = pair.hit as u64;
        let is_hit = move |request: &cartwright_store_sim::Request| {
            let hits = request.method != "GET" && seen.fetch_add(1, Ordering::SeqCst) == hit;
            met.fetch_add(u64::from(hits), Ordering::SeqCst);
            hits
        };
        self.shops.faults(&pair.id).add(When::default().and(is_hit), fault);
    }

    /// Starts a round's run.
    fn begin(&self, pair: &Pair, writes: &[Write]) {
        let list = || writes.iter().map(|one| json!({"method": one.method, "path": one.path, "body": one.body}));
        let (topic, data) = match (pair.kind, writes) {
            (Some(_), [one]) => {
                let path = one.path.split('?').next().unwrap_or_default();
                (format!("write.{}", one.method), json!({"path": path, "body": one.body}))
            }
            _ => ("write.script".to_owned(), json!({"writes": list().collect::<Vec<_>>()})),
        };
        let event = json!({"topic": topic, "store": pair.id, "data": data});
        let answer = self.engine.api("POST", "/api/v1/events", Some(&event));
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    /// One round: begin everything, kill at the place, start again, let it finish.
    fn round(&mut self, number: usize, place: Place, random: &mut Random) {
        let met: Arc<AtomicU64> = Arc::default();
        let prepared: Vec<Vec<Write>> = self.pairs.iter().map(|pair| pair.prepare(number)).collect();
        let before: u64 = self.pairs.iter().map(Pair::written).sum();
        for (pair, writes) in self.pairs.iter().zip(&prepared) {
            self.fault(pair, place, &met);
            self.begin(pair, writes);
        }
        let all: u64 = prepared.iter().map(|writes| writes.len() as u64).sum();
        let done = if place == Place::Anywhere { random.below(all) } else { self.wanted(place) };
        let hits = if place == Place::Anywhere { 0 } else { self.pairs.len() as u64 };
        self.engine.wait(&format!("{place:?}: {hits} writes are hit and {done} made"), || {
            let made = self.pairs.iter().map(Pair::written).sum::<u64>() - before;
            (met.load(Ordering::SeqCst) >= hits && made >= done).then_some(())
        });
        self.engine.kill();
        for pair in &self.pairs {
            self.shops.faults(&pair.id).clear();
        }
        self.engine.start();
    }

    /// How many writes are made when all stores have met their fault.
    fn wanted(&self, place: Place) -> u64 {
        let own = u64::from(place != Place::Sent);
        self.pairs.iter().map(|pair| pair.hit as u64 + own).sum()
    }

    /// Waits until every run has ended.
    fn settled(&self, rounds: usize) -> Vec<Value> {
        let open = ["queued", "running", "waiting"];
        self.engine.wait("every run ends", || {
            let runs = self.engine.runs("");
            let ended = runs.iter().all(|run| !open.contains(&run["status"].as_str().unwrap_or_default()));
            (ended && runs.len() == self.pairs.len() * rounds).then_some(runs)
        })
    }
}

#[test]
fn a_crash_in_the_middle_of_a_write_leaves_exactly_one_of_each() {
    let seed = environment::number("CARTWRIGHT_SEED", fresh_seed());
    let mut random = Random::new(seed);
    let mut world = World::new();
    for (number, place) in PLACES.into_iter().enumerate() {
        world.round(number, place, &mut random);
        let context = format!("seed {seed}, round {number}, killed at {place:?}");
        let statuses: BTreeMap<String, usize> =
            world.settled(number + 1).iter().fold(BTreeMap::new(), |mut all, run| {
                *all.entry(run["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
                if run["status"] != "succeeded" {
                    let shown = world.engine.run(run["id"].as_str().unwrap_or_default());
                    panic!("{context}: a run of {} is {}: {shown:#}", run["store"], run["status"]);
                }
                all
            });
        assert_eq!(statuses["succeeded"], world.pairs.len() * (number + 1), "{context}");
        for pair in &world.pairs {
            pair.check(&context);
        }
    }
    let orders: usize = world.pairs.iter().map(|pair| pair.shop.count(Kind::Order)).sum();
    assert!(orders > world.pairs.len() * PLACES.len(), "the stores were written to");
}
