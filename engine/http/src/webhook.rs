//! What WooCommerce posts to `/webhooks/{store}`: request headers and body come in, a [`Incoming`] goes out to
//! [`crate::verify`]. Nothing here is trusted yet.

use axum::http::{HeaderMap, header};
use bytes::Bytes;

/// Of topics, ids and the signature in headers, in bytes. WooCommerce's longest topic has 62.
const MAX_HEADER_BYTES: usize = 200;

/// A request to the webhook endpoint.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// WooCommerce tries the address when a webhook is saved: an unsigned form `webhook_id=4`. Only 200 counts.
    Ping,
    /// A delivery, not verified.
    Delivery(RawWebhook<'a>),
}

/// A delivery as received.
#[derive(Debug, Clone)]
pub struct RawWebhook<'a> {
    /// `X-WC-Webhook-Signature` as written
    pub signature: &'a str,
    /// The body, byte for byte
    pub body: Bytes,
    headers: &'a HeaderMap,
}

/// What a delivery's headers say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// `X-WC-Webhook-Topic`: `order.updated`, `action.woocommerce_low_stock`
    pub topic: &'a str,
    /// `X-WC-Webhook-ID`: the webhook's number in its store
    pub webhook: &'a str,
    /// `X-WC-Webhook-Delivery-ID`: not unique, see [`crate::verify`]
    pub delivery: &'a str,
}

/// Why a request cannot be a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAWebhook {
    /// Neither a ping nor signed.
    #[error("the signature header X-WC-Webhook-Signature is missing")]
    Unsigned,
    /// A header without which the delivery says nothing, missing or with characters that no WooCommerce sends.
    #[error("the header {0} is missing or malformed")]
    Header(&'static str),
}

/// Reads a request.
pub fn read(headers: &HeaderMap, body: Bytes) -> Result<Incoming<'_>, NotAWebhook> {
    let Some(signature) = headers.get("x-wc-webhook-signature") else {
        return if is_ping(headers, &body) { Ok(Incoming::Ping) } else { Err(NotAWebhook::Unsigned) };
    };
    let signature = signature.to_str().map_err(|_| NotAWebhook::Unsigned)?;
    if signature.is_empty() || signature.len() > MAX_HEADER_BYTES {
        return Err(NotAWebhook::Unsigned);
    }
    Ok(Incoming::Delivery(RawWebhook { signature, body, headers }))
}

impl<'a> RawWebhook<'a> {
    /// What its headers say. Asked for after the signature was checked, so that strangers learn nothing about the rest.
    pub fn names(&self) -> Result<Names<'a>, NotAWebhook> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let topic = text(self.headers, "x-wc-webhook-topic", |byte| word(byte) || byte == b'.')?;
        if topic.split('.').any(str::is_empty) {
            return Err(NotAWebhook::Header("x-wc-webhook-topic"));
        }
        let webhook = text(self.headers, "x-wc-webhook-id", word)?;
        let delivery = text(self.headers, "x-wc-webhook-delivery-id", word)?;
        Ok(Names { topic, webhook, delivery })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str, ok: impl Fn(u8) -> bool) -> Result<&'a str, NotAWebhook> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (1..=MAX_HEADER_BYTES).contains(&value.len()) && value.bytes().all(ok) {
        return Ok(value);
    }
    Err(NotAWebhook::Header(name))
}

fn is_ping(headers: &HeaderMap, body: &[u8]) -> bool {
    let form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded"));
    let id = body.strip_prefix(b"webhook_id=").unwrap_or_default();
    form && (1..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value"))).collect()
    }

    const SIGNED: [(&str, &str); 4] = [
        ("x-wc-webhook-topic", "order.updated"),
        ("x-wc-webhook-id", "5"),
        ("x-wc-webhook-delivery-id", "e856c21d0e566ec1b5750c6453a60353"),
        ("x-wc-webhook-signature", "AAAA"),
    ];

    #[test]
    fn the_creation_ping_is_known_by_its_form() {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let charset = [("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")];
        for (pairs, body, ping) in [
            (&form[..], "webhook_id=4", true),
            (&charset, "webhook_id=4", true),
            (&[], "webhook_id=4", false),
            (&[("content-type", "application/json")], "webhook_id=4", false),
            (&form, "webhook_id=", false),
            (&form, "webhook_id=4&x=1", false),
            (&form, "webhook_id=444444444444444444444", false),
            (&form, "{\"id\":1}", false),
            (&form, "", false),
        ] {
            match read(&headers(pairs), Bytes::copy_from_slice(body.as_bytes())) {
                Ok(Incoming::Ping) => assert!(ping, "{body}"),
                Err(NotAWebhook::Unsigned) => assert!(!ping, "{body}"),
                other => panic!("{other:?}"),
            }
        }
    }

    fn names(headers: &HeaderMap) -> Result<(), NotAWebhook> {
        match read(headers, Bytes::from_static(b"{}"))? {
            Incoming::Delivery(raw) => raw.names().map(drop),
            Incoming::Ping => panic!("no ping"),
        }
    }

    #[test]
    fn a_delivery_is_taken_as_it_stands() {
        let headers = headers(&SIGNED);
        let read = read(&headers, Bytes::from_static(b"{}")).expect("read");
        let Incoming::Delivery(raw) = read else { panic!("{read:?}") };
        let names = raw.names().expect("named");
        assert_eq!((names.topic, names.webhook, raw.signature), ("order.updated", "5", "AAAA"));
    }

    #[test]
    fn headers_that_no_woocommerce_sends_are_refused() {
        let long = "a".repeat(MAX_HEADER_BYTES + 1);
        for (name, value) in [
            ("x-wc-webhook-topic", ""),
            ("x-wc-webhook-topic", "order."),
            ("x-wc-webhook-topic", ".x"),
            ("x-wc-webhook-topic", "order..x"),
            ("x-wc-webhook-topic", "order/created"),
            ("x-wc-webhook-topic", "order created"),
            ("x-wc-webhook-topic", &long),
            ("x-wc-webhook-id", ""),
            ("x-wc-webhook-id", "5;"),
            ("x-wc-webhook-delivery-id", "a.b"),
            ("x-wc-webhook-signature", ""),
            ("x-wc-webhook-signature", &long),
        ] {
            let mut pairs = headers(&SIGNED);
            assert_eq!(names(&pairs), Ok(()));
            pairs.insert(name, value.parse().expect("value"));
            assert!(names(&pairs).is_err(), "{name}: {value}");
            pairs.remove(name);
            assert!(names(&pairs).is_err(), "without {name}");
        }
    }
}
