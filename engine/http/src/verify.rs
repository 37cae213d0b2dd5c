//! The only place where a delivery becomes trusted: a [`RawWebhook`] and the store's keys come in, a
//! [`VerifiedWebhook`] goes out to be accepted. Its fields are private, so no other code can make one.
//!
//! WooCommerce signs with `base64(HMAC-SHA256(body, wp_specialchars_decode(secret, ENT_QUOTES)))`. There is no time in
//! the signature and the delivery id is `hash(webhook, unix second)`: three products changed in one second arrive with
//! three bodies and one delivery id. So what makes a delivery the same as another one is its content.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::id::StoreId;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{
    json::{self, NotJson},
    webhook::{Names, NotAWebhook, RawWebhook},
};

/// The topic of a delivery whose body is a REST error instead of the object: `{"topic", "webhook", "error"}`.
/// The object was gone, or the webhook's owner lost the right to see it, when WooCommerce came to send it.
pub const ERROR_TOPIC: &str = "webhook.error";

/// Of a SHA-256 MAC, in bytes.
const MAC_BYTES: usize = 32;

/// A store's webhook secrets, made ready to verify with.
pub struct WebhookKeys(Vec<Hmac<Sha256>>);

impl WebhookKeys {
    /// Each secret counts as it stands and as WordPress decodes it before signing (`a&amp;b` signs as `a&b`).
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut keys = Vec::new();
        for secret in secrets {
            keys.push(key(secret));
            let decoded = decode_specialchars(secret);
            if decoded != secret {
                keys.push(key(&decoded));
            }
        }
        Self(keys)
    }

    /// Whether there is nothing to verify with.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The body's MAC under the key that gives `signature`. Every key is tried and compared in constant time.
    pub(crate) fn verify(&self, body: &[u8], signature: &str) -> Option<[u8; MAC_BYTES]> {
        // A wrong length cannot be right; this tells an attacker only what the documentation does.
        let given = <[u8; MAC_BYTES]>::try_from(BASE64.decode(signature).ok()?).ok()?;
        let mut valid = Choice::from(0);
        let mut found = [0; MAC_BYTES];
        for key in &self.0 {
            let mac: [u8; MAC_BYTES] = key.clone().chain_update(body).finalize().into_bytes().into();
            let same = mac.ct_eq(&given);
            for (to, from) in found.iter_mut().zip(&mac) {
                to.conditional_assign(from, same);
            }
            valid |= same;
        }
        bool::from(valid).then_some(found)
    }
}

impl std::fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookKeys({})", self.0.len())
    }
}

fn key(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of every length")
}

/// A delivery that the store signed and that can be read.
#[derive(Debug)]
pub struct VerifiedWebhook {
    topic: String,
    webhook: String,
    delivery: String,
    data: Box<RawValue>,
    dedupe: [u8; 32],
}

/// The parts of a [`VerifiedWebhook`].
#[derive(Debug)]
#[expect(missing_docs, reason = "as in VerifiedWebhook and RawWebhook")]
pub struct Parts {
    pub topic: String,
    pub webhook: String,
    pub delivery: String,
    pub data: Box<RawValue>,
    /// The same for the same store, webhook, delivery id, topic and body; else different.
    pub dedupe: [u8; 32],
}

impl VerifiedWebhook {
    /// What the event's topic will be.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Takes it apart.
    pub fn into_parts(self) -> Parts {
        let Self { topic, webhook, delivery, data, dedupe } = self;
        Parts { topic, webhook, delivery, data, dedupe }
    }
}

/// Why a delivery is not trusted or not readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// No secret of the store gives this signature.
    #[error("the signature does not match")]
    Signature,
    /// The store signed it, but its headers do not say what it is.
    #[error(transparent)]
    Names(#[from] NotAWebhook),
    /// The store signed it, but its body is no JSON.
    #[error(transparent)]
    Body(#[from] NotJson),
}

/// Verifies a delivery, then reads it.
pub fn verify(store: &StoreId, keys: &WebhookKeys, raw: &RawWebhook<'_>) -> Result<VerifiedWebhook, NotVerified> {
    let mac = keys.verify(&raw.body, raw.signature).ok_or(NotVerified::Signature)?;
    let names = raw.names()?;
    let mut data = json::accept(&raw.body)?;
    let dedupe = dedupe_key(store, names, &mac);
    let mut topic = names.topic;
    if is_rest_error(&data) {
        data = error_data(names, &data);
        topic = ERROR_TOPIC;
    }
    let (webhook, delivery) = (names.webhook.to_owned(), names.delivery.to_owned());
    Ok(VerifiedWebhook { topic: topic.to_owned(), webhook, delivery, data, dedupe })
}

/// The MAC stands for the body: it is a hash over it that nobody without the secret can steer, and is known already.
fn dedupe_key(store: &StoreId, names: Names<'_>, mac: &[u8; MAC_BYTES]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in ["woo", store.as_str(), names.webhook, names.delivery, names.topic] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(mac);
    hash.finalize().into()
}

/// `{"code": text, "message": text, "data": {"status": number}}`, in this order: how WordPress writes a REST error
/// (`rest_convert_error_to_response`). Objects have their `id` first.
fn is_rest_error(data: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct RestError {
        id: Option<IgnoredAny>,
        #[serde(rename = "code")]
        _code: String,
        data: ErrorData,
    }
    #[derive(Deserialize)]
    struct ErrorData {
        status: u16,
    }
    let text = data.get();
    text.starts_with("{\"code\"")
        && serde_json::from_str::<RestError>(text).is_ok_and(|error| error.id.is_none() && error.data.status >= 400)
}

fn error_data(names: Names<'_>, error: &RawValue) -> Box<RawValue> {
    // Topic and webhook id consist of letters, digits and `._-` (see `webhook`): nothing to escape.
    let text = format!(r#"{{"topic":"{}","webhook":"{}","error":{}}}"#, names.topic, names.webhook, error.get());
    RawValue::from_string(text).expect("valid JSON around valid JSON")
}

/// `wp_specialchars_decode( $text, ENT_QUOTES )` of WordPress 7.1 (wp-includes/formatting.php): five characters, each
/// by name or by number with any leading zeros, decoded once from left to right.
fn decode_specialchars(secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(secret.len());
    let mut rest = secret;
    while let Some((&first, after)) = rest.split_first() {
        match (first == b'&').then(|| entity(after)).flatten() {
            Some((character, length)) => {
                out.push(character);
                rest = &after[length..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The character that the entity after an `&` stands for, and the entity's length with its `;`.
fn entity(after: &[u8]) -> Option<(u8, usize)> {
    let end = after.iter().position(|byte| *byte == b';')?;
    let name = &after[..end];
    let trimmed = |digits: &'static [u8], name: &[u8]| -> bool {
        let zeros = name.iter().take_while(|byte| **byte == b'0').count();
        name[zeros..].eq_ignore_ascii_case(digits)
    };
    let decimal = |digits: &'static [u8]| name.strip_prefix(b"#").is_some_and(|name| trimmed(digits, name));
    let hexadecimal = |digits: &'static [u8]| {
        name.strip_prefix(b"#")
            .and_then(|name| name.strip_prefix(b"x").or_else(|| name.strip_prefix(b"X")))
            .is_some_and(|name| trimmed(digits, name))
    };
    let character = if name == b"amp" || decimal(b"38") || hexadecimal(b"26") {
        b'&'
    } else if name == b"quot" || decimal(b"34") || hexadecimal(b"22") {
        b'"'
    } else if decimal(b"39") || hexadecimal(b"27") {
        b'\''
    } else if name == b"lt" || decimal(b"60") {
        b'<'
    } else if name == b"gt" || decimal(b"62") {
        b'>'
    } else {
        return None;
    };
    Some((character, end + 1))
}

#[cfg(test)]
mod tests;
