//! Prints what plugins cost: `cargo run --release -p cartwright-sandbox --example plugin_figures [FILE=FUNCTION=JSON]…`.
//! Without files it measures guests of its own: one that echoes, one that makes host calls, one that never ends.

use std::{
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cartwright_core::{Json, call::CallOutcome, secret::SecretMarks, time::Timestamp};
use cartwright_sandbox::{
    Recorded, ScriptOutcome,
    plugin::{CodeCache, InProcess, LoadedPlugin, PluginCall, PluginLimits, Plugins, hash_of},
};
use serde_json::json;

const FRESH_CALLS: usize = 3_000;
const THROUGHPUT: Duration = Duration::from_secs(2);
const PLUGINS: usize = 100;
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let mut parts: Vec<(String, Vec<u8>, String, Json)> = Vec::new();
    for argument in std::env::args().skip(1) {
        let mut words = argument.splitn(3, '=');
        let file = words.next().unwrap_or_default().to_owned();
        let function = words.next().unwrap_or_default().to_owned();
        let input = words.next().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
        parts.push((file.clone(), fs::read(&file)?, function, input));
    }
    if parts.is_empty() {
        parts.push(("echo".into(), echo(0), String::new(), json!({ "id": 1 })));
    }
    for (name, component, function, input) in &parts {
        writeln!(out, "{name}: {} bytes", component.len())?;
        one(&mut out, component, &call(function, input))?;
    }
    calls(&mut out)?;
    many(&mut out)?;
    deadline(&mut out)
}

/// Loading, fresh calls and throughput of one plugin.
fn one(out: &mut impl Write, component: &[u8], call: &PluginCall) -> std::io::Result<()> {
    let dir = tempfile::tempdir()?;
    let (plugins, cold) = timed(|| engine(Some(dir.path()), PluginLimits::default()));
    let (plugin, compile) = timed(|| load(&plugins, component));
    writeln!(out, "  engine {:>9.1} µs; compiled and loaded {:>9.1} ms", micros(cold), micros(compile) / 1e3)?;
    let again = engine(Some(dir.path()), PluginLimits::default());
    let _ = load(&again, &echo(999));
    let (_, cached) = timed(|| load(&again, component));
    writeln!(out, "  loaded from disk, into an engine that runs {:>9.1} µs", micros(cached))?;
    let outcome = block_on(plugins.start(&plugin, call.clone(), &[]).advance(None, NOW, [0; 32]));
    writeln!(out, "  it comes to {}", short(&format!("{outcome:?}")))?;
    let mut execution = plugins.start(&plugin, call.clone(), &[]);
    block_on(execution.advance(None, NOW, [0; 32]));
    let usage = execution.usage();
    writeln!(out, "  fuel {}, memory {} KiB", usage.fuel, usage.memory_peak_bytes >> 10)?;
    let mut times = sample(FRESH_CALLS, || {
        block_on(plugins.start(&plugin, call.clone(), &[]).advance(None, NOW, [0; 32]));
    });
    writeln!(out, "  fresh call: {}", spread(&mut times))?;
    for threads in [1, 2, 4] {
        let (rate, cost) = throughput(threads, || {
            block_on(plugins.start(&plugin, call.clone(), &[]).advance(None, NOW, [0; 32]));
        });
        writeln!(out, "  {threads} threads: {rate:>9.0} calls/s, {cost:>8.1} µs of processor time each")?;
    }
    Ok(())
}

/// Host calls: handed to the instance that waits, or to one executed again.
fn calls(out: &mut impl Write) -> std::io::Result<()> {
    let plugins = engine(None, PluginLimits::default());
    for count in [1, 5, 20] {
        let plugin = load(&plugins, &caller(count));
        let mut live = sample(300, || play(&plugins, &plugin, true));
        let mut replay = sample(300, || play(&plugins, &plugin, false));
        writeln!(out, "{count} host calls, live:   {}", spread(&mut live))?;
        writeln!(out, "{count} host calls, replay: {}", spread(&mut replay))?;
    }
    Ok(())
}

fn play(plugins: &Plugins, plugin: &Arc<LoadedPlugin>, live: bool) {
    let mut recorded: Vec<Recorded> = Vec::new();
    let mut execution = plugins.start(plugin, call("", &json!({})), &[]);
    let mut answer = None;
    block_on(async {
        loop {
            if !live {
                execution = plugins.start(plugin, call("", &json!({})), &recorded);
                answer = None;
            }
            let ScriptOutcome::Suspended { index, call, .. } = execution.advance(answer.take(), NOW, [0; 32]).await
            else {
                return;
            };
            let outcome = CallOutcome::Ok(json!({ "n": index }));
            recorded.push(Recorded {
                function: call.function,
                fingerprint: call.fingerprint,
                outcome: Some(outcome.clone()),
            });
            answer = Some((index, outcome));
        }
    });
}

/// Memory of many plugins that are loaded and were called.
fn many(out: &mut impl Write) -> std::io::Result<()> {
    let dir = tempfile::tempdir()?;
    let compiling = engine(Some(dir.path()), PluginLimits::default());
    let components: Vec<_> = (0..PLUGINS).map(echo).collect();
    for component in &components {
        load(&compiling, component);
    }
    drop(compiling);
    let plugins = engine(Some(dir.path()), PluginLimits::default());
    let _ = load(&plugins, &echo(PLUGINS));
    let before = resident();
    let loaded: Vec<_> = components.iter().map(|component| load(&plugins, component)).collect();
    let between = resident();
    for plugin in &loaded {
        block_on(plugins.start(plugin, call("", &json!({})), &[]).advance(None, NOW, [0; 32]));
    }
    let after = resident();
    writeln!(
        out,
        "{PLUGINS} plugins: {before} KiB resident before, {between} when loaded, {after} when each was called once"
    )?;
    let mut waiting = Vec::new();
    let asks = load(&plugins, &caller(1));
    for _ in 0..PluginLimits::default().live {
        let mut execution = plugins.start(&asks, call("", &json!({})), &[]);
        block_on(execution.advance(None, NOW, [0; 32]));
        waiting.push(execution);
    }
    writeln!(out, "{} instances that wait: {} KiB resident", waiting.len(), resident())
}

/// From the end of the time that a guest has to the end of the guest.
fn deadline(out: &mut impl Write) -> std::io::Result<()> {
    const WALL: Duration = Duration::from_millis(50);
    let plugins = engine(None, PluginLimits { wall: WALL, fuel: u64::MAX, ..PluginLimits::default() });
    let plugin = load(&plugins, &component("(loop $l (br $l)) (unreachable)", 0));
    let mut times = sample(40, || {
        block_on(plugins.start(&plugin, call("", &json!({})), &[]).advance(None, NOW, [0; 32]));
    });
    for time in &mut times {
        *time = time.saturating_sub(WALL);
    }
    writeln!(out, "after the deadline of 50 ms on the processor: {}", spread(&mut times))
}

fn engine(dir: Option<&Path>, limits: PluginLimits) -> Plugins {
    let cache = dir.map(|dir| CodeCache { dir: dir.to_owned(), key: [1; 32] });
    Plugins::new(limits, SecretMarks::new([1; 32]), cache, Arc::new(InProcess))
}

fn load(plugins: &Plugins, component: &[u8]) -> Arc<LoadedPlugin> {
    plugins.load(&hash_of(component), &|| Ok(component.to_vec())).expect("it loads")
}

fn call(function: &str, input: &Json) -> PluginCall {
    PluginCall {
        function: function.into(),
        input: input.clone(),
        workflow: "figures".into(),
        run: "run_1".into(),
        step: "step".into(),
        store: None,
        secrets: Vec::new(),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local!(static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Gives its input back. `n` makes it another component.
fn echo(n: usize) -> Vec<u8> {
    component("(call $ok (local.get 2) (local.get 3))", n)
}

/// Asks for a state `count` times.
fn caller(count: usize) -> Vec<u8> {
    let body = format!(
        "(local $n i32)
         (loop $l (call $get (i32.const 16) (i32.const 3) (i32.const 3200))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $l (i32.lt_u (local.get $n) (i32.const {count}))))
         (call $ok (local.get 2) (local.get 3))"
    );
    component(&body, 0)
}

/// A component like those of compiled languages: 17 pages, of which it writes to eight.
fn component(body: &str, n: usize) -> Vec<u8> {
    let touch: String =
        (4..12).map(|page| format!("(i32.store (i32.const {}) (i32.const {n}))", page * 65_536)).collect();
    let text = format!(
        r#"(component
  (type $types (instance
    (type $r (record (field "status" u16) (field "body" string)))
    (export "rejection" (type $rejection (eq $r)))
    (type $f (variant (case "denied" string) (case "timeout") (case "rate-limited" u64) (case "rejected" $rejection)
      (case "invalid" string) (case "unknown") (case "other" string)))
    (export "failure" (type $failure (eq $f)))
    (type $c (record (field "function" string) (field "input" string) (field "workflow" string) (field "run" string)
      (field "step" string) (field "store" (option string))))
    (export "call" (type $call (eq $c)))))
  (import "cartwright:plugin/types@1.0.0" (instance $types (type $types)))
  (alias export $types "failure" (type $failure))
  (alias export $types "call" (type $call))
  (import "cartwright:plugin/state@1.0.0" (instance $state
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (export "get" (func (param "key" string) (result (result (option string) (error $failure)))))))
  (core module $memory (memory (export "memory") 17)
    (global $heap (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
      (global.set $heap (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $get (canon lower (func $state "get") (memory $memory) (realloc $realloc)))
  (core module $main
    (import "h" "get" (func $get (param i32 i32 i32)))
    (import "m" "memory" (memory 0))
    (data (i32.const 16) "key")
    (func $ok (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 3072) (i32.const 0))
      (i32.store (i32.const 3080) (local.get $at))
      (i32.store (i32.const 3084) (local.get $length))
      (i32.const 3072))
    (func (export "describe") (result i32) (i32.const 0))
    (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      {locals} {touch} {body}))
  (core instance $main (instantiate $main (with "h" (instance (export "get" (func $get)))) (with "m" (instance $m))))
  (func (export "describe") (result string)
    (canon lift (core func $main "describe") (memory $memory)))
  (func (export "handle") (param "call" $call) (result (result string (error $failure)))
    (canon lift (core func $main "handle") (memory $memory) (realloc $realloc))))"#,
        locals = if body.starts_with("(local $n i32)") { "(local $n i32)" } else { "" },
        body = body.trim_start_matches("(local $n i32)"),
    );
    wat::parse_str(text).expect("the guest is well-formed")
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let value = work();
    (value, started.elapsed())
}

fn sample(times: usize, mut work: impl FnMut()) -> Vec<Duration> {
    (0..times).map(|_| timed(&mut work).1).collect()
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |percent: usize| micros(times[(times.len() - 1) * percent / 100]);
    format!("min {:>8.1} p50 {:>8.1} p99 {:>8.1} max {:>8.1} µs", at(0), at(50), at(99), at(100))
}

/// Calls a second, and microseconds of processor time for each: the second shows contention on a busy machine as well.
fn throughput(threads: usize, work: impl Fn() + Sync) -> (f64, f64) {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = processor_time();
    let ((), time) = timed(|| {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        work();
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(THROUGHPUT);
            stop.store(true, Ordering::Relaxed);
        });
    });
    let done = done.load(Ordering::Relaxed) as f64;
    (done / time.as_secs_f64(), micros(processor_time().saturating_sub(before)) / done)
}

/// Of this process, all threads.
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn short(text: &str) -> String {
    text.chars().take(160).collect()
}

/// Resident memory in KiB, where the system says it (Linux).
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
