//! The world outside, for the simulator: a receiver that is slow, refuses, and loses answers. It outlives the engine
//! and counts effects, so that what the engine claims can be held against what it did.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use cartwright_core::{
    Json,
    call::{CallError, ErrorClass},
};
use cartwright_run::outbound::{Outbound, OutboundRequest};
use cartwright_tests::random::Random;
use parking_lot::Mutex;
use serde_json::json;

/// No call takes longer, half before and half after its effect.
const SLOWEST_CALL: Duration = Duration::from_millis(30);

/// What arrived outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effect {
    /// How often it happened.
    pub(crate) times: u64,
    /// The idempotency keys it was asked with.
    pub(crate) keys: Vec<String>,
}

/// The receiver.
pub(crate) struct Network {
    /// A repeated key has no second effect.
    honours_keys: bool,
    random: Mutex<Random>,
    effects: Mutex<BTreeMap<String, Effect>>,
    requests: Mutex<Vec<String>>,
    /// How often it was asked, by key.
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Network {
    pub(crate) fn new(seed: u64, honours_keys: bool) -> Arc<Self> {
        let random = Mutex::new(Random::new(seed));
        Arc::new(Self {
            honours_keys,
            random,
            effects: Mutex::default(),
            requests: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// Effects by their label.
    pub(crate) fn effects(&self) -> BTreeMap<String, Effect> {
        self.effects.lock().clone()
    }

    /// Every request in order, for the trace.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }

    /// Whether something happened under this key.
    pub(crate) fn has_seen(&self, key: &str) -> bool {
        self.effects.lock().values().any(|effect| effect.keys.iter().any(|known| known == key))
    }

    /// How often it was asked under this key.
    pub(crate) fn asked(&self, key: &str) -> usize {
        self.asked.lock().get(key).copied().unwrap_or_default()
    }

    /// The same of all keys.
    pub(crate) fn all_asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().clone()
    }

    fn draw(&self) -> (Duration, u64) {
        let mut random = self.random.lock();
        (random.between(Duration::ZERO, SLOWEST_CALL / 2), random.below(100))
    }

    fn happen(&self, label: &str, key: &str) {
        let mut effects = self.effects.lock();
        let effect = effects.entry(label.to_owned()).or_default();
        let repeated = effect.keys.iter().any(|known| known == key);
        if !repeated {
            effect.keys.push(key.to_owned());
        }
        if !(repeated && self.honours_keys) {
            effect.times += 1;
        }
    }
}

#[async_trait]
impl Outbound for Network {
    async fn send(&self, request: OutboundRequest) -> Result<Json, CallError> {
        let label = request.spec["body"]["effect"].as_str().unwrap_or("no label").to_owned();
        let key = request.idempotency_key.clone();
        let (before, luck) = self.draw();
        self.requests.lock().push(format!("{label} {key} {luck}"));
        *self.asked.lock().entry(key.clone()).or_default() += 1;
        tokio::time::sleep(before).await;
        match luck {
            0..8 => return Err(CallError::retryable("connection", "refused, as simulated")),
            8..14 => {
                return Err(CallError { status: Some(503), ..CallError::retryable("status", "503, as simulated") });
            }
            14..16 => {
                let wait = CallError { status: Some(429), ..CallError::retryable("status", "429, as simulated") };
                return Err(CallError { retry_after_ms: Some(500), ..wait });
            }
            20..23 => {
                // It never arrives, and nobody can tell that from a lost answer.
                return Err(lost(request.repeatable));
            }
            _ => {}
        }
        self.happen(&label, &key);
        tokio::time::sleep(self.draw().0).await;
        if (16..20).contains(&luck) {
            return Err(lost(request.repeatable));
        }
        Ok(json!({ "status": 200, "headers": {}, "body": { "ok": true } }))
    }
}

/// As the real client tells it: only what may be repeated is retryable once the answer is lost.
fn lost(repeatable: bool) -> CallError {
    let class = if repeatable { ErrorClass::Retryable } else { ErrorClass::Unknown };
    CallError { class, ..CallError::retryable("connection", "no answer came, as simulated") }
}
