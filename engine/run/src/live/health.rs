//! Which stores are away, read off what comes of calls to them. Kept in memory: a start takes every store for reachable.

use std::collections::HashSet;

use cartwright_core::{
    call::{CallError, ErrorClass},
    id::StoreId,
};
use parking_lot::Mutex;

/// Codes of the store's client that mean: nobody there, or nobody who could serve the call.
const AWAY: [&str; 8] = ["dns", "connection", "timeout", "tls", "maintenance", "unavailable", "gateway", "no_api"];
/// The same, where the call waits for it to pass.
const AWAY_FOR_NOW: [&str; 2] = ["rest_no_route", "blocked"];

/// Stores that are away.
#[derive(Default)]
pub(super) struct Health(Mutex<HashSet<StoreId>>);

/// What a call taught.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It cannot be called.
    Away { code: String, message: String },
    /// It answers again.
    Back,
}

impl Health {
    /// Takes note of a call's outcome. `None`: nothing new.
    pub(super) fn learn(&self, store: &StoreId, failed: Option<&CallError>) -> Option<Change> {
        let Some(error) = failed else { return self.back(store) };
        let code = error.code.as_str();
        if AWAY.contains(&code) || (AWAY_FOR_NOW.contains(&code) && error.class == ErrorClass::Deferred) {
            let new = self.0.lock().insert(store.clone());
            return new.then(|| Change::Away { code: error.code.clone(), message: error.message.clone() });
        }
        // Any other answer is one; what was refused here never left.
        let answered = error.status.is_some_and(|status| status < 500);
        if answered { self.back(store) } else { None }
    }

    fn back(&self, store: &StoreId) -> Option<Change> {
        self.0.lock().remove(store).then_some(Change::Back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_goes_away_once_and_comes_back_once() {
        let (health, shop) = (Health::default(), "shop".parse().expect("an id"));
        let error = |code: &str, status, class| CallError { status, class, ..CallError::r#final(code, "why") };
        let away = |code: &str| Some(Change::Away { code: code.into(), message: "why".into() });
        assert_eq!(health.learn(&shop, None), None, "a store is taken for reachable");
        let gone = error("connection", None, ErrorClass::Deferred);
        assert_eq!(health.learn(&shop, Some(&gone)), away("connection"));
        assert_eq!(health.learn(&shop, Some(&error("maintenance", Some(503), ErrorClass::Deferred))), None);
        for tells_nothing in [
            error("settling", None, ErrorClass::Deferred),
            error("invalid", None, ErrorClass::Final),
            error("server_error", Some(500), ErrorClass::Unknown),
        ] {
            assert_eq!(health.learn(&shop, Some(&tells_nothing)), None, "{tells_nothing:?}");
        }
        assert_eq!(health.learn(&"other".parse().expect("an id"), None), None, "each for itself");
        assert_eq!(
            health.learn(&shop, Some(&error("rest_no_route", Some(404), ErrorClass::Final))),
            Some(Change::Back)
        );
        assert_eq!(
            health.learn(&shop, Some(&error("rest_no_route", Some(404), ErrorClass::Deferred))),
            away("rest_no_route")
        );
        assert_eq!(health.learn(&shop, None), Some(Change::Back));
    }
}
