//! Sales become one row of equally long periods per product, oldest first, with zeros where nothing was sold.

use std::collections::BTreeMap;

use cartwright_plugin::{Failure, clock::Moment};

use crate::{MAX_PERIODS, Sale};

/// Demand per period of each product. Periods are counted back from `until`, so the last one is always complete; what is
/// older than the first full period is left out.
pub(crate) fn per_product(
    sales: &[Sale],
    period_days: u32,
    from: Option<Moment>,
    until: Moment,
) -> Result<BTreeMap<String, Vec<f64>>, Failure> {
    let period = u64::from(period_days) * 24 * 3600 * 1_000;
    let mut products: BTreeMap<&str, Vec<&Sale>> = BTreeMap::new();
    for sale in sales {
        products.entry(&sale.product).or_default().push(sale);
    }
    let mut out = BTreeMap::new();
    for (product, sales) in products {
        let known = sales.iter().filter(|sale| sale.date < until);
        let first = from.or_else(|| known.map(|sale| sale.date).min()).unwrap_or(until);
        let span = until.millis().saturating_sub(first.millis());
        // Without a `from` the first sale's period counts as a whole one; a given `from` starts with a full period.
        let periods = if from.is_some() { span / period } else { span.div_ceil(period) };
        if periods > MAX_PERIODS {
            return Err(Failure::invalid(format_args!(
                "{product} has a history of {periods} periods, {MAX_PERIODS} are allowed: ask for longer periods or set `from`"
            )));
        }
        let mut demand = vec![0.0; usize::try_from(periods).unwrap_or_default()];
        for sale in sales.iter().filter(|sale| sale.date < until) {
            let back = (until.millis() - 1 - sale.date.millis()) / period;
            let at = periods.checked_sub(back + 1).and_then(|at| usize::try_from(at).ok());
            if let Some(period) = at.and_then(|at| demand.get_mut(at)) {
                *period += sale.quantity;
            }
        }
        out.insert(product.to_owned(), demand);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(date: &str, quantity: f64) -> Sale {
        Sale { product: "TEA".into(), date: date.parse().expect("a date"), quantity }
    }

    fn demand(sales: &[Sale], from: Option<&str>, until: &str) -> Vec<f64> {
        let from = from.map(|from| from.parse().expect("a date"));
        let all = per_product(sales, 7, from, until.parse().expect("a date")).expect("short enough");
        all["TEA"].clone()
    }

    #[test]
    fn sales_fall_into_periods_that_end_with_the_history() {
        let sales = [
            sale("2026-01-01", 1.0),
            sale("2026-01-07T23:59:59", 2.0),
            sale("2026-01-08", 4.0),
            sale("2026-01-22", 8.0),
        ];
        assert_eq!(demand(&sales, None, "2026-01-22"), [3.0, 4.0, 0.0]);
        // Later sales are not history; the first period is whole even if the first sale came in its middle.
        assert_eq!(demand(&sales, None, "2026-01-10"), [1.0, 6.0]);
        assert_eq!(demand(&sales, Some("2025-12-25"), "2026-01-22"), [0.0, 3.0, 4.0, 0.0]);
        // Ten days hold one full week: what is before it is left out.
        assert_eq!(demand(&sales, Some("2026-01-05"), "2026-01-15"), [4.0]);
        assert_eq!(demand(&sales[3..], None, "2026-01-22"), [0.0; 0]);
    }

    #[test]
    fn a_history_without_end_is_refused() {
        let sales = [sale("1970-01-01", 1.0)];
        let error = per_product(&sales, 1, None, "2026-01-01".parse().expect("a date")).expect_err("too long");
        assert!(error.to_string().contains("1000 are allowed"), "{error}");
    }
}
