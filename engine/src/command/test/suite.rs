//! One test file, read and checked together with its workflow.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use cartwright_core::{
    id::WorkflowId,
    testing::{self, TestFile},
    workflow::{Diagnostic, Severity, codes, diagnostic::position},
};
use cartwright_http::FileFindings;
use cartwright_run::Loaded;

use super::{called, play::Played};
use crate::workflows::{Examined, Sources};

/// Of a test file or a fixture, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A test file with its workflow.
pub(super) struct Suite {
    pub(super) path: PathBuf,
    /// As shown to people.
    pub(super) file: String,
    pub(super) source: String,
    /// `None` when it has errors.
    pub(super) tests: Option<TestFile>,
    /// The tested workflow; `None` when it has errors or is not there.
    pub(super) workflow: Option<Loaded>,
    /// Workflows that it calls, directly or not.
    pub(super) called: Vec<Loaded>,
    /// What is wrong with the test file, and with the workflow.
    pub(super) findings: Vec<FileFindings>,
}

impl Suite {
    pub(super) fn read(root: &Path, path: &Path, sources: Sources<'_>) -> Self {
        let file = path.display().to_string();
        let mut suite = Self {
            path: path.to_owned(),
            file,
            source: String::new(),
            tests: None,
            workflow: None,
            called: Vec::new(),
            findings: Vec::new(),
        };
        match read_text(path) {
            Ok(source) => suite.source = source,
            Err(why) => {
                suite.find(vec![Diagnostic::error(codes::NOT_UTF8, 0..0, format!("the file cannot be read: {why}"))]);
                return suite;
            }
        }
        let folder = path.parent().unwrap_or(root);
        let fixture = |name: &str| read_fixture(root, folder, name);
        let testing::Parsed { file: tests, mut diagnostics } = testing::parse(&suite.source, &fixture);
        if let Some(tests) = &tests {
            suite.find_workflow(tests, root, sources, &mut diagnostics);
        }
        if let (Some(tests), Some(loaded)) = (&tests, &suite.workflow) {
            let called = suite.called.iter().map(|called| called.workflow.as_ref());
            diagnostics.extend(testing::check(tests, &loaded.workflow, called));
        }
        let broken = diagnostics.iter().any(|one| one.severity == Severity::Error);
        suite.tests = tests.filter(|_| !broken);
        suite.find(diagnostics);
        suite
    }

    fn find(&mut self, diagnostics: Vec<Diagnostic>) {
        if !diagnostics.is_empty() {
            let workflow = self.workflow.as_ref().map(|loaded| loaded.workflow.id.clone());
            let (file, source) = (self.file.clone(), self.source.clone());
            self.findings.push(FileFindings { workflow, file, source, diagnostics });
        }
    }

    /// Loads the workflow that a test file is about.
    fn find_workflow(
        &mut self,
        tests: &TestFile,
        root: &Path,
        sources: Sources<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let named = tests.workflow.as_ref();
        let id = named.map_or_else(|| id_beside(root, &self.path), |at| Some(at.value.clone()));
        let Some(path) = id.as_ref().and_then(|id| file_of(root, id)) else {
            let span = named.map_or(0..0, |at| at.span.clone());
            let name = id.map_or_else(|| "the file's name".to_owned(), |id| format!("`{id}`"));
            let message = format!("there is no workflow {name} in {}", root.display());
            diagnostics.push(
                Diagnostic::error(codes::TEST_WORKFLOW, span, message)
                    .help("tests of NAME.yaml are in NAME.test.yaml, or say `workflow: NAME`"),
            );
            return;
        };
        let Examined { loaded, finding } = sources.read(root, &path);
        // Its warnings are for `check`.
        self.findings.extend(finding.filter(FileFindings::is_broken));
        if let Some(loaded) = &loaded {
            self.called = called::by(loaded, root, sources, &mut self.findings);
        }
        self.workflow = loaded;
    }

    /// Whether anything keeps its cases from being played.
    pub(super) fn is_broken(&self) -> bool {
        self.tests.is_none() || self.workflow.is_none()
    }

    /// The line of a byte of the test file, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        position(&self.source, byte).line
    }
}

/// The file of a workflow.
pub(super) fn file_of(root: &Path, id: &WorkflowId) -> Option<PathBuf> {
    let place = |extension| root.join(format!("{id}.{extension}"));
    ["yaml", "yml"].map(place).into_iter().find(|path| path.is_file())
}

/// `stock/sync.test.yaml` is about `stock/sync`.
fn id_beside(root: &Path, path: &Path) -> Option<WorkflowId> {
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let below = below.with_extension("");
    let segments: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    segments?.join("/").parse().ok()
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
    }
    Ok(text)
}

/// A fixture beside the test; it must lie in the workflows folder, links included.
fn read_fixture(root: &Path, folder: &Path, name: &str) -> Result<String, String> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let path = folder.join(name).canonicalize().map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    let root = root.canonicalize().map_err(|error| format!("the workflows folder cannot be read: {error}"))?;
    if !path.starts_with(&root) {
        return Err(format!("`{name}` lies outside of the workflows folder"));
    }
    read_text(&path).map_err(|error| format!("`{name}` cannot be read: {error}"))
}

/// Adds a warning for each stub that nothing used. `filtered`: not all cases were played, so nothing is said of the file's.
pub(super) fn note_unused(suites: &mut [Suite], played: &[Played], filtered: bool) {
    for (number, suite) in suites.iter_mut().enumerate() {
        let Some(tests) = &suite.tests else { continue };
        let mine: Vec<&Played> = played.iter().filter(|one| one.suite == number).collect();
        let mut found = Vec::new();
        let mut warn = |span: &cartwright_core::workflow::Span| {
            let warning = Diagnostic::warning(codes::TEST_UNUSED_STUB, span.clone(), "nothing used this stub");
            found.push(warning.help("no call fits it, or another stub answers first; remove it or mend its pattern"));
        };
        for one in &mine {
            let stubs = &tests.cases[one.case].ground.stubs;
            let unused = one.used.iter().filter(|used| used.own && used.times == 0);
            unused.filter(|used| stubs[used.index].times.is_none()).for_each(|used| warn(&stubs[used.index].span));
        }
        if !filtered && !mine.is_empty() {
            for (index, stub) in tests.ground.stubs.iter().enumerate() {
                let is_used =
                    |one: &&Played| one.used.iter().any(|used| !used.own && used.index == index && used.times > 0);
                if !mine.iter().any(is_used) {
                    warn(&stub.span);
                }
            }
        }
        suite.find(found);
    }
}
