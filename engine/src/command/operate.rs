//! What people decide about runs that wait for them.

use serde_json::json;

use super::{Context, field};
use crate::{cli::Resolve, failure::Result};

/// `cartwright runs resolve`: what an unknown call did.
pub(super) async fn resolve(resolve: Resolve, context: &Context) -> Result<()> {
    let Resolve { run, done, result, step, call, .. } = resolve;
    let terminal = &context.terminal;
    let session = context.look().await?;
    let mut body = json!({ "done": done, "step": step, "call": call });
    if let Some(result) = result {
        body["result"] = result;
    }
    let answer = session.client.post(&format!("/api/v1/runs/{run}/resolve"), &body).await;
    if session.is_own() && answer.is_ok() {
        terminal.note("no engine is running; the run goes on when one starts");
    }
    let answer = session.end(answer).await?;
    if terminal.json {
        return terminal.data(&answer);
    }
    let word = if done { "happened" } else { "did not happen" };
    let next = match field(&answer, "status").as_str() {
        "parked" => format!("it is parked; `cartwright runs show {run}` says why"),
        "failed" => format!("it stays failed until `cartwright runs retry {run}`"),
        status => format!("it goes on ({status})"),
    };
    terminal.line(format_args!("{run}: the call {word}; {next}"));
    Ok(())
}
