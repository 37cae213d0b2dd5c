//! What a plugin is: a type that names its functions. From it come the manifest that `describe` gives and the way of a
//! call to its function and back.

use std::fmt;

use schemars::{
    JsonSchema,
    generate::{Contract, SchemaSettings},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Call, Failure, input};

/// A plugin. [`plugin!`](crate::plugin!) writes the implementation; write it yourself when functions are not known when
/// the plugin is compiled.
pub trait Plugin {
    /// Lower-case words with dashes: `fraud-score`. Steps say `plugin: fraud-score`.
    const NAME: &'static str;
    /// Its author's version, for people.
    const VERSION: &'static str;
    /// What it is for.
    const DESCRIPTION: &'static str;

    /// What it cannot do without.
    fn needs() -> Needs {
        Needs::default()
    }

    /// Its functions.
    fn functions() -> Vec<Function>;
}

/// Grants that a plugin cannot do without, written as in a workflow's `grants`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Hosts: `api.example.com`.
    pub http: Vec<String>,
    /// Names of secrets.
    pub secrets: Vec<String>,
    /// Topics that it emits: `stock.low`.
    pub emit: Vec<String>,
    /// Stores other than the event's.
    pub stores: Vec<String>,
    /// Parts of a store's API: `orders.read`.
    pub woo: Vec<String>,
}

impl Needs {
    fn value(self) -> Value {
        let Self { http, secrets, emit, stores, woo } = self;
        let mut map = Map::new();
        for (key, list) in [("http", http), ("secrets", secrets), ("emit", emit), ("stores", stores), ("woo", woo)] {
            if !list.is_empty() {
                map.insert(key.to_owned(), list.into());
            }
        }
        Value::Object(map)
    }
}

/// One function of a plugin.
pub struct Function {
    name: &'static str,
    description: &'static str,
    input: fn() -> Value,
    output: fn() -> Value,
    run: Box<Run>,
}

type Run = dyn Fn(&str, &Call) -> Result<String, Failure>;

impl Function {
    /// A function from its name, what it does, and what executes it. Its schemas come from its types.
    pub fn new<I, O, E>(
        name: &'static str,
        description: &'static str,
        handler: impl Fn(I, &Call) -> Result<O, E> + 'static,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema,
        O: Serialize + JsonSchema,
        E: Into<Failure>,
    {
        let run = move |text: &str, call: &Call| {
            let output = handler(input::read(text)?, call).map_err(Into::into)?;
            serde_json::to_string(&output)
                .map_err(|error| Failure::Other(format!("the plugin's output cannot become JSON: {error}")))
        };
        let (input, output) = (schema::<I, true>, schema::<O, false>);
        Self { name, description, input, output, run: Box::new(run) }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The JSON Schema (draft 2020-12) of a type as it is read, or as it is written. Parts stand where they are used, so
/// that people and small tools can follow it.
fn schema<T: JsonSchema, const READ: bool>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
        settings.contract = if READ { Contract::Deserialize } else { Contract::Serialize };
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The plugin's manifest as JSON: what the component's `describe` gives.
pub fn describe<P: Plugin>() -> String {
    // Values and not types of our own: schemas bring the code for values anyway, and a plugin should be small.
    let mut functions = Map::new();
    for function in P::functions() {
        let about = [
            ("description", Value::from(function.description)),
            ("input", (function.input)()),
            ("output", (function.output)()),
        ];
        functions.insert(function.name.to_owned(), object(about));
    }
    let manifest = [
        ("name", P::NAME.into()),
        ("version", P::VERSION.into()),
        ("description", P::DESCRIPTION.into()),
        ("functions", Value::Object(functions)),
        ("needs", P::needs().value()),
    ];
    object(manifest).to_string()
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let mut map = Map::new();
    for (key, value) in entries {
        map.insert(key.to_owned(), value);
    }
    Value::Object(map)
}

/// Executes one call: what the component's `handle` does. `input` is JSON, and so is the output.
pub fn handle<P: Plugin>(call: &Call, input: &str) -> Result<String, Failure> {
    let functions = P::functions();
    match functions.iter().find(|function| function.name == call.function) {
        Some(function) => (function.run)(input, call),
        None => {
            let known: Vec<&str> = functions.iter().map(|function| function.name).collect();
            let (name, wrong) = (P::NAME, &call.function);
            Err(Failure::Invalid(format!("{name} has no function `{wrong}`; it has {}", known.join(", "))))
        }
    }
}

/// Whether a text can be the name of a plugin or a function.
#[doc(hidden)]
pub const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !(bytes[at].is_ascii_lowercase() || at > 0 && (bytes[at].is_ascii_digit() || bytes[at] == b'-')) {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= 64
}
