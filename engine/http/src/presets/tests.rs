//! Signatures as the senders make them, each of their mistakes, and texts that are no signature at all.

use axum::http::HeaderValue;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value"))).collect()
}

fn at(preset: AuthPreset, secrets: &[&str], headers: &HeaderMap, body: &str, now: u64) -> Result<Signed, NotSigned> {
    let now = Timestamp::from_millis(i64::try_from(now * 1000).expect("a time"));
    let message = Message { headers, body: body.as_bytes(), now, tolerance: Duration::from_secs(300) };
    verify(preset, secrets.iter().map(|secret| secret.as_bytes()), &message)
}

fn known(id: &str) -> Result<Signed, NotSigned> {
    Ok(Signed { id: Some(id.as_bytes().to_vec()) })
}

const WRONG: Result<Signed, NotSigned> = Err(NotSigned::Wrong);

/// The vector of the Standard Webhooks reference libraries (`libraries/*/test`, standard-webhooks/standard-webhooks).
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const STANDARD_TIME: &str = "1614265330";
const STANDARD_BODY: &str = r#"{"test": 2432232314}"#;
const STANDARD_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn standard(
    secrets: &[&str],
    id: &str,
    time: &str,
    signature: &str,
    body: &str,
    now: u64,
) -> Result<Signed, NotSigned> {
    let all = headers(&[("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)]);
    at(AuthPreset::StandardWebhooks, secrets, &all, body, now)
}

#[test]
fn standard_webhooks_follow_the_published_vector() {
    let now = 1_614_265_330;
    let check = |secrets: &[&str], signature: &str| {
        standard(secrets, STANDARD_ID, STANDARD_TIME, signature, STANDARD_BODY, now)
    };
    assert_eq!(check(&[STANDARD_SECRET], STANDARD_SIGNATURE), known(STANDARD_ID));
    assert_eq!(
        check(&["whsec_b3RoZXI=", STANDARD_SECRET], STANDARD_SIGNATURE),
        known(STANDARD_ID),
        "every secret is tried"
    );
    assert_eq!(
        check(&["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], STANDARD_SIGNATURE),
        known(STANDARD_ID),
        "without its prefix"
    );
    let several = format!("v1,aGFsbG8= v2,x v1a,eA== nonsense {STANDARD_SIGNATURE}");
    assert_eq!(check(&[STANDARD_SECRET], &several), known(STANDARD_ID));
    let svix =
        headers(&[("svix-id", STANDARD_ID), ("svix-timestamp", STANDARD_TIME), ("svix-signature", STANDARD_SIGNATURE)]);
    assert_eq!(at(AuthPreset::StandardWebhooks, &[STANDARD_SECRET], &svix, STANDARD_BODY, now), known(STANDARD_ID));
    for (secrets, signature) in [
        (&[STANDARD_SECRET][..], ""),
        (&[STANDARD_SECRET], "v1,"),
        (&[STANDARD_SECRET], "v1"),
        (&[STANDARD_SECRET], &STANDARD_SIGNATURE[3..]),
        (&[STANDARD_SECRET], &STANDARD_SIGNATURE.replace("v1,", "v1a,")),
        (&[STANDARD_SECRET], &STANDARD_SIGNATURE.replace("v1,", "v2,")),
        (&["whsec_b3RoZXI="], STANDARD_SIGNATURE),
        (&["whsec_", "not base64!", "whpk_b3RoZXI="], STANDARD_SIGNATURE),
        (&[], STANDARD_SIGNATURE),
    ] {
        assert_eq!(check(secrets, signature), WRONG, "{secrets:?} {signature}");
    }
}

#[test]
fn standard_webhooks_bind_id_time_and_body() {
    let now = 1_614_265_330;
    for (id, time, body) in [
        ("msg_other", STANDARD_TIME, STANDARD_BODY),
        (STANDARD_ID, "1614265331", STANDARD_BODY),
        (STANDARD_ID, STANDARD_TIME, "{}"),
        ("", STANDARD_TIME, STANDARD_BODY),
        ("a.b", STANDARD_TIME, STANDARD_BODY),
        (STANDARD_ID, "-1", STANDARD_BODY),
        (STANDARD_ID, "1614265330.0", STANDARD_BODY),
        (STANDARD_ID, "99999999999999999999", STANDARD_BODY),
    ] {
        assert_eq!(standard(&[STANDARD_SECRET], id, time, STANDARD_SIGNATURE, body, now), WRONG, "{id} {time} {body}");
    }
    for (away, fine) in [(0, true), (300, true), (301, false), (86_400, false)] {
        for now in [now + away, now - away] {
            let signed =
                standard(&[STANDARD_SECRET], STANDARD_ID, STANDARD_TIME, STANDARD_SIGNATURE, STANDARD_BODY, now);
            assert_eq!(signed, if fine { known(STANDARD_ID) } else { Err(NotSigned::Stale(away)) });
        }
    }
    // A time that nobody signed is not called stale.
    assert_eq!(standard(&[STANDARD_SECRET], STANDARD_ID, "1", STANDARD_SIGNATURE, STANDARD_BODY, now), WRONG);
    // Headers of two families are no message.
    let mixed = headers(&[
        ("webhook-id", STANDARD_ID),
        ("svix-timestamp", STANDARD_TIME),
        ("webhook-signature", STANDARD_SIGNATURE),
    ]);
    assert_eq!(at(AuthPreset::StandardWebhooks, &[STANDARD_SECRET], &mixed, STANDARD_BODY, now), WRONG);
    let mut twice = headers(&[
        ("webhook-id", STANDARD_ID),
        ("webhook-timestamp", STANDARD_TIME),
        ("webhook-signature", STANDARD_SIGNATURE),
    ]);
    twice.append("webhook-id", HeaderValue::from_static("other"));
    assert_eq!(at(AuthPreset::StandardWebhooks, &[STANDARD_SECRET], &twice, STANDARD_BODY, now), WRONG);
}

/// RFC 8032, section 7.1, test 1: the secret and the public key.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

#[test]
fn standard_webhooks_take_asymmetric_signatures() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&hex::decode(SEED).expect("hex")).expect("a key");
    assert_eq!(hex::encode(pair.public_key()), PUBLIC);
    let secret = format!("whpk_{}", BASE64.encode(pair.public_key()));
    let sign = |text: &str| format!("v1a,{}", BASE64.encode(pair.sign(text.as_bytes())));
    let good = sign("msg_1.1614265330.{}");
    let check = |signature: &str, body: &str| {
        standard(&[STANDARD_SECRET, &secret], "msg_1", STANDARD_TIME, signature, body, 1_614_265_330)
    };
    assert_eq!(check(&good, "{}"), known("msg_1"));
    assert_eq!(check(&format!("{STANDARD_SIGNATURE} {good}"), "{}"), known("msg_1"));
    for (signature, body) in [
        (good.as_str(), "{ }"),
        (&sign("msg_2.1614265330.{}"), "{}"),
        (&good.replace("v1a,", "v1,"), "{}"),
        ("v1a,", "{}"),
        ("v1a,AAAA", "{}"),
    ] {
        assert_eq!(check(signature, body), WRONG, "{signature}");
    }
}

/// From GitHub's documentation, "Validating webhook deliveries", section "Testing the webhook payload validation".
#[test]
fn github_follows_the_published_vector() {
    let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let check = |secrets: &[&str], signature: &str, body: &str| {
        let all = headers(&[
            ("x-hub-signature-256", signature),
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ]);
        at(AuthPreset::Github, secrets, &all, body, 0)
    };
    assert_eq!(check(&["old", secret], signature, body), known("72d3162e-cc78-11e3-81ab-4c9367dc0958"));
    for (secrets, signature, body) in [
        (&[secret][..], signature, "Hello, World"),
        (&["other"], signature, body),
        (&[], signature, body),
        (&[secret], &signature[7..], body),
        (&[secret], "sha256=", body),
        (&[secret], &signature[..70], body),
        (&[secret], &signature.replace("sha256", "sha1"), body),
        (&[secret], &format!("{signature}00"), body),
    ] {
        assert_eq!(check(secrets, signature, body), WRONG, "{signature}");
    }
    let unnamed = headers(&[("x-hub-signature-256", signature)]);
    assert_eq!(at(AuthPreset::Github, &[secret], &unnamed, body, 0), Ok(Signed { id: None }));
}

/// Stripe publishes its scheme, and headers without their secret; so these are made by the scheme's own words ("Verify
/// webhook signatures manually", docs.stripe.com/webhooks).
#[test]
fn stripe_signs_time_and_body() {
    let (secret, body, now) = ("whsec_test_secret", r#"{"id": "evt_test_webhook", "object": "event"}"#, 1_492_774_577);
    let sign = |secret: &str, time: &str, body: &str| {
        hex::encode(mac(secret.as_bytes(), &[time.as_bytes(), b".", body.as_bytes()]))
    };
    let good = sign(secret, "1492774577", body);
    let check = |secrets: &[&str], header: &str, body: &str, now: u64| {
        at(AuthPreset::Stripe, secrets, &headers(&[("stripe-signature", header)]), body, now)
    };
    let header = format!("t=1492774577,v1={good},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39");
    assert_eq!(check(&[secret], &header, body, now), known("evt_test_webhook"));
    let rolled = format!("t=1492774577, v1={}, v1={good}", sign("old", "1492774577", body));
    assert_eq!(check(&["whsec_new", secret], &rolled, body, now), known("evt_test_webhook"));
    assert_eq!(check(&[secret], &header, body, now + 301), Err(NotSigned::Stale(301)));
    assert_eq!(check(&[secret], &header, body, now - 301), Err(NotSigned::Stale(301)));
    for (header, body) in [
        (header.as_str(), "{}"),
        (&header.replace("1492774577", "1492774578"), body),
        (&format!("v1={good}"), body),
        (&format!("t=1492774577,t=1492774577,v1={good}"), body),
        (&format!("t=,v1={good}"), body),
        (&format!("t=soon,v1={good}"), body),
        ("t=1492774577", body),
        ("t=1492774577,v1=", body),
        (&format!("t=1492774577,v0={good}"), body),
        (&format!("t=1492774577,v1={}", &good[2..]), body),
        ("", body),
        ("=,=,=", body),
    ] {
        assert_eq!(check(&[secret], header, body, now), WRONG, "{header}");
    }
    let bodies = [
        ("[1]", None),
        (r#"{"id": 7}"#, None),
        (r#"{"id": ""}"#, None),
        (r#"{"id": "evt_1"}"#, Some(b"evt_1".to_vec())),
    ];
    for (body, id) in bodies {
        let header = format!("t=1492774577,v1={}", sign(secret, "1492774577", body));
        assert_eq!(check(&[secret], &header, body, now), Ok(Signed { id }), "{body}");
    }
}

#[test]
fn woocommerce_deliveries_are_told_apart_by_their_content() {
    let secret = "s3cr3t";
    let check = |secrets: &[&str], body: &str, signed: &str, delivery: &str| {
        let signature = BASE64.encode(mac(secret.as_bytes(), &[signed.as_bytes()]));
        let all = headers(&[
            ("x-wc-webhook-signature", &signature),
            ("x-wc-webhook-id", "5"),
            ("x-wc-webhook-delivery-id", delivery),
            ("x-wc-webhook-topic", "order.updated"),
        ]);
        at(AuthPreset::Woocommerce, secrets, &all, body, 0)
    };
    let first = check(&["old", secret], "{}", "{}", "a").expect("signed").id;
    assert!(first.is_some());
    assert_eq!(check(&[secret], "{}", "{}", "a").expect("signed").id, first);
    assert_ne!(check(&[secret], "[]", "[]", "a").expect("signed").id, first, "three products of one second");
    assert_ne!(check(&[secret], "{}", "{}", "b").expect("signed").id, first);
    assert_eq!(check(&[secret], "{}", "[]", "a"), WRONG);
    assert_eq!(check(&[], "{}", "{}", "a"), WRONG);
    let bare = headers(&[("x-wc-webhook-signature", &BASE64.encode(mac(secret.as_bytes(), &[b"{}"])))]);
    assert_eq!(at(AuthPreset::Woocommerce, &[secret], &bare, "{}", 0), Ok(Signed { id: None }));
    for bad in ["", "x", "AAAA", "ü"] {
        let all = HeaderMap::from_iter([(
            "x-wc-webhook-signature".parse().expect("name"),
            HeaderValue::from_bytes(bad.as_bytes()).expect("value"),
        )]);
        assert_eq!(at(AuthPreset::Woocommerce, &[secret], &all, "{}", 0), WRONG, "{bad}");
    }
}
