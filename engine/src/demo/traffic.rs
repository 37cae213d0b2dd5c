//! Orders at a steady rate: each is created, signed as WooCommerce signs, posted to its store's webhook, and some
//! seconds later updated the same way.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cartwright_core::{Json, time::Timestamp};
use cartwright_run::{Clock as _, SystemClock};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::orders::{self, Dice};

/// Between an order's creation and its completion.
const COMPLETED_AFTER: Duration = Duration::from_secs(6);

/// Stores send their orders to one engine.
pub(crate) struct Traffic {
    pub(crate) engine: SocketAddr,
    /// Store id and webhook secret.
    pub(crate) stores: Vec<(String, String)>,
    pub(crate) orders_per_minute: u32,
    pub(crate) sent: Arc<Sent>,
}

/// What was sent so far.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl Traffic {
    /// Sends until it is dropped.
    pub(crate) async fn flow(self, http: reqwest::Client) {
        let clock = SystemClock;
        let seed = u64::try_from(clock.now().as_millis()).unwrap_or(1);
        let mut dice = Dice::new(seed);
        let mut ticks = interval(Duration::from_secs(60) / self.orders_per_minute.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut later: VecDeque<(Instant, usize, Json)> = VecDeque::new();
        // Numbers go on from the clock, so that a demo over kept data does not repeat orders.
        let mut number = seed / 1000 % 10_000_000;
        loop {
            let due = later.front().map(|(due, ..)| *due);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = ticks.tick() => {
                    number += 1;
                    let store = usize::try_from(dice.below(self.stores.len() as u64)).unwrap_or(0);
                    let order = orders::created(number, &self.stores[store].0, clock.now(), &mut dice);
                    self.post(&http, store, "order.created", &order, clock.now());
                    later.push_back((Instant::now() + COMPLETED_AFTER, store, order));
                }
                () = wait => {
                    if let Some((_, store, order)) = later.pop_front() {
                        let order = orders::completed(order, clock.now());
                        self.post(&http, store, "order.updated", &order, clock.now());
                    }
                }
            }
        }
    }

    /// Posts in the background: a slow answer must not slow the stores down.
    fn post(&self, http: &reqwest::Client, store: usize, topic: &str, order: &Json, now: Timestamp) {
        let Some((id, secret)) = self.stores.get(store) else { return };
        let body = order.to_string();
        let (resource, event) = topic.split_once('.').unwrap_or((topic, ""));
        let request = http
            .post(format!("http://{}/webhooks/{id}", self.engine))
            .header("user-agent", "WooCommerce/11.0.1 Hookshot (WordPress/7.1)")
            .header("content-type", "application/json")
            .header("x-wc-webhook-source", format!("https://{id}.example/"))
            .header("x-wc-webhook-topic", topic)
            .header("x-wc-webhook-resource", resource)
            .header("x-wc-webhook-event", event)
            .header("x-wc-webhook-signature", sign(body.as_bytes(), secret))
            .header("x-wc-webhook-id", "1")
            .header("x-wc-webhook-delivery-id", format!("{:032x}", now.as_millis()))
            .body(body);
        let sent = Arc::clone(&self.sent);
        tokio::spawn(async move {
            let accepted = request.send().await.is_ok_and(|answer| answer.status().is_success());
            if accepted { &sent.accepted } else { &sent.refused }.fetch_add(1, Relaxed);
        });
    }
}

/// As `WC_Webhook::generate_signature`: base64 of HMAC-SHA256 over the raw body.
fn sign(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}
