//! The demo's look-alike stores: opened on ports of this machine, filled, and connected to the engine the way a
//! merchant would: with a REST key, and webhooks that the stores deliver themselves.

use std::sync::Arc;

use anyhow::anyhow;
use cartwright_run::{Engine, Metrics};
use cartwright_store_sim::{
    Shop, ShopConfig,
    faults::Faults,
    server::{Options, Server, ShopSpec},
    webhooks::{
        self,
        driver::{Driver, Mess},
    },
};
use cartwright_woo::{Secret, StoreSettings};

use super::{
    catalogue::{self, Stock},
    dice::Dice,
};
use crate::failure::{OrFail as _, Result, environment};

const TOWNS: [&str; 12] =
    ["kiel", "porto", "lyon", "graz", "turku", "ghent", "cork", "split", "malmo", "brno", "varna", "gdansk"];
/// What the stores tell the engine.
const TOPICS: [&str; 4] = ["order.created", "order.updated", "product.updated", "customer.created"];
/// Marks the demo's stores among others that a named data folder may have.
pub(super) const TAG: &str = "demo";
/// Every so many-th delivery comes twice, as after a customer's double click or a lost answer.
const TWICE_EVERY: u32 = 9;
/// The number of each store's first order.
const FIRST_ORDER: u64 = 1001;

/// One store with everything around it.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) name: String,
    pub(super) shop: Arc<Shop>,
    pub(super) driver: Arc<Driver>,
    pub(super) faults: Arc<Faults>,
    pub(super) stock: Arc<Stock>,
    url: String,
    key: (String, String),
    webhook_secret: String,
}

/// All stores. Dropping it closes them.
pub(super) struct Shops {
    pub(super) stores: Vec<Store>,
    server: Server,
}

/// What became of the stores' deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Deliveries {
    pub(super) sent: u64,
    pub(super) refused: u64,
    pub(super) duplicates: u64,
}

impl Shops {
    /// Opens so many stores.
    pub(super) async fn open(count: u32) -> Result<Self> {
        let names: Vec<String> = (0..count as usize).map(name).collect();
        let specs = names.iter().enumerate().map(|(number, name)| ShopSpec {
            configure: Some(Arc::new(move |config: &mut ShopConfig| {
                config.title = catalogue::title(number).to_owned();
            })),
            ..ShopSpec::http(name)
        });
        let server = Server::start(specs.collect(), Options::default()).await;
        let server = server.or_environment("cannot listen on this machine")?;
        let mut stores = Vec::with_capacity(names.len());
        for (number, name) in names.into_iter().enumerate() {
            let (shop, key) = (server.shop(&name), server.key(&name));
            // The same goods and people each time; what they do differs.
            let stock = catalogue::fill(&shop, &key, number, &mut Dice::new(number as u64 + 1));
            let stock = Arc::new(stock.or_environment("cannot fill a look-alike store")?);
            shop.pin_next_id(FIRST_ORDER);
            let mut random = [0; 16];
            getrandom::fill(&mut random)
                .map_err(|error| environment(format!("the system's random source failed: {error}")))?;
            stores.push(Store {
                driver: server.driver(&name),
                faults: server.faults(&name),
                url: server.base_url(&name),
                webhook_secret: hex::encode(random),
                name,
                shop,
                stock,
                key,
            });
        }
        Ok(Self { stores, server })
    }

    /// Makes them known to the engine, and the engine to them.
    pub(super) async fn connect(&self, engine: &Engine, door: std::net::SocketAddr) -> Result<()> {
        forget_earlier(engine).await?;
        for store in &self.stores {
            let settings = StoreSettings {
                url: Some(store.url.clone()),
                tags: vec![TAG.to_owned()],
                webhook_secrets: vec![Secret::new(store.webhook_secret.clone())],
                rest_key: Some(Secret::new(store.key.0.clone())),
                rest_secret: Some(Secret::new(store.key.1.clone())),
            };
            let id = store.name.parse().map_err(environment)?;
            engine
                .stores()
                .add(id, &settings, engine.now(), |_| None)
                .await
                .or_environment("cannot connect a store")?;
            let delivery_url = format!("http://{door}/webhooks/{}", store.name);
            for topic in TOPICS {
                webhooks::add(&store.shop, topic, &delivery_url, &store.webhook_secret);
            }
            store.driver.set_mess(Mess { duplicate_every: TWICE_EVERY, ..Mess::default() });
        }
        Ok(())
    }

    /// What was delivered so far.
    pub(super) fn deliveries(&self, metrics: &Metrics) -> Deliveries {
        let mut all = Deliveries::default();
        for store in &self.stores {
            let count = store.driver.count();
            all.sent += count.sent;
            all.refused += count.sent.saturating_sub(count.received);
        }
        all.duplicates = metrics.events_duplicate.load(std::sync::atomic::Ordering::Relaxed);
        all
    }

    pub(super) async fn close(self) {
        self.server.stop().await;
    }
}

/// A kept data folder has the stores of the demo before, which are gone; so is what its unfinished runs were about.
async fn forget_earlier(engine: &Engine) -> Result<()> {
    for open in engine.stores().list() {
        if open.tags.iter().any(|tag| tag == TAG) {
            engine.stores().remove(&open.store.id, |_| None).await.or_environment("cannot disconnect a store")?;
        } else if TOWNS.iter().any(|town| open.store.id.as_str().starts_with(town)) {
            let failure = anyhow!("the data folder has a store `{}` that is not the demo's", open.store.id);
            return Err(environment(failure).help("Name another folder with --data, or none."));
        }
    }
    Ok(())
}

/// `kiel`, `porto`, …, `kiel-2`
fn name(number: usize) -> String {
    let town = TOWNS[number % TOWNS.len()];
    if number < TOWNS.len() { town.to_owned() } else { format!("{town}-{}", number / TOWNS.len() + 1) }
}
