//! What can be asked on the command line. The names are contracts.

mod stores;
mod access;
mod files;
mod groups;
mod operate;
mod plugin;
mod testing;

use std::{path::PathBuf, time::Duration};

use crate::log::LogFormat;
use cartwright_core::{
    id::{EventId, RunId, StoreId, WorkflowId},
    run::row::RunStatus,
};
use cartwright_run::{Kind, outbound::Cidr};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use access::{Audit, AuditLs, RoleArgs, TokenCreate, Tokens, Users};
pub(crate) use files::{Check, CheckFormat, Denied, Diff, Fmt, Workflows};
pub(crate) use operate::{Answering, Approvals, EventReplay, Gates, Resolve, Selection};
pub(crate) use plugin::{Language, PluginAdd, PluginBuild, PluginNew, Plugins};
pub(crate) use stores::{Keys, Secrets, StoreAdd, StoreTest, Stores};
pub(crate) use testing::{ReplayCheck, Schema, Test};

use crate::when::When;

/// Where options that every command knows stand in its help.
const EVERYWHERE: &str = "Options everywhere";

/// Durable automation for WooCommerce stores.
#[derive(Debug, Parser)]
#[command(name = "cartwright", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The folder that holds everything local: keys, the local token, the embedded storage
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The folder with plugins [default: `plugins` in the data folder]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR")]
    pub(crate) plugins: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// The configuration file [default: cartwright.toml, where there is one]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Talk to the engine at this address instead of the one on the data folder [env: CARTWRIGHT_SERVER]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The API token to show; better in the environment, where process lists do not have it [env: CARTWRIGHT_TOKEN]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the command line is made of.
pub(crate) fn definition() -> clap::Command {
    groups::grouped(Cli::command())
}

impl Cli {
    /// What this process was asked. Ends it where that cannot be read, or where only help was wanted.
    pub(crate) fn read() -> Self {
        Self::from_arg_matches(&definition().get_matches()).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Slots {
    /// List the groups in use
    Ls {
        /// Only those of this workflow
        #[arg(long, value_name = "ID")]
        workflow: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the engine at work with made-up stores and orders
    Demo(Demo),
    /// Run the engine
    Serve(Serve),
    /// Check workflow files and report every problem at once
    Check(Check),
    /// Print the page about a code that `check` reports
    Explain {
        /// The code, such as E0104; without one, all codes are listed
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// Write workflow files in one form; comments and meaning stay
    Fmt(Fmt),
    /// Run the tests beside workflows, offline
    Test(Test),
    /// Print the JSON Schema of workflow files, for editors
    Schema(Schema),
    /// Show what differs between the files and what the engine runs
    Diff(Diff),
    /// List and show the workflows that run
    #[command(subcommand)]
    Workflows(Workflows),
    /// Run one workflow here and now; nothing is stored
    Run(Run),
    /// Show step by step how a recorded run became what it is
    Replay {
        /// The run
        #[arg(value_name = "RUN")]
        run: RunId,
        /// Show what it would do otherwise with the workflows of this folder; nothing is sent
        #[arg(long, value_name = "DIR")]
        with: Option<PathBuf>,
    },
    /// Hold changed workflows against recorded runs
    ReplayCheck(ReplayCheck),
    /// List and show runs; retry, resolve, fail and cancel them
    #[command(subcommand)]
    Runs(Runs),
    /// Show which runs hold slots of `concurrency`, and who waits
    #[command(subcommand)]
    Slots(Slots),
    /// List, show, replay and export accepted events
    #[command(subcommand)]
    Events(Events),
    /// List the events that wait together for a run to come
    #[command(subcommand)]
    Gates(Gates),
    /// Begin, build and install plugins
    #[command(subcommand)]
    Plugin(Plugins),
    /// Connect stores
    #[command(subcommand)]
    Store(Stores),
    /// Keep the secrets that workflows use
    #[command(subcommand)]
    Secret(Secrets),
    /// Show and replace the master key that seals all secrets
    #[command(subcommand)]
    Key(Keys),
    /// Save everything in one file, sealed under a passphrase
    Backup(Backup),
    /// Put a backup into an empty data folder
    Restore(Restore),
    /// Write what there is as readable lines of JSON, without secrets
    Export(Export),
    /// Bring an export into an empty data folder, as history
    Import(Import),
    /// Let an engine go on that was restored from a backup
    Resume,
    /// Answer what runs ask people
    #[command(subcommand)]
    Approvals(Approvals),
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(Tokens),
    /// Invite people, give them roles and passwords, remove them
    #[command(subcommand)]
    User(Users),
    /// Show who changed what
    #[command(subcommand)]
    Audit(Audit),
    /// Ask the running engine whether it takes events, as containers do
    Health,
    /// Find out what is wrong with this installation
    Doctor {
        /// The workflows folder
        #[arg(long, value_name = "DIR")]
        workflows: Option<PathBuf>,
    },
    /// Print what makes a shell complete commands and options
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Compile a plugin in a process of its own; the engine starts it by itself
    #[command(hide = true)]
    CompilePlugin {
        /// The component
        component: PathBuf,
        /// Where the code goes
        out: PathBuf,
    },
    /// Print the manual, or write a page for each command
    Man {
        /// The folder to write the pages into; it is made if it is not there
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many stores send orders
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) stores: u32,
    /// How many orders they send in a minute, all together
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) orders_per_minute: u32,
    /// Where to listen [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Stop by itself after so many seconds
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub(crate) seconds: Option<u64>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright serve --workflows workflows\n  cartwright serve --data /var/lib/cartwright --listen 0.0.0.0:8080"
)]
pub(crate) struct Serve {
    /// The workflows folder
    #[arg(long, value_name = "DIR")]
    pub(crate) workflows: Option<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Where runs and stores are kept: `sled:DIR` or `memory` (nothing survives)
    #[arg(long, value_name = "URL")]
    pub(crate) storage: Option<String>,
    /// What to log: `info`, `debug`, `cartwright_run=debug` [env: CARTWRIGHT_LOG]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
    /// How to log [env: CARTWRIGHT_LOG_FORMAT]
    #[arg(long, value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// How calls to the world outside are made.
#[derive(Debug, Args)]
pub(crate) struct Outside {
    /// Let workflows call this address range, closed by default (127.0.0.0/8 for development); may be repeated
    #[arg(long, value_name = "CIDR")]
    pub(crate) allow_outbound: Vec<Cidr>,
    /// A file (PEM) with certificates of authorities to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) extra_ca_certificates: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A workflow's id, or its file
    pub(crate) workflow: String,
    /// The event's data as a JSON file, or a whole event `{topic, data}`; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// One of the workflow's inputs; may be repeated, for a list with the same name
    #[arg(long = "input", value_name = "NAME=VALUE", conflicts_with_all = ["event", "topic"])]
    pub(crate) inputs: Vec<String>,
    /// The event's topic [default: the workflow's first]
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// The event's store
    #[arg(long, value_name = "ID")]
    pub(crate) store: Option<StoreId>,
    /// Make reads, show writes as a plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The workflows folder
    #[arg(long, value_name = "DIR")]
    pub(crate) workflows: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Only this run; ends with it: 0 when it succeeded, else 1
    pub(crate) run: Option<RunId>,
    /// Of one workflow
    #[arg(long)]
    pub(crate) workflow: Option<WorkflowId>,
    /// In one status
    #[arg(long, value_parser = parse_status)]
    pub(crate) status: Option<RunStatus>,
    /// Of one store
    #[arg(long, value_name = "ID")]
    pub(crate) store: Option<StoreId>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List runs, newest first
    Ls {
        /// Of one workflow
        #[arg(long)]
        workflow: Option<WorkflowId>,
        /// In one status
        #[arg(long, value_parser = parse_status)]
        status: Option<RunStatus>,
        /// Of one store
        #[arg(long, value_name = "ID")]
        store: Option<StoreId>,
        /// Started by one event
        #[arg(long)]
        event: Option<EventId>,
        /// Of events accepted since then: `2h` ago, a day, or a time
        #[arg(long, value_name = "WHEN")]
        since: Option<When>,
        /// Of events accepted before then
        #[arg(long, value_name = "WHEN")]
        until: Option<When>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show what runs do, as it happens; of one run until it ends
    Watch(Watch),
    /// Show one run with its steps and its timeline
    Show {
        /// The run
        run: RunId,
    },
    /// Let parked or failed runs go on at the step that stopped them
    Retry {
        #[command(flatten)]
        which: Selection,
        /// Make a call again whose outcome nobody knows, accepting that it may happen twice
        #[arg(long)]
        repeat_unknown: bool,
        /// Begin one run anew with the data of this file (an event, or its data alone; `-`: standard input), under new
        /// identities: all its writes are made again
        #[arg(long, value_name = "FILE", conflicts_with_all = ["repeat_unknown", "filter"])]
        input: Option<PathBuf>,
        /// Begin this failed iteration of a loop with `on_error: continue` again, such as `each[3]`; may be repeated
        #[arg(long, value_name = "PATH", conflicts_with_all = ["repeat_unknown", "input", "filter", "preview"])]
        iteration: Vec<String>,
    },
    /// Say what a call did whose outcome is unknown; the run then goes on by itself
    Resolve(Resolve),
    /// Give parked runs up: they fail, and their `on_failure` steps are run
    Fail {
        #[command(flatten)]
        which: Selection,
        /// Why, for the run's history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End runs at once, whatever they do
    Cancel(Selection),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List events, newest first
    Ls {
        /// Of one topic
        #[arg(long)]
        topic: Option<String>,
        /// Of one store
        #[arg(long, value_name = "ID")]
        store: Option<StoreId>,
        /// Accepted since then: `2h` ago, a day, or a time
        #[arg(long, value_name = "WHEN")]
        since: Option<When>,
        /// Accepted before then
        #[arg(long, value_name = "WHEN")]
        until: Option<When>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show one event, which workflows it started, which it did not and why
    Show {
        /// The event
        event: EventId,
        /// Why this workflow did not start, where it is not among those that were considered
        #[arg(long, value_name = "ID")]
        workflow: Option<WorkflowId>,
    },
    /// Accept events again, as new ones, so that their workflows run again; asks first
    Replay(EventReplay),
    /// Write an event as JSON that `run --event` and workflow tests accept, without what looks like a secret
    Export {
        /// The event
        event: EventId,
        /// The file to make; it must not be there yet [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Replace names, mails, phones and addresses by fakes
        #[arg(long)]
        redact: bool,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright backup friday.cwb\n  cartwright backup nightly.cwb --passphrase-file /etc/cartwright/passphrase"
)]
pub(crate) struct Backup {
    /// The file to make; it must not be there yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Read the passphrase from this file [default: CARTWRIGHT_BACKUP_PASSPHRASE, or it is asked for]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Read the passphrase from this file [default: CARTWRIGHT_BACKUP_PASSPHRASE, or it is asked for]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Go on with open runs at the next start, without waiting for `cartwright resume`
    #[arg(long)]
    pub(crate) resume: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to make; it must not be there yet. `-` writes to standard output
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only these, with commas: stores, secrets, tokens, people, audit, definitions, state, events, runs
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,
    /// Events, and runs of events, accepted since then: `2h` ago, a day, or a time
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<When>,
    /// Events, and runs of events, accepted before then
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<When>,
    /// Events and runs of one store, and this store
    #[arg(long, value_name = "ID")]
    pub(crate) store: Option<StoreId>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The export; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// A number with `d`, `h` or `m`.
fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number with d, h or m, such as 90d".to_owned();
    let seconds = match text.chars().last() {
        Some('d') => 24 * 3600,
        Some('h') => 3600,
        Some('m') => 60,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    if number == 0 { Err(wrong()) } else { Ok(Duration::from_secs(u64::from(number) * seconds)) }
}

pub(crate) fn parse_status(text: &str) -> Result<RunStatus, String> {
    RunStatus::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        let all: Vec<_> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("use one of {}", all.join(", "))
    })
}
