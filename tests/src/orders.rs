//! Made-up orders in the shape of WooCommerce's REST API v3, about 4 KB each, as its webhooks carry them.

use serde_json::{Value, json};

use crate::random::Random;

const FIRST: &[&str] = &["Ada", "Grace", "Linus", "Margaret", "Édith", "Zoë", "Jürgen", "Mei"];
const LAST: &[&str] = &["Lovelace", "Hopper", "Hamilton", "O'Neil", "Müller", "Piaf", "Ng", "Sørensen"];
const GOODS: &[&str] = &["Notebook", "Fountain pen", "Desk lamp", "Mug \"Classic\"", "Tote bag", "Poster A2"];

fn address(random: &mut Random) -> Value {
    let pick = |list: &[&str], n: u64| list[usize::try_from(n).unwrap_or(0) % list.len()].to_owned();
    json!({
        "first_name": pick(FIRST, random.draw()), "last_name": pick(LAST, random.draw()), "company": "",
        "address_1": format!("{} Example Street", 1 + random.below(200)), "address_2": "", "city": "Sampletown",
        "state": "", "postcode": format!("{:05}", random.below(100_000)), "country": "DE",
        "email": format!("customer{}@example.com", random.below(10_000)), "phone": "+49 000 000000",
    })
}

fn line(random: &mut Random, id: u64) -> Value {
    let good = GOODS[usize::try_from(random.draw()).unwrap_or(0) % GOODS.len()];
    let total = format!("{}.{:02}", 5 + random.below(200), random.below(100));
    json!({
        "id": id, "name": good, "product_id": 20 + random.below(40), "variation_id": 0, "quantity": 1 + random.below(3),
        "tax_class": "", "subtotal": total, "subtotal_tax": "0.00", "total": total, "total_tax": "0.00",
        "taxes": [{ "id": 1, "total": "1.90", "subtotal": "1.90" }], "meta_data": [], "sku": format!("SKU-{id:03}"),
        "global_unique_id": "", "price": 32.5, "image": { "id": "", "src": "" }, "parent_name": null,
    })
}

/// An order with this number; the same number and random state give the same order.
pub fn order(number: u64, random: &mut Random) -> Value {
    let lines: Vec<Value> = (0..5).map(|n| line(random, number * 10 + n)).collect();
    let meta: Vec<Value> = (0..3)
        .map(|n| json!({ "id": number * 100 + n, "key": format!("_made_up_{n}"), "value": format!("{:016x}", random.draw()) }))
        .collect();
    json!({
        "id": number, "parent_id": 0, "status": "processing", "currency": "EUR", "version": "11.0.1",
        "prices_include_tax": false, "date_created": "2026-11-21T01:25:55", "date_modified": "2026-11-21T01:25:56",
        "discount_total": "0.00", "discount_tax": "0.00", "shipping_total": "4.90", "shipping_tax": "0.93",
        "cart_tax": "6.18", "total": format!("{}.{:02}", 20 + random.below(900), random.below(100)),
        "total_tax": "6.18", "customer_id": random.below(500), "order_key": format!("wc_order_{number:013}"),
        "billing": address(random), "shipping": address(random), "payment_method": "bacs",
        "payment_method_title": "Direct bank transfer", "transaction_id": "", "customer_ip_address": "192.0.2.7",
        "customer_user_agent": "Mozilla/5.0 (X11; Linux x86_64) made up", "created_via": "checkout",
        "customer_note": "", "date_completed": null, "date_paid": "2026-11-21T01:25:56", "cart_hash": "",
        "number": number.to_string(), "meta_data": meta, "line_items": lines,
        "tax_lines": [{ "id": 25, "rate_code": "DE-MWST.-1", "rate_id": 1, "label": "MwSt.", "compound": false,
            "tax_total": "6.18", "shipping_tax_total": "0.93", "rate_percent": 19, "meta_data": [] }],
        "shipping_lines": [{ "id": 26, "method_title": "Flat rate", "method_id": "flat_rate", "instance_id": "1",
            "total": "4.90", "total_tax": "0.93", "taxes": [{ "id": 1, "total": "0.93", "subtotal": "" }] }],
        "fee_lines": [], "coupon_lines": [], "refunds": [],
        "payment_url": format!("https://shop.example.com/checkout/order-pay/{number}/?pay_for_order=true"),
        "is_editable": false, "needs_payment": false, "needs_processing": true, "currency_symbol": "€",
        "date_created_gmt": "2026-11-21T01:25:55", "date_modified_gmt": "2026-11-21T01:25:56",
        "_links": { "self": [{ "href": format!("https://shop.example.com/wp-json/wc/v3/orders/{number}"),
            "targetHints": { "allow": ["GET", "POST", "PUT", "PATCH", "DELETE"] } }],
            "collection": [{ "href": "https://shop.example.com/wp-json/wc/v3/orders" }] },
    })
}

/// An order as a webhook's body.
pub fn body(number: u64, random: &mut Random) -> Vec<u8> {
    order(number, random).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_weighs_about_four_kilobytes_and_is_repeatable() {
        let first = body(7, &mut Random::new(1));
        assert!((3_600..4_600).contains(&first.len()), "{}", first.len());
        assert_eq!(first, body(7, &mut Random::new(1)));
        assert_ne!(first, body(8, &mut Random::new(1)));
    }
}
