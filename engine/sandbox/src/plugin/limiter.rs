//! Memory, tables and instances of one execution, counted together. What goes over is a trap, not a failed `grow`: how a
//! guest copes with that differs between tool chains, and the message would be lost.

use wasmtime::ResourceLimiter;

use super::limits::PluginLimits;

/// What an execution has of each.
pub(super) struct Limiter {
    memory_max: usize,
    elements_max: usize,
    instances_max: usize,
    memory: usize,
    elements: usize,
    /// Only grows: memory is not given back before the end.
    pub(super) memory_peak: usize,
}

/// It wants more than it may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OverLimit {
    #[error("the plugin needs more memory than allowed ({} MiB)", .max >> 20)]
    Memory { max: usize },
    #[error("the plugin's tables need more than the {max} elements that are allowed")]
    Tables { max: usize },
    #[error("the plugin takes longer than allowed ({} s on the processor between two waits)", .max.as_secs_f32())]
    Time { max: std::time::Duration },
}

impl Limiter {
    pub(super) fn new(limits: &PluginLimits) -> Self {
        Self {
            memory_max: limits.memory_bytes,
            elements_max: limits.table_elements,
            instances_max: limits.instances,
            memory: 0,
            elements: 0,
            memory_peak: 0,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let sum = self.memory.saturating_add(desired.saturating_sub(current));
        if sum > self.memory_max {
            return Err(OverLimit::Memory { max: self.memory_max }.into());
        }
        self.memory = sum;
        self.memory_peak = self.memory_peak.max(sum);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let sum = self.elements.saturating_add(desired.saturating_sub(current));
        if sum > self.elements_max {
            return Err(OverLimit::Tables { max: self.elements_max }.into());
        }
        self.elements = sum;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.instances_max
    }

    fn memories(&self) -> usize {
        self.instances_max
    }
}
