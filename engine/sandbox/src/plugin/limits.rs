//! What one execution of a plugin may use, and how many of them may be in memory.

use std::time::Duration;

/// Limits of everything that [`crate::plugin::Plugins`] runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Bytes of a component's file.
    pub component_bytes: usize,
    /// Bytes of all memories of one execution together.
    pub memory_bytes: usize,
    /// Elements of all tables of one execution together.
    pub table_elements: usize,
    /// Core instances, memories and tables (each) of one execution.
    pub instances: usize,
    /// Bytes of stack.
    pub stack_bytes: usize,
    /// Wasm instructions, about, of one execution from its start: the same in every replay.
    pub fuel: u64,
    /// Time on the processor between two waits.
    pub wall: Duration,
    /// JSON bytes of the output, or of one host call's arguments.
    pub output_bytes: usize,
    /// Host calls of one step; replay costs grow with their square.
    pub host_calls: u32,
    /// Executions that may stay in memory while a call of theirs is made; others are executed again.
    pub live: usize,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            component_bytes: 32 << 20,
            memory_bytes: 64 << 20,
            table_elements: 50_000,
            instances: 100,
            stack_bytes: 512 << 10,
            fuel: 5_000_000_000,
            wall: Duration::from_secs(10),
            output_bytes: 4 << 20,
            host_calls: 1_000,
            live: 64,
        }
    }
}

/// Executions that may be inside their guests at once; more wait for their turn.
pub(super) const RUNNING_MAX: usize = 64;
/// Memories of one component; nearly all have one.
pub(super) const MEMORIES_MAX: u32 = 4;
/// Tables of one component: one a core module, as tool chains make them.
pub(super) const TABLES_MAX: u32 = 16;
/// Stack that host functions may use below the guest's.
pub(super) const HOST_STACK_BYTES: usize = 512 << 10;
/// Frames of a backtrace.
pub(super) const FRAMES_MAX: usize = 20;
/// Characters of one function's name in a backtrace.
pub(super) const FRAME_MAX_CHARS: usize = 200;
/// How often a busy guest gives way to others on its thread.
pub(super) const TICK: Duration = Duration::from_millis(5);
/// Ticks without any work after which the clock's thread goes to sleep.
pub(super) const IDLE_TICKS: u32 = 200;
/// Characters of what the other side said, in a failure handed to a plugin.
pub(super) const REJECTION_MAX_CHARS: usize = 1_000;
/// Characters of a failure's text that a plugin gives.
pub(super) const FAILURE_MAX_CHARS: usize = 4_000;
/// What lists and records around texts may add to what is given out at once.
pub(super) const OUTPUT_SLACK_BYTES: usize = 64 << 10;
