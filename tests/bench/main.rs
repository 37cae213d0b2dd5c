//! Benchmarks with the real binary. `tests/bench/run` builds everything in release and starts this.
#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod bare;
mod flow;
mod history;
mod language;
mod live;
mod load;
mod process;
mod report;
mod startup;
mod stores;
mod timers;

use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    match arguments.first().map(String::as_str) {
        Some("bare") => return bare::serve(),
        Some("shops") => return stores::shops(&arguments[1..]),
        Some("client") => return stores::client(),
        _ => {}
    }
    let mut report = Report::default();
    if wanted("accept") {
        flow::acceptance(&mut report);
    }
    if wanted("flow") {
        flow::short_run(&mut report);
    }
    if wanted("steps") {
        flow::ten_steps(&mut report);
    }
    if wanted("overhead") {
        flow::step_overhead(&mut report);
    }
    if wanted("startup") {
        startup::time_and_memory(&mut report);
    }
    if wanted("language") {
        language::all(&mut report);
    }
    if wanted("timers") {
        timers::pending(&mut report);
    }
    if wanted("stores") {
        stores::calls(&mut report);
    }
    if wanted("live") {
        live::stream(&mut report);
    }
    // Only when asked for: it takes gigabytes.
    if arguments.iter().any(|argument| argument == "history") {
        history::lists(&mut report, &arguments);
    }
    report.print();
}
