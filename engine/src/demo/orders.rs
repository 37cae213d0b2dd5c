//! Made-up orders in the shape of WooCommerce's REST API v3, as its webhooks carry them: created, later updated.

use cartwright_core::{Json, time::Timestamp};
use serde_json::json;

const FIRST: [&str; 10] = ["Aoife", "Björn", "Chiara", "Dmitri", "Elif", "Femke", "Gaël", "Hana", "Iñaki", "Jakub"];
const LAST: [&str; 10] =
    ["Almeida", "Bakker", "Czerny", "Dubois", "Eriksen", "Fischer", "Grün", "Horvat", "Ivanova", "Jansen"];
const GOODS: [(&str, u64); 8] = [
    ("Linen apron", 3490),
    ("Oak breadboard", 4250),
    ("Enamel mug", 1290),
    ("Cast-iron pan", 8990),
    ("Beeswax candles", 1575),
    ("Ceramic teapot", 6400),
    ("Wool blanket", 11_900),
    ("Copper kettle", 14_950),
];
const PAYMENTS: [(&str, &str); 4] =
    [("stripe", "Credit card"), ("paypal", "PayPal"), ("bacs", "Direct bank transfer"), ("cod", "Cash on delivery")];
/// Rate of the made-up tax, in per cent, included in nothing.
const TAX_PERCENT: u64 = 19;

/// A small generator of numbers (SplitMix64): a demo needs variety, not secrecy.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        let index = usize::try_from(self.below(list.len() as u64)).unwrap_or(0);
        list[index]
    }
}

/// An order as `order.created` carries it.
pub(crate) fn created(number: u64, shop: &str, now: Timestamp, dice: &mut Dice) -> Json {
    let lines: Vec<Line> = (0..1 + dice.below(3)).map(|at| Line::new(number * 10 + at, dice)).collect();
    let goods: u64 = lines.iter().map(|line| line.cents * line.quantity).sum();
    let shipping = if goods > 10_000 { 0 } else { 490 };
    let tax = (goods + shipping) * TAX_PERCENT / 100;
    let (method, title) = dice.pick(&PAYMENTS);
    let local = local_time(now);
    let billing = person(dice);
    let money_part = json!({
        "id": number, "parent_id": 0, "status": "processing", "currency": "EUR", "version": "11.0.1", "prices_include_tax": false,
        "date_created": local, "date_modified": local, "discount_total": "0.00", "discount_tax": "0.00",
        "shipping_total": money(shipping), "shipping_tax": money(shipping * TAX_PERCENT / 100), "cart_tax": money(goods * TAX_PERCENT / 100),
        "total": money(goods + shipping + tax), "total_tax": money(tax),
    });
    let rest = json!({
        "customer_id": dice.below(900),
        "order_key": format!("wc_order_{:013x}", dice.below(1 << 52)), "billing": billing, "shipping": billing,
        "payment_method": method, "payment_method_title": title, "transaction_id": "", "customer_ip_address": "198.51.100.7",
        "customer_user_agent": "Mozilla/5.0 (cartwright demo)", "created_via": "checkout", "customer_note": "",
        "date_completed": null, "date_paid": local, "cart_hash": "", "number": number.to_string(), "meta_data": [],
        "line_items": lines.iter().map(Line::to_json).collect::<Vec<_>>(),
        "tax_lines": [{ "id": number * 10 + 8, "rate_code": "DE-VAT-1", "rate_id": 1, "label": "VAT", "compound": false,
            "tax_total": money(goods * TAX_PERCENT / 100), "shipping_tax_total": money(shipping * TAX_PERCENT / 100), "rate_percent": TAX_PERCENT, "meta_data": [] }],
        "shipping_lines": [{ "id": number * 10 + 9, "method_title": "Parcel", "method_id": "flat_rate", "instance_id": "1",
            "total": money(shipping), "total_tax": money(shipping * TAX_PERCENT / 100), "taxes": [], "meta_data": [] }],
        "fee_lines": [], "coupon_lines": [], "refunds": [], "is_editable": false, "needs_payment": false, "needs_processing": true,
        "payment_url": format!("https://{shop}.example/checkout/order-pay/{number}/?pay_for_order=true"),
        "date_created_gmt": local, "date_modified_gmt": local, "date_completed_gmt": null, "date_paid_gmt": local, "currency_symbol": "€",
        "_links": { "self": [{ "href": format!("https://{shop}.example/wp-json/wc/v3/orders/{number}") }],
            "collection": [{ "href": format!("https://{shop}.example/wp-json/wc/v3/orders") }] },
    });
    joined(money_part, rest)
}

/// Two maps as one: `json!` takes only so many entries at once.
fn joined(first: Json, second: Json) -> Json {
    match (first, second) {
        (Json::Object(mut all), Json::Object(more)) => {
            all.extend(more);
            Json::Object(all)
        }
        (first, _) => first,
    }
}

/// The same order some seconds later, as `order.updated` carries it.
pub(crate) fn completed(mut order: Json, now: Timestamp) -> Json {
    let local = local_time(now);
    order["status"] = json!("completed");
    order["needs_processing"] = json!(false);
    for key in ["date_modified", "date_modified_gmt", "date_completed", "date_completed_gmt"] {
        order[key] = json!(local);
    }
    order
}

/// WooCommerce's times have seconds and no zone.
fn local_time(now: Timestamp) -> String {
    now.to_string().chars().take(19).collect()
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn person(dice: &mut Dice) -> Json {
    let (first, last) = (dice.pick(&FIRST), dice.pick(&LAST));
    json!({
        "first_name": first, "last_name": last, "company": "", "address_1": format!("Harbour Lane {}", 1 + dice.below(120)),
        "address_2": "", "city": "Kiel", "state": "DE-SH", "postcode": format!("24{:03}", dice.below(1000)), "country": "DE",
        "email": format!("customer{}@mail.example", dice.below(5000)), "phone": "",
    })
}

struct Line {
    id: u64,
    good: usize,
    cents: u64,
    quantity: u64,
}

impl Line {
    fn new(id: u64, dice: &mut Dice) -> Self {
        let good = usize::try_from(dice.below(GOODS.len() as u64)).unwrap_or(0);
        Self { id, good, cents: GOODS[good].1, quantity: 1 + dice.below(2) }
    }

    fn to_json(&self) -> Json {
        let total = self.cents * self.quantity;
        let tax = total * TAX_PERCENT / 100;
        json!({
            "id": self.id, "name": GOODS[self.good].0, "product_id": 100 + self.good, "variation_id": 0, "quantity": self.quantity,
            "tax_class": "", "subtotal": money(total), "subtotal_tax": money(tax), "total": money(total), "total_tax": money(tax),
            "taxes": [{ "id": 1, "total": money(tax), "subtotal": money(tax) }], "meta_data": [], "sku": format!("KIT-{:03}", 100 + self.good),
            "global_unique_id": "", "price": serde_json::Number::from_string_unchecked(money(self.cents)), "image": { "id": "", "src": "" }, "parent_name": null,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_add_up_and_differ() {
        let now = Timestamp::from_millis(1_795_000_000_123);
        let mut dice = Dice::new(7);
        for number in 1..200 {
            let order = created(number, "kiel", now, &mut dice);
            let cents = |value: &Json| value.as_str().expect("text").replace('.', "").parse::<u64>().expect("money");
            let lines: u64 =
                order["line_items"].as_array().expect("lines").iter().map(|line| cents(&line["total"])).sum();
            assert_eq!(cents(&order["total"]), lines + cents(&order["shipping_total"]) + cents(&order["total_tax"]));
            assert_eq!(order["date_created"], "2026-11-18T11:06:40", "seconds, no zone: {order}");
            assert_eq!(order.to_string(), serde_json::from_str::<Json>(&order.to_string()).expect("JSON").to_string());
        }
        let again = created(1, "kiel", now, &mut Dice::new(7));
        assert_eq!(again, created(1, "kiel", now, &mut Dice::new(7)));
        assert_eq!(completed(again, now)["status"], "completed");
    }
}
