//! `cartwright events replay` and `events export`.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use cartwright_core::{Json, id::EventId};
use serde_json::json;

use super::{Context, anew::fitted, bulk::confirm, field};
use crate::{
    cli::EventReplay,
    failure::{OrFail as _, Result, bug, quiet, usage},
    terminal::{Terminal, one_line},
};

/// Events of a filter that are replayed at once.
const EVENTS_MAX: usize = 10_000;
/// Events whose earlier runs are shown before the question.
const SHOWN_MAX: usize = 10;

pub(super) async fn replay(which: EventReplay, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.change().await?;
    let outcome = replay_with(&session, which, context).await;
    if session.is_own() && outcome.is_ok() {
        terminal.note("no engine is running; the events are matched when one starts");
    }
    let refused = session.end(outcome).await?;
    if refused { Err(quiet()) } else { Ok(()) }
}

/// `true`: some event was not replayed.
async fn replay_with(session: &super::Session, which: EventReplay, context: &Context) -> Result<bool> {
    let terminal = &context.terminal;
    let events = events(session, &which, context).await?;
    let body = |preview: bool| json!({ "workflow": which.workflow, "preview": preview });
    if which.preview || !which.yes {
        let mut previews = Vec::new();
        for event in events.iter().take(SHOWN_MAX) {
            previews.push(session.client.post(&format!("/api/v1/events/{event}/replay"), &body(true)).await?);
        }
        match terminal.json {
            true => terminal.data(&previews)?,
            false => previews.iter().for_each(|preview| show(preview, terminal)),
        }
        if events.len() > SHOWN_MAX {
            terminal.note(format_args!("the newest {SHOWN_MAX} of {} events", events.len()));
        }
        if which.preview || terminal.json || events.is_empty() {
            return Ok(false);
        }
        if !confirm(&format!("replay {}?", count(events.len())))? {
            return Ok(false);
        }
    }
    let mut progress = terminal.progress("replaying", "events", Some(events.len() as u64));
    let (mut answers, mut refused) = (Vec::new(), false);
    for event in &events {
        let answer = session.client.post(&format!("/api/v1/events/{event}/replay"), &body(false)).await;
        progress.add(1);
        progress.hide();
        match answer {
            Ok(answer) => {
                let new = field(&answer, "id");
                if !terminal.json {
                    terminal.line(format_args!("{event} is accepted again as {new}"));
                }
                answers.push(json!({ "of": event, "id": new, "ok": true }));
            }
            Err(failure) => {
                refused = true;
                terminal.note(format_args!("{event}: {failure}"));
                answers.push(json!({ "of": event, "ok": false, "error": failure.to_string() }));
            }
        }
    }
    if terminal.json {
        terminal.data(&answers)?;
    }
    Ok(refused)
}

fn count(number: usize) -> String {
    if number == 1 { "1 event".to_owned() } else { format!("{number} events") }
}

async fn events(session: &super::Session, which: &EventReplay, context: &Context) -> Result<Vec<EventId>> {
    if !which.events.is_empty() {
        return Ok(which.events.clone());
    }
    let mut query = Vec::new();
    query.extend(which.topic.clone().map(|topic| ("topic", topic)));
    query.extend(which.store.as_ref().map(|store| ("store", store.to_string())));
    query.extend(which.since.map(|when| ("since", when.resolve(context.now()).to_string())));
    query.extend(which.until.map(|when| ("until", when.resolve(context.now()).to_string())));
    let found = session.client.list("/api/v1/events", &query, EVENTS_MAX + 1).await?;
    if found.len() > EVENTS_MAX {
        return Err(usage(format!(
            "more than {EVENTS_MAX} events are in this filter; narrow it with --since and --until"
        )));
    }
    if found.is_empty() {
        context.terminal.note("no events in this filter");
    }
    // The oldest first, as they came.
    found.iter().rev().map(|event| field(event, "id").parse().map_err(bug)).collect()
}

/// What the runs of an event did before: all of it would be done again.
fn show(preview: &Json, terminal: &Terminal) {
    let names = |key: &str| preview[key].as_array().into_iter().flatten().map(one_line).collect::<Vec<_>>();
    let listen = names("listen");
    let starts = if listen.is_empty() { "no workflow listens now".to_owned() } else { listen.join(", ") };
    terminal.line(format_args!("{}  would be considered by: {starts}", field(preview, "event")));
    for run in preview["runs"].as_array().into_iter().flatten() {
        let writes = run["writes"].as_array().map_or(&[][..], Vec::as_slice);
        let (id, workflow, status) = (field(run, "id"), field(run, "workflow"), field(run, "status"));
        terminal.line(format_args!("  {id}  {workflow} {status}, {} written", writes.len()));
        for write in writes {
            let line = format!("    again: {} ({})", one_line(&write["summary"]), field(write, "step"));
            terminal.line(fitted(&line, terminal));
        }
    }
}

/// Keys whose values are never exported, whatever they are called around it.
const SECRET_WORDS: [&str; 10] =
    ["password", "passwd", "secret", "token", "authorization", "api_key", "apikey", "order_key", "card_number", "cvv"];

pub(super) async fn export(event: &EventId, output: Option<&Path>, hide: bool, context: &Context) -> Result<()> {
    let session = context.look().await?;
    let shown = session.client.get(&format!("/api/v1/events/{event}")).await;
    let shown = session.end(shown).await?;
    let mut exported = serde_json::Map::new();
    for key in ["topic", "store", "data", "id", "time", "source"] {
        exported.insert(key.to_owned(), shown[key].clone());
    }
    let mut exported = Json::Object(exported);
    scrub(&mut exported);
    if hide {
        super::redact::redact(&mut exported["data"]);
    }
    let Some(path) = output else { return context.terminal.data(&exported) };
    let text = serde_json::to_string_pretty(&exported).map_err(bug)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // It holds what customers gave a merchant.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).or_environment(format_args!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .or_environment(format_args!("cannot write {}", path.display()))?;
    let what = if hide { "with personal data replaced" } else { "as it came, personal data included" };
    context.terminal.note(format_args!("{} holds the event {what}", path.display()));
    Ok(())
}

/// Replaces texts and numbers under keys that name secrets.
fn scrub(value: &mut Json) {
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                let key = key.to_lowercase().replace('-', "_");
                let is_secret = SECRET_WORDS.iter().any(|word| key.contains(word));
                if is_secret && (value.is_string() || value.is_number()) && *value != "" {
                    *value = Json::from("[removed]");
                } else {
                    scrub(value);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(scrub),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_exported_and_the_rest_is_as_it_came() {
        let mut event = json!({
            "data": { "id": 7, "order_key": "wc_order_x", "meta": [{ "Api-Key": "k", "email": "a@b" }], "password": "" },
        });
        scrub(&mut event);
        let expect = json!({
            "data": { "id": 7, "order_key": "[removed]", "meta": [{ "Api-Key": "[removed]", "email": "a@b" }], "password": "" },
        });
        assert_eq!(event, expect);
    }
}
