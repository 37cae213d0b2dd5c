//! Traces on the wire: OTLP 1.x over HTTP as protobuf. The messages are those of `opentelemetry/proto/trace/v1`, as far
//! as we write them; a test reads what we write with OpenTelemetry's own types.

use cartwright_core::time::Timestamp;
use cartwright_run::{Attribute, Span as Finished};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_CLIENT`.
const INTERNAL: i32 = 1;
const CLIENT: i32 = 3;
/// `STATUS_CODE_ERROR`
const ERROR: i32 = 2;

/// An export request with these spans.
pub(super) fn encode(spans: Vec<Finished>, instance: &str) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let text = |key, value: &str| attribute((key, Attribute::Text(value.to_owned())));
    let resource = Resource {
        attributes: vec![
            text("service.name", "cartwright"),
            text("service.version", version),
            text("service.instance.id", instance),
        ],
    };
    let scope = Scope { name: "cartwright".to_owned(), version: version.to_owned() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: spans.into_iter().map(span).collect() };
    let resource_spans = ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans] };
    Request { resource_spans: vec![resource_spans] }.encode_to_vec()
}

fn span(span: Finished) -> Span {
    let mut attributes: Vec<KeyValue> = span.attributes.into_iter().map(attribute).collect();
    attributes.extend(span.failed.clone().map(|code| attribute(("error.type", Attribute::Text(code)))));
    let links = span.link.map(|(trace, id)| Link { trace_id: trace.to_vec(), span_id: id.to_vec() });
    Span {
        trace_id: span.trace.to_vec(),
        span_id: span.id.to_vec(),
        parent_span_id: span.parent.map(|id| id.to_vec()).unwrap_or_default(),
        name: span.name,
        kind: if span.is_client { CLIENT } else { INTERNAL },
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes,
        links: links.into_iter().collect(),
        status: span.failed.map(|message| Status { message, code: ERROR }),
    }
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or_default().saturating_mul(1_000_000)
}

fn attribute((key, value): (&str, Attribute)) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::Text(text),
        Attribute::Number(number) => Value::Number(number),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value, trace::v1::span::SpanKind,
    };

    use super::*;

    #[test]
    fn what_is_written_is_read_by_opentelemetrys_own_types() {
        let finished = Finished {
            trace: [7; 16],
            id: [8; 8],
            parent: Some([9; 8]),
            link: Some(([1; 16], [2; 8])),
            name: "GET".into(),
            is_client: true,
            start: Timestamp::from_millis(1_000),
            end: Timestamp::from_millis(1_500),
            attributes: vec![("http.request.method", "GET".into()), ("server.port", 443.into())],
            failed: Some("timeout".into()),
        };
        let bytes = encode(vec![finished], "here");
        let read = <ExportTraceServiceRequest as prost::Message>::decode(bytes.as_slice()).expect("OTLP");
        let spans = &read.resource_spans[0];
        let resource = spans.resource.as_ref().expect("a resource");
        assert_eq!(resource.attributes[0].key, "service.name");
        let span = &spans.scope_spans[0].spans[0];
        assert_eq!((span.trace_id.as_slice(), span.span_id.as_slice()), (&[7; 16][..], &[8; 8][..]));
        assert_eq!((span.parent_span_id.as_slice(), span.name.as_str()), (&[9; 8][..], "GET"));
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_000_000_000, 1_500_000_000));
        assert_eq!(span.kind(), SpanKind::Client);
        assert_eq!(span.links[0].trace_id, [1; 16]);
        assert_eq!(span.status.as_ref().map(|status| (status.code, status.message.as_str())), Some((2, "timeout")));
        let value = |key: &str| {
            let found = span.attributes.iter().find(|one| one.key == key)?;
            found.value.as_ref()?.value.clone()
        };
        assert_eq!(value("server.port"), Some(any_value::Value::IntValue(443)));
        assert_eq!(value("error.type"), Some(any_value::Value::StringValue("timeout".into())));
    }
}
