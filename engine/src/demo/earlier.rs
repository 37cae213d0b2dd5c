//! A data folder that had a demo before: what is left of it, and whether one runs there now.

use cartwright_core::run::row::RunStatus;
use cartwright_run::{Engine, storage::RunFilter};

use crate::{
    client::Client,
    data::DataFolder,
    failure::{OrFail as _, Result, environment},
};

/// Refuses a folder on which an engine runs, before anything in it is touched: the running one reads its files.
pub(super) async fn refuse_running(data: &DataFolder) -> Result<()> {
    let Some(engine) = data.engine().filter(crate::data::RunningEngine::may_live) else { return Ok(()) };
    if !Client::running(engine.address, data.token()?)?.is_alive().await {
        return Ok(());
    }
    let folder = data.path().display();
    Err(environment(format!("an engine (process {}) runs on {folder} already: http://{}/", engine.pid, engine.address))
        .help("Look at that one, stop it first, or name another folder with --data."))
}

/// Ends what an earlier demo left unfinished: its stores are gone, and orders of new ones must not be taken for theirs.
/// How many runs there were.
pub(super) async fn end_runs(engine: &Engine) -> Result<usize> {
    const PAGE: usize = 200;
    let mut ended = 0;
    for status in [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting, RunStatus::Parked] {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        let mut cursor: Option<String> = None;
        loop {
            let page = engine.runs(&filter, cursor.as_deref(), PAGE).await;
            let page = page.or_environment("cannot read earlier runs")?;
            for run in &page.items {
                // One that ended by itself meanwhile refuses, which is as good.
                ended += usize::from(engine.cancel(&run.id, "a new demo").await.is_ok());
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
    }
    Ok(ended)
}
