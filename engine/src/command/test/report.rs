//! What a test run came to, and how people are told.

use std::time::Duration;

use cartwright_core::{testing::Coverage, workflow::diagnostic::position};

use super::{diff, play::Played, suite::Suite};
use crate::{
    command::print_findings,
    terminal::{Terminal, Tone},
};

/// Everything that a test run came to.
pub(super) struct Report<'s> {
    pub(super) suites: &'s [Suite],
    pub(super) played: &'s [Played],
    pub(super) took: Duration,
    /// Of each tested workflow, in order of suite.
    pub(super) coverage: Vec<Covered<'s>>,
}

/// How far a workflow is covered.
pub(super) struct Covered<'s> {
    pub(super) suite: &'s Suite,
    pub(super) workflow: String,
    pub(super) coverage: Coverage,
}

impl Played {
    pub(super) fn is_fine(&self) -> bool {
        self.differences.is_empty()
    }
}

impl<'s> Report<'s> {
    pub(super) fn new(suites: &'s [Suite], played: &'s [Played], took: Duration) -> Self {
        let mut coverage: Vec<Covered<'s>> = Vec::new();
        for (number, suite) in suites.iter().enumerate().filter(|(_, suite)| !suite.is_broken()) {
            let Some(loaded) = &suite.workflow else { continue };
            // With a filter, nothing is said of workflows whose cases were left out.
            if !played.iter().any(|one| one.suite == number) {
                continue;
            }
            let id = loaded.workflow.id.to_string();
            let mut all = Coverage::of(&loaded.workflow);
            let mine = played.iter().filter(|one| one.suite == number).filter_map(|one| one.coverage.as_ref());
            mine.for_each(|one| all.add(one));
            match coverage.iter_mut().find(|known| known.workflow == id) {
                Some(known) => known.coverage.add(&all),
                None => coverage.push(Covered { suite, workflow: id, coverage: all }),
            }
        }
        Self { suites, played, took, coverage }
    }

    pub(super) fn passed(&self) -> usize {
        self.played.iter().filter(|one| one.is_fine()).count()
    }

    pub(super) fn failed(&self) -> usize {
        self.played.len() - self.passed()
    }

    pub(super) fn broken(&self) -> usize {
        self.suites.iter().filter(|suite| suite.is_broken()).count()
    }

    pub(super) fn is_fine(&self) -> bool {
        self.failed() == 0 && self.broken() == 0
    }

    pub(super) fn print(&self, coverage: bool, terminal: &Terminal) {
        for suite in self.suites {
            print_findings(&suite.findings, terminal);
        }
        for (number, suite) in self.suites.iter().enumerate() {
            self.print_suite(number, suite, terminal);
        }
        if coverage {
            self.print_coverage(terminal);
        }
        terminal.line("");
        let tone = if self.is_fine() { Tone::Good } else { Tone::Bad };
        terminal.line(terminal.paint(tone, self.summary()));
    }

    pub(super) fn summary(&self) -> String {
        let mut text = format!("{} passed, {} failed", self.passed(), self.failed());
        match self.broken() {
            0 => {}
            1 => text += ", 1 file with errors",
            many => text += &format!(", {many} files with errors"),
        }
        format!("{text} ({} ms)", self.took.as_millis())
    }

    fn print_suite(&self, number: usize, suite: &Suite, terminal: &Terminal) {
        let mine: Vec<&Played> = self.played.iter().filter(|one| one.suite == number).collect();
        let bad = mine.iter().filter(|one| !one.is_fine()).count();
        let (tone, word) = match (suite.is_broken(), bad) {
            (true, _) => (Tone::Bad, "errors"),
            (false, 0) => (Tone::Good, "ok"),
            (false, _) => (Tone::Bad, "failed"),
        };
        if mine.is_empty() && !suite.is_broken() {
            return;
        }
        let count = if mine.len() == 1 { "1 case".to_owned() } else { format!("{} cases", mine.len()) };
        let of = if bad > 0 { format!("{bad} of {count}") } else { count };
        let of = if suite.is_broken() { String::new() } else { format!("  {of}") };
        terminal.line(format_args!("{} {}{of}", terminal.paint(tone, format_args!("{word:6}")), suite.file));
        for one in mine.into_iter().filter(|one| !one.is_fine()) {
            print_case(suite, one, terminal);
        }
    }

    fn print_coverage(&self, terminal: &Terminal) {
        terminal.line("");
        terminal.line(terminal.paint(Tone::Strong, "coverage"));
        for one in &self.coverage {
            let (taken, all) = one.coverage.figures();
            let percent = one.coverage.percent();
            let tone = if percent == 100 { Tone::Good } else { Tone::Wait };
            let share = terminal.paint(tone, format_args!("{percent:>4} %"));
            terminal.line(format_args!("{share}  {}  {taken} of {all}", one.workflow));
            let source = one.suite.workflow.as_ref().map_or("", |loaded| &loaded.definition.source);
            for way in one.coverage.missing() {
                let what = if way.what == "runs" { "never ran" } else { &format!("never: {}", way.what) };
                let line = position(source, way.start).line;
                terminal.line(format_args!("        line {line:<4} {}  {what}", way.step));
            }
        }
    }
}

fn print_case(suite: &Suite, one: &Played, terminal: &Terminal) {
    let Some(case) = suite.tests.as_ref().map(|tests| &tests.cases[one.case]) else { return };
    let line = suite.line(case.name.span.start);
    terminal.line("");
    let place = terminal.paint(Tone::Quiet, format_args!("line {line}"));
    terminal.line(format_args!("  {}  {place}", terminal.paint(Tone::Strong, &case.name.value)));
    for difference in &one.differences {
        let line = suite.line(difference.span.start);
        let place = terminal.paint(Tone::Quiet, format_args!("line {line}"));
        terminal.line(format_args!("    {}  {place}", difference.at));
        terminal.lines(diff::lines(&difference.how, 6, terminal));
    }
}
