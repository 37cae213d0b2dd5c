//! Webhook requests: the first line of input is the signature, the second the topic, the rest the body. Nothing is
//! verified without the right signature, nothing panics.
#![no_main]

use axum::http::{HeaderMap, HeaderValue};
use cartwright_http::{
    hook,
    verify::{WebhookKeys, verify},
    webhook::{Incoming, read},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let (signature, topic) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let body = parts.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    let fixed: [(&str, &[u8]); 2] = [("x-wc-webhook-id", b"4"), ("x-wc-webhook-delivery-id", b"665d")];
    let given = [("x-wc-webhook-signature", signature), ("x-wc-webhook-topic", topic), ("content-type", topic)];
    for (name, value) in fixed.into_iter().chain(given) {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        headers.insert(name, value);
    }
    let keys = WebhookKeys::new([&b"a secret that the fuzzer does not know"[..]]);
    let store = "shop".parse().expect("an id");
    if let Ok(Incoming::Delivery(raw)) = read(&headers, body.to_vec().into()) {
        assert!(verify(&store, &keys, &raw).is_err(), "verified without the secret");
    }
    let _ = hook::data(&headers, body);
});
