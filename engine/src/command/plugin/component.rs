//! From the code that a language's tool made to a component that can be installed, and what it asks for.

use cartwright_core::Json;
use serde_json::json;
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};
use wit_parser::{Resolve, WorldItem};

use crate::failure::{Failure, Result, bug, not_fine};

/// The interface that plugins are built against.
pub(super) const WIT: &str = include_str!("../../../../sdk/wit/1.0.0/plugin.wit");
/// Its package, without the version.
const PACKAGE: &str = "cartwright:plugin/";
/// The world in it.
pub(super) const WORLD: &str = "plugin";

/// What a built plugin is.
pub(super) struct Built {
    /// A component.
    pub(super) bytes: Vec<u8>,
    /// The interfaces it uses, such as `http`, in order.
    pub(super) uses: Vec<String>,
}

/// A module of ordinary WebAssembly that says in a section what its component looks like, as Rust's tools make it.
pub(super) fn of_module(module: &[u8]) -> Result<Vec<u8>> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(ComponentEncoder::encode);
    encoded.map_err(|error| {
        not_fine(format!("what was built is no plugin: {error:#}"))
            .help("It has to export `describe` and `handle` as sdk/wit describes them; the SDK's macro does that.")
    })
}

/// The same where the module says nothing, as C's tools make it.
pub(super) fn of_plain_module(mut module: Vec<u8>) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", WIT).map_err(bug)?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(bug)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(bug)?;
    of_module(&module)
}

/// Looks at a component: it has both exports and asks only for what an engine has.
pub(super) fn read(bytes: Vec<u8>) -> Result<Built> {
    let decoded = wit_component::decode(&bytes).map_err(|error| not_a_plugin(&format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(not_a_plugin("it is a package of interfaces"));
    };
    let world = &resolve.worlds[world];
    let name = |key| resolve.name_world_key(key);
    for wanted in ["describe", "handle"] {
        let is_there =
            world.exports.iter().any(|(key, item)| matches!(item, WorldItem::Function(_)) && name(key) == wanted);
        if !is_there {
            return Err(not_a_plugin(&format!("it does not export `{wanted}`")));
        }
    }
    // Types that the exports use stand among the imports; nothing is called through them.
    let called = world.imports.iter().filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
    let (ours, others): (Vec<String>, Vec<String>) =
        called.map(|(key, _)| resolve.name_world_key(key)).partition(|name| name.starts_with(PACKAGE));
    if let Some(other) = others.first() {
        return Err(foreign(other));
    }
    let short = |name: &String| name.trim_start_matches(PACKAGE).split('@').next().unwrap_or(name).to_owned();
    let mut uses: Vec<String> = ours.iter().map(short).filter(|name| name != "types").collect();
    uses.sort();
    Ok(Built { bytes, uses })
}

impl Built {
    pub(super) fn to_json(&self) -> Json {
        json!({ "bytes": self.bytes.len(), "uses": self.uses })
    }
}

fn not_a_plugin(why: &str) -> Failure {
    not_fine(format!("what was built is no plugin: {why}"))
}

fn foreign(import: &str) -> Failure {
    not_fine(format!("what was built imports {import}, which no engine gives to plugins"))
        .help("Plugins see no files, sockets or environment: leave out what needs them, or use the host functions.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(outcome: Result<Built>) -> String {
        outcome.map(|built| format!("{:?}", built.uses)).unwrap_or_else(|failure| failure.to_string())
    }

    #[test]
    fn what_is_no_plugin_is_told_apart() {
        let mut resolve = Resolve::default();
        let text =
            "package a:b; world other { import wasi: interface { f: func(); } export describe: func() -> string; }";
        let package = resolve.push_str("a.wit", text).expect("it is WIT");
        let world = resolve.select_world(&[package], None).expect("it has a world");
        let mut module = wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it embeds");
        let component = of_module(&module).expect("it is a component");
        assert_eq!(message(read(component)), "what was built is no plugin: it does not export `handle`");
        assert!(message(read(b"garbage".to_vec())).starts_with("what was built is no plugin: "));
        let empty = of_module(b"\0asm\x01\0\0\0").and_then(read);
        assert_eq!(message(empty), "what was built is no plugin: it does not export `describe`");
    }

    #[test]
    fn a_module_of_the_whole_world_becomes_a_plugin() {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", WIT).expect("it is WIT");
        let world = resolve.select_world(&[package], Some(WORLD)).expect("it has the world");
        let module = wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
        let built = of_plain_module(module).and_then(read).expect("it is a plugin");
        assert_eq!(built.uses, ["clock", "events", "http", "log", "random", "secrets", "state", "woo"]);
    }
}
