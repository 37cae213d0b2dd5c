//! What plugins did, each by its name. Names are those of steps that were executed, so there are few.

use cartwright_run::PluginFigures;

use super::exposition::Exposition;
use crate::door::Door;

pub(super) fn plugins(text: &mut Exposition, door: &Door) {
    let figures = door.engine.plugins().map(cartwright_run::PluginHost::figures).unwrap_or_default();
    let outcomes = |one: &PluginFigures| {
        [("succeeded", one.succeeded), ("failed", one.failed - one.trapped), ("trapped", one.trapped)]
    };
    text.counters(
        "cartwright_plugin_calls_total",
        "Calls of plugins that ended, by what came of them.",
        figures.iter().flat_map(|(name, one)| {
            outcomes(one).map(|(outcome, count)| ([("plugin", name.as_str()), ("outcome", outcome)], count))
        }),
    );
    text.counters(
        "cartwright_plugin_executions_total",
        "Stretches that plugins were executed for, repeats for replay included.",
        figures.iter().map(|(name, one)| ([("plugin", name.as_str())], one.stretches)),
    );
    text.counters(
        "cartwright_plugin_fuel_total",
        "WebAssembly instructions of plugins, about.",
        figures.iter().map(|(name, one)| ([("plugin", name.as_str())], one.fuel)),
    );
    text.seconds(
        "cartwright_plugin_cpu_seconds_total",
        "Time of plugins on the processor.",
        figures.iter().map(|(name, one)| ([("plugin", name.as_str())], one.processor_seconds)),
    );
    text.gauges(
        "cartwright_plugin_memory_peak_bytes",
        "The most memory that one execution of a plugin used since the start.",
        figures.iter().map(|(name, one)| ([("plugin", name.as_str())], one.memory_peak_bytes as f64)),
    );
}
