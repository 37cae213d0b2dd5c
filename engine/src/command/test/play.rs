//! Plays the cases of all suites, several at once. What comes out does not depend on how many.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use cartwright_core::testing::{Coverage, Difference, How, Outcome, TestCase, TestFile, judge};
use cartwright_http::body_schema;
use cartwright_run::{
    Loaded,
    rehearse::{self, Means, Stubs, Used},
};
use parking_lot::Mutex;

use super::suite::Suite;

/// One case, played.
pub(super) struct Played {
    /// Which suite.
    pub(super) suite: usize,
    /// Which of its cases.
    pub(super) case: usize,
    /// What is not as expected.
    pub(super) differences: Vec<Difference>,
    /// What came of it; `None` when it could not be played.
    pub(super) outcome: Option<Outcome>,
    pub(super) coverage: Option<Coverage>,
    pub(super) used: Vec<Used>,
    pub(super) took: Duration,
}

/// Plays every case whose name, or whose file's name, holds `filter`.
pub(super) fn all(suites: &[Suite], filter: Option<&str>, jobs: usize, means: &Means) -> Vec<Played> {
    let mut work = Vec::new();
    for (number, suite) in suites.iter().enumerate() {
        let (Some(tests), Some(loaded)) = (&suite.tests, &suite.workflow) else { continue };
        let loaded: Vec<Loaded> = std::iter::once(loaded).chain(&suite.called).cloned().collect();
        for (index, case) in tests.cases.iter().enumerate() {
            if filter.is_none_or(|text| case.name.value.contains(text) || suite.file.contains(text)) {
                work.push((number, index, tests, case, loaded.clone()));
            }
        }
    }
    let (next, played) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(work.len())));
    thread::scope(|scope| {
        for _ in 0..jobs.min(work.len()) {
            scope.spawn(|| {
                while let Some((number, index, tests, case, loaded)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut one = play(tests, case, loaded, means);
                    (one.suite, one.case) = (*number, *index);
                    played.lock().push(one);
                }
            });
        }
    });
    let mut played = played.into_inner();
    played.sort_by_key(|one| (one.suite, one.case));
    played
}

/// `loaded`: the tested workflow, and those that it calls.
fn play(tests: &TestFile, case: &TestCase, loaded: &[Loaded], means: &Means) -> Played {
    let begun = Instant::now();
    let workflow = &loaded[0].workflow;
    let expected = case.expect.calls.as_ref().map_or(&[][..], |calls| &calls.value);
    let stubs = Stubs::new(&case.ground.stubs, &tests.ground.stubs, expected);
    let done = rehearse::scene(case, &tests.ground, workflow, loaded.to_vec(), &body_schema::told_faults)
        .map_err(|error| error.to_string())
        .and_then(|scene| rehearse::play(scene, means, stubs.clone()).map_err(|error| error.to_string()));
    let mut one = Played {
        suite: 0,
        case: 0,
        differences: Vec::new(),
        outcome: None,
        coverage: None,
        used: stubs.used(),
        took: Duration::ZERO,
    };
    match done {
        Ok(played) => {
            let outcome = rehearse::outcome(&played, workflow, stubs.made());
            one.differences = judge(case, &outcome);
            one.differences.extend(too_few(case, &one.used));
            let mut coverage = Coverage::of(workflow);
            let runs = played.runs.iter().filter(|run| run.row.workflow == workflow.id);
            runs.for_each(|run| coverage.take(&run.journal));
            (one.outcome, one.coverage) = (Some(outcome), Some(coverage));
        }
        Err(why) => one.differences.push(Difference {
            at: "case".into(),
            span: case.name.span.clone(),
            how: How::Said(format!("it could not be played: {why}")),
        }),
    }
    one.took = begun.elapsed();
    one
}

/// Stubs that must answer so many calls, and answered fewer.
fn too_few<'a>(case: &'a TestCase, used: &'a [Used]) -> impl Iterator<Item = Difference> + 'a {
    used.iter().filter(|used| used.own).filter_map(|used| {
        let stub = &case.ground.stubs[used.index];
        let times = stub.times.filter(|times| used.times < *times)?;
        let how = How::Value { expected: format!("{times} calls"), actual: used.times.to_string() };
        Some(Difference { at: format!("stubs[{}].times", used.index), span: stub.span.clone(), how })
    })
}
