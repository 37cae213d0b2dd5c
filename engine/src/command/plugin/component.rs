//! From the code that a language's tool made to a component that can be installed, and what it asks for.

use cartwright_core::Json;
use cartwright_sandbox::plugin::inspect;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use crate::failure::{Result, bug, not_fine};

/// The interface that plugins are built against.
pub(super) const WIT: &str = include_str!("../../../../sdk/wit/1.0.0/plugin.wit");
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

/// Looks at a component as an engine does that is to install it.
pub(super) fn read(bytes: Vec<u8>) -> Result<Built> {
    let found = inspect(&bytes).map_err(|error| not_fine(format!("what was built cannot be installed: {error}")))?;
    Ok(Built { bytes, uses: found.interfaces.into_iter().collect() })
}

impl Built {
    pub(super) fn to_json(&self) -> Json {
        json!({ "bytes": self.bytes.len(), "uses": self.uses })
    }
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
        let text = "package a:b; world other { export describe: func() -> string; }";
        let package = resolve.push_str("a.wit", text).expect("it is WIT");
        let world = resolve.select_world(&[package], None).expect("it has a world");
        let mut module = wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it embeds");
        let component = of_module(&module).expect("it is a component");
        let lacking = "what was built cannot be installed: the plugin does not export `";
        assert!(message(read(component)).starts_with(&format!("{lacking}handle`")));
        let empty = of_module(b"\0asm\x01\0\0\0").and_then(read);
        assert!(message(empty).starts_with(&format!("{lacking}describe`")));
        assert!(
            message(read(b"garbage".to_vec()))
                .starts_with("what was built cannot be installed: this is not WebAssembly")
        );
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
