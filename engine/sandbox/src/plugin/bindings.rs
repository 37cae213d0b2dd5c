//! The interface as Rust types, made from `sdk/wit`.

wasmtime::component::bindgen!({
    path: "../../sdk/wit/1.0.0",
    world: "plugin",
    imports: { default: async | trappable },
    exports: { default: async },
    additional_derives: [PartialEq],
});

pub(super) use cartwright::plugin::{events::Awaited, http, log::Level, types, woo};
