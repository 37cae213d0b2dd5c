//! What `cartwright check --data DIR` (or `--server URL`) holds workflows against: the secrets that are set there and the
//! stores that are connected.

use cartwright_core::workflow::Known;

use super::{Context, field};
use crate::{data::DataFolder, failure::Result};

/// More of them are not read.
const MAX_LISTED: usize = 100_000;

/// What there is, where the command line names a place to look; nothing is opened otherwise.
pub(super) async fn known(context: &Context) -> Result<Option<Known>> {
    if !context.data_is_flag && context.config.server.is_none() {
        return Ok(None);
    }
    if context.config.server.is_none() {
        // A folder that is not there knows nothing; that is no reason to call all secrets missing.
        DataFolder::open(&context.config.data)?;
    }
    let session = context.look().await?;
    let secrets = session.client.list("/api/v1/secrets", &[], MAX_LISTED).await;
    let stores = session.client.list("/api/v1/stores", &[], MAX_LISTED).await;
    let both = secrets.and_then(|secrets| Ok((secrets, stores?)));
    let (secrets, stores) = session.end(both).await?;
    let tags = stores.iter().filter_map(|store| store.get("tags")?.as_array()).flatten();
    Ok(Some(Known {
        secrets: secrets.iter().map(|secret| field(secret, "name")).collect(),
        stores: stores.iter().map(|store| field(store, "id")).collect(),
        tags: tags.filter_map(|tag| tag.as_str()).map(str::to_owned).collect(),
    }))
}
