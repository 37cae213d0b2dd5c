//! What the demo's stores sell and to whom: put on the shelves through each store's own REST API, as a merchant's
//! import would.

use anyhow::{Context as _, bail};
use cartwright_core::Json;
use cartwright_store_sim::{Request, Shop};
use serde_json::json;

use super::dice::Dice;

/// `(name, price, category)`
type Good = (&'static str, &'static str, &'static str);

/// What kinds of stores there are: title, the beginning of SKUs, goods.
const TRADES: [(&str, &str, [Good; 8]); 4] = [
    (
        "Kitchen & Table",
        "KIT",
        [
            ("Linen apron", "34.90", "Textiles"),
            ("Oak breadboard", "42.50", "Wood"),
            ("Enamel mug", "12.90", "Tableware"),
            ("Cast-iron pan", "89.90", "Cookware"),
            ("Beeswax candles", "15.75", "Home"),
            ("Ceramic teapot", "64.00", "Tableware"),
            ("Wool blanket", "119.00", "Textiles"),
            ("Copper kettle", "149.50", "Cookware"),
        ],
    ),
    (
        "Tea & Coffee",
        "TEA",
        [
            ("Assam second flush", "14.20", "Tea"),
            ("Sencha", "16.80", "Tea"),
            ("Espresso beans 1 kg", "27.90", "Coffee"),
            ("Ethiopia Guji 250 g", "13.50", "Coffee"),
            ("Hand grinder", "98.00", "Equipment"),
            ("Gooseneck kettle", "74.50", "Equipment"),
            ("Filter papers", "5.40", "Equipment"),
            ("Tasting box", "49.00", "Gifts"),
        ],
    ),
    (
        "Trail Outfitters",
        "TRL",
        [
            ("Merino shirt", "69.90", "Clothing"),
            ("Rain jacket", "159.00", "Clothing"),
            ("Trekking poles", "79.95", "Equipment"),
            ("Head torch", "44.90", "Equipment"),
            ("Wool socks", "18.50", "Clothing"),
            ("Titanium mug", "32.00", "Camp"),
            ("Two-person tent", "289.00", "Camp"),
            ("Walking map", "11.90", "Maps"),
        ],
    ),
    (
        "Paper & Ink",
        "INK",
        [
            ("Dotted notebook", "17.90", "Notebooks"),
            ("Fountain pen", "58.00", "Pens"),
            ("Bottle of ink", "12.50", "Pens"),
            ("Letter paper", "14.00", "Paper"),
            ("Brass ruler", "21.90", "Tools"),
            ("Desk organiser", "86.00", "Tools"),
            ("Leather folder", "129.00", "Gifts"),
            ("Wall planner", "24.50", "Paper"),
        ],
    ),
];
const FIRST: [&str; 10] = ["Aoife", "Björn", "Chiara", "Dmitri", "Elif", "Femke", "Gaël", "Hana", "Iñaki", "Jakub"];
const LAST: [&str; 10] =
    ["Almeida", "Bakker", "Czerny", "Dubois", "Eriksen", "Fischer", "Grün", "Horvat", "Ivanova", "Jansen"];
/// People with an account; the others buy as guests.
const CUSTOMERS: usize = 12;
/// Below this a product is worth restocking; `restock.yaml` says the same.
const LOW_STOCK: u64 = 3;

/// A person who buys.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// 0 for a guest.
    pub(super) id: u64,
    pub(super) address: Vec<(String, String)>,
}

/// Something on the shelf.
#[derive(Debug, Clone)]
pub(super) struct Article {
    pub(super) id: u64,
    pub(super) name: &'static str,
}

/// What one store begins with.
#[derive(Debug, Clone)]
pub(super) struct Stock {
    pub(super) articles: Vec<Article>,
    pub(super) customers: Vec<Person>,
}

/// The title of the store with this number.
pub(super) fn title(number: usize) -> &'static str {
    TRADES[number % TRADES.len()].0
}

/// Fills the shelves and the customer list of the store with this number.
pub(super) fn fill(shop: &Shop, key: &(String, String), number: usize, dice: &mut Dice) -> anyhow::Result<Stock> {
    let (_, sku, goods) = &TRADES[number % TRADES.len()];
    let tax = json!({ "country": "DE", "rate": "19.0000", "name": "VAT", "shipping": true });
    ask(shop, key, "taxes", &tax)?;
    let mut categories: Vec<(&str, u64)> = Vec::new();
    let mut articles = Vec::new();
    for (at, (name, price, category)) in goods.iter().enumerate() {
        let known = categories.iter().find(|(known, _)| known == category).map(|(_, id)| *id);
        let category = match known {
            Some(id) => id,
            None => {
                let id = ask(shop, key, "products/categories", &json!({ "name": category }))?;
                categories.push((category, id));
                id
            }
        };
        // One shelf is nearly empty, so that restocking is seen soon.
        let pieces = if at == 2 { LOW_STOCK + 2 } else { LOW_STOCK + 4 + dice.below(14) };
        let product = json!({
            "name": name, "sku": format!("{sku}-{}", 100 + at), "regular_price": price, "categories": [{ "id": category }],
            "manage_stock": true, "stock_quantity": pieces, "low_stock_amount": LOW_STOCK,
        });
        articles.push(Article { id: ask(shop, key, "products", &product)?, name });
    }
    let mut customers = Vec::new();
    for at in 0..CUSTOMERS {
        let mut person = person(dice, Some(at));
        let address: serde_json::Map<String, Json> =
            person.address.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let account = json!({ "email": address["email"], "first_name": address["first_name"],
            "last_name": address["last_name"], "billing": address });
        person.id = ask(shop, key, "customers", &account)?;
        customers.push(person);
    }
    Ok(Stock { articles, customers })
}

/// Somebody; a guest where no number is given.
pub(super) fn person(dice: &mut Dice, number: Option<usize>) -> Person {
    let (first, last) = (dice.pick(&FIRST), dice.pick(&LAST));
    let mailbox = number.map_or_else(|| format!("guest{}", dice.below(5000)), |number| format!("customer{number}"));
    let address = [
        ("first_name", first.to_owned()),
        ("last_name", last.to_owned()),
        ("address_1", format!("Harbour Lane {}", 1 + dice.below(120))),
        ("city", "Kiel".to_owned()),
        ("postcode", format!("24{:03}", dice.below(1000))),
        ("country", "DE".to_owned()),
        ("email", format!("{mailbox}@mail.example")),
    ];
    let address = address.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Person { id: 0, address }
}

/// One POST to the store's REST API; the id of what it made.
fn ask(shop: &Shop, (key, secret): &(String, String), path: &str, body: &Json) -> anyhow::Result<u64> {
    let response = shop.handle(Request {
        method: "POST".to_owned(),
        target: format!("/wp-json/wc/v3/{path}?consumer_key={key}&consumer_secret={secret}"),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        https: true,
    });
    let made: Json = serde_json::from_slice(&response.body).with_context(|| format!("POST {path}"))?;
    match made["id"].as_u64() {
        Some(id) if response.status == 201 => Ok(id),
        _ => bail!("the look-alike store refused POST {path}: {} {made}", response.status),
    }
}
