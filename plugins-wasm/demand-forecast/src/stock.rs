//! How much stock to keep until a delivery comes: expected demand plus what the errors of the forecast ask for.
//!
//! Reorder point = forecast over the lead time + z * deviation * sqrt(lead time), the continuous-review (s, Q) rule for a
//! given probability of no stock-out in a cycle: E. A. Silver, D. F. Pyke and D. J. Thomas (2017), Inventory and Production
//! Management in Supply Chains, 4th edition, chapter 6. It takes errors for normal and independent.

/// The value below which a standard normal variable stays with this probability, 0 < p < 1. The rational approximation of
/// P. J. Acklam (2003); its relative error is below 1.15e-9.
#[expect(clippy::excessive_precision, reason = "coefficients as they were published")]
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.383577518672690e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 4] = [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00];
    const LOW: f64 = 0.02425;
    let poly = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p < LOW {
        let q = (-2.0 * p.ln()).sqrt();
        poly(&C, q) / (poly(&D, q) * q + 1.0)
    } else if p > 1.0 - LOW {
        -normal_quantile(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        poly(&A, r) * q / (poly(&B, r) * r + 1.0)
    }
}

/// Stock against errors: `deviation` is that of one period's forecast, `lead_time` is in periods.
pub fn safety_stock(service_level: f64, deviation: f64, lead_time: f64) -> f64 {
    (normal_quantile(service_level) * deviation * lead_time.sqrt()).max(0.0)
}
