//! A small shop for unit tests: a clock the test turns, one key, one taxed product with stock, and a record of what
//! the shop tells its listeners.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::orders::fields::object;
use crate::state::{Kind, Object, Permissions};
use crate::{Request, Shop, ShopConfig};

/// A product of 8.00 with 10 pieces in stock.
pub(crate) const TRACKED: u64 = 100;
/// A product of 2.50 whose stock nobody counts.
pub(crate) const LOOSE: u64 = 101;

/// The shop and what stands around it.
pub(crate) struct Trial {
    pub(crate) shop: Shop,
    seconds: Arc<AtomicI64>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Trial {
    /// A shop that taxes 20 % in its own country.
    pub(crate) fn new() -> Self {
        let seconds = Arc::new(AtomicI64::new(1_000_000));
        let clock = {
            let seconds = Arc::clone(&seconds);
            Arc::new(move || seconds.load(Ordering::Relaxed) * 1_000)
        };
        let shop = Shop::new(ShopConfig { country: "AT".to_owned(), ..ShopConfig::new("https://shop.test", clock) });
        shop.set_key("ck_t", "cs_t", Permissions::ReadWrite, 1);
        for (id, name, price, stock) in [(TRACKED, "Lamp", "8", Some(10)), (LOOSE, "Nail", "2.5", None)] {
            let fields = object(json!({
                "name": name, "sku": name.to_uppercase(), "price": price, "regular_price": price, "tax_status": "taxable",
                "tax_class": "", "manage_stock": stock.is_some(), "stock_quantity": stock, "backorders": "no",
            }));
            shop.with_state(|state| {
                state.skus.insert(name.to_lowercase(), id);
                state.put(Kind::Product, Object { id, fields, ..Object::default() });
            });
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        shop.listen(Arc::new(move |_, event| heard.lock().push(format!("{} {}", event.topic, event.id))));
        let trial = Self { shop, seconds, told };
        assert_eq!(trial.ask("POST", "/taxes", json!({"country": "AT", "rate": "20", "name": "USt."})).0, 201);
        trial.shop.pin_next_id(200);
        trial
    }

    /// One request; status and body.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are written on the spot")]
    pub(crate) fn ask(&self, method: &str, route: &str, body: Value) -> (u16, Value) {
        let response = self.shop.handle(Request {
            method: method.to_owned(),
            target: {
                let mark = if route.contains('?') { '&' } else { '?' };
                format!("/wp-json/wc/v3{route}{mark}consumer_key=ck_t&consumer_secret=cs_t")
            },
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
            https: true,
        });
        (response.status, serde_json::from_slice(&response.body).expect("answers are JSON"))
    }

    /// GET; the body.
    pub(crate) fn get(&self, route: &str) -> Value {
        self.ask("GET", route, Value::Null).1
    }

    /// POST that must succeed; the body.
    pub(crate) fn made(&self, route: &str, body: Value) -> Value {
        let (status, body) = self.ask("POST", route, body);
        assert_eq!(status, 201, "{body}");
        body
    }

    /// POST or PUT that must fail; status, code and body.
    pub(crate) fn refused(&self, method: &str, route: &str, body: Value) -> (u16, String, Value) {
        let (status, body) = self.ask(method, route, body);
        (status, body["code"].as_str().unwrap_or_default().to_owned(), body)
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// What was told since the last question, without actions.
    pub(crate) fn told(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.told.lock());
        all.into_iter().filter(|topic| !topic.starts_with("action.")).collect()
    }

    /// What was told since the last question, actions only.
    pub(crate) fn actions(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.told.lock());
        all.into_iter().filter_map(|topic| topic.strip_prefix("action.").map(str::to_owned)).collect()
    }

    /// Pieces left of a product.
    pub(crate) fn stock(&self, product: u64) -> i64 {
        self.shop.peek(Kind::Product, product).and_then(|fields| fields["stock_quantity"].as_i64()).unwrap_or_default()
    }
}
