//! Forecasts demand per product from past sales and says at which stock to reorder. Sales come with the step's `with`, the
//! forecast goes out; nothing is asked of anyone but the time.

pub mod method;
pub mod pattern;
pub mod stock;
mod forecast;
mod history;

use cartwright_plugin::{Call, Failure, clock, clock::Moment, plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use forecast::Forecast;

/// Longest history in periods.
const MAX_PERIODS: u64 = 1_000;
/// Most periods that are forecast.
const MAX_HORIZON: u32 = 100;

/// Past sales and what is asked of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// What was sold: one entry a line of an order, in any order.
    sales: Vec<Sale>,
    /// Days of one period; 7 is a week.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 366))]
    period_days: u32,
    /// The first day of the history; the first sale of each product when absent.
    from: Option<Moment>,
    /// The end of the history; now when absent. A period that is not over is left out.
    until: Option<Moment>,
    /// How many periods to forecast.
    #[serde(default = "month")]
    #[schemars(range(min = 1, max = 100))]
    horizon: u32,
    /// Days from order to delivery.
    #[schemars(range(min = 0, max = 1000))]
    lead_time_days: u32,
    /// How often the stock shall last until the delivery: 0.95 is 19 times of 20.
    #[serde(default = "usually")]
    #[schemars(range(min = 0.5, max = 0.9999))]
    service_level: f64,
    /// Takes this method for every product instead of the one that fits its pattern.
    method: Option<method::Method>,
}

fn week() -> u32 {
    7
}

fn month() -> u32 {
    4
}

fn usually() -> f64 {
    0.95
}

/// One sale.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Sale {
    /// Anything that names the product: its SKU or its number as a text.
    product: String,
    /// When, such as the order's `date_created_gmt`.
    date: Moment,
    /// How many.
    #[schemars(range(min = 0))]
    quantity: f64,
}

/// The forecasts.
#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// One entry a product, by name.
    products: Vec<Forecast>,
    /// Where the history ends: the first forecast period begins here.
    until: Moment,
}

fn forecast(input: Input, _: &Call) -> Result<Output, Failure> {
    let until = match input.until {
        Some(until) => until,
        None => clock::now(),
    };
    check(&input)?;
    let options = forecast::Options {
        horizon: input.horizon,
        lead_time: f64::from(input.lead_time_days) / f64::from(input.period_days),
        service_level: input.service_level,
        method: input.method,
    };
    let histories = history::per_product(&input.sales, input.period_days, input.from, until)?;
    let products = histories.iter().map(|(product, demand)| forecast::forecast(product, demand, &options)).collect();
    Ok(Output { products, until })
}

/// What the schema says too, for those who call without the engine.
fn check(input: &Input) -> Result<(), Failure> {
    let wrong = |text: &str| Err(Failure::invalid(text));
    if !(1..=366).contains(&input.period_days) {
        return wrong("`period_days` must lie between 1 and 366");
    }
    if !(1..=MAX_HORIZON).contains(&input.horizon) {
        return wrong("`horizon` must lie between 1 and 100");
    }
    if !(0.5..=0.9999).contains(&input.service_level) {
        return wrong("`service_level` must lie between 0.5 and 0.9999");
    }
    if let Some(sale) = input.sales.iter().find(|sale| !(sale.quantity.is_finite() && sale.quantity >= 0.0)) {
        return Err(Failure::invalid(format_args!(
            "{} was sold {} times, which cannot be",
            sale.product, sale.quantity
        )));
    }
    Ok(())
}

plugin! {
    DemandForecast {
        name: "demand-forecast",
        description: "Forecasts demand per product from past sales (Croston, Syntetos-Boylan, exponential smoothing) and says at which stock to reorder.",
        functions: {
            "forecast": "Forecasts every product of a list of sales, with safety stock and reorder point." => forecast,
        },
    }
}
