//! Secrets in Rhai: an opaque value that grows by `+` with texts and leaves only through http calls, as marks.

use std::sync::Arc;

use cartwright_core::secret::SecretMarks;
use rhai::{Dynamic, Engine, ImmutableString};

use crate::{
    error::{Failure, fail},
    value::{Secrets, render},
};

/// Text with marks in it. It has no operators but `+`, no length and no comparison.
#[derive(Clone)]
pub(crate) struct Secret(Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl Secret {
    pub(crate) fn named(marks: &SecretMarks, name: &str) -> Self {
        Self(marks.mark(name).into())
    }

    pub(crate) fn link(marks: &SecretMarks, path: &str) -> Self {
        Self(marks.link(path).into())
    }

    /// The text with marks; the values are not in it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// `+` and interpolation. Interpolated, a secret is text that holds its mark: what leaves is redacted everywhere
/// except in http calls, and a mark of another name cannot be made from it.
pub(crate) fn register(engine: &mut Engine) {
    fn part(value: &Dynamic) -> Result<String, Failure> {
        render(value, Secrets::Mark, 1 << 20).map_err(fail)
    }
    engine
        .register_type_with_name::<Secret>("secret")
        .register_fn("+", |a: Secret, b: Dynamic| Ok::<_, Failure>(Secret(format!("{}{}", a.0, part(&b)?).into())))
        .register_fn("+", |a: Dynamic, b: Secret| Ok::<_, Failure>(Secret(format!("{}{}", part(&a)?, b.0).into())))
        .register_fn("+", |a: ImmutableString, b: Secret| Secret(format!("{a}{}", b.0).into()))
        .register_fn("+", |a: Secret, b: ImmutableString| Secret(format!("{}{b}", a.0).into()))
        .register_fn("+", |a: Secret, b: Secret| Secret(format!("{}{}", a.0, b.0).into()))
        .register_fn("to_string", |secret: Secret| ImmutableString::from(&*secret.0))
        .register_fn("to_debug", |_: Secret| ImmutableString::from("[secret]"));
}
