//! Coupons on an order: whether one may be used and what it takes off which line. Amounts are computed in cents, as
//! WooCommerce does.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::decimal::PRICE_PLACES;
use super::fields::{Fields, amount, id, int, list, text};

/// Why a coupon cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No coupon of this code.
    Missing,
    /// Its last day has passed.
    Expired,
    /// Used as often as it may be.
    UsedUp,
    /// The goods cost too little.
    Minimum(String),
    /// The goods cost too much.
    Maximum(String),
    /// None of its products is among the goods.
    Products,
}

impl Refusal {
    /// As the shop tells it, HTML-escaped.
    pub fn message(&self, code: &str) -> String {
        let coupon = format!("Coupon &quot;{code}&quot;");
        match self {
            Self::Missing => format!("{coupon} cannot be applied because it does not exist."),
            Self::Expired => format!("{coupon} has expired."),
            Self::UsedUp => format!("Usage limit for coupon &quot;{code}&quot; has been reached."),
            Self::Minimum(amount) => format!("The minimum spend for coupon &quot;{code}&quot; is {amount}."),
            Self::Maximum(amount) => format!("The maximum spend for coupon &quot;{code}&quot; is {amount}."),
            Self::Products => format!("{coupon} is not applicable to selected products."),
        }
    }
}

/// Whether this coupon may be used for these lines now. `expires` is in seconds since 1970.
pub fn check(coupon: &Fields, order: &Fields, expires: Option<i64>, now: i64) -> Result<(), Refusal> {
    if expires.is_some_and(|end| now > end) {
        return Err(Refusal::Expired);
    }
    let limit = int(coupon, "usage_limit");
    if limit > 0 && int(coupon, "usage_count") >= limit {
        return Err(Refusal::UsedUp);
    }
    let goods: Decimal = list(order, "line_items").map(|line| amount(line, "subtotal")).sum();
    let (least, most) = (amount(coupon, "minimum_amount"), amount(coupon, "maximum_amount"));
    if !least.is_zero() && goods < least {
        return Err(Refusal::Minimum(super::decimal::print(least, PRICE_PLACES)));
    }
    if !most.is_zero() && goods > most {
        return Err(Refusal::Maximum(super::decimal::print(most, PRICE_PLACES)));
    }
    if !list(order, "line_items").any(|line| covers(coupon, line)) && list(order, "line_items").next().is_some() {
        return Err(Refusal::Products);
    }
    Ok(())
}

/// What the coupon takes off each product line, in the lines' order.
pub fn discounts(coupon: &Fields, order: &Fields) -> Vec<Decimal> {
    let lines: Vec<&Fields> = list(order, "line_items").collect();
    let left: Vec<i64> = lines.iter().map(|line| cents(amount(line, "total"))).collect();
    let quantities: Vec<i64> = lines.iter().map(|line| int(line, "quantity")).collect();
    let covered: Vec<bool> = lines.iter().map(|line| covers(coupon, line)).collect();
    let worth = amount(coupon, "amount");
    let mut off = vec![0_i64; lines.len()];
    match text(coupon, "discount_type") {
        "percent" => {
            for (index, off) in off.iter_mut().enumerate().filter(|(index, _)| covered[*index]) {
                let share = Decimal::from(left[index]) * worth / Decimal::ONE_HUNDRED;
                *off = half_down(share).min(left[index]);
            }
        }
        "fixed_product" => {
            for (index, off) in off.iter_mut().enumerate().filter(|(index, _)| covered[*index]) {
                *off = (cents(worth) * quantities[index]).min(left[index]);
            }
        }
        _ => spread(cents(worth), &left, &quantities, &mut off),
    }
    off.into_iter().map(|cents| Decimal::new(cents, PRICE_PLACES)).collect()
}

/// Spreads an amount evenly over pieces, then what is left cent by cent.
fn spread(worth: i64, left: &[i64], quantities: &[i64], off: &mut [i64]) {
    let mut rest = worth.min(left.iter().sum());
    while rest > 0 {
        let open = |off: &[i64]| (0..left.len()).filter(|index| off[*index] < left[*index]).collect::<Vec<_>>();
        let pieces: i64 = open(off).iter().map(|index| quantities[*index].max(1)).sum();
        if pieces == 0 {
            return;
        }
        let each = (rest / pieces).max(1);
        for index in open(off) {
            let take = (each * quantities[index].max(1)).min(left[index] - off[index]).min(rest);
            off[index] += take;
            rest -= take;
        }
    }
}

fn covers(coupon: &Fields, line: &Fields) -> bool {
    let among = |field: &str| {
        let ids = coupon.get(field).and_then(serde_json::Value::as_array);
        ids.map(|ids| ids.iter().filter_map(serde_json::Value::as_u64).collect::<Vec<_>>()).unwrap_or_default()
    };
    let is_in = |ids: &[u64]| ids.contains(&id(line, "product_id")) || ids.contains(&id(line, "variation_id"));
    let wanted = among("product_ids");
    (wanted.is_empty() || is_in(&wanted)) && !is_in(&among("excluded_product_ids"))
}

fn cents(amount: Decimal) -> i64 {
    super::decimal::round(amount * Decimal::ONE_HUNDRED, 0).to_i64().unwrap_or_default()
}

fn half_down(amount: Decimal) -> i64 {
    amount.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointTowardZero).to_i64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fields::object;
    use super::*;

    fn order() -> Fields {
        object(json!({"line_items": [
            {"product_id": 1, "quantity": 2, "subtotal": "7.00", "total": "7.00"},
            {"product_id": 2, "quantity": 1, "subtotal": "0.75", "total": "0.75"},
        ]}))
    }

    fn off(coupon: Value) -> Vec<String> {
        discounts(&object(coupon), &order()).into_iter().map(|amount| amount.to_string()).collect()
    }

    #[test]
    fn percents_are_taken_line_by_line_with_halves_going_down() {
        assert_eq!(off(json!({"discount_type": "percent", "amount": "30"})), ["2.10", "0.22"]);
    }

    #[test]
    fn a_fixed_amount_is_spread_over_pieces_and_never_exceeds_the_goods() {
        assert_eq!(off(json!({"discount_type": "fixed_cart", "amount": "1"})), ["0.67", "0.33"]);
        assert_eq!(off(json!({"discount_type": "fixed_cart", "amount": "100"})), ["7.00", "0.75"]);
    }

    #[test]
    fn product_coupons_count_pieces_and_only_their_products() {
        let coupon = json!({"discount_type": "fixed_product", "amount": "0.5", "product_ids": [1]});
        assert_eq!(off(coupon), ["1.00", "0.00"]);
        assert_eq!(
            off(json!({"discount_type": "percent", "amount": "100", "excluded_product_ids": [1]})),
            ["0.00", "0.75"]
        );
    }

    #[test]
    fn limits_refuse_the_coupon() {
        let refused = |coupon: Value, expires| check(&object(coupon), &order(), expires, 100).err();
        assert_eq!(refused(json!({}), None), None);
        assert_eq!(refused(json!({}), Some(99)), Some(Refusal::Expired));
        assert_eq!(refused(json!({"usage_limit": 2, "usage_count": 2}), None), Some(Refusal::UsedUp));
        assert_eq!(refused(json!({"minimum_amount": "8"}), None), Some(Refusal::Minimum("8.00".into())));
        assert_eq!(refused(json!({"maximum_amount": "7.5"}), None), Some(Refusal::Maximum("7.50".into())));
        assert_eq!(refused(json!({"product_ids": [4]}), None), Some(Refusal::Products));
    }
}
