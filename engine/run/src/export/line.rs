//! The form of an export: each line one JSON object with its `kind`, the first says what the file is, the last how many
//! lines there are. `engine/docs/export.md` describes it for people.

use std::{fmt, str::FromStr};

use cartwright_core::{
    Json,
    event::{Event, Match},
    id::{StoreId, Version, WorkflowId},
    run::{apply::fold, entry::Entry, row::RunRow, state::RunState},
    shard::ShardId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Definition, host::STATE_KEY_BYTES_MAX};

/// The version of the form. A reader refuses a higher one.
pub const VERSION: u32 = 1;
/// Of a line, in bytes: a run with the longest journal that was ever seen is a hundredth of it.
pub const LINE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Of an event's topic, in bytes, as the API has it.
const TOPIC_BYTES_MAX: usize = 200;

/// What an export consists of, in the order of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Connected stores, without their keys.
    Stores,
    /// Names of secrets, never values.
    Secrets,
    /// API tokens, without their hashes.
    Tokens,
    /// People, without their passwords' hashes.
    People,
    /// The audit log, oldest first.
    Audit,
    /// Workflow definitions that runs are pinned to.
    Definitions,
    /// What workflows remember.
    State,
    /// Events with their data and what came of matching them, newest first.
    Events,
    /// Runs with their journals, newest first.
    Runs,
}

impl Kind {
    /// All of them, in the order of the lines.
    pub const ALL: [Self; 9] = [
        Self::Stores,
        Self::Secrets,
        Self::Tokens,
        Self::People,
        Self::Audit,
        Self::Definitions,
        Self::State,
        Self::Events,
        Self::Runs,
    ];

    /// The word for all of this kind, in `--only` and in the first line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stores => "stores",
            Self::Secrets => "secrets",
            Self::Tokens => "tokens",
            Self::People => "people",
            Self::Audit => "audit",
            Self::Definitions => "definitions",
            Self::State => "state",
            Self::Events => "events",
            Self::Runs => "runs",
        }
    }

    /// The `kind` of one line.
    pub(super) fn of_line(self) -> &'static str {
        match self {
            Self::Stores => "store",
            Self::Secrets => "secret",
            Self::Tokens => "token",
            Self::People => "person",
            Self::Audit => "audit",
            Self::Definitions => "definition",
            Self::State => "state",
            Self::Events => "event",
            Self::Runs => "run",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("use one or more of {}", all.join(", "))
        })
    }
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// `cartwright-export`
    pub kind: String,
    /// The version of the form.
    pub version: u32,
    /// The engine that wrote it.
    pub engine: String,
    /// When, by its clock.
    pub exported: Timestamp,
    /// What is in it.
    pub only: Vec<Kind>,
    /// Events (and their runs) accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Events (and their runs) accepted before this time.
    pub until: Timestamp,
    /// Events and runs of this store only.
    pub store: Option<StoreId>,
}

impl Head {
    /// The word that a file begins with.
    pub const KIND: &'static str = "cartwright-export";
}

/// A store without its keys.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreLine {
    pub(super) kind: String,
    pub(super) id: StoreId,
    pub(super) url: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) created: Timestamp,
    /// Whether there were any; they have to be given again.
    pub(super) webhook_secrets: usize,
    pub(super) rest_keys: bool,
}

/// What a workflow remembers under a name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateLine {
    pub(super) kind: String,
    pub(super) workflow: WorkflowId,
    pub(super) key: String,
    pub(super) value: Json,
}

/// The text of a workflow in one version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionLine {
    pub(super) kind: String,
    pub(super) version: Version,
    pub(super) definition: Definition,
}

/// An event with what came of matching it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    pub(super) kind: String,
    pub(super) event: Event,
    /// `null`: it was not matched yet.
    pub(super) matches: Option<Vec<Match>>,
}

/// A run with its journal; the row is what the journal comes to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLine {
    pub(super) kind: String,
    pub(super) run: RunRow,
    pub(super) journal: Vec<Entry>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    kind: String,
    lines: u64,
}

/// A line that was read and makes sense by itself.
#[derive(Debug)]
pub enum Line {
    /// The first.
    Head(Head),
    /// A store.
    Store(Box<StoreLine>),
    /// What is for reading only: secrets' names, tokens, people, the audit log.
    ForReading(Kind),
    /// A definition.
    Definition(Box<DefinitionLine>),
    /// State of a workflow.
    State(Box<StateLine>),
    /// An event.
    Event(Box<EventLine>),
    /// A run that has ended.
    Run(Box<RunLine>),
    /// A run that had not ended, with its size only.
    OpenRun,
    /// The last, with how many are before it.
    End(u64),
}

/// Why a line is not one of an export.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No JSON, or not of this shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A kind that does not exist.
    #[error("`{0}` is not a kind of line")]
    Kind(String),
    /// A newer form.
    #[error("it is of version {0} of the form, and this cartwright reads {VERSION}. Import it with a newer one")]
    Version(u32),
    /// Does not agree with itself.
    #[error("{0}")]
    Wrong(String),
}

fn wrong<T>(reason: impl Into<String>) -> Result<T, LineError> {
    Err(LineError::Wrong(reason.into()))
}

#[derive(Deserialize)]
struct KindOnly {
    kind: String,
}

impl Line {
    /// Reads a line, strictly: what this engine would not have written is refused.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        fn read<T: DeserializeOwned>(text: &str) -> Result<Box<T>, LineError> {
            Ok(Box::new(serde_json::from_str(text)?))
        }
        let KindOnly { kind } = serde_json::from_str(text)?;
        if kind == Head::KIND {
            #[derive(Deserialize)]
            struct VersionOnly {
                version: u32,
            }
            let VersionOnly { version } = serde_json::from_str(text)?;
            return if version == VERSION { Ok(Self::Head(*read(text)?)) } else { Err(LineError::Version(version)) };
        }
        if kind == "end" {
            return Ok(Self::End(read::<EndLine>(text)?.lines));
        }
        let Some(known) = Kind::ALL.into_iter().find(|known| known.of_line() == kind) else {
            return Err(LineError::Kind(kind.chars().take(40).collect()));
        };
        match known {
            Kind::Stores => Ok(Self::Store(read(text)?)),
            Kind::Definitions => definition(read(text)?),
            Kind::State => state(read(text)?),
            Kind::Events => event(read(text)?),
            Kind::Runs => run(read(text)?),
            Kind::Secrets | Kind::Tokens | Kind::People | Kind::Audit => {
                read::<Json>(text)?;
                Ok(Self::ForReading(known))
            }
        }
    }

    /// What it is one of; the first and the last line are of none.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Head(_) | Self::End(_) => None,
            Self::Store(_) => Some(Kind::Stores),
            Self::ForReading(kind) => Some(*kind),
            Self::Definition(_) => Some(Kind::Definitions),
            Self::State(_) => Some(Kind::State),
            Self::Event(_) => Some(Kind::Events),
            Self::Run(_) | Self::OpenRun => Some(Kind::Runs),
        }
    }

    /// The last line of a file with so many before it.
    pub fn end(lines: u64) -> String {
        serde_json::to_string(&EndLine { kind: "end".to_owned(), lines }).expect("a number becomes JSON")
    }
}

fn definition(line: Box<DefinitionLine>) -> Result<Line, LineError> {
    // One that this version no longer understands is kept as it is; nothing is pinned to it that could move.
    match line.definition.parse().0 {
        Some(workflow) if workflow.version != line.version => {
            wrong(format!("the text is of version {}, not {}", workflow.version, line.version))
        }
        _ => Ok(Line::Definition(line)),
    }
}

fn state(line: Box<StateLine>) -> Result<Line, LineError> {
    if line.key.is_empty() || line.key.len() > STATE_KEY_BYTES_MAX {
        return wrong(format!("a key of the state has 1 to {STATE_KEY_BYTES_MAX} bytes"));
    }
    Ok(Line::State(line))
}

fn event(line: Box<EventLine>) -> Result<Line, LineError> {
    if line.event.topic.is_empty() || line.event.topic.len() > TOPIC_BYTES_MAX {
        return wrong(format!("a topic has 1 to {TOPIC_BYTES_MAX} bytes"));
    }
    // It is kept as text; what is nested too deeply must not come to light later.
    serde_json::from_str::<Json>(line.event.data.get())?;
    Ok(Line::Event(line))
}

fn run(mut line: Box<RunLine>) -> Result<Line, LineError> {
    let folded = fold(&line.journal).map_err(|error| LineError::Wrong(error.to_string()))?;
    let Some(row) = folded.as_ref().map(RunState::row) else { return wrong("the journal is empty") };
    if (&row.id, row.status) != (&line.run.id, line.run.status) {
        return wrong(format!(
            "the journal is of {} that is {}, but the line says {} that is {}",
            row.id,
            row.status.as_str(),
            line.run.id,
            line.run.status.as_str()
        ));
    }
    if ShardId::from_number(row.shard.number()).is_none() {
        return wrong(format!("there is no shard {}", row.shard.number()));
    }
    if !row.status.is_ended() {
        return Ok(Line::OpenRun);
    }
    line.run = row;
    Ok(Line::Run(line))
}
