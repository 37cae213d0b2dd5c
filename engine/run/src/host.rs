//! What calls do: outbound requests behind the workflow's grants, and the workflow's own durable state.

use std::sync::Arc;

use cartwright_core::{
    Json,
    call::{Again, Call, CallError, CallKind, CallOutcome, ErrorClass},
    id::{RunId, StepPath, StoreId, WorkflowId},
    run::decide::ResolvedCall,
    secret::Mark,
    testing::Request,
    workflow::{StepKind, Workflow},
};
use cartwright_storage::{Expect, Record, RecordWrite, StorageError, Table};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::MutexGuard;

use crate::{
    inner::Inner,
    links,
    metrics::Metrics,
    outbound::{Allow, OutboundRequest},
    rehearse::{self, Asked},
    store_call,
};

/// A value in a workflow's state, as JSON text.
const STATE_VALUE_BYTES_MAX: usize = 64 * 1024;
/// A key in a workflow's state.
pub(crate) const STATE_KEY_BYTES_MAX: usize = 200;

/// Where a call stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) run: RunId,
    pub(crate) path: StepPath,
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Makes an outbound call whose intent is durable. `own` is the run's store; `again` as in
/// [`cartwright_core::run::decide::Effect::Call`].
#[expect(clippy::too_many_arguments, reason = "the parts of one effect, each used once")]
pub(crate) async fn make_call(
    inner: Arc<Inner>,
    workflow: Arc<Workflow>,
    own: Option<StoreId>,
    call: Call,
    key: String,
    again: Option<Again>,
    traceparent: Option<String>,
    place: Place,
) -> CallOutcome {
    Metrics::add(&inner.metrics.calls);
    let made = match call.function.starts_with("woo::") {
        true => store_call::make(&inner, &workflow, own.as_ref(), &call, &key, again, &place).await,
        false => send(&inner, &workflow, &call, key, traceparent, &place).await,
    };
    match made {
        Ok(answer) => CallOutcome::Ok(answer),
        Err(error) => {
            Metrics::add(match error.class {
                ErrorClass::Deferred => &inner.metrics.call_deferrals,
                _ => &inner.metrics.call_errors,
            });
            CallOutcome::Err(error)
        }
    }
}

async fn send(
    inner: &Inner,
    workflow: &Arc<Workflow>,
    call: &Call,
    key: String,
    traceparent: Option<String>,
    place: &Place,
) -> Result<Json, CallError> {
    let spec = call.args.first().unwrap_or(&Json::Null);
    let mut secrets = open_secrets(inner, workflow, spec).await?;
    if gives_plaintext(workflow) {
        add_granted(inner, workflow, &mut secrets).await?;
    }
    let links = make_links(inner, workflow, spec, place)?;
    let find = |mark: Mark<'_>| {
        let (list, name) = match mark {
            Mark::Secret(name) => (&secrets, name),
            Mark::Link(path) => (&links, path),
        };
        list.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut spec = match secrets.is_empty() && links.is_empty() {
        true => spec.clone(),
        false => inner.marks.open_json(spec, find).map_err(|missing| secret_missing(&missing.to_string()))?,
    };
    // What gives the right is the last part of a link; the rest is no secret.
    let tokens =
        links.iter().filter_map(|(path, link)| Some((format!("link {path}"), link.rsplit('/').next()?.to_owned())));
    if inner.options.stand_in.is_none() {
        secrets.extend(tokens);
    }
    if let Some(traceparent) = traceparent {
        tell_trace(&mut spec, traceparent);
    }
    let repeatable = !matches!(call.kind, CallKind::Outside { repeatable: false });
    let granted = Arc::clone(workflow);
    let allow: Allow = Arc::new(move |method, host, port| granted.grants.http(method, host, Some(port)));
    let request = OutboundRequest { spec, idempotency_key: key, repeatable, secrets, allow };
    match &inner.options.stand_in {
        None => inner.outbound.send(request).await,
        Some(stand_in) => rehearse::http(stand_in, request, asked(workflow, call, place, None)).await,
    }
}

/// What somebody who answers in place of the world is told of a call; the request itself is filled in by who has it.
pub(crate) fn asked(workflow: &Workflow, call: &Call, place: &Place, store: Option<&StoreId>) -> Asked {
    Asked {
        run: place.run.clone(),
        workflow: workflow.id.clone(),
        path: place.path.clone(),
        index: place.index,
        function: call.function.clone(),
        fingerprint: call.fingerprint.clone(),
        store: store.cloned(),
        request: Request::default(),
    }
}

/// Puts the trace among the call's headers, unless the workflow sends one of its own.
fn tell_trace(spec: &mut Json, traceparent: String) {
    let Some(spec) = spec.as_object_mut() else { return };
    let headers = spec.entry("headers").or_insert_with(|| json!({}));
    if headers.is_null() {
        *headers = json!({});
    }
    if let Some(headers) = headers.as_object_mut()
        && !headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent"))
    {
        headers.insert("traceparent".into(), traceparent.into());
    }
}

/// Opens the secrets a call names; nothing of them is kept.
async fn open_secrets(inner: &Inner, workflow: &Workflow, spec: &Json) -> Result<Vec<(String, String)>, CallError> {
    let mut opened = Vec::new();
    for name in inner.marks.names_in_json(spec) {
        workflow.grants.secret(&name).map_err(|missing| CallError::denied(&missing))?;
        let secret = inner.secrets.open(&name).await.map_err(|error| secret_missing(&error.to_string()))?;
        let secret = secret.ok_or_else(|| {
            secret_missing(&format!(
                "the secret `{name}` is not set; set it with `cartwright secret set {name}`, then retry the run"
            ))
        })?;
        let text = secret.expose_text().ok_or_else(|| secret_missing(&format!("the secret `{name}` is not text")))?;
        opened.push((name, text.to_owned()));
    }
    Ok(opened)
}

/// Whether a plugin of the workflow may know secrets, and send them in a form that nobody recognises: what comes back is
/// then searched for all of them.
fn gives_plaintext(workflow: &Workflow) -> bool {
    let mut gives = false;
    workflow.visit_steps(&mut |step| {
        gives |= matches!(&step.kind, StepKind::Plugin(plugin) if plugin.plugin.imports.contains("secrets"));
    });
    gives
}

async fn add_granted(inner: &Inner, workflow: &Workflow, secrets: &mut Vec<(String, String)>) -> Result<(), CallError> {
    for name in &workflow.grants.secrets {
        if secrets.iter().any(|(known, _)| known == name) {
            continue;
        }
        let opened = inner.secrets.open(name).await.map_err(|error| secret_missing(&error.to_string()))?;
        let text = opened.and_then(|secret| secret.expose_text().map(str::to_owned));
        secrets.extend(text.map(|text| (name.clone(), text)));
    }
    Ok(())
}

/// Makes the links that a call names, by the paths of their steps.
fn make_links(
    inner: &Inner,
    workflow: &Workflow,
    spec: &Json,
    place: &Place,
) -> Result<Vec<(String, String)>, CallError> {
    let paths = inner.marks.links_in_json(spec).into_iter();
    let made = paths.map(|path| {
        let link = links::link(inner, workflow, &place.run, place.generation, StepPath::new(path.as_str()))?;
        Ok((path, link))
    });
    made.collect()
}

fn secret_missing(message: &str) -> CallError {
    CallError { class: ErrorClass::Park, ..CallError::r#final("secret", message) }
}

/// A storage call with its result, as decisions take it.
pub(crate) fn resolved(index: u32, call: Call, outcome: CallOutcome) -> ResolvedCall {
    ResolvedCall { index, function: call.function, fingerprint: call.fingerprint, outcome }
}

/// What a call on the workflow's own state gave when it was made for real, in a replay.
pub(crate) fn known(inner: &Inner, run: &RunId, path: &StepPath, index: u32, call: &Call) -> Option<CallOutcome> {
    inner.options.stand_in.as_ref()?.0.stored(run, path, index, &call.fingerprint)
}

/// Holds off other runs of this engine that want to change the same key.
pub(crate) async fn lock_state<'a>(inner: &'a Inner, workflow: &WorkflowId, call: &Call) -> MutexGuard<'a, ()> {
    let mut hash = Sha256::new();
    hash.update(workflow.as_str());
    hash.update(call.args.first().and_then(Json::as_str).unwrap_or_default());
    let lock = usize::from(hash.finalize()[0]) % inner.state_locks.len();
    inner.state_locks[lock].lock().await
}

/// Works out a call on the workflow's own state: what it gives, and what must become true with it.
pub(crate) async fn store_call(
    inner: &Inner,
    workflow: &WorkflowId,
    call: &Call,
) -> Result<(CallOutcome, Option<RecordWrite>), StorageError> {
    let name = call.args.first().and_then(Json::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > STATE_KEY_BYTES_MAX {
        let message = format!("a key of the state has 1 to {STATE_KEY_BYTES_MAX} bytes");
        return Ok((CallOutcome::Err(CallError::r#final("invalid", message)), None));
    }
    let key = format!("{workflow}\0{name}");
    let before = inner.storage.record(Table::State, &key).await?;
    Ok(match state_change(call, before.as_ref()) {
        Ok((given, None)) => (CallOutcome::Ok(given), None),
        Ok((given, Some(change))) => {
            let expect = before.map_or(Expect::Absent, |record| Expect::Version(record.version));
            let value = match change {
                Change::Set(value) => Some(value.to_string().into_bytes()),
                Change::Delete => None,
            };
            (CallOutcome::Ok(given), Some(RecordWrite { table: Table::State, key, expect, value }))
        }
        Err(error) => (CallOutcome::Err(error), None),
    })
}

enum Change {
    Set(Json),
    Delete,
}

/// What a state function gives and changes, by what is there now.
fn state_change(call: &Call, before: Option<&Record>) -> Result<(Json, Option<Change>), CallError> {
    let now = match before {
        Some(record) => serde_json::from_slice(&record.value)
            .map_err(|error| CallError::r#final("damaged", format!("the stored state cannot be read: {error}")))?,
        None => Json::Null,
    };
    let arg = |index: usize| call.args.get(index).cloned().unwrap_or(Json::Null);
    match call.function.as_str() {
        "state::get" => Ok((now, None)),
        "state::set" => Ok((Json::Null, Some(set(arg(1))?))),
        "state::delete" => Ok((json!(before.is_some()), before.map(|_| Change::Delete))),
        "state::compare_and_set" if now == arg(1) => Ok((json!(true), Some(set(arg(2))?))),
        "state::compare_and_set" => Ok((json!(false), None)),
        "state::increment" => {
            let sum = increment(&now, &call.args.get(1).cloned().unwrap_or_else(|| json!(1)))?;
            Ok((sum.clone(), Some(set(sum)?)))
        }
        other => Err(CallError::r#final("invalid", format!("there is no host function `{other}`"))),
    }
}

fn set(value: Json) -> Result<Change, CallError> {
    let bytes = value.to_string().len();
    if bytes > STATE_VALUE_BYTES_MAX {
        let message = format!("a value of the state has at most {STATE_VALUE_BYTES_MAX} bytes, this one has {bytes}");
        return Err(CallError::r#final("too_large", message));
    }
    Ok(Change::Set(value))
}

fn increment(now: &Json, by: &Json) -> Result<Json, CallError> {
    let whole = |value: &Json| match value {
        Json::Null => Some(0),
        Json::Number(number) => number.as_i64(),
        _ => None,
    };
    let sum = whole(now).zip(whole(by)).and_then(|(now, by)| now.checked_add(by));
    sum.map(|sum| json!(sum)).ok_or_else(|| {
        CallError::r#final(
            "type",
            format!("state::increment needs whole numbers; there is {now}, to be raised by {by}"),
        )
    })
}
