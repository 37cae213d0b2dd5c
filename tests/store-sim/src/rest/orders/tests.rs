//! Orders over REST: what is answered, what moves, what is told. Values are worked out by hand.

use serde_json::{Value, json};

use crate::testing::{LOOSE, TRACKED, Trial};

fn id(object: &Value) -> u64 {
    object["id"].as_u64().expect("an id")
}

#[test]
fn a_new_order_is_priced_taxed_told_and_takes_stock_when_paid() {
    let trial = Trial::new();
    let lines = json!([{"product_id": TRACKED, "quantity": 3}, {"sku": "nail"}]);
    let order = trial.made("/orders", json!({"payment_method": "card", "set_paid": true, "line_items": lines}));
    assert_eq!(
        (&order["status"], &order["total"], &order["total_tax"]),
        (&json!("processing"), &json!("31.80"), &json!("5.30"))
    );
    assert_eq!(order["line_items"][0]["meta_data"][0]["key"], "_reduced_stock");
    assert_eq!(trial.stock(TRACKED), 7);
    let told = trial.told();
    assert_eq!(told, ["order.created 200", "order.updated 200", "product.updated 100"]);
    let notes = trial.get("/orders/200/notes");
    assert_eq!(notes[0]["note"], "Stock levels reduced: Lamp (10&rarr;7)");
}

#[test]
fn a_status_is_checked_alone_and_becomes_pending_in_a_batch() {
    let trial = Trial::new();
    let order = trial.made("/orders", json!({"status": "on-hold", "line_items": [{"product_id": TRACKED}]}));
    let route = format!("/orders/{}", id(&order));
    for status in ["shipped", "wc-completed"] {
        let (code, name, _) = trial.refused("PUT", &route, json!({"status": status}));
        assert_eq!((code, name.as_str()), (400, "rest_invalid_param"), "{status}");
    }
    assert_eq!(trial.stock(TRACKED), 9);
    let (status, body) =
        trial.ask("POST", "/orders/batch", json!({"update": [{"id": id(&order), "status": "shipped"}]}));
    assert_eq!((status, &body["update"][0]["status"]), (200, &json!("pending")));
    assert_eq!(trial.stock(TRACKED), 10, "pending gives the stock back");
}

#[test]
fn every_put_moves_the_date_and_tells_even_an_empty_one() {
    let trial = Trial::new();
    let order = trial.made("/orders", json!({}));
    trial.told();
    trial.wait(90);
    let (_, after) = trial.ask("PUT", "/orders/200", json!({}));
    assert_ne!(after["date_modified_gmt"], order["date_modified_gmt"]);
    assert_eq!(trial.told(), ["order.updated 200"]);
    let bound = after["date_modified_gmt"].as_str().expect("a date").to_owned();
    assert_eq!(trial.get(&format!("/orders?modified_after={bound}")), json!([]), "the bound itself is left out");
    assert_eq!(
        trial.get(&format!("/orders?modified_before=2030-01-01T00:00:00&after={}", "1970-01-01T00:00:00"))[0]["id"],
        200
    );
}

#[test]
fn a_changed_status_tells_its_hooks_once_and_sets_dates() {
    let trial = Trial::new();
    trial.made("/orders", json!({"line_items": [{"product_id": LOOSE, "quantity": 2}]}));
    trial.actions();
    let (_, order) = trial.ask("PUT", "/orders/200", json!({"status": "completed"}));
    assert!(order["date_completed"].is_string() && order["date_paid"].is_string());
    let actions = trial.actions();
    assert_eq!(actions, ["woocommerce_order_status_completed 200", "woocommerce_order_status_changed 200"]);
    trial.ask("PUT", "/orders/200", json!({"status": "completed"}));
    assert_eq!(trial.actions(), Vec::<String>::new());
}

#[test]
fn lines_are_changed_and_removed_and_stock_follows() {
    let trial = Trial::new();
    let order =
        trial.made("/orders", json!({"status": "processing", "line_items": [{"product_id": TRACKED, "quantity": 4}]}));
    let line = id(&order["line_items"][0]);
    let change = json!({"line_items": [{"id": line, "quantity": 1, "total": "5.00"}]});
    let (_, changed) = trial.ask("PUT", "/orders/200", change);
    assert_eq!((&changed["total"], &changed["discount_total"]), (&json!("6.00"), &json!("27.00")));
    assert_eq!(trial.stock(TRACKED), 9);
    let (_, emptied) = trial.ask("PUT", "/orders/200", json!({"line_items": [{"id": line, "product_id": null}]}));
    assert_eq!(
        (&emptied["line_items"], &emptied["total"], &emptied["tax_lines"]),
        (&json!([]), &json!("0.00"), &json!([]))
    );
    assert_eq!(trial.stock(TRACKED), 10);
    let (status, code, _) = trial.refused("PUT", "/orders/200", json!({"line_items": [{"id": 9_999, "quantity": 1}]}));
    assert_eq!((status, code.as_str()), (400, "woocommerce_rest_invalid_item_id"));
}

#[test]
fn the_trash_is_told_and_a_second_time_is_gone_and_force_is_silent() {
    let trial = Trial::new();
    trial.made("/orders", json!({}));
    trial.told();
    let (status, before) = trial.ask("DELETE", "/orders/200", Value::Null);
    assert_eq!((status, &before["status"]), (200, &json!("pending")));
    assert_eq!(trial.told(), ["order.deleted 200"]);
    assert_eq!(trial.refused("DELETE", "/orders/200", Value::Null).0, 410);
    assert_eq!(trial.get("/orders"), json!([]));
    assert_eq!(trial.get("/orders?status=trash")[0]["id"], 200);
    assert!(trial.shop.untrash_order(200));
    assert_eq!(trial.told(), ["order.restored 200"]);
    assert_eq!(trial.ask("DELETE", "/orders/200?force=true", Value::Null).0, 200);
    assert_eq!(trial.told(), Vec::<String>::new());
    assert_eq!(trial.ask("GET", "/orders/200", Value::Null).0, 404);
    assert_eq!(trial.ask("PUT", "/orders/200", json!({})).0, 400);
}

#[test]
fn amounts_come_with_the_places_asked_for() {
    let trial = Trial::new();
    trial.made("/orders", json!({"fee_lines": [{"name": "Gift", "total": "0.333"}]}));
    let order = trial.get("/orders/200?dp=4");
    assert_eq!(
        (&order["fee_lines"][0]["total"], &order["fee_lines"][0]["taxes"][0]["total"]),
        (&json!("0.3330"), &json!("0.0666"))
    );
    assert_eq!(trial.get("/orders/200")["fee_lines"][0]["total"], "0.33");
}

#[test]
fn a_refused_coupon_leaves_a_draft_behind() {
    let trial = Trial::new();
    let (status, code, body) = trial.refused("POST", "/orders", json!({"coupon_lines": [{"code": "Nothing"}]}));
    assert_eq!((status, code.as_str()), (400, "woocommerce_rest_invalid_coupon"));
    assert_eq!(body["data"]["new_draft_order_id"], 200);
    assert_eq!(trial.get("/orders?status=checkout-draft")[0]["id"], 200);
}

#[test]
fn lists_are_filtered_by_status_customer_product_and_text() {
    let trial = Trial::new();
    let customer = id(&trial.made("/customers", json!({"email": "eve@shop.test"})));
    trial.made("/orders", json!({"customer_id": customer, "line_items": [{"product_id": LOOSE}]}));
    trial.made("/orders", json!({"status": "on-hold", "billing": {"city": "Graz"}}));
    let found = |query: &str| {
        trial.get(&format!("/orders?{query}")).as_array().map(|rows| rows.iter().map(id).collect::<Vec<_>>())
    };
    assert_eq!(found("status=on-hold,failed"), Some(vec![201]));
    assert_eq!(found("status[]=on-hold&status[]=pending&orderby=id&order=asc"), Some(vec![200, 201]));
    assert_eq!(found(&format!("customer={customer}")), Some(vec![200]));
    assert_eq!(found(&format!("product={LOOSE}")), Some(vec![200]));
    assert_eq!(found("search=graz"), Some(vec![201]));
    assert_eq!(found("search=eve@shop"), Some(vec![200]), "the customer's address became the order's");
    assert_eq!(trial.ask("GET", "/orders?status=bogus", Value::Null).0, 400);
}

#[test]
fn page_links_spell_out_what_was_not_asked_for() {
    let link = super::with_defaults("<https://s.test/o?page=2&dp=3>; rel=\"next\"", "page=1&dp=3");
    assert_eq!(link, "<https://s.test/o?page=2&dp=3&status%5B0%5D=any&context=view>; rel=\"next\"");
}
