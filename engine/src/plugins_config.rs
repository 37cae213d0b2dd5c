//! `[plugins]`: where plugins are, and whose signatures count.

use std::path::{Path, PathBuf};

use cartwright_sandbox::plugin::PublicKey;
use serde::Deserialize;

use crate::{
    failure::{Result, usage},
    plugins::Trust,
};

/// The folder of plugins in the data folder.
const DEFAULT_FOLDER: &str = "plugins";

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PluginsFile {
    /// Where `NAME.wasm` files are; in the data folder when absent.
    folder: Option<PathBuf>,
    /// Public keys whose signatures are accepted, as `cartwright plugin keygen` shows them.
    #[serde(default)]
    trusted_keys: Vec<String>,
    /// Refuse plugins that none of them signed.
    #[serde(default)]
    require_signatures: bool,
}

/// As it is used.
#[derive(Debug, Clone)]
pub(crate) struct PluginsConfig {
    pub(crate) folder: PathBuf,
    pub(crate) trust: Trust,
}

impl PluginsFile {
    /// `folder` is what a flag or the environment says.
    pub(crate) fn config(self, folder: Option<PathBuf>, data: &Path) -> Result<PluginsConfig> {
        let read = |key: &String| {
            PublicKey::parse(key).map_err(|error| usage(format!("`trusted_keys` under [plugins]: {error}")))
        };
        let keys: Vec<PublicKey> = self.trusted_keys.iter().map(read).collect::<Result<_>>()?;
        if self.require_signatures && keys.is_empty() {
            return Err(usage(
                "[plugins] requires signatures and trusts no key, so no plugin could be used: add `trusted_keys`",
            ));
        }
        let folder = folder.or(self.folder).unwrap_or_else(|| data.join(DEFAULT_FOLDER));
        Ok(PluginsConfig { folder, trust: Trust { keys, required: self.require_signatures } })
    }
}
