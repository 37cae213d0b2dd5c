//! `secrets::get`: an opaque value that only http calls can send.

use cartwright_core::{Json, call::CallKind};

use super::{Answer, FunctionSpec, Prepared, take, text};

pub(super) const FUNCTIONS: &[FunctionSpec] = &[FunctionSpec {
    name: "secrets::get",
    signature: "secrets::get(name)",
    doc: "A granted secret. It can be put into texts and sent by http calls, not read, kept or returned.",
    arguments: 1..=1,
    answer: Answer::Secret,
    prepare: |_, mut args| {
        let name = text(take(&mut args, 0), "the secret's name")?;
        Ok(Prepared { kind: CallKind::Immediate, summary: format!("secret {name}"), args: vec![Json::String(name)] })
    },
}];
