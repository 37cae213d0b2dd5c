//! For tests, the demo and benchmarks: fill a shop, and see from outside what became of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Shop;
use crate::rest::products::write;
use crate::state::{Kind, Object};

/// Values that several objects share: `("SKU-1", [12, 13])`.
pub type Duplicates = Vec<(String, Vec<u64>)>;

impl Shop {
    /// Adds `count` simple products in stock: `Seed 1` with SKU `SEED-1`, ten of each price. Nobody is told. Their ids.
    pub fn seed_products(&self, count: usize) -> Vec<u64> {
        let now = (self.config.clock)().div_euclid(1_000);
        let mut state = self.state.lock();
        let first = state.table(Kind::Product).len();
        let one = |number: usize| {
            let price = format!("{}.00", 10 + number / 10);
            let fields = json!({"name": format!("Seed {number}"), "sku": format!("SEED-{number}"), "regular_price": price,
                "manage_stock": true, "stock_quantity": 100});
            fields.as_object().cloned().unwrap_or_default()
        };
        (first + 1..=first + count).map(|number| write::seeded(&mut state, now, one(number))).collect()
    }

    /// Adds one product with these fields over the defaults. Nobody is told. Its id.
    pub fn seed_product(&self, fields: Map<String, Value>) -> u64 {
        let now = (self.config.clock)().div_euclid(1_000);
        write::seeded(&mut self.state.lock(), now, fields)
    }

    /// The object's stored fields, without asking REST.
    pub fn peek(&self, kind: Kind, id: u64) -> Option<Map<String, Value>> {
        self.state.lock().get(kind, id).map(|object| object.fields.clone())
    }

    /// How many objects of this kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.state.lock().table(kind).len()
    }

    /// Objects of this kind that have the same non-empty value here: what a write made twice would leave.
    pub fn duplicates(&self, kind: Kind, value: impl Fn(&Object) -> Option<String>) -> Duplicates {
        let mut owners: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for object in self.state.lock().table(kind).values() {
            if let Some(value) = value(object).filter(|value| !value.is_empty()) {
                owners.entry(value).or_default().push(object.id);
            }
        }
        owners.into_iter().filter(|(_, ids)| ids.len() > 1).collect()
    }

    /// Products or variations with the same SKU.
    pub fn duplicate_skus(&self, kind: Kind) -> Duplicates {
        self.duplicates(kind, |object| Some(object.text("sku").to_lowercase()))
    }

    /// Objects whose `meta_data` has the same value under this key.
    pub fn duplicate_markers(&self, kind: Kind, key: &str) -> Duplicates {
        self.duplicates(kind, |object| {
            let entries = object.fields.get("meta_data")?.as_array()?;
            let entry = entries.iter().find(|entry| entry["key"] == key)?;
            Some(entry["value"].as_str().map_or_else(|| entry["value"].to_string(), str::to_owned))
        })
    }

    /// Requests so far by method and route: `("GET /wc/v3/products/<id>", 3)`.
    pub fn requests(&self) -> Vec<(String, u64)> {
        self.state.lock().requests.iter().map(|(route, count)| (route.clone(), *count)).collect()
    }

    /// How often this route was asked: `"POST /wc/v3/orders"`.
    pub fn requests_of(&self, route: &str) -> u64 {
        self.state.lock().requests.get(route).copied().unwrap_or_default()
    }

    /// The last requests, oldest first: method, route, status.
    pub fn recent_requests(&self) -> Vec<(String, String, u16)> {
        self.state.lock().recent.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ShopConfig, state::Permissions, wire::Request};

    #[test]
    fn a_seeded_shop_can_be_counted_and_searched_for_duplicates() {
        let shop = Shop::new(ShopConfig::new("http://shop.test", Arc::new(|| 1_795_223_754_000)));
        let ids = shop.seed_products(3);
        assert_eq!(ids, [12, 13, 14]);
        assert_eq!(shop.count(Kind::Product), 3);
        assert_eq!(shop.peek(Kind::Product, 13).unwrap()["sku"], "SEED-2");
        let marker = json!([{"id": 1, "key": "_key", "value": "a"}]);
        for id in [12, 14] {
            shop.with_state(|state| state.get_mut(Kind::Product, id).unwrap().set("meta_data", marker.clone()));
        }
        assert_eq!(shop.duplicate_markers(Kind::Product, "_key"), [("a".to_owned(), vec![12, 14])]);
        assert_eq!(shop.duplicate_skus(Kind::Product), []);
    }

    #[test]
    fn requests_are_counted_by_route() {
        let shop = Shop::new(ShopConfig::new("http://shop.test", Arc::new(|| 0)));
        let (key, secret) = shop.add_key(Permissions::Read, 1);
        for id in [1, 2] {
            let target = format!("/wp-json/wc/v3/products/{id}?consumer_key={key}&consumer_secret={secret}");
            let request = Request { method: "GET".to_owned(), target, headers: vec![], body: vec![], https: true };
            assert_eq!(shop.handle(request).status, 404);
        }
        assert_eq!(shop.requests_of("GET /wc/v3/products/<id>"), 2);
        assert_eq!(shop.recent_requests().len(), 2);
    }
}
