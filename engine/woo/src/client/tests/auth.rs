//! How requests say who asks.

use cartwright_core::call::ErrorClass;
use serde_json::json;

use super::{KEY, SECRET, Shop, answer, error, get, header, param, request, store, with};
use crate::transport::{HttpAnswer, HttpRequest, TransportError, TransportFailure};

const HTTPS: &str = "https://shop.example";
const HTTP: &str = "http://shop.example/de";

fn stranger() -> HttpAnswer {
    error(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
}

#[tokio::test(start_paused = true)]
async fn https_is_asked_with_basic() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    shop.client().exchange(&store(HTTPS), &get("orders")).await.expect("an answer");
    let sent = shop.sent.lock().clone();
    // base64 of KEY:SECRET, made with Python.
    let basic = "Basic Y2tfMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzpjc183NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEw";
    assert_eq!(header(&sent[0], "authorization"), Some(basic));
    assert_eq!(sent[0].url.as_str(), "https://shop.example/wp-json/wc/v3/orders");
}

#[tokio::test(start_paused = true)]
async fn a_stripped_header_is_found_out_once_and_remembered() {
    let by_query = |request: &HttpRequest| {
        let fits = param(request, "consumer_key").as_deref() == Some(KEY)
            && param(request, "consumer_secret").as_deref() == Some(SECRET);
        Ok(if fits { answer(200, "[]") } else { stranger() })
    };
    let shop = Shop::new(by_query);
    let client = shop.client();
    client.exchange(&store(HTTPS), &get("orders")).await.expect("the second way");
    assert_eq!(shop.count(), 2);
    client.exchange(&store(HTTPS), &get("orders")).await.expect("remembered");
    assert_eq!(shop.count(), 3, "only the way that works");
    assert_eq!(header(&shop.sent.lock()[2], "authorization"), None, "one way at a time");
    client.forget(&"shop".parse().expect("an id"));
    client.exchange(&store(HTTPS), &get("orders")).await.expect("found out again");
    assert_eq!(shop.count(), 5, "nothing is remembered of a store that was forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_knows_is_not_tried_twice_at_every_call() {
    let shop = Shop::new(|_| Ok(stranger()));
    let client = shop.client();
    let failure = client.exchange(&store(HTTPS), &get("orders")).await.expect_err("nobody");
    assert_eq!((failure.error.class, failure.error.code.as_str()), (ErrorClass::Park, "key_unnoticed"));
    assert_eq!(shop.count(), 2);
    client.exchange(&store(HTTPS), &get("orders")).await.expect_err("nobody");
    assert_eq!(shop.count(), 3);
    shop.pass(11 * 60_000);
    client.exchange(&store(HTTPS), &get("orders")).await.expect_err("nobody");
    assert_eq!(shop.count(), 5, "after a while both ways are tried again");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_the_key_is_not_tried_another_way() {
    for (status, code) in [
        (401, "woocommerce_rest_authentication_error"),
        (403, "woocommerce_rest_cannot_view"),
        (404, "woocommerce_rest_product_invalid_id"),
    ] {
        let shop = Shop::new(move |_| Ok(error(status, code, "no")));
        shop.client().exchange(&store(HTTPS), &get("products/1")).await.expect_err("refused");
        assert_eq!(shop.count(), 1, "{status} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_wordpress_refuses_before_it_looks_at_the_key_proves_nothing() {
    let shop = Shop::new(|request| {
        let strips = header(request, "authorization").is_some();
        Ok(match param(request, "per_page") {
            Some(_) => error(400, "rest_invalid_param", "Invalid parameter(s): per_page"),
            None if strips => stranger(),
            None => answer(200, "[]"),
        })
    });
    let client = shop.client();
    client
        .exchange(&store(HTTPS), &request(json!({ "path": "orders", "query": { "per_page": 0 } })))
        .await
        .expect_err("400");
    client.exchange(&store(HTTPS), &get("orders")).await.expect("the second way is still tried");
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_signed_and_never_sees_the_secret() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let client = shop.client();
    let list = request(json!({ "path": "orders", "query": { "status": ["a b", "c"], "page": 2, "search": "ä&=~" } }));
    client.exchange(&store(HTTP), &list).await.expect("an answer");
    client.exchange(&store(HTTP), &list).await.expect("an answer");
    let sent = shop.sent.lock().clone();
    assert_eq!(header(&sent[0], "authorization"), None);
    assert!(!sent[0].url.as_str().contains(SECRET));
    assert_eq!(param(&sent[0], "oauth_timestamp").as_deref(), Some("1795225207"));
    assert_ne!(param(&sent[0], "oauth_nonce"), param(&sent[1], "oauth_nonce"));
    assert_eq!(param(&sent[0], "status[0]").as_deref(), Some("a b"));
    // Made with Python's hmac over the base string that WooCommerce's source describes.
    assert_eq!(param(&sent[0], "oauth_signature").as_deref(), Some("wJw+Nr+/Jl6MgcqY/qW/+o2JFqWMQQCt0uKp0R+Vrbo="));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_corrected_once_and_remembered() {
    // Three hours ahead of us; the words are another language's.
    let shop = Shop::new(|request| {
        let seconds: i64 = param(request, "oauth_timestamp").expect("signed").parse().expect("seconds");
        let good = (seconds - 1_795_236_007).abs() < 900;
        let refused = error(401, "woocommerce_rest_authentication_error", "Zeitstempel falsch.");
        Ok(if good { answer(200, "[]") } else { with(refused, "date", "Sat, 21 Nov 2026 04:40:07 GMT") })
    });
    let client = shop.client();
    client.exchange(&store(HTTP), &get("orders")).await.expect("corrected");
    assert_eq!(shop.count(), 2);
    client.exchange(&store(HTTP), &get("orders")).await.expect("remembered");
    assert_eq!(shop.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_clock_that_is_right_is_not_tried_for_ever() {
    let refused = || error(401, "woocommerce_rest_authentication_error", "Invalid timestamp.");
    let shop = Shop::new(move |_| Ok(with(refused(), "date", "Sat, 21 Nov 2026 05:40:07 GMT")));
    let client = shop.client();
    let failure = client.exchange(&store(HTTP), &get("orders")).await.expect_err("refused");
    assert_eq!((failure.error.code.as_str(), failure.error.class), ("clock", ErrorClass::Park));
    assert_eq!(shop.count(), 2, "corrected once");
    client.exchange(&store(HTTP), &get("orders")).await.expect_err("refused");
    assert_eq!(shop.count(), 3, "the correction did not help, so it is not repeated");
}

#[tokio::test(start_paused = true)]
async fn credentials_are_in_no_error_and_no_debug_text() {
    const BASIC: &str = "Y2tfMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzpjc183NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEw";
    let said = format!("{KEY} {SECRET} {BASIC}");
    let lost =
        |message: String| Err(TransportError { failure: TransportFailure::Lost, may_have_arrived: true, message });
    let answers: [Box<dyn Fn() -> Result<HttpAnswer, TransportError> + Send + Sync>; 5] = [
        Box::new({
            let said = said.clone();
            move || lost(said.clone())
        }),
        Box::new({
            let said = said.clone();
            move || Ok(error(400, "x", &said))
        }),
        Box::new({
            let said = said.clone();
            move || Ok(answer(418, &format!("<p>{said}")))
        }),
        Box::new({
            let said = said.clone();
            move || Ok(answer(200, &format!("<b>Notice</b>: {said}\n[]")))
        }),
        Box::new(move || {
            Ok(with(answer(302, ""), "location", &format!("https://b.example/?consumer_secret={SECRET}")))
        }),
    ];
    for (at, made) in answers.into_iter().enumerate() {
        let shop = Shop::new(move |_| made());
        let store = store(HTTPS);
        let outcome = shop.client().exchange(&store, &get("orders")).await;
        let shown = format!("{outcome:?} {store:?} {:?} {:?}", shop.sent.lock(), shop.client());
        assert!(![KEY, SECRET, BASIC].iter().any(|secret| shown.contains(secret)), "{at}: {shown}");
        assert_eq!(outcome.is_ok(), at == 3, "{at}");
    }
}
