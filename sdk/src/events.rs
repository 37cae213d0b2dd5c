//! Events of this engine. Grant for [`emit`]: `emit: ["stock.low"]`.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use cartwright_plugin::{Failure, events};
//! use serde_json::{Value, json};
//!
//! # fn work() -> Result<(), Failure> {
//! events::emit("stock.low", &json!({ "sku": "TEA-1" }))?;
//! let paid: Option<Value> = events::wait_for("order.updated")
//!     .when("incoming.id == event.id && incoming.status == \"processing\"")
//!     .timeout(Duration::from_secs(3 * 24 * 3600))
//!     .wait()?;
//! # Ok(()) }
//! ```

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, host};

/// What is waited for; [`Awaited::wait`] waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "nothing is waited for until `wait` is called"]
pub struct Awaited {
    /// A topic such as `order.updated`.
    pub topic: String,
    /// A condition over `incoming` and `event`, as in `wait_for` steps.
    pub condition: Option<String>,
    /// Without it the wait ends with the run.
    pub timeout: Option<Duration>,
    /// Also events that came that long ago.
    pub lookback: Option<Duration>,
}

/// Raises an event that other workflows may listen to; gives its id.
pub fn emit<T: Serialize + ?Sized>(topic: &str, data: &T) -> Result<String, Failure> {
    let data = serde_json::to_string(data)
        .map_err(|error| Failure::Invalid(format!("the data of `{topic}` cannot become JSON: {error}")))?;
    host::emit(topic, &data)
}

/// An event to wait for.
pub fn wait_for(topic: impl Into<String>) -> Awaited {
    Awaited { topic: topic.into(), condition: None, timeout: None, lookback: None }
}

impl Awaited {
    /// Only events for which this holds.
    pub fn when(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// Gives up after this time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Takes events too that came that long ago.
    pub fn lookback(mut self, lookback: Duration) -> Self {
        self.lookback = Some(lookback);
        self
    }

    /// Waits; gives the event, or nothing when the time passes. As a sleep, it costs no memory.
    pub fn wait<T: DeserializeOwned>(self) -> Result<Option<T>, Failure> {
        let wrong = |error| Failure::Other(format!("the event `{}` is not as expected: {error}", self.topic));
        host::wait_for(&self)?.map(|text| serde_json::from_str(&text).map_err(wrong)).transpose()
    }
}
