//! What people do about runs and events, one by one or by filter.

use cartwright_core::{
    Json,
    id::{EventId, RunId, StoreId, WorkflowId},
    run::row::RunStatus,
};
use clap::{ArgGroup, Args, Subcommand};

use super::parse_status;
use crate::when::When;

/// What an unknown call did.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("said").required(true).args(["done", "not_done"])))]
pub(crate) struct Resolve {
    /// The run
    pub(crate) run: RunId,
    /// It happened
    #[arg(long)]
    pub(crate) done: bool,
    /// It did not happen: it is made now, under the same identity
    #[arg(long)]
    pub(crate) not_done: bool,
    /// What the call gave, as JSON; steps after it and the script see this [default: null]
    #[arg(long, value_name = "JSON", conflicts_with = "not_done", value_parser = parse_json)]
    pub(crate) result: Option<Json>,
    /// The step, where several calls are unknown: its path, from `runs show`
    #[arg(long, value_name = "PATH")]
    pub(crate) step: Option<String>,
    /// The call's number, from 0
    #[arg(long, value_name = "N")]
    pub(crate) call: Option<u32>,
}

/// What runs ask people.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// List what nobody has answered, oldest runs first
    Ls {
        /// Of one workflow
        #[arg(long)]
        workflow: Option<WorkflowId>,
        /// Of one store
        #[arg(long)]
        store: Option<StoreId>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Say yes; the run goes on
    Approve(Answering),
    /// Say no; the run goes on and knows
    Reject(Answering),
}

/// Which question, and what to say beside the answer.
#[derive(Debug, Args)]
pub(crate) struct Answering {
    /// The run
    pub(crate) run: RunId,
    /// The step's path, from `approvals ls`
    pub(crate) step: String,
    /// One line for the run's history; the workflow sees it
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

/// Runs by name, or all of a filter.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("filter").multiple(true).args(["workflow", "status", "store", "event", "since", "until"])
))]
pub(crate) struct Selection {
    /// The runs
    #[arg(value_name = "RUN", required_unless_present = "filter", conflicts_with = "filter")]
    pub(crate) runs: Vec<RunId>,
    /// All of one workflow
    #[arg(long)]
    pub(crate) workflow: Option<WorkflowId>,
    /// All in one status [default: all in which this can be done]
    #[arg(long, value_parser = parse_status)]
    pub(crate) status: Option<RunStatus>,
    /// All of one store
    #[arg(long, value_name = "ID")]
    pub(crate) store: Option<StoreId>,
    /// All that one event started
    #[arg(long)]
    pub(crate) event: Option<EventId>,
    /// Of events accepted since then: `2h` ago, a day, or a time
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<When>,
    /// Of events accepted before then
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,
    /// Only show which runs that are and which writes would be made again
    #[arg(long)]
    pub(crate) preview: bool,
    /// Do not ask (runs that are named are only asked about with --input)
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Events to accept again.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("filter").multiple(true).args(["topic", "store", "since", "until"])))]
pub(crate) struct EventReplay {
    /// The events
    #[arg(value_name = "EVENT", required_unless_present = "filter", conflicts_with = "filter")]
    pub(crate) events: Vec<EventId>,
    /// All of one topic
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// All of one store
    #[arg(long, value_name = "ID")]
    pub(crate) store: Option<StoreId>,
    /// Accepted since then: `2h` ago, a day, or a time
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<When>,
    /// Accepted before then
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,
    /// For this workflow only
    #[arg(long, value_name = "ID")]
    pub(crate) workflow: Option<WorkflowId>,
    /// Only show what the events' runs did before
    #[arg(long)]
    pub(crate) preview: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

fn parse_json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}; a text is written \"in quotes\""))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Gates {
    /// List what `debounce` and `collect` hold now, oldest first
    Ls {
        /// Of this workflow only
        #[arg(long, value_name = "ID")]
        workflow: Option<WorkflowId>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
}
