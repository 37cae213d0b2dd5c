//! Says how likely an order is fraud: points for signs that people can check, each with its reason. The order comes with
//! the step's `with`, what was seen before from the workflow's state, the time from the engine's clock.

mod money;
mod order;
mod rules;
mod velocity;

use std::time::Duration;

use cartwright_plugin::{Call, Failure, plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use money::Amount;
use order::Order;
use velocity::Seen;

/// The highest score.
const MAX_SCORE: u32 = 100;

/// An order and what is known of its customer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The order as the store's API gives it; what is not needed is not read.
    order: Order,
    /// What is known of the customer; rules that need it are left out without it.
    history: Option<History>,
    /// What an order of this store is usually worth; used when the customer has no average.
    usual_total: Option<Amount>,
    /// Where the verdicts begin.
    #[serde(default)]
    settings: Settings,
}

/// The customer until now.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct History {
    /// Paid orders before this one.
    orders: u32,
    /// What they were worth on average.
    average: Option<Amount>,
    /// Failed payments of the last time.
    #[serde(default)]
    failed: u32,
}

/// What is adjustable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// From this score on a person should look.
    #[schemars(range(min = 1, max = 100))]
    review_from: u32,
    /// From this score on the order should wait for that person.
    #[schemars(range(min = 1, max = 100))]
    hold_from: u32,
    /// How long orders of one mail address or IP address are counted.
    #[schemars(range(min = 1, max = 720))]
    window_hours: u32,
    /// How many orders of one mail address in that time are still usual.
    orders_per_mail: u32,
    /// How many mail addresses on one IP address in that time are still usual: families, offices.
    mails_per_ip: u32,
    /// Domains of throw-away addresses beside those that are known.
    throw_away_domains: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            review_from: 30,
            hold_from: 60,
            window_hours: 24,
            orders_per_mail: 2,
            mails_per_ip: 2,
            throw_away_domains: Vec::new(),
        }
    }
}

impl Settings {
    fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.window_hours) * 3600)
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Ship it.
    Accept,
    /// A person should look before it is shipped.
    Review,
    /// It should wait.
    Hold,
}

/// A rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Reason {
    /// The rule's name, for conditions.
    rule: &'static str,
    /// What it adds.
    points: u32,
    /// Why, for people.
    text: String,
}

/// The score.
#[derive(Debug, Serialize, JsonSchema)]
struct Score {
    /// The order's number.
    order: u64,
    /// 0 to 100: the points of all reasons, no more than 100.
    #[schemars(range(max = 100))]
    score: u32,
    /// What to do.
    verdict: Verdict,
    /// Why, the heaviest first.
    reasons: Vec<Reason>,
}

fn score(input: Input, _: &Call) -> Result<Score, Failure> {
    let settings = &input.settings;
    if settings.review_from > settings.hold_from || settings.hold_from > MAX_SCORE {
        return Err(Failure::invalid("`review_from` must not be above `hold_from`, and that not above 100"));
    }
    let seen = Seen::with(&input.order, settings.window())?;
    let mut reasons = rules::all(&input, &seen);
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.points));
    let score = reasons.iter().map(|reason| reason.points).sum::<u32>().min(MAX_SCORE);
    let verdict = match score {
        score if score >= settings.hold_from => Verdict::Hold,
        score if score >= settings.review_from => Verdict::Review,
        _ => Verdict::Accept,
    };
    Ok(Score { order: input.order.id, score, verdict, reasons })
}

plugin! {
    FraudScore {
        name: "fraud-score",
        description: "Says how likely an order is fraud, with reasons that people can check.",
        functions: {
            "score": "Scores one order from 0 (nothing odd) to 100." => score,
        },
    }
}
