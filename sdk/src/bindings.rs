//! Generated from the published interface: host calls, the two exports and the macro that makes them.

wit_bindgen::generate!({
    path: "wit/1.0.0",
    world: "cartwright:plugin/plugin@1.0.0",
    pub_export_macro: true,
    default_bindings_module: "cartwright_plugin::bindings",
});
