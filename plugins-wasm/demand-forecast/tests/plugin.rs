//! The plugin as a step calls it.

use cartwright_plugin::{Failure, testing::Harness};
use demand_forecast::DemandForecast;
use serde_json::{Value, json};

/// Weekly sales of one product, oldest first, ending before 2026-06-01.
fn weeks(product: &str, quantities: &[f64]) -> Vec<Value> {
    let day = |week: usize| {
        let end: cartwright_plugin::clock::Moment = "2026-06-01".parse().expect("it is there");
        end - std::time::Duration::from_secs(7 * 24 * 3600 * (quantities.len() - week) as u64)
    };
    let sale = |(week, quantity): (usize, &f64)| json!({ "product": product, "date": day(week), "quantity": quantity });
    quantities.iter().enumerate().map(sale).collect()
}

fn run(sales: Vec<Value>, more: Value) -> Value {
    let mut input = json!({ "sales": sales, "until": "2026-06-01", "lead_time_days": 14 });
    input.as_object_mut().expect("it is there").extend(more.as_object().expect("it is there").clone());
    Harness::new(DemandForecast).run("forecast", input).output().clone()
}

#[test]
fn even_demand_is_smoothed_and_reordered_for_the_lead_time() {
    let sold: Vec<f64> = (0..26).map(|week| 10.0 + f64::from(week % 3)).collect();
    let output = run(weeks("TEA", &sold), json!({}));
    let tea = &output["products"][0];
    assert_eq!((tea["pattern"].as_str(), tea["method"].as_str()), (Some("smooth"), Some("ses")), "{tea:#}");
    assert_eq!((tea["adi"].as_f64(), tea["periods"].as_u64()), (Some(1.0), Some(26)));
    let each = tea["forecast"][0].as_f64().unwrap();
    assert!((10.5..11.5).contains(&each), "{tea:#}");
    // Two weeks of demand, and 1.645 * about 0.85 * sqrt(2) against errors.
    let (expected, safety) = (tea["lead_time_demand"].as_f64().unwrap(), tea["safety_stock"].as_f64().unwrap());
    assert!((expected - 2.0 * each).abs() < 0.01 && (1.5..2.5).contains(&safety), "{tea:#}");
    assert_eq!(tea["reorder_point"].as_u64(), Some((expected + safety).ceil() as u64));
    assert_eq!(tea["warnings"], json!([]));
}

#[test]
fn a_clear_trend_is_followed() {
    let sold: Vec<f64> = (1..=20).map(|week| 5.0 * f64::from(week)).collect();
    let output = run(weeks("TEA", &sold), json!({ "horizon": 2 }));
    let tea = &output["products"][0];
    assert_eq!(tea["method"], "holt", "{tea:#}");
    assert_eq!(tea["forecast"], json!([105.0, 110.0]));
    assert_eq!((tea["lead_time_demand"].as_f64(), tea["safety_stock"].as_f64()), (Some(215.0), Some(0.0)));
}

#[test]
fn seldom_and_uneven_demand_is_told_apart_from_seldom_and_even() {
    let seldom = [0., 0., 4., 0., 4., 0., 0., 0., 4., 0., 4., 0.];
    let uneven = [0., 0., 1., 0., 30., 0., 0., 0., 1., 0., 4., 0.];
    let sales = [weeks("EVEN", &seldom), weeks("LUMPY", &uneven)].concat();
    let output = run(sales, json!({ "from": "2026-03-09" }));
    let [even, lumpy] = output["products"].as_array().unwrap().as_slice() else { panic!("{output:#}") };
    assert_eq!((even["pattern"].as_str(), even["method"].as_str()), (Some("intermittent"), Some("sba")), "{even:#}");
    assert_eq!((lumpy["pattern"].as_str(), lumpy["method"].as_str()), (Some("lumpy"), Some("sba")), "{lumpy:#}");
    assert_eq!(even["adi"], 3.0);
    // By hand: the size stays 4; the interval goes 3, 2.9, 3.01, 2.909; 4 / 2.909 * 0.95.
    assert_eq!(even["forecast"][3], 1.306);
    assert!(lumpy["safety_stock"].as_f64() > even["safety_stock"].as_f64());
}

#[test]
fn the_asked_method_is_taken() {
    let output = run(weeks("TEA", &[4., 4., 4., 4., 4., 4.]), json!({ "method": "croston", "lead_time_days": 10 }));
    let tea = &output["products"][0];
    assert_eq!((tea["method"].as_str(), tea["forecast"][0].as_f64()), (Some("croston"), Some(4.0)));
    // Ten days are ten sevenths of a period.
    assert_eq!(tea["lead_time_demand"], 5.714);
    assert_eq!(tea["reorder_point"], 6);
}

#[test]
fn the_clock_ends_the_history_when_nobody_says() {
    let input = json!({ "sales": weeks("TEA", &[1., 2.]), "lead_time_days": 7 });
    let mut harness = Harness::new(DemandForecast).now("2026-06-01T00:00:00Z");
    let run = harness.run("forecast", input);
    assert_eq!((run.output()["until"].as_str(), run.called()), (Some("2026-06-01T00:00:00Z"), vec!["clock.now"]));
}

#[test]
fn what_cannot_be_relied_on_is_said() {
    let late = [vec![2., 2., 2., 2., 2.], vec![0.; 8]].concat();
    let sales = [weeks("ONCE", &[3.]), weeks("GONE", &late), weeks("ZERO", &[0., 0.])].concat();
    let output = run(sales, json!({}));
    let words: Vec<&str> =
        output["products"].as_array().unwrap().iter().map(|product| product["warnings"][0].as_str().unwrap()).collect();
    assert_eq!(
        words,
        [
            "nothing was sold in the last 8 periods: is it still on sale?",
            "only 1 periods with sales: this is a guess",
            "nothing was sold in any complete period",
        ]
    );
    let zero = &output["products"][2];
    assert_eq!((zero["method"].as_str(), zero["reorder_point"].as_u64()), (None, Some(0)));
    assert_eq!(output["products"][1]["deviation"], Value::Null);
}

#[test]
fn what_cannot_be_is_refused() {
    let sale = json!({ "product": "TEA", "date": "2026-05-01", "quantity": 1 });
    let rows = [
        (json!({ "sales": [sale], "lead_time_days": 7, "service_level": 1.0 }), "0.9999"),
        (json!({ "sales": [sale], "lead_time_days": 7, "period_days": 0 }), "0 is less than the minimum of 1"),
        (json!({ "sales": [sale], "lead_time_days": 7, "horizon": 101 }), "100"),
        (json!({ "sales": [{ "product": "TEA", "date": "2026-05-01", "quantity": -1 }], "lead_time_days": 7 }), "-1"),
        (
            json!({ "sales": [{ "product": "TEA", "date": "yesterday", "quantity": 1 }], "lead_time_days": 7 }),
            "`yesterday` is no time",
        ),
        (
            json!({ "sales": [{ "product": "TEA", "date": "1990-01-01", "quantity": 1 }], "lead_time_days": 7, "period_days": 1 }),
            "1000 are allowed",
        ),
        (json!({ "lead_time_days": 7 }), "sales"),
    ];
    for (input, expected) in rows {
        let run = Harness::new(DemandForecast).run("forecast", input.clone());
        let failure = run.failure();
        assert!(matches!(failure, Failure::Invalid(_)), "{failure:?}");
        assert!(failure.to_string().contains(expected), "{failure} lacks {expected}");
    }
}
