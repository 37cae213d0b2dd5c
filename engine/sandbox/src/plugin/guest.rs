//! One instance of a plugin, from its making to the end of its call: a future that owns its store, so that it can be
//! parked in the middle of a host call and dropped at any time.

use std::{future::Future, pin::Pin, sync::Arc};

use cartwright_core::call::CallError;
use parking_lot::Mutex;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use super::{
    bindings::types::{Call, Failure},
    limiter::{Limiter, OverLimit},
    limits::{OUTPUT_SLACK_BYTES, PluginLimits},
    plugins::LoadedPlugin,
    session::Session,
    trap,
};

/// What host functions see of an execution.
pub(super) struct Guest {
    pub(super) session: Arc<Mutex<Session>>,
    pub(super) limits: Arc<PluginLimits>,
    limiter: Limiter,
}

impl Guest {
    /// Writes down what has been used; `left` is the fuel in the store.
    pub(super) fn note_usage(&self, left: u64) {
        let mut session = self.session.lock();
        session.usage.fuel = self.limits.fuel.saturating_sub(left);
        session.usage.memory_peak_bytes = session.usage.memory_peak_bytes.max(self.limiter.memory_peak);
    }
}

/// How a guest ended.
pub(super) enum Ended {
    Gave(String),
    Failed(Failure),
    /// It did not get to its end.
    Trapped(CallError),
}

/// A guest on its way.
pub(super) type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// What is asked of a guest.
pub(super) enum Task {
    Describe,
    Handle(Call),
}

/// Makes an instance and has it do `task`. Nothing happens before the first poll.
pub(super) fn start(
    plugin: &Arc<LoadedPlugin>,
    limits: &Arc<PluginLimits>,
    session: &Arc<Mutex<Session>>,
    task: Task,
) -> Running {
    let (plugin, limits, session) = (Arc::clone(plugin), Arc::clone(limits), Arc::clone(session));
    Box::pin(async move {
        let limiter = Limiter::new(&limits);
        let mut store = Store::new(plugin.engine(), Guest { session, limits, limiter });
        let done = execute(&plugin, &mut store, task).await;
        let left = store.get_fuel().unwrap_or_default();
        store.data().note_usage(left);
        match done {
            Ok(Ok(output)) => Ended::Gave(output),
            Ok(Err(failure)) => Ended::Failed(failure),
            Err(error) => Ended::Trapped(trap::describe(&error, &store.data().limits)),
        }
    })
}

async fn execute(
    plugin: &LoadedPlugin,
    store: &mut Store<Guest>,
    task: Task,
) -> wasmtime::Result<Result<String, Failure>> {
    let limits = Arc::clone(&store.data().limits);
    store.limiter(|guest| &mut guest.limiter);
    store.set_fuel(limits.fuel)?;
    // Of everything that one host call, or the end, gives out; the lists around texts count as well.
    store.set_hostcall_fuel(limits.output_bytes + OUTPUT_SLACK_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(on_tick);
    let instance = plugin.pre().instantiate_async(&mut *store).await?;
    match task {
        Task::Describe => instance.call_describe(&mut *store).await.map(Ok),
        Task::Handle(call) => instance.call_handle(&mut *store, &call).await,
    }
}

/// A guest that is still busy at a tick gives way, or ends.
#[expect(clippy::needless_pass_by_value, reason = "as wasmtime calls it")]
fn on_tick(store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    let guest = store.data();
    let max = guest.limits.wall;
    if guest.session.lock().meter.of_stretch() > max {
        return Err(OverLimit::Time { max }.into());
    }
    Ok(UpdateDeadline::Yield(1))
}
