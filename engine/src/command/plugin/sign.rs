//! `plugin keygen` and `plugin sign`: who made a plugin, for operators who take plugins of some makers only.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use cartwright_sandbox::plugin::{Keypair, hash_of};
use serde_json::json;

use crate::{
    failure::{OrFail as _, Result, environment, not_fine, usage},
    plugins::{put_whole, signature_file},
    terminal::Terminal,
};

/// A new key pair; the private key goes to a file that is not there yet, readable by its owner only.
pub(super) fn keygen(file: &Path, terminal: &Terminal) -> Result<()> {
    let (keypair, pem) = Keypair::generate().map_err(environment)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = match options.open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(usage(format!("{} is there already; a key is never replaced", file.display())));
        }
        opened => opened.or_environment(format_args!("cannot write {}", file.display()))?,
    };
    let written = out.write_all(pem.as_bytes()).and_then(|()| out.sync_all());
    written.or_environment(format_args!("cannot write {}", file.display()))?;
    let public = keypair.public().to_string();
    if terminal.json {
        return terminal.data(&json!({ "file": file.display().to_string(), "public_key": public }));
    }
    terminal.line(&public);
    terminal.note(format_args!("{} is the private key: keep it to yourself", file.display()));
    terminal.note("give the line above to those who use your plugins, for `trusted_keys` under [plugins]");
    Ok(())
}

/// Signs a built file; the signature goes beside it.
pub(super) fn sign(file: &Path, key: &Path, terminal: &Terminal) -> Result<()> {
    let text = fs::read_to_string(key).or_environment(format_args!("cannot read {}", key.display()))?;
    let keypair = Keypair::parse(&text).map_err(not_fine)?;
    let bytes = fs::read(file).or_environment(format_args!("cannot read {}", file.display()))?;
    let signature = keypair.sign(&hash_of(&bytes)).map_err(not_fine)?;
    let beside = signature_file(file);
    put_whole(&beside, format!("{signature}\n").as_bytes())
        .or_environment(format_args!("cannot write {}", beside.display()))?;
    if terminal.json {
        let (file, public) = (beside.display().to_string(), signature.key.to_string());
        return terminal.data(&json!({ "file": file, "public_key": public }));
    }
    terminal.line(format_args!("{} is signed by {}", beside.display(), signature.key));
    Ok(())
}
