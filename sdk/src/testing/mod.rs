//! Tests of plugins under plain `cargo test`: the plugin runs natively, its host calls are answered by stubs.
//!
//! ```
//! use cartwright_plugin::{Call, Failure, plugin, state, testing::Harness, woo};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use serde_json::{Value, json};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Thanks {
//!     order: u64,
//! }
//!
//! fn thank(thanks: Thanks, _: &Call) -> Result<Value, Failure> {
//!     let order: Value = woo::get(&format!("orders/{}", thanks.order))?;
//!     let visits = state::increment("visits", 1)?;
//!     Ok(json!({ "text": format!("Thank you, {}!", order["billing"]["first_name"]), "visits": visits }))
//! }
//!
//! plugin! {
//!     Polite {
//!         name: "polite",
//!         description: "Thanks people.",
//!         functions: { "thank": "Thanks for an order." => thank },
//!         needs: { woo: ["orders.read"] },
//!     }
//! }
//!
//! let mut harness = Harness::new(Polite)
//!     .woo(|request| match request.path.as_str() {
//!         "orders/61" => Ok(json!({ "billing": { "first_name": "Ada" } })),
//!         _ => Err(Failure::Timeout),
//!     })
//!     .state("visits", json!(6));
//! let run = harness.run("thank", json!({ "order": 61 }));
//! assert_eq!(run.output()["visits"], json!(7));
//! assert_eq!(run.called(), ["woo.get", "state.increment"]);
//! assert_eq!(harness.run("thank", json!({ "order": 62 })).failure(), &Failure::Timeout);
//! ```
//!
//! Natively only: this module does not exist in a component.

mod run;
#[cfg(feature = "check-schemas")]
mod schemas;
mod stubs;

use std::{collections::BTreeMap, marker::PhantomData};

use serde_json::Value;

pub use run::{Emitted, HostCall, Line, Run};
pub use stubs::WooRequest;
pub(crate) use stubs::{Stubs, with_current, with_stubs};

use crate::{
    Call, Failure, Plugin,
    clock::Moment,
    http::{Request, Response},
};

/// A plugin with answers for its host calls. State, clock and randomness go on from run to run.
///
/// Host calls that need an answer and have none panic with the line to add. Sleeping moves the clock and takes no time.
#[derive(Debug)]
pub struct Harness<P> {
    call: Call,
    stubs: Option<Stubs>,
    plugin: PhantomData<P>,
}

impl<P: Plugin> Harness<P> {
    /// A harness whose clock stands at 2026-01-01T00:00:00Z.
    pub fn new(_plugin: P) -> Self {
        let call = Call {
            function: String::new(),
            workflow: "workflow-under-test".into(),
            run: "run-under-test".into(),
            step: "step-under-test".into(),
            store: Some("shop".into()),
        };
        Self { call, stubs: Some(Stubs::default()), plugin: PhantomData }
    }

    /// Answers HTTP requests.
    pub fn http(mut self, stub: impl FnMut(&Request) -> Result<Response, Failure> + 'static) -> Self {
        self.stubs().http = Some(Box::new(stub));
        self
    }

    /// Answers calls to a store.
    pub fn woo(mut self, stub: impl FnMut(&WooRequest) -> Result<Value, Failure> + 'static) -> Self {
        self.stubs().woo = Some(Box::new(stub));
        self
    }

    /// Keeps a value under a key.
    pub fn state(mut self, key: &str, value: Value) -> Self {
        self.stubs().state.insert(key.to_owned(), value);
        self
    }

    /// Sets the clock, in RFC 3339.
    ///
    /// # Panics
    /// If the text is no time.
    #[track_caller]
    pub fn now(mut self, time: &str) -> Self {
        self.stubs().now = time.parse::<Moment>().unwrap_or_else(|error| panic!("{error}")).millis();
        self
    }

    /// Gives a secret.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.stubs().secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Queues an event for the next wait.
    pub fn event(mut self, topic: &str, event: Value) -> Self {
        self.stubs().events.push_back(Some((topic.to_owned(), event)));
        self
    }

    /// Queues a wait that ends because its time has passed.
    pub fn no_event(mut self) -> Self {
        self.stubs().events.push_back(None);
        self
    }

    /// Chooses other random numbers.
    pub fn seed(mut self, seed: u64) -> Self {
        self.stubs().seed = seed;
        self
    }

    /// Sets the store that the run's event is about.
    pub fn store(mut self, store: Option<&str>) -> Self {
        self.call.store = store.map(str::to_owned);
        self
    }

    /// Sets the ids of the workflow, the run and the step.
    pub fn ids(mut self, workflow: &str, run: &str, step: &str) -> Self {
        (self.call.workflow, self.call.run, self.call.step) = (workflow.into(), run.into(), step.into());
        self
    }

    /// Lets time pass between two runs.
    pub fn pass(&mut self, time: std::time::Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.stubs().pass(millis);
    }

    /// Calls a function, as a step would.
    ///
    /// # Panics
    /// If a host call has no answer; with the feature `check-schemas` also if the output does not fit the schema that
    /// the plugin gives of itself.
    #[track_caller]
    pub fn run(&mut self, function: &str, input: Value) -> Run {
        self.call.function = function.to_owned();
        let stubs = std::mem::take(self.stubs());
        let (call, input) = (&self.call, input.to_string());
        let (outcome, mut stubs) = stubs::run(stubs, || execute::<P>(call, &input));
        let run = Run {
            outcome,
            logs: std::mem::take(&mut stubs.logs),
            calls: std::mem::take(&mut stubs.calls),
            emitted: std::mem::take(&mut stubs.emitted),
            slept: std::mem::take(&mut stubs.slept),
            state: stubs.state.clone(),
        };
        self.stubs = Some(stubs);
        run
    }

    /// What is kept now.
    pub fn kept(&self) -> BTreeMap<String, Value> {
        self.stubs.as_ref().map(|stubs| stubs.state.clone()).unwrap_or_default()
    }

    fn stubs(&mut self) -> &mut Stubs {
        self.stubs.get_or_insert_default()
    }
}

fn execute<P: Plugin>(call: &Call, input: &str) -> Result<Value, Failure> {
    #[cfg(feature = "check-schemas")]
    schemas::check_input::<P>(&call.function, input)?;
    let output = crate::handle::<P>(call, input)?;
    let output = serde_json::from_str(&output)?;
    #[cfg(feature = "check-schemas")]
    schemas::check_output::<P>(&call.function, &output);
    Ok(output)
}

/// The plugin's manifest, as `describe` gives it.
///
/// # Panics
/// Never: the SDK writes it.
pub fn manifest<P: Plugin>(_plugin: &P) -> Value {
    serde_json::from_str(&crate::describe::<P>()).expect("the SDK writes JSON")
}
