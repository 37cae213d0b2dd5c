//! Writes that happen once, although WooCommerce knows no idempotency keys and an answer can get lost.
//!
//! A call comes in with its key and, when an earlier try under that key may have arrived, the times between which it was
//! sent. A first try carries our marker (the key, as hidden metadata) where the resource keeps metadata, and is
//! sent. A repeat looks first whether the earlier try took effect: what it finds is the call's answer; it sends again only
//! when nothing is there and the earlier request can no longer be running; what cannot be decided is `unknown`.
//! `engine/docs/decisions/0006-once-only-writes.md` says what is recognised by what, and why.
//!
//! Read in this order: this file, [`marker`], [`window`] (which times count), [`probe`] (asking the store), the recipes
//! [`marked`], [`unique`], [`alike`] and [`lines`], and [`batch`], which does the same for each item.

mod alike;
mod batch;
mod lines;
mod marked;
mod marker;
mod probe;
mod unique;
mod window;

use std::time::Duration;

use cartwright_core::{
    Json,
    call::{Again, CallError, ErrorClass, UNDECIDED},
    woo::{Recipe, WooRequest},
};

use self::{
    probe::{Finding, Probe},
    window::Window,
};
use crate::client::{Client, Connection};

/// Makes a write of the kind `recipe`, once. `key` is the call's idempotency key; `again`: an earlier try under this key
/// may have arrived.
pub(crate) async fn write(
    client: &Client,
    store: &Connection,
    request: &WooRequest,
    recipe: Recipe,
    key: &str,
    again: Option<Again>,
) -> Result<Json, CallError> {
    if recipe == Recipe::Batch {
        return batch::write(client, store, request, key, again).await;
    }
    let sent = marker::marked(request, recipe, key)?;
    let Some(again) = again else { return send(client, store, &sent).await };
    // Read before the store is asked: what had settled by then is in what it says.
    let wait = Wait::new(client, again);
    let probe = Probe { client, store, request, marker: key, window: Window::new(again, client.request_can_run()) };
    match find(&probe, recipe).await? {
        Finding::Ours(body) => Ok(body),
        // WooCommerce keeps the field unique: its refusal is the call's answer.
        Finding::Taken => send(client, store, &sent).await,
        Finding::Nothing => {
            wait.is_over()?;
            send_again(&probe, &sent, recipe).await
        }
        Finding::Doubt(words) => {
            wait.is_over()?;
            Err(unknown(&words))
        }
    }
}

/// Asks the store whether the earlier try took effect.
async fn find(probe: &Probe<'_>, recipe: Recipe) -> Result<Finding, CallError> {
    match recipe {
        Recipe::Product => unique::product(probe).await,
        Recipe::Customer => unique::customer(probe).await,
        Recipe::Coupon => unique::coupon(probe).await,
        Recipe::Order => marked::order(probe).await,
        Recipe::Refund => marked::refund(probe).await,
        Recipe::OrderLines => lines::find(probe).await,
        Recipe::Note => alike::note(probe).await,
        Recipe::Webhook => alike::webhook(probe).await,
        Recipe::TaxRate => alike::tax_rate(probe).await,
        Recipe::Term => alike::term(probe).await,
        // Each item is looked for by its own recipe.
        Recipe::Batch => Ok(Finding::Nothing),
    }
}

async fn send(client: &Client, store: &Connection, request: &WooRequest) -> Result<Json, CallError> {
    client.exchange(store, request).await.map(|answer| answer.body).map_err(|failure| failure.error)
}

/// A repeat that is refused as a duplicate met the earlier try after all.
async fn send_again(probe: &Probe<'_>, sent: &WooRequest, recipe: Recipe) -> Result<Json, CallError> {
    let unique = matches!(recipe, Recipe::Product | Recipe::Customer | Recipe::Coupon | Recipe::Term);
    match send(probe.client, probe.store, sent).await {
        Err(error) if unique && error.class == ErrorClass::Final => match find(probe, recipe).await {
            Ok(Finding::Ours(body)) => Ok(body),
            _ => Err(error),
        },
        done => done,
    }
}

/// Whether an earlier request can still be running.
#[derive(Debug, Clone, Copy)]
struct Wait {
    remaining: Duration,
}

impl Wait {
    fn new(client: &Client, again: Again) -> Self {
        Self { remaining: client.request_can_run().saturating_sub(client.now().since(again.until)) }
    }

    /// An error that asks for patience while it can.
    fn is_over(self) -> Result<(), CallError> {
        if self.remaining.is_zero() {
            return Ok(());
        }
        let millis = u64::try_from(self.remaining.as_millis()).unwrap_or(u64::MAX);
        Err(CallError::deferred(
            "settling",
            "the answer to an earlier try was lost and it may still be running at the store; the engine looks again when it \
             can no longer be",
            Some(millis),
        ))
    }
}

fn unknown(words: &str) -> CallError {
    CallError { class: ErrorClass::Unknown, ..CallError::r#final(UNDECIDED, words) }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
