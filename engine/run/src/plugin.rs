//! Executes plugin steps: renders what they are given, holds it against the plugin's schema, opens the secrets they may
//! ask for, and lets the sandbox execute them; what came of it goes to `decide` as a script's result does.

use std::{collections::BTreeMap, fmt, io, sync::Arc};

use cartwright_core::{
    Json,
    call::{CallError, CallOutcome, ErrorClass},
    id::{RunId, StepPath, StoreId, WorkflowId},
    plugin::PluginRecord,
    run::{
        decide::{Context, ScriptEnd, ScriptResult, locate, scope_at},
        state::RunState,
    },
    testing::Request,
    time::Timestamp,
    workflow::{PluginStep, StepKind, Template},
};
use cartwright_sandbox::{
    Recorded, ScriptOutcome,
    plugin::{Execution, LoadedPlugin, PluginCall, PluginError, PluginSecret, Plugins, Usage},
};
use parking_lot::Mutex;

use crate::{
    inner::Inner,
    json_schema::{self, SchemaFault, Validator},
    rehearse::Asked,
    script,
};

/// Faults of an input that one error tells.
const MAX_TOLD_FAULTS: usize = 5;

/// Where plugins are. Its methods block.
pub trait PluginSource: Send + Sync {
    /// The component with this hash, installed now or ever before.
    fn read(&self, hash: &str) -> io::Result<Vec<u8>>;

    /// What is installed now, by name.
    fn installed(&self) -> Vec<InstalledPlugin>;
}

/// A plugin that is installed.
#[derive(Debug, Clone)]
pub struct InstalledPlugin {
    /// How steps call it.
    pub name: String,
    /// The trusted key that signed it.
    pub signed_by: Option<String>,
    /// What is known of it, or why it cannot be used.
    pub record: Result<PluginRecord, String>,
}

/// What an engine executes plugins with; clones share it.
#[derive(Clone)]
pub struct PluginHost {
    plugins: Plugins,
    source: Arc<dyn PluginSource>,
    figures: Arc<Mutex<BTreeMap<String, PluginFigures>>>,
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginHost")
    }
}

/// What a plugin did since the engine started; nothing of it is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PluginFigures {
    /// Executions that ended or paused; a replay counts again.
    pub stretches: u64,
    /// Calls that ended well.
    pub succeeded: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Of those, ended by a trap or a limit.
    pub trapped: u64,
    /// Time on the processor, in seconds.
    pub processor_seconds: f64,
    /// Wasm instructions, about.
    pub fuel: u64,
    /// The most memory that one execution used, in bytes.
    pub memory_peak_bytes: u64,
}

impl PluginHost {
    /// Over the sandbox's plugins and where they are.
    pub fn new(plugins: Plugins, source: Arc<dyn PluginSource>) -> Self {
        Self { plugins, source, figures: Arc::default() }
    }

    /// Figures of each plugin, by name.
    pub fn figures(&self) -> BTreeMap<String, PluginFigures> {
        self.figures.lock().clone()
    }

    /// What is installed now. Blocks while new files are looked at.
    pub fn installed(&self) -> Vec<InstalledPlugin> {
        self.source.installed()
    }

    /// The plugin with this hash, ready to be executed.
    async fn load(&self, hash: &str) -> Result<Arc<LoadedPlugin>, PluginError> {
        if let Some(loaded) = self.plugins.loaded(hash) {
            return Ok(loaded);
        }
        let (host, hash) = (self.clone(), hash.to_owned());
        let load = move || host.plugins.load(&hash, &|| host.source.read(&hash));
        // A compilation takes seconds, and reading a large one some milliseconds.
        match tokio::task::spawn_blocking(load).await {
            Ok(loaded) => loaded,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    fn count(&self, name: &str, before: Usage, after: Usage, outcome: &ScriptOutcome) {
        let mut all = self.figures.lock();
        let figures = all.entry(name.to_owned()).or_default();
        figures.stretches += 1;
        figures.processor_seconds += after.processor.saturating_sub(before.processor).as_secs_f64();
        figures.fuel += after.fuel.saturating_sub(before.fuel);
        figures.memory_peak_bytes = figures.memory_peak_bytes.max(after.memory_peak_bytes as u64);
        match outcome {
            ScriptOutcome::Done { .. } => figures.succeeded += 1,
            ScriptOutcome::Failed { error, .. } => {
                figures.failed += 1;
                figures.trapped += u64::from(matches!(error.code.as_str(), "trap" | "limit"));
            }
            ScriptOutcome::Suspended { .. } | ScriptOutcome::Nondeterministic { .. } => {}
        }
    }
}

/// One stretch of a plugin's execution, ended.
pub(crate) struct Stretch {
    pub(crate) path: StepPath,
    pub(crate) attempt: u32,
    /// It waits for a call, and can go on with its outcome.
    pub(crate) execution: Option<Execution>,
    pub(crate) result: ScriptResult,
}

/// A plugin's step that is to be executed from its start.
pub(crate) struct Task {
    inner: Arc<Inner>,
    step: PluginStep,
    input: Result<Json, CallError>,
    call: Place,
    recorded: Vec<Recorded>,
    granted: Vec<String>,
}

/// Whose execution it is.
struct Place {
    workflow: WorkflowId,
    run: RunId,
    path: StepPath,
    attempt: u32,
    store: Option<StoreId>,
    now: Timestamp,
}

impl Place {
    fn new(context: &Context<'_>, state: &RunState, path: &StepPath, attempt: u32) -> Self {
        Self {
            workflow: context.workflow.id.clone(),
            run: state.run.clone(),
            path: path.clone(),
            attempt,
            store: state.store.clone(),
            now: context.now,
        }
    }
}

/// Gets the execution of a plugin's step ready. `None`: the step is no plugin's any more, which only a bug could cause.
pub(crate) fn prepare(
    inner: &Arc<Inner>,
    context: &Context<'_>,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Option<Task> {
    let (step, frame) = locate(context.workflow, state, path)?;
    let StepKind::Plugin(step) = &step.kind else { return None };
    let template: &Template = &step.with;
    let input = scope_at(context, state, &frame, |scope| context.evaluate.template(template, &scope))
        .map_err(|error| CallError::r#final("expression", format!("`with`: {error}")));
    let recorded = script::recorded(state, path);
    // What was executed before was given the same.
    let input = if recorded.is_empty() { input.and_then(|input| fits(step, input)) } else { input };
    Some(Task {
        inner: Arc::clone(inner),
        step: PluginStep::clone(step),
        input,
        call: Place::new(context, state, path, attempt),
        recorded,
        granted: context.workflow.grants.secrets.clone(),
    })
}

impl Task {
    pub(crate) async fn run(self) -> Stretch {
        let (path, attempt) = (self.call.path.clone(), self.call.attempt);
        match self.execute().await {
            Ok((execution, result)) => Stretch { path, attempt, execution, result },
            Err(error) => {
                let end = ScriptEnd::Failed { error, call: None };
                Stretch { path, attempt, execution: None, result: ScriptResult { immediate: Vec::new(), end } }
            }
        }
    }

    /// What somebody says who answers in the plugin's place.
    async fn stubbed(&self, input: &Json) -> Option<Result<Json, CallError>> {
        let stand_in = self.inner.options.stand_in.as_ref()?;
        let target = self.step.target();
        let asked = Asked {
            run: self.call.run.clone(),
            workflow: self.call.workflow.clone(),
            path: self.call.path.clone(),
            index: 0,
            function: format!("plugin::{target}"),
            fingerprint: String::new(),
            store: self.call.store.clone(),
            request: Request::plugin(&target, input.clone()),
        };
        Some(match stand_in.0.plugin(asked).await? {
            CallOutcome::Ok(output) => Ok(output),
            CallOutcome::Err(error) => Err(error),
        })
    }

    async fn execute(self) -> Result<(Option<Execution>, ScriptResult), CallError> {
        let input = self.input.clone()?;
        if let Some(stubbed) = self.stubbed(&input).await {
            return Ok((None, ScriptResult { immediate: Vec::new(), end: ScriptEnd::Done(stubbed?) }));
        }
        let Self { inner, step, call, recorded, granted, .. } = self;
        let host = inner.options.plugins.clone().ok_or_else(|| {
            let message = "this engine executes no plugins: it was started without a plugins folder";
            CallError { class: ErrorClass::Park, ..CallError::r#final("plugin", message) }
        })?;
        let plugin = host.load(&step.plugin.hash).await.map_err(|error| cannot_load(&step.plugin, &error))?;
        let secrets = match step.plugin.imports.contains("secrets") {
            true => open_secrets(&inner, granted).await?,
            false => Vec::new(),
        };
        let plugin_call = PluginCall {
            function: step.function.clone(),
            input,
            workflow: call.workflow.to_string(),
            run: call.run.to_string(),
            step: call.path.to_string(),
            store: call.store.as_ref().map(ToString::to_string),
            secrets,
        };
        let mut execution = host.plugins.start(&plugin, plugin_call, &recorded);
        let result = advance(&inner, &host, &step, &mut execution, None, &call).await;
        Ok((Some(execution), result))
    }
}

/// An instance that goes on with the outcome of the call it waits for.
pub(crate) struct Resumed {
    inner: Arc<Inner>,
    step: Option<PluginStep>,
    call: Place,
    execution: Execution,
    outcome: (u32, CallOutcome),
}

impl Resumed {
    pub(crate) fn new(
        inner: &Arc<Inner>,
        context: &Context<'_>,
        state: &RunState,
        (path, attempt): (&StepPath, u32),
        execution: Execution,
        outcome: (u32, CallOutcome),
    ) -> Self {
        let step = locate(context.workflow, state, path).and_then(|(step, _)| match &step.kind {
            StepKind::Plugin(step) => Some(PluginStep::clone(step)),
            _ => None,
        });
        let call = Place::new(context, state, path, attempt);
        Self { inner: Arc::clone(inner), step, call, execution, outcome }
    }

    pub(crate) async fn run(self) -> Stretch {
        let Self { inner, step, call, mut execution, outcome } = self;
        let (Some(step), Some(host)) = (step, inner.options.plugins.clone()) else {
            unreachable!("an execution has its step and its host");
        };
        let result = advance(&inner, &host, &step, &mut execution, Some(outcome), &call).await;
        Stretch { path: call.path, attempt: call.attempt, execution: Some(execution), result }
    }
}

async fn advance(
    inner: &Inner,
    host: &PluginHost,
    step: &PluginStep,
    execution: &mut Execution,
    outcome: Option<(u32, CallOutcome)>,
    call: &Place,
) -> ScriptResult {
    let mut seed = [0; 32];
    if step.plugin.imports.contains("random") {
        inner.entropy.fill(&mut seed);
    }
    let before = execution.usage();
    let ended = execution.advance(outcome, call.now, seed).await;
    host.count(&step.plugin.name, before, execution.usage(), &ended);
    told(call, &ended);
    let mut result = script::result(ended);
    if let ScriptEnd::Done(output) = &result.end
        && let Err(error) = gives(step, output)
    {
        result.end = ScriptEnd::Failed { error, call: None };
    }
    result
}

/// Lines that the plugin newly logged, for whoever watches the engine; the journal keeps them.
fn told(call: &Place, ended: &ScriptOutcome) {
    let (ScriptOutcome::Done { immediate, .. }
    | ScriptOutcome::Suspended { immediate, .. }
    | ScriptOutcome::Failed { immediate, .. }) = ended
    else {
        return;
    };
    for made in immediate.iter().filter(|made| made.function.starts_with("log::")) {
        if let CallOutcome::Ok(line) = &made.outcome {
            let text = |key: &str| line.get(key).and_then(Json::as_str).unwrap_or_default();
            tracing::debug!(run = %call.run, step = %call.path, level = text("level"), message = text("message"), "plugin");
        }
    }
}

fn cannot_load(record: &PluginRecord, error: &PluginError) -> CallError {
    let message = format!(
        "the plugin `{}` (version {}) cannot be executed: {error}. Install it again with `cartwright plugin add`, then retry the run",
        record.name,
        &record.hash[..record.hash.len().min(12)]
    );
    CallError { class: ErrorClass::Park, ..CallError::r#final("plugin", message) }
}

/// The granted secrets; one that was never set is known by name only.
async fn open_secrets(inner: &Inner, granted: Vec<String>) -> Result<Vec<PluginSecret>, CallError> {
    let mut secrets = Vec::new();
    for name in granted {
        let opened = inner.secrets.open(&name).await.map_err(|error| CallError {
            class: ErrorClass::Park,
            ..CallError::r#final("secret", error.to_string())
        })?;
        let plaintext = opened.and_then(|secret| secret.expose_text().map(str::to_owned));
        secrets.push(PluginSecret { name, plaintext });
    }
    Ok(secrets)
}

/// The compiled schemas of a function.
struct Schemas {
    input: Option<Validator>,
    output: Option<Validator>,
}

fn schemas(step: &PluginStep) -> Option<&Schemas> {
    let compiled = step.compiled.get_or_init(|| {
        let (input, output) = step.schemas();
        Box::new(Schemas { input: json_schema::compile(input).ok(), output: json_schema::compile(output).ok() })
    });
    compiled.downcast_ref()
}

/// The input, if it fits the function's schema.
fn fits(step: &PluginStep, input: Json) -> Result<Json, CallError> {
    let faults = schemas(step).and_then(|schemas| schemas.input.as_ref());
    let faults = faults.map(|validator| json_schema::faults(validator, &input)).unwrap_or_default();
    match faults.is_empty() {
        true => Ok(input),
        false => {
            let message = format!("`with` does not fit what `{}` takes: {}", step.target(), in_words(&faults));
            Err(CallError::r#final("plugin_input", message))
        }
    }
}

/// Whether the output fits the function's schema.
fn gives(step: &PluginStep, output: &Json) -> Result<(), CallError> {
    let faults = schemas(step).and_then(|schemas| schemas.output.as_ref());
    let faults = faults.map(|validator| json_schema::faults(validator, output)).unwrap_or_default();
    match faults.is_empty() {
        true => Ok(()),
        false => {
            let message = format!(
                "`{}` gave something else than its description says; its author has to mend it: {}",
                step.target(),
                in_words(&faults)
            );
            Err(CallError::r#final("plugin_output", message))
        }
    }
}

fn in_words(faults: &[SchemaFault]) -> String {
    let mut words: Vec<String> = faults.iter().take(MAX_TOLD_FAULTS).map(ToString::to_string).collect();
    if faults.len() > MAX_TOLD_FAULTS {
        words.push(format!("and {} more", faults.len() - MAX_TOLD_FAULTS));
    }
    words.join("; ")
}
