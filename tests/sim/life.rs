//! One seed: several lives of the engine over one storage and one world outside. Each life but the last ends in a crash
//! at a random moment of virtual time; what was in memory is gone, what was committed is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use cartwright_core::{
    event::Source,
    id::{EventId, RunId, StoreId},
    run::{entry::Entry, row::RunRow},
    secret::SecretMarks,
    time::Timestamp,
};
use cartwright_run::{Clock, Engine, Entropy, Incoming, Options, Parts};
use cartwright_sandbox::{Limits, Sandbox};
use cartwright_storage::{MemoryStorage, RunFilter, Storage, StoredEvent};
use cartwright_tests::random::Random;
use cartwright_woo::{Secret, StoreSettings, Vault};
use parking_lot::Mutex;
use serde_json::{json, value::to_raw_value};
use tokio::time::Instant;

use crate::{
    goods::{Stock, stock},
    network::{Effect, Network},
    parts,
    people::{Desk, Words, look_after},
    storage::SlowStorage,
    street::{KEY, Line, SHOPS, Street},
    workflows::workflows,
};

const FEWEST_LIVES: u64 = 2;
const MOST_LIVES: u64 = 7;
const LONGEST_LIFE: Duration = Duration::from_secs(20);
const ORDERS: u64 = 8;
/// How long nobody starts the engine again: mostly a moment, now and then hours.
const STANDSTILLS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(8 * 3600)];
/// In virtual time; retries, waits and outages of a whole history end well before.
const SETTLE: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked whether everything has ended: often at first.
const LOOKS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];
/// In each hundred moments of a life, those in which a person looks after a run.
const PEOPLE_PERCENT: u64 = 40;
/// What people still take up at most while everything comes to rest.
const LAST_LOOKS: u64 = 40;
/// In each hundred moments of a life, those in which a person answers a question or cancels a run.
const PARTS_PERCENT: u64 = 25;
/// A store is added in so many tries at most: the disk refuses now and then.
const TRIES_TO_CONNECT: u32 = 20;
/// 2026-11-21, when the first life begins.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_795_219_200_000);

/// What a seed came to, for the checkers.
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) honours_keys: bool,
    pub(crate) accepted: BTreeMap<u64, EventId>,
    /// The orders whose change was acknowledged.
    pub(crate) updated: BTreeSet<u64>,
    pub(crate) runs: Vec<(RunRow, Vec<Entry>)>,
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) effects: BTreeMap<String, Effect>,
    /// How often the receiver was asked, by key.
    pub(crate) asked: BTreeMap<String, usize>,
    pub(crate) words: Words,
    pub(crate) stock: Stock,
    /// Exchanges with shops.
    pub(crate) exchanges: usize,
    pub(crate) crashes: u64,
    pub(crate) settings: parts::Settings,
    pub(crate) parts: parts::Seen,
    /// What was left when time was over, if anything was.
    pub(crate) unsettled: Option<String>,
    pub(crate) trace: Vec<String>,
}

/// Virtual time that goes on from life to life.
pub(crate) struct SimClock {
    begun: Timestamp,
    start: Instant,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.begun.plus(self.start.elapsed())
    }
}

struct SimEntropy(Mutex<Random>);

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut random = self.0.lock();
        for byte in bytes {
            *byte = random.draw().to_le_bytes()[0];
        }
    }
}

/// What the shops know: which orders were acknowledged, which must be sent again.
#[derive(Default)]
struct Shops {
    next: u64,
    unsent: Vec<(u64, &'static str)>,
    accepted: BTreeMap<u64, EventId>,
    updated: BTreeSet<u64>,
    trace: Vec<String>,
}

/// Runs a seed to its end.
pub(crate) fn simulate(seed: u64) -> History {
    let mut random = Random::new(seed);
    let honours_keys = random.percent(50);
    let disk = MemoryStorage::new();
    let network = Network::new(random.draw(), honours_keys);
    let street = Street::new(random.draw());
    let vault = Arc::new(Vault::in_memory().expect("a vault"));
    let settings = parts::Settings::new(&mut random);
    let parts = Arc::new(Mutex::new(parts::Seen::default()));
    let lives = FEWEST_LIVES + random.below(MOST_LIVES - FEWEST_LIVES + 1);
    let shops = Arc::new(Mutex::new(Shops::default()));
    let words = Arc::new(Mutex::new(Words::new()));
    let mut now = EPOCH;
    let mut history = None;
    for life in 1..=lives {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let last = life == lives;
        let length = random.between(Duration::ZERO, LONGEST_LIFE);
        let life_seed = random.draw();
        let begun = now;
        let lived = runtime.block_on(async {
            let clock = Arc::new(SimClock { begun: now, start: Instant::now() });
            let world = World {
                network: &network,
                street: &street,
                vault: &vault,
                shops: &shops,
                words: &words,
                parts: &parts,
                settings: &settings,
                honours_keys,
                seed: life_seed,
            };
            // Another handle to the same data: the crash takes the old one away together with its tasks.
            let living = live(world, disk.share(), clock.clone(), last);
            if last {
                history = Some(living.await);
            } else if tokio::time::timeout(length, living).await.is_ok() {
                unreachable!("only the last life ends by itself");
            }
            clock.now()
        });
        drop(runtime);
        parts.lock().lives.push((begun, lived));
        let wrong = look_at_slots(&disk, settings.limit);
        parts.lock().wrong.extend(wrong.into_iter().map(|wrong| format!("after life {life}: {wrong}")));
        shops.lock().trace.push(format!("life {life} ends at {lived}"));
        let longest = STANDSTILLS[usize::from(random.percent(10))];
        now = lived.plus(random.between(Duration::ZERO, longest));
    }
    let (runs, events, unsettled) = history.expect("there is a last life");
    let shops = std::mem::take(&mut *shops.lock());
    let mut trace = shops.trace;
    trace.extend(network.requests());
    let words = std::mem::take(&mut *words.lock());
    trace.extend(words.iter().map(|word| format!("{word:?}")));
    let stock = stock(street.shops(now));
    let log = street.exchanges();
    let exchanges = log.len();
    trace.extend(log);
    for (row, journal) in &runs {
        trace.push(serde_json::to_string(row).expect("JSON"));
        trace.extend(journal.iter().map(|entry| serde_json::to_string(entry).expect("JSON")));
    }
    let parts = std::mem::take(&mut *parts.lock());
    trace.push(format!("{parts:?}"));
    let (accepted, updated, effects) = (shops.accepted, shops.updated, network.effects());
    let crashes = lives - 1;
    History {
        seed,
        honours_keys,
        accepted,
        updated,
        runs,
        events,
        effects,
        asked: network.all_asked(),
        words,
        stock,
        exchanges,
        crashes,
        settings,
        parts,
        unsettled,
        trace,
    }
}

/// The disk as the crash left it: no task of the engine is there any more.
fn look_at_slots(disk: &Arc<MemoryStorage>, limit: u32) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(parts::slots_at_rest(&disk.share(), limit))
}

struct World<'a> {
    network: &'a Arc<Network>,
    street: &'a Arc<Street>,
    /// Outlives the engine, as a master key in a file does.
    vault: &'a Arc<Vault>,
    shops: &'a Arc<Mutex<Shops>>,
    words: &'a Arc<Mutex<Words>>,
    parts: &'a Arc<Mutex<parts::Seen>>,
    settings: &'a parts::Settings,
    honours_keys: bool,
    seed: u64,
}

type Lived = (Vec<(RunRow, Vec<Entry>)>, Vec<StoredEvent>, Option<String>);

/// A life: start, take orders at random moments, and in the last one wait until everything has ended.
async fn live(world: World<'_>, disk: Arc<MemoryStorage>, clock: Arc<SimClock>, last: bool) -> Lived {
    let mut random = Random::new(world.seed);
    let marks = SecretMarks::new([7; 32]);
    let parts = Parts {
        storage: Arc::new(SlowStorage::new(disk.clone(), random.draw())),
        clock: clock.clone(),
        entropy: Arc::new(SimEntropy(Mutex::new(Random::new(random.draw())))),
        outbound: world.network.clone(),
        stores: Arc::new(Line { street: world.street.clone(), clock: clock.clone() }),
        sandbox: Sandbox::new(Limits::default(), marks.clone()),
        marks,
        vault: world.vault.clone(),
        options: Options::default(),
    };
    let engine = Engine::start(parts, workflows(world.honours_keys, world.settings)).await.expect("the engine starts");
    connect(&engine).await;
    let desk = Desk { engine: &engine, disk: &disk, network: world.network, words: world.words };
    if last {
        take_rest(&engine, &mut random, &world).await;
        return settle(&desk, &mut random, world.parts).await;
    }
    loop {
        let wait = random.between(Duration::ZERO, Duration::from_millis(1500));
        tokio::time::sleep(wait).await;
        if random.percent(PEOPLE_PERCENT) {
            look_after(&desk, &mut random).await;
        }
        if random.percent(PARTS_PERCENT) {
            parts::take_part(&engine, &disk, world.parts, &mut random).await;
        }
        let next = choose(&world, &mut random);
        if let Some((number, topic)) = next {
            send(&engine, number, topic, &world).await;
        }
    }
}

/// Adds the shops that are not known yet.
async fn connect(engine: &Engine) {
    for number in 0..SHOPS {
        let id: StoreId = format!("shop-{number}").parse().expect("an id");
        let settings = StoreSettings {
            url: Some(format!("https://{id}.example")),
            rest_key: Some(Secret::new(KEY.0)),
            rest_secret: Some(Secret::new(KEY.1)),
            ..StoreSettings::default()
        };
        let mut tries = 0;
        while engine.stores().get(&id).is_none() {
            tries += 1;
            assert!(tries <= TRIES_TO_CONNECT, "{id} cannot be added");
            let _refused = engine.stores().add(id.clone(), &settings, engine.now(), |_| None).await;
        }
    }
}

/// Something that was not acknowledged, a new order, or a change of an accepted one.
fn choose(world: &World<'_>, random: &mut Random) -> Option<(u64, &'static str)> {
    let mut shops = world.shops.lock();
    if let Some(again) = shops.unsent.pop() {
        return Some(again);
    }
    if random.percent(60)
        && let Some(part) = parts::choose(&mut world.parts.lock(), random)
    {
        return Some(part);
    }
    if random.percent(40) && !shops.accepted.is_empty() {
        let number = 1 + random.below(shops.next);
        return Some((number, "order.updated"));
    }
    (shops.next < ORDERS).then(|| {
        shops.next += 1;
        (shops.next, "order.created")
    })
}

/// Posts one event as the door would: in the list of the unacknowledged until storage said yes.
async fn send(engine: &Engine, number: u64, topic: &'static str, world: &World<'_>) {
    world.shops.lock().unsent.push((number, topic));
    let is_order = topic.starts_with("order.");
    let shop = if is_order { number % 3 } else { parts::shop(topic, number) };
    let store: StoreId = format!("shop-{shop}").parse().expect("an id");
    let data = if is_order { json!({ "id": number, "total": number * 10 }) } else { parts::data(number) };
    let data = to_raw_value(&data).expect("JSON");
    let mut dedupe = [0; 32];
    dedupe[..8].copy_from_slice(&number.to_be_bytes());
    dedupe[8..8 + topic.len()].copy_from_slice(topic.as_bytes());
    let woo = Source::Woo { webhook: "4".into(), delivery: "d".into() };
    let source = if is_order { woo } else { Source::Api };
    let store = Some(store);
    let incoming = Incoming { topic: topic.into(), store, source, data: data.into(), dedupe: Some(dedupe) };
    let outcome = engine.accept(incoming).await;
    let mut shops = world.shops.lock();
    let shown = match &outcome {
        Ok(accepted) => format!("{} {}", accepted.id, accepted.duplicate),
        Err(error) => error.to_string(),
    };
    shops.trace.push(format!("{} {topic} {number}: {shown}", engine.now()));
    let Ok(accepted) = outcome else { return };
    shops.unsent.retain(|one| *one != (number, topic));
    match topic {
        "order.created" => drop(shops.accepted.insert(number, accepted.id)),
        "order.updated" => drop(shops.updated.insert(number)),
        _ => drop(world.parts.lock().accepted.insert((topic, number), accepted.id)),
    }
}

async fn take_rest(engine: &Engine, random: &mut Random, world: &World<'_>) {
    loop {
        let again = world.shops.lock().unsent.pop();
        let Some((number, topic)) = again else { return };
        tokio::time::sleep(random.between(Duration::ZERO, Duration::from_millis(50))).await;
        send(engine, number, topic, world).await;
    }
}

async fn settle(desk: &Desk<'_>, random: &mut Random, parts: &Arc<Mutex<parts::Seen>>) -> Lived {
    let (engine, disk) = (desk.engine, desk.disk);
    let begun = Instant::now();
    let (mut unsettled, mut looks) = (None, random.below(LAST_LOOKS));
    while begun.elapsed() < SETTLE {
        tokio::time::sleep((begun.elapsed() / 20).clamp(LOOKS[0], LOOKS[1])).await;
        if looks > 0 {
            looks -= 1;
            // What they leave at last stays as it is.
            let _nothing_stopped = look_after(desk, random).await;
            if random.percent(PARTS_PERCENT) {
                parts::take_part(engine, disk, parts, random).await;
            }
        }
        let counts = engine.counts().await.expect("counts");
        let [queued, running, waiting, ..] = counts.runs;
        let left = queued + running + waiting + counts.inbox + counts.outbox + engine.held_count();
        unsettled = (left > 0).then(|| format!("{counts:?}"));
        if unsettled.is_none() && random.percent(30) {
            break;
        }
    }
    parts::look_back(engine, disk, parts).await;
    let mut runs = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = disk.query_runs(&RunFilter::default(), cursor.as_deref(), 100).await.expect("runs");
        for row in page.items {
            let journal = disk.journal(&row.id).await.expect("a journal");
            runs.push((row, journal));
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    runs.sort_by(|(a, _), (b, _): &(RunRow, Vec<Entry>)| RunId::cmp(&a.id, &b.id));
    let events =
        disk.query_events(&cartwright_storage::EventFilter::default(), None, 1000).await.expect("events").items;
    (runs, events, unsettled)
}
