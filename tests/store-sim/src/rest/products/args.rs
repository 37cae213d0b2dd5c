//! What products take.

use super::super::args::{Arg, Is};
use super::super::meta;

/// What the list takes besides the paging.
pub(super) const LIST: &[Arg] = &[
    Arg::new(
        "orderby",
        Is::OneOf(&[
            "date",
            "id",
            "include",
            "title",
            "slug",
            "modified",
            "popularity",
            "rating",
            "post__in",
            "price",
            "sales",
            "menu_order",
            "random",
            "popularity",
            "rating",
            "menu_order",
            "price",
            "popularity",
            "rating",
        ]),
    ),
    Arg::new("parent", Is::List(&Is::Int)),
    Arg::new("slug", Is::Text),
    Arg::new("status", Is::OneOf(&["any", "future", "trash", "draft", "pending", "private", "publish"])),
    Arg::new("type", Is::OneOf(&["simple", "grouped", "external", "variable"])),
    Arg::new("sku", Is::Text),
    Arg::new("featured", Is::Flag),
    Arg::new("category", Is::Text),
    Arg::new("tag", Is::Text),
    Arg::new("brand", Is::Text),
    Arg::new("tax_class", Is::Text),
    Arg::new("on_sale", Is::Flag),
    Arg::new("min_price", Is::Text),
    Arg::new("max_price", Is::Text),
    Arg::new("stock_status", STOCK_STATUS),
];

pub(in crate::rest) const STOCK_STATUS: Is = Is::OneOf(&["instock", "outofstock", "onbackorder"]);
const STATUS: Is = Is::OneOf(&["draft", "pending", "private", "publish", "future", "auto-draft", "trash"]);
const TERM: Is =
    Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("name", Is::Text), Arg::new("slug", Is::Text)]));
pub(in crate::rest) const DIMENSIONS: Is =
    Is::Object(&[Arg::new("length", Is::Text), Arg::new("width", Is::Text), Arg::new("height", Is::Text)]);
const IMAGES: Is = Is::List(&Is::Object(&[
    Arg::new("id", Is::Int),
    Arg::new("src", Is::Text),
    Arg::new("name", Is::Text),
    Arg::new("alt", Is::Text),
]));
const ATTRIBUTES: Is = Is::List(&Is::Object(&[
    Arg::new("id", Is::Int),
    Arg::new("name", Is::Text),
    Arg::new("position", Is::Int),
    Arg::new("visible", Is::Flag),
    Arg::new("variation", Is::Flag),
    Arg::new("options", Is::List(&Is::Text)),
]));
pub(in crate::rest) const OPTIONS: Is =
    Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("name", Is::Text), Arg::new("option", Is::Text)]));

/// The writable fields.
pub(super) const ITEM: &[Arg] = &[
    Arg::new("name", Is::Text),
    Arg::new("slug", Is::Text),
    Arg::new("type", Is::OneOf(&["simple", "grouped", "external", "variable", "variation"])),
    Arg::new("status", STATUS),
    Arg::new("featured", Is::Flag),
    Arg::new("catalog_visibility", Is::OneOf(&["visible", "catalog", "search", "hidden"])),
    Arg::new("description", Is::Text),
    Arg::new("short_description", Is::Text),
    Arg::new("sku", Is::Text),
    Arg::new("global_unique_id", Is::Text),
    Arg::new("regular_price", Is::Text),
    Arg::new("sale_price", Is::Text),
    Arg::new("virtual", Is::Flag),
    Arg::new("downloadable", Is::Flag),
    Arg::new("downloads", Is::List(&Is::Object(&[]))),
    Arg::new("download_limit", Is::Int),
    Arg::new("download_expiry", Is::Int),
    Arg::new("external_url", Is::Uri),
    Arg::new("button_text", Is::Text),
    Arg::new("tax_status", Is::OneOf(&["taxable", "shipping", "none"])),
    Arg::new("tax_class", Is::Text),
    Arg::new("manage_stock", Is::Flag),
    Arg::new("stock_quantity", Is::Int),
    Arg::new("stock_status", STOCK_STATUS),
    Arg::new("backorders", Is::OneOf(&["no", "notify", "yes"])),
    Arg::new("low_stock_amount", Is::Any(&[Is::Int])),
    Arg::new("sold_individually", Is::Flag),
    Arg::new("weight", Is::Text),
    Arg::new("dimensions", DIMENSIONS),
    Arg::new("shipping_class", Is::Text),
    Arg::new("reviews_allowed", Is::Flag),
    Arg::new("upsell_ids", Is::List(&Is::Int)),
    Arg::new("cross_sell_ids", Is::List(&Is::Int)),
    Arg::new("parent_id", Is::Int),
    Arg::new("purchase_note", Is::Text),
    Arg::new("categories", TERM),
    Arg::new("tags", TERM),
    Arg::new("brands", TERM),
    Arg::new("images", IMAGES),
    Arg::new("attributes", ATTRIBUTES),
    Arg::new("default_attributes", OPTIONS),
    Arg::new("grouped_products", Is::List(&Is::Int)),
    Arg::new("menu_order", Is::Int),
    Arg::new("post_password", Is::Text),
    meta::ARG,
];
