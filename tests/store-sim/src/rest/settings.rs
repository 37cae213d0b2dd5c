//! `/settings`: groups, the settings of a group, one setting. A value is checked and kept; the shop's own behaviour
//! follows `ShopConfig`, whatever is written here.

use serde_json::{Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::forms::{self, Field};
use super::resource::{EDIT, READ, always};
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route, links};
use crate::state::{Kind, Object};

const BASE: &str = "/wc/v3/settings";
const VALUE: &[Arg] = &[Arg::new("value", Is::Mixed)];
const VERBS: Verbs = Verbs { create: nothing, update, delete: nothing, parent: Some("group_id") };
const GLOBAL: Verbs = Verbs { create: nothing, update, delete: nothing, parent: None };

/// Groups by id and name, in the order in which they are listed.
const GROUPS: &[(&str, &str)] = &[
    ("wc_admin", "WooCommerce Admin"),
    ("general", "General"),
    ("products", "Products"),
    ("tax", "Tax"),
    ("shipping", "Shipping"),
    ("checkout", "Payments"),
    ("account", "Accounts &amp; Privacy"),
    ("email", "Emails"),
    ("integration", "Integration"),
    ("site-visibility", "Site visibility"),
    ("point-of-sale", "Point of Sale"),
    ("advanced", "Advanced"),
];
/// Mails are groups of their own below `email`: `email_new_order`.
const MAILS: &[&str] = &[
    "new_order",
    "cancelled_order",
    "customer_cancelled_order",
    "failed_order",
    "customer_failed_order",
    "customer_on_hold_order",
    "customer_processing_order",
    "customer_completed_order",
    "customer_refunded_order",
    "customer_invoice",
    "customer_note",
    "customer_reset_password",
    "customer_new_account",
    "admin_payment_gateway_enabled",
    "customer_pos_completed_order",
    "customer_pos_refunded_order",
    "customer_verify_email",
];

const CURRENCIES: &[(&str, &str)] = &[
    ("AUD", "Australian dollar"),
    ("BRL", "Brazilian real"),
    ("CAD", "Canadian dollar"),
    ("CHF", "Swiss franc"),
    ("CNY", "Chinese yuan"),
    ("CZK", "Czech koruna"),
    ("DKK", "Danish krone"),
    ("EUR", "Euro"),
    ("GBP", "Pound sterling"),
    ("HUF", "Hungarian forint"),
    ("INR", "Indian rupee"),
    ("JPY", "Japanese yen"),
    ("MXN", "Mexican peso"),
    ("NOK", "Norwegian krone"),
    ("NZD", "New Zealand dollar"),
    ("PLN", "Polish złoty"),
    ("SEK", "Swedish krona"),
    ("TRY", "Turkish lira"),
    ("USD", "United States dollar"),
    ("ZAR", "South African rand"),
];
const COUNTRIES: &[(&str, &str)] =
    &[("all", "To all countries"), ("all_except", "To all but some"), ("specific", "To some countries")];
const POSITIONS: &[(&str, &str)] =
    &[("left", "Left"), ("right", "Right"), ("left_space", "Left with space"), ("right_space", "Right with space")];
const WEIGHTS: &[(&str, &str)] = &[("kg", "kg"), ("g", "g"), ("lbs", "lbs"), ("oz", "oz")];
const LENGTHS: &[(&str, &str)] = &[("m", "m"), ("cm", "cm"), ("mm", "mm"), ("in", "in"), ("yd", "yd")];

const fn select(id: &'static str, default: &'static str, options: &'static [(&'static str, &'static str)]) -> Field {
    Field { options, ..Field::new(id, "select", default) }
}

/// Settings by group. Those of other groups are not kept.
const SETTINGS: &[(&str, &[Field])] = &[
    (
        "general",
        &[
            Field::new("woocommerce_store_address", "text", ""),
            Field::new("woocommerce_store_city", "text", ""),
            Field::new("woocommerce_store_postcode", "text", ""),
            Field::new("woocommerce_default_country", "text", "US:CA"),
            select("woocommerce_allowed_countries", "all", COUNTRIES),
            Field::new("woocommerce_calc_taxes", "checkbox", "no"),
            Field::new("woocommerce_enable_coupons", "checkbox", "yes"),
            select("woocommerce_currency", "USD", CURRENCIES),
            select("woocommerce_currency_pos", "left", POSITIONS),
            Field::new("woocommerce_price_thousand_sep", "text", ","),
            Field::new("woocommerce_price_decimal_sep", "text", "."),
            Field::new("woocommerce_price_num_decimals", "number", "2"),
        ],
    ),
    (
        "products",
        &[
            select("woocommerce_weight_unit", "kg", WEIGHTS),
            select("woocommerce_dimension_unit", "cm", LENGTHS),
            Field::new("woocommerce_manage_stock", "checkbox", "yes"),
            Field::new("woocommerce_notify_low_stock_amount", "number", "2"),
            Field::new("woocommerce_notify_no_stock_amount", "number", "0"),
        ],
    ),
    ("tax", &[select("woocommerce_prices_include_tax", "no", &[("yes", "With tax"), ("no", "Without tax")])]),
];

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
    vec![
        Route { pattern: BASE, endpoints: vec![end(READ, Guard::List, &[], groups)] },
        Route {
            pattern: "/wc/v3/settings/batch",
            endpoints: vec![end(EDIT, Guard::Batch, &[], |ctx, params| batch::run(ctx, params, &GLOBAL))],
        },
        Route {
            pattern: "/wc/v3/settings/<group_id:word>",
            endpoints: vec![end(READ, Guard::View(always), &[], group)],
        },
        Route {
            pattern: "/wc/v3/settings/<group_id:word>/batch",
            endpoints: vec![end(EDIT, Guard::Batch, &[], |ctx, params| batch::run(ctx, params, &VERBS))],
        },
        Route {
            pattern: "/wc/v3/settings/<group_id:word>/<id:word>",
            endpoints: vec![end(READ, Guard::View(always), &[], get), end(EDIT, Guard::Edit(always), VALUE, update)],
        },
    ]
}

/// Not paged, and without the headers of a list.
fn groups(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    let show = |id: &str, label: &str, parent: &str, below: Vec<String>| {
        let link = json!({ "options": [{ "href": ctx.rest_url(&format!("{BASE}/{id}")) }] });
        json!({ "id": id, "label": label, "description": "", "parent_id": parent, "sub_groups": below, "_links": link })
    };
    let mails: Vec<String> = MAILS.iter().map(|mail| format!("email_{mail}")).collect();
    let below = |id: &str| if id == "email" { mails.clone() } else { Vec::new() };
    let mut shown: Vec<Value> = GROUPS.iter().map(|(id, label)| show(id, label, "", below(id))).collect();
    shown.extend(mails.iter().map(|mail| show(mail, mail, "email", Vec::new())));
    Ok(Reply::ok(Value::Array(shown)))
}

fn group(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let group = params.text("group_id").unwrap_or_default();
    let fields = fields(group)?;
    Ok(Reply::ok(fields.iter().map(|field| show(ctx, group, field)).collect()))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let (group, field) = found(params)?;
    Ok(Reply::ok(show(ctx, group, field)))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let (group, field) = found(params)?;
    // Nothing sent: nothing changes.
    if let Some(sent) = params.sent("value") {
        let value = field.accepted(sent).ok_or_else(forms::refused)?;
        let id = number(field.id);
        let mut kept = Object { id, created: ctx.now, modified: ctx.now, ..Object::default() };
        kept.set("value", value);
        ctx.state.put(Kind::Setting, kept);
    }
    Ok(Reply::ok(show(ctx, group, field)))
}

/// Settings are neither made nor deleted; a batch passes over both.
fn nothing(_: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    Err(RestError::no_route())
}

fn fields(group: &str) -> Result<&'static [Field], RestError> {
    let known = GROUPS.iter().any(|(id, _)| *id == group)
        || group.strip_prefix("email_").is_some_and(|mail| MAILS.contains(&mail));
    let invalid = || RestError::new("rest_setting_setting_group_invalid", "Invalid setting group.", 404);
    let kept = SETTINGS.iter().find(|(id, _)| *id == group).map_or(&[] as &[Field], |(_, fields)| fields);
    known.then_some(kept).ok_or_else(invalid)
}

fn found(params: &Params) -> Result<(&str, &'static Field), RestError> {
    let group = params.text("group_id").or_else(|| params.text("group")).unwrap_or_default();
    let wanted = params.text("id").unwrap_or_default();
    let field = fields(group)?.iter().find(|field| field.id == wanted);
    let invalid = || RestError::new("rest_setting_setting_invalid", "Invalid setting.", 404);
    field.map(|field| (group, field)).ok_or_else(invalid)
}

/// Settings are kept by their place in the table above: their ids are no numbers.
fn number(id: &str) -> u64 {
    let all = SETTINGS.iter().flat_map(|(_, fields)| fields.iter());
    all.take_while(|field| field.id != id).count() as u64
}

fn show(ctx: &Ctx<'_>, group: &str, field: &Field) -> Value {
    let kept = ctx.state.get(Kind::Setting, number(field.id)).map(|kept| kept.text("value").to_owned());
    let yes_no = |flag: bool| (if flag { "yes" } else { "no" }).to_owned();
    let own = || match field.id {
        "woocommerce_currency" => ctx.shop.currency.clone(),
        "woocommerce_default_country" => ctx.shop.country.clone(),
        "woocommerce_calc_taxes" => yes_no(ctx.shop.tax.enabled),
        "woocommerce_prices_include_tax" => yes_no(ctx.shop.tax.prices_include_tax),
        _ => field.default.to_owned(),
    };
    let mut shown = json!({
        "id": field.id, "label": field.id, "description": "", "type": field.kind, "default": field.default,
        "tip": "", "value": kept.unwrap_or_else(own), "group_id": group,
        "_links": links::named(ctx, &format!("{BASE}/{group}"), field.id, &["GET", "POST", "PUT", "PATCH"]),
    });
    if field.kind == "select" {
        shown["options"] = forms::options(field);
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rest::testing::Bench;

    #[test]
    fn a_setting_takes_what_it_offers_and_keeps_it() {
        let bench = Bench::new();
        let path = "settings/general/woocommerce_currency_pos";
        for (value, status) in [(json!("right"), 200), (json!("above"), 400), (json!(["right"]), 400)] {
            assert_eq!(bench.ask("PUT", path, &json!({ "value": value }).to_string()).0, status, "{value}");
        }
        assert_eq!(bench.ask("GET", path, "").1["value"], "right");
        assert_eq!(bench.ask("GET", "settings/general/woocommerce_currency", "").1["value"], "EUR");
    }

    #[test]
    fn every_setting_is_kept_for_itself() {
        let names: Vec<&str> =
            super::SETTINGS.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.id)).collect();
        let numbers: std::collections::BTreeSet<u64> = names.iter().map(|name| super::number(name)).collect();
        assert_eq!(numbers.len(), names.len());
    }
}
