//! One action for all runs of a filter: shows which they are and which writes would be made again, asks, then acts and
//! says how far it is.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use cartwright_core::Json;
use serde_json::{Map, json};

use super::{Context, field};
use crate::{
    cli::Selection,
    failure::{OrFail as _, Result, quiet, usage},
    terminal::{Table, Terminal, Tone, one_line, tone_of},
};

/// Runs that a preview shows; `--json` has more.
const SHOWN_MAX: usize = 20;
/// Writes of one run that it names.
const WRITES_MAX: usize = 5;
/// Reasons that are printed.
const REASONS_MAX: usize = 20;
/// Runs in one request. A filter that has no more is one request with one entry in the audit log.
const AT_ONCE: usize = 250;

pub(super) async fn run(which: Selection, action: &str, how: &Json, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.look().await?;
    let (key, asked) = match which.runs.is_empty() {
        true => ("filter", filter(&which, context)),
        false => ("runs", json!(which.runs)),
    };
    let preview = session
        .client
        .post("/api/v1/runs/bulk", &json!({ "action": action, key: asked.clone(), "preview": true }))
        .await;
    let preview = match preview {
        Ok(preview) => preview,
        failed => return session.end(failed).await.map(drop),
    };
    if which.preview || !which.yes && terminal.json {
        session.end(Ok(())).await?;
        return if terminal.json { terminal.data(&preview) } else { show(&preview, action, terminal) };
    }
    let count = preview["count"].as_u64().unwrap_or(0);
    if count == 0 || !which.yes {
        show(&preview, action, terminal)?;
    }
    let agreed = count > 0 && (which.yes || confirm(&format!("{action} {}?", runs(count)))?);
    if !agreed {
        return session.end(Ok(())).await;
    }
    let answer = perform(&session, action, how, asked, &preview, terminal).await;
    if session.is_own() {
        terminal.note("no engine is running; this takes effect when one starts");
    }
    tell(&session.end(answer).await?, terminal)
}

fn filter(which: &Selection, context: &Context) -> Json {
    let mut filter = Map::new();
    let mut narrow = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            filter.insert(key.to_owned(), Json::String(value));
        }
    };
    narrow("workflow", which.workflow.as_ref().map(ToString::to_string));
    narrow("status", which.status.map(|status| status.as_str().to_owned()));
    narrow("store", which.store.as_ref().map(ToString::to_string));
    narrow("event", which.event.as_ref().map(ToString::to_string));
    narrow("since", which.since.map(|when| when.resolve(context.now()).to_string()));
    narrow("until", which.until.map(|when| when.resolve(context.now()).to_string()));
    Json::Object(filter)
}

fn runs(count: u64) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

/// `12 runs: 10 parked, 2 failed`, the runs, and what each would do again.
fn show(preview: &Json, action: &str, terminal: &Terminal) -> Result<()> {
    let count = preview["count"].as_u64().unwrap_or(0);
    let statuses = preview["statuses"].as_object().into_iter().flatten();
    let statuses: Vec<String> = statuses.map(|(status, count)| format!("{count} {status}")).collect();
    if count == 0 {
        terminal.line("no runs in this filter that this can be done to");
        return Ok(());
    }
    terminal.line(format_args!("{}: {}", runs(count), statuses.join(", ")));
    let mut table = Table::new(&["RUN", "WORKFLOW~", "STATUS", "STORE~"]);
    let details = preview["details"].as_array().map_or(&[][..], Vec::as_slice);
    for run in details.iter().take(SHOWN_MAX) {
        let status = field(run, "status");
        table.row(vec![
            (Tone::Plain, field(run, "id")),
            (Tone::Plain, field(run, "workflow")),
            (tone_of(&status), status),
            (Tone::Plain, field(run, "store")),
        ]);
        if action == "retry" {
            writes(run).into_iter().for_each(|line| table.below(Tone::Quiet, line));
        }
    }
    terminal.lines(table.lines(terminal));
    if count > details.len().min(SHOWN_MAX) as u64 {
        terminal.note(format_args!("the newest {SHOWN_MAX} of {count}; --preview --json tells of 200"));
    }
    if preview["more"] == true {
        terminal.note(format_args!("there are more than {count}; ask again afterwards"));
    }
    Ok(())
}

/// What a run would do again, what is in doubt, and how much is kept.
pub(super) fn writes(run: &Json) -> Vec<String> {
    let writes = run["writes"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |fate: &str| writes.iter().filter(|write| write["retry"] == fate).collect::<Vec<_>>();
    let mut lines = Vec::new();
    for (fate, word) in [("repeated", "again"), ("in_doubt", "in doubt")] {
        let found = of(fate);
        let line = |write: &&&Json| format!("{word}: {} ({})", one_line(&write["summary"]), field(write, "step"));
        lines.extend(found.iter().take(WRITES_MAX).map(|write| line(&write)));
        if found.len() > WRITES_MAX {
            lines.push(format!("{word}: {} more", found.len() - WRITES_MAX));
        }
    }
    match of("kept").len() {
        0 => {}
        1 => lines.push("kept: 1 write that was answered".to_owned()),
        count => lines.push(format!("kept: {count} writes that were answered")),
    }
    lines
}

/// Asks the person at the terminal; where there is none, `--yes` must have been given.
pub(super) fn confirm(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(
            usage("nobody is there to be asked").help("Give --yes to act without asking, or --preview to only look.")
        );
    }
    write!(io::stderr().lock(), "{question} [y/N] ").or_environment("cannot ask")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).or_environment("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn perform(
    session: &super::Session,
    action: &str,
    how: &Json,
    filter: Json,
    preview: &Json,
    terminal: &Terminal,
) -> Result<Json> {
    let ids = preview["runs"].as_array().cloned().unwrap_or_default();
    let mut progress = terminal.progress("moving", "runs", Some(ids.len() as u64));
    let body = |more: Json| {
        let mut body = json!({ "action": action });
        for part in [how, &more] {
            part.as_object().into_iter().flatten().for_each(|(key, value)| body[key] = value.clone());
        }
        body
    };
    if ids.len() <= AT_ONCE {
        let asked = body(json!({ "filter": filter, "token": preview["token"] }));
        return progress.during(session.client.post("/api/v1/runs/bulk", &asked)).await;
    }
    let (mut moved, mut not_moved) = (Vec::new(), Vec::new());
    for part in ids.chunks(AT_ONCE) {
        let asked = body(json!({ "runs": part }));
        let mut answer = progress.during(session.client.post("/api/v1/runs/bulk", &asked)).await?;
        moved.extend(answer["moved"].as_array_mut().map(std::mem::take).unwrap_or_default());
        not_moved.extend(answer["not_moved"].as_array_mut().map(std::mem::take).unwrap_or_default());
        progress.add(part.len() as u64);
    }
    progress.hide();
    Ok(json!({ "action": action, "moved": moved, "not_moved": not_moved, "more": preview["more"] }))
}

fn tell(answer: &Json, terminal: &Terminal) -> Result<()> {
    let not_moved = answer["not_moved"].as_array().map_or(&[][..], Vec::as_slice);
    if terminal.json {
        terminal.data(answer)?;
    } else {
        let moved = answer["moved"].as_array().map_or(0, Vec::len);
        terminal.line(format_args!("{} moved, {} not", runs(moved as u64), not_moved.len()));
        for one in not_moved.iter().take(REASONS_MAX) {
            terminal.note(format_args!("{}: {}", field(one, "id"), field(one, "reason")));
        }
        if not_moved.len() > REASONS_MAX {
            terminal.note(format_args!("and {} more", not_moved.len() - REASONS_MAX));
        }
    }
    if not_moved.is_empty() { Ok(()) } else { Err(quiet()) }
}
