//! Workflow definitions as texts: what the loader read, what runs are pinned to, what storage keeps by version.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cartwright_core::{
    id::{Version, WorkflowId},
    workflow::{Diagnostic, Workflow, parse},
};
use cartwright_storage::{Expect, RecordWrite, Storage, StorageError, Table};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Versions kept parsed in memory besides the current ones.
const PINNED_CACHE_MAX: usize = 256;

/// A workflow file with the script files it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Its path below the workflows folder.
    pub id: WorkflowId,
    /// The YAML text.
    pub source: String,
    /// Script files by the name the YAML gives them.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Definition {
    /// What the text means; every problem in it.
    pub fn parse(&self) -> (Option<Arc<Workflow>>, Vec<Diagnostic>) {
        let files = |name: &str| self.files.get(name).cloned().ok_or_else(|| format!("`{name}` was not found"));
        let parsed = parse(self.id.clone(), &self.source, &files);
        (parsed.workflow.map(Arc::new), parsed.diagnostics)
    }
}

/// A definition that was parsed without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The text.
    pub definition: Definition,
    /// What it means.
    pub workflow: Arc<Workflow>,
}

/// Finds the version a run is pinned to.
#[derive(Default)]
pub(crate) struct Pinned {
    cache: Mutex<HashMap<(WorkflowId, Version), Arc<Workflow>>>,
}

impl Pinned {
    /// Keeps versions in storage before any run can be pinned to them. On stable storage when it resolves.
    pub(crate) async fn keep(&self, storage: &dyn Storage, loaded: &[Loaded]) -> Result<(), StorageError> {
        let mut writes: Vec<RecordWrite> = Vec::new();
        for Loaded { definition, workflow } in loaded {
            let key = workflow.version.as_str();
            // A copy of a file has the same version.
            let is_copy = writes.iter().any(|write| write.key == key);
            if is_copy || storage.record(Table::Definitions, key).await?.is_some() {
                continue;
            }
            let value = serde_json::to_vec(definition).expect("texts always become JSON");
            let key = key.to_owned();
            writes.push(RecordWrite { table: Table::Definitions, key, expect: Expect::Any, value: Some(value) });
        }
        if writes.is_empty() {
            return Ok(());
        }
        storage.write_records(writes).await.map_err(|error| match error {
            cartwright_storage::CommitError::Storage(error) => error,
            other => StorageError::Invalid { reason: other.to_string() },
        })
    }

    /// A workflow in a version, from memory or storage. `None`: this engine cannot read it any more.
    pub(crate) async fn find(
        &self,
        storage: &dyn Storage,
        id: &WorkflowId,
        current: Option<&Arc<Workflow>>,
        version: &Version,
    ) -> Result<Option<Arc<Workflow>>, StorageError> {
        if let Some(workflow) = current.filter(|workflow| workflow.version == *version) {
            return Ok(Some(Arc::clone(workflow)));
        }
        let key = (id.clone(), version.clone());
        if let Some(workflow) = self.cache.lock().get(&key) {
            return Ok(Some(Arc::clone(workflow)));
        }
        let Some(definition) = read(storage, version).await? else { return Ok(None) };
        // Files with the same text share the version, and the record is of the first of them.
        let definition = Definition { id: id.clone(), ..definition };
        let Some(workflow) = definition.parse().0 else { return Ok(None) };
        let mut cache = self.cache.lock();
        if cache.len() >= PINNED_CACHE_MAX {
            cache.clear();
        }
        cache.insert(key, Arc::clone(&workflow));
        Ok(Some(workflow))
    }
}

/// The text of a version. `None`: it is not kept any more.
pub(crate) async fn read(storage: &dyn Storage, version: &Version) -> Result<Option<Definition>, StorageError> {
    let Some(record) = storage.record(Table::Definitions, version.as_str()).await? else { return Ok(None) };
    let damaged = |error| StorageError::Corrupt { reason: format!("definition {version}: {error}") };
    serde_json::from_slice(&record.value).map(Some).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use cartwright_storage::MemoryStorage;

    use super::*;

    #[tokio::test]
    async fn files_with_the_same_text_are_kept_once_and_found_as_themselves() {
        let storage = MemoryStorage::new();
        let source = "on: { event: [a.b] }\nsteps: [{ stop: done }]\n";
        let load = |id: &str| {
            let id: WorkflowId = id.parse().expect("an id");
            let definition = Definition { id, source: source.to_owned(), files: BTreeMap::new() };
            let workflow = definition.parse().0.expect("valid");
            Loaded { definition, workflow }
        };
        let (first, copy) = (load("first"), load("copy"));
        assert_eq!(first.workflow.version, copy.workflow.version);
        let pinned = Pinned::default();
        pinned.keep(storage.as_ref(), &[first.clone(), copy.clone()]).await.expect("kept");
        for Loaded { definition, workflow } in [&first, &copy] {
            for _ in 0..2 {
                let found = pinned.find(storage.as_ref(), &definition.id, None, &workflow.version).await.expect("read");
                assert_eq!(found.expect("kept").id, definition.id);
            }
        }
    }
}
