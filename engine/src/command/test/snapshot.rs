//! Whole outcomes kept beside tests: `vip.test.yaml` has those of its cases in `vip.test.snap.json`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use cartwright_core::{
    Json,
    testing::{Difference, How, Outcome, canonical},
    workflow::Span,
};

use super::{play::Played, suite::Suite};
use crate::failure::{OrFail as _, Result, bug};

type Snapshots = BTreeMap<String, Json>;

/// Compares the cases that ask for it, or with `bless` writes what came of them.
pub(super) fn compare(suites: &[Suite], played: &mut [Played], bless: bool) -> Result<()> {
    for (number, suite) in suites.iter().enumerate() {
        let Some(tests) = &suite.tests else { continue };
        let wanted: Vec<&str> =
            tests.cases.iter().filter(|case| case.snapshot).map(|case| case.name.value.as_str()).collect();
        let path = path_of(suite);
        if wanted.is_empty() && !(bless && path.exists()) {
            continue;
        }
        let known = read(&path)?;
        // What was not played this time stays; what is not asked for any more goes.
        let mut blessed: Snapshots = known
            .iter()
            .filter(|(name, _)| wanted.contains(&name.as_str()))
            .map(|(name, one)| (name.clone(), one.clone()))
            .collect();
        for one in played.iter_mut().filter(|one| one.suite == number) {
            let case = &tests.cases[one.case];
            let Some(outcome) = one.outcome.as_ref().filter(|_| case.snapshot) else { continue };
            let now = shape(outcome)?;
            if !bless {
                one.differences.extend(difference(known.get(&case.name.value), &now, &case.name.span));
            }
            blessed.insert(case.name.value.clone(), now);
        }
        if bless && blessed != known {
            write(&path, &blessed)?;
        }
    }
    Ok(())
}

/// `vip.test.yaml` → `vip.test.snap.json`
fn path_of(suite: &Suite) -> PathBuf {
    suite.path.with_extension("snap.json")
}

fn shape(outcome: &Outcome) -> Result<Json> {
    Ok(canonical(&serde_json::to_value(outcome).map_err(bug)?))
}

fn read(path: &PathBuf) -> Result<Snapshots> {
    if !path.exists() {
        return Ok(Snapshots::new());
    }
    let doing = format!("cannot read the snapshots {}", path.display());
    let text = fs::read_to_string(path).or_environment(&doing)?;
    serde_json::from_str(&text).or_environment(&doing)
}

fn write(path: &PathBuf, blessed: &Snapshots) -> Result<()> {
    let doing = format!("cannot write the snapshots {}", path.display());
    if blessed.is_empty() {
        return fs::remove_file(path).or_environment(doing);
    }
    let text = serde_json::to_string_pretty(blessed).map_err(bug)?;
    fs::write(path, text + "\n").or_environment(doing)
}

fn difference(known: Option<&Json>, now: &Json, span: &Span) -> Option<Difference> {
    let lines = |value: &Json| -> Vec<String> {
        serde_json::to_string_pretty(value).unwrap_or_default().lines().map(str::to_owned).collect()
    };
    let how = match known {
        Some(known) if known == now => return None,
        Some(known) => How::Lines { expected: lines(known), actual: lines(now) },
        None => How::Said("there is no snapshot of this case; `cartwright test --bless` writes it".into()),
    };
    Some(Difference { at: "snapshot".into(), span: span.clone(), how })
}
