//! What an order needs to know of a product: its name, price, tax class, picture. Read from the products and
//! variations of the shop, at the moment it is asked for.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::fields::{Fields, amount, id, list, object, text};
use super::tax::{Place, TaxRate};
use super::totals::Pricing;
use crate::rest::Ctx;
use crate::state::{Kind, Object, State};

/// A product or variation as an order sees it.
pub struct Goods<'a> {
    /// The product, or the variation itself.
    pub item: &'a Object,
    /// The product a variation belongs to.
    pub parent: Option<&'a Object>,
}

/// The product or variation of this id.
pub fn find(state: &State, wanted: u64) -> Option<Goods<'_>> {
    if let Some(item) = state.get(Kind::Product, wanted) {
        return Some(Goods { item, parent: None });
    }
    let item = state.get(Kind::Variation, wanted)?;
    Some(Goods { item, parent: state.get(Kind::Product, item.parent) })
}

/// What a line sells: its variation, else its product.
pub fn of_line<'a>(state: &'a State, line: &Fields) -> Option<Goods<'a>> {
    let (product, variation) = (id(line, "product_id"), id(line, "variation_id"));
    find(state, if variation > 0 { variation } else { product })
}

impl Goods<'_> {
    /// What one costs now.
    pub fn price(&self) -> Decimal {
        let fields = &self.item.fields;
        let name = ["price", "sale_price", "regular_price"].into_iter().find(|name| !text(fields, name).is_empty());
        name.map(|name| amount(fields, name)).unwrap_or_default()
    }

    /// As an order line is named: `Shirt - S, Red`.
    pub fn name(&self) -> String {
        let own = self.item.text("name");
        match self.parent {
            None => own.to_owned(),
            Some(parent) => {
                let options: Vec<&str> =
                    list(&self.item.fields, "attributes").map(|attribute| text(attribute, "option")).collect();
                let own = if options.is_empty() { own.to_owned() } else { options.join(", ") };
                format!("{} - {own}", parent.text("name"))
            }
        }
    }

    /// The class a line is taxed in; empty for the standard one.
    pub fn tax_class(&self) -> String {
        match (self.item.text("tax_class"), self.parent) {
            ("parent", Some(parent)) => parent.text("tax_class").to_owned(),
            (class, _) => class.to_owned(),
        }
    }

    /// Whether it is taxed at all.
    pub fn taxable(&self) -> bool {
        !matches!(self.item.text("tax_status"), "none" | "shipping")
    }

    /// Whether somebody must do something for it to reach the customer.
    pub fn needs_processing(&self) -> bool {
        !(self.item.flag("virtual") && self.item.flag("downloadable"))
    }

    /// The meta data a variation leaves on a line: one entry for each attribute.
    pub fn attributes(&self) -> Vec<(String, String)> {
        let named = |attribute: &Fields| {
            let name = text(attribute, "name").to_lowercase().replace(' ', "-");
            let (key, option) = match id(attribute, "id") {
                0 => (name, text(attribute, "option").to_owned()),
                _ => (format!("pa_{name}"), text(attribute, "option").to_lowercase().replace(' ', "-")),
            };
            (key, option)
        };
        match self.parent {
            Some(_) => list(&self.item.fields, "attributes").map(named).collect(),
            None => Vec::new(),
        }
    }

    /// The picture as lines show it. Without one a product's id is a text, a variation's a number.
    pub fn image(&self) -> Value {
        let pictures = std::iter::once(self.item).chain(self.parent);
        let own = pictures.filter_map(|object| {
            let single = object.fields.get("image").and_then(Value::as_object);
            single.or_else(|| list(&object.fields, "images").next()).filter(|image| id(image, "id") > 0)
        });
        match own.into_iter().next() {
            Some(image) => json!({"id": id(image, "id").to_string(), "src": text(image, "src")}),
            None if self.parent.is_some() => json!({"id": 0, "src": ""}),
            None => json!({"id": "", "src": ""}),
        }
    }
}

/// The shop's tax table and place.
pub fn pricing(ctx: &Ctx<'_>) -> Pricing {
    let base = Place { country: ctx.shop.country.clone(), ..Place::default() };
    let rates = if ctx.shop.tax.enabled { ctx.state.table(Kind::Tax).values().map(rate).collect() } else { Vec::new() };
    Pricing { rates, base }
}

/// One row of the tax table.
fn rate(row: &Object) -> TaxRate {
    let texts = |name: &str| {
        let items = row.fields.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let count = |name: &str| u32::try_from(row.int(name)).unwrap_or_default();
    TaxRate {
        id: row.id,
        country: row.text("country").to_owned(),
        state: row.text("state").to_owned(),
        postcodes: texts("postcodes"),
        cities: texts("cities"),
        rate: amount(&row.fields, "rate"),
        name: row.text("name").to_owned(),
        priority: count("priority"),
        compound: row.flag("compound"),
        shipping: row.flag("shipping"),
        order: count("order"),
        class: row.text("class").to_owned(),
    }
}

/// Computes an order's taxes and totals anew.
pub fn recalculate(ctx: &mut Ctx<'_>, order: &mut Fields) {
    let pricing = pricing(ctx);
    let untaxed: Vec<u64> = list(order, "line_items")
        .filter(|line| of_line(ctx.state, line).is_some_and(|goods| !goods.taxable()))
        .map(|line| id(line, "id"))
        .collect();
    let state = &mut *ctx.state;
    super::totals::recalculate(
        order,
        &pricing,
        |line| !untaxed.contains(&id(line, "id")),
        || state.next_id(crate::state::Sequence::Item),
    );
}

/// Meta data of an order line with its display twins.
pub fn line_meta(new_id: u64, key: &str, value: &Value) -> Fields {
    object(json!({"id": new_id, "key": key, "value": value}))
}
