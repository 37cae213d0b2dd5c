//! The two Rhai engines, for expressions and for scripts: built once, shared by all threads.

use rhai::{
    Dynamic, Engine, OptimizationLevel,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
        BasicStringPackage, LogicPackage, MoreStringPackage, Package,
    },
};

use crate::{
    error::{Failure, fail},
    functions, library,
    limits::Bounds,
    secret, session,
    source::rewrite::VALUE_FUNCTION,
};

/// Words of Rhai that do not exist here: code from texts, output to nowhere, files.
const DISABLED: [&str; 6] = ["eval", "print", "debug", "import", "export", "is_def_var"];

/// For `${{ }}` and conditions: no host functions, no loops, no functions of their own.
pub(crate) fn expressions(bounds: &Bounds) -> Engine {
    let mut engine = base(bounds);
    engine.set_allow_looping(false);
    engine
}

/// For scripts.
pub(crate) fn scripts(bounds: &Bounds) -> Engine {
    let mut engine = base(bounds);
    functions::register(&mut engine);
    engine
}

fn base(bounds: &Bounds) -> Engine {
    let mut engine = Engine::new_raw();
    // A constant in scope can make the optimiser reach an `unreachable!` (Rhai 1.27).
    engine.set_optimization_level(OptimizationLevel::None);
    // Or our comparisons would not be asked when types differ.
    engine.set_fast_operators(false);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_call_levels(bounds.call_depth);
    engine.set_max_expr_depths(bounds.expression_depth, bounds.function_expression_depth);
    engine.set_max_string_size(bounds.string_bytes);
    engine.set_max_array_size(bounds.array_items);
    engine.set_max_map_size(bounds.map_items);
    engine.set_max_variables(bounds.variables);
    engine.set_max_functions(bounds.functions);
    engine.set_max_modules(0);
    for word in DISABLED {
        engine.disable_symbol(word);
    }
    engine.on_progress(session::progress);

    // Not among them: LanguageCore (sleep, exit, tags), time, blobs, bit fields, debugging.
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);

    engine.register_fn(VALUE_FUNCTION, value);
    library::register(&mut engine);
    secret::register(&mut engine);
    engine
}

/// What a path leads to; see [`crate::source::rewrite`].
fn value(index: i64) -> Result<Dynamic, Failure> {
    let found = session::with(|session| {
        let index = usize::try_from(index).ok()?;
        let slot = session.values.get_mut(index)?;
        if slot.value.is_err() {
            session.failed_path = Some(index);
        }
        Some(match slot.once {
            true => std::mem::replace(&mut slot.value, Ok(Dynamic::UNIT)),
            false => slot.value.clone(),
        })
    });
    match found.flatten() {
        Some(Ok(value)) => Ok(value),
        Some(Err(problem)) => Err(fail(problem)),
        None => Err(fail("there is no such value")),
    }
}
