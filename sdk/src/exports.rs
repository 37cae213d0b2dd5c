//! The component's two exports: the engine calls them, they call the [`Plugin`].

use std::panic;

use crate::{
    Call, Plugin,
    bindings::{Guest, cartwright::plugin::types},
    host,
    log::Level,
};

impl<P: Plugin> Guest for P {
    fn describe() -> String {
        crate::describe::<P>()
    }

    fn handle(call: types::Call) -> Result<String, types::Failure> {
        // Without this the engine sees a trap and not what it was about.
        panic::set_hook(Box::new(|info| host::log(Level::Error, &format!("the plugin stopped: {info}"))));
        let types::Call { function, input, workflow, run, step, store } = call;
        crate::handle::<P>(&Call { function, workflow, run, step, store }, &input).map_err(types::Failure::from)
    }
}
