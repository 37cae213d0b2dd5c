//! Recorded exchanges of a real WooCommerce, read from the corpus folder and put into the order in which they were made.
//!
//! A recording knows the second of its answer and nothing finer, so that order is rebuilt: by second, then creations
//! by their id, then the rest, and where that is not enough by `FIRST`, which names pairs.

use std::{collections::BTreeMap, fs, path::Path};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// One exchange as it was recorded.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exchange {
    /// Its name, which says what it was made for.
    pub(crate) name: String,
    /// What was sent.
    pub(crate) request: Message,
    /// What came back.
    pub(crate) response: Answer,
    elapsed_ms: i64,
    /// When it began, as well as the recording tells. To be compared to the second only.
    #[serde(skip)]
    pub(crate) at: DateTime<Utc>,
}

/// A recorded request.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Message {
    /// `GET`
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// In order.
    pub(crate) headers: Vec<(String, String)>,
    /// As text; a byte that is no UTF-8 was replaced when it was recorded.
    #[serde(default)]
    pub(crate) body: Option<String>,
}

/// A recorded answer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// In order.
    pub(crate) headers: Vec<(String, String)>,
    /// As text.
    #[serde(default)]
    pub(crate) body: Option<String>,
}

/// Within one second: the first of these came before the second, which the answers show.
const FIRST: &[(&str, &str)] = &[
    ("auth_http_oauth_nonce_first", "auth_http_oauth_nonce_reused"),
    ("product_update", "product_update_noop"),
    ("product_update_price_comma", "product_update_price_text"),
    ("product_update_price_text", "product_update_price_back"),
    ("product_delete_trash", "product_get_trashed"),
    ("product_get_trashed", "product_delete_trash_again"),
    ("product_untrash_put", "product_delete_force"),
    ("product_delete_force", "product_delete_404"),
    ("batch_products_success", "batch_products_delete_mixed"),
    ("batch_products_delete_mixed", "batch_products_delete_again"),
    ("batch_variations_create_delete", "batch_variations_delete"),
    ("batch_variations_success", "batch_variations_partial"),
    ("batch_orders_success", "batch_orders_partial"),
    ("batch_orders_create", "batch_orders_delete"),
    ("batch_customers", "batch_customers_delete"),
    ("order_update_status", "order_update_status_completed"),
    ("order_update_status_completed", "order_update_note_only"),
    ("order_update_line_item_total", "order_update_line_item_remove"),
    ("order_update_line_item_qty", "order_update_line_item_remove"),
    ("order_create_empty", "order_delete_trash"),
    ("order_delete_trash", "order_get_trashed"),
    ("order_get_trashed", "order_delete_trash_again"),
    ("order_delete_trash_again", "order_untrash_put"),
    ("order_note_delete_noforce", "order_note_delete"),
    ("refund_create_partial_amount", "refund_create_line_items"),
    ("refunds_list", "refund_delete_force"),
    ("refunds_list_global", "refund_delete_force"),
    ("refund_full", "order_get_refund_full"),
    ("customer_delete_noforce", "customer_delete_force"),
    ("coupons_list", "coupon_update"),
    ("coupon_get", "coupon_update"),
    ("coupon_delete_trash", "coupon_delete_force"),
    ("settings_currency_get", "settings_currency_put"),
    ("webhooks_list", "webhook_delete_force_1"),
    ("webhook_delete_noforce", "webhook_delete_force"),
    ("webhook_delete_force", "webhook_get_404"),
    ("webhook_update_pause", "webhook_update_secret"),
    ("sku_race_0", "sku_race_1"),
];

impl Exchange {
    /// The recorded answer as JSON, `null` when it is none.
    pub(crate) fn json(&self) -> Value {
        self.response.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()
    }

    /// The request's body as JSON, `null` when it is none.
    pub(crate) fn sent(&self) -> Value {
        self.request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()
    }

    /// The request's path without `/wp-json/wc/v3/`, and without query; the whole path when it is none of the API's.
    pub(crate) fn path(&self) -> &str {
        let path = self.request.target.split('?').next().unwrap_or_default();
        path.strip_prefix("/wp-json/wc/v3/").unwrap_or(path).trim_end_matches('/')
    }

    /// A header of the request.
    pub(crate) fn sent_header(&self, name: &str) -> Option<&str> {
        header(&self.request.headers, name)
    }

    /// A header of the answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.response.headers, name)
    }

    fn begun(&self) -> DateTime<Utc> {
        let answered = self.header("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let answered = answered.expect("a recorded answer has a date").to_utc();
        let body = self.json();
        // What was written says itself when, to the second; that is surer than the answer's date less the time it took.
        let own = match (self.request.method.as_str(), self.response.status) {
            ("POST", 201) => body["date_created_gmt"].as_str().map(str::to_owned),
            ("PUT", 200) if self.elapsed_ms > 700 => body["date_modified_gmt"].as_str().map(str::to_owned),
            _ => None,
        };
        own.and_then(|own| format!("{own}Z").parse().ok()).unwrap_or(answered)
    }

    /// The id of what it created.
    fn created(&self) -> Option<u64> {
        let made = self.request.method == "POST" && (self.response.status == 201 || self.path().ends_with("/methods"));
        made.then(|| self.json()["id"].as_u64()).flatten()
    }
}

/// Every exchange below `corpus/exchanges`, in the order in which they were made.
///
/// # Panics
/// When a file cannot be read: a corpus that is named must be whole.
pub(crate) fn recorded(corpus: &Path) -> Vec<Exchange> {
    let folder = corpus.join("exchanges");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<Exchange> = entries
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read(&path).expect("a recorded exchange");
            let mut exchange: Exchange = serde_json::from_slice(&text).expect("a recorded exchange is JSON");
            exchange.at = exchange.begun();
            exchange
        })
        .collect();
    found.sort_by_cached_key(|exchange| {
        let created = exchange.created();
        let order = (created.is_none(), created.unwrap_or(0), exchange.name.clone());
        (exchange.at, order)
    });
    put_first(&mut found);
    found
}

/// Moves what `FIRST` says came later to just behind what came before it.
fn put_first(exchanges: &mut Vec<Exchange>) {
    // Chains are listed from their beginning, so a few passes settle all of them.
    for _ in 0..4 {
        for (first, then) in FIRST {
            let places: BTreeMap<&str, usize> =
                exchanges.iter().enumerate().map(|(place, exchange)| (exchange.name.as_str(), place)).collect();
            let (Some(&first), Some(&then)) = (places.get(first), places.get(then)) else { continue };
            if then < first {
                let mut moved = exchanges.remove(then);
                moved.at = moved.at.max(exchanges[first - 1].at);
                exchanges.insert(first, moved);
            }
        }
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
