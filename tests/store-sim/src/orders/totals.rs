//! Taxes and totals of an order, from its lines and the shop's tax table. Line taxes are kept unrounded, their sums
//! rounded, as WooCommerce does with its default of rounding per line.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::decimal::{PRICE_PLACES, print, round};
use super::fields::{Fields, amount, id, list, list_mut, object, set_amount, text};
use super::tax::{Place, Tax, TaxRate, rates_at, taxes_on};

/// What totals depend on besides the order.
pub struct Pricing {
    /// The tax table; empty when the shop does not tax.
    pub rates: Vec<TaxRate>,
    /// Where the shop is: taken for orders without an address.
    pub base: Place,
}

/// Fields of a line that hold an amount before and after discounts.
const LINE_AMOUNTS: [(&str, &str); 2] = [("subtotal", "subtotal_tax"), ("total", "total_tax")];

/// Computes line taxes, tax lines and totals anew. `taxable` tells whether a product line is taxed at all; `new_id`
/// gives ids to tax lines that come into being.
pub fn recalculate(
    order: &mut Fields,
    pricing: &Pricing,
    taxable: impl Fn(&Fields) -> bool,
    mut new_id: impl FnMut() -> u64,
) {
    let place = place_of(order, &pricing.base);
    for line in list_mut(order, "line_items") {
        let class = text(line, "tax_class").to_owned();
        let rates = if taxable(line) { rates_at(&pricing.rates, &place, &class) } else { Vec::new() };
        tax_line_item(line, &rates);
    }
    for line in list_mut(order, "fee_lines") {
        let taxed = text(line, "tax_status") != "none";
        let rates = if taxed { rates_at(&pricing.rates, &place, text(line, "tax_class")) } else { Vec::new() };
        tax_other(line, &rates);
    }
    for line in list_mut(order, "shipping_lines") {
        let rates = rates_at(&pricing.rates, &place, "").into_iter().filter(|rate| rate.shipping).collect::<Vec<_>>();
        let taxed = text(line, "tax_status") != "none";
        tax_other(line, if taxed { &rates } else { &[] });
    }
    set_tax_lines(order, pricing, &mut new_id);
    sum_up(order);
}

/// Where an order is taxed: its shipping address, else its billing address, else the shop's own place.
pub fn place_of(order: &Fields, base: &Place) -> Place {
    for address in ["shipping", "billing"] {
        let Some(Value::Object(address)) = order.get(address) else { continue };
        let part = |name: &str| text(address, name).to_owned();
        if !text(address, "country").is_empty() {
            return Place {
                country: part("country"),
                state: part("state"),
                postcode: part("postcode"),
                city: part("city"),
            };
        }
    }
    base.clone()
}

fn tax_line_item(line: &mut Fields, rates: &[&TaxRate]) {
    let [subtotal, total] = LINE_AMOUNTS.map(|(name, _)| taxes_on(amount(line, name), rates));
    let rows = subtotal.iter().zip(&total).map(
        |(before, after)| json!({"id": after.rate_id, "total": exact(after.amount), "subtotal": exact(before.amount)}),
    );
    line.insert("taxes".to_owned(), rows.collect());
    set_amount(line, "subtotal_tax", rounded_sum(&subtotal));
    set_amount(line, "total_tax", rounded_sum(&total));
}

fn tax_other(line: &mut Fields, rates: &[&TaxRate]) {
    let taxes = taxes_on(amount(line, "total"), rates);
    let rows = taxes.iter().map(|tax| json!({"id": tax.rate_id, "total": exact(tax.amount), "subtotal": ""}));
    line.insert("taxes".to_owned(), rows.collect());
    set_amount(line, "total_tax", rounded_sum(&taxes));
}

fn exact(amount: Decimal) -> String {
    amount.normalize().to_string()
}

fn rounded_sum(taxes: &[Tax]) -> Decimal {
    taxes.iter().map(|tax| round(tax.amount, PRICE_PLACES)).sum()
}

/// One tax line for each rate that lies on a line; those that were there keep their id.
fn set_tax_lines(order: &mut Fields, pricing: &Pricing, new_id: &mut impl FnMut() -> u64) {
    let lines = pricing.rates.iter().filter_map(|rate| {
        let goods = tax_of(order, &["line_items", "fee_lines"], rate.id);
        let shipping = tax_of(order, &["shipping_lines"], rate.id);
        if goods.is_none() && shipping.is_none() {
            return None;
        }
        let known = list(order, "tax_lines").find(|line| id(line, "rate_id") == rate.id).map(|line| id(line, "id"));
        let mut line = object(json!({
            "id": known.unwrap_or_else(&mut *new_id), "rate_code": rate.code(), "rate_id": rate.id, "label": rate.name,
            "compound": rate.compound, "rate_percent": super::decimal::number(rate.rate), "meta_data": [],
        }));
        set_amount(&mut line, "tax_total", goods.unwrap_or_default());
        set_amount(&mut line, "shipping_tax_total", shipping.unwrap_or_default());
        Some(Value::Object(line))
    });
    let lines: Vec<Value> = lines.collect();
    order.insert("tax_lines".to_owned(), Value::Array(lines));
}

/// What this rate comes to on these lines, rounded line by line; `None` where it lies on none.
fn tax_of(order: &Fields, groups: &[&str], rate: u64) -> Option<Decimal> {
    let rows = groups.iter().flat_map(|group| list(order, group)).flat_map(|line| list(line, "taxes"));
    let mut amounts =
        rows.filter(|tax| id(tax, "id") == rate).map(|tax| round(amount(tax, "total"), PRICE_PLACES)).peekable();
    amounts.peek()?;
    Some(amounts.sum())
}

fn sum_up(order: &mut Fields) {
    let sum = |group: &str, field: &str| list(order, group).map(|line| amount(line, field)).sum::<Decimal>();
    let goods = sum("line_items", "total");
    let fees = sum("fee_lines", "total");
    let shipping = sum("shipping_lines", "total");
    let shipping_tax = sum("shipping_lines", "total_tax");
    let cart_tax = sum("line_items", "total_tax") + sum("fee_lines", "total_tax");
    let totals = [
        ("discount_total", sum("line_items", "subtotal") - goods),
        ("discount_tax", sum("line_items", "subtotal_tax") - sum("line_items", "total_tax")),
        ("shipping_total", shipping),
        ("shipping_tax", shipping_tax),
        ("cart_tax", cart_tax),
        ("total_tax", cart_tax + shipping_tax),
        ("total", goods + fees + shipping + cart_tax + shipping_tax),
    ];
    for (name, amount) in totals {
        order.insert(name.to_owned(), Value::String(print(amount, PRICE_PLACES)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pricing() -> Pricing {
        let rate = TaxRate {
            id: 3,
            country: "AT".into(),
            state: String::new(),
            postcodes: Vec::new(),
            cities: Vec::new(),
            rate: Decimal::from(20),
            name: "USt.".into(),
            priority: 1,
            compound: false,
            shipping: true,
            order: 0,
            class: "standard".into(),
        };
        Pricing { rates: vec![rate], base: Place { country: "AT".into(), ..Place::default() } }
    }

    fn computed(order: Value) -> Fields {
        let mut order = object(order);
        let mut next = 70;
        recalculate(
            &mut order,
            &pricing(),
            |line| id(line, "product_id") != 9,
            || {
                next += 1;
                next
            },
        );
        order
    }

    #[test]
    fn goods_fees_and_shipping_are_taxed_and_summed() {
        let order = computed(json!({
            "line_items": [{"product_id": 5, "subtotal": "3.33", "total": "3.33"}, {"product_id": 6, "subtotal": "10", "total": "8.5"}],
            "fee_lines": [{"total": "1"}], "shipping_lines": [{"total": "4.99"}],
        }));
        assert_eq!(order["line_items"][0]["taxes"], json!([{"id": 3, "total": "0.666", "subtotal": "0.666"}]));
        assert_eq!(text(&order, "cart_tax"), "2.57", "0.67 + 1.70 + 0.20");
        assert_eq!(text(&order, "shipping_tax"), "1.00");
        assert_eq!((text(&order, "discount_total"), text(&order, "discount_tax")), ("1.50", "0.30"));
        assert_eq!(text(&order, "total"), "21.39", "3.33 + 8.50 + 1 + 4.99 + 3.57");
        assert_eq!(
            (order["tax_lines"][0]["id"].as_u64(), order["tax_lines"][0]["rate_code"].as_str()),
            (Some(71), Some("AT-UST.-1"))
        );
    }

    #[test]
    fn untaxed_products_and_places_carry_no_tax() {
        let order = computed(json!({"line_items": [{"product_id": 9, "subtotal": "5", "total": "5"}]}));
        assert_eq!((text(&order, "total"), &order["tax_lines"]), ("5.00", &json!([])));
        let abroad = computed(
            json!({"billing": {"country": "US"}, "line_items": [{"product_id": 5, "subtotal": "5", "total": "5"}]}),
        );
        assert_eq!(text(&abroad, "total"), "5.00");
    }

    #[test]
    fn the_shipping_address_decides_before_the_billing_address() {
        let order = object(json!({"billing": {"country": "AT"}, "shipping": {"country": "US"}}));
        assert_eq!(place_of(&order, &Place::default()).country, "US");
        let order = object(json!({"billing": {"country": "AT"}, "shipping": {"country": ""}}));
        assert_eq!(place_of(&order, &Place::default()).country, "AT");
    }

    #[test]
    fn a_tax_line_keeps_its_id_and_goes_when_nothing_is_taxed() {
        let mut order = computed(json!({"line_items": [{"product_id": 5, "subtotal": "5", "total": "5"}]}));
        recalculate(&mut order, &pricing(), |_| true, || 99);
        assert_eq!(order["tax_lines"][0]["id"], 71);
        order.insert("line_items".into(), json!([]));
        recalculate(&mut order, &pricing(), |_| true, || 99);
        assert_eq!((&order["tax_lines"], text(&order, "total")), (&json!([]), "0.00"));
    }
}
