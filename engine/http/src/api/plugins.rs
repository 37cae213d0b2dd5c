//! `/api/v1/plugins`: what is installed, and what it did since the engine started.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    extract::State,
    http::{StatusCode, Uri},
};
use cartwright_core::{
    Json,
    access::{Area, Right},
    plugin::{Manifest, Needs},
};
use cartwright_run::{InstalledPlugin, PluginFigures};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, page, query::Query};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, gives, page_of},
    door::Door,
    problem::Problem,
};

/// An installed plugin.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugin)]
struct PluginBody {
    /// How steps call it.
    name: String,
    /// Why it cannot be used; null: it can, and the keys below say what it is.
    #[schema(required)]
    error: Option<String>,
    /// Its author's version, for people.
    #[schema(required)]
    version: Option<String>,
    /// SHA-256 of the component: what tells versions apart.
    #[schema(required)]
    hash: Option<String>,
    /// Of the component.
    #[schema(required)]
    bytes: Option<u64>,
    /// The version of `cartwright:plugin` that it was built for.
    #[schema(required)]
    wit: Option<String>,
    /// The capabilities that it can use where it is granted: `http`, `state`.
    imports: BTreeSet<String>,
    /// What it says that it does.
    description: String,
    /// Its functions with the JSON Schemas of what they take and give.
    functions: BTreeMap<String, FunctionBody>,
    /// Grants that it cannot do without, by their list in a workflow's `grants`.
    needs: BTreeMap<&'static str, Vec<String>>,
    /// The trusted key that signed it; null: none, or no key is trusted here.
    #[schema(required)]
    signed_by: Option<String>,
    /// What it did since the engine started; null: nothing yet.
    #[schema(required)]
    figures: Option<FiguresBody>,
}

/// A function of a plugin.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginFunction)]
struct FunctionBody {
    description: String,
    /// JSON Schema.
    input: Json,
    /// JSON Schema.
    output: Json,
}

/// What a plugin did since the engine started.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginFigures)]
struct FiguresBody {
    /// Calls that ended well.
    succeeded: u64,
    /// Calls that failed.
    failed: u64,
    /// Of those, ended by a trap or a limit.
    trapped: u64,
    /// Stretches of execution, repeats for replay included.
    executions: u64,
    /// Time on the processor.
    cpu_seconds: f64,
    /// The most memory that one execution used.
    memory_peak_bytes: u64,
}

impl From<PluginFigures> for FiguresBody {
    fn from(figures: PluginFigures) -> Self {
        Self {
            succeeded: figures.succeeded,
            failed: figures.failed,
            trapped: figures.trapped,
            executions: figures.stretches,
            cpu_seconds: figures.processor_seconds,
            memory_peak_bytes: figures.memory_peak_bytes,
        }
    }
}

/// `GET /plugins`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    caller.everywhere(Area::Plugins, Right::Read)?;
    let query = Query::read(uri.query(), &[])?;
    let Some(host) = door.engine.plugins().cloned() else { return page(Vec::<PluginBody>::new(), None) };
    let figures = host.figures();
    // New files are read, and compiled, before they are shown.
    let installed = tokio::task::spawn_blocking(move || host.installed()).await;
    let installed =
        installed.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
    let (installed, next) = query.page(installed, |plugin| &plugin.name)?;
    page(installed.into_iter().map(|plugin| shown(plugin, &figures)).collect(), next)
}

fn shown(plugin: InstalledPlugin, figures: &BTreeMap<String, PluginFigures>) -> PluginBody {
    let InstalledPlugin { name, signed_by, record } = plugin;
    let figures = figures.get(&name).copied().map(FiguresBody::from);
    let record = record.map_err(|why| (name.clone(), why));
    let manifest: Option<&Manifest> = record.as_ref().ok().map(|record| record.manifest.as_ref());
    PluginBody {
        version: manifest.map(|manifest| manifest.version.clone()),
        description: manifest.map(|manifest| manifest.description.clone()).unwrap_or_default(),
        functions: manifest.map(functions).unwrap_or_default(),
        needs: manifest.map(|manifest| needs(&manifest.needs)).unwrap_or_default(),
        hash: record.as_ref().ok().map(|record| record.hash.clone()),
        bytes: record.as_ref().ok().map(|record| record.bytes),
        wit: record.as_ref().ok().map(|record| record.wit.clone()),
        imports: record.as_ref().map(|record| record.imports.clone()).unwrap_or_default(),
        error: record.err().map(|(_, why)| why),
        name,
        signed_by,
        figures,
    }
}

fn functions(manifest: &Manifest) -> BTreeMap<String, FunctionBody> {
    let function = |about: &cartwright_core::plugin::Function| FunctionBody {
        description: about.description.clone(),
        input: about.input.clone(),
        output: about.output.clone(),
    };
    manifest.functions.iter().map(|(name, about)| (name.clone(), function(about))).collect()
}

fn needs(needs: &Needs) -> BTreeMap<&'static str, Vec<String>> {
    needs.lists().into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key, list.to_vec())).collect()
}

pub(super) const ABOUT: &[About] = &[About {
    path: "/plugins",
    id: "listPlugins",
    summary: "Installed plugins by name",
    text: "Workflows are pinned to the version that was installed when they were read; `GET /workflows/{id}` shows it.",
    pages: true,
    gives: &[gives(200, "A page of plugins.", page_of::<PluginBody>)],
    ..PLAIN
}];
