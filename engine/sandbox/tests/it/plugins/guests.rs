//! Plugins written as WebAssembly text, so that the tests need no tool chain: every import of the interface, lowered
//! under a short name, around a core module whose `handle` a test gives.

/// Where results are put together.
const RESULT: usize = 3072;
/// Where texts begin.
const TEXTS: usize = 256;

/// Collects the texts of a guest.
pub(crate) struct Texts {
    data: String,
    next: usize,
}

impl Texts {
    /// Address and length of a text, as two constants.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let at = self.next;
        self.data.push_str(&format!("(data (i32.const {at}) \"{bytes}\")\n"));
        self.next += text.len();
        assert!(self.next < RESULT, "too many texts");
        format!("(i32.const {at}) (i32.const {})", text.len())
    }
}

pub(crate) const TYPES: &str = r#"
  (type $types (instance
    (type $r (record (field "status" u16) (field "body" string)))
    (export "rejection" (type $rejection (eq $r)))
    (type $f (variant (case "denied" string) (case "timeout") (case "rate-limited" u64) (case "rejected" $rejection)
      (case "invalid" string) (case "unknown") (case "other" string)))
    (export "failure" (type $failure (eq $f)))
    (type $c (record (field "function" string) (field "input" string) (field "workflow" string) (field "run" string)
      (field "step" string) (field "store" (option string))))
    (export "call" (type $call (eq $c)))))
  (import "cartwright:plugin/types@VERSION" (instance $types (type $types)))
  (alias export $types "failure" (type $f))
  (alias export $types "call" (type $c))
  (import "failure" (type $failure (eq $f)))
  (import "call" (type $call (eq $c)))
"#;

const IMPORTS: &str = r#"
  (import "cartwright:plugin/log@VERSION" (instance $log
    (type $l (enum "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $l)))
    (export "emit" (func (param "level" $level) (param "message" string)))))
  (import "cartwright:plugin/http@VERSION" (instance $http
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (type $q (record (field "method" string) (field "url" string) (field "headers" (list (tuple string string)))
      (field "body" (option string)) (field "timeout-ms" (option u64)) (field "expect" (list string))
      (field "idempotent" (option bool))))
    (export "request" (type $request (eq $q)))
    (type $a (record (field "status" u16) (field "headers" (list (tuple string string))) (field "body" string)))
    (export "response" (type $response (eq $a)))
    (export "send" (func (param "request" $request) (result (result $response (error $failure)))))))
  (import "cartwright:plugin/woo@VERSION" (instance $woo
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (type $m (enum "post" "put" "delete"))
    (export "method" (type $method (eq $m)))
    (export "get" (func (param "store" (option string)) (param "path" string) (param "query" (option string))
      (result (result string (error $failure)))))
    (export "write" (func (param "store" (option string)) (param "method" $method) (param "path" string)
      (param "body" (option string)) (param "query" (option string)) (result (result string (error $failure)))))))
  (import "cartwright:plugin/state@VERSION" (instance $state
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (export "get" (func (param "key" string) (result (result (option string) (error $failure)))))
    (export "delete" (func (param "key" string) (result (result bool (error $failure)))))
    (export "increment" (func (param "key" string) (param "by" s64) (result (result s64 (error $failure)))))))
  (import "cartwright:plugin/clock@VERSION" (instance $clock
    (export "now" (func (result u64)))
    (export "sleep" (func (param "milliseconds" u64)))
    (export "sleep-until" (func (param "moment" u64)))))
  (import "cartwright:plugin/random@VERSION" (instance $random
    (export "bytes" (func (param "length" u32) (result (list u8))))))
  (import "cartwright:plugin/events@VERSION" (instance $events
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (type $w (record (field "topic" string) (field "condition" (option string)) (field "timeout-ms" (option u64))
      (field "lookback-ms" (option u64))))
    (export "awaited" (type $awaited (eq $w)))
    (export "emit" (func (param "topic" string) (param "data" string) (result (result string (error $failure)))))
    (export "wait-for" (func (param "awaited" $awaited) (result (result (option string) (error $failure)))))))
  (import "cartwright:plugin/secrets@VERSION" (instance $secrets
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (export "get" (func (param "name" string) (result (result string (error $failure)))))))
"#;

/// Interface, function, name in the core module, its core type.
const LOWERED: [(&str, &str, &str, &str); 13] = [
    ("log", "emit", "log", "(param i32 i32 i32)"),
    ("http", "send", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32)"),
    ("woo", "get", "woo_get", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)"),
    ("woo", "write", "woo_write", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)"),
    ("state", "get", "get", "(param i32 i32 i32)"),
    ("state", "delete", "delete", "(param i32 i32 i32)"),
    ("state", "increment", "increment", "(param i32 i32 i64 i32)"),
    ("clock", "now", "now", "(result i64)"),
    ("clock", "sleep", "sleep", "(param i64)"),
    ("random", "bytes", "bytes", "(param i32 i32)"),
    ("events", "emit", "emit", "(param i32 i32 i32 i32 i32)"),
    ("events", "wait-for", "wait", "(param i32 i32 i32 i32 i32 i32 i64 i32 i64 i32)"),
    ("secrets", "get", "secret", "(param i32 i32 i32)"),
];

/// What every guest's core module has besides `handle`.
const HELPERS: &str = r#"
    (global $heap (mut i32) (i32.const 4096))
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
      (global.set $heap (i32.add (local.get $at) (local.get 3)))
      (block $enough (loop $more
        (br_if $enough (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.const 16)))
        (br $more)))
      (local.get $at))
    (func $ok (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 3072) (i32.const 0))
      (i32.store (i32.const 3080) (local.get $at))
      (i32.store (i32.const 3084) (local.get $length))
      (i32.const 3072))
    (func $failed (param $case i32) (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 3072) (i32.const 1))
      (i32.store8 (i32.const 3080) (local.get $case))
      (i32.store (i32.const 3088) (local.get $at))
      (i32.store (i32.const 3092) (local.get $length))
      (i32.const 3072))
    ;; GET of an address, with one header where $h is not 0; the result is at $to
    (func $fetch (param $at i32) (param $length i32) (param $h i32) (param $to i32)
      (call $send (i32.const 0) (i32.const 3) (local.get $at) (local.get $length)
        (local.get $h) (i32.ne (local.get $h) (i32.const 0))
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (local.get $to)))
    (func $recurse (param i64) (result i64)
      (i64.add (i64.const 1) (call $recurse (i64.add (local.get 0) (i64.const 1)))))
    (func $spin (local $n i64)
      (loop $again (local.set $n (i64.add (local.get $n) (i64.const 1))) (br $again)))
"#;

/// A plugin whose `handle` is `body`: it has the locals `$in` and `$inlen`, the input, `$a` and `$b`, numbers, and
/// gives an address of a result.
pub(crate) fn guest(body: impl FnOnce(&mut Texts) -> String) -> Vec<u8> {
    guest_with("", "2", body)
}

/// The same with more fields in its core module, and other pages of memory.
pub(crate) fn guest_with(fields: &str, pages: &str, body: impl FnOnce(&mut Texts) -> String) -> Vec<u8> {
    wat::parse_str(source("1.0.0", fields, pages, body)).expect("the guest is well-formed")
}

/// The text of a guest.
pub(crate) fn source(version: &str, fields: &str, pages: &str, body: impl FnOnce(&mut Texts) -> String) -> String {
    let mut texts = Texts { data: "(data (i32.const 0) \"GET\")\n".into(), next: TEXTS };
    let manifest = texts.text(r#"{"name":"guest","functions":{"go":{}}}"#);
    let body = body(&mut texts);
    let types = TYPES.replace("VERSION", version);
    let imports = IMPORTS.replace("VERSION", version);
    let core: String =
        LOWERED.iter().map(|(.., name, ty)| format!("(import \"h\" \"{name}\" (func ${name} {ty}))\n")).collect();
    let lower: String = LOWERED
        .iter()
        .map(|(interface, function, name, _)| {
            format!(
                "(core func ${name} (canon lower (func ${interface} \"{function}\") (memory $memory) (realloc $realloc)))\n"
            )
        })
        .collect();
    let given: String = LOWERED.iter().map(|(.., name, _)| format!("(export \"{name}\" (func ${name}))\n")).collect();
    let shims = shims();
    format!(
        r#"(component
  {types}
  {imports}
  {shims}
  {lower}
  (core module $main
    {core}
    (import "m" "memory" (memory 0))
    (import "m" "table" (table 0 funcref))
    {HELPERS}
    {fields}
    {data}
    (func (export "describe") (result i32)
      (drop (call $ok {manifest}))
      (i32.const 3080))
    (func $handle (export "handle") (param i32 i32) (param $in i32) (param $inlen i32)
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      (local $a i32) (local $b i32)
      {body}))
  (core instance $main (instantiate $main (with "h" (instance {given})) (with "m" (instance $m))))
  (core instance (instantiate $fix (with "m" (instance $m)) (with "main" (instance $main))))
  (func (export "describe") (result string)
    (canon lift (core func $main "describe") (memory $memory)))
  (func (export "handle") (param "call" $call) (result (result string (error $failure)))
    (canon lift (core func $main "handle") (memory $memory) (realloc (core func $main "cabi_realloc")))))
"#,
        data = texts.data,
    )
    .replace("PAGES", pages)
}

/// Memory, and a `realloc` for lowered functions that is there before the module it calls: tool chains do the same.
fn shims() -> String {
    r#"(core module $memory
    (memory (export "memory") PAGES)
    (table (export "table") 1 funcref)
    (type $r (func (param i32 i32 i32 i32) (result i32)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (call_indirect (type $r) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core module $fix
    (import "m" "table" (table 1 funcref))
    (import "main" "cabi_realloc" (func $f (param i32 i32 i32 i32) (result i32)))
    (elem (i32.const 0) func $f))"#
        .into()
}
