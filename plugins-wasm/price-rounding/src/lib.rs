//! Rounds prices to endings that people like (9.99, 9.95, 10.00) without ever going below the margin that must stay. Costs
//! and wishes come with the step's `with`; all counting is in exact decimals.

mod amount;
pub mod price;

use cartwright_plugin::{Call, Failure, plugin};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use amount::Amount;
use price::{Direction, Rules};

/// Most products of one call.
const MAX_ITEMS: usize = 10_000;
/// Most endings.
const MAX_ENDINGS: usize = 20;
/// Most decimals of a currency: Bahrain, Kuwait and others have three; a fourth is for accounting units.
const MAX_DECIMALS: u32 = 4;

/// How prices are made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The part of the net price that must stay after the cost: 0.25 is a quarter.
    margin_floor: Amount,
    /// VAT as a part of the net price: 0.19. Prices include it. 0 when prices are net.
    #[serde(default)]
    vat: Amount,
    /// Endings to choose from, as a price's decimals or with the digits before them: ".99", "9.90". Where a currency has two
    /// decimals they are .99, .95 and .00 when nothing is said.
    endings: Option<Vec<String>>,
    /// Which of two neighbours is taken.
    #[serde(default)]
    direction: Direction,
    /// Decimals of the currency.
    #[serde(default = "cents")]
    #[schemars(range(min = 0, max = 4))]
    decimals: u32,
}

fn cents() -> u32 {
    2
}

/// Products with their costs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The products.
    items: Vec<Item>,
    /// How prices are made.
    settings: Settings,
}

/// One product.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// Whatever names it; comes back as it is.
    id: Option<serde_json::Value>,
    /// What it costs the shop, without VAT.
    cost: Amount,
    /// The price to round, with VAT; the lowest allowed one when absent.
    price: Option<Amount>,
}

/// Rounded prices.
#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// One entry a product, in their order.
    items: Vec<Rounded>,
    /// How many prices had to be raised because the wished one was below the floor.
    raised: usize,
}

/// One rounded price. Amounts are texts, as in the store's API.
#[derive(Debug, Serialize, JsonSchema)]
struct Rounded {
    /// As given.
    id: Option<serde_json::Value>,
    /// What to sell it for, VAT included.
    price: String,
    /// The price without VAT.
    net: String,
    /// The VAT in it.
    vat: String,
    /// The part of the net price that stays, rounded down to four decimals.
    margin: String,
    /// The lowest price that keeps the margin, before endings.
    floor: String,
    /// The wished price was below the floor.
    raised: bool,
}

fn round(input: Input, _: &Call) -> Result<Output, Failure> {
    if input.items.len() > MAX_ITEMS {
        return Err(Failure::invalid(format_args!(
            "{} items are too many, {MAX_ITEMS} are allowed",
            input.items.len()
        )));
    }
    let rules = rules(&input.settings)?;
    let items =
        input.items.into_iter().enumerate().map(|(at, item)| {
            one(item, &rules).map_err(|wrong| Failure::invalid(format_args!("items[{at}]: {wrong}")))
        });
    let items: Vec<Rounded> = items.collect::<Result<_, _>>()?;
    Ok(Output { raised: items.iter().filter(|item| item.raised).count(), items })
}

fn rules(settings: &Settings) -> Result<Rules, Failure> {
    if settings.decimals > MAX_DECIMALS {
        return Err(Failure::invalid(format_args!("`decimals` is at most {MAX_DECIMALS}")));
    }
    let usual = || (settings.decimals == 2).then(|| [".99", ".95", ".00"].map(str::to_owned).to_vec());
    let Some(endings) = settings.endings.clone().or_else(usual) else {
        return Err(Failure::invalid("say `endings`: there are none that all prices without cents share"));
    };
    if endings.is_empty() || endings.len() > MAX_ENDINGS {
        return Err(Failure::invalid(format_args!("`endings` names 1 to {MAX_ENDINGS} endings")));
    }
    let endings = endings.iter().map(|text| price::Ending::parse(text, settings.decimals));
    Rules::new(
        settings.margin_floor.0,
        settings.vat.0,
        endings.collect::<Result<_, _>>().map_err(Failure::invalid)?,
        settings.direction,
        settings.decimals,
    )
    .map_err(Failure::invalid)
}

fn one(item: Item, rules: &Rules) -> Result<Rounded, String> {
    let found = rules.round(item.cost.0, item.price.map(|price| price.0))?;
    let text = |amount: Decimal| format!("{amount:.*}", rules.decimals() as usize);
    Ok(Rounded {
        id: item.id,
        price: text(found.price),
        net: text(found.net),
        vat: text(found.price - found.net),
        margin: format!("{:.4}", found.margin),
        floor: text(found.floor),
        raised: item.price.is_some_and(|price| price.0 < found.floor),
    })
}

plugin! {
    PriceRounding {
        name: "price-rounding",
        description: "Rounds prices to endings that people like, and never below the margin that they must keep.",
        functions: {
            "round": "Rounds the prices of a list of products." => round,
        },
    }
}
