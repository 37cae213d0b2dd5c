//! The component's two exports: the engine calls them, they call the [`Plugin`]. Generated from the published interface.
#![expect(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

use crate::{Call, Failure, Plugin, host, log::Level};

wit_bindgen::generate!({
    path: "wit/1.0.0",
    world: "cartwright:plugin/plugin@1.0.0",
    pub_export_macro: true,
    default_bindings_module: "cartwright_plugin::bindings",
});

use cartwright::plugin::types;

impl<P: Plugin> Guest for P {
    fn describe() -> String {
        crate::describe::<P>()
    }

    fn handle(call: types::Call) -> Result<String, types::Failure> {
        // Without this the engine sees a trap and not what it was about.
        std::panic::set_hook(Box::new(|info| host::log(Level::Error, &format!("the plugin stopped: {info}"))));
        let types::Call { function, input, workflow, run, step, store } = call;
        crate::handle::<P>(&Call { function, workflow, run, step, store }, &input)
            .map_err(|failure: Failure| failure.into())
    }
}
