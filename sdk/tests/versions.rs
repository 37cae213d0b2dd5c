//! Published versions of the interface do not change: plugins that were built for them must run for ever.

use std::{collections::BTreeMap, fs, path::Path};

use sha2::{Digest, Sha256};

/// Every published version with the SHA-256 of its `plugin.wit`.
const PUBLISHED: &[(&str, &str)] = &[("1.0.0", "07efd87df7a21758852b1e84ad73c2090bba51551e0ec7786aef654d0ff113ee")];

#[test]
fn published_versions_are_frozen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let published: BTreeMap<&str, &str> = PUBLISHED.iter().copied().collect();
    for (version, hash) in &published {
        let files: Vec<_> =
            fs::read_dir(folder.join(version)).expect(version).map(|file| file.unwrap().path()).collect();
        assert_eq!(files, [folder.join(version).join("plugin.wit")], "{version} is one file");
        let found = hex::encode(Sha256::digest(fs::read(&files[0]).expect(version)));
        assert_eq!(
            &found, hash,
            "sdk/wit/{version} is published, plugins are built for it: add a new version instead of changing this one"
        );
    }
    for version in fs::read_dir(&folder).expect("sdk/wit").map(|entry| entry.unwrap().file_name()) {
        let version = version.to_str().expect("UTF-8");
        assert!(published.contains_key(version), "sdk/wit/{version} needs its line in PUBLISHED when it is released");
    }
}
