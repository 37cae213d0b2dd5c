//! The methods against figures that others published.

use demand_forecast::{
    method::{croston, holt, sba, ses},
    pattern::{Pattern, measure},
    stock::{normal_quantile, safety_stock},
};

#[track_caller]
fn close(found: f64, published: f64, decimals: i32) {
    let tolerance = 0.5 * 10f64.powi(-decimals) + 1e-9;
    assert!((found - published).abs() <= tolerance, "{found} is not {published} to {decimals} decimals");
}

/// Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 2nd edition, section 12.2
/// (otexts.com/fpp2/counts.html): monthly lubricant sales, demand forecast 2.750, arrival forecast 2.793, together 0.985.
#[test]
fn croston_on_lubricant_sales() {
    let sales: [f64; 36] = [
        0., 2., 0., 1., 0., 11., 0., 0., 0., 0., 2., 0., //
        6., 3., 0., 0., 0., 0., 0., 7., 0., 0., 0., 0., //
        0., 0., 0., 3., 1., 0., 0., 1., 0., 1., 0., 0.,
    ];
    let sizes: Vec<f64> = sales.iter().copied().filter(|size| *size > 0.0).collect();
    close(ses(&sizes[1..], 0.1, sizes[0]).level, 2.750, 3);
    let intervals = [2., 2., 2., 5., 2., 1., 6., 8., 1., 3., 2.];
    close(ses(&intervals[1..], 0.1, intervals[0]).level, 2.793, 3);
    close(croston(&sales, 0.1, 0.1).unwrap().level, 0.985, 3);
    let measures = measure(&sales).unwrap();
    close(measures.adi, 36.0 / 11.0, 9);
    assert_eq!(measures.pattern(), Pattern::Lumpy);
}

/// The tests of the Python package `intermittent_forecast` (its `TestCroston`): the series 0, 1, 0, 2 with constants 0.5 for
/// sizes and 0.4 for intervals forecasts 0.75 by Croston and 0.6 by SBA, and 0.5 and 0.4 a period before.
#[test]
fn croston_and_sba_with_two_constants() {
    let series = [0., 1., 0., 2.];
    close(croston(&series, 0.5, 0.4).unwrap().level, 0.75, 9);
    close(sba(&series, 0.5, 0.4).unwrap().level, 0.6, 9);
    close(croston(&series[..3], 0.5, 0.4).unwrap().level, 0.5, 9);
    close(sba(&series[..3], 0.5, 0.4).unwrap().level, 0.4, 9);
}

/// NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.1: the smoothed values of twelve points with alpha 0.1, the mean
/// squared error 19.0; 6.4.3.2: the forecast of the next period, 71.50.
#[test]
fn simple_smoothing_on_twelve_points() {
    let data = [71., 70., 69., 68., 64., 65., 72., 78., 75., 75., 75., 70.];
    let smoothed = [71., 70.9, 70.71, 70.44, 69.80, 69.32, 69.58, 70.43, 70.88, 71.29, 71.67];
    let fit = ses(&data[1..], 0.1, data[0]);
    for (at, published) in smoothed.into_iter().enumerate() {
        close(data[at + 1] - fit.errors[at], published, 2);
    }
    close(fit.level, 71.50, 2);
    close(fit.mse().unwrap(), 19.0, 1);
}

/// NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.4: double smoothing with alpha 0.3623 and gamma 1.0, started with
/// the first point and the mean of the first three differences; forecasts of five periods.
#[test]
fn linear_trend_on_ten_points() {
    let data = [6.4, 5.6, 7.8, 8.8, 11.0, 11.6, 16.7, 15.3, 21.6, 22.4];
    let trend = (data[3] - data[0]) / 3.0;
    let fit = holt(&data[1..], 0.3623, 1.0, data[0], trend);
    for (step, published) in (1..).zip([25.8, 28.7, 31.7, 34.6, 37.6]) {
        close(fit.at(step), published, 1);
    }
}

/// Hyndman and Athanasopoulos, 2nd edition, 7.2: air passengers of Australia with alpha 0.8321, beta 0.0001, first level
/// 15.57 and trend 2.102; the figures are printed to two decimals from constants of more digits.
#[test]
fn linear_trend_on_air_passengers() {
    let data = [
        17.55, 21.86, 23.89, 26.93, 26.89, 28.83, 30.08, 30.95, 30.19, 31.58, 32.58, 33.48, 39.02, 41.39, 41.60, 44.66,
        46.95, 48.73, 51.49, 50.03, 60.64, 63.36, 66.36, 68.20, 68.12, 69.78, 72.60,
    ];
    let fit = holt(&data, 0.8321, 0.0001, 15.57, 2.102);
    for (step, published) in (1..).zip([74.60, 76.70, 78.80, 80.91, 83.01]) {
        close(fit.at(step), published, 1);
    }
}

/// Quantiles of the standard normal distribution as every table prints them.
#[test]
fn quantiles_of_the_normal_distribution() {
    for (p, published) in
        [(0.5, 0.0), (0.8, 0.8416), (0.9, 1.2816), (0.95, 1.6449), (0.975, 1.96), (0.99, 2.3263), (0.999, 3.0902)]
    {
        close(normal_quantile(p), published, 4);
        close(normal_quantile(1.0 - p), -published, 4);
    }
}

/// The definition, with figures by hand: a deviation of 2 a day over 9 days, 95 %: 1.6449 * 2 * 3 = 9.87.
#[test]
fn safety_stock_grows_with_the_root_of_the_lead_time() {
    close(safety_stock(0.95, 2.0, 9.0), 9.87, 2);
    assert_eq!(safety_stock(0.95, 2.0, 0.0), 0.0);
    assert_eq!(safety_stock(0.5, 2.0, 9.0), 0.0);
}
