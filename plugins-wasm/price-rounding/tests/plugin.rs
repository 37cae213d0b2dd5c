//! The plugin as a step calls it, and what must hold for every price.

use cartwright_plugin::{Failure, testing::Harness};
use price_rounding::{
    PriceRounding,
    price::{Direction, Ending, Rules},
};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn round(items: Value, settings: Value) -> Value {
    let run = Harness::new(PriceRounding).run("round", json!({ "items": items, "settings": settings }));
    run.output().clone()
}

#[track_caller]
fn check(cost: Value, price: Value, settings: Value, expected: &str) {
    let item = match price {
        Value::Null => json!({ "cost": cost }),
        price => json!({ "cost": cost, "price": price }),
    };
    let output = round(json!([item]), settings.clone());
    assert_eq!(output["items"][0]["price"], expected, "{item} {settings} {output}");
}

#[test]
fn prices_go_to_the_nearest_wanted_ending() {
    let settings = json!({ "margin_floor": "0.2", "vat": "0.19" });
    for (price, expected) in [
        ("20.10", "20.00"),
        ("20.48", "20.95"),
        ("20.47", "20.00"),
        ("20.98", "20.99"),
        ("20.97", "20.95"),
        ("21.00", "21.00"),
        ("20.96", "20.95"),
    ] {
        check(json!("5.00"), json!(price), settings.clone(), expected);
    }
}

#[test]
fn the_margin_stays_whatever_was_wished() {
    let settings = json!({ "margin_floor": 0.25, "vat": 0.19, "endings": [".99"], "direction": "down" });
    // 10.00 * 1.19 / 0.75 = 15.866…: 15.87 is the floor and 15.99 the first ending above it.
    let output = round(json!([{ "id": 7, "cost": "10.00", "price": "12.00" }]), settings.clone());
    let expected = json!({
        "id": 7, "price": "15.99", "net": "13.44", "vat": "2.55", "margin": "0.2559", "floor": "15.87", "raised": true,
    });
    assert_eq!(output, json!({ "items": [expected], "raised": 1 }));
    check(json!("10.00"), Value::Null, settings.clone(), "15.99");
    // 16.98 goes down to 15.99, which keeps the margin; 15.98 cannot go down.
    check(json!("10.00"), json!("16.98"), settings.clone(), "15.99");
    check(json!("10.00"), json!("15.98"), settings, "15.99");
}

#[test]
fn directions_and_longer_endings_and_other_currencies() {
    let with = |more: Value| {
        let mut settings = json!({ "margin_floor": 0 });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    };
    check(json!(1), json!("20.01"), with(json!({ "direction": "up" })), "20.95");
    check(json!(1), json!("20.94"), with(json!({ "direction": "down" })), "20.00");
    check(json!(1), json!("123.00"), with(json!({ "endings": ["9.90"] })), "119.90");
    check(json!(1), json!("125.00"), with(json!({ "endings": ["9.90"] })), "129.90");
    check(json!(1), json!("1234"), with(json!({ "endings": ["80", "00"], "decimals": 0 })), "1200");
    check(json!(1), json!("1.2344"), with(json!({ "endings": [".250"], "decimals": 3 })), "1.250");
    // A tie goes to the customer; nothing is ever given away.
    check(json!(1), json!("10.50"), with(json!({ "endings": [".00"] })), "10.00");
    check(json!(0), json!("0.30"), with(json!({ "endings": [".00"] })), "1.00");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let fine = json!({ "margin_floor": "0.2" });
    let rows = [
        (json!([{ "cost": "1,50" }]), fine.clone(), "1,50"),
        (json!([{ "cost": -1 }]), fine.clone(), "-1"),
        (json!([{ "price": "1" }]), fine.clone(), "cost"),
        (json!([{ "cost": "2000000000" }]), fine, "too large"),
        (json!([]), json!({ "margin_floor": 1 }), "at most 0.99; this is 1"),
        (json!([]), json!({ "margin_floor": 0, "vat": 19 }), "such as 0.19; this is 19"),
        (json!([]), json!({ "margin_floor": 0, "endings": [] }), "1 to 20 endings"),
        (json!([]), json!({ "margin_floor": 0, "decimals": 0 }), "say `endings`"),
        (json!([]), json!({ "margin_floor": 0, "decimals": 5 }), "4"),
        (json!([]), json!({ "margin_floor": 0, "endings": [".9"] }), "`.9` is no ending"),
        (json!([]), json!({ "margin_floor": 0, "endings": ["."] }), "`.` is no ending"),
        (json!([]), json!({ "margin_floor": 0, "endings": [""] }), "`` is no ending"),
        (json!([]), json!({ "margin_floor": 0, "endings": ["x.99"] }), "`x.99` is no ending"),
        (json!([]), json!({ "margin_floor": 0, "endings": ["1234567.99"] }), "`1234567.99` is no ending"),
    ];
    for (items, settings, expected) in rows {
        let run = Harness::new(PriceRounding).run("round", json!({ "items": items, "settings": settings }));
        let failure = run.failure();
        assert!(matches!(failure, Failure::Invalid(_)), "{failure:?}");
        assert!(failure.to_string().contains(expected), "{failure} lacks {expected}");
    }
}

proptest! {
    /// Whatever is asked: the margin stays (compared as products, so exactly), the ending is a wanted one, and no lower
    /// price would have kept the margin.
    #[test]
    fn no_price_is_below_its_margin(
        cost in 0u64..10_000_000, wish in proptest::option::of(0u64..20_000_000), margin in 0u32..9_900, vat in 0u32..30_000,
        pick in 0usize..4, direction in 0usize..3,
    ) {
        let (cost, wish) = (Decimal::new(cost as i64, 3), wish.map(|wish| Decimal::new(wish as i64, 2)));
        let (margin, vat) = (Decimal::new(margin.into(), 4), Decimal::new(vat.into(), 4));
        let texts = [vec![".99"], vec![".95", ".00"], vec!["9.90", "4.50"], vec!["99.00"]][pick].clone();
        let endings: Vec<Ending> = texts.iter().map(|text| Ending::parse(text, 2).unwrap()).collect();
        let direction = [Direction::Nearest, Direction::Up, Direction::Down][direction];
        let rules = Rules::new(margin, vat, endings, direction, 2).unwrap();
        let found = rules.round(cost, wish).unwrap();
        let (one, cent) = (Decimal::ONE, Decimal::new(1, 2));
        prop_assert!(found.price * (one - margin) >= cost * (one + vat), "{found:?}");
        prop_assert!(found.net * (one - margin) >= cost, "{found:?}");
        prop_assert!(found.price >= found.floor && found.price > Decimal::ZERO);
        let text = format!("{:09.2}", found.price);
        prop_assert!(texts.iter().any(|ending| text.ends_with(ending)), "{text} ends with none of {texts:?}");
        let lower = found.floor - cent;
        let net = (lower / (one + vat)).round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        let lower_keeps = lower * (one - margin) >= cost * (one + vat) && net * (one - margin) >= cost;
        prop_assert!(found.floor.is_zero() || !lower_keeps, "{lower} keeps the margin too");
    }
}
