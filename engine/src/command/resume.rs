//! `cartwright resume`: lets an engine go on that was restored from a backup.

use serde_json::json;

use super::{Context, field};
use crate::failure::Result;

pub(super) async fn run(context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.look().await?;
    let own = session.is_own();
    let released = session.client.delete("/api/v1/backup/hold").await;
    let released = session.end(released).await?;
    let hold = released.get("hold").filter(|hold| !hold.is_null());
    if terminal.json {
        return terminal.data(&json!({ "resumed": hold.is_some() }));
    }
    match hold {
        None => terminal.note("nothing was held"),
        Some(hold) => {
            terminal.line(format_args!("what was restored from the backup of {} goes on", field(hold, "backup")));
            if own {
                terminal.note("no engine is running; this takes effect when one starts");
            }
        }
    }
    Ok(())
}
