//! Made-up workflows with made-up failures and crashes: whatever happens, exactly the undos of the steps that succeeded
//! succeed, in reverse, each once.

use proptest::prelude::*;

use super::*;

/// A step of a made-up workflow.
#[derive(Debug, Clone)]
enum Made {
    /// One call; with an undo or not.
    Call(bool),
    Choose(Vec<Made>),
    Loop(u8, Vec<Made>),
    Sides(Vec<Made>, Vec<Made>),
}

fn made() -> impl Strategy<Value = Vec<Made>> {
    let leaf = any::<bool>().prop_map(Made::Call);
    let step = leaf.prop_recursive(3, 16, 3, |inner| {
        let block = prop::collection::vec(inner, 1..4);
        prop_oneof![
            block.clone().prop_map(Made::Choose),
            (1..4u8, block.clone()).prop_map(|(count, block)| Made::Loop(count, block)),
            (block.clone(), block).prop_map(|(left, right)| Made::Sides(left, right)),
        ]
    });
    prop::collection::vec(step, 1..5)
}

/// The step as YAML in flow style; ids count up.
fn written(step: &Made, next: &mut u32) -> String {
    *next += 1;
    let id = *next;
    match step {
        Made::Call(undo) => {
            let undo = if *undo { ", undo: { http: PUT https://h.example/undo, retry: 1 }" } else { "" };
            format!("{{ id: s{id}, http: PUT https://h.example/do, retry: 1, on_error: fail{undo} }}")
        }
        Made::Choose(block) => format!("{{ id: s{id}, choose: [{{ else: {} }}] }}", block_of(block, next)),
        Made::Loop(count, block) => {
            let items: Vec<String> = (0..*count).map(|item| item.to_string()).collect();
            let steps = block_of(block, next);
            format!("{{ id: s{id}, for_each: \"[{}]\", parallel: 2, steps: {steps} }}", items.join(", "))
        }
        Made::Sides(left, right) => {
            let (left, right) = (block_of(left, next), block_of(right, next));
            format!("{{ id: s{id}, parallel: {{ left: {left}, right: {right} }} }}")
        }
    }
}

fn block_of(block: &[Made], next: &mut u32) -> String {
    format!("[{}]", block.iter().map(|step| written(step, next)).collect::<Vec<_>>().join(", "))
}

fn workflow(steps: &[Made]) -> String {
    let mut next = 0;
    let block = block_of(steps, &mut next);
    let last = "{ id: last, http: PUT https://h.example/do, retry: 1, on_error: fail }";
    let steps = format!("{}, {last}]", block.strip_suffix(']').unwrap());
    format!("on: {{ woo: [order.created] }}\ngrants: {{ http: [h.example] }}\nundo_on_failure: true\nsteps: {steps}\n")
}

/// The steps that succeeded and can be undone, in that order, and the undos that succeeded.
fn armed_and_undone(journal: &[Entry]) -> (Vec<String>, Vec<String>) {
    let (mut armed, mut undone) = (Vec::new(), Vec::new());
    for entry in journal {
        match &entry.what {
            What::StepSucceeded { path, undo: true, .. } => armed.push(path.to_string()),
            What::StepSucceeded { path, .. } => undone.extend(path.as_str().strip_prefix("undo/").map(str::to_owned)),
            _ => {}
        }
    }
    (armed, undone)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn exactly_what_succeeded_is_undone(steps in made(), fails_at in 0..30usize, luck in prop::collection::vec(0..6u8, 200)) {
        let (mut bench, mut open) = Bench::new(&workflow(&steps));
        bench.checked = false;
        let (mut luck, mut answered) = (luck.into_iter().cycle(), 0);
        let mut waiting: Vec<Asked> = calls(&open);
        for _ in 0..2_000 {
            match bench.status() {
                RunStatus::Failed => break,
                RunStatus::Parked => {
                    open = bench.retry(true).unwrap();
                    waiting = calls(&open);
                    continue;
                }
                _ => {}
            }
            if luck.next() == Some(0) {
                // The process dies: what was under way is asked for again.
                open = bench.crash(Duration::from_secs(1));
                waiting = calls(&open);
                continue;
            }
            prop_assert!(!waiting.is_empty(), "it neither moves nor ends: {:#?}", bench.journal);
            let place = usize::from(luck.next().unwrap_or_default()) % waiting.len();
            let asked = waiting.remove(place);
            let undoes = asked.path.as_str().starts_with("undo/");
            let refused = match undoes {
                // An undo that is refused parks the run; a person says to go on.
                true => luck.next() == Some(1),
                false => answered == fails_at || asked.path.as_str() == "last",
            };
            answered += usize::from(!undoes);
            let outcome = if refused { Err(CallError::r#final("status", "400")) } else { Ok(json!(asked.path)) };
            let effects = bench.answers(asked.path.as_str(), asked.index, outcome);
            if effects.iter().any(|effect| matches!(effect, Effect::Abort { .. })) {
                waiting.clear();
            }
            waiting.extend(calls(&effects));
        }
        prop_assert_eq!(bench.status(), RunStatus::Failed);
        bench.is_what_the_journal_says();
        let (mut armed, undone) = armed_and_undone(&bench.journal);
        armed.reverse();
        prop_assert_eq!(armed, undone);
        prop_assert!(bench.state().undos.view().is_none_or(|view| view.left.is_empty()));
    }
}
