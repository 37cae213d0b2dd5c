//! Signatures, rotation, duplicates and REST errors; and every recorded delivery when `CARTWRIGHT_CORPUS` names them.

use bytes::Bytes;

use super::*;
use crate::webhook::{self, Incoming};

fn store(id: &str) -> StoreId {
    id.parse().expect("a store id")
}

fn sign(secret: &str, body: &[u8]) -> String {
    BASE64.encode(key(secret.as_bytes()).chain_update(body).finalize().into_bytes())
}

fn delivery(secret: &str, body: &str) -> RawWebhook {
    RawWebhook {
        topic: "order.updated".to_owned(),
        webhook: "5".to_owned(),
        delivery: "e856c21d".to_owned(),
        signature: sign(secret, body.as_bytes()),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn keys(secrets: &[&str]) -> WebhookKeys {
    WebhookKeys::new(secrets.iter().map(|secret| secret.as_bytes()))
}

fn dedupe(store_id: &str, raw: RawWebhook) -> [u8; 32] {
    verify(&store(store_id), &keys(&["s"]), raw).expect("verified").into_parts().dedupe
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
        let verified = verify(&store("s"), &keys(known), delivery(signed, r#"{"id":1}"#));
        assert_eq!(verified.is_ok(), fine, "{signed} with {known:?}: {verified:?}");
    }
}

#[test]
fn a_signature_fits_one_body_and_is_written_one_way() {
    let good = delivery("s", r#"{"id":1}"#).signature;
    let hex: String = BASE64.decode(&good).expect("base64").iter().map(|byte| format!("{byte:02x}")).collect();
    for signature in
        ["", "AAAA", "%%%", &good[1..], &good[..40], &format!("{good}AAAA"), &hex, &sign("s", br#"{"id":2}"#)]
    {
        let raw = RawWebhook { signature: signature.to_owned(), ..delivery("s", r#"{"id":1}"#) };
        assert_eq!(verify(&store("s"), &keys(&["s"]), raw).err(), Some(NotVerified::Signature), "{signature}");
    }
}

#[test]
fn a_delivery_is_the_same_only_when_all_of_it_is() {
    let raw = || delivery("s", r#"{"id":1}"#);
    let first = dedupe("a", raw());
    assert_eq!(first, dedupe("a", raw()));
    assert_ne!(first, dedupe("b", raw()), "another store");
    assert_ne!(first, dedupe("a", delivery("s", r#"{"id":2}"#)), "another body with the same delivery id");
    assert_ne!(first, dedupe("a", RawWebhook { delivery: "f".to_owned(), ..raw() }), "another delivery");
    assert_ne!(first, dedupe("a", RawWebhook { webhook: "6".to_owned(), ..raw() }), "another webhook");
    assert_ne!(first, dedupe("a", RawWebhook { topic: "order.created".to_owned(), ..raw() }), "another topic");
    let moved = RawWebhook { webhook: "5e".to_owned(), delivery: "856c21d".to_owned(), ..raw() };
    assert_ne!(first, dedupe("a", moved), "fields do not run into each other");
}

#[test]
fn a_signed_rest_error_becomes_an_event_of_its_own() {
    let topic = |body: &str| verify(&store("s"), &keys(&["s"]), delivery("s", body)).expect("verified").topic;
    let error = r#"{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}"#;
    assert_eq!(topic(error), ERROR_TOPIC);
    let parts = verify(&store("s"), &keys(&["s"]), delivery("s", error)).expect("verified").into_parts();
    assert_eq!(parts.data.get(), format!(r#"{{"topic":"order.updated","webhook":"5","error":{error}}}"#));
    for other in [
        r#"{"id":61}"#,
        r#"{"id":7,"code":"summer","data":{"status":404}}"#,
        r#"{"code":"summer","data":"x"}"#,
        r#"{"code":"summer","data":{"status":200}}"#,
        r#"{"action":"woocommerce_low_stock","arg":[]}"#,
        r#"[]"#,
    ] {
        assert_eq!(topic(other), "order.updated", "{other}");
    }
}

#[test]
fn a_signed_body_that_is_no_json_is_told_apart_from_a_wrong_signature() {
    for body in ["", "x", "{", "webhook_id=4"] {
        let refused = verify(&store("s"), &keys(&["s"]), delivery("s", body));
        assert!(matches!(refused, Err(NotVerified::Body(_))), "{body}: {refused:?}");
    }
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
        let headers = recorded
            .headers
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")))
            .collect();
        let body = Bytes::from(BASE64.decode(&recorded.body_b64).expect("base64"));
        let Incoming::Delivery(raw) = webhook::read(&headers, body.clone()).expect("readable") else {
            seen.0 += 1;
            continue;
        };
        let Some(secret) = recorded.secret else {
            seen.1 += 1;
            continue;
        };
        let keys = keys(&["another", &secret]);
        let changed = RawWebhook {
            topic: raw.topic.clone(),
            webhook: raw.webhook.clone(),
            delivery: raw.delivery.clone(),
            signature: raw.signature.clone(),
            body: Bytes::from([body.as_ref(), b" "].concat()),
        };
        assert_eq!(verify(&store("s"), &keys, changed).err(), Some(NotVerified::Signature), "{}", path.display());
        verify(&store("s"), &keys, raw).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        seen.2 += 1;
    }
    assert!(seen.2 > 100, "pings, unknown secrets, verified: {seen:?}");
}
