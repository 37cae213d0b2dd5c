//! A component's imports and exports, read from its bytes without compiling or running anything of it.

use std::{collections::BTreeSet, fmt};

use sha2::{Digest, Sha256};
use wasmparser::{
    ComponentExternalKind, ComponentTypeRef, Encoding, MemoryType, Parser, Payload, TypeBounds, Validator, WasmFeatures,
};

use super::PluginError;

/// The interface that this engine serves, with all older ones of its major version.
pub const CURRENT: Version = Version { major: 1, minor: 0, patch: 0 };
const PACKAGE: &str = "cartwright:plugin/";
const INTERFACES: [&str; 9] = ["clock", "events", "http", "log", "random", "secrets", "state", "types", "woo"];
const EXPORTS: [&str; 2] = ["describe", "handle"];
const PAGE_BYTES: u64 = 64 << 10;

/// A version of the WIT package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields are what they say")]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a component says about itself without being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes of the component.
    pub bytes: usize,
    /// The version of the interface that it was built for; the newest, where it names several.
    pub version: Version,
    /// The capabilities that it imports: `http`, `state`, …; `types` is none.
    pub interfaces: BTreeSet<String>,
    /// Everything that it exports, by name.
    pub exports: Vec<String>,
    /// Bytes of its memories when it starts.
    pub memory_initial_bytes: u64,
    /// Bytes that its memories may grow to by its own word; `None` when it says nothing.
    pub memory_max_bytes: Option<u64>,
}

/// The SHA-256 of a component's bytes, in hex: what it is known by.
pub fn hash_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub(super) fn offered() -> String {
    let names: Vec<_> = INTERFACES.iter().map(|name| format!("{PACKAGE}{name}")).collect();
    names.join(", ")
}

/// Reads a component's imports and exports. The error says why it is no plugin for this engine.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, PluginError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(PluginError::NotWasm);
    }
    if Parser::is_core_wasm(bytes) {
        return Err(PluginError::CoreModule);
    }
    Validator::new_with_features(features()).validate_all(bytes).map_err(|error| invalid(&error))?;
    let found = read(bytes).map_err(|error| invalid(&error))?;
    let version = check_imports(&found.imports)?;
    for export in EXPORTS {
        if !found.functions.iter().any(|name| name == export) {
            return Err(PluginError::MissingExport { export });
        }
    }
    let interfaces = found.imports.iter().filter_map(|name| Some(split(name)?.0.to_owned()));
    Ok(Inspection {
        bytes: bytes.len(),
        version,
        interfaces: interfaces.filter(|name| name != "types").collect(),
        exports: found.exports,
        memory_initial_bytes: found.initial,
        memory_max_bytes: found.max,
    })
}

/// What may be in a component: what the runtime is configured to compile.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
}

fn invalid(error: &wasmparser::BinaryReaderError) -> PluginError {
    PluginError::Invalid { reason: error.to_string() }
}

#[derive(Default)]
struct Found {
    imports: Vec<String>,
    exports: Vec<String>,
    functions: Vec<String>,
    initial: u64,
    max: Option<u64>,
}

fn read(bytes: &[u8]) -> Result<Found, wasmparser::BinaryReaderError> {
    let mut found = Found { max: Some(0), ..Found::default() };
    // Modules and components inside: only their memories are of interest.
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Module | Encoding::Component, .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import?;
                    // Types that a world uses are imported under names of their own; nobody has to offer them.
                    if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                        found.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Func {
                        found.functions.push(export.name.name.to_owned());
                    }
                    found.exports.push(export.name.name.to_owned());
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    found.memory(&memory?);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Found {
    fn memory(&mut self, memory: &MemoryType) {
        let bytes = |pages: u64| pages.saturating_mul(PAGE_BYTES);
        self.initial = self.initial.saturating_add(bytes(memory.initial));
        let max = self.max.zip(memory.maximum).map(|(sum, pages)| sum.saturating_add(bytes(pages)));
        self.max = max;
    }
}

/// Interface and version of an import of our package.
fn split(import: &str) -> Option<(&str, Version)> {
    let (interface, version) = import.strip_prefix(PACKAGE)?.split_once('@')?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let mut next = || parts.next().flatten();
    let version = Version { major: next()?, minor: next()?, patch: next()? };
    parts.next().is_none().then_some((interface, version))
}

fn check_imports(imports: &[String]) -> Result<Version, PluginError> {
    let wasi: Vec<_> = imports.iter().filter(|name| name.starts_with("wasi:")).cloned().collect();
    if !wasi.is_empty() {
        return Err(PluginError::Wasi { imports: wasi });
    }
    let mut newest = None;
    for import in imports {
        let unknown = || PluginError::UnknownImport { import: import.clone() };
        let (interface, built) = split(import).ok_or_else(unknown)?;
        if built.major != CURRENT.major {
            return Err(PluginError::WrongMajor { built });
        }
        if built.minor > CURRENT.minor {
            return Err(PluginError::NewerMinor { built });
        }
        if !INTERFACES.contains(&interface) {
            return Err(unknown());
        }
        newest = newest.max(Some(built));
    }
    Ok(newest.unwrap_or(CURRENT))
}
