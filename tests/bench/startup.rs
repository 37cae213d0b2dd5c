//! Time to the first accepted webhook, and memory while nothing happens.

use std::time::{Duration, Instant};

use cartwright_tests::{engine::Engine, orders, random::Random};

use crate::{process, report::Report};

const WORKFLOW: &str = r#"
name: Workflow NUMBER
on:
  woo: { topics: [order.created, order.updated], if: 'event.data.status == "NUMBER"' }
grants: { http: [hooks.example.com] }
steps:
  - id: score
    script: |
      let items = event.data.line_items;
      #{ level: if items.len() > 4 { "gold" } else { "silver" } }
  - id: tell
    http: POST https://hooks.example.com/notify
    body: { order: "${{ event.data.id }}", level: "${{ steps.score.output.level }}" }
"#;

/// With one workflow and with a thousand.
pub(crate) fn time_and_memory(report: &mut Report) {
    let many: Vec<(String, String)> = (0..1000)
        .map(|n| (format!("group{}/flow{n}.yaml", n % 10), WORKFLOW.replace("NUMBER", &n.to_string())))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    for (name, files) in [("1 workflow", &many[..1]), ("1,000 workflows", &many[..])] {
        let mut engine = Engine::new(files);
        engine.add_store("shop");
        let mut times = Vec::new();
        for round in 0..5 {
            let body = orders::body(round, &mut Random::new(round));
            let begun = Instant::now();
            engine.start();
            engine.order("order.created", &body);
            times.push(begun.elapsed());
            // Idle means that what the first order set off is over.
            std::thread::sleep(Duration::from_millis(500));
            if round < 4 {
                engine.stop();
            }
        }
        times.sort();
        report.add(format!("start to first accepted webhook, {name}"), times[2].as_secs_f64() * 1e3, "ms", "< 150");
        report.add(format!("idle memory, {name}"), process::resident_mb(engine.pid()), "MB", "< 40 (empty)");
        let cpu = process::cpu(engine.pid());
        std::thread::sleep(Duration::from_secs(3));
        let used = process::cpu(engine.pid()).saturating_sub(cpu).as_secs_f64() * 1e3 / 3.0;
        report.add(format!("CPU while idle, {name}"), used, "ms/s", "0");
    }
}
