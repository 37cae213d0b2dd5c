//! Look-alike stores in this process, on ports of their own, for an engine that is a process of its own.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_store_sim::{
    Request, Shop,
    faults::Faults,
    server::{Options, Server, ShopSpec},
    state::Kind,
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

/// Kinds of things that writes make.
pub const KINDS: [Kind; 12] = [
    Kind::Product,
    Kind::Variation,
    Kind::Category,
    Kind::Tag,
    Kind::Attribute,
    Kind::Order,
    Kind::Refund,
    Kind::Note,
    Kind::Customer,
    Kind::Coupon,
    Kind::Webhook,
    Kind::Tax,
];

/// Running shops; dropping them closes them.
pub struct Shops {
    server: Server,
    /// What serves them; it ends after the server.
    _runtime: Runtime,
}

impl Shops {
    /// Opens shops.
    ///
    /// # Panics
    /// When there are no ports.
    pub fn open(specs: Vec<ShopSpec>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for the shops");
        let server = runtime.block_on(Server::start(specs, Options::default())).expect("ports for the shops");
        Self { server, _runtime: runtime }
    }

    /// What serves them.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A shop itself.
    pub fn shop(&self, id: &str) -> Arc<Shop> {
        self.server.shop(id)
    }

    /// What can go wrong with one.
    pub fn faults(&self, id: &str) -> Arc<Faults> {
        self.server.faults(id)
    }

    /// What `store add` and the API need to know of one: address, key and secret.
    pub fn connection(&self, id: &str) -> (String, String, String) {
        let (key, secret) = self.server.key(id);
        (self.server.base_url(id), key, secret)
    }

    /// Asks a shop directly, past its port and its faults. The answer must be a success.
    ///
    /// # Panics
    /// When it is none.
    pub fn rest(&self, id: &str, method: &str, path: &str, body: &Value) -> Value {
        let (key, secret) = self.server.key(id);
        ask(&self.shop(id), (&key, &secret), method, path, body)
    }
}

/// Asks a shop as a function.
///
/// # Panics
/// When the answer is no success.
pub fn ask(shop: &Shop, key: (&str, &str), method: &str, path: &str, body: &Value) -> Value {
    let sign = if path.contains('?') { '&' } else { '?' };
    let answer = shop.handle(Request {
        method: method.to_owned(),
        target: format!("/wp-json/wc/v3/{path}{sign}consumer_key={}&consumer_secret={}", key.0, key.1),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        https: true,
    });
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status < 300, "{method} {path}: {} {text}", answer.status);
    serde_json::from_str(&text).expect("JSON")
}

/// What a shop holds, counted: objects of each kind, lines and statuses of orders, prices of products. Two shops in
/// which the same writes happened have the same census.
pub fn census(shop: &Shop) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |name: String, by: usize| *counts.entry(name).or_default() += by;
    shop.with_state(|state| {
        for kind in KINDS {
            for object in state.table(kind).values() {
                count(format!("{kind:?}"), 1);
                for told in apart(kind, &object.fields) {
                    count(format!("{kind:?} {told}"), 1);
                }
                for lines in ["line_items", "fee_lines", "shipping_lines"] {
                    let lines_of = object.fields.get(lines).and_then(Value::as_array).map_or(0, Vec::len);
                    count(format!("{kind:?} {lines}"), lines_of);
                }
            }
        }
    });
    counts
}

/// What of an object is told apart.
fn apart(kind: Kind, fields: &Map<String, Value>) -> Vec<String> {
    let of = |name: &str| fields.get(name).filter(|value| **value != json!("")).map(|value| format!("{name} {value}"));
    let names: &[&str] = match kind {
        Kind::Product | Kind::Variation => &["sku", "regular_price", "stock_quantity", "status"],
        Kind::Order => &["status", "total"],
        Kind::Refund => &["amount"],
        Kind::Customer => &["email"],
        Kind::Coupon => &["code"],
        _ => &["name"],
    };
    names.iter().filter_map(|name| of(name)).collect()
}
