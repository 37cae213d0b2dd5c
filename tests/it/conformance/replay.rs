//! Recorded requests against a look-alike that is set up like the recorded shop: its keys, users and application
//! password are read off the recording, its clock stands at the recorded second, its ids are pinned to the recorded ones.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cartwright_store_sim::{
    Request, Response, Shop, ShopConfig,
    faults::{Fault, Faults, Outcome},
    state::{Permissions, Role, Sequence},
    webhooks::{Received, delivery},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    compare::{Rows, Side},
    exchange::Exchange,
    plan::{Beside, Object, collection},
};

/// The address of the recorded shop.
const URL: &str = "http://127.0.0.1:8081";

/// What a seeded object is made from: of what is shown, only what can be sent.
const WRITABLE: &[&str] = &[
    "name",
    "type",
    "status",
    "description",
    "short_description",
    "sku",
    "regular_price",
    "sale_price",
    "manage_stock",
    "weight",
    "categories",
    "email",
    "username",
    "first_name",
    "last_name",
    "billing",
    "shipping",
    "code",
    "amount",
    "discount_type",
    "topic",
    "delivery_url",
    "note",
    "customer_note",
];

/// Exchanges that were made while the shop was out of order, and how.
const OUTAGES: &[(&str, Fault)] = &[
    ("outage_maintenance_mode", Fault::Maintenance { retry_after_secs: 600 }),
    ("outage_maintenance_mode_post", Fault::Maintenance { retry_after_secs: 600 }),
    ("outage_woocommerce_deactivated", Fault::Deactivated),
    ("outage_woocommerce_deactivated_nokey", Fault::Deactivated),
    ("outage_php_fatal_early", Fault::EmptyError),
];

/// The credentials in the recording: consumer key and secret, or user and application password.
pub(crate) struct Credentials {
    keys: Vec<(String, String, Permissions, bool)>,
    password: String,
    subscriber: String,
}

impl Credentials {
    /// Reads them off the exchanges that show what they may do.
    ///
    /// # Panics
    /// When the recording lacks one of those.
    pub(crate) fn of(exchanges: &[Exchange]) -> Self {
        let named = |name: &str| {
            exchanges.iter().find(|exchange| exchange.name == name).unwrap_or_else(|| panic!("{name} is not recorded"))
        };
        let basic = |name: &str| {
            let header = named(name).sent_header("authorization").and_then(|header| header.strip_prefix("Basic "));
            let text = STANDARD.decode(header.expect("Basic")).expect("base 64");
            let text = String::from_utf8(text).expect("UTF-8");
            text.split_once(':').map(|(user, word)| (user.to_owned(), word.to_owned())).expect("user and password")
        };
        let key = |name: &str, permissions, subscriber| {
            let (key, secret) = basic(name);
            (key, secret, permissions, subscriber)
        };
        let users = named("customers_list_role_all").json();
        let subscriber = users.as_array().into_iter().flatten().find(|user| user["role"] == "subscriber");
        Self {
            keys: vec![
                key("auth_https_basic_valid", Permissions::ReadWrite, false),
                key("auth_https_readonly_post", Permissions::Read, false),
                key("auth_https_writeonly_post", Permissions::Write, false),
                key("auth_https_subscriber_post", Permissions::ReadWrite, true),
            ],
            password: basic("auth_https_apppassword").1,
            subscriber: subscriber.and_then(|user| user["username"].as_str()).unwrap_or("subscriber").to_owned(),
        }
    }
}

/// A look-alike in the recorded shop's place.
pub(crate) struct Replay {
    shop: Shop,
    clock: Arc<AtomicI64>,
    admin: (String, String),
    rows: Rows,
}

impl Replay {
    /// As the recorded shop was before the first exchange.
    pub(crate) fn new(credentials: &Credentials) -> Self {
        let clock = Arc::new(AtomicI64::new(0));
        let reading = Arc::clone(&clock);
        let shop = Shop::new(ShopConfig::new(URL, Arc::new(move || reading.load(Ordering::Relaxed))));
        let subscriber = shop.add_user(&credentials.subscriber, Role::Subscriber);
        for (key, secret, permissions, by_subscriber) in &credentials.keys {
            shop.set_key(key, secret, *permissions, if *by_subscriber { subscriber } else { 1 });
        }
        shop.add_application_password(1, &credentials.password);
        let admin = (credentials.keys[0].0.clone(), credentials.keys[0].1.clone());
        Self { shop, clock, admin, rows: Rows::new() }
    }

    /// Which row id stands for which recorded one.
    pub(crate) fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }

    /// Sends one recorded request.
    pub(crate) fn send(&mut self, exchange: &Exchange) -> Side {
        self.set_clock(exchange.at);
        self.pin(exchange);
        let faults = Faults::default();
        if let Some((_, fault)) = OUTAGES.iter().find(|(name, _)| *name == exchange.name) {
            faults.always(fault.clone());
        }
        match faults.handle(&self.shop, self.request(exchange)).outcome {
            Outcome::Answer(response) => side(response),
            other => panic!("{}: {other:?} is no answer", exchange.name),
        }
    }

    /// Makes an object that the recording shows, or says why not.
    pub(crate) fn seed(&mut self, object: &Object, at: DateTime<Utc>, seen: &Value) -> Result<(), String> {
        self.set_clock(at);
        if let Some(sequence) = sequence(&object.resource) {
            self.shop.with_state(|state| state.pin(sequence, object.id));
        }
        let mut body = json!({});
        for name in WRITABLE {
            if seen.get(name).is_some_and(|value| !value.is_null()) {
                body[name] = seen[name].clone();
            }
        }
        // Reading shows texts with paragraphs around them; writing shows that they were kept without.
        for name in ["description", "short_description"] {
            if let Some(text) = body[name].as_str().map(|text| text.trim_end().to_owned()) {
                let bare = text.strip_prefix("<p>").and_then(|text| text.strip_suffix("</p>"));
                body[name] = json!(bare.filter(|_| name == "short_description").unwrap_or(&text));
            }
        }
        if let Some(meta) = seen["meta_data"].as_array() {
            body["meta_data"] = meta.iter().map(|one| json!({ "key": one["key"], "value": one["value"] })).collect();
        }
        if seen["manage_stock"] == true {
            body["stock_quantity"] = seen["stock_quantity"].clone();
        }
        let answer = self.ask("POST", &object.resource, Some(&body));
        if answer.status != 201 {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("{}/{} cannot be seeded: {} {body}", object.resource, object.id, answer.status));
        }
        let status = seen["status"].as_str().filter(|status| *status != "active");
        if let (Some(status), "webhooks") = (status, object.resource.as_str()) {
            self.ask("PUT", &format!("webhooks/{}", object.id), Some(&json!({ "status": status })));
        }
        Ok(())
    }

    /// What happened beside the recording, or why it failed.
    pub(crate) fn beside(&mut self, what: Beside, at: DateTime<Utc>) -> Result<(), String> {
        self.set_clock(at);
        let (method, path) = match what {
            Beside::Write(method, path) => (method, path),
            Beside::FailedDelivery(webhook) => {
                delivery::settle(&self.shop, webhook, Received::Nothing);
                return Ok(());
            }
            Beside::AnsweredPing(webhook) => {
                delivery::settle_ping(&self.shop, webhook, Received::Status(200));
                return Ok(());
            }
        };
        let answer = self.ask(method, path, Some(&json!({})));
        let body = String::from_utf8_lossy(&answer.body);
        if answer.status == 200 { Ok(()) } else { Err(format!("{method} {path}: {} {body}", answer.status)) }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let (key, secret) = &self.admin;
        self.shop.handle(Request {
            method: method.to_owned(),
            target: format!("/wp-json/wc/v3/{path}"),
            headers: vec![
                ("authorization".to_owned(), format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")))),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("accept".to_owned(), "application/json".to_owned()),
            ],
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            https: true,
        })
    }

    fn set_clock(&self, at: DateTime<Utc>) {
        self.clock.store(at.timestamp_millis(), Ordering::Relaxed);
    }

    /// So that what it creates gets the recorded id.
    fn pin(&self, exchange: &Exchange) {
        let body = exchange.json();
        let created = match exchange.response.status {
            201 => body["id"].as_u64(),
            200 => body["create"]
                .as_array()
                .and_then(|list| list.iter().find_map(|one| one["id"].as_u64().filter(|id| *id > 0))),
            // An order that fails leaves a draft behind.
            _ => body["data"]["new_draft_order_id"].as_u64(),
        };
        if let (Some(id), Some(sequence)) = (created, sequence(&collection(exchange.path()))) {
            self.shop.with_state(|state| state.pin(sequence, id));
        }
    }

    fn request(&self, exchange: &Exchange) -> Request {
        let sent = &exchange.request;
        let headers: Vec<_> =
            sent.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let https = exchange.sent_header("x-forwarded-proto") == Some("https");
        let body = self.renumbered(exchange).unwrap_or_else(|| as_sent(sent.body.as_deref().unwrap_or_default()));
        Request { method: sent.method.clone(), target: sent.target.clone(), headers, body, https }
    }

    /// The body with the look-alike's ids of rows in place of the recorded ones.
    fn renumbered(&self, exchange: &Exchange) -> Option<Vec<u8>> {
        let mut body = exchange.sent();
        let mut changed = false;
        for line in body.get_mut("line_items")?.as_array_mut()? {
            if let Some(ours) = line["id"].as_u64().and_then(|id| self.rows.get(&id)) {
                line["id"] = json!(ours);
                changed = true;
            }
        }
        changed.then(|| body.to_string().into_bytes())
    }
}

/// A byte that is no UTF-8 was recorded as a replacement character.
fn as_sent(body: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    for character in body.chars() {
        match character {
            char::REPLACEMENT_CHARACTER => bytes.push(0xff),
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The recorded side of an exchange.
pub(crate) fn recorded(exchange: &Exchange) -> Side {
    let answer = &exchange.response;
    let headers = answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    Side { status: answer.status, headers, body: answer.body.clone().unwrap_or_default().into_bytes() }
}

fn side(response: Response) -> Side {
    let headers: BTreeMap<_, _> =
        response.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    Side { status: response.status, headers, body: response.body }
}

fn sequence(resource: &str) -> Option<Sequence> {
    let last = resource.rsplit('/').next().unwrap_or_default();
    Some(match last {
        "products" | "variations" | "orders" | "coupons" | "refunds" => Sequence::Post,
        "categories" | "tags" | "terms" | "brands" => Sequence::Term,
        "attributes" => Sequence::Attribute,
        "customers" => Sequence::User,
        "notes" => Sequence::Comment,
        "webhooks" => Sequence::Webhook,
        "taxes" => Sequence::Tax,
        "zones" => Sequence::Zone,
        _ => return None,
    })
}
