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
    cache: Mutex<HashMap<Version, Arc<Workflow>>>,
}

impl Pinned {
    /// Keeps versions in storage before any run can be pinned to them. On stable storage when it resolves.
    pub(crate) async fn keep(&self, storage: &dyn Storage, loaded: &[Loaded]) -> Result<(), StorageError> {
        let mut writes = Vec::new();
        for Loaded { definition, workflow } in loaded {
            let key = workflow.version.as_str();
            if storage.record(Table::Definitions, key).await?.is_some() {
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

    /// The workflow of a version, from memory or storage. `None`: this engine cannot read it any more.
    pub(crate) async fn find(
        &self,
        storage: &dyn Storage,
        current: Option<&Arc<Workflow>>,
        version: &Version,
    ) -> Result<Option<Arc<Workflow>>, StorageError> {
        if let Some(workflow) = current.filter(|workflow| workflow.version == *version) {
            return Ok(Some(Arc::clone(workflow)));
        }
        if let Some(workflow) = self.cache.lock().get(version) {
            return Ok(Some(Arc::clone(workflow)));
        }
        let Some(record) = storage.record(Table::Definitions, version.as_str()).await? else { return Ok(None) };
        let definition: Definition = match serde_json::from_slice(&record.value) {
            Ok(definition) => definition,
            Err(error) => return Err(StorageError::Corrupt { reason: format!("definition {version}: {error}") }),
        };
        let Some(workflow) = definition.parse().0 else { return Ok(None) };
        let mut cache = self.cache.lock();
        if cache.len() >= PINNED_CACHE_MAX {
            cache.clear();
        }
        cache.insert(version.clone(), Arc::clone(&workflow));
        Ok(Some(workflow))
    }
}
