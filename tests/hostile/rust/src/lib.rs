//! Means harm, as far as safe Rust can; see ../expected.txt.

use cartwright_plugin::{Call, Failure, clock, http, plugin};
use serde_json::Value;

fn panics(_: Value, _: &Call) -> Result<Value, Failure> {
    let nothing: Option<u8> = std::hint::black_box(None);
    Ok(nothing.expect("the author was sure").into())
}

fn overflow(_: Value, _: &Call) -> Result<Value, Failure> {
    Ok(vec![0u8; std::hint::black_box(1 << 30)].len().into())
}

fn passes_on(_: Value, _: &Call) -> Result<Value, Failure> {
    http::get("http://169.254.169.254/").send().map(|response| response.body.into())
}

fn sleeps(_: Value, _: &Call) -> Result<Value, Failure> {
    clock::sleep(std::time::Duration::MAX);
    Ok(Value::Null)
}

fn nests(_: Value, _: &Call) -> Result<Value, Failure> {
    let mut value = Value::Null;
    for _ in 0..100_000 {
        value = Value::Array(vec![value]);
    }
    Ok(value)
}

plugin! {
    Hostile {
        name: "hostile-rust",
        description: "Means harm.",
        functions: {
            "panic": "Panics." => panics,
            "overflow": "Asks for too much at once." => overflow,
            "not-granted": "Asks for what was not granted." => passes_on,
            "sleep": "Sleeps for ever." => sleeps,
            "nest": "Gives a value that is too deep." => nests,
        },
    }
}
