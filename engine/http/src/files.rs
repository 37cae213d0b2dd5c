//! What is wrong with workflow files: told by whoever loads them, shown by the API and the status page.

use std::sync::Arc;

use cartwright_core::{
    Json,
    id::WorkflowId,
    workflow::{Diagnostic, Severity, diagnostic::position},
};
use parking_lot::RwLock;

/// Findings in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFindings {
    /// The workflow that it holds; `None` where its name is no id.
    pub workflow: Option<WorkflowId>,
    /// As people name it.
    pub file: String,
    /// Its text, which the spans are about; empty where it could not be read.
    pub source: String,
    /// Not empty.
    pub diagnostics: Vec<Diagnostic>,
}

impl FileFindings {
    /// Whether the file is not used as it stands.
    pub fn is_broken(&self) -> bool {
        self.diagnostics.iter().any(|one| one.severity == Severity::Error)
    }

    /// `[{code, severity, message, file, line, column, …}]`
    pub(crate) fn to_json(&self) -> Vec<Json> {
        self.diagnostics.iter().map(|one| one.to_json(&self.file, &self.source)).collect()
    }

    /// One line for each error: `7:3 E0104 unknown key`.
    pub fn errors(&self) -> String {
        let errors = self.diagnostics.iter().filter(|one| one.severity == Severity::Error);
        let line = |one: &Diagnostic| {
            let place = position(&self.source, one.span.start);
            format!("{}:{} {} {}", place.line, place.column, one.code, one.message)
        };
        errors.map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The findings of the last load; all clones are the same. The loader sets them, the door shows them.
#[derive(Debug, Clone, Default)]
pub struct Findings(Arc<RwLock<Arc<[FileFindings]>>>);

impl Findings {
    /// Replaces all of them.
    pub fn set(&self, findings: Vec<FileFindings>) {
        *self.0.write() = findings.into();
    }

    /// All of them, in the loader's order.
    pub fn all(&self) -> Arc<[FileFindings]> {
        Arc::clone(&self.0.read())
    }
}
