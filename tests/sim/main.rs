//! The simulator: the real core and runner over storage in memory, with time, network, shops, disk and crashes made up from a
//! seed. Each seed is run twice and its traces compared, so that a failure can be repeated and looked at.
//!
//!     sim --seeds 300          seeds 1 to 300
//!     sim --seed 17            one seed, its trace printed when something is wrong
//!     sim --from 1000 --seeds 50
#![expect(clippy::print_stdout, reason = "it reports to people")]

mod check;
mod goods;
mod life;
mod network;
mod parts;
mod people;
mod storage;
mod street;
mod workflows;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut from, mut count) = (1u64, 100u64);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--seeds", Some(value)) => count = value,
            ("--from", Some(value)) => from = value,
            ("--seed", Some(value)) => (from, count) = (value, 1),
            _ => {
                println!("usage: sim [--from N] [--seeds N] | --seed N");
                return ExitCode::from(2);
            }
        }
    }
    let begun = Instant::now();
    let (mut totals, mut bad) = (check::Totals::default(), 0);
    let mut slowest = Duration::ZERO;
    for seed in from..from + count {
        let one = Instant::now();
        let (first, second) = std::thread::scope(|scope| {
            let second = scope.spawn(|| life::simulate(seed));
            (life::simulate(seed), second.join().expect("it ends as the first one does"))
        });
        slowest = slowest.max(one.elapsed());
        let mut wrong = check::check(&first, &mut totals);
        if let Some(difference) = check::difference(&first, &second) {
            wrong.push(format!("the same seed went differently:\n{difference}"));
        }
        if wrong.is_empty() {
            continue;
        }
        bad += 1;
        println!("seed {seed}: {}", wrong.join("\n  "));
        if count == 1 {
            println!("{}", first.trace.join("\n"));
        }
    }
    println!(
        "simulator: {count} seeds, {bad} bad; {totals}; {:.1} s, the slowest seed {:.0} ms",
        begun.elapsed().as_secs_f64(),
        slowest.as_secs_f64() * 1e3,
    );
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
