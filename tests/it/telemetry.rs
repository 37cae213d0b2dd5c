//! The trace of a real run, as a collector gets it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use cartwright_tests::{
    engine::Engine,
    orders,
    random::Random,
    sink::{Keys, Sink},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;

use crate::straight_path::with_sink;

const WORKFLOW: &str = r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - { id: tell, http: "POST http://SINK/notify?key=hush", body: { id: "${{ event.data.id }}" } }
  - { id: last, script: "1 + 1" }
"#;

/// A collector on loopback: spans that come in, and what the request was shown.
fn collector() -> (String, mpsc::Receiver<(String, Vec<Span>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, spans) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|bytes| bytes > 2) {}
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).expect("a body");
            let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
            let all = request.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans);
            drop(sender.send((head, all.collect())));
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    (address, spans)
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == key);
    match found.and_then(|one| one.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key} of {}: {other:?}", span.name),
    }
}

#[test]
fn a_run_is_one_trace_and_the_next_service_is_told_its_id() {
    let (address, spans) = collector();
    let sink = Sink::start(Keys::Honoured);
    let mut engine = Engine::new(&[("tell.yaml", &with_sink(WORKFLOW, &sink))]);
    engine.allow_outbound(&["127.0.0.0/8"]);
    engine.variable("CARTWRIGHT_OTLP_ENDPOINT", &address);
    engine.variable("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=made-up");
    engine.start();
    engine.add_store("shop");
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    engine.run_of(&event, "succeeded");
    assert_eq!(engine.stop(), Some(0));
    let mut all = Vec::new();
    while let Ok((head, some)) = spans.try_recv() {
        assert!(head.starts_with("POST /v1/traces ") && head.contains("x-api-key: made-up"), "{head}");
        all.extend(some);
    }
    let named = |name: &str| {
        let found = all.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("{name}: {:?}", all.iter().map(|span| &span.name).collect::<Vec<_>>()))
    };
    let run = named("run tell");
    assert!(run.parent_span_id.is_empty() && all.iter().all(|span| span.trace_id == run.trace_id));
    assert_eq!(
        (text(run, "cartwright.status").as_str(), text(run, "cartwright.store").as_str()),
        ("succeeded", "shop")
    );
    for child in ["event accepted", "step tell", "step last", "commit"] {
        assert_eq!(named(child).parent_span_id, run.span_id, "{child}");
    }
    let call = named("POST");
    assert_eq!((&call.parent_span_id, call.kind()), (&named("step tell").span_id, SpanKind::Client));
    assert_eq!(text(call, "http.response.status_code"), "200");
    assert!(text(call, "url.full").ends_with("/notify") && !format!("{all:?}").contains("hush"), "{call:?}");
    assert!(call.start_time_unix_nano > 0 && call.start_time_unix_nano <= call.end_time_unix_nano);
    let told = sink.received().iter().find_map(|request| request.header("traceparent").map(str::to_owned));
    let expected = format!("00-{}-{}-01", hex::encode(&call.trace_id), hex::encode(&call.span_id));
    assert_eq!(told, Some(expected));
}

#[test]
fn a_collector_that_is_away_holds_up_nothing() {
    let sink = Sink::start(Keys::Honoured);
    let mut engine = Engine::new(&[("tell.yaml", &with_sink(WORKFLOW, &sink))]);
    engine.allow_outbound(&["127.0.0.0/8"]);
    engine.variable("CARTWRIGHT_OTLP_ENDPOINT", "http://127.0.0.1:9");
    engine.start();
    engine.add_store("shop");
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    engine.run_of(&event, "succeeded");
    engine.wait("spans are dropped and counted", || {
        let page = engine.api("GET", "/metrics", None).text();
        let line = page.lines().find_map(|line| line.strip_prefix("cartwright_spans_dropped_total "))?;
        line.parse::<f64>().ok().filter(|dropped| *dropped > 0.0)
    });
    assert!(engine.log().contains("the collector of traces takes no spans"));
}
