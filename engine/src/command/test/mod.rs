//! `cartwright test`: test files beside workflows are found, their cases played in parallel, and what is not as expected is
//! shown. `engine/docs/testing.md` describes the files.
//!
//! Read in this order: [`suite`] (a test file with its workflow), [`play`] (its cases, in parallel), [`snapshot`] (outcomes
//! kept beside tests), [`report`] (for people), [`junit`] and [`json`](report_json) (for machines).

mod called;
pub(super) mod diff;
mod find;
mod junit;
mod play;
mod report;
mod report_json;
mod snapshot;
mod suite;
#[cfg(test)]
mod tests;

use std::{num::NonZeroUsize, time::Instant};

pub(super) use self::junit::{JunitCase, JunitSuite, write as junit_document};
use self::{play::Played, suite::Suite};
use super::Context;
use crate::{
    cli::Test,
    failure::{OrFail as _, Result, not_fine, quiet},
    plugins::Installed,
    terminal::Tone,
    workflows::Sources,
};

pub(super) fn run(command: &Test, context: &Context) -> Result<()> {
    let begun = Instant::now();
    let terminal = &context.terminal;
    let plugins = Installed::of(&context.config);
    let means = plugins.means()?;
    let sources = Sources { plugins: &plugins, sandbox: Some(&means.sandbox) };
    let files = find::test_files(&command.paths, &context.config.workflows)?;
    if files.is_empty() {
        if command.paths.is_empty() {
            terminal.note("no test files: write one beside a workflow, NAME.test.yaml");
            return Ok(());
        }
        return Err(not_fine("no test files there").help("Tests of NAME.yaml are in NAME.test.yaml beside it."));
    }
    let mut suites: Vec<Suite> = files.iter().map(|(root, file)| Suite::read(root, file, sources)).collect();
    let jobs = command.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let filter = command.filter.as_deref();
    let mut played: Vec<Played> = play::all(&suites, filter, jobs, &means);
    if let Some(text) = filter.filter(|_| played.is_empty() && suites.iter().all(|suite| !suite.is_broken())) {
        return Err(not_fine(format!("no case or test file has `{text}` in its name")));
    }
    snapshot::compare(&suites, &mut played, command.bless)?;
    suite::note_unused(&mut suites, &played, filter.is_some());
    let report = report::Report::new(&suites, &played, begun.elapsed());
    if let Some(path) = &command.junit {
        let text = junit::document(&suites, &played, begun.elapsed());
        std::fs::write(path, text).or_environment(format_args!("cannot write {}", path.display()))?;
    }
    let wants_coverage = command.coverage || command.coverage_min.is_some();
    let too_little = command.coverage_min.filter(|min| report.coverage.iter().any(|one| one.coverage.percent() < *min));
    if terminal.json {
        terminal.data(&report_json::document(&report, wants_coverage))?;
    } else {
        report.print(wants_coverage, terminal);
    }
    if let Some(min) = too_little {
        terminal.note(terminal.paint(Tone::Bad, format_args!("coverage is below {min} %")));
    }
    if report.is_fine() && too_little.is_none() { Ok(()) } else { Err(quiet()) }
}
