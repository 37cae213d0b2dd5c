//! One product's forecast: pattern, method, coming periods, safety stock, reorder point.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    method::{self, Fit, Method},
    pattern::{self, Pattern},
    stock,
};

/// Smoothing constant for sizes and intervals: Croston's own suggestion is 0.1 to 0.2.
const INTERMITTENT_ALPHA: f64 = 0.1;
/// Constants that are tried for regular demand; the one with the least squared error is taken.
const ALPHAS: [f64; 6] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5];
const BETAS: [f64; 4] = [0.05, 0.1, 0.2, 0.3];
/// Shorter histories have no trend that could be told from chance.
const MIN_PERIODS_FOR_TREND: usize = 8;
/// A trend must lessen the squared error by this much to be believed.
const TREND_MUST_SAVE: f64 = 0.10;

pub(crate) struct Options {
    pub(crate) horizon: u32,
    /// In periods.
    pub(crate) lead_time: f64,
    pub(crate) service_level: f64,
    pub(crate) method: Option<Method>,
}

/// The forecast of one product. Amounts are per period unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// The product.
    pub product: String,
    /// Complete periods of history.
    pub periods: usize,
    /// How demand comes.
    pub pattern: Pattern,
    /// Periods per period with demand.
    pub adi: Option<f64>,
    /// Squared coefficient of variation of the demands that are not zero.
    pub cv2: Option<f64>,
    /// What the forecast was made with; nothing when there was no demand.
    pub method: Option<Method>,
    /// Expected demand of each coming period.
    pub forecast: Vec<f64>,
    /// Root of the mean squared error of one period's forecast; nothing when the history is too short to know it.
    pub deviation: Option<f64>,
    /// Expected demand until a delivery.
    pub lead_time_demand: f64,
    /// Stock against errors of the forecast, 0 when the deviation is not known.
    pub safety_stock: f64,
    /// Order when the stock falls to this: whole pieces.
    pub reorder_point: u64,
    /// What to know before relying on it.
    pub warnings: Vec<String>,
}

pub(crate) fn forecast(product: &str, demand: &[f64], options: &Options) -> Forecast {
    let measures = pattern::measure(demand);
    let pattern = measures.map_or(Pattern::None, pattern::Measures::pattern);
    let fitted = measures.and_then(|_| fit(demand, pattern, options.method));
    let (method, fit) =
        fitted.map_or((None, Fit { level: 0.0, trend: 0.0, errors: Vec::new() }), |(m, fit)| (Some(m), fit));
    let deviation = fit.mse().map(f64::sqrt);
    let lead_time_demand = over(&fit, options.lead_time);
    let safety_stock =
        deviation.map_or(0.0, |deviation| stock::safety_stock(options.service_level, deviation, options.lead_time));
    Forecast {
        product: product.to_owned(),
        periods: demand.len(),
        pattern,
        adi: measures.map(|measures| round(measures.adi)),
        cv2: measures.map(|measures| round(measures.cv2)),
        method,
        forecast: (1..=options.horizon).map(|step| round(fit.at(step))).collect(),
        deviation: deviation.map(round),
        lead_time_demand: round(lead_time_demand),
        safety_stock: round(safety_stock),
        reorder_point: (round(lead_time_demand + safety_stock)).ceil() as u64,
        warnings: warnings(demand, pattern),
    }
}

/// The asked method, or the one for the pattern: smoothing for smooth demand, SBA for all others (the paper of `pattern`).
fn fit(demand: &[f64], pattern: Pattern, asked: Option<Method>) -> Option<(Method, Fit)> {
    let method = match (asked, pattern) {
        (Some(asked), _) => asked,
        (None, Pattern::Smooth) => return Some(smooth(demand)),
        (None, _) => Method::Sba,
    };
    let fit = match method {
        Method::Ses => best_ses(demand),
        Method::Holt => best_holt(demand),
        Method::Croston => method::croston(demand, INTERMITTENT_ALPHA, INTERMITTENT_ALPHA)?,
        Method::Sba => method::sba(demand, INTERMITTENT_ALPHA, INTERMITTENT_ALPHA)?,
    };
    Some((method, fit))
}

/// A trend only where it clearly helps: a trend that is none runs away from the truth.
fn smooth(demand: &[f64]) -> (Method, Fit) {
    let ses = best_ses(demand);
    if demand.len() >= MIN_PERIODS_FOR_TREND {
        let holt = best_holt(demand);
        // The same periods on both sides: Holt's first two make its start.
        let of = |fit: &Fit| fit.errors[fit.errors.len() - (demand.len() - 2)..].iter().map(|e| e * e).sum::<f64>();
        if of(&holt) < of(&ses) * (1.0 - TREND_MUST_SAVE) {
            return (Method::Holt, holt);
        }
    }
    (Method::Ses, ses)
}

fn best_ses(demand: &[f64]) -> Fit {
    let (first, rest) = demand.split_first().map_or((0.0, demand), |(first, rest)| (*first, rest));
    best(ALPHAS.iter().map(|alpha| method::ses(rest, *alpha, first)))
}

fn best_holt(demand: &[f64]) -> Fit {
    match demand {
        // The level after two periods is the second, the trend their difference.
        [first, second, rest @ ..] => {
            let pairs = ALPHAS.iter().flat_map(|alpha| BETAS.iter().map(move |beta| (*alpha, *beta)));
            best(pairs.map(|(alpha, beta)| method::holt(rest, alpha, beta, *second, second - first)))
        }
        _ => best_ses(demand),
    }
}

fn best(fits: impl Iterator<Item = Fit>) -> Fit {
    let error = |fit: &Fit| fit.mse().unwrap_or_default();
    fits.min_by(|a, b| error(a).total_cmp(&error(b))).unwrap_or(Fit { level: 0.0, trend: 0.0, errors: Vec::new() })
}

/// Expected demand over some periods, the last of them a part.
fn over(fit: &Fit, periods: f64) -> f64 {
    let whole = periods.floor() as u32;
    let full: f64 = (1..=whole).map(|step| fit.at(step)).sum();
    full + fit.at(whole + 1) * periods.fract()
}

fn warnings(demand: &[f64], pattern: Pattern) -> Vec<String> {
    const FEW_DEMANDS: usize = 4;
    let mut warnings = Vec::new();
    let demands = demand.iter().filter(|size| **size > 0.0).count();
    if pattern == Pattern::None {
        warnings.push("nothing was sold in any complete period".to_owned());
    } else if demands < FEW_DEMANDS {
        warnings.push(format!("only {demands} periods with sales: this is a guess"));
    }
    let idle = demand.iter().rev().take_while(|size| **size == 0.0).count();
    let usual = demand.len().saturating_sub(idle).div_ceil(demands.max(1));
    // Croston's forecast stands still while nothing is sold, so somebody has to look.
    if demands > 0 && idle >= 2 * usual.max(2) {
        warnings.push(format!("nothing was sold in the last {idle} periods: is it still on sale?"));
    }
    warnings
}

/// Three decimals are more than any of this knows.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
