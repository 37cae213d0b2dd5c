//! Puts the SDK's files into the binary, so that `cartwright plugin new --lang rust` makes a project that needs nothing
//! else: reads `../sdk`, writes a list of names and texts that `command/plugin/template.rs` includes.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// What a plugin needs of `sdk`, besides what stands beside the crate: its tests and other languages.
const PARTS: [&str; 4] = ["Cargo.toml", "README.md", "src", "wit"];

fn main() -> Result<(), Box<dyn Error>> {
    let sdk = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo names the folder")?).join("../sdk");
    let mut files = Vec::new();
    for part in PARTS {
        println!("cargo::rerun-if-changed={}", sdk.join(part).display());
        collect(&sdk.join(part), &mut files)?;
    }
    files.sort();
    let mut list = String::from("[\n");
    for file in &files {
        let name = file.strip_prefix(&sdk)?.to_str().ok_or("a name is no UTF-8")?.replace('\\', "/");
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.canonicalize()?)?;
    }
    list += "]\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names the folder")?);
    fs::write(out.join("sdk_files.rs"), list)?;
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if path.is_file() {
        files.push(path.to_owned());
    } else if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    }
    Ok(())
}
