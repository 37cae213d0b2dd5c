//! Tax rates and what they make of an amount. Rates come from the shop's table (`/taxes`), the place from the order's
//! addresses; the result goes into the `taxes` of order lines.

use rust_decimal::Decimal;

use super::decimal::{self, INNER_PLACES};

/// One row of the tax table.
#[derive(Debug, Clone, PartialEq)]
pub struct TaxRate {
    /// Its id.
    pub id: u64,
    /// Two letters, or empty for every country.
    pub country: String,
    /// Empty for every state.
    pub state: String,
    /// Postcodes it is limited to; empty for all.
    pub postcodes: Vec<String>,
    /// Cities it is limited to, upper case; empty for all.
    pub cities: Vec<String>,
    /// Percent.
    pub rate: Decimal,
    /// As printed on invoices.
    pub name: String,
    /// Of the rates of one priority only the first that fits counts.
    pub priority: u32,
    /// On top of the other taxes.
    pub compound: bool,
    /// Also on shipping.
    pub shipping: bool,
    /// Position in the table.
    pub order: u32,
    /// `standard`, `reduced-rate`…
    pub class: String,
}

/// Where an order is taxed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Two letters.
    pub country: String,
    /// As WooCommerce writes it.
    pub state: String,
    /// As typed.
    pub postcode: String,
    /// As typed.
    pub city: String,
}

/// One tax on one line, unrounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Tax {
    /// Of the rate.
    pub rate_id: u64,
    /// The amount, kept to `INNER_PLACES`.
    pub amount: Decimal,
}

impl TaxRate {
    /// `DE-MWST.-1`
    pub fn code(&self) -> String {
        let name = if self.name.is_empty() { "TAX" } else { &self.name };
        let priority = self.priority.to_string();
        let parts = [self.country.as_str(), self.state.as_str(), name, priority.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").to_uppercase()
    }

    fn fits(&self, place: &Place, class: &str) -> bool {
        let same = |limit: &str, is: &str| limit.is_empty() || limit.eq_ignore_ascii_case(is);
        let among = |limits: &[String], is: &str| {
            limits.is_empty() || limits.iter().any(|limit| limit.eq_ignore_ascii_case(is))
        };
        self.class == class_slug(class)
            && same(&self.country, &place.country)
            && same(&self.state, &place.state)
            && among(&self.postcodes, &place.postcode)
            && among(&self.cities, &place.city)
    }
}

/// Products and lines write the standard class as an empty text.
pub fn class_slug(class: &str) -> &str {
    if class.is_empty() { "standard" } else { class }
}

/// The rates of a class at a place: one of each priority.
pub fn rates_at<'a>(table: &'a [TaxRate], place: &Place, class: &str) -> Vec<&'a TaxRate> {
    let mut fitting: Vec<&TaxRate> = table.iter().filter(|rate| rate.fits(place, class)).collect();
    // The narrower rate wins within a priority: a named country before the one for everywhere.
    fitting.sort_by_key(|rate| (rate.priority, rate.country.is_empty(), rate.state.is_empty(), rate.order, rate.id));
    fitting.dedup_by_key(|rate| rate.priority);
    fitting
}

/// Taxes on an amount that does not contain them.
pub fn taxes_on(amount: Decimal, rates: &[&TaxRate]) -> Vec<Tax> {
    let share = |rate: &TaxRate, base: Decimal| decimal::round(base * rate.rate / Decimal::ONE_HUNDRED, INNER_PLACES);
    let mut taxes: Vec<Tax> = Vec::new();
    for rate in rates.iter().filter(|rate| !rate.compound) {
        taxes.push(Tax { rate_id: rate.id, amount: share(rate, amount) });
    }
    let mut base = amount + taxes.iter().map(|tax| tax.amount).sum::<Decimal>();
    for rate in rates.iter().filter(|rate| rate.compound) {
        let tax = share(rate, base);
        base += tax;
        taxes.push(Tax { rate_id: rate.id, amount: tax });
    }
    taxes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(id: u64, country: &str, percent: i64, priority: u32) -> TaxRate {
        TaxRate {
            id,
            country: country.into(),
            state: String::new(),
            postcodes: Vec::new(),
            cities: Vec::new(),
            rate: Decimal::from(percent),
            name: "Tax".into(),
            priority,
            compound: false,
            shipping: true,
            order: 0,
            class: "standard".into(),
        }
    }

    fn at(country: &str) -> Place {
        Place { country: country.into(), ..Place::default() }
    }

    #[test]
    fn the_rate_of_the_country_wins_over_the_one_for_everywhere() {
        let table = [rate(1, "", 7, 1), rate(2, "AT", 20, 1)];
        let ids = |place: &str| rates_at(&table, &at(place), "").iter().map(|rate| rate.id).collect::<Vec<_>>();
        assert_eq!(ids("AT"), [2]);
        assert_eq!(ids("CH"), [1]);
    }

    #[test]
    fn rates_of_another_class_or_country_do_not_count() {
        let table = [rate(1, "AT", 20, 1), TaxRate { class: "reduced-rate".into(), ..rate(2, "AT", 10, 1) }];
        assert_eq!(rates_at(&table, &at("AT"), "reduced-rate")[0].id, 2);
        assert!(rates_at(&table, &at("IT"), "").is_empty());
        assert!(rates_at(&table, &at("AT"), "zero-rate").is_empty());
    }

    #[test]
    fn a_compound_tax_lies_on_top_of_the_others() {
        let first = rate(1, "CA", 10, 1);
        let second = TaxRate { compound: true, ..rate(2, "CA", 10, 2) };
        let taxes = taxes_on(Decimal::from(50), &[&first, &second]);
        assert_eq!(taxes.iter().map(|tax| decimal::print(tax.amount, 2)).collect::<Vec<_>>(), ["5.00", "5.50"]);
    }

    #[test]
    fn the_code_names_place_name_and_priority() {
        assert_eq!(TaxRate { name: "USt.".into(), ..rate(1, "AT", 20, 2) }.code(), "AT-UST.-2");
        assert_eq!(TaxRate { name: String::new(), ..rate(1, "", 20, 1) }.code(), "TAX-1");
    }
}
