//! Everything one shop remembers. Objects are kept in the shape REST shows them, minus what is computed on showing;
//! what REST never shows (a webhook's secret) is in `hidden`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::shop::Happened;

mod access;
mod stock;
pub use access::{Access, Key, Permissions, Role, User};
pub use stock::StockChange;
pub(crate) use stock::stock_status;

/// What kinds of objects a shop holds; one table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named like its resource")]
pub enum Kind {
    Product,
    Variation,
    Category,
    Tag,
    Brand,
    ShippingClass,
    Attribute,
    AttributeTerm,
    Review,
    Order,
    Refund,
    Note,
    Customer,
    Coupon,
    Webhook,
    Tax,
    TaxClass,
    Zone,
    ZoneMethod,
    Gateway,
    Setting,
    Media,
}

/// How many kinds there are.
const KINDS: usize = Kind::Media as usize + 1;

/// Where ids come from. WordPress keeps orders, products, variations, coupons and refunds in one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named like its WordPress table")]
pub enum Sequence {
    Post,
    Term,
    User,
    Comment,
    Webhook,
    Attribute,
    Tax,
    Zone,
    ZoneMethod,
    Item,
    Meta,
}

/// How many sequences there are.
const SEQUENCES: usize = Sequence::Meta as usize + 1;

/// One object of the shop.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Its id.
    pub id: u64,
    /// The product of a variation, the order of a refund or note, the attribute of a term; 0 otherwise.
    pub parent: u64,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub modified: i64,
    /// What REST shows, as it shows it; computed fields are added on showing.
    pub fields: Map<String, Value>,
    /// What REST never shows.
    pub hidden: Map<String, Value>,
}

impl Object {
    /// A text field; empty when absent or not text.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// An integer field; 0 when absent or not a whole number.
    pub fn int(&self, field: &str) -> i64 {
        self.fields.get(field).and_then(Value::as_i64).unwrap_or_default()
    }

    /// A boolean field; false when absent.
    pub fn flag(&self, field: &str) -> bool {
        self.fields.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Sets one field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }
}

/// All objects of one kind, by id.
pub type Table = BTreeMap<u64, Object>;

/// What one shop remembers.
#[derive(Debug, Default)]
pub struct State {
    tables: [Table; KINDS],
    next: [u64; SEQUENCES],
    /// Products and variations by SKU in lower case: MySQL's collation does not tell case apart.
    pub(crate) skus: HashMap<String, u64>,
    /// Products by slug.
    pub(crate) slugs: HashMap<String, u64>,
    /// `(product, variation)`
    variations: BTreeSet<(u64, u64)>,
    /// Users, keys, application passwords.
    pub access: Access,
    /// What happened during the request in hand; handed to the listeners when the lock is free again.
    pub(crate) happened: Vec<Happened>,
    /// Requests so far, by method and route pattern: `GET /wc/v3/products/<id>`.
    pub(crate) requests: BTreeMap<String, u64>,
    /// The last requests, oldest first, as `(method, route, status)`.
    pub(crate) recent: VecDeque<(String, String, u16)>,
}

impl State {
    /// An empty shop whose sequences start at 1.
    pub fn new() -> Self {
        Self { next: [1; SEQUENCES], ..Self::default() }
    }

    /// All objects of this kind.
    pub fn table(&self, kind: Kind) -> &Table {
        &self.tables[kind as usize]
    }

    /// All objects of this kind.
    pub fn table_mut(&mut self, kind: Kind) -> &mut Table {
        &mut self.tables[kind as usize]
    }

    /// One object.
    pub fn get(&self, kind: Kind, id: u64) -> Option<&Object> {
        self.table(kind).get(&id)
    }

    /// One object.
    pub fn get_mut(&mut self, kind: Kind, id: u64) -> Option<&mut Object> {
        self.table_mut(kind).get_mut(&id)
    }

    /// Keeps an object under its id.
    pub fn put(&mut self, kind: Kind, object: Object) {
        if kind == Kind::Variation {
            self.variations.insert((object.parent, object.id));
        }
        if kind == Kind::Product && !object.text("slug").is_empty() {
            self.slugs.insert(object.text("slug").to_owned(), object.id);
        }
        self.table_mut(kind).insert(object.id, object);
    }

    /// The variations of a product, oldest first.
    pub fn variation_ids(&self, product: u64) -> Vec<u64> {
        self.variations.range((product, 0)..=(product, u64::MAX)).map(|(_, id)| *id).collect()
    }

    /// Forgets a variation.
    pub fn remove_variation(&mut self, id: u64) {
        if let Some(object) = self.table_mut(Kind::Variation).remove(&id) {
            self.variations.remove(&(object.parent, id));
        }
    }

    /// Takes the next id of a sequence.
    pub fn next_id(&mut self, sequence: Sequence) -> u64 {
        let slot = &mut self.next[sequence as usize];
        let id = *slot;
        *slot += 1;
        id
    }

    /// The next id of this sequence will be `id`.
    pub fn pin(&mut self, sequence: Sequence, id: u64) {
        self.next[sequence as usize] = id;
    }

    /// Notes that something happened, for webhooks and other listeners.
    pub fn happened(&mut self, happened: Happened) {
        self.happened.push(happened);
    }
}
