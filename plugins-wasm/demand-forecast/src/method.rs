//! The forecasting methods, each as its source defines it. All take demand per period, oldest first, and give what to
//! expect of each coming period and how wrong they were on the way.
//!
//! - Simple exponential smoothing: R. G. Brown (1956), as in NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.1.
//! - Linear trend: C. C. Holt (1957, reprinted 2004 in International Journal of Forecasting 20, 5-10), as in the same
//!   handbook, 6.4.3.3.
//! - Croston: J. D. Croston (1972), "Forecasting and stock control for intermittent demands", Operational Research
//!   Quarterly 23, 289-303. Started with the first demand and the first interval, as Hyndman and Athanasopoulos do
//!   (Forecasting: Principles and Practice, 2nd edition, 12.2).
//! - SBA: A. A. Syntetos and J. E. Boylan (2005), "The accuracy of intermittent demand estimates", International Journal of
//!   Forecasting 21, 303-314: Croston's forecast times 1 - alpha/2, alpha being the intervals' smoothing constant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A method by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Simple exponential smoothing.
    Ses,
    /// Holt's linear trend.
    Holt,
    /// Croston's method.
    Croston,
    /// The Syntetos-Boylan approximation.
    Sba,
}

/// What a method makes of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Expected demand of the next period.
    pub level: f64,
    /// How much more each period after it.
    pub trend: f64,
    /// One-step errors: what came, less what was expected before it came.
    pub errors: Vec<f64>,
}

impl Fit {
    /// What to expect of the coming period number `step`, from 1 on. Demand is never negative.
    pub fn at(&self, step: u32) -> f64 {
        (self.level + self.trend * f64::from(step - 1)).max(0.0)
    }

    /// Mean squared one-step error; nothing when there was no step to be wrong in.
    pub fn mse(&self) -> Option<f64> {
        let count = self.errors.len() as f64;
        (count > 0.0).then(|| self.errors.iter().map(|error| error * error).sum::<f64>() / count)
    }
}

/// Simple exponential smoothing from a first level.
pub fn ses(demand: &[f64], alpha: f64, start: f64) -> Fit {
    let mut level = start;
    let mut errors = Vec::with_capacity(demand.len());
    for actual in demand {
        let error = actual - level;
        level += alpha * error;
        errors.push(error);
    }
    Fit { level, trend: 0.0, errors }
}

/// Holt's linear trend from a first level and trend. `beta` smooths the trend.
pub fn holt(demand: &[f64], alpha: f64, beta: f64, start: f64, trend: f64) -> Fit {
    let (mut level, mut trend) = (start, trend);
    let mut errors = Vec::with_capacity(demand.len());
    for actual in demand {
        let expected = level + trend;
        let next = alpha * actual + (1.0 - alpha) * expected;
        trend = beta * (next - level) + (1.0 - beta) * trend;
        level = next;
        errors.push(actual - expected);
    }
    Fit { level: level + trend, trend, errors }
}

/// Croston's method with constants for sizes and intervals; `factor` is 1 for his own. Nothing without demand.
fn croston_times(demand: &[f64], alpha: f64, beta: f64, factor: f64) -> Option<Fit> {
    let first = demand.iter().position(|size| *size > 0.0)?;
    let (mut size, mut interval, mut since) = (demand[first], (first + 1) as f64, 0.0);
    let mut errors = Vec::new();
    for actual in &demand[first + 1..] {
        errors.push(actual - factor * size / interval);
        since += 1.0;
        if *actual > 0.0 {
            size += alpha * (actual - size);
            interval += beta * (since - interval);
            since = 0.0;
        }
    }
    Some(Fit { level: factor * size / interval, trend: 0.0, errors })
}

/// Croston's method; nothing without demand.
pub fn croston(demand: &[f64], alpha: f64, beta: f64) -> Option<Fit> {
    croston_times(demand, alpha, beta, 1.0)
}

/// The Syntetos-Boylan approximation; nothing without demand.
pub fn sba(demand: &[f64], alpha: f64, beta: f64) -> Option<Fit> {
    croston_times(demand, alpha, beta, 1.0 - beta / 2.0)
}
