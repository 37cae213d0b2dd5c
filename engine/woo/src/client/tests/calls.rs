//! What goes over the wire, redirects, and what [`Client::call`] makes of failures.
//!
//! [`Client::call`]: super::super::Client::call

use std::time::Duration;

use cartwright_core::{
    Json,
    call::{Again, ErrorClass},
    time::Timestamp,
};
use serde_json::json;

use super::{NOW, Shop, answer, error, get, header, request, store, with};
use crate::transport::{TransportError, TransportFailure};

const AGAIN: Option<Again> =
    Some(Again { since: Timestamp::from_millis(NOW - 2000), until: Timestamp::from_millis(NOW - 1000) });

#[tokio::test(start_paused = true)]
async fn requests_carry_what_woocommerce_needs() {
    let shop = Shop::new(|_| Ok(answer(201, "{}")));
    let client = shop.client();
    let store = store("https://shop.example/de/");
    let post = request(json!({
        "method": "POST", "path": "products/batch", "body": { "update": [] },
        "query": { "a": true, "b": [1, 2], "c": "x y/ä", "d": null, "e": 14.5 },
    }));
    client.exchange(&store, &post).await.expect("an answer");
    client.exchange(&store, &get("orders")).await.expect("an answer");
    client.exchange(&store, &request(json!({ "method": "DELETE", "path": "orders/1" }))).await.expect("an answer");
    let sent = shop.sent.lock().clone();
    let url = "https://shop.example/de/wp-json/wc/v3/products/batch?a=true&b=1%2C2&c=x%20y%2F%C3%A4&e=14.5";
    assert_eq!(sent[0].url.as_str(), url);
    assert_eq!(sent[0].body.as_deref(), Some(&br#"{"update":[]}"#[..]));
    assert_eq!(header(&sent[0], "content-type"), Some("application/json"));
    assert_eq!(header(&sent[1], "content-type"), None);
    for request in &sent {
        assert_eq!(header(request, "accept"), Some("application/json"));
        assert!(header(request, "user-agent").expect("one").starts_with("Cartwright/"));
        assert_eq!(request.max_answer_bytes, 16 * 1024 * 1024);
    }
    let timeouts: Vec<Duration> = sent.iter().map(|request| request.timeout).collect();
    assert_eq!(timeouts, [120, 30, 60].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn a_query_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let many: Vec<u32> = (0..2000).collect();
    for value in [json!({ "x": 1 }), json!([[1]]), json!([{}]), json!(many)] {
        let list = request(json!({ "path": "orders", "query": { "include": value } }));
        let failure = shop.client().exchange(&store("https://a.example"), &list).await.expect_err("refused");
        assert_eq!((failure.error.class, failure.error.code.as_str()), (ErrorClass::Final, "invalid"));
    }
    assert_eq!(shop.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_follows_redirects_within_the_store() {
    let shop = Shop::new(|request| {
        let there = with(answer(301, ""), "location", "/wp-json/wc/v3/orders/?x=1&consumer_key=leak#y");
        Ok(if request.url.path().ends_with('/') { answer(200, "[7]") } else { there })
    });
    let list = request(json!({ "path": "orders", "query": { "page": 2 } }));
    let answer = shop.client().exchange(&store("https://a.example"), &list).await.expect("followed");
    assert_eq!(answer.body, json!([7]));
    let sent = shop.sent.lock().clone();
    assert_eq!(sent[1].url.as_str(), "https://a.example/wp-json/wc/v3/orders/?page=2");
    assert!(header(&sent[1], "authorization").is_some());
}

#[tokio::test(start_paused = true)]
async fn redirects_do_not_go_on_for_ever() {
    let shop = Shop::new(|_| Ok(with(answer(302, ""), "location", "/wp-json/wc/v3/orders")));
    let failure = shop.client().exchange(&store("https://a.example"), &get("orders")).await.expect_err("a circle");
    assert_eq!((failure.error.class, failure.error.code.as_str()), (ErrorClass::Park, "redirect"));
    assert_eq!(shop.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn other_redirects_say_where_the_store_is() {
    for (method, location, words) in [
        (
            "GET",
            "https://www.a.example/wp-json/wc/v3/orders/1",
            "address is https://www.a.example, not http://a.example",
        ),
        ("GET", "https://a.example/wp-json/wc/v3/orders/1", "address is https://a.example, not http"),
        ("PUT", "https://a.example/shop/wp-json/wc/v3/orders/1?k=1", "address is https://a.example/shop,"),
        ("PUT", "/wp-json/wc/v3/orders/1/", "Remove the redirect"),
        ("DELETE", "/my-account/?redirect=x", "sends calls away to a.example/my-account/"),
        ("GET", "https://login.host.example/x", "sends calls away to login.host.example/x"),
    ] {
        let shop = Shop::new(move |_| Ok(with(answer(307, ""), "location", location)));
        let body = if method == "PUT" { json!({}) } else { Json::Null };
        let call = request(json!({ "method": method, "path": "orders/1", "body": body }));
        let failure = shop.client().exchange(&store("http://a.example"), &call).await.expect_err(location);
        assert_eq!((failure.error.class, failure.may_have_happened), (ErrorClass::Park, false), "{location}");
        assert!(failure.error.message.contains(words), "{}", failure.error.message);
        assert_eq!(shop.count(), 1, "{location}: credentials stay here");
    }
}

#[tokio::test(start_paused = true)]
async fn ends_without_an_answer_are_told_apart() {
    use ErrorClass::{Deferred, Final, Park, Retryable, Unknown};
    for (failure, arrived, read, write, code) in [
        (TransportFailure::Dns, false, Deferred, Deferred, "dns"),
        (TransportFailure::Connect, false, Deferred, Deferred, "connection"),
        (TransportFailure::Denied, false, Park, Park, "denied"),
        (TransportFailure::Tls, false, Park, Park, "tls"),
        (TransportFailure::Timeout, false, Deferred, Deferred, "timeout"),
        (TransportFailure::Timeout, true, Retryable, Unknown, "timeout"),
        (TransportFailure::Lost, false, Deferred, Deferred, "connection"),
        (TransportFailure::Lost, true, Retryable, Unknown, "connection"),
        (TransportFailure::NotHttp, true, Retryable, Unknown, "connection"),
        (TransportFailure::TooLarge, true, Final, Unknown, "too_large"),
    ] {
        let shop = Shop::new(move |_| {
            Err(TransportError { failure, may_have_arrived: arrived, message: "because".to_owned() })
        });
        let post = request(json!({ "method": "POST", "path": "orders/1/actions/send_email", "body": {} }));
        for (call, class) in [(get("orders"), read), (post, write)] {
            let found = shop.client().exchange(&store("https://a.example"), &call).await.expect_err("no answer");
            assert_eq!((found.error.class, found.error.code.as_str()), (class, code), "{failure:?} {arrived}");
            assert_eq!(found.may_have_happened, class == Unknown, "{failure:?}");
            assert!(found.error.message.contains("because"), "{}", found.error.message);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated_and_what_may_not_is_unknown() {
    let broken = || Shop::new(|_| Ok(answer(502, "<html>Bad Gateway")));
    for (call, class) in [
        (json!({ "path": "orders/1" }), ErrorClass::Retryable),
        (json!({ "method": "PUT", "path": "orders/1", "body": { "status": "completed" } }), ErrorClass::Retryable),
        (json!({ "method": "DELETE", "path": "orders/1" }), ErrorClass::Unknown),
        (json!({ "method": "POST", "path": "orders/1/actions/send_email", "body": {} }), ErrorClass::Unknown),
    ] {
        let error = broken().client().call(&store("https://a.example"), &request(call.clone()), "k", None).await;
        assert_eq!(error.expect_err("a gateway").class, class, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_asked_for_again_finds_it_gone() {
    let store = store("https://a.example");
    let delete = request(json!({ "method": "DELETE", "path": "products/7" }));
    for gone in [
        error(404, "woocommerce_rest_product_invalid_id", "Invalid ID."),
        error(410, "woocommerce_rest_already_trashed", "gone"),
    ] {
        let shop = Shop::new(move |_| Ok(gone.clone()));
        assert_eq!(shop.client().call(&store, &delete, "k", AGAIN).await, Ok(Json::Null));
        let first = shop.client().call(&store, &delete, "k", None).await.expect_err("it was not there");
        assert_eq!(first.class, ErrorClass::Final);
    }
    for other in [
        error(404, "rest_no_route", "No route."),
        answer(404, "<html>nginx"),
        error(403, "woocommerce_rest_cannot_delete", "no"),
    ] {
        let shop = Shop::new(move |_| Ok(other.clone()));
        shop.client().call(&store, &delete, "k", AGAIN).await.expect_err("that does not say that it is gone");
    }
}
