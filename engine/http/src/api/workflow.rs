//! `GET /api/v1/workflows/{id}`: one workflow: its text, what it listens to, may do and does, and what is wrong with its file.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, http::StatusCode};
use cartwright_core::{
    Json,
    access::Area,
    id::WorkflowId,
    plugin::{FILE_PREFIX, PluginRecord},
    run::stage::Stage,
    workflow::{Block, GrantedStores, Grants, HttpGrant, Step, StepKind, Template, TextPart, Workflow},
};
use cartwright_run::Definition;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer, Segment, json,
    workflows::{FileBody, WorkflowBody, file_body, other_method, row, sees, unknown},
};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives},
    door::Door,
    files::FileFindings,
    problem::Problem,
};

/// Of what a step does, in characters.
const DOES_MAX: usize = 200;

/// A workflow that is looked at.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowShown)]
struct Shown<'a> {
    // Flattened: a workflow shown alone has the keys that it has in lists, and more.
    #[serde(flatten)]
    row: WorkflowBody<'a>,
    /// The YAML text of this version; null: it is not kept any more.
    #[schema(required)]
    source: Option<&'a str>,
    /// Script files by the name the text gives them.
    #[schema(value_type = BTreeMap<String, String>)]
    scripts: BTreeMap<&'a str, &'a str>,
    /// The versions of plugins that it is pinned to.
    plugins: Vec<PinnedPlugin>,
    grants: GrantsBody<'a>,
    /// All of them, outer ones before inner ones.
    steps: Vec<StepBody<'a>>,
    /// The file does not load as it stands now, and this is the last version that did.
    broken: bool,
    /// What is wrong with the file.
    files: Vec<FileBody<'a>>,
}

/// A version of a plugin.
#[derive(Serialize, ToSchema)]
struct PinnedPlugin {
    /// How steps call it.
    name: String,
    /// Its author's version, for people.
    version: String,
    /// SHA-256 of the component.
    hash: String,
}

/// What it may do, as its file says.
#[derive(Serialize, ToSchema)]
#[schema(as = Grants)]
struct GrantsBody<'a> {
    /// Hosts: `hooks.slack.com`, `POST hooks.slack.com:8443`.
    http: Vec<String>,
    /// Names of secrets.
    secrets: &'a [String],
    /// Topics.
    emit: &'a [String],
    /// `self`, ids, `tag:NAME`, `*`.
    stores: Vec<String>,
    /// `orders.read`.
    woo: &'a [String],
}

/// A step in short.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowStep)]
struct StepBody<'a> {
    id: &'a str,
    #[schema(required)]
    name: Option<&'a str>,
    /// `http`, `script`, `for_each`, …
    kind: &'static str,
    /// In a few words, cut at 200 characters: `POST https://…`.
    does: String,
    /// The step that it is part of.
    #[schema(required)]
    inside: Option<&'a str>,
    /// It is part of `on_failure`.
    on_failure: bool,
    /// It is part of `on_cancel`.
    on_cancel: bool,
    /// What takes it back, in a few words; null: nothing does.
    #[schema(required)]
    undo: Option<String>,
}

/// `GET /workflows/{id}`; the id may hold slashes
pub(super) async fn show(State(door): State<Arc<Door>>, caller: Caller, Segment(path): Segment) -> Answer {
    let id: WorkflowId = path.parse().map_err(|_| unknown())?;
    let (set, findings) = (door.engine.workflows(), door.config.findings.all());
    let own: Vec<&FileFindings> = findings.iter().filter(|one| one.workflow.as_ref() == Some(&id)).collect();
    let seen = set.get(&id).filter(|workflow| sees(&door, &caller, Area::Workflows, workflow));
    let workflow = seen.ok_or_else(|| not_there(&caller, &id, &own))?;
    let text = door.engine.definition(&workflow.version).await?;
    let files = text.iter().flat_map(|text| &text.files);
    let (records, scripts): (Vec<_>, Vec<_>) = files.partition(|(name, _)| name.starts_with(FILE_PREFIX));
    let plugin = |record: PluginRecord| {
        let version = record.manifest.version.clone();
        PinnedPlugin { name: record.name, version, hash: record.hash }
    };
    let shown = Shown {
        scripts: scripts.into_iter().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
        plugins: records.into_iter().filter_map(|(_, text)| PluginRecord::parse(text).ok()).map(plugin).collect(),
        row: row(&set, workflow),
        source: text.as_ref().map(|Definition { source, .. }| source.as_str()),
        grants: grants(&workflow.grants),
        steps: steps(workflow),
        broken: own.iter().any(|one| one.is_broken()),
        files: own.into_iter().map(file_body).collect(),
    };
    json(StatusCode::OK, &shown)
}

fn not_there(caller: &Caller, id: &WorkflowId, own: &[&FileFindings]) -> Problem {
    // `/workflows/{id}/run` is one pattern with this address.
    if id.as_str().ends_with("/run") {
        return other_method("POST");
    }
    // A file that never loaded names no store, so it is shown to who sees everything.
    match own.iter().find(|one| one.is_broken()) {
        Some(one) if caller.everywhere(Area::Workflows, cartwright_core::access::Right::Read).is_ok() => {
            let detail =
                format!("no workflow of this id is loaded: {} has {}", one.file, one.errors().replace('\n', "; "));
            Problem { detail, ..unknown() }
        }
        _ => unknown(),
    }
}

fn grants(Grants { http, secrets, emit, stores, woo }: &Grants) -> GrantsBody<'_> {
    let host = |HttpGrant { method, host, port }: &HttpGrant| {
        let method = method.as_ref().map(|method| format!("{method} ")).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{method}{host}{port}")
    };
    let store = |one: &GrantedStores| match one {
        GrantedStores::Own => "self".to_owned(),
        GrantedStores::Selected(selector) => selector.to_string(),
    };
    GrantsBody { http: http.iter().map(host).collect(), secrets, emit, stores: stores.iter().map(store).collect(), woo }
}

fn steps(workflow: &Workflow) -> Vec<StepBody<'_>> {
    let mut all = Vec::new();
    add(&workflow.steps, None, Stage::Main, &mut all);
    add(&workflow.on_failure, None, Stage::Failure, &mut all);
    add(&workflow.on_cancel, None, Stage::Cancel, &mut all);
    all
}

/// Adds a list of steps, with what is inside each right behind it. As deep as files may nest, which the parser bounds.
fn add<'a>(steps: &'a Block, inside: Option<&'a str>, stage: Stage, all: &mut Vec<StepBody<'a>>) {
    for step in steps {
        let does = does(&step.kind).chars().take(DOES_MAX).collect();
        let (on_failure, on_cancel) = (stage == Stage::Failure, stage == Stage::Cancel);
        let in_words = |undo: &Step| format!("{}: {}", undo.kind.word(), self::does(&undo.kind));
        let undo = step.undo.as_deref().map(|undo| in_words(undo).chars().take(DOES_MAX).collect());
        let (id, name, kind) = (step.id.as_str(), step.name.as_deref(), step.kind.word());
        all.push(StepBody { id, name, kind, does, inside, on_failure, on_cancel, undo });
        for inner in step.kind.blocks() {
            add(inner, Some(id), stage, all);
        }
    }
}

fn does(kind: &StepKind) -> String {
    match kind {
        StepKind::Script(script) => match &script.file {
            Some(file) => file.clone(),
            None => script.source.trim().lines().next().unwrap_or_default().to_owned(),
        },
        StepKind::Http(http) => format!("{} {}", http.method, text(&http.url)),
        StepKind::Plugin(plugin) => plugin.target(),
        StepKind::Woo(woo) => format!("{} {}", woo.method.as_str(), text(&woo.path)),
        StepKind::Emit { topic, .. } => text(topic),
        StepKind::Call(call) => text(&call.workflow),
        StepKind::Sleep { until, .. } => text(until),
        StepKind::WaitFor(wait) => text(&wait.topic),
        StepKind::Approve(approve) => text(&approve.question),
        StepKind::Choose(branches) => match branches.len() {
            1 => "1 branch".to_owned(),
            count => format!("{count} branches"),
        },
        StepKind::ForEach(each) => each.items.source.to_string(),
        StepKind::Parallel(sides) => sides.iter().map(|side| side.name.as_str()).collect::<Vec<_>>().join(", "),
        StepKind::Respond(respond) => respond.status.as_ref().map_or_else(|| "200".to_owned(), text),
        StepKind::Stop(reason) | StepKind::Fail(reason) => text(reason),
    }
}

/// A template as its file has it.
fn text(template: &Template) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Literal(text) => text.clone(),
        TextPart::Expression(expression) => format!("${{{{ {} }}}}", expression.source),
    };
    match template {
        Template::Literal(Json::String(text)) => text.clone(),
        Template::Literal(Json::Null) => String::new(),
        Template::Literal(value) => value.to_string(),
        Template::Expression(expression) => part(&TextPart::Expression(expression.clone())),
        Template::Text(parts) => parts.iter().map(part).collect(),
        Template::List(_) => "[…]".to_owned(),
        Template::Map(_) => "{…}".to_owned(),
    }
}

/// What the document says about this address.
pub(super) const ABOUT: &[About] = &[About {
    path: "/workflows/{*path}",
    shown: "/workflows/{id}",
    id: "showWorkflow",
    summary: "One workflow: its text, what it may do and does, and what is wrong with its file",
    text: "Who sees a workflow sees its whole text.",
    gives: &[gives(200, "It, as new events meet it.", a::<Shown<'_>>)],
    refuses: &[(404, "workflow_unknown")],
    ..PLAIN
}];
