//! A store in memory, as much of one as the recipes look at, behind a network that loses answers and delays requests.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cartwright_core::{Json, time::Timestamp, woo::WooMethod};
use parking_lot::Mutex;
use serde_json::{Map, json};

use crate::{
    client::{Ambience, Client, ClientOptions, Connection},
    seal::Secret,
    transport::{HttpAnswer, HttpRequest, Transport, TransportError, TransportFailure},
};

/// When tests begin.
pub(super) const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// What becomes of one write on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives and is answered.
    Answered,
    /// The connection ends before the store sees it, and nobody can tell.
    NeverArrives,
    /// The store works it off so many seconds later; the answer is lost.
    AnswerLost(u64),
    /// A web server in front gives up (504) and the store works it off so many seconds later.
    GatewayTimeout(u64),
}

/// The store's contents and the world's time.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: i64,
    /// How far the store's clock is ahead, in seconds; may be negative.
    pub(super) ahead: i64,
    pub(super) fates: VecDeque<Fate>,
    /// Reads are answered with this status.
    pub(super) reads_fail: Option<u16>,
    objects: Vec<(String, Json)>,
    delayed: Vec<(i64, WooMethod, String, Json)>,
    /// Writes that left us.
    pub(super) writes: usize,
    last_id: u64,
    /// Metadata is lost: PHP dies before it saves it.
    pub(super) forgets_metadata: bool,
}

/// Shared with the client as its transport and its clock.
#[derive(Clone, Default)]
pub(super) struct Fake(pub(super) Arc<Mutex<World>>);

impl Fake {
    pub(super) fn new() -> Self {
        let fake = Self::default();
        fake.0.lock().now = START.as_millis();
        fake
    }

    pub(super) fn client(&self) -> Client {
        let clock = self.clone();
        let ambience = Ambience {
            now: Box::new(move || Timestamp::from_millis(clock.0.lock().now)),
            random: Box::new(|bytes| bytes.fill(7)),
        };
        Client::new(Arc::new(self.clone()), ambience, ClientOptions::default())
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.lock().now)
    }

    /// Lets time pass; what was delayed until then happens.
    pub(super) fn pass(&self, span: Duration) {
        let mut world = self.0.lock();
        let until = world.now + i64::try_from(span.as_millis()).expect("short");
        world.delayed.sort_by_key(|delayed| delayed.0);
        while world.delayed.first().is_some_and(|delayed| delayed.0 <= until) {
            let (at, method, path, body) = world.delayed.remove(0);
            world.now = at;
            world.handle(method, &path, &[], &body);
        }
        world.now = until;
    }

    /// Something somebody else made, `age` seconds ago.
    pub(super) fn put(&self, collection: &str, fields: &Json, age: i64) -> u64 {
        let mut world = self.0.lock();
        let now = world.now;
        world.now -= age * 1000;
        let (_, made) = world.create(collection, fields);
        world.now = now;
        made["id"].as_u64().expect("made")
    }

    pub(super) fn all(&self, collection: &str) -> Vec<Json> {
        let world = self.0.lock();
        world.objects.iter().filter(|(known, _)| known == collection).map(|(_, object)| object.clone()).collect()
    }
}

pub(super) fn connection() -> Connection {
    Connection {
        id: "shop".parse().expect("a store id"),
        url: "https://shop.example".parse().expect("a URL"),
        key: Secret::new("ck_x"),
        secret: Secret::new("cs_x"),
    }
}

#[async_trait]
impl Transport for Fake {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let mut world = self.0.lock();
        let path = request.url.path().strip_prefix("/wp-json/wc/v3/").expect("the API").to_owned();
        let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        let body = request.body.map_or(json!({}), |body| serde_json::from_slice(&body).expect("JSON"));
        if request.method == WooMethod::Get {
            if let Some(status) = world.reads_fail {
                let error =
                    json!({"code": "woocommerce_rest_cannot_view", "message": "no", "data": {"status": status}});
                return Ok(answer(status, &error));
            }
            let (status, body) = world.handle(request.method, &path, &query, &body);
            return Ok(answer(status, &body));
        }
        world.writes += 1;
        let lost = || TransportError {
            failure: TransportFailure::Lost,
            may_have_arrived: true,
            message: "the connection ended".into(),
        };
        let gateway = HttpAnswer { status: 504, headers: Vec::new(), body: Bytes::from_static(b"<html>504</html>") };
        let (delay, outcome) = match world.fates.pop_front().unwrap_or(Fate::Answered) {
            Fate::Answered => {
                let (status, body) = world.handle(request.method, &path, &query, &body);
                return Ok(answer(status, &body));
            }
            Fate::NeverArrives => return Err(lost()),
            Fate::AnswerLost(delay) => (delay, Err(lost())),
            Fate::GatewayTimeout(delay) => (delay, Ok(gateway)),
        };
        if delay == 0 {
            world.handle(request.method, &path, &query, &body);
        } else {
            let at = world.now + i64::try_from(delay).expect("short") * 1000;
            world.delayed.push((at, request.method, path, body));
        }
        outcome
    }
}

fn answer(status: u16, body: &Json) -> HttpAnswer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    HttpAnswer { status, headers, body: Bytes::from(body.to_string()) }
}

fn error(status: u16, code: &str) -> (u16, Json) {
    (status, json!({"code": code, "message": code, "data": {"status": status}}))
}

impl World {
    fn handle(&mut self, method: WooMethod, path: &str, query: &[(String, String)], body: &Json) -> (u16, Json) {
        if let Some(collection) = path.strip_suffix("/batch") {
            return (200, self.batch(collection, body));
        }
        let own = path.rsplit_once('/').and_then(|(collection, id)| Some((collection, id.parse::<u64>().ok()?)));
        match (method, own) {
            (WooMethod::Get, Some((collection, id))) => match self.position(collection, id) {
                Some(at) => (200, self.objects[at].1.clone()),
                None => error(404, "woocommerce_rest_invalid_id"),
            },
            (WooMethod::Get, None) => (200, self.list(path, query)),
            (WooMethod::Put, Some((collection, id))) => self.change(collection, id, body),
            (WooMethod::Delete, Some((collection, id))) => match self.position(collection, id) {
                Some(at) => (200, self.objects.remove(at).1),
                None => error(404, "woocommerce_rest_invalid_id"),
            },
            _ => self.create(path, body),
        }
    }

    fn position(&self, collection: &str, id: u64) -> Option<usize> {
        self.objects.iter().position(|(known, object)| known == collection && object["id"] == json!(id))
    }

    fn date(&self) -> String {
        let time = Timestamp::from_millis(self.now + self.ahead * 1000);
        time.to_utc().format("%Y-%m-%dT%H:%M:%S").to_string()
    }

    fn create(&mut self, collection: &str, body: &Json) -> (u16, Json) {
        let mut fields = body.as_object().cloned().unwrap_or_default();
        if collection == "coupons" {
            fields["code"] = json!(fields["code"].as_str().expect("a code").to_lowercase());
        }
        if let Some(sku) = fields.get("sku").and_then(Json::as_str) {
            // As WooCommerce cleans what it keeps.
            fields["sku"] = json!(sku.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if let Some((field, code)) = unique(collection)
            && let Some(value) = fields.get(field).filter(|value| value.as_str().is_some_and(|text| !text.is_empty()))
            && let Some((_, known)) = self.objects.iter().find(|(at, known)| at == collection && known[field] == *value)
        {
            let mut refusal = error(400, code).1;
            refusal["data"]["resource_id"] = known["id"].clone();
            return (400, refusal);
        }
        self.last_id += 1;
        fields.insert("id".into(), json!(self.last_id));
        fields.insert("date_created_gmt".into(), json!(self.date()));
        if self.forgets_metadata {
            fields.insert("meta_data".into(), json!([]));
        }
        if collection.ends_with("/notes") {
            fields.entry("customer_note").or_insert(json!(false));
            fields.remove("meta_data");
        }
        if collection == "taxes" {
            tax_defaults(&mut fields);
        }
        let object = Json::Object(fields);
        self.objects.push((collection.to_owned(), object.clone()));
        (201, object)
    }

    fn change(&mut self, collection: &str, id: u64, body: &Json) -> (u16, Json) {
        let Some(at) = self.position(collection, id) else { return error(400, "woocommerce_rest_invalid_id") };
        for (field, value) in body.as_object().into_iter().flatten() {
            let adds = matches!(field.as_str(), "line_items" | "fee_lines" | "shipping_lines" | "meta_data");
            if !adds {
                self.objects[at].1[field] = value.clone();
                continue;
            }
            for line in value.as_array().into_iter().flatten() {
                self.last_id += 1;
                let mut line = line.clone();
                line["id"] = json!(self.last_id);
                let list = &mut self.objects[at].1[field];
                if !list.is_array() {
                    *list = json!([]);
                }
                list.as_array_mut().expect("a list").push(line);
            }
        }
        (200, self.objects[at].1.clone())
    }

    fn list(&self, collection: &str, query: &[(String, String)]) -> Json {
        let get = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let text = |object: &Json, field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let fits = |object: &Json| {
            ["sku", "email", "code", "slug"].iter().all(|field| {
                get(field).is_none_or(|wanted| wanted.to_lowercase() == text(object, field).to_lowercase())
            }) && get("search").is_none_or(|wanted| text(object, "name").contains(wanted))
                && get("after").is_none_or(|after| text(object, "date_created_gmt").as_str() > after)
                && get("include")
                    .is_none_or(|ids| ids.split(',').any(|id| id.parse() == Ok(object["id"].as_u64().unwrap_or(0))))
        };
        let mut found: Vec<&Json> =
            self.objects.iter().filter(|(at, object)| at == collection && fits(object)).map(|(_, o)| o).collect();
        found.sort_by_key(|object| std::cmp::Reverse((text(object, "date_created_gmt"), object["id"].as_u64())));
        if collection.ends_with("/notes") {
            return json!(found);
        }
        let number = |name: &str, default: usize| get(name).map_or(default, |text| text.parse().expect("a number"));
        let (page, per_page) = (number("page", 1), number("per_page", 10));
        json!(found.into_iter().skip((page - 1) * per_page).take(per_page).collect::<Vec<_>>())
    }

    fn batch(&mut self, collection: &str, body: &Json) -> Json {
        let mut done = Map::new();
        for (list, items) in body.as_object().into_iter().flatten() {
            let entries: Vec<Json> = items
                .as_array()
                .into_iter()
                .flatten()
                .map(|item| {
                    let id = item.as_u64().or(item["id"].as_u64()).unwrap_or(0);
                    let path = format!("{collection}/{id}");
                    let (status, body) = match list.as_str() {
                        "create" => self.create(collection, item),
                        "update" => self.handle(WooMethod::Put, &path, &[], item),
                        _ => self.handle(WooMethod::Delete, &path, &[], item),
                    };
                    if status < 300 { body } else { json!({"id": id, "error": body}) }
                })
                .collect();
            if !entries.is_empty() {
                done.insert(list.clone(), json!(entries));
            }
        }
        if done.is_empty() { json!([]) } else { Json::Object(done) }
    }
}

/// The field that a store keeps unique, and its refusal.
fn unique(collection: &str) -> Option<(&'static str, &'static str)> {
    match collection {
        "products" => Some(("sku", "product_invalid_sku")),
        "customers" => Some(("email", "registration-error-email-exists")),
        "coupons" => Some(("code", "woocommerce_rest_coupon_code_already_exists")),
        "products/tags" => Some(("name", "term_exists")),
        _ => None,
    }
}

fn tax_defaults(fields: &mut Map<String, Json>) {
    let defaults = [("state", json!("")), ("postcode", json!("")), ("city", json!("")), ("priority", json!(1))];
    let more = [("compound", json!(false)), ("shipping", json!(true)), ("class", json!("standard"))];
    for (field, value) in defaults.into_iter().chain(more) {
        fields.entry(field).or_insert(value);
    }
    let rate = fields.get("rate").and_then(Json::as_str).expect("a rate").to_owned();
    fields.insert("rate".into(), json!(format!("{:.4}", rate.parse::<f64>().expect("a number"))));
}
