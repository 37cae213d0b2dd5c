//! A shop with a key and a clock that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use serde_json::Value;

use crate::shop::{Shop, ShopConfig};
use crate::state::Permissions;
use crate::wire::{Request, Response};

/// A shop under test.
pub(crate) struct Bench {
    pub(crate) shop: Shop,
    clock: Arc<AtomicI64>,
    key: (String, String),
    topics: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    /// A fresh shop at 2026-11-21T01:15:54.
    pub(crate) fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(1_795_223_754_000));
        let ticking = Arc::clone(&clock);
        let shop = Shop::new(ShopConfig::new("http://shop.test", Arc::new(move || ticking.load(Ordering::Relaxed))));
        let key = shop.add_key(Permissions::ReadWrite, 1);
        let topics = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&topics);
        shop.listen(Arc::new(move |_, event| noted.lock().push(format!("{} {}", event.topic, event.id))));
        Self { shop, clock, key, topics }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed) / 1_000
    }

    /// Time passes.
    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    /// What happened since this was asked last: `product.updated 12`, without the hooks behind it.
    pub(crate) fn topics(&self) -> Vec<String> {
        let mut topics = std::mem::take(&mut *self.topics.lock());
        topics.retain(|topic| !topic.starts_with("action."));
        topics
    }

    /// One request as it stands.
    pub(crate) fn send(
        &self,
        https: bool,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> (u16, Value) {
        let response = self.raw(https, method, target, headers, body);
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// The same with its headers.
    pub(crate) fn raw(
        &self,
        https: bool,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: body.as_bytes().to_vec(),
            https,
        };
        self.shop.handle(request)
    }

    /// With the key: `ask("PUT", "products/12", "{}")`.
    pub(crate) fn ask(&self, method: &str, route: &str, body: &str) -> (u16, Value) {
        let response = self.answer(method, route, body);
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// The same with its headers.
    pub(crate) fn answer(&self, method: &str, route: &str, body: &str) -> Response {
        let mark = if route.contains('?') { '&' } else { '?' };
        let (key, secret) = &self.key;
        let target = format!("/wp-json/wc/v3/{route}{mark}consumer_key={key}&consumer_secret={secret}");
        let json = [("content-type", "application/json".to_owned())];
        self.raw(true, method, &target, if body.is_empty() { &[] } else { &json }, body)
    }
}
