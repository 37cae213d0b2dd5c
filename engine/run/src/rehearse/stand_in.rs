//! The seam: who answers in place of the world is asked after grants and arguments were checked and secrets opened, and
//! what they say is read as an answer of the world.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use cartwright_core::{
    Json,
    call::{CallError, CallOutcome},
    event::Event,
    id::{RunId, StepPath, StoreId, WorkflowId},
    testing::Request,
    time::Timestamp,
    woo::WooRequest,
};
use cartwright_woo::{
    client::{checked, rehearse},
    transport::{HttpAnswer, TransportError, TransportFailure},
};
use url::Url;

use crate::outbound::OutboundRequest;

/// Answers calls in place of the world outside.
#[async_trait]
pub trait Stands: Send + Sync {
    /// What comes back.
    async fn answer(&self, asked: Asked) -> Given;

    /// What becomes of a called workflow, which `event` would start.
    async fn child(&self, _event: &Event) -> Child {
        Child::Runs
    }

    /// What a plugin's function gives; `None`: it is executed.
    async fn plugin(&self, _asked: Asked) -> Option<CallOutcome> {
        None
    }

    /// What a call on the workflow's own state gave, where that is known; else it is made.
    fn stored(&self, _run: &RunId, _path: &StepPath, _index: u32, _fingerprint: &str) -> Option<CallOutcome> {
        None
    }
}

/// What becomes of a called workflow.
#[derive(Debug)]
pub enum Child {
    /// It runs.
    Runs,
    /// It does not run; its caller hears this.
    Ended(CallOutcome),
    /// It does not run, and its caller hears nothing.
    Silent,
}

/// One who answers, as an engine's options hold them.
#[derive(Clone)]
pub struct StandIn(pub Arc<dyn Stands>);

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandIn")
    }
}

/// A call that wants an answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose.
    pub run: RunId,
    /// Of which workflow.
    pub workflow: WorkflowId,
    /// At which step.
    pub path: StepPath,
    /// Which call of it.
    pub index: u32,
    /// The host function.
    pub function: String,
    /// See [`cartwright_core::call::Call::fingerprint`].
    pub fingerprint: String,
    /// To which store.
    pub store: Option<StoreId>,
    /// What is asked, secrets opened.
    pub request: Request,
}

/// What comes back.
#[derive(Debug)]
pub enum Given {
    /// An answer.
    Answer(HttpAnswer),
    /// None.
    Nothing(TransportFailure),
    /// What the call came to when it was made for real.
    Outcome(CallOutcome),
}

/// Has an HTTP call answered.
pub(crate) async fn http(stand_in: &StandIn, request: OutboundRequest, asked: Asked) -> Result<Json, CallError> {
    let timeout = request.check()?;
    let asked = Asked { request: Request::http(&request.spec), ..asked };
    match stand_in.0.answer(asked).await {
        Given::Answer(answer) => request.rehearse(Ok(answer)).await,
        Given::Nothing(failure) => {
            if failure == TransportFailure::Timeout {
                tokio::time::sleep(timeout).await;
            }
            request.rehearse(Err(failure)).await
        }
        Given::Outcome(outcome) => into_result(outcome),
    }
}

/// Has a call to a store answered. `again`: an earlier try may have arrived.
pub(crate) async fn woo(
    stand_in: &StandIn,
    url: &Url,
    request: WooRequest,
    asked: Asked,
    again: bool,
    now: Timestamp,
) -> Result<Json, CallError> {
    let request = checked(request)?;
    let asked = Asked { request: Request::woo(&request.spec()), ..asked };
    let given = match stand_in.0.answer(asked).await {
        Given::Answer(answer) => Ok(answer),
        Given::Nothing(failure) => {
            let may_have_arrived = matches!(failure, TransportFailure::Timeout | TransportFailure::Lost);
            Err(TransportError { failure, may_have_arrived, message: "as the test says".into() })
        }
        Given::Outcome(outcome) => return into_result(outcome),
    };
    rehearse(url, &request, given, again, now)
}

fn into_result(outcome: CallOutcome) -> Result<Json, CallError> {
    match outcome {
        CallOutcome::Ok(value) => Ok(value),
        CallOutcome::Err(error) => Err(error),
    }
}
