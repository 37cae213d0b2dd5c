//! `cartwright health`: asks the engine on the data folder (or at `--server`) whether it takes events. For health checks
//! where nothing else that speaks HTTP is at hand; exit 1 when it does not.

use std::time::Duration;

use super::Context;
use crate::{
    data::DataFolder,
    failure::{OrFail as _, Result, not_fine},
};

/// Of the whole question.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(context: &Context) -> Result<()> {
    let base = match &context.config.server {
        Some(server) => server.to_string(),
        None => {
            let data = DataFolder::open(&context.config.data)?;
            let engine = data.engine().ok_or_else(|| not_fine("no engine runs on this data folder"))?;
            format!("http://{}/", engine.address)
        }
    };
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build();
    let asked = client.or_environment("cannot make the HTTP client")?.get(format!("{base}readyz")).send().await;
    match asked {
        Ok(answer) if answer.status().is_success() => {
            context.terminal.line("ready");
            Ok(())
        }
        Ok(answer) => Err(not_fine(format!("the engine answers {}", answer.status()))),
        Err(error) => Err(not_fine(format!("the engine does not answer: {error}"))),
    }
}
