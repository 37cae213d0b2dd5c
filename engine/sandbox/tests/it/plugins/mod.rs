//! Plugins: components as durable functions, and components that mean harm.

mod guests;
mod runs;
mod secrets;
mod limits;
mod inspecting;
mod cached;
mod signatures;
mod built;

use std::sync::Arc;

use cartwright_core::{
    Json,
    call::{Call, CallError, CallOutcome},
    time::Timestamp,
};
use cartwright_sandbox::{
    Recorded, Resolved, ScriptOutcome,
    plugin::{Execution, InProcess, LoadedPlugin, PluginCall, PluginLimits, PluginSecret, Plugins, hash_of},
};
use serde_json::json;

use crate::support::marks;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Limits that tests reach soon.
pub(crate) fn small() -> PluginLimits {
    PluginLimits {
        memory_bytes: 4 << 20,
        table_elements: 1_000,
        fuel: 20_000_000,
        output_bytes: 64 << 10,
        host_calls: 50,
        live: 2,
        ..PluginLimits::default()
    }
}

pub(crate) fn plugins_with(limits: PluginLimits) -> Plugins {
    Plugins::new(limits, marks(), None, Arc::new(InProcess))
}

pub(crate) fn load(plugins: &Plugins, component: &[u8]) -> Arc<LoadedPlugin> {
    let bytes = component.to_vec();
    plugins.load(&hash_of(component), &move || Ok(bytes.clone())).expect("the plugin loads")
}

/// Executes on a runtime of one thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

pub(crate) fn call(input: Json) -> PluginCall {
    PluginCall {
        function: "score".into(),
        input,
        workflow: "w".into(),
        run: "run_1".into(),
        step: "fraud".into(),
        store: None,
        secrets: vec![PluginSecret { name: "key".into(), plaintext: Some("hunter-22".into()) }],
    }
}

/// A plugin with everything to run it.
pub(crate) struct Stage {
    pub(crate) plugins: Plugins,
    pub(crate) plugin: Arc<LoadedPlugin>,
}

impl Stage {
    pub(crate) fn new(component: &[u8]) -> Self {
        Self::with(small(), component)
    }

    pub(crate) fn with(limits: PluginLimits, component: &[u8]) -> Self {
        let plugins = plugins_with(limits);
        let plugin = load(&plugins, component);
        Self { plugins, plugin }
    }

    pub(crate) fn start(&self, input: Json, recorded: &[Recorded]) -> Execution {
        self.plugins.start(&self.plugin, call(input), recorded)
    }

    /// One stretch from the start, with what is recorded.
    pub(crate) fn once(&self, recorded: &[Recorded]) -> ScriptOutcome {
        block_on(self.start(json!({}), recorded).advance(None, NOW, [1; 32]))
    }

    /// To the end, on one live instance; answers calls in turn.
    pub(crate) fn live(&self, answers: &[CallOutcome]) -> Played {
        self.play(answers, true)
    }

    /// To the end, with an execution from the start for each call.
    pub(crate) fn replayed(&self, answers: &[CallOutcome]) -> Played {
        self.play(answers, false)
    }

    fn play(&self, answers: &[CallOutcome], live: bool) -> Played {
        let mut played = Played { calls: Vec::new(), recorded: Vec::new(), outcome: self.once(&[]) };
        let mut execution = self.start(json!({}), &[]);
        let mut answers = answers.iter();
        let mut answer = None;
        let mut stretch = 0;
        block_on(async {
            loop {
                if !live {
                    answer = None;
                    execution = self.start(json!({}), &played.recorded);
                }
                stretch += 1;
                played.outcome = execution.advance(answer.take(), NOW, [stretch; 32]).await;
                let (ScriptOutcome::Suspended { immediate, .. }
                | ScriptOutcome::Done { immediate, .. }
                | ScriptOutcome::Failed { immediate, .. }) = &played.outcome
                else {
                    return;
                };
                played.recorded.extend(immediate.iter().map(recorded));
                let ScriptOutcome::Suspended { index, call, .. } = &played.outcome else { return };
                assert_eq!(*index as usize, played.recorded.len());
                let outcome = answers.next().cloned().unwrap_or(CallOutcome::Ok(Json::Null));
                let (function, fingerprint) = (call.function.clone(), call.fingerprint.clone());
                played.recorded.push(Recorded { function, fingerprint, outcome: Some(outcome.clone()) });
                played.calls.push(call.clone());
                answer = Some((*index, outcome));
            }
        });
        played
    }
}

/// A call of a plugin from its start to its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Played {
    pub(crate) calls: Vec<Call>,
    pub(crate) recorded: Vec<Recorded>,
    pub(crate) outcome: ScriptOutcome,
}

impl Played {
    pub(crate) fn done(&self) -> &Json {
        match &self.outcome {
            ScriptOutcome::Done { value, .. } => value,
            other => panic!("not done: {other:?}"),
        }
    }
}

pub(crate) fn recorded(call: &Resolved) -> Recorded {
    let Resolved { function, fingerprint, outcome, .. } = call.clone();
    Recorded { function, fingerprint, outcome: Some(outcome) }
}

pub(crate) fn ok(value: Json) -> CallOutcome {
    CallOutcome::Ok(value)
}

pub(crate) fn failed(outcome: &ScriptOutcome) -> (&CallError, Option<u32>) {
    match outcome {
        ScriptOutcome::Failed { error, call, .. } => (error, *call),
        other => panic!("not failed: {other:?}"),
    }
}
