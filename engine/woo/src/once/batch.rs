//! Batches, `POST …/batch`: each created item is looked for by the recipe of its kind, under the call's key and its
//! place in the list. What is found leaves the repeated batch and stands in the answer where it was asked for; updates
//! and deletes are repeated, which does no harm.

use std::collections::BTreeMap;

use cartwright_core::{
    Json,
    call::{Again, CallError},
    woo::{Recipe, Repetition, WooMethod, WooRequest},
};
use serde_json::{Map, json};

use super::{
    Wait, find, marked, marker,
    probe::{Finding, Probe},
    send, unknown,
    window::Window,
};
use crate::client::{Client, Connection};

/// A batch, taken apart.
struct Batch<'a> {
    request: &'a WooRequest,
    /// Where its objects are: `products/23/variations`.
    collection: &'a str,
    /// How created items are recognised; `None`: nobody can.
    recipe: Option<Recipe>,
    creates: &'a [Json],
    key: &'a str,
}

/// Makes the batch, each of its creations once.
pub(super) async fn write(
    client: &Client,
    store: &Connection,
    request: &WooRequest,
    key: &str,
    again: Option<Again>,
) -> Result<Json, CallError> {
    let batch = Batch::new(request, key);
    let sent = batch.marked()?;
    let Some(again) = again else { return send(client, store, &sent).await };
    let wait = Wait::new(client, again);
    let probe = Probe { client, store, request, marker: key, window: Window::new(again, client.request_can_run()) };
    let findings = batch.find(&probe).await?;
    let doubt = findings.iter().find_map(|finding| match finding {
        Finding::Doubt(words) => Some(words),
        _ => None,
    });
    if let Some(words) = doubt {
        wait.is_over()?;
        return Err(unknown(words));
    }
    if findings.contains(&Finding::Nothing) {
        wait.is_over()?;
    }
    let mut answer = match batch.rest(&sent, &findings) {
        Some(rest) => send(client, store, &rest).await?,
        None => json!({}),
    };
    removed(&mut answer);
    Ok(merged(answer, findings))
}

impl<'a> Batch<'a> {
    fn new(request: &'a WooRequest, key: &'a str) -> Self {
        let collection = request.path.strip_suffix("/batch").unwrap_or(&request.path);
        let alone = item(request, collection, None);
        let recipe = match alone.repetition() {
            Repetition::Settled(recipe) => Some(recipe),
            Repetition::Harmless | Repetition::Never => None,
        };
        let creates = request.body.as_ref().and_then(|body| body.get("create")?.as_array());
        Self { request, collection, recipe, creates: creates.map_or(&[], Vec::as_slice), key }
    }

    /// The marker of one item.
    fn marker(&self, index: usize) -> String {
        format!("{}#{index}", self.key)
    }

    fn marked(&self) -> Result<WooRequest, CallError> {
        let mut request = self.request.clone();
        let creates = request.body.as_mut().and_then(|body| body.get_mut("create")?.as_array_mut());
        if self.recipe.is_some_and(marker::is_kept) {
            for (index, item) in creates.into_iter().flatten().enumerate() {
                marker::add(item, marker::KEY, &self.marker(index))?;
            }
        }
        Ok(request)
    }

    /// What became of each created item.
    async fn find(&self, probe: &Probe<'_>) -> Result<Vec<Finding>, CallError> {
        match self.recipe {
            _ if self.creates.is_empty() => Ok(Vec::new()),
            None => Ok(vec![Finding::Doubt(format!(
                "the answer to an earlier try was lost, and nothing tells which of the new {} it made. Look, then say what \
                 happened",
                self.collection
            ))]),
            // One walk through the newest serves all items.
            Some(Recipe::Product | Recipe::Order | Recipe::Coupon) => self.find_marked(probe).await,
            Some(recipe) => {
                let mut findings = Vec::with_capacity(self.creates.len());
                for (index, create) in self.creates.iter().enumerate() {
                    let (request, marker) = (item(self.request, self.collection, Some(create)), self.marker(index));
                    let one = Probe { request: &request, marker: &marker, ..*probe };
                    findings.push(Box::pin(find(&one, recipe)).await?);
                }
                Ok(findings)
            }
        }
    }

    async fn find_marked(&self, probe: &Probe<'_>) -> Result<Vec<Finding>, CallError> {
        let request = item(self.request, self.collection, None);
        let probe = Probe { request: &request, ..*probe };
        let listing = marked::newest(&probe, self.collection).await?;
        let mut ids: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for object in &listing.items {
            let place = marker::entries(object, marker::KEY).find_map(|value| self.place(value.as_str()?));
            if let (Some(place), Some(id)) = (place, object.get("id").and_then(Json::as_u64)) {
                ids.entry(place).or_default().push(id);
            }
        }
        let objects = self.objects(&probe, &ids).await?;
        let finding = |index: usize| match ids.get(&index).map(Vec::as_slice) {
            Some([id]) => match objects.get(id) {
                Some(object) => self.whole(&probe, index, object.clone()),
                None => {
                    Finding::Doubt(format!("{}/{id} was made by an earlier try, but cannot be read", self.collection))
                }
            },
            Some(several) => {
                Finding::Doubt(format!("an earlier try's create[{index}] is there more than once: {several:?}"))
            }
            None if listing.is_cut => Finding::Doubt(marked::cut(self.collection)),
            None => Finding::Nothing,
        };
        Ok((0..self.creates.len()).map(finding).collect())
    }

    fn whole(&self, probe: &Probe<'_>, index: usize, object: Json) -> Finding {
        if self.recipe != Some(Recipe::Order) {
            return Finding::Ours(object);
        }
        let request = item(self.request, self.collection, self.creates.get(index));
        marked::whole(&Probe { request: &request, ..*probe }, object)
    }

    /// Which item a marker names.
    fn place(&self, marker: &str) -> Option<usize> {
        marker.strip_prefix(self.key)?.strip_prefix('#')?.parse().ok()
    }

    /// Found objects in full, by id.
    async fn objects(
        &self,
        probe: &Probe<'_>,
        ids: &BTreeMap<usize, Vec<u64>>,
    ) -> Result<BTreeMap<u64, Json>, CallError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let include: Vec<String> = ids.values().flatten().map(u64::to_string).collect();
        let listing = probe.list(self.collection, json!({"include": include.join(","), "context": "edit"})).await?;
        let by_id = |object: Json| Some((object.get("id")?.as_u64()?, object));
        Ok(listing.items.into_iter().filter_map(by_id).collect())
    }

    /// The batch without what is there; `None` when nothing is left of it.
    fn rest(&self, sent: &WooRequest, findings: &[Finding]) -> Option<WooRequest> {
        let mut rest = sent.clone();
        let Some(Json::Object(body)) = rest.body.as_mut() else { return Some(rest) };
        if let Some(Json::Array(creates)) = body.get_mut("create") {
            let mut places = findings.iter();
            creates.retain(|_| !matches!(places.next(), Some(Finding::Ours(_))));
        }
        body.retain(|_, list| list.as_array().is_none_or(|list| !list.is_empty()));
        (!body.is_empty() || findings.is_empty()).then_some(rest)
    }
}

/// One item as if it were made alone.
fn item(batch: &WooRequest, collection: &str, fields: Option<&Json>) -> WooRequest {
    WooRequest {
        method: WooMethod::Post,
        path: collection.to_owned(),
        store: batch.store.clone(),
        query: Map::new(),
        body: fields.cloned(),
        all: false,
    }
}

/// Objects that an earlier try removed are gone, which was wanted: of those, the answer keeps the id.
fn removed(answer: &mut Json) {
    for entry in answer.get_mut("delete").and_then(Json::as_array_mut).into_iter().flatten() {
        let Some(error) = entry.get("error") else { continue };
        let status = error.get("data").and_then(|data| data.get("status")).and_then(Json::as_u64);
        if matches!(status, Some(404 | 410)) {
            // Where a variation is not there, the id is the whole item.
            let id = entry.get("id").map(|id| id.get("id").unwrap_or(id).clone());
            *entry = json!({"id": id});
        }
    }
}

/// Puts what was found between what the repeat answered, in the order of the request.
fn merged(mut answer: Json, findings: Vec<Finding>) -> Json {
    if findings.is_empty() {
        return answer;
    }
    if !answer.is_object() {
        // An empty batch answers with an empty list.
        answer = json!({});
    }
    let mut repeated = match answer.get_mut("create").map(Json::take) {
        Some(Json::Array(created)) => created,
        _ => Vec::new(),
    }
    .into_iter();
    let mut created: Vec<Json> = Vec::with_capacity(findings.len());
    for finding in findings {
        match finding {
            Finding::Ours(body) => created.push(body),
            _ => created.extend(repeated.next()),
        }
    }
    created.extend(repeated);
    answer["create"] = Json::Array(created);
    answer
}
