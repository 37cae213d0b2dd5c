//! The look-alike store against reality: every recorded exchange of a real WooCommerce is sent to it again, and its
//! answer compared. `compare.rs` holds the rules, `scope.rs` what is compared, `plan.rs` what was done beside the
//! recording.
//!
//! `CARTWRIGHT_CORPUS=… cargo nextest run -p cartwright-tests conformance --success-output immediate` prints a
//! report by resource.

mod compare;
mod exchange;
mod plan;
mod replay;
mod scope;

use std::collections::{BTreeMap, BTreeSet};

use cartwright_tests::environment;

use compare::Values;
use plan::Step;
use replay::{Credentials, Replay};
use scope::Scope;

/// Exchanges whose values were made by something that is not the shop's REST API.
const TYPES_ONLY: &[(&str, &str)] = &[
    ("order_notes_list", "the recorded shop could not send mail, and wrote a note each time"),
    ("customers_list_role_all", "two of its users were made by the installation of WordPress"),
    ("system_status_fields", "they describe a machine"),
    ("system_status_readonly_key", "they describe a machine"),
];

/// Headings, and an exchange, whose answers are full of WooCommerce's own words.
const OWN_WORDS: &[&str] = &["settings", "shipping", "payment gateways", "batch_settings"];

/// What is said of one heading.
#[derive(Default)]
struct Line {
    exchanges: usize,
    compared: usize,
    conforming: usize,
    not_yet: usize,
}

#[derive(Default)]
struct Report {
    lines: BTreeMap<&'static str, Line>,
    out: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
    /// Listed as not yet, and conforming all the same: the list is out of date.
    already: Vec<String>,
    seeded: usize,
    on_seeds: usize,
}

#[test]
fn recorded_exchanges_conform() {
    let Some(folder) = environment::corpus() else {
        eprintln!("SKIPPED: CARTWRIGHT_CORPUS names no folder with recorded exchanges; this test held nothing");
        return;
    };
    let exchanges = exchange::recorded(&folder);
    assert!(exchanges.len() > 300, "{} exchanges: the corpus is not whole", exchanges.len());
    let names: BTreeSet<String> = exchanges.iter().map(|exchange| exchange.name.clone()).collect();
    for (name, _) in TYPES_ONLY {
        assert!(names.contains(*name), "{name} is not recorded: TYPES_ONLY is out of date");
    }
    let credentials = Credentials::of(&exchanges);
    let in_scope: Vec<_> = exchanges.iter().filter(|one| matches!(scope::scope(one), Scope::In(_))).cloned().collect();
    let mut report = Report::default();
    for exchange in &exchanges {
        match scope::scope(exchange) {
            Scope::In(heading) => report.lines.entry(heading).or_default().exchanges += 1,
            Scope::Out(why) => *report.out.entry(why).or_default() += 1,
        }
    }
    let steps = plan::plan(in_scope);
    let mut replay = Replay::new(&credentials);
    let mut seeded = BTreeSet::new();
    for step in &steps {
        match step {
            Step::Reset => {
                replay = Replay::new(&credentials);
                for step in plan::before_snapshot(&steps) {
                    // What cannot be done has been reported when it was done first.
                    let _ = again(&mut replay, step);
                }
            }
            Step::Replay(exchange) => one(&mut replay, exchange, &seeded, &mut report),
            other => {
                if let Step::Seed { object, .. } = other {
                    seeded.insert(format!("{}/{}", object.resource, object.id));
                    report.seeded += 1;
                }
                if let Err(why) = again(&mut replay, other)
                    && !scope::not_yet(plan::heading(other), "")
                {
                    report.failures.push(format!("{why}\n"));
                }
            }
        }
    }
    print!("{}", report.text());
    for (heading, line) in &report.lines {
        assert_eq!(line.exchanges, line.compared, "{heading}: an exchange was passed over");
    }
    assert!(report.already.is_empty(), "conforming, so no longer `NOT_YET`:\n{}", report.already.join("\n"));
    assert!(report.failures.is_empty(), "{} exchanges do not conform", report.failures.len());
}

/// Does a step without comparing anything.
fn again(replay: &mut Replay, step: &Step) -> Result<(), String> {
    match step {
        Step::Replay(exchange) => {
            replay.send(exchange);
            Ok(())
        }
        Step::Seed { object, at, seen } => replay.seed(object, *at, seen),
        Step::Unrecorded { what, at } => replay.beside(*what, *at),
        Step::Reset => Ok(()),
    }
}

fn one(replay: &mut Replay, exchange: &exchange::Exchange, seeded: &BTreeSet<String>, report: &mut Report) {
    let Scope::In(heading) = scope::scope(exchange) else { return };
    let values = if TYPES_ONLY.iter().any(|(name, _)| *name == exchange.name) {
        Values::TypesOnly
    } else if OWN_WORDS.contains(&heading) || OWN_WORDS.contains(&exchange.name.as_str()) {
        Values::OwnWords
    } else {
        Values::Equal
    };
    let ours = replay.send(exchange);
    let differences = compare::compare(&replay::recorded(exchange), &ours, values, replay.rows()).0;
    report.on_seeds += usize::from(seeded.contains(exchange.path()));
    let line = report.lines.entry(heading).or_default();
    line.compared += 1;
    let not_yet = scope::not_yet(heading, &exchange.name);
    line.not_yet += usize::from(not_yet);
    match (differences.is_empty(), not_yet) {
        (true, false) => line.conforming += 1,
        (true, true) => {
            line.conforming += 1;
            if !scope::NOT_YET.contains(&format!("{heading}:*").as_str()) {
                report.already.push(exchange.name.clone());
            }
        }
        (false, true) => {}
        (false, false) => {
            let sent = exchange.request.body.as_deref().unwrap_or_default().chars().take(200).collect::<String>();
            let what = differences.iter().take(12).map(|line| format!("    {line}\n")).collect::<String>();
            let more = differences.len().saturating_sub(12);
            let more = if more > 0 { format!("    … and {more} more\n") } else { String::new() };
            let (method, target) = (&exchange.request.method, &exchange.request.target);
            report.failures.push(format!("[{heading}] {} {method} {target} {sent}\n{what}{more}", exchange.name));
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            text += failure;
        }
        text += &format!("{:<22}{:>10}{:>10}{:>12}{:>9}\n", "", "exchanges", "compared", "conforming", "not yet");
        let mut sum = Line::default();
        for (heading, line) in &self.lines {
            let Line { exchanges, compared, conforming, not_yet } = line;
            text += &format!("{heading:<22}{exchanges:>10}{compared:>10}{conforming:>12}{not_yet:>9}\n");
            sum.exchanges += exchanges;
            sum.compared += compared;
            sum.conforming += conforming;
            sum.not_yet += not_yet;
        }
        let Line { exchanges, compared, conforming, not_yet } = sum;
        text += &format!("{:<22}{exchanges:>10}{compared:>10}{conforming:>12}{not_yet:>9}\n", "all");
        text +=
            &format!("{} objects were seeded; {} of these exchanges ask for one of them\n", self.seeded, self.on_seeds);
        for (why, count) in &self.out {
            text += &format!("out of scope: {count:>3} {why}\n");
        }
        text
    }
}
