//! What is run in simulation: every kind of step and durable call, with effects that can be counted outside.

use std::collections::BTreeMap;

use cartwright_run::{Definition, Loaded};

use crate::{goods, parts};

/// Calls before, in and after scripts, loops, sleeps, counting, an emitted event.
const ORDERS: &str = r#"
on: { woo: { topics: [order.created], if: number(event.data.total) > 0 } }
grants: { http: ["sink.example.com"], emit: [order.done] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: first
    http: POST http://sink.example.com/
    body: { effect: "first-${{ event.data.id }}" }
    IDEMPOTENT
  - id: script
    script: |
      let n = state::increment("orders", 1);
      let answer = http::post("http://sink.example.com/", #{ effect: `script-${event.data.id}` }OPTIONS);
      clock::sleep("3s");
      let other = http::post("http://sink.example.com/", #{ effect: `again-${event.data.id}` }OPTIONS);
      #{ n: n, sum: answer.status + other.status }
  - id: nap
    sleep: 2s
  - id: each
    for_each: "[1, 2, 3]"
    parallel: 2
    steps:
      - id: one
        http: POST http://sink.example.com/
        body: { effect: "each${{ item }}-${{ event.data.id }}" }
        IDEMPOTENT
  - id: sides
    parallel:
      left:
        - id: left
          http: POST http://sink.example.com/
          body: { effect: "left-${{ event.data.id }}" }
          IDEMPOTENT
      right:
        - id: rest
          sleep: 1s
        - id: right
          http: POST http://sink.example.com/
          body: { effect: "right-${{ event.data.id }}" }
          IDEMPOTENT
  - id: done
    emit: order.done
    data: { id: "${{ event.data.id }}" }
on_failure:
  - id: tell
    http: POST http://sink.example.com/
    body: { effect: "failed-${{ event.data.id }}" }
    IDEMPOTENT
output: steps.script.output.n
"#;

/// Started by what the first one emits.
const DONE: &str = r#"
on: { event: [order.done] }
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: tell
    http: POST http://sink.example.com/
    body: { effect: "done-${{ event.data.id }}" }
    IDEMPOTENT
"#;

/// Waits for an event that comes, or does not.
const WAITS: &str = r#"
on: { woo: [order.created] }
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: wait
    script: |
      let came = events::wait_for(#{ event: "order.updated", "if": "incoming.data.id == event.data.id", timeout: "60s" });
      let how = if came == () { "late" } else { "came" };
      http::post("http://sink.example.com/", #{ effect: `${how}-${event.data.id}` }OPTIONS);
      how
"#;

/// The same as a step.
const WAITS_STEP: &str = r#"
on: { woo: [order.created] }
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: number
    script: event.data.id
  - id: wait
    wait_for: { event: order.updated, if: incoming.data.id == steps.number.output, timeout: 60s, lookback: 5s }
  - http: POST http://sink.example.com/
    body: { effect: '${{ if steps.wait.output == () { "steplate" } else { "stepcame" } }}-${{ event.data.id }}' }
    IDEMPOTENT
"#;

/// Effects of one order, whatever happens.
pub(crate) const EFFECTS: [&str; 9] = ["first", "script", "again", "each1", "each2", "each3", "left", "right", "done"];
/// Happens once for each failure of an order's run.
pub(crate) const FAILED: &str = "failed";
/// Of each of these pairs exactly one happens.
pub(crate) const EITHER: [[&str; 2]; 2] = [["came", "late"], ["stepcame", "steplate"]];

/// The workflows, as the loader would bring them.
pub(crate) fn workflows(idempotent: bool, settings: &parts::Settings) -> Vec<Loaded> {
    let fixed = [
        ("orders", ORDERS),
        ("done", DONE),
        ("waits", WAITS),
        ("waits-step", WAITS_STEP),
        ("shop-steps", goods::STEPS),
        ("shop-script", goods::SCRIPT),
    ];
    let fixed = fixed.map(|(id, text)| (id, text.to_owned()));
    let load = |(id, text): (&str, String)| {
        let source = text
            .replace("IDEMPOTENT", if idempotent { "idempotent: true" } else { "name: once" })
            .replace("UNDOES", if idempotent { "idempotent: true" } else { "" })
            .replace("OPTIONS", if idempotent { ", #{ idempotent: true }" } else { "" });
        let definition = Definition { id: id.parse().expect("an id"), source, files: BTreeMap::new() };
        let (workflow, diagnostics) = definition.parse();
        let workflow = workflow.unwrap_or_else(|| panic!("{id}: {diagnostics:?}"));
        Loaded { definition, workflow }
    };
    fixed.into_iter().chain(parts::texts(settings)).map(load).collect()
}
