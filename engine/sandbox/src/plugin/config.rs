//! How plugins are compiled and run. What shapes the compiled code is fixed here, so that the process that compiles and
//! the one that runs always agree; limits come on top and shape nothing of it.

use std::{
    hash::{Hash, Hasher},
    num::NonZeroUsize,
};

use sha2::{Digest, Sha256};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::limits::{FRAMES_MAX, HOST_STACK_BYTES, MEMORIES_MAX, PluginLimits, RUNNING_MAX, TABLES_MAX};

/// Bytes of a memory that are cleared by hand when its execution ends, instead of being given back to the system. Giving
/// back interrupts every processor that the engine has threads on, and the next execution takes a fault for every page.
/// Needs a system that says which pages were written (Linux 6.7).
const MEMORY_KEPT_BYTES: usize = 1 << 20;
/// As above, of a table.
const TABLE_KEPT_BYTES: usize = 64 << 10;
/// Memories that stay bound to the plugin that used them last.
const WARM_SLOTS_MAX: u32 = 16;

/// What determines the code: deterministic arithmetic, fuel and epochs, nothing that shares memory or time.
pub(super) fn code() -> Config {
    let mut config = Config::new();
    config.consume_fuel(true);
    config.epoch_interruption(true);
    config.cranelift_opt_level(OptLevel::Speed);
    // Two processors must compute the same bits: of a NaN, and where relaxed instructions leave a choice.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.wasm_memory64(false);
    config.concurrency_support(false);
    // Backtraces name functions, which needs neither of these.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    config.memory_init_cow(true);
    config
}

/// The same code with these limits; `pooled` unless address space is short.
pub(super) fn run(limits: &PluginLimits, pooled: bool) -> Config {
    let mut config = code();
    config.max_wasm_stack(limits.stack_bytes);
    config.async_stack_size(limits.stack_bytes + HOST_STACK_BYTES);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX));
    if pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    }
    config
}

fn pool(limits: &PluginLimits) -> PoolingAllocationConfig {
    let executions = u32::try_from(limits.live + RUNNING_MAX).unwrap_or(u32::MAX);
    let instances = u32::try_from(limits.instances).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(executions);
    pool.total_stacks(executions);
    pool.total_core_instances(executions.saturating_mul(instances));
    pool.max_core_instances_per_component(instances);
    pool.total_memories(executions.saturating_mul(MEMORIES_MAX));
    pool.max_memories_per_component(MEMORIES_MAX);
    pool.max_memories_per_module(MEMORIES_MAX);
    pool.max_memory_size(limits.memory_bytes);
    pool.total_tables(executions.saturating_mul(TABLES_MAX));
    pool.max_tables_per_component(TABLES_MAX);
    pool.max_tables_per_module(TABLES_MAX);
    pool.table_elements(limits.table_elements);
    pool.max_unused_warm_slots(WARM_SLOTS_MAX);
    // Elsewhere all of it would be cleared, and not only what was written: dearer than giving it back.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes);
        pool.linear_memory_keep_resident(MEMORY_KEPT_BYTES);
        pool.table_keep_resident(TABLE_KEPT_BYTES);
    }
    pool
}

/// What compiled code must have been made with to be run by `engine`: version, settings, processor. Hex.
pub(super) fn compatibility(engine: &Engine) -> String {
    let mut hash = Stable(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hash);
    hex::encode(&hash.0.finalize()[..16])
}

/// A hasher that gives the same in every process.
struct Stable(Sha256);

impl Hasher for Stable {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let bytes = self.0.clone().finalize();
        bytes.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
