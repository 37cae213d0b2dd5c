//! What people are asked by `approve` steps: a record for each open question, written in the commit that asks or that has
//! the answer, so that a list needs no journal.

use cartwright_core::{
    access::Role,
    id::{RunId, StepPath, StoreId, WorkflowId},
    run::{approval::Approval, decide::Input, state::RunState},
    time::Timestamp,
};
use cartwright_storage::{Expect, Page, RecordWrite, StorageError, Table};
use serde::{Deserialize, Serialize};

use crate::{OperatorError, engine::Engine};

/// An open question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenApproval {
    /// Which run waits.
    pub run: RunId,
    /// The path of its step.
    pub step: StepPath,
    /// Of which workflow.
    pub workflow: WorkflowId,
    /// The run's store.
    pub store: Option<StoreId>,
    /// What is asked.
    pub question: String,
    /// Which generation of the run asks.
    #[serde(default)]
    pub generation: u32,
    /// Who may answer; empty: whoever may answer approvals.
    pub by: Vec<Role>,
    /// Since when.
    pub asked: Timestamp,
    /// When it counts as not approved; `null`: it waits.
    pub due: Option<Timestamp>,
}

fn key(run: &RunId, step: &StepPath) -> String {
    format!("{run}/{step}")
}

/// The write that asks (`Some`), or that takes the question away.
pub(crate) fn write(state: &RunState, step: &StepPath, asked: Option<Approval>) -> RecordWrite {
    let value = asked.and_then(|Approval { question, by, asked, due, .. }| {
        let (run, step) = (state.run.clone(), step.clone());
        let (workflow, store) = (state.workflow.clone(), state.store.clone());
        let generation = state.generation;
        serde_json::to_vec(&OpenApproval { run, step, workflow, store, question, generation, by, asked, due }).ok()
    });
    RecordWrite { table: Table::Approvals, key: key(&state.run, step), expect: Expect::Any, value }
}

impl Engine {
    /// Open questions, those of the oldest runs first. `cursor` comes from the page before.
    pub async fn approvals(&self, cursor: Option<&str>, limit: usize) -> Result<Page<OpenApproval>, StorageError> {
        let records = self.inner.storage.records(Table::Approvals, "", cursor, limit).await?;
        let next = records.last().filter(|_| records.len() == limit).map(|last| last.key.clone());
        let read = records.iter().filter_map(|record| serde_json::from_slice(&record.value).ok());
        Ok(Page { items: read.collect(), next })
    }

    /// One open question. `None`: it is answered, or was never asked.
    pub async fn approval(&self, run: &RunId, step: &StepPath) -> Result<Option<OpenApproval>, StorageError> {
        let record = self.inner.storage.record(Table::Approvals, &key(run, step)).await?;
        Ok(record.and_then(|record| serde_json::from_slice(&record.value).ok()))
    }

    /// A person answers. The same answer again is fine, another one is refused with who answered. Durable when it
    /// resolves. Who may answer is for the caller to see to.
    pub async fn answer(
        &self,
        run: &RunId,
        step: StepPath,
        approved: bool,
        by: &str,
        comment: Option<String>,
    ) -> Result<(), OperatorError> {
        self.ask(run, Input::Approve { path: step, approved, by: by.to_owned(), comment }).await
    }
}
