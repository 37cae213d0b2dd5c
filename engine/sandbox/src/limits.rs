//! What foreign code may use. Every limit is checked while it runs; going over one ends it with code `limit`.

use std::time::Duration;

/// Limits of everything that a [`crate::Sandbox`] runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For conditions and `${{ }}`.
    pub expression: Bounds,
    /// For scripts.
    pub script: Bounds,
    /// Host calls of one step; replay costs grow with their square.
    pub host_calls: u32,
    /// JSON bytes that an expression, a script or a call's arguments may give out.
    pub output_bytes: usize,
}

/// Limits of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of source text.
    pub source_bytes: usize,
    /// Rhai operations: nodes evaluated, calls made.
    pub operations: u64,
    /// Time on the wall. A single native call is not interrupted, so sizes are bounded as well.
    pub wall: Duration,
    /// Nested calls of functions and closures.
    pub call_depth: usize,
    /// Nested expressions outside functions.
    pub expression_depth: usize,
    /// Nested expressions inside functions.
    pub function_expression_depth: usize,
    /// Bytes of one text, or of all texts in one list or map.
    pub string_bytes: usize,
    /// Items of one list, items of lists inside included.
    pub array_items: usize,
    /// Entries of one map, entries of maps inside included.
    pub map_items: usize,
    /// Variables at once.
    pub variables: usize,
    /// Functions and closures defined.
    pub functions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let expression = Bounds {
            source_bytes: 16 << 10,
            operations: 100_000,
            wall: Duration::from_millis(250),
            call_depth: 12,
            expression_depth: 48,
            function_expression_depth: 24,
            string_bytes: 4 << 20,
            array_items: 50_000,
            map_items: 50_000,
            variables: 64,
            functions: 32,
        };
        let script = Bounds {
            source_bytes: 256 << 10,
            operations: 2_000_000,
            wall: Duration::from_secs(5),
            call_depth: 32,
            variables: 256,
            functions: 200,
            ..expression
        };
        Self { expression, script, host_calls: 1_000, output_bytes: 4 << 20 }
    }
}

/// Levels of lists and maps inside each other that may be given out; the journal's reader stops at 128.
pub(crate) const OUTPUT_MAX_DEPTH: usize = 64;
/// Edits between a wrong name and the one suggested for it.
pub(crate) const SUGGESTION_MAX_DISTANCE: usize = 2;
/// Bytes of a value shown in an error.
pub(crate) const SHOWN_MAX_CHARS: usize = 80;
/// Compiled size of one regular expression.
pub(crate) const REGEX_MAX_BYTES: usize = 256 << 10;
/// Bytes of text that one regular expression is matched against.
pub(crate) const REGEX_INPUT_MAX_BYTES: usize = 256 << 10;
/// Regular expressions kept compiled.
pub(crate) const REGEX_CACHE_ENTRIES: usize = 256;
/// Operations between two looks at the clock. A refused lock costs up to 50 ms inside Rhai, so this is small.
pub(crate) const OPERATIONS_PER_CLOCK_LOOK: u64 = 16;
/// Stack of the thread that runs a script with its full budget: values may nest as deep as `array_items`.
pub(crate) const SCRIPT_STACK_BYTES: usize = 64 << 20;
/// Operations of a script on its caller's stack: values cannot nest deeper than 2 MiB of stack can drop.
pub(crate) const INLINE_OPERATIONS_MAX: u64 = 10_000;
/// Time of a script on its caller's thread, which may be one that others wait for.
pub(crate) const INLINE_WALL: Duration = Duration::from_millis(20);
/// Names considered for one suggestion, and the length in bytes above which a name gets none.
pub(crate) const SUGGESTION_MAX_NAMES: usize = 1_000;
pub(crate) const SUGGESTION_MAX_BYTES: usize = 100;
/// Parameters or variables of one declaration that are looked at.
pub(crate) const DECLARED_MAX_TOKENS: usize = 200;
