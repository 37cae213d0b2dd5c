//! Stock as orders change it: down when paid, up when cancelled.

use super::{Kind, Object, State};
use crate::shop::Happened;

/// Stock at or below which a shop calls it low, unless the product says otherwise.
const LOW_STOCK: i64 = 2;

/// What changing a stock did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockChange {
    /// The product or variation whose stock it is (the parent when the variation leaves stock to it).
    pub holder: u64,
    /// The product's name, for the order note.
    pub name: String,
    /// Before.
    pub from: i64,
    /// After.
    pub to: i64,
}

impl State {
    /// Takes `quantity` from the stock of this product or variation, as a paid order does. `None` where stock is not
    /// managed. Negative quantities give back. Both move `date_modified` and raise the events of the original.
    pub fn reduce_stock(&mut self, product: u64, quantity: i64, now_seconds: i64) -> Option<StockChange> {
        let (kind, holder) = self.stock_holder(product)?;
        let object = self.get_mut(kind, holder)?;
        let from = object.int("stock_quantity");
        let to = from - quantity;
        object.set("stock_quantity", to);
        object.set("stock_status", stock_status(object, to));
        object.modified = now_seconds;
        let low = object.fields.get("low_stock_amount").and_then(serde_json::Value::as_i64).unwrap_or(LOW_STOCK);
        let name = object.text("name").to_owned();
        let set_stock =
            if kind == Kind::Variation { "woocommerce_variation_set_stock" } else { "woocommerce_product_set_stock" };
        self.happened(Happened::new("product", "updated", holder));
        self.happened(Happened::action(set_stock, serde_json::json!([])));
        if quantity > 0 && to <= 0 {
            self.happened(Happened::action("woocommerce_no_stock", serde_json::json!([])));
        } else if quantity > 0 && to <= low {
            self.happened(Happened::action("woocommerce_low_stock", serde_json::json!([])));
        }
        Some(StockChange { holder, name, from, to })
    }

    /// Counts a sale, of a product or of its variation: `total_sales`.
    pub fn count_sale(&mut self, product: u64, quantity: i64) {
        let product = self.get(Kind::Variation, product).map_or(product, |variation| variation.parent);
        if let Some(object) = self.get_mut(Kind::Product, product) {
            let sales = object.int("total_sales") + quantity;
            object.set("total_sales", sales);
        }
    }

    /// Whose stock a sale of this product takes from; `None` where none is managed.
    pub fn stock_holder(&self, product: u64) -> Option<(Kind, u64)> {
        if let Some(object) = self.get(Kind::Product, product) {
            return object.flag("manage_stock").then_some((Kind::Product, product));
        }
        let variation = self.get(Kind::Variation, product)?;
        match variation.fields.get("manage_stock") {
            Some(serde_json::Value::Bool(true)) => Some((Kind::Variation, product)),
            _ => self.stock_holder(variation.parent),
        }
    }
}

/// What `stock_status` follows from a managed quantity.
pub(crate) fn stock_status(object: &Object, quantity: i64) -> &'static str {
    match object.text("backorders") {
        _ if quantity > 0 => "instock",
        "yes" | "notify" => "onbackorder",
        _ => "outofstock",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn product(id: u64, parent: u64, manage: &serde_json::Value, quantity: i64) -> Object {
        let fields = json!({"name": "Tee", "manage_stock": manage, "stock_quantity": quantity, "backorders": "no"});
        Object { id, parent, fields: fields.as_object().cloned().unwrap_or_default(), ..Object::default() }
    }

    #[test]
    fn an_order_takes_stock_and_tells_when_it_runs_low_and_out() {
        let mut state = State::new();
        state.put(Kind::Product, product(12, 0, &json!(true), 4));
        let change = state.reduce_stock(12, 2, 50).unwrap();
        assert_eq!((change.from, change.to), (4, 2));
        assert!(state.happened.iter().any(|event| event.topic == "action.woocommerce_low_stock"));
        state.reduce_stock(12, 2, 51).unwrap();
        assert!(state.happened.iter().any(|event| event.topic == "action.woocommerce_no_stock"));
        let object = state.get(Kind::Product, 12).unwrap();
        assert_eq!((object.text("stock_status"), object.modified), ("outofstock", 51));
    }

    #[test]
    fn a_variation_without_stock_of_its_own_takes_its_parents() {
        let mut state = State::new();
        state.put(Kind::Product, product(12, 0, &json!(true), 4));
        state.put(Kind::Variation, product(13, 12, &json!("parent"), 0));
        assert_eq!(state.reduce_stock(13, 1, 50).unwrap().holder, 12);
    }

    #[test]
    fn unmanaged_stock_stays() {
        let mut state = State::new();
        state.put(Kind::Product, product(12, 0, &json!(false), 0));
        assert_eq!(state.reduce_stock(12, 1, 50), None);
        assert_eq!(state.reduce_stock(99, 1, 50), None);
    }
}
