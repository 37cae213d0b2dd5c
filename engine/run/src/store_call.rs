//! Calls to a store's REST API (`woo::*`): behind the workflow's grants, through the store's client.

use cartwright_core::{
    Json,
    call::{Again, Call, CallError, ErrorClass},
    id::StoreId,
    woo::WooRequest,
    workflow::Workflow,
};

use crate::{
    host::{Place, asked},
    inner::Inner,
    rehearse,
};

/// Makes the call. `own` is the run's store, `key` the call's idempotency key; `again` as in
/// [`cartwright_core::run::decide::Effect::Call`].
pub(crate) async fn make(
    inner: &Inner,
    workflow: &Workflow,
    own: Option<&StoreId>,
    call: &Call,
    key: &str,
    again: Option<Again>,
    place: &Place,
) -> Result<Json, CallError> {
    let request = WooRequest::parse(call.args.first().unwrap_or(&Json::Null));
    let request = request.map_err(|problem| CallError::r#final("invalid", problem))?;
    workflow.grants.woo(request.method.as_str(), &request.path).map_err(|missing| CallError::denied(&missing))?;
    let id =
        request.store.as_ref().or(own).ok_or_else(|| {
            CallError::r#final("invalid", "this run's event has no store; say which one with `store`")
        })?;
    let unknown = || CallError::r#final("store", format!("there is no store `{id}`; `cartwright store ls` lists them"));
    let store = inner.stores.get(id).ok_or_else(unknown)?;
    workflow.grants.store(id, &store.tags, own).map_err(|missing| CallError::denied(&missing))?;
    let connection = store.connection.as_ref().ok_or_else(|| no_keys(id, store.store.url.as_deref()))?;
    let made = match &inner.options.stand_in {
        None => inner.client.call(connection, &request, key, again).await,
        Some(stand_in) => {
            let asked = asked(workflow, call, place, Some(id));
            rehearse::woo(stand_in, &connection.url, request.clone(), asked, again.is_some(), inner.clock.now()).await
        }
    };
    inner.metrics.store_call(made.as_ref().err().map(|error| error.class));
    inner.told.called(inner.clock.now(), id, made.as_ref().err());
    made
}

/// Only a person can give the keys, so the run waits for them.
fn no_keys(id: &StoreId, url: Option<&str>) -> CallError {
    let url = url.unwrap_or("https://…");
    let message = format!(
        "the store `{id}` has no REST keys: make a pair in WooCommerce (Settings → Advanced → REST API), remove the store \
         with `cartwright store rm {id}`, add it with `cartwright store add {id} --url {url} --key ck_… --secret cs_…`, \
         then retry the run"
    );
    CallError { class: ErrorClass::Park, ..CallError::r#final("store_keys", message) }
}
