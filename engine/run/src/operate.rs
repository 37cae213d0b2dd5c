//! What people do about runs: what they ask comes in, is decided by the run's driver like everything else that happens to
//! it, and is on stable storage when the answer goes out.

use cartwright_core::{
    Json,
    event::Event,
    id::{EventId, RunId, StepPath, WorkflowId},
    run::decide::{Input, Said, Which},
    workflow::inputs,
};
use cartwright_storage::{NewEvent, StorageError};
use tokio::sync::oneshot;

use crate::{
    accept::{AcceptError, Acceptance},
    engine::Engine,
    inner::Message,
    views::EventViews,
};

/// Why something that a person asked of a run was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no such run.
    #[error("there is no run `{0}`")]
    NotFound(RunId),
    /// It cannot be done to this run now.
    #[error("{0}")]
    Refused(String),
    /// It cannot be moved at all: its journal, its workflow or its event cannot be read.
    #[error("the run cannot be loaded: its journal, the workflow version it is pinned to or its event cannot be read")]
    Damaged,
    /// The data does not fit the inputs that the run's workflow declares.
    #[error("{}", inputs::in_one_line(.0))]
    Inputs(Vec<inputs::Problem>),
    /// The engine is stopping.
    #[error("the engine is stopping; ask again when it runs")]
    Stopping,
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Engine {
    /// Ends a run. Durable when it resolves.
    pub async fn cancel(&self, run: &RunId, by: &str) -> Result<(), OperatorError> {
        self.ask(run, Input::Cancel { by: by.to_owned() }).await
    }

    /// Goes on with a parked or failed run. Durable when it resolves.
    pub async fn retry(&self, run: &RunId, by: &str, repeat_unknown: bool) -> Result<(), OperatorError> {
        self.ask(run, Input::Retry { by: by.to_owned(), repeat_unknown }).await
    }

    /// Begins failed iterations of loops that went on again, such as `each[3]`. Durable when it resolves.
    pub async fn retry_iterations(
        &self,
        run: &RunId,
        by: &str,
        iterations: Vec<StepPath>,
    ) -> Result<(), OperatorError> {
        self.ask(run, Input::RetryIterations { by: by.to_owned(), iterations }).await
    }

    /// Begins a parked or failed run anew, with `input` as its event's data and new identities of its calls. Refused while
    /// one of its calls may have happened without an answer. Durable when it resolves.
    pub async fn retry_with(&self, run: &RunId, by: &str, input: Json) -> Result<(), OperatorError> {
        let input = self.fitting_input(run, input).await?;
        self.ask(run, Input::Anew { by: by.to_owned(), input }).await
    }

    /// The data as the inputs of the run's own workflow version, where they are inputs; else as it is.
    pub async fn fitting_input(&self, run: &RunId, input: Json) -> Result<Json, OperatorError> {
        let storage = self.inner.storage.as_ref();
        let row = storage.run(run).await?.ok_or_else(|| OperatorError::NotFound(run.clone()))?;
        let set = self.inner.workflows.load_full();
        let found = self.inner.pinned.find(storage, &row.workflow, set.get(&row.workflow), &row.version).await?;
        let (Some(workflow), Some(stored)) = (found, storage.event(&row.event).await?) else {
            return Err(OperatorError::Damaged);
        };
        let views = EventViews::new(&stored.event, None);
        match &workflow.inputs {
            Some(spec) if inputs::are_given_by(&views.event) => {
                inputs::read(spec, &input).map_err(OperatorError::Inputs)
            }
            _ => Ok(input),
        }
    }

    /// Takes a person's word for what an unknown call did; the run goes on by itself. Durable when it resolves.
    pub async fn resolve(&self, run: &RunId, by: &str, which: Which, said: Said) -> Result<(), OperatorError> {
        self.ask(run, Input::Resolve { by: by.to_owned(), which, said }).await
    }

    /// Ends a parked run as failed, with its `on_failure`. Durable when it resolves.
    pub async fn fail(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), OperatorError> {
        self.ask(run, Input::Fail { by: by.to_owned(), reason }).await
    }

    /// Accepts an event again, as a new one that is no duplicate of it: for the workflows that listen now, or for one of
    /// them. Durable when it resolves.
    pub async fn replay(&self, event: &Event, workflow: Option<WorkflowId>) -> Result<Acceptance, AcceptError> {
        if self.is_stopping() {
            return Err(AcceptError::Stopping);
        }
        let now = self.now();
        let mut entropy = [0; 10];
        self.inner.entropy.fill(&mut entropy);
        let event = event.replayed(EventId::new(now, entropy), now, workflow);
        self.inner.accept_event(NewEvent { event, dedupe: None }).await
    }

    pub(crate) async fn ask(&self, run: &RunId, what: Input) -> Result<(), OperatorError> {
        if self.inner.storage.run(run).await?.is_none() {
            return Err(OperatorError::NotFound(run.clone()));
        }
        let (reply, answer) = oneshot::channel();
        self.inner.tell(run, Message::Asked { what, reply });
        match answer.await {
            Ok(answer) => answer.map_err(OperatorError::Refused),
            Err(_) if self.is_stopping() => Err(OperatorError::Stopping),
            Err(_) => Err(OperatorError::Damaged),
        }
    }
}
