//! An order as REST shows it: what is kept, plus what is computed on showing, with amounts of `dp` places.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalog;
use super::decimal::{number, print};
use super::fields::{Fields, amount, id, int, list, list_mut, text};
use super::status::{needs_payment, needs_processing};
use crate::date;
use crate::rest::Ctx;
use crate::state::{Kind, Object};

/// Amounts of the order itself.
const TOTALS: [&str; 7] =
    ["discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total", "total_tax"];

/// Amounts of its lines, by group.
const LINE_AMOUNTS: [(&str, &[&str]); 5] = [
    ("line_items", &["subtotal", "subtotal_tax", "total", "total_tax"]),
    ("shipping_lines", &["total", "total_tax"]),
    ("fee_lines", &["total", "total_tax"]),
    ("coupon_lines", &["discount", "discount_tax"]),
    ("tax_lines", &["tax_total", "shipping_tax_total"]),
];

/// The whole order with its links.
pub fn show(ctx: &Ctx<'_>, order: &Object, places: u32) -> Value {
    let mut shown = order.fields.clone();
    for name in TOTALS {
        let printed = print(amount(&shown, name), places);
        shown.insert(name.to_owned(), json!(printed));
    }
    show_lines(ctx, &mut shown, places);
    let more = computed(ctx, order, places);
    shown.extend(more);
    dates(ctx, order, &mut shown);
    shown.insert("_links".to_owned(), links(ctx, order));
    Value::Object(shown)
}

/// Lines as orders and refunds show them.
pub fn show_lines(ctx: &Ctx<'_>, shown: &mut Fields, places: u32) {
    for line in list_mut(shown, "line_items") {
        decorate(ctx, line);
    }
    for line in list_mut(shown, "coupon_lines") {
        decorate_coupon(line);
    }
    for (group, amounts) in LINE_AMOUNTS {
        for line in list_mut(shown, group) {
            print_amounts(line, amounts, places);
            for entry in list_mut(line, "meta_data") {
                let (key, value) = display(text(entry, "key"), entry.get("value"));
                entry.insert("display_key".to_owned(), json!(key));
                entry.insert("display_value".to_owned(), value);
            }
        }
    }
}

fn print_amounts(line: &mut Fields, amounts: &[&str], places: u32) {
    for name in amounts {
        let printed = print(amount(line, name), places);
        line.insert((*name).to_owned(), json!(printed));
    }
    for tax in list_mut(line, "taxes") {
        for name in ["total", "subtotal"] {
            if !text(tax, name).is_empty() {
                let printed = print(amount(tax, name), places);
                tax.insert(name.to_owned(), json!(printed));
            }
        }
    }
}

/// What a product line shows of its product as it is now.
fn decorate(ctx: &Ctx<'_>, line: &mut Fields) {
    let goods = catalog::of_line(ctx.state, line);
    let quantity = Decimal::from(int(line, "quantity"));
    let price = amount(line, "total").checked_div(quantity).unwrap_or_default();
    line.insert("price".to_owned(), number(price.round_dp(14)));
    let text_or_null = |name: &str| goods.as_ref().map_or(Value::Null, |goods| json!(goods.item.text(name)));
    let (sku, global_id) = (text_or_null("sku"), text_or_null("global_unique_id"));
    let image = goods.as_ref().map_or_else(|| json!({"id": 0, "src": ""}), |goods| goods.image());
    let parent = goods.and_then(|goods| goods.parent).map_or(Value::Null, |parent| json!(parent.text("name")));
    line.extend([
        ("sku".to_owned(), sku),
        ("global_unique_id".to_owned(), global_id),
        ("image".to_owned(), image),
        ("parent_name".to_owned(), parent),
    ]);
}

/// What a coupon line shows of the coupon it was made from.
fn decorate_coupon(line: &mut Fields) {
    let info = super::fields::meta(line, "coupon_info").and_then(Value::as_str).unwrap_or_default();
    let info: Vec<Value> = serde_json::from_str(info).unwrap_or_default();
    let part = |at: usize| info.get(at).cloned().unwrap_or(Value::Null);
    let more = [("discount_type", part(2)), ("nominal_amount", part(3)), ("free_shipping", json!(part(4) == true))];
    line.extend(more.map(|(name, value)| (name.to_owned(), value)));
}

/// Attributes are shown by their label: `pa_size` as `Size`.
fn display(key: &str, value: Option<&Value>) -> (String, Value) {
    let value = value.cloned().unwrap_or(Value::Null);
    if key.starts_with('_') || key == "coupon_info" {
        return (key.to_owned(), value);
    }
    match key.strip_prefix("pa_") {
        Some(attribute) => {
            (capital(attribute), value.as_str().map_or(value.clone(), |option| json!(option.to_uppercase_first())))
        }
        None => (if key == key.to_lowercase() && !key.contains('_') { capital(key) } else { key.to_owned() }, value),
    }
}

fn capital(text: &str) -> String {
    text.to_uppercase_first()
}

/// PHP's `ucfirst`.
trait UppercaseFirst {
    fn to_uppercase_first(&self) -> String;
}

impl UppercaseFirst for str {
    fn to_uppercase_first(&self) -> String {
        let mut chars = self.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    }
}

fn computed(ctx: &Ctx<'_>, order: &Object, places: u32) -> Fields {
    let key = order.text("order_key");
    let pay = format!("{}/checkout/order-pay/{}/?pay_for_order=true&key={key}", ctx.home(), order.id);
    super::fields::object(json!({
        "id": order.id,
        "number": order.id.to_string(),
        "refunds": refunds(ctx, order.id, places),
        "payment_url": pay,
        "is_editable": matches!(order.text("status"), "pending" | "on-hold" | "auto-draft" | "failed"),
        "needs_payment": needs_payment(&order.fields),
        "needs_processing": needs_processing(ctx, &order.fields),
        "currency_symbol": symbol(order.text("currency")),
    }))
}

/// The order's refunds, newest first.
fn refunds(ctx: &Ctx<'_>, order: u64, places: u32) -> Value {
    let mut refunds: Vec<&Object> =
        ctx.state.table(Kind::Refund).values().filter(|refund| refund.parent == order).collect();
    refunds.sort_by_key(|refund| (std::cmp::Reverse(refund.created), refund.id));
    let row = |refund: &Object| {
        let total = format!("-{}", print(amount(&refund.fields, "amount"), places));
        let tax: Decimal = list(&refund.fields, "line_items").map(|line| amount(line, "total_tax")).sum();
        json!({"id": refund.id, "reason": refund.text("reason"), "total": total, "total_tax": print(tax, places)})
    };
    refunds.into_iter().map(row).collect()
}

fn dates(ctx: &Ctx<'_>, order: &Object, shown: &mut Fields) {
    let hidden = |name: &str| order.hidden.get(name).and_then(Value::as_i64);
    let moments = [
        ("date_created", Some(order.created)),
        ("date_modified", Some(order.modified)),
        ("date_completed", hidden("completed")),
        ("date_paid", hidden("paid")),
    ];
    for (name, moment) in moments {
        shown.insert(name.to_owned(), json!(moment.map(|moment| ctx.local(moment))));
        shown.insert(format!("{name}_gmt"), json!(moment.map(date::gmt)));
    }
}

fn links(ctx: &Ctx<'_>, order: &Object) -> Value {
    let all = format!("{}/wp-json/wc/v3/orders", ctx.home());
    let own = format!("{all}/{}", order.id);
    let mut links = json!({
        "self": [{"href": own, "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}}],
        "collection": [{"href": all}],
        "email_templates": [{"embeddable": true, "href": format!("{own}/actions/email_templates")}],
    });
    let customer = id(&order.fields, "customer_id");
    if customer > 0 {
        links["customer"] = json!([{"href": ctx.rest_url(&format!("/wc/v3/customers/{customer}"))}]);
    }
    links
}

/// Signs of the currencies a test is likely to use; others stand for themselves.
fn symbol(currency: &str) -> &str {
    match currency {
        "EUR" => "€",
        "USD" | "CAD" | "AUD" => "$",
        "GBP" => "£",
        "JPY" => "¥",
        "PLN" => "zł",
        other => other,
    }
}
