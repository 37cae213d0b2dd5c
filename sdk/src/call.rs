//! The call that a plugin answers: comes from the engine with the step's `with`.

/// Who calls, beside the input. The same in every execution of this call, so it may be part of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The function's name in the plugin's own description.
    pub function: String,
    /// The workflow's id.
    pub workflow: String,
    /// The run's id.
    pub run: String,
    /// The step's path inside the run, iterations included.
    pub step: String,
    /// The store that the run's event is about.
    pub store: Option<String>,
}
