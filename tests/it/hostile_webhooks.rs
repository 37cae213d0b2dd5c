//! What strangers can post, made up at random: only what is signed is verified, and nothing panics.

use axum::http::{HeaderMap, HeaderValue};
use cartwright_http::{
    hook,
    verify::{WebhookKeys, verify},
    webhook::{Incoming, read},
};
use cartwright_tests::sign;
use proptest::prelude::*;

fn check_webhook(headers: &HeaderMap, body: &[u8], secret: &str) {
    let keys = WebhookKeys::new([secret.as_bytes()]);
    let store = "shop".parse().expect("an id");
    if let Ok(Incoming::Delivery(raw)) = read(headers, body.to_vec().into()) {
        let right = raw.signature == sign::woo(body, secret);
        if verify(&store, &keys, &raw).is_ok() {
            assert!(right, "accepted with a wrong signature");
        }
    }
    let _ = hook::data(headers, body);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: u32::try_from(cartwright_tests::environment::number("CARTWRIGHT_CASES", 300)).unwrap_or(300), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_signed_webhooks_are_verified(
        body in prop_oneof!["\\PC{0,80}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..80),
                            Just(br#"{"id":1,"status":"processing"}"#.to_vec())],
        topic in prop_oneof![Just("order.created".to_owned()), "[ -~]{0,20}"],
        signed in any::<bool>(),
        flip in any::<prop::sample::Index>(),
        kind in prop_oneof![Just("application/json"), Just("application/x-www-form-urlencoded"), Just("text/plain")],
    ) {
        let mut signature = sign::woo(&body, "secret");
        if !signed {
            let at = flip.index(signature.len());
            let other = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
            signature.replace_range(at..=at, other);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", kind),
            ("x-wc-webhook-signature", signature.as_str()),
            ("x-wc-webhook-topic", topic.as_str()),
            ("x-wc-webhook-id", "4"),
            ("x-wc-webhook-delivery-id", "665d552cf45c778a7609609743c3e7a8"),
        ] {
            headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        }
        check_webhook(&headers, &body, "secret");
    }
}
