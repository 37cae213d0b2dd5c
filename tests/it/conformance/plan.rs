//! What is done to the look-alike, in order: the recorded exchanges, and between them what nobody recorded but what
//! the answers show to have happened. The latter is written down here or read off the answers, never guessed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::exchange::Exchange;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send it, and compare the answer.
    Replay(Box<Exchange>),
    /// Make an object which the recording shows but does not make, as it was when it was first seen.
    Seed { object: Object, at: DateTime<Utc>, seen: Box<Value> },
    /// Something that happened beside the recording.
    Unrecorded { what: Beside, at: DateTime<Utc> },
    /// The recorded shop was put back to the state it had before the first list was read.
    Reset,
}

/// An object of the shop: the resource's path and its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Object {
    /// `products`, `orders/32/notes`
    pub(crate) resource: String,
    /// Its number.
    pub(crate) id: u64,
}

/// What happened beside the recording.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beside {
    /// A write: method and path.
    Write(&'static str, &'static str),
    /// A delivery of this webhook that nobody received.
    FailedDelivery(u64),
    /// The ping of this webhook was answered with 200.
    AnsweredPing(u64),
}

/// Before this exchange, at this second (or, where it is empty, at the exchange's), this happened.
const UNRECORDED: &[(&str, &str, Beside)] = &[
    ("refund_delete_force", "", Beside::Write("DELETE", "orders/32/refunds/53?force=true")),
    ("coupons_list", "", Beside::Write("DELETE", "coupons/47?force=true")),
    ("webhooks_list", "2026-11-21T01:23:40Z", Beside::FailedDelivery(1)),
    ("webhooks_list", "2026-11-21T01:23:40Z", Beside::FailedDelivery(2)),
    ("webhooks_list", "2026-11-21T01:23:40Z", Beside::FailedDelivery(3)),
    ("webhook_get", "2026-11-21T01:24:15Z", Beside::AnsweredPing(4)),
    ("products_modified_after_exact", "2026-11-21T01:36:27Z", Beside::Write("PUT", "products/20")),
    ("orders_modified_after_exact", "2026-11-21T01:36:43Z", Beside::Write("PUT", "orders/35")),
];

/// From here on the answers show the shop as it was before `SNAPSHOT`.
const RESET_BEFORE: &str = "2026-11-21T01:40:00Z";
/// The first list that was read.
const SNAPSHOT: &str = "2026-11-21T01:16:59Z";

/// Resources whose objects may have to be made, each with a date of creation.
const SEEDED: &[&str] = &["products", "customers", "coupons", "webhooks", "notes"];

/// The whole plan.
pub(crate) fn plan(exchanges: Vec<Exchange>) -> Vec<Step> {
    let reset: DateTime<Utc> = RESET_BEFORE.parse().expect("a date");
    let mut steps: Vec<(DateTime<Utc>, Step)> = Vec::new();
    let mut put_back = false;
    for (object, (at, seen)) in seeds(&exchanges) {
        steps.push((at, Step::Seed { object, at, seen: Box::new(seen) }));
    }
    // Stable: in one second, what has to be there comes before what is done with it.
    steps.sort_by_key(|(at, step)| (*at, number(step)));
    for exchange in exchanges {
        let mut before = Vec::new();
        if exchange.at >= reset && !put_back {
            put_back = true;
            before.push(Step::Reset);
        }
        for (_, at, what) in UNRECORDED.iter().filter(|(name, ..)| *name == exchange.name) {
            let at = at.parse().unwrap_or(exchange.at);
            before.push(Step::Unrecorded { what: *what, at });
        }
        let at = exchange.at;
        before.push(Step::Replay(Box::new(exchange)));
        let place = place(&steps, at, before.last().and_then(created));
        for (offset, step) in before.into_iter().enumerate() {
            steps.insert(place + offset, (at, step));
        }
    }
    steps.into_iter().map(|(_, step)| step).collect()
}

/// Where a step belongs that is no exchange.
pub(crate) fn heading(step: &Step) -> &'static str {
    let path = match step {
        Step::Seed { object, .. } => object.resource.as_str(),
        Step::Unrecorded { what: Beside::Write(_, path), .. } => path,
        Step::Unrecorded { .. } => "webhooks",
        Step::Replay(exchange) => exchange.path(),
        Step::Reset => "",
    };
    super::scope::by_path(path).unwrap_or_default()
}

/// What was done before the snapshot: it is done again after a reset.
pub(crate) fn before_snapshot(steps: &[Step]) -> impl Iterator<Item = &Step> {
    let snapshot: DateTime<Utc> = SNAPSHOT.parse().expect("a date");
    steps.iter().filter(move |step| match step {
        Step::Replay(exchange) => exchange.at < snapshot,
        Step::Seed { at, .. } | Step::Unrecorded { at, .. } => *at < snapshot,
        Step::Reset => false,
    })
}

/// Exchanges are inserted in their own order. One that creates in a second in which seeds are made finds its place by
/// id among them; any other comes after them.
fn place(steps: &[(DateTime<Utc>, Step)], at: DateTime<Utc>, created: Option<u64>) -> usize {
    let last_replayed = steps.iter().rposition(|(_, step)| matches!(step, Step::Replay(_))).map_or(0, |last| last + 1);
    let later = |(time, step): &(DateTime<Utc>, Step)| {
        *time > at || (*time == at && created.is_some_and(|created| number(step) > created))
    };
    let place = steps.iter().position(later).unwrap_or(steps.len());
    place.max(last_replayed)
}

fn number(step: &Step) -> u64 {
    match step {
        Step::Seed { object, .. } => object.id,
        Step::Replay(_) | Step::Unrecorded { .. } | Step::Reset => 0,
    }
}

fn created(step: &Step) -> Option<u64> {
    match step {
        Step::Replay(exchange) if exchange.response.status == 201 => exchange.json()["id"].as_u64(),
        _ => None,
    }
}

/// What the recording shows and does not make: when it was made, and how it looked when it was first seen.
fn seeds(exchanges: &[Exchange]) -> BTreeMap<Object, (DateTime<Utc>, Value)> {
    let made: BTreeSet<Object> = exchanges.iter().flat_map(makes).collect();
    let mut found = BTreeMap::new();
    for exchange in exchanges.iter().filter(|exchange| exchange.response.status < 300) {
        let resource = collection(exchange.path());
        if !SEEDED.contains(&resource.rsplit('/').next().unwrap_or_default()) {
            continue;
        }
        for seen in shown(exchange) {
            let (Some(id), Some(at)) = (seen["id"].as_u64(), born(&seen)) else { continue };
            let mut seen = seen;
            put_back_stock(&mut seen, id, exchanges, exchange.at);
            let variation = seen["type"] == "variation";
            let person = resource == "customers" && seen["role"] != "customer";
            // Notes that the shop wrote itself come with their orders.
            let own_note = resource.ends_with("/notes") && exchange.name == "order_notes_list";
            let object = Object { resource: resource.clone(), id };
            if !variation && !person && !own_note && !made.contains(&object) {
                found.entry(object).or_insert((at, seen));
            }
        }
    }
    found
}

/// What orders took from a product's stock before it was first seen was there when it was made.
fn put_back_stock(seen: &mut Value, id: u64, exchanges: &[Exchange], until: DateTime<Utc>) {
    let Some(stock) = seen["stock_quantity"].as_i64() else { return };
    let orders = exchanges.iter().filter(|one| one.path() == "orders" && one.response.status == 201 && one.at < until);
    let lines = orders.flat_map(|order| order.json()["line_items"].as_array().cloned().unwrap_or_default());
    let reduced = |line: Value| {
        let meta = line["meta_data"].as_array().into_iter().flatten().find(|meta| meta["key"] == "_reduced_stock")?;
        meta["value"].as_str()?.parse::<i64>().ok()
    };
    let taken: i64 = lines.filter(|line| line["product_id"] == id).filter_map(reduced).sum();
    seen["stock_quantity"] = (stock + taken).into();
}

fn born(seen: &Value) -> Option<DateTime<Utc>> {
    format!("{}Z", seen["date_created_gmt"].as_str()?).parse().ok()
}

/// What it makes.
fn makes(exchange: &Exchange) -> Vec<Object> {
    let body = exchange.json();
    let resource = collection(exchange.path());
    let object = |made: &Value| made["id"].as_u64().map(|id| Object { resource: resource.clone(), id });
    match exchange.response.status {
        201 => object(&body).into_iter().collect(),
        200 if exchange.path().ends_with("/batch") => {
            body["create"].as_array().into_iter().flatten().filter_map(object).collect()
        }
        _ => Vec::new(),
    }
}

/// The whole objects in its answer.
fn shown(exchange: &Exchange) -> Vec<Value> {
    match exchange.json() {
        Value::Array(list) => list,
        body @ Value::Object(_) if exchange.path().ends_with("/batch") => ["create", "update", "delete"]
            .iter()
            .flat_map(|part| body[part].as_array().cloned().unwrap_or_default())
            .collect(),
        body => vec![body],
    }
}

/// The collection that a path is in: `products/12` and `products/batch` are in `products`.
pub(crate) fn collection(path: &str) -> String {
    let number_or_batch = |segment: &str| segment == "batch" || segment.parse::<u64>().is_ok();
    match path.rsplit_once('/') {
        Some((collection, last)) if number_or_batch(last) => collection.to_owned(),
        _ => path.to_owned(),
    }
}
