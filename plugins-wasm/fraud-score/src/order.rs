//! The parts of a WooCommerce order that the rules look at. Everything else in it is passed over.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::money::Amount;

/// An order of the store's REST API, version 3.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Order {
    /// Its number.
    pub(crate) id: u64,
    /// What it is worth, tax included.
    pub(crate) total: Amount,
    /// Where the bill goes.
    #[serde(default)]
    pub(crate) billing: Address,
    /// Where the goods go; empty where nothing is shipped.
    #[serde(default)]
    pub(crate) shipping: Address,
    /// Where it was ordered from.
    #[serde(default)]
    pub(crate) customer_ip_address: String,
    /// What was bought.
    #[serde(default)]
    pub(crate) line_items: Vec<Line>,
}

/// An address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Address {
    /// ISO 3166 code, such as DE.
    pub(crate) country: String,
    /// Only bills have one.
    pub(crate) email: String,
    /// Only bills had one for a long time.
    pub(crate) phone: String,
    /// Postal code.
    pub(crate) postcode: String,
    /// Street and number.
    pub(crate) address_1: String,
}

/// One product of an order.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Line {
    /// How many.
    pub(crate) quantity: u32,
    /// What it is.
    #[serde(default)]
    pub(crate) name: String,
}

impl Order {
    /// The mail address in lower case, empty when there is none.
    pub(crate) fn mail(&self) -> String {
        self.billing.email.trim().to_lowercase()
    }
}
