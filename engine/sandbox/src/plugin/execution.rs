//! One call of a plugin as a durable function: executed until it ends or asks for a call that nobody has made yet. The
//! outcome goes to the instance that waits for it, or, when that was dropped, to one that is executed from the start
//! with all calls that are recorded by then; both come to the same.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use cartwright_core::{
    Json,
    call::{Call, CallError, CallKind, CallOutcome},
    time::Timestamp,
};
use parking_lot::Mutex;

use super::{
    bindings::types,
    guest::{self, Ended, Running, Task},
    limits::PluginLimits,
    plugins::{Inner, LoadedPlugin, Parked, Runtime},
    secrets::PluginSecret,
    session::{Session, Usage},
    values,
};
use crate::{Recorded, Resolved, ScriptOutcome, functions::Halt};

/// One call of a plugin's function.
#[derive(Debug, Clone)]
pub struct PluginCall {
    /// The function's name in the plugin's own description.
    pub function: String,
    /// Its input.
    pub input: Json,
    /// The workflow's id.
    pub workflow: String,
    /// The run's id.
    pub run: String,
    /// The step's path.
    pub step: String,
    /// The store that the run's event is about.
    pub store: Option<String>,
    /// The secrets that the workflow was granted, opened.
    pub secrets: Vec<PluginSecret>,
}

/// An execution under way. Dropping it drops the instance.
pub struct Execution {
    plugins: Arc<Inner>,
    plugin: Arc<LoadedPlugin>,
    call: types::Call,
    secrets: Vec<PluginSecret>,
    /// Every call so far, for an execution from the start.
    recorded: Vec<Recorded>,
    session: Arc<Mutex<Session>>,
    /// The instance, while it lives.
    guest: Option<Running>,
    /// Its place in memory, while it waits.
    parked: Option<Parked>,
    /// Of instances before this one.
    earlier: Duration,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("plugin", &self.plugin).field("live", &self.is_live()).finish_non_exhaustive()
    }
}

/// What polling a guest comes to.
enum Event {
    Asked(u32, Call),
    Ended(Ended),
    Panicked,
}

impl Execution {
    pub(super) fn new(plugins: Arc<Inner>, plugin: Arc<LoadedPlugin>, call: PluginCall, recorded: &[Recorded]) -> Self {
        let PluginCall { function, input, workflow, run, step, store, secrets } = call;
        let call = types::Call { function, input: values::printed(&input), workflow, run, step, store };
        let session = fresh(&plugins, &secrets, recorded);
        Self {
            plugins,
            plugin,
            call,
            secrets,
            recorded: recorded.to_vec(),
            session,
            guest: None,
            parked: None,
            earlier: Duration::ZERO,
        }
    }

    /// Goes on with the outcome of the call that was asked for last (`None`: from the start), until the plugin ends or
    /// asks for another one. Gives way to others every few milliseconds. `now` stands still and `seed` determines
    /// randomness until the next advance.
    pub async fn advance(
        &mut self,
        answer: Option<(u32, CallOutcome)>,
        now: Timestamp,
        seed: [u8; 32],
    ) -> ScriptOutcome {
        let plugins = Arc::clone(&self.plugins);
        let runtime = match plugins.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return failed(CallError::r#final("plugin", error.to_string())),
        };
        match answer {
            Some((index, outcome)) => self.hear(index, outcome),
            None => self.guest = None,
        }
        let Ok(_turn) = runtime.turns.acquire().await else { return internal("no turn") };
        self.parked = None;
        let guest = match &mut self.guest {
            Some(guest) => guest,
            none => {
                self.earlier += self.session.lock().meter.total();
                self.session = fresh(&self.plugins, &self.secrets, &self.recorded);
                let task = Task::Handle(self.call.clone());
                none.insert(guest::start(&self.plugin, &self.plugins.limits, &self.session, task))
            }
        };
        {
            let mut session = self.session.lock();
            session.calls.stretch(now, seed);
            session.meter.stretch();
        }
        let event = run(runtime, guest, &self.session).await;
        self.after(runtime, event)
    }

    /// Whether an instance is in memory.
    pub fn is_live(&self) -> bool {
        self.guest.is_some()
    }

    /// What it has used so far. Fuel and memory are those of the last instance.
    pub fn usage(&self) -> Usage {
        let session = self.session.lock();
        Usage { processor: self.earlier + session.meter.total(), ..session.usage }
    }

    /// Keeps an outcome, and hands it to the instance when that waits for it.
    fn hear(&mut self, index: u32, outcome: CallOutcome) {
        let record = usize::try_from(index).ok().and_then(|at| self.recorded.get_mut(at));
        let waits = self.session.lock().waits_for(index);
        match record {
            Some(record) => record.outcome = Some(outcome.clone()),
            None => tracing::warn!(index, "an outcome came for a call that no plugin made; please report this"),
        }
        match waits {
            true => self.session.lock().answer = Some(outcome),
            // What it waits for is not this: executed again, it says so.
            false => self.guest = None,
        }
    }

    fn after(&mut self, runtime: &Runtime, event: Event) -> ScriptOutcome {
        let immediate = self.session.lock().calls.take_immediate();
        self.recorded.extend(immediate.iter().map(|call| Recorded {
            function: call.function.clone(),
            fingerprint: call.fingerprint.clone(),
            outcome: Some(call.outcome.clone()),
        }));
        match event {
            Event::Asked(index, call) => {
                if usize::try_from(index).is_ok_and(|index| index == self.recorded.len()) {
                    let (function, fingerprint) = (call.function.clone(), call.fingerprint.clone());
                    self.recorded.push(Recorded { function, fingerprint, outcome: None });
                }
                let long = matches!(call.kind, CallKind::Sleep | CallKind::Wait);
                self.parked = if long { None } else { runtime.park(&self.plugins.limits) };
                if self.parked.is_none() {
                    self.guest = None;
                }
                ScriptOutcome::Suspended { index, call, immediate }
            }
            Event::Panicked => {
                // Whatever is left of it is let go of as carefully.
                let guest = self.guest.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(guest)));
                with_immediate(internal("the host gave up"), immediate)
            }
            Event::Ended(ended) => {
                self.guest = None;
                self.ended(ended, immediate)
            }
        }
    }

    fn ended(&self, ended: Ended, immediate: Vec<Resolved>) -> ScriptOutcome {
        let session = self.session.lock();
        match &session.halted {
            Some(Halt::Nondeterministic { index, recorded, asked }) => {
                let (recorded, asked) = (recorded.clone(), asked.clone());
                return ScriptOutcome::Nondeterministic { index: *index, recorded, asked };
            }
            Some(Halt::TooManyCalls) => {
                let message = format!("the plugin makes more than {} calls", session.calls.max_calls);
                return with_immediate(failed(CallError::r#final("limit", message)), immediate);
            }
            None => {}
        }
        let (error, call) = match ended {
            Ended::Gave(output) => match self.output(&session, &output) {
                Ok(value) => return early(&session, None).unwrap_or(ScriptOutcome::Done { value, immediate }),
                Err(message) => (CallError::r#final("output", message), None),
            },
            Ended::Failed(failure) => session.own_failure(&failure),
            Ended::Trapped(mut error) => {
                error.message = session.plain.blot_text(error.message);
                (error, None)
            }
        };
        if error.code != "limit"
            && let Some(nondeterministic) = early(&session, Some(&error))
        {
            return nondeterministic;
        }
        ScriptOutcome::Failed { error, call, immediate }
    }

    fn output(&self, session: &Session, text: &str) -> Result<Json, String> {
        let max = self.plugins.limits.output_bytes;
        if text.len() > max {
            return Err(format!("the plugin's output is larger than {max} bytes; give less"));
        }
        let value = values::read(text).map_err(|problem| format!("the plugin's output {problem}"))?;
        Ok(session.calls.marks.redact_json(&session.plain.blot(value)))
    }
}

/// It ended before it asked for a call that is recorded.
fn early(session: &Session, error: Option<&CallError>) -> Option<ScriptOutcome> {
    let (index, recorded) = session.calls.unasked()?;
    let asked = match error {
        Some(error) => format!("the plugin fails before it: {}", error.message),
        None => "the plugin ends before it".to_owned(),
    };
    Some(ScriptOutcome::Nondeterministic { index, recorded: recorded.to_owned(), asked })
}

fn fresh(plugins: &Inner, secrets: &[PluginSecret], recorded: &[Recorded]) -> Arc<Mutex<Session>> {
    let calls = Session::calls(&plugins.marks, secrets, recorded, &plugins.limits);
    Arc::new(Mutex::new(Session::new(calls, secrets.to_vec(), false)))
}

/// Polls a guest until it asks or ends. While it gives way, others have the thread.
async fn run(runtime: &Runtime, guest: &mut Running, session: &Mutex<Session>) -> Event {
    poll_fn(|context| {
        let inside = runtime.ticker.enter();
        session.lock().meter.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| guest.as_mut().poll(context)));
        drop(inside);
        let mut session = session.lock();
        session.meter.leave();
        match polled {
            Err(_) => Poll::Ready(Event::Panicked),
            Ok(Poll::Ready(ended)) => Poll::Ready(Event::Ended(ended)),
            Ok(Poll::Pending) => match session.asked.take() {
                Some((index, call)) => Poll::Ready(Event::Asked(index, call)),
                None => Poll::Pending,
            },
        }
    })
    .await
}

/// Has a guest describe itself.
pub(super) async fn described(
    runtime: &Runtime,
    mut guest: Running,
    session: &Mutex<Session>,
    limits: &PluginLimits,
) -> Result<String, CallError> {
    let Ok(_turn) = runtime.turns.acquire().await else { return Err(gave_up("no turn")) };
    match run(runtime, &mut guest, session).await {
        Event::Ended(Ended::Gave(text)) if text.len() > limits.output_bytes => {
            Err(CallError::r#final("limit", format!("the description is larger than {} bytes", limits.output_bytes)))
        }
        Event::Ended(Ended::Gave(text)) => Ok(text),
        Event::Ended(Ended::Trapped(error)) => Err(error),
        Event::Ended(Ended::Failed(_)) | Event::Asked(..) | Event::Panicked => Err(gave_up("the host gave up")),
    }
}

fn gave_up(what: &str) -> CallError {
    let message = format!("internal error while executing a plugin ({what}); please report it with the plugin");
    CallError::r#final("internal", message)
}

fn internal(what: &str) -> ScriptOutcome {
    failed(gave_up(what))
}

fn failed(error: CallError) -> ScriptOutcome {
    ScriptOutcome::Failed { error, call: None, immediate: Vec::new() }
}

fn with_immediate(outcome: ScriptOutcome, kept: Vec<Resolved>) -> ScriptOutcome {
    match outcome {
        ScriptOutcome::Failed { error, call, .. } => ScriptOutcome::Failed { error, call, immediate: kept },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{InProcess, Plugins};

    #[test]
    fn a_panic_of_the_host_ends_one_guest_only() {
        let marks = cartwright_core::secret::SecretMarks::new([1; 32]);
        let plugins = Plugins::new(PluginLimits::default(), marks, None, Arc::new(InProcess));
        let runtime = plugins.inner.runtime().expect("a runtime");
        let session = fresh(&plugins.inner, &[], &[]);
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut falls: Running = Box::pin(async { panic!("a bug of ours") });
        let event = tokio.block_on(run(runtime, &mut falls, &session));
        assert!(matches!(event, Event::Panicked));
        let mut stands: Running = Box::pin(async { Ended::Gave("1".into()) });
        let event = tokio.block_on(run(runtime, &mut stands, &session));
        assert!(matches!(event, Event::Ended(Ended::Gave(_))));
    }
}
