//! What a client meets when it reads and writes the catalogue.

use serde_json::{Value, json};

use super::super::testing::Bench;

fn check(bench: &Bench, method: &str, route: &str, body: &str, status: u16, code: &str) -> Value {
    let (got, answer) = bench.ask(method, route, body);
    assert_eq!((got, answer["code"].as_str().unwrap_or_default()), (status, code), "{method} {route} {body}: {answer}");
    answer
}

#[test]
fn unknown_ids_are_404_to_read_and_400_to_write() {
    let bench = Bench::new();
    let unknown = "woocommerce_rest_product_invalid_id";
    check(&bench, "GET", "products/99", "", 404, unknown);
    check(&bench, "PUT", "products/99", "{}", 400, unknown);
    check(&bench, "DELETE", "products/99?force=true", "", 404, unknown);
    let variation = "woocommerce_rest_product_variation_invalid_id";
    check(&bench, "PUT", "products/99/variations/98", "{}", 404, variation);
    for route in ["products/abc", "nosuch"] {
        check(&bench, "GET", route, "", 404, "rest_no_route");
    }
    check(&bench, "PUT", "products", "{}", 404, "rest_no_route");
}

#[test]
fn what_the_original_damages_is_damaged() {
    let bench = Bench::new();
    bench.shop.seed_products(2);
    let price = |body: &str| bench.ask("PUT", "products/12", body).1["regular_price"].clone();
    assert_eq!(price(r#"{"regular_price":"14,75"}"#), "1475");
    assert_eq!(price(r#"{"regular_price":"abc"}"#), "");
    check(&bench, "PUT", "products/12", r#"{"regular_price":14.75}"#, 400, "rest_invalid_param");
    let (_, batch) = bench.ask("POST", "products/batch", r#"{"update":[{"id":12,"regular_price":12.5}]}"#);
    assert_eq!(batch["update"][0]["regular_price"], "12.5");
    let (_, other) = bench.ask("PUT", "products/12", r#"{"id":13,"short_description":"x"}"#);
    assert_eq!(other["id"], 13);
    assert_eq!(bench.ask("PUT", "products/12", r#"{"stock_quantity":null}"#).1["stock_quantity"], 0);
    assert_eq!(
        bench.ask("PUT", "products/12", r#"{"categories":[{"id":4242}]}"#).1["categories"][0]["slug"],
        "uncategorized"
    );
    let (status, typeless) = bench.ask("POST", "products", "");
    assert_eq!((status, &typeless["name"], &typeless["status"]), (201, &json!("Product"), &json!("publish")));
}

#[test]
fn a_sku_belongs_to_one_product() {
    let bench = Bench::new();
    bench.shop.seed_products(1);
    let error = check(&bench, "POST", "products", r#"{"name":"x","sku":"seed-1"}"#, 400, "product_invalid_sku");
    assert_eq!(error["data"], json!({"status": 400, "resource_id": 12, "unique_sku": "seed-1-1"}));
    check(&bench, "DELETE", "products/12", "", 200, "");
    check(&bench, "POST", "products", r#"{"name":"x","sku":"seed-1"}"#, 201, "");
}

#[test]
fn even_an_empty_update_moves_the_date_and_is_told() {
    let bench = Bench::new();
    bench.shop.seed_products(1);
    bench.advance(5);
    let (_, product) = bench.ask("PUT", "products/12", "{}");
    assert_eq!(product["date_modified_gmt"], "2026-11-21T01:15:59");
    assert_eq!(bench.topics(), ["product.updated 12"]);
}

#[test]
fn trash_and_back_and_gone() {
    let bench = Bench::new();
    bench.shop.seed_products(1);
    assert_eq!(check(&bench, "DELETE", "products/12", "", 200, "")["status"], "publish");
    assert_eq!(bench.topics(), ["product.deleted 12", "coupon.deleted 12"]);
    check(&bench, "DELETE", "products/12", "", 410, "woocommerce_rest_already_trashed");
    let trashed = check(&bench, "GET", "products/12", "", 200, "");
    assert_eq!((&trashed["status"], &trashed["slug"]), (&json!("trash"), &json!("seed-1__trashed")));
    assert_eq!(bench.ask("GET", "products", "").1, json!([]));
    assert_eq!(check(&bench, "PUT", "products/12", r#"{"status":"publish"}"#, 200, "")["slug"], "seed-1");
    assert_eq!(bench.topics(), ["product.published 12", "product.updated 12"]);
    check(&bench, "DELETE", "products/12?force=true", "", 200, "");
    assert_eq!(bench.topics(), Vec::<String>::new());
    check(&bench, "GET", "products/12", "", 404, "woocommerce_rest_product_invalid_id");
}

#[test]
fn a_variation_moves_its_parent_and_shows_under_both_addresses() {
    let bench = Bench::new();
    let parent =
        r#"{"name":"Shirt","type":"variable","attributes":[{"name":"Colour","variation":true,"options":["Red"]}]}"#;
    check(&bench, "POST", "products", parent, 201, "");
    let child = r#"{"regular_price":"9.90","sku":"S-RED","attributes":[{"name":"Colour","option":"Red"}]}"#;
    check(&bench, "POST", "products/12/variations", child, 201, "");
    bench.advance(5);
    bench.topics();
    check(&bench, "PUT", "products/12/variations/13", r#"{"regular_price":"8.00"}"#, 200, "");
    assert_eq!(bench.topics(), ["product.updated 13"]);
    let parent = check(&bench, "GET", "products/12", "", 200, "");
    assert_eq!((&parent["price"], &parent["variations"]), (&json!("8.00"), &json!([13])));
    assert_eq!(parent["date_modified_gmt"], "2026-11-21T01:15:59");
    assert_eq!(check(&bench, "GET", "products/13", "", 200, "")["type"], "variation");
    assert_eq!(bench.ask("GET", "products?sku=s-red", "").1[0]["id"], 13);
}

#[test]
fn batches_answer_item_by_item() {
    let bench = Bench::new();
    bench.shop.seed_products(2);
    let body = r#"{"create":[{"name":"x","sku":"SEED-1"}],"update":[null,{"id":99}],"delete":[0,{"id":13},99]}"#;
    let (status, answer) = bench.ask("POST", "products/batch", body);
    assert_eq!(status, 200);
    assert_eq!(
        (&answer["create"][0]["id"], &answer["create"][0]["error"]["code"]),
        (&json!(0), &json!("product_invalid_sku"))
    );
    assert_eq!((&answer["update"][0]["id"], &answer["update"][1]["id"]), (&Value::Null, &json!(99)));
    assert_eq!(
        (&answer["delete"][0]["id"], &answer["delete"][1]["error"]["data"]["status"]),
        (&json!(13), &json!(404))
    );
    assert_eq!(bench.ask("POST", "products/batch", r#"{"update":"x"}"#).1, json!([]));
    let many = format!(r#"{{"delete":[{}]}}"#, vec!["1"; 101].join(","));
    check(&bench, "POST", "products/batch", &many, 413, "woocommerce_rest_request_entity_too_large");
    let (_, below) = bench.ask("POST", "products/12/variations/batch", r#"{"delete":[99]}"#);
    assert_eq!(below["delete"][0]["id"], json!({"id": 99, "product_id": 12, "force": true}));
}

#[test]
fn lists_say_how_many_there_are_and_where_the_next_are() {
    let bench = Bench::new();
    bench.shop.seed_products(12);
    let header = |route: &str, name: &str| {
        let answer = bench.answer("GET", route, "");
        answer.headers.into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
    };
    assert_eq!(header("products?per_page=5", "X-WP-TotalPages"), "3");
    let link = header("products?per_page=5&page=2", "Link");
    assert!(
        link.contains("page=1&consumer_key=") && link.contains("consumer_secret=") && link.contains("rel=\"next\""),
        "{link}"
    );
    assert!(header("products?page=99", "Link").contains("page=2"));
    assert_eq!(bench.ask("GET", "products?page=99", "").1, json!([]));
    assert_eq!(header("products/12", "Link"), "<https://shop.test/wp-json/>; rel=\"https://api.w.org/\"");
    assert!(bench.answer("HEAD", "products", "").body.is_empty());
    check(&bench, "GET", "products?per_page=101", "", 400, "rest_invalid_param");
    let since = |second: &str| bench.ask("GET", &format!("products?modified_after=2026-11-21T01:15:{second}"), "").1;
    assert_eq!((since("54"), since("53").as_array().map(Vec::len)), (json!([]), Some(10)));
}

#[test]
fn images_come_from_public_addresses_only() {
    let bench = Bench::new();
    bench.shop.seed_products(1);
    let refused = r#"{"images":[{"src":"http://127.0.0.1:9/x.png"}]}"#;
    check(&bench, "PUT", "products/12", refused, 400, "woocommerce_product_image_upload_error");
    let (_, product) = bench.ask("PUT", "products/12", r#"{"images":[{"src":"https://example.com/x.png"}]}"#);
    assert!(product["images"][0]["src"].as_str().is_some_and(|src| src.ends_with("/x.png")));
}
