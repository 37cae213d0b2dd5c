//! What can be known only of workflows side by side: topics that miss each other by a letter, and workflows that start
//! each other for ever. Both are warnings: events also come from people and other programs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Span, Step, StepKind, Template, TriggerKind, Workflow, WorkflowSet,
    check::uses::emitted,
    codes,
    diagnostic::Diagnostic,
    rhai::{Token, Tokens},
    set::Conflict,
    topic,
    visit::Code,
};
use crate::{Json, id::WorkflowId};

/// More workflows that emit without a condition are not followed.
const MAX_CIRCLE_WORKFLOWS: usize = 1_000;
/// More topics are not compared with each other.
const MAX_COMPARED: usize = 500;

/// Everything that is to be said about these workflows together.
pub(super) fn check(set: &WorkflowSet) -> Vec<Conflict> {
    let mut found = slips(set);
    found.extend(circles(set));
    found
}

/// Who says or hears a topic, where.
type Topics<'w> = BTreeMap<String, (&'w WorkflowId, Span)>;

/// Topics that nobody emits beside topics that nobody hears, one letter apart.
fn slips(set: &WorkflowSet) -> Vec<Conflict> {
    let (mut emitted, mut heard, mut patterns) = (Topics::new(), Topics::new(), BTreeSet::new());
    for workflow in set.iter() {
        if listens_somewhere(workflow, &mut patterns) || !says(workflow, &mut emitted) {
            return Vec::new();
        }
        for trigger in &workflow.triggers {
            let TriggerKind::Event { topics } = &trigger.kind else { continue };
            for topic in topics {
                match topic.contains('*') {
                    true => drop(patterns.insert(topic.clone())),
                    false => drop(heard.entry(topic.clone()).or_insert((&workflow.id, trigger.span.clone()))),
                }
            }
        }
    }
    let unheard =
        |topic: &&String| !heard.contains_key(*topic) && !patterns.iter().any(|one| topic::matches(one, topic));
    let lonely: Vec<&String> = emitted.keys().filter(unheard).take(MAX_COMPARED).collect();
    let mut found = Vec::new();
    for (topic, (workflow, span)) in heard.iter().filter(|(topic, _)| !emitted.contains_key(*topic)).take(MAX_COMPARED)
    {
        let Some(near) = lonely.iter().find(|near| is_slip(topic, near)) else { continue };
        let mut say = |workflow: &WorkflowId, span: &Span, message: String, meant: &str| {
            let mut diagnostic = Diagnostic::warning(codes::TOPIC_SLIP, span.clone(), message);
            diagnostic.did_you_mean = Some(meant.to_owned());
            found.push(Conflict { workflow: workflow.clone(), diagnostic });
        };
        let (sender, place) = &emitted[*near];
        say(
            workflow,
            span,
            format!("no workflow emits `{topic}`; `{sender}` emits `{near}`, which none listens to"),
            near,
        );
        say(
            sender,
            place,
            format!("no workflow listens to `{near}`; `{workflow}` listens to `{topic}`, which none emits"),
            topic,
        );
    }
    found
}

/// Adds what a workflow emits; false where that is known only at run time.
fn says<'w>(workflow: &'w Workflow, emitted_by: &mut Topics<'w>) -> bool {
    let mut known = true;
    workflow.visit_steps(&mut |step| {
        for one in emitted(step) {
            match one {
                Some(topic) => drop(emitted_by.entry(topic).or_insert((&workflow.id, step.span.clone()))),
                None => known = false,
            }
        }
    });
    known
}

/// Adds the topics that steps wait for; true where one is known only at run time.
fn listens_somewhere(workflow: &Workflow, heard: &mut BTreeSet<String>) -> bool {
    let mut unknown = false;
    workflow.visit_steps(&mut |step| {
        if let StepKind::WaitFor(wait) = &step.kind {
            match &wait.topic {
                Template::Literal(Json::String(topic)) => drop(heard.insert(topic.clone())),
                _ => unknown = true,
            }
        }
    });
    workflow.visit_code(&mut |code| {
        if let Code::Script(script) = code
            && script.source.contains("wait_for")
        {
            unknown |=
                Tokens::new(&script.source, 0).any(|one| matches!(one, Ok((_, Token::Word("wait_for"))) | Err(_)));
        }
    });
    unknown
}

/// One letter apart, digits aside: `batch.1` and `batch.2` are two topics.
fn is_slip(a: &str, b: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let length = a.len().min(b.len());
    length >= 5 && a.len().abs_diff(b.len()) <= 1 && strsim::osa_distance(a, b) == 1 && letters(a) != letters(b)
}

/// What a workflow emits whatever happens, with the place.
fn always_emits(workflow: &Workflow) -> Vec<(&str, &Span)> {
    let own = |kind: &StepKind| {
        matches!(
            kind,
            StepKind::Stop(_) | StepKind::Fail(_) | StepKind::Approve(_) | StepKind::WaitFor(_) | StepKind::Script(_)
        )
    };
    let may_end = |step: &Step| {
        let mut ends = own(&step.kind) || step.on_error.is_some();
        for block in step.kind.blocks() {
            super::visit::visit_block(block, &mut |step| ends |= own(&step.kind));
        }
        ends
    };
    let mut found = Vec::new();
    for step in workflow.steps.iter().take_while(|step| !may_end(step)) {
        if let (StepKind::Emit { topic: Template::Literal(Json::String(topic)), .. }, None) =
            (&step.kind, &step.condition)
        {
            found.push((topic.as_str(), &step.span));
        }
    }
    found
}

/// Whether an event with this topic starts the workflow whatever it holds.
fn always_starts(workflow: &Workflow, topic: &str) -> bool {
    workflow.triggers.iter().any(|trigger| match &trigger.kind {
        TriggerKind::Event { topics } => {
            trigger.condition.is_none()
                && trigger.gates.is_empty()
                && topics.iter().any(|pattern| topic::matches(pattern, topic))
        }
        _ => false,
    })
}

/// Circles of workflows each of which starts the next one, each told once, in the file of the first by name.
fn circles(set: &WorkflowSet) -> Vec<Conflict> {
    let listens = |workflow: &Workflow| {
        workflow.enabled
            && workflow.condition.is_none()
            && workflow.concurrency.is_none()
            && workflow.triggers.iter().any(|trigger| matches!(trigger.kind, TriggerKind::Event { .. }))
    };
    let senders: Vec<(&Workflow, Vec<(&str, &Span)>)> = set
        .iter()
        .map(AsRef::as_ref)
        .filter(|workflow| listens(workflow))
        .map(|workflow| (workflow, always_emits(workflow)))
        .filter(|(_, emits)| !emits.is_empty())
        .take(MAX_CIRCLE_WORKFLOWS)
        .collect();
    let next: Vec<Vec<(usize, &Span)>> = senders
        .iter()
        .map(|(_, emits)| {
            let starts = |to: usize| {
                let (_, span) = emits.iter().find(|(topic, _)| always_starts(senders[to].0, topic))?;
                Some((to, *span))
            };
            (0..senders.len()).filter_map(starts).collect()
        })
        .collect();
    (0..senders.len()).filter_map(|first| circle(first, &senders, &next)).collect()
}

/// The shortest way from a workflow back to itself through those behind it in order of name.
fn circle(first: usize, senders: &[(&Workflow, Vec<(&str, &Span)>)], next: &[Vec<(usize, &Span)>]) -> Option<Conflict> {
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([first]);
    while let Some(at) = queue.pop_front() {
        for (to, _) in next[at].iter().filter(|(to, _)| *to >= first) {
            if *to != first {
                if !came_from.contains_key(to) {
                    came_from.insert(*to, at);
                    queue.push_back(*to);
                }
                continue;
            }
            let mut way = vec![at];
            while let Some(before) = came_from.get(way.last()?) {
                way.push(*before);
            }
            way.reverse();
            let second = way.get(1).copied().unwrap_or(first);
            let (_, span) = next[first].iter().find(|(to, _)| *to == second)?;
            let names: Vec<&str> = way.iter().chain([&first]).map(|one| senders[*one].0.id.as_str()).collect();
            let message = format!("this starts a circle without an end: {}", names.join(" → "));
            let diagnostic = Diagnostic::warning(codes::CIRCLE, (*span).clone(), message)
                .help("give one of these workflows or steps an `if` that is false at some point");
            return Some(Conflict { workflow: senders[first].0.id.clone(), diagnostic });
        }
    }
    None
}
