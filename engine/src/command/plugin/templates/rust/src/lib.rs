//! Counts loyalty points of customers.

use cartwright_plugin::{Call, Failure, log, plugin, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the step's `with` gives.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// Who bought: a mail address or an id.
    customer: String,
    /// What the order came to, as WooCommerce writes it: `49.90`.
    total: String,
}

/// What the step gives.
#[derive(Serialize, JsonSchema)]
struct Points {
    /// Of this order.
    points: i64,
    /// Of all orders of this customer.
    balance: i64,
}

fn award(order: Order, _: &Call) -> Result<Points, Failure> {
    let points = whole_units(&order.total)
        .ok_or_else(|| Failure::invalid(format_args!("'{}' is no amount", order.total)))?;
    let balance = state::increment(&format!("points:{}", order.customer), points)?;
    log::info(format_args!("{points} points, {balance} in all"));
    Ok(Points { points, balance })
}

fn whole_units(total: &str) -> Option<i64> {
    let (units, rest) = total.split_once('.').unwrap_or((total, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    if are_digits(units) && are_digits(rest) { units.parse().ok() } else { None }
}

plugin! {
    LoyaltyPoints {
        name: "{{name}}",
        description: "Counts loyalty points of customers.",
        functions: {
            "award": "Gives one point for each whole unit of an order's total." => award,
        },
        // What a workflow has to grant, such as `http: ["api.example.com"], woo: ["orders.read"]`; state needs nothing.
        needs: {},
    }
}

#[cfg(test)]
mod tests {
    use cartwright_plugin::{Failure, testing::Harness};
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_units_become_points_that_add_up_for_each_customer() {
        let mut harness = Harness::new(LoyaltyPoints);
        let first = harness.run("award", json!({ "customer": "ada", "total": "49.90" }));
        assert_eq!(first.output(), &json!({ "points": 49, "balance": 49 }));
        let second = harness.run("award", json!({ "customer": "ada", "total": "10" }));
        assert_eq!(second.output(), &json!({ "points": 10, "balance": 59 }));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for total in ["", "-1", "ten", "1.", "1,50", "99999999999999999999"] {
            let run = Harness::new(LoyaltyPoints).run("award", json!({ "customer": "ada", "total": total }));
            assert_eq!(run.failure(), &Failure::invalid(format!("'{total}' is no amount")));
        }
    }
}
