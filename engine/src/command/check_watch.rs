//! `cartwright check --watch`: checks again whenever a file changes, until Ctrl-C.

use super::{Context, check, serve::stop_signal};
use crate::{cli::Check, failure::Result, reload::Observed};

pub(super) async fn run(command: &Check, context: &Context) -> Result<()> {
    /// Clears the screen and goes to its top.
    const CLEAR: &str = "\x1b[2J\x1b[H";
    let terminal = &context.terminal;
    let own = [context.config.workflows.clone()];
    let paths = if command.paths.is_empty() { &own[..] } else { &command.paths };
    // A path that is not there at the beginning is a mistake; later it may come and go.
    let mut stop = std::pin::pin!(stop_signal());
    let mut observed = Observed::new(paths);
    let mut first = true;
    loop {
        if terminal.is_screen() {
            terminal.part(CLEAR);
        }
        match check::run(command, context).await {
            Err(failure) if first && failure.error.is_some() => return Err(failure),
            Err(failure) => {
                terminal.fail(&failure);
            }
            Ok(()) => {}
        }
        first = false;
        if terminal.is_screen() {
            terminal.note("waiting for changes; Ctrl-C ends");
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = observed.changed() => {}
        }
    }
}
