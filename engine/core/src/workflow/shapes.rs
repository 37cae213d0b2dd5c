//! What WooCommerce's objects look like on the wire (REST API v3, as webhooks carry them too): which fields there are and
//! what they hold. Measured on recorded objects of a real store; fields that plugins add are not here.

/// The fields of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// What people call such an object: `order`.
    pub name: &'static str,
    /// Field and what it holds, in the order of the wire.
    pub fields: &'static [(&'static str, Holds)],
}

/// What a field holds; any of them may also be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A JSON number.
    Number,
    /// A number written as text (money, weights, ratings), or an empty text.
    Amount,
    /// A text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A time written as text: `2026-11-21T09:30:00`.
    Date,
    /// A list of numbers.
    Numbers,
    /// A list of texts.
    Texts,
    /// An object.
    Map(&'static Table),
    /// A list of objects.
    Items(&'static Table),
    /// Anything: what plugins put there, or what differs from store to store.
    Any,
}

use Holds::{Amount, Any, Bool, Date, Items, Map, Number, Numbers, Text, Texts};

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $title:literal { $($field:ident: $holds:expr),* $(,)? })*) => {
        $($(#[$doc])* pub static $name: Table = Table { name: $title, fields: &[$((stringify!($field), $holds)),*] };)*
    };
}

tables! {
    /// `orders`
    ORDER = "order" {
        id: Number, parent_id: Number, status: Text, currency: Text, version: Text, prices_include_tax: Bool,
        date_created: Date, date_modified: Date, discount_total: Amount, discount_tax: Amount, shipping_total: Amount,
        shipping_tax: Amount, cart_tax: Amount, total: Amount, total_tax: Amount, customer_id: Number, order_key: Text,
        billing: Map(&BILLING), shipping: Map(&SHIPPING), payment_method: Text, payment_method_title: Text,
        transaction_id: Text, customer_ip_address: Text, customer_user_agent: Text, created_via: Text,
        customer_note: Text, date_completed: Date, date_paid: Date, cart_hash: Text, number: Text, meta_data: Any,
        line_items: Items(&LINE_ITEM), tax_lines: Items(&TAX_LINE), shipping_lines: Items(&SHIPPING_LINE),
        fee_lines: Items(&FEE_LINE), coupon_lines: Items(&COUPON_LINE), refunds: Items(&ORDER_REFUND),
        payment_url: Text, is_editable: Bool, needs_payment: Bool, needs_processing: Bool, date_created_gmt: Date,
        date_modified_gmt: Date, date_completed_gmt: Date, date_paid_gmt: Date, currency_symbol: Text, _links: Any,
    }
    /// The address that is paid from.
    BILLING = "billing address" {
        first_name: Text, last_name: Text, company: Text, address_1: Text, address_2: Text, city: Text, state: Text,
        postcode: Text, country: Text, email: Text, phone: Text,
    }
    /// The address that is sent to.
    SHIPPING = "shipping address" {
        first_name: Text, last_name: Text, company: Text, address_1: Text, address_2: Text, city: Text, state: Text,
        postcode: Text, country: Text, phone: Text,
    }
    /// A product in an order.
    LINE_ITEM = "line item" {
        id: Number, name: Text, product_id: Number, variation_id: Number, quantity: Number, tax_class: Text,
        subtotal: Amount, subtotal_tax: Amount, total: Amount, total_tax: Amount, taxes: Items(&LINE_TAX),
        meta_data: Any, sku: Text, global_unique_id: Text, price: Number, image: Any, parent_name: Text,
    }
    /// A tax of a line.
    LINE_TAX = "tax of a line" { id: Number, total: Amount, subtotal: Amount }
    /// A tax of an order.
    TAX_LINE = "tax line" {
        id: Number, rate_code: Text, rate_id: Number, label: Text, compound: Bool, tax_total: Amount,
        shipping_tax_total: Amount, rate_percent: Number, meta_data: Any,
    }
    /// A way of shipping that an order uses.
    SHIPPING_LINE = "shipping line" {
        id: Number, method_title: Text, method_id: Text, instance_id: Text, total: Amount, total_tax: Amount,
        taxes: Items(&LINE_TAX), tax_status: Text, meta_data: Any,
    }
    /// A fee of an order.
    FEE_LINE = "fee line" {
        id: Number, name: Text, tax_class: Text, tax_status: Text, amount: Amount, total: Amount, total_tax: Amount,
        taxes: Items(&LINE_TAX), meta_data: Any,
    }
    /// A coupon that an order uses.
    COUPON_LINE = "coupon line" {
        id: Number, code: Text, discount: Amount, discount_tax: Amount, meta_data: Any, discount_type: Text,
        nominal_amount: Number, free_shipping: Bool,
    }
    /// A refund as its order names it.
    ORDER_REFUND = "refund of the order" { id: Number, reason: Text, total: Amount, total_tax: Amount }
    /// `products`
    PRODUCT = "product" {
        id: Number, name: Text, slug: Text, permalink: Text, date_created: Date, date_created_gmt: Date,
        date_modified: Date, date_modified_gmt: Date, type: Text, status: Text, featured: Bool,
        catalog_visibility: Text, description: Text, short_description: Text, sku: Text, price: Amount,
        regular_price: Amount, sale_price: Amount, date_on_sale_from: Date, date_on_sale_from_gmt: Date,
        date_on_sale_to: Date, date_on_sale_to_gmt: Date, on_sale: Bool, purchasable: Bool, total_sales: Any,
        virtual: Bool, downloadable: Bool, downloads: Any, download_limit: Number, download_expiry: Number,
        external_url: Text, button_text: Text, tax_status: Text, tax_class: Text, manage_stock: Any,
        stock_quantity: Number, stock_status: Text, backorders: Text, backorders_allowed: Bool, backordered: Bool,
        low_stock_amount: Number, sold_individually: Bool, weight: Amount, dimensions: Map(&DIMENSIONS),
        shipping_required: Bool, shipping_taxable: Bool, shipping_class: Text, shipping_class_id: Number,
        reviews_allowed: Bool, average_rating: Amount, rating_count: Number, upsell_ids: Numbers,
        cross_sell_ids: Numbers, parent_id: Number, purchase_note: Text, categories: Items(&TERM), brands: Items(&TERM),
        tags: Items(&TERM), images: Items(&IMAGE), attributes: Items(&ATTRIBUTE),
        default_attributes: Items(&CHOSEN_ATTRIBUTE), variations: Numbers, grouped_products: Numbers,
        menu_order: Number, price_html: Text, related_ids: Numbers, meta_data: Any, has_options: Bool,
        post_password: Text, global_unique_id: Text, permalink_template: Text, generated_slug: Text, _links: Any,
    }
    /// `products/ID/variations`, and the body of `product.updated` when a variation changes
    VARIATION = "variation" {
        id: Number, type: Text, date_created: Date, date_created_gmt: Date, date_modified: Date,
        date_modified_gmt: Date, name: Text, slug: Text, description: Text, short_description: Text, permalink: Text,
        sku: Text, global_unique_id: Text, price: Amount, regular_price: Amount, sale_price: Amount,
        date_on_sale_from: Date, date_on_sale_from_gmt: Date, date_on_sale_to: Date, date_on_sale_to_gmt: Date,
        on_sale: Bool, status: Text, purchasable: Bool, featured: Bool, catalog_visibility: Text, total_sales: Any,
        virtual: Bool, downloadable: Bool, downloads: Any, download_limit: Number, download_expiry: Number,
        external_url: Text, button_text: Text, tax_status: Text, tax_class: Text, manage_stock: Any,
        stock_quantity: Number, stock_status: Text, backorders: Text, backorders_allowed: Bool, backordered: Bool,
        low_stock_amount: Number, sold_individually: Bool, weight: Amount, dimensions: Map(&DIMENSIONS),
        shipping_required: Bool, shipping_taxable: Bool, shipping_class: Text, shipping_class_id: Number,
        reviews_allowed: Bool, average_rating: Amount, rating_count: Number, upsell_ids: Numbers,
        cross_sell_ids: Numbers, parent_id: Number, purchase_note: Text, image: Any, gallery_image_ids: Numbers,
        images: Items(&IMAGE), categories: Items(&TERM), brands: Items(&TERM), tags: Items(&TERM),
        attributes: Items(&CHOSEN_ATTRIBUTE), default_attributes: Items(&CHOSEN_ATTRIBUTE), variations: Numbers,
        grouped_products: Numbers, menu_order: Number, price_html: Text, related_ids: Numbers, has_options: Bool,
        post_password: Text, meta_data: Any, _links: Any,
    }
    /// Length, width and height.
    DIMENSIONS = "dimensions" { length: Amount, width: Amount, height: Amount }
    /// A category, a brand or a tag.
    TERM = "category, brand or tag" { id: Number, name: Text, slug: Text }
    /// A picture.
    IMAGE = "image" {
        id: Number, date_created: Date, date_created_gmt: Date, date_modified: Date, date_modified_gmt: Date, src: Text,
        name: Text, alt: Text, srcset: Any, sizes: Any, thumbnail: Any,
    }
    /// What varies in a product.
    ATTRIBUTE = "attribute" {
        id: Number, name: Text, slug: Text, position: Number, visible: Bool, variation: Bool, options: Texts,
    }
    /// What a variation is.
    CHOSEN_ATTRIBUTE = "attribute" { id: Number, name: Text, slug: Text, option: Text }
    /// `customers`
    CUSTOMER = "customer" {
        id: Number, date_created: Date, date_created_gmt: Date, date_modified: Date, date_modified_gmt: Date,
        email: Text, first_name: Text, last_name: Text, role: Text, username: Text, billing: Map(&BILLING),
        shipping: Map(&SHIPPING), is_paying_customer: Bool, avatar_url: Text, meta_data: Any, _links: Any,
    }
    /// `coupons`
    COUPON = "coupon" {
        id: Number, code: Text, amount: Amount, status: Text, date_created: Date, date_created_gmt: Date,
        date_modified: Date, date_modified_gmt: Date, discount_type: Text, description: Text, date_expires: Date,
        date_expires_gmt: Date, usage_count: Number, individual_use: Bool, product_ids: Numbers,
        excluded_product_ids: Numbers, usage_limit: Number, usage_limit_per_user: Number,
        limit_usage_to_x_items: Number, free_shipping: Bool, product_categories: Numbers,
        excluded_product_categories: Numbers, exclude_sale_items: Bool, minimum_amount: Amount,
        maximum_amount: Amount, email_restrictions: Texts, used_by: Texts, meta_data: Any, _links: Any,
    }
    /// `orders/ID/refunds` and `refunds`
    REFUND = "refund" {
        id: Number, parent_id: Number, date_created: Date, date_created_gmt: Date, amount: Amount, reason: Text,
        refunded_by: Number, refunded_payment: Bool, meta_data: Any, line_items: Items(&LINE_ITEM),
        shipping_lines: Items(&SHIPPING_LINE), tax_lines: Items(&TAX_LINE), fee_lines: Items(&FEE_LINE), _links: Any,
    }
    /// `orders/ID/notes`
    NOTE = "order note" {
        id: Number, author: Text, date_created: Date, date_created_gmt: Date, note: Text, customer_note: Bool,
        _links: Any,
    }
    /// All that is known of what was deleted.
    DELETED = "deleted object" { id: Number }
}

impl Table {
    /// What a field holds; `None`: there is no such field.
    pub fn field(&self, name: &str) -> Option<Holds> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, holds)| *holds)
    }
}

/// What the data of a store's topic may be, `order.*` included; `None` where that is not known.
pub fn of_topic(topic: &str) -> Option<Vec<&'static Table>> {
    let (object, verb) = topic.split_once('.')?;
    let mut tables = match object {
        "order" => vec![&ORDER],
        "product" => vec![&PRODUCT, &VARIATION],
        "customer" => vec![&CUSTOMER],
        "coupon" => vec![&COUPON],
        _ => return None,
    };
    match verb {
        "deleted" => tables = vec![&DELETED],
        "*" => tables.push(&DELETED),
        "created" | "updated" | "restored" | "published" => {}
        _ => return None,
    }
    Some(tables)
}

/// What answers at a path of the REST API, a list or one object; `{}` stands for an id in `path`.
pub fn of_path(path: &str) -> Option<(Vec<&'static Table>, bool)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let id = |part: &str| part == "{}" || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let tables = match parts[..] {
        ["orders", ..] if parts.len() <= 2 => vec![&ORDER],
        ["orders", _, "notes", ..] if parts.len() <= 4 => vec![&NOTE],
        ["orders", _, "refunds", ..] if parts.len() <= 4 => vec![&REFUND],
        ["refunds"] => vec![&REFUND],
        // A search by SKU finds variations as well.
        ["products"] => vec![&PRODUCT, &VARIATION],
        ["products", one] if id(one) => vec![&PRODUCT, &VARIATION],
        ["products", _, "variations", ..] if parts.len() <= 4 => vec![&VARIATION],
        ["customers", ..] if parts.len() <= 2 => vec![&CUSTOMER],
        ["coupons", ..] if parts.len() <= 2 => vec![&COUPON],
        _ => return None,
    };
    let list = parts.len() % 2 == 1;
    (list || parts.last().is_some_and(|last| id(last))).then_some((tables, list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_paths_lead_to_tables() {
        let names = |tables: Vec<&'static Table>| tables.iter().map(|table| table.name).collect::<Vec<_>>();
        assert_eq!(of_topic("order.created").map(names), Some(vec!["order"]));
        assert_eq!(of_topic("product.updated").map(names), Some(vec!["product", "variation"]));
        assert_eq!(of_topic("coupon.deleted").map(names), Some(vec!["deleted object"]));
        assert_eq!(of_topic("action.woocommerce_low_stock"), None);
        assert_eq!(of_topic("*"), None);
        for (path, name, list) in [
            ("orders", "order", true),
            ("orders/{}", "order", false),
            ("/orders/61/notes", "order note", true),
            ("orders/{}/notes/4", "order note", false),
            ("products/{}/variations", "variation", true),
            ("customers/7", "customer", false),
        ] {
            let (tables, is_list) = of_path(path).expect(path);
            assert_eq!((tables[0].name, is_list), (name, list), "{path}");
        }
        for path in ["products/categories", "orders/batch", "settings", "orders/{}/notes/{}/x", ""] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }
}
