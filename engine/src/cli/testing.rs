//! Tests of workflows.

use std::{num::NonZeroUsize, path::PathBuf};

use cartwright_core::id::WorkflowId;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Test files, workflow files and folders [default: the workflows folder]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only cases whose name or file holds this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Write the snapshots anew
    #[arg(long)]
    pub(crate) bless: bool,
    /// Write a report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Show which steps and branches no case took
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Fail when less than this of a workflow is covered, in percent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) coverage_min: Option<u32>,
    /// Cases at once [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// The workflows folder
    #[arg(long, value_name = "DIR")]
    pub(crate) workflows: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of test files (`NAME.test.yaml`) instead
    #[arg(long)]
    pub(crate) tests: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayCheck {
    /// The folder with the changed workflows
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Runs that `cartwright export` wrote: a file, or a folder of `*.jsonl` [default: the engine's]
    #[arg(long, value_name = "PATH", conflicts_with = "last")]
    pub(crate) runs: Option<PathBuf>,
    /// The newest runs of the engine, at most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) last: u32,
    /// Only runs of one workflow
    #[arg(long, value_name = "ID")]
    pub(crate) workflow: Option<WorkflowId>,
    /// Write a report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
