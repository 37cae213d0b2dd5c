//! The rule itself: the lowest price that keeps the margin, and the nearest price above it with a wanted ending.
//!
//! With cost c, margin floor m and VAT rate v a price p keeps its margin when p / (1 + v) * (1 - m) >= c, that is when
//! p * (1 - m) >= c * (1 + v): compared as products, which are exact, and not as quotients.

use rust_decimal::{Decimal, RoundingStrategy};
use schemars::JsonSchema;
use serde::Deserialize;

/// Most digits of an ending before its point.
const MOST_DIGITS_BEFORE: usize = 6;

/// Which of two neighbouring prices is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The nearer one; the lower of two that are as near.
    #[default]
    Nearest,
    /// The higher one.
    Up,
    /// The lower one, as far as the floor lets.
    Down,
}

/// An ending: all prices that are this much above a multiple of its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// In the smallest unit: 99 for `.99`, 990 for `9.90`.
    rest: Decimal,
    /// 100 for `.99`, 1,000 for `9.90`.
    step: Decimal,
}

impl Ending {
    /// Reads `.99` or `9.90`: as many decimals as the currency has, or none for whole units.
    pub fn parse(text: &str, decimals: u32) -> Result<Self, String> {
        let wrong = || {
            let shown: String = text.chars().take(20).collect();
            format!("`{shown}` is no ending for prices with {decimals} decimals, as \".99\" and \"9.90\" are for two")
        };
        let (before, after) = text.split_once('.').map_or((text, None), |(before, after)| (before, Some(after)));
        let after_fits =
            after.map_or(!before.is_empty(), |after| !after.is_empty() && after.len() == decimals as usize);
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !after_fits || before.len() > MOST_DIGITS_BEFORE || !digits(before) || !digits(after.unwrap_or_default()) {
            return Err(wrong());
        }
        let number = |part: &str| if part.is_empty() { Ok(0) } else { part.parse::<u64>().map_err(|_| wrong()) };
        let scale = 10u64.pow(decimals);
        let step = before.bytes().fold(scale, |step, _| step * 10);
        let rest = number(before)? * scale + number(after.unwrap_or_default())?;
        Ok(Self { rest: rest.into(), step: step.into() })
    }

    /// The highest price with this ending that is not above `units`; it may be negative.
    fn below(self, units: Decimal) -> Decimal {
        ((units - self.rest) / self.step).floor() * self.step + self.rest
    }

    /// The lowest price with this ending that is not below `units`.
    fn above(self, units: Decimal) -> Decimal {
        let below = self.below(units);
        if below < units { below + self.step } else { below }
    }
}

/// How prices are made.
#[derive(Debug, Clone)]
pub struct Rules {
    margin: Decimal,
    vat: Decimal,
    endings: Vec<Ending>,
    direction: Direction,
    decimals: u32,
}

/// A rounded price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// VAT included.
    pub price: Decimal,
    /// Without VAT, rounded to the currency's smallest unit.
    pub net: Decimal,
    /// What stays of the net price, rounded down to four decimals.
    pub margin: Decimal,
    /// The lowest price that keeps the margin.
    pub floor: Decimal,
}

impl Rules {
    /// Rules with a margin floor below 1.
    pub fn new(
        margin: Decimal,
        vat: Decimal,
        endings: Vec<Ending>,
        direction: Direction,
        decimals: u32,
    ) -> Result<Self, String> {
        const HIGHEST_MARGIN: Decimal = Decimal::from_parts(99, 0, 0, false, 2);
        const HIGHEST_VAT: Decimal = Decimal::TEN;
        if margin > HIGHEST_MARGIN {
            return Err(format!(
                "a margin floor is a part of the net price, at most {HIGHEST_MARGIN}; this is {margin}"
            ));
        }
        if vat > HIGHEST_VAT {
            return Err(format!("VAT is a part of the net price such as 0.19; this is {vat}"));
        }
        Ok(Self { margin, vat, endings, direction, decimals })
    }

    /// Decimals of the currency.
    pub fn decimals(&self) -> u32 {
        self.decimals
    }

    /// The price for a cost, near a wished one; the lowest with a wanted ending when nothing is wished.
    pub fn round(&self, cost: Decimal, wish: Option<Decimal>) -> Result<Price, String> {
        let scale = Decimal::from(10u64.pow(self.decimals));
        let floor = self.floor(cost * scale)?;
        let wish = wish.map_or(floor, |wish| wish * scale).max(floor);
        let units = self.nearest(wish, floor);
        let price = units / scale;
        let net = self.net(units) / scale;
        let margin = if net.is_zero() { Decimal::ZERO } else { (net - cost) / net };
        Ok(Price {
            price,
            net,
            margin: margin.round_dp_with_strategy(4, RoundingStrategy::ToNegativeInfinity),
            floor: floor / scale,
        })
    }

    /// The price with a wanted ending for a wish that is not below the floor.
    fn nearest(&self, wish: Decimal, floor: Decimal) -> Decimal {
        let up = self.endings.iter().map(|ending| ending.above(wish)).min().unwrap_or(wish);
        let allowed = |units: &Decimal| *units >= floor && *units > Decimal::ZERO;
        let down = self.endings.iter().map(|ending| ending.below(wish)).filter(allowed).max();
        match (self.direction, down) {
            (Direction::Up, _) | (_, None) => up,
            (Direction::Nearest, Some(down)) if up - wish < wish - down => up,
            (Direction::Nearest | Direction::Down, Some(down)) => down,
        }
    }

    /// The lowest price in whole units that keeps the margin, both exactly and with a net price in whole units.
    fn floor(&self, cost: Decimal) -> Result<Decimal, String> {
        let one = Decimal::ONE;
        let too_large = || "the cost is too large".to_owned();
        let gross = cost.checked_mul(one + self.vat).ok_or_else(too_large)?;
        let mut units = gross.checked_div(one - self.margin).ok_or_else(too_large)?.floor().max(Decimal::ZERO);
        // The quotient may be cut short, and rounding the net price may cost half a unit: a few steps at most.
        while !self.margin_stays(units, cost, gross) {
            units += one;
        }
        Ok(units)
    }

    fn margin_stays(&self, units: Decimal, cost: Decimal, gross: Decimal) -> bool {
        let kept = Decimal::ONE - self.margin;
        units * kept >= gross && self.net(units) * kept >= cost
    }

    /// The net price in whole units, halves away from zero as WooCommerce rounds.
    fn net(&self, units: Decimal) -> Decimal {
        (units / (Decimal::ONE + self.vat)).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
    }
}
