//! The entrances that strangers reach, each as one function from raw input to what must hold: called with made-up
//! input by `tests/it/hostile.rs` and `hostile_webhooks.rs` in every test run, and with a fuzzer's by `fuzz/`.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue};
use cartwright_core::{
    call::ErrorClass,
    evaluate::{Evaluate, Prepared, Scope},
    secret::SecretMarks,
    time::Timestamp,
    woo::{WooMethod, WooRequest},
    workflow::{AuthPreset, Expression, FileKind, format, parse},
};
use cartwright_http::{
    hook, presets,
    verify::{WebhookKeys, verify},
    webhook::{Incoming, read},
};
use cartwright_sandbox::{Limits, Sandbox};
use cartwright_woo::{client::understand, transport::HttpAnswer};

use crate::sign;

/// An expression's limits end it far earlier, whatever the machine is busy with.
const LONGEST_EXPRESSION: Duration = Duration::from_secs(5);

/// A workflow file is parsed, or refused with places that lie inside it.
///
/// # Panics
/// When it is not.
pub fn workflow(text: &str) {
    let none = |name: &str| Err(format!("`{name}` was not found"));
    let parsed = parse("some/flow".parse().expect("an id"), text, &none);
    for diagnostic in &parsed.diagnostics {
        assert!(diagnostic.span.start <= diagnostic.span.end, "{diagnostic:?}");
        assert!(diagnostic.span.end <= text.len(), "{diagnostic:?} lies outside {} bytes", text.len());
        assert!(!diagnostic.message.is_empty());
    }
    assert!(parsed.workflow.is_some() || !parsed.diagnostics.is_empty(), "refused without a reason: {text}");
    if let Ok(formatted) = format(text, FileKind::Workflow) {
        let again = format(&formatted, FileKind::Workflow);
        assert_eq!(again.as_ref(), Ok(&formatted), "formatting {text} again changes it");
    }
}

/// A file with tests of workflows is read, or refused with places that lie inside it.
///
/// # Panics
/// When it is not.
pub fn tests_of_workflows(text: &str) {
    let parsed = cartwright_core::testing::parse(text, &|name: &str| Err(format!("`{name}` was not found")));
    for diagnostic in &parsed.diagnostics {
        let span = &diagnostic.span;
        assert!(span.start <= span.end && span.end <= text.len(), "{diagnostic:?} lies outside {} bytes", text.len());
        assert!(!diagnostic.message.is_empty());
    }
    assert!(parsed.file.is_some() || !parsed.diagnostics.is_empty(), "refused without a reason: {text}");
    if let Ok(formatted) = format(text, FileKind::Test) {
        let again = format(&formatted, FileKind::Test);
        assert_eq!(again.as_ref(), Ok(&formatted), "formatting {text} again changes it");
    }
}

/// A request to a workflow's own address with a made-up signature: lines of `name: value`, then the body. None of the schemes
/// trusts it, whatever the headers say.
///
/// # Panics
/// When one does.
pub fn signature_bytes(input: &[u8]) {
    let mut lines = input.splitn(5, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for line in lines.by_ref().take(4) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = axum::http::HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.append(name, value);
        }
    }
    let body = lines.next().unwrap_or_default();
    let (now, tolerance) = (Timestamp::from_millis(1_614_265_330_000), Duration::from_secs(300));
    let message = presets::Message { headers: &headers, body, now, tolerance };
    for word in AuthPreset::WORDS {
        let preset = AuthPreset::of(word).expect("one of them");
        let secrets =
            [&b"whsec_b25seSB0aGUgdGVzdHMga25vdyB0aGlz"[..], b"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="];
        assert!(presets::verify(preset, secrets, &message).is_err(), "{word}: {headers:?}");
    }
}

/// An expression gives a value or an error that says why, soon.
///
/// # Panics
/// When it does not.
pub fn expression(source: &str) {
    thread_local!(static SANDBOX: Sandbox = Sandbox::new(Limits::default(), SecretMarks::new([1; 32])));
    let event =
        Prepared::new(serde_json::json!({ "data": { "id": 7, "list": [1, 2.5], "text": "x" }, "topic": "a.b" }));
    let scope = Scope { event: Some(&event), ..Scope::default() };
    let begun = Instant::now();
    let outcome = SANDBOX.with(|sandbox| sandbox.expression(&Expression::new(source, 0..source.len()), &scope));
    if let Err(error) = outcome {
        assert!(!error.message.is_empty(), "{source}");
        assert!(error.offset.is_none_or(|offset| offset <= source.len()), "{error:?} in {source}");
    }
    assert!(begun.elapsed() < LONGEST_EXPRESSION, "{source}");
}

/// A webhook request is verified only with the signature of its body.
///
/// # Panics
/// When it is verified without.
pub fn webhook(headers: &HeaderMap, body: &[u8], secret: &str) {
    let keys = WebhookKeys::new([secret.as_bytes()]);
    let store = "shop".parse().expect("an id");
    if let Ok(Incoming::Delivery(raw)) = read(headers, body.to_vec().into()) {
        let right = raw.signature == sign::woo(body, secret);
        if verify(&store, &keys, &raw).is_ok() {
            assert!(right, "accepted with a wrong signature");
        }
    }
    let _ = hook::data(headers, body);
}

/// As [`webhook`], from one run of bytes: the first line is the signature, the second the topic and the content type,
/// the rest the body.
///
/// # Panics
/// When it is verified without the right signature.
pub fn webhook_bytes(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let (signature, topic) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let body = parts.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    let fixed: [(&str, &[u8]); 2] = [("x-wc-webhook-id", b"4"), ("x-wc-webhook-delivery-id", b"665d")];
    let given = [("x-wc-webhook-signature", signature), ("x-wc-webhook-topic", topic), ("content-type", topic)];
    for (name, value) in fixed.into_iter().chain(given) {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        headers.insert(name, value);
    }
    webhook(&headers, body, "a secret that nobody outside knows");
}

/// A store's answer is data or an error that says what it means; a read is never in doubt, a write never just
/// repeated. The first byte is the method, the next two the status, the first line the headers' value, the rest the
/// body.
///
/// # Panics
/// When it is not.
pub fn answer(input: &[u8]) {
    let [method, high, low, rest @ ..] = input else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let value = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let body = parts.next().unwrap_or_default().to_vec();
    let method = [WooMethod::Get, WooMethod::Post, WooMethod::Put, WooMethod::Delete][usize::from(method % 4)];
    let names = ["retry-after", "date", "x-wp-total", "x-wp-totalpages", "www-authenticate", "server"];
    let answer = HttpAnswer {
        status: 100 + u16::from_be_bytes([*high, *low]) % 900,
        headers: names.map(|name| (name.to_owned(), value.clone())).to_vec(),
        body: body.into(),
    };
    let request = WooRequest { method, ..WooRequest::parse(&serde_json::json!({ "path": "orders" })).expect("a path") };
    let store = "https://shop.example".parse().expect("a URL");
    let Err(error) = understand(&store, &request, &answer, Timestamp::from_millis(1_795_225_207_000)) else { return };
    assert!(!error.code.is_empty() && !error.message.is_empty(), "{answer:?}");
    assert!(error.message.len() < 10_000, "a message for people: {} bytes", error.message.len());
    let is_read = method == WooMethod::Get;
    assert!(!(is_read && error.class == ErrorClass::Unknown), "{answer:?}");
    assert!(is_read || error.class != ErrorClass::Retryable, "{answer:?}");
}
