//! What a run under the harness gave and did.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Failure, log::Level};

/// One call of a function, finished.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// Its output, or why it failed.
    pub outcome: Result<Value, Failure>,
    /// Lines that it wrote.
    pub logs: Vec<Line>,
    /// Host calls, in order, without lines.
    pub calls: Vec<HostCall>,
    /// Events that it raised.
    pub emitted: Vec<Emitted>,
    /// How long it slept and waited, all in all.
    pub slept: Duration,
    /// What is kept afterwards.
    pub state: BTreeMap<String, Value>,
}

/// A line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
}

/// A host call.
#[derive(Debug, Clone, PartialEq)]
pub struct HostCall {
    /// As the interface names it: `http.send`.
    pub function: &'static str,
    /// Its arguments, by name.
    pub args: Value,
}

/// An event that was raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    /// Its topic.
    pub topic: String,
    /// What it carries.
    pub data: Value,
}

impl Run {
    /// The output.
    ///
    /// # Panics
    /// If the run failed.
    #[track_caller]
    pub fn output(&self) -> &Value {
        match &self.outcome {
            Ok(output) => output,
            Err(failure) => panic!("the run failed: {failure} ({failure:?}){}", self.told()),
        }
    }

    /// The output as a type.
    ///
    /// # Panics
    /// If the run failed, or the output is of another shape.
    #[track_caller]
    pub fn output_as<T: DeserializeOwned>(&self) -> T {
        let output = self.output();
        serde_json::from_value(output.clone())
            .unwrap_or_else(|error| panic!("the output does not fit: {error}: {output}"))
    }

    /// Why it failed.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn failure(&self) -> &Failure {
        match &self.outcome {
            Ok(output) => panic!("the run did not fail: it gave {output}{}", self.told()),
            Err(failure) => failure,
        }
    }

    /// The names of its host calls, in order: `["http.send", "state.set"]`.
    pub fn called(&self) -> Vec<&'static str> {
        self.calls.iter().map(|call| call.function).collect()
    }

    /// The lines that it wrote, for a message.
    fn told(&self) -> String {
        let mut text = String::new();
        for line in &self.logs {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {:?}: {}", line.level, line.message);
        }
        text
    }
}
