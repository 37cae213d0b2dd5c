//! What a component says without being run, and why one is refused, word for word.

use cartwright_sandbox::plugin::{PluginError, hash_of, inspect};
use proptest::prelude::*;

use super::{
    guests::{TYPES, guest, source},
    plugins_with, small,
};

fn refusal(text: &str) -> String {
    inspect(&wat::parse_str(text).expect("well-formed")).expect_err("it is refused").to_string()
}

#[test]
fn imports_exports_and_memory_are_read() {
    let found = inspect(&guest(|_| "(unreachable)".into())).expect("a plugin");
    let interfaces: Vec<_> = found.interfaces.iter().map(String::as_str).collect();
    assert_eq!(interfaces, ["clock", "events", "http", "log", "random", "secrets", "state", "woo"]);
    assert_eq!(found.version.to_string(), "1.0.0");
    assert_eq!(found.exports, ["describe", "handle"]);
    assert_eq!((found.memory_initial_bytes, found.memory_max_bytes), (2 << 16, None));
}

#[test]
fn what_is_no_plugin_is_refused_with_advice() {
    assert_eq!(
        inspect(b"#!/bin/sh").expect_err("no wasm").to_string(),
        "this is not WebAssembly: a plugin is a component, a binary file that `cartwright plugin build` makes"
    );
    assert_eq!(
        refusal("(module)"),
        "this is a WebAssembly module, not yet a component; make one of it with `cartwright plugin build`, or with \
         `wasm-tools component new IN -o OUT`"
    );
    assert_eq!(
        refusal("(component)"),
        "the plugin does not export `describe`; build it against the world `plugin` of sdk/wit, version 1.0.0"
    );
    assert_eq!(
        refusal(
            r#"(component (import "wasi:cli/environment@0.2.3" (instance)) (import "wasi:clocks/wall-clock@0.2.3" (instance)))"#
        ),
        "the plugin imports `wasi:cli/environment@0.2.3`, `wasi:clocks/wall-clock@0.2.3`: plugins get nothing from the \
         operating system, only what `cartwright:plugin` offers. Build without WASI: Rust with `--target \
         wasm32-unknown-unknown`, JavaScript with `componentize-qjs --stub-wasi`, Python with `componentize-py \
         --stub-wasi`, C as a reactor that uses no files (engine/docs/plugins.md)"
    );
    assert_eq!(
        refusal(r#"(component (import "acme:files/read@1.0.0" (instance)))"#),
        "the plugin imports `acme:files/read@1.0.0`, which this engine does not offer; it offers \
         cartwright:plugin/clock, cartwright:plugin/events, cartwright:plugin/http, cartwright:plugin/log, \
         cartwright:plugin/random, cartwright:plugin/secrets, cartwright:plugin/state, cartwright:plugin/types, \
         cartwright:plugin/woo, version 1.0.0"
    );
    assert!(refusal(r#"(component (import "cartwright:plugin/files@1.0.0" (instance)))"#).contains("does not offer"));
    assert!(refusal(r#"(component (import "run" (func)))"#).contains("the plugin imports `run`"));
}

#[test]
fn versions_are_told_apart() {
    let built = |version: &str| source(version, "", "2", |_| "(unreachable)".into());
    assert_eq!(
        refusal(&built("2.3.0")),
        "the plugin was built for cartwright:plugin 2.3.0, this engine knows 1.x; update Cartwright"
    );
    assert_eq!(
        refusal(&built("0.9.0")),
        "the plugin was built for cartwright:plugin 0.9.0, this engine knows 1.x; build the plugin again with the \
         current SDK"
    );
    assert_eq!(
        refusal(&built("1.1.0")),
        "the plugin was built for cartwright:plugin 1.1.0, this engine knows versions up to 1.0.0; update Cartwright, \
         or build the plugin against the older interface"
    );
    let patched = wat::parse_str(built("1.0.7")).expect("well-formed");
    assert_eq!(inspect(&patched).expect("served").version.to_string(), "1.0.7");
    super::Stage::new(&patched);
}

#[test]
fn exports_of_other_types_are_refused_when_loaded() {
    let types = TYPES.replace("VERSION", "1.0.0");
    let text = format!(
        r#"(component {types}
          (core module $m (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0)))
          (core instance $m (instantiate $m))
          (func (export "describe") (result string) (canon lift (core func $m "f") (memory (core memory $m "memory"))))
          (func (export "handle") (result string) (canon lift (core func $m "f") (memory (core memory $m "memory")))))"#
    );
    let component = wat::parse_str(text).expect("well-formed");
    inspect(&component).expect("names are right");
    let plugins = plugins_with(small());
    let error = plugins.load(&hash_of(&component), &|| Ok(component.clone())).expect_err("types are wrong");
    assert!(matches!(error, PluginError::WrongType { .. }), "{error}");
    assert!(error.to_string().starts_with("the plugin's imports or exports do not fit the interface ("), "{error}");
}

#[test]
fn files_that_are_too_large_or_changed_are_refused() {
    let plugins = plugins_with(cartwright_sandbox::plugin::PluginLimits { component_bytes: 100, ..small() });
    let component = guest(|_| "(unreachable)".into());
    let error = plugins.load(&hash_of(&component), &|| Ok(component.clone())).expect_err("too large");
    assert!(matches!(error, PluginError::TooLarge { max: 100, .. }), "{error}");
    let plugins = plugins_with(small());
    let error = plugins.load(&"0".repeat(64), &|| Ok(component.clone())).expect_err("another file");
    assert!(matches!(error, PluginError::OtherContent { .. }), "{error}");
    let gone = || Err(std::io::ErrorKind::NotFound.into());
    let error = plugins.load(&"0".repeat(64), &gone).expect_err("no file");
    assert_eq!(error.to_string(), "the plugin cannot be read: entity not found");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_only_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), component: bool) {
        let head: &[u8] = if component { b"\0asm\x0d\0\x01\0" } else { b"" };
        let bytes = [head, &bytes].concat();
        prop_assert!(inspect(&bytes).is_err());
    }

    #[test]
    fn a_damaged_plugin_is_refused_or_read(at in 0usize..4_000, byte: u8, cut in 0usize..4_000) {
        let mut bytes = guest(|_| "(unreachable)".into());
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        // Neither may panic; names and texts can be changed without breaking anything.
        let _ = inspect(&bytes);
    }
}
