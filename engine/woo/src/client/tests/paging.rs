//! All pages of a list.

use cartwright_core::{Json, call::ErrorClass};
use serde_json::json;

use super::{Shop, answer, param, request, store, with};
use crate::transport::{HttpAnswer, HttpRequest};

fn page(request: &HttpRequest) -> u64 {
    param(request, "page").expect("a page").parse().expect("a number")
}

fn ids(range: std::ops::Range<u64>) -> HttpAnswer {
    answer(200, &Json::from_iter(range.map(|id| json!({ "id": id }))).to_string())
}

async fn all(shop: &std::sync::Arc<Shop>, spec: Json) -> Result<Json, cartwright_core::call::CallError> {
    let mut spec = spec;
    spec["all"] = json!(true);
    shop.client().call(&store("https://a.example"), &request(spec), "k", None).await
}

#[tokio::test(start_paused = true)]
async fn pages_are_walked_by_our_own_addresses_in_a_stable_order() {
    let shop = Shop::new(|request| {
        let first = (page(request) - 1) * 100;
        let link = "<https://evil.example/?page=2>; rel=\"next\"";
        Ok(with(with(ids(first..(first + 100).min(250)), "x-wp-totalpages", "3"), "link", link))
    });
    let list = all(&shop, json!({ "path": "orders", "query": { "page": 9, "status": "any" } })).await.expect("a list");
    assert_eq!(list.as_array().expect("a list").len(), 250);
    let sent = shop.sent.lock().clone();
    assert_eq!(sent.iter().map(page).collect::<Vec<_>>(), [1, 2, 3]);
    for request in &sent {
        let asked = ["orderby", "order", "per_page", "status"].map(|name| param(request, name).unwrap_or_default());
        assert_eq!(asked, ["id", "asc", "100", "any"]);
        assert_eq!(request.url.host_str(), Some("a.example"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_order_and_page_size_stay() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let query = json!({ "orderby": "date", "per_page": 7 });
    assert_eq!(all(&shop, json!({ "path": "orders", "query": query })).await, Ok(json!([])));
    all(&shop, json!({ "path": "taxes" })).await.expect("a list");
    let sent = shop.sent.lock().clone();
    let asked = |at: usize| ["orderby", "order", "per_page"].map(|name| param(&sent[at], name));
    assert_eq!(asked(0), [Some("date".to_owned()), None, Some("7".to_owned())]);
    assert_eq!(asked(1), [None, None, Some("100".to_owned())], "not every list takes an order");
    for per_page in [json!(0), json!(101), json!("x"), json!(-1)] {
        let error = all(&shop, json!({ "path": "orders", "query": { "per_page": per_page } })).await;
        assert_eq!(error.expect_err("refused").class, ErrorClass::Final);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_page_count_a_short_page_is_the_last() {
    let shop = Shop::new(|request| Ok(if page(request) == 1 { ids(0..100) } else { ids(100..110) }));
    let list = all(&shop, json!({ "path": "orders" })).await.expect("a list");
    assert_eq!((list.as_array().expect("a list").len(), shop.count()), (110, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_shifted_page_repeats_is_taken_once() {
    let shop = Shop::new(|request| {
        let range = if page(request) == 1 { 0..100 } else { 99..150 };
        Ok(with(ids(range), "x-wp-totalpages", "2"))
    });
    let list = all(&shop, json!({ "path": "orders" })).await.expect("a list");
    assert_eq!(list.as_array().expect("a list").len(), 150);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_no_list_and_stays_itself() {
    let shop = Shop::new(|_| Ok(answer(200, r#"{"id":7}"#)));
    assert_eq!(all(&shop, json!({ "path": "orders/7" })).await, Ok(json!({ "id": 7 })));
}

#[tokio::test(start_paused = true)]
async fn lists_end_somewhere() {
    // A list that never ends, of objects without ids; and one of very long objects.
    let long = "x".repeat(1_000_000);
    let endless = Shop::new(|_| Ok(answer(200, &Json::from(vec![json!({}); 100]).to_string())));
    let heavy = Shop::new(move |_| Ok(answer(200, &json!(vec![&long; 10]).to_string())));
    for (shop, per_page, words) in [(endless, 1, "1000 pages"), (heavy, 10, "64 MiB")] {
        let query = json!({ "per_page": per_page });
        let error = all(&shop, json!({ "path": "orders", "query": query })).await.expect_err("too long");
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::Final, "too_large"));
        assert!(error.message.contains(words) && error.message.contains("filter"), "{}", error.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_fails_the_list() {
    let shop = Shop::new(|request| Ok(if page(request) == 1 { ids(0..100) } else { answer(502, "") }));
    let error = all(&shop, json!({ "path": "orders" })).await.expect_err("the second page");
    assert_eq!(error.class, ErrorClass::Retryable);
}
