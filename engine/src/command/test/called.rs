//! The workflows that a tested one calls, directly or not: they run in its tests too.

use std::{collections::BTreeMap, path::Path};

use cartwright_core::id::WorkflowId;
use cartwright_http::FileFindings;
use cartwright_run::{Loaded, rehearse::only_called};

use crate::workflows::{Examined, Sources, files_below};

/// Those that can be read; what is wrong with the others goes to `findings`. Where an expression names the called
/// workflow, every one of the folder may be meant.
pub(super) fn by(tested: &Loaded, root: &Path, sources: Sources<'_>, findings: &mut Vec<FileFindings>) -> Vec<Loaded> {
    let mut found: BTreeMap<WorkflowId, Loaded> = BTreeMap::new();
    let mut open = vec![tested.clone()];
    while let Some(caller) = open.pop() {
        let calls = caller.workflow.calls();
        if calls.computed {
            let files = files_below(root).unwrap_or_default();
            let all = files.iter().filter_map(|path| sources.read(root, path).loaded);
            found.extend(all.map(|loaded| (loaded.workflow.id.clone(), loaded)));
            break;
        }
        for id in calls.named {
            if id == tested.workflow.id || found.contains_key(&id) {
                continue;
            }
            // A workflow that is not there fails the call, as it would in the engine.
            let Some(path) = super::suite::file_of(root, &id) else { continue };
            let Examined { loaded, finding } = sources.read(root, &path);
            findings.extend(finding.filter(FileFindings::is_broken));
            if let Some(loaded) = loaded {
                open.push(loaded.clone());
                found.insert(id, loaded);
            }
        }
    }
    found.remove(&tested.workflow.id);
    found.values().map(only_called).collect()
}
