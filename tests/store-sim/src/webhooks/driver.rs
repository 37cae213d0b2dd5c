//! Sends a shop's deliveries over HTTP: one after the other as WooCommerce does, so that a slow receiver holds up all
//! others. `Mess` makes it worse than it is: late, twice, in another order, or not at all.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    Hooks,
    delivery::{self, Delivery, Received},
};
use crate::Shop;

/// How long WooCommerce waits for a receiver.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it waits for the answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Pings follow redirects, so many.
const PING_REDIRECTS: usize = 5;
/// Events of one request come one after the other; so long after the first, all of them are there to be coalesced.
const REQUEST_ENDS: Duration = Duration::from_millis(5);

/// What happens to deliveries between the shop and the receiver, which gets at least what is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mess {
    /// Each waits so long.
    pub delay: Duration,
    /// Every so many-th is sent twice; 0 for none.
    pub duplicate_every: u32,
    /// Every so many-th is never sent, and the shop believes it was received; 0 for none.
    pub lose_every: u32,
    /// The deliveries of a batch are sent last first.
    pub reversed: bool,
}

/// What a driver has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Requests sent, the second of a duplicate included.
    pub sent: u64,
    /// Of those, how many the receiver took.
    pub received: u64,
    /// Deliveries that were lost on purpose.
    pub lost: u64,
    /// Pings sent.
    pub pings: u64,
}

/// What requests go out with; hundreds of shops share one.
#[derive(Debug)]
pub struct Clients {
    delivering: reqwest::Client,
    pinging: reqwest::Client,
}

impl Clients {
    /// With WooCommerce's timeouts. Connections go where the address says, past any proxy of the environment.
    pub fn new() -> Result<Arc<Self>, reqwest::Error> {
        // Refused where the process has one already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = |redirects, timeout| {
            reqwest::Client::builder().redirect(redirects).timeout(timeout).no_proxy().pool_max_idle_per_host(0).build()
        };
        let delivering = client(reqwest::redirect::Policy::none(), DELIVERY_TIMEOUT)?;
        let pinging = client(reqwest::redirect::Policy::limited(PING_REDIRECTS), PING_TIMEOUT)?;
        Ok(Arc::new(Self { delivering, pinging }))
    }
}

/// Sends for one shop. Dropping it ends nothing: stop the task that `run` is in.
pub struct Driver {
    shop: Arc<Shop>,
    hooks: Arc<Hooks>,
    clients: Arc<Clients>,
    mess: Mutex<Mess>,
    count: Mutex<Count>,
    number: Mutex<u32>,
}

impl Driver {
    /// For this shop.
    pub fn new(shop: Arc<Shop>, hooks: Arc<Hooks>, clients: Arc<Clients>) -> Arc<Self> {
        let (mess, count, number) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { shop, hooks, clients, mess, count, number })
    }

    /// From now on, deliveries fare like this.
    pub fn set_mess(&self, mess: Mess) {
        *self.mess.lock() = mess;
    }

    /// What was done so far.
    pub fn count(&self) -> Count {
        *self.count.lock()
    }

    /// After each request to the shop: sends due pings before the request is answered, as WooCommerce does, and lets a
    /// run start where one is due.
    pub async fn after_request(&self) {
        self.send_pings().await;
        self.hooks.wake();
    }

    /// Works on the queue for ever: requests and events wake it, and count as traffic.
    pub async fn run(&self) {
        loop {
            self.hooks.woken().await;
            tokio::time::sleep(REQUEST_ENDS).await;
            self.hooks.traffic((self.shop.config().clock)());
            self.work().await;
        }
    }

    /// Sends what is due now.
    pub async fn work(&self) {
        loop {
            let mut actions = self.hooks.claim((self.shop.config().clock)());
            if actions.is_empty() {
                return;
            }
            if self.mess.lock().reversed {
                actions.reverse();
            }
            for action in actions {
                let Some(delivery) = delivery::build(&self.shop, &action, (self.shop.config().clock)()) else {
                    continue;
                };
                let received = self.deliver(&delivery).await;
                delivery::settle(&self.shop, delivery.webhook, received);
                self.send_pings().await;
            }
        }
    }

    async fn deliver(&self, delivery: &Delivery) -> Received {
        let mess = *self.mess.lock();
        let number = {
            let mut number = self.number.lock();
            *number = number.wrapping_add(1);
            *number
        };
        let is = |every: u32| every > 0 && number.is_multiple_of(every);
        if !mess.delay.is_zero() {
            tokio::time::sleep(mess.delay).await;
        }
        if is(mess.lose_every) {
            self.count.lock().lost += 1;
            return Received::Status(200);
        }
        if is(mess.duplicate_every) {
            self.send(delivery).await;
        }
        self.send(delivery).await
    }

    async fn send_pings(&self) {
        for webhook in delivery::pings_due(&self.shop) {
            let Some(ping) = delivery::ping(&self.shop, webhook) else { continue };
            let received = post(&self.clients.pinging, &ping).await;
            self.count.lock().pings += 1;
            delivery::settle_ping(&self.shop, webhook, received);
        }
    }

    async fn send(&self, delivery: &Delivery) -> Received {
        let received = post(&self.clients.delivering, delivery).await;
        let mut count = self.count.lock();
        count.sent += 1;
        count.received += u64::from(received.is_success());
        received
    }
}

async fn post(client: &reqwest::Client, delivery: &Delivery) -> Received {
    let mut request = client.post(&delivery.url).header("Connection", "close").body(delivery.body.clone());
    for (name, value) in &delivery.headers {
        request = request.header(*name, value);
    }
    match request.send().await {
        Ok(answer) => Received::Status(answer.status().as_u16()),
        Err(_) => Received::Nothing,
    }
}
