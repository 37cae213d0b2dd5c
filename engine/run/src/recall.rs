//! Which version of each workflow runs: kept so that `diff` can tell while no engine runs. One record, written when the
//! workflows are set; what a version says is in [`definition`].

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::{
    id::{Version, WorkflowId},
    workflow::WorkflowSet,
};
use cartwright_storage::{CommitError, Expect, RecordWrite, Storage, StorageError, Table};

use crate::{
    Loaded,
    definition::{self, Definition},
};

const KEY: &str = "workflows";

type Versions = BTreeMap<WorkflowId, Version>;

/// Keeps which versions run now. On stable storage when it resolves; nothing is written where nothing changed.
pub(crate) async fn remember(storage: &dyn Storage, workflows: &[Loaded]) -> Result<(), StorageError> {
    let versions = |one: &Loaded| (one.definition.id.clone(), one.workflow.version.clone());
    let versions: Versions = workflows.iter().map(versions).collect();
    let value = serde_json::to_vec(&versions).expect("texts always become JSON");
    let known = storage.record(Table::Meta, KEY).await?;
    if known.map_or(versions.is_empty(), |record| record.value == value) {
        return Ok(());
    }
    let write = RecordWrite { table: Table::Meta, key: KEY.into(), expect: Expect::Any, value: Some(value) };
    storage.write_records(vec![write]).await.map_err(|error| match error {
        CommitError::Storage(error) => error,
        other => StorageError::Invalid { reason: other.to_string() },
    })
}

/// What ran last. A version that this engine cannot read any more is left out.
pub(crate) async fn last(storage: &dyn Storage) -> Result<WorkflowSet, StorageError> {
    let Some(record) = storage.record(Table::Meta, KEY).await? else { return Ok(WorkflowSet::default()) };
    let damaged = |error| StorageError::Corrupt { reason: format!("the list of workflows: {error}") };
    let versions: Versions = serde_json::from_slice(&record.value).map_err(damaged)?;
    let mut workflows = Vec::new();
    for (id, version) in versions {
        if let Some(definition) = definition::read(storage, &version).await? {
            // Copies of a file share a version.
            workflows.extend(Definition { id, ..definition }.parse().0.map(|one| Arc::clone(&one)));
        }
    }
    Ok(WorkflowSet::new(workflows))
}

#[cfg(test)]
mod tests {
    use cartwright_storage::MemoryStorage;

    use super::*;

    fn loaded(id: &str, step: &str) -> Loaded {
        let source = format!("on: {{ event: [a.b] }}\nsteps: [{{ stop: {step} }}]\n");
        let definition = Definition { id: id.parse().expect("an id"), source, files: BTreeMap::new() };
        let workflow = definition.parse().0.expect("a workflow");
        Loaded { definition, workflow }
    }

    #[tokio::test]
    async fn what_ran_last_is_found_under_its_own_ids() {
        let storage = MemoryStorage::new();
        assert!(last(storage.as_ref()).await.expect("read").is_empty());
        let first = [loaded("a", "x"), loaded("copy/of/a", "x"), loaded("b", "y")];
        definition::Pinned::default().keep(storage.as_ref(), &first).await.expect("kept");
        remember(storage.as_ref(), &first).await.expect("kept");
        remember(storage.as_ref(), &first[..2]).await.expect("kept");
        let set = last(storage.as_ref()).await.expect("read");
        assert_eq!(set.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "copy/of/a"]);
        assert_eq!(set.get(&first[0].definition.id).expect("there").version, first[0].workflow.version);
    }
}
