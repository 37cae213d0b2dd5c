//! Signatures, rotation, duplicates and REST errors; and every recorded delivery when `CARTWRIGHT_CORPUS` names them.

use axum::http::HeaderMap;
use bytes::Bytes;

use super::*;
use crate::webhook::{self, Incoming};

fn store(id: &str) -> StoreId {
    id.parse().expect("a store id")
}

fn sign(secret: &str, body: &[u8]) -> String {
    BASE64.encode(key(secret.as_bytes()).chain_update(body).finalize().into_bytes())
}

/// A delivery's headers and body, as they would be on the wire.
#[derive(Clone)]
struct Wire {
    headers: HeaderMap,
    body: Bytes,
}

impl Wire {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header"));
        self
    }

    fn verify(&self, store_id: &str, keys: &WebhookKeys) -> Result<VerifiedWebhook, NotVerified> {
        let read = webhook::read(&self.headers, self.body.clone()).expect("signed");
        let Incoming::Delivery(raw) = read else { panic!("{read:?}") };
        verify(&store(store_id), keys, &raw)
    }
}

fn delivery(secret: &str, body: &str) -> Wire {
    Wire { headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
        .with("x-wc-webhook-topic", "order.updated")
        .with("x-wc-webhook-id", "5")
        .with("x-wc-webhook-delivery-id", "e856c21d")
        .with("x-wc-webhook-signature", &sign(secret, body.as_bytes()))
}

fn keys(secrets: &[&str]) -> WebhookKeys {
    WebhookKeys::new(secrets.iter().map(|secret| secret.as_bytes()))
}

fn dedupe(store_id: &str, wire: &Wire) -> [u8; 32] {
    wire.verify(store_id, &keys(&["s"])).expect("verified").into_parts().dedupe
}

#[test]
fn any_of_the_stores_secrets_may_sign() {
    for (signed, known, fine) in [
        ("a", &["a"][..], true),
        ("a", &["b", "a", "c"], true),
        ("a", &["b"], false),
        ("a", &[], false),
        ("a&b", &["a&amp;b"], true),
        ("a&amp;b", &["a&amp;b"], true),
        ("a&amp;b", &["a&b"], false),
    ] {
        let verified = delivery(signed, r#"{"id":1}"#).verify("s", &keys(known));
        assert_eq!(verified.is_ok(), fine, "{signed} with {known:?}: {verified:?}");
    }
}

#[test]
fn a_signature_fits_one_body_and_is_written_one_way() {
    let good = sign("s", br#"{"id":1}"#);
    let hex: String = BASE64.decode(&good).expect("base64").iter().map(|byte| format!("{byte:02x}")).collect();
    for signature in ["AAAA", "%%%", &good[1..], &good[..40], &format!("{good}AAAA"), &hex, &sign("s", br#"{"id":2}"#)]
    {
        let wire = delivery("s", r#"{"id":1}"#).with("x-wc-webhook-signature", signature);
        assert_eq!(wire.verify("s", &keys(&["s"])).err(), Some(NotVerified::Signature), "{signature}");
    }
}

#[test]
fn a_delivery_is_the_same_only_when_all_of_it_is() {
    let wire = delivery("s", r#"{"id":1}"#);
    let first = dedupe("a", &wire);
    assert_eq!(first, dedupe("a", &wire));
    assert_ne!(first, dedupe("b", &wire), "another store");
    assert_ne!(first, dedupe("a", &delivery("s", r#"{"id":2}"#)), "another body with the same delivery id");
    let with = |name, value| dedupe("a", &wire.clone().with(name, value));
    assert_ne!(first, with("x-wc-webhook-delivery-id", "f"), "another delivery");
    assert_ne!(first, with("x-wc-webhook-id", "6"), "another webhook");
    assert_ne!(first, with("x-wc-webhook-topic", "order.created"), "another topic");
    let moved = wire.with("x-wc-webhook-id", "5e").with("x-wc-webhook-delivery-id", "856c21d");
    assert_ne!(first, dedupe("a", &moved), "fields do not run into each other");
}

#[test]
fn a_signed_rest_error_becomes_an_event_of_its_own() {
    let parts = |body: &str| delivery("s", body).verify("s", &keys(&["s"])).expect("verified").into_parts();
    let error = r#"{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}"#;
    assert_eq!(parts(error).topic, ERROR_TOPIC);
    assert_eq!(parts(error).data.get(), format!(r#"{{"topic":"order.updated","webhook":"5","error":{error}}}"#));
    for other in [
        r#"{"id":61}"#,
        r#"{"id":7,"code":"summer","data":{"status":404}}"#,
        r#"{"code":"summer","id":7,"data":{"status":404}}"#,
        r#"{"code":"summer","data":"x"}"#,
        r#"{"code":"summer","data":{"status":200}}"#,
        r#"{"action":"woocommerce_low_stock","arg":[]}"#,
        r#"[]"#,
    ] {
        assert_eq!(parts(other).topic, "order.updated", "{other}");
        assert_eq!(parts(other).data.get(), other);
    }
}

#[test]
fn what_is_signed_but_unreadable_is_told_apart_from_a_wrong_signature() {
    for body in ["", "x", "{", "webhook_id=4"] {
        let refused = delivery("s", body).verify("s", &keys(&["s"]));
        assert!(matches!(refused, Err(NotVerified::Body(_))), "{body}: {refused:?}");
    }
    let nameless = delivery("s", "{}").with("x-wc-webhook-topic", "a b");
    assert!(matches!(nameless.verify("s", &keys(&["s"])), Err(NotVerified::Names(_))));
    assert_eq!(nameless.verify("s", &keys(&["t"])).err(), Some(NotVerified::Signature), "the signature comes first");
}

#[test]
fn secrets_are_decoded_as_wordpress_does() {
    for (secret, decoded) in [
        ("plain", "plain"),
        ("a&amp;b", "a&b"),
        ("&lt;&gt;&quot;&#039;", "<>\"'"),
        ("&#39;&#0039;&#x27;&#X27;&#x0027;", "'''''"),
        ("&#34;&#034;&#x22;", "\"\"\""),
        ("&#60;&#62;&#38;&#x26;", "<>&&"),
        ("&amp;lt;", "&lt;"),
        ("&#x3c;&apos;&nbsp;&", "&#x3c;&apos;&nbsp;&"),
        ("&LT;&amp", "&LT;&amp"),
        ("ü&amp;", "ü&"),
        ("&&amp;;", "&&;"),
    ] {
        assert_eq!(String::from_utf8(decode_specialchars(secret.as_bytes())).expect("text"), decoded, "{secret}");
    }
}

/// One recorded request.
#[derive(Deserialize)]
struct Recorded {
    headers: Vec<(String, String)>,
    body_b64: String,
    secret: Option<String>,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "where recordings are is told by the environment")]
fn recorded_deliveries_verify_and_changed_ones_do_not() {
    let Ok(corpus) = std::env::var("CARTWRIGHT_CORPUS") else { return };
    let mut seen = (0, 0, 0);
    for file in std::fs::read_dir(format!("{corpus}/deliveries")).expect("the corpus has deliveries") {
        let path = file.expect("a file").path();
        let recorded: Recorded = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("a recording");
        let headers: HeaderMap = recorded
            .headers
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")))
            .collect();
        let wire = Wire { headers, body: Bytes::from(BASE64.decode(&recorded.body_b64).expect("base64")) };
        if let Incoming::Ping = webhook::read(&wire.headers, wire.body.clone()).expect("readable") {
            seen.0 += 1;
            continue;
        }
        let Some(secret) = recorded.secret else {
            seen.1 += 1;
            continue;
        };
        let keys = keys(&["another", &secret]);
        let changed = Wire { body: Bytes::from([wire.body.as_ref(), b" "].concat()), ..wire.clone() };
        assert_eq!(changed.verify("s", &keys).err(), Some(NotVerified::Signature), "{}", path.display());
        wire.verify("s", &keys).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        seen.2 += 1;
    }
    assert!(seen.2 > 100, "pings, unknown secrets, verified: {seen:?}");
}
