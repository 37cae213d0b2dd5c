//! `cartwright schema`: the JSON Schema of workflow files, for editors.

use super::Context;
use crate::failure::Result;

pub(super) fn run(context: &Context) -> Result<()> {
    context.terminal.data(&cartwright_core::workflow::json_schema())
}
