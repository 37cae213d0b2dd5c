//! Calls to a store's REST API in the one form that the `woo` step, the `woo::*` functions and plugins share, and what
//! may be done with such a call when nobody knows whether it happened.
//!
//! The canonical map: `{method, path, store?, query?, body?, all?}`. `path` is relative to `/wp-json/wc/v3/` without a
//! leading slash (`orders/61/notes`); `store` names another store than the event's; `all: true` walks every page of a
//! list.
//!
//! WooCommerce knows no idempotency keys (`POST /orders` twice is two orders), so every write falls into one of three
//! kinds, see [`Repetition`].

use serde_json::{Map, json};

use crate::{
    Json,
    call::{CallKind, fingerprint},
    id::StoreId,
};

/// A path, in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

/// HTTP methods that WooCommerce's API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WooMethod {
    /// Reads.
    Get,
    /// Creates, or does something.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

impl WooMethod {
    /// As sent: `GET`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// From any case; `PATCH` is what WooCommerce treats as `PUT`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" | "PATCH" => Some(Self::Put),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One call to a store's REST API. A value of this type has a well-formed path.
#[derive(Debug, Clone, PartialEq)]
pub struct WooRequest {
    /// What it does.
    pub method: WooMethod,
    /// Relative to `/wp-json/wc/v3/`, without slashes around it: `orders/61/notes`.
    pub path: String,
    /// Another store than the event's.
    pub store: Option<StoreId>,
    /// A map of texts, numbers, bools and lists of them.
    pub query: Map<String, Json>,
    /// What is sent, as JSON.
    pub body: Option<Json>,
    /// Walk every page of the list.
    pub all: bool,
}

/// What may be done with a call when nobody knows whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// Doing it twice is as good as once: reads, absolute changes, removals.
    Harmless,
    /// The store can be asked whether it happened, with this recipe.
    Settled(Recipe),
    /// Nobody can find out: the step becomes `unknown`.
    Never,
}

/// How a store is asked whether a write happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// `POST products`, `POST products/ID/variations`: by SKU where there is one, else by our marker in `meta_data`.
    Product,
    /// `POST orders`: by our marker in `meta_data`.
    Order,
    /// `POST customers`: by e-mail, and our marker to tell ours from one that was there.
    Customer,
    /// `POST coupons`: by code, and our marker.
    Coupon,
    /// `POST orders/ID/notes`: by its text, kind and time: people read notes, so no marker goes into them.
    Note,
    /// `POST orders/ID/refunds`: by our marker in `meta_data`.
    Refund,
    /// `PUT orders/ID` with new lines: by our marker in the order's `meta_data`, one for each call.
    OrderLines,
    /// `POST products/categories`, `…/tags`, `…/brands`, `…/attributes`, `…/shipping_classes`, and terms of an
    /// attribute: by name or slug, which WooCommerce keeps unique.
    Term,
    /// `POST webhooks`: by name, topic and delivery URL.
    Webhook,
    /// `POST taxes`: by all of its fields.
    TaxRate,
    /// `POST …/batch`: each created item by the recipe of its kind; updates and deletes are harmless.
    Batch,
}

impl WooRequest {
    /// Reads the canonical map; the error is text for people.
    pub fn parse(spec: &Json) -> Result<Self, String> {
        let Json::Object(map) = spec else { return Err("a call to the store is a map".into()) };
        let text = |key: &str| match map.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("`{key}` must be text")),
        };
        let method = text("method")?.unwrap_or("GET");
        let method = WooMethod::parse(method)
            .ok_or_else(|| format!("the method is GET, POST, PUT or DELETE, not `{method}`"))?;
        let path = parse_path(text("path")?.unwrap_or_default())?;
        let store = text("store")?.map(|id| id.parse().map_err(|error| format!("`store`: {error}"))).transpose()?;
        let query = match map.get("query") {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(query)) => query.clone(),
            Some(_) => return Err("`query` must be a map".into()),
        };
        let body = map.get("body").filter(|body| !body.is_null()).cloned();
        let all = match map.get("all") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(all)) => *all,
            Some(_) => return Err("`all` must be true or false".into()),
        };
        if all && method != WooMethod::Get {
            return Err("`all` walks the pages of a list: it goes with GET".into());
        }
        Ok(Self { method, path, store, query, body, all })
    }

    /// The canonical map.
    pub fn spec(&self) -> Json {
        let mut map = Map::new();
        map.insert("method".into(), json!(self.method.as_str()));
        map.insert("path".into(), json!(self.path));
        if let Some(store) = &self.store {
            map.insert("store".into(), json!(store));
        }
        if !self.query.is_empty() {
            map.insert("query".into(), Json::Object(self.query.clone()));
        }
        if let Some(body) = &self.body {
            map.insert("body".into(), body.clone());
        }
        if self.all {
            map.insert("all".into(), json!(true));
        }
        Json::Object(map)
    }

    /// One line for people: `POST orders/61/notes`.
    pub fn summary(&self) -> String {
        let all = if self.all { " (all pages)" } else { "" };
        let store = self.store.as_ref().map(|store| format!(" at {store}")).unwrap_or_default();
        format!("{} {}{all}{store}", self.method.as_str(), self.path)
    }

    /// The host function's name: `woo::post`.
    pub fn function(&self) -> &'static str {
        match (self.method, self.all) {
            (WooMethod::Get, true) => "woo::all",
            (WooMethod::Get, false) => "woo::get",
            (WooMethod::Post, _) => "woo::post",
            (WooMethod::Put, _) => "woo::put",
            (WooMethod::Delete, _) => "woo::delete",
        }
    }

    /// What the engine must do to make it.
    pub fn kind(&self) -> CallKind {
        CallKind::Outside { repeatable: self.repetition() != Repetition::Never }
    }

    /// See [`crate::call::Call::fingerprint`]; a call to a store holds no secrets.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.function(), &[self.spec()])
    }

    /// What may be done with it when nobody knows whether it happened.
    pub fn repetition(&self) -> Repetition {
        let parts: Vec<&str> = self.path.split('/').collect();
        match (self.method, parts.as_slice()) {
            (WooMethod::Get | WooMethod::Delete, _) => Repetition::Harmless,
            (WooMethod::Put, ["orders", _]) if self.adds_lines() => Repetition::Settled(Recipe::OrderLines),
            (WooMethod::Put, _) => Repetition::Harmless,
            (WooMethod::Post, parts) => match recipe(parts) {
                Some(recipe) => Repetition::Settled(recipe),
                // WooCommerce takes POST on an object's own path as PUT.
                None if is_object(parts) && !self.adds_lines() => Repetition::Harmless,
                None if is_object(parts) && parts[0] == "orders" => Repetition::Settled(Recipe::OrderLines),
                None => Repetition::Never,
            },
        }
    }

    /// Whether the body has lines of an order without an id, which WooCommerce adds at every request.
    fn adds_lines(&self) -> bool {
        const LINES: [&str; 3] = ["line_items", "shipping_lines", "fee_lines"];
        let Some(Json::Object(body)) = &self.body else { return false };
        let is_new = |line: &Json| line.get("id").is_none_or(Json::is_null);
        LINES.iter().filter_map(|key| body.get(*key)?.as_array()).flatten().any(is_new)
    }
}

fn recipe(parts: &[&str]) -> Option<Recipe> {
    match parts {
        ["products"] | ["products", _, "variations"] => Some(Recipe::Product),
        ["orders"] => Some(Recipe::Order),
        ["customers"] => Some(Recipe::Customer),
        ["coupons"] => Some(Recipe::Coupon),
        ["orders", _, "notes"] => Some(Recipe::Note),
        ["orders", _, "refunds"] => Some(Recipe::Refund),
        ["products", "categories" | "tags" | "brands" | "attributes" | "shipping_classes"]
        | ["products", "attributes", _, "terms"] => Some(Recipe::Term),
        ["webhooks"] => Some(Recipe::Webhook),
        ["taxes"] => Some(Recipe::TaxRate),
        [.., "batch"] => Some(Recipe::Batch),
        _ => None,
    }
}

/// `products/12`, `orders/61`, `products/categories/5`: the last part is an id and nothing but a collection is before it.
fn is_object(parts: &[&str]) -> bool {
    parts.len() >= 2 && parts.last().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
}

/// Checks a path and strips what people write around it: slashes, `wp-json/wc/v3/`. The error is text for people.
pub(crate) fn parse_path(text: &str) -> Result<String, String> {
    let text = bare_path(text).trim_end_matches('/');
    if text.is_empty() {
        return Err("the path is missing: write it as `orders/61`".into());
    }
    if text.len() > PATH_BYTES_MAX {
        return Err(format!("the path has more than {PATH_BYTES_MAX} bytes"));
    }
    if text.contains('?') {
        return Err("put what follows `?` into `query`".into());
    }
    let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let good = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(ok);
    if !text.split('/').all(good) {
        return Err(format!("`{}` is not a path such as `orders/61`", text.chars().take(80).collect::<String>()));
    }
    Ok(text.to_owned())
}

/// A path, or its beginning, without what people write before it.
pub(crate) fn bare_path(text: &str) -> &str {
    let text = text.trim_start_matches('/');
    text.strip_prefix("wp-json/wc/v3/").unwrap_or(text)
}
