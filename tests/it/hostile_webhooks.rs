//! What strangers can post, made up at random: only what is signed is verified, and nothing panics.

use axum::http::{HeaderMap, HeaderValue};
use cartwright_tests::{entrances, sign};
use proptest::prelude::*;

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
        entrances::webhook(&headers, &body, "secret");
    }
    #[test]
    fn any_bytes_are_no_webhook_and_no_panic(
        signature in "[ -~]{0,50}", topic in "[ -~]{0,20}", body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        entrances::webhook_bytes(&[signature.as_bytes(), b"\n", topic.as_bytes(), b"\n", &body].concat());
        entrances::webhook_bytes(&body);
    }
}
