//! `cartwright replay RUN --with DIR` and `cartwright replay-check DIR`: what recorded runs would do with changed
//! workflows. Nothing is sent, and nothing is written where the runs are.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use cartwright_core::{
    Json,
    event::Event,
    id::{RunId, Version, WorkflowId},
    run::{entry::Entry, row::RunRow},
    testing::{Difference, How},
};
use cartwright_run::{
    Definition, Loaded,
    rehearse::{Means, Recording, Replayed, Unplayable, replay},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::{
    Context, Session, print_findings,
    test::{JunitCase, JunitSuite, diff, junit_document},
};
use crate::{
    assembly,
    cli::ReplayCheck,
    failure::{OrFail as _, Result, bug, not_fine, quiet, usage},
    plugins::Installed,
    terminal::{Terminal, Tone},
    workflows::{Sources, files_below},
};

/// Of a line of an export, in bytes.
const MAX_LINE_BYTES: usize = 256 * 1024 * 1024;

/// What a run came to with its changed workflow.
enum Verdict {
    Same,
    Changed(Vec<Difference>),
    /// It says nothing about the change, or its workflow is gone.
    Unknown(String),
}

/// `replay RUN --with DIR`
pub(super) async fn one(run: &RunId, folder: &Path, context: &Context) -> Result<()> {
    let plugins = Installed::of(&context.config);
    let workflows = changed(folder, &plugins, &context.terminal)?;
    let session = context.look().await?;
    let recording = fetch(&session, run).await;
    let recording = session.end(recording).await?;
    let verdicts = judge(std::slice::from_ref(&recording), &workflows, &plugins.means()?, 1);
    let (verdict, _) = &verdicts[0];
    if context.terminal.json {
        context.terminal.data(&shown(&recording, verdict))?;
    } else {
        print(&recording, verdict, &context.terminal);
    }
    if matches!(verdict, Verdict::Same) { Ok(()) } else { Err(quiet()) }
}

/// `replay-check`
pub(super) async fn many(command: ReplayCheck, context: &Context) -> Result<()> {
    let (begun, terminal) = (Instant::now(), &context.terminal);
    let plugins = Installed::of(&context.config);
    let workflows = changed(&command.folder, &plugins, terminal)?;
    let mut recordings = match &command.runs {
        Some(path) => exported(path)?,
        None => recorded(&command, context).await?,
    };
    recordings.retain(|one| command.workflow.as_ref().is_none_or(|workflow| one.row.workflow == *workflow));
    // Those that move still say nothing yet.
    recordings.retain(|one| one.row.finished.is_some() || one.row.error.is_some());
    if recordings.is_empty() {
        return Err(not_fine("no recorded runs there that have ended"));
    }
    let jobs = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let verdicts = judge(&recordings, &workflows, &plugins.means()?, jobs);
    if let Some(path) = &command.junit {
        let text = junit_document("cartwright replay-check", &[suite(&recordings, &verdicts)], begun.elapsed());
        std::fs::write(path, text).or_environment(format_args!("cannot write {}", path.display()))?;
    }
    let count = |which: fn(&Verdict) -> bool| verdicts.iter().filter(|(verdict, _)| which(verdict)).count();
    let (same, changed) = (count(|one| matches!(one, Verdict::Same)), count(|one| matches!(one, Verdict::Changed(_))));
    let unknown = verdicts.len() - same - changed;
    if terminal.json {
        let runs: Vec<Json> = recordings.iter().zip(&verdicts).map(|(one, (verdict, _))| shown(one, verdict)).collect();
        terminal.data(&json!({ "same": same, "different": changed, "unknown": unknown, "runs": runs }))?;
    } else {
        for (recording, (verdict, _)) in recordings.iter().zip(&verdicts) {
            if !matches!(verdict, Verdict::Same) {
                print(recording, verdict, terminal);
                terminal.line("");
            }
        }
        let tone = if changed == 0 { Tone::Good } else { Tone::Bad };
        let unknown = if unknown == 0 { String::new() } else { format!(", {unknown} say nothing") };
        terminal.line(terminal.paint(tone, format_args!("{same} the same, {changed} different{unknown}")));
    }
    if changed == 0 { Ok(()) } else { Err(quiet()) }
}

/// The workflows of a folder, by id. A file with errors is no answer.
fn changed(folder: &Path, plugins: &Installed, terminal: &Terminal) -> Result<BTreeMap<WorkflowId, Loaded>> {
    if !folder.is_dir() {
        return Err(usage(format!("there is no folder {}", folder.display())));
    }
    let sandbox = assembly::sandbox();
    let (mut loaded, mut broken) = (BTreeMap::new(), Vec::new());
    for path in files_below(folder)? {
        let examined = Sources { plugins, sandbox: Some(&sandbox) }.read(folder, &path);
        broken.extend(examined.finding.filter(cartwright_http::FileFindings::is_broken));
        loaded.extend(examined.loaded.map(|one| (one.definition.id.clone(), one)));
    }
    if broken.is_empty() {
        return Ok(loaded);
    }
    print_findings(&broken, terminal);
    Err(quiet())
}

/// Replays all of them, several at once.
fn judge(
    recordings: &[Recording],
    workflows: &BTreeMap<WorkflowId, Loaded>,
    means: &Means,
    jobs: usize,
) -> Vec<(Verdict, Duration)> {
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..jobs.min(recordings.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(recording) = recordings.get(index) else { return };
                    let begun = Instant::now();
                    let verdict = match workflows.get(&recording.row.workflow) {
                        None => Verdict::Unknown("its workflow is not in the folder".into()),
                        Some(changed) => verdict(replay(recording, changed, workflows, means)),
                    };
                    verdicts.lock().push((index, verdict, begun.elapsed()));
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner();
    verdicts.sort_by_key(|(index, ..)| *index);
    verdicts.into_iter().map(|(_, verdict, took)| (verdict, took)).collect()
}

fn verdict(replayed: Result<Replayed, Unplayable>) -> Verdict {
    match replayed {
        Ok(replayed) if replayed.changes.is_empty() => Verdict::Same,
        Ok(replayed) => Verdict::Changed(replayed.changes),
        Err(why) => Verdict::Unknown(why.to_string()),
    }
}

/// One run of an engine, with what it was made of.
async fn fetch(session: &Session, run: &RunId) -> Result<Recording> {
    let shown = session.client.get(&format!("/api/v1/runs/{run}")).await?;
    let unreadable = |error: serde_json::Error| not_fine(format!("{run} cannot be read: {error}"));
    let row: RunRow = serde_json::from_value(shown.clone()).map_err(unreadable)?;
    let journal: Vec<Entry> = serde_json::from_value(shown["journal"].clone()).map_err(unreadable)?;
    let event = session.client.get(&format!("/api/v1/events/{}", row.event)).await?;
    let event: Event = serde_json::from_value(event).map_err(unreadable)?;
    let tags = match &event.store {
        Some(store) => session.client.get(&format!("/api/v1/stores/{store}")).await.ok(),
        None => None,
    };
    let tags = tags.and_then(|store| serde_json::from_value(store["tags"].clone()).ok()).unwrap_or_default();
    let definition = definition(session, &row.version).await?;
    recording(row, journal, event, definition.as_ref(), tags)
        .ok_or_else(|| not_fine(format!("the workflow version that {run} is pinned to cannot be read any more")))
}

async fn definition(session: &Session, version: &Version) -> Result<Option<Definition>> {
    let mut cursor: Option<String> = None;
    loop {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("kind", "definitions");
        pairs.extend_pairs(cursor.iter().map(|cursor| ("cursor", cursor)));
        let page = session.client.raw_page(&format!("/api/v1/export?{}", pairs.finish())).await?;
        for line in &page.items {
            let line: Line = serde_json::from_str(line.get()).map_err(bug)?;
            if line.version.as_deref() == Some(version.as_str()) {
                return Ok(line.definition);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}

fn recording(
    row: RunRow,
    journal: Vec<Entry>,
    event: Event,
    definition: Option<&Definition>,
    tags: Vec<String>,
) -> Option<Recording> {
    // Files with the same text share a version; the run knows its own name.
    let definition = Definition { id: row.workflow.clone(), ..definition?.clone() };
    let workflow = definition.parse().0?;
    Some(Recording { row, journal, event, workflow: Loaded { definition, workflow }, tags })
}

/// The newest runs of an engine.
async fn recorded(command: &ReplayCheck, context: &Context) -> Result<Vec<Recording>> {
    let session = context.look().await?;
    let mut query = Vec::new();
    query.extend(command.workflow.as_ref().map(|id| ("workflow", id.to_string())));
    let gathered = async {
        let rows = session.client.list("/api/v1/runs", &query, command.last as usize).await?;
        let mut found = Vec::new();
        for row in &rows {
            let run: RunId = super::field(row, "id").parse().map_err(bug)?;
            found.push(fetch(&session, &run).await?);
        }
        Ok(found)
    };
    let gathered = gathered.await;
    session.end(gathered).await
}

/// A line of an export, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    kind: String,
    version: Option<String>,
    definition: Option<Definition>,
    event: Option<Event>,
    run: Option<RunRow>,
    journal: Option<Vec<Entry>>,
    id: Option<String>,
    tags: Option<Vec<String>>,
}

/// The runs of an export, or of all `*.jsonl` of a folder.
fn exported(path: &Path) -> Result<Vec<Recording>> {
    let files: Vec<PathBuf> = if path.is_dir() {
        let entries = std::fs::read_dir(path).or_environment(format_args!("cannot read {}", path.display()))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        files
    } else {
        vec![path.to_owned()]
    };
    let (mut definitions, mut events, mut tags) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut runs, mut found) = (Vec::new(), Vec::new());
    for file in &files {
        let opened = File::open(file).or_environment(format_args!("cannot read {}", file.display()))?;
        for (number, text) in BufReader::new(opened).lines().enumerate() {
            let text = text.or_environment(format_args!("cannot read {}", file.display()))?;
            let wrong = |why: String| usage(format!("{}, line {}: {why}", file.display(), number + 1));
            if text.len() > MAX_LINE_BYTES {
                return Err(wrong("the line is too long".into()));
            }
            let is_needed =
                ["\"definition\"", "\"event\"", "\"run\"", "\"store\""].iter().any(|kind| text.contains(kind));
            if !is_needed {
                continue;
            }
            // The first and last lines, and kinds that do not matter, have other members.
            let Ok(kind) = serde_json::from_str::<KindOnly>(&text) else { return Err(wrong("it is no export".into())) };
            if !["definition", "event", "run", "store"].contains(&kind.kind.as_str()) {
                continue;
            }
            let line: Line = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            match line.kind.as_str() {
                "definition" => definitions.extend(line.version.zip(line.definition)),
                "event" => events.extend(line.event.map(|event| (event.id.clone(), event))),
                "store" => tags.extend(line.id.zip(line.tags)),
                _ => runs.extend(line.run.zip(line.journal)),
            }
        }
    }
    for (row, journal) in runs {
        let Some(event) = events.get(&row.event).cloned() else { continue };
        let store_tags = event.store.as_ref().and_then(|store| tags.get(store.as_str())).cloned().unwrap_or_default();
        let definition = definitions.get(row.version.as_str());
        found.extend(recording(row, journal, event, definition, store_tags));
    }
    Ok(found)
}

#[derive(Deserialize)]
struct KindOnly {
    kind: String,
}

fn print(recording: &Recording, verdict: &Verdict, terminal: &Terminal) {
    let (id, workflow) = (terminal.paint(Tone::Strong, &recording.row.id), &recording.row.workflow);
    match verdict {
        Verdict::Same => terminal.line(format_args!("{id}  {workflow}: the same")),
        Verdict::Unknown(why) => {
            terminal.line(format_args!("{id}  {workflow}: {}", terminal.paint(Tone::Wait, "not comparable")));
            terminal.lines(diff::lines(&How::Said(why.clone()), 2, terminal));
        }
        Verdict::Changed(changes) => {
            terminal.line(format_args!("{id}  {workflow}: {}", terminal.paint(Tone::Bad, "different")));
            for change in changes {
                terminal.line(format_args!("  {}", change.at));
                terminal.lines(diff::lines(&change.how, 4, terminal));
            }
        }
    }
}

fn shown(recording: &Recording, verdict: &Verdict) -> Json {
    let mut shown = json!({ "run": recording.row.id, "workflow": recording.row.workflow });
    let (word, changes) = match verdict {
        Verdict::Same => ("same", &[][..]),
        Verdict::Unknown(why) => {
            shown["why"] = json!(why);
            ("unknown", &[][..])
        }
        Verdict::Changed(changes) => ("different", changes.as_slice()),
    };
    shown["verdict"] = json!(word);
    let changes = changes.iter().map(|change| match &change.how {
        How::Said(said) => json!({ "at": change.at, "said": said }),
        How::Value { expected, actual } => json!({ "at": change.at, "before": expected, "after": actual }),
        How::Lines { expected, actual } => json!({ "at": change.at, "before": expected, "after": actual }),
    });
    shown["changes"] = changes.collect();
    shown
}

fn suite(recordings: &[Recording], verdicts: &[(Verdict, Duration)]) -> JunitSuite {
    let case = |(recording, (verdict, took)): (&Recording, &(Verdict, Duration))| JunitCase {
        class: recording.row.workflow.to_string(),
        name: recording.row.id.to_string(),
        took: *took,
        failure: match verdict {
            Verdict::Changed(changes) => Some(changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
            Verdict::Same | Verdict::Unknown(_) => None,
        },
        error: match verdict {
            Verdict::Unknown(why) => Some(why.clone()),
            Verdict::Same | Verdict::Changed(_) => None,
        },
    };
    JunitSuite { name: "recorded runs".into(), cases: recordings.iter().zip(verdicts).map(case).collect() }
}
