//! One delivery as it goes over the wire, and what its answer does to the webhook.
//!
//! The body is built when it is sent: it shows the object as it is then, and is a REST error when the object is gone
//! or the webhook's owner may not see it. Nothing retries; the seventh failure in a row switches the webhook off.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::queue::Action;
use crate::{Shop, rest::reply::php_json, state::Kind};

/// A webhook that has failed more often than this before fails for the last time.
const MOST_FAILURES: u64 = 5;

/// One request to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The webhook's id.
    pub webhook: u64,
    /// Where it goes.
    pub url: String,
    /// In order.
    pub headers: Vec<(&'static str, String)>,
    /// As signed.
    pub body: Vec<u8>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The receiver answered with this status.
    Status(u16),
    /// There was no answer.
    Nothing,
}

impl Received {
    /// A redirect counts as received, though nobody follows it.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Status(200..=302))
    }
}

/// Builds a delivery as of now, `None` when the webhook is gone or switched off.
pub fn build(shop: &Shop, action: &Action, now_ms: i64) -> Option<Delivery> {
    let webhook = shop.with_state(|state| state.get(Kind::Webhook, action.webhook).cloned())?;
    if webhook.text("status") != "active" {
        return None;
    }
    let topic = webhook.text("topic").to_owned();
    let (resource, event) = topic.split_once('.')?;
    let owner = webhook.hidden.get("user").and_then(Value::as_u64).unwrap_or_default();
    let secret = webhook.hidden.get("secret").and_then(Value::as_str).unwrap_or_default();
    let payload = payload(shop, resource, event, &action.arg, owner);
    let body = php_json(&payload).into_bytes();
    let config = shop.config();
    let headers = vec![
        ("User-Agent", user_agent(shop)),
        ("Content-Type", "application/json".to_owned()),
        ("X-WC-Webhook-Source", format!("{}/", config.url)),
        ("X-WC-Webhook-Topic", topic.clone()),
        ("X-WC-Webhook-Resource", resource.to_owned()),
        ("X-WC-Webhook-Event", event.to_owned()),
        ("X-WC-Webhook-Signature", sign(&body, secret)),
        ("X-WC-Webhook-ID", action.webhook.to_string()),
        ("X-WC-Webhook-Delivery-ID", delivery_id(&config.url, action.webhook, now_ms.div_euclid(1_000))),
    ];
    Some(Delivery { webhook: action.webhook, url: webhook.text("delivery_url").to_owned(), headers, body })
}

/// The unsigned request that greets a new address.
pub fn ping(shop: &Shop, webhook: u64) -> Option<Delivery> {
    let url =
        shop.with_state(|state| state.get(Kind::Webhook, webhook).map(|it| it.text("delivery_url").to_owned()))?;
    let headers =
        vec![("User-Agent", user_agent(shop)), ("Content-Type", "application/x-www-form-urlencoded".to_owned())];
    Some(Delivery { webhook, url, headers, body: format!("webhook_id={webhook}").into_bytes() })
}

/// Counts a delivery's answer. A webhook that is still waiting for its ping to be answered with 200 is due another
/// one, as after every save.
pub fn settle(shop: &Shop, webhook: u64, received: Received) {
    let now = (shop.config().clock)().div_euclid(1_000);
    shop.with_state(|state| {
        let Some(webhook) = state.get_mut(Kind::Webhook, webhook) else { return };
        let failures = webhook.hidden.get("failure_count").and_then(Value::as_u64).unwrap_or_default();
        if received.is_success() {
            webhook.hidden.insert("failure_count".to_owned(), json!(0));
        } else if failures > MOST_FAILURES {
            webhook.set("status", "disabled");
        } else {
            webhook.hidden.insert("failure_count".to_owned(), json!(failures + 1));
        }
        webhook.modified = now;
        webhook.hidden.insert("saved".to_owned(), json!(true));
        if webhook.hidden.get("pending_delivery") == Some(&json!(true)) {
            webhook.hidden.insert("ping_due".to_owned(), json!(true));
        }
    });
}

/// Counts a ping's answer: only 200 counts, and is saved.
pub fn settle_ping(shop: &Shop, webhook: u64, received: Received) {
    let now = (shop.config().clock)().div_euclid(1_000);
    shop.with_state(|state| {
        let Some(webhook) = state.get_mut(Kind::Webhook, webhook) else { return };
        webhook.hidden.insert("ping_due".to_owned(), json!(false));
        if received == Received::Status(200) {
            webhook.hidden.insert("pending_delivery".to_owned(), json!(false));
            webhook.hidden.insert("saved".to_owned(), json!(true));
            webhook.modified = now;
        }
    });
}

/// The webhooks that are due a ping.
pub fn pings_due(shop: &Shop) -> Vec<u64> {
    shop.with_state(|state| {
        let due = |hidden: &serde_json::Map<String, Value>| hidden.get("ping_due") == Some(&json!(true));
        state.table(Kind::Webhook).values().filter(|webhook| due(&webhook.hidden)).map(|webhook| webhook.id).collect()
    })
}

fn payload(shop: &Shop, resource: &str, event: &str, arg: &Value, owner: u64) -> Value {
    match (resource, event) {
        ("action", hook) => json!({ "action": hook, "arg": arg }),
        (_, "deleted") => json!({ "id": arg }),
        (resource, _) => shop.view(owner, &format!("/wc/v3/{resource}s/{arg}")).1,
    }
}

fn user_agent(shop: &Shop) -> String {
    let config = shop.config();
    format!("WooCommerce/{} Hookshot (WordPress/{})", config.woocommerce_version, config.wordpress_version)
}

/// Base 64 of HMAC-SHA256 over the body, with the secret as WordPress decodes it.
pub(crate) fn sign(body: &[u8], secret: &str) -> String {
    let secret = specialchars_decoded(secret);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The same for all deliveries of one webhook within one second.
fn delivery_id(salt: &str, webhook: u64, second: i64) -> String {
    let hash = Sha256::digest(format!("{salt}|{webhook}{second}").as_bytes());
    hex::encode(&hash[..16])
}

/// `wp_specialchars_decode` with `ENT_QUOTES`.
fn specialchars_decoded(text: &str) -> String {
    const ENTITIES: [(&str, &str); 8] = [
        ("&lt;", "<"),
        ("&#060;", "<"),
        ("&gt;", ">"),
        ("&#062;", ">"),
        ("&quot;", "\""),
        ("&#034;", "\""),
        ("&#039;", "'"),
        ("&#x27;", "'"),
    ];
    let decoded = ENTITIES.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain));
    decoded.replace("&amp;", "&").replace("&#038;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_what_woocommerce_takes_for_it() {
        for (received, success) in [
            (Received::Status(200), true),
            (Received::Status(204), true),
            (Received::Status(300), true),
            (Received::Status(302), true),
            (Received::Status(303), false),
            (Received::Status(307), false),
            (Received::Status(404), false),
            (Received::Status(500), false),
            (Received::Nothing, false),
        ] {
            assert_eq!(received.is_success(), success, "{received:?}");
        }
    }

    #[test]
    fn a_delivery_is_numbered_by_webhook_and_second() {
        assert_eq!(delivery_id("s", 1, 5), delivery_id("s", 1, 5));
        assert_ne!(delivery_id("s", 1, 5), delivery_id("s", 1, 6));
        assert_ne!(delivery_id("s", 1, 5), delivery_id("s", 2, 5));
        assert_eq!(delivery_id("s", 1, 5).len(), 32);
    }

    #[test]
    fn a_secret_is_decoded_before_it_signs() {
        assert_eq!(sign(b"x", "a&amp;b"), sign(b"x", "a&b"));
        assert_ne!(sign(b"x", "a&amp;b"), sign(b"x", "a&amp;c"));
        assert_eq!(specialchars_decoded("a&amp;b&lt;&#039;"), "a&b<'");
        assert_eq!(specialchars_decoded("&amp;lt;"), "&lt;", "once, not twice");
    }
}
