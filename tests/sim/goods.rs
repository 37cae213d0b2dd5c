//! Workflows that write to a shop in every way there is, and what must be in the shop afterwards: everything carries the
//! number of the order that led to it, so that whoever looks can tell what a run meant to make.

use std::collections::BTreeMap;

use cartwright_store_sim::{
    Shop,
    state::{Kind, Object},
};

use crate::street::SHOPS;

/// What each run makes, in the words of [`stock`], without the order's number.
const MADE: [&str; 12] =
    ["order", "note", "told", "refund", "fee", "plain", "skued", "customer", "coupon", "category", "one", "two"];

/// As steps, for one order in eight: these runs are long.
pub(crate) const STEPS: &str = r#"
on: { woo: { topics: [order.created], if: event.data.id % 8 == 1 } }
grants: { woo: [orders.read, orders.write, products.write, customers.write, coupons.write], stores: [self] }
retry: { attempts: 60, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: order
    woo: orders
    method: POST
    with: { customer_note: "order-${{ event.data.id }}", line_items: [{ product_id: 12, quantity: 1 }] }
  - id: read
    woo: orders/${{ steps.order.output.id }}
  - id: both
    for_each: '["note", "told"]'
    parallel: 2
    steps:
      - id: note
        woo: orders/${{ steps.order.output.id }}/notes
        method: POST
        with: { note: "${{ item }}-${{ event.data.id }}", customer_note: '${{ item == "told" }}' }
  - id: refund
    woo: orders/${{ steps.order.output.id }}/refunds
    method: POST
    with: { amount: "1.00", reason: "refund-${{ event.data.id }}", api_refund: false }
  - id: fee
    woo: orders/${{ steps.order.output.id }}
    method: PUT
    with: { fee_lines: [{ name: "fee-${{ event.data.id }}", total: "2.00" }] }
  - id: plain
    woo: products
    method: POST
    with: { name: "plain-${{ event.data.id }}", regular_price: "5.00" }
  - id: skued
    woo: products
    method: POST
    with: { name: "skued-${{ event.data.id }}", sku: "SKU-${{ event.data.id }}" }
  - id: change
    woo: products/${{ steps.skued.output.id }}
    method: PUT
    with: { description: "changed" }
  - id: customer
    woo: customers
    method: POST
    with: { email: "customer-${{ event.data.id }}@example.com" }
  - id: coupon
    woo: coupons
    method: POST
    with: { code: "coupon-${{ event.data.id }}", amount: "5" }
  - id: category
    woo: products/categories
    method: POST
    with: { name: "category-${{ event.data.id }}" }
  - id: batch
    woo: products/batch
    method: POST
    with:
      create: [{ name: "one-${{ event.data.id }}" }, { name: "two-${{ event.data.id }}", sku: "TWO-${{ event.data.id }}" }]
      update: [{ id: "${{ steps.plain.output.id }}", description: "changed" }]
output: steps.order.output.id
"#;

/// The same in a script, for another one in eight.
pub(crate) const SCRIPT: &str = r#"
on: { woo: { topics: [order.created], if: event.data.id % 8 == 5 } }
grants: { woo: [orders.read, orders.write, products.write, customers.write, coupons.write], stores: [self] }
retry: { attempts: 60, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: make
    script: |
      let n = event.data.id;
      let order = woo::post("orders", #{ customer_note: `order-${n}`, line_items: [#{ product_id: 12, quantity: 1 }] });
      let path = `orders/${order.id}`;
      woo::get(path);
      woo::post(`${path}/notes`, #{ note: `note-${n}` });
      woo::post(`${path}/notes`, #{ note: `told-${n}`, customer_note: true });
      woo::post(`${path}/refunds`, #{ amount: "1.00", reason: `refund-${n}`, api_refund: false });
      woo::put(path, #{ fee_lines: [#{ name: `fee-${n}`, total: "2.00" }] });
      let plain = woo::post("products", #{ name: `plain-${n}`, regular_price: "5.00" });
      let skued = woo::post("products", #{ name: `skued-${n}`, sku: `SKU-${n}` });
      woo::put(`products/${skued.id}`, #{ description: "changed" });
      woo::post("customers", #{ email: `customer-${n}@example.com` });
      woo::post("coupons", #{ code: `coupon-${n}`, amount: "5" });
      woo::post("products/categories", #{ name: `category-${n}` });
      let batch = woo::post("products/batch", #{
          create: [#{ name: `one-${n}` }, #{ name: `two-${n}`, sku: `TWO-${n}` }],
          update: [#{ id: plain.id, description: "changed" }],
      });
      `${order.id} ${batch.create[1].name}`
"#;

/// Which of them an order starts.
pub(crate) fn started_by(number: u64) -> Option<&'static str> {
    match number % 8 {
        1 => Some("shop-steps"),
        5 => Some("shop-script"),
        _ => None,
    }
}

/// How often each shop has what: `refund-7`, `category-9`.
pub(crate) type Stock = Vec<BTreeMap<String, u64>>;

/// What is in the shops.
pub(crate) fn stock(shops: &[Shop]) -> Stock {
    shops.iter().map(|shop| shop.with_state(|state| counted(|kind| state.table(kind).values().collect()))).collect()
}

fn counted<'a>(all: impl Fn(Kind) -> Vec<&'a Object>) -> BTreeMap<String, u64> {
    let mut names: Vec<String> = Vec::new();
    let fields = [
        (Kind::Order, "customer_note"),
        (Kind::Note, "note"),
        (Kind::Refund, "reason"),
        (Kind::Product, "name"),
        (Kind::Customer, "email"),
        (Kind::Coupon, "code"),
        (Kind::Category, "name"),
    ];
    for (kind, field) in fields {
        names.extend(all(kind).iter().map(|object| object.text(field).trim_end_matches("@example.com").to_owned()));
    }
    let fees = |order: &&Object| order.fields.get("fee_lines").and_then(|lines| lines.as_array()).cloned();
    for line in all(Kind::Order).iter().filter_map(fees).flatten() {
        names.extend(line["name"].as_str().map(str::to_owned));
    }
    let mut count = BTreeMap::new();
    for name in names {
        *count.entry(name).or_default() += 1;
    }
    count.retain(|name, _| MADE.iter().any(|made| name.strip_prefix(made).is_some_and(|rest| rest.starts_with('-'))));
    count
}

/// What is there more than once.
pub(crate) fn doubled(stock: &Stock) -> impl Iterator<Item = (&str, u64)> {
    stock.iter().flatten().filter(|(_, times)| **times > 1).map(|(name, times)| (name.as_str(), *times))
}

/// What an order's run should have made and did not.
pub(crate) fn missing(stock: &Stock, number: u64) -> Vec<&'static str> {
    let shop = &stock[usize::try_from(number).unwrap_or(0) % SHOPS];
    MADE.into_iter().filter(|made| !shop.contains_key(&format!("{made}-{number}"))).collect()
}
