//! Every kind of write, as data: what is sent, filled in for each round so that nothing in it repeats by accident.

use cartwright_store_sim::Shop;
use cartwright_tests::shops::ask;
use serde_json::{Value, json};

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Value,
}

/// What is there before a round's write, made in the shop directly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    round: usize,
    product: u64,
    parent: u64,
    order: u64,
}

/// What is sent, given what is there.
pub(super) type Make = fn(Ground) -> Write;
/// One kind of write.
pub(super) type Kind = (&'static str, Make);

fn post(path: &str, body: Value) -> Write {
    Write { method: "POST", path: path.to_owned(), body }
}

fn put(path: &str, body: Value) -> Write {
    Write { method: "PUT", path: path.to_owned(), body }
}

/// All of them.
pub(super) const KINDS: [Kind; 20] = [
    ("product-sku", |on| {
        post("products", json!({"name": format!("Tee {}", on.round), "sku": format!("TEE-{}", on.round)}))
    }),
    ("product", |on| post("products", json!({"name": format!("Mug {}", on.round), "status": "draft"}))),
    ("variation", |on| post(&format!("products/{}/variations", on.parent), json!({"regular_price": "5.50"}))),
    ("order", |on| {
        post("orders", json!({"status": "processing", "line_items": [{"product_id": on.product, "quantity": 2}]}))
    }),
    ("customer", |on| {
        post("customers", json!({"email": format!("ada{}@example.test", on.round), "first_name": "Ada"}))
    }),
    ("coupon", |on| post("coupons", json!({"code": format!("ten-{}", on.round), "amount": "10"}))),
    ("private-note", |on| post(&format!("orders/{}/notes", on.order), json!({"note": "Packed & <b>sent</b>"}))),
    ("customer-note", |on| {
        post(&format!("orders/{}/notes", on.order), json!({"note": "On its way", "customer_note": true}))
    }),
    ("refund", |on| post(&format!("orders/{}/refunds", on.order), json!({"amount": "1.50", "api_refund": false}))),
    ("category", |on| post("products/categories", json!({"name": format!("Hats & caps {}", on.round)}))),
    ("tag", |on| {
        post("products/tags", json!({"name": format!("Summer {}", on.round), "slug": format!("summer-{}", on.round)}))
    }),
    ("attribute", |on| post("products/attributes", json!({"name": format!("Size {}", on.round)}))),
    ("order-lines", |on| {
        let lines = json!([{"product_id": on.product, "quantity": 3}]);
        put(
            &format!("orders/{}", on.order),
            json!({"line_items": lines, "fee_lines": [{"name": "Gift", "total": "2.00"}]}),
        )
    }),
    ("products-batch", |on| {
        let named = |name: &str| json!({"name": format!("{name} {}", on.round)});
        let with_sku = json!({"name": "Cup", "sku": format!("CUP-{}", on.round)});
        let update = json!([{"id": on.product, "regular_price": "11.00"}]);
        post("products/batch", json!({"create": [named("Pen"), with_sku, named("Ink")], "update": update}))
    }),
    ("orders-batch", |on| {
        let create = |quantity: u64| json!({"line_items": [{"product_id": on.product, "quantity": quantity}]});
        let update = json!([{"id": on.order, "customer_note": "Ring twice"}]);
        post("orders/batch", json!({"create": [create(1), create(4)], "update": update}))
    }),
    ("webhook", |on| {
        let (name, url) = (format!("Hook {}", on.round), "http://127.0.0.1:9/hook");
        post("webhooks", json!({"name": name, "topic": "coupon.deleted", "delivery_url": url, "secret": "s"}))
    }),
    ("tax-rate", |on| {
        post(
            "taxes",
            json!({"country": "FR", "rate": "20.0000", "name": format!("TVA {}", on.round), "class": "standard"}),
        )
    }),
    ("product-put", |on| {
        put(&format!("products/{}", on.product), json!({"regular_price": "12.50", "stock_quantity": 7}))
    }),
    ("order-status", |on| put(&format!("orders/{}", on.order), json!({"status": "completed"}))),
    ("delete", |on| Write { method: "DELETE", path: format!("products/{}?force=true", on.product), body: Value::Null }),
];

/// What a script does, one after the other.
pub(super) const IN_A_ROW: [&str; 6] = ["product-sku", "order", "customer-note", "refund", "order-lines", "coupon"];

/// The script's writes.
pub(super) fn in_a_row(on: Ground) -> Vec<Write> {
    let of = |name: &&str| KINDS.iter().find(|(kind, _)| kind == name).map(|(_, write)| write(on));
    IN_A_ROW.iter().map(|name| of(name).expect("a kind")).collect()
}

/// Makes what a round's write needs.
pub(super) fn ground(shop: &Shop, key: (&str, &str), round: usize) -> Ground {
    let id = |made: &Value| made["id"].as_u64().expect("an id");
    let priced = json!({"name": "Base", "regular_price": "10.00", "manage_stock": true, "stock_quantity": 100});
    let product = id(&ask(shop, key, "POST", "products", &priced));
    let parent = id(&ask(shop, key, "POST", "products", &json!({"name": "Many", "type": "variable"})));
    let order = json!({"status": "processing", "line_items": [{"product_id": product, "quantity": 2}]});
    let order = id(&ask(shop, key, "POST", "orders", &order));
    Ground { round, product, parent, order }
}
