//! WooCommerce, for webhooks that go to a workflow's own address: `X-WC-Webhook-Signature`, base64 of HMAC-SHA256 over the body.
//! Its delivery id alone is not unique, see [`crate::verify`]: webhook, delivery, topic and body together are.

use axum::http::HeaderName;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};

use super::{Message, NotSigned, Signed};
use crate::verify::WebhookKeys;

const SIGNATURE: HeaderName = HeaderName::from_static("x-wc-webhook-signature");
const NAMES: [HeaderName; 3] = [
    HeaderName::from_static("x-wc-webhook-id"),
    HeaderName::from_static("x-wc-webhook-delivery-id"),
    HeaderName::from_static("x-wc-webhook-topic"),
];

/// Reads the base64 of 32 bytes.
pub fn parse(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

pub(super) fn verify(secrets: &[&[u8]], message: &Message<'_>) -> Result<Signed, NotSigned> {
    let given = message.header(&SIGNATURE).filter(|text| parse(text).is_some()).ok_or(NotSigned::Wrong)?;
    WebhookKeys::new(secrets.iter().copied()).verify(message.body, given).ok_or(NotSigned::Wrong)?;
    let mut hash = Sha256::new();
    for name in &NAMES {
        // A header that is missing makes no id: every such request counts.
        let Some(text) = message.header(name) else { return Ok(Signed { id: None }) };
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(message.body);
    Ok(Signed { id: Some(hash.finalize().to_vec()) })
}
