//! Webhooks: what a shop tells the world. `Hooks` listens to a shop, keeps the queue of deliveries, and builds them;
//! `driver` sends them over HTTP. Without a driver a test takes the deliveries by hand.
//!
//! The webhooks themselves are objects of the shop, kept by `rest/webhooks.rs`.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{Happened, Shop, state::Kind};

pub mod delivery;
pub mod driver;
pub mod queue;
pub mod topic;

pub use delivery::{Delivery, Received};
pub use queue::{Action, Queue, Timing};

/// The deliveries of one shop.
#[derive(Debug)]
pub struct Hooks {
    queue: Mutex<Queue>,
    wake: Notify,
}

impl Hooks {
    /// Listens to this shop from now on.
    pub fn attach(shop: &Shop, timing: Timing) -> Arc<Self> {
        let hooks =
            Arc::new(Self { queue: Mutex::new(Queue::new(timing, (shop.config().clock)())), wake: Notify::new() });
        let listening = Arc::clone(&hooks);
        shop.listen(Arc::new(move |shop: &Shop, happened: &Happened| listening.enqueue(shop, happened)));
        hooks
    }

    /// Queues an event for every active webhook that hears of it, the newest webhook first.
    pub fn enqueue(&self, shop: &Shop, happened: &Happened) {
        let topics = topic::hearing(happened);
        let hearing: Vec<u64> = shop.with_state(|state| {
            let hears = |topic: &str, status: &str| status == "active" && topics.iter().any(|known| known == topic);
            let webhooks = state.table(Kind::Webhook).values().rev();
            webhooks.filter(|hook| hears(hook.text("topic"), hook.text("status"))).map(|hook| hook.id).collect()
        });
        let mut queue = self.queue.lock();
        for webhook in hearing {
            queue.push(Action { webhook, arg: happened.arg.clone() });
        }
        drop(queue);
        self.wake();
    }

    /// Somebody asked the shop for something: if anything waits, whoever works on it should look.
    pub fn wake(&self) {
        if self.waiting() > 0 {
            self.wake.notify_one();
        }
    }

    /// Until there may be something to do.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// A page or post of WordPress went to the trash: products' and coupons' webhooks are told of it too.
    pub fn page_trashed(&self, shop: &Shop, id: u64) {
        self.enqueue(shop, &Happened::new("product", "deleted", id));
    }

    /// Somebody asked the shop for something, which may start a run.
    pub fn traffic(&self, now_ms: i64) {
        self.queue.lock().traffic(now_ms);
    }

    /// Starts a run whatever the time.
    pub fn start(&self, now_ms: i64) {
        self.queue.lock().start(now_ms);
        self.wake();
    }

    /// Changes when runs happen.
    pub fn set_timing(&self, timing: Timing) {
        self.queue.lock().set_timing(timing);
    }

    /// How many deliveries wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// The next batch of the run that is on. Report each with `delivery::settle`.
    pub fn claim(&self, now_ms: i64) -> Vec<Action> {
        self.queue.lock().claim(now_ms)
    }
}

/// A new webhook behind REST's back, as the connector makes one: its id.
pub fn add(shop: &Shop, topic: &str, url: &str, secret: &str) -> u64 {
    let now = (shop.config().clock)().div_euclid(1_000);
    shop.with_state(|state| {
        let id = state.next_id(crate::state::Sequence::Webhook);
        let mut webhook = crate::state::Object { id, created: now, modified: now, ..Default::default() };
        for (field, value) in [("name", topic), ("status", "active"), ("topic", topic), ("delivery_url", url)] {
            webhook.set(field, value);
        }
        webhook.hidden.insert("secret".to_owned(), json!(secret));
        webhook.hidden.insert("user".to_owned(), json!(1));
        state.put(Kind::Webhook, webhook);
        id
    })
}

/// How often a webhook's deliveries failed in a row; nobody is told.
pub fn failures(shop: &Shop, webhook: u64) -> u64 {
    shop.with_state(|state| {
        let hidden = state.get(Kind::Webhook, webhook).map(|webhook| &webhook.hidden);
        hidden.and_then(|hidden| hidden.get("failure_count")).and_then(Value::as_u64).unwrap_or_default()
    })
}
