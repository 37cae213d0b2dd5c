//! One operation of the document: a row about an address comes in, with what it takes to get there; everything that many
//! addresses share (credentials, their refusals, pages) is added here.

use std::collections::BTreeMap;

use utoipa::openapi::{
    Content, ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
    ResponsesBuilder, Schema,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{AllOfBuilder, SchemaType, Type},
    security::SecurityRequirement,
};

use cartwright_core::{
    access::{Right, Scope},
    id::{EventId, RunId, StoreId, WorkflowId},
};

use super::{
    about::{About, Gives, Shape, Shapes, Takes, a, text},
    codes,
};
use crate::{
    api::query::{DEFAULT_LIMIT, MAX_LIMIT},
    caller::Need,
};

/// Groups of addresses: the first part of their path below `/api/v1`, and what it is about.
pub(super) const TAGS: &[(&str, &str)] = &[
    ("runs", "Executions of workflows."),
    ("events", "What came in, and what came of it."),
    ("gates", "What `debounce` and `collect` hold now."),
    ("live", "What happens, as it happens."),
    ("workflows", "What is loaded, and starting one by hand."),
    ("stores", "Whom the engine works for."),
    ("secrets", "Named secrets of workflows. Values go in and never come out."),
    ("keys", "The master keys that seal everything secret."),
    ("tokens", "Who may use the API."),
    ("users", "People, and invitations."),
    ("session", "Signing in and out."),
    ("audit", "Who changed what."),
    ("backup", "A copy of everything."),
    (
        "webhooks and hooks",
        "Where events come in from outside. No token: what comes is signed, or invited by a workflow.",
    ),
    ("operations", "For machines that look after this one."),
];

/// What a path's variables are.
const VARIABLES: &[(&str, &str, &str, Shape)] = &[
    ("/runs/", "id", "The run.", a::<RunId>),
    ("/events/", "id", "The event.", a::<EventId>),
    ("/workflows/", "id", "The workflow. Its id may hold slashes, as they are or as `%2F`.", a::<WorkflowId>),
    ("/stores/", "id", "The store.", a::<StoreId>),
    ("/webhooks/", "store", "The store.", a::<StoreId>),
];

/// An operation. `path` is the whole path.
pub(super) fn operation(path: &str, about: &About, need: Need, shapes: &mut Shapes) -> Operation {
    let operation = OperationBuilder::new()
        .tag(tag(path))
        .operation_id(Some(about.id))
        .summary(Some(about.summary))
        .description(Some(description(about, need)).filter(|text| !text.is_empty()))
        .parameters(Some(parameters(path, about, need, shapes)))
        .request_body(about.takes.as_ref().map(|takes| body(takes, shapes)));
    let mut responses = ResponsesBuilder::new();
    let repeats = repeatable(about.method, need);
    for gives in about.gives {
        responses = responses.response(gives.status.to_string(), answer(gives, repeats, shapes));
    }
    for (status, codes) in refusals(path, about, need) {
        responses = responses.response(status.to_string(), refusal(status, &codes, repeats));
    }
    let operation = operation.responses(responses);
    securities(about.method, need).into_iter().fold(operation, OperationBuilder::security).build()
}

fn tag(path: &str) -> &'static str {
    let below = path.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next());
    let known = |name: &str| TAGS.iter().map(|(tag, _)| *tag).find(|tag| *tag == name);
    match below {
        Some("sessions") => "session",
        Some(name) => known(name).unwrap_or("operations"),
        None if path.starts_with("/webhooks/") || path.starts_with("/hooks/") => "webhooks and hooks",
        None => "operations",
    }
}

fn description(about: &About, need: Need) -> String {
    let scope = match need {
        Need::Area(..) | Need::Admin => scopes(need).iter().map(|scope| format!("Scope: `{scope}`.")).collect(),
        Need::AnyOf(areas) => {
            let scopes: Vec<String> = areas.iter().map(|area| Scope::Area(*area, Right::Read).to_string()).collect();
            format!("Scope: one of `{}`.", scopes.join("`, `"))
        }
        Need::Anyone => "Any valid credentials.".to_owned(),
        Need::Open => String::new(),
    };
    [about.text, &scope].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// What a token must have.
pub(super) fn scopes(need: Need) -> Vec<String> {
    match need {
        Need::Area(area, right) => vec![Scope::Area(area, right).to_string()],
        Need::Admin => vec![Scope::Admin.to_string()],
        Need::AnyOf(_) | Need::Anyone | Need::Open => Vec::new(),
    }
}

fn securities(method: &str, need: Need) -> Vec<SecurityRequirement> {
    if need == Need::Open {
        return Vec::new();
    }
    let token = SecurityRequirement::new("token", scopes(need));
    let session = SecurityRequirement::new("session", scopes(need));
    let session = if method == "GET" { session } else { session.add("csrf", Vec::<String>::new()) };
    vec![token, session]
}

fn parameters(path: &str, about: &About, need: Need, shapes: &mut Shapes) -> Vec<Parameter> {
    let mut all = Vec::new();
    for name in path.split(['{', '}']).skip(1).step_by(2) {
        let known = VARIABLES.iter().find(|(part, variable, ..)| path.contains(part) && *variable == name);
        let (says, shape) = known.map_or(("", text as Shape), |(_, _, says, shape)| (*says, *shape));
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        let says = (!says.is_empty()).then_some(says);
        let schema = if known.is_some() { shape(shapes) } else { name_of_something() };
        all.push(parameter.description(says).schema(Some(schema)).build());
    }
    if repeatable(about.method, need) {
        let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
        let says = "Makes the request safe to send again: for 24 hours the same request with the same key gives the same answer.";
        let header = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        let header = header.required(Required::False).description(Some(says));
        all.push(header.schema(Some(key.pattern(Some("^[!-~]+$")))).build());
    }
    let query = |name: &str, says: &str, schema: RefOr<Schema>| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(Required::False);
        parameter.description(Some(says)).schema(Some(schema)).build()
    };
    for one in about.query {
        all.push(query(one.name, one.says, (one.shape)(shapes)));
    }
    if about.pages {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MAX_LIMIT));
        let limit = limit.default(Some(DEFAULT_LIMIT.into()));
        all.push(query("limit", "Items on a page at most.", limit.into()));
        let cursor = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        all.push(query("cursor", "`next` of the page before.", cursor.into()));
    }
    all
}

/// Whether it takes part in `Idempotency-Key`.
fn repeatable(method: &str, need: Need) -> bool {
    method == "POST" && need != Need::Open
}

fn name_of_something() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).into()
}

fn body(takes: &Takes, shapes: &mut Shapes) -> RequestBody {
    let required = if takes.required { Required::True } else { Required::False };
    let content = Content::new(Some((takes.shape)(shapes)));
    let content = match serde_json::from_str(takes.example) {
        Ok(example) => ContentBuilder::from(content).example(Some(example)).build(),
        Err(_) => content,
    };
    RequestBodyBuilder::new().required(Some(required)).content(takes.kind, content).build()
}

/// Headers that come with some answers of their status only.
#[cfg(test)]
pub(super) const SOMETIMES: &[(u16, &str)] = &[
    (409, "Retry-After"),
    (200, REPLAYED),
    (201, REPLAYED),
    (202, REPLAYED),
    (204, REPLAYED),
    (400, REPLAYED),
    (403, REPLAYED),
    (404, REPLAYED),
    (409, REPLAYED),
];

/// On what was answered before.
const REPLAYED: &str = "Idempotency-Replayed";

fn header(schema: Type, says: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(SchemaType::Type(schema));
    HeaderBuilder::new().schema(schema).description(Some(says)).build()
}

/// Answers of handlers are kept, those that never got to one and those that say that nothing was done are not.
fn replayed(response: ResponseBuilder, status: u16, repeats: bool) -> ResponseBuilder {
    if !repeats || status >= 500 || [401, 408, 413, 421, 422, 429].contains(&status) {
        return response;
    }
    let says = "`true`: this is the answer of before, and nothing was done again.";
    response.header(REPLAYED, header(Type::String, says))
}

fn answer(gives: &Gives, repeats: bool, shapes: &mut Shapes) -> Response {
    let response = replayed(ResponseBuilder::new().description(gives.says), gives.status, repeats);
    match gives.shape {
        Some(shape) => response.content(gives.kind, Content::new(Some(shape(shapes)))).build(),
        None => response.build(),
    }
}

/// All refusals of an address by status.
pub(crate) fn refusals(path: &str, about: &About, need: Need) -> BTreeMap<u16, Vec<&'static str>> {
    let mut all: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    let mut add = |pairs: &[(u16, &'static str)]| {
        for (status, code) in pairs {
            let codes = all.entry(*status).or_default();
            if !codes.contains(code) {
                codes.push(code);
            }
        }
    };
    let api = path.starts_with("/api/v1/");
    let safe = about.method == "GET";
    add(about.refuses);
    if api && path.contains('{') {
        add(&[(404, "unknown_path")]);
    }
    if need != Need::Open {
        add(&[(400, "filter_invalid")]);
    }
    if about.pages {
        add(&[(400, "argument_invalid")]);
    }
    if about.takes.is_some() {
        add(&[(400, "body_cut"), (408, "body_late"), (413, "body_too_large")]);
    }
    if repeatable(about.method, need) {
        add(&[(400, "idempotency_key_malformed"), (409, "answer_not_kept"), (409, "outcome_unknown")]);
        add(&[(409, "request_under_way"), (422, "idempotency_key_reused")]);
        add(&[(400, "body_cut"), (408, "body_late"), (413, "body_too_large"), (500, "internal")]);
    }
    if api && about.takes.is_some() {
        add(&[(400, "body_invalid")]);
    }
    if matches!(need, Need::Area(..) | Need::AnyOf(_) | Need::Admin) {
        add(&[(403, "scope_missing")]);
    }
    if need != Need::Open {
        add(&[(401, "token_wrong"), (401, "session_over"), (421, "host_unknown"), (429, "rate_limited")]);
        add(&[(503, "unavailable")]);
    }
    if need != Need::Open && !safe {
        add(&[(403, "csrf_wrong"), (403, "origin_wrong"), (503, "audit_unavailable")]);
    }
    all
}

fn refusal(status: u16, codes: &[&'static str], repeats: bool) -> Response {
    let lines = codes.iter().map(|code| format!("- `{code}`: {}", codes::says(status, code)));
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.to_vec()));
    let schema =
        AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(ObjectBuilder::new().property("code", code));
    let response = ResponseBuilder::new()
        .description(lines.collect::<Vec<_>>().join("\n"))
        .content("application/problem+json", Content::new(Some(RefOr::T(Schema::AllOf(schema.build())))));
    let response = replayed(response, status, repeats);
    let wait = || header(Type::Integer, "Seconds until trying again makes sense.");
    match status {
        401 => response.header("WWW-Authenticate", header(Type::String, "The kind of credentials to send.")),
        405 => response.header("Allow", header(Type::String, "The methods that this address takes.")),
        429 | 503 => response.header("Retry-After", wait()),
        409 if codes.contains(&"request_under_way") => response.header("Retry-After", wait()),
        _ => response,
    }
    .build()
}
