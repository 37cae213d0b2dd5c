//! How a product looks: what is kept, and what follows from it.

use serde_json::{Map, Value, json};

use super::super::{Ctx, html, links, money};
use super::BASE;
use crate::state::{Kind, Object, State};

/// Neighbours looked at, and shown, as related products.
const RELATED: (usize, usize) = (50, 5);

/// A product, or a variation as `/products/<id>` shows it: texts as the shop's pages show them.
pub(in crate::rest) fn product(ctx: &Ctx<'_>, object: &Object) -> Value {
    let mut shown = raw(ctx, object);
    for name in ["description", "short_description"] {
        shown[name] = json!(html::autop(object.text(name)));
    }
    shown
}

/// The same as it is kept.
fn raw(ctx: &Ctx<'_>, object: &Object) -> Value {
    let mut shown = object.fields.clone();
    let parent = (object.parent > 0).then(|| ctx.state.get(Kind::Product, object.parent)).flatten();
    if let Some(parent) = parent {
        as_variation(&mut shown, object, parent);
    }
    let variations = ctx.state.variation_ids(object.id);
    dates(ctx, object, &mut shown);
    let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    set("id", json!(object.id));
    let link = parent.map_or_else(
        || permalink(ctx, object),
        |parent| super::super::variations::permalink(ctx, object, Some(parent)),
    );
    set("permalink", json!(link));
    let price = price(ctx.state, object, &variations, ctx.now);
    set("on_sale", json!(on_sale(object, ctx.now)));
    set("purchasable", json!(!price.is_empty()));
    set("price_html", json!(price_html(&ctx.shop.currency, &price)));
    set("price", json!(price));
    set("backorders_allowed", json!(matches!(object.text("backorders"), "yes" | "notify")));
    set("backordered", json!(object.int("stock_quantity") < 0 && object.text("stock_status") == "onbackorder"));
    set("shipping_required", json!(!object.flag("virtual")));
    set("shipping_taxable", json!(!object.flag("virtual") && object.text("tax_status") != "none"));
    for (field, kind) in [("categories", Kind::Category), ("tags", Kind::Tag), ("brands", Kind::Brand)] {
        set(field, terms(ctx.state, object, field, kind));
    }
    set("related_ids", json!(related(ctx.state, object)));
    set("has_options", json!(object.text("type") == "variable"));
    if object.text("type") == "variable" && !object.flag("manage_stock") {
        set("stock_status", json!(status_of_variations(ctx.state, &variations)));
    }
    set("variations", json!(variations));
    let up = parent.map(|parent| ("up", format!("{BASE}/{}", parent.id)));
    set("_links", links::item_and(ctx, BASE, object.id, up.as_slice()));
    Value::Object(shown)
}

/// A product as every write shows it, and `context=edit`: as it is kept, with what the editor needs.
pub(in crate::rest) fn edited(ctx: &Ctx<'_>, object: &Object) -> Value {
    let mut shown = raw(ctx, object);
    shown["average_rating"] = json!("0");
    shown["permalink_template"] = json!(format!("{}/product/%pagename%/", ctx.home()));
    shown["generated_slug"] = json!(super::super::slug::readable(&generated_slug(ctx, object)));
    shown
}

/// The slug that its name would get now.
fn generated_slug(ctx: &Ctx<'_>, object: &Object) -> String {
    let (own, wanted) = (object.text("slug"), super::super::slug::slugged(object.text("name")));
    if own == wanted || own.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('-')) {
        return own.to_owned();
    }
    super::super::slug::free(&wanted, |slug| ctx.state.slugs.contains_key(slug))
}

/// What `/products/<id>` shows of a variation beyond a variation's own fields.
fn as_variation(shown: &mut Map<String, Value>, object: &Object, parent: &Object) {
    let full = super::write::blank(0).fields;
    for (name, value) in full {
        shown.entry(name).or_insert(value);
    }
    let title = format!("{} - {}", parent.text("name"), object.text("name"));
    shown.insert("slug".to_owned(), json!(super::super::slug::slugged(&title)));
    shown.insert("name".to_owned(), json!(title));
    shown.insert("parent_id".to_owned(), json!(parent.id));
    shown.insert("reviews_allowed".to_owned(), json!(false));
    shown.insert("total_sales".to_owned(), json!("0"));
    shown.insert("tax_class".to_owned(), json!(parent.text("tax_class")));
    for (gone, instead) in
        [("image", None), ("gallery_image_ids", None), ("images", Some(json!([]))), ("categories", Some(json!([])))]
    {
        match instead {
            Some(value) => shown.insert(gone.to_owned(), value),
            None => shown.remove(gone),
        };
    }
}

/// `date_created`, `date_modified` and the days of a sale, each in both zones.
pub(in crate::rest) fn dates(ctx: &Ctx<'_>, object: &Object, shown: &mut Map<String, Value>) {
    let sale = |name: &str| object.fields.get(name).and_then(Value::as_i64);
    let moments = [
        ("date_created", Some(object.created)),
        ("date_modified", Some(object.modified)),
        ("date_on_sale_from", sale("date_on_sale_from")),
        ("date_on_sale_to", sale("date_on_sale_to")),
    ];
    for (name, at) in moments {
        shown.insert(name.to_owned(), json!(at.map(|at| ctx.local(at))));
        shown.insert(format!("{name}_gmt"), json!(at.map(crate::date::gmt)));
    }
}

/// Where the shop shows a product.
pub(in crate::rest) fn permalink(ctx: &Ctx<'_>, object: &Object) -> String {
    match object.text("status") {
        "publish" | "private" => format!("{}/product/{}/", ctx.home(), object.text("slug")),
        _ => format!("{}/?post_type=product&p={}", ctx.home(), object.id),
    }
}

/// Whether its sale price holds now.
pub(in crate::rest) fn on_sale(object: &Object, now: i64) -> bool {
    let bound = |name: &str| object.fields.get(name).and_then(Value::as_i64);
    let prices = money::parsed(object.text("sale_price")).zip(money::parsed(object.text("regular_price")));
    prices.is_some_and(|(sale, regular)| sale < regular)
        && bound("date_on_sale_from").is_none_or(|from| from <= now)
        && bound("date_on_sale_to").is_none_or(|to| now <= to)
}

/// Its own price: the sale's while it holds, else the regular one.
pub(in crate::rest) fn own_price(object: &Object, now: i64) -> String {
    object.text(if on_sale(object, now) { "sale_price" } else { "regular_price" }).to_owned()
}

/// The price; of a variable product, that of its cheapest variation.
fn price(state: &State, object: &Object, variations: &[u64], now: i64) -> String {
    if object.text("type") != "variable" {
        return own_price(object, now);
    }
    let published = variations.iter().filter_map(|id| state.get(Kind::Variation, *id));
    let prices =
        published.filter(|variation| variation.text("status") == "publish").map(|object| own_price(object, now));
    prices.filter_map(|text| Some((money::parsed(&text)?, text))).min().map(|(_, text)| text).unwrap_or_default()
}

/// In stock when one of them is.
fn status_of_variations(state: &State, variations: &[u64]) -> &'static str {
    let has = |status: &str| {
        variations
            .iter()
            .filter_map(|id| state.get(Kind::Variation, *id))
            .any(|object| object.text("stock_status") == status)
    };
    if has("instock") {
        "instock"
    } else if has("onbackorder") {
        "onbackorder"
    } else {
        "outofstock"
    }
}

fn terms(state: &State, object: &Object, field: &str, kind: Kind) -> Value {
    let ids = object.fields.get(field).and_then(Value::as_array);
    let known = ids.into_iter().flatten().filter_map(|term| state.get(kind, term["id"].as_u64()?));
    let shown: Vec<Value> =
        known.map(|term| json!({"id": term.id, "name": term.text("name"), "slug": term.text("slug")})).collect();
    json!(shown)
}

/// Some products of the same category among those with the next ids: the original picks at random.
fn related(state: &State, object: &Object) -> Vec<u64> {
    let Some(category) = object.fields.get("categories").and_then(|list| list[0]["id"].as_u64()) else {
        return Vec::new();
    };
    let shares = |other: &&Object| {
        other.id != object.id
            && other.text("status") == "publish"
            && other.fields.get("categories").is_some_and(|list| list[0]["id"].as_u64() == Some(category))
    };
    let (looked_at, shown) = RELATED;
    let near = state.table(Kind::Product).range(object.id.saturating_sub(looked_at as u64 / 2)..);
    near.take(looked_at).map(|(_, other)| other).filter(shares).take(shown).map(|other| other.id).collect()
}

fn price_html(currency: &str, price: &str) -> String {
    if price.is_empty() {
        return String::new();
    }
    let symbol = super::super::money::entity(currency);
    format!(
        "<span class=\"woocommerce-Price-amount amount\"><bdi><span class=\"woocommerce-Price-currencySymbol\">{symbol}</span>{price}</bdi></span>"
    )
}
