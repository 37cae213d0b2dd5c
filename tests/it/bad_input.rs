//! Hostile and broken requests: each gets a clear refusal, none takes the engine down, nothing half-accepted remains.

use cartwright_tests::{
    engine::{Engine, WEBHOOK_SECRET, webhook},
    orders,
    random::Random,
    sign,
    wire::{Request, once},
};
use serde_json::{Value, json};

const SEE: &str =
    "on: { woo: ['*'], http: { path: /open, auth: none } }\nsteps:\n  - id: see\n    script: event.topic\n";

fn signed(body: &[u8], topic: &str) -> Request {
    webhook("shop", topic, body)
}

/// Status and, for errors, whether the body is `problem+json` with a code and a title.
fn refusal(engine: &Engine, name: &str, request: &Request, expect: &[u16]) {
    let answer = once(engine.address(), request).unwrap_or_else(|error| panic!("{name}: no answer: {error}"));
    assert!(expect.contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
    if answer.status >= 400 {
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "{name}: {kind}: {}", answer.text());
        let problem = answer.json();
        assert!(problem["code"].is_string() && problem["title"].is_string(), "{name}: {problem}");
        assert!(!answer.text().contains(WEBHOOK_SECRET), "{name}");
    }
}

#[test]
fn webhooks_that_must_be_refused() {
    let engine = Engine::running(&[("see.yaml", SEE)]);
    let order = orders::body(1, &mut Random::new(1));
    let huge = vec![b' '; 12 * 1024 * 1024];
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let invalid = b"{\"id\":1,\"name\":\"\xff\xfe\"}".to_vec();
    let cut = &order[..order.len() - 7];
    let plain = || Request::new("POST", "/webhooks/shop").header("X-WC-Webhook-Topic", "order.created");
    let wrong = |signature: &str| plain().header("X-WC-Webhook-Signature", signature).body(order.clone());
    let cases: Vec<(&str, Request, &[u16])> = vec![
        ("unknown store", webhook("nobody", "order.created", &order), &[404]),
        ("hostile store id", Request::new("POST", "/webhooks/..%2F..%2Fetc").body("{}"), &[400, 404]),
        ("no signature", plain().json(&json!({ "id": 1 })), &[401]),
        ("empty signature", wrong(""), &[401]),
        ("signature of another secret", wrong(&sign::woo(&order, "other")), &[401]),
        ("signature of another body", wrong(&sign::woo(b"{}", WEBHOOK_SECRET)), &[401]),
        ("signature that is no base 64", wrong("%%%%"), &[401]),
        ("signature too long", wrong(&"A".repeat(5000)), &[401, 431]),
        ("body over the limit", signed(&huge, "order.created"), &[413]),
        ("deep nesting", signed(deep.as_bytes(), "order.created"), &[400, 422]),
        ("invalid UTF-8", signed(&invalid, "order.created"), &[400, 422]),
        ("truncated JSON", signed(cut, "order.created"), &[400, 422]),
        ("empty body", signed(b"", "order.created"), &[400, 401, 422]),
        ("no topic", plain_signed(&order, None), &[400, 422]),
        ("hostile topic", plain_signed(&order, Some("order created; drop")), &[400, 422]),
        ("endless topic", plain_signed(&order, Some(&"a.".repeat(2000))), &[400, 422, 431]),
        ("GET", Request::new("GET", "/webhooks/shop"), &[404, 405]),
    ];
    for (name, request, expect) in &cases {
        refusal(&engine, name, request, expect);
    }
    // The unsigned creation ping is fine; a ping to an unknown store is not.
    let ping = |store: &str| {
        Request::new("POST", &format!("/webhooks/{store}"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body("webhook_id=14")
    };
    assert_eq!(once(engine.address(), &ping("shop")).unwrap().status, 200);
    assert_eq!(once(engine.address(), &ping("nobody")).unwrap().status, 404);
    assert_eq!(engine.get("/api/v1/events")["items"], json!([]), "nothing was accepted");
    // And it still works.
    let event = engine.order("order.created", &order);
    engine.run_of(&event, "succeeded");
}

fn plain_signed(body: &[u8], topic: Option<&str>) -> Request {
    let request = Request::new("POST", "/webhooks/shop").header("Content-Type", "application/json");
    let request = request.header("X-WC-Webhook-Signature", &sign::woo(body, WEBHOOK_SECRET));
    let request = if let Some(topic) = topic { request.header("X-WC-Webhook-Topic", topic) } else { request };
    request.body(body)
}

#[test]
fn api_requests_that_must_be_refused() {
    let engine = Engine::running(&[("see.yaml", SEE)]);
    let token = format!("Bearer {}", engine.token());
    let admin = |method: &str, target: &str| Request::new(method, target).header("Authorization", &token);
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let event = |body: &str| admin("POST", "/api/v1/events").header("Content-Type", "application/json").body(body);
    let cases: Vec<(&str, Request, &[u16])> = vec![
        ("no token", Request::new("GET", "/api/v1/runs"), &[401]),
        ("wrong token", Request::new("GET", "/api/v1/runs").header("Authorization", "Bearer x"), &[401]),
        ("wrong scheme", Request::new("GET", "/api/v1/runs").header("Authorization", "Basic eDp5"), &[401]),
        ("unknown path", admin("GET", "/api/v1/nothing"), &[404]),
        ("unknown method", admin("BREW", "/api/v1/runs"), &[404, 405]),
        ("malformed run id", admin("GET", "/api/v1/runs/run_lower"), &[400, 404]),
        ("unknown run", admin("GET", "/api/v1/runs/run_00000000000000000000000000"), &[404]),
        ("unknown event", admin("GET", "/api/v1/events/evt_00000000000000000000000000"), &[404]),
        ("bad status filter", admin("GET", "/api/v1/runs?status=sleeping"), &[400]),
        ("bad limit", admin("GET", "/api/v1/runs?limit=many"), &[400]),
        ("bad cursor", admin("GET", "/api/v1/runs?cursor=%00%ff"), &[400]),
        ("retry of an unknown run", admin("POST", "/api/v1/runs/run_00000000000000000000000000/retry"), &[404]),
        ("cancel of an unknown run", admin("POST", "/api/v1/runs/run_00000000000000000000000000/cancel"), &[404]),
        ("event without topic", event(r#"{"data":{}}"#), &[400, 422]),
        ("event with unknown key", event(r#"{"topic":"a.b","data":{},"dta":1}"#), &[400, 422]),
        ("event of unknown store", event(r#"{"topic":"a.b","store":"nobody","data":{}}"#), &[400, 404, 422]),
        ("event with wrong types", event(r#"{"topic":7,"data":{}}"#), &[400, 422]),
        ("event with deep data", event(&format!(r#"{{"topic":"a.b","data":{deep}}}"#)), &[400, 422]),
        ("no JSON", event("topic=a.b"), &[400, 422]),
        ("invalid UTF-8", admin("POST", "/api/v1/events").body(b"{\"topic\":\"\xff\"}".to_vec()), &[400, 415, 422]),
        ("too large", event(&" ".repeat(12 * 1024 * 1024)), &[413]),
    ];
    for (name, request, expect) in &cases {
        refusal(&engine, name, request, expect);
    }
    assert_eq!(engine.get("/api/v1/events")["items"], json!([]), "nothing was accepted");
}

#[test]
fn broken_connections_leave_nothing_behind() {
    let engine = Engine::running(&[("see.yaml", SEE)]);
    let order = orders::body(1, &mut Random::new(1));
    let whole = signed(&order, "order.created").bytes();
    let mut random = Random::new(7);
    for _ in 0..20 {
        let cut = usize::try_from(random.below(whole.len() as u64 - 1)).unwrap();
        let mut connection = engine.connect();
        connection.write(&whole[..cut]).unwrap();
        drop(connection);
    }
    for garbage in
        [&b"\0\0\0\0"[..], b"GET\r\n\r\n", b"POST /webhooks/shop HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0"]
    {
        let mut connection = engine.connect();
        connection.write(garbage).unwrap();
        connection.finish().unwrap();
        let _ = connection.answer();
    }
    assert_eq!(engine.get("/api/v1/events")["items"], json!([]));
    assert_eq!(engine.webhook("order.created", &order).unwrap().status, 200);
}

#[test]
fn hostile_scripts_fail_their_run_and_nothing_else() {
    let scripts = [
        ("loop", "loop { }"),
        ("recursion", "fn f(n) { f(n + 1) } f(0)"),
        ("text", "let s = \"x\"; loop { s += s; }"),
        ("list", "let a = [1]; loop { a += a; }"),
        ("divide", "1 / 0"),
        ("overflow", "let n = 9223372036854775807; n + 1"),
        ("missing", "event.data.no.such.path"),
        ("denied", "http::get(\"http://127.0.0.1:9/\")"),
        ("thrown", "throw \"no\""),
        ("syntax", "let = ;"),
        ("eval", "eval(\"1\")"),
    ];
    let files: Vec<(String, String)> = scripts
        .iter()
        .map(|(name, script)| {
            let script = serde_json::to_string(script).unwrap();
            (
                format!("{name}.yaml"),
                format!("on: {{ woo: [order.created] }}\nsteps:\n  - id: bad\n    script: {script}\n"),
            )
        })
        .collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("good.yaml", SEE));
    let engine = Engine::running(&files);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    engine.wait("all end", || {
        let runs = engine.runs(&format!("event={event}"));
        let over =
            |run: &Value| ["succeeded", "failed", "parked"].contains(&run["status"].as_str().unwrap_or_default());
        // What does not compile is refused when it is loaded or fails its run; either way it starts nothing else.
        (runs.len() >= scripts.len() - 2 && runs.iter().all(over)).then_some(())
    });
    for run in engine.runs(&format!("event={event}")) {
        let expect = if run["workflow"] == "good" { "succeeded" } else { "failed" };
        assert_eq!(run["status"], expect, "{run}");
        if expect == "failed" {
            assert!(run["error"]["message"].as_str().is_some_and(|message| message.len() > 5), "{run}");
        }
    }
}
